/*
 * reap.c - see reap.h.
 */
#include "process/reap.h"

#include <errno.h>
#include <sys/wait.h>

#include "base/exitcode.h"

pid_t reap_next(int *status, bool stops)
{
    pid_t pid;
    do
        pid = waitpid(-1, status, stops ? WNOHANG | WUNTRACED : WNOHANG);
    while (pid < 0 && errno == EINTR);
    if (pid == 0)
        errno = 0;
    return pid > 0 ? pid : 0;
}

pid_t reap_peek(void)
{
    siginfo_t info = {0};
    errno = 0;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ? 0 : info.si_pid;
}

bool reap_that(pid_t pid, int *status)
{
    return waitpid(pid, status, WNOHANG) == pid;
}

int reap_wait(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

static bool have_children(int kind)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | kind) == 0 || errno != ECHILD;
}

bool reap_have_children(void)
{
    return have_children(0);
}

bool reap_have_any_children(void)
{
    return have_children(__WALL);
}

int reap_exit_status(int status)
{
    return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

void reap_tell(struct event *e, pid_t child, int status)
{
    event_num(e, "child", child);
    event_num(e, "exit", reap_exit_status(status));
    event_num(e, "signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}
