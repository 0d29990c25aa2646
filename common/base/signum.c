/*
 * signum.c - see signum.h.
 */
#include "base/signum.h"

#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/num.h"

struct name {
    int sig;
    char text[8];
};

/* Where one signal has two names, the first is the one that it is called by (signal(7)). */
static const struct name names[] = {
    {SIGHUP, "HUP"},
    {SIGINT, "INT"},
    {SIGQUIT, "QUIT"},
    {SIGILL, "ILL"},
    {SIGTRAP, "TRAP"},
    {SIGABRT, "ABRT"},
    {SIGABRT, "IOT"},
    {SIGBUS, "BUS"},
    {SIGFPE, "FPE"},
    {SIGKILL, "KILL"},
    {SIGUSR1, "USR1"},
    {SIGSEGV, "SEGV"},
    {SIGUSR2, "USR2"},
    {SIGPIPE, "PIPE"},
    {SIGALRM, "ALRM"},
    {SIGTERM, "TERM"},
#ifdef SIGSTKFLT
    {SIGSTKFLT, "STKFLT"},
#endif
    {SIGCHLD, "CHLD"},
    {SIGCHLD, "CLD"},
    {SIGCONT, "CONT"},
    {SIGSTOP, "STOP"},
    {SIGTSTP, "TSTP"},
    {SIGTTIN, "TTIN"},
    {SIGTTOU, "TTOU"},
    {SIGURG, "URG"},
    {SIGXCPU, "XCPU"},
    {SIGXFSZ, "XFSZ"},
    {SIGVTALRM, "VTALRM"},
    {SIGPROF, "PROF"},
    {SIGWINCH, "WINCH"},
    {SIGIO, "IO"},
    {SIGIO, "POLL"},
    {SIGPWR, "PWR"},
    {SIGSYS, "SYS"},
};

static bool is(const char *text, size_t n, const char *word)
{
    return strlen(word) == n && strncasecmp(text, word, n) == 0;
}

/* RTMIN, RTMIN+n, RTMAX, RTMAX-n */
static bool parse_real_time(const char *text, size_t n, int *sig)
{
    bool min = n >= 5 && strncasecmp(text, "RTMIN", 5) == 0;
    bool max = n >= 5 && strncasecmp(text, "RTMAX", 5) == 0;
    uint64_t offset = 0;
    if (!min && !max)
        return false;
    if (n > 5 &&
        (text[5] != (min ? '+' : '-') || !num_u64n(text + 6, n - 6, 0, SIGNUM_MAX - SIGNUM_RTMIN, &offset)))
        return false;
    *sig = min ? SIGNUM_RTMIN + (int)offset : SIGNUM_MAX - (int)offset;
    return true;
}

bool signum_parse(const char *text, size_t n, int *sig)
{
    uint64_t number;
    if (num_u64n(text, n, 1, SIGNUM_MAX, &number)) {
        *sig = (int)number;
        return true;
    }
    if (n > 3 && strncasecmp(text, "SIG", 3) == 0) {
        text += 3;
        n -= 3;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (is(text, n, names[i].text)) {
            *sig = names[i].sig;
            return true;
        }
    }
    return parse_real_time(text, n, sig);
}

bool signum_is_reserved(int sig)
{
    return sig > SIGSYS && sig < SIGRTMIN; /* 35 with musl */
}

const char *signum_name(int sig, char mem[static SIGNUM_SIZE])
{
    struct buf b = {.mem = mem, .size = SIGNUM_SIZE};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].sig == sig)
            return names[i].text;
    if (sig < SIGNUM_RTMIN || sig > SIGNUM_MAX)
        buf_fmt(&b, "%d", sig);
    else if (sig == SIGNUM_RTMIN || sig == SIGNUM_MAX)
        buf_text(&b, sig == SIGNUM_MAX ? "RTMAX" : "RTMIN");
    else
        buf_fmt(&b, "RTMIN+%d", sig - SIGNUM_RTMIN);
    return buf_str(&b);
}
