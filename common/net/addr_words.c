/*
 * addr_words.c - see addr_words.h.
 */
#include "net/addr_words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/* Takes HOST:PORT and [IPv6]:PORT apart. NULL, or the port; the host, without brackets, is *n bytes at *host.
 */
static const char *split(const char *word, const char **host, int *n)
{
    struct addr ip;
    const char *colon = strrchr(word, ':');
    if (!colon || !colon[1] || addr_parse_ip(&ip, word, 0))
        return NULL;
    for (const char *port = colon + 1; *port; port++) /* a number, or the name of a service */
        if (!isalnum((unsigned char)*port) && *port != '-')
            return NULL;
    bool brackets = *word == '[' && colon[-1] == ']';
    if (!brackets && memchr(word, ':', (size_t)(colon - word)))
        return NULL;
    *host = word + brackets;
    *n = (int)(colon - *host) - brackets;
    if (!*n) {
        *host = "0";
        *n = 1;
    }
    return colon + 1;
}

/* [IPv6] becomes the address, as URLs and many programs have it in brackets. */
static void take_brackets_off(char *host)
{
    size_t n = strlen(host);
    if (*host != '[' || host[n - 1] != ']' || !strchr(host, ':'))
        return;
    memmove(host, host + 1, n - 2);
    host[n - 2] = '\0';
}

uint16_t addr_port_operand(const struct msg *m, char *const *words, uint16_t min)
{
    const char *host;
    int n;
    uint16_t port = 0;
    const char *joined = words[0] ? split(words[0], &host, &n) : NULL;
    if (joined)
        msg_usage(m, "'%s': write host and port as two words: %.*s %s", words[0], n, host, joined);
    if (!words[0] || !words[1])
        msg_usage(m, words[0] ? "missing PORT" : "missing HOST");
    take_brackets_off(words[0]);
    bool known = addr_parse_port(words[1], &port);
    if (!known && !min && isalpha((unsigned char)*words[1]) && !addr_parse_port(words[0], &port))
        exit(msg_fatal_why(m, EXIT_SYSTEM, "port", words[1], "no service has this name"));
    if (!known || port < min)
        msg_usage(m, "port '%s': expected a number from %u to 65535, or the name of a service%s", words[1],
            min,
            addr_parse_port(words[0], &port) && port ? "; the host comes first, as in: 127.0.0.1 8080" : "");
    return port;
}

void addr_host_operand(const struct msg *m, char *host)
{
    const char *name;
    int n;
    const char *port = split(host, &name, &n);
    take_brackets_off(host);
    if (port)
        msg_usage(m, "'%s': write the port as an option: -p %s %.*s", host, port, n, name);
}

void addr_ip_option(const struct opts *o, struct addr *a)
{
    char ip[ADDR_TEXT_SIZE] = "";
    struct buf copy = BUF(ip);
    buf_text(&copy, o->arg);
    buf_str(&copy);
    take_brackets_off(ip);
    if (copy.cut || !addr_parse_ip(a, ip, 0))
        opts_wrong(o, "expected an IP address");
}

uint16_t addr_port_option(const struct opts *o)
{
    uint16_t port;
    if (!addr_parse_port(o->arg, &port) || !port)
        opts_wrong(o, "expected a number from 1 to 65535, or the name of a service");
    return port;
}

static const char *path_wanted(void)
{
    static const char text[] = "expected a path of 1 to 107 bytes, or @ and an abstract name";
    _Static_assert(ADDR_UNIX_MAX == 107, "as in the text");
    return text;
}

void addr_unix_option(struct addr *a, const struct opts *o)
{
    if (!addr_parse_unix(a, o->arg))
        opts_wrong(o, path_wanted());
}

void addr_unix_operand(struct addr *a, const struct msg *m, const char *path)
{
    if (!addr_parse_unix(a, path))
        msg_usage(m, "path '%s': %s", path, path_wanted());
}
