// signals [NAME] - says "NAME ready PID", then "NAME N" for every signal N that comes, one write a line. Ends
// with 0 at SIGTERM. As NAME "reader" also at a line or the end of stdin; at a line "u" it sends USR2 to its
// parent instead.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static const char *name = "it";

static void say(const char *what, int number)
{
    char line[200];
    int n = snprintf(line, sizeof line, number < 0 ? "%s %s\n" : "%s %s%d\n", name, what, number);
    if (write(1, line, (size_t)n) != n)
        _exit(1);
}

int main(int argc, char **argv)
{
    static const int wanted[] = {1, 2, 3, 10, 12, 15, 18, 23, 28, 34, 35, 64};
    if (argc > 1)
        name = argv[1];
    int reader = !strcmp(name, "reader");
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        sigaddset(&set, wanted[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct pollfd fds[] = {
        {.fd = signalfd(-1, &set, SFD_CLOEXEC), .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    // stdin with O_NONBLOCK of its own: a line that poll() saw may be the shell's, which has read it
    if (reader)
        fds[1].fd = open("/proc/self/fd/0", O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fds[0].fd < 0 || (reader && fds[1].fd < 0))
        return perror("signals"), 1;
    say("ready ", getpid());
    while (1) {
        if (poll(fds, 2, -1) < 0)
            continue;
        struct signalfd_siginfo info;
        char text[100];
        ssize_t n;
        if (fds[0].revents) {
            if (read(fds[0].fd, &info, sizeof info) != sizeof info)
                return 1;
            say("", (int)info.ssi_signo);
            if (info.ssi_signo == SIGTERM)
                return 0;
        } else if ((n = read(fds[1].fd, text, sizeof text)) >= 0) {
            if (n == 0 || *text != 'u')
                return say("read", -1), 0;
            kill(getppid(), SIGUSR2);
        }
    }
}
