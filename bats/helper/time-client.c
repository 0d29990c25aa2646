// time-client [-l IP:PORT] [-n BYTES] tcp|udp IP PORT - asks for the time as perlipc's programs do, with a
// query of so many bytes; prints who has answered, `ADDRESS PORT: `, and the answer in hexadecimal. Over TCP
// it says `sent` on stderr once the query is sent. -l: over UDP, asks from there, too, and first; prints also
// what that has got by the time that the other has its answer, or `nothing`.
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char query[65536];
static size_t query_size;
static struct addrinfo *to;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "time-client: %s: %s\n", what, strerror(errno));
    exit(1);
}

static struct addrinfo *address_of(const char *ip, const char *port, int type)
{
    struct addrinfo *a, hints = {.ai_socktype = type, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    if (getaddrinfo(ip, port, &hints, &a) != 0)
        exit(100);
    return a;
}

static void show(const struct sockaddr_storage *from, socklen_t length, const unsigned char *answer, size_t n)
{
    char ip[NI_MAXHOST], port[NI_MAXSERV];
    if (getnameinfo((const struct sockaddr *)from, length, ip, sizeof ip, port, sizeof port,
            NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        exit(1);
    printf("%s %s: ", ip, port);
    while (n--)
        printf("%02x", *answer++);
    putchar('\n');
}

static void ask_tcp(void)
{
    static unsigned char answer[65536];
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    size_t n = 0;
    int fd = socket(to->ai_family, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, to->ai_addr, to->ai_addrlen) < 0)
        die("connect");
    if (getpeername(fd, (struct sockaddr *)&from, &length) < 0 || write(fd, query, query_size) < 0)
        die("write");
    fputs("sent\n", stderr);
    for (ssize_t got; (got = read(fd, answer + n, sizeof answer - n)); n += (size_t)got)
        if (got < 0)
            die("read");
    show(&from, length, answer, n);
}

// A socket that has sent the query, from `a` if there is one.
static int ask(const struct addrinfo *a)
{
    int fd = socket(to->ai_family, SOCK_DGRAM, 0);
    if (fd < 0 || (a && bind(fd, a->ai_addr, a->ai_addrlen) < 0))
        die("bind");
    if (sendto(fd, query, query_size, 0, to->ai_addr, to->ai_addrlen) < 0)
        die("send");
    return fd;
}

static void take(int fd, int flags)
{
    static unsigned char answer[65536];
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    ssize_t n = recvfrom(fd, answer, sizeof answer, flags, (struct sockaddr *)&from, &length);
    if (n >= 0)
        show(&from, length, answer, (size_t)n);
    else if (flags && errno == EAGAIN)
        puts("nothing");
    else
        die("receive");
}

int main(int argc, char **argv)
{
    char *local = NULL, *colon;
    for (int option; (option = getopt(argc, argv, "l:n:")) > 0;)
        if (option == 'l')
            local = optarg;
        else if (option == 'n')
            query_size = (size_t)atol(optarg);
        else
            return 100;
    argv += optind;
    if (argc - optind != 3 || query_size > sizeof query)
        return 100;
    int is_tcp = !strcmp(*argv, "tcp");
    to = address_of(argv[1], argv[2], is_tcp ? SOCK_STREAM : SOCK_DGRAM);
    if (is_tcp) {
        ask_tcp();
        return 0;
    }
    int first = -1;
    if (local && (colon = strrchr(local, ':'))) {
        *colon = 0;
        first = ask(address_of(local, colon + 1, SOCK_DGRAM));
    }
    take(ask(NULL), 0);
    if (first >= 0)
        take(first, MSG_DONTWAIT);
    return 0;
}
