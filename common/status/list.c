/*
 * list.c - see list.h.
 */
#include "status/list.h"

#include <stdlib.h>
#include <string.h>

static int reserve(struct list *l, size_t n)
{
    size_t room = l->room ? l->room : 64;
    while (room < l->n + n)
        room *= 2;
    if (room == l->room)
        return 0;
    void *mem = realloc(l->mem, room * l->size);
    if (!mem)
        return -1;
    l->mem = mem;
    l->room = room;
    return 0;
}

void *list_add(struct list *l)
{
    if (reserve(l, 1) < 0)
        return NULL;
    return memset((char *)l->mem + l->n++ * l->size, 0, l->size);
}

int list_append(struct list *l, const void *entries, size_t n)
{
    if (reserve(l, n) < 0)
        return -1;
    memcpy((char *)l->mem + l->n * l->size, entries, n * l->size);
    l->n += n;
    return 0;
}

void list_free(struct list *l)
{
    free(l->mem);
    *l = (struct list){.size = l->size};
}
