/*
 * proxy.c - see proxy.h. What is there is looked at (MSG_PEEK), and as much of it as is header is taken:
 * while the header is not complete all of it is, so a poll that says "readable" is never in vain.
 */
#include "serve/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/num.h"

enum { V1_MAX = 107, V2_FIXED = 16, V2_IPV4 = 12, V2_IPV6 = 36 };

static const unsigned char V1_START[6] = {'P', 'R', 'O', 'X', 'Y', ' '};
static const unsigned char V2_START[12] = {
    '\r', '\n', '\r', '\n', '\0', '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

static bool begins(const unsigned char *bytes, size_t n, const unsigned char *start, size_t len)
{
    return memcmp(bytes, start, n < len ? n : len) == 0;
}

/* The next word of a line, ended by one blank or by the end: its length; *rest is set behind the blank. */
static bool next_word(char **rest, char **word)
{
    *word = *rest;
    size_t n = strcspn(*rest, " ");
    if (!n)
        return false;
    *rest += n;
    if (!**rest)
        return true;
    *(*rest)++ = '\0';
    return **rest != '\0'; /* a blank stands between two words */
}

static bool parse_port(const char *word, uint16_t *port)
{
    uint64_t n;
    if (!num_u64(word, 0, 65535, &n) || (*word == '0' && word[1]))
        return false;
    *port = (uint16_t)n;
    return true;
}

/*
 * TCP4 SRC DST SPORT DPORT, or UNKNOWN and anything. The protocol is that of the client's address; nginx,
 * where it takes the client for another (realip), writes the proxy's own as it is, in either family. An
 * address counts by its own family, a mapped one as IPv4.
 */
static bool parse_v1(struct proxy *p, char *line)
{
    char *protocol, *source, *target, *source_port, *target_port;
    uint16_t from, to;
    if (!next_word(&line, &protocol))
        return false;
    if (!strcmp(protocol, "UNKNOWN"))
        return true;
    int family = !strcmp(protocol, "TCP4") ? AF_INET : !strcmp(protocol, "TCP6") ? AF_INET6 : AF_UNSPEC;
    if (!next_word(&line, &source) || !next_word(&line, &target) || !next_word(&line, &source_port) ||
        !next_word(&line, &target_port) || *line || !parse_port(source_port, &from) ||
        !parse_port(target_port, &to))
        return false;
    if (strchr(source, '%') || strchr(target, '%') || !addr_parse_ip(&p->remote, source, from) ||
        !addr_parse_ip(&p->local, target, to))
        return false;
    bool fits = addr_family(&p->remote) == family || (family == AF_INET6 && addr_family(&p->local) == family);
    addr_unmap(&p->remote);
    addr_unmap(&p->local);
    return fits;
}

/* -1: no header; 0: not complete; else its length */
static int scan_v1(struct proxy *p, size_t n)
{
    char line[V1_MAX + 1];
    size_t most = n < V1_MAX ? n : V1_MAX;
    const unsigned char *end = memchr(p->bytes, '\n', most);
    if (!end)
        return n < V1_MAX ? 0 : -1;
    size_t len = (size_t)(end - p->bytes);
    if (p->bytes[len - 1] != '\r' || memchr(p->bytes, '\0', len))
        return -1;
    memcpy(line, p->bytes + sizeof V1_START, len - 1 - sizeof V1_START);
    line[len - 1 - sizeof V1_START] = '\0';
    return parse_v1(p, line) ? (int)len + 1 : -1;
}

static void take_ipv4(struct addr *a, const unsigned char *ip, const unsigned char *port)
{
    memset(a, 0, sizeof *a);
    a->len = sizeof a->u.in;
    a->u.in.sin_family = AF_INET;
    memcpy(&a->u.in.sin_addr, ip, 4);
    memcpy(&a->u.in.sin_port, port, 2);
}

static void take_ipv6(struct addr *a, const unsigned char *ip, const unsigned char *port)
{
    memset(a, 0, sizeof *a);
    a->len = sizeof a->u.in6;
    a->u.in6.sin6_family = AF_INET6;
    memcpy(&a->u.in6.sin6_addr, ip, 16);
    memcpy(&a->u.in6.sin6_port, port, 2);
    addr_unmap(a);
}

/* The addresses of a complete version 2 header; false: it contradicts itself. */
static bool parse_v2(struct proxy *p, size_t len)
{
    enum { LOCAL = 0x20, PROXY = 0x21, UNSPEC = 0x00, TCP4 = 0x11, TCP6 = 0x21, UNIX = 0x31 };
    const unsigned char *a = p->bytes + V2_FIXED;
    if (p->bytes[12] == LOCAL)
        return true;
    if (p->bytes[12] != PROXY)
        return false;
    switch (p->bytes[13]) {
    case UNSPEC:
    case UNIX:
        return true;
    case TCP4:
        take_ipv4(&p->remote, a, a + 8);
        take_ipv4(&p->local, a + 4, a + 10);
        return len >= V2_IPV4;
    case TCP6:
        take_ipv6(&p->remote, a, a + 32);
        take_ipv6(&p->local, a + 16, a + 34);
        return len >= V2_IPV6;
    default:
        return false;
    }
}

static int scan_v2(struct proxy *p, size_t n)
{
    if (n < V2_FIXED)
        return 0;
    size_t len = (size_t)p->bytes[14] << 8 | p->bytes[15];
    size_t whole = V2_FIXED + len;
    size_t kept = whole < sizeof p->bytes ? whole : sizeof p->bytes;
    if (n < kept)
        return 0;
    p->skip = whole - kept;
    return parse_v2(p, len) ? (int)kept : -1;
}

static int scan(struct proxy *p, size_t n)
{
    if (begins(p->bytes, n, V1_START, sizeof V1_START))
        return scan_v1(p, n);
    if (begins(p->bytes, n, V2_START, sizeof V2_START))
        return scan_v2(p, n);
    return -1;
}

static ssize_t receive(int fd, void *to, size_t n, int flags)
{
    ssize_t got;
    do
        got = recv(fd, to, n, flags | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got == 0) {
        errno = EPROTO; /* it hung up in the middle */
        return -1;
    }
    return got;
}

/* Throws the extensions away. */
static int skip_rest(struct proxy *p, int fd)
{
    char sink[1024];
    while (p->skip) {
        ssize_t n = receive(fd, sink, p->skip < sizeof sink ? p->skip : sizeof sink, 0);
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        p->skip -= (size_t)n;
    }
    return 1;
}

int proxy_read(struct proxy *p, int fd)
{
    while (!p->complete) {
        ssize_t n = receive(fd, p->bytes + p->len, sizeof p->bytes - p->len, MSG_PEEK);
        if (n < 0 && errno == EPROTO && !p->len)
            errno = ENODATA;
        if (n < 0)
            return errno == EAGAIN ? 0 : -1;
        int header = scan(p, p->len + (size_t)n);
        if (header < 0) {
            errno = EPROTO;
            return -1;
        }
        p->complete = header > 0;
        size_t take = header ? (size_t)header - p->len : (size_t)n;
        if (receive(fd, p->bytes + p->len, take, 0) != (ssize_t)take)
            return -1;
        p->len += take;
    }
    return skip_rest(p, fd);
}

bool proxy_was_probe(const struct proxy *p, int err)
{
    return !p->len && (err == ENODATA || err == ECONNRESET || err == EPIPE || err == ETIMEDOUT);
}
