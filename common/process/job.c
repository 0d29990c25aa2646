/*
 * job.c - see job.h.
 */
#include "process/job.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/find.h"
#include "base/num.h"
#include "process/reap.h"
#include "base/signum.h"
#include "process/sigs.h"
#include "base/speak.h"
#include "base/tick.h"

void job_init(struct job *j, struct msg *m)
{
    *j = (struct job){
        .msg = m, .separator = ":::", .status_fd = -1, .hooks.watched = {{.fd = -1}, {.fd = -1}}};
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

void job_alike(struct job *j, char **words, size_t n)
{
    make_progs(j, n);
    for (j->n = 0; j->n < n; j->n++)
        j->progs[j->n].argv = words;
}

void job_forget(struct job *j)
{
    for (size_t i = 0; i < j->n; i++) {
        bool runs = j->progs[i].pid > 0; /* it could not be ended; its child may still use its record */
        j->running -= runs;
        find_free(j->progs[i].path, *j->progs[i].argv);
        if (!runs)
            spawn_free(j->progs[i].start);
    }
    if (j->progs != j->few)
        free(j->progs);
    j->progs = NULL;
    j->n = 0;
}

/* "NAME", and which one it is where there are several: "NAME (stage 2)". */
static const char *name_of(const struct job *j, size_t i, struct buf *b)
{
    buf_text(b, *j->progs[i].argv);
    if (j->n > 1 && j->progs[0].argv != j->progs[1].argv)
        buf_fmt(b, " (stage %zu)", i);
    return buf_str(b);
}

/* One line, one write: what --status-fd gets. */
static void write_status_line(struct job *j, size_t i, pid_t pid)
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
        p->exec_errno  ? job_status(j, i)
        : WIFEXITED(s) ? WEXITSTATUS(s)
                       : 0,
        WIFSIGNALED(s) ? WTERMSIG(s) : 0, WIFSIGNALED(s) && WCOREDUMP(s), p->timed_out,
        (long long)(took / CLOCK_SECOND), (long long)(took % CLOCK_SECOND / CLOCK_MS));
    if (speak_to(j->status_fd, b.mem, b.len, &j->status_stalled) < 0)
        msg_error_why(j->msg, "write", "status-fd", errno == EAGAIN ? "nobody reads it" : strerror(errno));
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
        p->path = find_program(*p->argv);
        if (p->path)
            continue;
        p->exec_errno = errno;
        p->failed = "exec";
        write_status_line(j, i, 0);
        char mem[PATH_MAX + 32];
        struct buf name = BUF(mem);
        return find_failed(j->msg, name_of(j, i, &name), p->exec_errno);
    }
    return 0;
}

struct env *job_env(struct job *j)
{
    if (!j->env.v && env_init(&j->env, environ) < 0)
        msg_die_sys(j->msg, "malloc", NULL);
    return &j->env;
}

/* LISTEN_PID and WATCHDOG_PID, if they are ours, go on as the program's (sd_listen_fds(3),
 * sd_watchdog_enabled(3)). */
static void prepare_pids(struct job *j)
{
    static const char names[SPAWN_PIDS][16] = {"LISTEN_PID", "WATCHDOG_PID"};
    for (int i = 0; i < SPAWN_PIDS; i++) {
        const char *value = getenv(names[i]);
        uint64_t pid;
        struct buf b = BUF(j->pids[i]);
        if (!value || !num_u64(value, 1, INT32_MAX, &pid) || (pid_t)pid != getpid())
            continue;
        buf_fmt(&b, "%s=", names[i]);
        j->pid_text[i] = j->pids[i] + b.len;
        if (env_put(job_env(j), j->pids[i]) < 0)
            msg_die_sys(j->msg, "malloc", NULL);
    }
}

void job_begin(struct job *j, bool family)
{
    j->with_family = family;
    if (family)
        descendants_begin(&j->descendants);
    prepare_pids(j);
    sigs_catch(SIGCHLD);
    sigs_catch(SIGPIPE); /* of our own writes: an error, and nobody's signal */
    sigs_catch_all_ending();
    if (!sigs_work())
        msg_die_sys(j->msg, "sigaction", NULL);
}

void job_stay_awake(void)
{
    sigs_catch(SIGTTIN);
    sigs_catch(SIGTTOU);
}

static void say_end(const struct job *j, size_t i, pid_t pid)
{
    struct event e;
    char mem[PATH_MAX + 32];
    struct buf name = BUF(mem);
    int s = j->progs[i].wait_status;
    event_begin(&e, j->msg, "end");
    event_text(&e, "end %s pid %ld ", name_of(j, i, &name), (long)pid);
    reap_tell(&e, pid, s);
    if (WIFSIGNALED(s))
        event_text(&e, "signal %d", WTERMSIG(s));
    else
        event_text(&e, "exit %d", WEXITSTATUS(s));
    event_send(&e);
}

int job_start(struct job *j, size_t i, struct spawn *s)
{
    struct prog *p = &j->progs[i];
    s->path = p->path;
    s->argv = p->argv;
    s->envp = environ;
    memcpy(s->pid_text, j->pid_text, sizeof s->pid_text);
    p->began = j->status_fd < 0 ? 0 : clock_now();
    if (!p->start && !(p->start = spawn_record()))
        return -1;
    pid_t pid = spawn_program(p->start, s, j->env.v ? &j->env : NULL);
    if (pid < 0)
        return -1;
    j->start_failed = j->start_failed && j->running;
    p->exec_errno = p->wait_status = 0;
    p->timed_out = false;
    p->pid = p->last_pid = pid;
    p->ended = p->adopted = false;
    p->own_group = s->place != SPAWN_HERE;
    j->running++;
    return 0;
}

/* A close-on-exec pipe ends when the program has been executed, or its child has exited. */
static int start_with_pipe(struct job *j, size_t i, struct spawn *s, int *end)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -1;
    *end = fds[0];
    int done = fd_raise(&fds[1], SPAWN_FDS) < 0 ? -1 : job_start(j, i, s);
    fd_close(&fds[1]);
    return done;
}

int job_execute(struct job *j, size_t i, struct spawn *s, int64_t deadline)
{
    int end = -1, done = start_with_pipe(j, i, s, &end), err = errno;
    struct pollfd exec = {.fd = end, .events = POLLIN};
    int came = j->came;
    j->came = 0;
    while (done == 0 && !j->progs[i].ended && !exec.revents && !j->came && clock_left(deadline))
        if (job_sleep(j, &exec, 1, clock_left(deadline)) <= 0)
            exec.revents = 0;
    bool late = done == 0 && !j->progs[i].ended && !exec.revents && !j->came;
    j->came = j->came ? j->came : came;
    fd_close(&end);
    if (done < 0)
        return job_start_failed(j, i, "fork", err);
    if (late)
        return msg_fatal_why(j->msg, EXIT_DEADLINE, "exec", *j->progs[i].argv, "it was not executed in time");
    while (!j->progs[i].ended && spawn_has_failed(j->progs[i].start))
        job_sleep(j, NULL, 0, CLOCK_NEVER);
    return j->progs[i].exec_errno ? job_status(j, i) : 0;
}

static bool is_of_exec(const char *step)
{
    return strcmp(step, "exec") == 0;
}

int job_start_failed(struct job *j, size_t i, const char *failed, int err)
{
    struct prog *p = &j->progs[i];
    j->start_failed = true;
    p->exec_errno = err;
    p->failed = failed;
    p->ended = true;
    write_status_line(j, i, 0);
    return fail(j, i, job_status(j, i), failed, err);
}

static void note_end(struct job *j, size_t i, int status)
{
    struct prog *p = &j->progs[i];
    pid_t pid = p->pid;
    const char *step;
    p->pid = 0;
    p->ended = true;
    p->wait_status = status;
    j->running--;
    if (p->adopted)
        return;
    int err = spawn_reaped(p->start, &step);
    if (err) {
        job_start_failed(j, i, step, err);
        return;
    }
    write_status_line(j, i, pid);
    if (j->msg->level >= MSG_VERBOSE)
        say_end(j, i, pid);
}

bool job_note_end(struct job *j, pid_t pid, int status)
{
    for (size_t i = 0; i < j->n; i++)
        if (j->progs[i].pid == pid) {
            note_end(j, i, status);
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

static bool is_program(const struct job *j, pid_t pid)
{
    for (size_t i = 0; i < j->n; i++)
        if (j->progs[i].pid == pid)
            return true;
    return false;
}

static void note_stop(const struct job *j, pid_t pid)
{
    if (is_program(j, pid))
        j->hooks.on_stop(j->hooks.owner);
}

/* reap_next; where somebody wants to know before a program is reaped, without stops. */
static pid_t next_end(const struct job *j, int *status)
{
    if (!j->hooks.before_reap)
        return reap_next(status, j->hooks.on_stop != NULL);
    pid_t pid = reap_peek();
    if (pid && is_program(j, pid))
        j->hooks.before_reap(j->hooks.owner);
    return pid && reap_that(pid, status) ? pid : 0;
}

void job_reap(struct job *j)
{
    pid_t pid;
    int status;
    do {
        while ((pid = next_end(j, &status)) > 0) {
            j->reaped++;
            if (WIFSTOPPED(status))
                note_stop(j, pid);
            else if (!job_note_end(j, pid, status) && j->hooks.on_other)
                j->hooks.on_other(j->hooks.owner, pid, status);
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

/* What we have begun is not left alone for that: there are other ways to look. */
static int survive_poll(struct job *j, struct pollfd *fds, nfds_t n, int64_t ns)
{
    if (!j->poll_failed)
        msg_error(j->msg, "poll", NULL, errno);
    j->poll_failed = true;
    return sigs_look_and_pause(fds, n, ns);
}

int job_sleep(struct job *j, struct pollfd *fds, nfds_t n, int64_t ns)
{
    int sig, ready = sigs_sleep(fds, n, ns);
    bool sent;
    if (ready < 0 && errno != EINTR)
        ready = survive_poll(j, fds, n, ns);
    while ((sig = sigs_take_ending(&sent))) {
        j->came = sig;
        if (j->hooks.on_signal)
            j->hooks.on_signal(j->hooks.owner, sig, sent);
        else
            job_signal(j, sig, !sent);
    }
    if (sigs_take(SIGCHLD))
        job_reap(j);
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
    if (tick_begin() < 0)
        return -1;
    do
        fd = open(path, flags | O_CLOEXEC | O_NOCTTY, 0666);
    while (fd < 0 && errno == EINTR && clock_left(deadline) && !sigs_ending_came());
    tick_end();
    return fd;
}

int job_status(const struct job *j, size_t i)
{
    const struct prog *p = &j->progs[i];
    if (p->exec_errno)
        return is_of_exec(p->failed) ? find_exit_status(p->exec_errno) : EXIT_SYSTEM;
    return reap_exit_status(p->wait_status);
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
