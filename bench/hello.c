/*
 * hello - the program that the servers start when their own cost is what counts: it writes one line and ends.
 *
 * Static and without a C library. A library's start may cost more than all that the server does: glibc's asks
 * CPUID dozens of times, and each of them leaves a virtual machine.
 */
static const char line[] = "hello\n";

void _start(void);

#if defined __x86_64__

static long call(long number, long a, long b, long c)
{
    __asm__ volatile("syscall" : "+a"(number) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return number;
}

enum { CALL_WRITE = 1, CALL_EXIT = 60 };

#elif defined __aarch64__

static long call(long number, long a, long b, long c)
{
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2) : "memory");
    return x0;
}

enum { CALL_WRITE = 64, CALL_EXIT = 93 };

#else
#error "hello: say here how this processor calls write and exit"
#endif

void _start(void)
{
    long n = call(CALL_WRITE, 1, (long)line, sizeof line - 1);
    for (;;)
        call(CALL_EXIT, n != sizeof line - 1, 0, 0);
}
