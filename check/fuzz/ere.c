/* ere.c - expressions for lines, against those of libc (regexec(3)), and on streams of lines. */
#include "harness/fuzz.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/ere.h"

/* Whether the line matches. */
static bool feed(struct ere *e, const char *line, size_t n)
{
    for (size_t i = 0; i <= n; i++)
        if (ere_feed(e, i < n ? line[i] : '\n'))
            return true;
    return false;
}

/* What libc is slow at, or reads in another way: many repetitions. */
static bool is_for_libc(const char *expression, size_t line)
{
    size_t braces = 0;
    for (const char *p = expression; *p; p++)
        braces += *p == '{';
    return strlen(expression) <= 40 && line <= 60 && braces <= 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct ere e;
    regex_t libc;
    char *expression = fuzz_text(&in, 200);
    const char *wrong = ere_begin(&e, expression);
    bool has_libc = !wrong && is_for_libc(expression, in.left) && !regcomp(&libc, expression, REG_EXTENDED);
    for (int i = 0; !wrong && in.left && i < 50; i++) {
        char *line = fuzz_text(&in, 200);
        size_t n = strlen(line);
        regmatch_t at[2];
        bool found = feed(&e, line, n);
        if (found)
            MUST(e.best.start <= n && e.best.value <= ERE_VALUE_MAX);
        if (has_libc)
            MUST(found == !regexec(&libc, line, 2, at, 0) &&
                 (!found || (uint64_t)at[0].rm_so == e.best.start));
        PLANTED(found && e.has_group && e.best.value < ERE_VALUE_MAX);
        free(line);
        if (found) /* one match is all there is for */
            MUST(!(wrong = ere_begin(&e, expression)));
    }
    if (has_libc)
        regfree(&libc);
    free(expression);
    return 0;
}
