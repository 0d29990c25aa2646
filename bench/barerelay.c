/*
 * barerelay - the limit for a relay in one direction: the one fitting system call, in a blocking loop.
 *
 *     barerelay [-c] send PORT <FILE-OR-PIPE      to 127.0.0.1: sendfile, or splice; then prints the answer
 *     barerelay [-c] receive PORT >PIPE-OR-FILE   splice into a pipe; into a file through a pipe between
 *
 * With -c it reads and writes instead, which copies each byte twice, but leaves a pipe its pages. No other
 * direction is watched meanwhile, nothing is non-blocking, and an error ends it. Pipes are made as large as
 * Linux lets everybody make them; to read and write a quarter of that is faster, for it stays in the cache.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

enum { PIPE = 1 << 20, COPY_PIPE = PIPE / 4, BUFFER = 1 << 20 };

static int dial(const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    a.sin_port = htons((uint16_t)tool_number(port, 1, 65535));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
        tool_die(TOOL_SYSTEM, "barerelay: connect");
    return fd;
}

static bool is_pipe(int fd)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        tool_die(TOOL_SYSTEM, "barerelay: fstat");
    return S_ISFIFO(st.st_mode);
}

static ssize_t copy(int from, int to)
{
    static char buffer[BUFFER];
    ssize_t n = read(from, buffer, BUFFER);
    for (ssize_t done = 0, more; done < n; done += more) {
        more = write(to, buffer + done, (size_t)(n - done));
        if (more < 0)
            return -1;
    }
    return n;
}

static void grow(int fd, bool with_copy)
{
    if (is_pipe(fd))
        fcntl(fd, F_SETPIPE_SZ, with_copy ? COPY_PIPE : PIPE);
}

static void send_stdin(int fd, bool with_copy)
{
    bool from_pipe = is_pipe(STDIN_FILENO);
    ssize_t n;
    grow(STDIN_FILENO, with_copy);
    do
        n = with_copy   ? copy(STDIN_FILENO, fd)
            : from_pipe ? splice(STDIN_FILENO, NULL, fd, NULL, PIPE, SPLICE_F_MOVE)
                        : sendfile(fd, STDIN_FILENO, NULL, PIPE);
    while (n > 0);
    if (n < 0 || shutdown(fd, SHUT_WR) < 0)
        tool_die(TOOL_SYSTEM, "barerelay: send");
}

/* One splice into the pipe between, and on into the file until it is empty. */
static ssize_t through(const int between[2], int from, int to)
{
    ssize_t n = splice(from, NULL, between[1], NULL, PIPE, SPLICE_F_MOVE);
    for (ssize_t done = 0, more; done < n; done += more) {
        more = splice(between[0], NULL, to, NULL, (size_t)(n - done), SPLICE_F_MOVE);
        if (more < 0)
            return -1;
    }
    return n;
}

static void receive_to_stdout(int fd, bool with_copy)
{
    bool to_pipe = is_pipe(STDOUT_FILENO);
    int between[2];
    ssize_t n;
    if (pipe2(between, O_CLOEXEC) < 0)
        tool_die(TOOL_SYSTEM, "barerelay: pipe");
    grow(between[1], false);
    grow(STDOUT_FILENO, with_copy);
    do
        n = with_copy ? copy(fd, STDOUT_FILENO)
            : to_pipe ? splice(fd, NULL, STDOUT_FILENO, NULL, PIPE, SPLICE_F_MOVE)
                      : through(between, fd, STDOUT_FILENO);
    while (n > 0);
    if (n < 0)
        tool_die(TOOL_SYSTEM, "barerelay: receive");
}

int main(int argc, char **argv)
{
    bool with_copy = argc > 1 && strcmp(argv[1], "-c") == 0;
    argc -= with_copy;
    argv += with_copy;
    const char *mode = argc == 3 ? argv[1] : "";
    bool sending = strcmp(mode, "send") == 0;
    if (!sending && strcmp(mode, "receive") != 0)
        tool_die(TOOL_USAGE, "usage: barerelay [-c] send|receive PORT");
    int fd = dial(argv[2]);
    if (sending)
        send_stdin(fd, with_copy);
    receive_to_stdout(fd, sending || with_copy);
    return TOOL_OK;
}
