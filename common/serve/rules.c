/*
 * rules.c - see rules.h: the file, its lines and their variables. What stands before the colon is in
 * rules_address.c and rules_peer.c.
 */
#include "serve/rules_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"

enum { FILE_MAX = 1 << 28 };

struct rules *rules_new(void)
{
    struct rules *r = calloc(1, sizeof *r);
    if (r)
        r->by_key = (struct table){
            .entry_size = sizeof(struct rules_key), .key_size = offsetof(struct rules_key, unused)};
    return r;
}

/* ,NAME"VALUE" with any quote, into vars at *at. */
static const char *add_variables(const char *text, char *vars, size_t *at)
{
    while (*text) {
        size_t name = strcspn(text + 1, "=");
        if (*text != ',')
            return "expected a comma and a variable after allow, deny or another variable";
        const char *quote = text + 1 + name + 1;
        if (!name || text[1 + name] != '=' || memchr(text + 1, ',', name))
            return "expected a variable as NAME=\"VALUE\"";
        const char *end = *quote ? strchr(quote + 1, *quote) : NULL;
        if (!end)
            return "the value of the variable has no closing quote";
        memcpy(vars + *at, text + 1, name + 1);
        memcpy(vars + *at + name + 1, quote + 1, (size_t)(end - quote) - 1);
        *at += name + (size_t)(end - quote);
        vars[(*at)++] = '\0';
        text = end + 1;
    }
    return NULL;
}

/* Where the client ends: the first colon that is not in brackets. */
static const char *find_colon(const char *line)
{
    if (*line == '[') {
        const char *close = strchr(line, ']');
        return close ? strchr(close, ':') : NULL;
    }
    return strchr(line, ':');
}

static const char *parse_line(struct rules *r, char *line, struct rule *rule, char *vars, size_t *at)
{
    const char *colon = find_colon(line);
    if (!colon)
        return "expected a colon, and allow or deny after it";
    const char *what = colon + 1;
    rule->deny = strncmp(what, "deny", 4) == 0;
    if (!rule->deny && strncmp(what, "allow", 5) != 0)
        return strchr(what, ':') && !r->of_peers
                   ? "expected allow or deny after the first colon (write IPv6 in brackets)"
                   : "expected allow or deny after the colon";
    rule->vars = vars + *at;
    const char *wrong = add_variables(what + (rule->deny ? 4 : 5), vars, at);
    vars[(*at)++] = '\0';
    return wrong ? wrong
                 : (r->of_peers ? rules_add_peer : rules_add_address)(r, line, (size_t)(colon - line));
}

int rules_add(struct rules *r, const struct rule *rule)
{
    if (r->count == r->room) {
        size_t room = r->room ? r->room * 2 : 64;
        struct rule *more = realloc(r->rule, room * sizeof *more);
        if (!more)
            return -1;
        r->rule = more;
        r->room = room;
    }
    r->rule[r->count++] = *rule;
    return 0;
}

const char *rules_add_key(struct rules *r, const unsigned char id[16], unsigned rank, unsigned char interface)
{
    struct rules_key key = {.rank = (unsigned char)rank, .interface = interface};
    memcpy(key.id, id, sizeof key.id);
    size_t before = r->by_key.used;
    struct rules_key *entry = table_add(&r->by_key, &key);
    if (!entry)
        return strerror(ENOMEM);
    if (r->by_key.used == before)
        return NULL; /* the first among equals stays */
    entry->rule = (uint32_t)r->count;
    r->in_use[rank]++;
    return NULL;
}

const struct rule *rules_find_key(const struct rules *r, const struct rules_key *key)
{
    const struct rules_key *found = table_find(&r->by_key, key);
    return found ? &r->rule[found->rule] : NULL;
}

/* All lines of the NUL-terminated text. The variables need no more room than the lines that they stand on. */
static const char *parse_text(struct rules *r, char *text, char *vars, unsigned long *number)
{
    size_t at = 0;
    for (*number = 1; *text; ++*number) {
        size_t len = strcspn(text, "\n");
        char *next = text + len + (text[len] == '\n');
        while (len && strchr(" \t\r", text[len - 1]))
            len--;
        text[len] = '\0';
        if (len && *text != '#') {
            struct rule rule = {.line = *number, .text = text};
            const char *wrong = parse_line(r, text, &rule, vars, &at);
            if (!wrong && rules_add(r, &rule) < 0)
                wrong = strerror(ENOMEM);
            if (wrong)
                return wrong;
        }
        text = next;
    }
    *number = 0;
    return NULL;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* The whole file into r->mem, with as much room again for the variables: its size. -1 with *why or errno. */
static ssize_t read_all(struct rules *r, int fd, const char **why)
{
    struct stat before, after;
    if (fstat(fd, &before) < 0)
        return -1;
    if (!S_ISREG(before.st_mode) || before.st_size > FILE_MAX) {
        *why = S_ISREG(before.st_mode) ? "is too large" : "is not a regular file";
        return -1;
    }
    size_t size = (size_t)before.st_size, got = 0;
    r->mem = malloc(size * 2 + 2);
    if (!r->mem)
        return -1;
    while (got < size) {
        ssize_t n = fd_read(fd, r->mem + got, size - got);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        got += (size_t)n;
    }
    if (fstat(fd, &after) < 0)
        return -1;
    if (got < size || !same_file(&before, &after)) {
        *why = "changed while it was being read (write a new file, and rename it with mv)";
        return -1;
    }
    r->mem[size] = '\0';
    if (memchr(r->mem, '\0', size)) {
        *why = "contains NUL bytes; if tcprules compiled it, use its source instead";
        return -1;
    }
    return (ssize_t)size;
}

struct rules *rules_read(const char *path, bool of_peers, struct rules_error *error)
{
    *error = (struct rules_error){0};
    struct rules *r = rules_new();
    int fd = r ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1; /* a FIFO is refused, not waited for */
    if (fd < 0) {
        free(r);
        return NULL;
    }
    errno = 0; /* what a fault of the machine sets: a lookup may want a file, too */
    ssize_t size = read_all(r, fd, &error->why);
    fd_close(&fd);
    r->of_peers = of_peers;
    if (size >= 0) {
        error->why = parse_text(r, r->mem, r->mem + size + 1, &error->line);
        if (!error->why)
            return r;
    }
    int err = errno;
    rules_free(r);
    errno = err;
    return NULL;
}

void rules_free(struct rules *r)
{
    if (!r)
        return;
    table_free(&r->by_key);
    free(r->interface);
    free(r->rule);
    free(r->mem);
    free(r);
}

bool rules_update_seen(const char *path, struct stat *seen)
{
    struct stat before = *seen;
    if (stat(path, seen) < 0)
        memset(seen, 0, sizeof *seen);
    return !same_file(&before, seen);
}
