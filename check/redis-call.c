/*
 * redis-call.c - a program around common/redis, for its tests (make B/check/redis-call): has the commands
 * answered that its words are, `:::` between two of a batch, and prints the replies, a line a value. With
 * --lines, each line of stdin is a batch, all on one connection.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/words.h"
#include "process/sigs.h"
#include "redis/facts.h"
#include "redis/key.h"

#define CALL_OPTIONS(X)                                                                       \
    MSG_OPTIONS(X)                                                                            \
    X(TIMEOUT, 't', "timeout", "TIME", "the deadline of a batch")                             \
    X(PATIENCE, 0, "patience", "TIME", "the time of one attempt")                             \
    X(LIMIT, 0, "limit", "SIZE", "how large a batch's replies may be")                        \
    X(LINES, 0, "lines", NULL, "read batches from stdin")                                     \
    X(STEPS, 0, "steps", NULL, "have them answered in steps")                                 \
    X(FACTS, 0, "facts", NULL, "print what the server is")                                    \
    X(NAME, 0, "name", "KEY", "print the NAME of KEY, and the key of a helper, as a command") \
    X(SERVER, 0, "server", NULL, "print which server it is")                                  \
    REDIS_OPTIONS(X)

enum call_option { CALL_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {CALL_OPTIONS(OPT_ROW)};
static const struct cli cli = {.name = "redis-call",
    .summary = "try common/redis",
    .usage = "[OPTION]... [WORD]... [::: [WORD]...]",
    .options = options,
    .count = sizeof options / sizeof *options};

struct call {
    struct msg msg;
    struct redis_server server;
    struct redis redis;
    int64_t timeout, patience;
    uint64_t limit;
    bool has_timeout, lines, steps, facts, only_server;
    const char *name;
};

static void take_option(struct call *c, int row, const struct opts *o)
{
    switch ((enum call_option)row) {
        MSG_OPTIONS(OPT_CASE)
        opts_level(&c->msg, row);
        break;
    case OPT_TIMEOUT:
        c->has_timeout = true;
        c->timeout = opts_duration(o);
        break;
    case OPT_PATIENCE:
        c->patience = opts_duration(o);
        break;
    case OPT_LIMIT:
        c->limit = opts_size(o, 1, SIZE_MAX);
        break;
    case OPT_LINES:
        c->lines = true;
        break;
    case OPT_STEPS:
        c->steps = true;
        break;
    case OPT_FACTS:
        c->facts = true;
        break;
    case OPT_NAME:
        c->name = o->arg;
        break;
    case OPT_SERVER:
        c->only_server = true;
        break;
    case OPT_REDIS:
        c->server.url = o->arg;
        break;
    case OPT_REDIS_AUTH:
        c->server.auth = o->arg;
        break;
    }
}

static void print_replies(struct redis *r)
{
    static const char *const names[] = {"nil", "text", "error", "integer", "array"};
    struct resp_value v;
    char mem[4096];
    while (resp_next(&r->replies, &v)) {
        struct buf b = BUF(mem);
        buf_escaped(&b, v.bytes, v.len < 900 ? v.len : 900);
        printf("%s", names[v.type]);
        if (v.type == RESP_TEXT || v.type == RESP_ERROR)
            printf(" %s%s", buf_str(&b), v.len < 900 ? "" : "...");
        else if (v.type != RESP_NIL)
            printf(" %lld", (long long)v.number);
        putchar('\n');
    }
    fflush(stdout);
}

static int64_t deadline_of(const struct call *c)
{
    return !c->has_timeout ? CLOCK_NEVER : c->timeout ? clock_in(c->timeout) : 0;
}

/* As a loop with other things to do would. */
static enum redis_outcome call_in_steps(struct redis *r, int64_t deadline)
{
    struct pollfd polls[REDIS_POLLS];
    enum redis_outcome outcome;
    int64_t until;
    redis_start(r, deadline);
    while ((outcome = redis_step(r)) == REDIS_UNDER_WAY) {
        nfds_t n = redis_polls(r, polls, &until);
        if (sigs_sleep(polls, n, clock_left(until)) < 0 && sigs_ending_came())
            return REDIS_STOPPED;
    }
    return outcome;
}

static int answer(struct call *c, char **words)
{
    struct redis *r = &c->redis;
    redis_batch(r);
    while (*words) {
        unsigned n = 0;
        while (words[n] && strcmp(words[n], ":::") != 0)
            n++;
        redis_begin(r, n);
        for (; n; n--)
            redis_text(r, *words++);
        words += *words != NULL;
    }
    enum redis_outcome outcome = c->steps ? call_in_steps(r, deadline_of(c)) : redis_call(r, deadline_of(c));
    print_replies(r);
    if (outcome == REDIS_STOPPED)
        sigs_die(sigs_take_ending(NULL));
    return outcome == REDIS_ANSWERED ? EXIT_DONE : redis_failed(r);
}

static int answer_lines(struct call *c)
{
    char *line = NULL;
    size_t room = 0;
    int status = EXIT_DONE;
    while (getline(&line, &room, stdin) > 0) {
        char **words = words_split(line);
        status = answer(c, words);
        free(words);
        printf("done %d\n", status);
        fflush(stdout);
    }
    free(line);
    return status;
}

static int print_facts(struct call *c)
{
    struct redis_facts f;
    int status = redis_facts(&c->redis, &f, deadline_of(c));
    if (status == EXIT_DONE)
        printf("version %u uptime %s persistent %d evicts %d policy %s\n", f.version,
            f.uptime < 3600 ? "short" : "long", f.persistent, f.evicts, f.policy);
    return status;
}

static int print_name(const struct call *c)
{
    char mem[4096];
    struct buf b = BUF(mem);
    struct redis r = {.fd = -1};
    const char *name = redis_name(&c->msg, c->name);
    if (!name)
        return EXIT_NO;
    redis_key(&r, name, "lock");
    buf_escaped(&b, name, strlen(name));
    buf_char(&b, '\n');
    buf_escaped(&b, r.out.mem, r.out.n);
    puts(buf_str(&b));
    return EXIT_DONE;
}

static int print_server(const struct redis_server *s)
{
    printf("%s host %s port %u db %u user %s password %s\n", s->shown, s->host, s->port, s->db,
        s->user ? s->user : "-", s->password ? s->password : "-");
    return EXIT_DONE;
}

int main(int argc, char **argv)
{
    struct call c = {.msg = {.applet = "redis-call", .link = "redis-call", .level = MSG_NORMAL}};
    struct opts o;
    int row;
    opts_start(&o, &c.msg, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&c, row, &o);
    if (c.name)
        return print_name(&c);
    redis_server_find(&c.server, &c.msg);
    if (c.only_server)
        return print_server(&c.server);
    sigs_catch_ending();
    redis_init(&c.redis, &c.msg, &c.server);
    if (c.patience)
        c.redis.patience = c.patience;
    if (c.limit)
        c.redis.limit = c.limit;
    int status = c.facts ? print_facts(&c) : c.lines ? answer_lines(&c) : answer(&c, argv + o.first);
    redis_end(&c.redis);
    return status;
}
