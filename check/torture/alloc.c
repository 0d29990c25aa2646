/*
 * alloc.c: for LD_PRELOAD: in a process of ipcbox, the allocation of that number, $TORTURE_ALLOC, fails. For
 * torture.py.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long left = -1;

__attribute__((constructor)) static void begin(void)
{
    char exe[4096] = "";
    const char *number = getenv("TORTURE_ALLOC");
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (number && n > 7 && strcmp(exe + n - 7, "/ipcbox") == 0)
        left = atol(number);
}

static int fails(void)
{
    if (left <= 0 || --left)
        return 0;
    errno = ENOMEM;
    return 1;
}

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t n);

void *malloc(size_t n)
{
    return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t n)
{
    return fails() ? NULL : __libc_realloc(old, n);
}
