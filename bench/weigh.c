/*
 * weigh - what a running server takes: memory and processor time.
 *
 *     weigh PID
 *
 * PID is the process that has started the server (timed). Prints `pss_kb=N anon_kb=N ticks=N processes=N`:
 * the server's share of all that is in memory (proc_pid_smaps(5)) and how much of that is of no file, its
 * user and system time in clock ticks, and of how many processes that is the sum: a server that keeps copies
 * of itself is all of them, the programs that it runs are not the server.
 */
#include <dirent.h>
#include <limits.h>
#include <sys/types.h>
#include <unistd.h>

#include "tool.h"

enum { PROCESSES = 65536, EXE_SIZE = 512 };

struct process {
    pid_t pid, parent;
    unsigned long long ticks;
};

struct weigh {
    struct process *all;
    size_t n;
    char exe[EXE_SIZE]; /* what the server runs */
    unsigned long long kb, anon_kb, ticks, processes;
};

/* Opens a file of a process. NULL: it is gone. */
static FILE *open_of(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    return fopen(path, "re");
}

/* The state and what follows stand behind a name in brackets, which may hold anything. */
static bool read_stat(struct process *p)
{
    char line[1024];
    unsigned long long user = 0, system = 0;
    FILE *f = open_of(p->pid, "stat");
    size_t len = f ? fread(line, 1, sizeof line - 1, f) : 0;
    if (f)
        fclose(f);
    line[len] = '\0';
    const char *rest = strrchr(line, ')');
    int got = !rest ? 0
                    : sscanf(rest + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &p->parent,
                          &user, &system);
    p->ticks = user + system;
    return got == 3;
}

static void read_all(struct weigh *w)
{
    DIR *dir = opendir("/proc");
    w->all = calloc(PROCESSES, sizeof *w->all);
    if (!dir || !w->all)
        tool_die(TOOL_SYSTEM, "weigh: /proc");
    for (struct dirent *d; (d = readdir(dir)) && w->n < PROCESSES;) {
        struct process *p = &w->all[w->n];
        char *end;
        long pid = strtol(d->d_name, &end, 10);
        if (pid <= 0 || pid > INT_MAX || *end)
            continue;
        p->pid = (pid_t)pid;
        w->n += read_stat(p);
    }
    closedir(dir);
}

static bool read_exe(pid_t pid, char exe[static EXE_SIZE])
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    ssize_t n = readlink(path, exe, EXE_SIZE - 1);
    exe[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static void add_memory(struct weigh *w, pid_t pid)
{
    char line[256];
    unsigned long long kb;
    FILE *f = open_of(pid, "smaps_rollup");
    while (f && fgets(line, sizeof line, f)) {
        if (sscanf(line, "Pss: %llu kB", &kb) == 1)
            w->kb += kb;
        if (sscanf(line, "Pss_Anon: %llu kB", &kb) == 1)
            w->anon_kb += kb;
    }
    if (f)
        fclose(f);
}

/* Adds a process, and those below it that run the same. */
static void add(struct weigh *w, const struct process *p)
{
    char exe[EXE_SIZE];
    if (!read_exe(p->pid, exe) || strcmp(exe, w->exe) != 0)
        return;
    add_memory(w, p->pid);
    w->ticks += p->ticks;
    w->processes++;
    for (size_t i = 0; i < w->n; i++)
        if (w->all[i].parent == p->pid)
            add(w, &w->all[i]);
}

int main(int argc, char **argv)
{
    struct weigh w = {.n = 0};
    if (argc != 2)
        tool_die(TOOL_USAGE, "usage: weigh PID");
    pid_t starter = (pid_t)tool_number(argv[1], 1, INT_MAX);
    read_all(&w);
    size_t i = 0;
    while (i < w.n && w.all[i].parent != starter)
        i++;
    if (i == w.n || !read_exe(w.all[i].pid, w.exe))
        tool_die(TOOL_NO, "weigh: process %d has started nothing that runs", starter);
    add(&w, &w.all[i]);
    printf("pss_kb=%llu anon_kb=%llu ticks=%llu processes=%llu\n", w.kb, w.anon_kb, w.ticks, w.processes);
    free(w.all);
    return TOOL_OK;
}
