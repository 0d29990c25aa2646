/*
 * lines.c - see lines.h.
 */
#include "status/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/fd.h"
#include "base/num.h"
#include "process/procs.h"

static const char digits[] = "0123456789abcdef";

int lines_open(struct lines *l, const char *path)
{
    l->at = l->len = 0;
    l->err = 0;
    l->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (l->fd >= 0)
        return 1;
    return procs_is_out_of_reach(errno) ? 0 : -1;
}

/* A line that does not fit is cut where the memory ends; its rest is taken for another. */
char *lines_next(struct lines *l)
{
    for (;;) {
        char *line = l->mem + l->at, *end = memchr(line, '\n', l->len - l->at);
        if (!end && l->at) {
            memmove(l->mem, line, l->len -= l->at);
            l->at = 0;
            continue;
        }
        ssize_t n = end || l->err || l->len == sizeof l->mem - 1
                        ? 0
                        : fd_read(l->fd, l->mem + l->len, sizeof l->mem - 1 - l->len);
        if (n > 0) {
            l->len += (size_t)n;
            continue;
        }
        if (n < 0) {
            l->err = errno;
            l->len = 0;
        }
        if (!end && !l->len)
            return NULL;
        end = end ? end : l->mem + l->len;
        l->at = (size_t)(end - l->mem) + (end < l->mem + l->len);
        *end = '\0';
        return line;
    }
}

int lines_close(struct lines *l)
{
    fd_close(&l->fd);
    if (l->err)
        errno = l->err; /* else the caller's stays */
    return l->err ? -1 : 0;
}

const char *lines_word(const char *line, int n)
{
    line += strspn(line, " \t");
    while (n--) {
        line += strcspn(line, " \t\n");
        line += strspn(line, " \t");
    }
    return line;
}

void lines_copy(const char *text, char *word, size_t size)
{
    size_t n = strcspn(text, " \t\n");
    n = n < size ? n : size - 1;
    memcpy(word, text, n);
    word[n] = '\0';
}

uint64_t lines_hex(const char *text)
{
    uint64_t n = 0;
    for (const char *digit; *text && (digit = strchr(digits, *text | ' ')); text++)
        n = n << 4 | (uint64_t)(digit - digits);
    return n;
}

uint64_t lines_number(const char *text)
{
    uint64_t n = 0;
    return num_u64n(text, strspn(text, "0123456789"), 0, UINT64_MAX, &n) ? n : 0;
}
