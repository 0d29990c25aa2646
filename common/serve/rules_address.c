/*
 * rules_address.c - see rules.h: rules for IP addresses. A range stands for its members, as in tcprules, so
 * that it is as specific as they are.
 */
#include "serve/rules_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/num.h"

enum { V4_BITS = 96, ALL_BITS = 128, LINK_LOCAL_BITS = 10, INTERFACES_MAX = 255 };

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

static const char *add_prefix(struct rules *r, const unsigned char addr[16], unsigned bits)
{
    return rules_add_key(r, addr, bits, 0);
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
    return rules_add_key(r, addr, base + (unsigned)bits, interface);
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
    while (at < len) {
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
        return close == text + n - 1 ? rules_add_key(r, addr, ALL_BITS, interface)
                                     : "unexpected text after the bracket";
    const char *stop = slash < close ? close : text + n;
    bool whole = slash < close ? close == text + n - 1 : slash == close + 1;
    return whole ? add_block(r, addr, 0, slash + 1, (size_t)(stop - slash) - 1, interface)
                 : "unexpected text after the bracket";
}

const char *rules_add_address(struct rules *r, const char *text, size_t n)
{
    static const unsigned char any[16];
    if (!n)
        return add_prefix(r, any, 0);
    if (rules_is_peer(text, n))
        return "uid= and gid= rules are for unixserver and udpserver --unix";
    if (memchr(text, '@', n))
        return "user@ rules need ident, which is not supported";
    if (*text == '=')
        return "=host rules need a lookup that cannot be trusted; write the address";
    return *text == '[' ? add_ipv6(r, text, n) : add_ipv4(r, text, n);
}

const char *rules_add_list(struct rules **r, const char *list)
{
    const struct rule rule = {.text = list};
    if (!*r && !(*r = rules_new()))
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
    return rules_add(*r, &rule) < 0 ? strerror(ENOMEM) : NULL;
}

const struct rule *rules_find(const struct rules *r, const struct addr *a)
{
    unsigned char key[ADDR_KEY_SIZE], interface = 0;
    char name[IF_NAMESIZE];
    struct rules_key p = {.rank = 0};
    addr_key(a, key);
    memcpy(p.id, key, sizeof p.id);
    if (r->interfaces && addr_interface(a, name))
        interface = find_interface(r, name);
    for (unsigned bits = ALL_BITS + 1; bits-- > 0;) {
        if (!r->in_use[bits])
            continue;
        clear_beyond(p.id, bits);
        p.rank = (unsigned char)bits;
        p.interface = interface;
        const struct rule *found = rules_find_key(r, &p);
        p.interface = 0;
        if (!found && interface)
            found = rules_find_key(r, &p);
        if (found)
            return found;
    }
    return NULL;
}
