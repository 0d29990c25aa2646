// descendants LOG KIND... [-- COMMAND...] - starts a background process of each KIND, then becomes COMMAND,
// or ends. KIND holds words: "session": in a session of its own; "orphan": its parent is gone; "deaf": it
// ignores SIGTERM; "stopped": it stops itself. Each writes "KIND PID" to LOG when it is ready, and "KIND
// SIGNAL" at SIGTERM, USR1 or HUP, which end it.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static int noted;
static const char *kind;

static void note(const char *word)
{
    char line[300];
    int n = snprintf(line, sizeof line, "%s %s\n", kind, word);
    if (write(noted, line, (size_t)n) != n)
        _exit(1);
}

static void come(int sig)
{
    note(sig == SIGTERM ? "TERM" : sig == SIGHUP ? "HUP" : "USR1");
    _exit(0);
}

static void pause_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

static _Noreturn void live(void)
{
    int null = open("/dev/null", O_WRONLY);
    dup2(null, 1);
    dup2(null, 2);
    if (null > 2)
        close(null);
    if (strstr(kind, "session"))
        setsid();
    // a signal comes after the line that says that it can
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (int i = 0; i < 3; i++)
        signal((int[]){SIGTERM, SIGUSR1, SIGHUP}[i], come);
    if (strstr(kind, "deaf"))
        signal(SIGTERM, SIG_IGN);
    char pid[20];
    snprintf(pid, sizeof pid, "%d", getpid());
    note(pid);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (strstr(kind, "stopped"))
        raise(SIGSTOP);
    for (int i = 0; i < 100; i++)
        sleep(60);
    _exit(0);
}

static int stopped(pid_t pid)
{
    char path[64], stat[1000];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, stat, sizeof stat - 1);
    if (fd >= 0)
        close(fd);
    stat[n < 0 ? 0 : n] = 0;
    const char *state = strrchr(stat, ')');
    return !state || state[2] == 'T'; // or gone
}

// How many have noted their pids; those who stop themselves count when they have.
static int count_ready(const char *log)
{
    char line[300];
    int ready = 0;
    FILE *in = fopen(log, "r");
    while (in && fgets(line, sizeof line, in)) {
        int pid = atoi(strrchr(line, ' ') ? strrchr(line, ' ') + 1 : "");
        if (pid > 0 && (!strstr(line, "stopped") || stopped(pid)))
            ready++;
    }
    if (in)
        fclose(in);
    return ready;
}

int main(int argc, char **argv)
{
    int wanted = 0, i = 2;
    const char *log = argc > 1 ? argv[1] : "";
    noted = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (noted < 0)
        return perror(log), 1;
    for (; i < argc && strcmp(argv[i], "--") != 0; i++, wanted++) {
        kind = argv[i];
        pid_t pid = fork();
        if (pid < 0)
            return perror("fork"), 1;
        if (!pid) {
            if (strstr(kind, "orphan") && fork())
                _exit(0);
            live();
        }
    }
    while (count_ready(log) < wanted)
        pause_a_little();
    if (i + 1 >= argc)
        return 0;
    execvp(argv[i + 1], argv + i + 1);
    return perror(argv[i + 1]), 127;
}
