// kill-at-random [-t] TIMES MILLISECONDS COMMAND... - TIMES it starts COMMAND, sends it SIGKILL within as
// many MILLISECONDS, at a random moment, and waits for it. The seed, and how many SIGKILL has ended, are on
// stderr. With -t it is SIGTERM, and "STATUS TIMES" is printed for each exit status (128+N) that there was.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static int times_of[256];
    struct timespec now;
    int sig = argc > 1 && !strcmp(argv[1], "-t") ? SIGTERM : SIGKILL;
    argc -= sig == SIGTERM;
    argv += sig == SIGTERM;
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
        kill(pid, sig);
        if (waitpid(pid, &status, 0) != pid)
            return 111;
        killed += WIFSIGNALED(status) && WTERMSIG(status) == sig;
        times_of[WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)]++;
    }
    fprintf(stderr, "killed %d\n", killed);
    for (int i = 0; i < 256 && sig == SIGTERM; i++)
        if (times_of[i])
            printf("%d %d\n", i, times_of[i]);
    return 0;
}
