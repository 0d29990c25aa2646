// three-streams FILE - a client for open3. Sends FILE to fd 7 and takes what comes from fds 6 and 8, all at
// once; says of both whether it was FILE again.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char *data;
static size_t size;

/* A stream from SERVER. */
struct stream {
    size_t got;
    int same;
};

static void load(const char *name)
{
    FILE *f = fopen(name, "r");
    if (!f || fseek(f, 0, SEEK_END) || !(data = malloc(size = (size_t)ftell(f))))
        exit(111);
    rewind(f);
    if (fread(data, 1, size, f) != size)
        exit(111);
    fclose(f);
}

/* 0: it has ended. */
static int take(int fd, struct stream *s)
{
    static char bytes[65536];
    ssize_t n = read(fd, bytes, sizeof bytes);
    if (n < 0 && errno == EAGAIN)
        return 1;
    if (n < 0)
        exit(111);
    s->same = s->same && s->got + (size_t)n <= size && !memcmp(bytes, data + s->got, (size_t)n);
    s->got += (size_t)n;
    return n > 0;
}

/* 0: all has been sent. */
static int give(int fd, size_t *sent)
{
    ssize_t n = write(fd, data + *sent, size - *sent);
    if (n < 0 && errno != EAGAIN)
        exit(111);
    *sent += n > 0 ? (size_t)n : 0;
    if (*sent < size)
        return 1;
    shutdown(fd, SHUT_WR); /* of a socket; a pipe knows nothing of it */
    close(fd);
    return 0;
}

int main(int argc, char **argv)
{
    struct stream out = {0, 1}, err = {0, 1};
    struct pollfd fds[] = {{6, POLLIN, 0}, {8, POLLIN, 0}, {7, POLLOUT, 0}};
    size_t sent = 0;
    if (argc != 2)
        return 100;
    load(argv[1]);
    for (int i = 0; i < 3; i++)
        fcntl(fds[i].fd, F_SETFL, O_NONBLOCK);
    while (fds[0].fd >= 0 || fds[1].fd >= 0) {
        if (poll(fds, 3, -1) < 0)
            return 111;
        if (fds[0].revents && !take(6, &out))
            fds[0].fd = -1;
        if (fds[1].revents && !take(8, &err))
            fds[1].fd = -1;
        if (fds[2].revents && !give(7, &sent))
            fds[2].fd = -1;
    }
    printf("6 %s\n8 %s\n", out.same && out.got == size ? "same" : "other",
        err.same && err.got == size ? "same" : "other");
    return 0;
}
