/*
 * fifo.c - see fifo.h.
 */
#include "pipe/fifo.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "process/lock.h"

static const uint32_t fifo_events =
    IN_OPEN | IN_ACCESS | IN_CLOSE_NOWRITE | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;
static const uint32_t directory_events =
    IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF;

int fifo_init(struct fifo *f, const char *path, const mode_t *mode)
{
    char copy[PATH_MAX];
    const char *slash = strrchr(path, '/');
    *f = (struct fifo){.path = path, .name = slash ? slash + 1 : path, .mode = mode, .writer = -1};
    f->events = f->claim = f->path_fd = f->watch = -1;
    errno = strlen(path) < sizeof copy ? ENOENT : ENAMETOOLONG;
    if (!*f->name || errno == ENAMETOOLONG)
        return -1;
    memcpy(copy, path, strlen(path) + 1);
    f->events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (f->events < 0)
        return -1;
    f->directory_watch = inotify_add_watch(f->events, dirname(copy), directory_events | IN_ONLYDIR);
    return f->directory_watch < 0 ? -1 : 0;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/*
 * A name that only one process can have, and that goes with it: a socket's in the abstract namespace
 * (unix(7)). A lock on the FIFO itself would be lost with every end of file. 0, or -1 with errno.
 */
static int claim(struct fifo *f, const struct stat *id)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct buf name = {.mem = a.sun_path + 1, .size = sizeof a.sun_path - 1};
    buf_fmt(&name, "ipcbox/fifo/%llx:%llx", (unsigned long long)id->st_dev, (unsigned long long)id->st_ino);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (const struct sockaddr *)&a,
            (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + name.len)) < 0) {
        fd_close(&fd);
        return -1;
    }
    fd_close(&f->claim);
    f->claim = fd;
    return 0;
}

static int make(const struct fifo *f)
{
    if (!f->mode)
        return mkfifo(f->path, 0666);
    mode_t before = umask(0);
    int done = mkfifo(f->path, *f->mode), err = errno;
    umask(before);
    errno = err;
    return done;
}

/* Takes the FIFO that is open as *path_fd: 1, 0 if it is ours already, or -1 with errno. */
static int take(struct fifo *f, int *path_fd)
{
    struct stat now;
    if (fstat(*path_fd, &now) < 0)
        return -1;
    errno = EEXIST;
    if (!S_ISFIFO(now.st_mode))
        return -1;
    if (f->claim >= 0 && is_same(&now, &f->id))
        return 0;
    if (claim(f, &now) < 0)
        return -1;
    fd_close(&f->path_fd);
    f->path_fd = *path_fd;
    *path_fd = -1;
    f->id = now;
    return 1;
}

/* With the directory locked, where that can be: nobody else of ours makes or claims one meanwhile. */
static int ensure(struct fifo *f)
{
    struct stat now;
    bool made = lstat(f->path, &now) < 0 && errno == ENOENT;
    if (made && make(f) < 0)
        return -1;
    int path_fd = open(f->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int taken = path_fd < 0 ? -1 : take(f, &path_fd);
    fd_close(&path_fd);
    if (taken > 0)
        f->made = made;
    if (taken < 0 && made && errno != EEXIST) {
        int err = errno;
        unlink(f->path);
        errno = err;
    }
    return taken < 0 ? -1 : 0;
}

int fifo_ensure(struct fifo *f)
{
    f->moved = false;
    int lock = lock_directory(f->path);
    if (lock < 0 && errno == ETIMEDOUT)
        return -1;
    int done = ensure(f);
    fd_close(&lock);
    return done;
}

/* Opens that very FIFO, without waiting. */
static int open_this(const struct fifo *f, int mode)
{
    struct stat now;
    int fd = open(f->path, mode | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &now) == 0 && is_same(&now, &f->id))
        return fd;
    fd_close(&fd);
    errno = ESTALE;
    return -1;
}

static int open_writer(struct fifo *f)
{
    int reader = open_this(f, O_RDONLY); /* without one, a writer can't be opened without waiting */
    if (reader < 0)
        return -1;
    fifo_take_events(f);
    f->opened = 0;
    f->writer = open_this(f, O_WRONLY);
    fd_close(&reader);
    if (f->writer < 0)
        return -1;
    fifo_take_events(f);
    f->opened -= f->opened > 0; /* that was us; two that come together may be one event */
    char mem[64];
    struct buf b = BUF(mem);
    buf_fmt(&b, "/proc/self/fd/%d", f->writer);
    int watch = inotify_add_watch(f->events, buf_str(&b), fifo_events);
    if (watch < 0)
        watch = inotify_add_watch(f->events, f->path, fifo_events | IN_DONT_FOLLOW);
    if (watch < 0) {
        fd_close(&f->writer);
        return -1;
    }
    if (f->watch >= 0 && f->watch != watch)
        inotify_rm_watch(f->events, f->watch);
    f->watch = watch;
    return 0;
}

int fifo_open(struct fifo *f)
{
    enum { TRIES = 100 }; /* it may be replaced while we look */
    int done = f->claim >= 0 && !f->moved ? open_writer(f) : -1;
    for (int i = 0; done < 0 && i < TRIES; i++) {
        if (fifo_ensure(f) < 0)
            return -1;
        done = open_writer(f);
        if (done < 0 && errno != ESTALE && errno != ENOENT && errno != ELOOP)
            return -1;
    }
    return done;
}

bool fifo_is_here(struct fifo *f)
{
    struct stat named, ours;
    f->moved = lstat(f->path, &named) < 0 || fstat(f->writer, &ours) < 0 || !is_same(&named, &ours);
    return !f->moved;
}

static void take_event(struct fifo *f, const struct inotify_event *e)
{
    if (e->wd == f->directory_watch && e->len && strcmp(e->name, f->name) != 0)
        return;
    if (e->wd == f->watch && e->mask & IN_CLOSE_NOWRITE)
        f->closed = true;
    if (e->wd == f->watch && e->mask & IN_OPEN)
        f->opened++;
    if (e->wd == f->directory_watch || e->mask & (IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_Q_OVERFLOW))
        f->moved = true;
}

void fifo_take_events(struct fifo *f)
{
    _Alignas(struct inotify_event) char mem[8192];
    ssize_t n;
    while ((n = fd_read(f->events, mem, sizeof mem)) > 0) {
        for (const char *p = mem; p < mem + n;) {
            const struct inotify_event *e = (const void *)p;
            take_event(f, e);
            p += sizeof *e + e->len;
        }
    }
}

bool fifo_has_reader(const struct fifo *f)
{
    struct pollfd p = {.fd = f->writer};
    if (f->writer < 0)
        return false;
    while (poll(&p, 1, 0) < 0 && errno == EINTR)
        ;
    return !(p.revents & POLLERR);
}

bool fifo_is_empty(const struct fifo *f)
{
    int left = 0;
    return ioctl(f->writer, FIONREAD, &left) < 0 || left == 0;
}

void fifo_hang_up(struct fifo *f)
{
    fifo_take_events(f);
    f->closed = !fifo_has_reader(f);
    fd_close(&f->writer);
}

int fifo_end(struct fifo *f)
{
    struct stat now;
    int done = 0;
    if (f->made && lstat(f->path, &now) == 0 && is_same(&now, &f->id) && unlink(f->path) < 0 &&
        errno != ENOENT)
        done = -1;
    fd_close(&f->claim);
    fd_close(&f->path_fd);
    fd_close(&f->writer);
    fd_close(&f->events);
    return done;
}
