// dns - a name server at 127.0.0.1:53 with few answers; says "ready". 127.0.0.7 is liar.test, which is
// 127.0.0.99; 127.0.0.8 is honest.test, which is 127.0.0.8; what has to do with 127.0.0.9 gets no answer, but
// makes the file $ASKED; half.test is 127.0.0.8, and for its IPv6 address there is no answer; broken.test is
// SERVFAIL; with $SILENT there is no answer for anything. There is nothing else.
#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD = 12, TYPE_A = 1, TYPE_PTR = 12, TYPE_AAAA = 28 };

static const struct known {
    const char *name;
    int type;
    const char *data; // as in the answer
    size_t n;
} known[] = {
    {"7.0.0.127.in-addr.arpa", TYPE_PTR, "\4liar\4test", 11},
    {"8.0.0.127.in-addr.arpa", TYPE_PTR, "\6honest\4test", 13},
    {"liar.test", TYPE_A, "\x7f\0\0\x63", 4},
    {"honest.test", TYPE_A, "\x7f\0\0\x08", 4},
    {"half.test", TYPE_A, "\x7f\0\0\x08", 4},
};

// The name in the question, in lower case; where it ends.
static size_t name_of(const unsigned char *query, size_t n, char *name)
{
    size_t at = HEAD;
    char *to = name;
    while (at < n && query[at] && at + query[at] < n && to - name + query[at] < 250) {
        if (to > name)
            *to++ = '.';
        for (unsigned left = query[at++]; left; left--)
            *to++ = (char)tolower(query[at++]);
    }
    *to = 0;
    return at + 1;
}

static void put16(unsigned char *at, unsigned value)
{
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

// Turns the question in `message` into its answer; returns its length, 0: none.
static size_t answer(unsigned char *message, size_t n)
{
    static const unsigned char head[] = {0xc0, HEAD, 0, 0, 0, 1, 0, 0, 0, 60, 0, 0};
    char name[256];
    size_t end = name_of(message, n, name) + 4;
    int type = message[end - 3], is_known = 0;
    if (!strcmp(name, "9.0.0.127.in-addr.arpa")) {
        if (getenv("ASKED"))
            close(open(getenv("ASKED"), O_WRONLY | O_CREAT, 0666));
        return 0;
    }
    if (getenv("SILENT") || (type == TYPE_AAAA && !strcmp(name, "half.test")))
        return 0;
    memset(message + 4, 0, HEAD - 4);
    put16(message + 4, 1);
    for (const struct known *k = known; k < known + sizeof known / sizeof *known; k++) {
        if (strcmp(name, k->name) != 0)
            continue;
        is_known = 1;
        if (k->type != type)
            continue;
        memcpy(message + end, head, sizeof head);
        put16(message + end + 2, (unsigned)type);
        put16(message + end + 10, (unsigned)k->n);
        memcpy(message + end + sizeof head, k->data, k->n);
        end += sizeof head + k->n;
        put16(message + 6, 1);
    }
    put16(message + 2, is_known ? 0x8580 : strcmp(name, "broken.test") ? 0x8583 : 0x8582);
    return end;
}

int main(void)
{
    unsigned char message[2000];
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(53)}, peer;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    inet_pton(AF_INET, "127.0.0.1", &own.sin_addr);
    if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof own) < 0)
        return perror("dns"), 111;
    puts("ready");
    fflush(stdout);
    while (1) {
        socklen_t length = sizeof peer;
        ssize_t n = recvfrom(fd, message, 512, 0, (struct sockaddr *)&peer, &length);
        size_t out = n > HEAD + 4 ? answer(message, (size_t)n) : 0;
        if (out)
            sendto(fd, message, out, 0, (struct sockaddr *)&peer, length);
    }
}
