/*
 * udpclient - sends datagrams, and prints the answers.
 *
 * The socket is connected to the address that was asked, so that the kernel drops what others send and
 * reports a refusal; where anybody may answer, it is not. All input is sent, at a pace that a server which
 * answers can keep up with.
 */
#include "cli/applet.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "net/addr_words.h"
#include "net/keeper.h"
#include "net/multicast.h"
#include "net/resolve.h"
#include "net/udp.h"
#include "process/sigs.h"

#define UDPCLIENT_OPTIONS(X)                                                                          \
    MSG_OPTIONS(X)                                                                                    \
    X(NUMBER, 'n', "number", "N", "wait for N answers (1)")                                           \
    X(TIMEOUT, 't', "timeout", "TIME", "stop after TIME (5)")                                         \
    X(NUL, '0', "null", NULL, "read and write items terminated by NUL, not lines")                    \
    X(RAW, 0, "raw", NULL, "print nothing after an answer")                                           \
    X(WHOLE, 0, "whole", NULL, "send all of stdin as one datagram")                                   \
    X(FROM, 0, "from", "any", "accept answers from any address")                                      \
    X(WHO, 0, "who", NULL, "print the sender before each answer")                                     \
    X(BROADCAST, 0, "broadcast", NULL, "allow a broadcast address; implies --from any")               \
    X(TTL, 0, "ttl", "N", "let multicast datagrams cross N-1 routers (1)")                            \
    X(JOIN, 0, "join", "IP", "also receive what is sent to PORT of the group IP; implies --from any") \
    X(LOCAL_IP, 'i', "local-ip", "IP", "send from the local address IP")                              \
    X(IPV4, '4', "ipv4", NULL, "use IPv4 only")                                                       \
    X(IPV6, '6', "ipv6", NULL, "use IPv6 only")                                                       \
    X(UNIX, 0, "unix", "PATH", "send to the Unix socket PATH in place of HOST and PORT")

enum udpclient_option { UDPCLIENT_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {UDPCLIENT_OPTIONS(OPT_ROW)};

enum { SECONDS = 5, IN_ROOM = 1 << 18, OUT_ROOM = 1 << 20, RECEIVE_BUFFER = 4 << 20 };
/* so many datagrams before a rest; and when so many have no answer yet, a rest after each */
enum { BURST = 32, OUTSTANDING = 64, REST_MS = 1, FULL_MS = 5 };
enum { BEFORE = 4 * ADDR_TEXT_SIZE + 2 }; /* room for the sender */

struct udpclient {
    struct msg *msg;
    unsigned long wanted;
    bool nul, raw, whole, any, who, broadcast;
    int ttl, family;
    const char *text, *path;
    struct addr local, group; /* length 0: not given */

    struct resolved hosts;
    int host; /* which of them is asked */
    struct addr to, self;
    struct keeper file;      /* of our end of a Unix socket */
    struct pollfd polls[3];  /* the socket, that of --join, stdin */
    unsigned char *in, *out; /* room for stdin, for an answer */
    size_t start, end;       /* what of `in` is still to be sent */
    bool shifted, at_end;    /* the first datagrams are no longer there; nothing more to read */
    unsigned long sent, got;
    int64_t deadline, next_send;
};

/* ---- sockets ---- */

/* Our end of a Unix socket goes with us. */
static _Noreturn void die(struct udpclient *u, const char *action, const char *object)
{
    int err = errno;
    keeper_remove(&u->file);
    msg_die(u->msg, EXIT_SYSTEM, action, object, err);
}

/* As sigs_sleep; no failure is taken for silence. */
static int sleep_for(struct udpclient *u, struct pollfd *fds, nfds_t n, int64_t until)
{
    int ready = sigs_sleep(fds, n, clock_left(until));
    return ready < 0 && errno != EINTR ? (die(u, "poll", NULL), -1) : ready;
}

static _Noreturn void die_of_host(struct udpclient *u, const char *action)
{
    char text[ADDR_TEXT_SIZE];
    addr_text(&u->to, text);
    die(u, action, text);
}

/* A socket to u->to. -1 with errno. */
static int open_socket(struct udpclient *u)
{
    const int on = 1;
    bool six = addr_family(&u->to) == AF_INET6;
    int fd = udp_socket(addr_family(&u->to), RECEIVE_BUFFER, false);
    if (fd < 0)
        return -1;
    errno = EAFNOSUPPORT;
    int done = u->local.len && addr_family(&u->local) != addr_family(&u->to)
                   ? -1
                   : multicast_from(fd, &u->to, &u->local, u->ttl);
    if (done == 0 && u->local.len)
        done = bind(fd, &u->local.u.sa, u->local.len);
    if (done == 0 && u->broadcast)
        done = setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
    if (done == 0)
        done = u->any ? setsockopt(fd, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_RECVERR : IP_RECVERR, &on,
                            sizeof on)
                      : connect(fd, &u->to.u.sa, u->to.len);
    if (done < 0)
        fd_close(&fd);
    return fd;
}

/* The next address of the host that can be sent to. False: there is none, errno says why. */
static bool open_next(struct udpclient *u)
{
    fd_close(&u->polls[0].fd);
    while (u->polls[0].fd < 0 && u->host < u->hosts.n) {
        u->to = u->hosts.addrs[u->host++];
        u->any = u->any || multicast_is_group(&u->to);
        u->polls[0].fd = open_socket(u);
    }
    return u->polls[0].fd >= 0;
}

/* A second socket, for the group's port; what we send to the group ourselves comes back to it. */
static int join(struct udpclient *u)
{
    u->any = false;
    int probe = open_socket(u); /* connected: it knows which of our addresses is the sender's */
    u->any = true;
    if (probe >= 0)
        addr_local(&u->self, probe);
    fd_close(&probe);
    return multicast_join(&u->group, &u->local, RECEIVE_BUFFER);
}

static bool is_ours(struct udpclient *u, const struct addr *from)
{
    unsigned char self[ADDR_KEY_SIZE], sender[ADDR_KEY_SIZE];
    struct addr bound;
    if (!u->self.len || addr_local(&bound, u->polls[0].fd) < 0 || addr_port(&bound) != addr_port(from))
        return false;
    addr_key(&u->self, self);
    addr_key(from, sender);
    return memcmp(self, sender, sizeof self) == 0;
}

static void open_inet(struct udpclient *u, const char *host, uint16_t port)
{
    if (resolve_wait(strcmp(host, "0") ? host : "127.0.0.1", port, u->family, u->deadline, &u->hosts) < 0)
        exit(msg_fatal_why(u->msg, EXIT_SYSTEM, "look up", host, resolve_reason(&u->hosts)));
    if (!open_next(u))
        die_of_host(u, "send to");
    addr_set_port(&u->group, port);
    if (u->group.len && (u->polls[1].fd = join(u)) < 0)
        msg_die_sys(u->msg, "join", "group");
}

/*
 * Our end needs a name, or nobody could answer: where we may make no file, an abstract one of the kernel's
 * choice.
 */
static void open_unix(struct udpclient *u)
{
    int fd = keeper_bind_beside(&u->file, u->path);
    if (fd < 0 && ((fd = udp_socket(AF_UNIX, RECEIVE_BUFFER, false)) < 0 ||
                      bind(fd, &(struct sockaddr){.sa_family = AF_UNIX}, sizeof(sa_family_t)) < 0))
        msg_die_sys(u->msg, "bind", NULL);
    u->polls[0].fd = fd;
    if (connect(fd, &u->to.u.sa, u->to.len) < 0)
        die_of_host(u, "connect to");
    if (u->any)
        (void)connect(fd, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(sa_family_t));
}

/* ---- sending ---- */

/* The next datagram, and how much of `in` it takes: 1; 0: it is not there yet; -1: there is none. */
static int next_datagram(const struct udpclient *u, size_t *n, size_t *used)
{
    const unsigned char *from = u->in + u->start;
    *n = *used = u->end - u->start;
    if (u->whole)
        return u->sent ? -1 : u->at_end;
    const unsigned char *stop = memchr(from, u->nul ? '\0' : '\n', *n);
    if (stop)
        *used = (*n = (size_t)(stop - from)) + 1;
    return stop ? 1 : !u->at_end ? 0 : *n ? 1 : -1;
}

/* Nobody is there: the next address, as long as we have all that the last one was sent. True: go on. */
static bool is_refused(struct udpclient *u)
{
    char text[ADDR_TEXT_SIZE];
    int err = errno;
    addr_text(&u->to, text);
    if (!u->got && !u->shifted && open_next(u)) {
        u->start = u->sent = 0;
        u->next_send = 0;
        return true;
    }
    msg_error(u->msg, NULL, text, err);
    return false;
}

/* Sends what may be sent now. False: it was refused. */
static bool send_some(struct udpclient *u)
{
    size_t n, used;
    for (int i = 0; i < BURST && !clock_left(u->next_send) && next_datagram(u, &n, &used) > 0; i++) {
        ssize_t done = sendto(u->polls[0].fd, u->in + u->start, n, MSG_NOSIGNAL, u->any ? &u->to.u.sa : NULL,
            u->any ? u->to.len : 0);
        if (done < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == EINTR)) {
            u->next_send = clock_in(REST_MS * CLOCK_MS);
            return true;
        }
        if (done < 0 && errno == ECONNREFUSED)
            return is_refused(u);
        if (done < 0)
            die_of_host(u, "send to");
        u->start += used;
        u->sent++;
        bool full = u->sent >= u->got + OUTSTANDING && u->got < u->wanted;
        if (full || i == BURST - 1)
            u->next_send = clock_in((full ? FULL_MS : REST_MS) * CLOCK_MS);
    }
    return true;
}

/* ---- reading ---- */

static void read_input(struct udpclient *u)
{
    if (u->end == IN_ROOM && u->start) {
        memmove(u->in, u->in + u->start, u->end - u->start);
        u->end -= u->start;
        u->start = 0;
        u->shifted = true;
    }
    errno = EMSGSIZE;
    if (u->end == IN_ROOM)
        die_of_host(u, "send to");
    ssize_t n = fd_read(STDIN_FILENO, u->in + u->end, IN_ROOM - u->end);
    if (n < 0 && errno != EAGAIN)
        die(u, "read", "stdin");
    u->at_end = n == 0;
    u->end += n > 0 ? (size_t)n : 0;
}

/* Whether all of it could be written before the deadline, or a signal that ends us. */
static bool print(struct udpclient *u, const unsigned char *bytes, size_t n)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    while (n && !sigs_ending_came()) {
        int ready = sleep_for(u, &p, 1, u->deadline);
        if (ready == 0 && !clock_left(u->deadline))
            return false;
        if (ready <= 0)
            continue;
        ssize_t done = write(STDOUT_FILENO, bytes, n < PIPE_BUF ? n : PIPE_BUF);
        if (done < 0 && errno != EAGAIN) {
            if (errno != EPIPE || sigs_found_ignored(SIGPIPE))
                die(u, "write", "stdout");
            keeper_remove(&u->file);
            sigs_die(SIGPIPE);
        }
        bytes += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return !n;
}

/* An answer, in one piece with who sent it. */
static bool print_answer(struct udpclient *u, const struct udp_ends *ends, size_t n)
{
    char mem[BEFORE];
    struct buf who = BUF(mem);
    unsigned char *from = u->out + BEFORE;
    if (u->who) {
        udp_sender(ends, &who);
        buf_char(&who, ' ');
        from -= who.len;
        memcpy(from, mem, who.len);
    }
    n += who.len;
    if (!u->raw)
        from[n++] = u->nul ? '\0' : '\n';
    return print(u, from, n);
}

/* What has come to a socket. False: a refusal has. */
static bool take_answers(struct udpclient *u, int fd)
{
    struct udp_ends ends;
    while (u->got < u->wanted && !sigs_ending_came()) {
        ssize_t n = udp_take(fd, u->out + BEFORE, OUT_ROOM, &ends);
        if (n < 0 && errno == EAGAIN)
            return true;
        if (n < 0) {
            int err = errno;
            while (recv(fd, u->out, OUT_ROOM, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0)
                ; /* of IP_RECVERR */
            errno = err;
            return is_refused(u);
        }
        errno = EMSGSIZE;
        if (ends.cut)
            die_of_host(u, "receive from");
        if (is_ours(u, &ends.from))
            continue;
        if (!print_answer(u, &ends, (size_t)n))
            return true;
        u->got++;
        u->next_send = 0;
    }
    return true;
}

/* ---- all of it ---- */

static bool is_done(const struct udpclient *u)
{
    size_t n, used;
    return u->got >= u->wanted && next_datagram(u, &n, &used) < 0;
}

static void say_counts(const struct udpclient *u)
{
    char text[ADDR_TEXT_SIZE], mem[80];
    struct buf b = BUF(mem);
    addr_text(&u->to, text);
    buf_fmt(&b, "%lu sent, %lu of %lu answers", u->sent, u->got, u->wanted);
    msg_error_why(u->msg, NULL, text, buf_str(&b));
}

static int converse(struct udpclient *u)
{
    size_t n, used;
    /* with no time at all: what is there is read and sent, and answered or not */
    for (int round = 0; !is_done(u) && !sigs_ending_came(); round++) {
        if (round > 1 && !clock_left(u->deadline)) {
            if (u->msg->level < MSG_VERBOSE)
                say_counts(u);
            return EXIT_NO;
        }
        if (!send_some(u))
            return EXIT_NO;
        int next = next_datagram(u, &n, &used);
        int64_t until = next > 0 ? clock_first(u->deadline, u->next_send) : u->deadline;
        u->polls[2].fd = next == 0 ? STDIN_FILENO : -1;
        for (int i = 0; i < 2; i++)
            u->polls[i].events = u->got < u->wanted ? POLLIN : 0;
        if (is_done(u) || sleep_for(u, u->polls, 3, until) <= 0)
            continue;
        for (int i = 0; i < 2; i++)
            if (u->polls[i].revents && !take_answers(u, u->polls[i].fd))
                return EXIT_NO;
        if (u->polls[2].revents)
            read_input(u);
    }
    return EXIT_DONE;
}

static int run(struct udpclient *u, const char *host, uint16_t port)
{
    u->in = u->text ? (unsigned char *)u->text : malloc(IN_ROOM);
    u->out = malloc(BEFORE + OUT_ROOM + 1);
    if (!u->in || !u->out)
        msg_die_sys(u->msg, "malloc", NULL);
    if (!u->path)
        open_inet(u, host, port);
    sigs_catch_ending();
    sigs_claim_term();
    sigs_learn_ignored();
    if (u->path)
        open_unix(u);
    int status = converse(u);
    if (u->msg->level >= MSG_VERBOSE)
        say_counts(u);
    keeper_remove(&u->file);
    int sig = sigs_take_ending(NULL);
    if (sig)
        sigs_die(sig);
    return u->file.left ? EXIT_SYSTEM : status;
}

/* ---- the command line ---- */

static void take_option(struct udpclient *u, int row, const struct opts *o)
{
    switch ((enum udpclient_option)row) {
        MSG_OPTIONS(OPT_CASE)
        opts_level(u->msg, row);
        break;
    case OPT_NUMBER:
        u->wanted = (unsigned long)opts_num(o, 0, UINT32_MAX);
        break;
    case OPT_TIMEOUT:
        u->deadline = opts_duration(o);
        break;
    case OPT_NUL:
        u->nul = true;
        break;
    case OPT_RAW:
        u->raw = true;
        break;
    case OPT_WHOLE:
        u->whole = true;
        break;
    case OPT_BROADCAST:
        u->broadcast = u->any = true;
        break;
    case OPT_FROM:
        u->any = opts_choice(o) == 0;
        break;
    case OPT_WHO:
        u->who = true;
        break;
    case OPT_TTL:
        u->ttl = (int)opts_num(o, 0, 255);
        break;
    case OPT_JOIN:
        addr_ip_option(o, &u->group);
        u->any = true;
        if (!multicast_is_group(&u->group))
            opts_wrong(o, "expected the address of a multicast group");
        break;
    case OPT_LOCAL_IP:
        addr_ip_option(o, &u->local);
        break;
    case OPT_IPV4:
        u->family = AF_INET;
        break;
    case OPT_IPV6:
        u->family = AF_INET6;
        break;
    case OPT_UNIX:
        addr_unix_option(&u->to, o);
        u->path = o->arg;
        break;
    }
}

static const struct cli cli = {
    .name = "udpclient",
    .summary = "send datagrams and print the answers",
    .usage = "[OPTION]... HOST PORT [TEXT]\n"
             "[OPTION]... --unix PATH [TEXT]",
    .notes = "Sends TEXT, or each line of stdin, as a datagram. Exits 0 once N answers have come, and 1 when "
             "they have not.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static void check(const struct udpclient *u, const char *host)
{
    struct addr a;
    if (u->path && (u->family != AF_UNSPEC || u->local.len || u->group.len || u->broadcast || u->ttl >= 0))
        msg_usage(u->msg, "-4, -6, -i, --ttl, --broadcast and --join cannot be combined with --unix");
    if (u->whole && u->text)
        msg_usage(u->msg, "--whole and TEXT cannot be combined");
    if (!u->path && u->local.len && addr_parse_ip(&a, host, 0) && addr_family(&a) != addr_family(&u->local))
        msg_usage(u->msg, "-i and HOST are of different families");
}

static int udpclient_main(struct msg *m, int argc, char **argv)
{
    struct udpclient u = {.msg = m, .wanted = 1, .deadline = SECONDS * CLOCK_SECOND, .ttl = -1};
    struct opts o;
    int row;
    keeper_init(&u.file, m);
    for (int i = 0; i < 3; i++)
        u.polls[i] = (struct pollfd){.fd = -1, .events = POLLIN};
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&u, row, &o);
    argv += o.first;
    uint16_t port = u.path ? 0 : addr_port_operand(m, argv, 1);
    const char *host = *argv;
    argv += u.path ? 0 : 2;
    if (*argv && argv[1])
        msg_usage(m, "unexpected operand '%s'", argv[1]);
    u.deadline = clock_in(u.deadline);
    u.text = *argv;
    check(&u, host);
    if (u.text) {
        u.whole = u.at_end = true;
        u.end = strlen(u.text);
    }
    return run(&u, host, port);
}

const struct applet applet_udpclient = {.cli = &cli, .theme = THEME_SOCKETS, .main = udpclient_main};
