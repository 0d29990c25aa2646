/*
 * semset - creates, shows, changes and removes System V semaphore sets, and semaphores on a Redis server.
 */
#include "cli/applet.h"

#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "ipc/semaphore.h"

#define SEMSET_OPTIONS(X)                                                       \
    MSG_OPTIONS(X)                                                              \
    X(MODE, 'm', "mode", "MODE", "create: give the set this mode (0600)")       \
    X(VALUE, 0, "value", "VALUE", "create: give each semaphore this value (0)") \
    X(JSON, 0, "json", NULL, "stat: print one JSON object")                     \
    REDIS_OPTIONS(X)

enum semset_option { SEMSET_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {SEMSET_OPTIONS(OPT_ROW)};

enum command { CREATE, STAT, SET, RM };
static const char *const commands[] = {
    [CREATE] = "create", [STAT] = "stat", [SET] = "set", [RM] = "rm", NULL};

struct semset {
    struct msg *msg;
    struct semaphore semaphore;
    bool json;
};

/* Takes the first n bytes of `num`, and `value`. Does not return if they are none. */
static struct semaphore_setting take_setting(
    const struct semset *s, const char *num, size_t n, const char *value)
{
    uint64_t at, to;
    if (!num_u64n(num, n, 0, SEM_SET_SIZE - 1, &at))
        msg_usage(s->msg, "NUM '%.*s': expected a number from 0 to %d", (int)n, num, SEM_SET_SIZE - 1);
    if (!num_u64(value, 0, SEM_HIGHEST, &to))
        msg_usage(s->msg, "VALUE '%s': expected a number from 0 to %d", value, SEM_HIGHEST);
    return (struct semaphore_setting){(int)at, (int)to};
}

/* The highest number comes first: if the set has no such semaphore, nothing has been changed. */
static int by_number(const void *a, const void *b)
{
    return ((const struct semaphore_setting *)b)->num - ((const struct semaphore_setting *)a)->num;
}

/* NUM VALUE, or NUM=VALUE... The caller frees the settings. */
static struct semaphore_setting *take_settings(const struct semset *s, char *const *words, size_t *n)
{
    size_t len = words[0] ? strcspn(words[0], "=") : 0;
    bool pairs = words[0] && words[0][len];
    for (*n = 0; words[*n];)
        ++*n;
    if (!pairs && *n < 2)
        msg_usage(s->msg, "missing %s", *n ? "VALUE" : "NUM");
    if (!pairs && *n > 2)
        msg_usage(s->msg, "unexpected operand '%s'", words[2]);
    *n = pairs ? *n : 1;
    struct semaphore_setting *list = calloc(*n, sizeof *list);
    if (!list)
        msg_die_sys(s->msg, "malloc", NULL);
    for (size_t i = 0; i < *n; i++) {
        len = strcspn(words[i], "=");
        if (pairs && !words[i][len])
            msg_usage(s->msg, "'%s': expected NUM=VALUE", words[i]);
        list[i] = take_setting(s, words[i], len, pairs ? words[i] + len + 1 : words[1]);
    }
    qsort(list, *n, sizeof *list, by_number);
    for (size_t i = 1; i < *n; i++)
        if (list[i].num == list[i - 1].num)
            msg_usage(s->msg, "semaphore %d is named twice", list[i].num);
    return list;
}

static int set(struct semset *s, char *const *words)
{
    size_t n;
    struct semaphore_setting *list = take_settings(s, words, &n);
    int status = semaphore_set(&s->semaphore, list, n);
    free(list);
    return status;
}

static void take_nsems(struct semset *s, char *const *words)
{
    uint64_t n = 1;
    if (words[0] && !num_u64(words[0], 1, SEM_SET_SIZE, &n))
        msg_usage(s->msg, "NSEMS '%s': expected a number from 1 to %d", words[0], SEM_SET_SIZE);
    if (words[0] && words[1])
        msg_usage(s->msg, "unexpected operand '%s'", words[1]);
    s->semaphore.making.n = n;
}

static int run(struct semset *s, enum command command, char **argv)
{
    if (command != CREATE && (s->semaphore.has_mode || s->semaphore.has_value))
        msg_usage(s->msg, "--mode and --value are valid only with create");
    if (command != STAT && s->json)
        msg_usage(s->msg, "--json is valid only with stat");
    semaphore_find(&s->semaphore, *argv, command == CREATE ? SEMAPHORE_CREATE : SEMAPHORE_FIND);
    if ((command == STAT || command == RM) && argv[1])
        msg_usage(s->msg, "unexpected operand '%s'", argv[1]);
    switch (command) {
    case CREATE:
        take_nsems(s, argv + 1);
        return semaphore_create(&s->semaphore);
    case STAT:
        return semaphore_stat(&s->semaphore, s->json);
    case SET:
        return set(s, argv + 1);
    case RM:
        return semaphore_rm(&s->semaphore);
    }
    return EXIT_USAGE;
}

static void take_option(struct semset *s, int row, const struct opts *o)
{
    switch ((enum semset_option)row) {
        MSG_OPTIONS(OPT_CASE)
        opts_level(s->msg, row);
        break;
    case OPT_MODE:
        s->semaphore.has_mode = true;
        s->semaphore.making.mode = sysv_mode(o);
        break;
    case OPT_VALUE:
        s->semaphore.has_value = true;
        s->semaphore.making.value = (unsigned)opts_num(o, 0, SEM_HIGHEST);
        break;
    case OPT_JSON:
        s->json = true;
        break;
        REDIS_OPTIONS(OPT_CASE)
        lease_option(&s->semaphore.wish, row - OPT_REDIS, o);
        break;
    }
}

static const struct cli cli = {
    .name = "semset",
    .summary = "create, show, change and remove semaphores",
    .usage = "create [-m MODE] [--value VALUE] KEY [NSEMS]\n"
             "stat [--json] KEY\n"
             "set KEY NUM VALUE\n"
             "set KEY NUM=VALUE...\n"
             "rm KEY",
    .notes =
        "KEY: a number, 0x..., PATH[:ID], id:N, or redis:NAME; create also accepts private, and prints id:N.",
    .commands = commands,
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int semset_main(struct msg *m, int argc, char **argv)
{
    struct semset s = {.msg = m};
    struct opts o;
    int row;
    semaphore_init(&s.semaphore, m);
    s.semaphore.making.exclusive = true;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&s, row, &o);
    return run(&s, (enum command)opts_command(&o), argv + o.first);
}

const struct applet applet_semset = {.cli = &cli, .theme = THEME_SYSV, .main = semset_main};
