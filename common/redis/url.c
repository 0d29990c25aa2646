/*
 * url.c - see url.h.
 */
#include "redis/url.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/num.h"

enum { AUTH_MAX = 4096 };

static int hex(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *digit = c > ' ' ? strchr(digits, c >= 'A' && c <= 'F' ? c | ' ' : c) : NULL;
    return digit ? (int)(digit - digits) : -1;
}

/* Replaces %XX in place. False: there is another %, or %00. */
static bool decode(char *text)
{
    char *to = text;
    for (; *text; text++) {
        bool coded = *text == '%';
        int high = coded ? hex(text[1]) : 0, low = coded && high >= 0 ? hex(text[2]) : 0;
        if (high < 0 || low < 0 || (coded && !high && !low))
            return false;
        *to++ = coded ? (char)(high * 16 + low) : *text;
        text += coded ? 2 : 0;
    }
    *to = '\0';
    return true;
}

/* Cuts text at the first `at` in it; what is behind that, or NULL. */
static char *cut(char *text, char at)
{
    char *found = strchr(text, at);
    if (found)
        *found++ = '\0';
    return found;
}

/* USER, USER:PASSWORD or :PASSWORD; an empty one is none. False: a wrong %XX. */
static bool take_user(struct redis_server *s, char *user)
{
    char *password = cut(user, ':');
    s->user = *user ? user : NULL;
    s->password = password && *password ? password : NULL;
    return decode(user) && (!password || decode(password));
}

/* [HOST][:PORT]; an empty HOST is this machine. NULL, or what is wrong. */
static const char *take_host(struct redis_server *s, char *host)
{
    uint64_t port = REDIS_PORT;
    char *end = *host == '[' ? strchr(host, ']') : NULL, *rest = end ? end + 1 : host + strcspn(host, ":");
    if (*host == '[' && !end)
        return "missing ] after the address";
    if (end && *rest && *rest != ':')
        return "expected a port or a path after ]";
    if (*rest && !num_u64(rest + 1, 1, UINT16_MAX, &port))
        return "expected a port from 1 to 65535 (an IPv6 address is in brackets)";
    *(end ? end : rest) = '\0';
    host += end != NULL;
    if (!decode(host))
        return "expected %25 for a %";
    for (const char *c = host; *c; c++)
        if ((unsigned char)*c <= ' ' || *c == 0x7f || strchr("/?#@[]", *c))
            return "expected a name or an address as host";
    s->host = *host ? host : "127.0.0.1";
    s->port = (uint16_t)port;
    return NULL;
}

static const char *take_db(struct redis_server *s, const char *number)
{
    uint64_t db = 0;
    if (number && *number && !num_u64(number, 0, INT32_MAX, &db))
        return "expected the number of a database, from 0 to 2147483647";
    s->db = (unsigned)db;
    return NULL;
}

/* What follows unix://, without user and password. */
static const char *take_path(struct redis_server *s, char *path)
{
    char *query = cut(path, '?');
    s->host = "";
    if (!decode(path) || *path != '/' || !addr_parse_unix(&s->path, path))
        return "expected unix:///PATH with a path of at most 107 bytes";
    if (query && strncmp(query, "db=", 3) != 0)
        return "expected nothing but ?db=N behind the path";
    return take_db(s, query ? query + 3 : NULL);
}

/* Takes the URL, whose memory becomes the server's. NULL, or what is wrong, without any part of the URL. */
static const char *take_url(struct redis_server *s, char *url)
{
    char *rest = strstr(url, "://");
    size_t scheme = rest ? (size_t)(rest - url) : 0;
    bool is_unix = scheme == 4 && strncasecmp(url, "unix", scheme) == 0;
    if (scheme == 6 && strncasecmp(url, "rediss", scheme) == 0)
        return "rediss needs another program for TLS: stunnel, or a local proxy; see docs/tls.md";
    if (!is_unix && !(scheme == 5 && strncasecmp(url, "redis", scheme) == 0))
        return "expected redis://HOST[:PORT][/DB] or unix:///PATH[?db=DB]";
    rest += 3;
    if (strchr(rest, '#'))
        return "expected %23 for a #";
    char *at = memrchr(rest, '@', strcspn(rest, "/?"));
    if (at) {
        *at++ = '\0';
        if (!take_user(s, rest))
            return "expected %25 for a % in user or password";
    }
    rest = at ? at : rest;
    if (is_unix)
        return take_path(s, rest);
    if (strchr(rest, '?'))
        return "expected the database as /DB";
    const char *wrong = take_db(s, cut(rest, '/'));
    return wrong ? wrong : take_host(s, rest);
}

/* [USER:]PASSWORD on the first line of the file. */
static void read_auth(struct redis_server *s, const struct msg *m)
{
    char *line = calloc(1, AUTH_MAX);
    struct stat st;
    size_t len = 0;
    int fd = open(s->auth, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (!line || fd < 0 || fstat(fd, &st) < 0)
        msg_die_sys(m, "open", s->auth);
    if (st.st_mode & (S_IROTH | S_IWOTH))
        exit(
            msg_fatal_why(m, EXIT_USAGE, "use", s->auth, "other users can read or write it (chmod o= FILE)"));
    for (ssize_t n = 1; n && len < AUTH_MAX - 1 && !memchr(line, '\n', len); len += (size_t)n)
        if ((n = fd_read_wait(fd, line + len, AUTH_MAX - 1 - len)) < 0)
            msg_die_sys(m, "read", s->auth);
    fd_close(&fd);
    size_t end = strcspn(line, "\r\n");
    if (!end || (end == len && len == AUTH_MAX - 1))
        exit(msg_fatal_why(m, EXIT_USAGE, "use", s->auth, "its first line is not [USER:]PASSWORD"));
    line[end] = '\0';
    s->password = cut(line, ':');
    if (!s->password)
        s->password = line;
    else if (*line)
        s->user = line;
}

static void put_shown(struct redis_server *s)
{
    struct buf b = BUF(s->shown);
    bool six = strchr(s->host, ':') != NULL;
    buf_text(&b, *s->host ? "redis://" : "unix://");
    buf_text(&b, six ? "[" : "");
    buf_escaped(
        &b, *s->host ? s->host : s->path.u.un.sun_path, strlen(*s->host ? s->host : s->path.u.un.sun_path));
    buf_text(&b, six ? "]" : "");
    if (*s->host)
        buf_fmt(&b, ":%u", s->port);
    if (s->db)
        buf_fmt(&b, "%s%u", *s->host ? "/" : "?db=", s->db);
    buf_str(&b);
}

void redis_server_find(struct redis_server *s, const struct msg *m)
{
    const char *from = "--redis", *url = s->url;
    if (!url) {
        from = "$REDIS_URL";
        url = getenv("REDIS_URL");
    }
    s->text = strdup(url && (*url || s->url) ? url : "redis://127.0.0.1");
    const char *wrong = s->text ? take_url(s, s->text) : strerror(ENOMEM);
    if (!wrong && s->url && s->password)
        wrong = "every user can read a password in arguments: put the URL into $REDIS_URL, or the password "
                "into a file for --redis-auth";
    if (wrong)
        msg_refuse(m, from, NULL, wrong);
    if (s->auth)
        read_auth(s, m);
    if (s->user && !s->password)
        msg_usage(m, "%s: a user and no password: expected USER:PASSWORD@, or --redis-auth FILE", from);
    put_shown(s);
}
