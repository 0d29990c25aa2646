/*
 * access.c - see access.h.
 */
#include "serve/access.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "net/ucspi.h"

static void complain_of_rules(struct access *a, const struct rules_error *error, int err, bool fatal)
{
    char mem[PATH_MAX + 128];
    struct buf b = BUF(mem);
    buf_text(&b, a->path);
    if (error->line)
        buf_fmt(&b, " line %lu", error->line);
    const char *why = error->why ? error->why : strerror(err);
    if (fatal)
        exit(msg_fatal_why(
            a->msg, error->why && !msg_is_fault(err) ? EXIT_USAGE : EXIT_SYSTEM, "rules", buf_str(&b), why));
    msg_error_why(a->msg, "keep the old rules:", buf_str(&b), why);
}

/* Reads the rules at the start, where a fault is fatal, or again, where the old ones stay. */
static void read_rules(struct access *a, bool fatal)
{
    struct rules_error error;
    struct rules *fresh = rules_read(a->path, a->is_unix, &error);
    if (!fresh && errno == ENOENT && !error.why && a->optional) {
        rules_free(a->rules);
        a->rules = NULL;
        return;
    }
    if (!fresh) {
        int err = errno;
        bool fault = msg_is_fault(err), known = fault && a->is_faulty;
        if (fault)
            memset(&a->seen, 0, sizeof a->seen); /* not the file's fault: try again */
        if (!known)
            complain_of_rules(a, &error, err, fatal);
        a->is_faulty = fault;
        return;
    }
    a->is_faulty = false;
    rules_free(a->rules);
    a->rules = fresh;
}

/* Before accepting: has the file changed? On HUP it is read in any case. */
void access_refresh(struct access *a, bool asked)
{
    if (!a->path)
        return;
    if (rules_update_seen(a->path, &a->seen) || asked)
        read_rules(a, false);
}

/*
 * The rule that decides for a client, NULL if none does. 0, or -1 with errno: who it is can't be had. A
 * datagram that was sent before we asked for credentials has those of nobody (unix(7), SCM_CREDENTIALS): pid
 * 0 shows it.
 */
static int find_rule(const struct access *a, const struct serve_conn *c, const struct rule **rule)
{
    *rule = NULL;
    if (!a->rules || !a->is_unix) {
        *rule = a->rules ? rules_find(a->rules, &c->remote) : NULL;
        return 0;
    }
    size_t n = 1;
    gid_t *groups = NULL;
    if (a->one_group && !c->peer.pid) {
        errno = ENODATA;
        return -1;
    }
    if (rules_have_groups(a->rules) && !a->one_group && !(groups = ucspi_peer_groups(c->fd, &c->peer, &n)))
        return -1;
    *rule = rules_find_peer(a->rules, c->peer.uid, groups ? groups : &c->peer.gid, n);
    free(groups);
    return 0;
}

static const struct rule *explain_user(struct access *a)
{
    struct user u = {0};
    const char *wrong = user_parse(&u, a->explain);
    if (!wrong && !u.has_gid)
        wrong = "expected USER:GROUP, as the user has no entry in the user database";
    if (wrong)
        msg_refuse(a->msg, "option --explain", a->explain, wrong);
    read_rules(a, true);
    return !a->rules  ? NULL
           : u.groups ? rules_find_peer(a->rules, u.uid, u.groups, (size_t)u.ngroups)
                      : rules_find_peer(a->rules, u.uid, &u.gid, 1);
}

static const struct rule *explain_address(struct access *a)
{
    struct addr ip;
    if (!addr_parse_ip(&ip, a->explain, 0))
        msg_usage(a->msg, "option --explain '%s': expected an IP address", a->explain);
    addr_unmap(&ip);
    read_rules(a, true);
    return a->rules ? rules_find(a->rules, &ip) : NULL;
}

int access_explain(struct access *a)
{
    struct buf out = {.size = 65536};
    if (!a->path)
        msg_usage(a->msg, "--explain needs -x FILE");
    out.mem = malloc(out.size);
    if (!out.mem)
        msg_die_sys(a->msg, "malloc", NULL);
    const struct rule *rule = a->is_unix ? explain_user(a) : explain_address(a);
    if (!rule) {
        buf_fmt(&out, "%s: allow, no rule applies\n", a->explain);
    } else {
        buf_fmt(&out, "%s: %s, by line %lu: ", a->explain, rule->deny ? "deny" : "allow", rule->line);
        buf_escaped(&out, rule->text, strlen(rule->text));
        buf_char(&out, '\n');
        for (const char *var = rule->vars; *var; var += strlen(var) + 1) {
            buf_text(&out, "  ");
            buf_escaped(&out, var, strlen(var));
            buf_char(&out, '\n');
        }
    }
    int status = opts_print(a->msg, &out);
    free(out.mem);
    return status ? status : rule && rule->deny ? EXIT_NO : EXIT_DONE;
}

/* Who counts as the same client: a user, an address or a network. */
static void fill_key(const struct access *a, struct serve_conn *c)
{
    if (a->is_unix) {
        memset(c->key, 0, sizeof c->key);
        memcpy(c->key, &c->peer.uid, sizeof c->peer.uid);
        return;
    }
    addr_key(&c->remote, c->key);
    if (a->per_net && addr_family(&c->remote) == AF_INET)
        c->key[15] = 0;
    else if (a->per_net)
        memset(c->key + 8, 0, 8);
}

static void say_denied(const struct access *a, const struct serve_conn *c, const struct rule *rule)
{
    struct event e;
    char where[ADDR_TEXT_SIZE];
    struct buf client = BUF(where);
    if (a->msg->level < MSG_VERBOSE)
        return;
    if (a->is_unix)
        ucspi_say_peer(&c->peer, &client);
    else
        addr_text(&c->remote, where);
    event_begin(&e, a->msg, "deny");
    event_str(&e, "remote", a->is_unix ? buf_str(&client) : where);
    event_num(&e, "line", (long long)rule->line);
    event_text(&e, "deny %s by line %lu", where, rule->line);
    event_send(&e);
}

bool access_admit(const struct access *a, struct serve_conn *c)
{
    const struct rule *rule;
    fill_key(a, c);
    if (find_rule(a, c, &rule) < 0) {
        msg_error(a->msg, "deny a client: credentials", NULL, errno);
        return false;
    }
    if (!rule || !rule->deny)
        return true;
    say_denied(a, c, rule);
    return false;
}

int access_env(const struct access *a, const struct serve_conn *c, struct env *e)
{
    const struct rule *rule;
    if (find_rule(a, c, &rule) < 0)
        return -1;
    for (char *var = rule ? rule->vars : NULL; var && *var; var += strlen(var) + 1)
        if (env_put(e, var) < 0)
            return -1;
    return 0;
}

void access_check(struct access *a, const struct serve *s)
{
    if (a->optional && !a->path)
        msg_usage(a->msg, "-X needs -x FILE");
    if (a->per_net && !s->asked.per_client)
        msg_usage(a->msg, "--per-net needs -C N");
    if (!a->path)
        return;
    rules_update_seen(a->path, &a->seen);
    read_rules(a, true);
}

void access_option(struct access *a, int row, const struct opts *o)
{
    enum access_row { ACCESS_OPTIONS(OPT_ENUM, ) };
    switch ((enum access_row)row) {
    case OPT_RULES:
        a->path = o->arg;
        break;
    case OPT_NO_RULES_OK:
        a->optional = true;
        break;
    case OPT_EXPLAIN:
        a->explain = o->arg;
        break;
    case OPT_PER_NET:
        a->per_net = true;
        break;
    }
}
