/*
 * raw.h - system calls without errno, for a child that shares its parent's memory while the parent goes on:
 * the result, or the error, negative. RAW_CALLS is false where it is not known how the machine makes them:
 * there such a child is not to be had.
 */
#ifndef RAW_H
#define RAW_H

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#if defined __x86_64__ && !defined __ILP32__

enum { RAW_CALLS = true };

static inline long raw_call(long number, long a, long b, long c)
{
    __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return number;
}

#elif defined __aarch64__

enum { RAW_CALLS = true };

static inline long raw_call(long number, long a, long b, long c)
{
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}

#else

enum { RAW_CALLS = false };

static inline long raw_call(long number, long a, long b, long c)
{
    long done = syscall(number, a, b, c);
    return done < 0 ? -errno : done;
}

#endif

#endif
