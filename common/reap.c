/*
 * reap.c - see reap.h.
 */
#include "reap.h"

#include <errno.h>
#include <sys/wait.h>

#include "exitcode.h"

pid_t reap_next(int *status)
{
    pid_t pid;
    do
        pid = waitpid(-1, status, WNOHANG);
    while (pid < 0 && errno == EINTR);
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

int reap_exit_status(int status)
{
    return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}
