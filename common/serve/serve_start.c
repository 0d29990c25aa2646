/*
 * serve_start.c - see serve_loop.h: the start of a connection's program, or of the greeting.
 */
#include "serve/serve_loop.h"
#include "process/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/fd.h"
#include "net/listen.h"

static bool is_shortage(int err)
{
    return err == EAGAIN || err == ENOMEM || err == EMFILE || err == ENFILE || err == ENOBUFS;
}

static void shortage_is_over(struct serve *s)
{
    s->pause.is_said = false;
    s->pause.backoff = s->pause.until = 0;
}

/* ---- perlipc's greeting ---- */

struct greeting {
    struct serve *s;
    const struct serve_conn *c;
    int fd;
};

/* Writes perlipc's greeting to fd 0. 0, or -1 with errno. */
static int write_greeting(const struct greeting *g)
{
    char mem[512];
    struct buf b = BUF(mem);
    buf_text(&b, "Hello there, ");
    g->s->kind->name(g->s->owner, g->c, &b);
    buf_text(&b, ", it's now ");
    date_local(&b, time(NULL));
    buf_text(&b, "\r\n");
    return fd_write_all(STDIN_FILENO, b.mem, b.len);
}

/* In a process of its own, for the name may have to be looked up. */
static int greet(void *arg)
{
    const struct greeting *g = arg;
    char text[ADDR_TEXT_SIZE];
    struct buf client = BUF(text);
    int done = dup2(g->fd, STDIN_FILENO);
    /* nothing of the server's must live on in us: a listener that is still open would look like a server */
    fd_close_from(STDERR_FILENO + 1);
    if (done >= 0)
        done = write_greeting(g);
    if (done >= 0) {
        listen_say_last(STDIN_FILENO, NULL, 0);
        return EXIT_DONE;
    }
    int err = errno;
    g->s->kind->client(g->c, &client);
    msg_error(g->s->msg, "greet", buf_str(&client), err);
    return EXIT_SYSTEM;
}

/* ---- its program ---- */

static bool is_needed(const struct serve_start *start)
{
    return start->pid && (spawn_is_on_its_way(start->record) || spawn_has_failed(start->record));
}

/* A record that no start needs any more, or a new one. NULL with ENOMEM. What a rush has left is freed, a few
 * remain. */
static struct serve_start *idle_start(struct serve *s)
{
    enum { FEW = 16 };
    while (s->starts.n > FEW && !is_needed(&s->starts.list[s->starts.n - 1]))
        spawn_free(s->starts.list[--s->starts.n].record);
    for (size_t i = 0; i < s->starts.n; i++)
        if (!is_needed(&s->starts.list[i]))
            return &s->starts.list[i];
    if (s->starts.n == s->starts.room) {
        size_t room = s->starts.room ? s->starts.room * 2 : 8;
        struct serve_start *more = realloc(s->starts.list, room * sizeof *more);
        if (!more)
            return NULL;
        s->starts.list = more;
        s->starts.room = room;
    }
    struct serve_start *start = &s->starts.list[s->starts.n];
    *start = (struct serve_start){.record = spawn_record()};
    s->starts.n += start->record != NULL;
    return start->record ? start : NULL;
}

static pid_t start_program(struct serve *s, const struct spawn *program, const char **failed)
{
    struct serve_start *start = idle_start(s);
    if (!start)
        return -1;
    *failed = "fork";
    pid_t pid = spawn_program(start->record, program, &s->env);
    start->pid = pid > 0 ? pid : 0;
    return pid;
}

pid_t serve_spawn(struct serve *s, const struct serve_conn *c, int in, int out, const char **failed)
{
    struct spawn program = s->program;
    const int fds[] = {in, out};
    *failed = "malloc";
    env_reset(&s->env);
    if (s->kind->put_env(s->owner, c, &s->env, program.pid_text) < 0)
        return -1;
    program.fds = fds;
    program.nfds = 2;
    return start_program(s, &program, failed);
}

/* The process that serves the connection: its pid, or -1 with errno and *failed. 0: none does. */
static pid_t start_process(struct serve *s, struct serve_conn *c, const char **failed)
{
    if (s->kind->datagrams)
        return s->kind->datagrams->start(s->owner, c, failed);
    if (s->program.path)
        return serve_spawn(s, c, c->fd, c->fd, failed);
    struct greeting g = {s, c, c->fd};
    *failed = "fork";
    return worker_start(greet, &g, false);
}

/* The errno of starts that wait for memory; 0: none does. */
static int shortage_of_starts(const struct serve *s)
{
    int err = 0;
    for (size_t i = 0; i < s->starts.n && !err; i++)
        err = s->starts.list[i].pid ? spawn_shortage(s->starts.list[i].record) : 0;
    return err;
}

void serve_look_at_starts(struct serve *s)
{
    int err = shortage_of_starts(s);
    if (!err && s->starts.are_short)
        shortage_is_over(s);
    s->starts.are_short = err != 0;
    if (!err || s->pause.is_said)
        return;
    errno = err;
    serve_pause(s, "exec");
}

void serve_start_is_over(struct serve *s, pid_t pid)
{
    const char *step;
    for (size_t i = 0; i < s->starts.n; i++) {
        struct serve_start *start = &s->starts.list[i];
        if (start->pid != pid)
            continue;
        int err = spawn_reaped(start->record, &step);
        start->pid = 0;
        if (!err)
            continue;
        msg_error(s->msg, step, s->program.path, err);
        s->started--;
        s->failed++;
    }
}

/* Whether one is not known yet to have got to its program, but for those that wait for memory. */
static bool any_is_needed(const struct serve *s)
{
    for (size_t i = 0; i < s->starts.n; i++)
        if (is_needed(&s->starts.list[i]) && !spawn_shortage(s->starts.list[i].record))
            return true;
    return false;
}

void serve_wait_for_starts(struct serve *s)
{
    const struct timespec nap = {.tv_nsec = CLOCK_MS};
    int64_t deadline = clock_in(CLOCK_SECOND);
    while (any_is_needed(s) && clock_left(deadline)) {
        serve_reap(s);
        if (any_is_needed(s))
            nanosleep(&nap, NULL);
    }
}

static void say_ok(const struct serve *s, const struct serve_conn *c, pid_t pid)
{
    struct event e;
    if (s->msg->level < MSG_VERBOSE)
        return;
    event_begin(&e, s->msg, "ok");
    event_num(&e, "child", pid);
    s->kind->describe(s->owner, c, pid, &e);
    event_num(&e, "active", (long long)serve_active(s));
    event_send(&e);
}

void serve_note_child(struct serve *s, const struct serve_conn *c, pid_t pid)
{
    struct serve_child *child = table_add(&s->children, &pid); /* there is room: it can't fail */
    memcpy(child->client, c->key, sizeof child->client);
    s->recent.pids[s->recent.at++ % SERVE_RECENT] = pid;
}

/* --stdio: the first is the only one. */
static void keep_for_relay(struct serve *s, struct serve_conn *c)
{
    if (!s->relayed) {
        s->relayed = c->fd;
        s->asked.max = s->accepted;
        say_ok(s, c, getpid());
        c->fd = -1;
    }
    serve_drop(c);
}

void serve_start(struct serve *s, struct serve_conn *c)
{
    if (s->asked.stdio) {
        keep_for_relay(s, c);
        return;
    }
    const char *failed = "malloc";
    pid_t pid = -1;
    if (table_reserve(&s->children) == 0)
        pid = start_process(s, c, &failed);
    if (pid < 0 && is_shortage(errno)) {
        serve_pause(s, failed);
        s->held = *c;
        return;
    }
    if (pid < 0) {
        msg_error(s->msg, failed, s->program.path, errno);
        s->failed++;
        serve_forget_client(s, c->key);
        serve_drop(c);
        return;
    }
    s->started++;
    if (pid == 0) {
        serve_forget_client(s, c->key);
        serve_drop(c);
        return;
    }
    if (!shortage_of_starts(s))
        shortage_is_over(s);
    serve_note_child(s, c, pid);
    say_ok(s, c, pid);
    serve_drop(c);
    serve_say_status(s, false);
}
