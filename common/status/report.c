/*
 * report.c - see report.h.
 */
#include "status/report.h"

#include <ctype.h>
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/num.h"
#include "base/version.h"
#include "cli/applet.h"
#include "process/procs.h"
#include "process/status_page.h"
#include "status/sockets.h"

static const struct show_kind snapshot_kind = {"snapshot", {NULL}};
static const struct show_kind process_kind = {
    "process", {"pid", "user", "applet", "age", "state", "command"}};
static const struct show_kind listener_kind = {
    "listener", {"pid", "applet", "protocol", "listens", "waiting"}};
static const struct show_kind connection_kind = {
    "connection", {"pid", "applet", "program", "protocol", "state", "local", "peer"}};
static const struct show_kind lock_kind = {
    "lock", {"pid", "applet", "lock", "mode", "range", "state", "file"}};
static const struct show_kind unseen_kind = {"unseen", {NULL}};

void report_user(struct show *s, unsigned long uid)
{
    char mem[32];
    struct buf number = BUF(mem);
    const struct passwd *user = getpwuid((uid_t)uid);
    buf_fmt(&number, "%lu", uid);
    show_text(s, "user", user ? user->pw_name : buf_str(&number));
    struct buf *member = show_member(s, "uid");
    if (member)
        buf_fmt(member, "%lu", uid);
}

void report_time(struct show *s, const char *field, long long when)
{
    struct buf *member = when ? show_member(s, field) : NULL;
    if (!member)
        return;
    buf_char(member, '"');
    date_utc(member, (time_t)when);
    buf_char(member, '"');
}

/* ---- processes ---- */

/* A name such as applets have; what another may have written into a page or its arguments need not be. */
static bool is_name(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!islower((unsigned char)text[i]) && !isdigit((unsigned char)text[i]) && text[i] != '-')
            return false;
    return n && n < CENSUS_NAME_SIZE && *text != '-';
}

/* The value of the page's line NAME=, and its length; NULL: there is none. */
static const char *page_value(const char *page, const char *name, size_t *n)
{
    size_t length = strlen(name);
    for (const char *line = page; line && *line; line = strchr(line, '\n'), line += line != NULL)
        if (strncmp(line, name, length) == 0 && line[length] == '=') {
            *n = strcspn(line + length + 1, "\n");
            return line + length + 1;
        }
    return NULL;
}

/* The applet as main.c finds it: by the name that it was called by, else the first operand. */
static void applet_of_argv(struct found *f)
{
    struct buf out = BUF(f->applet);
    const char *word = f->argv, *slash = strrchr(word, '/');
    const char *called = slash ? slash + 1 : word, *next = word + strlen(word) + 1;
    const struct applet *applet = applet_called(called);
    if (applet)
        buf_text(&out, applet->cli->name);
    else if (next < f->argv + f->argv_len && is_name(next, strlen(next)))
        buf_text(&out, next);
    else if (is_name(called, strlen(called)))
        buf_text(&out, called);
    buf_str(&out);
}

static void take_page(struct show *s, struct found *f, const char *page)
{
    size_t n;
    const char *value = page_value(page, "listens", &n);
    f->listens = value ? strndup(value, n) : NULL;
    s->failed |= value && !f->listens;
    value = page_value(page, "applet", &n);
    if (!value || !is_name(value, n)) {
        applet_of_argv(f);
        return;
    }
    memcpy(f->applet, value, n);
    f->applet[n] = '\0';
}

/* "42s", "3m10s", "5h02m", "3d04h" */
static void put_age(struct show *s, uint64_t seconds)
{
    char mem[32];
    struct buf text = BUF(mem);
    unsigned long n = (unsigned long)seconds;
    if (n < 60)
        buf_fmt(&text, "%lus", n);
    else if (n < 3600)
        buf_fmt(&text, "%lum%02lus", n / 60, n % 60);
    else if (n < 86400)
        buf_fmt(&text, "%luh%02lum", n / 3600, n / 60 % 60);
    else
        buf_fmt(&text, "%lud%02luh", n / 86400, n / 3600 % 24);
    show_cell(s, "age", buf_str(&text));
}

static int64_t nanoseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * CLOCK_SECOND + now.tv_nsec;
}

/* "started" in the kernel's ticks: by whole seconds it would differ from one look to the next. */
static void put_start(struct show *s, const struct found *f)
{
    int64_t hz = sysconf(_SC_CLK_TCK), tick = CLOCK_SECOND / hz, start = (int64_t)f->process.start;
    int64_t up = nanoseconds(CLOCK_BOOTTIME), boot = nanoseconds(CLOCK_REALTIME) - up;
    int64_t age = up / CLOCK_SECOND - start / hz;
    put_age(s, age > 0 ? (uint64_t)age : 0);
    report_time(s, "started", ((boot + tick / 2) / tick + start) / hz);
}

/* A line of a page, NAME=VALUE, as a member; numbers as such. */
static void put_page_line(struct buf *out, const char *line, size_t name_n, size_t n)
{
    uint64_t number;
    const char *value = line + name_n + 1;
    buf_fmt(out, "%s\"%.*s\":", out->mem[out->len - 1] == '{' ? "" : ",", (int)name_n, line);
    if (num_u64n(value, n, 0, INT64_MAX, &number) && (n == 1 || *value != '0'))
        buf_bytes(out, value, n);
    else
        buf_json(out, value, n);
}

/* For the table: what is not zero; what an applet has put into words itself is enough. */
static void put_state(struct show *s, const char *page)
{
    char mem[STATUS_PAGE_SIZE];
    struct buf text = BUF(mem);
    size_t n;
    const char *state = page_value(page, "state", &n);
    for (const char *line = page; !state && line && *line; line = strchr(line, '\n'), line += line != NULL) {
        size_t name = strspn(line, "abcdefghijklmnopqrstuvwxyz_"), length = strcspn(line, "\n");
        if (line[name] != '=' || strncmp(line, "applet=", 7) == 0 || strncmp(line, "listens=", 8) == 0 ||
            strncmp(line + name, "=0\n", 3) == 0)
            continue;
        buf_fmt(&text, "%s%.*s %.*s", text.len ? ", " : "", (int)name, line, (int)(length - name - 1),
            line + name + 1);
    }
    if (!s->is_json && state)
        show_textn(s, "state", state, n);
    else if (!s->is_json)
        show_textn(s, "state", text.mem, text.len);
}

static void put_page(struct show *s, const char *page)
{
    struct buf *out = *page ? show_member(s, "page") : NULL;
    put_state(s, page);
    if (!out)
        return;
    buf_char(out, '{');
    for (const char *line = page; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        size_t name = strspn(line, "abcdefghijklmnopqrstuvwxyz_"), length = strcspn(line, "\n");
        if (name && line[name] == '=')
            put_page_line(out, line, name, length - name - 1);
    }
    buf_char(out, '}');
}

/* The words: apart, or with blanks between them. */
static void put_command(struct show *s, const struct found *f)
{
    char mem[CENSUS_ARGV_SIZE];
    struct buf text = BUF(mem), *out = show_member(s, "command");
    const char *end = f->argv + f->argv_len;
    if (out)
        buf_char(out, '[');
    for (const char *word = f->argv; word < end; word += strlen(word) + 1) {
        if (out && word > f->argv)
            buf_char(out, ',');
        if (out)
            buf_json(out, word, strlen(word));
        buf_fmt(&text, "%s%s", word > f->argv ? " " : "", word);
    }
    if (out)
        buf_char(out, ']');
    show_cell(s, "command", buf_str(&text));
    if (f->is_cut)
        show_bool(s, "command_is_cut", true);
}

static void put_process(struct show *s, const struct found *f, const char *page)
{
    show_begin(s, &process_kind);
    show_num(s, "pid", f->process.pid);
    report_user(s, f->uid);
    show_text(s, "applet", f->applet);
    if (s->is_json)
        show_text(s, "applet_from", *page ? "page" : "arguments");
    put_start(s, f);
    put_page(s, page);
    put_command(s, f);
    show_text(s, "executable", f->exe);
    show_bool(s, "executable_is_gone", f->is_deleted);
    show_text(s, "version", f->version);
    show_end(s);
}

/* ---- the rest ---- */

static void put_owner(struct show *s, const struct found *f, pid_t pid)
{
    show_num(s, "pid", pid);
    show_text(s, "applet", f->applet);
}

/*
 * The path of a Unix socket as its server has it: the kernel has the name alone where it was bound by that,
 * and its word is not believed where somebody meddles ("?").
 */
static const char *local_of(const struct seen_socket *l)
{
    const char *told = l->protocol == SOCKET_UNIX ? l->owner->listens : NULL;
    size_t n = strlen(l->local), told_n = told ? strlen(told) : 0;
    bool ends_so = told_n > n && told[told_n - n - 1] == '/' && strcmp(told + told_n - n, l->local) == 0;
    return told && (ends_so || strcmp(l->local, "?") == 0) ? told : l->local;
}

static void put_listener(struct show *s, const struct seen_socket *l)
{
    static const char *const protocols[] = {"tcp", "udp", "unix"};
    show_begin(s, l->listens ? &listener_kind : &connection_kind);
    put_owner(s, l->owner, l->owner->process.pid);
    show_text(s, "protocol", protocols[l->protocol]);
    if (l->listens) {
        show_text(s, "listens", local_of(l));
        show_num(s, "waiting", (long long)l->waiting);
    } else {
        if (l->pid != l->owner->process.pid)
            show_num(s, "program", l->pid);
        show_text(s, "state", sockets_state(l));
        show_text(s, "local", local_of(l));
        show_text(s, "peer", l->remote);
    }
    show_end(s);
}

static void put_sockets(struct show *s, const struct sockets *sockets, bool listens)
{
    const struct seen_socket *list = sockets->list.mem;
    for (size_t i = 0; i < sockets->list.n; i++)
        if (list[i].listens == listens)
            put_listener(s, &list[i]);
}

static void put_locks(struct show *s, const struct holdings *h)
{
    const struct held_lock *l = h->locks.mem;
    for (size_t i = 0; i < h->locks.n; i++, l++) {
        char mem[64];
        struct buf range = BUF(mem);
        buf_fmt(&range, "%s-%s", l->start, l->end);
        show_begin(s, &lock_kind);
        put_owner(s, l->owner, l->pid);
        show_text(s, "lock", l->kind);
        show_text(s, "mode", l->access);
        show_text(s, "range", buf_str(&range));
        show_text(s, "state", l->waits ? "waits" : "held");
        show_text(s, "file", l->path);
        show_end(s);
    }
}

static void put_unseen(struct show *s, const struct census *c)
{
    char mem[128];
    struct buf line = BUF(mem);
    if (s->is_json) {
        show_begin(s, &unseen_kind);
        show_num(s, "processes", (long long)c->unseen + (long long)c->hung);
        show_num(s, "unreadable", (long long)c->hung);
        show_bool(s, "others_are_hidden", c->is_hidden);
        show_end(s);
        return;
    }
    bool none = true;
    for (size_t i = 0; i < c->n; i++)
        none = none && c->list[i].is_worker;
    if (none)
        show_line(s, "no process of ipcbox was found");
    if (c->unseen)
        buf_fmt(&line, "%lu more may be ours: they could not be looked at", c->unseen);
    else if (c->is_hidden)
        buf_text(&line, "more may be ours: /proc does not show the processes of other users");
    if (line.len)
        show_line(s, buf_str(&line));
    line.len = 0;
    buf_fmt(&line, "%lu more may be ours: their executables could not be read in time", c->hung);
    if (c->hung)
        show_line(s, buf_str(&line));
}

/* A malformed page, or one that has gone, counts as empty. */
static int put_processes(struct show *s, const struct census *c)
{
    for (size_t i = 0; i < c->n; i++) {
        char page[STATUS_PAGE_SIZE] = "";
        struct found *f = &c->list[i];
        if (!f->is_worker && status_page_read(f->process.pid, page) < 0) {
            if (errno != EPROTO && !procs_is_out_of_reach(errno))
                return -1;
            *page = '\0';
        }
        take_page(s, f, page);
        if (!f->is_worker)
            put_process(s, f, page);
    }
    return 0;
}

int report(struct show *s)
{
    struct census census;
    struct holdings holdings;
    struct sockets sockets = {.list.n = 0};
    if (census_take(&census) < 0)
        return -1;
    if (s->is_json) {
        show_begin(s, &snapshot_kind);
        report_time(s, "time", (long long)time(NULL));
        show_text(s, "version", IPCBOX_VERSION);
        show_end(s);
    }
    int done = holdings_take(&holdings, &census);
    if (done == 0)
        done = sockets_take(&sockets, &census, &holdings);
    if (done == 0)
        done = put_processes(s, &census);
    if (done == 0) {
        put_sockets(s, &sockets, true);
        put_sockets(s, &sockets, false);
        put_locks(s, &holdings);
        done = report_sysv(s);
    }
    if (done == 0) {
        put_unseen(s, &census);
        done = show_finish(s);
    }
    int err = errno;
    sockets_free(&sockets);
    holdings_free(&holdings);
    census_free(&census);
    errno = err;
    return done;
}
