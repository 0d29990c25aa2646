/*
 * place.c - see place.h.
 */
#include "base/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"

enum { PROC_MAGIC = 0x9fa0 }; /* PROC_SUPER_MAGIC of statfs(2); musl has no header with it */
enum { LINKS_MAX = 40 };      /* as the kernel has it (path_resolution(7)) */

static bool is_ours(uid_t owner)
{
    return owner == 0 || owner == geteuid();
}

/*
 * In a user namespace the machine's root has no number but that of all whom it does not know: whose the root
 * directory is, is trusted with directories, and with nothing else.
 */
static bool is_shared(const struct stat *st)
{
    struct stat root;
    return (st->st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
           !(is_ours(st->st_uid) || (stat("/", &root) == 0 && st->st_uid == root.st_uid));
}

/* One that a hostile user made, or found elsewhere and linked to here, leads anywhere. */
static bool may_follow(const struct stat *link, bool shared)
{
    return !shared || (is_ours(link->st_uid) && link->st_nlink == 1);
}

/* A path on the way: what is left of it, which links are put in front of. */
struct walk {
    int dir;
    bool shared; /* this directory or one above it */
    unsigned links;
    char path[PATH_MAX];
};

static int enter(struct walk *w, int dir, bool is_start)
{
    struct stat st = {0};
    fd_close(&w->dir);
    w->dir = dir;
    if (dir < 0 || fstat(dir, &st) < 0)
        return -1;
    w->shared = is_shared(&st) || (w->shared && !is_start);
    return 0;
}

/* The link that is open takes the place of the name that led to it; rest begins behind that. */
static int follow(struct walk *w, int link, const char *rest)
{
    char target[PATH_MAX];
    struct stat st = {0};
    struct buf b = BUF(target);
    errno = ELOOP;
    if (++w->links > LINKS_MAX || fstat(link, &st) < 0)
        return -1;
    errno = PLACE_LINK;
    if (!may_follow(&st, w->shared))
        return -1;
    ssize_t n = readlinkat(link, "", target, sizeof target);
    if (n < 0)
        return -1;
    errno = ENAMETOOLONG;
    if ((size_t)n == sizeof target)
        return -1;
    b.len = (size_t)n;
    buf_char(&b, '/');
    buf_text(&b, rest);
    buf_str(&b);
    if (b.cut)
        return -1;
    memcpy(w->path, target, b.len + 1);
    return *target == '/' ? enter(w, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), false) : 0;
}

/* Goes on by the first name of what is left. */
static int step(struct walk *w)
{
    char *name = w->path + strspn(w->path, "/"), *end = name + strcspn(name, "/");
    const char *rest = end + strspn(end, "/");
    if (*end)
        *end = '\0';
    int dir = openat(w->dir, *name ? name : ".", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir >= 0) {
        memmove(w->path, rest, strlen(rest) + 1);
        return enter(w, dir, false);
    }
    if (errno != ENOTDIR)
        return -1;
    struct stat st;
    int link = openat(w->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    errno = ENOTDIR;
    int done = link >= 0 && fstat(link, &st) == 0 && S_ISLNK(st.st_mode) ? follow(w, link, rest) : -1;
    int err = errno;
    fd_close(&link);
    errno = err;
    return done;
}

int place_open(struct place *p, const char *path)
{
    struct walk w = {.dir = -1};
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    *p = (struct place){.dir = -1, .name = slash ? slash + 1 : path};
    errno = !*path ? ENOENT : !*p->name ? EISDIR : ENAMETOOLONG;
    if (!*p->name || len >= sizeof w.path)
        return -1;
    memcpy(w.path, path, len);
    int done = enter(&w, open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC), true);
    while (done == 0 && *w.path)
        done = step(&w);
    struct stat st = {0};
    if (done == 0)
        done = fstat(w.dir, &st);
    if (done < 0) {
        int err = errno;
        fd_close(&w.dir);
        errno = err;
        return -1;
    }
    p->dir = w.dir;
    p->shared = is_shared(&st);
    p->path_shared = w.shared;
    return 0;
}

void place_close(struct place *p)
{
    fd_close(&p->dir);
}

bool place_is_trusted(const struct place *p, const struct stat *st)
{
    errno = PLACE_FOREIGN;
    return !p->shared || (is_ours(st->st_uid) && (st->st_nlink == 1 || S_ISDIR(st->st_mode)));
}

int place_look(const struct place *p, struct stat *st)
{
    return fstatat(p->dir, p->name, st, AT_SYMLINK_NOFOLLOW);
}

bool place_is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

int place_compare(const struct place *a, const struct place *b)
{
    struct stat x = {0}, y = {0};
    fstat(a->dir, &x);
    fstat(b->dir, &y);
    if (x.st_dev != y.st_dev)
        return x.st_dev < y.st_dev ? -1 : 1;
    if (x.st_ino != y.st_ino)
        return x.st_ino < y.st_ino ? -1 : 1;
    return strcmp(a->name, b->name);
}

/* Why it can't be opened; fs.protected_regular (sysctl/fs.txt) has the kernel say EACCES to O_CREAT. */
static int open_error(const struct place *p, int err)
{
    struct stat st;
    if (err == EACCES && place_look(p, &st) == 0 && !place_is_trusted(p, &st))
        return PLACE_FOREIGN;
    return err == ELOOP ? PLACE_LINK : err;
}

/* Whether it is a link of root's to a descriptor of ours, or one of those themselves (proc(5)). */
static bool is_descriptor(const struct place *p)
{
    static const char fds[] = "/proc/self/fd/";
    char target[sizeof fds];
    struct statfs fs;
    if (p->shared)
        return false;
    if (fstatfs(p->dir, &fs) == 0 && fs.f_type == PROC_MAGIC)
        return true;
    ssize_t n = readlinkat(p->dir, p->name, target, sizeof target);
    return n == sizeof target && memcmp(target, fds, sizeof fds - 1) == 0;
}

int place_file(const struct place *p, int flags, mode_t mode)
{
    struct stat st;
    const int always = O_CLOEXEC | O_NOCTTY;
    int fd = openat(p->dir, p->name, flags | always | O_NOFOLLOW, mode);
    int err = errno;
    if (fd < 0 && err == ELOOP && is_descriptor(p))
        return openat(p->dir, p->name, flags | always, mode);
    if (fd < 0) {
        errno = open_error(p, err);
        return -1;
    }
    if (fstat(fd, &st) < 0 || !place_is_trusted(p, &st))
        fd_close(&fd);
    return fd;
}

void place_discard(const struct place *p)
{
    struct stat st;
    if (place_look(p, &st) == 0 && place_is_trusted(p, &st))
        unlinkat(p->dir, p->name, 0);
}

const char *place_error(int err)
{
    return err == PLACE_FOREIGN ? "it belongs to another user, in a directory that others can write to"
           : err == PLACE_LINK  ? "a symbolic link that is not followed here"
                                : strerror(err);
}

bool place_beside(const struct place *p, const char *suffix, char name[static PLACE_NAME_SIZE])
{
    struct buf b = {.mem = name, .size = PLACE_NAME_SIZE};
    buf_fmt(&b, ".%s.%s", p->name, suffix);
    buf_str(&b);
    errno = ENAMETOOLONG;
    return !b.cut;
}
