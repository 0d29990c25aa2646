/*
 * report_sysv.c - System V objects, see report.h: in the kernel's words, which know who used an object last,
 * and nobody who holds it.
 */
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>

#include "status/lines.h"
#include "status/report.h"

enum { WORDS = 16, VALUES_MAX = 16 };

/* A column of a table in /proc/sysvipc, and the field that it becomes; NULL: none. */
static const struct table {
    const char *path;
    struct show_kind kind;
    const char *fields[WORDS];
} tables[] = {
    {"/proc/sysvipc/msg",
        {"queue", {"queue", "key", "mode", "user", "messages", "bytes", "last_sent_by", "last_received_by"}},
        {"key", "queue", "mode", "bytes", "messages", "last_sent_by", "last_received_by", "user", NULL, NULL,
            NULL, "last_sent", "last_received", "changed"}},
    {"/proc/sysvipc/sem",
        {"semset", {"semset", "key", "mode", "user", "semaphores", "values", "last_operation_by"}},
        {"key", "semset", "mode", "semaphores", "user", NULL, NULL, NULL, "last_operation", "changed"}},
    {"/proc/sysvipc/shm",
        {"segment",
            {"segment", "key", "mode", "user", "bytes", "attached", "created_by", "last_attached_by"}},
        {"key", "segment", "mode", "bytes", "created_by", "last_attached_by", "attached", "user", NULL, NULL,
            NULL, "last_attached", "last_detached", "changed"}},
};

static bool is_time(const char *field)
{
    return strcmp(field, "changed") == 0 || (strncmp(field, "last_", 5) == 0 && !strstr(field, "_by"));
}

static void put_word(struct show *s, const char *field, const char *word)
{
    char mem[32];
    struct buf text = BUF(mem);
    bool negative = *word == '-'; /* keys are, as the kernel prints them */
    long long n = (long long)lines_number(word + negative);
    n = negative ? -n : n;
    if (strcmp(field, "key") == 0) {
        buf_fmt(&text, "0x%08x", (unsigned)n);
        show_text(s, field, n ? buf_str(&text) : "private");
    } else if (strcmp(field, "mode") == 0) {
        size_t digits = strcspn(word, " ");
        buf_fmt(&text, "0%s", digits > 3 ? word + digits - 3 : word);
        show_textn(s, field, text.mem, 1 + (digits < 3 ? digits : 3));
    } else if (strcmp(field, "user") == 0) {
        report_user(s, (unsigned long)n);
    } else if (is_time(field)) {
        report_time(s, field, n);
    } else {
        show_num(s, field, n);
    }
}

static void put_numbers(struct show *s, const char *field, const struct buf *numbers)
{
    struct buf *member = show_member(s, field);
    if (member)
        buf_fmt(member, "[%.*s]", (int)numbers->len, numbers->mem);
    else
        show_textn(s, field, numbers->mem, numbers->len);
}

/* Each semaphore's value, and who used it last: for those who may read the set. */
static void put_values(struct show *s, int id, int n)
{
    char values_mem[VALUES_MAX * 12], pids_mem[VALUES_MAX * 12];
    struct buf values = BUF(values_mem), pids = BUF(pids_mem);
    for (int i = 0; i < n && i < VALUES_MAX; i++) {
        int value = semctl(id, i, GETVAL), pid = semctl(id, i, GETPID);
        if (value < 0 || pid < 0)
            return;
        buf_fmt(&values, "%s%d", i ? "," : "", value);
        buf_fmt(&pids, "%s%d", i ? "," : "", pid);
    }
    put_numbers(s, "values", &values);
    put_numbers(s, "last_operation_by", &pids);
}

static void put_object(struct show *s, const struct table *t, const char *line)
{
    show_begin(s, &t->kind);
    for (int i = 0; i < WORDS && *lines_word(line, i); i++)
        if (t->fields[i])
            put_word(s, t->fields[i], lines_word(line, i));
    if (strcmp(t->kind.type, "semset") == 0)
        put_values(s, (int)lines_number(lines_word(line, 1)), (int)lines_number(lines_word(line, 3)));
    show_end(s);
}

int report_sysv(struct show *s)
{
    struct lines table;
    const char *line;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        int opened = lines_open(&table, tables[i].path);
        if (opened < 0)
            return -1;
        if (!opened)
            continue;
        lines_next(&table); /* the heads */
        while ((line = lines_next(&table)))
            put_object(s, &tables[i], line);
        if (lines_close(&table) < 0)
            return -1;
    }
    return 0;
}
