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
#include "net/dial.h"
#include "base/fd.h"
#include "net/http.h"
#include "base/num.h"
#include "io/progress.h"
#include "io/relay.h"
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
    X(PROGRESS, 0, "progress", NULL, "print progress every second")

enum webget_option { WEBGET_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {WEBGET_OPTIONS(OPT_ROW)};

enum { HTTP_PORT = 80, HEAD_SIZE = 65536, HEAD_SECONDS = 60, REQUEST_SIZE = 32768, HOST_SIZE = 256 };
enum { INTERIM_MAX = 8 };

struct webget {
    struct msg *msg;
    bool body_only, fail, progress, to_terminal;
    uint16_t port;
    struct addr unix_socket; /* length 0: none */
    const char *unix_path;
    int64_t timeout;
    struct buf headers; /* of -H */
    bool has_host_header;
    char headers_mem[REQUEST_SIZE / 2];
};

/* One document on its way. */
struct document {
    const struct webget *w;
    const char *name; /* as the user gave it */
    char host[HOST_SIZE];
    uint16_t port;
    const char *path;
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

static int connect_to(struct document *d)
{
    const struct webget *w = d->w;
    struct addr peer;
    struct dial_failure failure;
    if (w->unix_socket.len) {
        d->fd = dial_unix(&w->unix_socket, false, d->head_deadline);
        if (d->fd >= 0 && fd_set_nonblock(d->fd, true) < 0)
            fd_close(&d->fd);
        d->name = d->fd < 0 ? w->unix_path : d->name;
        return d->fd < 0 ? fail_sys(d, "connect to") : EXIT_DONE;
    }
    const struct dial dial = {.host = d->host, .port = d->port, .deadline = d->head_deadline};
    d->fd = dial_tcp(&dial, &peer, &failure);
    if (d->fd >= 0)
        return EXIT_DONE;
    int status = clock_left(d->deadline) ? EXIT_SYSTEM : EXIT_DEADLINE;
    return msg_fatal_why(w->msg, status, "connect to", failure.object, failure.why);
}

static int send_request(struct document *d)
{
    const struct webget *w = d->w;
    char mem[REQUEST_SIZE];
    struct buf request = BUF(mem);
    int len = (int)strcspn(d->host, "%"), six = strchr(d->host, ':') != NULL;
    buf_fmt(&request, "GET %s HTTP/1.0\r\n", d->path);
    if (!w->has_host_header) {
        buf_fmt(&request, "Host: %s%.*s%s", six ? "[" : "", len, d->host, six ? "]" : "");
        if (d->port != HTTP_PORT)
            buf_fmt(&request, ":%u", d->port);
        buf_text(&request, "\r\n");
    }
    buf_text(&request, "User-Agent: ipcbox/" IPCBOX_VERSION "\r\nConnection: close\r\n");
    buf_bytes(&request, w->headers.mem, w->headers.len);
    buf_text(&request, "\r\n");
    if (request.cut)
        return fail(d, "request", "the request is too long");
    for (size_t sent = 0; sent < request.len;) {
        ssize_t n = send(d->fd, request.mem + sent, request.len - sent, MSG_NOSIGNAL);
        if (n >= 0)
            sent += (size_t)n;
        else if (errno == EPIPE || errno == ECONNRESET)
            return EXIT_DONE; /* its answer may give the reason, and is read next */
        else if (errno != EAGAIN || sigs_wait(d->fd, POLLOUT, d->head_deadline) < 0)
            return fail_sys(d, "request");
    }
    return EXIT_DONE;
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

/* What the head says about the body: its length, and that it is not encoded. */
static int read_headers(struct document *d)
{
    size_t at = 0, len;
    const char *value;
    uint64_t length;
    while ((value = http_header(d->head, d->head_len, &at, "Content-Length", &len))) {
        if (!num_u64n(value, len, 0, INT64_MAX, &length) || (d->has_length && length != d->length))
            return fail(d, "get", "invalid Content-Length");
        d->has_length = true;
        d->length = length;
    }
    at = 0;
    while ((value = http_header(d->head, d->head_len, &at, "Transfer-Encoding", &len)))
        if (len != 8 || strncasecmp(value, "identity", len) != 0)
            return fail(d, "get", "unsupported Transfer-Encoding, which HTTP/1.0 does not have");
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
    char mem[4096];
    if (d->w->body_only)
        return EXIT_DONE;
    if (!d->w->to_terminal)
        return print(d, d->head, d->head_len);
    for (size_t at = 0; at < d->head_len;) {
        struct buf line = BUF(mem);
        size_t n = strcspn(d->head + at, "\r\n");
        for (size_t piece; n; at += piece, n -= piece) {
            piece = n < 512 ? n : 512;
            line.len = 0;
            buf_escaped(&line, d->head + at, piece);
            if (print(d, line.mem, line.len))
                return EXIT_SYSTEM;
        }
        at += strspn(d->head + at, "\r");
        at += d->head[at] == '\n';
        if (print(d, "\n", 1))
            return EXIT_SYSTEM;
    }
    return EXIT_DONE;
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
    d->deadline = clock_in(d->w->timeout);
    d->head_deadline = clock_first(d->deadline, clock_in(HEAD_SECONDS * CLOCK_SECOND));
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

static void check_path(const struct webget *w, const char *path)
{
    if (!http_is_path(path))
        msg_usage(w->msg, "document '%s': expected a path that begins with /, with %%20 for a blank", path);
}

static void take_host(struct document *d, const char *host, size_t n)
{
    if (n >= sizeof d->host || !http_is_host(host, n))
        msg_usage(d->w->msg, "host '%.*s': expected a name or an address", (int)n, host);
    memcpy(d->host, host, n);
    d->host[n] = '\0';
}

/* http://HOST[:PORT][/PATH]; the caller frees the path. */
static void take_url(struct document *d, const char *url)
{
    static const char scheme[] = "http://";
    size_t n = strcspn(url, ":");
    if (strncasecmp(url, scheme, strlen(scheme)) != 0)
        msg_usage(d->w->msg, "URL '%s': %.*s is not supported, only http", url, (int)n, url);
    const char *host = url + strlen(scheme), *rest = host + strcspn(host, "/?#");
    const char *end = *host == '[' ? memchr(host, ']', (size_t)(rest - host)) : NULL;
    const char *colon = memchr(end ? end : host, ':', (size_t)(rest - (end ? end : host)));
    if (*host == '[' && !end)
        msg_usage(d->w->msg, "URL '%s': missing ] after the address", url);
    size_t len = (size_t)((colon ? colon : rest) - host);
    uint64_t port = d->w->port;
    if (colon && !num_u64n(colon + 1, (size_t)(rest - colon - 1), 1, UINT16_MAX, &port))
        msg_usage(d->w->msg, "URL '%s': expected a port from 1 to 65535", url);
    d->port = (uint16_t)port;
    if (end && end + 1 != host + len)
        msg_usage(d->w->msg, "URL '%s': expected a port or a path after ]", url);
    take_host(d, host + (end != NULL), len - (end ? 2 : 0));
    struct buf path = {.size = strlen(rest) + 2};
    path.mem = malloc(path.size);
    if (!path.mem)
        exit(msg_fatal(d->w->msg, EXIT_SYSTEM, "malloc", NULL, errno));
    if (*rest != '/')
        buf_char(&path, '/');
    buf_bytes(&path, rest, strcspn(rest, "#"));
    d->path = buf_str(&path);
    check_path(d->w, d->path);
}

/* Gets all documents; the first failure is the exit status. */
static int run(struct webget *w, char **words)
{
    bool urls = strstr(words[0], "://") != NULL;
    int status = EXIT_DONE;
    struct document *docs = calloc(1, sizeof *docs);
    if (!docs)
        return msg_fatal(w->msg, EXIT_SYSTEM, "malloc", NULL, errno);
    docs->w = w;
    for (int pass = 0; pass < 2; pass++) /* all are checked before any is requested */
        for (char **word = words + !urls; *word; word++) {
            docs->name = *word;
            if (urls) {
                take_url(docs, *word);
            } else {
                addr_refuse_port_in_host(w->msg, words[0]);
                take_host(docs, words[0], strlen(words[0]));
                docs->port = w->port;
                docs->path = *word;
                check_path(w, *word);
            }
            int failed = pass ? get(docs) : EXIT_DONE;
            status = status ? status : failed;
            if (urls)
                free((char *)docs->path);
        }
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
    return run(&w, argv);
}

const struct applet applet_webget = {.cli = &cli, .theme = THEME_SOCKETS, .main = webget_main};
