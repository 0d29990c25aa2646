/*
 * heap.h - things that are due, the earliest first: a binary heap.
 */
#ifndef HEAP_H
#define HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap {
    struct heap_entry {
        int64_t when;
        size_t what; /* the caller's number for it */
    } * entries;     /* the first is the earliest */
    size_t n, room;
};

/* Room for so many. 0, or -1 with ENOMEM. */
int heap_init(struct heap *h, size_t room);
void heap_free(struct heap *h);

/* There must be room, or an entry, respectively. */
void heap_push(struct heap *h, int64_t when, size_t what);
void heap_pop(struct heap *h);

#endif
