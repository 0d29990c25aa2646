/*
 * http_file.c - see http_file.h.
 */
#include "net/http_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/place.h"
#include "process/reap.h"
#include "process/sigs.h"
#include "process/worker.h"

enum { LINKS_MAX = 40 }; /* as place.c */
enum { LOOK_MS = 50 };   /* between two looks for a FIFO's reader, which no event tells of */

struct target {
    struct place place;
    bool exists, has_name; /* the file; the temporary one */
    struct stat old;       /* of the file that exists */
    char temp[PLACE_NAME_SIZE], path[PATH_MAX];
};

/* Puts the path that the link at the place leads to, which was reached by `path`, into t->path. 0, or -1. */
static int follow(struct target *t, const char *path)
{
    char link[PATH_MAX];
    struct buf b = BUF(link);
    errno = PLACE_LINK;
    if (!S_ISLNK(t->old.st_mode) || !place_is_trusted(&t->place, &t->old))
        return -1;
    buf_bytes(&b, path, (size_t)(t->place.name - path));
    ssize_t n = readlinkat(t->place.dir, t->place.name, link + b.len, sizeof link - b.len);
    if (n < 0)
        return -1;
    errno = ENAMETOOLONG;
    if ((size_t)n == sizeof link - b.len)
        return -1;
    size_t from = link[b.len] == '/' ? b.len : 0, len = b.len + (size_t)n - from;
    memcpy(t->path, link + from, len);
    t->path[len] = '\0';
    place_close(&t->place);
    return 0;
}

/*
 * The descriptor of ours that the path names, or -1. Opened by that path, a file would have an offset of its
 * own, and lack O_APPEND; a socket can't be opened at all.
 */
static int number_in(const char *path)
{
    static const char *const places[] = {"/dev/fd/", "/proc/self/fd/"};
    static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
    uint64_t n;
    for (int fd = 0; fd < 3; fd++)
        if (strcmp(path, names[fd]) == 0)
            return fd;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strncmp(path, places[i], strlen(places[i])) == 0 &&
            num_u64(path + strlen(places[i]), 0, INT_MAX, &n))
            return (int)n;
    return -1;
}

/* A copy of a descriptor that we were given, for writing. -1 with EBADF: it is closed, or one of our own. */
static int copy(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    errno = EBADF;
    return flags < 0 || (flags & O_ACCMODE) == O_RDONLY || (fcntl(fd, F_GETFD) & FD_CLOEXEC)
               ? -1
               : fd_dup(fd, STDERR_FILENO + 1);
}

/* Sleeps where another attempt to open the file may succeed: a FIFO without a reader, or fcntl(2)'s lease. */
static bool wait_for_file(const struct http_file *f, const struct target *t)
{
    if (errno != EAGAIN && (errno != ENXIO || !S_ISFIFO(t->old.st_mode)))
        return false;
    int64_t left = clock_left(f->deadline);
    sigs_sleep(NULL, 0, clock_first(left, LOOK_MS * CLOCK_MS));
    errno = ETIMEDOUT;
    return left > 0;
}

/* Opens the place, through links, and the file where it is not to be whole. 0, or -1 with errno. */
static int find(struct http_file *f, struct target *t)
{
    const char *path = f->path;
    for (int links = 0; links < LINKS_MAX;) {
        int given = number_in(path);
        if (given >= 0) {
            f->whole = false;
            f->fd = copy(given);
            return f->fd < 0 ? -1 : 0;
        }
        if (place_open(&t->place, path) < 0)
            return -1;
        t->exists = place_look(&t->place, &t->old) == 0;
        f->whole = t->exists ? S_ISREG(t->old.st_mode) : errno == ENOENT;
        if (!t->exists)
            return f->whole ? 0 : -1;
        if (!S_ISLNK(t->old.st_mode) && !place_is_trusted(&t->place, &t->old))
            return -1;
        f->fd = place_file(&t->place, O_WRONLY | O_NONBLOCK, 0);
        if (f->whole && (f->fd >= 0 || errno == ETXTBSY)) { /* only to see whether we may */
            fd_close(&f->fd);
            return 0;
        }
        if (f->fd >= 0)
            return 0;
        if (wait_for_file(f, t)) {
            place_close(&t->place);
            continue;
        }
        if (errno != PLACE_LINK || follow(t, path) < 0)
            return -1;
        path = t->path;
        links++;
    }
    errno = ELOOP;
    return -1;
}

/* Opens the file that becomes the one that is asked for. 0, or -1 with errno. */
static int open_temp(struct http_file *f, struct target *t)
{
    mode_t mode = t->exists ? t->old.st_mode & 0777 : 0666;
    uint64_t number;
    char suffix[24];
    struct buf b = BUF(suffix);
    if (getrandom(&number, sizeof number, 0) < 0)
        return -1;
    buf_num(&b, number);
    if (!place_beside(&t->place, buf_str(&b), t->temp))
        return -1;
    if (access("/proc/self/fd", X_OK) == 0) /* by which it gets its name */
        f->fd = openat(t->place.dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, mode);
    if (f->fd < 0) {
        f->fd = openat(t->place.dir, t->temp, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode);
        t->has_name = f->fd >= 0;
    }
    return f->fd < 0 ? -1 : 0;
}

/* linkat(2) replaces nothing: over a file that exists only rename(2) leads. */
static int give_name(const struct http_file *f, struct target *t)
{
    char from[40];
    struct buf b = BUF(from);
    buf_fmt(&b, "/proc/self/fd/%d", f->fd);
    buf_str(&b);
    if (!t->has_name && !t->exists) {
        int done = linkat(AT_FDCWD, from, t->place.dir, t->place.name, AT_SYMLINK_FOLLOW);
        if (done == 0 || errno != EEXIST)
            return done;
    }
    if (!t->has_name && linkat(AT_FDCWD, from, t->place.dir, t->temp, AT_SYMLINK_FOLLOW) < 0)
        return -1;
    t->has_name = true;
    int done = renameat(t->place.dir, t->temp, t->place.dir, t->place.name);
    t->has_name = done < 0;
    return done;
}

/* Some file systems have no fsync(2) for directories, and one that we may only write to can't be opened. */
static int sync_directory(const struct target *t)
{
    int fd = openat(t->place.dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int done = fd < 0 && errno != EACCES ? -1 : fd < 0 ? 0 : fsync(fd);
    if (done < 0 && errno == EINVAL)
        done = 0;
    fd_close(&fd);
    return done;
}

static int publish(const struct http_file *f, struct target *t)
{
    off_t size = lseek(f->fd, 0, SEEK_CUR);
    if (size < 0 || ftruncate(f->fd, size) < 0)
        return -1;
    if (t->exists) {
        if (fchown(f->fd, t->old.st_uid, t->old.st_gid) <
            0) /* for most of us the group is all that we may give */
            (void)!fchown(f->fd, (uid_t)-1, t->old.st_gid);
        if (fchmod(f->fd, t->old.st_mode & 0777) < 0)
            return -1;
    }
    return fsync(f->fd) < 0 || give_name(f, t) < 0 ? -1 : sync_directory(t);
}

/* Runs it as a child. Its exit status, or -1 with errno; *sig is the signal that ended it, or is to end us.
 */
static int run_apart(int (*work)(void *), void *arg, int *sig)
{
    int status;
    pid_t pid = worker_start(work, arg, true);
    if (pid < 0)
        return -1;
    while (!reap_that(pid, &status)) {
        sigs_sleep(NULL, 0, CLOCK_NEVER);
        *sig = sigs_take_ending(NULL);
        if (*sig) {
            kill(pid, SIGKILL);
            reap_wait(pid);
            return EXIT_SYSTEM;
        }
    }
    status = reap_exit_status(status);
    *sig = status > EXIT_SIGNAL ? status - EXIT_SIGNAL : 0;
    return status;
}

int http_file_write(struct http_file *f, const struct msg *m, int (*work)(void *), void *arg)
{
    struct target t = {.place.dir = -1};
    int sig = 0, status = -1;
    f->fd = -1;
    int done = find(f, &t);
    if (done == 0 && !f->whole)
        return work(arg);
    if (done == 0) {
        sigs_catch(SIGCHLD);
        sigs_catch_ending();
        done = open_temp(f, &t);
    }
    if (done < 0 && errno == ETIMEDOUT)
        return msg_fatal_why(m, EXIT_DEADLINE, "open", f->path, "the deadline passed");
    if (done < 0)
        return msg_fatal_file(m, "open", f->path, errno);
    status = run_apart(work, arg, &sig);
    if (status < 0)
        status = msg_fatal(m, EXIT_SYSTEM, "fork", NULL, errno);
    if (!status && publish(f, &t) < 0)
        status = msg_fatal(m, EXIT_SYSTEM, "write", f->path, errno);
    if (t.has_name)
        unlinkat(t.place.dir, t.temp, 0);
    if (sig)
        sigs_die(sig);
    return status;
}
