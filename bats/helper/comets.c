// comets COUNT [session] [deaf] [-- COMMAND...] - COUNT processes each of which forks and exits all the time,
// each child in a new session if so told, and SIGTERM ignored. Once all fly the file `flying` is made, and
// this becomes COMMAND, or sleeps. Should a test fail they burn out after 100 s.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void fly(int session, time_t until)
{
    while (time(NULL) < until) {
        pid_t pid = fork();
        if (pid > 0)
            _exit(0);
        if (!pid && session)
            setsid();
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); // or the machine is theirs
    }
    _exit(0);
}

int main(int argc, char **argv)
{
    int i = 2, session = 0, deaf = 0, count = argc > 1 ? atoi(argv[1]) : 0;
    for (; i < argc && strcmp(argv[i], "--") != 0; i++) {
        session |= !strcmp(argv[i], "session");
        deaf |= !strcmp(argv[i], "deaf");
    }
    for (int n = 0; n < count; n++) {
        pid_t pid = fork();
        if (pid < 0)
            return perror("comets: fork"), 111;
        if (pid)
            continue;
        int null = open("/dev/null", O_RDWR);
        for (int fd = 0; fd < 3; fd++)
            dup2(null, fd);
        if (deaf)
            signal(SIGTERM, SIG_IGN);
        fly(session, time(NULL) + 100);
    }
    int made = open("flying", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (made < 0 || write(made, "x\n", 2) != 2)
        return perror("flying"), 1;
    if (i + 1 < argc) {
        execvp(argv[i + 1], argv + i + 1);
        perror(argv[i + 1]);
        return 127;
    }
    for (time_t until = time(NULL) + 100; time(NULL) < until;)
        pause();
}
