/*
 * rules.c - see rules.h. A prefix is 16 bytes (IPv4 as mapped IPv6) and a length; a range stands for its
 * members, as in tcprules, so that it is as specific as they are.
 */
#include "serve/rules.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"

enum { V4_BITS = 96, ALL_BITS = 128, LINK_LOCAL_BITS = 10, INTERFACES_MAX = 255, FILE_MAX = 1 << 28 };

struct prefix {
    unsigned char addr[16], bits, interface; /* 0: any */
    /* not of the key */
    unsigned char unused[2];
    uint32_t rule;
};

enum { PREFIX_KEY = offsetof(struct prefix, unused) };

static void clear_beyond(unsigned char addr[16], unsigned bits)
{
    for (unsigned i = bits; i < ALL_BITS; i++)
        if (i % 8 == 0) {
            memset(addr + i / 8, 0, 16 - i / 8);
            return;
        } else {
            addr[i / 8] &= (unsigned char)~(0x80 >> i % 8);
        }
}

static const char *add_prefix_on(
    struct rules *r, const unsigned char addr[16], unsigned bits, unsigned char interface)
{
    struct prefix p = {.bits = (unsigned char)bits, .interface = interface};
    memcpy(p.addr, addr, 16);
    size_t before = r->by_prefix.used;
    struct prefix *entry = table_add(&r->by_prefix, &p);
    if (!entry)
        return strerror(ENOMEM);
    if (r->by_prefix.used == before)
        return NULL; /* the first among equals stays */
    entry->rule = (uint32_t)r->count;
    r->in_use[bits]++;
    return NULL;
}

static const char *add_prefix(struct rules *r, const unsigned char addr[16], unsigned bits)
{
    return add_prefix_on(r, addr, bits, 0);
}

static const char *add_block(struct rules *r, const unsigned char addr[16], unsigned base, const char *len,
    size_t n, unsigned char interface)
{
    unsigned char masked[16];
    uint64_t bits;
    if (!num_u64n(len, n, 0, ALL_BITS - base, &bits) || (interface && bits < LINK_LOCAL_BITS))
        return "the length of the block is not a number in range";
    memcpy(masked, addr, 16);
    clear_beyond(masked, base + (unsigned)bits);
    if (memcmp(masked, addr, 16) != 0)
        return "the address of the block has bits set beyond its length";
    return add_prefix_on(r, addr, base + (unsigned)bits, interface);
}

/* The number of an interface that rules name, 0: none do. */
static unsigned char find_interface(const struct rules *r, const char *name)
{
    for (unsigned char i = 0; i < r->interfaces; i++)
        if (!strcmp(r->interface[i], name))
            return (unsigned char)(i + 1);
    return 0;
}

/*
 * The interface behind the % of a link-local address: by name, as the rule may be older than the interface
 * and outlive it. Its number goes to *number.
 */
static const char *take_interface(
    struct rules *r, const char *name, const unsigned char addr[16], unsigned char *number)
{
    if (addr[0] != 0xfe || (addr[1] & 0xc0) != 0x80)
        return "only a link-local address has an interface";
    if (!name[strspn(name, "0123456789")] ||
        strlen(name) >= IF_NAMESIZE) /* a number may be another's later */
        return "expected the name of an interface after %";
    *number = find_interface(r, name);
    if (*number)
        return NULL;
    if (r->interfaces == INTERFACES_MAX)
        return "the rules name too many interfaces";
    void *more = realloc(r->interface, (r->interfaces + 1U) * sizeof *r->interface);
    if (!more)
        return strerror(ENOMEM);
    r->interface = more;
    memset(r->interface[r->interfaces], 0, sizeof *r->interface);
    memcpy(r->interface[r->interfaces], name, strlen(name));
    *number = ++r->interfaces;
    return NULL;
}

/* A number of a dotted address as it stands in TCPREMOTEIP: 0 to 255, no leading zeros. */
static bool octet(const char *text, size_t n, uint64_t *value)
{
    return num_u64n(text, n, 0, 255, value) && (n == 1 || *text != '0');
}

/* One part of a dotted address, N or N-M. */
static bool parse_part(const char *text, size_t n, uint64_t *low, uint64_t *high)
{
    const char *dash = memchr(text, '-', n);
    if (!dash)
        return octet(text, n, low) && octet(text, n, high);
    size_t left = (size_t)(dash - text);
    return octet(text, left, low) && octet(dash + 1, n - left - 1, high) && *low <= *high;
}

/* 1.2.3.4, 1.2., 1.2.3.4-9, 1.2-5., 10.0.0.0/8: one range at most. */
static const char *add_ipv4(struct rules *r, const char *text, size_t n)
{
    unsigned char addr[16] = {[10] = 0xff, [11] = 0xff};
    const char *slash = memchr(text, '/', n);
    size_t len = slash ? (size_t)(slash - text) : n, at = 0;
    uint64_t low, high, range_low = 0, range_high = 0;
    int parts = 0, range = -1;
    while (at < len && parts < 4) {
        const char *dot = memchr(text + at, '.', len - at);
        size_t end = dot ? (size_t)(dot - text) : len;
        if (!parse_part(text + at, end - at, &low, &high))
            return "the address is not an IPv4 address, prefix or range (write IPv6 in brackets)";
        if (low < high) {
            if (range >= 0)
                return "an address can have only one range";
            range = parts;
            range_low = low;
            range_high = high;
        }
        addr[12 + parts++] = (unsigned char)low;
        at = end + (dot ? 1 : 0);
        if (dot && parts == 4)
            return "the address has too many parts";
        if (!dot && parts < 4)
            return "a prefix must end with a dot";
    }
    if (at < len)
        return "the address has too many parts";
    if (slash)
        return parts == 4 && range < 0 ? add_block(r, addr, V4_BITS, slash + 1, n - len - 1, 0)
                                       : "the address of a block must have four numbers";
    if (range < 0)
        return add_prefix(r, addr, V4_BITS + 8 * (unsigned)parts);
    for (uint64_t i = range_low; i <= range_high; i++) {
        addr[12 + range] = (unsigned char)i;
        const char *wrong = add_prefix(r, addr, V4_BITS + 8 * (unsigned)parts);
        if (wrong)
            return wrong;
    }
    return NULL;
}

/* 2001:db8: as a prefix of whole groups; the number of groups, or 0. */
static unsigned parse_groups(const char *text, unsigned char addr[16])
{
    unsigned groups = 0;
    memset(addr, 0, 16);
    while (*text && groups < 7) {
        size_t n = strspn(text, "0123456789abcdefABCDEF");
        if (n < 1 || n > 4 || text[n] != ':')
            return 0;
        unsigned long value = strtoul(text, NULL, 16); /* one to four hex digits, just checked */
        addr[2 * groups] = (unsigned char)(value >> 8);
        addr[2 * groups + 1] = (unsigned char)value;
        groups++;
        text += n + 1;
    }
    return *text ? 0 : groups;
}

/* [ADDR], [ADDR/LEN], [ADDR]/LEN, [GROUPS:]; ADDR may be link-local and end with %INTERFACE */
static const char *add_ipv6(struct rules *r, const char *text, size_t n)
{
    char ip[64];
    unsigned char addr[16], interface = 0;
    const char *close = memchr(text, ']', n), *slash = memchr(text, '/', n);
    if (!close)
        return "the address has no closing bracket";
    const char *end = slash && slash < close ? slash : close;
    size_t len = (size_t)(end - text) - 1;
    if (len >= sizeof ip)
        return "the address is not IPv6";
    memcpy(ip, text + 1, len);
    ip[len] = '\0';
    char *percent = strchr(ip, '%');
    if (percent)
        *percent = '\0';
    if (inet_pton(AF_INET6, ip, addr) != 1) {
        if (percent)
            return "the address is not IPv6";
        unsigned groups = slash || close != text + n - 1 ? 0 : parse_groups(ip, addr);
        return groups ? add_prefix(r, addr, 16 * groups) : "the address is not IPv6";
    }
    const char *wrong = percent ? take_interface(r, percent + 1, addr, &interface) : NULL;
    if (wrong)
        return wrong;
    if (!slash)
        return close == text + n - 1 ? add_prefix_on(r, addr, ALL_BITS, interface)
                                     : "unexpected text after the bracket";
    const char *stop = slash < close ? close : text + n;
    bool whole = slash < close ? close == text + n - 1 : slash == close + 1;
    return whole ? add_block(r, addr, 0, slash + 1, (size_t)(stop - slash) - 1, interface)
                 : "unexpected text after the bracket";
}

static const char *add_address(struct rules *r, const char *text, size_t n)
{
    static const unsigned char any[16];
    if (!n)
        return add_prefix(r, any, 0);
    if (memchr(text, '@', n))
        return "user@ rules need ident, which is not supported";
    if (*text == '=')
        return "=host rules need a lookup that cannot be trusted; write the address";
    return *text == '[' ? add_ipv6(r, text, n) : add_ipv4(r, text, n);
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

/* Where the address ends: the first colon that is not in brackets. */
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
        return "expected ADDRESS:allow or ADDRESS:deny";
    const char *what = colon + 1;
    rule->deny = strncmp(what, "deny", 4) == 0;
    if (!rule->deny && strncmp(what, "allow", 5) != 0)
        return strchr(what, ':') ? "expected allow or deny after the first colon (write IPv6 in brackets)"
                                 : "expected allow or deny after the colon";
    rule->vars = vars + *at;
    const char *wrong = add_variables(what + (rule->deny ? 4 : 5), vars, at);
    vars[(*at)++] = '\0';
    return wrong ? wrong : add_address(r, line, (size_t)(colon - line));
}

static int add_rule(struct rules *r, const struct rule *rule)
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
            if (!wrong && add_rule(r, &rule) < 0)
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

static struct rules *new_rules(void)
{
    struct rules *r = calloc(1, sizeof *r);
    if (r)
        r->by_prefix = (struct table){.entry_size = sizeof(struct prefix), .key_size = PREFIX_KEY};
    return r;
}

const char *rules_add_list(struct rules **r, const char *list)
{
    const struct rule rule = {.text = list};
    if (!*r && !(*r = new_rules()))
        return strerror(ENOMEM);
    for (const char *word = list;; word++) {
        char mem[96];
        struct buf b = BUF(mem);
        size_t n = strcspn(word, ",");
        bool bare = *word != '[' && memchr(word, ':', n);
        buf_text(&b, bare ? "[" : "");
        buf_bytes(&b, word, n);
        buf_text(&b, bare ? "]" : "");
        if (!n || b.cut)
            return "expected ADDRESS or ADDRESS/LENGTH";
        const char *wrong = *mem == '[' ? add_ipv6(*r, mem, b.len) : add_ipv4(*r, mem, b.len);
        if (wrong)
            return wrong;
        word += n;
        if (!*word)
            break;
    }
    return add_rule(*r, &rule) < 0 ? strerror(ENOMEM) : NULL;
}

struct rules *rules_read(const char *path, struct rules_error *error)
{
    *error = (struct rules_error){0};
    struct rules *r = new_rules();
    int fd = r ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1; /* a FIFO is refused, not waited for */
    if (fd < 0) {
        free(r);
        return NULL;
    }
    ssize_t size = read_all(r, fd, &error->why);
    fd_close(&fd);
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
    table_free(&r->by_prefix);
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

const struct rule *rules_find(const struct rules *r, const struct addr *a)
{
    unsigned char key[ADDR_KEY_SIZE], interface = 0;
    char name[IF_NAMESIZE];
    struct prefix p = {.bits = 0};
    addr_key(a, key);
    memcpy(p.addr, key, sizeof p.addr);
    if (r->interfaces && addr_interface(a, name))
        interface = find_interface(r, name);
    for (unsigned bits = ALL_BITS + 1; bits-- > 0;) {
        if (!r->in_use[bits])
            continue;
        clear_beyond(p.addr, bits);
        p.bits = (unsigned char)bits;
        p.interface = interface;
        const struct prefix *found = table_find(&r->by_prefix, &p);
        p.interface = 0;
        if (!found && interface)
            found = table_find(&r->by_prefix, &p);
        if (found)
            return &r->rule[found->rule];
    }
    return NULL;
}
