/*
 * relay.c - see relay.h.
 */
#include "io/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/speak.h"

enum {
    PIECES = 16,         /* in one step, so that no direction starves another */
    PIECE_MAX = 1 << 20, /* asked of the kernel at a time */
    PIECE_SMALL = 4096,  /* a piece below this was all there was */
    PIPE_SIZE = 1 << 20, /* asked for a pipe that is filled or emptied without a copy, once as much has moved;
                            what we get will do. A user's idle pipes must leave room for others (pipe(7)) */
};

static enum pump_kind kind_of(int fd)
{
    struct stat st;
    unsigned number;
    if (fd < 0 || fstat(fd, &st) < 0)
        return PUMP_OTHER;
    if (S_ISCHR(st.st_mode) && ioctl(fd, TIOCGPTN, &number) == 0)
        return PUMP_MASTER;
    return S_ISREG(st.st_mode)    ? PUMP_FILE
           : S_ISFIFO(st.st_mode) ? PUMP_PIPE
           : S_ISSOCK(st.st_mode) ? PUMP_SOCKET
                                  : PUMP_OTHER;
}

static bool is_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && flags & O_NONBLOCK;
}

/* Whether splice(2) takes it as a target: not a file whose writes go to its end. */
static bool takes_splice(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && !(flags & O_APPEND);
}

void pump_init(struct pump *p, int from, int to)
{
    *p = (struct pump){.from = from, .to = to, .from_kind = kind_of(from), .to_kind = kind_of(to)};
    /* a socket on the other side of a copy-free way waits by its own flag alone */
    bool to_pipe = p->to_kind == PUMP_PIPE && (p->from_kind != PUMP_SOCKET || is_nonblocking(from));
    bool to_socket = p->to_kind == PUMP_SOCKET && is_nonblocking(to);
    bool to_file = p->to_kind == PUMP_FILE;
    if (p->from_kind == PUMP_FILE && (to_socket || to_file))
        p->way = PUMP_SENDFILE;
    else if ((p->from_kind == PUMP_PIPE && (to_socket || to_pipe || to_file)) ||
             (p->from_kind == PUMP_SOCKET && to_pipe) || (p->from_kind == PUMP_FILE && to_pipe))
        p->way = PUMP_SPLICE;
    p->may_pipe = p->from_kind == PUMP_SOCKET && to_file && is_nonblocking(from) && takes_splice(to);
    p->can_read = p->from_kind == PUMP_FILE || p->way != PUMP_COPY;
    p->can_write = p->to_kind == PUMP_FILE || p->to_kind == PUMP_SOCKET || p->way != PUMP_COPY;
}

int pump_init_half(struct pump *p, int from, int to)
{
    *p = (struct pump){.from = from, .to = to, .from_kind = kind_of(from), .to_kind = kind_of(to)};
    p->can_read = p->from_kind == PUMP_FILE;
    p->can_write = p->to_kind == PUMP_FILE || p->to_kind == PUMP_SOCKET;
    p->buffer = malloc(PUMP_BUFFER);
    return p->buffer ? 0 : -1;
}

void pump_free(struct pump *p)
{
    free(p->buffer);
    p->buffer = NULL;
    if (p->has_pipe) {
        close(p->pipe[0]);
        close(p->pipe[1]);
        p->has_pipe = false;
    }
}

bool pump_is_empty(const struct pump *p)
{
    return !p->len && !p->inside;
}

static enum pump_state fail(struct pump *p, bool target)
{
    p->failed = target ? PUMP_TARGET : PUMP_SOURCE;
    return PUMP_ERROR;
}

/* Whose error an error of a two-ended call is. */
static bool is_targets(const struct pump *p, int err)
{
    if (err == EPIPE || err == ENOSPC || err == EDQUOT || err == EFBIG)
        return true;
    return p->to_kind == PUMP_SOCKET && p->from_kind != PUMP_SOCKET && err != EIO;
}

/* As much of n bytes as may still be read. */
static size_t within_limit(const struct pump *p, size_t n)
{
    return p->limited && p->left < n ? (size_t)p->left : n;
}

/* Not these two kinds of file, not this kernel, not under this seccomp filter. */
static bool wants_copy(int err)
{
    return err == EINVAL || err == ENOSYS || err == EOPNOTSUPP || err == EPERM;
}

/*
 * A two-ended call would have had to wait. It does not tell for which end: it is taken to be the one of last
 * time, and the other one if that has been ready in the meantime and yet nothing moved.
 */
static enum pump_state wait_for_one_end(struct pump *p)
{
    p->target_full = p->from_kind == PUMP_FILE || p->target_full != p->stuck;
    p->stuck = true;
    p->can_read = p->target_full;
    p->can_write = !p->target_full;
    return PUMP_WAIT;
}

/* One piece inside the kernel. */
static enum pump_state move_piece(struct pump *p)
{
    size_t piece = within_limit(p, PIECE_MAX);
    if (!piece)
        return PUMP_END;
    ssize_t n = p->way == PUMP_SENDFILE
                    ? sendfile(p->to, p->from, NULL, piece)
                    : splice(p->from, NULL, p->to, NULL, piece, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (n > 0) {
        p->moved += (uint64_t)n;
        p->left -= p->limited ? (uint64_t)n : 0;
        p->stuck = false;
        if (n < PIECE_SMALL && p->from_kind != PUMP_FILE)
            p->can_read = false;
        return PUMP_AGAIN;
    }
    if (n == 0)
        return PUMP_END;
    if (errno == EINTR)
        return PUMP_AGAIN;
    if (errno == EAGAIN)
        return wait_for_one_end(p);
    if (!wants_copy(errno))
        return fail(p, is_targets(p, errno));
    p->way = PUMP_COPY;
    p->can_read = p->from_kind == PUMP_FILE;
    p->can_write = p->to_kind == PUMP_FILE || p->to_kind == PUMP_SOCKET;
    return PUMP_AGAIN;
}

/* ---- from a socket by a pipe of our own to a file ---- */

static void make_pipe(struct pump *p)
{
    if (pipe2(p->pipe, O_CLOEXEC) < 0)
        return;
    p->has_pipe = true;
    p->way = PUMP_PIPED;
    fcntl(p->pipe[0], F_SETPIPE_SZ, PIPE_SIZE);
}

/* Much has moved, so much is likely to come: larger pipes, also of our own. */
static void grow(struct pump *p)
{
    p->has_grown = true;
    if (p->way == PUMP_SPLICE) { /* what is no pipe stays as it is */
        fcntl(p->from, F_SETPIPE_SZ, PIPE_SIZE);
        fcntl(p->to, F_SETPIPE_SZ, PIPE_SIZE);
    }
    if (p->may_pipe)
        make_pipe(p);
}

/* Fills the pipe, or empties it. */
static enum pump_state move_by_pipe(struct pump *p)
{
    bool out = p->inside;
    size_t piece = out ? p->inside : within_limit(p, PIPE_SIZE);
    if (!piece)
        return PUMP_END;
    if (!out && !p->can_read)
        return PUMP_WAIT;
    ssize_t n = out ? splice(p->pipe[0], NULL, p->to, NULL, piece, SPLICE_F_MOVE)
                    : splice(p->from, NULL, p->pipe[1], NULL, piece, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
    if (n > 0 && out) {
        p->inside -= (size_t)n;
        p->moved += (uint64_t)n;
    } else if (n > 0) {
        p->inside = (size_t)n;
        p->left -= p->limited ? (uint64_t)n : 0;
        p->can_read = n >= PIECE_SMALL;
    }
    if (n > 0 || (n < 0 && errno == EINTR))
        return PUMP_AGAIN;
    if (n == 0 && !out)
        return PUMP_END;
    if (n < 0 && errno == EAGAIN && !out) { /* the pipe is empty, so it is the socket */
        p->can_read = false;
        return PUMP_WAIT;
    }
    if (n < 0 && errno != EAGAIN && !wants_copy(errno))
        return fail(p, out);
    p->way = PUMP_COPY;
    return PUMP_AGAIN;
}

/* What is in the pipe, and did not come out of it like that. */
static enum pump_state take_out(struct pump *p)
{
    ssize_t n = read(p->pipe[0], p->buffer, PUMP_BUFFER);
    if (n <= 0)
        return n < 0 && errno == EINTR ? PUMP_AGAIN : fail(p, false);
    p->start = 0;
    p->len = (size_t)n;
    p->inside -= (size_t)n;
    return PUMP_AGAIN;
}

enum pump_state pump_fill(struct pump *p)
{
    if (!p->can_read)
        return PUMP_WAIT;
    if (!p->buffer && !(p->buffer = malloc(PUMP_BUFFER)))
        return fail(p, false);
    if (p->start && p->len)
        memmove(p->buffer, p->buffer + p->start, p->len);
    p->start = 0;
    char *behind = p->buffer + p->len;
    size_t room = within_limit(p, PUMP_BUFFER - p->len);
    if (!room)
        return PUMP_END;
    ssize_t n =
        p->from_kind == PUMP_SOCKET ? recv(p->from, behind, room, MSG_DONTWAIT) : read(p->from, behind, room);
    if (n == 0 || (n < 0 && errno == EIO && p->from_kind == PUMP_MASTER))
        return PUMP_END;
    if (n < 0 && errno != EAGAIN)
        return errno == EINTR ? PUMP_AGAIN : fail(p, false);
    /* a socket says by itself when it has no more; of all else but files poll must say that there is more */
    p->can_read = p->from_kind == PUMP_FILE || (p->from_kind == PUMP_SOCKET && n >= PIECE_SMALL);
    if (n < 0)
        return PUMP_WAIT;
    p->left -= p->limited ? (uint64_t)n : 0;
    p->len += (size_t)n;
    return PUMP_AGAIN;
}

enum pump_state pump_drain(struct pump *p)
{
    if (!p->can_write)
        return PUMP_WAIT;
    const char *bytes = p->buffer + p->start;
    /* whatever poll has said, a terminal may take less, and another writer may have filled a pipe */
    size_t n = p->len < PIPE_BUF ? p->len : PIPE_BUF;
    ssize_t done = p->to_kind == PUMP_FILE     ? write(p->to, bytes, p->len)
                   : p->to_kind == PUMP_SOCKET ? send(p->to, bytes, p->len, MSG_DONTWAIT | MSG_NOSIGNAL)
                                               : speak_now(p->to, bytes, n);
    if (done < 0 && errno != EAGAIN)
        return errno == EINTR ? PUMP_AGAIN : fail(p, true);
    p->can_write = done > 0 && (p->to_kind == PUMP_FILE || p->to_kind == PUMP_SOCKET);
    if (done <= 0)
        return PUMP_WAIT;
    p->start += (size_t)done;
    p->len -= (size_t)done;
    p->moved += (uint64_t)done;
    return PUMP_AGAIN;
}

static enum pump_state step_once(struct pump *p)
{
    if (p->limited && !p->left && pump_is_empty(p))
        return PUMP_END;
    if (p->way == PUMP_COPY && p->len)
        return pump_drain(p);
    if (p->way == PUMP_COPY && p->inside)
        return take_out(p);
    if (p->moved >= PIPE_SIZE && !p->has_grown)
        grow(p);
    if (p->way == PUMP_COPY)
        return pump_fill(p);
    if (p->way == PUMP_PIPED)
        return move_by_pipe(p);
    return p->can_read && p->can_write ? move_piece(p) : PUMP_WAIT;
}

enum pump_state pump_step(struct pump *p)
{
    enum pump_state state = PUMP_AGAIN;
    for (int i = 0; i < PIECES && state == PUMP_AGAIN; i++)
        state = step_once(p);
    return state;
}

void pump_polls(const struct pump *p, struct pollfd polls[static 2])
{
    bool copy = p->way == PUMP_COPY;
    bool read = copy ? !p->len : !p->can_read;
    if (p->to < 0)
        read = !p->paused;
    bool write = copy ? p->len > 0 : !p->can_write;
    polls[0] = (struct pollfd){.fd = read ? p->from : -1, .events = POLLIN};
    polls[1] = (struct pollfd){.fd = write ? p->to : -1, .events = POLLOUT};
}

void pump_ready(struct pump *p, const struct pollfd polls[static 2])
{
    if (polls[0].fd >= 0 && polls[0].revents)
        p->can_read = true;
    if (polls[1].fd >= 0 && polls[1].revents)
        p->can_write = true;
}
