/*
 * spawnwait - the limit for a program that runs another: posix_spawn(3), wait, and end with its status.
 *
 *     spawnwait PATH [ARG...]
 *
 * No lock is taken, no signal passed on, no time watched.
 */
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

int main(int argc, char **argv)
{
    pid_t pid;
    int status;
    if (argc < 2)
        tool_die(TOOL_USAGE, "usage: spawnwait PATH [ARG...]");
    errno = posix_spawn(&pid, argv[1], NULL, NULL, argv + 1, environ);
    if (errno)
        tool_die(TOOL_SYSTEM, "spawnwait: %s", argv[1]);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            tool_die(TOOL_SYSTEM, "spawnwait: wait");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
