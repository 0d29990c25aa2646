// how-it-ends COMMAND... - runs COMMAND, and prints how it has ended as wait(2) tells it: `exit 0 signal 15`.
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int status = 0;
    pid_t pid = fork();
    if (argc < 2 || pid < 0)
        return 111;
    if (!pid) {
        execvp(argv[1], argv + 1);
        perror(argv[1]);
        _exit(127);
    }
    while (waitpid(pid, &status, 0) != pid)
        continue;
    printf("exit %d signal %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 0,
        WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    return 0;
}
