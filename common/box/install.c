/*
 * install.c - see install.h.
 */
#include "box/install.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/applet.h"
#include "base/fd.h"

/* The i-th link's name: the applets', then our own. */
static const char *link_name(const struct install *in, size_t i, char mem[static NAME_MAX + 1])
{
    bool own = i == applet_count();
    struct buf b = {.mem = mem, .size = NAME_MAX + 1};
    buf_fmt(&b, "%s%s", own ? "" : in->prefix, own ? "ipcbox" : applet_at(i)->cli->name);
    return buf_str(&b);
}

static size_t link_count(void)
{
    return applet_count() + 1;
}

/* Whether the i-th has a link at all. */
static bool has_link(size_t i)
{
    return i == applet_count() || !applet_at(i)->cli->is_inner;
}

/*
 * Whether `name` needs no link: it is this very file, which a symbolic link would replace by itself, or it is
 * our own name and leads here already.
 */
static bool is_here(const struct install *in, const char *name)
{
    struct stat self, there;
    const char *own_name = strrchr(in->self, '/');
    if (stat(in->self, &self) < 0 || fstatat(in->dir, name, &there, 0) < 0)
        return false;
    bool same = self.st_dev == there.st_dev && self.st_ino == there.st_ino;
    bool itself = own_name && !strcmp(own_name + 1, name) &&
                  fstatat(in->dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(there.st_mode);
    return same && (itself || (!in->force && !strcmp(name, "ipcbox")));
}

/* One link, under a name of its own that then replaces what is there if that was asked for. */
static int make_link(const struct install *in, const char *name)
{
    char temporary[NAME_MAX + 1];
    buf_fmt(&BUF(temporary), ".%.200s.%ld", name, (long)getpid());
    const char *first = in->force ? temporary : name;
    int made =
        in->symbolic ? symlinkat(in->self, in->dir, first) : linkat(AT_FDCWD, in->self, in->dir, first, 0);
    if (made < 0 || !in->force)
        return made;
    struct stat ours, there;
    if (fstatat(in->dir, temporary, &ours, AT_SYMLINK_NOFOLLOW) == 0 &&
        fstatat(in->dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && ours.st_dev == there.st_dev &&
        ours.st_ino == there.st_ino)
        return unlinkat(in->dir, temporary, 0); /* rename(2) leaves both when they are one file already */
    if (renameat(in->dir, temporary, in->dir, name) == 0)
        return 0;
    int err = errno;
    unlinkat(in->dir, temporary, 0);
    errno = err;
    return -1;
}

/* The first name that is taken, or NULL. */
static const char *find_taken(const struct install *in, char mem[static NAME_MAX + 1])
{
    struct stat st;
    for (size_t i = 0; i < link_count(); i++) {
        const char *name = link_name(in, i, mem);
        if (has_link(i) && fstatat(in->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !is_here(in, name))
            return name;
    }
    return NULL;
}

static int make_links(const struct install *in)
{
    char mem[NAME_MAX + 1];
    bool made[256] = {false}; /* not what was there */
    const char *taken = in->force ? NULL : find_taken(in, mem);
    if (taken) {
        msg_error(in->msg, "install", taken, EEXIST);
        return EXIT_SYSTEM;
    }
    for (size_t i = 0; i < link_count(); i++) {
        const char *name = link_name(in, i, mem);
        if (!has_link(i) || is_here(in, name))
            continue;
        if (make_link(in, name) == 0) {
            made[i % sizeof made] = true;
            continue;
        }
        msg_error(in->msg, "install", name, errno);
        while (!in->force && i-- > 0)
            if (made[i % sizeof made])
                unlinkat(in->dir, link_name(in, i, mem), 0);
        return EXIT_SYSTEM;
    }
    return EXIT_DONE;
}

/*
 * Makes `dir` and what is missing above it. *kept: the length of the part that was there, so that
 * remove_directories can take back the rest.
 */
static int make_directories(const char *dir, size_t *kept)
{
    char path[PATH_MAX];
    size_t n = strlen(dir);
    *kept = n;
    if (n >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (size_t i = 1; i <= n; i++) {
        if (i < n && dir[i] != '/')
            continue;
        memcpy(path, dir, i);
        path[i] = '\0';
        int err = mkdir(path, 0777) < 0 ? errno : 0;
        if (!err && *kept == n)
            *kept = i - 1;
        if (err && err != EEXIST && access(path, F_OK) < 0)
            return errno = err, -1;
    }
    return 0;
}

static void remove_directories(const char *dir, size_t kept)
{
    char path[PATH_MAX];
    for (size_t n = strlen(dir); n > kept && n < sizeof path; n--) {
        if (n < strlen(dir) && dir[n] != '/')
            continue;
        memcpy(path, dir, n);
        path[n] = '\0';
        rmdir(path);
    }
}

int install_links(struct install *in, const char *dir)
{
    size_t kept = strlen(dir);
    ssize_t n = readlink("/proc/self/exe", in->self, sizeof in->self - 1);
    if (n < 0)
        return msg_fatal(in->msg, EXIT_SYSTEM, "readlink", "/proc/self/exe", errno);
    in->self[n] = '\0';
    if (in->make_dir && make_directories(dir, &kept) < 0) {
        int status = msg_fatal(in->msg, EXIT_SYSTEM, "mkdir", dir, errno);
        remove_directories(dir, kept);
        return status;
    }
    in->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int status = in->dir < 0 ? msg_fatal(in->msg, EXIT_SYSTEM, "open", dir, errno) : make_links(in);
    if (in->dir >= 0)
        fd_close(&in->dir);
    if (status != EXIT_DONE && !in->force)
        remove_directories(dir, kept);
    return status;
}
