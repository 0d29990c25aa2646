/*
 * status_page.c - see status_page.h.
 *
 * The page is written in one pwrite(2) of its whole size, which a reader may still see half done: so its
 * first and its last line carry the same number, and a reader looks again until they do.
 */
#include "process/status_page.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

enum { TRIES = 100 };

#define PAGE_NAME "ipcbox-status"

static const char target[] = "/memfd:" PAGE_NAME " (deleted)";

int status_page_open(void)
{
    struct rlimit most;
    errno = EFBIG; /* each write would raise SIGXFSZ */
    if (getrlimit(RLIMIT_FSIZE, &most) < 0 || most.rlim_cur < STATUS_PAGE_SIZE)
        return -1;
    return memfd_create(PAGE_NAME, MFD_CLOEXEC);
}

void status_page_write(int fd, const struct buf *lines)
{
    char mem[STATUS_PAGE_SIZE] = "";
    struct buf page = BUF(mem);
    if (fd < 0)
        return;
    unsigned long long version = (unsigned long long)clock_now();
    buf_fmt(&page, "begin=%llu\n", version);
    buf_bytes(&page, lines->mem, lines->len);
    buf_fmt(&page, "end=%llu\n", version);
    if (!page.cut && pwrite(fd, mem, sizeof mem, 0) < 0)
        return; /* the old one stays */
}

void status_page_count(int fd, const char *applet, const char *name, unsigned long long n)
{
    char mem[128];
    struct buf lines = BUF(mem);
    buf_fmt(&lines, "applet=%s\n%s=%llu\n", applet, name, n);
    status_page_write(fd, &lines);
}

static bool is_page(int directory, const char *name)
{
    char link[sizeof target];
    ssize_t n = readlinkat(directory, name, link, sizeof link);
    if (n >= 0)
        errno = ENOENT;
    return n == (ssize_t)sizeof target - 1 && memcmp(link, target, sizeof target - 1) == 0;
}

/*
 * Another process's descriptor may have become anything between two looks: it is opened for reading only once
 * a descriptor of ours (O_PATH, which has no effect on anything) is known to be such a memfd.
 */
static int open_page(int directory, const char *name)
{
    char mem[64];
    struct buf own = BUF(mem);
    int path = is_page(directory, name) ? openat(directory, name, O_PATH | O_CLOEXEC) : -1;
    if (path < 0)
        return -1;
    buf_fmt(&own, "/proc/self/fd/%d", path);
    int fd = is_page(AT_FDCWD, buf_str(&own)) ? open(mem, O_RDONLY | O_CLOEXEC) : -1;
    fd_close(&path);
    return fd;
}

/* -1 with errno: ENOENT where there is none. */
static int find_page(pid_t pid)
{
    char mem[64];
    struct buf path = BUF(mem);
    struct dirent *entry;
    int fd = -1, err = ENOENT;
    buf_fmt(&path, "/proc/%ld/fd", (long)pid);
    DIR *fds = opendir(buf_str(&path));
    if (!fds)
        return -1;
    while (fd < 0 && (errno = 0, entry = readdir(fds))) {
        fd = open_page(dirfd(fds), entry->d_name);
        if (fd < 0 && errno != ENOENT && errno != EINVAL) /* "." is no link */
            err = errno;
    }
    if (fd < 0 && errno && !entry)
        err = errno;
    closedir(fds);
    errno = err;
    return fd;
}

/* Takes the first and the last line off if they belong together. What is between, or -1. */
static ssize_t whole(char *text)
{
    char *lines = strchr(text, '\n'), *end = strstr(text, "\nend=");
    if (!lines || !end || strncmp(text, "begin=", 6) != 0)
        return -1;
    size_t n = (size_t)(lines - text) - 6;
    if (strncmp(text + 6, end + 5, n) != 0 || end[5 + n] != '\n')
        return -1;
    size_t length = (size_t)(end - lines);
    memmove(text, lines + 1, length);
    text[length] = '\0';
    return (ssize_t)length;
}

ssize_t status_page_read(pid_t pid, char text[static STATUS_PAGE_SIZE])
{
    int fd = find_page(pid), err = errno;
    ssize_t n = -1;
    for (int i = 0; fd >= 0 && n < 0 && i < TRIES; i++) {
        ssize_t got = pread(fd, text, STATUS_PAGE_SIZE - 1, 0);
        err = got < 0 ? errno : EPROTO;
        if (got < 0)
            break;
        text[got] = '\0';
        n = whole(text);
    }
    fd_close(&fd);
    errno = err;
    return n;
}
