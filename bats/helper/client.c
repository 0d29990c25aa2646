// client [-u UID[:GID[,GID]...]] [-o] PORT|PATH|@NAME WORD... - connects to 127.0.0.1 or a Unix socket, and
// does what the words say:
//   send TEXT    writes it (\r \n \\ are understood); drip FILE: writes FILE, each byte alone
//   shutdown     of its own direction
//   line         prints the next line that comes; rest: all up to the end
//   stdin        waits for a byte or the end of stdin
//   reset        closes so that what was not read or sent is lost; wait: for ever
// -u: as that user and, with others beside it, group. -o: with IP options, a recorded route.
#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int net, options;

static _Noreturn void die(const char *what)
{
    fflush(stdout);
    perror(what);
    exit(111);
}

static void call(const char *to)
{
    static const unsigned char route[] = {7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(to))};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int is_path = to[strspn(to, "0123456789")] != 0, on = 1;
    net = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    if (net < 0 || (options && setsockopt(net, IPPROTO_IP, IP_OPTIONS, route, sizeof route) < 0))
        die("client: socket");
    inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
    if (is_path && strlen(to) < sizeof un.sun_path)
        memcpy(un.sun_path, to, strlen(to));
    if (*to == '@')
        *un.sun_path = 0;
    socklen_t n = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(to) + (*to != '@'));
    if (connect(net, is_path ? (struct sockaddr *)&un : (struct sockaddr *)&in, is_path ? n : sizeof in) < 0)
        die("client: connect");
    if (!is_path)
        setsockopt(net, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void put(const char *bytes, size_t n)
{
    if (n && write(net, bytes, n) != (ssize_t)n)
        die("client: send");
}

static void send_text(const char *text)
{
    char out[4096];
    size_t n = 0;
    for (; *text && n < sizeof out; text++) {
        int escaped = *text == '\\' && text[1];
        text += escaped;
        out[n++] = escaped && *text == 'r' ? '\r' : escaped && *text == 'n' ? '\n' : *text;
    }
    put(out, n);
}

static void drip(const char *path)
{
    char byte;
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        die(path);
    while (read(fd, &byte, 1) == 1)
        put(&byte, 1);
    close(fd);
}

static void print(int line)
{
    char byte = 0;
    ssize_t n;
    while ((n = read(net, &byte, 1)) == 1)
        if (putchar(byte) == '\n' && line)
            break;
    if (n < 0)
        die("client: receive");
    fflush(stdout);
}

static void reset(void)
{
    const struct linger none = {.l_onoff = 1};
    if (setsockopt(net, SOL_SOCKET, SO_LINGER, &none, sizeof none) < 0)
        die("client: linger");
    close(net);
}

static int become(const char *ids)
{
    gid_t groups[64];
    size_t n = 0;
    for (const char *id = ids + strcspn(ids, ":"); *id && n < 64; id += strcspn(id, ","))
        groups[n++] = (gid_t)atoi(++id);
    if (n && (setgroups(n - 1, groups + 1) < 0 || setegid(*groups) < 0))
        return -1;
    return seteuid((uid_t)atoi(ids));
}

int main(int argc, char **argv)
{
    char byte;
    for (int option; (option = getopt(argc, argv, "+u:o")) > 0;)
        if (option == 'o')
            options = 1;
        else if (option != 'u' || become(optarg) < 0)
            die("client: user");
    if (optind >= argc)
        return 100;
    call(argv[optind]);
    for (char **word = argv + optind + 1; *word; word++) {
        if (!strcmp(*word, "send") && word[1])
            send_text(*++word);
        else if (!strcmp(*word, "drip") && word[1])
            drip(*++word);
        else if (!strcmp(*word, "shutdown"))
            shutdown(net, SHUT_WR);
        else if (!strcmp(*word, "line") || !strcmp(*word, "rest"))
            print(**word == 'l');
        else if (!strcmp(*word, "stdin"))
            (void)!read(0, &byte, 1);
        else if (!strcmp(*word, "reset"))
            reset();
        else if (!strcmp(*word, "wait"))
            pause();
        else
            return fprintf(stderr, "client: '%s'?\n", *word), 100;
    }
    return 0;
}
