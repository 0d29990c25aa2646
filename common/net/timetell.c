/*
 * timetell.c - see timetell.h.
 */
#include "net/timetell.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/date.h"
#include "base/fd.h"
#include "base/speak.h"
#include "net/addr_words.h"

enum { HOST_MAX = 255, LINE_SIZE = 4096, PROGRESS_MS = 100 };

static void clear_progress(struct timetell *t)
{
    if (t->progress_shown)
        speak("\r\033[K", 4);
    t->progress_shown = false;
}

void timetell_progress(struct timetell *t, size_t done, size_t n, size_t silent)
{
    char mem[128];
    struct buf line = BUF(mem);
    if (!t->progress || clock_left(t->next_progress))
        return;
    t->next_progress = clock_in(PROGRESS_MS * CLOCK_MS);
    buf_fmt(&line, "\r%s: %zu of %zu hosts, %zu silent\033[K", t->msg->applet, done, n, silent);
    speak(line.mem, line.len);
    t->progress_shown = true;
}

static void write_out(struct timetell *t, const char *bytes, size_t n)
{
    clear_progress(t);
    if (fd_write_all(STDOUT_FILENO, bytes, n) < 0)
        msg_die_sys(t->msg, "write", "stdout");
}

void timetell_flush(struct timetell *t)
{
    if (t->len)
        write_out(t, t->lines, t->len);
    t->len = 0;
}

static void print(struct timetell *t, const struct buf *line)
{
    if (!t->lines) {
        write_out(t, line->mem, line->len);
        return;
    }
    if (line->len > TIMETELL_ROOM - t->len)
        timetell_flush(t);
    memcpy(t->lines + t->len, line->mem, line->len);
    t->len += line->len;
}

void timetell_check(const struct msg *m, char *const *hosts)
{
    for (char *const *host = hosts; *host; host++)
        addr_host_operand(m, *host);
    if (!*hosts)
        msg_usage(m, "missing HOST");
    for (; *hosts; hosts++)
        if (!**hosts || strlen(*hosts) > HOST_MAX)
            msg_usage(m, "host '%.40s': expected 1 to %d bytes", *hosts, HOST_MAX);
}

static void add_json_host(struct buf *line, const char *host)
{
    buf_text(line, "{\"host\":");
    buf_json(line, host, strlen(host));
}

static void add_json_time(struct buf *line, int64_t there)
{
    buf_text(line, ",\"time\":\"");
    date_utc(line, (time_t)there);
    buf_fmt(line, "\",\"unix\":%lld}\n", (long long)there);
}

/* The name, padded to its column, and a blank. */
static void add_host(const struct timetell *t, struct buf *line, const char *host)
{
    size_t width = line->len + (size_t)t->width;
    buf_escaped(line, host, strlen(host));
    while (line->len < width)
        buf_char(line, ' ');
    buf_char(line, ' ');
}

void timetell_time(struct timetell *t, const char *host, int64_t there, int64_t here)
{
    char mem[LINE_SIZE];
    struct buf line = BUF(mem);
    long long offset = (long long)(there - here);
    if (t->json) {
        add_json_host(&line, host);
        buf_fmt(&line, ",\"offset\":%lld", offset);
        add_json_time(&line, there);
    } else {
        add_host(t, &line, host);
        buf_fmt(&line, "%8lld ", offset);
        date_local(&line, (time_t)there);
        buf_char(&line, '\n');
    }
    print(t, &line);
}

void timetell_sntp(struct timetell *t, const char *host, const struct sntp *s, int64_t here_ns)
{
    char mem[LINE_SIZE];
    struct buf line = BUF(mem);
    double offset = (double)s->offset / 1e6, delay = (double)s->delay / 1e6;
    int64_t there = (here_ns + s->offset) / 1000000000;
    if (t->json) {
        add_json_host(&line, host);
        buf_fmt(
            &line, ",\"offset_ms\":%.3f,\"round_trip_ms\":%.3f,\"stratum\":%d", offset, delay, s->stratum);
        add_json_time(&line, there);
    } else {
        add_host(t, &line, host);
        buf_fmt(&line, "%12.3f %8.3f ", offset, delay);
        date_local(&line, (time_t)there);
        buf_char(&line, '\n');
    }
    print(t, &line);
}

void timetell_silent(struct timetell *t, const char *host, const char *why)
{
    char mem[LINE_SIZE];
    struct buf line = BUF(mem);
    t->silent++;
    clear_progress(t);
    if (!t->json) {
        msg_error_why(t->msg, "ask", host, why);
        return;
    }
    add_json_host(&line, host);
    buf_text(&line, ",\"error\":");
    buf_json(&line, why, strlen(why));
    buf_text(&line, "}\n");
    print(t, &line);
}
