/*
 * facts.c - see facts.h.
 */
#include "redis/facts.h"

#include <string.h>

#include "base/num.h"

enum { OLDEST = 602 };

/* What is behind NAME: on its line of INFO's answer, and how long it is; NULL: there is no such line. */
static const char *field(const struct resp_value *info, const char *name, size_t *len)
{
    size_t n = strlen(name);
    for (const char *line = info->bytes, *end = line ? line + info->len : line; line < end;) {
        const char *next = memchr(line, '\r', (size_t)(end - line));
        next = next ? next : end;
        *len = (size_t)(next - line);
        if (*len >= n && memcmp(line, name, n) == 0) {
            *len -= n;
            return line + n;
        }
        line = end - next > 2 ? next + 2 : end;
    }
    return NULL;
}

static uint64_t number(const struct resp_value *info, const char *name)
{
    size_t len;
    uint64_t value = 0;
    const char *text = field(info, name, &len);
    if (text)
        num_u64n(text, len, 0, UINT64_MAX, &value);
    return value;
}

static unsigned version_of(const struct resp_value *info)
{
    size_t len;
    uint64_t major = 0, minor = 0;
    const char *text = field(info, "redis_version:", &len), *dot = text ? memchr(text, '.', len) : NULL;
    if (!dot || !num_u64n(text, (size_t)(dot - text), 0, 10000, &major))
        return 0;
    const char *end = memchr(dot + 1, '.', len - (size_t)(dot + 1 - text));
    num_u64n(dot + 1, end ? (size_t)(end - dot - 1) : 0, 0, 99, &minor);
    return (unsigned)(major * 100 + minor);
}

void redis_ask_facts(struct redis *r)
{
    redis_command(r, 2, "INFO", "server");
    redis_command(r, 2, "INFO", "persistence");
    redis_command(r, 2, "INFO", "memory");
}

bool redis_take_facts(struct redis *r, struct redis_facts *f)
{
    struct resp_value server, persistence, memory;
    size_t len = 0;
    *f = (struct redis_facts){0};
    if (!resp_next(&r->replies, &server) || !resp_next(&r->replies, &persistence) ||
        !resp_next(&r->replies, &memory))
        return false;
    f->version = version_of(&server);
    f->uptime = number(&server, "uptime_in_seconds:");
    f->persistent = number(&persistence, "aof_enabled:") == 1;
    const char *policy = field(&memory, "maxmemory_policy:", &len);
    struct buf b = BUF(f->policy);
    buf_escaped(&b, policy ? policy : "", policy ? len : 0);
    buf_str(&b);
    f->evicts = number(&memory, "maxmemory:") && strcmp(f->policy, "noeviction") != 0;
    char mem[96];
    struct buf why = BUF(mem);
    buf_text(&why, "Redis 6.2 or later is required, or Valkey");
    if (f->version)
        buf_fmt(&why, "; this is %u.%u", f->version / 100, f->version % 100);
    if (f->version < OLDEST)
        redis_refuse(r, buf_str(&why));
    return f->version >= OLDEST;
}

int redis_facts(struct redis *r, struct redis_facts *f, int64_t deadline)
{
    redis_batch(r);
    redis_ask_facts(r);
    enum redis_outcome outcome = redis_call(r, deadline);
    if (outcome == REDIS_STOPPED)
        return EXIT_SYSTEM;
    return outcome == REDIS_ANSWERED && redis_take_facts(r, f) ? EXIT_DONE : redis_failed(r);
}
