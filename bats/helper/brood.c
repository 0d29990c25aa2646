// brood DIR [stay|leave] [deaf] - starts descendants that hide - in a session of its own, behind a double
// fork, both - each of which writes its pid to a file in DIR and sleeps; waits until all have, then sleeps,
// too, or leaves. With `deaf` none of them hears TERM.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *dir;

// Whoever waits for the end of our output does not wait for them.
static _Noreturn void settle(const char *name)
{
    char path[300], fresh[310];
    int null = open("/dev/null", O_WRONLY);
    dup2(null, 1);
    dup2(null, 2);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *file = fopen(fresh, "w");
    if (!file || fprintf(file, "%d\n", getpid()) < 0 || fclose(file) || rename(fresh, path) < 0)
        _exit(1);
    while (1)
        pause();
}

// A child in a session of its own; it, or `twice` its child, settles there.
static void hide(const char *name, int session, int twice)
{
    pid_t pid = fork();
    if (!pid) {
        if (session)
            setsid();
        if (twice && fork())
            _exit(0);
        if (twice && session)
            setsid();
        settle(name);
    }
    if (twice)
        waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"child", "session", "orphan", "hidden"};
    if (argc < 2)
        return 100;
    dir = argv[1];
    if (argc > 3)
        signal(SIGTERM, SIG_IGN);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    for (int i = 0; i < 4; i++)
        hide(names[i], i & 1, i > 1);
    for (int i = 0; i < 4; i++) {
        char path[300];
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        while (access(path, F_OK) < 0)
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    if (argc > 2 && !strcmp(argv[2], "leave"))
        return 0;
    settle("parent");
}
