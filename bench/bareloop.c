/*
 * bareloop - the limit for a server that starts a program per connection: nothing but accept, the
 * environment, vfork, exec and waitpid, in one blocking loop.
 *
 *     bareloop [-b] [-u PATH] N PROG [ARG...]
 *
 * Listens on 127.0.0.1 and prints the port, or with -u on a Unix socket at PATH and prints that; runs PROG (a
 * path) at most N times at once with the variables that tcpserver and unixserver set. It has no signals to
 * mind, no rules, no messages and no care for errors: those end it. With -b it does not wait for a child's
 * exec as vfork does: up to 8 of them are on their way at once, each on a stack of its own in the same
 * memory.
 */
#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

enum { VARS = 9, VAR_SIZE = 128, LANES = 8, STACK = 16384 };

/* What one start needs until its exec. */
struct lane {
    _Atomic int busy; /* cleared by the kernel at exec */
    int fd;
    char **argv, **envp;
    char *pid; /* where the child writes its own, or NULL */
    char vars[VARS][VAR_SIZE];
    _Alignas(16) char stack[STACK];
};

struct loop {
    int listener;
    const char *path; /* NULL: TCP */
    unsigned port;
    bool beside;
    unsigned long limit, running;
    unsigned next;
    struct lane lane[LANES];
};

/* The room for the variables, and those that are the same for all. */
static void set_up_lane(const struct loop *l, struct lane *lane, char **argv)
{
    size_t n = 0;
    while (environ[n])
        n++;
    lane->argv = argv;
    lane->envp = calloc(n + VARS + 1, sizeof *lane->envp);
    if (!lane->envp)
        tool_die(TOOL_SYSTEM, "bareloop: malloc");
    memcpy(lane->envp, environ, n * sizeof *environ);
    for (size_t i = 0; i < (l->path ? 9 : 6); i++)
        lane->envp[n + i] = lane->vars[i];
    snprintf(lane->vars[0], VAR_SIZE, "PROTO=%s", l->path ? "UNIX" : "TCP");
    snprintf(lane->vars[1], VAR_SIZE, "%s=%s", l->path ? "UNIXLOCALPATH" : "TCPLOCALIP",
        l->path ? l->path : "127.0.0.1");
    snprintf(lane->vars[2], VAR_SIZE, "%s=1", l->path ? "UNIXCONNNUM" : "TCPCONNNUM");
    if (!l->path) {
        snprintf(lane->vars[3], VAR_SIZE, "TCPLOCALPORT=%u", l->port);
        return;
    }
    snprintf(lane->vars[3], VAR_SIZE, "UNIXLOCALUID=%u", getuid());
    snprintf(lane->vars[4], VAR_SIZE, "UNIXLOCALGID=%u", getgid());
    lane->pid = lane->vars[5] + snprintf(lane->vars[5], VAR_SIZE, "UNIXLOCALPID=");
}

static void listen_tcp(struct loop *l)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    l->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->listener < 0 || bind(l->listener, (struct sockaddr *)&a, sizeof a) < 0 ||
        getsockname(l->listener, (struct sockaddr *)&a, &(socklen_t){sizeof a}) < 0)
        tool_die(TOOL_SYSTEM, "bareloop: bind");
    l->port = ntohs(a.sin_port);
}

static void listen_unix(struct loop *l)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t len = strlen(l->path);
    if (len >= sizeof a.sun_path)
        tool_die(TOOL_USAGE, "bareloop: '%s': longer than a socket's path can be", l->path);
    memcpy(a.sun_path, l->path, len + 1);
    l->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->listener < 0 || bind(l->listener, (struct sockaddr *)&a, sizeof a) < 0)
        tool_die(TOOL_SYSTEM, "bareloop: bind");
}

static void set_up(struct loop *l, char **argv)
{
    if (l->path)
        listen_unix(l);
    else
        listen_tcp(l);
    if (listen(l->listener, 4096) < 0)
        tool_die(TOOL_SYSTEM, "bareloop: listen");
    for (int i = 0; i < LANES; i++)
        set_up_lane(l, &l->lane[i], argv);
    if ((l->path ? printf("%s\n", l->path) : printf("%u\n", l->port)) < 0 || fflush(stdout) != 0)
        tool_die(TOOL_SYSTEM, "bareloop: write");
}

static int child(void *arg)
{
    struct lane *lane = arg;
    if (lane->busy)
        syscall(SYS_set_tid_address, &lane->busy);
    if (lane->pid)
        snprintf(lane->pid, 16, "%d", getpid());
    if (dup2(lane->fd, STDIN_FILENO) >= 0 && dup2(lane->fd, STDOUT_FILENO) >= 0)
        execve(lane->argv[0], lane->argv, lane->envp);
    _exit(127);
}

static struct lane *free_lane(struct loop *l)
{
    struct lane *lane = &l->lane[l->next++ % LANES];
    for (int busy; (busy = lane->busy);)
        syscall(SYS_futex, &lane->busy, 0 /* FUTEX_WAIT */, busy, NULL, NULL, 0);
    return lane;
}

static void tell_tcp(struct lane *lane, const struct sockaddr_in *from)
{
    char ip[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &from->sin_addr, ip, sizeof ip);
    snprintf(lane->vars[4], VAR_SIZE, "TCPREMOTEIP=%s", ip);
    snprintf(lane->vars[5], VAR_SIZE, "TCPREMOTEPORT=%u", ntohs(from->sin_port));
}

static void tell_unix(struct lane *lane, int fd)
{
    struct ucred peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &(socklen_t){sizeof peer}) < 0)
        tool_die(TOOL_SYSTEM, "bareloop: SO_PEERCRED");
    snprintf(lane->vars[6], VAR_SIZE, "UNIXREMOTEPID=%d", peer.pid);
    snprintf(lane->vars[7], VAR_SIZE, "UNIXREMOTEEUID=%u", peer.uid);
    snprintf(lane->vars[8], VAR_SIZE, "UNIXREMOTEEGID=%u", peer.gid);
}

static void start(struct loop *l)
{
    struct sockaddr_in from;
    int fd = accept4(l->listener, l->path ? NULL : (struct sockaddr *)&from,
        l->path ? NULL : &(socklen_t){sizeof from}, SOCK_CLOEXEC);
    if (fd < 0)
        tool_die(TOOL_SYSTEM, "bareloop: accept");
    struct lane *lane = free_lane(l);
    if (l->path)
        tell_unix(lane, fd);
    else
        tell_tcp(lane, &from);
    lane->fd = fd;
    lane->busy = l->beside; /* vfork waits by itself */
    if (clone(child, lane->stack + STACK, CLONE_VM | (l->beside ? 0 : CLONE_VFORK) | SIGCHLD, lane) < 0)
        tool_die(TOOL_SYSTEM, "bareloop: clone");
    close(fd);
    l->running++;
}

static void reap(struct loop *l)
{
    int status;
    while (l->running && waitpid(-1, &status, l->running >= l->limit ? 0 : WNOHANG) > 0) {
        l->running--;
        if (status != 0)
            tool_die(TOOL_NO, "bareloop: %s failed, wait status %d", l->lane[0].argv[0], status);
    }
}

int main(int argc, char **argv)
{
    static struct loop l;
    int opt;
    while ((opt = getopt(argc, argv, "+bu:")) != -1)
        if (opt == 'b')
            l.beside = true;
        else if (opt == 'u')
            l.path = optarg;
        else
            optind = argc;
    if (argc < optind + 2)
        tool_die(TOOL_USAGE, "usage: bareloop [-b] [-u PATH] N PROG [ARG...]");
    l.limit = (unsigned long)tool_number(argv[optind], 1, 1000000);
    set_up(&l, argv + optind + 1);
    for (;;) {
        start(&l);
        reap(&l);
    }
}
