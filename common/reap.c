/*
 * reap.c - see reap.h.
 */
#include "reap.h"

#include <errno.h>
#include <sys/wait.h>

#include "exitcode.h"

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

int reap_wait(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

bool reap_have_children(void)
{
    siginfo_t info;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

int reap_exit_status(int status)
{
    return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}
