/*
 * copy - stdin to stdout, by read(2) and write(2): a stage of a pipeline, and a server that echoes.
 *
 * Static and without a C library, so that its start costs next to nothing (see bare.h). Its buffer is that of
 * cat.
 */
#include "bare.h"

enum { BUFFER = 128 * 1024 };

static char buffer[BUFFER];

/* Whether all of it went out; errors come as numbers below 0. */
static int put(const char *bytes, long n)
{
    while (n > 0) {
        long done = bare_call(BARE_WRITE, 1, (long)bytes, n);
        if (done <= 0)
            return 0;
        bytes += done;
        n -= done;
    }
    return 1;
}

void _start(void)
{
    long n;
    while ((n = bare_call(BARE_READ, 0, (long)buffer, BUFFER)) > 0)
        if (!put(buffer, n))
            bare_exit(1);
    bare_exit(n < 0);
}
