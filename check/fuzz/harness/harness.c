/*
 * harness.c - see fuzz.h. The linker leads exit(3), open(2) and speak() here (-Wl,--wrap): a call that would
 * end the process comes back, files of /proc are the target's, and every message is looked at and not
 * written.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES = 8 };

static struct {
    bool armed;
    jmp_buf back;
    int status;
    const char *forbidden;
    bool json;
    char dir[128];
    size_t files;
    struct {
        const char *path;
        const void *bytes;
        size_t n;
    } file[FILES];
} state;

void fuzz_fail(const char *what, const char *file, int line)
{
    fprintf(stderr, "fuzz: %s:%d: %s\n", file, line, what);
    abort();
}

unsigned fuzz_byte(struct input *in)
{
    if (!in->left)
        return 0;
    in->left--;
    return *in->at++;
}

uint64_t fuzz_number(struct input *in, unsigned n)
{
    uint64_t number = 0;
    while (n--)
        number = number << 8 | fuzz_byte(in);
    return number;
}

uint8_t *fuzz_bytes(struct input *in, size_t n, size_t *got)
{
    *got = n < in->left ? n : in->left;
    uint8_t *bytes = malloc(*got ? *got : 1);
    MUST(bytes);
    memcpy(bytes, in->at, *got);
    in->at += *got;
    in->left -= *got;
    return bytes;
}

char *fuzz_text(struct input *in, size_t n)
{
    size_t most = n < in->left ? n : in->left, len = 0;
    while (len < most && in->at[len] && in->at[len] != '\n')
        len++;
    char *text = malloc(len + 1);
    MUST(text);
    memcpy(text, in->at, len);
    text[len] = '\0';
    size_t skip = len < most ? len + 1 : len;
    in->at += skip;
    in->left -= skip;
    return text;
}

int fuzz_memory_file(const void *bytes, size_t n)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    MUST(fd >= 0 && fchmod(fd, 0600) == 0 && pwrite(fd, bytes, n, 0) == (ssize_t)n);
    return fd;
}

static void remove_dir(void)
{
    rmdir(state.dir);
}

const char *fuzz_dir(void)
{
    const char *tmp = getenv("TMPDIR");
    if (!*state.dir) {
        snprintf(state.dir, sizeof state.dir, "%s/fuzz-XXXXXX", tmp && *tmp ? tmp : "/tmp");
        MUST(mkdtemp(state.dir));
        atexit(remove_dir);
    }
    return state.dir;
}

void fuzz_forbid(const char *text)
{
    state.forbidden = text;
}

void fuzz_want_json(bool json)
{
    state.json = json;
}

void fuzz_pair(int fds[2])
{
    MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
}

void fuzz_file(const char *path, const void *bytes, size_t n)
{
    if (!path) {
        state.files = 0;
        return;
    }
    MUST(state.files < FILES);
    state.file[state.files].path = path;
    state.file[state.files].bytes = bytes;
    state.file[state.files++].n = n;
}

/* ---- in place of what is linked in ---- */

_Noreturn void __real_exit(int status);
_Noreturn void __wrap_exit(int status);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
void __wrap_speak(const char *lines, size_t n);

/* LeakSanitizer's, where there is one */
__attribute__((weak)) void __lsan_disable(void);
__attribute__((weak)) void __lsan_enable(void);

void __wrap_exit(int status)
{
    if (!state.armed)
        __real_exit(status);
    state.status = status;
    longjmp(state.back, 1);
}

int fuzz_exits(void (*call)(void *), void *arg)
{
    state.status = -1;
    if (__lsan_disable)
        __lsan_disable();
    if (!setjmp(state.back)) {
        state.armed = true;
        call(arg);
    }
    state.armed = false;
    if (__lsan_enable)
        __lsan_enable();
    return state.status;
}

static int open_file(const char *path, int flags, mode_t mode)
{
    for (size_t i = 0; i < state.files; i++)
        if (strcmp(path, state.file[i].path) == 0)
            return fuzz_memory_file(state.file[i].bytes, state.file[i].n);
    return __real_open(path, flags, mode);
}

static int open_va(const char *path, int flags, va_list ap)
{
    return open_file(path, flags, flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0);
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int fd = open_va(path, flags, ap);
    va_end(ap);
    return fd;
}

int __wrap_open64(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int fd = open_va(path, flags, ap);
    va_end(ap);
    return fd;
}

/* Whatever it is about, a message is lines that a terminal can't trip over. */
void __wrap_speak(const char *lines, size_t n)
{
    MUST(n && lines[n - 1] == '\n');
    MUST(!state.forbidden || !memmem(lines, n, state.forbidden, strlen(state.forbidden)));
    for (const char *end = lines + n; lines < end;) {
        size_t line = (size_t)((const char *)memchr(lines, '\n', (size_t)(end - lines)) - lines);
        MUST(state.json ? fuzz_is_json(lines, line) : fuzz_is_printable(lines, line));
        lines += line + 1;
    }
}

/* ---- what a text is ---- */

/* The length of the UTF-8 sequence, 0: it is none (RFC 3629, 4). */
static size_t sequence(const unsigned char *p, size_t n)
{
    size_t len = *p < 0x80                 ? 1
                 : *p >= 0xc2 && *p < 0xe0 ? 2
                 : *p >= 0xe0 && *p < 0xf0 ? 3
                 : *p >= 0xf0              ? 4
                                           : 0;
    uint32_t c = len == 1 ? *p : *p & (0x7fu >> len);
    if (!len || len > n || *p > 0xf4)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (p[i] >> 6 != 2)
            return 0;
        c = c << 6 | (p[i] & 0x3f);
    }
    bool shortest = len < 3 || c >= (len == 3 ? 0x800u : 0x10000u);
    return shortest && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) ? len : 0;
}

bool fuzz_is_printable(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    for (size_t len; n; p += len, n -= len)
        if (!(len = sequence(p, n)) || *p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
            return false;
    return true;
}

struct json {
    const char *at, *end;
};

static bool is_next(struct json *j, char c)
{
    bool is = j->at < j->end && *j->at == c;
    j->at += is;
    return is;
}

static bool string(struct json *j)
{
    if (!is_next(j, '"'))
        return false;
    while (j->at < j->end && *j->at != '"') {
        size_t len = sequence((const unsigned char *)j->at, (size_t)(j->end - j->at));
        if (!len || (unsigned char)*j->at < 0x20)
            return false;
        if (*j->at == '\\') {
            size_t left = (size_t)(j->end - j->at);
            len = left > 1 && j->at[1] == 'u' ? 6 : 2;
            if (len > left || !strchr("\"\\/bfnrtu", j->at[1]) ||
                (len == 6 && strspn(j->at + 2, "0123456789abcdefABCDEF") < 4))
                return false;
        }
        j->at += len;
    }
    return is_next(j, '"');
}

static bool word(struct json *j)
{
    const char *begin = j->at;
    while (j->at < j->end && strchr("+-.0123456789eEtrufalsn", *j->at))
        j->at++;
    return j->at > begin;
}

static bool value(struct json *j, int depth)
{
    char open = j->at < j->end ? *j->at : '\0';
    if (open == '"')
        return string(j);
    if (open != '{' && open != '[')
        return word(j);
    char close = open == '{' ? '}' : ']';
    j->at++;
    if (is_next(j, close))
        return true;
    do {
        if (!depth || (open == '{' && (!string(j) || !is_next(j, ':'))) || !value(j, depth - 1))
            return false;
    } while (is_next(j, ','));
    return is_next(j, close);
}

bool fuzz_is_json(const char *text, size_t n)
{
    struct json j = {text, text + n};
    return value(&j, 8) && j.at == j.end;
}
