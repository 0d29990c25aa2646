/*
 * pingpong - bytes there and back, one at a time: what a message costs that must be answered before the next.
 *
 *     pingpong on N IN OUT           writes a byte to fd OUT, reads its echo from fd IN, N times
 *     pingpong run N PROG [ARG...]   the same with PROG, by pipes; at the end of its input it must end with 0
 *     pingpong tcp                   an echo server on 127.0.0.1; it prints its port
 *     pingpong unix PATH             the same on a Unix socket; it prints PATH
 *     pingpong pin PROG [ARG...]     becomes PROG, on one processor: the first that it may use
 *
 * No two bytes in a row are the same, and each must come back, alone, before the next is sent. The clients
 * print `ok N`. The servers serve one connection after the other.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tool.h"

/* ---- clients ---- */

static void play(uint64_t n, int in, int out)
{
    for (uint64_t i = 0; i < n; i++) {
        char sent = (char)('a' + i % 26), got[2];
        if (write(out, &sent, 1) != 1)
            tool_die(TOOL_SYSTEM, "pingpong: write");
        ssize_t len = read(in, got, sizeof got);
        if (len < 0)
            tool_die(TOOL_SYSTEM, "pingpong: read");
        if (len != 1 || *got != sent)
            tool_die(
                TOOL_NO, "pingpong: a wrong answer after %llu, of %zd bytes", (unsigned long long)i, len);
    }
}

static pid_t start(char **argv, int in, int out)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    errno = posix_spawnp(&pid, *argv, &actions, NULL, argv, environ);
    if (errno)
        tool_die(TOOL_SYSTEM, "pingpong: %s", *argv);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static void run(uint64_t n, char **argv)
{
    int there[2], back[2], status;
    char more;
    if (pipe2(there, O_CLOEXEC) < 0 || pipe2(back, O_CLOEXEC) < 0)
        tool_die(TOOL_SYSTEM, "pingpong: pipe");
    pid_t pid = start(argv, there[0], back[1]);
    close(there[0]);
    close(back[1]);
    play(n, back[0], there[1]);
    close(there[1]);
    if (read(back[0], &more, 1) != 0)
        tool_die(TOOL_NO, "pingpong: more than the answers");
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            tool_die(TOOL_SYSTEM, "pingpong: wait");
    if (status != 0)
        tool_die(TOOL_NO, "pingpong: %s has failed: wait status %d", *argv, status);
}

/* ---- servers ---- */

static void echo(int fd)
{
    char bytes[4096];
    ssize_t n;
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        if (send(fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
            return;
}

static _Noreturn void serve(int listener)
{
    if (listen(listener, 16) < 0 || fflush(stdout) != 0)
        tool_die(TOOL_SYSTEM, "pingpong: listen");
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            tool_die(TOOL_SYSTEM, "pingpong: accept");
        echo(fd);
        close(fd);
    }
}

static _Noreturn void serve_tcp(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &(socklen_t){sizeof a}) < 0)
        tool_die(TOOL_SYSTEM, "pingpong: bind");
    printf("%u\n", ntohs(a.sin_port));
    serve(fd);
}

static _Noreturn void serve_unix(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path)
        tool_die(TOOL_USAGE, "pingpong: '%s' is too long", path);
    memcpy(a.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0)
        tool_die(TOOL_SYSTEM, "pingpong: bind %s", path);
    printf("%s\n", path);
    serve(fd);
}

/* ---- on one processor ---- */

static _Noreturn void become_pinned(char **argv)
{
    cpu_set_t may, one;
    int cpu = 0;
    if (sched_getaffinity(0, sizeof may, &may) < 0)
        tool_die(TOOL_SYSTEM, "pingpong: sched_getaffinity");
    while (cpu + 1 < CPU_SETSIZE && !CPU_ISSET((size_t)cpu, &may))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) < 0)
        tool_die(TOOL_SYSTEM, "pingpong: sched_setaffinity");
    execvp(*argv, argv);
    tool_die(TOOL_SYSTEM, "pingpong: %s", *argv);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    if (argc == 2 && strcmp(mode, "tcp") == 0)
        serve_tcp();
    if (argc == 3 && strcmp(mode, "unix") == 0)
        serve_unix(argv[2]);
    if (argc > 2 && strcmp(mode, "pin") == 0)
        become_pinned(argv + 2);
    uint64_t n = argc > 3 ? tool_number(argv[2], 1, 1000000000) : 0;
    if (argc == 5 && strcmp(mode, "on") == 0)
        play(n, (int)tool_number(argv[3], 0, 1023), (int)tool_number(argv[4], 0, 1023));
    else if (argc > 3 && strcmp(mode, "run") == 0)
        run(n, argv + 3);
    else
        tool_die(TOOL_USAGE,
            "usage: pingpong on N IN OUT, run N PROG [ARG...], tcp, unix PATH, pin PROG [ARG...]");
    printf("ok %llu\n", (unsigned long long)n);
    return TOOL_OK;
}
