// idle PID - whether that process uses next to no processor time in half a second: 0, else 1 with what it
// used.
#include <stdio.h>
#include <string.h>
#include <time.h>

// In clock ticks (proc(5)); -1: it is gone.
static long used(const char *pid)
{
    char path[64], stat[1000];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *in = fopen(path, "r");
    size_t n = in ? fread(stat, 1, sizeof stat - 1, in) : 0;
    if (in)
        fclose(in);
    stat[n] = 0;
    const char *rest = strrchr(stat, ')');
    if (!rest || sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return -1;
    return (long)(user + system);
}

int main(int argc, char **argv)
{
    const char *pid = argc > 1 ? argv[1] : "";
    long before = used(pid);
    nanosleep(&(struct timespec){.tv_nsec = 500000000}, NULL);
    long after = used(pid);
    if (before >= 0 && after >= 0 && after - before <= 10)
        return 0;
    return fprintf(stderr, "idle: %s used %ld ticks\n", pid, after - before), 1;
}
