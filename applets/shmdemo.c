/*
 * shmdemo - perlipc's round trip through shared memory; creates, writes, reads, shows and removes segments.
 *
 * Bytes go between the segment and stdin or stdout by read(2) and write(2), without a copy in between.
 */
#include "cli/applet.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/shm.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "process/sigs.h"
#include "redis/key.h"
#include "sysv/sysv.h"

#define SHMDEMO_OPTIONS(X)                                                        \
    MSG_OPTIONS(X)                                                                \
    X(MODE, 'm', "mode", "MODE", "create: give the segment this mode (0600)")     \
    X(OFFSET, 'o', "offset", "SIZE", "write, read: start at this offset (0)")     \
    X(LENGTH, 'l', "length", "SIZE", "write, read: copy SIZE bytes (to the end)") \
    X(JSON, 0, "json", NULL, "stat: print one JSON object")

enum shmdemo_option { SHMDEMO_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {SHMDEMO_OPTIONS(OPT_ROW)};

enum command { CREATE, WRITE, READ, STAT, RM, ROUND_TRIP };
static const char *const commands[] = {
    [CREATE] = "create", [WRITE] = "write", [READ] = "read", [STAT] = "stat", [RM] = "rm", NULL};

enum { DEFAULT_SIZE = 2000, MESSAGE_SIZE = 60 };
static const uint64_t size_max = (uint64_t)1 << 62;

struct shmdemo {
    struct msg *msg;
    struct sysv_key key;
    unsigned mode;
    bool has_mode, has_offset, has_length, json;
    uint64_t offset, length;
};

static int failed(const struct shmdemo *s, const char *what)
{
    return sysv_failed(s->msg, SYSV_SHM, what, &s->key, errno);
}

static int create(const struct shmdemo *s, const char *word)
{
    uint64_t size;
    if (!word)
        msg_usage(s->msg, "missing SIZE");
    if (!num_size(word, 1, size_max, &size))
        msg_usage(s->msg, "SIZE '%s': expected a size such as 4096, 64k or 1M", word);
    int id = sysv_get(SYSV_SHM, &s->key, size, IPC_CREAT | IPC_EXCL | (int)s->mode);
    return id < 0 ? failed(s, "create") : sysv_made(s->msg, SYSV_SHM, &s->key, id);
}

/* The segment and its state; the identifier, or -1. */
static int look(const struct shmdemo *s, struct shmid_ds *state)
{
    int id = sysv_get(SYSV_SHM, &s->key, 0, 0);
    return id >= 0 && shmctl(id, IPC_STAT, state) == 0 ? id : -1;
}

static int stat_segment(const struct shmdemo *s)
{
    struct shmid_ds state = {0};
    struct sysv_report r;
    int id = look(s, &state);
    if (id < 0)
        return failed(s, "stat");
    sysv_report_begin(&r, s->json, id, &state.shm_perm);
    sysv_report_num(&r, "size", state.shm_segsz);
    sysv_report_num(&r, "attached", state.shm_nattch);
    sysv_report_num(&r, "creator_pid", (unsigned)state.shm_cpid);
    sysv_report_num(&r, "last_pid", (unsigned)state.shm_lpid);
    sysv_report_time(&r, "last_attach", state.shm_atime);
    sysv_report_time(&r, "last_detach", state.shm_dtime);
    sysv_report_time(&r, "last_change", state.shm_ctime);
    return sysv_report_end(&r, s->msg);
}

static int rm(const struct shmdemo *s)
{
    struct shmid_ds state = {0};
    char mem[96];
    struct buf why = BUF(mem);
    int id = sysv_get(SYSV_SHM, &s->key, 0, 0);
    if (id < 0)
        return failed(s, "remove");
    bool known = shmctl(id, IPC_STAT, &state) == 0;
    if (shmctl(id, IPC_RMID, NULL) < 0)
        return failed(s, "remove");
    if (known && state.shm_nattch) {
        buf_fmt(&why, "it is still attached (%llu): its memory is freed at the last detach",
            (unsigned long long)state.shm_nattch);
        msg_error_why(s->msg, "remove", s->key.word, buf_str(&why));
    }
    return EXIT_DONE;
}

/* shmat(2) fails with (void *)-1. */
static bool is_attached(const void *memory)
{
    return (intptr_t)memory != -1;
}

/* The range of --offset and --length; one that exceeds the segment is refused. */
static int find_range(
    const struct shmdemo *s, const char *what, char *memory, uint64_t size, char **start, size_t *len)
{
    char mem[96];
    struct buf why = BUF(mem);
    uint64_t left = s->offset <= size ? size - s->offset : 0;
    if (s->offset > size || (s->has_length && s->length > left)) {
        buf_fmt(&why, "the range exceeds the segment, which has %llu bytes", (unsigned long long)size);
        return msg_fatal_why(s->msg, EXIT_SYSTEM, what, s->key.word, buf_str(&why));
    }
    *start = memory + s->offset;
    *len = s->has_length ? s->length : left;
    return EXIT_DONE;
}

/* Reads stdin into memory: to its end, or exactly --length bytes. */
static int fill(const struct shmdemo *s, char *memory, size_t len)
{
    size_t done = 0;
    ssize_t n = 1;
    char more;
    while (done < len && (n = fd_read_wait(STDIN_FILENO, memory + done, len - done)) > 0)
        done += (size_t)n;
    if (n > 0 && !s->has_length && (n = fd_read_wait(STDIN_FILENO, &more, 1)) > 0)
        return msg_fatal_why(
            s->msg, EXIT_SYSTEM, "write", s->key.word, "the input does not fit: the rest was not written");
    if (n < 0)
        return msg_fatal(s->msg, EXIT_SYSTEM, "read", "stdin", errno);
    if (s->has_length && done < len)
        return msg_fatal_why(s->msg, EXIT_SYSTEM, "write", s->key.word, "the input is shorter than --length");
    return EXIT_DONE;
}

static int print(const struct shmdemo *s, const char *memory, size_t len)
{
    if (fd_write_all(STDOUT_FILENO, memory, len) == 0)
        return EXIT_DONE;
    return msg_fatal(s->msg, EXIT_SYSTEM, "write", "stdout", errno);
}

static int move_bytes(const struct shmdemo *s, enum command command)
{
    bool writing = command == WRITE;
    char *start = NULL;
    size_t len = 0;
    struct shmid_ds state = {0};
    int id = look(s, &state);
    if (id < 0)
        return failed(s, "find");
    char *memory = shmat(id, NULL, writing ? 0 : SHM_RDONLY);
    if (!is_attached(memory))
        return failed(s, "attach");
    int status = find_range(s, commands[command], memory, state.shm_segsz, &start, &len);
    if (status == EXIT_DONE)
        status = writing ? fill(s, start, len) : print(s, start, len);
    shmdt(memory);
    return status;
}

/* ---- perlipc's round trip ---- */

/*
 * A private segment that lives as long as we have it attached: it is marked for removal at once, so that the
 * kernel removes it at our end, whatever that is. Its identifier, or -1.
 */
static int attach_private(struct shmdemo *s, uint64_t size, char **memory)
{
    sigs_hold(); /* no signal comes between the two calls */
    int id = sysv_get(SYSV_SHM, &s->key, size, IPC_CREAT | (int)s->mode);
    if (id >= 0) {
        *memory = shmat(id, NULL, 0);
        int err = errno;
        if (shmctl(id, IPC_RMID, NULL) < 0 || !is_attached(*memory)) {
            errno = is_attached(*memory) ? errno : err;
            id = -1;
        }
    }
    sigs_release();
    return id;
}

static int round_trip(struct shmdemo *s, const char *word)
{
    static const char message[] = "Message #1";
    char text[MESSAGE_SIZE], mem[512], *memory;
    struct buf out = BUF(mem);
    uint64_t size = DEFAULT_SIZE;
    if (word && !num_size(word, MESSAGE_SIZE, size_max, &size))
        msg_usage(s->msg,
            "SIZE '%s': expected a size such as 2000, 64k or 1M, at least %d bytes, or a command", word,
            MESSAGE_SIZE);
    s->key = (struct sysv_key){.word = "private", .form = SYSV_PRIVATE, .key = IPC_PRIVATE};
    int id = attach_private(s, size, &memory);
    if (id < 0)
        return failed(s, "create");
    buf_fmt(&out, "shm key %d\n", id);
    strncpy(memory, message, MESSAGE_SIZE); /* the rest becomes zeros, as by perl's shmwrite */
    buf_fmt(&out, "wrote: '%s'\n", message);
    memcpy(text, memory, sizeof text);
    text[sizeof text - 1] = '\0';
    buf_fmt(&out, "read : '%s'\n", text);
    buf_text(&out, strcmp(text, message) == 0 ? "swell\n" : "unswell\n");
    buf_fmt(&out, "deleting shm %d\n", id);
    bool same = strcmp(text, message) == 0;
    shmdt(memory);
    int status = opts_print(s->msg, &out);
    return status == EXIT_DONE && !same ? EXIT_NO : status;
}

/* ---- the command line ---- */

static int run(struct shmdemo *s, enum command command, char **argv)
{
    size_t want = command == CREATE ? 2 : 1, words = 0;
    bool moves = command == WRITE || command == READ;
    if (s->has_mode && command != CREATE)
        msg_usage(s->msg, "--mode is valid only with create");
    if ((s->has_offset || s->has_length) && !moves)
        msg_usage(s->msg, "--offset and --length are valid only with write and read");
    if (s->json && command != STAT)
        msg_usage(s->msg, "--json is valid only with stat");
    while (argv[words])
        words++;
    if (words > want)
        msg_usage(s->msg, "unexpected operand '%s'", argv[want]);
    if (command == ROUND_TRIP)
        return round_trip(s, *argv);
    if (redis_name(s->msg, *argv))
        msg_usage(
            s->msg, "KEY '%s': the processes of one machine share memory: no server can hold it", *argv);
    sysv_key(&s->key, s->msg, *argv, command == CREATE ? SYSV_MAKES : SYSV_FINDS);
    switch (command) {
    case CREATE:
        return create(s, argv[1]);
    case STAT:
        return stat_segment(s);
    case RM:
        return rm(s);
    default:
        return move_bytes(s, command);
    }
}

static void take_option(struct shmdemo *s, int row, const struct opts *o)
{
    switch ((enum shmdemo_option)row) {
        MSG_OPTIONS(OPT_CASE)
        opts_level(s->msg, row);
        break;
    case OPT_MODE:
        s->has_mode = true;
        s->mode = sysv_mode(o);
        break;
    case OPT_OFFSET:
        s->has_offset = true;
        s->offset = opts_size(o, 0, size_max);
        break;
    case OPT_LENGTH:
        s->has_length = true;
        s->length = opts_size(o, 0, size_max);
        break;
    case OPT_JSON:
        s->json = true;
        break;
    }
}

static const struct cli cli = {
    .name = "shmdemo",
    .summary = "send a text through shared memory, or manage segments",
    .usage = "[SIZE]\n"
             "create [-m MODE] KEY SIZE\n"
             "write|read [--offset SIZE] [--length SIZE] KEY\n"
             "stat [--json] KEY\n"
             "rm KEY",
    .notes = "KEY: a number, 0x..., PATH[:ID], or id:N; create also accepts private, and prints id:N.",
    .commands = commands,
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int shmdemo_main(struct msg *m, int argc, char **argv)
{
    struct shmdemo s = {.msg = m, .mode = 0600};
    struct opts o;
    int row;
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&s, row, &o);
    const char *word = argv[o.first]; /* a SIZE, or what was meant as a command */
    bool demo = o.command < 0 && (!word || !isalpha((unsigned char)*word));
    return run(&s, demo ? ROUND_TRIP : (enum command)opts_command(&o), argv + o.first);
}

const struct applet applet_shmdemo = {.cli = &cli, .theme = THEME_SYSV, .main = shmdemo_main};
