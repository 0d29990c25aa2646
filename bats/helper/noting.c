// noting FILE|-d - prints 7 (a port, for those who wait for one) once it takes TERM, INT, HUP and QUIT; puts
// the name of the first that comes into FILE, and exits with 0. -d: for each that comes it says `deaf to
// NAME` on stderr, and goes on.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    int number;
} signals[] = {{"TERM", SIGTERM}, {"INT", SIGINT}, {"HUP", SIGHUP}, {"QUIT", SIGQUIT}};

static const char *name_of(int number)
{
    size_t i = 0;
    while (signals[i].number != number)
        i++;
    return signals[i].name;
}

int main(int argc, char **argv)
{
    int came, out;
    sigset_t all;
    if (argc != 2)
        return 100;
    sigemptyset(&all);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaddset(&all, signals[i].number);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) // an ignored one would not come
        signal(signals[i].number, SIG_DFL);
    puts("7");
    fflush(stdout);
    while (sigwait(&all, &came) == 0 && !strcmp(argv[1], "-d"))
        dprintf(2, "deaf to %s\n", name_of(came));
    if ((out = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0666)) < 0)
        return 111;
    dprintf(out, "%s\n", name_of(came));
    return 0;
}
