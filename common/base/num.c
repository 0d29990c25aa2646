/*
 * num.c - see num.h.
 */
#include "base/num.h"

#include <string.h>

bool num_u64n(const char *text, size_t n, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    if (!n)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value < min || value > max)
        return false;
    *out = value;
    return true;
}

bool num_u64(const char *word, uint64_t min, uint64_t max, uint64_t *out)
{
    return num_u64n(word, strlen(word), min, max, out);
}

/* Nanoseconds in one of the unit that `word` names, 0 if it names none. */
static int64_t unit_ns(const char *word)
{
    static const struct {
        char name[3];
        int64_t ns;
    } units[] = {{"", 1000000000}, {"s", 1000000000}, {"ms", 1000000}, {"m", 60000000000},
        {"h", 3600000000000}, {"d", 86400000000000}, {"w", 604800000000000}};
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(word, units[i].name))
            return units[i].ns;
    return 0;
}

bool num_duration(const char *word, int64_t *ns)
{
    size_t whole = strspn(word, "0123456789");
    const char *fraction = word + whole;
    size_t digits = 0;
    if (*fraction == '.')
        digits = strspn(++fraction, "0123456789");
    int64_t unit = unit_ns(fraction + digits);
    uint64_t count = 0;
    bool bare_point = fraction > word + whole && !digits; /* "5.", "." */
    if (!unit || bare_point || (!whole && !digits) ||
        (whole && !num_u64n(word, whole, 0, (uint64_t)(INT64_MAX / unit) - 1, &count)))
        return false;
    int64_t part = 0, scale = unit;
    for (size_t i = 0; i < digits; i++) {
        scale /= 10;
        part += (fraction[i] - '0') * scale;
    }
    *ns = (int64_t)count * unit + part;
    return true;
}

bool num_size(const char *word, uint64_t min, uint64_t max, uint64_t *bytes)
{
    size_t digits = strspn(word, "0123456789");
    const char *unit = word + digits;
    unsigned shift = *unit == 'k' || *unit == 'K' ? 10 : *unit == 'M' ? 20 : *unit == 'G' ? 30 : 0;
    uint64_t count;
    if (unit[shift ? 1 : 0] || !num_u64n(word, digits, 0, UINT64_MAX >> shift, &count))
        return false;
    if (count << shift < min || count << shift > max)
        return false;
    *bytes = count << shift;
    return true;
}

bool num_mode(const char *word, unsigned *mode)
{
    unsigned value = 0;
    if (!*word)
        return false;
    for (const char *p = word; *p; p++) {
        if (*p < '0' || *p > '7' || (value = value * 8 + (unsigned)(*p - '0')) > 07777)
            return false;
    }
    *mode = value;
    return true;
}
