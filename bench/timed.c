/*
 * timed - runs a command and says what it took: seconds by the clock, user and system time, most memory.
 *
 *     timed [-o FILE] PROG [ARG...]
 *
 * Appends one line `wall=S user=S sys=S maxrss_kb=N status=N` to FILE, or writes it to stderr, and ends with
 * PROG's status (128+N for signal N). TERM is passed on to the command, which dies with timed.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

static volatile pid_t command;

static void pass_on(int sig)
{
    if (command > 0)
        kill(command, sig);
}

static _Noreturn void become(char **argv)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp(*argv, argv);
    tool_die(errno == ENOENT ? 127 : 126, "timed: exec %s failed", *argv);
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    int opt, out = STDERR_FILENO, status;
    while ((opt = getopt(argc, argv, "+o:")) != -1) {
        if (opt != 'o')
            optind = argc;
        else if ((out = open(optarg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) < 0)
            tool_die(TOOL_SYSTEM, "timed: open %s", optarg);
    }
    if (optind >= argc)
        tool_die(TOOL_USAGE, "usage: timed [-o FILE] PROG [ARG...]");
    sigset_t term;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    sigprocmask(SIG_BLOCK, &term, NULL); /* until it is known whom to pass it on to */
    int64_t start = tool_now();
    pid_t pid = fork();
    if (pid < 0)
        tool_die(TOOL_SYSTEM, "timed: fork");
    if (pid == 0) {
        sigprocmask(SIG_UNBLOCK, &term, NULL);
        become(argv + optind);
    }
    command = pid;
    signal(SIGTERM, pass_on);
    sigprocmask(SIG_UNBLOCK, &term, NULL);
    struct rusage use;
    while (wait4(pid, &status, 0, &use) < 0)
        if (errno != EINTR)
            tool_die(TOOL_SYSTEM, "timed: wait4");
    double wall = (double)(tool_now() - start) / TOOL_SECOND;
    status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (dprintf(out, "wall=%.6f user=%.6f sys=%.6f maxrss_kb=%ld status=%d\n", wall, seconds(use.ru_utime),
            seconds(use.ru_stime), use.ru_maxrss, status) < 0)
        tool_die(TOOL_SYSTEM, "timed: write");
    return status;
}
