// tell [-b] [-u UID] MESSAGE... - sends messages to NOTIFY_SOCKET as sd_notify(3) does, or as user UID; with
// -b, waits until all have been taken, as sd_notify_barrier(3) does. tell -l PATH is the other side, a
// service manager's: prints what it gets, a line for each message, with / between the lines of one.
#include <grp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct sockaddr_un address = {.sun_family = AF_UNIX};

// Without the zero at the end that would belong to an abstract name.
static socklen_t set_address(const char *path)
{
    size_t n = strlen(path);
    if (n > sizeof address.sun_path)
        exit(100);
    memcpy(address.sun_path, path, n);
    if (*path == '@')
        *address.sun_path = 0;
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
}

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(111);
}

static void become(uid_t uid)
{
    if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
        die("tell: change user");
}

// The fd that goes with it is closed on the other side once that has been taken.
static void wait_for_barrier(int fd, socklen_t length)
{
    static char text[] = "BARRIER=1";
    union {
        struct cmsghdr header;
        char mem[CMSG_SPACE(sizeof(int))];
    } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    struct iovec v = {text, sizeof text - 1};
    struct msghdr message = {.msg_name = &address,
        .msg_namelen = length,
        .msg_iov = &v,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control};
    int ends[2];
    if (pipe(ends) < 0)
        die("tell: pipe");
    memcpy(CMSG_DATA(&control.header), &ends[1], sizeof(int));
    if (sendmsg(fd, &message, 0) < 0)
        die("tell: send");
    close(ends[1]);
    if (read(ends[0], text, 1) != 0)
        die("tell: read");
}

static _Noreturn void listen_at(int fd, const char *path)
{
    char message[4097];
    if (bind(fd, (struct sockaddr *)&address, set_address(path)) < 0)
        die(path);
    puts("up");
    fflush(stdout);
    for (ssize_t n; (n = recv(fd, message, sizeof message - 1, 0)) >= 0; fflush(stdout)) {
        if (n && message[n - 1] == '\n')
            n--;
        for (ssize_t i = 0; i < n; i++)
            putchar(message[i] == '\n' ? '/' : message[i]);
        putchar('\n');
    }
    die("tell: receive");
}

int main(int argc, char **argv)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int barrier = 0;
    for (int option; (option = getopt(argc, argv, "+bu:l:")) > 0;)
        if (option == 'b')
            barrier = 1;
        else if (option == 'l')
            listen_at(fd, optarg);
        else if (option == 'u')
            become((uid_t)atoi(optarg));
        else
            return 100;
    const char *path = getenv("NOTIFY_SOCKET");
    if (!path)
        return fputs("tell: no NOTIFY_SOCKET\n", stderr), 111;
    socklen_t length = set_address(path);
    for (; optind < argc; optind++)
        if (sendto(fd, argv[optind], strlen(argv[optind]), 0, (struct sockaddr *)&address, length) < 0)
            die("tell: send");
    if (barrier)
        wait_for_barrier(fd, length);
    return 0;
}
