/* words.c - words of a line, placeholders of options, mistyped names, environments. */
#include "harness/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/kinds.h"
#include "base/nearest.h"
#include "base/words.h"

static void split(char *line)
{
    size_t n = 0, bytes = 0, all = 0;
    for (const char *c = line; *c; c++)
        all += !strchr(WORDS_BLANKS, *c);
    char **words = words_split(line);
    MUST(words);
    for (; words[n]; n++) {
        MUST(*words[n] && !strpbrk(words[n], WORDS_BLANKS));
        bytes += strlen(words[n]);
    }
    MUST(bytes == all);
    free(words);
}

/* No name is there twice, and none that was dropped. */
static void environment(char **list, const char *drop)
{
    struct env e;
    struct env_copy copy = {.v = NULL};
    size_t n = strlen(drop);
    MUST(env_init(&e, list) == 0);
    for (char **word = list; *word; word++)
        if (strchr(*word, '='))
            MUST(env_put(&e, *word) == 0);
    env_drop(&e, drop);
    MUST(env_copy(&e, &copy, NULL, 0, 0) == 0);
    for (size_t i = 0; i < e.n; i++) {
        MUST(strcmp(copy.v[i], e.v[i]) == 0);
        size_t name = strcspn(e.v[i], "=");
        bool wild = n && drop[n - 1] == '*';
        MUST(!n || !e.v[i][name] ||
             (wild ? strncmp(e.v[i], drop, n - 1) != 0 : name != n || strncmp(e.v[i], drop, n) != 0));
        PLANTED(wild && n > 1 && e.n == 2);
    }
    MUST(!copy.v[e.n]);
    free(copy.v);
    free(e.base);
    free(e.v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    char mem[256], *list[18], *drop = fuzz_text(&in, 32), *line = fuzz_text(&in, 400);
    struct buf out = BUF(mem);
    size_t n = 0;
    kinds_add(&out, line, strlen(line));
    while (in.left && n < 17)
        list[n++] = fuzz_text(&in, 64);
    list[n] = NULL;
    struct nearest nearest = nearest_to(line, strlen(line));
    for (size_t i = 0; i < n; i++)
        nearest_try(&nearest, list[i]);
    environment(list, drop);
    split(line);
    while (n)
        free(list[--n]);
    free(drop);
    free(line);
    return 0;
}
