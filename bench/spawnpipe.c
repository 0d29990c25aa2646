/*
 * spawnpipe - the limit for a pipeline: a pipe and a posix_spawn(3) for each stage, and a wait for each.
 *
 *     spawnpipe PATH...      each a stage, without arguments
 *
 * Ends with 0 if all of them did. No signal is passed on, and those that run are left alone when one can't be
 * started.
 */
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

/* Starts a stage that reads `in` and writes `out`, where they are not -1. */
static void start(char *path, int in, int out)
{
    char *const argv[] = {path, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    if (in >= 0)
        posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    if (out >= 0)
        posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    errno = posix_spawn(&pid, path, &actions, NULL, argv, environ);
    if (errno)
        tool_die(TOOL_SYSTEM, "spawnpipe: %s", path);
    posix_spawn_file_actions_destroy(&actions);
}

/* Whether all have ended with 0. */
static bool wait_for(int n)
{
    bool good = true;
    while (n) {
        int status;
        if (wait(&status) >= 0) {
            good = good && status == 0;
            n--;
        } else if (errno != EINTR) {
            tool_die(TOOL_SYSTEM, "spawnpipe: wait");
        }
    }
    return good;
}

int main(int argc, char **argv)
{
    int in = -1;
    if (argc < 2)
        tool_die(TOOL_USAGE, "usage: spawnpipe PATH...");
    for (int i = 1; i < argc; i++) {
        int next[2] = {-1, -1};
        if (i + 1 < argc && pipe2(next, O_CLOEXEC) < 0)
            tool_die(TOOL_SYSTEM, "spawnpipe: pipe");
        start(argv[i], in, next[1]);
        if (in >= 0)
            close(in);
        if (next[1] >= 0)
            close(next[1]);
        in = next[0];
    }
    return wait_for(argc - 1) ? TOOL_OK : TOOL_NO;
}
