/*
 * pidfile.c - see pidfile.h.
 */
#include "daemon/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"
#include "process/lock.h"

void pidfile_init(struct pidfile *p)
{
    *p = (struct pidfile){.place.dir = -1, .lock = -1, .fd = -1, .fresh = -1};
}

/*
 * Whoever owns the file can make its lock lie, in any directory: that of processes which share their
 * descriptors has the pid of one that may be gone.
 */
static int open_for_reading(const struct place *place)
{
    struct stat st;
    int fd = place_file(place, O_RDONLY | O_NONBLOCK, 0);
    if (fd >= 0 && (fstat(fd, &st) < 0 || (st.st_uid != 0 && st.st_uid != geteuid()))) {
        fd_close(&fd);
        errno = PLACE_FOREIGN;
    }
    return fd;
}

/* One look; *replaced: another file has taken the place of the one that was looked at. */
static pid_t look_at_holder(const struct place *place, char *text, bool *replaced)
{
    *replaced = false;
    int fd = open_for_reading(place);
    if (fd < 0)
        return -1;
    /* who may only read it can hold no lock that counts */
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    int done = fcntl(fd, F_GETLK, &lock), err = errno;
    ssize_t n = text ? fd_read(fd, text, PIDFILE_TEXT_SIZE - 1) : 0;
    if (text)
        text[n > 0 ? n : 0] = '\0';
    *replaced = !lock_is_current(fd, place);
    fd_close(&fd);
    errno = err;
    if (done < 0)
        return -1;
    if (lock.l_type == F_UNLCK)
        return 0;
    errno = EBUSY;
    return lock.l_pid > 0 ? lock.l_pid : -1;
}

pid_t pidfile_holder(const struct place *place, char text[PIDFILE_TEXT_SIZE])
{
    bool replaced;
    pid_t pid;
    do
        pid = look_at_holder(place, text, &replaced);
    while (pid == 0 && replaced);
    return pid;
}

bool pidfile_is_replaceable(const struct place *place)
{
    char text[PIDFILE_TEXT_SIZE];
    uint64_t pid;
    struct stat st;
    if (place_look(place, &st) < 0)
        return errno == ENOENT;
    int fd = S_ISREG(st.st_mode) ? open_for_reading(place) : -1;
    if (fd < 0 && S_ISREG(st.st_mode))
        return false;
    ssize_t n = fd < 0 ? -1 : fd_read(fd, text, sizeof text);
    fd_close(&fd);
    if (n > 0 && text[n - 1] == '\n')
        n--;
    errno = EEXIST;
    return n == 0 || (n > 0 && num_u64n(text, (size_t)n, 0, UINT64_MAX, &pid));
}

void pidfile_remove_dead(const struct place *place)
{
    int lock = lock_change(place);
    if (lock >= 0 && pidfile_holder(place, NULL) == 0 && pidfile_is_replaceable(place))
        unlinkat(place->dir, place->name, 0);
    lock_change_end(place, &lock);
}

/* ---- ours ---- */

static const char fresh_suffix[] = "new";

/* A new file beside the pidfile, locked. One that is there was left by one of us that was killed: we hold the
 * lock on the change. */
static int make_fresh(const struct pidfile *p)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char name[PLACE_NAME_SIZE];
    if (!place_beside(&p->place, fresh_suffix, name))
        return -1;
    place_discard(&(struct place){.dir = p->place.dir, .name = name, .shared = p->place.shared});
    int fd = openat(p->place.dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0 || fcntl(fd, F_SETLK, &lock) == 0)
        return fd;
    int err = errno;
    unlinkat(p->place.dir, name, 0);
    fd_close(&fd);
    errno = err;
    return -1;
}

int pidfile_prepare(struct pidfile *p)
{
    if (!p->path)
        return 0;
    p->fresh = make_fresh(p);
    return p->fresh < 0 ? -1 : 0;
}

static void abandon(struct pidfile *p)
{
    char name[PLACE_NAME_SIZE];
    int err = errno;
    if (p->fresh >= 0 && place_beside(&p->place, fresh_suffix, name))
        unlinkat(p->place.dir, name, 0);
    fd_close(&p->fresh);
    errno = err;
}

static int write_in_place(const struct pidfile *p, const struct buf *text)
{
    if (pwrite(p->fd, text->mem, text->len, 0) != (ssize_t)text->len)
        return -1;
    return ftruncate(p->fd, (off_t)text->len);
}

/* Another has come, as ours was removed. */
static int write_fresh(struct pidfile *p, const struct buf *text)
{
    char name[PLACE_NAME_SIZE];
    if (p->fresh < 0 && pidfile_prepare(p) < 0)
        return -1;
    if (fd_write_all(p->fresh, text->mem, text->len) < 0 || !place_beside(&p->place, fresh_suffix, name) ||
        renameat(p->place.dir, name, p->place.dir, p->place.name) < 0) {
        abandon(p);
        return -1;
    }
    fd_close(&p->fd);
    p->fd = p->fresh;
    p->fresh = -1;
    return 0;
}

/* Whether nobody has it now. False with errno. */
static bool is_free(const struct place *place)
{
    pid_t holder = pidfile_holder(place, NULL);
    if (holder < 0 && errno == ENOENT)
        return true;
    if (holder > 0)
        errno = EBUSY;
    return holder == 0 && pidfile_is_replaceable(place);
}

/* The file is gone, or another's, as may be the directory that it was in. */
static int replace(struct pidfile *p, const struct buf *text)
{
    place_close(&p->place);
    if (place_open(&p->place, p->path) < 0)
        return -1;
    int lock = lock_change(&p->place);
    int done = lock < 0 || !is_free(&p->place) ? -1 : write_fresh(p, text);
    lock_change_end(&p->place, &lock);
    return done;
}

int pidfile_write(struct pidfile *p, pid_t pid)
{
    char mem[PIDFILE_TEXT_SIZE];
    struct buf text = BUF(mem);
    if (!p->path)
        return 0;
    if (pid)
        buf_fmt(&text, "%ld\n", (long)pid);
    if (p->fd < 0)
        return write_fresh(p, &text);
    /* a restart: in place, so that there is no moment without the lock */
    return lock_is_current(p->fd, &p->place) ? write_in_place(p, &text) : replace(p, &text);
}

void pidfile_clear(struct pidfile *p)
{
    if (p->fd >= 0 && ftruncate(p->fd, 0) < 0) {
        /* then it names a dead process until the next start */
    }
}

int pidfile_remove(struct pidfile *p)
{
    int done = 0, is_there = 0;
    abandon(p);
    if (p->fd >= 0) {
        int lock = lock_change(&p->place); /* between the look and the removal nobody puts another there */
        if (lock < 0 && errno == ETIMEDOUT)
            pidfile_clear(p); /* somebody may be about to; empty and unlocked, it is in nobody's way */
        else if ((is_there = lock_look(p->fd, &p->place)) != 0)
            done = is_there < 0 ? -1 : unlinkat(p->place.dir, p->place.name, 0);
        if (lock_change_end(&p->place, &lock) < 0)
            done = -1;
        fd_close(&p->fd);
    }
    place_close(&p->place);
    return done;
}
