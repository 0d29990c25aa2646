// resp-drop [-1] PATH SERVER WORD COUNT - between clients and a Redis server: listens at PATH, prints it, and
// passes bytes on to and from the Unix socket SERVER; but the first COUNT requests in which WORD is are
// answered by the connection's end, once the server has answered, and has done what it was asked for. Each is
// told on stderr.
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ROOM = 1 << 20 };

static struct sockaddr_un at(const char *path)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    return un;
}

static int put(int fd, const char *bytes, ssize_t n)
{
    for (ssize_t done; n > 0; bytes += done, n -= done)
        if ((done = write(fd, bytes, (size_t)n)) <= 0)
            return -1;
    return 0;
}

static void serve(int client, const char *server, const char *word, _Atomic long *left)
{
    static char bytes[ROOM];
    struct sockaddr_un un = at(server);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), drops = 0;
    struct pollfd polls[] = {{.fd = client, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    if (connect(fd, (struct sockaddr *)&un, sizeof un) < 0)
        return;
    while (poll(polls, 2, -1) > 0) {
        ssize_t n;
        if (polls[0].revents) {
            if ((n = read(client, bytes, sizeof bytes)) <= 0)
                return;
            drops = memmem(bytes, (size_t)n, word, strlen(word)) && *left > 0 && (*left)-- > 0;
            if (put(fd, bytes, n) < 0)
                return;
        }
        if (polls[1].revents) {
            if ((n = read(fd, bytes, sizeof bytes)) <= 0)
                return;
            if (drops) {
                fprintf(stderr, "dropped\n");
                return;
            }
            if (put(client, bytes, n) < 0)
                return;
        }
    }
}

int main(int argc, char **argv)
{
    argv += argc > 1 && strcmp(argv[1], "-1") == 0;
    if (!argv[1] || !argv[2] || !argv[3] || !argv[4])
        return 100;
    struct sockaddr_un un = at(argv[1]);
    _Atomic long *left = mmap(NULL, sizeof *left, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    *left = atol(argv[4]);
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    if (bind(listener, (struct sockaddr *)&un, sizeof un) < 0 || listen(listener, 64) < 0)
        return 111;
    printf("%s\n", argv[1]);
    fclose(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd >= 0 && fork() == 0) {
            serve(fd, argv[2], argv[3], left);
            _exit(0);
        }
        close(fd);
    }
}
