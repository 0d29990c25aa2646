/*
 * num.h - strict values from words: the whole word, in range, decimal, or it is refused.
 *
 * Every parser returns false and leaves *out alone when the word is not exactly such a value: an empty word,
 * a sign, blanks, 0x10 and 5x are refused everywhere.
 */
#ifndef NUM_H
#define NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal digits only; leading zeros are decimal too (016 is 16, as in ucspi-tcp). */
bool num_u64(const char *word, uint64_t min, uint64_t max, uint64_t *out);

/* The same over the first n bytes of a text. */
bool num_u64n(const char *text, size_t n, uint64_t min, uint64_t max, uint64_t *out);

/* 5, .5, 0.25, 250ms, 3s, 3m, 1h, 2d, 2w, in nanoseconds; up to about 290 years. */
bool num_duration(const char *word, int64_t *ns);

/* 512, 64k, 1M, 2G: bytes, in units of 1024. */
bool num_size(const char *word, uint64_t min, uint64_t max, uint64_t *bytes);

/* Octal digits, 0 to 07777. */
bool num_mode(const char *word, unsigned *mode);

#endif
