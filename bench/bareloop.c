/*
 * bareloop - the limit for a server that starts a program per connection: nothing but accept, the
 * environment, vfork, exec and waitpid, in one blocking loop.
 *
 *     bareloop [-b] N PROG [ARG...]
 *
 * Listens on 127.0.0.1, prints the port, runs PROG (a path) at most N times at once with the variables that
 * tcpserver sets. It has no signals to mind, no rules, no messages and no care for errors: those end it. With
 * -b it does not wait for a child's exec as vfork does: up to 8 of them are on their way at once, each on a
 * stack of its own in the same memory.
 */
#include <arpa/inet.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

enum { VARS = 6, VAR_SIZE = 64, LANES = 8, STACK = 16384 };

/* What one start needs until its exec. */
struct lane {
    _Atomic int busy; /* cleared by the kernel at exec */
    int fd;
    char **argv, **envp;
    char vars[VARS][VAR_SIZE];
    _Alignas(16) char stack[STACK];
};

struct loop {
    int listener;
    bool beside;
    unsigned long limit, running;
    unsigned next;
    struct lane lane[LANES];
};

static void set_up_lane(struct lane *lane, char **argv, unsigned port)
{
    size_t n = 0;
    while (environ[n])
        n++;
    lane->argv = argv;
    lane->envp = calloc(n + VARS + 1, sizeof *lane->envp);
    if (!lane->envp)
        tool_die(TOOL_SYSTEM, "bareloop: malloc");
    memcpy(lane->envp, environ, n * sizeof *environ);
    for (size_t i = 0; i < VARS; i++)
        lane->envp[n + i] = lane->vars[i];
    snprintf(lane->vars[0], VAR_SIZE, "PROTO=TCP");
    snprintf(lane->vars[1], VAR_SIZE, "TCPLOCALIP=127.0.0.1");
    snprintf(lane->vars[2], VAR_SIZE, "TCPLOCALPORT=%u", port);
    snprintf(lane->vars[5], VAR_SIZE, "TCPCONNNUM=1");
}

static void set_up(struct loop *l, char **argv)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    l->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (l->listener < 0 || bind(l->listener, (struct sockaddr *)&a, sizeof a) < 0 ||
        listen(l->listener, 4096) < 0 ||
        getsockname(l->listener, (struct sockaddr *)&a, &(socklen_t){sizeof a}) < 0)
        tool_die(TOOL_SYSTEM, "bareloop: listen");
    for (int i = 0; i < LANES; i++)
        set_up_lane(&l->lane[i], argv, ntohs(a.sin_port));
    printf("%u\n", ntohs(a.sin_port));
    if (fflush(stdout) != 0)
        tool_die(TOOL_SYSTEM, "bareloop: write");
}

static int child(void *arg)
{
    struct lane *lane = arg;
    syscall(SYS_set_tid_address, &lane->busy);
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

static void start(struct loop *l, int fd, const struct sockaddr_in *from)
{
    struct lane *lane = free_lane(l);
    char ip[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &from->sin_addr, ip, sizeof ip);
    snprintf(lane->vars[3], VAR_SIZE, "TCPREMOTEIP=%s", ip);
    snprintf(lane->vars[4], VAR_SIZE, "TCPREMOTEPORT=%u", ntohs(from->sin_port));
    lane->fd = fd;
    lane->busy = 1;
    if (clone(child, lane->stack + STACK, CLONE_VM | (l->beside ? 0 : CLONE_VFORK) | SIGCHLD, lane) < 0)
        tool_die(TOOL_SYSTEM, "bareloop: clone");
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
    while ((opt = getopt(argc, argv, "+b")) == 'b')
        l.beside = true;
    if (opt != -1 || argc < optind + 2)
        tool_die(TOOL_USAGE, "usage: bareloop [-b] N PROG [ARG...]");
    l.limit = (unsigned long)tool_number(argv[optind], 1, 1000000);
    set_up(&l, argv + optind + 1);
    for (;;) {
        struct sockaddr_in from;
        int fd = accept4(l.listener, (struct sockaddr *)&from, &(socklen_t){sizeof from}, SOCK_CLOEXEC);
        if (fd < 0)
            tool_die(TOOL_SYSTEM, "bareloop: accept");
        start(&l, fd, &from);
        close(fd);
        l.running++;
        reap(&l);
    }
}
