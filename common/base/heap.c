/*
 * heap.c - see heap.h.
 */
#include "base/heap.h"

#include <stdlib.h>

int heap_init(struct heap *h, size_t room)
{
    *h = (struct heap){.entries = calloc(room, sizeof *h->entries), .room = room};
    return h->entries ? 0 : -1;
}

void heap_free(struct heap *h)
{
    free(h->entries);
    *h = (struct heap){0};
}

static void swap(struct heap *h, size_t a, size_t b)
{
    struct heap_entry entry = h->entries[a];
    h->entries[a] = h->entries[b];
    h->entries[b] = entry;
}

void heap_push(struct heap *h, int64_t when, size_t what)
{
    size_t i = h->n++;
    h->entries[i] = (struct heap_entry){.when = when, .what = what};
    for (; i && when < h->entries[(i - 1) / 2].when; i = (i - 1) / 2)
        swap(h, i, (i - 1) / 2);
}

void heap_pop(struct heap *h)
{
    size_t i = 0;
    h->entries[0] = h->entries[--h->n];
    for (;;) {
        size_t least = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < h->n; child++)
            if (h->entries[child].when < h->entries[least].when)
                least = child;
        if (least == i)
            return;
        swap(h, i, least);
        i = least;
    }
}
