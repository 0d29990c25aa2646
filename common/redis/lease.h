/*
 * lease.h - a lock, or one of N slots, on a Redis server: it is a lease, and holds as long as it is renewed.
 *
 * README.md has the keys and the processes; check/models/lease.pml goes through every interleaving, and says
 * what is assumed. A lease runs out by the server's clock; we count from before a renewal was sent, by
 * CLOCK_BOOTTIME, so that for us it always runs out first.
 */
#ifndef LEASE_H
#define LEASE_H

#include "process/job.h"
#include "process/watch.h"
#include "redis/redis.h"

/* The options of those who take leases; they follow the applet's own. */
#define LEASE_OPTIONS(X)                                                                           \
    REDIS_OPTIONS(X)                                                                               \
    X(LEASE, 0, "lease", "TIME", "redis:NAME: the lock is free TIME after its last renewal (30s)") \
    X(LOST_SIGNAL, 0, "lost-signal", "SIG", "with --for: send PID this signal if the lease is lost (TERM)")

/* What they ask for; 0: an option was not given. */
struct lease_wish {
    struct redis_server server;
    int64_t length; /* ns */
    int lost_signal;
};

/* The argument of --lease, in ns. Does not return on a wrong one. */
int64_t lease_length(const struct opts *o);

/* Takes an option of LEASE_OPTIONS; row counts from the first of them. Does not return on a wrong argument.
 */
void lease_option(struct lease_wish *w, int row, const struct opts *o);

/*
 * Puts defaults in place of what was not given. Does not return if an option was that needs redis:NAME,
 * without one (`name` is NULL), or that needs a process.
 */
void lease_wish_check(struct lease_wish *w, const struct msg *m, const char *name, pid_t pid);

enum { LEASE_TOKEN = 32, LEASE_FENCE = 24 };

#define LEASE_NO_SEMAPHORE "no such semaphore; 'semset create' or 'semtake --create' creates one"

struct lease {
    const struct msg *msg;
    const char *word, *name; /* KEY and its NAME */
    const char *what;        /* the program's name, for lease_print_holders; or NULL */
    pid_t pid;               /* whom it is for */
    bool shared;
    /*
     * How many may hold it at a time: `slots`; or what the server has for all who take it (slots.h), which is
     * `slots` if it has nothing yet, and 0 says that it must have. Of a mutex that is not more than 1.
     */
    enum lease_of { LEASE_LOCK, LEASE_MUTEX, LEASE_COUNTED } of;
    unsigned slots;
    int64_t length; /* ns */

    bool warned, young, misfit; /* lease.c's own */
    unsigned known;             /* the connection whose server's facts are known (redis.connections) */
    struct redis redis;
    char token[LEASE_TOKEN + 1], by[LEASE_TOKEN + 1]; /* which lease; a token of this process */
    unsigned slot, there;                             /* `there`: of so many */
    char fence[LEASE_FENCE];                          /* empty: shared ones have none */
    bool was_ours;                                    /* lease_give's answer */
    int64_t until;                                    /* on CLOCK_BOOTTIME */
};

/* Now, on CLOCK_BOOTTIME, which a suspended machine does not stop. */
int64_t lease_now(void);

/* Fills the rest; nothing is taken yet. Exits when no random token can be had. */
void lease_init(struct lease *l, const struct redis_server *s);

/*
 * Takes it until the deadline, 0: now or not at all. EXIT_DONE; EXIT_NO: it is taken; EXIT_DEADLINE;
 * EXIT_SYSTEM, all of which have been reported, and nothing is held or waited for. A signal that ends us
 * does.
 */
int lease_take(struct lease *l, int64_t deadline);

/* Begins the batch of a renewal; its answer is an integer: 1, or 0 for a lease that has been lost. */
void lease_renewal(struct lease *l);

/*
 * Gives it back, or the place in the queue: until the deadline. With l->token set before, it gives back what
 * another process has taken. l->was_ours, when it is answered: whether it had not run out, or been given
 * back.
 */
enum redis_outcome lease_give(struct lease *l, int64_t deadline);

/* Adds a script to the batch, of which KEYS[1] and ARGV[1] are there; that many arguments are to be added. */
void lease_script(struct lease *l, const char *script, unsigned args);

/*
 * Holds it for program 0 of the job, which it starts as s says (with IPCBOX_FENCE, IPCBOX_SLOT), and gives it
 * back. Two processes of ours are around the program: when one is killed, or the lease can't be renewed, the
 * program and its descendants are ended. The exit status, or the program's end is ours.
 */
int lease_hold(struct lease *l, struct job *j, struct spawn *s);

/*
 * Holds it until that process terminates, which is sent the signal, and SIGKILL, if the lease can't be
 * renewed or one of our two processes is killed. Returns at once: EXIT_DONE, or EXIT_SYSTEM, which has been
 * reported.
 */
int lease_hold_for(struct lease *l, const struct watch *holder, int lost_signal);

/* Prints who has it, a line each: PID NAME HOST. EXIT_DONE; EXIT_NO: nobody; or what has been reported. */
int lease_print_holders(struct lease *l);

#endif
