/*
 * words.c - see words.h.
 */
#include "base/words.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

char **words_split(char *line)
{
    char **words = malloc((strlen(line) / 2 + 2) * sizeof *words), *rest = line;
    size_t n = 0;
    if (!words)
        return NULL;
    for (char *word; (word = strtok_r(rest, WORDS_BLANKS, &rest));)
        words[n++] = word;
    words[n] = NULL;
    return words;
}

/* A new string, or `word` itself; NULL with ENOMEM. */
static char *replace(char *word, const char *name, const char *value)
{
    size_t n = 0, name_len = strlen(name);
    for (const char *at = word; value && (at = strstr(at, name)); at += name_len)
        n++;
    if (!n)
        return word;
    struct buf b = {.size = strlen(word) + n * strlen(value) + 1};
    b.mem = malloc(b.size);
    if (!b.mem)
        return NULL;
    for (char *at; (at = strstr(word, name)); word = at + name_len) {
        buf_bytes(&b, word, (size_t)(at - word));
        buf_text(&b, value);
    }
    buf_text(&b, word);
    buf_str(&b);
    return b.mem;
}

int words_replace(char **words, const char *name, const char *value)
{
    for (; *words; words++)
        if (!(*words = replace(*words, name, value)))
            return -1;
    return 0;
}
