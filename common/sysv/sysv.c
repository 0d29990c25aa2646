/*
 * sysv.c - see sysv.h.
 */
#include "sysv/sysv.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <unistd.h>

#include "base/date.h"
#include "base/fd.h"
#include "base/num.h"

/* ---- keys ---- */

static bool hex(const char *digits, uint64_t *out)
{
    size_t n = strspn(digits, "0123456789abcdefABCDEF");
    *out = 0;
    if (!n || n > 8 || digits[n])
        return false;
    for (; *digits; digits++)
        *out = *out << 4 | (uint64_t)(*digits <= '9' ? *digits - '0' : (*digits | 0x20) - 'a' + 10);
    return *out > 0;
}

/* PATH[:ID]: the ID stands behind the last colon, if that comes behind the last slash. */
static void key_of_path(struct sysv_key *k, const struct msg *m)
{
    char path[PATH_MAX];
    uint64_t id = 1;
    const char *colon = strchr(strrchr(k->word, '/'), ':');
    while (colon && strchr(colon + 1, ':') && colon[2] != '\0')
        colon = strchr(colon + 1, ':');
    size_t len = colon ? (size_t)(colon - k->word) : strlen(k->word);
    if (len >= sizeof path)
        msg_die(m, EXIT_SYSTEM, "ftok", k->word, ENAMETOOLONG);
    memcpy(path, k->word, len);
    path[len] = '\0';
    if (colon && !num_u64(colon + 1, 1, 255, &id)) {
        if (!colon[1] || colon[2] || (colon[1] >= '0' && colon[1] <= '9'))
            msg_usage(m, "KEY '%s': expected PATH:ID with an ID from 1 to 255, or one character", k->word);
        id = (unsigned char)colon[1];
    }
    k->key = ftok(path, (int)id);
    if (k->key == -1)
        msg_die_sys(m, "ftok", path);
}

void sysv_key(struct sysv_key *k, const struct msg *m, const char *word, enum sysv_use use)
{
    uint64_t number;
    if (!word)
        msg_usage(m, "missing KEY");
    *k = (struct sysv_key){.word = word, .form = SYSV_KEY};
    if (strchr(word, '/')) {
        key_of_path(k, m);
    } else if (strcmp(word, "private") == 0) {
        if (use != SYSV_MAKES)
            msg_usage(m, "KEY private is valid only where an object is created; id:N names an existing one");
        k->form = SYSV_PRIVATE;
        k->key = IPC_PRIVATE;
    } else if (strncmp(word, "id:", 3) == 0 && num_u64(word + 3, 0, INT_MAX, &number)) {
        if (use != SYSV_FINDS)
            msg_usage(m, "KEY '%s' names an existing object: none can be created with it", word);
        k->form = SYSV_ID;
        k->id = (int)number;
    } else if (strncmp(word, "0x", 2) == 0 ? hex(word + 2, &number) : num_u64(word, 1, UINT32_MAX, &number)) {
        k->key = (key_t)(uint32_t)number;
    } else {
        msg_usage(m, "KEY '%s': expected a number from 1 to 4294967295, 0x..., PATH[:ID]%s", word,
            use == SYSV_MAKES   ? " or private"
            : use == SYSV_FINDS ? " or id:N"
                                : "");
    }
}

unsigned sysv_mode(const struct opts *o)
{
    unsigned mode = opts_mode(o);
    if (mode > 0777)
        opts_wrong(o, "expected an octal mode from 0 to 0777");
    return mode;
}

int sysv_get(enum sysv_kind kind, const struct sysv_key *k, size_t size, int flags)
{
    if (k->form == SYSV_ID)
        return k->id;
    switch (kind) {
    case SYSV_SHM:
        return shmget(k->key, size, flags);
    case SYSV_SEM:
        return semget(k->key, (int)size, flags);
    default:
        return msgget(k->key, flags);
    }
}

/* ---- errors ---- */

static const struct {
    enum sysv_kind kind;
    int err;
    bool makes; /* when one is made */
    const char *advice;
} advices[] = {
    {SYSV_SHM, EINVAL, true, "kernel.shmmax does not allow that size"},
    {SYSV_SHM, ENOENT, false, "no such segment; 'shmdemo create' creates one"},
    {SYSV_SHM, ENOSPC, true,
        "a limit is reached: 'ipcs -m' lists the segments; see kernel.shmmni and kernel.shmall"},
    {SYSV_SHM, ENOMEM, true, "not enough memory for it"},
    {SYSV_SEM, EFBIG, false, "the set has no semaphore with that number"},
    {SYSV_SEM, EINVAL, true, "kernel.sem does not allow that many semaphores in a set"},
    {SYSV_SEM, EINVAL, false, "it no longer exists, or has no semaphore with that number"},
    {SYSV_SEM, ENOLCK, true, "a shared memory segment is needed meanwhile: see 'ipcs -m' and kernel.shmmni"},
    {SYSV_SEM, ENOENT, false, "no such set; 'semset create' or 'semtake --create' creates one"},
    {SYSV_SEM, EPERM, true, "another user has created it and given it no value; 'semset rm' removes it"},
    {SYSV_SEM, ENOSPC, true, "a limit is reached: 'ipcs -s' lists the sets; see kernel.sem"},
    {SYSV_SEM, ERANGE, false, "its value would be out of range (0 to 32767)"},
    {SYSV_MSG, ENOENT, false, "no such queue; 'msgdemo create' or 'msgsend --create' creates one"},
    {SYSV_MSG, ENOSPC, true, "a limit is reached: 'ipcs -q' lists the queues; see kernel.msgmni"},
};

/* What is the same for all three. */
static const char *general_advice(int err)
{
    switch (err) {
    case EACCES:
        return "its mode denies access to this user";
    case EPERM:
        return "only its owner, its creator and root may do that";
    case EEXIST:
        return "it already exists";
    case ETIMEDOUT:
        return "another process is creating it and does not finish";
    case EIDRM:
        return "it has been removed";
    case EINVAL:
        return "it no longer exists";
    default:
        return NULL;
    }
}

int sysv_failed(const struct msg *m, enum sysv_kind kind, const char *what, const struct sysv_key *k, int err)
{
    char mem[256];
    struct buf why = BUF(mem);
    const char *advice = general_advice(err);
    bool makes = strcmp(what, "create") == 0;
    for (size_t i = 0; i < sizeof advices / sizeof *advices; i++)
        if (advices[i].kind == kind && advices[i].err == err && advices[i].makes == makes)
            advice = advices[i].advice;
    if (err == EEXIST) {
        msg_error_why(m, what, k->word, advice);
        return EXIT_NO;
    }
    if ((err != EFBIG && err != ENOENT) || !advice) /* these have nothing to do with files */
        buf_fmt(&why, "%s%s", strerror(err), advice ? ": " : "");
    if (advice)
        buf_text(&why, advice);
    return msg_fatal_why(m, EXIT_SYSTEM, what, k->word, buf_str(&why));
}

static void remove_object(enum sysv_kind kind, int id)
{
    switch (kind) {
    case SYSV_SHM:
        shmctl(id, IPC_RMID, NULL);
        break;
    case SYSV_SEM:
        semctl(id, 0, IPC_RMID);
        break;
    case SYSV_MSG:
        msgctl(id, IPC_RMID, NULL);
        break;
    }
}

int sysv_made(const struct msg *m, enum sysv_kind kind, const struct sysv_key *k, int id)
{
    char mem[32];
    struct buf line = BUF(mem);
    if (k->form != SYSV_PRIVATE)
        return EXIT_DONE;
    buf_fmt(&line, "id:%d\n", id);
    if (fd_write_all(STDOUT_FILENO, line.mem, line.len) == 0)
        return EXIT_DONE;
    int err = errno;
    remove_object(kind, id);
    return msg_fatal(m, EXIT_SYSTEM, "write", "stdout", err);
}

/* ---- reports ---- */

enum { REPORT_TEXT = 128, REPORT_ROOM = 7 * REPORT_TEXT }; /* \\u00XX a byte, at most */

/* Makes room for one more value. */
static void flush(struct sysv_report *r, size_t room)
{
    if (r->out.size - r->out.len >= room)
        return;
    if (!r->failed && fd_write_all(STDOUT_FILENO, r->out.mem, r->out.len) < 0)
        r->failed = errno;
    r->out.len = 0;
}

/* What comes before a value: `"name":` in JSON, `name ` in text. */
static void add_name(struct sysv_report *r, const char *name)
{
    flush(r, REPORT_ROOM);
    if (r->json)
        buf_fmt(&r->out, "%s\"%s\":", r->first ? "" : ",", name);
    else
        buf_fmt(&r->out, "%s%s ", r->first ? "" : r->in_item ? " " : "\n", name);
    r->first = false;
}

void sysv_report_text(struct sysv_report *r, const char *name, const char *text, size_t n)
{
    add_name(r, name);
    (r->json ? buf_json : buf_escaped)(&r->out, text, n < REPORT_TEXT ? n : REPORT_TEXT);
}

static void add_text(struct sysv_report *r, const char *name, const char *value)
{
    sysv_report_text(r, name, value, strlen(value));
}

void sysv_report_num(struct sysv_report *r, const char *name, unsigned long long value)
{
    add_name(r, name);
    buf_num(&r->out, value);
}

void sysv_report_time(struct sysv_report *r, const char *name, time_t when)
{
    char mem[40];
    struct buf text = BUF(mem);
    if (!when && r->json) {
        add_name(r, name);
        buf_text(&r->out, "null");
        return;
    }
    if (when)
        date_utc(&text, when);
    add_text(r, name, text.len ? buf_str(&text) : "never");
}

void sysv_report_start(struct sysv_report *r, bool json)
{
    *r = (struct sysv_report){.json = json, .first = true};
    r->out = BUF(r->mem);
    if (json)
        buf_char(&r->out, '{');
}

void sysv_report_begin(struct sysv_report *r, bool json, int id, const struct ipc_perm *perm)
{
    char mem[32];
    struct buf b = BUF(mem);
    sysv_report_start(r, json);
    sysv_report_num(r, "id", (unsigned)id);
    buf_fmt(&b, "0x%08x", (unsigned)perm->__key);
    add_text(r, "key", buf_str(&b));
    b.len = 0;
    buf_fmt(&b, "%04o", perm->mode & 0777u);
    add_text(r, "mode", buf_str(&b));
    sysv_report_num(r, "uid", perm->uid);
    sysv_report_num(r, "gid", perm->gid);
    sysv_report_num(r, "creator_uid", perm->cuid);
    sysv_report_num(r, "creator_gid", perm->cgid);
}

void sysv_report_list(struct sysv_report *r, const char *name)
{
    if (!r->json)
        return;
    add_name(r, name);
    buf_char(&r->out, '[');
}

void sysv_report_item(struct sysv_report *r, const char *name, unsigned long long number)
{
    flush(r, 256);
    buf_text(&r->out, !r->json ? "\n" : r->in_item ? "},{" : "{");
    r->in_item = r->first = true;
    sysv_report_num(r, name, number);
}

void sysv_report_list_end(struct sysv_report *r)
{
    if (r->json)
        buf_text(&r->out, r->in_item ? "}]" : "]");
    r->in_item = false;
}

int sysv_report_end(struct sysv_report *r, const struct msg *m)
{
    buf_text(&r->out, r->json ? "}\n" : "\n");
    flush(r, r->out.size);
    if (!r->failed)
        return EXIT_DONE;
    return msg_fatal(m, EXIT_SYSTEM, "write", "stdout", r->failed);
}
