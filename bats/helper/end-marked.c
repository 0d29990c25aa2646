// end-marked NAME=VALUE - kills every process that was started with that in its environment, however it has
// left its parents, and returns when none is left. Each by its pid, which is compared with what was looked
// at.
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int is_marked(const char *pid, const char *mark)
{
    static char text[262144];
    char path[64];
    snprintf(path, sizeof path, "/proc/%.20s/environ", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = 0, more = 0;
    if (fd < 0)
        return 0;
    while (n < (ssize_t)sizeof text - 1 && (more = read(fd, text + n, sizeof text - 1 - (size_t)n)) > 0)
        n += more;
    close(fd);
    text[n] = 0;
    for (const char *at = text; at < text + n; at += strlen(at) + 1)
        if (!strcmp(at, mark))
            return 1;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 100;
    for (int found = 1; found;) {
        DIR *dir = opendir("/proc");
        found = 0;
        for (struct dirent *entry; dir && (entry = readdir(dir));) {
            if (!isdigit((unsigned char)*entry->d_name) || atoi(entry->d_name) == getpid())
                continue;
            if (!is_marked(entry->d_name, argv[1]))
                continue;
            kill(atoi(entry->d_name), SIGKILL);
            found = 1;
        }
        if (dir)
            closedir(dir);
        if (found)
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    return 0;
}
