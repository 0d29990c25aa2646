// at-once COUNT COMMAND... - starts COMMAND that often, all in the same moment, and prints "STATUS TIMES" for
// each exit status that there was, in order. A signal is a status above 128, as in a shell.
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static int times[256];
    int gate[2], status;
    char nothing;
    if (argc < 3 || pipe(gate) < 0)
        return 100;
    for (int n = atoi(argv[1]); n > 0; n--) {
        pid_t pid = fork();
        if (pid < 0)
            return perror("at-once: fork"), 111;
        if (pid)
            continue;
        close(gate[1]);
        if (read(gate[0], &nothing, 1) != 0)
            _exit(111);
        close(gate[0]);
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    close(gate[0]);
    close(gate[1]);
    while (wait(&status) > 0)
        times[WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)]++;
    for (int i = 0; i < 256; i++)
        if (times[i])
            printf("%d %d\n", i, times[i]);
    return 0;
}
