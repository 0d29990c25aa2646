// json-values NAME... - for each line of stdin, which must be one JSON object (RFC 8259), the values of those
// of its members, or "-", with blanks between them. Strings are printed as what they mean, all else as it is
// written. Exits with 1 at a line that is no object.
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *at;

static _Noreturn void refuse(void)
{
    fprintf(stderr, "json-values: not JSON at: %.60s\n", at);
    exit(1);
}

static void skip_blanks(void)
{
    at += strspn(at, " \t\r\n");
}

static void expect(char c)
{
    if (*at++ != c) {
        at--;
        refuse();
    }
}

static char *put_utf8(char *to, unsigned code)
{
    if (code >= 0x800) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
    } else if (code >= 0x80) {
        *to++ = (char)(0xc0 | code >> 6);
    }
    *to++ = (char)(code >= 0x80 ? 0x80 | (code & 0x3f) : code);
    return to;
}

// A string's meaning; `to` has as much room as the line.
static void take_string(char *to)
{
    static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    expect('"');
    while (*at != '"') {
        if ((unsigned char)*at < ' ')
            refuse();
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        const char *name = at[1] ? strchr(names, at[1]) : NULL;
        if (name) {
            *to++ = meant[name - names];
            at += 2;
            continue;
        }
        char digits[5] = "", *end;
        if (at[1] == 'u')
            strncpy(digits, at + 2, 4);
        unsigned code = (unsigned)strtoul(digits, &end, 16);
        if (strlen(digits) != 4 || *end || !isxdigit((unsigned char)*digits))
            refuse();
        to = put_utf8(to, code);
        at += 6;
    }
    *to = 0;
    at++;
}

static void skip_digits(void)
{
    if (!isdigit((unsigned char)*at))
        refuse();
    at += strspn(at, "0123456789");
}

static void skip_number(void)
{
    at += *at == '-';
    if (*at == '0' && isdigit((unsigned char)at[1]))
        refuse();
    skip_digits();
    if (*at == '.') {
        at++;
        skip_digits();
    }
    if (*at == 'e' || *at == 'E') {
        at += 1 + (at[1] == '+' || at[1] == '-');
        skip_digits();
    }
}

static void skip_value(char *room);

static void skip_list(char *room, char end)
{
    for (at++, skip_blanks(); *at != end; skip_blanks()) {
        if (end == '}') {
            take_string(room);
            skip_blanks();
            expect(':');
        }
        skip_value(room);
        skip_blanks();
        if (*at == end)
            break;
        expect(',');
        skip_blanks();
        if (*at == end)
            refuse();
    }
    at++;
}

static void skip_value(char *room)
{
    static const char *const words[] = {"true", "false", "null"};
    skip_blanks();
    if (*at == '"') {
        take_string(room);
    } else if (*at == '{' || *at == '[') {
        skip_list(room, *at == '{' ? '}' : ']');
    } else {
        for (int i = 0; i < 3; i++)
            if (!strncmp(at, words[i], strlen(words[i]))) {
                at += strlen(words[i]);
                return;
            }
        skip_number();
    }
}

// The object's members; where one has one of the names, its value goes there.
static void take_object(char **names, char **values, char *room)
{
    char *key = strdup(at);
    for (skip_blanks(), expect('{'), skip_blanks(); *at != '}'; skip_blanks()) {
        take_string(key);
        skip_blanks();
        expect(':');
        skip_blanks();
        const char *start = at;
        skip_value(room);
        for (int i = 0; names[i]; i++)
            if (!strcmp(names[i], key)) {
                free(values[i]);
                values[i] = *start == '"' ? strdup(room) : strndup(start, (size_t)(at - start));
            }
        skip_blanks();
        if (*at == '}')
            break;
        expect(',');
        skip_blanks();
        if (*at == '}')
            refuse();
    }
    at++;
    skip_blanks();
    if (*at)
        refuse();
    free(key);
}

int main(int argc, char **argv)
{
    char *line = NULL, **values = calloc((size_t)argc, sizeof *values);
    size_t size = 0;
    while (getline(&line, &size, stdin) > 0) {
        char *room = strdup(line);
        at = line;
        take_object(argv + 1, values, room);
        for (int i = 0; i + 1 < argc; i++) {
            printf("%s%s", i ? " " : "", values[i] ? values[i] : "-");
            free(values[i]);
            values[i] = NULL;
        }
        putchar('\n');
        free(room);
    }
    return 0;
}
