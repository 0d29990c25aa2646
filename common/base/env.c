/*
 * env.c - see env.h.
 */
#include "base/env.h"

#include <stdlib.h>
#include <string.h>

/* Makes room for n pointers and the NULL. */
static int make_room(struct env *e, size_t n)
{
    if (n + 1 <= e->room)
        return 0;
    size_t room = n + 32;
    char **v = realloc(e->v, room * sizeof *v);
    if (!v)
        return -1;
    e->v = v;
    e->room = room;
    return 0;
}

int env_init(struct env *e, char *const *from)
{
    *e = (struct env){0};
    size_t n = 0;
    while (from && from[n])
        n++;
    e->base = malloc((n + 1) * sizeof *e->base);
    if (!e->base)
        return -1;
    if (n)
        memcpy(e->base, from, n * sizeof *from);
    e->base_n = n;
    if (make_room(e, n) < 0) {
        free(e->base);
        return -1;
    }
    env_reset(e);
    return 0;
}

/* How many of the n are left. */
static size_t drop_from(char **v, size_t n, const char *name)
{
    size_t len = strlen(name), kept = 0;
    bool prefix = len && name[len - 1] == '*';
    if (prefix)
        len--;
    for (size_t i = 0; i < n; i++)
        if (strncmp(v[i], name, len) != 0 || (!prefix && v[i][len] != '='))
            v[kept++] = v[i];
    return kept;
}

void env_drop(struct env *e, const char *name)
{
    e->base_n = drop_from(e->base, e->base_n, name);
    e->n = drop_from(e->v, e->n, name);
    e->v[e->n] = NULL;
}

void env_reset(struct env *e)
{
    if (e->base_n)
        memcpy(e->v, e->base, e->base_n * sizeof *e->v);
    e->n = e->base_n;
    e->v[e->n] = NULL;
}

int env_put(struct env *e, char *assignment)
{
    size_t name = strcspn(assignment, "=") + 1;
    for (size_t i = 0; i < e->n; i++) {
        if (strncmp(e->v[i], assignment, name) == 0) {
            e->v[i] = assignment;
            return 0;
        }
    }
    if (make_room(e, e->n + 1) < 0)
        return -1;
    e->v[e->n++] = assignment;
    e->v[e->n] = NULL;
    return 0;
}

int env_restore(struct env *e, char *const *from, const char *name)
{
    size_t n = strlen(name);
    env_drop(e, name);
    for (; *from; from++)
        if (strncmp(*from, name, n) == 0 && (*from)[n] == '=')
            return env_put(e, *from);
    return 0;
}

/* Whether a program gets string i as the base has it. */
static bool is_of_base(const struct env *e, size_t i)
{
    return i < e->base_n && e->v[i] == e->base[i];
}

int env_copy(const struct env *e, struct env_copy *c, char **inside, size_t n, size_t size)
{
    size_t want = (e->n + 1) * sizeof *c->v + n * size;
    for (size_t i = 0; i < e->n; i++)
        want += is_of_base(e, i) ? 0 : strlen(e->v[i]) + 1;
    if (want > c->size) {
        char **v = realloc(c->v, want * 2);
        if (!v)
            return -1;
        c->v = v;
        c->size = want * 2;
    }
    char *at = (char *)(c->v + e->n + 1);
    for (size_t i = 0; i < e->n; i++) {
        c->v[i] = e->v[i];
        if (is_of_base(e, i))
            continue;
        size_t len = strlen(e->v[i]) + 1;
        c->v[i] = memcpy(at, e->v[i], len);
        size_t more = 0;
        for (size_t k = 0; k < n; k++)
            if (inside[k] >= e->v[i] && inside[k] < e->v[i] + len) {
                inside[k] = at + (inside[k] - e->v[i]);
                more = size;
            }
        at += len + more;
    }
    c->v[e->n] = NULL;
    for (size_t k = 0; k < n; k++)
        if (inside[k] < (char *)c->v || inside[k] >= (char *)c->v + c->size)
            inside[k] = NULL;
    return 0;
}
