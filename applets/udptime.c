/*
 * udptime - asks many hosts for the time at once, over UDP: RFC 868, or SNTP.
 *
 * One socket per family for all hosts. Queries go out in bursts, with the answers read in between; a silent
 * host is asked again, later each time. An answer counts if it comes from an address that was asked and has
 * not answered yet.
 */
#include "cli/applet.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/addr_words.h"
#include "base/clock.h"
#include "net/confine.h"
#include "base/heap.h"
#include "net/resolve.h"
#include "base/rfc868.h"
#include "process/sigs.h"
#include "net/sntp.h"
#include "base/table.h"
#include "net/timetell.h"
#include "net/udp.h"

#define UDPTIME_OPTIONS(X)                                                              \
    MSG_OPTIONS(X)                                                                      \
    X(PORT, 'p', "port", "PORT", "send to PORT (37; 123 with --sntp)")                  \
    X(TIMEOUT, 't', "timeout", "TIME", "stop after TIME (10)")                          \
    X(TRIES, 'r', "tries", "N", "ask a silent host up to N times (8)")                  \
    X(SNTP, 's', "sntp", NULL, "use SNTP: print offset and round trip in milliseconds") \
    X(JSON, 0, "json", NULL, "print a JSON object per host")                            \
    CONFINE_OPTION(X)

enum udptime_option { UDPTIME_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {UDPTIME_OPTIONS(OPT_ROW)};

enum { TIME_PORT = 37, SNTP_PORT = 123, TRIES = 8, SECONDS = 10, NAME_WIDTH = 12 };
enum { SNTP_SLOWER = 11 }; /* so that no server of NTP is asked again within 2 s */
enum { LOOKUPS = 32, LOOKUP_SHARE = 4, SHORTAGE_MS = 50 }; /* a share of the time, when other names wait */
enum { BURST = 64, BATCHES = 16, OUTSTANDING = 128, REST_MS = 1, RECEIVE_BUFFER = 4 << 20 };

struct host {
    const char *name;
    struct addr *to;     /* two: the second, of the other family, for every second query; length 0: none */
    size_t next_same[2]; /* another host of that address, as a link; NO_LINK: none */
    bool is_asked[2];    /* it is in the table */
    unsigned tries;
    bool done, is_silent;
    const char *why; /* without an answer: the last failure, */
    char code[5];    /* and the server's word for it */
};

/* In the table of the addresses that were asked. */
struct asked {
    unsigned char key[ADDR_KEY_SIZE];
    size_t first;              /* a link: 2 * the number of the host + which of its addresses it is */
    struct sntp_server server; /* with --sntp; else not even there */
};

static const size_t NO_LINK = SIZE_MAX;

struct udptime {
    struct msg *msg;
    struct timetell tell;
    bool sntp;
    uint16_t port;
    unsigned tries;
    int64_t timeout, deadline;
    struct host *hosts;
    size_t n, pending, outstanding;
    int64_t next_burst; /* earlier, no host is asked */
    int64_t not_before; /* earlier, the server that we were to ask must not be asked; 0: it was */
    int64_t next_try;   /* of a lookup, after a shortage; 0: there was none */
    struct heap due;    /* which host is asked next, or given up */
    struct table asked;
    int sockets[2]; /* IPv4, IPv6; -1: not needed yet */
    struct resolve lookups[LOOKUPS];
    size_t looking[LOOKUPS];  /* for which host */
    int64_t overdue[LOOKUPS]; /* from when on another lookup may take its slot */
    size_t next_lookup;       /* the first host that may still need a lookup */
    unsigned long forged, late, wrong;
    bool confine;
    uint32_t dice; /* spreads the waits, no more */
};

static const char not_found[] = "the lookup of its name timed out";

/* ---- answers ---- */

/* No further answer of this host counts. */
static void finish(struct udptime *u, struct host *h, bool told)
{
    h->done = true;
    h->is_silent = !told;
    u->pending--;
    u->outstanding -= h->tries > 0;
}

/* What an answer says of all hosts of that address that have none: one question is enough for them. */
static void report_sntp(
    struct udptime *u, struct asked *a, const unsigned char *packet, int64_t sent, int64_t received)
{
    struct sntp measured;
    enum sntp_answer answer = sntp_read(&a->server, packet, sent, received, &measured);
    for (size_t link = a->first; link != NO_LINK; link = u->hosts[link / 2].next_same[link % 2]) {
        struct host *h = &u->hosts[link / 2];
        if (h->done)
            continue;
        h->why = measured.why;
        memcpy(h->code, measured.code, sizeof h->code);
        if (answer != SNTP_LATER)
            finish(u, h, answer == SNTP_TIME);
        if (answer == SNTP_TIME)
            timetell_sntp(&u->tell, h->name, &measured, received);
    }
}

/* An answer: to a host that has none yet, or it is counted as forged, late or wrong. */
static void take_answer(
    struct udptime *u, const struct addr *from, const unsigned char *packet, size_t n, int64_t received)
{
    unsigned char key[ADDR_KEY_SIZE];
    addr_key(from, key);
    struct asked *a = addr_port(from) == u->port ? table_find(&u->asked, key) : NULL;
    struct host *open = NULL;
    if (!a) {
        u->forged++;
        return;
    }
    for (size_t link = a->first; link != NO_LINK && !open; link = u->hosts[link / 2].next_same[link % 2])
        open = u->hosts[link / 2].done ? NULL : &u->hosts[link / 2];
    int64_t sent = u->sntp ? sntp_sent(&a->server, packet, n) : 0;
    if (!open) {
        u->late++;
    } else if (sent) {
        report_sntp(u, a, packet, sent, received);
    } else if (!u->sntp && n == RFC868_SIZE) {
        int64_t here = received / CLOCK_SECOND;
        finish(u, open, true);
        timetell_time(&u->tell, open->name, rfc868_read(packet, here), here);
    } else {
        u->wrong++;
        if (!u->sntp)
            open->why = n < RFC868_SIZE ? "the answer is too short" : "the answer is too long";
    }
}

/* Takes what has arrived on a socket, a batch at a time; returns whether there may be more. */
static bool take_answers(struct udptime *u, int fd)
{
    struct udp_batch batch;
    int n = udp_receive(fd, &batch);
    for (int i = 0; i < n; i++)
        take_answer(u, &batch.from[i], batch.packets[i], batch.heads[i].msg_len,
            udp_arrival(&batch.heads[i].msg_hdr));
    timetell_flush(&u->tell);
    return n == UDP_BATCH;
}

/* ---- queries ---- */

/* The socket of that family, created when it is needed. -1 with errno. */
static int socket_of(struct udptime *u, int family)
{
    int *fd = &u->sockets[family == AF_INET6];
    if (*fd < 0)
        *fd = udp_socket(family, RECEIVE_BUFFER, u->sntp);
    return *fd;
}

/* Puts a host under one of its addresses. */
static struct asked *note_asked(struct udptime *u, size_t i, int which)
{
    unsigned char key[ADDR_KEY_SIZE];
    struct host *h = &u->hosts[i];
    addr_key(&h->to[which], key);
    bool is_new = !table_find(&u->asked, key);
    struct asked *a = table_add(&u->asked, key);
    if (!a)
        msg_die_sys(u->msg, "malloc", NULL);
    if (h->is_asked[which])
        return a;
    h->next_same[which] = is_new ? NO_LINK : a->first;
    h->is_asked[which] = true;
    a->first = 2 * i + (size_t)which;
    return a;
}

/*
 * Sends one query to one address, and notes that it was sent. 0, or -1 with errno. A server of NTP that has
 * just been asked for another host is not asked again: the answer is for both.
 */
static int send_to(struct udptime *u, size_t i, int which)
{
    struct host *h = &u->hosts[i];
    unsigned char packet[SNTP_SIZE];
    int fd = socket_of(u, addr_family(&h->to[which]));
    if (fd < 0)
        return -1;
    struct asked *a = u->sntp ? note_asked(u, i, which) : NULL;
    if (a && clock_left(a->server.free_at)) {
        u->not_before = a->server.is_slow && h->tries ? a->server.free_at : 0;
        return 0;
    }
    if (a && sntp_ask(&a->server, packet) < 0)
        msg_die_sys(u->msg, "getrandom", NULL);
    if (sendto(fd, packet, a ? SNTP_SIZE : 0, 0, &h->to[which].u.sa, h->to[which].len) < 0)
        return -1;
    if (!a)
        note_asked(u, i, which);
    return 0;
}

/* Asks a host, at its two addresses in turn; at the other one where one can't be reached. False: not now. */
static bool ask(struct udptime *u, size_t i)
{
    struct host *h = &u->hosts[i];
    int addresses = h->to[1].len ? 2 : 1;
    u->not_before = 0;
    for (int n = 0; n < addresses; n++) {
        int which = ((int)h->tries + n) % addresses;
        if (send_to(u, i, which) == 0)
            return true;
        if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR)
            return false;
        h->why = addr_reason(&h->to[which], errno);
        *h->code = '\0';
    }
    return true;
}

/* Asks the hosts that are due, in a burst; a pause follows while many have not answered. */
static void ask_due(struct udptime *u)
{
    int burst = 0;
    while (u->due.n && !clock_left(u->next_burst) && !clock_left(u->due.entries->when) && burst < BURST) {
        size_t i = u->due.entries->what;
        struct host *h = &u->hosts[i];
        bool over = !h->done && h->tries == u->tries;
        if (over)
            finish(u, h, false);
        if (!h->done && !ask(u, i)) {
            u->next_burst = clock_in(REST_MS * CLOCK_MS);
            return;
        }
        heap_pop(&u->due);
        if (h->done)
            continue;
        u->outstanding += !h->tries;
        h->tries += !u->not_before;
        int64_t wait = udp_wait_after(h->tries, &u->dice) * (u->sntp ? SNTP_SLOWER : 1);
        heap_push(&u->due, u->not_before ? u->not_before : clock_in(wait), i);
        burst++;
    }
    if (burst == BURST && u->outstanding >= OUTSTANDING)
        u->next_burst = clock_in(REST_MS * CLOCK_MS);
}

/* ---- names ---- */

/* Takes the result of a lookup: an address, and one of the other family. */
static void take_lookup(struct udptime *u, int slot)
{
    struct resolved answer;
    struct host *h = &u->hosts[u->looking[slot]];
    if (!resolve_take(&u->lookups[slot], &answer))
        return;
    if (answer.error) {
        h->why = resolve_reason(&answer);
        finish(u, h, false);
        return;
    }
    resolve_pair(&answer, h->to);
    resolve_free(&answer);
    heap_push(&u->due, 0, u->looking[slot]);
}

/* Gives up a lookup that other names wait for. */
static void drop_lookup(struct udptime *u, int slot)
{
    struct host *h = &u->hosts[u->looking[slot]];
    resolve_stop(&u->lookups[slot]);
    h->why = not_found;
    finish(u, h, false);
}

/* Starts lookups while there is room: a slow name delays only itself. */
static void start_lookups(struct udptime *u)
{
    if (clock_left(u->next_try))
        return;
    u->next_try = 0;
    for (int slot = 0; slot < LOOKUPS; slot++) {
        while (u->next_lookup < u->n && u->hosts[u->next_lookup].to->len)
            u->next_lookup++;
        if (u->next_lookup == u->n)
            return;
        if (u->lookups[slot].fd >= 0 && clock_left(u->overdue[slot]))
            continue;
        if (u->lookups[slot].fd >= 0)
            drop_lookup(u, slot);
        struct host *h = &u->hosts[u->next_lookup];
        if (resolve_start(&u->lookups[slot], h->name, u->port, AF_UNSPEC) < 0) {
            u->lookups[slot].fd = -1;
            h->why = strerror(errno);
            if (errno == EAGAIN || errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
                u->next_try = clock_in(SHORTAGE_MS * CLOCK_MS);
                return;
            }
            finish(u, h, false);
        }
        u->overdue[slot] = clock_in(u->timeout / LOOKUP_SHARE);
        u->looking[slot] = u->next_lookup++;
    }
}

/* ---- all of it ---- */

static int64_t next_wake(const struct udptime *u)
{
    int64_t until = u->deadline;
    if (u->due.n) {
        int64_t due = u->due.entries->when;
        until = clock_first(until, due > u->next_burst ? due : u->next_burst);
    }
    if (u->next_try)
        return clock_first(until, u->next_try);
    for (int slot = 0; slot < LOOKUPS && u->next_lookup < u->n; slot++)
        if (u->lookups[slot].fd >= 0)
            until = clock_first(until, u->overdue[slot]);
    return u->tell.progress ? clock_first(until, u->tell.next_progress) : until;
}

static void run_round(struct udptime *u)
{
    struct pollfd polls[2 + LOOKUPS];
    start_lookups(u);
    ask_due(u);
    timetell_progress(&u->tell, u->n - u->pending, u->n, u->outstanding);
    for (int i = 0; i < 2; i++)
        polls[i] = (struct pollfd){.fd = u->sockets[i], .events = POLLIN};
    for (int i = 0; i < LOOKUPS; i++)
        polls[2 + i] = (struct pollfd){.fd = u->lookups[i].fd, .events = POLLIN};
    if (!u->pending || sigs_sleep_or_die(u->msg, polls, 2 + LOOKUPS, clock_left(next_wake(u))) <= 0)
        return;
    for (int i = 0; i < 2; i++)
        for (int batch = 0; polls[i].revents && batch < BATCHES; batch++)
            if (!take_answers(u, u->sockets[i]))
                break;
    for (int i = 0; i < LOOKUPS; i++)
        if (polls[2 + i].revents)
            take_lookup(u, i);
}

/* All lookups come first, within their share of the time; then all that is not needed is given up. */
static void confine_to_hosts(struct udptime *u)
{
    int64_t deadline = u->deadline;
    u->deadline = u->next_burst = clock_in(u->timeout / LOOKUP_SHARE);
    while (u->due.n < u->pending && clock_left(u->deadline))
        run_round(u);
    u->deadline = deadline;
    u->next_burst = 0;
    u->next_lookup = u->n;
    for (int slot = 0; slot < LOOKUPS; slot++)
        resolve_stop(&u->lookups[slot]);
    for (struct host *h = u->hosts; h < u->hosts + u->n; h++) {
        for (int i = 0; i < 2 && h->to[i].len; i++)
            socket_of(u, addr_family(&h->to[i]));
        if (!h->done && !h->to->len)
            finish(u, h, false);
    }
    confine(u->msg, &(struct confine){.work = CONFINE_SEND, .to = u->hosts->to, .n = 2 * u->n});
}

/* Reports the hosts without an answer, in the order of the command line. */
static int name_silent(struct udptime *u)
{
    char mem[128], reason[256];
    struct buf counts = BUF(mem);
    for (size_t i = 0; i < u->n; i++) {
        const struct host *h = &u->hosts[i];
        struct buf why = BUF(reason);
        buf_text(&why, h->why ? h->why : h->to->len ? "no answer" : not_found);
        if (*h->code)
            buf_fmt(&why, " (%s)", h->code);
        if (!h->done || h->is_silent)
            timetell_silent(&u->tell, h->name, buf_str(&why));
    }
    if (u->msg->level >= MSG_VERBOSE) {
        buf_fmt(&counts, "%lu from addresses that were not asked, %lu late or duplicate, %lu invalid",
            u->forged, u->late, u->wrong);
        msg_error_why(u->msg, "answers ignored", NULL, buf_str(&counts));
    }
    return u->tell.silent ? EXIT_NO : EXIT_DONE;
}

static int run(struct udptime *u, char **names)
{
    sigs_heed_term();
    u->deadline = clock_in(u->timeout);
    u->hosts = calloc(u->n, sizeof *u->hosts);
    struct addr *to = u->confine ? confine_room(u->msg, 2 * u->n) : calloc(2 * u->n, sizeof *to);
    if (!u->hosts || !to || heap_init(&u->due, u->n) < 0) /* the memory goes with us */
        msg_die(u->msg, EXIT_SYSTEM, "malloc", NULL, errno);
    u->pending = u->n;
    for (size_t i = 0; i < u->n; i++) {
        u->hosts[i] = (struct host){.name = names[i], .to = to + 2 * i};
        if (addr_parse_target(u->hosts[i].to, names[i], u->port))
            heap_push(&u->due, 0, i);
    }
    if (u->confine)
        confine_to_hosts(u);
    do
        run_round(u);
    while (u->pending && clock_left(u->deadline));
    for (int i = 0; i < LOOKUPS; i++)
        resolve_stop(&u->lookups[i]);
    int status = name_silent(u);
    timetell_flush(&u->tell);
    table_free(&u->asked);
    heap_free(&u->due);
    free(u->confine ? NULL : to);
    free(u->hosts);
    return status;
}

/* ---- the command line ---- */

static void take_option(struct udptime *u, int row, const struct opts *o)
{
    switch ((enum udptime_option)row) {
        MSG_OPTIONS(OPT_CASE)
        opts_level(u->msg, row);
        break;
    case OPT_PORT:
        u->port = addr_port_option(o);
        break;
    case OPT_TIMEOUT:
        u->timeout = opts_duration(o);
        break;
    case OPT_TRIES:
        u->tries = (unsigned)opts_num(o, 1, 1000);
        break;
    case OPT_SNTP:
        u->sntp = true;
        u->asked.entry_size = sizeof(struct asked);
        break;
    case OPT_JSON:
        u->tell.json = true;
        break;
    case OPT_CONFINE:
        confine_check(u->msg);
        u->confine = true;
        break;
    }
}

static const struct cli cli = {
    .name = "udptime",
    .summary = "ask many hosts for the time at once, over UDP",
    .usage = "[OPTION]... HOST...",
    .notes = "Prints HOST, the seconds by which its clock is ahead, and its date. Exits 1 unless\n"
             "all hosts have answered.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int udptime_main(struct msg *m, int argc, char **argv)
{
    char lines[TIMETELL_ROOM];
    struct udptime u = {.msg = m,
        .tell = {.msg = m, .width = NAME_WIDTH, .lines = lines},
        .tries = TRIES,
        .timeout = SECONDS * CLOCK_SECOND,
        .asked = {.entry_size = offsetof(struct asked, server), .key_size = ADDR_KEY_SIZE},
        .sockets = {-1, -1},
        .dice = (uint32_t)clock_now()};
    struct opts o;
    int row;
    for (int i = 0; i < LOOKUPS; i++)
        u.lookups[i].fd = -1;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&u, row, &o);
    argv += o.first;
    u.n = (size_t)(argc - o.first);
    timetell_check(m, argv);
    if (!u.port)
        u.port = u.sntp ? SNTP_PORT : TIME_PORT;
    u.tell.progress = isatty(STDERR_FILENO) && m->level != MSG_QUIET;
    return run(&u, argv);
}

const struct applet applet_udptime = {.cli = &cli, .theme = THEME_TIME, .main = udptime_main};
