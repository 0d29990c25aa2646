/*
 * census.c - see census.h.
 *
 * Executables are read by a worker: one may be on a file system that does not answer, and then it is the
 * worker that hangs, in an open(2) that no signal ends. We wait a second, go on without it, and count what
 * has the same path as hung, too.
 */
#include "status/census.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/table.h"
#include "process/reap.h"
#include "process/sigs.h"
#include "process/worker.h"

enum { DESCRIPTORS = 4 };
enum { PATIENCE_MS = 1000, IMPATIENCE_MS = 100 }; /* the latter once one has hung */

static const char deleted[] = " (deleted)";

static struct buf path_of(pid_t pid, const char *name, char *mem, size_t size)
{
    struct buf path = {.mem = mem, .size = size};
    buf_text(&path, "/proc/");
    buf_num(&path, (unsigned long long)pid);
    buf_char(&path, '/');
    buf_text(&path, name);
    buf_str(&path);
    return path;
}

ssize_t census_read(pid_t pid, const char *name, char *text, size_t size)
{
    char mem[64];
    struct buf path = path_of(pid, name, mem, sizeof mem);
    size_t len = 0;
    int fd = open(path.mem, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : 0;
    while (fd >= 0 && len < size - 1 && (n = fd_read(fd, text + len, size - 1 - len)) > 0)
        len += (size_t)n;
    fd_close(&fd);
    text[len] = '\0';
    return n < 0 ? -1 : (ssize_t)len;
}

/* ---- the worker ---- */

enum verdict { NOT_READ, NOT_OURS, OURS, UNSEEN, HUNG };

/* What it shares with us. */
struct readings {
    const struct procs *all;
    _Atomic size_t at; /* the process that it looks at, or all of them: it is done */
    struct reading {
        enum verdict verdict;
        char version[MARK_VERSION_SIZE];
    } of[];
};

/* A file that has been read. */
struct file {
    struct {
        dev_t device;
        ino_t inode;
        struct timespec changed;
    } key;
    struct reading reading;
};

/* One that has gone, or never had one, is not ours; of all others we can't tell. */
static enum verdict verdict_of(int err)
{
    return err == ENOENT || err == ESRCH ? NOT_OURS : UNSEEN;
}

/* The executable is opened through /proc, so it is the one that runs, also where its path names another. */
static void read_mark(const char *path, struct reading *reading)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        reading->verdict = verdict_of(errno);
    else
        reading->verdict = mark_read(fd, reading->version) ? OURS : errno ? UNSEEN : NOT_OURS;
    fd_close(&fd);
}

static void look(struct table *files, pid_t pid, struct reading *reading)
{
    char mem[64];
    struct stat st;
    struct file key;
    struct buf path = path_of(pid, "exe", mem, sizeof mem);
    errno = ENOENT; /* what is no regular file is not ours */
    if (stat(path.mem, &st) < 0 || !S_ISREG(st.st_mode)) {
        reading->verdict = verdict_of(errno);
        return;
    }
    memset(&key, 0, sizeof key);
    key.key.device = st.st_dev;
    key.key.inode = st.st_ino;
    key.key.changed = st.st_ctim;
    struct file *file = table_add(files, &key.key);
    if (!file || file->reading.verdict == NOT_READ)
        read_mark(path.mem, file ? &file->reading : reading);
    if (file)
        *reading = file->reading;
}

static int read_all(void *arg)
{
    struct readings *r = arg;
    struct table files = {.entry_size = sizeof(struct file), .key_size = sizeof((struct file *)0)->key};
    for (size_t i = r->at; i < r->all->n; r->at = ++i) {
        const struct process *p = &r->all->list[i];
        if (r->of[i].verdict == NOT_READ && !p->is_kernel && procs_is_alive(p))
            look(&files, p->pid, &r->of[i]);
    }
    return EXIT_SUCCESS;
}

/* 1 once it is done, or has died; 0: it hangs; -1 with errno. */
static int wait_for_worker(const struct readings *r, int end, int patience)
{
    size_t at;
    do {
        at = r->at;
        if (sigs_wait(end, POLLIN, clock_in(patience * CLOCK_MS)) == 0)
            return 1;
        if (errno != ETIMEDOUT)
            return -1;
    } while (r->at != at);
    return 0;
}

/* The path of an executable; reads a link, and nothing of what is behind it. Its length, or -1. */
static ssize_t exe_path(pid_t pid, char path[static PATH_MAX])
{
    char mem[64];
    struct buf link = path_of(pid, "exe", mem, sizeof mem);
    ssize_t n = readlink(link.mem, path, PATH_MAX - 1);
    path[n > 0 ? n : 0] = '\0';
    return n;
}

/* The process that it was looking at, and all that run the same. */
static void give_up_on(struct readings *r, size_t i, enum verdict verdict)
{
    char path[PATH_MAX], other[PATH_MAX];
    bool named = exe_path(r->all->list[i].pid, path) > 0;
    r->of[i].verdict = verdict;
    while (named && ++i < r->all->n)
        if (exe_path(r->all->list[i].pid, other) > 0 && strcmp(path, other) == 0)
            r->of[i].verdict = verdict;
}

/* 0, or -1 with errno. */
static int run_workers(struct readings *r)
{
    int patience = PATIENCE_MS;
    while (r->at < r->all->n && !sigs_ending_came()) {
        int fds[2];
        if (pipe2(fds, O_CLOEXEC) < 0)
            return -1;
        pid_t pid = worker_start(read_all, r, true);
        fd_close(&fds[1]);
        if (pid < 0) {
            fd_close(&fds[0]);
            return -1;
        }
        int ended = wait_for_worker(r, fds[0], patience), err = errno;
        fd_close(&fds[0]);
        kill(pid, SIGKILL);
        if (ended != 0)
            reap_wait(pid);
        errno = err;
        if (ended < 0)
            return -1;
        if (r->at >= r->all->n)
            return 0;
        patience = IMPATIENCE_MS;
        give_up_on(r, r->at, HUNG);
        r->at++;
    }
    return 0;
}

/* ---- ours ---- */

/* "Uid:\tREAL\tEFFECTIVE..." of /proc/PID/status. 0, or -1 with errno. */
static int take_uid(struct found *f)
{
    char text[4096];
    uint64_t uid = 0;
    if (census_read(f->process.pid, "status", text, sizeof text) < 0)
        return -1;
    const char *line = strstr(text, "\nUid:\t");
    line = line ? strchr(line + 6, '\t') : NULL;
    if (line)
        num_u64n(line + 1, strspn(line + 1, "0123456789"), 0, UINT32_MAX, &uid);
    f->uid = (uid_t)uid;
    return 0;
}

/* All that is to be known of it. False with errno: procs_is_out_of_reach when it has gone meanwhile. */
static bool describe(struct found *f)
{
    char path[PATH_MAX], argv[CENSUS_ARGV_SIZE + 2];
    struct process now;
    ssize_t n = exe_path(f->process.pid, path);
    ssize_t argv_n = n < 0 ? -1 : census_read(f->process.pid, "cmdline", argv, sizeof argv);
    if (argv_n < 0 || take_uid(f) < 0 || !procs_look(f->process.pid, &now))
        return false;
    errno = ESRCH;
    if (now.start != f->process.start)
        return false;
    size_t tail = sizeof deleted - 1;
    f->is_deleted = (size_t)n > tail && strcmp(path + n - tail, deleted) == 0;
    if (f->is_deleted)
        path[(size_t)n - tail] = '\0';
    f->is_cut = argv_n > CENSUS_ARGV_SIZE;
    f->argv_len = f->is_cut ? CENSUS_ARGV_SIZE : (size_t)argv_n;
    f->argv = calloc(1, f->argv_len + 2);
    f->exe = strdup(path);
    if (f->argv)
        memcpy(f->argv, argv, f->argv_len);
    return f->argv && f->exe;
}

static void forget(struct found *f)
{
    free(f->argv);
    free(f->listens);
    free(f->exe);
}

/* Whether it has the arguments and the executable of its parent: then it has not executed anything. */
static bool is_copy(const struct census *c, const struct found *f)
{
    const struct found *parent = census_find(c, f->process.parent);
    return parent && parent->argv_len == f->argv_len && strcmp(parent->exe, f->exe) == 0 &&
           memcmp(parent->argv, f->argv, f->argv_len) == 0;
}

static int collect(struct census *c, const struct readings *r)
{
    c->list = calloc(c->all.n + 1, sizeof *c->list);
    if (!c->list)
        return -1;
    for (size_t i = 0; i < c->all.n; i++) {
        const struct process *p = &c->all.list[i];
        struct found *f = &c->list[c->n];
        c->unseen += r->of[i].verdict == UNSEEN;
        c->hung += r->of[i].verdict == HUNG;
        if (r->of[i].verdict != OURS || p->pid == getpid() || p->parent == getpid())
            continue;
        *f = (struct found){.process = *p};
        memcpy(f->version, r->of[i].version, sizeof f->version);
        if (describe(f)) {
            c->n++;
            continue;
        }
        int err = errno;
        forget(f);
        errno = err;
        if (!procs_is_out_of_reach(err))
            return -1;
    }
    for (size_t i = 0; i < c->n; i++)
        c->list[i].is_worker = is_copy(c, &c->list[i]);
    return 0;
}

/* With fewer than we and others have open at a time, what can't be opened would look as if it were not there.
 */
static int need_descriptors(void)
{
    int fds[DESCRIPTORS], err, n = 0;
    while (n < DESCRIPTORS && (fds[n] = open("/", O_PATH | O_CLOEXEC)) >= 0)
        n++;
    err = errno;
    int done = n == DESCRIPTORS ? 0 : -1;
    while (n)
        fd_close(&fds[--n]);
    errno = err;
    return done;
}

int census_take(struct census *c)
{
    struct process init;
    *c = (struct census){.n = 0};
    if (need_descriptors() < 0 || procs_list(&c->all) < 0)
        return -1;
    c->is_hidden = !procs_look(1, &init);
    size_t size = sizeof(struct readings) + c->all.n * sizeof(struct reading);
    struct readings *r = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int done = -1;
    if (r != MAP_FAILED) {
        r->all = &c->all;
        done = run_workers(r) < 0 ? -1 : collect(c, r);
        munmap(r, size);
    }
    if (done < 0)
        census_free(c);
    return done;
}

void census_free(struct census *c)
{
    int err = errno;
    for (size_t i = 0; i < c->n; i++)
        forget(&c->list[i]);
    free(c->list);
    procs_free(&c->all);
    *c = (struct census){.n = 0};
    errno = err;
}

/* A pid, and what begins with the process of one. */
static int by_pid(const void *key, const void *entry)
{
    const pid_t pid = *(const pid_t *)key, other = ((const struct process *)entry)->pid;
    return (pid > other) - (pid < other);
}

struct found *census_find(const struct census *c, pid_t pid)
{
    return bsearch(&pid, c->list, c->n, sizeof *c->list, by_pid);
}

struct found *census_above(const struct census *c, const struct process *p)
{
    enum { DEPTH = 256 }; /* parents that change while they are listed may form a circle */
    for (int i = 0; p && i < DEPTH; i++) {
        struct found *f = census_find(c, p->parent);
        if (f && !f->is_worker)
            return f;
        p = bsearch(&p->parent, c->all.list, c->all.n, sizeof *p, by_pid);
    }
    return NULL;
}
