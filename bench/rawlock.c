/*
 * rawlock - the limit for lockrun redis:NAME: N times connect, take, start a program and wait for it, give
 * back, close.
 *
 *     rawlock SOCKET TAKE GIVE N PROG [ARG...]
 *
 * SOCKET is the server's; TAKE and GIVE are files with lockrun's own scripts. It renews nothing and watches
 * nobody: when the program takes longer than the lease, or this is killed, the lock is another's, and the
 * program goes on.
 */
#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "tool.h"

struct script {
    char text[8192];
    int len;
};

static void read_script(struct script *s, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    s->len = fd < 0 ? -1 : (int)read(fd, s->text, sizeof s->text - 1);
    if (s->len <= 0)
        tool_die(TOOL_SYSTEM, "rawlock: read %s", path);
    close(fd);
}

static int connect_to(const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (strlen(path) >= sizeof to.sun_path)
        tool_die(TOOL_USAGE, "rawlock: %s is too long", path);
    memcpy(to.sun_path, path, strlen(path));
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        tool_die(TOOL_SYSTEM, "rawlock: connect %s", path);
    return fd;
}

/* Asks, and expects a reply that begins so, in one segment. */
static void ask(int fd, const char *request, int len, const char *expected)
{
    char reply[256];
    ssize_t n = write(fd, request, (size_t)len) == len ? read(fd, reply, sizeof reply) : -1;
    if (n < 0)
        tool_die(TOOL_SYSTEM, "rawlock: ask");
    if ((size_t)n < strlen(expected) || memcmp(reply, expected, strlen(expected)) != 0)
        tool_die(TOOL_NO, "rawlock: it says %.*s", (int)n, reply);
}

static void run_locked(const char *path, const struct script *take, const struct script *give, char **argv)
{
    char request[9000], token[33];
    unsigned char random[16];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        tool_die(TOOL_SYSTEM, "rawlock: getrandom");
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(token + 2 * i, 3, "%02x", random[i]);
    int fd = connect_to(path);
    int len = snprintf(request, sizeof request,
        "*10\r\n$4\r\nEVAL\r\n$%d\r\n%s\r\n$1\r\n1\r\n$13\r\nipcbox:{raw}:\r\n$32\r\n%s\r\n"
        "$1\r\nx\r\n$1\r\n1\r\n$8\r\n30000000\r\n$1\r\n1\r\n$10\r\n1234 raw me\r\n",
        take->len, take->text, token);
    ask(fd, request, len, "*4\r\n:1\r\n");
    tool_run("rawlock", argv);
    len = snprintf(request, sizeof request,
        "*6\r\n$4\r\nEVAL\r\n$%d\r\n%s\r\n$1\r\n1\r\n$13\r\nipcbox:{raw}:\r\n$32\r\n%s\r\n$32\r\n%s\r\n",
        give->len, give->text, token, token);
    ask(fd, request, len, ":1\r\n");
    close(fd);
}

int main(int argc, char **argv)
{
    struct script take = {.len = 0}, give = {.len = 0};
    if (argc < 6)
        tool_die(TOOL_USAGE, "usage: rawlock SOCKET TAKE GIVE N PROG [ARG...]");
    read_script(&take, argv[2]);
    read_script(&give, argv[3]);
    for (uint64_t n = tool_number(argv[4], 1, 100000000); n; n--)
        run_locked(argv[1], &take, &give, argv + 5);
    return TOOL_OK;
}
