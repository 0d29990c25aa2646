/*
 * semgive - gives a semaphore back: perlipc's give, without its wait.
 *
 * Never with SEM_UNDO, which would take it back when we exit.
 */
#include "cli/applet.h"

#include <errno.h>

#include "base/clock.h"
#include "sysv/sem.h"

#define SEMGIVE_OPTIONS(X)                                              \
    MSG_OPTIONS(X)                                                      \
    X(NUM, 'n', "num", "NUM", "give back semaphore NUM of the set (0)") \
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

static int give(const struct msg *m, const struct sysv_key *key, unsigned short num, bool count)
{
    struct sembuf change = {.sem_num = num, .sem_op = count ? 1 : -1, .sem_flg = IPC_NOWAIT};
    int id = sem_find(key, CLOCK_NEVER);
    if (id < 0)
        return sysv_failed(m, SYSV_SEM, "find", key, errno);
    if (sem_change(id, &change, 1, 0) == 0)
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
    unsigned short num = 0;
    bool count = false;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum semgive_option)row) {
            MSG_OPTIONS(OPT_CASE)
            opts_level(m, row);
            break;
        case OPT_NUM:
            num = (unsigned short)opts_num(&o, 0, SEM_SET_SIZE - 1);
            break;
        case OPT_COUNT:
            count = true;
            break;
        }
    }
    argv += o.first;
    if (*argv && argv[1])
        msg_usage(m, "unexpected operand '%s'", argv[1]);
    sysv_key(&key, m, *argv, SYSV_FINDS);
    return give(m, &key, num, count);
}

const struct applet applet_semgive = {.cli = &cli, .theme = THEME_SYSV, .main = semgive_main};
