// hangup FILE COMMAND... - runs COMMAND as the leader of a session at a new terminal, takes the terminal away
// once FILE is there, and exits with 0 once COMMAND has ended, and was ended by SIGHUP or exited with
// 128+SIGHUP; else with 1, and says how it has.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int status, master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (argc < 3)
        return 100;
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
        return perror("hangup: ptmx"), 111;
    pid_t pid = fork();
    if (pid < 0)
        return perror("hangup: fork"), 111;
    if (!pid) {
        setsid();
        int slave = open(ptsname(master), O_RDWR);
        if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
            _exit(111);
        for (int fd = 0; fd < 3; fd++)
            dup2(slave, fd);
        if (slave > 2)
            close(slave);
        signal(SIGHUP, SIG_DFL);
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    while (access(argv[1], F_OK) < 0)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    close(master);
    while (waitpid(pid, &status, 0) != pid)
        continue;
    if ((WIFSIGNALED(status) && WTERMSIG(status) == SIGHUP) ||
        (WIFEXITED(status) && WEXITSTATUS(status) == 128 + SIGHUP))
        return 0;
    return fprintf(stderr, "hangup: ended with %x\n", status), 1;
}
