/*
 * coproc.h - what open2 and open3 share: a program with both its ends in somebody's hands.
 *
 * With two programs SERVER and CLIENT are joined both ways by pipes and we only wait (but for --pty). With
 * one, we relay: nothing that the program does or fails to do can block us (perlipc, "Bidirectional
 * Communication with Another Process").
 */
#ifndef COPROC_H
#define COPROC_H

#include "process/job.h"

#define COPROC_OPTIONS(X)                                                                             \
    JOB_OPTIONS(X)                                                                                    \
    X(PTY, 0, "pty", "[out|both]", "give SERVER a terminal as stdout, or as stdin and stdout (out)")  \
    X(SOCKETPAIR, 0, "socketpair", NULL, "connect to SERVER by two socketpairs, not by two pipes")    \
    X(CROSS, 'x', "cross", NULL, "connect SERVER to CLIENT's stdin and stdout, not to fds 6 and 7")   \
    X(LOCK_STEP, 'l', "lock-step", NULL, "send a line only after the answer to the one before it")    \
    X(LINES, 0, "lines", "N", "expect N lines as each answer; needs -l (1)")                          \
    X(UNTIL, 0, "until", "TEXT", "expect each answer to end with TEXT; needs -l")                     \
    X(END, 0, "end", "answer|error", "what an exit with status 0 is; needs -l (answer)")              \
    X(GREETING, 0, "greeting", NULL, "expect an answer before the first line is sent; needs -l")      \
    X(TIMEOUT, 't', "timeout", "TIME", "exit 124 if an answer takes longer than TIME; needs -l (60)") \
    X(GRACE, 'k', "kill-after", "TIME", "send SIGTERM if SERVER has not exited TIME after CLIENT (10)")

struct coproc {
    struct job job; /* 0 is SERVER, 1 is CLIENT */
    bool with_stderr;
    bool tag;
    enum { PTY_NONE, PTY_OUT, PTY_BOTH } pty;
    bool socketpair, cross;
    bool lock_step, greeting;
    bool for_answers;  /* options were given that need lock_step */
    bool end_is_error; /* PROG's exit with status 0, while it owes an answer */
    bool hung_up;      /* we have, on PROG's terminal, so that it ends */
    uint64_t lines;
    const char *until; /* NULL: lines count */
    int64_t timeout, grace;
    /* the other ends of SERVER's stdin, stdout and stderr, which we relay; ours to close. -1: none */
    int to_server, from_server, from_stderr;
    /* what they are relayed from and to: our stdio, or CLIENT's pipes */
    int source, sink;
};

void coproc_init(struct coproc *c, struct msg *m);

/* Takes an option whose row is one of COPROC_OPTIONS. */
void coproc_option(struct coproc *c, int row, const struct opts *o);

/* Runs the programs that the words name. The exit status; may die of the signal that SERVER died of. */
int coproc_run(struct coproc *c, char **words);

/* coproc_relay.c: relays until it is over. 0, or the exit status of a failure of ours, which has been said.
 */
int coproc_relay(struct coproc *c);

#endif
