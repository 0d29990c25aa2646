/*
 * kinds.c - see kinds.h.
 */
#include "base/kinds.h"

#include <string.h>

struct row {
    const char *placeholder, *kind;
};

static const struct row rows[] = {
    {"APPLET", "applet"},
    {"CIDR", "none"},
    {"CMD", "cmd"},
    {"CLIENT", "prog"},
    {"CONDITION", "none"},
    {"COUNT", "none"},
    {"DIR", "dir"},
    {"DOCUMENT", "none"},
    {"DURATION", "time"},
    {"ERE", "none"},
    {"FACILITY", "none"},
    {"FD", "fd"},
    {"FIFO", "file"},
    {"FILE", "file"},
    {"GROUP", "group"},
    {"HEADER", "none"},
    {"HOST", "host"},
    {"IFACE", "iface"},
    {"IP", "ip"},
    {"IP|USER[:GROUP]", "ip"},
    {"KEY", "key"},
    {"LIST", "none"},
    {"MAX", "none"},
    {"MESSAGE", "none"},
    {"MIN", "none"},
    {"MODE", "mode"},
    {"N", "none"},
    {"N/TIME", "none"},
    {"NAME", "none"},
    {"NAME=CMD", "none"},
    {"NAME=VALUE", "env"},
    {"NSEMS", "none"},
    {"NUM", "none"},
    {"NUM|NAME", "signal"}, /* signame's operands */
    {"PATH", "file"},
    {"PGID", "pid"},
    {"PID", "pid"},
    {"PORT", "port"},
    {"PROG", "prog"},
    {"RULE", "none"},
    {"SECONDS", "none"},
    {"SERVER", "prog"},
    {"SIG", "signal"},
    {"SIG:SIG", "signal:signal"},
    {"SIG=ACTION", "sigaction"},
    {"SIG[,SIG]...", "signal,"},
    {"SIG[:TIME],...", "signal,"},
    {"SIZE", "size"},
    {"TEXT", "none"},
    {"TIME", "time"},
    {"TIME[,INTERVAL[,COUNT]]|off", "none"},
    {"TOKEN", "none"},
    {"TYPE", "none"},
    {"URL", "url"},
    {"USER", "user"},
    {"USER[:GROUP]", "user:group"},
    {"VALUE", "none"},
    {"WORD", "none"},
};

static const char *find(const char *placeholder, size_t n)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strlen(rows[i].placeholder) == n && memcmp(rows[i].placeholder, placeholder, n) == 0)
            return rows[i].kind;
    return NULL;
}

static const char uppers[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char literal[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

/* "text|json" */
static bool is_enumeration(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!text[i] || (text[i] != '|' && !strchr(literal, text[i])))
            return false;
    return n > 0;
}

/* Whether all names between the separators are known; *bad is the first that is not. */
static bool is_composed(const char *text, size_t n, const char **bad, size_t *bad_n)
{
    for (const char *end = text + n; text < end; text++) {
        size_t len = strspn(text, uppers);
        if (len > (size_t)(end - text))
            len = (size_t)(end - text);
        if (len && !find(text, len)) {
            *bad = text;
            *bad_n = len;
            return false;
        }
        if (len)
            text += len - 1;
    }
    return true;
}

void kinds_add(struct buf *out, const char *placeholder, size_t n)
{
    if (n > 2 && *placeholder == '[' && placeholder[n - 1] == ']') {
        placeholder++;
        n -= 2;
    }
    const char *kind = find(placeholder, n), *bad = placeholder;
    size_t bad_n = n;
    if (kind)
        buf_text(out, kind);
    else if (is_enumeration(placeholder, n))
        buf_fmt(out, "=%.*s", (int)n, placeholder);
    else if (is_composed(placeholder, n, &bad, &bad_n))
        buf_text(out, "none");
    else
        buf_fmt(out, "unknown:%.*s", (int)bad_n, bad);
}
