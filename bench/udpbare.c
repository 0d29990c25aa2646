/*
 * udpbare - the limit for a server that starts a program per datagram: nothing but recvmsg, the environment,
 * two pipes, vfork, exec, waitpid, and the answer from the address that was asked (IP_PKTINFO).
 *
 *     udpbare N PROG [ARG...]
 *
 * Binds a port of 127.0.0.1 and prints it; runs PROG (a path) at most N times at once with the variables that
 * udpserver sets. It has no signals to mind, no rules, no limits, no messages and no care for errors: those
 * end it.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>

#include "tool.h"

enum { VARS = 6, VAR_SIZE = 64, STACK = 16384, ROOM = 65536, QUEUE = 4 << 20 };

struct job {
    pid_t pid; /* 0: idle */
    int out;
    struct sockaddr_in from;
    struct in_pktinfo info;
};

struct loop {
    int fd, in, out;
    char **argv, **envp;
    char vars[VARS][VAR_SIZE];
    unsigned long limit, running;
    struct job *jobs;
    char bytes[ROOM];
    _Alignas(16) char stack[STACK];
};

static void set_up(struct loop *l, char **argv)
{
    const int on = 1, room = QUEUE;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    size_t n = 0;
    while (environ[n])
        n++;
    l->argv = argv;
    l->envp = calloc(n + VARS + 1, sizeof *l->envp);
    l->jobs = calloc(l->limit, sizeof *l->jobs);
    l->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (!l->envp || !l->jobs || l->fd < 0 || bind(l->fd, (struct sockaddr *)&a, sizeof a) < 0 ||
        setsockopt(l->fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0 ||
        getsockname(l->fd, (struct sockaddr *)&a, &(socklen_t){sizeof a}) < 0)
        tool_die(TOOL_SYSTEM, "udpbare: bind");
    if (setsockopt(l->fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
        setsockopt(l->fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    memcpy(l->envp, environ, n * sizeof *environ);
    for (size_t i = 0; i < VARS; i++)
        l->envp[n + i] = l->vars[i];
    snprintf(l->vars[0], VAR_SIZE, "PROTO=UDP");
    snprintf(l->vars[1], VAR_SIZE, "UDPCONNNUM=1");
    snprintf(l->vars[2], VAR_SIZE, "UDPLOCALPORT=%u", ntohs(a.sin_port));
    if (printf("%u\n", ntohs(a.sin_port)) < 0 || fflush(stdout) != 0)
        tool_die(TOOL_SYSTEM, "udpbare: write");
}

static int child(void *arg)
{
    struct loop *l = arg;
    if (dup2(l->in, STDIN_FILENO) >= 0 && dup2(l->out, STDOUT_FILENO) >= 0)
        execve(l->argv[0], l->argv, l->envp);
    _exit(127);
}

static void tell(struct loop *l, const struct job *j)
{
    char ip[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &j->info.ipi_addr, ip, sizeof ip);
    snprintf(l->vars[3], VAR_SIZE, "UDPLOCALIP=%s", ip);
    inet_ntop(AF_INET, &j->from.sin_addr, ip, sizeof ip);
    snprintf(l->vars[4], VAR_SIZE, "UDPREMOTEIP=%s", ip);
    snprintf(l->vars[5], VAR_SIZE, "UDPREMOTEPORT=%u", ntohs(j->from.sin_port));
}

static void start(struct loop *l, struct job *j, size_t n)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || write(in[1], l->bytes, n) != (ssize_t)n)
        tool_die(TOOL_SYSTEM, "udpbare: pipe");
    close(in[1]);
    tell(l, j);
    l->in = in[0];
    l->out = out[1];
    j->pid = clone(child, l->stack + STACK, CLONE_VM | CLONE_VFORK | SIGCHLD, l);
    if (j->pid < 0)
        tool_die(TOOL_SYSTEM, "udpbare: clone");
    close(in[0]);
    close(out[1]);
    j->out = out[0];
    l->running++;
}

/* Takes a datagram, if there is one or nothing else is to be done, and starts its program. */
static bool take(struct loop *l)
{
    union {
        struct cmsghdr align;
        char mem[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control;
    struct job *j = l->jobs;
    while (j->pid)
        j++;
    struct iovec v = {.iov_base = l->bytes, .iov_len = sizeof l->bytes};
    struct msghdr h = {.msg_name = &j->from,
        .msg_namelen = sizeof j->from,
        .msg_iov = &v,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control};
    ssize_t n = recvmsg(l->fd, &h, l->running ? MSG_DONTWAIT : 0);
    if (n < 0)
        return false;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&h);
    if (!c)
        tool_die(TOOL_SYSTEM, "udpbare: no IP_PKTINFO");
    memcpy(&j->info, CMSG_DATA(c), sizeof j->info);
    j->info.ipi_ifindex = 0;
    start(l, j, (size_t)n);
    return true;
}

static void answer(struct loop *l, struct job *j)
{
    union {
        struct cmsghdr align;
        char mem[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control = {.align = {.cmsg_len = CMSG_LEN(sizeof j->info), .cmsg_type = IP_PKTINFO}};
    ssize_t n = 0, more;
    while ((more = read(j->out, l->bytes + n, sizeof l->bytes - (size_t)n)) > 0)
        n += more;
    close(j->out);
    memcpy(CMSG_DATA(&control.align), &j->info, sizeof j->info);
    struct iovec v = {.iov_base = l->bytes, .iov_len = (size_t)n};
    struct msghdr h = {.msg_name = &j->from,
        .msg_namelen = sizeof j->from,
        .msg_iov = &v,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control};
    if (sendmsg(l->fd, &h, 0) < 0)
        tool_die(TOOL_SYSTEM, "udpbare: sendmsg");
    j->pid = 0;
    l->running--;
}

static void reap(struct loop *l, bool wait)
{
    int status;
    pid_t pid;
    while (l->running && (pid = waitpid(-1, &status, wait ? 0 : WNOHANG)) > 0) {
        struct job *j = l->jobs;
        while (j->pid != pid)
            j++;
        if (status != 0)
            tool_die(TOOL_NO, "udpbare: %s failed, wait status %d", l->argv[0], status);
        answer(l, j);
        wait = l->running >= l->limit;
    }
}

int main(int argc, char **argv)
{
    static struct loop l;
    if (argc < 3)
        tool_die(TOOL_USAGE, "usage: udpbare N PROG [ARG...]");
    l.limit = (unsigned long)tool_number(argv[1], 1, 100000);
    set_up(&l, argv + 2);
    for (;;) {
        bool took = take(&l);
        reap(&l, !took || l.running >= l.limit);
    }
}
