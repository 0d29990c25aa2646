/*
 * semgive - gives a semaphore back: perlipc's give, without its wait; or a slot on a Redis server, by its
 * token.
 */
#include "cli/applet.h"

#include "ipc/semaphore.h"

#define SEMGIVE_OPTIONS(X)                                                            \
    SEM_OPTIONS(X)                                                                    \
    X(COUNT, 'c', "count", NULL, "add 1, whatever the value")                         \
    X(TOKEN, 0, "token", "TOKEN", "redis:NAME: give back what semtake took as TOKEN") \
    REDIS_OPTIONS(X)

enum semgive_option { SEMGIVE_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {SEMGIVE_OPTIONS(OPT_ROW)};

static const struct cli cli = {
    .name = "semgive",
    .summary = "give a semaphore back",
    .usage = "[OPTION]... KEY",
    .notes = "The exit status is 1 if the semaphore is not taken, or not by that TOKEN.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int semgive_main(struct msg *m, int argc, char **argv)
{
    struct opts o;
    struct semaphore s;
    int row;
    semaphore_init(&s, m);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum semgive_option)row) {
            SEM_OPTIONS(OPT_CASE)
            sem_option(m, &s.nums, row, &o);
            break;
            REDIS_OPTIONS(OPT_CASE)
            lease_option(&s.wish, row - OPT_REDIS, &o);
            break;
        case OPT_COUNT:
            s.nums.count = true;
            break;
        case OPT_TOKEN:
            s.token = o.arg;
            break;
        }
    }
    argv += o.first;
    if (*argv && argv[1])
        msg_usage(m, "unexpected operand '%s'", argv[1]);
    semaphore_find(&s, *argv, SEMAPHORE_GIVE);
    return semaphore_give(&s);
}

const struct applet applet_semgive = {.cli = &cli, .theme = THEME_SYSV, .main = semgive_main};
