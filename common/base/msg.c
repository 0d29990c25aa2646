/*
 * msg.c - see msg.h.
 */
#include "base/msg.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/place.h"
#include "base/speak.h"

static void add_key(struct event *e, const char *key)
{
    buf_char(&e->line, ',');
    buf_json(&e->line, key, strlen(key));
    buf_char(&e->line, ':');
}

/* A number of at least that many digits: vsnprintf(3) costs ten times as much, for every line. */
static void add_digits(struct buf *b, unsigned long n, int digits, char behind)
{
    char text[8];
    for (int i = digits; i-- > 0; n /= 10)
        text[i] = (char)('0' + n % 10);
    buf_bytes(b, text, (size_t)digits);
    buf_char(b, behind);
}

void msg_timestamp(struct buf *b)
{
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    add_digits(b, (unsigned long)tm.tm_year + 1900, 4, '-');
    add_digits(b, (unsigned long)tm.tm_mon + 1, 2, '-');
    add_digits(b, (unsigned long)tm.tm_mday, 2, 'T');
    add_digits(b, (unsigned long)tm.tm_hour, 2, ':');
    add_digits(b, (unsigned long)tm.tm_min, 2, ':');
    add_digits(b, (unsigned long)tm.tm_sec, 2, '.');
    add_digits(b, (unsigned long)now.tv_nsec / 1000, 6, 'Z');
}

void event_begin(struct event *e, const struct msg *m, const char *name)
{
    e->msg = m;
    /* the end is kept for what event_send adds */
    e->line = (struct buf){.mem = e->mem, .size = sizeof e->mem - 2};
    if (!m->json) {
        buf_text(&e->line, m->applet);
        buf_text(&e->line, ": ");
        return;
    }
    buf_text(&e->line, "{\"ts\":\"");
    msg_timestamp(&e->line);
    buf_char(&e->line, '"');
    event_str(e, "applet", m->applet);
    event_num(e, "pid", getpid());
    event_str(e, "event", name);
}

/* A field whole or not at all, so that the line stays JSON however long the values are. */
static void end_field(struct event *e, size_t before)
{
    if (e->line.cut)
        e->line.len = before;
    e->line.cut = false;
}

void event_num(struct event *e, const char *key, long long value)
{
    if (!e->msg->json)
        return;
    size_t before = e->line.len;
    add_key(e, key);
    if (value < 0)
        buf_char(&e->line, '-');
    buf_num(&e->line, value < 0 ? -(unsigned long long)value : (unsigned long long)value);
    end_field(e, before);
}

void event_strn(struct event *e, const char *key, const char *value, size_t n)
{
    if (!e->msg->json)
        return;
    size_t before = e->line.len;
    add_key(e, key);
    buf_json(&e->line, value, n);
    end_field(e, before);
}

void event_str(struct event *e, const char *key, const char *value)
{
    event_strn(e, key, value, strlen(value));
}

void event_text(struct event *e, const char *format, ...)
{
    if (e->msg->json)
        return;
    va_list ap;
    va_start(ap, format);
    buf_vfmt(&e->line, format, ap);
    va_end(ap);
}

/* Finishes the line that was begun. */
static struct buf whole_line(struct event *e)
{
    struct buf whole = {.mem = e->mem, .len = e->line.len, .size = sizeof e->mem};
    if (e->msg->json)
        buf_char(&whole, '}');
    buf_char(&whole, '\n');
    return whole;
}

/* With those before it that were lost, in one write. */
static void send_after_lost(const struct msg *m, const struct buf *line)
{
    char mem[sizeof(struct event) + 256];
    struct buf both = BUF(mem);
    struct event e;
    event_begin(&e, m, "lost");
    event_num(&e, "messages", (long long)speak_lost());
    event_text(&e, "%lu messages were lost: nobody read them", speak_lost());
    struct buf report = whole_line(&e);
    buf_bytes(&both, report.mem, report.len);
    buf_bytes(&both, line->mem, line->len);
    speak(both.mem, both.len);
}

void event_send(struct event *e)
{
    struct buf whole = whole_line(e);
    if (speak_lost())
        send_after_lost(e->msg, &whole);
    else
        speak(whole.mem, whole.len);
}

enum { OBJECT_MAX = 400 }; /* escaped, it may be four times as long: the reason must not be what is cut off */

static void say(const struct msg *m, const char *action, const char *object, const char *why)
{
    struct event e;
    event_begin(&e, m, "error");
    if (action)
        event_str(&e, "action", action);
    if (object)
        event_str(&e, "object", object);
    if (why)
        event_str(&e, "reason", why);
    event_text(&e, "%s", action ? action : "");
    if (object && !m->json) {
        size_t n = strlen(object);
        buf_text(&e.line, action ? " " : "");
        buf_escaped(&e.line, object, n > OBJECT_MAX ? OBJECT_MAX : n);
        buf_text(&e.line, n > OBJECT_MAX ? "..." : "");
    }
    if (why)
        event_text(&e, ": %s", why);
    event_send(&e);
}

void msg_error_why(const struct msg *m, const char *action, const char *object, const char *why)
{
    if (m->level > MSG_QUIET)
        say(m, action, object, why);
}

void msg_error(const struct msg *m, const char *action, const char *object, int err)
{
    msg_error_why(m, action, object, err ? place_error(err) : NULL);
}

int msg_fatal_why(const struct msg *m, int status, const char *action, const char *object, const char *why)
{
    say(m, action, object, why);
    return status;
}

int msg_fatal(const struct msg *m, int status, const char *action, const char *object, int err)
{
    return msg_fatal_why(m, status, action, object, err ? place_error(err) : NULL);
}

int msg_fatal_file(const struct msg *m, const char *action, const char *path, int err)
{
    char mem[PATH_MAX];
    struct stat st;
    size_t len = strlen(path);
    if ((err != ENOENT && err != ENOTDIR) || len >= sizeof mem)
        return msg_fatal(m, EXIT_SYSTEM, action, path, err);
    memcpy(mem, path, len + 1);
    const char *directory = dirname(mem);
    bool missing = stat(directory, &st) < 0 || !S_ISDIR(st.st_mode);
    return msg_fatal(m, EXIT_SYSTEM, missing ? NULL : action, missing ? directory : path, err);
}

void msg_die(const struct msg *m, int status, const char *action, const char *object, int err)
{
    exit(msg_fatal(m, status, action, object, err));
}

void msg_die_sys(const struct msg *m, const char *action, const char *object)
{
    msg_die(m, EXIT_SYSTEM, action, object, errno);
}

static const int faults[] = {ENOMEM, EMFILE, ENFILE, EIO};

bool msg_is_fault(int err)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (err == faults[i])
            return true;
    return false;
}

static bool tells_fault(const char *why)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (strcmp(why, strerror(faults[i])) == 0)
            return true;
    return false;
}

static _Noreturn void refuse(const struct msg *m, const struct buf *text, int status)
{
    char mem[4096];
    struct buf line = BUF(mem);
    buf_fmt(&line, "%s: ", m->applet);
    buf_escaped(&line, text->mem, text->len);
    if (status == EXIT_USAGE) {
        buf_text(&line, "\nTry '");
        if (m->link)
            buf_escaped(&line, m->link, strlen(m->link));
        else
            buf_fmt(&line, "ipcbox %s", m->applet);
        buf_text(&line, " --help'.");
    }
    buf_text(&line, "\n");
    speak(line.mem, line.len);
    exit(status);
}

void msg_usage(const struct msg *m, const char *format, ...)
{
    char mem[1024];
    struct buf text = BUF(mem);
    va_list ap;
    va_start(ap, format);
    buf_vfmt(&text, format, ap);
    va_end(ap);
    refuse(m, &text, EXIT_USAGE);
}

void msg_refuse(const struct msg *m, const char *what, const char *value, const char *why)
{
    enum { SHOWN = 256 };
    char mem[1024];
    struct buf text = BUF(mem);
    buf_text(&text, what);
    if (value)
        buf_fmt(&text, "%s'%.*s%s'", *what ? " " : "", SHOWN, value, strlen(value) > SHOWN ? "..." : "");
    buf_fmt(&text, ": %s", why);
    refuse(m, &text, tells_fault(why) ? EXIT_SYSTEM : EXIT_USAGE);
}
