/*
 * addr.c - see addr.h.
 */
#include "net/addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <string.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"

/* Whether it belongs to an interface: the kernel ignores the scope of all others, and so do we. */
static bool is_scoped(const struct addr *a)
{
    const struct in6_addr *ip = &a->u.in6.sin6_addr;
    return addr_family(a) == AF_INET6 && (IN6_IS_ADDR_LINKLOCAL(ip) || IN6_IS_ADDR_MC_LINKLOCAL(ip));
}

/* An interface's name or index; 0: there is none. */
static uint32_t parse_interface(const char *word)
{
    uint64_t index = if_nametoindex(word);
    return index || num_u64(word, 1, UINT32_MAX, &index) ? (uint32_t)index : 0;
}

bool addr_parse_ip(struct addr *a, const char *word, uint16_t port)
{
    char ip[ADDR_IP_SIZE];
    size_t len = strcspn(word, "%");
    memset(a, 0, sizeof *a);
    if (inet_pton(AF_INET, word, &a->u.in.sin_addr) == 1) {
        a->u.in.sin_family = AF_INET;
        a->len = sizeof a->u.in;
    } else if (len < sizeof ip) {
        memcpy(ip, word, len);
        ip[len] = '\0';
        memset(a, 0, sizeof *a);
        if (inet_pton(AF_INET6, ip, &a->u.in6.sin6_addr) != 1)
            return false;
        if (word[len] && !(a->u.in6.sin6_scope_id = parse_interface(word + len + 1)))
            return false;
        a->u.in6.sin6_family = AF_INET6;
        a->len = sizeof a->u.in6;
        if (!is_scoped(a))
            a->u.in6.sin6_scope_id = 0;
    } else {
        return false;
    }
    addr_set_port(a, port);
    return true;
}

bool addr_parse_target(struct addr *a, const char *word, uint16_t port)
{
    if (!addr_parse_ip(a, strcmp(word, "0") == 0 ? "127.0.0.1" : word, port))
        return false;
    if (addr_family(a) == AF_INET && a->u.in.sin_addr.s_addr == htonl(INADDR_ANY))
        a->u.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (addr_family(a) == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&a->u.in6.sin6_addr))
        a->u.in6.sin6_addr = in6addr_loopback;
    return true;
}

bool addr_parse_port(const char *word, uint16_t *port)
{
    uint64_t number;
    if (num_u64(word, 0, 65535, &number)) {
        *port = (uint16_t)number;
        return true;
    }
    bool digits = word[strspn(word, "0123456789")] == '\0';
    const struct servent *service = digits ? NULL : getservbyname(word, "tcp");
    if (!service && !digits)
        service = getservbyname(word, "udp");
    if (!service)
        return false;
    *port = ntohs((uint16_t)service->s_port);
    return true;
}

bool addr_parse_unix(struct addr *a, const char *path)
{
    size_t len = strlen(path);
    memset(a, 0, sizeof *a);
    if (!len || len > ADDR_UNIX_MAX || (*path == '@' && len == 1))
        return false;
    a->u.un.sun_family = AF_UNIX;
    memcpy(a->u.un.sun_path, path, len);
    /* a path's length counts its NUL, an abstract name's only its bytes (unix(7)) */
    a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (*path != '@'));
    if (*path == '@')
        a->u.un.sun_path[0] = '\0';
    return true;
}

typedef int name_of_socket(int, struct sockaddr *restrict, socklen_t *restrict);

static int ask(struct addr *a, int fd, name_of_socket *name)
{
    a->len = sizeof a->u;
    if (name(fd, &a->u.sa, &a->len) < 0) {
        a->len = 0;
        return -1;
    }
    addr_unmap(a);
    return 0;
}

int addr_local(struct addr *a, int fd)
{
    return ask(a, fd, getsockname);
}

int addr_remote(struct addr *a, int fd)
{
    return ask(a, fd, getpeername);
}

void addr_unmap(struct addr *a)
{
    if (addr_family(a) != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&a->u.in6.sin6_addr))
        return;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = a->u.in6.sin6_port};
    memcpy(&in.sin_addr, &a->u.in6.sin6_addr.s6_addr[12], 4);
    a->u.in = in;
    a->len = sizeof in;
}

int addr_family(const struct addr *a)
{
    return a->len ? a->u.sa.sa_family : AF_UNSPEC;
}

uint16_t addr_port(const struct addr *a)
{
    int family = addr_family(a);
    return family == AF_INET ? ntohs(a->u.in.sin_port) : family == AF_INET6 ? ntohs(a->u.in6.sin6_port) : 0;
}

void addr_set_port(struct addr *a, uint16_t port)
{
    if (addr_family(a) == AF_INET)
        a->u.in.sin_port = htons(port);
    else if (addr_family(a) == AF_INET6)
        a->u.in6.sin6_port = htons(port);
}

/* Dotted quad by hand: inet_ntop goes through printf, and this is done twice a connection. */
static void ipv4_text(struct buf *b, const struct in_addr *in)
{
    const unsigned char *octet = (const unsigned char *)in;
    for (int i = 0; i < 4; i++) {
        if (i)
            buf_char(b, '.');
        buf_num(b, octet[i]);
    }
}

bool addr_interface(const struct addr *a, char name[static IF_NAMESIZE])
{
    struct buf b = {.mem = name, .size = IF_NAMESIZE};
    if (!is_scoped(a) || !a->u.in6.sin6_scope_id)
        return false;
    if (!if_indextoname(a->u.in6.sin6_scope_id, name)) {
        buf_num(&b, a->u.in6.sin6_scope_id);
        buf_str(&b);
    }
    return true;
}

void addr_ip(const struct addr *a, bool mapped, char text[static ADDR_IP_SIZE])
{
    char interface[IF_NAMESIZE];
    struct buf b = {.mem = text, .size = ADDR_IP_SIZE};
    if (addr_family(a) == AF_INET) {
        if (mapped)
            buf_text(&b, "::ffff:");
        ipv4_text(&b, &a->u.in.sin_addr);
    }
    if (addr_family(a) == AF_INET6 && inet_ntop(AF_INET6, &a->u.in6.sin6_addr, text, ADDR_IP_SIZE))
        b.len = strlen(text);
    if (addr_interface(a, interface)) {
        buf_char(&b, '%');
        buf_text(&b, interface);
    }
    buf_str(&b);
}

void addr_text(const struct addr *a, char text[static ADDR_TEXT_SIZE])
{
    struct buf b = {.mem = text, .size = ADDR_TEXT_SIZE};
    if (addr_family(a) == AF_UNIX) {
        size_t len = a->len - offsetof(struct sockaddr_un, sun_path);
        bool abstract = len && !a->u.un.sun_path[0];
        if (abstract)
            buf_char(&b, '@');
        buf_bytes(&b, a->u.un.sun_path + abstract,
            abstract ? len - 1 : strnlen(a->u.un.sun_path, len <= ADDR_UNIX_MAX ? len : ADDR_UNIX_MAX));
    } else {
        char ip[ADDR_IP_SIZE];
        bool six = addr_family(a) == AF_INET6;
        addr_ip(a, false, ip);
        buf_text(&b, six ? "[" : "");
        buf_text(&b, ip);
        buf_text(&b, six ? "]:" : ":");
        buf_num(&b, addr_port(a));
    }
    buf_str(&b);
}

void addr_key(const struct addr *a, unsigned char key[static ADDR_KEY_SIZE])
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    memset(key, 0, ADDR_KEY_SIZE);
    if (addr_family(a) == AF_INET6) {
        memcpy(key, &a->u.in6.sin6_addr, 16);
        if (is_scoped(a))
            memcpy(key + 16, &a->u.in6.sin6_scope_id, 4);
    } else if (addr_family(a) == AF_INET) {
        memcpy(key, mapped, sizeof mapped);
        memcpy(key + 12, &a->u.in.sin_addr, 4);
    }
}

const char *addr_reason(const struct addr *a, int err)
{
    bool incomplete = err == EINVAL && is_scoped(a) && !a->u.in6.sin6_scope_id;
    return incomplete ? "a link-local address needs its interface, as in fe80::1%eth0" : strerror(err);
}
