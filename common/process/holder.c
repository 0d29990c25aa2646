/*
 * holder.c - see holder.h.
 */
#include "process/holder.h"

#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/pollfor.h"
#include "process/worker.h"

enum { LOOK_MS = 50 };

struct holder {
    struct watch watch;
    int held;
};

void holder_watch(struct watch *w, const struct msg *m, pid_t pid)
{
    char mem[32];
    struct buf text = BUF(mem);
    buf_num(&text, (unsigned long long)pid);
    if (watch_begin(w, pid) < 0)
        msg_die_sys(m, "watch", buf_str(&text));
}

static int keep(void *arg)
{
    const struct holder *k = arg;
    struct watch w = k->watch;
    int next = STDERR_FILENO + 1;
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fd_to_null(fd) < 0)
            close(fd);
    /* the pidfd is the older one, so its number is the lower one: neither is put in place of the other */
    if (w.fd >= 0 && dup2(w.fd, next) >= 0)
        w.fd = next++;
    if (k->held >= 0 && dup2(k->held, next) >= 0)
        next++;
    fd_close_from(next);
    if (chdir("/") < 0) /* then a file system can't be unmounted for a while */
        errno = 0;
    while (!watch_is_over(&w)) {
        struct pollfd end = watch_poll(&w);
        if (poll_for(&end, 1, watch_pause(&w)) < 0 && errno != EINTR)
            nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * CLOCK_MS}, NULL);
    }
    return EXIT_DONE;
}

int holder_start(const struct watch *w, const struct msg *m, int held)
{
    struct holder k = {.watch = *w, .held = held};
    if (worker_keep(keep, &k) < 0)
        return msg_fatal(m, EXIT_SYSTEM, "fork", NULL, errno);
    return EXIT_DONE;
}
