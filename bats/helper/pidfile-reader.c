// pidfile-reader PROG-PIDFILE MONITOR-PIDFILE - reads both all the time, and reports what is wrong: a file
// that is there without a whole pid, or a monitor's that stays though its monitor has exited. At TERM: how
// often it saw a pid.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
    stop = sig;
}

// The pid in it; 0: there is no file, or it is wrong.
static pid_t look(const char *path, ino_t *inode)
{
    char text[100], *end = text;
    struct stat st;
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, sizeof text - 1);
    fstat(fd, &st);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    long pid = *text >= '1' && *text <= '9' ? strtol(text, &end, 10) : 0;
    if (pid <= 0 || strcmp(end, "\n") != 0) {
        printf("%s: wrong: '%s'\n", path, text);
        return 0;
    }
    *inode = st.st_ino;
    return (pid_t)pid;
}

int main(int argc, char **argv)
{
    struct stat now;
    ino_t inode;
    long seen = 0;
    if (argc != 3)
        return 100;
    signal(SIGTERM, on_term);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("reading\n");
    while (!stop) {
        seen += look(argv[1], &inode) > 0;
        pid_t owner = look(argv[2], &inode);
        if (owner <= 0 || kill(owner, 0) == 0 || errno == EPERM)
            continue;
        if (stat(argv[2], &now) == 0 && now.st_ino == inode)
            printf("%s: stale: %d\n", argv[2], (int)owner);
    }
    printf("saw %ld\n", seen);
    return 0;
}
