/*
 * msg.h - what an applet says on stderr, and how a program ends with a message.
 *
 * A message is one line, `applet: action object: reason`, in one write(2), so that the lines of concurrent
 * processes never mix. Objects are escaped. With --log-format=json every line is an object (RFC 8259) with
 * ts, applet, pid and event. A message that nobody reads is given up after a short time (speak.h); the next
 * one that gets through says how many were.
 */
#ifndef MSG_H
#define MSG_H

#include "base/buf.h"
#include "base/exitcode.h"

struct msg {
    const char *applet;
    const char *link; /* the name that it was called by, which may have a prefix; NULL: as `ipcbox APPLET` */
    enum { MSG_QUIET, MSG_NORMAL, MSG_VERBOSE } level;
    bool json;
};

/*
 * `applet: action object: reason`; err is an errno, 0 for none. object may be NULL, and so may action, where
 * the object alone says it: `applet: object: reason`. Not when quiet.
 */
void msg_error(const struct msg *m, const char *action, const char *object, int err);

/* The same whatever the level: what ends the process with that status, which it returns. */
int msg_fatal(const struct msg *m, int status, const char *action, const char *object, int err);

/* msg_error and msg_fatal with a reason that is no errno, or NULL. */
void msg_error_why(const struct msg *m, const char *action, const char *object, const char *why);
int msg_fatal_why(const struct msg *m, int status, const char *action, const char *object, const char *why);

/*
 * msg_fatal with EXIT_SYSTEM for a file that was to be made: where its directory is what is missing, that is
 * named alone, `applet: DIRECTORY: No such file or directory`.
 */
int msg_fatal_file(const struct msg *m, const char *action, const char *path, int err);

/* msg_fatal, then exit. */
_Noreturn void msg_die(const struct msg *m, int status, const char *action, const char *object, int err);

/* msg_die with EXIT_SYSTEM and errno. */
_Noreturn void msg_die_sys(const struct msg *m, const char *action, const char *object);

/* A usage error: what is wrong, `Try 'NAME --help'.`, exit 100. */
__attribute__((format(printf, 2, 3))) _Noreturn void msg_usage(const struct msg *m, const char *format, ...);

/*
 * The same for what a parser has refused: `applet: WHAT 'VALUE': WHY`; a value that is very long is cut.
 * Without a value (NULL), `applet: WHAT: WHY`. If WHY is the text of a fault of the machine: exit 111,
 * without the hint.
 */
_Noreturn void msg_refuse(const struct msg *m, const char *what, const char *value, const char *why);

/* Whether it is the machine that fails, not what the user asks for: no memory, no descriptors, a disk. */
bool msg_is_fault(int err);

/* Adds the time: RFC 3339, UTC, microseconds. */
void msg_timestamp(struct buf *b);

/*
 * An event of a long-running applet: the text form is what event_text adds, the JSON form the fields.
 *     event_begin(&e, m, "end"); event_num(&e, "child", pid); event_text(&e, "end %d", pid); event_send(&e);
 */
struct event {
    const struct msg *msg;
    struct buf line;
    char mem[2048];
};

void event_begin(struct event *e, const struct msg *m, const char *name);
void event_num(struct event *e, const char *key, long long value);
void event_str(struct event *e, const char *key, const char *value);
void event_strn(struct event *e, const char *key, const char *value, size_t n);
__attribute__((format(printf, 2, 3))) void event_text(struct event *e, const char *format, ...);
void event_send(struct event *e);

#endif
