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

/* For inotify(7), which knows no directory fds. */
static const char *path_of(int fd, struct buf *b)
{
    buf_fmt(b, "/proc/self/fd/%d", fd);
    return buf_str(b);
}

static int watch_directory(const struct fifo *f)
{
    char mem[64], copy[PATH_MAX];
    struct buf b = BUF(mem);
    int watch = inotify_add_watch(f->events, path_of(f->place.dir, &b), directory_events | IN_ONLYDIR);
    if (watch >= 0 || strlen(f->path) >= sizeof copy)
        return watch;
    memcpy(copy, f->path, strlen(f->path) + 1);
    return inotify_add_watch(f->events, dirname(copy), directory_events | IN_ONLYDIR);
}

static const char claim_suffix[] = "served";

/* Where the path leads now: another directory may have taken the place of the one before. 0, or -1 with
 * errno. */
static int go_to_place(struct fifo *f)
{
    struct place now;
    if (place_open(&now, f->path) < 0)
        return -1;
    if (f->place.dir >= 0 && place_compare(&now, &f->place) == 0) {
        place_close(&now);
        return 0;
    }
    if (f->place.dir >= 0) {
        inotify_rm_watch(f->events, f->directory_watch);
        lock_place_end(&f->place, claim_suffix, &f->claim);
        place_close(&f->place);
    }
    f->place = now;
    f->directory_watch = watch_directory(f);
    return f->directory_watch < 0 ? -1 : 0;
}

int fifo_init(struct fifo *f, const char *path, const mode_t *mode)
{
    *f = (struct fifo){.path = path, .mode = mode, .writer = -1};
    f->events = f->claim = f->path_fd = f->watch = -1;
    f->place.dir = -1;
    f->events = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    return f->events < 0 ? -1 : go_to_place(f);
}

/*
 * Only one of us serves it. A lock on the FIFO itself would be lost with every end of file, so it is that of
 * a file beside it. Where we may make none, fifo_open looks for another writer. 0, or
 * -1 with errno.
 */
static int claim(struct fifo *f)
{
    if (f->claim < 0)
        f->claim = lock_place(&f->place, claim_suffix, 0);
    if (f->claim < 0 && errno == EWOULDBLOCK)
        errno = EADDRINUSE;
    return f->claim >= 0 || errno == EACCES || errno == EROFS ? 0 : -1;
}

static int make(const struct fifo *f)
{
    if (!f->mode)
        return mkfifoat(f->place.dir, f->place.name, 0666);
    mode_t before = umask(0);
    int done = mkfifoat(f->place.dir, f->place.name, *f->mode), err = errno;
    umask(before);
    errno = err;
    return done;
}

/* Removes what was made and can't be opened. Keeps errno. */
static void unmake(const struct fifo *f)
{
    struct stat now;
    int err = errno;
    if (place_look(&f->place, &now) == 0 && S_ISFIFO(now.st_mode) && now.st_uid == geteuid())
        unlinkat(f->place.dir, f->place.name, 0);
    errno = err;
}

/* Takes the FIFO that is open as *path_fd. 0, or -1 with errno. */
static int take(struct fifo *f, int *path_fd, bool made)
{
    struct stat now;
    if (fstat(*path_fd, &now) < 0)
        return -1;
    errno = EEXIST;
    if (!S_ISFIFO(now.st_mode) || !place_is_trusted(&f->place, &now))
        return -1;
    errno = EINVAL;
    if (f->mode && !made && (now.st_mode & 07777) != *f->mode)
        return -1;
    if (f->path_fd >= 0 && place_is_same_file(&now, &f->id))
        return 0;
    fd_close(&f->path_fd);
    f->path_fd = *path_fd;
    *path_fd = -1;
    f->id = now;
    f->made = made;
    return 0;
}

int fifo_ensure(struct fifo *f)
{
    struct stat now;
    f->moved = false;
    if (go_to_place(f) < 0 || claim(f) < 0)
        return -1;
    bool made = place_look(&f->place, &now) < 0 && errno == ENOENT;
    if (made && make(f) < 0)
        return -1;
    int path_fd = openat(f->place.dir, f->place.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (path_fd < 0 && made)
        unmake(f);
    int taken = path_fd < 0 ? -1 : take(f, &path_fd, made);
    fd_close(&path_fd);
    return taken;
}

/* Opens that very FIFO, without waiting. */
static int open_this(const struct fifo *f, int mode)
{
    struct stat now;
    int fd = openat(f->place.dir, f->place.name, mode | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &now) == 0 && place_is_same_file(&now, &f->id))
        return fd;
    fd_close(&fd);
    errno = ESTALE;
    return -1;
}

/* Whether an empty FIFO has a writer: a copy of what is in it would be 0 bytes, not EAGAIN (tee(2)). */
static bool has_writer(int reader)
{
    int scratch[2];
    if (pipe2(scratch, O_CLOEXEC | O_NONBLOCK) < 0)
        return false;
    ssize_t n = tee(reader, scratch[1], 1, SPLICE_F_NONBLOCK);
    bool has = n > 0 || (n < 0 && errno == EAGAIN);
    fd_close(&scratch[0]);
    fd_close(&scratch[1]);
    return has;
}

static int open_writer(struct fifo *f)
{
    int reader = open_this(f, O_RDONLY); /* without one, a writer can't be opened without waiting */
    if (reader < 0)
        return -1;
    if (f->claim < 0 && !f->served && has_writer(reader)) {
        fd_close(&reader);
        errno = EADDRINUSE;
        return -1;
    }
    f->served = true;
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
    int watch = inotify_add_watch(f->events, path_of(f->writer, &b), fifo_events);
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
    int done = f->path_fd >= 0 && !f->moved ? open_writer(f) : -1;
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
    f->moved =
        lstat(f->path, &named) < 0 || fstat(f->writer, &ours) < 0 || !place_is_same_file(&named, &ours);
    return !f->moved;
}

static void take_event(struct fifo *f, const struct inotify_event *e)
{
    if (e->wd == f->directory_watch && e->len && strcmp(e->name, f->place.name) != 0)
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

void fifo_keep(struct fifo *f)
{
    fifo_take_events(f);
    f->closed = true;
}

int fifo_end(struct fifo *f)
{
    struct stat now;
    int done = f->made ? place_look(&f->place, &now) : 0;
    if (f->made && done == 0 && place_is_same_file(&now, &f->id))
        done = unlinkat(f->place.dir, f->place.name, 0);
    if (done < 0 && errno == ENOENT)
        done = 0;
    if (lock_place_end(&f->place, claim_suffix, &f->claim) < 0)
        done = -1;
    place_close(&f->place);
    fd_close(&f->path_fd);
    fd_close(&f->writer);
    fd_close(&f->events);
    return done;
}
