/*
 * serve_start.c - see serve_loop.h: the start of a connection's program, or of the greeting.
 */
#include "serve_loop.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "date.h"
#include "fd.h"

static bool is_shortage(int err)
{
    return err == EAGAIN || err == ENOMEM || err == EMFILE || err == ENFILE || err == ENOBUFS;
}

static void shortage_is_over(struct serve *s)
{
    s->shortage_said = false;
    s->backoff = s->paused_until = 0;
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
    if (done >= 0)
        return EXIT_DONE;
    int err = errno;
    g->s->kind->client(g->c, &client);
    msg_error(g->s->msg, "greet", buf_str(&client), err);
    return EXIT_SYSTEM;
}

/* ---- its program ---- */

/* The number of one whose start is over; -1: none. */
static int find_lane(const struct serve *s)
{
    for (int i = 0; i < SERVE_LANES; i++)
        if (spawn_lane_is_free(&s->lanes[i]))
            return i;
    return -1;
}

static int free_lane(struct serve *s)
{
    int lane = find_lane(s);
    for (int i = 0; lane < 0 && i < SERVE_LANES; i++)
        if (s->lanes[i].err) {
            serve_reap(s); /* which says why that start has failed, and frees its lane */
            return find_lane(s);
        }
    return lane;
}

/*
 * On its way beside the others, if there is a lane for it; else it is waited for, so that not more of them
 * are made than the machine can start.
 */
static pid_t start_program(struct serve *s, struct spawn *program, const char **failed)
{
    int lane = s->no_lanes ? -1 : free_lane(s);
    if (lane >= 0) {
        pid_t pid = spawn_in_lane(&s->lanes[lane], program, &s->env, failed);
        s->no_lanes = pid < 0 && (errno == ENOSYS || errno == EINVAL);
        if (!s->no_lanes)
            return pid;
    }
    program->envp = s->env.v;
    return spawn_program(program, failed);
}

/* The process that serves the connection: its pid, or -1 with errno and *failed. */
static pid_t start_process(struct serve *s, struct serve_conn *c, const char **failed)
{
    *failed = "malloc";
    if (!s->program.path) {
        struct greeting g = {s, c, c->fd};
        *failed = "fork";
        return spawn_function(greet, &g, false);
    }
    struct spawn program = s->program;
    const int fds[] = {c->fd, c->fd};
    env_reset(&s->env);
    if (s->kind->tell(s->owner, c, &s->env, &program.pid_text) < 0)
        return -1;
    program.fds = fds;
    program.nfds = 2;
    return start_program(s, &program, failed);
}

/* The errno of starts that wait for memory; 0: none does. */
static int shortage_of_lanes(const struct serve *s)
{
    for (int i = 0; i < SERVE_LANES; i++)
        if (s->lanes[i].busy && s->lanes[i].shortage)
            return s->lanes[i].shortage;
    return 0;
}

void serve_look_at_lanes(struct serve *s)
{
    int err = shortage_of_lanes(s);
    if (!err && s->lanes_short)
        shortage_is_over(s);
    s->lanes_short = err != 0;
    if (!err || s->shortage_said)
        return;
    errno = err;
    serve_pause(s, "exec");
}

void serve_lane_is_over(struct serve *s, pid_t pid)
{
    for (int i = 0; i < SERVE_LANES; i++) {
        struct spawn_lane *lane = &s->lanes[i];
        if (lane->pid != pid)
            continue;
        if (lane->err)
            msg_error(s->msg, lane->failed, s->program.path, lane->err);
        lane->busy = lane->err = 0;
        lane->pid = 0;
    }
}

void serve_wait_for_lanes(const struct serve *s)
{
    const struct timespec nap = {.tv_nsec = CLOCK_MS};
    int64_t deadline = clock_in(CLOCK_SECOND);
    for (int i = 0; s->lanes && i < SERVE_LANES; i++)
        while (s->lanes[i].busy && !s->lanes[i].shortage && clock_left(deadline))
            nanosleep(&nap, NULL);
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

void serve_start(struct serve *s, struct serve_conn *c)
{
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
        serve_forget_client(s, c->key);
        serve_drop(c);
        return;
    }
    if (!shortage_of_lanes(s))
        shortage_is_over(s);
    struct serve_child *child = table_add(&s->children, &pid); /* there is room: it can't fail */
    memcpy(child->client, c->key, sizeof child->client);
    s->recent[s->recent_at++ % SERVE_RECENT] = pid;
    say_ok(s, c, pid);
    serve_drop(c);
    serve_say_status(s, false);
}
