/*
 * job.c - see job.h.
 */
#include "job.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "fd.h"
#include "num.h"
#include "reap.h"
#include "signum.h"
#include "sigs.h"

void job_init(struct job *j, struct msg *m)
{
    *j = (struct job){.msg = m, .separator = ":::", .status_fd = -1, .watched = -1};
}

void job_option(struct job *j, int row, const struct opts *o)
{
    enum job_row { JOB_OPTIONS(OPT_ENUM) };
    switch ((enum job_row)row) {
        MSG_OPTIONS(OPT_CASE)
        opts_level(j->msg, row);
        break;
    case OPT_SEPARATOR:
        if (!*o->arg)
            opts_wrong(o, "expected a non-empty word");
        j->separator = o->arg;
        break;
    case OPT_STATUS_FD:
        j->status_fd = opts_fd(o, 0);
        break;
    }
}

static void make_progs(struct job *j, size_t n)
{
    memset(j->few, 0, sizeof j->few);
    j->progs = n <= JOB_FEW ? j->few : calloc(n, sizeof *j->progs);
    if (!j->progs)
        msg_die_sys(j->msg, "malloc", NULL);
}

void job_split(struct job *j, char **words, size_t max)
{
    size_t n = 1;
    for (char **w = words; *w; w++)
        n += strcmp(*w, j->separator) == 0;
    if (n > max)
        msg_usage(j->msg, "%zu programs: expected at most %zu", n, max);
    make_progs(j, n);
    for (j->n = 0; j->n < n; j->n++) {
        j->progs[j->n].argv = words;
        while (*words && strcmp(*words, j->separator) != 0)
            words++;
        if (words == j->progs[j->n].argv) {
            if (n == 1)
                msg_usage(j->msg, "missing PROG");
            msg_usage(j->msg, "missing PROG before or after '%s'", j->separator);
        }
        if (*words)
            *words++ = NULL;
    }
}

void job_pair(struct job *j, char **words)
{
    char **second = words;
    while (*second && strcmp(*second, j->separator) != 0)
        second++;
    if (second == words || !*second || !second[1])
        msg_usage(j->msg, "expected two programs, separated by '%s'", j->separator);
    make_progs(j, 2);
    *second++ = NULL;
    j->progs[0].argv = words;
    j->progs[1].argv = second;
    j->n = 2;
}

void job_single(struct job *j, char **words)
{
    make_progs(j, 1);
    j->progs->argv = words;
    j->n = 1;
}

void job_forget(struct job *j)
{
    for (size_t i = 0; i < j->n; i++)
        spawn_forget(j->progs[i].path, *j->progs[i].argv);
    if (j->progs != j->few)
        free(j->progs);
    j->progs = NULL;
    j->n = 0;
}

/* "NAME", and which one it is where there are several: "NAME (stage 2)". */
static const char *name_of(const struct job *j, size_t i, struct buf *b)
{
    buf_text(b, *j->progs[i].argv);
    if (j->n > 1)
        buf_fmt(b, " (stage %zu)", i);
    return buf_str(b);
}

/* One line, one write: what --status-fd gets. */
static void tell_status(const struct job *j, size_t i, pid_t pid)
{
    char mem[256];
    struct buf b = BUF(mem);
    const struct prog *p = &j->progs[i];
    int s = p->wait_status;
    if (j->status_fd < 0)
        return;
    int64_t took = p->began ? clock_now() - p->began : 0;
    buf_fmt(&b,
        "stage=%zu pid=%ld exec_errno=%d exit=%d signal=%d core=%d timed_out=%d seconds=%lld.%03lld\n", i,
        (long)pid, p->exec_errno,
        p->exec_errno  ? spawn_exit_status(p->exec_errno)
        : WIFEXITED(s) ? WEXITSTATUS(s)
                       : 0,
        WIFSIGNALED(s) ? WTERMSIG(s) : 0, WIFSIGNALED(s) && WCOREDUMP(s), p->timed_out,
        (long long)(took / CLOCK_SECOND), (long long)(took % CLOCK_SECOND / CLOCK_MS));
    if (fd_write_all(j->status_fd, b.mem, b.len) < 0)
        msg_error(j->msg, "write", "status-fd", errno);
}

static int fail(const struct job *j, size_t i, int status, const char *action, int err)
{
    char mem[PATH_MAX + 32];
    struct buf name = BUF(mem);
    return msg_fatal(j->msg, status, action, name_of(j, i, &name), err);
}

int job_find(struct job *j)
{
    for (size_t i = 0; i < j->n; i++) {
        struct prog *p = &j->progs[i];
        p->path = spawn_find(*p->argv);
        if (p->path)
            continue;
        p->exec_errno = errno;
        tell_status(j, i, 0);
        char mem[PATH_MAX + 32];
        struct buf name = BUF(mem);
        return spawn_not_found(j->msg, name_of(j, i, &name), p->exec_errno);
    }
    return 0;
}

struct env *job_env(struct job *j)
{
    if (!j->env.v && env_init(&j->env, environ) < 0)
        msg_die_sys(j->msg, "malloc", NULL);
    return &j->env;
}

/* LISTEN_PID, if the sockets are ours, goes on as the program's (sd_listen_fds(3)). */
static void prepare_listen_pid(struct job *j)
{
    const char *value = getenv("LISTEN_PID");
    uint64_t pid;
    struct buf b = BUF(j->listen_pid);
    j->has_listen_pid = value && num_u64(value, 1, INT32_MAX, &pid) && (pid_t)pid == getpid();
    if (!j->has_listen_pid)
        return;
    buf_text(&b, "LISTEN_PID=");
    buf_str(&b);
    if (env_put(job_env(j), j->listen_pid) < 0)
        msg_die_sys(j->msg, "malloc", NULL);
}

void job_begin(struct job *j, bool family)
{
    j->with_family = family;
    if (family && family_begin(&j->family) < 0)
        msg_die_sys(j->msg, "look at", "/proc");
    prepare_listen_pid(j);
    sigs_catch(SIGCHLD);
    sigs_catch(SIGPIPE); /* of our own writes: an error, and nobody's signal */
    sigs_catch_ending();
    if (!sigs_work())
        msg_die_sys(j->msg, "sigaction", NULL);
}

static void say_end(const struct job *j, size_t i, pid_t pid)
{
    struct event e;
    char mem[PATH_MAX + 32];
    struct buf name = BUF(mem);
    int s = j->progs[i].wait_status;
    event_begin(&e, j->msg, "end");
    event_text(&e, "end %s pid %ld ", name_of(j, i, &name), (long)pid);
    event_num(&e, "child", pid);
    event_num(&e, WIFSIGNALED(s) ? "signal" : "exit", WIFSIGNALED(s) ? WTERMSIG(s) : WEXITSTATUS(s));
    if (WIFSIGNALED(s))
        event_text(&e, "signal %d", WTERMSIG(s));
    else
        event_text(&e, "exit %d", WEXITSTATUS(s));
    event_send(&e);
}

int job_start(struct job *j, size_t i, struct spawn *s, const char **failed)
{
    struct prog *p = &j->progs[i];
    s->path = p->path;
    s->argv = p->argv;
    s->envp = j->env.v ? j->env.v : environ;
    s->pid_text = j->has_listen_pid ? j->listen_pid + strlen("LISTEN_PID=") : NULL;
    p->began = j->status_fd < 0 ? 0 : clock_now();
    pid_t pid = spawn_program(s, failed);
    if (pid < 0) {
        int err = errno;
        j->start_failed = strcmp(*failed, "fork") != 0 || err != EAGAIN;
        if (strcmp(*failed, "fork") != 0) {
            p->exec_errno = err;
            p->ended = true;
            tell_status(j, i, 0);
        }
        errno = err;
        return -1;
    }
    j->start_failed = false;
    p->exec_errno = p->wait_status = 0;
    p->timed_out = false;
    p->pid = pid;
    p->ended = false;
    p->own_group = s->place != SPAWN_HERE;
    j->running++;
    return 0;
}

int job_say_failed(struct job *j, size_t i, const char *failed, int err)
{
    if (strcmp(failed, "exec") != 0 && !j->progs[i].exec_errno) {
        j->progs[i].exec_errno = err;
        tell_status(j, i, 0);
    }
    return fail(j, i, strcmp(failed, "exec") == 0 ? spawn_exit_status(err) : EXIT_SYSTEM, failed, err);
}

bool job_note_end(struct job *j, pid_t pid, int status)
{
    for (size_t i = 0; i < j->n; i++) {
        struct prog *p = &j->progs[i];
        if (p->pid != pid)
            continue;
        p->pid = 0;
        p->ended = true;
        p->wait_status = status;
        j->running--;
        tell_status(j, i, pid);
        if (j->msg->level >= MSG_VERBOSE)
            say_end(j, i, pid);
        return true;
    }
    return false;
}

/* Somebody else has taken our children's ends: better an unknown status than to wait for ever. */
static void give_up_on_all(struct job *j)
{
    for (size_t i = 0; i < j->n; i++)
        if (j->progs[i].pid > 0)
            job_note_end(j, j->progs[i].pid, EXIT_SYSTEM << 8);
}

static void note_stop(const struct job *j, pid_t pid)
{
    for (size_t i = 0; i < j->n; i++)
        if (j->progs[i].pid == pid && j->on_stop)
            j->on_stop(j->owner);
}

static void reap_all(struct job *j)
{
    pid_t pid;
    int status;
    do {
        while ((pid = reap_next(&status, j->on_stop != NULL)) > 0) {
            if (WIFSTOPPED(status))
                note_stop(j, pid);
            else if (!job_note_end(j, pid, status) && j->on_other)
                j->on_other(j->owner, pid, status);
        }
    } while (j->running && errno == ECHILD && reap_have_children());
    if (j->running && errno == ECHILD)
        give_up_on_all(j);
}

/* To the programs themselves: they are our children, unreaped, so the pids are theirs. How many took it. */
long job_signal(const struct job *j, int sig, bool only_groups)
{
    long took = 0;
    for (size_t i = 0; i < j->n; i++)
        if (j->progs[i].pid > 0 && (!only_groups || j->progs[i].own_group))
            took += kill(j->progs[i].pid, sig) == 0;
    return took;
}

/* No memory for a moment: what we have begun is not left alone for that. */
static void survive_poll(struct job *j)
{
    if (!j->poll_failed)
        msg_error(j->msg, "poll", NULL, errno);
    j->poll_failed = true;
    sigs_sleep(NULL, 0, 100 * CLOCK_MS);
}

int job_sleep(struct job *j, struct pollfd *fds, nfds_t n, int64_t ns)
{
    int sig, ready = sigs_sleep(fds, n, ns);
    bool sent;
    if (ready < 0 && errno != EINTR)
        survive_poll(j);
    while ((sig = sigs_take_ending(&sent))) {
        j->came = sig;
        if (j->on_signal)
            j->on_signal(j->owner, sig, sent);
        else
            job_signal(j, sig, !sent);
    }
    if (sigs_take(SIGCHLD))
        reap_all(j);
    return ready;
}

void job_look(struct job *j)
{
    job_sleep(j, NULL, 0, 0);
}

int job_write(struct job *j, struct pump *out, const char *bytes, size_t n, int64_t deadline)
{
    while (n || !pump_is_empty(out)) {
        if (pump_is_empty(out)) {
            out->start = 0;
            out->len = n < PUMP_BUFFER ? n : PUMP_BUFFER;
            memcpy(out->buffer, bytes, out->len);
            bytes += out->len;
            n -= out->len;
        }
        enum pump_state state = pump_drain(out);
        if (state == PUMP_ERROR)
            return -1;
        if (state != PUMP_WAIT)
            continue;
        struct pollfd polls[2];
        pump_polls(out, polls);
        job_sleep(j, polls + 1, 1, clock_left(deadline));
        pump_ready(out, polls);
        errno = j->came ? EINTR : ETIMEDOUT;
        if (j->came || !clock_left(deadline))
            return -1;
    }
    return 0;
}

int job_open(const char *path, int flags, int64_t deadline)
{
    int fd;
    if (sigs_open() < 0)
        return -1;
    do
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);
    while (fd < 0 && errno == EINTR && clock_left(deadline) && !sigs_ending_came());
    sigs_shut();
    return fd;
}

/* How many of ours are alive and took the signal. */
static long signal_tree(const struct job *j, int sig)
{
    long took = j->with_family ? family_signal(&j->family, sig) : -1;
    return took >= 0 ? took : job_signal(j, sig, false);
}

static bool nothing_left(struct job *j)
{
    reap_all(j);
    return j->with_family ? !reap_have_children() : !j->running;
}

/* Sleeps in job_end. Whether a signal says that we are in a hurry. */
static bool sleep_ending(struct job *j, int64_t ns)
{
    struct pollfd p = {.fd = j->watched, .events = POLLIN};
    bool hurry = false, sent = false;
    int sig;
    if (sigs_sleep(&p, 1, ns) > 0 && p.revents)
        j->on_watched(j->owner);
    while ((sig = sigs_take_ending(&sent))) {
        j->came = sig;
        hurry = hurry || sig == SIGTERM || sig == SIGINT || sig == SIGQUIT || sig == SIGHUP;
        if (j->on_signal)
            j->on_signal(j->owner, sig, sent);
    }
    sigs_take(SIGCHLD);
    return hurry || j->hurry;
}

void job_end(struct job *j, int sig, int64_t grace)
{
    enum { LOOKS = 20 }; /* for one who was born while we looked */
    for (size_t i = 0; i < j->n; i++)
        j->progs[i].timed_out = j->progs[i].pid > 0 && !j->start_failed;
    if (nothing_left(j))
        return;
    int64_t deadline = clock_in(grace);
    signal_tree(j, sig);
    signal_tree(j, SIGCONT); /* one that is stopped would not hear it */
    while (!nothing_left(j) && signal_tree(j, 0) > 0 && clock_left(deadline))
        if (sleep_ending(j, clock_left(deadline)))
            break;
    for (int idle = 0; idle < LOOKS && !nothing_left(j); idle++) {
        if (signal_tree(j, SIGKILL) > 0)
            idle = 0;
        sleep_ending(j, 10 * CLOCK_MS);
    }
}

void job_release_stdio(const struct job *j)
{
    for (int fd = STDIN_FILENO; fd <= STDOUT_FILENO; fd++)
        if (fd != j->status_fd)
            fd_to_null(fd);
}

int job_status(const struct job *j, size_t i)
{
    const struct prog *p = &j->progs[i];
    return p->exec_errno ? spawn_exit_status(p->exec_errno) : reap_exit_status(p->wait_status);
}

int job_end_alike(const struct job *j, size_t i)
{
    int status = job_status(j, i);
    if (status > EXIT_SIGNAL && job_died_of(j, i, status - EXIT_SIGNAL) && getpid() != 1)
        sigs_die(status - EXIT_SIGNAL);
    return status;
}

void job_describe_end(const struct job *j, size_t i, struct buf *text)
{
    char name[SIGNUM_SIZE];
    int status = j->progs[i].wait_status;
    if (!j->progs[i].exec_errno && WIFSIGNALED(status))
        buf_fmt(text, "was killed by SIG%s", signum_name(WTERMSIG(status), name));
    else
        buf_fmt(text, "exited with status %d", job_status(j, i));
}

bool job_died_of(const struct job *j, size_t i, int sig)
{
    const struct prog *p = &j->progs[i];
    return !p->exec_errno && WIFSIGNALED(p->wait_status) && WTERMSIG(p->wait_status) == sig;
}
