/*
 * words.c - see words.h.
 */
#include "words.h"

#include <stdlib.h>
#include <string.h>

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
