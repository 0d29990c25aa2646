/*
 * keeper.c - see keeper.h.
 */
#include "net/keeper.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

#include "base/fd.h"
#include "net/addr_words.h"
#include "process/reap.h"
#include "process/worker.h"

enum { KEEPER_LOOK_MS = 5 };

void keeper_init(struct keeper *k, const struct msg *m)
{
    *k = (struct keeper){.fd = -1, .file = {.msg = m, .lock = -1, .place.dir = -1}};
}

void keeper_option(struct keeper *k, int row, const struct opts *o)
{
    enum keeper_row { SOCKET_FILE_OPTIONS(OPT_ENUM) };
    const char *wrong;
    switch ((enum keeper_row)row) {
    case OPT_OWNER:
        wrong = *o->arg == ':' ? user_parse_group(&k->file.owner, o->arg + 1)
                               : user_parse(&k->file.owner, o->arg);
        if (wrong)
            opts_wrong(o, wrong);
        break;
    case OPT_MODE:
        k->file.mode = opts_mode(o);
        k->file.mode_is_set = true;
        if (k->file.mode & ~0777U)
            opts_wrong(o, "a socket has no set-ID or sticky bit");
        break;
    }
}

bool keeper_was_asked(const struct keeper *k)
{
    return k->file.mode_is_set || k->file.owner.has_uid || k->file.owner.has_gid;
}

/* The keeper's work: when the server is gone, however, so is its file. A byte means an orderly exit. */
static int keep(void *arg)
{
    struct keeper *k = arg;
    char end;
    enum { PIPE, PLACE, FIRST_UNUSED };
    if (dup2(k->fd, PIPE) < 0 || dup2(k->file.place.dir, PLACE) < 0)
        return EXIT_SYSTEM;
    k->file.place.dir = PLACE;
    fd_close_from(FIRST_UNUSED);
    bool orderly = fd_read(PIPE, &end, 1) == 1;
    /* a dying process closes this pipe before or after its listener; it is dead once we have another parent
     */
    while (!orderly && getppid() == k->server)
        poll(NULL, 0, KEEPER_LOOK_MS);
    return socket_file_remove(&k->file, orderly) < 0 ? EXIT_SYSTEM : EXIT_DONE;
}

/* For -u: a process that keeps the right to remove the file and does nothing else. */
static void start_keeper(struct keeper *k)
{
    int fds[2] = {-1, -1};
    k->server = getpid();
    if (pipe2(fds, O_CLOEXEC) == 0) {
        k->fd = fds[0];
        k->pid = worker_keep(keep, k);
    }
    if (k->pid <= 0) {
        int err = errno;
        socket_file_remove(&k->file, true);
        msg_die(k->file.msg, EXIT_SYSTEM, "start the keeper of", k->file.path, err);
    }
    close(fds[0]);
    k->fd = fds[1];
}

int keeper_bind(struct keeper *k, int type, const char *path, int backlog, const struct user *user)
{
    addr_unix_operand(&k->file.address, k->file.msg, path);
    if (k->padded)
        k->file.address.len = sizeof k->file.address.u.un;
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        msg_die_sys(k->file.msg, "socket", NULL);
    if (type != SOCK_STREAM)
        backlog = -1;
    if (*path != '@') {
        k->file.path = path;
        socket_file_bind(&k->file, fd, backlog);
        if (user->has_uid || user->has_gid)
            start_keeper(k);
    } else if (bind(fd, &k->file.address.u.sa, k->file.address.len) < 0 ||
               (backlog >= 0 && listen(fd, backlog) < 0))
        msg_die_sys(k->file.msg, "bind", path);
    return fd;
}

int keeper_bind_beside(struct keeper *k, const char *path)
{
    struct addr own = {.len = 0};
    char mem[ADDR_UNIX_MAX + 1] = ".";
    struct buf directory = BUF(mem);
    const char *slash = strrchr(path, '/');
    char *here = *path == '/' ? NULL : getcwd(NULL, 0), *name = NULL;
    if (slash)
        buf_bytes(&directory, path, (size_t)(slash + 1 - path));
    bool may = *path != '@' && access(slash ? buf_str(&directory) : mem, W_OK) == 0 &&
               asprintf(&name, "%s%s%s.%d", here ? here : "", here ? "/" : "", path, (int)getpid()) > 0 &&
               strlen(name) <= ADDR_UNIX_MAX && *name == '/' && (here || *path == '/');
    free(here);
    if (!may) {
        free(name);
        return -1;
    }
    k->file.mode = 0666; /* for a server that is another user */
    k->file.mode_is_set = true;
    int fd = keeper_bind(k, SOCK_DGRAM, name, -1, &(struct user){0}); /* name stays with it */
    if (addr_local(&own, fd) < 0 || *own.u.un.sun_path != '/') {
        keeper_remove(k);
        fd_close(&fd);
    }
    return fd;
}

static void say_left(struct keeper *k, const char *why)
{
    msg_error_why(k->file.msg, "remove", k->file.path, why);
    k->left = true;
}

void keeper_remove(struct keeper *k)
{
    if (k->pid > 0) {
        fd_write(k->fd, "", 1);
        fd_close(&k->fd);
        int end = reap_wait(k->pid); /* -1: it has been reaped before, as it ended without being told */
        if (end)
            say_left(k, end > 0 && WIFEXITED(end) ? "its keeper could not" : "its keeper was killed");
    } else if (k->file.is_made && socket_file_remove(&k->file, true) < 0) {
        say_left(k, place_error(errno));
    }
    k->pid = 0;
    k->file.is_made = false;
}
