// watchdog [-n SECONDS] [-t SECONDS] COMMAND... - runs COMMAND, which runs bats. Names each test on stderr
// that has been running for -n (20) seconds, and ends the one that has for -t (300): SIGABRT for the test,
// which helper/common.bash takes for its failure, and SIGKILL for all that it has started; ten seconds later
// SIGKILL for the test, too. (What bats has for that needs ps or pkill.) Exits with COMMAND's status. A test
// is a process whose program is bats-exec-test and whose parent's is not. What it has started is below it,
// has the test's directory in its environment, or works there. COMMAND starts with all signals at their
// defaults and none blocked, whatever nohup(1), a service manager or a script's background have set: tests
// find the same everywhere. Under nohup(1) it has a session of its own, so that no hangup comes to it.
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ENOUGH = 131072, MANY = 8192, AGAIN = 10 };

struct process {
    pid_t pid, parent;
    long long started; // in ticks since the boot
};

static struct process all[MANY];
static int count;

// What /proc/PID/NAME holds, with a NUL behind it; -1 if there is no such process, or it is another user's.
static ssize_t read_proc(pid_t pid, const char *name, char *text)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n = 0, more;
    while (n < ENOUGH - 2 && (more = read(fd, text + n, (size_t)(ENOUGH - 2 - n))) > 0)
        n += more;
    close(fd);
    text[n] = text[n + 1] = 0;
    return n;
}

static void look(void)
{
    static char text[ENOUGH];
    DIR *dir = opendir("/proc");
    count = 0;
    for (struct dirent *entry; dir && count < MANY && (entry = readdir(dir));) {
        struct process *p = &all[count];
        if (!isdigit((unsigned char)*entry->d_name))
            continue;
        p->pid = atoi(entry->d_name);
        char *name_end = read_proc(p->pid, "stat", text) > 0 ? strrchr(text, ')') : NULL;
        if (name_end &&
            sscanf(name_end + 1, " %*c %d%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s%*s %lld",
                &p->parent, &p->started) == 2)
            count++;
    }
    if (dir)
        closedir(dir);
}

static pid_t parent_of(pid_t pid)
{
    for (int i = 0; i < count; i++)
        if (all[i].pid == pid)
            return all[i].parent;
    return 0;
}

static int below(pid_t pid, pid_t top)
{
    for (int depth = 0; pid > 1 && depth < MANY; depth++, pid = parent_of(pid))
        if (pid == top)
            return 1;
    return 0;
}

// The entry of the list at `text` that begins with `start`, or where `whole` is set equals it.
static const char *entry_of(const char *text, ssize_t n, const char *start, int whole)
{
    for (const char *at = text; at < text + n; at += strlen(at) + 1)
        if (whole ? !strcmp(at, start) : !strncmp(at, start, strlen(start)))
            return at;
    return NULL;
}

// The words behind bats-exec-test: its options, FILE, NAME, number in the suite, in the file, try.
static int words_of_test(pid_t pid, const char *words[3])
{
    static char text[ENOUGH];
    const char *tail[5] = {"", "", "", "", ""};
    ssize_t n = read_proc(pid, "cmdline", text);
    const char *program = n > 0 ? text + strlen(text) + 1 : "", *slash = strrchr(program, '/');
    if (!slash || strcmp(slash, "/bats-exec-test"))
        return 0;
    for (const char *at = program; at < text + n; at += strlen(at) + 1) {
        memmove(tail, tail + 1, 4 * sizeof *tail);
        tail[4] = at;
    }
    words[0] = tail[0], words[1] = tail[1], words[2] = tail[2];
    return 1;
}

static int works_in(pid_t pid, const char *dir)
{
    char path[64], at[PATH_MAX];
    snprintf(path, sizeof path, "/proc/%d/cwd", pid);
    ssize_t n = readlink(path, at, sizeof at - 1);
    size_t len = strlen(dir);
    if (n < 0)
        return 0;
    at[n] = 0;
    return !strncmp(at, dir, len) && (!at[len] || at[len] == '/' || at[len] == ' ');
}

static void end_test(const struct process *test, const char *number)
{
    static char text[ENOUGH], mark[4200];
    ssize_t n = read_proc(test->pid, "environ", text);
    const char *dir = n > 0 ? entry_of(text, n, "BATS_RUN_TMPDIR=", 0) : NULL;
    snprintf(mark, sizeof mark, "BATS_TEST_TMPDIR=%s/test/%s", dir ? strchr(dir, '=') + 1 : "none", number);
    kill(test->pid, SIGABRT);
    for (int i = 0; i < count; i++) {
        if (all[i].pid == test->pid || all[i].pid == getpid())
            continue;
        n = read_proc(all[i].pid, "environ", text);
        if (below(all[i].pid, test->pid) || (n > 0 && entry_of(text, n, mark, 1)) ||
            works_in(all[i].pid, strchr(mark, '=') + 1))
            kill(all[i].pid, SIGKILL);
    }
}

enum stage { NEW, NAMED, ENDED, KILLED };

struct test {
    struct process is;
    enum stage stage;
};

// The entry of the list that is of this process; its stage is kept from one look to the next.
static struct test *remember(const struct process *process)
{
    static struct test tests[256];
    struct test *oldest = tests;
    for (struct test *t = tests; t < tests + 256; t++) {
        if (t->is.pid == process->pid && t->is.started == process->started)
            return t;
        if (t->is.started < oldest->is.started)
            oldest = t;
    }
    *oldest = (struct test){.is = *process, .stage = NEW};
    return oldest;
}

static long long seconds_since_boot(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec;
}

static void look_after(int named, int limit)
{
    const int when[] = {named, limit, limit + AGAIN, INT_MAX};
    static const char *const what[] = {"is running for", "is ended after", "is killed after"};
    const char *words[3];
    look();
    for (int i = 0; i < count; i++) {
        long long age = seconds_since_boot() - all[i].started / sysconf(_SC_CLK_TCK);
        if (age < named || !below(all[i].pid, getpid()) || words_of_test(all[i].parent, words) ||
            !words_of_test(all[i].pid, words))
            continue;
        struct test *test = remember(&all[i]);
        if (age < when[test->stage])
            continue;
        fprintf(stderr, "%s%s: %s %s %lld s\n", isatty(2) ? "\r\033[K" : "", words[0], words[1],
            what[test->stage], age);
        if (test->stage == NAMED)
            end_test(&all[i], words[2]);
        if (test->stage == ENDED)
            kill(all[i].pid, SIGKILL);
        test->stage++;
    }
}

static void nothing(int sig)
{
    (void)sig;
}

static void start(char **command, int in_session)
{
    sigset_t none;
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (in_session)
        setsid();
    execvp(*command, command);
    perror(*command);
    _exit(127);
}

int main(int argc, char **argv)
{
    int named = 20, limit = 300, status;
    for (int option; (option = getopt(argc, argv, "+n:t:")) > 0;)
        if (option == 'n')
            named = atoi(optarg);
        else if (option == 't')
            limit = atoi(optarg);
        else
            return 100;
    const int deaf = signal(SIGHUP, SIG_IGN) == SIG_IGN;
    if (!deaf)
        signal(SIGHUP, SIG_DFL);
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < 4; i++)
        sigaddset(&set, (int[]){SIGCHLD, SIGINT, SIGTERM, SIGHUP}[i]);
    signal(SIGCHLD, nothing); // lest it is ignored
    if (deaf)
        sigdelset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    pid_t child = fork();
    if (child < 0)
        return perror("watchdog: fork"), 111;
    if (!child)
        start(argv + optind, deaf);
    while (waitpid(child, &status, WNOHANG) == 0) {
        int sig = sigtimedwait(&set, NULL, &(struct timespec){.tv_sec = 1});
        if (sig == SIGTERM || sig == SIGHUP || (sig == SIGINT && deaf))
            kill(child, sig); // at a Ctrl-C the terminal has told it, if it is in its session
        if (sig < 0)
            look_after(named, limit);
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
