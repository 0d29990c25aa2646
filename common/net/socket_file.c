/*
 * socket_file.c - see socket_file.h.
 */
#include "net/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "process/lock.h"
#include "process/sigs.h"

/* What was begun is taken back. */
static _Noreturn void die_why(const struct socket_file *f, const char *action, int err)
{
    if (f->is_made)
        unlinkat(f->place.dir, f->place.name, 0);
    int lock = f->lock;
    lock_change_end(&f->place, &lock);
    msg_die(f->msg, EXIT_SYSTEM, action, f->path, err);
}

static _Noreturn void die(const struct socket_file *f, const char *action)
{
    die_why(f, action, errno);
}

/*
 * connect(2) or bind(2) at the place. Their path leads there, unless others can rename a directory on it:
 * then we go there for it, and the socket's own name has no directory.
 */
static int call_there(const struct socket_file *f, int directory, bool by_path, int fd,
    int (*call)(int, const struct sockaddr *, socklen_t))
{
    struct addr a = {.len = sizeof a.u.un, .u.un.sun_family = AF_UNIX};
    if (by_path)
        return call(fd, &f->address.u.sa, f->address.len);
    int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (here < 0) { /* from where we may not be there is no way back */
        struct buf b = {.mem = a.u.un.sun_path, .size = sizeof a.u.un.sun_path};
        buf_fmt(&b, "/proc/self/fd/%d/%s", directory, f->place.name);
        buf_str(&b);
        errno = ENAMETOOLONG;
        return b.cut ? -1 : call(fd, &a.u.sa, a.len);
    }
    int done = fchdir(directory);
    if (done == 0) {
        memcpy(a.u.un.sun_path, f->place.name, strlen(f->place.name)); /* it is shorter than the path */
        done = call(fd, &a.u.sa, a.len);
        int err = errno;
        if (fchdir(here) < 0)
            done = -1;
        else
            errno = err;
    }
    fd_close(&here);
    return done;
}

/*
 * Whether a socket file has a server, found out without disturbing it: a datagram socket can't be connected
 * to a stream socket that lives (EPROTOTYPE), and nothing can to one that is dead (ECONNREFUSED).
 */
static bool is_alive(const struct socket_file *f)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true; /* not known: leave it alone */
    bool dead = call_there(f, f->place.dir, !f->place.path_shared, fd, connect) < 0 &&
                (errno == ECONNREFUSED || errno == ENOENT);
    fd_close(&fd);
    return !dead;
}

/* Makes way for our socket: only a dead socket is removed. */
static void clear_path(const struct socket_file *f)
{
    struct stat st;
    if (place_look(&f->place, &st) < 0) {
        if (errno != ENOENT)
            die(f, "stat");
        return;
    }
    if (!S_ISSOCK(st.st_mode))
        die_why(f, "refuse to replace what is not a socket:", EEXIST);
    bool given = f->owner.has_uid && st.st_uid == f->owner.uid; /* by one of us that was killed */
    if (!given && !place_is_trusted(&f->place, &st))
        die_why(f, "refuse to replace", errno);
    if (is_alive(f))
        die_why(f, "refuse to replace a live socket:", EADDRINUSE);
    if (unlinkat(f->place.dir, f->place.name, 0) < 0)
        die(f, "remove the dead socket");
}

int socket_file_remove(const struct socket_file *f, bool open)
{
    struct stat now;
    int lock = lock_change(&f->place);
    int done = place_look(&f->place, &now);
    if (done < 0 && errno == ENOENT)
        done = 0;
    else if (done == 0 && place_is_same_file(&now, &f->made) && (open || !is_alive(f)))
        done = unlinkat(f->place.dir, f->place.name, 0);
    if (lock_change_end(&f->place, &lock) < 0)
        done = -1;
    return done;
}

/* bind(2) with the right mode from the first moment. */
static int bind_with_mode(const struct socket_file *f, int fd, int directory, bool by_path)
{
    mode_t before = 0;
    if (f->mode_is_set)
        before = umask(~f->mode & 0777);
    int done = call_there(f, directory, by_path, fd, bind), err = errno;
    if (f->mode_is_set)
        umask(before);
    errno = err;
    return done;
}

/* Removes a socket, and nothing else. */
static void remove_socket(int directory, const char *name)
{
    struct stat st;
    if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISSOCK(st.st_mode))
        unlinkat(directory, name, 0);
}

/* The directory of that name, if it is one that we make. An fd to close, or -1 with errno. */
static int open_private_directory(const struct socket_file *f, const char *name)
{
    struct stat st;
    int fd = openat(f->place.dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_uid != geteuid() || st.st_mode & 077)) {
        fd_close(&fd);
        errno = PLACE_FOREIGN;
    }
    return fd;
}

/* What one of us left when it was killed. */
static void remove_private_directory(const struct socket_file *f, const char *name)
{
    int fd = open_private_directory(f, name);
    if (fd < 0)
        return;
    remove_socket(fd, f->place.name);
    unlinkat(f->place.dir, name, AT_REMOVEDIR);
    fd_close(&fd);
}

/* A directory of our own, 0700, beside the socket's place. An fd to close, or -1 with errno. */
static int make_private_directory(const struct socket_file *f, const char *name)
{
    remove_private_directory(f, name);
    if (mkdirat(f->place.dir, name, 0700) < 0)
        return -1;
    int fd = open_private_directory(f, name), err = errno;
    if (fd < 0)
        unlinkat(f->place.dir, name, AT_REMOVEDIR);
    errno = err;
    return fd;
}

static int give_to_owner(struct socket_file *f, int directory)
{
    const struct user *to = &f->owner;
    int fd = openat(directory, f->place.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int done = fd < 0 ? -1
                      : fchownat(fd, "", to->has_uid ? to->uid : (uid_t)-1, to->has_gid ? to->gid : (gid_t)-1,
                            AT_EMPTY_PATH);
    if (done == 0)
        done = fstat(fd, &f->made);
    fd_close(&fd);
    return done;
}

/* Never in place of another that has come. link(2) is for file systems that know no RENAME_NOREPLACE. */
static int give_name(const struct socket_file *f, int directory)
{
    enum { NOREPLACE = 1 };
    const char *name = f->place.name;
    long done = syscall(SYS_renameat2, directory, name, f->place.dir, name, NOREPLACE);
    if (done < 0 && (errno == ENOSYS || errno == EINVAL))
        done = linkat(directory, name, f->place.dir, name, 0);
    return (int)done;
}

/*
 * -o: in a directory that its owner can write, a name may be another file's by the time that we chown it. So
 * the socket is made and given away where nobody else can be, and gets its name when it is done.
 */
static int bind_for_owner(struct socket_file *f, int fd)
{
    char name[PLACE_NAME_SIZE];
    int directory = place_beside(&f->place, "new", name) ? make_private_directory(f, name) : -1;
    if (directory < 0)
        return -1;
    int done = bind_with_mode(f, fd, directory, false);
    bool bound = done == 0;
    if (done == 0)
        done = give_to_owner(f, directory);
    if (done == 0)
        done = give_name(f, directory);
    int err = errno;
    if (bound)
        unlinkat(directory, f->place.name, 0);
    unlinkat(f->place.dir, name, AT_REMOVEDIR);
    fd_close(&directory);
    errno = err;
    return done;
}

static int bind_here(struct socket_file *f, int fd)
{
    if (f->owner.has_uid || f->owner.has_gid)
        return bind_for_owner(f, fd);
    int done = bind_with_mode(f, fd, f->place.dir, !f->place.path_shared);
    f->is_made = done == 0;
    if (done == 0 && (done = place_look(&f->place, &f->made)) == 0 && f->made.st_uid != geteuid()) {
        f->is_made = false;
        errno = PLACE_FOREIGN;
        return -1;
    }
    return done;
}

void socket_file_bind(struct socket_file *f, int fd, int backlog)
{
    if (place_open(&f->place, f->path) < 0)
        exit(msg_fatal_file(f->msg, "open the directory of", f->path, errno));
    f->lock = lock_change(&f->place);
    if (f->lock < 0 && sigs_ending_came())
        sigs_die(sigs_take_ending(NULL));
    if (f->lock < 0)
        exit(msg_fatal_why(f->msg, EXIT_SYSTEM, "take the lock beside", f->path, lock_error(errno)));
    clear_path(f);
    if (bind_here(f, fd) < 0)
        die(f, "bind");
    f->is_made = true;
    if (backlog >= 0 && listen(fd, backlog) < 0)
        die(f, "listen on");
    lock_change_end(&f->place, &f->lock);
}
