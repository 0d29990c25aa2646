/* listen-fds.c - the environment of sd_listen_fds(3). Each line: LISTEN_PID (empty: ours), _FDS, _FDNAMES, a
 * name. */
#include "harness/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process/listen_fds.h"

enum { MOST = 4 };

struct ask {
    const char *name;
    int fds[MOST];
};

static void or_die(void *arg)
{
    struct ask *a = arg;
    struct msg m = {.applet = "fuzz", .level = MSG_NORMAL};
    MUST(listen_fds_or_die(&m, a->name, a->fds, MOST) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char own[16];
    struct input in = {data, size};
    char *pid = fuzz_text(&in, 64), *count = fuzz_text(&in, 64), *names = fuzz_text(&in, 512);
    char *name = fuzz_text(&in, 64);
    struct ask a = {.name = *name ? name : NULL};
    snprintf(own, sizeof own, "%ld", (long)getpid());
    setenv("LISTEN_PID", *pid ? pid : own, 1);
    setenv("LISTEN_FDS", count, 1);
    setenv("LISTEN_FDNAMES", names, 1);
    int flags[16];
    for (int i = 0; i < 16; i++) /* what the fuzzer itself has open stays as it is */
        flags[i] = fcntl(i + 3, F_GETFD);
    errno = 0;
    int n = listen_fds(a.name, a.fds, MOST);
    MUST(n >= -1 && n <= MOST && (n >= 0 || errno));
    for (int i = 0; i < n; i++)
        MUST(a.fds[i] >= 3 && (!i || a.fds[i] > a.fds[i - 1]));
    PLANTED(n == 1 && a.name);
    int status = fuzz_exits(or_die, &a);
    MUST(n > 0 ? status == -1 : status > 0);
    for (int i = 0; i < 16; i++)
        if (flags[i] >= 0)
            fcntl(i + 3, F_SETFD, flags[i]);
    free(pid);
    free(count);
    free(names);
    free(name);
    return 0;
}
