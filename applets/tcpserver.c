/*
 * tcpserver - a program per TCP connection.
 *
 * ucspi-tcp's super-server: fds 0 and 1 are the connection, TCPREMOTEIP and its kin say who is there. What it
 * shares with unixserver, the loop above all, is common/serve.h; here is what is TCP: addresses, access
 * rules, the PROXY protocol, the environment.
 */
#include "cli/applet.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "process/find.h"
#include "net/addr_words.h"
#include "net/listen.h"
#include "serve/access.h"
#include "serve/proxy.h"
#include "net/resolve.h"
#include "serve/serve.h"
#include "net/ucspi.h"

#define TCPSERVER_OPTIONS(X)                                                                        \
    SERVE_OPTIONS(X)                                                                                \
    UCSPI_OPTIONS(X)                                                                                \
    X(INTERFACE, 'I', "interface", "IFACE", "listen only on the network interface IFACE")           \
    X(KEEPALIVE, 0, "keepalive", "TIME[,INTERVAL[,COUNT]]|off",                                     \
        "drop clients that have vanished (10m,1m,5)")                                               \
    X(KEEP_OPTIONS, 'o', "keep-ip-options", NULL, "keep IP options (source routes)")                \
    X(KILL_OPTIONS, 'O', "kill-ip-options", NULL, "remove IP options (default)")                    \
    X(PARANOID, 'p', "paranoid", NULL, "with -h: accept a name only if it resolves to the address") \
    X(NO_PARANOID, 'P', "no-paranoid", NULL, "with -h: accept any name (default)")                  \
    X(REUSE_PORT, 0, "reuse-port", NULL, "share the port with other servers of the same user")      \
    ACCESS_OPTIONS(X, "IP")                                                                         \
    X(PROXY, 0, "proxy", "[TIME]", "require a PROXY header within TIME (3 s)")                      \
    X(PROXY_FROM, 0, "proxy-from", "CIDR[,CIDR]...", "with --proxy: refuse all other peers")

enum tcpserver_option { TCPSERVER_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {TCPSERVER_OPTIONS(OPT_ROW)};

enum { LOOKUP_SECONDS = 10, PROXY_SECONDS = 3 };

struct tcpserver {
    struct msg *msg;
    struct serve serve;
    struct serve_kind kind;
    struct ucspi_options ucspi_options;
    bool keep_options, paranoid, keepalive_is_asked, reuse_port;
    int keepalive[3]; /* as listen_set_keepalive takes it */
    const char *iface;
    struct access access;
    struct rules *proxies; /* of --proxy-from; NULL: anybody */
    struct ucspi ucspi;
    uint16_t port;
};

/* ---- a connection ---- */

static void say_client(const struct serve_conn *c, struct buf *text)
{
    char where[ADDR_TEXT_SIZE];
    addr_text(&c->remote, where);
    buf_text(text, where);
}

static void complain_of_client(
    const struct tcpserver *t, const char *action, const struct serve_conn *c, int err)
{
    char where[ADDR_TEXT_SIZE];
    addr_text(&c->remote, where);
    msg_error(t->msg, action, where, err);
}

static bool identify(void *owner, struct serve_conn *c)
{
    struct tcpserver *t = owner;
    addr_unmap(&c->remote);
    if (addr_local(&c->local, c->fd) < 0)
        complain_of_client(t, "getsockname, connection from", c, errno);
    if (t->proxies && !rules_find(t->proxies, &c->remote)) {
        char where[ADDR_TEXT_SIZE];
        addr_text(&c->remote, where);
        msg_error_why(t->msg, "refuse", where, "not one of --proxy-from");
        return false;
    }
    if (t->keep_options || addr_family(&c->remote) != AF_INET)
        return true;
    /* so that nobody can have the answers routed through his own host (ip(7), IP_OPTIONS) */
    if (setsockopt(c->fd, IPPROTO_IP, IP_OPTIONS, NULL, 0) == 0 || errno == ENOPROTOOPT)
        return true; /* or there are none in this system */
    complain_of_client(t, "remove IP options, connection from", c, errno);
    return false;
}

static int read_proxy(void *owner, struct serve_conn *c)
{
    struct tcpserver *t = owner;
    if (!c->preamble && !(c->preamble = calloc(1, sizeof(struct proxy)))) {
        complain_of_client(t, "malloc, connection from", c, errno);
        return -1;
    }
    struct proxy *p = c->preamble;
    int ready = proxy_read(p, c->fd);
    if (ready < 0 && (!proxy_was_probe(p, errno) || t->msg->level >= MSG_VERBOSE))
        complain_of_client(t, "read PROXY header from", c, errno);
    if (ready > 0 && p->remote.len) {
        c->remote = p->remote;
        c->local = p->local;
    }
    return ready;
}

static bool admit(void *owner, struct serve_conn *c)
{
    const struct tcpserver *t = owner;
    return access_admit(&t->access, c);
}

static void refresh(void *owner, bool asked)
{
    struct tcpserver *t = owner;
    access_refresh(&t->access, asked);
}

static int put_env(void *owner, const struct serve_conn *c, struct env *e, char **pid_text)
{
    struct tcpserver *t = owner;
    (void)pid_text;
    if (ucspi_tcp(&t->ucspi, e, &c->local, &c->remote, t->ucspi_options.ipv6_env) < 0 ||
        ucspi_hosts(&t->ucspi, e, t->ucspi_options.local_name, NULL) < 0 ||
        ucspi_count(&t->ucspi, e, "TCP", c->client_connections) < 0)
        return -1;
    return access_env(&t->access, c, e);
}

static void describe(void *owner, const struct serve_conn *c, pid_t pid, struct event *e)
{
    const struct tcpserver *t = owner;
    char local_ip[ADDR_IP_SIZE], remote_ip[ADDR_IP_SIZE], mem[1024];
    struct buf local_name = BUF(mem);
    if (t->ucspi_options.local_name)
        buf_escaped(&local_name, t->ucspi_options.local_name, strlen(t->ucspi_options.local_name));
    addr_ip(&c->local, false, local_ip);
    addr_ip(&c->remote, false, remote_ip);
    event_str(e, "local_ip", local_ip);
    event_num(e, "local_port", addr_port(&c->local));
    event_str(e, "remote_ip", remote_ip);
    event_num(e, "remote_port", addr_port(&c->remote));
    event_num(e, "connections", (long long)c->client_connections);
    event_text(e, "ok %d %s:%s:%u :%s::%u", (int)pid, buf_str(&local_name), local_ip, addr_port(&c->local),
        remote_ip, addr_port(&c->remote));
}

static void name_client(void *owner, const struct serve_conn *c, struct buf *name)
{
    const struct tcpserver *t = owner;
    char text[RESOLVE_NAME_SIZE];
    if (!t->ucspi_options.lookup ||
        resolve_name(&c->remote, t->paranoid, clock_in(LOOKUP_SECONDS * CLOCK_SECOND), text) < 0)
        addr_ip(&c->remote, false, text);
    buf_text(name, text);
}

/* ---- listening ---- */

static void listen_as_asked(struct tcpserver *t, const char *host, uint16_t port)
{
    struct listen l = {.host = host,
        .port = port,
        .type = SOCK_STREAM,
        .ipv4_only = t->ucspi_options.ipv4,
        .backlog = t->serve.asked.backlog,
        .iface = t->iface,
        .reuse_port = t->reuse_port};
    if (listen_open(&l) < 0)
        exit(msg_fatal_why(t->msg, EXIT_SYSTEM, l.action, l.object, l.why));
    t->port = l.port;
    for (int i = 0; i < l.n; i++)
        serve_listener(&t->serve, l.fds[i], false);
    listen_free(&l);
}

static void inherit(struct tcpserver *t)
{
    struct addr a;
    serve_inherit(&t->serve, AF_INET6, AF_INET);
    if (addr_local(&a, t->serve.listener[0]) == 0)
        t->port = addr_port(&a);
}

/* ---- looking up names: sockenv goes in front of the program ---- */

/* sockenv's own words; what runs it is ourselves, or found by PATH. */
static char **put_sockenv_in_front(const struct tcpserver *t, int argc, char **argv, const char **path)
{
    char **words = calloc((size_t)argc + 8, sizeof *words), **to = words;
    if (!words)
        msg_die_sys(t->msg, "malloc", NULL);
    *path = applet_find("sockenv") && access("/proc/self/exe", X_OK) == 0 ? "/proc/self/exe"
                                                                          : find_program("sockenv");
    if (!*path) {
        *path = find_program("ipcbox");
        if (!*path)
            msg_die(t->msg, EXIT_NOTFOUND, "-h needs sockenv: find", "sockenv or ipcbox", ENOENT);
        *to++ = "ipcbox";
    }
    *to++ = "sockenv";
    *to++ = t->paranoid ? "-ehp" : "-eh";
    if (t->ucspi_options.local_name) {
        *to++ = "-l";
        *to++ = (char *)t->ucspi_options.local_name;
    }
    *to++ = "--";
    memcpy(to, argv, (size_t)argc * sizeof *argv);
    return words;
}

/* What can be found out before anything is bound. */
static void check(struct tcpserver *t, char **prog)
{
    if (t->proxies && !t->kind.preamble)
        msg_usage(t->msg, "--proxy-from needs --proxy");
    serve_check(&t->serve, prog);
    access_check(&t->access, &t->serve);
}

static int serve(struct tcpserver *t, int argc, char **argv)
{
    char where[8];
    struct buf b = BUF(where);
    const char *path = NULL;
    const int on = 1;
    buf_num(&b, t->port);
    for (int i = 0; (t->keepalive_is_asked || !t->serve.asked.inherit) && i < t->serve.listeners; i++)
        if (listen_set_keepalive(t->serve.listener[i], t->keepalive) < 0)
            msg_die_sys(t->msg, "setsockopt", "SO_KEEPALIVE");
    for (int i = 0; t->ucspi_options.no_delay && i < t->serve.listeners; i++) /* connections inherit it */
        if (setsockopt(t->serve.listener[i], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
            msg_die_sys(t->msg, "setsockopt", "TCP_NODELAY");
    if (argc && t->ucspi_options.lookup)
        argv = put_sockenv_in_front(t, argc, argv, &path);
    serve_catch_signals();
    int status = serve_run(&t->serve, buf_str(&b), path, argv);
    if (status < 0)
        sigs_die(-status);
    return status;
}

/* TIME[,INTERVAL[,COUNT]], in the whole seconds that the kernel takes, or off. */
static bool parse_keepalive(int values[static 3], const char *text)
{
    enum { SECONDS_MAX = 32767, COUNT_MAX = 127, COUNT = 2 };
    char words[64], *rest = words;
    struct buf b = BUF(words);
    buf_text(&b, text);
    *values = 0;
    if (!strcmp(buf_str(&b), "off"))
        return true;
    for (int i = 0; rest; i++) {
        int64_t ns = 0;
        uint64_t n = 0;
        const char *word = strsep(&rest, ",");
        if (i > COUNT || b.cut ||
            !(i == COUNT ? num_u64(word, 1, COUNT_MAX, &n)
                         : num_duration(word, &ns) && ns % CLOCK_SECOND == 0))
            return false;
        n += (uint64_t)(ns / CLOCK_SECOND);
        if (n < 1 || n > SECONDS_MAX)
            return false;
        values[i] = (int)n;
    }
    return true;
}

static void take_option(struct tcpserver *t, int row, const struct opts *o)
{
    switch ((enum tcpserver_option)row) {
        SERVE_OPTIONS(OPT_CASE)
        serve_option(&t->serve, row, o);
        break;
        UCSPI_OPTIONS(OPT_CASE)
        ucspi_option(&t->ucspi_options, row - OPT_IPV4, o);
        break;
    case OPT_INTERFACE:
        t->iface = o->arg;
        break;
    case OPT_KEEPALIVE:
        t->keepalive_is_asked = true;
        if (!parse_keepalive(t->keepalive, o->arg))
            opts_wrong(o, "expected TIME[,INTERVAL[,COUNT]], in whole seconds, or off");
        break;
    case OPT_KEEP_OPTIONS:
    case OPT_KILL_OPTIONS:
        t->keep_options = row == OPT_KEEP_OPTIONS;
        break;
    case OPT_PARANOID:
    case OPT_NO_PARANOID:
        t->paranoid = row == OPT_PARANOID;
        break;
    case OPT_REUSE_PORT:
        t->reuse_port = true;
        break;
        ACCESS_OPTIONS(OPT_CASE, )
        access_option(&t->access, row - OPT_RULES, o);
        break;
    case OPT_PROXY:
        t->kind.preamble = read_proxy;
        t->serve.asked.preamble_time = o->arg ? opts_duration(o) : PROXY_SECONDS * CLOCK_SECOND;
        break;
    case OPT_PROXY_FROM: {
        const char *wrong = rules_add_list(&t->proxies, o->arg);
        if (wrong)
            opts_wrong(o, wrong);
        break;
    }
    }
}

static const struct cli cli = {
    .name = "tcpserver",
    .summary = "run a program for each TCP connection",
    .usage = "[OPTION]... HOST PORT [PROG [ARG]...]\n"
             "[OPTION]... --inherit[=NAME] [PROG [ARG]...]\n"
             "--explain IP -x FILE",
    .notes =
        "HOST 0 is all addresses, IPv4 and IPv6. With PORT 0, the kernel chooses a port, and -1 prints it. "
        "PROG reads from the client on fd 0 and writes to it on fd 1. Without PROG, clients get a "
        "greeting.\n"
        "Signals: TERM stops, HUP reloads the rules, USR1 prints the status.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int tcpserver_main(struct msg *m, int argc, char **argv)
{
    struct tcpserver t = {.msg = m,
        .keepalive = {600, 60, 5},
        .access.msg = m,
        .kind = {.identify = identify,
            .preamble_name = "PROXY header",
            .admit = admit,
            .put_env = put_env,
            .describe = describe,
            .client = say_client,
            .name = name_client,
            .refresh = refresh}};
    struct opts o;
    int row;
    serve_init(&t.serve, m, &t.kind, &t);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&t, row, &o);
    if (t.access.explain)
        return access_explain(&t.access);
    argv += o.first;
    argc -= o.first;
    uint16_t port = t.serve.asked.inherit ? 0 : addr_port_operand(m, argv, 0);
    int operands = t.serve.asked.inherit ? 0 : 2;
    check(&t, argv + operands);
    if (t.serve.asked.inherit)
        inherit(&t);
    else
        listen_as_asked(&t, argv[0], port);
    return serve(&t, argc - operands, argv + operands);
}

const struct applet applet_tcpserver = {.cli = &cli, .theme = THEME_SOCKETS, .main = tcpserver_main};
