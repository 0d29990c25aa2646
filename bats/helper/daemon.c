// daemon [-k] [-r] FILE [SIGNAL...] - a daemon for tests: appends "PID start" to FILE, and "PID HUP" and so
// on for HUP, USR1, USR2 and the SIGNALs; exits 0 at TERM, after "PID TERM". -k: it notes TERM and lives on.
// -r: then it writes a newline to READY_FD.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    int number;
    const char *name;
} signals[] = {{1, "HUP"}, {2, "INT"}, {3, "QUIT"}, {10, "USR1"}, {12, "USR2"}, {14, "ALRM"}, {15, "TERM"},
    {18, "CONT"}, {28, "WINCH"}, {34, "RTMIN"}, {35, "NUM35"}};

enum { COUNT = sizeof signals / sizeof *signals };

static void note(const char *file, const char *what)
{
    char line[100];
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0666);
    int n = snprintf(line, sizeof line, "%d %s\n", (int)getpid(), what);
    if (fd < 0 || write(fd, line, (size_t)n) != n) {
        perror(file);
        exit(111);
    }
    close(fd);
}

int main(int argc, char **argv)
{
    int option, stays = 0, tells = 0, sig;
    sigset_t set;
    while ((option = getopt(argc, argv, "+kr")) >= 0) {
        stays |= option == 'k';
        tells |= option == 'r';
    }
    const char *file = argv[optind], *ready = getenv("READY_FD");
    if (!file)
        return 100;
    sigemptyset(&set);
    for (int i = 0; i < COUNT; i++) {
        int wanted = strstr(" HUP USR1 USR2 TERM ", signals[i].name) != NULL;
        for (char **word = argv + optind + 1; *word; word++)
            wanted |= !strcmp(*word, signals[i].name);
        if (wanted)
            sigaddset(&set, signals[i].number);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
    note(file, "start");
    if (tells && (!ready || write(atoi(ready), "\n", 1) != 1 || close(atoi(ready)) < 0))
        return 111;
    for (;;) {
        if (sigwait(&set, &sig))
            continue;
        for (int i = 0; i < COUNT; i++)
            if (signals[i].number == sig)
                note(file, signals[i].name);
        if (sig == SIGTERM && !stays)
            return 0;
    }
}
