/* address.c - addresses and ports in words: what is taken reads the same when it is written out. */
#include "harness/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "net/addr.h"

static void ip(const char *word)
{
    struct addr a, again;
    char text[ADDR_TEXT_SIZE], bare[ADDR_IP_SIZE];
    unsigned char key[ADDR_KEY_SIZE], other[ADDR_KEY_SIZE];
    if (!addr_parse_ip(&a, word, 80))
        return;
    MUST(addr_port(&a) == 80);
    addr_text(&a, text);
    addr_ip(&a, true, bare);
    addr_ip(&a, false, bare);
    MUST(strlen(text) < sizeof text && addr_parse_ip(&again, bare, 80));
    addr_key(&a, key);
    addr_key(&again, other);
    MUST(memcmp(key, other, sizeof key) == 0);
    PLANTED(addr_family(&a) == AF_INET6 && a.u.in6.sin6_scope_id == 1);
    addr_unmap(&a);
    MUST(addr_parse_target(&again, word, 80));
}

static void unix_path(const char *word)
{
    struct addr a;
    char text[ADDR_TEXT_SIZE];
    if (!addr_parse_unix(&a, word))
        return;
    addr_text(&a, text);
    MUST(strcmp(text, word) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    while (in.left) {
        char *word = fuzz_text(&in, 256);
        uint16_t port = 0;
        ip(word);
        unix_path(word);
        if (word[strspn(word, "0123456789")] == '\0') /* others are looked up in a file */
            MUST(!addr_parse_port(word, &port) || strtoul(word, NULL, 10) == port);
        free(word);
    }
    return 0;
}
