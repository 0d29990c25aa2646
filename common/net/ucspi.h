/*
 * ucspi.h - the environment that tells a program who is at the other end of its connection (UCSPI-1996,
 * tcp-environ(5) of ucspi-tcp, ucspi-unix).
 *
 * What is unknown is unset, never inherited: ucspi_drop takes away all that we found, ucspi_tcp and
 * ucspi_unix put what is known. Their strings live in the struct, which must live until the program has been
 * started.
 */
#ifndef UCSPI_H
#define UCSPI_H

#include <stdbool.h>

#include "net/addr.h"
#include "base/env.h"
#include "cli/opts.h"

/* The options that ucspi-tcp's server and client have in common. */
#define UCSPI_OPTIONS(X)                                                                    \
    X(IPV4, '4', "ipv4", NULL, "use IPv4 only")                                             \
    X(IPV6_ENV, '6', "ipv6-env", NULL, "show IPv4 addresses as mapped IPv6; PROTO is TCP6") \
    X(DELAY, 'd', "delay", NULL, "let the kernel combine small writes (default)")           \
    X(NO_DELAY, 'D', "no-delay", NULL, "send small writes immediately (TCP_NODELAY)")       \
    X(LOOKUP, 'h', "lookup", NULL, "look up the host names of both ends")                   \
    X(NO_LOOKUP, 'H', "no-lookup", NULL, "do not look up host names (default)")             \
    X(LOCAL_NAME, 'l', "local-name", "NAME", "set TCPLOCALHOST to NAME")                    \
    X(IDENT, 'r', "ident", NULL, "ignored: ident is not supported")                         \
    X(NO_IDENT, 'R', "no-ident", NULL, "do not use ident (default)")                        \
    X(IDENT_TIMEOUT, 't', "ident-timeout", "SECONDS", "ignored: ident is not supported")

enum { UCSPI_NAME_MAX = 255 };

struct ucspi_options {
    bool ipv4, ipv6_env, no_delay, lookup;
    const char *local_name;
};

/* Takes an option; row counts from the first of UCSPI_OPTIONS. */
void ucspi_option(struct ucspi_options *u, int row, const struct opts *o);

/* The argument of -l, which is a name as the DNS has them; does not return if it is longer. */
const char *ucspi_name(const struct opts *o);

/* Of one end: TCP..., then TCP6.... */
struct ucspi_end {
    char ip[2][16 + ADDR_IP_SIZE], port[2][24], host[2][16 + UCSPI_NAME_MAX + 1];
};

/* PROTO, TCPCONNNUM and so on, each as NAME=VALUE. */
struct ucspi {
    char proto[16];
    struct ucspi_end local, remote;
    char interface[16 + IF_NAMESIZE];
    char path[16 + ADDR_TEXT_SIZE];
    char local_pid[32], local_uid[32], local_gid[32];
    char remote_pid[32], remote_uid[32], remote_gid[32];
    char count[40];
};

/* Takes every variable of ours out of the base of e. */
void ucspi_drop(struct env *e);

/*
 * PROTO (TCP, or TCP6 for IPv6), TCPLOCALIP, TCPLOCALPORT, TCPREMOTEIP, TCPREMOTEPORT. With `six`, IPv4 is
 * shown as mapped IPv6 and PROTO is TCP6 (-6). As in the IPv6 forks (tcp-environ(5) there), also TCP6LOCALIP
 * and so on, where IPv4 always is, and a link-local address without its interface; that is in TCP6INTERFACE,
 * if one of the two is link-local. An address of length 0 is unknown. 0, or -1 with ENOMEM.
 */
int ucspi_tcp(struct ucspi *u, struct env *e, const struct addr *local, const struct addr *remote, bool six);

/* PROTO=UDP, UDPLOCALIP, UDPLOCALPORT, UDPREMOTEIP, UDPREMOTEPORT, in the same way. */
int ucspi_udp(struct ucspi *u, struct env *e, const struct addr *local, const struct addr *remote);

/*
 * PROTO=UNIX, the path under path_name ("UNIXLOCALPATH=" for a server, "UNIXREMOTEPATH=" for a client),
 * UNIXLOCALUID, GID and PID, and UNIXREMOTEPID, EUID and EGID where the kernel knows them (SO_PEERCRED,
 * unix(7)). pid 0: the local pid is written by the child (ucspi_pid_text).
 */
int ucspi_unix(struct ucspi *u, struct env *e, const char *path_name, const struct addr *path,
    const struct ucred *peer, pid_t pid);

/* Where spawn_program's child puts its own pid: inside UNIXLOCALPID. */
char *ucspi_pid_text(struct ucspi *u);

/* TCPLOCALHOST and TCPREMOTEHOST, and those of TCP6; NULL is unknown. */
int ucspi_hosts(struct ucspi *u, struct env *e, const char *local, const char *remote);

/* TCPCONNNUM or UNIXCONNNUM: how many connections that peer has, with this one. */
int ucspi_count(struct ucspi *u, struct env *e, const char *prefix, unsigned long n);

/* The credentials of the process at the other end. 0, or -1 with errno. */
int ucspi_peer(int fd, struct ucred *peer);

/*
 * All groups of that process, the one in *peer first, then those that it had beside it when it connected
 * (SO_PEERGROUPS, Linux 4.13): *n of them, the caller's to free. NULL with errno.
 */
gid_t *ucspi_peer_groups(int fd, const struct ucred *peer, size_t *n);

/* That process, for a message. */
void ucspi_say_peer(const struct ucred *peer, struct buf *text);

#endif
