/*
 * semaphore_redis.c - see semaphore.h: a semaphore on a Redis server. A slot is a lease (redis/lease.h), and
 * how many there are is the server's to say (redis/slots.h). It exists from its creation to its removal; a
 * mutex needs none.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "io/relay.h"
#include "ipc/semaphore.h"
#include "process/sigs.h"
#include "redis/slots.h"

enum { CALL_SECONDS = 10, GIVE_SECONDS = 2, REPLIES = 16 << 20 };

/* ---- what does not make sense here ---- */

static void check_nums(const struct semaphore *s)
{
    if (s->nums.n != 1 || *s->nums.list)
        msg_usage(s->msg, "--num: redis:NAME is one semaphore, not a set; use several NAMEs");
    if (s->nums.amount > 1)
        msg_usage(s->msg, "--amount: redis:NAME gives one slot at a time, as each has a fence of its own");
}

static void check_take(const struct semaphore *s)
{
    check_nums(s);
    if (s->zero)
        msg_usage(s->msg, "--zero: nothing is taken of redis:NAME, so nothing would keep it free");
    if (s->create && s->has_value && s->nums.count != (s->making.value > 0))
        msg_usage(s->msg, "--create=%u %s", s->making.value,
            s->nums.count ? "leaves no slot of redis:NAME to take"
                          : "requires --count: at first, nobody holds redis:NAME");
    if (!s->job.n && !s->pid && !s->wish.length)
        msg_usage(s->msg, "--lease is required without PROG or --for: then nobody renews it");
}

void semaphore_redis_check(struct semaphore *s, enum semaphore_use use)
{
    struct lease *l = &s->lease;
    if (s->has_mode)
        msg_usage(s->msg, "--mode: who may use redis:NAME is in the server's access list");
    if (use == SEMAPHORE_TAKE)
        check_take(s);
    if (use == SEMAPHORE_GIVE)
        check_nums(s);
    if (use == SEMAPHORE_GIVE && (!s->token || !*s->token))
        msg_usage(s->msg, "redis:NAME requires --token: the TOKEN that semtake printed");
    lease_wish_check(&s->wish, s->msg, l->name, s->pid);
    l->msg = s->msg;
    l->word = s->word;
    l->of = s->nums.count ? LEASE_COUNTED : LEASE_MUTEX;
    l->slots = !s->nums.count ? 1 : !s->create ? 0 : s->has_value ? s->making.value : 1;
    l->length = s->wish.length;
    l->pid = s->pid ? s->pid : s->job.n ? getpid() : getppid();
    l->what = s->job.n ? *s->job.progs->argv : NULL;
    redis_server_find(&s->wish.server, s->msg);
}

/* ---- taking and giving ---- */

static void say_other_number(const struct lease *l)
{
    struct event e;
    event_begin(&e, l->msg, "slots");
    event_text(&e, "slots of %s: ", l->word);
    event_num(&e, "slots", l->there);
    event_text(&e, "%u, not %u", l->there, l->slots);
    event_send(&e);
}

static int take(struct semaphore *s)
{
    struct lease *l = &s->lease;
    job_begin(&s->job, false);
    lease_init(l, &s->wish.server);
    int status = lease_take(l, s->try_once ? 0 : clock_in(s->timeout));
    if (status == EXIT_DONE && l->of == LEASE_COUNTED && l->slots && l->there != l->slots &&
        s->msg->level >= MSG_VERBOSE)
        say_other_number(l);
    return status;
}

/* TOKEN and fence. What nobody can have read is given back. */
static int print_token(struct semaphore *s)
{
    struct lease *l = &s->lease;
    struct pump out;
    char mem[LEASE_TOKEN + LEASE_FENCE + 2];
    struct buf line = BUF(mem);
    buf_fmt(&line, "%s %s\n", l->token, l->fence);
    if (pump_init_half(&out, -1, STDOUT_FILENO) == 0 &&
        job_write(&s->job, &out, mem, line.len, clock_in(l->length)) == 0)
        return EXIT_DONE;
    int err = errno;
    l->redis.silent = true;
    lease_give(l, clock_in(GIVE_SECONDS * CLOCK_SECOND));
    if (s->job.came)
        sigs_die(s->job.came);
    return msg_fatal(s->msg, EXIT_SYSTEM, "write", "stdout", err);
}

static int hold(struct semaphore *s)
{
    struct spawn spawn = {.signals = SIGS_INHERITED};
    if (s->pid)
        return lease_hold_for(&s->lease, &s->watch, s->wish.lost_signal);
    return s->job.n ? lease_hold(&s->lease, &s->job, &spawn) : print_token(s);
}

/* What has failed, after a call that has no deadline of the user's. */
static int failed(const struct semaphore *s, enum redis_outcome outcome)
{
    if (outcome != REDIS_STOPPED)
        redis_failed(&s->lease.redis);
    return EXIT_SYSTEM;
}

static int give(struct semaphore *s)
{
    struct lease *l = &s->lease;
    enum redis_outcome outcome = REDIS_ANSWERED;
    lease_init(l, &s->wish.server);
    if (strlen(s->token) == LEASE_TOKEN) { /* else it is no token */
        memcpy(l->token, s->token, LEASE_TOKEN);
        outcome = lease_give(l, clock_in(CALL_SECONDS * CLOCK_SECOND));
    }
    if (outcome != REDIS_ANSWERED)
        return failed(s, outcome);
    if (l->was_ours)
        return EXIT_DONE;
    msg_error_why(s->msg, "give", s->word, "no lease has that token, or it has run out");
    return EXIT_NO;
}

/* ---- the number of slots ---- */

/* Does it: EXIT_DONE, and *v is the answer; or what has been reported. */
static int ask(struct semaphore *s, enum slots_command command, unsigned n, struct resp_value *v)
{
    struct lease *l = &s->lease;
    lease_init(l, &s->wish.server);
    l->redis.limit = REPLIES;
    enum redis_outcome outcome = slots_do(l, command, n, clock_in(CALL_SECONDS * CLOCK_SECOND));
    if (outcome != REDIS_ANSWERED)
        return failed(s, outcome);
    resp_next(&l->redis.replies, v);
    return EXIT_DONE;
}

static bool is_one(const struct resp_value *v)
{
    return v->type == RESP_INTEGER && v->number == 1;
}

static int missing(const struct semaphore *s, const char *what)
{
    return msg_fatal_why(s->msg, EXIT_SYSTEM, what, s->word, LEASE_NO_SEMAPHORE);
}

static int create(struct semaphore *s)
{
    struct resp_value v;
    if (s->making.n != 1)
        msg_usage(s->msg, "NSEMS: redis:NAME is one semaphore, not a set; use several NAMEs");
    int status = ask(s, SLOTS_CREATE, s->has_value ? s->making.value : 1, &v);
    if (status != EXIT_DONE || is_one(&v))
        return status;
    msg_error_why(s->msg, "create", s->word, "it already exists");
    return EXIT_NO;
}

static int set(struct semaphore *s, const struct semaphore_setting *list, size_t n)
{
    struct resp_value v;
    if (n != 1 || list->num)
        msg_usage(s->msg, "NUM: redis:NAME is one semaphore, with the number 0");
    int status = ask(s, SLOTS_SET, (unsigned)list->value, &v);
    return status != EXIT_DONE || is_one(&v) ? status : missing(s, "set");
}

static int rm(struct semaphore *s)
{
    struct resp_value v;
    char mem[96];
    struct buf why = BUF(mem);
    uint64_t hold = 0, wait = 0;
    int status = ask(s, SLOTS_RM, 0, &v);
    if (status != EXIT_DONE)
        return status;
    if (v.type != RESP_TEXT || !v.len)
        return missing(s, "remove");
    const char *blank = memchr(v.bytes, ' ', v.len);
    size_t n = blank ? (size_t)(blank - v.bytes) : v.len;
    num_u64n(v.bytes, n, 0, UINT32_MAX, &hold);
    num_u64n(v.bytes + n + (n < v.len), v.len - n - (n < v.len), 0, UINT32_MAX, &wait);
    buf_fmt(&why, "still taken: %u, waiting: %u", (unsigned)hold, (unsigned)wait);
    if (hold || wait)
        msg_error_why(s->msg, "remove", s->word, buf_str(&why));
    return EXIT_DONE;
}

/* ---- its state ---- */

/* A number that is a text or an integer; 0: it is none. */
static uint64_t next_number(struct resp_walk *w)
{
    struct resp_value v;
    uint64_t number = 0;
    resp_next(w, &v);
    if (v.type == RESP_TEXT)
        num_u64n(v.bytes, v.len, 0, UINT64_MAX, &number);
    return v.type == RESP_INTEGER && v.number > 0 ? (uint64_t)v.number : number;
}

static struct resp_value next_text(struct resp_walk *w)
{
    struct resp_value v;
    resp_next(w, &v);
    if (v.type != RESP_TEXT)
        v.len = 0;
    return v;
}

/* PID NAME HOST, of which NAME may have blanks. */
static void report_who(struct sysv_report *r, const struct resp_value *who)
{
    const char *at = who->bytes, *end = at + who->len;
    const char *name = who->len ? memchr(at, ' ', who->len) : NULL;
    const char *host = name ? memrchr(name, ' ', (size_t)(end - name)) : NULL;
    uint64_t pid = 0;
    if (name)
        num_u64n(at, (size_t)(name - at), 0, INT32_MAX, &pid);
    sysv_report_num(r, "pid", pid);
    bool named = host && host > name;
    sysv_report_text(r, "name", named ? name + 1 : "", named ? (size_t)(host - name - 1) : 0);
    sysv_report_text(r, "host", host ? host + 1 : "", host ? (size_t)(end - host - 1) : 0);
}

static void report_holders(struct sysv_report *r, struct resp_walk *w, uint64_t n)
{
    sysv_report_list(r, "holders");
    while (n-- && w->at < w->end) { /* a server may lie */
        struct resp_value token = next_text(w);
        sysv_report_item(r, "slot", next_number(w));
        sysv_report_num(r, "fence", next_number(w));
        struct resp_value who = next_text(w);
        sysv_report_num(r, "milliseconds_left", next_number(w) / 1000);
        report_who(r, &who);
        sysv_report_text(r, "token", token.bytes, token.len);
    }
    sysv_report_list_end(r);
}

static void report_waiters(struct sysv_report *r, struct resp_walk *w, uint64_t n)
{
    sysv_report_list(r, "waiters");
    for (uint64_t i = 1; i <= n && w->at < w->end; i++) {
        next_text(w); /* its token is of no use to others */
        struct resp_value who = next_text(w);
        sysv_report_item(r, "place", i);
        report_who(r, &who);
    }
    sysv_report_list_end(r);
}

static int stat_slots(struct semaphore *s, bool json)
{
    struct sysv_report r;
    struct resp_value v;
    struct resp_walk *w = &s->lease.redis.replies;
    int status = ask(s, SLOTS_STAT, SLOTS_LISTED, &v);
    if (status != EXIT_DONE)
        return status;
    struct resp_walk first = *w;
    if (!next_text(&first).len)
        return missing(s, "stat");
    sysv_report_start(&r, json);
    sysv_report_num(&r, "slots", next_number(w));
    uint64_t held = next_number(w), waiting = next_number(w);
    sysv_report_num(&r, "taken", held);
    sysv_report_num(&r, "waiting", waiting);
    report_holders(&r, w, held);
    report_waiters(&r, w, waiting);
    return sysv_report_end(&r, s->msg);
}

const struct semaphore_kind semaphore_redis = {
    .take = take,
    .hold = hold,
    .give = give,
    .create = create,
    .stat = stat_slots,
    .set = set,
    .rm = rm,
};
