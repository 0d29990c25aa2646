/*
 * table.c - see table.h. Removal shifts the entries behind the hole back, so there are no tombstones and a
 * long-lived server's probes never get longer.
 */
#include "base/table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static size_t hash(const struct table *t, const void *key)
{
    const unsigned char *p = key;
    uint64_t h = 0xcbf29ce484222325U; /* FNV-1a */
    for (size_t i = 0; i < t->key_size; i++)
        h = (h ^ p[i]) * 0x100000001b3U;
    return (size_t)(h ^ h >> 29);
}

static unsigned char *slot(const struct table *t, size_t i)
{
    return t->mem + i * t->entry_size;
}

/* The slot that holds the key, or the free one where it belongs. */
static size_t probe(const struct table *t, const void *key)
{
    size_t i = hash(t, key) & (t->slots - 1);
    while (t->taken[i] && memcmp(slot(t, i), key, t->key_size) != 0)
        i = (i + 1) & (t->slots - 1);
    return i;
}

void *table_find(const struct table *t, const void *key)
{
    if (!t->used)
        return NULL;
    size_t i = probe(t, key);
    return t->taken[i] ? slot(t, i) : NULL;
}

int table_reserve(struct table *t)
{
    if ((t->used + 1) * 4 <= t->slots * 3)
        return 0;
    struct table grown = {.entry_size = t->entry_size, .key_size = t->key_size, .used = t->used};
    grown.slots = t->slots ? t->slots * 2 : 64;
    grown.taken = calloc(grown.slots, 1);
    grown.mem = calloc(grown.slots, t->entry_size);
    if (!grown.taken || !grown.mem) {
        free(grown.taken);
        free(grown.mem);
        return -1;
    }
    for (size_t i = 0; i < t->slots; i++) {
        if (!t->taken[i])
            continue;
        size_t to = probe(&grown, slot(t, i));
        grown.taken[to] = 1;
        memcpy(slot(&grown, to), slot(t, i), t->entry_size);
    }
    free(t->taken);
    free(t->mem);
    t->taken = grown.taken;
    t->mem = grown.mem;
    t->slots = grown.slots;
    return 0;
}

void *table_add(struct table *t, const void *key)
{
    if (table_reserve(t) < 0)
        return NULL;
    size_t i = probe(t, key);
    if (!t->taken[i]) {
        t->taken[i] = 1;
        t->used++;
        memset(slot(t, i), 0, t->entry_size);
        memcpy(slot(t, i), key, t->key_size);
    }
    return slot(t, i);
}

void table_remove(struct table *t, void *entry)
{
    size_t mask = t->slots - 1;
    size_t hole = (size_t)((unsigned char *)entry - t->mem) / t->entry_size;
    for (size_t i = (hole + 1) & mask; t->taken[i]; i = (i + 1) & mask) {
        size_t home = hash(t, slot(t, i)) & mask;
        /* an entry may fill the hole only if its home is not between the hole and itself */
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        memcpy(slot(t, hole), slot(t, i), t->entry_size);
        hole = i;
    }
    t->taken[hole] = 0;
    t->used--;
}

void *table_at(const struct table *t, size_t i)
{
    return t->taken[i] ? slot(t, i) : NULL;
}

void table_free(struct table *t)
{
    free(t->taken);
    free(t->mem);
    t->taken = t->mem = NULL;
    t->used = t->slots = 0;
}
