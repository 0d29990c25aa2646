/*
 * serve_loop.h - the inside of serve.h: the loop (serve_loop.c), what becomes of a connection
 * (serve_conn.c), the start of its program (serve_start.c), and what is kept of each child and client
 * (serve_state.c). None calls one that is named before it.
 */
#ifndef SERVE_LOOP_H
#define SERVE_LOOP_H

#include "serve/serve.h"

#define SERVE_NO_ACCEPT INT64_MIN /* in rate.times: that many have not been accepted yet */

struct serve_child {
    pid_t pid; /* the key */
    unsigned char client[ADDR_KEY_SIZE];
};

/* A start that is on its way, or an idle record. */
struct serve_start {
    struct start *record;
    pid_t pid; /* 0: idle */
};

struct serve_client {
    unsigned char key[ADDR_KEY_SIZE];
    unsigned long connections;
};

/* From readiness to the end; what serve_run returns. */
int serve_loop(struct serve *s);

/* A new connection, whose fd becomes ours: goes as far as it can without waiting. */
void serve_welcome(struct serve *s, struct serve_conn *c);

/* One whose preamble, if any, has been read: admits it and starts its program. */
void serve_admit(struct serve *s, struct serve_conn *c);

/* Starts the program of an admitted connection, or keeps the connection until it can. */
void serve_start(struct serve *s, struct serve_conn *c);

/*
 * Starts our program for c, with `in` and `out` as fds 0 and 1, which stay the caller's. The pid, or -1 with
 * errno and *failed.
 */
pid_t serve_spawn(struct serve *s, const struct serve_conn *c, int in, int out, const char **failed);

/* Notes a child, for which table_reserve has made room. */
void serve_note_child(struct serve *s, const struct serve_conn *c, pid_t pid);

/* Takes note of starts that wait for memory, or don't any more. */
void serve_look_at_starts(struct serve *s);

/* That child has been reaped: if its start has failed, reports why. */
void serve_start_is_over(struct serve *s, pid_t pid);

/*
 * Until no start is on its way, a second at most: a child that has not got to its program has a copy of our
 * listeners, and who starts us again must find their addresses free; and one that failed is reported.
 */
void serve_wait_for_starts(struct serve *s);

/* One connection less for that client. */
void serve_forget_client(struct serve *s, const unsigned char *key);

/* Hangs up. */
void serve_drop(struct serve_conn *c);

/* Takes note of all programs that have ended. */
void serve_reap(struct serve *s);

/*
 * The same, now or a little later (s->reap_at). Where thousands of programs live, the kernel looks at all of
 * them to find those that have ended. Those that were started last are the likeliest, and each of them can be
 * asked for by itself.
 */
void serve_reap_soon(struct serve *s);

/* Connections that we have taken on and not seen the end of. */
unsigned long serve_active(const struct serve *s);

/* After a shortage (errno) that time or the end of a program will mend: says it once, accepts nothing for a
 * while. */
void serve_pause(struct serve *s, const char *action);

/*
 * Brings the page up to date, ten times a second at most. How long the next time may be waited for:
 * CLOCK_NEVER if it is up to date.
 */
int64_t serve_show_status(struct serve *s);

/* The counters, when they were asked for or with -v. */
void serve_say_status(const struct serve *s, bool asked);

#endif
