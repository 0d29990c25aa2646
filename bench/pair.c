/*
 * pair - runs two commands in turn, many times, and checks that each of them ends with 0.
 *
 *     pair N PROG [ARG...] ::: PROG [ARG...]
 *
 * As repeat does with one: what is done by two programs, such as take and give, send and receive.
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

static void run(char **argv)
{
    int status;
    pid_t pid = start(argv);
    if (pid < 0)
        tool_die(TOOL_SYSTEM, "pair: vfork");
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            tool_die(TOOL_SYSTEM, "pair: wait");
    if (status != 0)
        tool_die(TOOL_NO, "pair: %s has failed: wait status %d", *argv, status);
}

int main(int argc, char **argv)
{
    char **second = argv + (argc < 3 ? argc : 3);
    while (*second && strcmp(*second, ":::") != 0)
        second++;
    if (!*second || !second[1])
        tool_die(TOOL_USAGE, "usage: pair N PROG [ARG...] ::: PROG [ARG...]");
    *second++ = NULL;
    for (uint64_t n = tool_number(argv[1], 1, 100000000); n; n--) {
        run(argv + 2);
        run(second);
    }
    return TOOL_OK;
}
