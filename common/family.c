/*
 * family.c - see family.h.
 */
#include "family.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "buf.h"
#include "fd.h"
#include "num.h"

struct member {
    pid_t pid, parent;
    char state;
    uint64_t start; /* with the pid, who it is */
    bool ours;
};

struct members {
    struct member *list;
    size_t n, room;
};

/* The n-th field behind the name, from 0, of /proc/PID/stat (proc(5)). */
static const char *field(const char *text, int n)
{
    while (n-- && text)
        text = strchr(text + 1, ' ');
    return text ? text + (*text == ' ') : NULL;
}

static bool number_at(const char *text, uint64_t *out)
{
    return text && num_u64n(text, strspn(text, "0123456789"), 0, UINT64_MAX, out);
}

/* What /proc says of that process. False: it has gone. */
static bool look_at(pid_t pid, struct member *m)
{
    char mem[64], text[1024];
    struct buf path = BUF(mem);
    buf_fmt(&path, "/proc/%d/stat", (int)pid);
    int fd = open(buf_str(&path), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = fd_read(fd, text, sizeof text - 1);
    fd_close(&fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    const char *behind_name = strrchr(text, ')'); /* the name may hold anything */
    uint64_t parent;
    if (!behind_name || !behind_name[1] || !number_at(field(behind_name + 1, 1), &parent) ||
        !number_at(field(behind_name + 1, 19), &m->start))
        return false;
    m->pid = pid;
    m->state = behind_name[2];
    m->parent = (pid_t)parent;
    m->ours = false;
    return true;
}

static int add(struct members *all, const struct member *m)
{
    if (all->n == all->room) {
        size_t room = all->room ? all->room * 2 : 256;
        struct member *list = realloc(all->list, room * sizeof *list);
        if (!list)
            return -1;
        all->list = list;
        all->room = room;
    }
    all->list[all->n++] = *m;
    return 0;
}

static int by_pid(const void *a, const void *b)
{
    const struct member *x = a, *y = b;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

/* All processes, sorted by pid. 0, or -1 with errno. */
static int look_around(struct members *all)
{
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    struct member m;
    uint64_t pid;
    int done = 0;
    if (!proc)
        return -1;
    while (done == 0 && (entry = readdir(proc)))
        if (num_u64(entry->d_name, 1, INT32_MAX, &pid) && look_at((pid_t)pid, &m))
            done = add(all, &m);
    closedir(proc);
    if (all->n)
        qsort(all->list, all->n, sizeof *all->list, by_pid);
    return done;
}

static bool is_stranger(const struct family *f, pid_t pid)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->strangers[i] == pid)
            return true;
    return false;
}

static bool has_parent_of_ours(const struct family *f, const struct members *all, const struct member *m)
{
    if (m->parent == getpid())
        return !is_stranger(f, m->pid);
    const struct member key = {.pid = m->parent};
    const struct member *parent = bsearch(&key, all->list, all->n, sizeof key, by_pid);
    return parent && parent->ours;
}

/* Marks the descendants: generation after generation, until there is no younger one. */
static void find_ours(const struct family *f, struct members *all)
{
    for (bool found = true; found;) {
        found = false;
        for (size_t i = 0; i < all->n; i++) {
            struct member *m = &all->list[i];
            if (!m->ours && has_parent_of_ours(f, all, m))
                found = m->ours = true;
        }
    }
}

/* Signals it if it is still the one that we saw. */
static bool signal_member(const struct member *m, int sig)
{
    struct member now;
    int fd = (int)syscall(SYS_pidfd_open, m->pid, 0);
    if (fd < 0 && errno != ENOSYS)
        return false;
    bool same = look_at(m->pid, &now) && now.start == m->start;
    int done = !same    ? -1
               : fd < 0 ? kill(m->pid, sig)
                        : (int)syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
    fd_close(&fd);
    return done == 0;
}

int family_begin(struct family *f)
{
    struct members all = {0};
    *f = (struct family){0};
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || look_around(&all) < 0)
        return -1;
    for (size_t i = 0; i < all.n; i++)
        f->count += all.list[i].parent == getpid();
    f->strangers = f->count ? malloc(f->count * sizeof *f->strangers) : NULL;
    size_t n = 0;
    for (size_t i = 0; i < all.n && f->strangers; i++)
        if (all.list[i].parent == getpid())
            f->strangers[n++] = all.list[i].pid;
    free(all.list);
    return n == f->count ? 0 : -1;
}

long family_signal(const struct family *f, int sig)
{
    struct members all = {0};
    if (look_around(&all) < 0) {
        free(all.list);
        return -1;
    }
    find_ours(f, &all);
    long count = 0;
    for (size_t i = 0; i < all.n; i++)
        if (all.list[i].ours && all.list[i].state != 'Z' && all.list[i].state != 'X')
            count += signal_member(&all.list[i], sig);
    free(all.list);
    return count;
}
