/*
 * logfile.c - see logfile.h.
 */
#include "io/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/msg.h"
#include "base/num.h"
#include "base/speak.h"

enum { RETRY_MS = 500, SYSLOG_RETRY_MS = 10, STAMP = sizeof "2001-09-09T01:46:40.123456Z" };
enum { PID_DIGITS = 10, HEAD = PID_DIGITS + STAMP }; /* what a line may need beside its bytes */
static const char fresh_suffix[] = "new";

static int open_for_appending(const struct place *p, int flags, mode_t mode)
{
    /* a FIFO that nobody reads is an error, not a wait */
    int fd = place_file(p, O_WRONLY | O_APPEND | O_NONBLOCK | flags, mode);
    if (fd >= 0 && fd_set_nonblock(fd, false) < 0)
        fd_close(&fd);
    return fd;
}

/* A new file at p, with the owner and the mode of the old one. -1 with errno: then it is gone again. */
static int make_alike(const struct place *p, const struct stat *old)
{
    struct stat st;
    int fd = place_file(p, O_WRONLY | O_APPEND | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        return -1;
    bool same = fstat(fd, &st) == 0 && st.st_uid == old->st_uid && st.st_gid == old->st_gid;
    if ((same || fchown(fd, old->st_uid, old->st_gid) == 0) && fchmod(fd, old->st_mode & 07777) == 0)
        return fd;
    int err = errno;
    unlinkat(p->dir, p->name, 0);
    fd_close(&fd);
    errno = err;
    return -1;
}

/* What is at the path, or a new one, with `old` like that. */
static int open_or_make(const struct place *p, const struct stat *old)
{
    int fd = open_for_appending(p, old ? 0 : O_CREAT, 0644);
    return fd < 0 && errno == ENOENT && old ? make_alike(p, old) : fd;
}

static int open_path(struct logfile *l)
{
    struct place place;
    struct stat st;
    bool has_old = l->fd >= 0 && l->is_file && fstat(l->fd, &st) == 0;
    if (place_open(&place, l->path) < 0)
        return -1;
    int fd = open_or_make(&place, has_old ? &st : NULL);
    if (fd < 0) {
        int err = errno;
        place_close(&place);
        errno = err;
        return -1;
    }
    place_close(&l->place);
    l->place = place;
    fd_close(&l->fd);
    l->fd = fd;
    l->is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    l->size = l->is_file ? (uint64_t)st.st_size : 0;
    l->rotate = false; /* that was asked of the old one */
    return 0;
}

void logfile_init(struct logfile *l)
{
    *l = (struct logfile){.fd = -1, .place.dir = -1};
}

int logfile_open(struct logfile *l)
{
    char name[PLACE_NAME_SIZE];
    l->buffer = malloc(LOGFILE_BUFFER);
    if (l->buffer && l->syslog.facility)
        return (l->fd = devlog_open()) < 0 ? -1 : 0;
    if (!l->buffer || open_path(l) < 0)
        return -1;
    if (!l->limit || !l->keep || place_beside(&l->place, fresh_suffix, name))
        return 0;
    fd_close(&l->fd);
    return -1;
}

int logfile_reopen(struct logfile *l)
{
    return l->syslog.facility ? 0 : open_path(l);
}

void logfile_ask_rotation(struct logfile *l)
{
    struct stat st;
    if (l->is_file && fstat(l->fd, &st) == 0)
        l->size = (uint64_t)st.st_size; /* others may have truncated it */
    l->rotate = l->is_file && l->size;
}

static const char *numbered(const struct logfile *l, unsigned n, struct buf *b)
{
    b->len = 0;
    b->cut = false;
    buf_text(b, l->place.name);
    if (n)
        buf_fmt(b, ".%u", n);
    return buf_str(b);
}

int logfile_open_rotated(const struct logfile *l, unsigned n, struct buf *path)
{
    char mem[PLACE_NAME_SIZE];
    struct buf name = BUF(mem);
    struct place p = l->place;
    p.name = numbered(l, n, &name);
    buf_text(path, l->path);
    if (n)
        buf_fmt(path, ".%u", n);
    return place_file(&p, O_RDONLY | O_NONBLOCK, 0);
}

/* FILE.1 becomes FILE.2, and so on, FILE becomes FILE.1, and the new one FILE. 0, or -1 with errno. */
static int shift(const struct logfile *l, const char *fresh)
{
    char from_mem[PLACE_NAME_SIZE], to_mem[PLACE_NAME_SIZE];
    struct buf from = BUF(from_mem), to = BUF(to_mem);
    int dir = l->place.dir;
    for (unsigned n = l->keep; n-- > 0;) {
        struct place old = {.dir = dir, .name = numbered(l, n, &from), .shared = l->place.shared};
        struct stat st;
        if (place_look(&old, &st) < 0)
            continue;
        if (!place_is_trusted(&old, &st) || renameat(dir, old.name, dir, numbered(l, n + 1, &to)) < 0)
            return -1;
    }
    return renameat(dir, fresh, dir, l->place.name);
}

/*
 * The new file is there before any old one is moved: a failure costs none. One that was left by a monitor
 * that was killed just here makes way. 0, or -1 with errno.
 */
static int rotate(struct logfile *l)
{
    char name[PLACE_NAME_SIZE];
    struct place fresh = {.dir = l->place.dir, .name = name, .shared = l->place.shared};
    struct stat old;
    l->size = 0; /* after a failure the next try is as far away as the next rotation */
    l->rotate = false;
    if (!l->keep)
        return ftruncate(l->fd, 0);
    if (fstat(l->fd, &old) < 0 || !place_beside(&l->place, fresh_suffix, name))
        return -1;
    place_discard(&fresh); /* left by a monitor that was killed here */
    int fd = make_alike(&fresh, &old);
    if (fd < 0)
        return -1;
    if (shift(l, name) < 0) {
        int err = errno;
        unlinkat(fresh.dir, name, 0);
        fd_close(&fd);
        errno = err;
        return -1;
    }
    fd_close(&l->fd);
    l->fd = fd;
    return 0;
}

/* For a line, beside its head. */
static size_t room(const struct logfile *l)
{
    size_t left = LOGFILE_BUFFER - l->len;
    return left > HEAD ? left - HEAD : 0;
}

/* How many of the bytes to write now: whole lines, or a piece of one that is too long to keep. */
static size_t portion(const struct logfile *l, bool all)
{
    const char *bytes = l->buffer + l->start;
    const char *newline = memrchr(bytes, '\n', l->len);
    if (all || (!newline && !room(l)))
        return l->len;
    return newline ? (size_t)(newline - bytes) + 1 : 0;
}

/* As much of n bytes as fits before the next rotation, by whole lines; at least one line. */
static size_t before_rotation(const struct logfile *l, size_t n)
{
    const char *bytes = l->buffer + l->start;
    if (!l->limit || l->size + n <= l->limit)
        return n;
    size_t fits = l->size < l->limit ? (size_t)(l->limit - l->size) : 0;
    const char *newline = fits && fits < n ? memrchr(bytes, '\n', fits) : NULL;
    if (!newline)
        newline = memchr(bytes, '\n', n);
    return newline ? (size_t)(newline - bytes) + 1 : n;
}

/* A line that the log could not take whole is not waited for: to rotate may be what makes room. */
static bool must_rotate(const struct logfile *l, size_t n, bool stalled)
{
    if (!l->is_file || !l->size || (l->in_line && !(stalled && l->rotate)))
        return false;
    return l->rotate || (l->limit && l->size + n > l->limit);
}

static void rotate_now(struct logfile *l)
{
    if (rotate(l) < 0) /* the old one grows on */
        l->rotate_error = errno;
    else
        l->rotated++;
}

/* Each line has the pid of who wrote it, who may have had a successor by now. */
static ssize_t write_syslog(struct logfile *l, const char *bytes, size_t n)
{
    struct devlog d = l->syslog;
    size_t head = l->in_line ? 0 : PID_DIGITS;
    uint64_t pid;
    if (head && num_u64n(bytes, head, 0, INT32_MAX, &pid))
        l->line_pid = (pid_t)pid;
    d.pid = l->line_pid;
    ssize_t done = devlog_line(l->fd, &d, LOG_INFO, bytes + head, n - head);
    return done < 0 ? -1 : (ssize_t)head + done;
}

static ssize_t write_some(struct logfile *l, size_t n)
{
    const char *bytes = l->buffer + l->start;
    if (l->syslog.facility)
        return write_syslog(l, bytes, n);
    return l->is_file ? fd_write(l->fd, bytes, n) : speak_now(l->fd, bytes, n);
}

/* A logger that reads makes room soon; for all else, and for one that does not, the pauses grow. */
static int note_error(struct logfile *l)
{
    const int64_t longest = RETRY_MS * CLOCK_MS;
    l->error = errno;
    l->pause = l->syslog.facility ? clock_first(2 * l->pause + SYSLOG_RETRY_MS * CLOCK_MS, longest) : longest;
    l->retry_at = clock_in(l->pause);
    return -1;
}

int logfile_flush(struct logfile *l, bool all)
{
    size_t left = portion(l, all);
    const bool stalled = l->error != 0;
    l->error = 0;
    while (left) {
        size_t n = before_rotation(l, left);
        if (must_rotate(l, n, stalled)) {
            rotate_now(l);
            n = before_rotation(l, left);
        }
        ssize_t done = write_some(l, n);
        if (done < 0)
            return note_error(l);
        l->pause = 0;
        l->in_line = done && l->buffer[l->start + (size_t)done - 1] != '\n';
        l->start += (size_t)done;
        l->len -= (size_t)done;
        l->size += (uint64_t)done;
        left -= (size_t)done;
    }
    if (l->rotate && must_rotate(l, 0, stalled))
        rotate_now(l);
    return 0;
}

static void move_to_front(struct logfile *l)
{
    if (l->start && l->len)
        memmove(l->buffer, l->buffer + l->start, l->len);
    l->start = 0;
}

static bool is_in_line(const struct logfile *l)
{
    return l->len ? l->buffer[l->len - 1] != '\n' : l->in_line;
}

static bool has_heads(const struct logfile *l)
{
    return l->with_time || l->syslog.facility;
}

static void add_head(const struct logfile *l, struct buf *b)
{
    if (l->syslog.facility)
        buf_fmt(b, "%0*ld", PID_DIGITS, (long)l->syslog.pid);
    if (l->with_time) {
        msg_timestamp(b);
        buf_char(b, ' ');
    }
}

/* There is room for all of it; move_to_front has been called. */
static void add(struct logfile *l, const char *bytes, size_t n)
{
    while (n) {
        const char *newline = has_heads(l) ? memchr(bytes, '\n', n) : NULL;
        size_t part = newline ? (size_t)(newline - bytes) + 1 : n;
        struct buf b = {.mem = l->buffer, .len = l->len, .size = LOGFILE_BUFFER};
        if (!is_in_line(l))
            add_head(l, &b);
        buf_bytes(&b, bytes, part);
        l->len = b.len;
        bytes += part;
        n -= part;
    }
}

int logfile_say(struct logfile *l, const char *line, size_t n)
{
    move_to_front(l);
    if (room(l) < n + 1) {
        errno = ENOBUFS;
        return -1;
    }
    if (is_in_line(l))
        l->buffer[l->len++] = '\n';
    add(l, line, n);
    logfile_flush(l, false);
    return 0;
}

int logfile_take(struct logfile *l, int from)
{
    char bytes[16 * 1024];
    move_to_front(l);
    size_t most = has_heads(l) ? room(l) / (HEAD + 1) : room(l); /* each byte may be a line */
    bool drops = !most && l->syslog.facility;
    if (!most && room(l))
        most = 1;
    if (!most && !drops) {
        errno = EAGAIN;
        return -1;
    }
    ssize_t n = fd_read(from, bytes, drops || most > sizeof bytes ? sizeof bytes : most);
    if (n <= 0)
        return (int)n;
    if (drops)
        l->dropped += (size_t)n;
    else
        add(l, bytes, (size_t)n);
    logfile_flush(l, false);
    return 1;
}

size_t logfile_make_room(struct logfile *l, size_t n)
{
    char tail[4096];
    struct stat st;
    if (fstat(l->fd, &st) < 0 || !S_ISREG(st.st_mode))
        return 0;
    off_t from = st.st_size > (off_t)sizeof tail ? st.st_size - (off_t)sizeof tail : 0;
    char name[64];
    struct buf self = BUF(name); /* the very file: the path may name another by now */
    buf_fmt(&self, "/proc/self/fd/%d", l->fd);
    int fd = open(buf_str(&self), O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : pread(fd, tail, sizeof tail, from);
    fd_close(&fd);
    if (got < (ssize_t)n)
        return 0;
    const char *newline = memrchr(tail, '\n', (size_t)got - n);
    off_t end = newline ? from + (newline - tail) + 1 : from;
    return ftruncate(l->fd, end) < 0 ? 0 : (size_t)(st.st_size - end);
}
