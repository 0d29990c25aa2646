/*
 * stream.c - see stream.h. What the scripts do is in README.md.
 */
#include "redis/stream.h"

#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"

/* The time for which what has failed is idle, so that every consumer may claim it: more than any claim. */
#define FREE "864000000"

/*
 * S the stream, G the group; Q the groups; B whether the id a is below b; T removes what all groups have
 * finished.
 */
static const char common[] =
    "local S,G,c,p=KEYS[1],ARGV[1],redis.call,redis.pcall "
    "local function Q()return c('EXISTS',S)>0 and c('XINFO','GROUPS',S)or{}end "
    "local function B(a,b)local function s(x)local m,n=x:match('(%d+)-(%d+)')"
    "return string.rep('0',20-#m)..m..string.rep('0',20-#n)..n end return s(a)<s(b)end "
    "local function T(q)local m for _,g in ipairs(q)do "
    "local i=c('XPENDING',S,g[2],'-','+',1)[1]or c('XRANGE',S,'('..g[8],'+','COUNT',1)[1]"
    "if i and(not m or B(i[1],m))then m=i[1]end end "
    "if m then c('XTRIM',S,'MINID',m)elseif q[1]then c('XTRIM',S,'MAXLEN',0)end end ";

/*
 * For those who have messages. C the consumer, L the length of a claim, N the tries; O looks at a message
 * that is pending: nil, 0 or what XPENDING says; F has finished it; D moves it to the dead; X has failed
 * after d deliveries.
 */
#define CLAIMS                                                                                      \
    "local C,L,N,E=ARGV[2],ARGV[3]+0,ARGV[4]+0,KEYS[2]"                                             \
    "local function O(i)local r=p('XPENDING',S,G,i,i,1)if r.err then return end r=r[1]"             \
    "return r and(r[2]==C and r or 0)end "                                                          \
    "local function F(i)c('XACK',S,G,i)local q=Q()if#q<2 then c('XDEL',S,i)else T(q)end end "       \
    "local function A(k,i,f,t)local a,s={}for j=1,#f,2 do if f[j]~='tries'then "                    \
    "a[#a+1]=f[j]a[#a+1]=f[j+1]s=s or f[j]=='token'end end "                                        \
    "if not s then a[#a+1]='token'a[#a+1]=i end "                                                   \
    "c('XADD',k,'*','tries',string.format('%.0f',t),unpack(a))F(i)end "                             \
    "local function Y(i)local e=c('XRANGE',S,i,i)[1]if not e then c('XACK',S,G,i)return end "       \
    "local f={}for j=1,#e[2],2 do f[e[2][j]]=e[2][j+1]end return e[2],f,tonumber(f.tries)or 0 end " \
    "local function X(i,d,n)local l,f,t=Y(i)if not l then return 2 end t=t+d "                      \
    "if n>0 and t>=n then A(E,i,l,t)return 3 end "                                                  \
    "if#Q()<2 then A(S,i,l,t)else "                                                                 \
    "c('XCLAIM',S,G,'failed',0,i,'IDLE'," FREE ",'RETRYCOUNT',d,'JUSTID')end return 1 end "

/* IDS-WE-HAVE...: {id, tries, text, token}, or ms */
static const char take_script[] = CLAIMS
    "if p('XPENDING',S,G).err then c('XGROUP','CREATE',S,G,0,'MKSTREAM')end "
    "local H={}for j=5,#ARGV do H[ARGV[j]]=1 end "
    "local function R(i,d)local l,f,t=Y(i)if not l then return end t=t+d-1 "
    "if not f.text or N>0 and t>=N then A(E,i,l,t)return end "
    "return{i,t,f.text,f.token or i}end "
    "for _,x in ipairs(c('XPENDING',S,G,'-','+',#ARGV,C))do if not H[x[1]]and x[3]<L then "
    "c('XCLAIM',S,G,C,0,x[1],'JUSTID')local r=R(x[1],x[4])if r then return r end end end "
    "for _=1,100 do local x,i,d for _,y in ipairs(c('XPENDING',S,G,'IDLE',L,'-','+',#ARGV))do "
    "x=x or not H[y[1]]and y end if x then i,d=x[1],x[4]+1 c('XCLAIM',S,G,C,0,i,'RETRYCOUNT',d,'JUSTID')"
    "if x[2]~=C and not c('XPENDING',S,G,'-','+',1,x[2])[1]then c('XGROUP','DELCONSUMER',S,G,x[2])end "
    "else x=c('XREADGROUP','GROUP',G,C,'COUNT',1,'STREAMS',S,'>')"
    "if not x then break end i,d=x[1][2][1][1],1 end "
    "local r=R(i,d)if r then return r end end "
    "local w=L for _,x in ipairs(c('XPENDING',S,G,'-','+',100))do w=math.min(w,L-x[3])end "
    "return math.max(w,1)";

/* ID */
static const char renew_script[] =
    CLAIMS "local i=ARGV[5]if(O(i)or 0)==0 then return 0 end c('XCLAIM',S,G,C,0,i,'JUSTID')return 1";

static const char finish_script[] =
    CLAIMS "local i=ARGV[5]local o=O(i)if not o then return 2 end if o==0 then return 0 end F(i)return 1";

/* ID COUNTS; KEYS[3] remembers what has become of the last one, for a repetition */
static const char fail_script[] =
    CLAIMS "local i,K=ARGV[5],KEYS[3]local o=O(i)"
           "if not o then local v=c('GET',K)return v and v:find(i,1,true)==3 and v:sub(1,1)+0 or 2 end "
           "if o==0 then return 0 end "
           "if ARGV[6]=='1'then o=X(i,o[4],N)else o=X(i,o[4]-1,0)end "
           "c('SET',K,o..' '..i,'EX',600)return o";

/* ALL */
static const char part_script[] =
    CLAIMS "if p('XPENDING',S,G).err then return 0 end "
           "for _,x in ipairs(ARGV[5]=='1'and c('XPENDING',S,G,'-','+',1000,C)or{})do X(x[1],x[4]-1,0)end "
           "for _,x in ipairs(c('XINFO','CONSUMERS',S,G))do "
           "if x[4]==0 and(x[2]==C or x[6]>86400000)then c('XGROUP','DELCONSUMER',S,G,x[2])end end return 1";

/* TOKEN MAX TEXT...; KEYS[2] remembers the token */
static const char send_script[] =
    "local K,k,m,n=KEYS[2],ARGV[2],ARGV[3]+0,#ARGV-3 "
    "local v=c('GET',K)if v then return v+0 end "
    "if m>0 then if c('XLEN',S)+n>m then T(Q())end n=math.min(n,math.max(m-c('XLEN',S),0))end "
    "for i=1,n do c('XADD',S,'*','text',ARGV[i+3],'token',k..'.'..i)end "
    "if n>0 then c('SET',K,n,'EX',600)end return n";

static const char create_script[] =
    "local r=p('XGROUP','CREATE',S,G,0,'MKSTREAM')"
    "if r.err then if r.err:find('BUSYGROUP')then return 0 end return r end return 1";

static const char state_script[] = "if c('EXISTS',S)==0 then return 0 end local q,n,m=Q(),0,0 "
                                   "for _,g in ipairs(q)do if g[2]==G then n,m=g[6],g[4]end end "
                                   "local o=c('XRANGE',S,'-','+','COUNT',1)[1]"
                                   "return{c('XLEN',S),n,m,#q,o and tonumber(o[1]:match('%d+'))or 0}";

static const char remove_script[] =
    "if c('EXISTS',S)==0 then return -1 end local n=c('XLEN',S)c('DEL',S)return n";

/* ---- names ---- */

void stream_token(char token[static STREAM_TOKEN], const struct msg *m)
{
    unsigned char random[(STREAM_TOKEN - 1) / 2];
    struct buf b = {.mem = token, .size = STREAM_TOKEN};
    if (getrandom(random, sizeof random, 0) != sizeof random)
        msg_die_sys(m, "getrandom", NULL);
    for (size_t i = 0; i < sizeof random; i++)
        buf_fmt(&b, "%02x", random[i]);
    buf_str(&b);
}

void stream_init(struct stream *s, const struct msg *m, long type)
{
    char host[HOST_NAME_MAX + 1] = "", token[STREAM_TOKEN];
    struct buf key = BUF(s->key), dead = BUF(s->dead), consumer = BUF(s->consumer);
    buf_text(&key, s->name);
    if (type != 1)
        buf_fmt(&key, ":%ld", type);
    buf_str(&key);
    if (!*s->dead) {
        buf_fmt(&dead, "%s:dead", s->name);
        buf_str(&dead);
    }
    gethostname(host, sizeof host - 1);
    stream_token(token, m);
    buf_fmt(&consumer, "%.64s:%ld:%.8s", host, (long)getpid(), token);
    buf_str(&consumer);
}

/* ---- batches ---- */

static void begin(struct redis *r, const struct stream *s, const char *script, unsigned keys, size_t args)
{
    redis_batch(r);
    redis_eval(r, common, script, keys, (unsigned)args + 1);
    redis_text(r, s->key);
}

/* A script of those who have messages; args come behind what they have in common. `end`: a key for the
 * answer. */
static void begin_claims_with(
    struct redis *r, const struct stream *s, const char *script, const char *end, size_t args)
{
    begin(r, s, script, end ? 3 : 2, args + 3);
    redis_text(r, s->dead);
    if (end)
        redis_key(r, s->name, end);
    redis_text(r, s->group);
    redis_text(r, s->consumer);
    redis_num(r, s->length / CLOCK_MS);
    redis_num(r, (long long)(s->tries < INT_MAX ? s->tries : INT_MAX));
}

static void begin_claims(struct redis *r, const struct stream *s, const char *script, size_t args)
{
    begin_claims_with(r, s, script, NULL, args);
}

void stream_send(struct redis *r, const struct stream *s, const char *token, uint64_t max,
    const struct stream_text *texts, size_t n)
{
    char mem[STREAM_TOKEN + sizeof "sent:"];
    struct buf sent = BUF(mem);
    buf_fmt(&sent, "sent:%s", token);
    begin(r, s, send_script, 2, n + 2);
    redis_key(r, s->name, buf_str(&sent));
    redis_text(r, s->group);
    redis_text(r, token);
    redis_num(r, (long long)max);
    for (size_t i = 0; i < n; i++)
        redis_word(r, texts[i].bytes, texts[i].n);
}

void stream_take(struct redis *r, const struct stream *s, const char *const *ids, size_t n)
{
    begin_claims(r, s, take_script, n);
    for (size_t i = 0; i < n; i++)
        redis_text(r, ids[i]);
}

void stream_wait(struct redis *r, const struct stream *s, int64_t ms)
{
    redis_batch(r);
    redis_begin(r, 11);
    redis_text(r, "XREADGROUP");
    redis_text(r, "GROUP");
    redis_text(r, s->group);
    redis_text(r, s->consumer);
    redis_text(r, "COUNT");
    redis_num(r, 1);
    redis_text(r, "BLOCK");
    redis_num(r, ms > 0 ? ms : 1);
    redis_text(r, "STREAMS");
    redis_text(r, s->key);
    redis_text(r, ">");
}

void stream_renew(struct redis *r, const struct stream *s, const char *id)
{
    begin_claims(r, s, renew_script, 1);
    redis_text(r, id);
}

void stream_finish(struct redis *r, const struct stream *s, const char *id)
{
    begin_claims(r, s, finish_script, 1);
    redis_text(r, id);
}

void stream_fail(struct redis *r, const struct stream *s, const char *id, bool counts)
{
    char mem[STREAM_CONSUMER + sizeof "end:"];
    struct buf end = BUF(mem);
    buf_fmt(&end, "end:%s", s->consumer);
    begin_claims_with(r, s, fail_script, buf_str(&end), 2);
    redis_text(r, id);
    redis_num(r, counts);
}

void stream_part(struct redis *r, const struct stream *s, bool all)
{
    begin_claims(r, s, part_script, 1);
    redis_num(r, all);
}

void stream_create(struct redis *r, const struct stream *s)
{
    begin(r, s, create_script, 1, 0);
    redis_text(r, s->group);
}

void stream_state(struct redis *r, const struct stream *s)
{
    begin(r, s, state_script, 1, 0);
    redis_text(r, s->group);
}

void stream_remove(struct redis *r, const struct stream *s)
{
    begin(r, s, remove_script, 1, 0);
    redis_text(r, s->group);
}
