/*
 * procs.c - see procs.h.
 */
#include "process/procs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"

/* The number at *text, which is moved behind it. */
static bool take_number(const char **text, uint64_t *out)
{
    size_t n = strspn(*text, "0123456789");
    bool done = num_u64n(*text, n, 0, UINT64_MAX, out);
    *text += n + ((*text)[n] == ' ');
    return done;
}

static bool skip_fields(const char **text, int n)
{
    while (n--) {
        const char *blank = strchr(*text, ' ');
        if (!blank)
            return false;
        *text = blank + 1;
    }
    return true;
}

/*
 * "PID (NAME) STATE PPID PGRP SESSION TTY TPGID FLAGS(9) ... STARTTIME(22)": the name may hold anything. Of
 * one that is just being reaped, PGRP and SESSION are -1: ESRCH.
 */
static bool parse(const char *text, struct process *p)
{
    enum { OF_KERNEL = 0x00200000 }; /* PF_KTHREAD */
    uint64_t parent, group, session, flags;
    const char *at = strrchr(text, ')');
    if (!at || at[1] != ' ' || !at[2] || at[3] != ' ')
        return false;
    p->state = at[2];
    at += 4;
    if (!take_number(&at, &parent))
        return false;
    if (*at == '-')
        errno = ESRCH;
    if (!take_number(&at, &group) || !take_number(&at, &session) || !skip_fields(&at, 2) ||
        !take_number(&at, &flags) || !skip_fields(&at, 12) || !take_number(&at, &p->start))
        return false;
    p->is_kernel = flags & OF_KERNEL;
    p->parent = (pid_t)parent;
    p->group = (pid_t)group;
    p->session = (pid_t)session;
    return true;
}

bool procs_look(pid_t pid, struct process *p)
{
    char mem[64], text[1024];
    struct buf path = BUF(mem);
    buf_text(&path, "/proc/");
    buf_num(&path, (unsigned long long)pid);
    buf_text(&path, "/stat");
    int fd = open(buf_str(&path), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : fd_read(fd, text, sizeof text - 1);
    fd_close(&fd);
    if (n <= 0) {
        errno = n == 0 || errno == ENOENT ? ESRCH : errno;
        return false;
    }
    text[n] = '\0';
    *p = (struct process){.pid = pid};
    errno = EPROTO;
    return parse(text, p);
}

int procs_add(struct procs *all, const struct process *p)
{
    if (all->n == all->room) {
        size_t room = all->room ? all->room * 2 : 256;
        struct process *list = realloc(all->list, room * sizeof *list);
        if (!list)
            return -1;
        all->list = list;
        all->room = room;
    }
    all->list[all->n++] = *p;
    return 0;
}

static int by_pid(const void *a, const void *b)
{
    const struct process *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

bool procs_are_ours(void)
{
    char self[32], mem[32];
    struct buf own = BUF(mem);
    ssize_t n = readlink("/proc/self", self, sizeof self);
    if (n < 0)
        return false;
    buf_num(&own, (unsigned long long)getpid());
    errno = ENOSYS;
    return n == (ssize_t)own.len && memcmp(self, own.mem, own.len) == 0;
}

const char *procs_reason(int err)
{
    return err == ENOENT   ? "it is not mounted"
           : err == ENOSYS ? "it shows another PID namespace"
                           : strerror(err);
}

void procs_die(const struct msg *m)
{
    exit(msg_fatal_why(m, EXIT_SYSTEM, "look at", "/proc", procs_reason(errno)));
}

bool procs_is_out_of_reach(int err)
{
    return err == ENOENT || err == ESRCH || err == EACCES || err == EPERM || err == ENAMETOOLONG;
}

/* One of the list; one that is out of reach is not. */
static int list_one(struct procs *all, pid_t pid)
{
    struct process p;
    if (procs_look(pid, &p))
        return procs_add(all, &p);
    return procs_is_out_of_reach(errno) ? 0 : -1;
}

int procs_list(struct procs *all)
{
    struct dirent *entry;
    uint64_t pid;
    int done = 0;
    *all = (struct procs){0};
    DIR *proc = procs_are_ours() ? opendir("/proc") : NULL;
    if (!proc)
        return -1;
    while (done == 0 && (errno = 0, entry = readdir(proc)))
        if (num_u64(entry->d_name, 1, INT32_MAX, &pid))
            done = list_one(all, (pid_t)pid);
    done = errno && !entry ? -1 : done;
    int err = errno;
    closedir(proc);
    errno = err;
    if (done < 0)
        procs_free(all);
    else if (all->n)
        qsort(all->list, all->n, sizeof *all->list, by_pid);
    return done;
}

void procs_free(struct procs *all)
{
    free(all->list);
    *all = (struct procs){0};
}

/* /proc/PID/task has a link for each thread, beside its own two. */
static bool has_threads(pid_t pid)
{
    char mem[64];
    struct buf path = BUF(mem);
    struct stat st;
    buf_fmt(&path, "/proc/%ld/task", (long)pid);
    return stat(buf_str(&path), &st) == 0 && st.st_nlink > 3;
}

bool procs_is_alive(const struct process *p)
{
    return (p->state != 'Z' && p->state != 'X') || has_threads(p->pid);
}

/* False with errno: ESRCH when it has gone, or why that can't be seen. */
static bool is_still(const struct process *p)
{
    struct process now;
    if (!procs_look(p->pid, &now))
        return false;
    errno = ESRCH;
    return now.start == p->start;
}

int procs_pidfd(const struct process *p)
{
    int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    if (fd < 0)
        return -1;
    if (is_still(p))
        return fd;
    fd_close(&fd);
    return -1;
}

/* Where no pidfd can be had (ENOSYS; EPERM of a seccomp filter; EMFILE, ENFILE), the moment of its birth must
 * do. */
int procs_signal(const struct process *p, int sig)
{
    int fd = procs_pidfd(p);
    if (fd >= 0) {
        int done = (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
        int err = errno;
        fd_close(&fd);
        errno = err;
        if (done == 0 || err != ENOSYS)
            return done;
    } else if (errno == ESRCH) {
        return -1;
    }
    return is_still(p) ? kill(p->pid, sig) : -1;
}
