/*
 * lockrun - runs PROG while it holds a lock, or one of N.
 *
 * The kernel releases the lock the moment lockrun exits, however it exits, and kills PROG with it: so PROG
 * runs exactly as long as the lock is held.
 */
#include "cli/applet.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/job.h"
#include "process/holder.h"
#include "process/lock.h"
#include "process/lock_holders.h"
#include "process/reap.h"
#include "process/sigs.h"
#include "redis/key.h"
#include "redis/lease.h"
#include "process/worker.h"

#define LOCKRUN_OPTIONS(X)                                                                   \
    JOB_ONE_OPTIONS(X)                                                                       \
    CONFLICT_OPTIONS(X)                                                                      \
    X(SHARED, 's', "shared", NULL, "take a shared lock")                                     \
    X(NOW, 'n', "nonblock", NULL, "do not wait; exit 1 if the lock is taken")                \
    X(TIMEOUT, 't', "timeout", "TIME", "wait at most TIME, then exit 124; 0: same as -n")    \
    X(FCNTL, 0, "fcntl", NULL, "use fcntl(2) locks instead of flock(2)")                     \
    X(SLOTS, 0, "slots", "N", "take one of N locks, so that N programs may run at a time")   \
    X(FOR, 0, "for", "PID", "return once FILE is locked; release it when PID exits")         \
    X(FD, 0, "fd", "FD", "lock the file that FD is open on, and return")                     \
    X(WHO, 0, "who", NULL, "print the PID and name of each holder; exit 1 if there is none") \
    LEASE_OPTIONS(X)

enum lockrun_option { LOCKRUN_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {LOCKRUN_OPTIONS(OPT_ROW)};

enum { SLOTS_MAX = 256 };

struct lockrun {
    struct msg *msg;
    struct job job;
    const char *path;
    struct lock_kind kind;
    bool try_once, has_timeout, who;
    int64_t timeout, deadline;
    unsigned slots;
    int fd;                 /* --fd, -1: none */
    int conflict;           /* exit status when the lock is taken */
    pid_t pid;              /* --for */
    struct watch watch;     /* that very process */
    struct lease_wish wish; /* of redis:NAME */
    struct lease lease;
};

/* ---- slots ---- */

/*
 * Slot i is byte i of FILE under a lock of fcntl(2). A process that finds all taken waits in a queue, which
 * is one more lock; its head waits for all slots at once, in a child each, as a call can wait for one only. A
 * child locks a description that it shares with us, so what it gets is ours.
 */
struct slot {
    struct lock_kind kind;
    int fd;
    pid_t waiter;
};

static int wait_for_slot(void *arg)
{
    const struct slot *s = arg;
    return lock_wait(s->fd, &s->kind) < 0;
}

static void close_slots(struct slot *slots, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        fd_close(&slots[i].fd);
}

/* Opens each slot and tries it. The fd of one that was free, or -1 with errno: EWOULDBLOCK, all taken. */
static int try_slots(const struct lockrun *l, struct slot *slots)
{
    unsigned first = (unsigned)getpid() % l->slots;
    for (unsigned n = 0; n < l->slots; n++) {
        struct slot *s = &slots[(first + n) % l->slots];
        s->kind = (struct lock_kind){.fcntl = true, .start = (off_t)(s - slots), .len = 1};
        s->fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666);
        if (s->fd < 0)
            return -1;
        if (lock_fd(s->fd, &s->kind, 0) == 0) {
            int got = s->fd;
            s->fd = -1;
            return got;
        }
        if (errno != EWOULDBLOCK)
            return -1;
    }
    errno = EWOULDBLOCK;
    return -1;
}

static struct slot *find_waiter(const struct lockrun *l, struct slot *slots, pid_t pid)
{
    for (unsigned i = 0; i < l->slots; i++)
        if (slots[i].waiter == pid)
            return &slots[i];
    return NULL;
}

/* Waits for the first waiter's end. Its slot's fd, or -1 with errno. */
static int wait_for_first(const struct lockrun *l, struct slot *slots)
{
    int status;
    pid_t pid;
    while (!sigs_ending_came()) {
        sigs_take(SIGCHLD);
        while ((pid = reap_next(&status, false)) > 0) {
            struct slot *s = find_waiter(l, slots, pid);
            if (!s)
                continue;
            s->waiter = 0;
            if (WIFSIGNALED(status)) { /* somebody has killed it: another waits in its place */
                s->waiter = worker_start(wait_for_slot, s, true);
                if (s->waiter < 0)
                    return -1;
                continue;
            }
            errno = EIO;
            int got = status == 0 ? s->fd : -1;
            s->fd = got >= 0 ? -1 : s->fd;
            return got;
        }
        errno = ETIMEDOUT;
        if (!clock_left(l->deadline))
            return -1;
        struct pollfd end = watch_poll(&l->watch);
        errno = ESRCH;
        if (l->pid && watch_is_over(&l->watch))
            return -1;
        sigs_sleep_or_pause(&end, l->pid != 0,
            l->pid ? clock_first(clock_left(l->deadline), watch_pause(&l->watch)) : clock_left(l->deadline));
    }
    errno = EINTR;
    return -1;
}

static int wait_for_slots(const struct lockrun *l, struct slot *slots)
{
    int got = -1;
    unsigned started = 0;
    while (started < l->slots &&
           (slots[started].waiter = worker_start(wait_for_slot, &slots[started], true)) > 0)
        started++;
    if (started == l->slots)
        got = wait_for_first(l, slots);
    int err = errno;
    bool missing = false; /* one could not be started */
    for (unsigned i = 0; i < l->slots; i++) {
        missing |= slots[i].waiter < 0;
        if (slots[i].waiter <= 0)
            continue;
        kill(slots[i].waiter, SIGKILL);
        reap_wait(slots[i].waiter);
    }
    errno = err;
    if (missing)
        msg_die_sys(l->msg, "fork", NULL);
    return got;
}

/* A slot's fd, or -1 with errno as lock_path. */
static int take_slot(const struct lockrun *l)
{
    struct slot slots[SLOTS_MAX];
    const struct lock_kind queue_kind = {
        .fcntl = true, .start = LOCK_QUEUE_BYTE, .len = 1, .watch = l->kind.watch};
    for (;;) {
        for (unsigned i = 0; i < l->slots; i++)
            slots[i] = (struct slot){.fd = -1};
        int queue = clock_left(l->deadline) ? lock_path(l->path, &queue_kind, l->deadline) : -1;
        if (queue < 0 && clock_left(l->deadline))
            return -1;
        int got = try_slots(l, slots);
        if (got < 0 && errno == EWOULDBLOCK && clock_left(l->deadline))
            got = wait_for_slots(l, slots);
        int err = got < 0 && errno == EWOULDBLOCK && !l->try_once ? ETIMEDOUT : errno;
        close_slots(slots, l->slots);
        fd_close(&queue);
        errno = err;
        if (got < 0 || lock_is_at(got, l->path))
            return got;
        fd_close(&got);
    }
}

/* ---- running ---- */

static int fail(const struct lockrun *l)
{
    int err = errno;
    if (err == EINTR && sigs_ending_came())
        sigs_die(sigs_take_ending(NULL));
    if (err == ESRCH)
        return msg_fatal_why(l->msg, EXIT_SYSTEM, "lock", l->path, "the process of --for has exited");
    if (err == EBADF && l->fd >= 0 && l->kind.fcntl && fcntl(l->fd, F_GETFL) >= 0)
        return msg_fatal_why(l->msg, EXIT_SYSTEM, "lock", l->path,
            l->kind.shared ? "--fcntl --shared needs a descriptor that is open for reading"
                           : "--fcntl needs a descriptor that is open for writing");
    if (err == EWOULDBLOCK)
        msg_error_why(l->msg, "lock", l->path, "it is taken");
    else if (err == ETIMEDOUT)
        msg_error_why(l->msg, "lock", l->path, "the deadline passed");
    else
        return msg_fatal_file(l->msg, "lock", l->path, err);
    return err == EWOULDBLOCK ? l->conflict : EXIT_DEADLINE;
}

/* The fd of what is locked, or -1 with errno as lock_path. */
static int take_lock(const struct lockrun *l)
{
    if (l->fd >= 0)
        return lock_fd(l->fd, &l->kind, l->deadline) < 0 ? -1 : l->fd;
    return l->slots ? take_slot(l) : lock_path(l->path, &l->kind, l->deadline);
}

/* The lock is a lease on a server. */
static int run_leased(struct lockrun *l)
{
    struct lease *lease = &l->lease;
    struct spawn spawn = {.signals = SIGS_INHERITED};
    sigs_heed_term(); /* while we only wait */
    lease->msg = l->msg;
    lease->word = l->path;
    lease->what = l->job.n ? *l->job.progs->argv : NULL;
    lease->pid = l->pid ? l->pid : getpid();
    lease->shared = l->kind.shared;
    lease->slots = l->slots ? l->slots : 1;
    lease->length = l->wish.length;
    redis_server_find(&l->wish.server, l->msg);
    if (l->pid)
        holder_watch(&l->watch, l->msg, l->pid);
    if (!l->who)
        job_begin(&l->job, false);
    lease_init(lease, &l->wish.server);
    if (l->who)
        return lease_print_holders(lease);
    int status = lease_take(lease, l->try_once ? 0 : l->has_timeout ? clock_in(l->timeout) : CLOCK_NEVER);
    if (status != EXIT_DONE)
        return status == EXIT_NO ? l->conflict : status;
    return l->pid ? lease_hold_for(lease, &l->watch, l->wish.lost_signal)
                  : lease_hold(lease, &l->job, &spawn);
}

static int run(struct lockrun *l)
{
    struct job *j = &l->job;
    struct spawn spawn = {.signals = SIGS_INHERITED, .death_signal = SIGKILL};
    if (l->pid) {
        holder_watch(&l->watch, l->msg, l->pid);
        l->kind.watch = &l->watch;
    }
    job_begin(j, false);
    sigs_claim_term(); /* while we only wait; PROG ignores it as we would have done */
    l->deadline = l->try_once ? 0 : l->has_timeout ? clock_in(l->timeout) : CLOCK_NEVER;
    int fd = take_lock(l);
    if (fd < 0)
        return fail(l);
    if (l->pid)
        return holder_start(&l->watch, l->msg, fd);
    if (!j->n)
        return EXIT_DONE; /* the lock belongs to the description, which our caller has open */
    if (job_start(j, 0, &spawn) < 0)
        return job_start_failed(j, 0, "fork", errno);
    job_let_go(j, &fd, 1);
    while (j->running)
        job_sleep(j, NULL, 0, CLOCK_NEVER);
    fd_close(&fd);
    return job_end_alike(j, 0);
}

static void take_option(struct lockrun *l, int row, const struct opts *o)
{
    switch ((enum lockrun_option)row) {
        JOB_ONE_OPTIONS(OPT_CASE)
        job_option(&l->job, row, o);
        break;
    case OPT_CONFLICT:
        l->conflict = opts_status(o);
        break;
    case OPT_SHARED:
        l->kind.shared = true;
        break;
    case OPT_NOW:
        l->try_once = true;
        break;
    case OPT_TIMEOUT:
        l->has_timeout = true;
        l->timeout = opts_duration(o);
        l->try_once = !l->timeout;
        break;
    case OPT_FCNTL:
        l->kind.fcntl = true;
        break;
    case OPT_SLOTS:
        l->slots = (unsigned)opts_num(o, 1, SLOTS_MAX);
        break;
    case OPT_FOR:
        l->pid = (pid_t)opts_num(o, 1, INT32_MAX);
        break;
    case OPT_FD:
        l->fd = opts_fd(o, 0);
        l->path = o->arg;
        break;
    case OPT_WHO:
        l->who = true;
        break;
        LEASE_OPTIONS(OPT_CASE)
        lease_option(&l->wish, row - OPT_REDIS, o);
        break;
    }
}

static const struct cli cli = {
    .name = "lockrun",
    .summary = "run a program under a lock, or one of several",
    .usage = "[OPTION]... FILE PROG [ARG]...\n"
             "[OPTION]... --for PID FILE\n"
             "[OPTION]... --fd FD\n"
             "--who FILE",
    .notes = "FILE is created if it does not exist, and is not removed. If lockrun is killed, so is PROG. "
             "FILE can be redis:NAME, a lock on a Redis server, held as long as it is renewed.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

/* Usage errors, and FILE; what comes behind it. */
static char **take_file(struct lockrun *l, char **argv)
{
    const struct msg *m = l->msg;
    const bool alone = l->who || l->pid || l->fd >= 0;
    if (l->fd < 0 && (!*argv || !**argv))
        msg_usage(m, "missing FILE");
    if (l->fd < 0) {
        l->lease.name = redis_name(m, *argv);
        l->path = *argv++;
    }
    if (l->slots && l->kind.shared)
        msg_usage(m, "--slots and --shared cannot be combined");
    if (l->who + (l->pid > 0) + (l->fd >= 0) > 1)
        msg_usage(m, "--fd, --for and --who cannot be combined");
    if (l->fd >= 0 && l->slots)
        msg_usage(m, "--fd and --slots cannot be combined");
    if (alone && *argv)
        msg_usage(m, "unexpected operand '%s'", *argv);
    if (!alone && !*argv)
        msg_usage(m, "missing PROG");
    if (l->lease.name && l->kind.fcntl)
        msg_usage(m, "--fcntl is about files, not redis:NAME");
    lease_wish_check(&l->wish, m, l->lease.name, l->pid);
    if (alone && l->job.status_fd >= 0)
        msg_usage(m, "--status-fd requires PROG");
    return argv;
}

static int lockrun_main(struct msg *m, int argc, char **argv)
{
    struct lockrun l = {.msg = m, .fd = -1, .conflict = EXIT_NO, .watch.fd = -1};
    struct opts o;
    int row;
    job_init(&l.job, m);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&l, row, &o);
    argv = take_file(&l, argv + o.first);
    if (l.who && !l.lease.name)
        return lock_print_holders(m, l.path);
    if (*argv)
        job_single(&l.job, argv);
    int failed = job_find(&l.job);
    return failed ? failed : l.lease.name ? run_leased(&l) : run(&l);
}

const struct applet applet_lockrun = {.cli = &cli, .theme = THEME_SIGNALS, .main = lockrun_main};
