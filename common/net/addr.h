/*
 * addr.h - socket addresses, from words and to text.
 */
#ifndef ADDR_H
#define ADDR_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct addr {
    socklen_t len; /* 0: unknown */
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } u;
};

enum {
    ADDR_IP_SIZE = INET6_ADDRSTRLEN + 1 + IF_NAMESIZE,
    ADDR_TEXT_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path) + 16,
    ADDR_KEY_SIZE = 20,
    ADDR_UNIX_MAX = sizeof(((struct sockaddr_un *)0)->sun_path) - 1,
};

/*
 * A numeric IPv4 or IPv6 address; the latter may end with %INTERFACE, the interface's name or its index. It
 * counts only for a link-local address: in RFC 4007 no other has a zone. False if it is none.
 */
bool addr_parse_ip(struct addr *a, const char *word, uint16_t port);

/* The same as somebody to talk to: 0 and the addresses that stand for any are this machine. */
bool addr_parse_target(struct addr *a, const char *word, uint16_t port);

/* 0 to 65535 in decimal, or a service's name, that of TCP first (services(5)). */
bool addr_parse_port(const char *word, uint16_t *port);

/* A path of 1 to ADDR_UNIX_MAX bytes, or @NAME for the abstract name (unix(7)). */
bool addr_parse_unix(struct addr *a, const char *path);

/* The addresses of the two ends of a socket, IPv4-mapped ones as IPv4. 0, or -1 with errno. */
int addr_local(struct addr *a, int fd);
int addr_remote(struct addr *a, int fd);

/* An IPv4-mapped IPv6 address becomes the IPv4 address. */
void addr_unmap(struct addr *a);

int addr_family(const struct addr *a);
uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);

/*
 * The interface that a link-local address belongs to, without which it is no address (RFC 4007): its name or,
 * if it has gone, its index, as getnameinfo(3) has it. False for all other addresses.
 */
bool addr_interface(const struct addr *a, char name[static IF_NAMESIZE]);

/*
 * The IP address alone (RFC 5952 for IPv6), with %INTERFACE for a link-local one. With `mapped`, IPv4 is
 * shown as ::ffff:a.b.c.d.
 */
void addr_ip(const struct addr *a, bool mapped, char text[static ADDR_IP_SIZE]);

/* For messages: 1.2.3.4:80, [::1]:80, [fe80::1%eth0]:80, /path, @name. Not escaped. */
void addr_text(const struct addr *a, char text[static ADDR_TEXT_SIZE]);

/* What identifies the host: the 16 bytes of the address, IPv4 as mapped; the interface of a link-local one.
 */
void addr_key(const struct addr *a, unsigned char key[static ADDR_KEY_SIZE]);

/* The reason for the message about a socket call on that address which failed with err. */
const char *addr_reason(const struct addr *a, int err);

#endif
