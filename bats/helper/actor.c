// actor STEP... - plays a program that is well behaved or not. These are the steps:
//
// put TEXT, err TEXT - writes TEXT to stdout or stderr by one write(2); \n and \\ are understood
//
// file FILE TEXT, pid FILE - writes TEXT, or its pid, to FILE
//
// show - one read(2) of stdin, printed as [...], with a dot for each newline
//
// line - one read(2) of stdin; anything but one whole line is counted as early
//
// quiet MS YES NO - writes YES if nothing comes on stdin for MS milliseconds, else NO
//
// drip TEXT - writes TEXT byte by byte; input that comes before its last byte is counted as early
//
// early - prints the number of times that something was early to stderr
//
// ignore SIG, await SIG - ignores a signal; waits for one, which is blocked from the start
//
// close FD, half-close FD - closes it; shuts a socket down for writing
//
// capacity - prints how much the pipe on stdout holds to stderr
//
// pause MS, sleep - sleeps so long, or for ever; exit N: exits; again: goes on with the first step
//
// At the end of the steps, or of stdin, it exits with 0.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int early;

static int signal_of(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } all[] = {{"HUP", SIGHUP}, {"INT", SIGINT}, {"USR1", SIGUSR1}, {"TERM", SIGTERM}, {"PIPE", SIGPIPE}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!strcmp(name, all[i].name))
            return all[i].number;
    fprintf(stderr, "actor: no signal %s\n", name);
    exit(100);
}

static void say(int fd, const char *text)
{
    char bytes[8192];
    size_t n = 0;
    for (; *text && n < sizeof bytes; text++) {
        if (*text == '\\' && text[1])
            bytes[n++] = *++text == 'n' ? '\n' : *text;
        else
            bytes[n++] = *text;
    }
    if (write(fd, bytes, n) != (ssize_t)n)
        exit(111);
}

static int is_quiet(int ms)
{
    struct pollfd p = {.fd = 0, .events = POLLIN};
    return poll(&p, 1, ms) == 0;
}

static void write_file(const char *name, const char *text)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0)
        exit(111);
    say(fd, text);
    close(fd);
}

static void take(int shown)
{
    char bytes[65536], *newline;
    ssize_t n = read(0, bytes, sizeof bytes);
    if (n <= 0)
        exit(n < 0 ? 111 : 0);
    newline = memchr(bytes, '\n', (size_t)n);
    early += newline != bytes + n - 1;
    for (; shown && newline; newline = memchr(newline, '\n', (size_t)(bytes + n - newline)))
        *newline = '.';
    if (shown && printf("[%.*s]\n", (int)n, bytes) > 0)
        fflush(stdout);
}

static void drip(const char *text)
{
    enum { MS = 5 };
    for (; *text; text++) {
        early += !is_quiet(MS);
        if (write(1, text, 1) != 1)
            exit(111);
    }
}

/* A step with its words; how many words it has. */
static int play(const char *step, char **words)
{
    char pid[32];
    int sig;
    if (!strcmp(step, "put") || !strcmp(step, "err"))
        return say(*step == 'p' ? 1 : 2, words[0]), 1;
    if (!strcmp(step, "file"))
        return write_file(words[0], words[1]), 2;
    if (!strcmp(step, "pid"))
        return snprintf(pid, sizeof pid, "%ld", (long)getpid()), write_file(words[0], pid), 1;
    if (!strcmp(step, "show") || !strcmp(step, "line"))
        return take(*step == 's'), 0;
    if (!strcmp(step, "quiet"))
        return say(1, words[is_quiet(atoi(words[0])) ? 1 : 2]), 3;
    if (!strcmp(step, "pause"))
        return poll(NULL, 0, atoi(words[0])), 1;
    if (!strcmp(step, "drip"))
        return drip(words[0]), 1;
    if (!strcmp(step, "early"))
        return fprintf(stderr, "early: %d\n", early), 0;
    if (!strcmp(step, "ignore"))
        return signal(signal_of(words[0]), SIG_IGN), 1;
    if (!strcmp(step, "close"))
        return close(atoi(words[0])), 1;
    if (!strcmp(step, "half-close"))
        return shutdown(atoi(words[0]), SHUT_WR), 1;
    if (!strcmp(step, "capacity"))
        return fprintf(stderr, "%d\n", fcntl(1, F_GETPIPE_SZ)), 0;
    if (!strcmp(step, "exit"))
        exit(atoi(words[0]));
    if (!strcmp(step, "await")) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, signal_of(words[0]));
        return sigwait(&set, &sig), 1;
    }
    while (!strcmp(step, "sleep"))
        pause();
    fprintf(stderr, "actor: no step %s\n", step);
    exit(100);
}

int main(int argc, char **argv)
{
    sigset_t awaited;
    sigemptyset(&awaited);
    for (int i = 1; i + 1 < argc; i++)
        if (!strcmp(argv[i], "await"))
            sigaddset(&awaited, signal_of(argv[i + 1]));
    sigprocmask(SIG_BLOCK, &awaited, NULL);
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "again"))
            i = 0;
        else
            i += play(argv[i], argv + i + 1);
    return 0;
}
