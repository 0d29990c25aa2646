/*
 * nearest.h - the name that a mistyped word most likely stands for.
 *
 *     struct nearest n = nearest_to(word, strlen(word));
 *     for each name: nearest_try(&n, name);
 *     if (n.name) ... "did you mean %s?"
 */
#ifndef NEAREST_H
#define NEAREST_H

#include <stddef.h>

struct nearest {
    const char *word;
    size_t len;
    const char *name; /* the best so far, NULL: none is near */
    size_t least;     /* its distance, or the first that would be too far, minus one */
};

struct nearest nearest_to(const char *word, size_t len);

/* The first of several names at the same distance is kept. */
void nearest_try(struct nearest *n, const char *name);

#endif
