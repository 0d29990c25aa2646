// daemon-state FILE - writes to FILE what a daemon should look at: its place among the processes, its
// terminal, its directory, umask, ids and open fds. The file appears whole; - is stdout. Then it sleeps.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// "NAME=" and the words of that line of /proc/self/status.
static void print_ids(FILE *out, const char *name, const char *key)
{
    char line[4096];
    FILE *in = fopen("/proc/self/status", "r");
    fprintf(out, "%s=", name);
    while (in && fgets(line, sizeof line, in))
        if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ':') {
            const char *gap = "";
            for (char *word = strtok(line + strlen(key) + 1, " \t\n"); word;
                 word = strtok(NULL, " \t\n"), gap = " ")
                fprintf(out, "%s%s", gap, word);
        }
    if (in)
        fclose(in);
    fprintf(out, "\n");
}

int main(int argc, char **argv)
{
    char fds[2000] = "", files[20000] = "", here[PATH_MAX], target[PATH_MAX], link[64], fresh[PATH_MAX];
    if (argc != 2)
        return 100;
    for (int fd = 0; fd < 256; fd++) { // before we open anything
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, target, sizeof target - 1);
        if (n < 0)
            continue;
        target[n] = 0;
        snprintf(fds + strlen(fds), sizeof fds - strlen(fds), "%s%d", *fds ? " " : "", fd);
        snprintf(files + strlen(files), sizeof files - strlen(files), "%s%s", *files ? " " : "", target);
    }
    int tty = open("/dev/tty", O_RDWR), why = tty < 0 ? errno : 0;
    mode_t mask = umask(0);
    umask(mask);
    snprintf(fresh, sizeof fresh, "%s.new", argv[1]);
    FILE *out = !strcmp(argv[1], "-") ? stdout : fopen(fresh, "w");
    if (!out)
        return perror(argv[1]), 111;
    fprintf(out, "cwd=%s\nfds=%s\nfiles=%s\n", getcwd(here, sizeof here) ? here : "", fds, files);
    print_ids(out, "gids", "Gid");
    print_ids(out, "groups", "Groups");
    fprintf(out, "pgid=%d\npid=%d\nppid=%d\nsid=%d\n", (int)getpgrp(), (int)getpid(), (int)getppid(),
        (int)getsid(0));
    fprintf(out, "terminal=%s\nterminal_why=%s\n", tty < 0 ? "no" : "yes", why == ENXIO ? "1" : "");
    print_ids(out, "uids", "Uid");
    fprintf(out, "umask=%03o\n", (unsigned)mask);
    fflush(out);
    if (out != stdout && (fclose(out) || rename(fresh, argv[1])))
        return perror(argv[1]), 111;
    for (;;)
        pause();
}
