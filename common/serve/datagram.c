/*
 * datagram.c - see datagram.h.
 */
#include "serve/datagram.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/place.h"
#include "serve/serve_loop.h"

/*
 * A pipe holds any answer that may be sent, so most programs have exited before anybody has to read. Only
 * those that run longer than this are looked after.
 */
enum { LOOK_MS = 20, RECEIVE_BUFFER = 4 << 20 };

/* A program that runs for a datagram. */
struct job {
    pid_t pid; /* the key */
    int out;   /* its stdout; -1: no more comes of it */
    int socket;
    bool is_watched;
    size_t asked, got;
    unsigned char *answer; /* what had to be read before its end, `got` bytes; NULL: nothing */
    struct udp_ends ends;
};

/* ---- answers ---- */

static bool is_near(const struct addr *from)
{
    struct addr a = *from;
    addr_unmap(&a);
    return addr_family(&a) == AF_UNIX ||
           (addr_family(&a) == AF_INET ? *(unsigned char *)&a.u.in.sin_addr == 127
                                       : IN6_IS_ADDR_LOOPBACK(&a.u.in6.sin6_addr));
}

static void say_lost(const struct datagrams *d, const struct udp_ends *to, const char *why)
{
    char mem[4 * ADDR_TEXT_SIZE];
    struct buf client = BUF(mem);
    udp_sender(to, &client);
    msg_error_why(d->msg, "answer", buf_str(&client), why);
}

static const char *why_lost(int err)
{
    return err == UDP_RELATIVE  ? "the name of its socket is a relative path"
           : err == UDP_FOREIGN ? "its name does not lead to a socket of the sender's"
                                : place_error(err);
}

void datagram_answer(
    struct datagrams *d, int socket, const struct udp_ends *to, size_t asked, const void *bytes, size_t n)
{
    size_t most = d->amplify * asked;
    if (n > DATAGRAM_ANSWER)
        say_lost(d, to, "it is longer than a datagram");
    else if (n > DATAGRAM_ALWAYS && n > most && !is_near(&to->from))
        say_lost(d, to, "it is longer than --amplify allows");
    else if (!to->from.len)
        return; /* the sender's socket has no name */
    else if (udp_answer(socket, bytes, n, to) < 0)
        say_lost(d, to, why_lost(errno));
    else
        d->answered++;
}

static void say(void *owner, const struct serve_conn *c, const char *text)
{
    struct datagrams *d = owner;
    (void)c;
    datagram_answer(d, d->socket, &d->ends, d->n, text, strlen(text));
}

/* Takes what is there of an answer, and one byte more than may be sent. False: nothing more comes. */
static bool collect(struct job *j, unsigned char *to)
{
    ssize_t n = 0;
    while (j->got <= DATAGRAM_ANSWER && (n = fd_read(j->out, to + j->got, DATAGRAM_ANSWER + 1 - j->got)) > 0)
        j->got += (size_t)n;
    return n < 0 && errno == EAGAIN;
}

static void ended(void *owner, pid_t pid, int status)
{
    struct datagrams *d = owner;
    struct job *j = table_find(&d->jobs, &pid);
    if (d->is_stream)
        stream_ended(d, pid, status);
    if (!j)
        return;
    unsigned char *answer = j->answer ? j->answer : d->answer;
    if (j->out >= 0)
        collect(j, answer);
    if (j->got > DATAGRAM_ANSWER || (j->got && status == 0))
        datagram_answer(d, j->socket, &j->ends, j->asked, answer, j->got);
    fd_close(&j->out);
    free(j->answer);
    table_remove(&d->jobs, j);
}

/* ---- programs that run longer ---- */

static void stop_reading(struct datagrams *d, struct job *j)
{
    epoll_ctl(d->serve.also, EPOLL_CTL_DEL, j->out, NULL);
    fd_close(&j->out);
}

/* Nobody has to read from a program whose answer is too long: it gets SIGPIPE. */
static void read_early(struct datagrams *d, struct job *j)
{
    if (!j->answer && !(j->answer = malloc(DATAGRAM_ANSWER + 1))) {
        msg_error(d->msg, "malloc", NULL, errno);
        stop_reading(d, j);
    } else if (!collect(j, j->answer)) {
        stop_reading(d, j);
    }
}

/* Those that have not exited within a short time. */
static void watch_all(struct datagrams *d)
{
    d->serve.tend_at = 0;
    for (size_t i = 0; i < d->jobs.slots; i++) {
        struct job *j = table_at(&d->jobs, i);
        if (!j || j->is_watched)
            continue;
        struct epoll_event e = {.events = EPOLLIN, .data.u64 = (uint64_t)j->pid};
        j->is_watched = epoll_ctl(d->serve.also, EPOLL_CTL_ADD, j->out, &e) == 0;
        if (!j->is_watched)
            d->serve.tend_at = clock_in(CLOCK_SECOND);
    }
}

static void tend(void *owner)
{
    enum { EVENTS = 64 };
    struct datagrams *d = owner;
    struct epoll_event events[EVENTS];
    if (d->is_stream) {
        stream_tend(d);
        return;
    }
    if (d->serve.tend_at && !clock_left(d->serve.tend_at))
        watch_all(d);
    int n = epoll_wait(d->serve.also, events, EVENTS, 0);
    for (int i = 0; i < n; i++) {
        pid_t pid = (pid_t)events[i].data.u64;
        struct job *j = table_find(&d->jobs, &pid);
        if (j && j->out >= 0)
            read_early(d, j);
    }
}

/* ---- a datagram ---- */

static int take(void *owner, int fd, struct serve_conn *c)
{
    struct datagrams *d = owner;
    if (d->spare < 0 && !d->is_stream && (d->spare = memfd_create("datagram", MFD_CLOEXEC)) < 0)
        return -1;
    ssize_t n = udp_take(fd, d->bytes, d->room, &d->ends);
    if (n < 0)
        return -1;
    d->n = (size_t)n;
    d->socket = fd;
    c->fd = d->spare;
    d->spare = -1;
    c->remote = d->ends.from;
    c->peer = d->ends.peer;
    return 0;
}

static void say_ignored(const struct datagrams *d)
{
    if (d->msg->level >= MSG_VERBOSE)
        say_lost(d, &d->ends, "its port is that of a service that answers everything");
}

static bool identify(void *owner, struct serve_conn *c)
{
    struct datagrams *d = owner;
    struct addr bound;
    addr_unmap(&c->remote);
    if (d->ends.cut) {
        say_lost(d, &d->ends, strerror(EMSGSIZE));
        d->serve.failed++;
        return false;
    }
    if (udp_answers_all(addr_port(&c->remote))) {
        say_ignored(d);
        d->serve.refused++;
        return false;
    }
    if (addr_local(&bound, d->socket) < 0)
        return true;
    c->local = bound;
    if (d->ends.asked.len)
        c->local = d->ends.asked;
    addr_set_port(&c->local, addr_port(&bound));
    return true;
}

static bool admit(void *owner, struct serve_conn *c)
{
    const struct datagrams *d = owner;
    return access_admit(&d->access, c);
}

static int put_env(void *owner, const struct serve_conn *c, struct env *e, char **pid_text)
{
    struct datagrams *d = owner;
    if (d->access.is_unix) {
        *pid_text = ucspi_pid_text(&d->ucspi);
        if (ucspi_unix(&d->ucspi, e, "UNIXLOCALPATH=", &c->local, &c->peer, 0) < 0)
            return -1;
    } else if (ucspi_udp(&d->ucspi, e, &c->local, &c->remote) < 0) {
        return -1;
    }
    if (c->client_connections &&
        ucspi_count(&d->ucspi, e, d->access.is_unix ? "UNIX" : "UDP", c->client_connections) < 0)
        return -1;
    return access_env(&d->access, c, e);
}

/* The program: 0 where it is that of --stream. A shortage leaves the datagram where it is. */
static pid_t start(void *owner, struct serve_conn *c, const char **failed)
{
    struct datagrams *d = owner;
    int out[2];
    const int on = 1;
    if (d->is_stream) {
        stream_give(d);
        return 0;
    }
    if (table_reserve(&d->jobs) < 0)
        return -1;
    *failed = "write the datagram";
    ssize_t n = pwrite(c->fd, d->bytes, d->n, 0);
    if (n >= 0)
        errno = EFBIG; /* the limit of ulimit -f, which will be no other when we try again */
    if (n != (ssize_t)d->n)
        return -1;
    *failed = "pipe";
    if (pipe2(out, O_CLOEXEC) < 0)
        return -1;
    ioctl(*out, FIONBIO, &on);
    pid_t pid = serve_spawn(&d->serve, c, c->fd, out[1], failed);
    fd_close(&out[1]);
    if (pid < 0) {
        fd_close(out);
        return -1;
    }
    struct job *j = table_add(&d->jobs, &pid); /* there is room: it can't fail */
    *j = (struct job){.pid = pid, .out = *out, .socket = d->socket, .asked = d->n, .ends = d->ends};
    if (!d->serve.tend_at)
        d->serve.tend_at = clock_in(LOOK_MS * CLOCK_MS);
    return pid;
}

/* ---- what is told ---- */

static void say_client(const struct serve_conn *c, struct buf *text)
{
    const struct udp_ends e = {.from = c->remote};
    udp_sender(&e, text);
}

static void describe(void *owner, const struct serve_conn *c, pid_t pid, struct event *e)
{
    const struct datagrams *d = owner;
    char local[ADDR_TEXT_SIZE] = "", mem[4 * ADDR_TEXT_SIZE];
    struct buf remote = BUF(mem);
    say_client(c, &remote);
    if (c->local.len)
        addr_text(&c->local, local);
    event_str(e, "local", local);
    event_str(e, "remote", buf_str(&remote));
    event_num(e, "bytes", (long long)d->n);
    event_text(e, "ok %d %s %zu", (int)pid, mem, d->n);
}

static void status(const void *owner, struct event *e)
{
    const struct datagrams *d = owner;
    const struct serve *s = &d->serve;
    const unsigned long received = s->accepted - (s->held.fd >= 0), refused = s->refused + s->denied;
    event_num(e, "received", (long long)received);
    event_num(e, "run", (long long)s->started);
    event_num(e, "refused", (long long)refused);
    event_num(e, "failed", (long long)s->failed);
    event_num(e, "answered", (long long)d->answered);
    event_text(e, " received %lu run %lu refused %lu failed %lu answered %lu", received, s->started, refused,
        s->failed, d->answered);
}

static void refresh(void *owner, bool asked)
{
    struct datagrams *d = owner;
    access_refresh(&d->access, asked);
}

static void closing(void *owner)
{
    struct datagrams *d = owner;
    keeper_remove(&d->keeper);
    d->serve.tend_at = 1; /* the stream's input may end */
}

/* ---- the start ---- */

static int begin(void *owner)
{
    struct datagrams *d = owner;
    return d->is_stream ? stream_begin(d) : 0;
}

void datagrams_init(struct datagrams *d, struct msg *m)
{
    static const struct serve_datagrams hooks = {.begin = begin,
        .take = take,
        .start = start,
        .say = say,
        .ended = ended,
        .tend = tend,
        .status = status};
    *d = (struct datagrams){.msg = m,
        .access = {.msg = m, .one_group = true},
        .amplify = 1,
        .spare = -1,
        .jobs = {.entry_size = sizeof(struct job), .key_size = sizeof(pid_t)},
        .kind = {.identify = identify,
            .admit = admit,
            .put_env = put_env,
            .describe = describe,
            .client = say_client,
            .closing = closing,
            .refresh = refresh,
            .datagrams = &hooks}};
    keeper_init(&d->keeper, m);
    serve_init(&d->serve, m, &d->kind, d);
}

int datagrams_run(struct datagrams *d, const char *where, char **argv)
{
    struct serve *s = &d->serve;
    int failed = EXIT_DONE;
    for (int i = 0; i < s->listeners; i++) {
        int fd = s->listener[i];
        s->blocking[i] = false; /* no call of ours waits */
        udp_make_room(fd, RECEIVE_BUFFER);
        if (!failed && udp_tell_ends(fd, udp_family(fd)) < 0)
            failed = msg_fatal(d->msg, EXIT_SYSTEM, "setsockopt", NULL, errno);
    }
    if (d->is_stream)
        s->asked.limit = ULONG_MAX; /* PROG is the only one */
    d->room = d->access.is_unix ? DATAGRAM_UNIX_ROOM : DATAGRAM_ROOM;
    d->bytes = malloc(d->room);
    d->answer = malloc(DATAGRAM_ANSWER + 1);
    if (!failed && (!d->bytes || !d->answer))
        failed = msg_fatal(d->msg, EXIT_SYSTEM, "malloc", NULL, errno);
    s->also = epoll_create1(EPOLL_CLOEXEC);
    if (!failed && s->also < 0)
        failed = msg_fatal(d->msg, EXIT_SYSTEM, "epoll_create", NULL, errno);
    int exit_status = failed ? failed : serve_run(s, where, NULL, argv);
    keeper_remove(&d->keeper); /* also of what has failed */
    return exit_status;
}
