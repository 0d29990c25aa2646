/*
 * lease.c - see lease.h: taking, renewing and giving back, by scripts. What they do is in README.md.
 */
#include "redis/lease.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "process/sigs.h"
#include "redis/facts.h"

enum { WAKE_SPARE_MS = 20, GIVE_MS = 2000, LEAVE_MS = 500 };

/*
 * K what all keys begin with, T the token, n now; N wakes the first waiter; P removes what has run out: those
 * who hold, and those who wait and have not said so again.
 */
static const char common[] =
    "local K,T,c=KEYS[1],ARGV[1],redis.call local t=c('TIME')local n=t[1]*1000000+t[2]"
    "local H,W,S,D,O=K..'held',K..'wait',K..'seen',K..'what',K..'who'"
    "local function f(x)return string.format('%.0f',x)end "
    "local function P()local d repeat d=c('ZRANGEBYSCORE',S,'-inf',f(n),'LIMIT',0,1000)"
    "if d[1]then c('ZREM',W,unpack(d))c('ZREM',S,unpack(d))c('HDEL',O,unpack(d))end until#d<1000 "
    "repeat d=c('ZRANGEBYSCORE',H,'-inf',f(n),'LIMIT',0,1000)"
    "if d[1]then c('ZREM',H,unpack(d))c('HDEL',D,unpack(d))c('HDEL',O,unpack(d))end until#d<1000 end "
    "local function N()local h=c('ZRANGE',W,0,0)[1]"
    "if h then c('RPUSH',K..'wake:'..h,1)c('PEXPIRE',K..'wake:'..h,60000)end end ";

/*
 * KIND SLOTS LEASE-IN-US WAIT WHO: {1, slot, fence, slots in all}, or {0, us until something runs out}, or
 * {2, slots in all} of a semaphore that is not as it should be (enum lease_of). What comes late, behind
 * give_script, takes nothing.
 */
static const char take_script[] =
    "local k,m,l=ARGV[2],ARGV[3],ARGV[4]+0 local b,e=m:match('^([=!])(.*)')"
    "if c('EXISTS',K..'gave:'..T)==1 then return{0,f(l)}end "
    "if b then local v=c('GET',K..'slots')m=v or e "
    "if m==''or b=='!'and m+0>1 then return{2,m}end "
    "if not v then c('SET',K..'slots',m)end end "
    "m=m+0 P()"
    "local s=c('ZSCORE',H,T)and c('HGET',D,T)"
    "local h=c('ZRANGE',W,0,0)[1]or T "
    "if not s and h==T then "
    "local a,q=c('ZRANGE',H,0,0)[1],c('ZCARD',H)"
    "local r=a and c('HGET',D,a)=='s'"
    "if k=='s'and(r or not a)then s='s'elseif k=='x'and not r and q<m then "
    "local u={}for _,v in ipairs(c('HVALS',D))do u[v]=1 end "
    "s=0 while u[f(s)]do s=s+1 end s=f(s)"
    "c('HSET',K..'fence',s,f(math.max((c('HGET',K..'fence',s)or 0)+1,n)))end "
    "if s then c('HSET',D,T,s)c('HSET',O,T,ARGV[6])c('ZREM',W,T)c('ZREM',S,T)c('DEL',K..'wake:'..T)"
    "if k=='s'or q+1<m then N()end end end "
    "if s then c('ZADD',H,f(n+l),T)"
    "return{1,s,s~='s'and c('HGET',K..'fence',s)or'',f(m)}end "
    "if ARGV[5]=='1'then c('ZADD',W,'NX',f(n),T)c('ZADD',S,f(n+l),T)c('HSET',O,T,ARGV[6])end "
    "if h~=T and c('ZCARD',H)<m then N()end "
    "local w=l for _,v in ipairs{c('ZRANGE',H,0,0,'WITHSCORES')[2]or false,c('ZSCORE',S,h)}do "
    "if v and v-n<w then w=v-n end end "
    "return{0,f(w)}";

/*
 * LEASE-IN-US. A server that is out of memory refuses ZADD, even one that needs none, unless the script has
 * written already; ZREM is never refused.
 */
static const char renew_script[] =
    "local u=c('ZSCORE',H,T)"
    "if u and u+0>n then c('ZREM',H,'')c('ZADD',H,f(n+ARGV[2]),T)return 1 end return 0";

/* BY, who may say it again */
static const char give_script[] =
    "local u=c('ZSCORE',H,T)"
    "c('ZREM',H,T)c('HDEL',D,T)c('HDEL',O,T)c('ZREM',W,T)c('ZREM',S,T)c('DEL',K..'wake:'..T)P()N()"
    "local g=K..'gave:'..T if u and u+0>n then c('SET',g,ARGV[2],'EX',60)return 1 end "
    "return not c('SET',g,'','NX','EX',60)and c('GET',g)==ARGV[2]and 1 or 0";

/* "PID NAME HOST" of each */
static const char who_script[] =
    "P()local r={}for i,x in ipairs(c('ZRANGE',H,0,-1))do r[i]=c('HGET',O,x)or'?'end return r";

int64_t lease_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * CLOCK_SECOND + now.tv_nsec;
}

static void new_token(struct lease *l)
{
    unsigned char random[LEASE_TOKEN / 2];
    struct buf token = BUF(l->token);
    if (getrandom(random, sizeof random, 0) != sizeof random)
        msg_die_sys(l->msg, "getrandom", NULL);
    for (size_t i = 0; i < sizeof random; i++)
        buf_fmt(&token, "%02x", random[i]);
}

void lease_init(struct lease *l, const struct redis_server *s)
{
    new_token(l);
    memcpy(l->by, l->token, sizeof l->by);
    redis_init(&l->redis, l->msg, s);
}

void lease_script(struct lease *l, const char *script, unsigned args)
{
    struct redis *r = &l->redis;
    redis_eval(r, common, script, 1, args + 1);
    redis_key(r, l->name, "");
    redis_text(r, l->token);
}

void lease_renewal(struct lease *l)
{
    redis_batch(&l->redis);
    lease_script(l, renew_script, 1);
    redis_num(&l->redis, l->length / 1000);
}

enum redis_outcome lease_give(struct lease *l, int64_t deadline)
{
    struct resp_value v = {.number = 0};
    redis_batch(&l->redis);
    lease_script(l, give_script, 1);
    redis_text(&l->redis, l->by);
    enum redis_outcome outcome = redis_call(&l->redis, deadline);
    l->was_ours = outcome == REDIS_ANSWERED && resp_next(&l->redis.replies, &v) && v.type == RESP_INTEGER &&
                  v.number == 1;
    return outcome;
}

/* The next value, a text that is a number. */
static bool next_number(struct redis *r, int64_t max, int64_t *number)
{
    struct resp_value v;
    uint64_t digits;
    resp_next(&r->replies, &v);
    if (v.type != RESP_TEXT || !num_u64n(v.bytes, v.len, 0, (uint64_t)max, &digits))
        return false;
    *number = (int64_t)digits;
    return true;
}

/* Reads the answer of take_script. How long, in us, nothing will change by itself; 0: it is ours; -1: no
 * answer. */
static int64_t read_answer(struct lease *l)
{
    struct redis *r = &l->redis;
    struct resp_value array, taken, slot, fence;
    int64_t left = -1;
    resp_next(&r->replies, &array);
    resp_next(&r->replies, &taken);
    if (array.type != RESP_ARRAY || taken.type != RESP_INTEGER)
        return -1;
    if (!taken.number)
        return next_number(r, l->length / 1000, &left) ? left + 1 : -1;
    if (taken.number == 2) {
        l->misfit = true;
        l->there = next_number(r, UINT32_MAX, &left) ? (unsigned)left : 0;
        return 1;
    }
    resp_next(&r->replies, &slot);
    resp_next(&r->replies, &fence);
    if (slot.type != RESP_TEXT || fence.type != RESP_TEXT || fence.len >= sizeof l->fence ||
        !next_number(r, UINT32_MAX, &left))
        return -1;
    l->there = (unsigned)left;
    uint64_t number = 0;
    num_u64n(slot.bytes, slot.len, 0, UINT32_MAX, &number); /* not of a shared one: `s` */
    l->slot = (unsigned)number;
    struct buf text = BUF(l->fence);
    buf_bytes(&text, fence.bytes, fence.len);
    buf_str(&text);
    return 0;
}

/*
 * A server that has forgotten what it knew before it was started may have forgotten leases that have not run
 * out. How many us are left until none can be; 0: it has not, or they have. The uptime is the difference of
 * two times in whole seconds, so it can be one more than it is.
 */
static int64_t doubt(struct lease *l, const struct redis_facts *f)
{
    int64_t up = f->uptime <= INT64_MAX / CLOCK_SECOND ? ((int64_t)f->uptime - 1) * CLOCK_SECOND : INT64_MAX;
    if (f->evicts && !l->warned)
        msg_error_why(l->msg, "use", l->redis.server->shown,
            "short of memory, it removes keys, and locks with them: set maxmemory-policy to noeviction");
    l->warned = true;
    return f->persistent || up >= l->length ? 0 : (l->length - up) / 1000 + 1;
}

/* PID NAME HOST, as others may read it. */
static void put_who(const struct lease *l, struct buf *who)
{
    char host[HOST_NAME_MAX + 1] = "";
    const char *slash = l->what ? strrchr(l->what, '/') : NULL, *name = slash ? slash + 1 : l->what;
    gethostname(host, sizeof host - 1);
    buf_fmt(who, "%ld ", (long)l->pid);
    buf_escaped(who, name ? name : "-", name ? strnlen(name, 40) : 1);
    buf_char(who, ' ');
    buf_escaped(who, host, strlen(host));
}

/* SLOTS of take_script */
static void put_slots(struct lease *l)
{
    static const char forms[] = {[LEASE_MUTEX] = '!', [LEASE_COUNTED] = '='};
    char mem[16];
    struct buf word = BUF(mem);
    if (l->of != LEASE_LOCK)
        buf_char(&word, forms[l->of]);
    if (l->slots)
        buf_num(&word, l->slots);
    redis_word(&l->redis, word.mem, word.len);
}

/* Asks once, with redis_ask_facts for a connection that is new. */
static enum redis_outcome ask_for_it(struct lease *l, bool wait, int64_t deadline, bool with_facts)
{
    struct redis *r = &l->redis;
    char who_mem[256];
    struct buf who = BUF(who_mem);
    redis_batch(r);
    if (with_facts)
        redis_ask_facts(r);
    put_who(l, &who);
    lease_script(l, take_script, 5);
    redis_text(r, l->shared ? "s" : "x");
    put_slots(l);
    redis_num(r, l->length / 1000);
    redis_num(r, wait);
    redis_word(r, who.mem, who.len);
    return redis_call(r, deadline);
}

/* One attempt: REDIS_ANSWERED, and *left as read_answer's. */
static enum redis_outcome try_once(struct lease *l, bool wait, int64_t deadline, int64_t *left)
{
    struct redis *r = &l->redis;
    struct redis_facts facts;
    enum redis_outcome outcome;
    bool ask;
    l->until = lease_now() + l->length;
    do {
        ask = r->fd < 0 || l->known != r->connections;
        outcome = ask_for_it(l, wait, deadline, ask);
        if (outcome != REDIS_ANSWERED)
            return outcome;
    } while (!ask && l->known != r->connections); /* it has been answered on another one: by a new server? */
    if (ask && !redis_take_facts(r, &facts))
        return REDIS_REFUSED;
    *left = read_answer(l);
    if (*left < 0) {
        redis_refuse(r, REDIS_NOT_THE_SCRIPTS);
        return REDIS_REFUSED;
    }
    int64_t young = ask ? doubt(l, &facts) : 0;
    if (!young)
        l->known = r->connections;
    if (young && !*left) {
        *left = young;
        lease_give(l, clock_in(GIVE_MS * CLOCK_MS));
        new_token(l); /* what was given back, perhaps only in a while, is not taken again */
        l->young = true;
    }
    return REDIS_ANSWERED;
}

/* Waits for a wake-up, or until something may have changed. A hint that is lost costs that time. */
static enum redis_outcome wait_a_while(struct lease *l, int64_t left, int64_t deadline)
{
    struct redis *r = &l->redis;
    char mem[32], wake[LEASE_TOKEN + sizeof "wake:"] = "wake:";
    struct buf seconds = BUF(mem);
    memcpy(wake + strlen(wake), l->token, sizeof l->token);
    int64_t ns = clock_first(left * 1000 + WAKE_SPARE_MS * CLOCK_MS, l->length / 3);
    ns = clock_first(ns, clock_left(deadline)) + CLOCK_MS;
    buf_fmt(&seconds, "%lld.%03lld", (long long)(ns / CLOCK_SECOND),
        (long long)(ns % CLOCK_SECOND / CLOCK_MS) | 1);
    redis_batch(r);
    redis_begin(r, 3);
    redis_text(r, "BLPOP");
    redis_key(r, l->name, wake);
    redis_word(r, mem, seconds.len);
    int64_t patience = r->patience;
    r->patience += ns;
    enum redis_outcome outcome = redis_call(r, clock_first(deadline, clock_in(r->patience)));
    r->patience = patience;
    return outcome == REDIS_LATE ? REDIS_ANSWERED : outcome; /* what it is, the next attempt will tell */
}

/* Nothing is to be left of us there. */
static void leave(struct lease *l)
{
    l->redis.silent = true;
    lease_give(l, clock_in(LEAVE_MS * CLOCK_MS));
}

static int fail(struct lease *l, enum redis_outcome outcome)
{
    int status = outcome == REDIS_STOPPED ? EXIT_SYSTEM : redis_failed(&l->redis);
    int sig = outcome == REDIS_STOPPED ? sigs_take_ending(NULL) : 0;
    leave(l);
    if (sig)
        sigs_die(sig);
    return status;
}

static const char *verb(const struct lease *l)
{
    return l->of == LEASE_LOCK ? "lock" : "take";
}

static int too_late(struct lease *l)
{
    leave(l);
    msg_error_why(l->msg, verb(l), l->word, "the deadline passed");
    return EXIT_DEADLINE;
}

static int busy(struct lease *l)
{
    leave(l);
    if (l->young)
        return msg_fatal_why(l->msg, EXIT_SYSTEM, verb(l), l->word,
            "the server was started less than a lease ago, and may have forgotten who has it");
    msg_error_why(l->msg, verb(l), l->word, "it is taken");
    return EXIT_NO;
}

/* A semaphore that is not there, or is none that has one slot. */
static int misfit(struct lease *l)
{
    char mem[48];
    struct buf why = BUF(mem);
    leave(l);
    buf_fmt(&why, "it has %u slots: use --count", l->there);
    return msg_fatal_why(
        l->msg, EXIT_SYSTEM, verb(l), l->word, l->there ? buf_str(&why) : LEASE_NO_SEMAPHORE);
}

/* How often an answer may come so late that too little of the lease is left. */
enum { LATE_MAX = 3 };

int lease_take(struct lease *l, int64_t deadline)
{
    for (int late = 0;;) {
        int64_t left;
        enum redis_outcome outcome = try_once(l, deadline != 0, deadline, &left);
        if (outcome == REDIS_LATE && deadline && !*l->redis.trouble)
            return too_late(l);
        if (outcome != REDIS_ANSWERED)
            return fail(l, outcome);
        if (l->misfit)
            return misfit(l);
        if (!left && lease_now() < l->until - l->length * 2 / 3)
            return EXIT_DONE;
        if (!left && (++late == LATE_MAX || !deadline)) {
            redis_refuse(&l->redis, "its answers come too late for this lease");
            return fail(l, REDIS_REFUSED);
        }
        if (left && !deadline)
            return busy(l);
        if (left && (outcome = wait_a_while(l, left, deadline)) != REDIS_ANSWERED)
            return fail(l, outcome);
    }
}

int lease_print_holders(struct lease *l)
{
    struct redis *r = &l->redis;
    struct resp_value v;
    char mem[8192];
    struct buf out = BUF(mem);
    int status = EXIT_NO;
    redis_batch(r);
    lease_script(l, who_script, 0);
    enum redis_outcome outcome = redis_call(r, clock_in(r->patience));
    if (outcome != REDIS_ANSWERED)
        return outcome == REDIS_STOPPED ? EXIT_SYSTEM : redis_failed(r);
    resp_next(&r->replies, &v);
    while (resp_next(&r->replies, &v) && status != EXIT_SYSTEM) {
        buf_escaped(&out, v.bytes, v.len < 512 ? v.len : 512);
        buf_char(&out, '\n');
        status = opts_print_part(l->msg, &out);
    }
    return status == EXIT_DONE ? opts_print(l->msg, &out) : status;
}
