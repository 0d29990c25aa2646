/*
 * batch.c - see redis.h: the commands of a batch, as arrays of bulk strings.
 */
#include "redis/redis.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 4096 };

bool redis_room(struct redis_bytes *b, size_t n)
{
    size_t room = b->room ? b->room : ROOM;
    while (room - b->n < n)
        room *= 2;
    char *mem = room > b->room && !b->failed ? realloc(b->mem, room) : b->mem;
    if (!mem || b->failed)
        return b->failed = true, false;
    b->mem = mem;
    b->room = room;
    return true;
}

static void add(struct redis_bytes *b, const void *bytes, size_t n)
{
    if (!n || !redis_room(b, n))
        return;
    memcpy(b->mem + b->n, bytes, n);
    b->n += n;
}

/* `*N` or `$N` and the end of the line. */
static void add_head(struct redis_bytes *b, char type, size_t n)
{
    char mem[32];
    struct buf head = BUF(mem);
    buf_char(&head, type);
    buf_num(&head, n);
    buf_text(&head, "\r\n");
    add(b, mem, head.len);
}

void redis_batch(struct redis *r)
{
    if (r->state != REDIS_IDLE) /* nobody waits for its answer any more */
        redis_drop(r);
    r->state = REDIS_IDLE;
    r->out.n = r->in.n = r->commands = 0;
    r->out.failed = false;
    r->replies = (struct resp_walk){0};
}

void redis_begin(struct redis *r, unsigned n)
{
    add_head(&r->out, '*', n);
    r->commands++;
}

void redis_word(struct redis *r, const void *bytes, size_t n)
{
    add_head(&r->out, '$', n);
    add(&r->out, bytes, n);
    add(&r->out, "\r\n", 2);
}

void redis_text(struct redis *r, const char *text)
{
    redis_word(r, text, strlen(text));
}

void redis_num(struct redis *r, long long number)
{
    char mem[32];
    struct buf text = BUF(mem);
    buf_fmt(&text, "%lld", number);
    redis_word(r, mem, text.len);
}

/* One word of several texts, the last of which is NULL. */
static void add_joined(struct redis *r, const char *const *texts)
{
    size_t n = 0;
    for (const char *const *text = texts; *text; text++)
        n += strlen(*text);
    add_head(&r->out, '$', n);
    for (; *texts; texts++)
        add(&r->out, *texts, strlen(*texts));
    add(&r->out, "\r\n", 2);
}

void redis_key(struct redis *r, const char *name, const char *suffix)
{
    add_joined(r, (const char *const[]){"ipcbox:{", name, "}:", suffix, NULL});
}

void redis_command(struct redis *r, unsigned n, ...)
{
    va_list words;
    redis_begin(r, n);
    va_start(words, n);
    while (n--)
        redis_text(r, va_arg(words, const char *));
    va_end(words);
}

void redis_eval(struct redis *r, const char *common, const char *script, unsigned keys, unsigned args)
{
    redis_begin(r, 3 + keys + args);
    redis_text(r, "EVAL");
    add_joined(r, (const char *const[]){common, script, NULL});
    redis_num(r, keys);
}
