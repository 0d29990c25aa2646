/*
 * webget - gets documents over HTTP/1.0 (RFC 1945), and detects those that are cut off.
 *
 * perlipc's webget, with a Host header. The head is limited in size and time, so that no server can hang us
 * or exhaust our memory; the body goes from the socket to its target without a copy where the kernel can.
 */
#include "cli/applet.h"

#include <errno.h>
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
#include "net/http_file.h"
#include "net/http_get.h"
#include "net/http_url.h"
#include "process/sigs.h"
#include "base/version.h"

#define WEBGET_OPTIONS(X)                                                                            \
    MSG_OPTIONS(X)                                                                                   \
    X(PORT, 'p', "port", "PORT", "connect to PORT (80)")                                             \
    X(BODY, 'b', "body", NULL, "print the body only, not the head")                                  \
    X(OUTPUT, 'o', "output", "FILE", "write the body to FILE, all of it or nothing")                 \
    X(FAIL, 'f', "fail", NULL, "exit 1 if the status is 400 or above, or a redirect; print nothing") \
    X(LOCATION, 'L', "location", "[N]", "follow up to N redirects (10)")                             \
    X(RETRY, 'r', "retry", "N", "retry up to N times after a failure that may pass")                 \
    X(HEADER, 'H', "header", "HEADER", "add HEADER, 'Name: value', to the request; can be repeated") \
    X(TIMEOUT, 't', "timeout", "TIME", "exit 124 unless each document arrives within TIME")          \
    X(IDLE, 0, "idle", "TIME", "exit 124 if the server is silent for TIME (1m)")                     \
    X(UNIX, 0, "unix", "PATH", "connect to the Unix socket PATH instead of the host")                \
    X(PROGRESS, 0, "progress", NULL, "print progress every second")                                  \
    CONFINE_OPTION(X)

enum webget_option { WEBGET_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {WEBGET_OPTIONS(OPT_ROW)};

enum { REQUEST_SIZE = 32768, VALIDATOR_SIZE = 256, REDIRECTS = 10, COUNT_MAX = 1000 };
enum { IDLE_SECONDS = 60, PAUSE_MS = 500, PAUSE_MAX_S = 60, RETRY_AFTER_MAX_S = 3600 };
enum { FOLLOW = -1 }; /* in place of an exit status: another request is needed */

struct webget {
    struct msg *msg;
    bool body_only, fail, progress, confine, to_terminal;
    uint16_t port;
    unsigned redirects, retries;
    struct addr unix_socket; /* length 0: none */
    struct addr *known; /* confined: the addresses of each URL, DIAL_KNOWN of each, or the Unix socket's */
    const char *unix_path;
    int64_t timeout, idle;
    struct http_file file; /* path NULL: none */
    struct buf headers;    /* of -H */
    char headers_mem[REQUEST_SIZE / 2];
};

/* One document on its way. */
struct document {
    const struct webget *w;
    struct addr *known; /* of w->known; NULL: its host has to be looked up */
    const char *name;   /* as the user gave it, without credentials; or where a redirect leads */
    struct http_target at;
    char first_host[HTTP_HOST];
    uint16_t first_port;
    unsigned redirects, retries;
    const char *object; /* of the failure; NULL: name */
    struct dial_failure unconnected;
    int64_t pause, wait; /* before the next attempt, at least and in all */
    /* of a file that is there in part */
    bool asked;                     /* for the rest */
    char validator[VALIDATOR_SIZE]; /* empty: there is none, or the file has no length */
    uint64_t total;
    char request[REQUEST_SIZE]; /* here, as the stack may be small (RLIMIT_STACK) */
    struct http_get get;
};

/* ---- the request ---- */

static bool is_foreign(const struct document *d)
{
    return d->at.port != d->first_port || strncasecmp(d->at.host, d->first_host, HTTP_HOST) != 0;
}

static int connect_to(struct document *d)
{
    const struct webget *w = d->w;
    struct http_get *g = &d->get;
    struct addr peer;
    if (w->unix_socket.len) {
        g->fd = dial_unix(w->known ? w->known : &w->unix_socket, false, g->head_deadline);
        if (g->fd >= 0 && fd_set_nonblock(g->fd, true) < 0)
            fd_close(&g->fd);
        if (g->fd >= 0)
            return EXIT_DONE;
        d->object = w->unix_path;
        return http_fail_sys(g, "connect to");
    }
    const struct dial dial = {
        .host = d->at.host, .port = d->at.port, .deadline = g->head_deadline, .known = d->known};
    g->fd = dial_tcp(&dial, &peer, &d->unconnected);
    if (g->fd >= 0)
        return EXIT_DONE;
    d->object = d->unconnected.object;
    http_fail(g, d->unconnected.why, true);
    g->failure.action = "connect to";
    return g->failure.status = clock_left(g->head_deadline) ? EXIT_SYSTEM : EXIT_DEADLINE;
}

static int send_request(struct document *d)
{
    const struct webget *w = d->w;
    struct http_get *g = &d->get;
    char range[48];
    struct buf request = BUF(d->request), from = BUF(range);
    bool own_host = http_has_header(&w->headers, "Host") && !is_foreign(d);
    off_t there = *d->validator ? lseek(g->out, 0, SEEK_CUR) : 0;
    d->asked = there > 0;
    buf_fmt(&from, "bytes=%lld-", (long long)there);
    http_put_request(&request, d->at.path, own_host ? NULL : d->at.host, d->at.port);
    http_put_headers(&request, &w->headers, !is_foreign(d));
    http_put_header(&request, "User-Agent", "ipcbox/" IPCBOX_VERSION);
    http_put_header(&request, "Connection", "close");
    http_put_header(&request, "Authorization", is_foreign(d) ? "" : d->at.credentials);
    http_put_header(&request, "Range", d->asked ? buf_str(&from) : "");
    http_put_header(&request, "If-Range", d->asked ? d->validator : "");
    buf_text(&request, "\r\n");
    if (request.cut)
        return http_fail(g, "the request is too long", false);
    /* of EPIPE and ECONNRESET, the answer may give the reason, and is read next */
    bool failed = dial_send(g->fd, request.mem, request.len, g->head_deadline) < 0;
    return failed && errno != EPIPE && errno != ECONNRESET ? http_fail_sys(g, "request") : EXIT_DONE;
}

/* Where the response leads. FOLLOW, or an exit status. */
static int follow(struct document *d, const char *location, size_t n)
{
    struct http_get *g = &d->get;
    char mem[sizeof g->failure.why];
    struct buf why = BUF(mem);
    if (d->redirects++ == d->w->redirects)
        return http_fail(g, "too many redirects", false);
    const char *wrong = http_follow(&d->at, location, n);
    if (!wrong)
        d->name = d->at.url;
    *d->validator = '\0';
    if (!wrong && d->known && !d->w->unix_socket.len && is_foreign(d))
        wrong = "--confine allows no other host or port";
    if (!wrong)
        return FOLLOW;
    const char *safe = http_shown(location, n);
    n -= (size_t)(safe - location);
    buf_text(&why, "redirect to ");
    buf_escaped(&why, safe, n < sizeof mem / 4 ? n : sizeof mem / 4);
    buf_fmt(&why, ": %s", wrong);
    return http_fail(g, buf_str(&why), false);
}

/* ---- the response ---- */

/* Has the file go on, or begin again. Whether the response is the part, or the whole, that is missing. */
static bool place_part(struct document *d)
{
    struct http_get *g = &d->get;
    const struct buf *headers = &d->w->headers;
    bool users = http_has_header(headers, "Range") || http_has_header(headers, "If-Range");
    char mem[VALIDATOR_SIZE];
    struct buf validator = BUF(mem);
    http_put_validator(&validator, g->head, g->head_len);
    buf_str(&validator);
    if (g->status == 206 && !users)
        return d->asked &&
               http_is_rest(g->head, g->head_len, (uint64_t)lseek(g->out, 0, SEEK_CUR), d->total) &&
               (!*mem || strcmp(mem, d->validator) == 0);
    d->total = g->length.bytes;
    if (g->status != 200 || !g->length.known || users || validator.cut)
        *mem = '\0';
    memcpy(d->validator, mem, sizeof mem);
    return lseek(g->out, 0, SEEK_SET) == 0;
}

static int print_document(struct document *d)
{
    struct http_get *g = &d->get;
    if (d->w->file.whole && !place_part(d)) {
        *d->validator = '\0';
        return http_fail(g, "not the part that was asked for", true);
    }
    int failed = d->w->body_only ? EXIT_DONE : http_get_print_head(g, d->w->to_terminal);
    failed = failed ? failed : http_get_body(g);
    if (!failed && *d->validator && lseek(g->out, 0, SEEK_CUR) != (off_t)d->total)
        failed = http_fail(g, "the body is cut off", true);
    return failed;
}

/* Whether there is another attempt, within the time that there is. */
static bool may_retry(const struct document *d)
{
    int64_t left = clock_first(clock_left(d->get.deadline), RETRY_AFTER_MAX_S * CLOCK_SECOND);
    return d->retries < d->w->retries && d->wait < left;
}

static int take_response(struct document *d)
{
    const struct webget *w = d->w;
    struct http_get *g = &d->get;
    size_t len;
    bool redirect = http_is_redirect(g->status);
    const char *location = http_first(g->head, g->head_len, "Location", &len);
    if (redirect && w->redirects && location && len)
        return follow(d, location, len);
    int64_t asked_for = http_is_transient(g->status) ? http_retry_after(g->head, g->head_len) : 0;
    d->wait = asked_for > d->pause ? asked_for : d->pause;
    bool changed = d->asked && g->status == 416; /* what is there is longer than all */
    if (changed)
        *d->validator = '\0';
    bool again = (changed || http_is_transient(g->status)) && may_retry(d);
    bool unwanted = w->fail && (g->status >= 400 || redirect);
    bool unchanged = w->file.path && g->status == 304; /* what the user's If-... asked for is no empty file */
    if (!again && !unwanted && !unchanged)
        return print_document(d);
    len = strcspn(g->reason, "\r\n");
    struct buf why = BUF(g->failure.why);
    http_fail(g, "", again);
    buf_escaped(&why, g->reason, len < 100 ? len : 100);
    buf_str(&why);
    return g->failure.status = EXIT_NO;
}

/* One request. FOLLOW, or an exit status. */
static int exchange(struct document *d)
{
    struct http_get *g = &d->get;
    d->object = NULL;
    d->wait = d->pause;
    g->head_deadline = clock_first(g->deadline, clock_in(d->w->idle));
    g->began = false;
    g->body.moved = 0;
    int done = connect_to(d);
    done = done ? done : send_request(d);
    done = done ? done : http_get_head(g);
    done = done ? done : take_response(d);
    fd_close(&g->fd);
    return done;
}

/* Says what went wrong. */
static int report(const struct document *d)
{
    const struct webget *w = d->w;
    const struct http_failure *f = &d->get.failure;
    const char *object = d->object ? d->object : d->name;
    if (f->output && f->err == EPIPE && !sigs_found_ignored(SIGPIPE))
        sigs_die(SIGPIPE);
    if (f->output)
        object = w->file.path ? w->file.path : "stdout";
    return f->err ? msg_fatal(w->msg, f->status, f->action, object, f->err)
                  : msg_fatal_why(w->msg, f->status, f->action, object, f->why);
}

/* One document, with its redirects and retries. */
static int get(struct document *d)
{
    struct http_get *g = &d->get;
    g->deadline = d->w->file.path ? d->w->file.deadline : clock_in(d->w->timeout);
    d->pause = PAUSE_MS * CLOCK_MS;
    progress_start(&g->progress, d->w->msg->applet, d->w->progress);
    for (;;) {
        int done = exchange(d);
        if (done == FOLLOW)
            continue;
        bool printed = !d->w->file.whole && (g->began || g->body.moved);
        if (!done || !g->failure.passes || printed || !may_retry(d))
            return done ? report(d) : done;
        if (d->w->msg->level == MSG_VERBOSE)
            report(d);
        d->retries++;
        int64_t until = clock_in(d->wait);
        while (clock_left(until))
            sigs_sleep(NULL, 0, clock_left(until));
        d->pause = clock_first(2 * d->pause, PAUSE_MAX_S * CLOCK_SECOND);
    }
}

/* ---- what is asked for ---- */

static const char *shown(const char *word)
{
    return http_shown(word, strlen(word));
}

static bool is_url(char **words)
{
    return strstr(words[0], "://") != NULL;
}

/* Looks up what a confined process can't later; a failure has been reported. */
static int look_up(struct document *d)
{
    const struct webget *w = d->w;
    if (w->unix_socket.len)
        *d->known = w->unix_socket;
    if (d->known->len) /* for an earlier document, too */
        return EXIT_DONE;
    d->get.deadline = clock_in(w->timeout);
    struct dial dial = {
        .host = d->at.host, .port = d->at.port, .deadline = clock_first(d->get.deadline, clock_in(w->idle))};
    if (dial_look_up(&dial, d->known, &d->unconnected) == 0)
        return EXIT_DONE;
    return msg_fatal_why(w->msg, clock_left(dial.deadline) ? EXIT_SYSTEM : EXIT_DEADLINE, "connect to",
        d->unconnected.object, d->unconnected.why);
}

static void take_word(struct document *d, char **words, size_t i)
{
    const struct webget *w = d->w;
    d->known = w->known;
    if (w->known && is_url(words) && !w->unix_socket.len)
        d->known += i * DIAL_KNOWN;
    d->redirects = d->retries = 0;
    *d->validator = *d->at.credentials = '\0';
    if (!is_url(words))
        addr_host_operand(w->msg, words[0]);
    const char *wrong = is_url(words) ? http_take_url(&d->at, words[i], w->port)
                                      : http_take_host(&d->at, words[0], strlen(words[0]));
    if (wrong)
        msg_refuse(w->msg, "", shown(words[i]), wrong);
    d->name = d->at.url;
    if (!is_url(words)) {
        d->at.port = w->port;
        d->name = d->at.path = words[i + 1];
        if (!http_is_path(d->at.path))
            msg_usage(w->msg, "document '%s': expected a path that begins with /, with %%20 for a blank",
                shown(d->at.path));
    }
    memcpy(d->first_host, d->at.host, sizeof d->at.host);
    d->first_port = d->at.port;
}

struct job {
    struct webget *w;
    struct document *d;
    char **words;
    size_t n, hosts; /* documents; hosts whose addresses differ */
};

/* Gets all documents; the first failure is the exit status. */
static int get_all(void *arg)
{
    const struct job *job = arg;
    struct webget *w = job->w;
    struct document *d = job->d;
    enum { LOOK_UP, GET };
    int status = EXIT_DONE;
    size_t room = w->unix_socket.len ? 1 : DIAL_KNOWN * job->hosts;
    d->get.out = w->file.path ? w->file.fd : STDOUT_FILENO;
    if (w->confine)
        w->known = confine_room(w->msg, room);
    for (int pass = w->confine ? LOOK_UP : GET; pass <= GET; pass++) {
        if (pass == GET && w->confine)
            confine(w->msg, &(struct confine){.work = CONFINE_CONNECT, .to = w->known, .n = room});
        for (size_t i = 0; i < job->n; i++) {
            take_word(d, job->words, i);
            int failed = pass == LOOK_UP ? look_up(d) : !w->confine || d->known->len ? get(d) : EXIT_DONE;
            status = status ? status : failed;
        }
    }
    return status;
}

static int run(struct webget *w, char **words, size_t n)
{
    struct document *d = calloc(1, sizeof *d);
    struct job job = {
        .w = w, .d = d, .words = words, .n = n - !is_url(words), .hosts = is_url(words) ? n : 1};
    if (!d)
        return msg_fatal(w->msg, EXIT_SYSTEM, "malloc", NULL, errno);
    if (w->file.path && job.n > 1)
        msg_usage(w->msg, "option -o (--output) takes one document only");
    d->w = w;
    d->get.idle = w->idle;
    for (size_t i = 0; i < job.n; i++) /* before any is requested */
        take_word(d, words, i);
    w->file.deadline = clock_in(w->timeout);
    int status = w->file.path ? http_file_write(&w->file, w->msg, get_all, &job) : get_all(&job);
    free(d->at.url);
    free(d);
    return status;
}

/* ---- the command line ---- */

static void take_header(struct webget *w, const struct opts *o)
{
    if (!http_is_header(o->arg))
        opts_wrong(o, "expected 'Name: value' without control characters");
    buf_text(&w->headers, o->arg);
    buf_text(&w->headers, "\r\n");
    if (w->headers.cut)
        opts_wrong(o, "more than 16 KiB of headers");
}

static void take_file(struct webget *w, const struct opts *o)
{
    const char *slash = strrchr(o->arg, '/');
    if (w->file.path)
        opts_wrong(o, "expected one file only");
    if (!*o->arg || (slash && !slash[1]))
        opts_wrong(o, "expected the name of a file");
    w->file.path = o->arg;
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
    case OPT_OUTPUT:
        take_file(w, o);
        /* fall through */
    case OPT_BODY:
        w->body_only = true;
        break;
    case OPT_FAIL:
        w->fail = true;
        break;
    case OPT_LOCATION:
        w->redirects = o->arg ? (unsigned)opts_num(o, 0, COUNT_MAX) : REDIRECTS;
        break;
    case OPT_RETRY:
        w->retries = (unsigned)opts_num(o, 0, COUNT_MAX);
        break;
    case OPT_HEADER:
        take_header(w, o);
        break;
    case OPT_TIMEOUT:
        w->timeout = opts_duration(o);
        break;
    case OPT_IDLE:
        w->idle = opts_duration(o);
        if (!w->idle)
            opts_wrong(o, "expected more than 0");
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
    struct webget w = {
        .msg = m, .port = HTTP_PORT, .timeout = CLOCK_NEVER, .idle = IDLE_SECONDS * CLOCK_SECOND};
    struct opts o;
    int row;
    w.headers = BUF(w.headers_mem);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&w, row, &o);
    argv += o.first;
    if (!*argv)
        msg_usage(m, "missing HOST and DOCUMENT, or URL");
    if (!is_url(argv) && !argv[1])
        msg_usage(m, "missing DOCUMENT for host '%s'; a URL begins with http://", shown(*argv));
    w.to_terminal = isatty(STDOUT_FILENO);
    sigs_heed_term();
    sigs_catch(SIGPIPE); /* a broken stdout is told apart from a broken connection */
    return run(&w, argv, (size_t)(argc - o.first));
}

const struct applet applet_webget = {.cli = &cli, .theme = THEME_SOCKETS, .main = webget_main};
