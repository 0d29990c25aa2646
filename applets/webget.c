/*
 * webget - gets documents over HTTP/1.0 (RFC 1945), and detects those that are cut off.
 *
 * perlipc's webget, with a Host header. The head is limited in size and time, so that no server can hang us
 * or exhaust our memory; the body goes from the socket to stdout without a copy where the kernel can.
 */
#include "cli/applet.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/addr_words.h"
#include "net/confine.h"
#include "net/dial.h"
#include "base/fd.h"
#include "net/http.h"
#include "io/progress.h"
#include "io/relay.h"
#include "net/resolve.h"
#include "process/sigs.h"
#include "base/version.h"

#define WEBGET_OPTIONS(X)                                                                             \
    MSG_OPTIONS(X)                                                                                    \
    X(PORT, 'p', "port", "PORT", "connect to PORT (80)")                                              \
    X(BODY, 'b', "body", NULL, "print the body only, not the head")                                   \
    X(FAIL, 'f', "fail", NULL, "exit 1 if the status is 400 or above, and do not print the response") \
    X(HEADER, 'H', "header", "HEADER", "add HEADER, 'Name: value', to the request; can be repeated")  \
    X(TIMEOUT, 't', "timeout", "TIME", "exit 124 unless each document arrives within TIME")           \
    X(UNIX, 0, "unix", "PATH", "connect to the Unix socket PATH instead of the host")                 \
    X(PROGRESS, 0, "progress", NULL, "print progress every second")                                   \
    CONFINE_OPTION(X)

enum webget_option { WEBGET_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {WEBGET_OPTIONS(OPT_ROW)};

enum { HEAD_SIZE = 65536, HEAD_SECONDS = 60, REQUEST_SIZE = 32768, HOST_SIZE = 256, INTERIM_MAX = 8 };

struct webget {
    struct msg *msg;
    bool body_only, fail, progress, confine, to_terminal;
    uint16_t port;
    struct addr unix_socket; /* length 0: none */
    struct addr *known; /* confined: the addresses of each URL, DIAL_KNOWN of each, or the Unix socket's */
    const char *unix_path;
    int64_t timeout;
    struct buf headers; /* of -H */
    bool has_host_header;
    char headers_mem[REQUEST_SIZE / 2];
};

/* One document on its way. */
struct document {
    const struct webget *w;
    struct addr *known; /* of w->known; NULL: its host has to be looked up */
    const char *name;   /* as the user gave it */
    char host[HOST_SIZE];
    uint16_t port;
    const char *path;
    char *url_path; /* which is then the path */
    int fd;
    int64_t deadline, head_deadline;
    char head[HEAD_SIZE + 1]; /* and the part of the body that came with it */
    size_t got, head_len;
    int status;
    const char *reason; /* the status line from the status on */
    bool has_length;
    uint64_t length;
    struct pump body;
    struct progress progress;
};

static int fail(const struct document *d, const char *action, const char *why)
{
    return msg_fatal_why(d->w->msg, EXIT_SYSTEM, action, d->name, why);
}

static int fail_sys(const struct document *d, const char *action)
{
    if (errno == ETIMEDOUT && !clock_left(d->deadline))
        return msg_fatal_why(d->w->msg, EXIT_DEADLINE, action, d->name, "the deadline passed");
    if (errno == ETIMEDOUT)
        return fail(d, action, "timed out after 60 seconds");
    return msg_fatal(d->w->msg, EXIT_SYSTEM, action, d->name, errno);
}

/* ---- the request ---- */

static int64_t set_deadlines(struct document *d)
{
    d->deadline = clock_in(d->w->timeout);
    return d->head_deadline = clock_first(d->deadline, clock_in(HEAD_SECONDS * CLOCK_SECOND));
}

static int fail_to_connect(const struct document *d, const struct dial_failure *failure)
{
    int status = clock_left(d->deadline) ? EXIT_SYSTEM : EXIT_DEADLINE;
    return msg_fatal_why(d->w->msg, status, "connect to", failure->object, failure->why);
}

static int connect_to(struct document *d)
{
    const struct webget *w = d->w;
    struct addr peer;
    struct dial_failure failure;
    if (w->unix_socket.len) {
        d->fd = dial_unix(w->known ? w->known : &w->unix_socket, false, d->head_deadline);
        if (d->fd >= 0 && fd_set_nonblock(d->fd, true) < 0)
            fd_close(&d->fd);
        d->name = d->fd < 0 ? w->unix_path : d->name;
        return d->fd < 0 ? fail_sys(d, "connect to") : EXIT_DONE;
    }
    const struct dial dial = {
        .host = d->host, .port = d->port, .deadline = d->head_deadline, .known = d->known};
    d->fd = dial_tcp(&dial, &peer, &failure);
    return d->fd >= 0 ? EXIT_DONE : fail_to_connect(d, &failure);
}

static int send_request(struct document *d)
{
    const struct webget *w = d->w;
    char mem[REQUEST_SIZE];
    struct buf request = BUF(mem);
    http_put_request(&request, d->path, w->has_host_header ? NULL : d->host, d->port);
    buf_text(&request, "User-Agent: ipcbox/" IPCBOX_VERSION "\r\nConnection: close\r\n");
    buf_bytes(&request, w->headers.mem, w->headers.len);
    buf_text(&request, "\r\n");
    if (request.cut)
        return fail(d, "request", "the request is too long");
    /* of EPIPE and ECONNRESET, the answer may give the reason, and is read next */
    bool failed = dial_send(d->fd, request.mem, request.len, d->head_deadline) < 0;
    return failed && errno != EPIPE && errno != ECONNRESET ? fail_sys(d, "request") : EXIT_DONE;
}

/* ---- the head ---- */

static int read_head(struct document *d)
{
    while (!(d->head_len = http_head_length(d->head, d->got))) {
        if (d->got == HEAD_SIZE)
            return fail(d, "get", "the head is longer than 64 KiB");
        errno = ETIMEDOUT;
        ssize_t n = clock_left(d->head_deadline) ? recv(d->fd, d->head + d->got, HEAD_SIZE - d->got, 0) : -1;
        if (n > 0)
            d->got += (size_t)n;
        else if (n == 0)
            return fail(d, "get", d->got ? "the response ends within its head" : "the response is empty");
        else if (errno != EAGAIN || sigs_wait(d->fd, POLLIN, d->head_deadline) < 0)
            return fail_sys(d, "get");
    }
    return EXIT_DONE;
}

/* What the head says about the body. */
static int read_headers(struct document *d)
{
    const char *wrong = http_body_length(d->head, d->head_len, &d->has_length, &d->length);
    if (wrong)
        return fail(d, "get", wrong);
    if (d->status == 204 || d->status == 304) { /* these have no body */
        d->has_length = true;
        d->length = 0;
    }
    return EXIT_DONE;
}

/* Reads the head, and skips those of interim responses (1xx), which may come unasked. */
static int take_head(struct document *d)
{
    for (int interim = 0; interim <= INTERIM_MAX; interim++) {
        int failed = read_head(d);
        if (failed)
            return failed;
        d->status = http_status(d->head, d->head_len, &d->reason);
        if (d->status < 0)
            return fail(d, "get", "the response is not HTTP");
        if (!http_head_is_plain(d->head, d->head_len))
            return fail(d, "get", "invalid header");
        if (d->status >= 200)
            return read_headers(d);
        d->got -= d->head_len;
        memmove(d->head, d->head + d->head_len, d->got);
    }
    return fail(d, "get", "too many interim responses");
}

/* ---- to stdout ---- */

static int lose_output(const struct document *d)
{
    if (errno == EPIPE && !sigs_found_ignored(SIGPIPE))
        sigs_die(SIGPIPE);
    return msg_fatal(d->w->msg, EXIT_SYSTEM, "write", "stdout", errno);
}

/* In pieces that can't block, so that a stalled reader does not outlast the deadline. */
static int print(const struct document *d, const char *bytes, size_t n)
{
    while (n) {
        if (sigs_wait(STDOUT_FILENO, POLLOUT, d->deadline) < 0)
            return fail_sys(d, "print");
        ssize_t done = fd_write(STDOUT_FILENO, bytes, n < PIPE_BUF ? n : PIPE_BUF);
        if (done < 0 && errno != EAGAIN)
            return lose_output(d);
        bytes += done > 0 ? done : 0;
        n -= done > 0 ? (size_t)done : 0;
    }
    return EXIT_DONE;
}

/* As it is; but control characters are escaped for a terminal. */
static int print_head(const struct document *d)
{
    struct buf text = {.size = 4 * d->head_len + 1};
    if (d->w->body_only)
        return EXIT_DONE;
    if (!d->w->to_terminal)
        return print(d, d->head, d->head_len);
    text.mem = malloc(text.size);
    if (!text.mem)
        return fail_sys(d, "malloc");
    http_escape_head(&text, d->head, d->head_len);
    int failed = print(d, text.mem, text.len);
    free(text.mem);
    return failed;
}

/* The part of the body that came with the head. */
static int print_first(struct document *d)
{
    size_t n = d->got - d->head_len;
    if (d->has_length && n > d->length)
        n = (size_t)d->length;
    d->body.limited = d->has_length;
    d->body.left = d->length - (d->has_length ? n : 0);
    return print(d, d->head + d->head_len, n);
}

/* Sleeps until the pump can go on. False: its time has expired. */
static bool sleep_for(struct document *d, uint64_t received)
{
    struct pump *p = &d->body;
    struct pollfd polls[2];
    pump_polls(p, polls);
    /* a silent server is given up; a slow reader is not */
    int64_t silent = polls[1].fd >= 0 ? CLOCK_NEVER : clock_in(HEAD_SECONDS * CLOCK_SECOND);
    int64_t until = clock_first(d->deadline, silent);
    int ready = 0;
    while (ready <= 0 && clock_left(until)) {
        ready = sigs_sleep(polls, 2, clock_first(clock_left(until), progress_left(&d->progress)));
        progress_tick(&d->progress, 0, received);
    }
    pump_ready(p, polls);
    return ready > 0;
}

/* Moves the rest of the body. How that ended; errno is ETIMEDOUT for what took too long. */
static enum pump_state move_rest(struct document *d)
{
    uint64_t first = d->got - d->head_len;
    for (;;) {
        enum pump_state state = pump_step(&d->body);
        progress_tick(&d->progress, 0, first + d->body.moved);
        if (state == PUMP_END || state == PUMP_ERROR)
            return state;
        if (clock_left(d->deadline) && (state == PUMP_AGAIN || sleep_for(d, first + d->body.moved)))
            continue;
        d->body.failed = PUMP_SOURCE;
        errno = ETIMEDOUT;
        return PUMP_ERROR;
    }
}

static int print_rest(struct document *d)
{
    struct pump *p = &d->body;
    enum pump_state state = move_rest(d);
    int err = errno;
    progress_end(&d->progress, 0, d->got - d->head_len + p->moved);
    errno = err;
    if (state == PUMP_ERROR)
        return p->failed == PUMP_TARGET ? lose_output(d) : fail_sys(d, "get");
    if (!d->has_length || !p->left)
        return EXIT_DONE;
    char mem[96];
    struct buf why = BUF(mem);
    buf_fmt(&why, "the body is cut off after %llu of %llu bytes", (unsigned long long)(d->length - p->left),
        (unsigned long long)d->length);
    return fail(d, "get", buf_str(&why));
}

static int print_document(struct document *d)
{
    if (d->w->fail && d->status >= 400) {
        char mem[512];
        struct buf why = BUF(mem);
        size_t n = strcspn(d->reason, "\r\n");
        buf_escaped(&why, d->reason, n < 100 ? n : 100);
        return msg_fatal_why(d->w->msg, EXIT_NO, "get", d->name, buf_str(&why));
    }
    int failed = print_head(d);
    failed = failed ? failed : print_first(d);
    return failed ? failed : print_rest(d);
}

static int get(struct document *d)
{
    set_deadlines(d);
    d->got = 0;
    d->has_length = false;
    int failed = connect_to(d);
    failed = failed ? failed : send_request(d);
    failed = failed ? failed : take_head(d);
    if (!failed) {
        pump_init(&d->body, d->fd, STDOUT_FILENO);
        progress_start(&d->progress, d->w->msg->applet, d->w->progress);
        failed = print_document(d);
        pump_free(&d->body);
    }
    fd_close(&d->fd);
    return failed;
}

/* ---- what is asked for ---- */

static void take_host(struct document *d, const char *host, size_t n)
{
    if (n >= sizeof d->host || !http_is_host(host, n))
        msg_usage(d->w->msg, "host '%.*s': expected a name or an address", (int)n, host);
    memcpy(d->host, host, n);
    d->host[n] = '\0';
}

static void take_url(struct document *d, const char *url)
{
    struct http_url u;
    const char *wrong = http_split_url(&u, url);
    if (wrong)
        msg_usage(d->w->msg, "URL '%s': %s", url, wrong);
    if (u.port)
        d->port = u.port;
    take_host(d, u.host, u.host_len);
    struct buf path = {.size = u.path_len + 2};
    free(d->url_path);
    path.mem = malloc(path.size);
    if (!path.mem)
        msg_die_sys(d->w->msg, "malloc", NULL);
    if (*u.path != '/')
        buf_char(&path, '/');
    buf_bytes(&path, u.path, u.path_len);
    d->url_path = path.mem;
    d->path = buf_str(&path);
}

/* Looks up what a confined process can't later; a failure has been reported. */
static int look_up(struct document *d)
{
    const struct webget *w = d->w;
    struct dial_failure failure;
    if (w->unix_socket.len)
        *d->known = w->unix_socket;
    if (d->known->len) /* for an earlier document, too */
        return EXIT_DONE;
    struct dial dial = {.host = d->host, .port = d->port, .deadline = set_deadlines(d)};
    return dial_look_up(&dial, d->known, &failure) < 0 ? fail_to_connect(d, &failure) : EXIT_DONE;
}

static void take_word(struct document *d, char **words, size_t i, bool urls)
{
    const struct webget *w = d->w;
    d->known = w->known;
    if (w->known && urls && !w->unix_socket.len)
        d->known += i * DIAL_KNOWN;
    d->name = words[i + !urls];
    d->port = w->port;
    if (urls) {
        take_url(d, d->name);
    } else {
        addr_refuse_port_in_host(w->msg, words[0]);
        take_host(d, words[0], strlen(words[0]));
        d->path = d->name;
    }
    if (!http_is_path(d->path))
        msg_usage(
            w->msg, "document '%s': expected a path that begins with /, with %%20 for a blank", d->path);
}

/* Gets all documents; the first failure is the exit status. */
static int run(struct webget *w, char **words, size_t n)
{
    enum { CHECK, LOOK_UP, GET }; /* all are checked before any is requested */
    bool urls = strstr(words[0], "://") != NULL;
    int status = EXIT_DONE;
    struct document *docs = calloc(1, sizeof *docs);
    if (!docs)
        return msg_fatal(w->msg, EXIT_SYSTEM, "malloc", NULL, errno);
    docs->w = w;
    size_t room = w->unix_socket.len ? 1 : DIAL_KNOWN * (urls ? n : 1);
    for (int pass = CHECK; pass <= GET; pass++) {
        if (pass == LOOK_UP && w->confine)
            w->known = confine_room(w->msg, room);
        if (pass == GET && w->confine)
            confine(w->msg, &(struct confine){.work = CONFINE_CONNECT, .to = w->known, .n = room});
        for (size_t i = 0; i < n - !urls; i++) {
            take_word(docs, words, i, urls);
            int failed = pass == LOOK_UP && w->confine ? look_up(docs) : EXIT_DONE;
            if (pass == GET && (!w->confine || docs->known->len))
                failed = get(docs);
            status = status ? status : failed;
        }
    }
    free(docs->url_path);
    free(docs);
    return status;
}

/* ---- the command line ---- */

static void take_header(struct webget *w, const struct opts *o)
{
    if (!http_is_header(o->arg))
        opts_wrong(o, "expected 'Name: value' without control characters");
    w->has_host_header = w->has_host_header || strncasecmp(o->arg, "Host:", 5) == 0;
    buf_text(&w->headers, o->arg);
    buf_text(&w->headers, "\r\n");
    if (w->headers.cut)
        opts_wrong(o, "more than 16 KiB of headers");
}

static void take_option(struct webget *w, int row, const struct opts *o)
{
    switch ((enum webget_option)row) {
        MSG_OPTIONS(OPT_CASE)
        opts_level(w->msg, row);
        break;
    case OPT_PORT:
        w->port = addr_port_option(o);
        break;
    case OPT_BODY:
        w->body_only = true;
        break;
    case OPT_FAIL:
        w->fail = true;
        break;
    case OPT_HEADER:
        take_header(w, o);
        break;
    case OPT_TIMEOUT:
        w->timeout = opts_duration(o);
        break;
    case OPT_UNIX:
        addr_unix_option(&w->unix_socket, o);
        w->unix_path = o->arg;
        break;
    case OPT_PROGRESS:
        w->progress = true;
        break;
    case OPT_CONFINE:
        confine_check(w->msg);
        w->confine = true;
        break;
    }
}

static const struct cli cli = {
    .name = "webget",
    .summary = "get documents over HTTP/1.0",
    .usage = "[OPTION]... HOST DOCUMENT...\n"
             "[OPTION]... URL...",
    .notes = "Prints head and body. DOCUMENT begins with /, URL with http://.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int webget_main(struct msg *m, int argc, char **argv)
{
    struct webget w = {.msg = m, .port = HTTP_PORT, .timeout = CLOCK_NEVER};
    struct opts o;
    int row;
    w.headers = BUF(w.headers_mem);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&w, row, &o);
    argv += o.first;
    if (!*argv)
        msg_usage(m, "missing HOST and DOCUMENT, or URL");
    if (!strstr(*argv, "://") && !argv[1])
        msg_usage(m, "missing DOCUMENT for host '%s'; a URL begins with http://", *argv);
    w.to_terminal = isatty(STDOUT_FILENO);
    sigs_catch(SIGPIPE); /* a broken stdout is told apart from a broken connection */
    return run(&w, argv, (size_t)(argc - o.first));
}

const struct applet applet_webget = {.cli = &cli, .theme = THEME_SOCKETS, .main = webget_main};
