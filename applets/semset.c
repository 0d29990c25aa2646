/*
 * semset - creates, shows, changes and removes System V semaphore sets.
 */
#include "cli/applet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "process/procs.h"
#include "sysv/sem.h"

#define SEMSET_OPTIONS(X)                                                       \
    MSG_OPTIONS(X)                                                              \
    X(MODE, 'm', "mode", "MODE", "create: give the set this mode (0600)")       \
    X(VALUE, 0, "value", "VALUE", "create: give each semaphore this value (0)") \
    X(JSON, 0, "json", NULL, "stat: print one JSON object")

enum semset_option { SEMSET_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {SEMSET_OPTIONS(OPT_ROW)};

enum command { CREATE, STAT, SET, RM };
static const char *const commands[] = {
    [CREATE] = "create", [STAT] = "stat", [SET] = "set", [RM] = "rm", NULL};

struct semset {
    struct msg *msg;
    struct sysv_key key;
    struct sem_making making;
    bool has_mode, has_value, json;
};

static int create(struct semset *s)
{
    int id = sem_make(&s->key, &s->making, CLOCK_NEVER);
    if (id >= 0)
        return sysv_made(s->msg, SYSV_SEM, &s->key, id);
    return sysv_failed(s->msg, SYSV_SEM, "create", &s->key, errno);
}

static int failed(const struct semset *s, const char *what)
{
    return sysv_failed(s->msg, SYSV_SEM, what, &s->key, errno);
}

/* The set and its state; the identifier, or -1. */
static int look(const struct semset *s, struct semid_ds *state)
{
    int id = sysv_get(SYSV_SEM, &s->key, 0, 0);
    return id >= 0 && semctl(id, 0, IPC_STAT, (union semun){.buf = state}) == 0 ? id : -1;
}

/* One value of a semaphore by semctl(2). *err is the first errno, if the set has been removed meanwhile. */
static unsigned long long ask(int id, size_t num, int what, int *err)
{
    int value = semctl(id, (int)num, what);
    if (value < 0 && !*err)
        *err = errno;
    return value < 0 ? 0 : (unsigned)value;
}

static int stat_set(const struct semset *s)
{
    struct semid_ds state = {0};
    struct sysv_report r;
    int err = 0, id = look(s, &state);
    if (id < 0)
        return failed(s, "stat");
    sysv_report_begin(&r, s->json, id, &state.sem_perm);
    sysv_report_time(&r, "last_operation", state.sem_otime);
    sysv_report_time(&r, "last_change", state.sem_ctime);
    sysv_report_list(&r, "semaphores");
    for (size_t i = 0; i < state.sem_nsems && !err; i++) {
        sysv_report_item(&r, "num", i);
        sysv_report_num(&r, "value", ask(id, i, GETVAL, &err));
        sysv_report_num(&r, "waiting_for_more", ask(id, i, GETNCNT, &err));
        sysv_report_num(&r, "waiting_for_zero", ask(id, i, GETZCNT, &err));
        sysv_report_num(&r, "last_pid", ask(id, i, GETPID, &err));
    }
    sysv_report_list_end(&r);
    if (err)
        return sysv_failed(s->msg, SYSV_SEM, "stat", &s->key, err);
    return sysv_report_end(&r, s->msg);
}

/* A semaphore's number and its new value. */
struct setting {
    int num, value;
};

/* Takes the first n bytes of `num`, and `value`. Does not return if they are none. */
static struct setting take_setting(const struct semset *s, const char *num, size_t n, const char *value)
{
    uint64_t at, to;
    if (!num_u64n(num, n, 0, SEM_SET_SIZE - 1, &at))
        msg_usage(s->msg, "NUM '%.*s': expected a number from 0 to %d", (int)n, num, SEM_SET_SIZE - 1);
    if (!num_u64(value, 0, SEM_HIGHEST, &to))
        msg_usage(s->msg, "VALUE '%s': expected a number from 0 to %d", value, SEM_HIGHEST);
    return (struct setting){(int)at, (int)to};
}

/* The highest number comes first: if the set has no such semaphore, nothing has been changed. */
static int by_number(const void *a, const void *b)
{
    return ((const struct setting *)b)->num - ((const struct setting *)a)->num;
}

/* NUM VALUE, or NUM=VALUE... The caller frees the settings. */
static struct setting *take_settings(const struct semset *s, char *const *words, size_t *n)
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
    struct setting *list = calloc(*n, sizeof *list);
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

static int set(const struct semset *s, char *const *words)
{
    size_t n;
    struct setting *list = take_settings(s, words, &n);
    int id = sem_find(&s->key, CLOCK_NEVER);
    for (size_t i = 0; id >= 0 && i < n; i++)
        if (semctl(id, list[i].num, SETVAL, (union semun){.val = list[i].value}) < 0)
            id = -1;
    int err = errno;
    free(list);
    if (id < 0)
        return sysv_failed(s->msg, SYSV_SEM, "set", &s->key, err);
    sem_mark(id);
    return EXIT_DONE;
}

/* Whether that process is blocked in a semop(2) on the set, as far as /proc/PID/syscall may be read. */
static bool waits_for(pid_t pid, int id)
{
    char path[64], text[256];
    struct buf name = BUF(path);
    buf_fmt(&name, "/proc/%ld/syscall", (long)pid);
    int fd = open(buf_str(&name), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : fd_read(fd, text, sizeof text - 1);
    fd_close(&fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    uint64_t number;
    char first[32];
    struct buf argument = BUF(first);
    size_t digits = strspn(text, "0123456789");
    buf_fmt(&argument, " 0x%x ", (unsigned)id);
    if (!num_u64n(text, digits, 0, UINT64_MAX, &number) ||
        strncmp(text + digits, buf_str(&argument), argument.len) != 0)
        return false;
    static const unsigned calls[] = {
#ifdef SYS_semop
        SYS_semop,
#endif
#ifdef SYS_semtimedop
        SYS_semtimedop,
#endif
#ifdef SYS_semtimedop_time64
        SYS_semtimedop_time64,
#endif
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        if (number == calls[i])
            return true;
    return false;
}

/* Reports how many processes wait for the set that is about to be removed, and the pids that we may see. */
static void say_waiters(const struct semset *s, int id, const struct semid_ds *state)
{
    struct procs all;
    char mem[1024];
    struct buf why = BUF(mem);
    unsigned long long waiting = 0;
    int err = 0;
    for (size_t i = 0; i < state->sem_nsems; i++)
        waiting += ask(id, i, GETNCNT, &err) + ask(id, i, GETZCNT, &err);
    if (!waiting)
        return;
    buf_fmt(&why, "%llu process%s still waiting", waiting, waiting == 1 ? "" : "es");
    if (procs_list(&all) == 0) {
        const char *between = ": pid";
        for (size_t i = 0; i < all.n; i++) {
            if (!waits_for(all.list[i].pid, id))
                continue;
            if (why.size - why.len < 32) {
                buf_text(&why, ", ...");
                break;
            }
            buf_fmt(&why, "%s %ld", between, (long)all.list[i].pid);
            between = ",";
        }
        procs_free(&all);
    }
    msg_error_why(s->msg, "remove", s->key.word, buf_str(&why));
}

static int rm(const struct semset *s)
{
    struct semid_ds state = {0};
    int id = sysv_get(SYSV_SEM, &s->key, 0, 0);
    if (id < 0)
        return failed(s, "remove");
    if (semctl(id, 0, IPC_STAT, (union semun){.buf = &state}) == 0)
        say_waiters(s, id, &state);
    return semctl(id, 0, IPC_RMID) == 0 ? EXIT_DONE : failed(s, "remove");
}

static void take_nsems(struct semset *s, char *const *words)
{
    uint64_t n = 1;
    if (words[0] && !num_u64(words[0], 1, SEM_SET_SIZE, &n))
        msg_usage(s->msg, "NSEMS '%s': expected a number from 1 to %d", words[0], SEM_SET_SIZE);
    if (words[0] && words[1])
        msg_usage(s->msg, "unexpected operand '%s'", words[1]);
    s->making.n = n;
}

static int run(struct semset *s, enum command command, char **argv)
{
    if (command != CREATE && (s->has_mode || s->has_value))
        msg_usage(s->msg, "--mode and --value are valid only with create");
    if (command != STAT && s->json)
        msg_usage(s->msg, "--json is valid only with stat");
    sysv_key(&s->key, s->msg, *argv, command == CREATE ? SYSV_MAKES : SYSV_FINDS);
    if ((command == STAT || command == RM) && argv[1])
        msg_usage(s->msg, "unexpected operand '%s'", argv[1]);
    switch (command) {
    case CREATE:
        take_nsems(s, argv + 1);
        return create(s);
    case STAT:
        return stat_set(s);
    case SET:
        return set(s, argv + 1);
    case RM:
        return rm(s);
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
        s->has_mode = true;
        s->making.mode = sysv_mode(o);
        break;
    case OPT_VALUE:
        s->has_value = true;
        s->making.value = (unsigned)opts_num(o, 0, SEM_HIGHEST);
        break;
    case OPT_JSON:
        s->json = true;
        break;
    }
}

static const struct cli cli = {
    .name = "semset",
    .summary = "create, show, change and remove System V semaphore sets",
    .usage = "create [-m MODE] [--value VALUE] KEY [NSEMS]\n"
             "stat [--json] KEY\n"
             "set KEY NUM VALUE\n"
             "set KEY NUM=VALUE...\n"
             "rm KEY",
    .notes = "KEY: a number, 0x..., PATH[:ID], or id:N; create also accepts private, and prints id:N.",
    .commands = commands,
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int semset_main(struct msg *m, int argc, char **argv)
{
    struct semset s = {.msg = m, .making = {.mode = 0600, .exclusive = true}};
    struct opts o;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&s, row, &o);
    return run(&s, (enum command)opts_command(&o), argv + o.first);
}

const struct applet applet_semset = {.cli = &cli, .theme = THEME_SYSV, .main = semset_main};
