// untag NAME - takes the lines of `open3 --tag` from stdin and writes the streams they came from, byte for
// byte, to NAME.out and NAME.err. Refuses a line that --tag can't have written, and times that go back.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char form[] = "dddd-dd-ddTdd:dd:dd.ddddddZ "; /* d: a digit */
enum { TIME = sizeof form - 1, HEAD = TIME + 5 };          /* and "out: ", "err+ " */

static int is_tagged(const char *line, size_t n)
{
    if (n < HEAD + 1 || line[n - 1] != '\n')
        return 0;
    for (size_t i = 0; i < TIME; i++)
        if (form[i] == 'd' ? !isdigit((unsigned char)line[i]) : line[i] != form[i])
            return 0;
    const char *tag = line + TIME;
    return (!memcmp(tag, "out", 3) || !memcmp(tag, "err", 3)) && (tag[3] == ':' || tag[3] == '+') &&
           tag[4] == ' ';
}

static FILE *create(const char *name, const char *stream)
{
    char path[4096];
    snprintf(path, sizeof path, "%s.%s", name, stream);
    FILE *f = fopen(path, "w");
    if (!f)
        exit(111);
    return f;
}

int main(int argc, char **argv)
{
    char *line = NULL, last[TIME + 1] = "";
    size_t size = 0;
    ssize_t n;
    if (argc != 2)
        return 100;
    FILE *out = create(argv[1], "out"), *err = create(argv[1], "err");
    while ((n = getline(&line, &size, stdin)) > 0) {
        if (!is_tagged(line, (size_t)n))
            return fprintf(stderr, "untag: not a tagged line: %s\n", line), 1;
        if (strncmp(line, last, TIME) < 0)
            return fprintf(stderr, "untag: %.*s after %s\n", TIME, line, last), 1;
        memcpy(last, line, TIME);
        FILE *to = line[TIME] == 'o' ? out : err;
        size_t text = (size_t)n - HEAD - (line[TIME + 3] == '+');
        if (fwrite(line + HEAD, 1, text, to) != text)
            return 111;
    }
    free(line);
    return fclose(out) == EOF || fclose(err) == EOF ? 111 : 0;
}
