/*
 * table.h - a hash table of fixed-size entries that begin with their key; open addressing, linear probing.
 *
 * For what a server keeps by pid or by address: look-up, adding and removal take constant time however many
 * entries there are. Entries move when the table changes: keep keys, not pointers.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct table {
    size_t entry_size, key_size; /* set by the owner, the rest zero */
    size_t used, slots;          /* slots is 0 or a power of two */
    unsigned char *taken, *mem;
};

/* The entry of that key, or NULL. */
void *table_find(const struct table *t, const void *key);

/* Makes room for one more entry. -1 with ENOMEM if it can't be had; then nothing has changed. */
int table_reserve(struct table *t);

/* The entry of that key; a new one has all bytes behind the key zero. NULL with ENOMEM. */
void *table_add(struct table *t, const void *key);

/* Takes an entry that table_find or table_add returned out of the table. */
void table_remove(struct table *t, void *entry);

/* The entry in slot i of 0 .. slots-1, or NULL. */
void *table_at(const struct table *t, size_t i);

/* Gives the memory back; the table is empty again. */
void table_free(struct table *t);

#endif
