/*
 * http-url.c - a URL, and where a Location leads to from there; and a password in a URL, which is not shown.
 */
#include "harness/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "net/http_url.h"
#include "net/http.h"

/* What goes out: a request of lines that no byte of the URL has added to. */
static void request(const struct http_target *t)
{
    char mem[16384];
    struct buf b = BUF(mem);
    size_t lines = 0;
    MUST(http_is_path(t->path) && http_is_host(t->host, strlen(t->host)) && t->port);
    MUST(strncmp(t->url, "http://", 7) == 0 && !strchr(t->url, '#'));
    http_put_request(&b, t->path, t->host, t->port);
    http_put_header(&b, "Authorization", t->credentials);
    for (size_t i = 0; i < b.len; i++)
        lines += b.mem[i] == '\n';
    MUST(lines == (*t->credentials ? 3 : 2) && !memchr(b.mem, '\0', b.len));
}

static void secret(const char *user, const char *rest)
{
    static const char password[] = "S3CR3TPW";
    char mem[8192];
    struct buf url = BUF(mem);
    if (strpbrk(user, "/?#") || strstr(rest, password))
        return;
    buf_fmt(&url, "http://%s:%s@%s", user, password, rest);
    MUST(!strstr(http_shown(buf_str(&url), url.len), password));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct http_target t = {.url = NULL};
    char *url = fuzz_text(&in, 2048), *location = fuzz_text(&in, 2048);
    MUST(http_shown(url, strlen(url)) <= url + strlen(url));
    if (!http_take_url(&t, url, 80)) {
        request(&t);
        if (!http_follow(&t, location, strlen(location))) {
            request(&t);
            PLANTED(t.port == 81 && strcmp(t.path, "/b?c") == 0);
        }
    }
    free(t.url);
    http_is_header(location);
    secret(url, location);
    free(url);
    free(location);
    return 0;
}
