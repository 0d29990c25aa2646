/*
 * stream - lines through two programs that something joins, such as a message queue, and what that took.
 *
 *     stream [-1] [-o FILE] N SENDER [ARG...] ::: RECEIVER [ARG...]
 *
 * Gives the sender N lines on its stdin, a file, and compares what the receiver writes with them. -1: the
 * stdin is a pipe, and a line is given when the one before it has come out. The sender must end with 0; the
 * receiver gets SIGTERM when it has written all.
 *
 * Appends one line as that of timed to FILE, or writes it to stderr: the time from before the first start to
 * the last line, and what both programs used of the processors together.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

enum { LINE = 64, ROOM = 65536, PATIENCE_MS = 10000 };

struct stream {
    uint64_t n, checked;
    bool one_by_one;
    int feed, out; /* to the sender, from the receiver */
    pid_t sender, receiver;
    double user, sys;
    long maxrss;
};

/* Line number i; its length. */
static size_t line_of(uint64_t i, char line[LINE])
{
    return (size_t)snprintf(line, LINE, "line %08llu of what goes through a queue\n", (unsigned long long)i);
}

static _Noreturn void give_up(const struct stream *s, const char *why)
{
    kill(s->sender, SIGKILL);
    kill(s->receiver, SIGKILL);
    tool_die(TOOL_NO, "stream: line %llu: %s", (unsigned long long)s->checked + 1, why);
}

static pid_t start(char **argv, int in, int out)
{
    pid_t pid = fork();
    if (pid < 0)
        tool_die(TOOL_SYSTEM, "stream: fork");
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);
    if (dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
        tool_die(TOOL_SYSTEM, "stream: dup2");
    execvp(*argv, argv);
    tool_die(TOOL_SYSTEM, "stream: exec %s", *argv);
}

/* All lines, to be read from the beginning. */
static int make_file(uint64_t n)
{
    char line[LINE];
    int fd = memfd_create("lines", MFD_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(dup(fd), "w");
    if (!file)
        tool_die(TOOL_SYSTEM, "stream: memfd_create");
    for (uint64_t i = 0; i < n; i++)
        fwrite(line, 1, line_of(i, line), file);
    if (fclose(file) != 0 || lseek(fd, 0, SEEK_SET) < 0)
        tool_die(TOOL_SYSTEM, "stream: write");
    return fd;
}

static void feed(struct stream *s, uint64_t i)
{
    char line[LINE];
    size_t len = line_of(i, line);
    if (write(s->feed, line, len) != (ssize_t)len)
        give_up(s, "the sender takes no more");
}

/* Compares what has come, which begins with a line; how much of it was whole lines. */
static size_t check(struct stream *s, const char *got, size_t len)
{
    char line[LINE];
    size_t at = 0, n;
    while (s->checked < s->n && (n = line_of(s->checked, line)) <= len - at) {
        if (memcmp(got + at, line, n) != 0)
            give_up(s, "it is not what was sent");
        at += n;
        s->checked++;
        if (s->one_by_one && s->checked < s->n)
            feed(s, s->checked);
    }
    return at;
}

static void read_all(struct stream *s)
{
    static char got[ROOM];
    size_t len = 0;
    struct pollfd p = {.fd = s->out, .events = POLLIN};
    while (s->checked < s->n) {
        if (poll(&p, 1, PATIENCE_MS) <= 0)
            give_up(s, "it does not come");
        ssize_t n = read(s->out, got + len, sizeof got - len);
        if (n <= 0)
            give_up(s, "the receiver has ended");
        len += (size_t)n;
        size_t done = check(s, got, len);
        len -= done;
        memmove(got, got + done, len);
    }
    if (len)
        give_up(s, "there are more than were sent");
}

/* Its end, which must be with `status`, or by a signal that was sent to it. */
static void reap(struct stream *s, pid_t pid, int sig)
{
    int status;
    struct rusage use;
    if (sig)
        kill(pid, sig);
    if (wait4(pid, &status, 0, &use) < 0)
        tool_die(TOOL_SYSTEM, "stream: wait4");
    if (status != 0 && !(sig && WIFSIGNALED(status) && WTERMSIG(status) == sig))
        give_up(s, "a program has failed");
    s->user += (double)use.ru_utime.tv_sec + (double)use.ru_utime.tv_usec / 1e6;
    s->sys += (double)use.ru_stime.tv_sec + (double)use.ru_stime.tv_usec / 1e6;
    s->maxrss = use.ru_maxrss > s->maxrss ? use.ru_maxrss : s->maxrss;
}

static int64_t run(struct stream *s, char **sender, char **receiver)
{
    int in[2], out[2];
    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(in, O_CLOEXEC) < 0)
        tool_die(TOOL_SYSTEM, "stream: pipe");
    int lines = s->one_by_one ? in[0] : make_file(s->n);
    s->feed = in[1];
    s->out = out[0];
    int64_t began = tool_now();
    s->receiver = start(receiver, in[0], out[1]);
    s->sender = start(sender, lines, STDERR_FILENO);
    close(lines);
    close(out[1]);
    if (s->one_by_one)
        feed(s, 0);
    read_all(s);
    int64_t took = tool_now() - began;
    close(s->feed);
    reap(s, s->sender, 0);
    reap(s, s->receiver, SIGTERM);
    return took;
}

int main(int argc, char **argv)
{
    struct stream s = {0};
    int opt, out = STDERR_FILENO;
    while ((opt = getopt(argc, argv, "+1o:")) != -1) {
        if (opt == '1')
            s.one_by_one = true;
        else if (opt != 'o')
            optind = argc;
        else if ((out = open(optarg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) < 0)
            tool_die(TOOL_SYSTEM, "stream: open %s", optarg);
    }
    char **sender = argv + (optind < argc ? optind + 1 : argc), **receiver = sender;
    while (*receiver && strcmp(*receiver, ":::") != 0)
        receiver++;
    if (receiver == sender || !*receiver || !receiver[1])
        tool_die(TOOL_USAGE, "usage: stream [-1] [-o FILE] N SENDER [ARG...] ::: RECEIVER [ARG...]");
    *receiver++ = NULL;
    s.n = tool_number(argv[optind], 1, 99999999);
    signal(SIGPIPE, SIG_IGN);
    double wall = (double)run(&s, sender, receiver) / TOOL_SECOND;
    if (dprintf(out, "wall=%.6f user=%.6f sys=%.6f maxrss_kb=%ld status=0\n", wall, s.user, s.sys, s.maxrss) <
        0)
        tool_die(TOOL_SYSTEM, "stream: write");
    return TOOL_OK;
}
