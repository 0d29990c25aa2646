/*
 * ucspi.c - see ucspi.h.
 */
#include "net/ucspi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

const char *ucspi_name(const struct opts *o)
{
    if (strlen(o->arg) > UCSPI_NAME_MAX)
        opts_wrong(o, "expected at most 255 bytes");
    return o->arg;
}

void ucspi_option(struct ucspi_options *u, int row, const struct opts *o)
{
    enum ucspi_row { UCSPI_OPTIONS(OPT_ENUM) };
    switch ((enum ucspi_row)row) {
    case OPT_IPV4:
        u->ipv4 = true;
        break;
    case OPT_IPV6_ENV:
        u->ipv6_env = true;
        break;
    case OPT_DELAY:
    case OPT_NO_DELAY:
        u->no_delay = row == OPT_NO_DELAY;
        break;
    case OPT_LOOKUP:
    case OPT_NO_LOOKUP:
        u->lookup = row == OPT_LOOKUP;
        break;
    case OPT_LOCAL_NAME:
        u->local_name = ucspi_name(o);
        break;
    case OPT_IDENT:
    case OPT_NO_IDENT:
        break;
    case OPT_IDENT_TIMEOUT:
        (void)opts_duration(o);
        break;
    }
}

static const char LOCAL_PID[] = "UNIXLOCALPID=";

void ucspi_drop(struct env *e)
{
    static const char *const ours[] = {"PROTO", "TCPLOCAL*", "TCPREMOTE*", "TCPCONNNUM", "TCP6*", "UDPLOCAL*",
        "UDPREMOTE*", "UDPCONNNUM", "UNIXLOCAL*", "UNIXREMOTE*", "UNIXCONNNUM"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        env_drop(e, ours[i]);
}

/* A variable whose name is in three parts. */
static int put_parts(struct env *e, char *slot, size_t size, const char *prefix, const char *end,
    const char *name, const char *value)
{
    struct buf b = {.mem = slot, .size = size};
    buf_text(&b, prefix);
    buf_text(&b, end);
    buf_text(&b, name);
    buf_text(&b, value);
    buf_str(&b);
    return env_put(e, slot);
}

static int put_text(struct env *e, char *slot, size_t size, const char *name, const char *value)
{
    return put_parts(e, slot, size, name, "", "", value);
}

static int put_num(struct env *e, char *slot, size_t size, const char *name, unsigned long long value)
{
    struct buf b = {.mem = slot, .size = size};
    buf_text(&b, name);
    buf_num(&b, value);
    buf_str(&b);
    return env_put(e, slot);
}

#define PUT_TEXT(e, slot, name, value) put_text(e, slot, sizeof(slot), name, value)
#define PUT_NUM(e, slot, name, value) put_num(e, slot, sizeof(slot), name, value)

/* TCP6: what the IPv6 forks of ucspi-tcp have in addition. */
static const char *const prefixes[] = {"TCP", "TCP6"}, *const udp[] = {"UDP"};

static int put_end(struct env *e, struct ucspi_end *u, const char *const *prefix, int n, const char *end,
    const struct addr *a, bool six)
{
    char ip[ADDR_IP_SIZE], port[8];
    struct buf b = BUF(port);
    buf_num(&b, addr_port(a));
    buf_str(&b);
    for (int i = 0; i < n && a->len; i++) {
        addr_ip(a, six || i, ip);
        if (i) /* the interface has a variable of its own */
            ip[strcspn(ip, "%")] = '\0';
        if (put_parts(e, u->ip[i], sizeof u->ip[i], prefix[i], end, "IP=", ip) < 0 ||
            put_parts(e, u->port[i], sizeof u->port[i], prefix[i], end, "PORT=", port) < 0)
            return -1;
    }
    return 0;
}

static int put_host(struct env *e, struct ucspi_end *u, const char *end, const char *host)
{
    for (int i = 0; i < 2 && host; i++)
        if (put_parts(e, u->host[i], sizeof u->host[i], prefixes[i], end, "HOST=", host) < 0)
            return -1;
    return 0;
}

int ucspi_tcp(struct ucspi *u, struct env *e, const struct addr *local, const struct addr *remote, bool six)
{
    char interface[IF_NAMESIZE];
    bool tcp6 = six || addr_family(remote->len ? remote : local) == AF_INET6;
    if (PUT_TEXT(e, u->proto, "PROTO=", tcp6 ? "TCP6" : "TCP") < 0 ||
        put_end(e, &u->local, prefixes, 2, "LOCAL", local, six) < 0)
        return -1;
    if ((addr_interface(remote, interface) || addr_interface(local, interface)) &&
        PUT_TEXT(e, u->interface, "TCP6INTERFACE=", interface) < 0)
        return -1;
    return put_end(e, &u->remote, prefixes, 2, "REMOTE", remote, six);
}

int ucspi_udp(struct ucspi *u, struct env *e, const struct addr *local, const struct addr *remote)
{
    if (PUT_TEXT(e, u->proto, "PROTO=", "UDP") < 0 ||
        put_end(e, &u->local, udp, 1, "LOCAL", local, false) < 0)
        return -1;
    return put_end(e, &u->remote, udp, 1, "REMOTE", remote, false);
}

int ucspi_unix(struct ucspi *u, struct env *e, const char *path_name, const struct addr *path,
    const struct ucred *peer, pid_t pid)
{
    char text[ADDR_TEXT_SIZE] = "";
    if (path->len)
        addr_text(path, text);
    if (PUT_TEXT(e, u->proto, "PROTO=", "UNIX") < 0 || (*text && PUT_TEXT(e, u->path, path_name, text) < 0) ||
        PUT_NUM(e, u->local_uid, "UNIXLOCALUID=", getuid()) < 0 ||
        PUT_NUM(e, u->local_gid, "UNIXLOCALGID=", getgid()) < 0 ||
        PUT_NUM(e, u->local_pid, LOCAL_PID, (unsigned long long)pid) < 0)
        return -1;
    /* pid 0: of another pid namespace; uid -1: none was recorded */
    if (peer->pid > 0 && PUT_NUM(e, u->remote_pid, "UNIXREMOTEPID=", (unsigned long long)peer->pid) < 0)
        return -1;
    if (peer->uid == (uid_t)-1)
        return 0;
    return PUT_NUM(e, u->remote_uid, "UNIXREMOTEEUID=", peer->uid) < 0
               ? -1
               : PUT_NUM(e, u->remote_gid, "UNIXREMOTEEGID=", peer->gid);
}

char *ucspi_pid_text(struct ucspi *u)
{
    return u->local_pid + sizeof LOCAL_PID - 1;
}

int ucspi_hosts(struct ucspi *u, struct env *e, const char *local, const char *remote)
{
    return put_host(e, &u->local, "LOCAL", local) < 0 ? -1 : put_host(e, &u->remote, "REMOTE", remote);
}

int ucspi_count(struct ucspi *u, struct env *e, const char *prefix, unsigned long n)
{
    struct buf b = BUF(u->count);
    buf_text(&b, prefix);
    buf_text(&b, "CONNNUM=");
    buf_num(&b, n);
    buf_str(&b);
    return env_put(e, u->count);
}

int ucspi_peer(int fd, struct ucred *peer)
{
    socklen_t len = sizeof *peer;
    *peer = (struct ucred){.uid = (uid_t)-1, .gid = (gid_t)-1};
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len);
}

gid_t *ucspi_peer_groups(int fd, const struct ucred *peer, size_t *n)
{
    gid_t *groups = NULL;
    socklen_t len = 0;
    for (int tries = 0; tries < 2; tries++) { /* without room for them the kernel says how many there are */
        gid_t *more = realloc(groups, sizeof *groups + len);
        if (!more)
            break;
        groups = more;
        groups[0] = peer->gid;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups + 1, &len) == 0) {
            *n = 1 + len / sizeof *groups;
            return groups;
        }
        if (errno != ERANGE)
            break;
    }
    int err = errno;
    free(groups);
    errno = err;
    return NULL;
}

void ucspi_say_peer(const struct ucred *peer, struct buf *text)
{
    if (peer->uid == (uid_t)-1)
        buf_text(text, "unknown");
    else
        buf_fmt(text, "uid %lu pid %ld", (unsigned long)peer->uid, (long)peer->pid);
}
