/*
 * redis-url.c - $REDIS_URL, and the file of --redis-auth. With an odd first byte a password is made part of
 * the URL, which no message and nothing that is shown may have.
 */
#include "harness/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "redis/url.h"

#define SECRET "S3CR3TPW"

static void find(void *arg)
{
    static const struct msg m = {.applet = "fuzz", .level = MSG_NORMAL};
    struct redis_server *s = arg;
    redis_server_find(s, &m);
    MUST(s->port || s->path.len);
    MUST(fuzz_is_printable(s->shown, strlen(s->shown)));
    MUST(!strstr(s->shown, SECRET));
    PLANTED(s->path.len && s->db);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char url[2048] = "REDIS_URL=";
    struct buf b = {.mem = url, .len = strlen("REDIS_URL="), .size = sizeof url};
    struct input in = {data, size};
    unsigned how = fuzz_byte(&in);
    char *user = fuzz_text(&in, 500), *rest = fuzz_text(&in, 1000);
    bool has = strstr(user, SECRET) || strstr(rest, SECRET);
    bool secret = how & 1 && !strpbrk(user, "/?#");
    buf_fmt(&b, "%s%s%s%s", secret ? "redis://" : "", user, secret ? ":" SECRET "@" : "", rest);
    buf_str(&b);
    putenv(url);
    struct redis_server s = {.auth = how & 2 ? "/auth" : NULL};
    fuzz_file(NULL, NULL, 0);
    fuzz_file("/auth", in.at, in.left);
    fuzz_forbid(secret ? SECRET : NULL);
    if (!has) /* which need not be a password there */
        fuzz_exits(find, &s);
    fuzz_forbid(NULL);
    fuzz_file(NULL, NULL, 0);
    free(s.text);
    free(user);
    free(rest);
    return 0;
}
