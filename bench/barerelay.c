/*
 * barerelay - the limit for a relay in one direction: the one fitting system call, in a blocking loop.
 *
 *     barerelay send PORT <FILE-OR-PIPE      to 127.0.0.1: sendfile, or read and send; then prints the answer
 *     barerelay splice PORT <PIPE            the same with splice
 *     barerelay receive PORT >PIPE-OR-FILE   splice into a pipe, read and write into a file
 *
 * No other direction is watched meanwhile, nothing is non-blocking, and an error ends it.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tool.h"

enum { PIPE = 1 << 20, BUFFER = 256 * 1024 };

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

static void send_stdin(int fd, bool with_splice)
{
    bool pipe_in = is_pipe(STDIN_FILENO);
    ssize_t n;
    if (pipe_in)
        fcntl(STDIN_FILENO, F_SETPIPE_SZ, with_splice ? PIPE : BUFFER);
    do
        n = with_splice ? splice(STDIN_FILENO, NULL, fd, NULL, PIPE, SPLICE_F_MOVE)
            : pipe_in   ? copy(STDIN_FILENO, fd)
                        : sendfile(fd, STDIN_FILENO, NULL, PIPE);
    while (n > 0);
    if (n < 0 || shutdown(fd, SHUT_WR) < 0)
        tool_die(TOOL_SYSTEM, "barerelay: send");
}

static void receive_to_stdout(int fd)
{
    bool pipe_out = is_pipe(STDOUT_FILENO);
    ssize_t n;
    if (pipe_out)
        fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE);
    do
        n = pipe_out ? splice(fd, NULL, STDOUT_FILENO, NULL, PIPE, SPLICE_F_MOVE) : copy(fd, STDOUT_FILENO);
    while (n > 0);
    if (n < 0)
        tool_die(TOOL_SYSTEM, "barerelay: receive");
}

int main(int argc, char **argv)
{
    const char *mode = argc == 3 ? argv[1] : "";
    bool with_splice = strcmp(mode, "splice") == 0, sending = with_splice || strcmp(mode, "send") == 0;
    if (!sending && strcmp(mode, "receive") != 0)
        tool_die(TOOL_USAGE, "usage: barerelay send|splice|receive PORT");
    int fd = dial(argv[2]);
    if (sending)
        send_stdin(fd, with_splice);
    receive_to_stdout(fd);
    return TOOL_OK;
}
