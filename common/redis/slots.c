/*
 * slots.c - see slots.h. The keys are in README.md.
 */
#include "redis/slots.h"

static const char *const scripts[] = {
    [SLOTS_CREATE] = "local g,s=K..'gave:'..T,K..'slots'"
                     "if c('SETNX',s,ARGV[2])==1 then c('SET',g,1,'EX',60)return 1 end "
                     "return c('EXISTS',g)",
    [SLOTS_SET] = "if c('EXISTS',K..'slots')==0 then return 0 end "
                  "c('SET',K..'slots',ARGV[2])P()N()return 1",
    [SLOTS_RM] = "local g=K..'gave:'..T P()"
                 "if c('DEL',K..'slots')==1 then "
                 "c('SET',g,c('ZCARD',H)..' '..c('ZCARD',W),'EX',60)"
                 "for _,v in ipairs(c('ZRANGE',W,0,-1))do "
                 "c('RPUSH',K..'wake:'..v,1)c('PEXPIRE',K..'wake:'..v,60000)end end "
                 "return c('GET',g)or''",
    [SLOTS_STAT] = "P()local r={c('GET',K..'slots')or'',c('ZCARD',H),c('ZCARD',W)}"
                   "local function a(...)for _,v in ipairs{...}do r[#r+1]=v end end "
                   "local h=c('ZRANGE',H,0,-1,'WITHSCORES')"
                   "for i=1,#h,2 do local x,s=h[i],c('HGET',D,h[i])or''"
                   "a(x,s,c('HGET',K..'fence',s)or'',c('HGET',O,x)or'',f(h[i+1]-n))end "
                   "for _,x in ipairs(c('ZRANGE',W,0,ARGV[2]-1))do a(x,c('HGET',O,x)or'')end "
                   "return r",
};

enum redis_outcome slots_do(struct lease *l, enum slots_command command, unsigned n, int64_t deadline)
{
    redis_batch(&l->redis);
    lease_script(l, scripts[command], 1);
    redis_num(&l->redis, n);
    return redis_call(&l->redis, deadline);
}
