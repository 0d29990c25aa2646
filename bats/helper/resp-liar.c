// resp-liar [-1] IP|PATH ACTION... - a Redis server that lies: listens there, prints its port or path, and
// serves one connection after the other, each by the next ACTION, further ones by the last:
//   say TEXT     answers what is read with TEXT (\r \n \xHH are understood; what is behind a | is for the
//   next
//                read), then waits for the client's end; end TEXT: closes after it
//   stall TEXT   the N-th connection gets the first N-1 bytes of TEXT, and nothing more; the whole in the end
//   cut TEXT     the same, and then the connection's end
//   drip TEXT    a byte after the other
//   repeat TEXT  TEXT again and again, as long as it is taken; nest N: `*1` N times
// What it reads goes to stderr, escaped, a line a read.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { ROOM = 65536 };

static int listen_at(const char *where)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int ip = inet_pton(AF_INET, where, &in.sin_addr) == 1;
    socklen_t len = sizeof in;
    snprintf(un.sun_path, sizeof un.sun_path, "%s", where);
    int fd = socket(ip ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        bind(fd, ip ? (struct sockaddr *)&in : (struct sockaddr *)&un, ip ? sizeof in : sizeof un) < 0 ||
        listen(fd, 64) < 0) {
        fprintf(stderr, "resp-liar: %s: %s\n", where, strerror(errno));
        exit(111);
    }
    if (ip && getsockname(fd, (struct sockaddr *)&in, &len) == 0)
        printf("%d\n", ntohs(in.sin_port));
    else
        puts(where);
    fclose(stdout);
    return fd;
}

static size_t unescape(char *to, const char *text)
{
    size_t n = 0;
    for (; *text && n < ROOM; text++) {
        unsigned byte;
        if (*text != '\\') {
            to[n++] = *text;
        } else if (*++text == 'x' && sscanf(text + 1, "%2x", &byte) == 1) {
            to[n++] = (char)byte;
            text += 2;
        } else {
            to[n++] = *text == 'n' ? '\n' : *text == 'r' ? '\r' : *text;
        }
    }
    return n;
}

static int put(int fd, const char *bytes, size_t n)
{
    for (ssize_t done; n; bytes += done, n -= (size_t)done)
        if ((done = write(fd, bytes, n)) < 0)
            return -1;
    return 0;
}

// One read, told on stderr. 0 at the end.
static int hear(int fd)
{
    char in[4096], line[4 * sizeof in + 1];
    ssize_t n = read(fd, in, sizeof in);
    size_t at = 0;
    for (ssize_t i = 0; i < n; i++)
        if (in[i] != '\r')
            at += (size_t)sprintf(line + at,
                in[i] >= ' ' && in[i] < 127 ? "%c"
                : in[i] == '\n'             ? " "
                                            : "\\x%02x",
                (unsigned char)in[i]);
    line[at] = '\n';
    if (n > 0)
        put(2, line, at + 1);
    return n > 0;
}

static void serve(int fd, const char *action, const char *text, size_t turn)
{
    static char bytes[ROOM];
    const int on = 1;
    size_t n = unescape(bytes, text), at = 0;
    int lies = strcmp(action, "stall") == 0 || strcmp(action, "cut") == 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!hear(fd))
        return;
    if (strcmp(action, "nest") == 0) {
        for (long left = atol(text); left && put(fd, "*1\r\n", 4) == 0; left--)
            ;
    } else if (strcmp(action, "repeat") == 0) {
        size_t all = n;
        for (; n && all + n <= sizeof bytes; all += n)
            memcpy(bytes + all, bytes, n); // so that a read has more than one of them
        while (put(fd, bytes, all) == 0)
            ;
    } else if (strcmp(action, "drip") == 0) {
        for (; at < n && put(fd, bytes + at, 1) == 0; at++)
            usleep(200);
    } else if (lies) {
        put(fd, bytes, turn < n ? turn : n);
    } else {
        for (char *part = bytes, *bar; part; part = bar ? bar + 1 : NULL) {
            bar = memchr(part, '|', n - (size_t)(part - bytes));
            put(fd, part, (size_t)((bar ? bar : bytes + n) - part));
            if (bar && !hear(fd))
                return;
        }
    }
    if (strcmp(action, "end") != 0 && strcmp(action, "cut") != 0)
        while (hear(fd))
            ;
}

int main(int argc, char **argv)
{
    argv += argc > 1 && strcmp(argv[1], "-1") == 0;
    if (!argv[1] || !argv[2] || !argv[3])
        return 100;
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_at(argv[1]);
    char **action = argv + 2;
    for (size_t turn = 0;; turn++) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            return 111;
        serve(fd, action[0], action[1], turn);
        close(fd);
        action += action[2] && action[3] ? 2 : 0;
    }
}
