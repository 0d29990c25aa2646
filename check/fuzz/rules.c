/*
 * rules.c - a file of access rules, and who may come by it: the first line is the client for --explain, the
 * rest the file. Its first byte chooses between addresses and users.
 */
#include "harness/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "serve/access.h"

static const char path[] = "/rules";

static void explain(void *arg)
{
    access_explain(arg);
}

/* Every rule stands on a line of the file, in order, and has variables that are such. */
static void check(const struct rules *r)
{
    unsigned long before = 0;
    for (size_t i = 0; i < r->count; i++) {
        MUST(r->rule[i].line > before);
        before = r->rule[i].line;
        for (const char *var = r->rule[i].vars; *var; var += strlen(var) + 1)
            MUST(strchr(var, '=') > var);
    }
}

static void look(const struct rules *r, const char *client)
{
    static const gid_t groups[] = {0, 5, 1000};
    struct addr a;
    if (r->of_peers) {
        rules_have_groups(r);
        const struct rule *rule = rules_find_peer(r, (uid_t)strtoul(client, NULL, 10), groups, 3);
        PLANTED(rule && rule->deny && strncmp(rule->text, "gid=1000", 8) == 0);
        return;
    }
    if (!addr_parse_ip(&a, client, 0))
        return;
    addr_unmap(&a);
    const struct rule *rule = rules_find(r, &a);
    PLANTED(rule && rule->deny && *rule->vars);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct msg m = {.applet = "fuzz", .level = MSG_NORMAL};
    struct rules_error error;
    bool of_peers = fuzz_byte(&in) == 'u';
    char *client = fuzz_text(&in, 64);
    fuzz_file(NULL, NULL, 0);
    fuzz_file(path, in.at, in.left);
    struct rules *r = rules_read(path, of_peers, &error);
    MUST(r || error.why);
    if (r) {
        check(r);
        look(r, client);
        struct access a = {.msg = &m, .is_unix = of_peers, .path = path, .explain = client};
        fuzz_exits(explain, &a);
        rules_free(a.rules);
    }
    rules_free(r);
    struct rules *list = NULL;
    rules_add_list(&list, client);
    rules_free(list);
    fuzz_file(NULL, NULL, 0);
    free(client);
    return 0;
}
