// left-behind MS DIR - waits up to MS for the processes that work in DIR, or below it, to go. Prints the pids
// of those that are there then; status 1 if there are any. Works in / itself.
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// In DIR, below it, or there no more: "DIR", "DIR/...", "DIR (deleted)".
static int works_in(const char *pid, const char *dir)
{
    char path[64], cwd[4096];
    const size_t n = strlen(dir);
    snprintf(path, sizeof path, "/proc/%.20s/cwd", pid);
    ssize_t len = readlink(path, cwd, sizeof cwd - 1);
    if (len < (ssize_t)n)
        return 0;
    cwd[len] = 0;
    return memcmp(cwd, dir, n) == 0 && (!cwd[n] || cwd[n] == '/' || cwd[n] == ' ');
}

static int look(const char *dir, FILE *out)
{
    int found = 0;
    DIR *proc = opendir("/proc");
    if (!proc)
        perror("/proc"), exit(2);
    for (struct dirent *e; (e = readdir(proc));) {
        if (!isdigit((unsigned char)*e->d_name) || !works_in(e->d_name, dir))
            continue;
        found++;
        if (out)
            fprintf(out, "%s\n", e->d_name);
    }
    closedir(proc);
    return found;
}

int main(int argc, char **argv)
{
    if (argc != 3 || chdir("/") < 0)
        return 2;
    for (int ms = atoi(argv[1]); ms > 0 && look(argv[2], NULL); ms -= 10)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    return look(argv[2], stdout) > 0;
}
