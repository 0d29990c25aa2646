/*
 * serve.h - what tcpserver and unixserver share: a program per connection, within limits.
 *
 * One process, one loop: it accepts while it may, starts programs, reaps them, and takes signals at one safe
 * point. After it is ready nothing that happens to one connection, and no shortage of fds, memory or
 * processes, ends it: it says so once, waits, and goes on; a connection that was accepted is kept until its
 * program can be started.
 */
#ifndef SERVE_H
#define SERVE_H

#include "net/addr.h"
#include "base/env.h"
#include "process/notify.h"
#include "cli/opts.h"
#include "process/spawn.h"
#include "base/table.h"
#include "process/user.h"

/* The options of both, first in each applet's list and in this order. */
#define SERVE_OPTIONS(X)                                                                              \
    READY_OPTIONS(X, "port or path")                                                                  \
    X(BACKLOG, 'b', "backlog", "N", "set the listen backlog to N connections (4096)")                 \
    X(BANNER, 'B', "banner", "TEXT", "send TEXT to each client on connection")                        \
    X(LIMIT, 'c', "concurrency", "N", "run at most N programs at a time; other clients wait (40)")    \
    X(PER_CLIENT, 'C', "per-client", "N[:MESSAGE]",                                                   \
        "serve at most N connections per client; send others MESSAGE")                                \
    USER_OPTIONS(X, "switch to USER and its groups once listening", "switch to GROUP once listening") \
    X(NO_NEW_PRIVS, 0, "no-new-privs", NULL, "deny programs the privileges of set-user-ID files")     \
    X(USER_ENV, 'U', "user-from-env", NULL, "switch to the ids in $UID and $GID once listening")      \
    X(QUIET, 'q', "quiet", NULL, "print only fatal errors")                                           \
    X(ERRORS, 'Q', "errors", NULL, "print errors (default)")                                          \
    X(VERBOSE, 'v', "verbose", NULL, "also log every connection")                                     \
    X(RATE, 0, "rate", "N/TIME", "accept at most N connections in any period of TIME")                \
    X(DRAIN, 0, "drain", "TIME", "wait TIME for programs to exit after SIGTERM, then terminate them") \
    X(MAX, 0, "max", "N", "exit after N connections")                                                 \
    X(INHERIT, 0, "inherit", "[NAME]", "use the listening sockets passed in LISTEN_FDS")              \
    LOG_OPTIONS(X)

/* A connection on its way to its program. */
struct serve_conn {
    int fd; /* serve's to close */
    struct addr local, remote;
    struct ucred peer;
    unsigned char key[ADDR_KEY_SIZE]; /* who counts as the same client */
    unsigned long client_connections; /* how many that client has, with this one */
    void *preamble;                   /* of kind->preamble, malloc(3)ed, serve's to free */
    int64_t deadline;                 /* of the preamble */
};

/* What differs between the two. Each gets the applet's own state as `owner`. */
struct serve_kind {
    /* Fills local, remote, peer. False: hang up; why has been said. */
    bool (*identify)(void *owner, struct serve_conn *c);
    /*
     * Reads what comes before the program's own data, without waiting: 1 when it is whole, 0 when there is
     * more to come, -1 when it is wrong (said). NULL: nothing comes.
     */
    int (*preamble)(void *owner, struct serve_conn *c);
    const char *preamble_name;
    /* Whether the client may; fills key. False: hang up; that has been said. */
    bool (*admit)(void *owner, struct serve_conn *c);
    /* Puts what the program is told into e. 0, or -1 with ENOMEM. *pid_text as in struct spawn. */
    int (*put_env)(void *owner, const struct serve_conn *c, struct env *e, char **pid_text);
    /* The line of a program that was started: the two ends. */
    void (*describe)(void *owner, const struct serve_conn *c, pid_t pid, struct event *e);
    /* The client, for a message. */
    void (*client)(const struct serve_conn *c, struct buf *text);
    /* The client's name, for the greeting; in a process of its own, so it may look it up. */
    void (*name)(void *owner, const struct serve_conn *c, struct buf *name);
    /* The listeners are about to be closed. May be NULL. */
    void (*closing)(void *owner);
    /* Before connections are accepted, and on SIGHUP (asked). */
    void (*refresh)(void *owner, bool asked);
};

enum { SERVE_INHERITED = 32, SERVE_RECENT = 64 };

/* What the options ask for. */
struct serve_asked {
    struct notify notify;
    struct user user;
    const char *banner, *inherit_name;
    char *per_client_message; /* of -C N:MSG, its \r, \n, \t and \\ understood */
    unsigned long limit, per_client, max;
    int backlog;
    bool inherit, drain_set, no_new_privs;
    int64_t drain;
    int64_t preamble_time; /* the applet's to set, with kind->preamble */
};

/* A server. The applet fills it by serve_init and serve_option; all below `asked` is the inside of serve_*.c.
 */
struct serve {
    struct msg *msg;
    const struct serve_kind *kind;
    void *owner;
    struct serve_asked asked;

    int *listener;
    bool *blocking; /* inherited without O_NONBLOCK, which is not ours to set */
    int listeners;

    /* the program: NULL path greets */
    struct spawn program;
    const char *prog; /* as the user named it */
    struct env env;

    struct {
        struct serve_start *list; /* those that are on their way, and idle records */
        size_t n, room;
        bool are_short; /* one waits for memory */
    } starts;

    /* the programs that run, and their clients */
    struct table children, clients;
    struct {
        pid_t pids[SERVE_RECENT]; /* those that were started last, a ring; 0: none, or seen to have ended */
        unsigned at;
    } recent;
    int64_t reap_at; /* when all are looked at; 0: nobody is known to have ended */
    unsigned long accepted, refused, denied;

    /* connections that have no program yet */
    struct {
        struct serve_conn *list; /* for their preamble */
        size_t n, room;
    } waiting;
    struct pollfd *polls;   /* room for all of these and the listeners */
    struct serve_conn held; /* accepted, but there was no process for it yet; fd -1: none */

    struct {
        int64_t *times; /* the last n accepts, a ring */
        size_t n, at;
        int64_t window;
    } rate;

    /* after a shortage */
    struct {
        int64_t until, backoff;
        bool is_said;
        int accept_errors; /* one after the other */
    } pause;

    int stop; /* the signal that ends us, 0: none yet */
    int64_t drain_until;
};

void serve_init(struct serve *s, struct msg *m, const struct serve_kind *kind, void *owner);

/* Takes an option whose row is one of SERVE_OPTIONS. */
void serve_option(struct serve *s, int row, const struct opts *o);

/*
 * Ends the process when the options, taken together, or the program can never work; before anything is bound.
 * Whether the user of -u may run the program is seen later.
 */
void serve_check(struct serve *s, char **argv);

/*
 * With --inherit, takes the listening sockets of that family; ends the process if there are none. The number
 * of listeners.
 */
int serve_inherit(struct serve *s, int family, int other_family);

/* Adds a listener, which becomes serve's to close. Ends the process when there is no memory. */
void serve_listener(struct serve *s, int fd, bool blocking);

/*
 * Takes the signals over: from here on none ends us before serve_run has returned. Before anything is made
 * that must be taken away again.
 */
void serve_catch_signals(void);

/*
 * Drops privileges, finds the program (argv may be empty: greet), prepares its environment, says that we are
 * ready
 * (`where` goes to stdout) and serves until it is told to end. `path`: the file to run for argv, NULL: found
 * by PATH. Returns the exit status, or -signal when that signal must end us once all is cleaned up.
 */
int serve_run(struct serve *s, const char *where, const char *path, char **argv);

#endif
