/*
 * sockets.c - see sockets.h.
 */
#include "status/sockets.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "status/lines.h"

enum { TRIES = 4 };
enum { UNIX_LISTENS = 0x10000, UNIX_DATAGRAMS = SOCK_DGRAM }; /* __SO_ACCEPTCON */

/* A table of the kernel, and which of a line's words are what. */
static const struct source {
    const char *name;
    int protocol, inode_word;
} sources[] = {
    {"net/tcp", SOCKET_TCP, 9},
    {"net/tcp6", SOCKET_TCP, 9},
    {"net/udp", SOCKET_UDP, 9},
    {"net/udp6", SOCKET_UDP, 9},
    {"net/unix", SOCKET_UNIX, 6},
};

/* "0100007F:0050": words of 32 bits as they are in memory, the port in the usual order. */
static uint16_t take_address(const char *word, char *out)
{
    struct addr a = {.len = 0};
    size_t digits = strspn(word, "0123456789ABCDEF");
    uint32_t parts[4] = {0};
    for (size_t i = 0; i < digits / 8 && i < 4; i++) {
        char hex[9] = "";
        memcpy(hex, word + 8 * i, 8);
        parts[i] = (uint32_t)lines_hex(hex);
    }
    if (digits > 8) {
        a.u.in6.sin6_family = AF_INET6;
        memcpy(&a.u.in6.sin6_addr, parts, sizeof parts);
        a.len = sizeof a.u.in6;
    } else {
        a.u.in.sin_family = AF_INET;
        a.u.in.sin_addr.s_addr = *parts;
        a.len = sizeof a.u.in;
    }
    addr_set_port(&a, (uint16_t)lines_hex(word + digits + (word[digits] == ':')));
    addr_unmap(&a);
    addr_text(&a, out);
    return addr_port(&a);
}

/* "sl: LOCAL REMOTE STATE TX:RX ...": of a listener, RX is how many connections are queued. */
static void take_ip(struct seen_socket *s, const char *line)
{
    take_address(lines_word(line, 2), s->remote);
    s->port = take_address(lines_word(line, 1), s->local);
    s->state = (unsigned)lines_hex(lines_word(line, 3));
    s->listens = s->protocol == SOCKET_TCP ? s->state == TCP_LISTEN : s->state != TCP_ESTABLISHED;
    const char *queued = strchr(lines_word(line, 4), ':');
    if (s->listens)
        s->remote[0] = '\0';
    if (s->listens && s->protocol == SOCKET_TCP && queued)
        s->waiting = lines_hex(queued + 1);
}

/* What a server of ours has told its program of the peer (unixserver(1)). 0, or -1 with errno. */
static int take_unix_peer(struct seen_socket *s)
{
    char text[16384];
    static const char pid_is[] = "UNIXREMOTEPID=", uid_is[] = "UNIXREMOTEEUID=";
    const char *pid = NULL, *uid = NULL;
    struct buf out = BUF(s->remote);
    ssize_t n = s->pid == s->owner->process.pid ? 0 : census_read(s->pid, "environ", text, sizeof text);
    if (n < 0 && !procs_is_out_of_reach(errno))
        return -1;
    for (const char *e = text; n > 0 && e < text + n; e += strlen(e) + 1) {
        if (strncmp(e, pid_is, sizeof pid_is - 1) == 0)
            pid = e + sizeof pid_is - 1;
        if (strncmp(e, uid_is, sizeof uid_is - 1) == 0)
            uid = e + sizeof uid_is - 1;
    }
    if (pid && uid)
        buf_fmt(&out, "pid %.10s uid %.10s", pid, uid);
    buf_str(&out);
    return 0;
}

/* "NUM: COUNT PROTOCOL FLAGS TYPE STATE INODE PATH" */
static void take_unix(struct seen_socket *s, const char *line)
{
    struct buf out = BUF(s->local);
    const char *path = lines_word(line, 7);
    s->listens =
        lines_hex(lines_word(line, 3)) & UNIX_LISTENS || lines_hex(lines_word(line, 4)) == UNIX_DATAGRAMS;
    s->state = s->listens ? TCP_LISTEN : TCP_ESTABLISHED;
    buf_bytes(&out, path, strcspn(path, "\n"));
    buf_str(&out);
}

static int add(
    struct sockets *all, const struct source *source, const struct held_socket *held, const char *line)
{
    struct seen_socket *s = list_add(&all->list);
    if (!s)
        return -1;
    s->owner = held->owner;
    s->pid = held->pid;
    s->inode = held->inode;
    s->protocol = (unsigned)source->protocol;
    if (s->protocol == SOCKET_UNIX)
        take_unix(s, line);
    else
        take_ip(s, line);
    return 0;
}

/*
 * Whether we have had that one: the kernel's tables change while they are read. A path may hold a newline,
 * and behind it what looks like a line about another socket; the true one is there, too: of a socket with two
 * paths we believe neither.
 */
static bool is_second(
    struct sockets *all, const struct source *source, struct held_socket *held, const char *line)
{
    struct seen_socket *first = held->seen ? (struct seen_socket *)all->list.mem + held->seen - 1 : NULL,
                       again;
    if (!first) {
        held->seen = all->list.n + 1;
        return false;
    }
    if (source->protocol == SOCKET_UNIX) {
        take_unix(&again, line);
        if (strcmp(again.local, first->local) != 0)
            memcpy(first->local, "?", 2);
    }
    return true;
}

/* 0; 1: that process has gone meanwhile; -1 with errno. */
static int read_table(struct sockets *all, pid_t pid, const struct source *source, const struct holdings *h)
{
    char mem[64];
    const char *line;
    struct buf path = BUF(mem);
    struct lines table;
    int done = 0;
    buf_fmt(&path, "/proc/%ld/%s", (long)pid, source->name);
    int opened = lines_open(&table, buf_str(&path));
    if (opened <= 0)
        return opened < 0 ? -1 : 1;
    while (done == 0 && (line = lines_next(&table))) {
        uint64_t inode = lines_number(lines_word(line, source->inode_word));
        const struct held_socket *end = (struct held_socket *)h->sockets.mem + h->sockets.n;
        struct held_socket *s = inode ? holdings_socket(h, inode) : NULL;
        if (!s || is_second(all, source, s, line))
            continue;
        for (; s < end && s->inode == inode && done == 0; s++)
            done = add(all, source, s, line);
    }
    if (lines_close(&table) < 0)
        done = done == 0 && errno == ESRCH ? 1 : -1;
    return done;
}

static int read_tables(struct sockets *all, pid_t pid, const struct holdings *h)
{
    int done = read_table(all, pid, &sources[0], h);
    for (size_t i = 1; i < sizeof sources / sizeof *sources && done == 0; i++)
        if (read_table(all, pid, &sources[i], h) < 0) /* there may be no IPv6 */
            done = -1;
    return done;
}

/* The network namespaces of ours, each once. */
static int read_namespaces(struct sockets *all, const struct census *c, const struct holdings *h)
{
    struct namespace
    {
        char link[32];
    };
    struct list read = {.size = sizeof(struct namespace)};
    int done = 0;
    for (size_t i = 0; i < c->n && done >= 0; i++) {
        char mem[64];
        struct buf path = BUF(mem);
        struct namespace now = {""};
        const struct namespace *known = read.mem;
        size_t k = 0;
        buf_fmt(&path, "/proc/%ld/ns/net", (long)c->list[i].process.pid);
        if (readlink(buf_str(&path), now.link, sizeof now.link - 1) < 0) {
            done = procs_is_out_of_reach(errno) ? 0 : -1;
            continue;
        }
        while (k < read.n && strcmp(known[k].link, now.link) != 0)
            k++;
        if (k == read.n && (done = read_tables(all, c->list[i].process.pid, h)) == 0)
            done = list_append(&read, &now, 1);
    }
    list_free(&read);
    return done < 0 ? -1 : 0;
}

/* Whether a socket is in no table: one that was added or removed while they were read may hide another. */
static bool is_incomplete(const struct holdings *h)
{
    const struct held_socket *s = h->sockets.mem;
    for (size_t i = 0; i < h->sockets.n; i++)
        if (!s[i].seen && (!i || s[i - 1].inode != s[i].inode))
            return true;
    return false;
}

/* ---- what is shown ---- */

static bool is_own(const struct seen_socket *s)
{
    return s->pid == s->owner->process.pid;
}

/* Whether it came in by that listener. */
static bool came_by(const struct seen_socket *s, const struct seen_socket *listener)
{
    return listener->owner == s->owner && listener->protocol == s->protocol &&
           (s->protocol == SOCKET_UNIX ? strcmp(s->local, listener->local) == 0 : s->port == listener->port);
}

/* Of programs, only connections that their server has accepted; of one that several have, the first. */
static bool is_shown(const struct seen_socket *s, const struct list *listeners)
{
    const struct seen_socket *listener = listeners->mem;
    if (is_own(s))
        return s->listens || s->protocol != SOCKET_UNIX;
    for (size_t i = 0; i < listeners->n && !s->listens; i++)
        if (came_by(s, &listener[i]))
            return true;
    return false;
}

static int choose(struct sockets *all)
{
    struct list listeners = {.size = sizeof(struct seen_socket)};
    struct seen_socket *s = all->list.mem;
    size_t kept = 0;
    int done = 0;
    for (size_t i = 0; i < all->list.n && done == 0; i++)
        if (s[i].listens && is_own(&s[i]))
            done = list_append(&listeners, &s[i], 1);
    for (size_t i = 0; i < all->list.n && done == 0; i++) {
        bool again = kept && s[kept - 1].inode == s[i].inode && s[kept - 1].owner == s[i].owner;
        if (again || !is_shown(&s[i], &listeners))
            continue;
        s[kept] = s[i];
        if (s[kept].protocol == SOCKET_UNIX && !is_own(&s[kept]))
            done = take_unix_peer(&s[kept]);
        kept++;
    }
    all->list.n = done == 0 ? kept : all->list.n;
    list_free(&listeners);
    return done;
}

int sockets_take(struct sockets *s, const struct census *c, struct holdings *h)
{
    s->list = (struct list){.size = sizeof(struct seen_socket)};
    int done = holdings_add_programs(h, c);
    for (int tries = 0; done == 0 && tries < TRIES && (!tries || is_incomplete(h)); tries++)
        done = read_namespaces(s, c, h);
    if (done == 0)
        done = choose(s);
    if (done < 0)
        sockets_free(s);
    return done;
}

void sockets_free(struct sockets *s)
{
    list_free(&s->list);
}

const char *sockets_state(const struct seen_socket *s)
{
    static const char *const names[] = {"", "established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2",
        "time-wait", "close", "close-wait", "last-ack", "listen", "closing", "new-syn-recv"};
    return s->state < sizeof names / sizeof *names ? names[s->state] : "";
}
