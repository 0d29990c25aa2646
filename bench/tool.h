/*
 * tool.h - what the benchmark programs share: how they end, strict numbers, the monotonic clock.
 *
 * They use nothing of common/, so that what measures and checks does not stand on what is measured and
 * checked.
 */
#ifndef TOOL_H
#define TOOL_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TOOL_OK = 0, TOOL_NO = 1, TOOL_USAGE = 100, TOOL_SYSTEM = 111 };

#define TOOL_SECOND INT64_C(1000000000)

__attribute__((format(printf, 2, 3))) static inline _Noreturn void tool_die(
    int status, const char *format, ...)
{
    int err = errno;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (status == TOOL_SYSTEM)
        fprintf(stderr, "%s: %s\n", text, strerror(err));
    else
        fprintf(stderr, "%s\n", text);
    exit(status);
}

/* A whole decimal number from low to high, or the end of the program. */
static inline uint64_t tool_number(const char *text, uint64_t low, uint64_t high)
{
    uint64_t n = 0;
    size_t len = strlen(text);
    bool good = len > 0 && len < 20 && strspn(text, "0123456789") == len;
    for (size_t i = 0; good && i < len; i++)
        n = n * 10 + (uint64_t)(text[i] - '0');
    if (!good || n < low || n > high)
        tool_die(TOOL_USAGE, "'%s': want a number from %llu to %llu", text, (unsigned long long)low,
            (unsigned long long)high);
    return n;
}

/* Nanoseconds of the monotonic clock. */
static inline int64_t tool_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * TOOL_SECOND + t.tv_nsec;
}

static inline pid_t tool_start(char **argv)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execvp(*argv, argv);
        _exit(127);
    }
    return pid;
}

/* Runs a command to its end, which must be status 0; by vfork(2), which copies no page tables. */
static inline void tool_run(const char *tool, char **argv)
{
    int status;
    pid_t pid = tool_start(argv);
    if (pid < 0)
        tool_die(TOOL_SYSTEM, "%s: vfork", tool);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            tool_die(TOOL_SYSTEM, "%s: wait", tool);
    if (status != 0)
        tool_die(TOOL_NO, "%s: %s has failed: wait status %d", tool, *argv, status);
}

#endif
