/*
 * repeat - runs a command many times, one after the other, and checks that each of them ends with 0.
 *
 *     repeat N PROG [ARG...]
 *
 * What a shell loop would measure, without the shell: vfork(2), which copies no page tables, exec and wait.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

static pid_t start(char **argv)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execvp(*argv, argv);
        _exit(127);
    }
    return pid;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        tool_die(TOOL_USAGE, "usage: repeat N PROG [ARG...]");
    for (uint64_t n = tool_number(argv[1], 1, 100000000); n; n--) {
        int status;
        pid_t pid = start(argv + 2);
        if (pid < 0)
            tool_die(TOOL_SYSTEM, "repeat: vfork");
        while (waitpid(pid, &status, 0) < 0)
            if (errno != EINTR)
                tool_die(TOOL_SYSTEM, "repeat: wait");
        if (status != 0)
            tool_die(TOOL_NO, "repeat: %s has failed: wait status %d", argv[2], status);
    }
    return TOOL_OK;
}
