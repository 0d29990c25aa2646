// stalled [-a] KIND FDS COMMAND... - becomes COMMAND, with a sink at each of FDS ("2", "1,5") that is full
// and that nobody reads: KIND is pipe, socket (a stream), stopped (a terminal after ^S) or terminal (one
// whose buffer is full). As KIND fifo, FDS is the path of a FIFO that is made; as notify, FDS is the abstract
// name
// ("@name") of a datagram socket for NOTIFY_SOCKET. Who holds the reading ends is no child of COMMAND and
// ends when COMMAND has; with -a, when all have closed the sinks, too.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { HIGH = 100, MANY = 8 };

static struct pollfd held[MANY];
static int n_held;

static _Noreturn void die(const char *what)
{
    perror(what);
    _exit(255);
}

// Above all that COMMAND may want to have, and not for it.
static int high(int fd)
{
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, HIGH);
    if (fd < 0 || moved < 0)
        die("stalled: fd");
    close(fd);
    return moved;
}

// Until nothing more goes in; a terminal may make room a little later.
static void fill(int fd)
{
    static const char bytes[4096] = {'x'};
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    for (int full = 0; full < 5; full++) {
        for (size_t size = sizeof bytes; size; size = size > 1 ? size / 16 : 0)
            while (write(fd, bytes, size) > 0)
                full = 0;
        if (errno != EAGAIN)
            die("stalled: fill");
        nanosleep(&(struct timespec){.tv_nsec = isatty(fd) ? 10000000 : 0}, NULL);
    }
    fcntl(fd, F_SETFL, flags);
}

static void hold(int fd)
{
    if (n_held == MANY)
        exit(100);
    held[n_held++] = (struct pollfd){.fd = high(fd)};
}

static int terminal(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
        die("stalled: ptmx");
    int slave = high(open(ptsname(master), O_RDWR | O_NOCTTY));
    hold(master);
    return slave;
}

static int sink(const char *kind)
{
    int pair[2];
    if (!strcmp(kind, "pipe") || !strcmp(kind, "socket")) {
        if ((*kind == 'p' ? pipe(pair) : socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) < 0)
            die("stalled: pipe");
        hold(pair[0]);
        pair[1] = high(pair[1]);
        fill(pair[1]);
        return pair[1];
    }
    int slave = terminal();
    if (!strcmp(kind, "terminal"))
        fill(slave);
    else if (strcmp(kind, "stopped") != 0 || tcflow(slave, TCOOFF) < 0)
        exit(100);
    return slave;
}

static void fifo(const char *path)
{
    if (mkfifo(path, 0600) < 0 && errno != EEXIST)
        die(path);
    int fd = open(path, O_RDWR);
    if (fd < 0)
        die(path);
    hold(fd);
    fill(held[n_held - 1].fd);
}

// A datagram is not taken, either, while as many as the queue holds are there.
static void notify(const char *name)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0), from = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    strncpy(at.sun_path + 1, name + 1, sizeof at.sun_path - 2);
    if (fd < 0 || from < 0 || bind(fd, (struct sockaddr *)&at, size) < 0)
        die(name);
    while (sendto(from, "x", 1, 0, (struct sockaddr *)&at, size) == 1)
        continue;
    if (errno != EAGAIN)
        die("stalled: fill");
    close(from);
    hold(fd);
    setenv("NOTIFY_SOCKET", name, 1);
}

// Nobody's child, with nothing of COMMAND's but the reading ends.
static void leave_holder(int until_closed)
{
    int command = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (command < 0)
        die("stalled: pidfd_open");
    pid_t pid = fork();
    if (pid < 0)
        die("stalled: fork");
    if (pid) {
        close(command);
        waitpid(pid, NULL, 0);
        return;
    }
    if (fork())
        _exit(0);
    setsid();
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        dup2(null, fd);
    for (int fd = 3, wanted; fd < 1024; fd++) {
        wanted = fd == command;
        for (int i = 0; i < n_held; i++)
            wanted |= fd == held[i].fd;
        if (!wanted)
            close(fd);
    }
    struct pollfd end = {.fd = command, .events = POLLIN};
    while (poll(&end, 1, -1) != 1)
        continue;
    for (int i = 0; until_closed && i < n_held; i++)
        while (poll(&held[i], 1, -1) != 1)
            continue;
    _exit(0);
}

int main(int argc, char **argv)
{
    int sinks[MANY], wanted[MANY], n = 0, until_closed = argc > 1 && !strcmp(argv[1], "-a");
    argv += until_closed;
    if (argc - until_closed < 4)
        return 100;
    if (!strcmp(argv[1], "fifo"))
        fifo(argv[2]);
    else if (!strcmp(argv[1], "notify"))
        notify(argv[2]);
    else
        for (char *at = argv[2]; *at && n < MANY; at += *at == ',') {
            wanted[n] = (int)strtol(at, &at, 10);
            sinks[n++] = sink(argv[1]);
        }
    leave_holder(until_closed);
    for (int i = 0; i < n; i++)
        if (dup2(sinks[i], wanted[i]) < 0)
            die("stalled: dup2");
    execvp(argv[3], argv + 3);
    die(argv[3]);
}
