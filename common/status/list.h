/*
 * list.h - lists that grow.
 */
#ifndef LIST_H
#define LIST_H

#include <stddef.h>

struct list {
    size_t size; /* of an entry, set by the owner; the rest zero */
    void *mem;
    size_t n, room;
};

/* A new entry at the end, all zero; NULL with ENOMEM. Those before it may have moved. */
void *list_add(struct list *l);

/* n entries at the end at once, copied from `entries`. 0, or -1 with ENOMEM. */
int list_append(struct list *l, const void *entries, size_t n);

/* Gives the memory back; the list is empty again. */
void list_free(struct list *l);

#endif
