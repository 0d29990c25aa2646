/*
 * tcpserver - a program per TCP connection.
 *
 * ucspi-tcp's super-server: fds 0 and 1 are the connection, TCPREMOTEIP and its kin say who is there. What it
 * shares with unixserver, the loop above all, is common/serve.h; here is what is TCP: addresses, access
 * rules, the PROXY protocol, the environment.
 */
#include "cli/applet.h"

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "process/find.h"
#include "net/addr_words.h"
#include "net/listen.h"
#include "serve/proxy.h"
#include "net/resolve.h"
#include "serve/rules.h"
#include "serve/serve.h"
#include "net/ucspi.h"

#define TCPSERVER_OPTIONS(X)                                                                            \
    SERVE_OPTIONS(X)                                                                                    \
    UCSPI_OPTIONS(X)                                                                                    \
    X(INTERFACE, 'I', "interface", "IFACE", "listen only on the network interface IFACE")               \
    X(KEEP_OPTIONS, 'o', "keep-ip-options", NULL, "keep IP options (source routes)")                    \
    X(KILL_OPTIONS, 'O', "kill-ip-options", NULL, "remove IP options (default)")                        \
    X(PARANOID, 'p', "paranoid", NULL, "with -h: accept a name only if it resolves to the address")     \
    X(NO_PARANOID, 'P', "no-paranoid", NULL, "with -h: accept any name (default)")                      \
    X(RULES, 'x', "rules", "FILE", "apply the access rules in FILE (tcprules source)")                  \
    X(NO_RULES_OK, 'X', "rules-optional", NULL, "with -x: allow all clients while FILE does not exist") \
    X(EXPLAIN, 0, "explain", "IP", "with -x: print the rule that applies to IP, and exit")              \
    X(PER_NET, 0, "per-net", NULL, "with -C: count per IPv4 /24 or IPv6 /64 network")                   \
    X(PROXY, 0, "proxy", "[TIME]", "require a PROXY header within TIME (3 s)")                          \
    X(PROXY_FROM, 0, "proxy-from", "CIDR[,CIDR]...", "with --proxy: refuse all other peers")

enum tcpserver_option { TCPSERVER_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {TCPSERVER_OPTIONS(OPT_ROW)};

enum { LOOKUP_SECONDS = 10, PROXY_SECONDS = 3 };

struct tcpserver {
    struct msg *msg;
    struct serve serve;
    struct serve_kind kind;
    struct ucspi_options ucspi_options;
    bool keep_options, paranoid, per_net;
    const char *iface, *explain;
    const char *rules_path;
    bool rules_optional;
    struct rules *rules;
    struct stat rules_seen; /* the file that was read last, even if that failed */
    struct rules *proxies;  /* of --proxy-from; NULL: anybody */
    struct ucspi ucspi;
    uint16_t port;
};

/* ---- access rules ---- */

static void complain_of_rules(struct tcpserver *t, const struct rules_error *error, int err, bool fatal)
{
    char mem[PATH_MAX + 128];
    struct buf b = BUF(mem);
    buf_text(&b, t->rules_path);
    if (error->line)
        buf_fmt(&b, " line %lu", error->line);
    const char *why = error->why ? error->why : strerror(err);
    if (fatal)
        exit(msg_fatal_why(t->msg, error->why ? EXIT_USAGE : EXIT_SYSTEM, "rules", buf_str(&b), why));
    msg_error_why(t->msg, "keep the old rules:", buf_str(&b), why);
}

/* Reads the rules at the start, where a fault is fatal, or again, where the old ones stay. */
static void read_rules(struct tcpserver *t, bool fatal)
{
    struct rules_error error;
    struct rules *fresh = rules_read(t->rules_path, &error);
    if (!fresh && errno == ENOENT && !error.why && t->rules_optional) {
        rules_free(t->rules);
        t->rules = NULL;
        return;
    }
    if (!fresh) {
        int err = errno;
        if (err == EMFILE || err == ENFILE || err == ENOMEM)
            memset(&t->rules_seen, 0, sizeof t->rules_seen); /* not the file's fault: try again */
        complain_of_rules(t, &error, err, fatal);
        return;
    }
    rules_free(t->rules);
    t->rules = fresh;
}

/* Before accepting: has the file changed? On HUP it is read in any case. */
static void refresh(void *owner, bool asked)
{
    struct tcpserver *t = owner;
    if (!t->rules_path)
        return;
    if (rules_update_seen(t->rules_path, &t->rules_seen) || asked)
        read_rules(t, false);
}

static const struct rule *find_rule(const struct tcpserver *t, const struct addr *a)
{
    return t->rules ? rules_find(t->rules, a) : NULL;
}

static int explain(struct tcpserver *t)
{
    char mem[65536];
    struct buf out = BUF(mem);
    struct addr a;
    if (!t->rules_path)
        msg_usage(t->msg, "--explain needs -x FILE");
    if (!addr_parse_ip(&a, t->explain, 0))
        msg_usage(t->msg, "option --explain '%s': expected an IP address", t->explain);
    addr_unmap(&a);
    read_rules(t, true);
    const struct rule *rule = find_rule(t, &a);
    if (!rule) {
        buf_fmt(&out, "%s: allow, no rule applies\n", t->explain);
    } else {
        buf_fmt(&out, "%s: %s, by line %lu: ", t->explain, rule->deny ? "deny" : "allow", rule->line);
        buf_escaped(&out, rule->text, strlen(rule->text));
        buf_char(&out, '\n');
        for (const char *var = rule->vars; *var; var += strlen(var) + 1) {
            buf_text(&out, "  ");
            buf_escaped(&out, var, strlen(var));
            buf_char(&out, '\n');
        }
    }
    int status = opts_print(t->msg, &out);
    return status ? status : rule && rule->deny ? EXIT_NO : EXIT_DONE;
}

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
    if (setsockopt(c->fd, IPPROTO_IP, IP_OPTIONS, NULL, 0) == 0)
        return true;
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
    struct tcpserver *t = owner;
    const struct rule *rule = find_rule(t, &c->remote);
    addr_key(&c->remote, c->key);
    if (t->per_net && addr_family(&c->remote) == AF_INET)
        c->key[15] = 0;
    else if (t->per_net)
        memset(c->key + 8, 0, 8);
    if (!rule || !rule->deny)
        return true;
    if (t->msg->level < MSG_VERBOSE)
        return false;
    struct event e;
    char where[ADDR_TEXT_SIZE];
    addr_text(&c->remote, where);
    event_begin(&e, t->msg, "deny");
    event_str(&e, "remote", where);
    event_num(&e, "line", (long long)rule->line);
    event_text(&e, "deny %s by line %lu", where, rule->line);
    event_send(&e);
    return false;
}

static int put_env(void *owner, const struct serve_conn *c, struct env *e, char **pid_text)
{
    struct tcpserver *t = owner;
    (void)pid_text;
    if (ucspi_tcp(&t->ucspi, e, &c->local, &c->remote, t->ucspi_options.ipv6_env) < 0 ||
        ucspi_hosts(&t->ucspi, e, t->ucspi_options.local_name, NULL) < 0 ||
        ucspi_count(&t->ucspi, e, "TCP", c->client_connections) < 0)
        return -1;
    const struct rule *rule = find_rule(t, &c->remote);
    for (char *var = rule ? rule->vars : NULL; var && *var; var += strlen(var) + 1)
        if (env_put(e, var) < 0)
            return -1;
    return 0;
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
        .iface = t->iface};
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
    if (t->rules_optional && !t->rules_path)
        msg_usage(t->msg, "-X needs -x FILE");
    if (t->proxies && !t->kind.preamble)
        msg_usage(t->msg, "--proxy-from needs --proxy");
    if (t->per_net && !t->serve.asked.per_client)
        msg_usage(t->msg, "--per-net needs -C N");
    serve_check(&t->serve, prog);
    if (!t->rules_path)
        return;
    rules_update_seen(t->rules_path, &t->rules_seen);
    read_rules(t, true);
}

static int serve(struct tcpserver *t, int argc, char **argv)
{
    char where[8];
    struct buf b = BUF(where);
    const char *path = NULL;
    const int on = 1;
    buf_num(&b, t->port);
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
    case OPT_KEEP_OPTIONS:
    case OPT_KILL_OPTIONS:
        t->keep_options = row == OPT_KEEP_OPTIONS;
        break;
    case OPT_PARANOID:
    case OPT_NO_PARANOID:
        t->paranoid = row == OPT_PARANOID;
        break;
    case OPT_RULES:
        t->rules_path = o->arg;
        break;
    case OPT_NO_RULES_OK:
        t->rules_optional = true;
        break;
    case OPT_EXPLAIN:
        t->explain = o->arg;
        break;
    case OPT_PER_NET:
        t->per_net = true;
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
    if (t.explain)
        return explain(&t);
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
