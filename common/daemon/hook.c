/*
 * hook.c - see hook.h.
 */
#include "daemon/hook.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "daemon/monitor.h"
#include "process/reap.h"

static void report(const struct hook *h, struct monitor *m, const char *what, const char *why)
{
    char mem[PATH_MAX + 160];
    struct buf text = BUF(mem);
    buf_fmt(&text, "%s %s%s", h->name, what, why);
    if (m->msg->level > MSG_QUIET)
        monitor_say(m, buf_str(&text));
}

void hook_refuse(const struct hook *h, struct monitor *m, int err)
{
    char mem[PATH_MAX + 96];
    struct buf why = BUF(mem);
    buf_fmt(&why, "%s: %s", h->variables[0], strerror(err));
    report(h, m, "was not started: ", buf_str(&why));
}

/* 0, or -1 with errno. */
static int prepare(struct hook *h, struct monitor *m)
{
    char *const argv[] = {"sh", "-c", h->command, NULL};
    memcpy(h->argv, argv, sizeof argv);
    if (!h->env.v && env_init(&h->env, job_env(&m->job)->v) < 0)
        return -1;
    env_reset(&h->env);
    for (size_t i = 0; i < 2; i++)
        if (*h->variables[i] && env_put(&h->env, h->variables[i]) < 0)
            return -1;
    return h->start || (h->start = spawn_record()) ? 0 : -1;
}

static pid_t start(struct hook *h, struct monitor *m, int in)
{
    int out = m->out >= 0 ? m->out : m->err >= 0 ? m->err : m->foreground ? -1 : in;
    const int fds[] = {in, out, m->err >= 0 ? m->err : out};
    const struct spawn s = {.path = "/bin/sh",
        .argv = h->argv,
        .envp = environ,
        .fds = fds,
        .nfds = 3,
        .signals = SIGS_CLEAN,
        .place = SPAWN_GROUP};
    return spawn_program(h->start, &s, &h->env);
}

bool hook_start(struct hook *h, struct monitor *m, int in)
{
    if (!h->command || h->pid)
        return false;
    const char *failed = "could not be started: ";
    const bool has_input = in >= 0;
    in = has_input ? fd_dup(in, STDERR_FILENO + 1) : open("/dev/null", O_RDWR | O_CLOEXEC);
    if (!has_input && in < 0)
        failed = "could not be started: open /dev/null: ";
    pid_t pid = in >= 0 && fd_raise(&in, STDERR_FILENO + 1) == 0 && prepare(h, m) == 0 ? start(h, m, in) : -1;
    if (pid < 0)
        report(h, m, failed, strerror(errno));
    fd_close(&in);
    h->pid = pid > 0 ? pid : 0;
    return pid > 0;
}

void hook_kill(const struct hook *h)
{
    if (h->pid && kill(-h->pid, SIGKILL) < 0) /* it has no group yet */
        kill(h->pid, SIGKILL);
}

bool hook_note_end(struct hook *h, struct monitor *m, pid_t pid, int status)
{
    const char *step;
    if (!h->pid || pid != h->pid)
        return false;
    h->pid = 0;
    int err = spawn_reaped(h->start, &step);
    char mem[SIGNUM_SIZE];
    struct buf number = BUF(mem);
    if (err) {
        report(h, m, "could not be started: ", strerror(err));
    } else if (WIFSIGNALED(status)) {
        report(h, m, "was killed by SIG", signum_name(WTERMSIG(status), mem));
    } else if (status) {
        buf_num(&number, (unsigned)WEXITSTATUS(status));
        report(h, m, "exited with status ", buf_str(&number));
    }
    return true;
}
