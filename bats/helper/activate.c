// activate KINDS COMMAND... - passes sockets to COMMAND as systemd does. KINDS has a letter for each fd from
// 3 on: l a listening TCP socket, u one that doesn't listen, d UDP, t UDP with times and all
// else that the kernel tells, x a listening Unix socket, f a file.
// LISTEN_PID is right unless WRONG_PID is set; NAMES becomes LISTEN_FDNAMES. With CALLED, a client has
// connected to the first socket already, and stays. The ports go to the file `ports`.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { HIGH = 100 }; // where they are made

static struct sockaddr_in address = {.sin_family = AF_INET};

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(111);
}

static int make(char kind)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = kind == 'f'   ? open("/dev/null", O_RDONLY)
             : kind == 'x' ? socket(AF_UNIX, SOCK_STREAM, 0)
                           : socket(AF_INET, strchr("dt", kind) ? SOCK_DGRAM : SOCK_STREAM, 0);
    snprintf(un.sun_path, sizeof un.sun_path, "inherited.%d", getpid());
    address.sin_port = 0;
    if (fd < 0 || (kind == 'x' && bind(fd, (struct sockaddr *)&un, sizeof un) < 0) ||
        (strchr("ludt", kind) && bind(fd, (struct sockaddr *)&address, sizeof address) < 0) ||
        (strchr("lx", kind) && listen(fd, 9) < 0))
        die("activate: make");
    const int on = 1;
    if (kind == 't' && (setsockopt(fd, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on) < 0 ||
                           setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on) < 0 ||
                           setsockopt(fd, IPPROTO_IP, IP_RECVTTL, &on, sizeof on) < 0 ||
                           setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof on) < 0 ||
                           setsockopt(fd, IPPROTO_IP, IP_RECVORIGDSTADDR, &on, sizeof on) < 0))
        die("activate: options");
    int high = fcntl(fd, F_DUPFD, HIGH);
    if (high < 0)
        die("activate: dup");
    close(fd);
    return high;
}

static int port_of(int fd, char kind)
{
    struct sockaddr_in own = {0};
    socklen_t length = sizeof own;
    if (!strchr("ludt", kind))
        return 0;
    if (getsockname(fd, (struct sockaddr *)&own, &length) < 0)
        die("activate: name");
    return ntohs(own.sin_port);
}

static int call(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons((uint16_t)port);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die("activate: call");
    return fcntl(fd, F_DUPFD, HIGH);
}

static void set_number(const char *name, int number)
{
    char text[20];
    snprintf(text, sizeof text, "%d", number);
    setenv(name, text, 1);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 100;
    int made[HIGH - 3], n = (int)strlen(argv[1]), kept = -1;
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    FILE *ports = fopen("ports.new", "we");
    if (!ports)
        die("activate: ports");
    for (int i = 0; i < n; i++) {
        made[i] = make(argv[1][i]);
        int port = port_of(made[i], argv[1][i]);
        fprintf(ports, "%s%d", i ? " " : "", port);
        if (i == 0 && getenv("CALLED"))
            kept = call(port);
    }
    fprintf(ports, "\n");
    if (fclose(ports) || rename("ports.new", "ports") < 0)
        die("activate: ports");
    for (int i = 0; i < n; i++)
        dup2(made[i], 3 + i);
    for (int fd = 3 + n; fd < 2 * HIGH; fd++)
        if (fd != kept)
            close(fd);
    set_number("LISTEN_FDS", n);
    set_number("LISTEN_PID", getpid());
    if (getenv("WRONG_PID"))
        setenv("LISTEN_PID", getenv("WRONG_PID"), 1);
    if (getenv("NAMES"))
        setenv("LISTEN_FDNAMES", getenv("NAMES"), 1);
    unsetenv("WRONG_PID");
    unsetenv("NAMES");
    unsetenv("CALLED");
    execvp(argv[2], argv + 2);
    die(argv[2]);
}
