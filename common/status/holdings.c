/*
 * holdings.c - see holdings.h.
 */
#include "status/holdings.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "status/lines.h"

static const char socket_link[] = "socket:[";

static int add_socket(struct holdings *h, const char *link, pid_t pid, struct found *owner)
{
    uint64_t inode = lines_number(link + sizeof socket_link - 1);
    if (!inode)
        return 0;
    struct held_socket *s = list_add(&h->sockets);
    if (!s)
        return -1;
    *s = (struct held_socket){.inode = inode, .pid = pid, .owner = owner};
    owner->has_sockets = true;
    return 0;
}

/* ---- locks ---- */

/* "FLOCK  ADVISORY  WRITE PID MAJOR:MINOR:INODE START END"; the fields behind the kind. */
static bool parse_lock(const char *text, struct held_lock *lock, pid_t *pid, char file[static 48])
{
    lines_copy(lines_word(text, 0), lock->kind, sizeof lock->kind);
    lines_copy(lines_word(text, 2), lock->access, sizeof lock->access);
    *pid = (pid_t)lines_number(lines_word(text, 3));
    lines_copy(lines_word(text, 4), file, 48);
    lines_copy(lines_word(text, 5), lock->start, sizeof lock->start);
    lines_copy(lines_word(text, 6), lock->end, sizeof lock->end);
    return *lock->end;
}

static int add_lock(struct holdings *h, const struct held_lock *lock, const char *path)
{
    struct held_lock *entry = list_add(&h->locks);
    if (!entry)
        return -1;
    *entry = *lock;
    entry->path = strdup(path);
    return entry->path ? 0 : -1;
}

/* The locks of a descriptor are in its fdinfo: "lock:\t1: FLOCK ..."; so is the inode ("ino:\t"). */
static int add_file(struct holdings *h, const char *path, pid_t pid, const char *fd, struct found *owner)
{
    char mem[64], text[8192], file[48];
    struct buf name = BUF(mem);
    pid_t locker;
    buf_fmt(&name, "fdinfo/%s", fd);
    if (census_read(pid, buf_str(&name), text, sizeof text) < 0)
        return procs_is_out_of_reach(errno) ? 0 : -1;
    struct held_file *f = list_add(&h->files);
    const char *inode = strstr(text, "\nino:\t");
    if (!f || !(f->path = strdup(path)))
        return -1;
    f->pid = pid;
    f->inode = inode ? lines_number(inode + 6) : 0;
    for (const char *line = text; (line = strstr(line, "\nlock:\t"));) {
        struct held_lock lock = {.owner = owner, .pid = pid};
        line += 7;
        const char *kind = strchr(line, ' ');
        if (kind && parse_lock(kind, &lock, &locker, file) && add_lock(h, &lock, path) < 0)
            return -1;
    }
    return 0;
}

static const char *path_of_inode(const struct holdings *h, pid_t pid, const char *file)
{
    const struct held_file *f = h->files.mem;
    const char *text = strrchr(file, ':');
    uint64_t inode = text ? lines_number(text + 1) : 0;
    for (size_t i = 0; i < h->files.n; i++)
        if (inode && f[i].pid == pid && f[i].inode == inode)
            return f[i].path;
    return file;
}

/* "1: -> FLOCK ..." in /proc/locks: who waits, by pid. */
static int add_waiting(struct holdings *h, const struct census *c)
{
    char file[48];
    const char *line;
    struct lines locks;
    int done = 0;
    int opened = lines_open(&locks, "/proc/locks");
    if (opened <= 0)
        return opened;
    while (done == 0 && (line = lines_next(&locks))) {
        const char *arrow = strstr(line, ": -> ");
        struct held_lock lock = {.waits = true};
        if (!arrow || !parse_lock(arrow + 5, &lock, &lock.pid, file))
            continue;
        lock.owner = census_find(c, lock.pid);
        if (lock.owner)
            done = add_lock(h, &lock, path_of_inode(h, lock.pid, file));
    }
    return lines_close(&locks) < 0 ? -1 : done;
}

/* ---- descriptors ---- */

/* A descriptor of that process; of its files, only those of ours matter. */
static int add_fd(struct holdings *h, int directory, const char *fd, pid_t pid, struct found *owner)
{
    char link[PATH_MAX];
    ssize_t n = readlinkat(directory, fd, link, sizeof link - 1);
    if (n < 0)
        return procs_is_out_of_reach(errno) ? 0 : -1;
    link[n] = '\0';
    if (strncmp(link, socket_link, sizeof socket_link - 1) == 0)
        return add_socket(h, link, pid, owner);
    bool of_device = strncmp(link, "/dev/", 5) == 0 || strncmp(link, "/memfd:", 7) == 0;
    return *link == '/' && !of_device && owner->process.pid == pid ? add_file(h, link, pid, fd, owner) : 0;
}

static int add_fds(struct holdings *h, pid_t pid, struct found *owner)
{
    char mem[64];
    struct buf path = BUF(mem);
    struct dirent *entry;
    int done = 0;
    buf_fmt(&path, "/proc/%ld/fd", (long)pid);
    DIR *fds = opendir(buf_str(&path));
    while (fds && done == 0 && (errno = 0, entry = readdir(fds)))
        if (*entry->d_name != '.')
            done = add_fd(h, dirfd(fds), entry->d_name, pid, owner);
    int err = errno; /* 0: that was the last one */
    if (fds)
        closedir(fds);
    errno = err;
    return err && !procs_is_out_of_reach(err) ? -1 : 0;
}

static int by_inode(const void *a, const void *b)
{
    const struct held_socket *x = a, *y = b;
    int order = (x->inode > y->inode) - (x->inode < y->inode);
    return order ? order : (x->pid > y->pid) - (x->pid < y->pid);
}

static void sort(struct holdings *h)
{
    if (h->sockets.n)
        qsort(h->sockets.mem, h->sockets.n, h->sockets.size, by_inode);
}

int holdings_take(struct holdings *h, const struct census *c)
{
    int done = 0;
    *h = (struct holdings){.sockets.size = sizeof(struct held_socket),
        .locks.size = sizeof(struct held_lock),
        .files.size = sizeof(struct held_file)};
    for (size_t i = 0; i < c->n && done == 0; i++)
        if (!c->list[i].is_worker)
            done = add_fds(h, c->list[i].process.pid, &c->list[i]);
    if (done == 0)
        done = add_waiting(h, c);
    if (done < 0)
        holdings_free(h);
    sort(h);
    return done;
}

int holdings_add_programs(struct holdings *h, const struct census *c)
{
    int done = 0;
    for (size_t i = 0; i < c->all.n && done == 0; i++) {
        const struct process *p = &c->all.list[i];
        const struct found *self = census_find(c, p->pid);
        struct found *owner = self && !self->is_worker ? NULL : census_above(c, p);
        if (owner && owner->has_sockets)
            done = add_fds(h, p->pid, owner);
    }
    sort(h);
    return done;
}

struct held_socket *holdings_socket(const struct holdings *h, uint64_t inode)
{
    struct held_socket *s = h->sockets.mem;
    size_t low = 0, high = h->sockets.n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s[middle].inode < inode)
            low = middle + 1;
        else
            high = middle;
    }
    return low < h->sockets.n && s[low].inode == inode ? &s[low] : NULL;
}

void holdings_free(struct holdings *h)
{
    struct held_lock *lock = h->locks.mem;
    struct held_file *file = h->files.mem;
    for (size_t i = 0; i < h->locks.n; i++)
        free(lock[i].path);
    for (size_t i = 0; i < h->files.n; i++)
        free(file[i].path);
    list_free(&h->locks);
    list_free(&h->files);
    list_free(&h->sockets);
}
