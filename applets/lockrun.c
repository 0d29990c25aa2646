/*
 * lockrun - runs PROG while it holds a lock, or one of N.
 *
 * The kernel releases the lock the moment lockrun exits, however it exits, and kills PROG with it: so PROG
 * runs exactly as long as the lock is held.
 */
#include "cli/applet.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/job.h"
#include "process/holder.h"
#include "process/lock.h"
#include "base/num.h"
#include "process/procs.h"
#include "process/reap.h"
#include "process/sigs.h"
#include "process/worker.h"

#define LOCKRUN_OPTIONS(X)                                                                 \
    JOB_ONE_OPTIONS(X)                                                                     \
    CONFLICT_OPTIONS(X)                                                                    \
    X(SHARED, 's', "shared", NULL, "take a shared lock")                                   \
    X(NOW, 'n', "nonblock", NULL, "do not wait; exit 1 if the lock is taken")              \
    X(TIMEOUT, 't', "timeout", "TIME", "wait at most TIME, then exit 124; 0: same as -n")  \
    X(FCNTL, 0, "fcntl", NULL, "use fcntl(2) locks instead of flock(2)")                   \
    X(SLOTS, 0, "slots", "N", "take one of N locks, so that N programs may run at a time") \
    X(FOR, 0, "for", "PID", "return once FILE is locked; release it when PID exits")       \
    X(FD, 0, "fd", "FD", "lock the file that FD is open on, and return")                   \
    X(WHO, 0, "who", NULL, "print the PID and name of each holder; exit 1 if there is none")

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
    int fd;             /* --fd, -1: none */
    int conflict;       /* exit status when the lock is taken */
    pid_t pid;          /* --for */
    struct watch watch; /* that very process */
};

/* ---- slots ---- */

/*
 * Slot i is byte i of FILE under a lock of fcntl(2). Who finds all taken waits in a queue, which is one more
 * lock; its head waits for all slots at once, in a child each, as a call can wait for one only. A child locks
 * a description that it shares with us, so what it gets is ours.
 */
struct slot {
    struct lock_kind kind;
    int fd;
    pid_t waiter;
};

static const off_t queue_byte = (off_t)1 << 40;

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
            if (WIFSIGNALED(status) && (s->waiter = worker_start(wait_for_slot, s, true)) > 0)
                continue; /* somebody has killed it: another waits in its place */
            errno = EIO;
            int got = status == 0 ? s->fd : -1;
            s->fd = got >= 0 ? -1 : s->fd;
            return got;
        }
        errno = ETIMEDOUT;
        if (!clock_left(l->deadline))
            return -1;
        sigs_sleep(NULL, 0, clock_left(l->deadline));
    }
    errno = EINTR;
    return -1;
}

static int wait_for_slots(const struct lockrun *l, struct slot *slots)
{
    int got = -1;
    unsigned started = 0;
    while (started < l->slots) {
        slots[started].waiter = worker_start(wait_for_slot, &slots[started], true);
        if (slots[started].waiter < 0)
            break;
        started++;
    }
    int err = errno;
    if (started == l->slots) {
        got = wait_for_first(l, slots);
        err = errno;
    }
    for (unsigned i = 0; i < started; i++) {
        if (slots[i].waiter <= 0)
            continue;
        kill(slots[i].waiter, SIGKILL);
        reap_wait(slots[i].waiter);
    }
    errno = err;
    return got;
}

/* A slot's fd, or -1 with errno as lock_path. */
static int take_slot(const struct lockrun *l)
{
    struct slot slots[SLOTS_MAX];
    const struct lock_kind queue_kind = {.fcntl = true, .start = queue_byte, .len = 1};
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

/* ---- who ---- */

/* Who is in the queue for a slot has none. */
static bool is_queue(const char *line)
{
    char mem[64];
    struct buf byte = BUF(mem);
    buf_fmt(&byte, " %lld %lld", (long long)queue_byte, (long long)queue_byte);
    return strstr(line, buf_str(&byte)) != NULL;
}

/* Reads a small file of /proc; how many bytes, -1 if it can't be. */
static ssize_t read_proc(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : fd_read(fd, text, size - 1);
    fd_close(&fd);
    text[n > 0 ? n : 0] = '\0';
    return n;
}

/* Whether a line of /proc/PID/fdinfo/FD is of a lock that is held on the file with that identity. */
static bool is_lock_on(const char *line, const char *id)
{
    return strstr(line, id) && !strstr(line, "->") && !strstr(line, "LEASE") && !is_queue(line);
}

/* The number behind NAME: in the text of a fdinfo. False: there is none. */
static bool info_number(const char *text, const char *name, uint64_t *out)
{
    const char *at = strstr(text, name);
    if (!at)
        return false;
    at += strlen(name);
    at += strspn(at, " \t");
    return num_u64n(at, strspn(at, "0123456789"), 0, UINT64_MAX, out);
}

/* The number that begins at *at, which goes behind the byte after it. */
static bool take_number(const char **at, uint64_t *out)
{
    size_t n = strspn(*at, "0123456789");
    bool is_number = num_u64n(*at, n, 0, UINT64_MAX, out);
    *at += n + ((*at)[n] != '\0');
    return is_number;
}

/* The device of that mount: "ID PARENT MAJOR:MINOR ..." in /proc/self/mountinfo (proc(5)). False: not found.
 */
static bool find_device(uint64_t mount, unsigned *maj, unsigned *min)
{
    char line[4096];
    uint64_t id, parent, major_number, minor_number;
    bool found = false;
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts && !found && fgets(line, sizeof line, mounts)) {
        const char *at = line;
        found = take_number(&at, &id) && take_number(&at, &parent) && take_number(&at, &major_number) &&
                take_number(&at, &minor_number) && id == mount;
        if (!found)
            continue;
        *maj = (unsigned)major_number;
        *min = (unsigned)minor_number;
    }
    if (mounts)
        fclose(mounts);
    return found;
}

/*
 * " MAJOR:MINOR:INODE " as the kernel's lists of locks name the file. stat(2) of some file systems (btrfs,
 * overlayfs) has other numbers: so those of our own descriptor come first, where the kernel tells them
 * (5.14).
 */
static int identify(const char *path, struct buf *id)
{
    char mem[64], text[1024];
    struct buf info = BUF(mem);
    struct stat st;
    uint64_t mount, inode;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        fd_close(&fd);
        return -1;
    }
    unsigned maj = major(st.st_dev), min = minor(st.st_dev);
    buf_fmt(&info, "/proc/self/fdinfo/%d", fd);
    if (read_proc(buf_str(&info), text, sizeof text) <= 0 || !info_number(text, "mnt_id:", &mount) ||
        !info_number(text, "ino:", &inode) || !find_device(mount, &maj, &min)) {
        maj = major(st.st_dev);
        min = minor(st.st_dev);
        inode = st.st_ino;
    }
    buf_fmt(id, " %02x:%02x:%llu ", maj, min, (unsigned long long)inode);
    buf_str(id);
    fd_close(&fd);
    return 0;
}

/* Whether one of that process's fds holds a lock on the file. */
static bool holds(pid_t pid, const char *id)
{
    char mem[300], text[4096];
    struct buf dir = BUF(mem);
    bool found = false;
    buf_fmt(&dir, "/proc/%ld/fdinfo", (long)pid);
    DIR *fds = opendir(buf_str(&dir));
    struct dirent *entry;
    size_t dir_len = dir.len;
    while (fds && !found && (entry = readdir(fds))) {
        dir.len = dir_len;
        buf_fmt(&dir, "/%s", entry->d_name);
        char *rest = text, *line;
        if (*entry->d_name == '.' || read_proc(buf_str(&dir), text, sizeof text) <= 0)
            continue;
        while ((line = strtok_r(rest, "\n", &rest)))
            found = found || (strncmp(line, "lock:", 5) == 0 && is_lock_on(line, id));
    }
    if (fds)
        closedir(fds);
    return found;
}

/* A line a process that holds a lock: "PID NAME". */
static int print_who(const struct lockrun *l)
{
    char mem[8192], name_path[64], name[64], id_text[64];
    int status = EXIT_NO;
    struct buf out = BUF(mem), id = BUF(id_text);
    struct procs all;
    if (identify(l->path, &id) < 0)
        return errno == ENOENT ? EXIT_NO : msg_fatal(l->msg, EXIT_SYSTEM, "open", l->path, errno);
    if (procs_list(&all) < 0)
        msg_die_sys(l->msg, "look at", "/proc");
    for (size_t i = 0; i < all.n && status != EXIT_SYSTEM; i++) {
        struct buf b = BUF(name_path);
        if (all.list[i].pid == getpid() || !holds(all.list[i].pid, id_text))
            continue;
        buf_fmt(&b, "/proc/%ld/comm", (long)all.list[i].pid);
        ssize_t n = read_proc(buf_str(&b), name, sizeof name);
        buf_fmt(&out, "%ld ", (long)all.list[i].pid);
        buf_escaped(&out, name, n > 0 ? (size_t)n - 1 : 0);
        buf_char(&out, '\n');
        status = opts_print_part(l->msg, &out);
    }
    procs_free(&all);
    return status == EXIT_DONE ? opts_print(l->msg, &out) : status;
}

/* ---- running ---- */

static int fail(const struct lockrun *l)
{
    int err = errno;
    if (err == EINTR && sigs_ending_came())
        sigs_die(sigs_take_ending(NULL));
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

static int run(struct lockrun *l)
{
    struct job *j = &l->job;
    struct spawn spawn = {.signals = SIGS_INHERITED, .death_signal = SIGKILL};
    if (l->pid)
        holder_watch(&l->watch, l->msg, l->pid);
    job_begin(j, false);
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
    }
}

static const struct cli cli = {
    .name = "lockrun",
    .summary = "run a program under a lock, or one of several",
    .usage = "[OPTION]... FILE PROG [ARG]...\n"
             "[OPTION]... --for PID FILE\n"
             "[OPTION]... --fd FD\n"
             "--who FILE",
    .notes = "FILE is created if it does not exist, and is not removed. If lockrun is killed, so is PROG.",
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
    if (l->fd < 0)
        l->path = *argv++;
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
    if (l.who)
        return print_who(&l);
    if (*argv)
        job_single(&l.job, argv);
    int failed = job_find(&l.job);
    return failed ? failed : run(&l);
}

const struct applet applet_lockrun = {.cli = &cli, .theme = THEME_SIGNALS, .main = lockrun_main};
