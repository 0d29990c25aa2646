// does WORD... - a process that does what the words say, in their order; at their end it exits 0. What would
// last for ever ends with SIGALRM after 100 s, should a test fail.
// - say TEXT, pid, last (the pid of the last fork), fds, group (of it and its parent: same|own, leader): to
// stdout
// - to FILE TEXT: appends a line, with % for the pid
// - sleep, pause MS, exit N, open FILE (reads it to its end), wait (for all children), exec COMMAND...,
// setuid UID
// - write FD TEXT, drained FD (until a pipe is empty), broken-pipe (writes to one)
// - ignore|default|block|unblock SIG; kill SIG self|parent|PID
// - note SIG, note2 SIG: from now on prints its name to fd 1, 2
// - leave SIG MS TEXT: from now on pauses, prints TEXT to fd 2 and exits 0
// - storm PID N FILE SIG SIG: N signals, of both by turns; before each FILE, unless '', grows by a byte
// - pgrp, sid: a process group, a session of its own
// - fork N WORD... ';': N children do these words and exit; the parent goes on behind the ';'
// - churn MS: goes on in a new child, every MS
// - thread, end-thread: another thread, that sleeps; only this one exits
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const names[65] = {[1] = "HUP",
    [2] = "INT",
    [3] = "QUIT",
    [4] = "ILL",
    [5] = "TRAP",
    [6] = "ABRT",
    [7] = "BUS",
    [8] = "FPE",
    [9] = "KILL",
    [10] = "USR1",
    [11] = "SEGV",
    [12] = "USR2",
    [13] = "PIPE",
    [14] = "ALRM",
    [15] = "TERM",
    [17] = "CHLD",
    [18] = "CONT",
    [19] = "STOP",
    [20] = "TSTP",
    [21] = "TTIN",
    [22] = "TTOU",
    [23] = "URG",
    [24] = "XCPU",
    [26] = "VTALRM",
    [27] = "PROF",
    [28] = "WINCH",
    [29] = "IO",
    [30] = "PWR",
    [31] = "SYS",
    [34] = "RTMIN",
    [64] = "RTMAX"};

static int notes[65], leave_ms;
static const char *leave_text = "";

static _Noreturn void die(const char *what)
{
    perror(what);
    _exit(111);
}

static int number(const char *word)
{
    for (int i = 1; i < 65; i++)
        if (names[i] && !strcmp(word, names[i]))
            return i;
    return atoi(word);
}

static void pause_ms(int ms)
{
    struct timespec left = {ms / 1000, ms % 1000 * 1000000L};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
}

static void line(int fd, const char *text)
{
    char whole[1000];
    int n = snprintf(whole, sizeof whole, "%s\n", text);
    if (write(fd, whole, (size_t)n) != n)
        _exit(111);
}

static void print_pid(int fd, pid_t pid)
{
    char text[32];
    snprintf(text, sizeof text, "%d", (int)pid);
    line(fd, text);
}

static void append(const char *file, const char *text)
{
    char pid[32] = "", whole[1000];
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND, 0666);
    const char *at = strchr(text, '%');
    if (fd < 0)
        die(file);
    if (at)
        snprintf(pid, sizeof pid, "%d", (int)getpid());
    snprintf(whole, sizeof whole, "%.*s%s%s", at ? (int)(at - text) : (int)strlen(text), text, pid,
        at ? at + 1 : "");
    line(fd, whole);
    close(fd);
}

static void write_text(int fd, const char *text)
{
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        die("write");
}

static void wait_until_read(int fd)
{
    for (int unread = 1; ioctl(fd, FIONREAD, &unread) == 0 && unread;)
        pause_ms(10);
}

static void break_pipe(void)
{
    int fds[2];
    if (pipe(fds) < 0 || close(fds[0]) < 0 || (write(fds[1], "x", 1) < 0 && errno != EPIPE))
        die("pipe");
}

static void print_fds(void)
{
    char text[2000] = "";
    for (int fd = 0; fd < 256; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            snprintf(text + strlen(text), sizeof text - strlen(text), " %d", fd);
    line(1, text + 1);
}

static void storm(char **w)
{
    int fd = *w[2] ? open(w[2], O_WRONLY | O_APPEND) : -1;
    for (int n = 1; n <= atoi(w[1]); n++)
        if ((fd >= 0 && write(fd, "", 1) != 1) || kill(atoi(*w), number(w[3 + (n + 1) % 2])) < 0)
            die("storm");
}

static void take_note(int sig)
{
    int kept = errno;
    line(notes[sig], names[sig] ? names[sig] : "other");
    errno = kept;
}

static void take_leave(int sig)
{
    (void)sig;
    pause_ms(leave_ms);
    line(2, leave_text);
    _exit(0);
}

static void on(int sig, void (*action)(int))
{
    struct sigaction a = {.sa_handler = action, .sa_flags = SA_RESTART};
    if (sigaction(sig, &a, NULL) < 0 && action != SIG_DFL) // KILL has it anyhow
        die("sigaction");
}

static void mask(int how, int sig)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, sig);
    sigprocmask(how, &set, NULL);
}

static void *sleep_on(void *unused)
{
    for (;;)
        pause();
    return unused;
}

static void read_all(const char *file)
{
    char bytes[100];
    int fd;
    while ((fd = open(file, O_RDONLY)) < 0 && errno == EINTR)
        continue;
    ssize_t n;
    while ((n = read(fd, bytes, sizeof bytes)) > 0 || (n < 0 && errno == EINTR))
        continue;
    close(fd);
}

// Behind the ';' of a fork at w, whose children are under way; in a child, where its words begin.
static char **spread(char **w, pid_t *last, int *is_child)
{
    for (int n = atoi(*w); n-- > 0;) {
        if ((*last = fork()) < 0)
            die("fork");
        if (*last == 0) {
            *is_child = 1;
            alarm(100);
            return w + 1;
        }
    }
    for (int depth = 1; *++w;)
        if (!(depth += !strcmp(*w, "fork") - !strcmp(*w, ";")))
            return w + 1;
    exit(100);
}

static void churn(int ms)
{
    on(SIGCHLD, SIG_IGN);
    for (time_t end = time(NULL) + 60; time(NULL) < end; pause_ms(ms))
        if (fork() > 0)
            _exit(0);
    _exit(0);
}

int main(int argc, char **argv)
{
    pid_t last = 0;
    int is_child = 0;
    pthread_t thread;
    alarm(100);
    for (char **w = argv + 1; w < argv + argc;) {
        const char *word = *w++, *one = *w ? *w : "", *two = *w && w[1] ? w[1] : "";
#define IS(name, words) (!strcmp(word, name) && (w += (words), 1))
        if (IS(";", 0) && is_child)
            _exit(0);
        else if (IS("say", 1))
            line(1, one);
        else if (IS("pid", 0))
            print_pid(1, getpid());
        else if (IS("last", 0))
            print_pid(1, last);
        else if (IS("to", 2))
            append(one, two);
        else if (IS("fds", 0))
            print_fds();
        else if (IS("group", 0))
            printf("%s %d\n", getpgrp() == getpgid(getppid()) ? "same" : "own", getpgrp() == getpid()),
                fflush(stdout);
        else if (IS("broken-pipe", 0))
            break_pipe();
        else if (IS("storm", 5))
            storm(w - 5);
        else if (IS("write", 2))
            write_text(atoi(one), two);
        else if (IS("drained", 1))
            wait_until_read(atoi(one));
        else if (IS("sleep", 0))
            sleep_on(NULL);
        else if (IS("pause", 1))
            pause_ms(atoi(one));
        else if (IS("open", 1))
            read_all(one);
        else if (IS("exit", 1))
            _exit(atoi(one));
        else if (IS("ignore", 1))
            on(number(one), SIG_IGN);
        else if (IS("default", 1))
            on(number(one), SIG_DFL);
        else if (IS("block", 1))
            mask(SIG_BLOCK, number(one));
        else if (IS("unblock", 1))
            mask(SIG_UNBLOCK, number(one));
        else if (IS("note", 1))
            notes[number(one)] = 1, on(number(one), take_note);
        else if (IS("note2", 1))
            notes[number(one)] = 2, on(number(one), take_note);
        else if (IS("leave", 3))
            leave_ms = atoi(two), leave_text = w[-1], on(number(one), take_leave);
        else if (IS("kill", 2))
            kill(!strcmp(two, "self")     ? getpid()
                 : !strcmp(two, "parent") ? getppid()
                                          : atoi(two),
                number(one));
        else if (IS("pgrp", 0))
            setpgid(0, 0);
        else if (IS("sid", 0))
            setsid();
        else if (IS("fork", 0))
            w = spread(w, &last, &is_child);
        else if (IS("wait", 0))
            while (wait(NULL) > 0 || errno == EINTR)
                continue;
        else if (IS("thread", 0)) {
            if (pthread_create(&thread, NULL, sleep_on, NULL))
                die("pthread_create");
        } else if (IS("end-thread", 0))
            syscall(SYS_exit, 0);
        else if (IS("churn", 1))
            churn(atoi(one));
        else if (IS("setuid", 1)) {
            if (setuid((uid_t)atoi(one)) < 0)
                die("setuid");
        } else if (IS("exec", 0))
            execvp(one, w), die(one);
        else
            die(word);
    }
    return 0;
}
