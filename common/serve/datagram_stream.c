/*
 * datagram_stream.c - see datagram.h: one program that gets all datagrams and gives all answers.
 *
 * Both directions are "SENDER LENGTH\n" and LENGTH bytes. What PROG has not read yet stays in a buffer of
 * ours; while that has no room for another datagram none is taken, and the kernel's queue waits.
 */
#include "serve/datagram.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "process/reap.h"
#include "process/sigs.h"
#include "serve/serve_loop.h"

enum { KNOWN = 1024, SENDER_SIZE = 128, HEAD = SENDER_SIZE + 32, OUT_ROOM = 2 * DATAGRAM_ROOM };
enum { IN, OUT };

/* Who has sent us something, and how an answer gets there. */
struct sender {
    char text[SENDER_SIZE]; /* the key */
    int socket;
    size_t asked;
    struct udp_ends ends;
};

struct datagram_stream {
    pid_t pid;
    int fd[2]; /* PROG's stdin and stdout; -1: closed */
    bool waits_for_room;
    int64_t end_at; /* PROG has closed its stdin, and should have exited by then; 0: it has not */
    struct buf in;  /* what PROG has not read yet, */
    size_t written; /* except this */
    size_t n, skip; /* of its output: what is there; what is left of an answer that is too long */
    char out[OUT_ROOM];
    struct table known[2]; /* those of late, and those before: at least the last KNOWN */
};

/* ---- senders ---- */

static void remember(struct datagrams *d, const char *key)
{
    struct table *known = d->stream->known;
    if (known->used >= KNOWN && !table_find(known, key)) {
        table_free(known + 1);
        known[1] = known[0];
        known[0] = (struct table){.entry_size = sizeof(struct sender), .key_size = SENDER_SIZE};
    }
    struct sender *s = table_add(known, key);
    if (!s) {
        msg_error(d->msg, "malloc", NULL, errno); /* it will get no answer */
        return;
    }
    s->socket = d->socket;
    s->asked = d->n;
    s->ends = d->ends;
}

static void answer(struct datagrams *d, const char *key, const char *bytes, size_t n)
{
    const struct sender *s = NULL;
    for (int i = 0; i < 2 && !s; i++)
        s = table_find(&d->stream->known[i], key);
    if (s)
        datagram_answer(d, s->socket, &s->ends, s->asked, bytes, n);
    else
        msg_error_why(d->msg, "answer", key, "nobody of that address has sent anything of late");
}

/* ---- what PROG reads ---- */

void stream_give(struct datagrams *d)
{
    struct datagram_stream *s = d->stream;
    char key[SENDER_SIZE] = "";
    struct buf text = BUF(key);
    udp_sender(&d->ends, &text);
    if (text.len < sizeof key) /* else it is no key, and there is no answer */
        remember(d, key);
    buf_bytes(&s->in, key, text.len);
    buf_char(&s->in, ' ');
    buf_num(&s->in, d->n);
    buf_char(&s->in, '\n');
    buf_bytes(&s->in, d->bytes, d->n);
    d->serve.is_full = s->in.size - s->in.len < d->room + HEAD;
    d->serve.tend_at = 1; /* before the next sleep: those that come together are written together */
}

static void close_end(struct datagrams *d, int end)
{
    if (d->stream->fd[end] >= 0)
        epoll_ctl(d->serve.also, EPOLL_CTL_DEL, d->stream->fd[end], NULL);
    fd_close(&d->stream->fd[end]);
}

/* Is told when PROG has made room, if that is waited for. */
static void wait_for_room(struct datagrams *d, bool wanted)
{
    struct datagram_stream *s = d->stream;
    struct epoll_event e = {.events = EPOLLOUT};
    if (wanted != s->waits_for_room && s->fd[IN] >= 0)
        epoll_ctl(d->serve.also, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, s->fd[IN], &e);
    s->waits_for_room = wanted;
}

static void write_in(struct datagrams *d)
{
    struct datagram_stream *s = d->stream;
    ssize_t n = 0;
    while (s->written < s->in.len &&
           (n = fd_write(s->fd[IN], s->in.mem + s->written, s->in.len - s->written)) > 0)
        s->written += (size_t)n;
    if (n < 0 && errno != EAGAIN) { /* PROG reads no more: its end, which should be near, is ours */
        close_end(d, IN);
        s->end_at = clock_in(CLOCK_SECOND);
        d->serve.is_full = true;
        return;
    }
    memmove(s->in.mem, s->in.mem + s->written, s->in.len - s->written);
    s->in.len -= s->written;
    s->written = 0;
    d->serve.is_full = s->in.size - s->in.len < d->room + HEAD;
    wait_for_room(d, s->in.len);
    if (!d->serve.listeners && !s->in.len) /* no further datagram comes: PROG sees the end of its input */
        close_end(d, IN);
}

/* ---- what PROG writes ---- */

static void end_with(struct datagrams *d, int status)
{
    d->serve.is_over = true;
    d->serve.over_status = status;
}

static void give_up(struct datagrams *d, const char *action, const char *why)
{
    kill(d->stream->pid, SIGTERM);
    end_with(d, msg_fatal_why(d->msg, EXIT_SYSTEM, action, d->serve.prog, why));
}

/* One answer, from the n bytes at `from`: how many it is made of; 0: more must come first; -1: it is none. */
static ssize_t take_answer(struct datagrams *d, const char *from, size_t n)
{
    char key[SENDER_SIZE] = "";
    uint64_t length;
    const char *end = memchr(from, '\n', n < HEAD ? n : HEAD);
    const char *blank = end ? memrchr(from, ' ', (size_t)(end - from)) : NULL;
    if (!end && n < HEAD)
        return 0;
    if (!blank || (size_t)(blank - from) >= sizeof key ||
        !num_u64n(blank + 1, (size_t)(end - blank - 1), 0, INT32_MAX, &length))
        return -1;
    size_t head = (size_t)(end + 1 - from);
    memcpy(key, from, (size_t)(blank - from));
    if (length > DATAGRAM_ANSWER) {
        d->stream->skip = length;
        answer(d, key, NULL, length);
        return (ssize_t)head;
    }
    if (n - head < length)
        return 0;
    answer(d, key, end + 1, length);
    return (ssize_t)(head + length);
}

static void take_answers(struct datagrams *d)
{
    struct datagram_stream *s = d->stream;
    size_t at = 0;
    ssize_t n = 1;
    while (at < s->n && n > 0) {
        n = (ssize_t)(s->skip < s->n - at ? s->skip : s->n - at);
        s->skip -= (size_t)n;
        if (!n)
            n = take_answer(d, s->out + at, s->n - at);
        if (n > 0)
            at += (size_t)n;
    }
    if (n < 0) {
        close_end(d, OUT);
        give_up(d, "read the answers of", "expected SENDER LENGTH");
    }
    memmove(s->out, s->out + at, s->n - at);
    s->n -= at;
}

/* As much as is there, within bounds: signals and datagrams want their turn. */
static void read_out(struct datagrams *d)
{
    enum { TURNS = 16 };
    struct datagram_stream *s = d->stream;
    for (int i = 0; i < TURNS && s->fd[OUT] >= 0; i++) {
        ssize_t n = fd_read(s->fd[OUT], s->out + s->n, sizeof s->out - s->n);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            close_end(d, OUT);
            return;
        }
        s->n += (size_t)n;
        take_answers(d);
    }
}

void stream_tend(struct datagrams *d)
{
    d->serve.tend_at = 0;
    if (d->stream->fd[IN] >= 0)
        write_in(d);
    read_out(d);
    if (d->stream->end_at && !d->serve.is_over) {
        d->serve.tend_at = d->stream->end_at;
        if (!clock_left(d->stream->end_at))
            give_up(d, "write to", "it has closed its input");
    }
}

/* ---- PROG ---- */

void stream_ended(struct datagrams *d, pid_t pid, int status)
{
    if (pid != d->stream->pid)
        return;
    while (d->stream->fd[OUT] >= 0 && !d->serve.is_over) {
        size_t before = d->stream->n;
        read_out(d);
        if (d->stream->n == before)
            break;
    }
    if (d->serve.is_over)
        return;
    end_with(d, reap_exit_status(status));
    if (d->serve.listeners)
        msg_error_why(d->msg, NULL, d->serve.prog, "the program of --stream has exited");
}

static int fail(struct datagrams *d, const char *action)
{
    return msg_fatal(d->msg, EXIT_SYSTEM, action, d->serve.prog, errno);
}

int stream_begin(struct datagrams *d)
{
    const int on = 1;
    const char *failed;
    int in[2], out[2];
    size_t size = 2 * (d->room + HEAD);
    struct serve_conn c = {.fd = -1};
    struct epoll_event e = {.events = EPOLLIN};
    struct datagram_stream *s = d->stream = calloc(1, sizeof *s + size);
    if (!s || table_reserve(&d->serve.children) < 0)
        return fail(d, "malloc");
    s->in = (struct buf){.mem = (char *)(s + 1), .size = size};
    for (int i = 0; i < 2; i++)
        s->known[i] = (struct table){.entry_size = sizeof(struct sender), .key_size = SENDER_SIZE};
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0)
        return fail(d, "pipe");
    addr_local(&c.local, d->serve.listener[0]);
    s->pid = serve_spawn(&d->serve, &c, in[0], out[1], &failed);
    if (s->pid < 0)
        return fail(d, failed);
    serve_note_child(&d->serve, &c, s->pid);
    fd_close(&in[0]);
    fd_close(&out[1]);
    s->fd[IN] = in[1];
    s->fd[OUT] = out[0];
    ioctl(s->fd[IN], FIONBIO, &on);
    ioctl(s->fd[OUT], FIONBIO, &on);
    return epoll_ctl(d->serve.also, EPOLL_CTL_ADD, s->fd[OUT], &e) < 0 ? fail(d, "epoll_ctl") : 0;
}
