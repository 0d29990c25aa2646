/*
 * serve.h - what tcpserver, unixserver and udpserver share: a program per connection or datagram, within
 * limits.
 *
 * One process, one loop: it accepts while it may, starts programs, reaps them, and takes signals at one safe
 * point. After it is ready nothing that happens to one connection, and no shortage of fds, memory or
 * processes, ends it: it says so once, waits, and goes on; a connection that was accepted is kept until its
 * program can be started.
 */
#ifndef SERVE_H
#define SERVE_H

#include "net/addr.h"
#include "net/client.h"
#include "base/env.h"
#include "process/notify.h"
#include "cli/opts.h"
#include "process/spawn.h"
#include "base/table.h"
#include "process/user.h"

/* The options of all servers, first in each applet's list and in this order. A client may be the sender of a
 * datagram. */
#define SERVE_COMMON_OPTIONS(X)                                                                       \
    READY_OPTIONS(X, "port or path")                                                                  \
    X(LIMIT, 'c', "concurrency", "N", "run at most N programs at a time; other clients wait (40)")    \
    X(PER_CLIENT, 'C', "per-client", "N[:MESSAGE]",                                                   \
        "run at most N programs per client; send others MESSAGE")                                     \
    USER_OPTIONS(X, "switch to USER and its groups once listening", "switch to GROUP once listening") \
    X(NO_NEW_PRIVS, 0, "no-new-privs", NULL, "deny programs the privileges of set-user-ID files")     \
    X(USER_ENV, 'U', "user-from-env", NULL, "switch to the ids in $UID and $GID once listening")      \
    X(QUIET, 'q', "quiet", NULL, "print only fatal errors")                                           \
    X(ERRORS, 'Q', "errors", NULL, "print errors (default)")                                          \
    X(VERBOSE, 'v', "verbose", NULL, "also log every client")                                         \
    X(RATE, 0, "rate", "N/TIME", "accept at most N clients in any period of TIME")                    \
    X(DRAIN, 0, "drain", "TIME", "wait TIME for programs to exit after SIGTERM, then terminate them") \
    X(MAX, 0, "max", "N", "exit after N clients")                                                     \
    X(INHERIT, 0, "inherit", "[NAME]", "use the sockets passed in LISTEN_FDS")                        \
    X(INHERIT_FD, 0, "inherit-fd", "FD", "use the socket FD, as passed by inetd")                     \
    X(EXIT_IDLE, 0, "exit-idle", "TIME", "exit after TIME without a client")                          \
    LOG_OPTIONS(X)

/* Those of the servers of connections. */
#define STREAM_OPTIONS(X)                                                             \
    X(BACKLOG, 'b', "backlog", "N", "set the listen backlog to N connections (4096)") \
    X(BANNER, 'B', "banner", "TEXT", "send TEXT to each client on connection")        \
    X(STDIO, 0, "stdio", NULL, "relay one connection to our own stdin and stdout")    \
    RELAY_OPTIONS(X)
#define SERVE_OPTIONS(X)    \
    SERVE_COMMON_OPTIONS(X) \
    STREAM_OPTIONS(X)

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

/* What differs between them. Each gets the applet's own state as `owner`. */
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
    const struct serve_datagrams *datagrams; /* NULL: connections are served */
};

/*
 * What is done in place of accept(2) and its kin where what comes is datagrams. A serve_conn is then a
 * datagram: its fd is what the program reads, or -1. Our listeners stay open until we exit, as answers leave
 * through them.
 */
struct serve_datagrams {
    /* Before we are ready. 0, or the exit status of a failure, which has been said. */
    int (*begin)(void *owner);
    /* As accept4(2), without waiting: 0, or -1 with errno. */
    int (*take)(void *owner, int fd, struct serve_conn *c);
    /* Has it served: the pid of its program; 0: it is done with; -1 with errno and *failed. */
    pid_t (*start)(void *owner, struct serve_conn *c, const char **failed);
    /* To a client that is refused. */
    void (*say)(void *owner, const struct serve_conn *c, const char *text);
    /* That child has ended. */
    void (*ended)(void *owner, pid_t pid, int status);
    /* s->also is readable, or s->tend_at has come. */
    void (*tend)(void *owner);
    /* Adds what only it knows to the status. */
    void (*status)(const void *owner, struct event *e);
};

enum { SERVE_INHERITED = 32, SERVE_RECENT = 64 };

/* What the options ask for. */
struct serve_asked {
    struct notify notify;
    struct user user;
    const char *banner, *inherit_name;
    struct client_options relay; /* of --stdio */
    bool stdio;
    char *per_client_message;             /* of -C N:MSG, its \r, \n, \t and \\ understood */
    unsigned long limit, per_client, max; /* 0: not set */
    int backlog;
    bool inherit, drain_set, no_new_privs;
    int inherit_fd; /* -1: those in LISTEN_FDS */
    int64_t drain, exit_idle;
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
    int room; /* of those lists */

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
    unsigned long accepted, refused, denied, started, failed;

    /* what `ipcbox status` reads (status_page.h) */
    struct {
        int fd;            /* -1: there can be none */
        const char *where; /* we listen */
        struct serve_counts {
            unsigned long active, accepted, denied, refused, failed;
        } shown;
        int64_t next_at; /* not again before */
    } page;

    int relayed; /* of --stdio, the connection; 0: none yet */

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

    struct {
        bool is_said; /* that -c makes clients wait */
        int64_t until;
    } limit;

    /* of kind->datagrams */
    int also;        /* an fd that is slept on, too; -1: none */
    int64_t tend_at; /* 0: never */
    bool is_full;    /* nothing is accepted */
    bool is_over;    /* we exit, with that status */
    int over_status;

    int64_t idle_until; /* of --exit-idle; 0: something runs */
    int stop;           /* the signal that ends us, 0: none yet */
    int64_t drain_until;
    int64_t close_at; /* with stop: our queues are looked at until then */
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
 * With --inherit or --inherit-fd, takes the listening sockets of that family; ends the process if there are
 * none. The number of listeners.
 */
int serve_inherit(struct serve *s, int family, int other_family);

/* Adds a listener, which becomes serve's to close. Ends the process when there is no memory. */
void serve_listener(struct serve *s, int fd, bool blocking);

/* What of serve_listener can fail, and then ends the process: before a socket file is made. */
void serve_make_room(struct serve *s);

/*
 * Takes the signals over: from here on none ends us before serve_run has returned. Before anything is made
 * that must be taken away again.
 */
void serve_catch_signals(void);

/*
 * Drops privileges, finds the program (argv may be empty: greet), prepares its environment, says that we are
 * ready
 * (`where` goes to stdout) and serves until it is told to end. `path`: the file to run for argv, NULL: found
 * by PATH. With --stdio, relays a connection in place of that. Returns the exit status, or -signal when that
 * signal must end us once all is cleaned up.
 */
int serve_run(struct serve *s, const char *where, const char *path, char **argv);

#endif
