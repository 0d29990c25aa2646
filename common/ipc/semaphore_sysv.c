/*
 * semaphore_sysv.c - see semaphore.h: System V semaphore sets.
 *
 * For a program or a process, a semaphore is taken with SEM_UNDO, so that the kernel gives it back when that
 * terminates, for whatever reason, and not before: we become the program by exec.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "ipc/semaphore.h"
#include "process/find.h"
#include "process/holder.h"
#include "process/procs.h"
#include "process/spawn.h"

static int failed(const struct semaphore *s, const char *what)
{
    return sysv_failed(s->msg, SYSV_SEM, what, &s->key, errno);
}

static int busy(const struct semaphore *s, int id)
{
    if (id >= 0 && s->nums.count && sem_is_untouched(id))
        return msg_fatal_why(s->msg, EXIT_SYSTEM, "take", s->word,
            "it has no initial value: use 'semset set', 'semset create --value' or --create=VALUE");
    msg_error_why(s->msg, "take", s->word,
        !s->try_once ? "the deadline passed"
        : s->zero    ? "it is not 0"
                     : "it is taken");
    return s->try_once ? EXIT_NO : EXIT_DEADLINE;
}

/* perlipc's take: one semop(2) that waits for zero and adds one. */
static int take(struct semaphore *s)
{
    bool undo = s->job.n || s->pid;
    short flags = (short)((undo ? SEM_UNDO : 0) | (s->try_once ? IPC_NOWAIT : 0));
    const short binary[] = {0, 1}, counting = (short)-s->nums.amount;
    int64_t deadline = s->try_once ? 0 : clock_in(s->timeout);
    int id = s->create ? sem_make(&s->key, &s->making, deadline) : sem_find(&s->key, deadline);
    if (id < 0 && errno == EAGAIN)
        return busy(s, id);
    if (id < 0)
        return failed(s, s->create ? "create" : "find");
    if (sem_change_each(id, &s->nums, s->nums.count ? &counting : binary, s->nums.count || s->zero ? 1 : 2,
            flags, deadline) == 0)
        return EXIT_DONE;
    return errno == EAGAIN ? busy(s, id) : failed(s, "take");
}

static int hold(struct semaphore *s)
{
    if (s->pid)
        return holder_start(&s->watch, s->msg, -1);
    if (!s->job.n)
        return EXIT_DONE;
    const struct prog *p = s->job.progs;
    spawn_become(p->path, p->argv, environ);
    return msg_fatal(s->msg, find_exit_status(errno), "exec", *p->argv, errno);
}

/* Never with SEM_UNDO, which would take it back when we exit. */
static int give(struct semaphore *s)
{
    const short change = s->nums.count ? s->nums.amount : -1;
    int id = sem_find(&s->key, CLOCK_NEVER);
    if (id < 0)
        return failed(s, "find");
    if (sem_change_each(id, &s->nums, &change, 1, IPC_NOWAIT, 0) == 0)
        return EXIT_DONE;
    if (errno != EAGAIN)
        return failed(s, "give");
    msg_error_why(s->msg, "give", s->word, "it is not taken");
    return EXIT_NO;
}

static int create(struct semaphore *s)
{
    int id = sem_make(&s->key, &s->making, CLOCK_NEVER);
    return id >= 0 ? sysv_made(s->msg, SYSV_SEM, &s->key, id) : failed(s, "create");
}

/* The set and its state; the identifier, or -1. */
static int look(const struct semaphore *s, struct semid_ds *state)
{
    int id = sysv_get(SYSV_SEM, &s->key, 0, 0);
    return id >= 0 && semctl(id, 0, IPC_STAT, (union semun){.buf = state}) == 0 ? id : -1;
}

/* One value of a semaphore by semctl(2). *err is the first errno, if the set has been removed meanwhile. */
static unsigned long long ask(int id, size_t num, int what, int *err)
{
    int value = semctl(id, (int)num, what);
    if (value < 0 && !*err)
        *err = errno;
    return value < 0 ? 0 : (unsigned)value;
}

static int stat_set(struct semaphore *s, bool json)
{
    struct semid_ds state = {0};
    struct sysv_report r;
    int err = 0, id = look(s, &state);
    if (id < 0)
        return failed(s, "stat");
    sysv_report_begin(&r, json, id, &state.sem_perm);
    sysv_report_time(&r, "last_operation", state.sem_otime);
    sysv_report_time(&r, "last_change", state.sem_ctime);
    sysv_report_list(&r, "semaphores");
    for (size_t i = 0; i < state.sem_nsems && !err; i++) {
        sysv_report_item(&r, "num", i);
        sysv_report_num(&r, "value", ask(id, i, GETVAL, &err));
        sysv_report_num(&r, "waiting_for_more", ask(id, i, GETNCNT, &err));
        sysv_report_num(&r, "waiting_for_zero", ask(id, i, GETZCNT, &err));
        sysv_report_num(&r, "last_pid", ask(id, i, GETPID, &err));
    }
    sysv_report_list_end(&r);
    if (err)
        return sysv_failed(s->msg, SYSV_SEM, "stat", &s->key, err);
    return sysv_report_end(&r, s->msg);
}

static int set(struct semaphore *s, const struct semaphore_setting *list, size_t n)
{
    int id = sem_find(&s->key, CLOCK_NEVER);
    for (size_t i = 0; id >= 0 && i < n; i++)
        if (semctl(id, list[i].num, SETVAL, (union semun){.val = list[i].value}) < 0)
            id = -1;
    if (id < 0)
        return failed(s, "set");
    sem_mark(id);
    return EXIT_DONE;
}

/* Whether that process is blocked in a semop(2) on the set, as far as /proc/PID/syscall may be read. */
static bool waits_for(pid_t pid, int id)
{
    char path[64], text[256];
    struct buf name = BUF(path);
    buf_fmt(&name, "/proc/%ld/syscall", (long)pid);
    int fd = open(buf_str(&name), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : fd_read(fd, text, sizeof text - 1);
    fd_close(&fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    uint64_t number;
    char first[32];
    struct buf argument = BUF(first);
    size_t digits = strspn(text, "0123456789");
    buf_fmt(&argument, " 0x%x ", (unsigned)id);
    if (!num_u64n(text, digits, 0, UINT64_MAX, &number) ||
        strncmp(text + digits, buf_str(&argument), argument.len) != 0)
        return false;
    static const unsigned calls[] = {
#ifdef SYS_semop
        SYS_semop,
#endif
#ifdef SYS_semtimedop
        SYS_semtimedop,
#endif
#ifdef SYS_semtimedop_time64
        SYS_semtimedop_time64,
#endif
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (number == calls[i])
            return true;
    return false;
}

/* Reports how many processes wait for the set that is about to be removed, and the pids that we may see. */
static void say_waiters(const struct semaphore *s, int id, const struct semid_ds *state)
{
    struct procs all;
    char mem[1024];
    struct buf why = BUF(mem);
    unsigned long long waiting = 0;
    int err = 0;
    for (size_t i = 0; i < state->sem_nsems; i++)
        waiting += ask(id, i, GETNCNT, &err) + ask(id, i, GETZCNT, &err);
    if (!waiting)
        return;
    buf_fmt(&why, "%llu process%s still waiting", waiting, waiting == 1 ? "" : "es");
    if (procs_list(&all) == 0) {
        const char *between = ": pid";
        for (size_t i = 0; i < all.n; i++) {
            if (!waits_for(all.list[i].pid, id))
                continue;
            if (why.size - why.len < 32) {
                buf_text(&why, ", ...");
                break;
            }
            buf_fmt(&why, "%s %ld", between, (long)all.list[i].pid);
            between = ",";
        }
        procs_free(&all);
    }
    msg_error_why(s->msg, "remove", s->word, buf_str(&why));
}

static int rm(struct semaphore *s)
{
    struct semid_ds state = {0};
    int id = sysv_get(SYSV_SEM, &s->key, 0, 0);
    if (id < 0)
        return failed(s, "remove");
    if (semctl(id, 0, IPC_STAT, (union semun){.buf = &state}) == 0)
        say_waiters(s, id, &state);
    return semctl(id, 0, IPC_RMID) == 0 ? EXIT_DONE : failed(s, "remove");
}

const struct semaphore_kind semaphore_sysv = {
    .take = take,
    .hold = hold,
    .give = give,
    .create = create,
    .stat = stat_set,
    .set = set,
    .rm = rm,
};
