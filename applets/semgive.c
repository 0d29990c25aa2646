/*
 * semgive - gives a semaphore back: perlipc's give, without its wait.
 *
 * Never with SEM_UNDO, which would take it back when we exit.
 */
#include "cli/applet.h"

#include <errno.h>

#include "base/clock.h"
#include "sysv/sem.h"

#define SEMGIVE_OPTIONS(X) \
    SEM_OPTIONS(X)         \
    X(COUNT, 'c', "count", NULL, "add 1, whatever the value")

enum semgive_option { SEMGIVE_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {SEMGIVE_OPTIONS(OPT_ROW)};

static const struct cli cli = {
    .name = "semgive",
    .summary = "give a System V semaphore back",
    .usage = "[OPTION]... KEY",
    .notes = "The exit status is 1 if the semaphore is not taken.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int give(const struct msg *m, const struct sysv_key *key, const struct sem_nums *nums)
{
    const short change = nums->count ? nums->amount : -1;
    int id = sem_find(key, CLOCK_NEVER);
    if (id < 0)
        return sysv_failed(m, SYSV_SEM, "find", key, errno);
    if (sem_change_each(id, nums, &change, 1, IPC_NOWAIT, 0) == 0)
        return EXIT_DONE;
    if (errno != EAGAIN)
        return sysv_failed(m, SYSV_SEM, "give", key, errno);
    msg_error_why(m, "give", key->word, "it is not taken");
    return EXIT_NO;
}

static int semgive_main(struct msg *m, int argc, char **argv)
{
    struct opts o;
    struct sysv_key key;
    struct sem_nums nums = {.n = 1, .amount = 1};
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum semgive_option)row) {
            SEM_OPTIONS(OPT_CASE)
            sem_option(m, &nums, row, &o);
            break;
        case OPT_COUNT:
            nums.count = true;
            break;
        }
    }
    argv += o.first;
    if (*argv && argv[1])
        msg_usage(m, "unexpected operand '%s'", argv[1]);
    sysv_key(&key, m, *argv, SYSV_FINDS);
    sem_check(m, &nums);
    return give(m, &key, &nums);
}

const struct applet applet_semgive = {.cli = &cli, .theme = THEME_SYSV, .main = semgive_main};
