/*
 * ucspi.c - see ucspi.h.
 */
#include "net/ucspi.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"

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
        u->local_name = o->arg;
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
    static const char *const ours[] = {"PROTO", "TCPLOCAL*", "TCPREMOTE*", "TCPCONNNUM", "TCP6*",
        "UNIXLOCAL*", "UNIXREMOTE*", "UNIXCONNNUM"};
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        env_drop(e, ours[i]);
}

static int put_text(struct env *e, char *slot, size_t size, const char *name, const char *value)
{
    struct buf b = {.mem = slot, .size = size};
    buf_text(&b, name);
    buf_text(&b, value);
    buf_str(&b);
    return env_put(e, slot);
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

static int put_end(struct env *e, char *ip_slot, size_t size, const char *ip_name, char *port_slot,
    const char *port_name, const struct addr *a, bool six)
{
    char ip[ADDR_IP_SIZE];
    if (!a->len)
        return 0;
    addr_ip(a, six, ip);
    if (put_text(e, ip_slot, size, ip_name, ip) < 0)
        return -1;
    return put_num(e, port_slot, sizeof(((struct ucspi *)0)->local_port), port_name, addr_port(a));
}

int ucspi_tcp(struct ucspi *u, struct env *e, const struct addr *local, const struct addr *remote, bool six)
{
    char interface[IF_NAMESIZE];
    bool tcp6 = six || addr_family(remote->len ? remote : local) == AF_INET6;
    if (PUT_TEXT(e, u->proto, "PROTO=", tcp6 ? "TCP6" : "TCP") < 0)
        return -1;
    if (put_end(e, u->local_ip, sizeof u->local_ip, "TCPLOCALIP=", u->local_port, "TCPLOCALPORT=", local,
            six) < 0)
        return -1;
    if ((addr_interface(remote, interface) || addr_interface(local, interface)) &&
        PUT_TEXT(e, u->interface, "TCP6INTERFACE=", interface) < 0)
        return -1;
    return put_end(
        e, u->remote_ip, sizeof u->remote_ip, "TCPREMOTEIP=", u->remote_port, "TCPREMOTEPORT=", remote, six);
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
    if (local && PUT_TEXT(e, u->local_host, "TCPLOCALHOST=", local) < 0)
        return -1;
    return remote ? PUT_TEXT(e, u->remote_host, "TCPREMOTEHOST=", remote) : 0;
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
