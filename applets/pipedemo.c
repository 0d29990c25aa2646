/*
 * pipedemo - a parent and its child talk to each other, over two pipes or a socketpair.
 *
 * perlipc's "Bidirectional Communication with Yourself", line for line.
 */
#include "cli/applet.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "process/reap.h"
#include "process/sigs.h"
#include "process/spawn.h"
#include "process/worker.h"

#define PIPEDEMO_OPTIONS(X) X(SOCKETPAIR, 0, "socketpair", NULL, "use one socket pair instead of two pipes")

enum pipedemo_option { PIPEDEMO_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {PIPEDEMO_OPTIONS(OPT_ROW)};

enum { LINE_SIZE = 128 };

/* One side of the talk. */
struct side {
    const struct msg *msg;
    const char *name;
    bool begins;
    int reader, writer;
};

struct talkers {
    struct side parent, child;
};

/* "Parent Pid 42 is sending this" */
static int send_line(const struct side *s)
{
    char mem[LINE_SIZE];
    struct buf line = BUF(mem);
    buf_fmt(&line, "%s Pid %ld is sending this\n", s->name, (long)getpid());
    return fd_write_all(s->writer, line.mem, line.len);
}

/* The other's line, without its newline. 0, or -1 with errno; an early end is EPIPE. */
static int read_line(const struct side *s, char line[static LINE_SIZE])
{
    for (size_t n = 0; n < LINE_SIZE; n++) {
        ssize_t got = fd_read(s->reader, line + n, 1);
        if (got == 0)
            errno = EPIPE;
        if (got <= 0)
            return -1;
        if (line[n] == '\n') {
            line[n] = '\0';
            return 0;
        }
    }
    errno = EMSGSIZE;
    return -1;
}

static int say_what_came(const struct side *s, const char *line)
{
    char mem[2 * LINE_SIZE];
    struct buf out = BUF(mem);
    buf_fmt(&out, "%s Pid %ld just read this: '%s'\n", s->name, (long)getpid(), line);
    return opts_print(s->msg, &out);
}

static int talk(const struct side *s)
{
    char line[LINE_SIZE];
    if (s->begins && send_line(s) < 0)
        return msg_fatal(s->msg, EXIT_SYSTEM, "write", "to the other process", errno);
    if (read_line(s, line) < 0)
        return msg_fatal(s->msg, EXIT_SYSTEM, "read", "from the other process", errno);
    int status = say_what_came(s, line);
    if (!status && !s->begins && send_line(s) < 0)
        return msg_fatal(s->msg, EXIT_SYSTEM, "write", "to the other process", errno);
    return status;
}

static void close_side(struct side *s)
{
    if (s->writer != s->reader)
        fd_close(&s->writer);
    fd_close(&s->reader);
}

static int be_child(void *arg)
{
    struct talkers *t = arg;
    close_side(&t->parent); /* else the parent's end would not be seen */
    return talk(&t->child);
}

/* 0, or -1 with errno. */
static int connect_them(struct talkers *t, bool socketpair_wanted)
{
    int a[2], b[2];
    if (socketpair_wanted) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, a) < 0)
            return -1;
        t->parent.reader = t->parent.writer = a[0];
        t->child.reader = t->child.writer = a[1];
        return 0;
    }
    if (pipe2(a, O_CLOEXEC) < 0 || pipe2(b, O_CLOEXEC) < 0)
        return -1;
    t->parent.reader = a[0];
    t->child.writer = a[1];
    t->child.reader = b[0];
    t->parent.writer = b[1];
    return 0;
}

static const struct cli cli = {
    .name = "pipedemo",
    .summary = "show a parent and its child talking to each other",
    .usage = "[OPTION]...",
    .notes = NULL,
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int pipedemo_main(struct msg *m, int argc, char **argv)
{
    struct talkers t = {{m, "Parent", true, -1, -1}, {m, "Child", false, -1, -1}};
    struct opts o;
    bool socketpair_wanted = false;
    opts_start(&o, m, &cli, argc, argv);
    while (opts_next(&o) >= 0)
        socketpair_wanted = true;
    if (o.first < argc)
        msg_usage(m, "unexpected operand '%s'", argv[o.first]);
    if (connect_them(&t, socketpair_wanted) < 0)
        msg_die_sys(m, socketpair_wanted ? "socketpair" : "pipe", NULL);
    sigs_catch(SIGCHLD); /* ignored, as we may have found it, there would be no status to wait for */
    pid_t child = worker_start(be_child, &t, true);
    if (child < 0)
        msg_die_sys(m, "fork", NULL);
    close_side(&t.child);
    int status = talk(&t.parent);
    close_side(&t.parent);
    int end = reap_wait(child);
    if (end < 0)
        msg_die_sys(m, "wait", NULL);
    return status ? status : reap_exit_status(end);
}

const struct applet applet_pipedemo = {.cli = &cli, .theme = THEME_PIPES, .main = pipedemo_main};
