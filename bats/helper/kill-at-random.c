// kill-at-random TIMES MILLISECONDS COMMAND... - TIMES it starts COMMAND, sends it SIGKILL within as many
// MILLISECONDS, at a random moment, and waits for it. The seed, and how many SIGKILL has ended, are on
// stderr.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct timespec now;
    if (argc < 4)
        return 100;
    int times = atoi(argv[1]), killed = 0, status;
    long within = atol(argv[2]) * 1000000;
    clock_gettime(CLOCK_MONOTONIC, &now);
    fprintf(stderr, "seed %ld\n", now.tv_nsec);
    srand48(now.tv_nsec);
    for (int i = 0; i < times; i++) {
        pid_t pid = fork();
        if (pid < 0)
            return 111;
        if (!pid) {
            execvp(argv[3], argv + 3);
            _exit(127);
        }
        long ns = (long)(drand48() * (double)within);
        nanosleep(&(struct timespec){.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000}, NULL);
        kill(pid, SIGKILL);
        if (waitpid(pid, &status, 0) != pid)
            return 111;
        killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    }
    fprintf(stderr, "killed %d\n", killed);
    return 0;
}
