/*
 * nearest.c - see nearest.h.
 */
#include "base/nearest.h"

#include <stdint.h>
#include <string.h>

/* The distance of two words: how many letters must change, go or come (Levenshtein). */
static size_t distance(const char *a, size_t a_len, const char *b)
{
    enum { LONGEST = 64 };
    size_t row[LONGEST + 1], len = strlen(b);
    if (len > LONGEST)
        return SIZE_MAX;
    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= len; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            size_t step = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < step ? change : step;
        }
    }
    return row[len];
}

struct nearest nearest_to(const char *word, size_t len)
{
    return (struct nearest){.word = word, .len = len, .least = len / 3 + 1};
}

void nearest_try(struct nearest *n, const char *name)
{
    enum { ABBREVIATION = 3 }; /* that many letters of a name say which one is meant */
    size_t d =
        n->len >= ABBREVIATION && strncmp(name, n->word, n->len) == 0 ? 0 : distance(n->word, n->len, name);
    if (d > n->least || (n->name && d == n->least))
        return;
    n->least = d;
    n->name = name;
}
