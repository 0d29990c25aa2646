/*
 * job.h - programs that are started together and waited for together.
 *
 * All are looked up before any is started; signals that someone sends to us are passed on; each one's end is
 * noted and told (--status-fd); at a deadline they are ended, with their descendants where that was asked.
 */
#ifndef JOB_H
#define JOB_H

#include <poll.h>

#include "base/env.h"
#include "process/descendants.h"
#include "cli/opts.h"
#include "io/relay.h"
#include "process/schedule.h"
#include "process/spawn.h"

/* The options of every launcher that waits, first in its list. */
#define JOB_ONE_OPTIONS(X) \
    MSG_OPTIONS(X)         \
    X(STATUS_FD, 0, "status-fd", "FD", "write a status line to FD as each program exits")

/* Those of a launcher of several programs. */
#define JOB_OPTIONS(X) \
    JOB_ONE_OPTIONS(X) \
    X(SEPARATOR, 0, "sep", "WORD", "separate the programs with WORD instead of :::")

struct prog {
    char **argv;
    const char *path; /* what find_program found */
    pid_t pid;        /* while it runs; 0 before and after */
    pid_t last_pid;   /* of its last start, also after its end */
    bool ended;
    bool own_group;
    bool adopted; /* pid is that of a worker of ours, which started it, reports on it, and ends as it does */
    bool timed_out; /* it had to be ended */
    struct start *start;
    int exec_errno;     /* it could not be started, */
    const char *failed; /* for this step */
    int wait_status;    /* wait(2)'s, once it has ended by itself */
    int64_t began;      /* for --status-fd, else 0 */
};

enum { JOB_FEW = 8, JOB_STAGES_MAX = 500 };

/* What an applet wants to know, set before job_begin; each gets `owner`. NULL: nobody wants to. */
struct job_hooks {
    /*
     * A signal has come that would have ended us; without it, it is passed on. `sent`: by a process, not by
     * the terminal.
     */
    void (*on_signal)(void *owner, int sig, bool sent);
    /* A program has ended; its pid is still its own. */
    void (*before_reap)(void *owner);
    /* A child has ended that is none of the programs. */
    bool (*on_other)(void *owner, pid_t pid, int status);
    /* A program has been stopped by a signal. */
    void (*on_stop)(void *owner);
    /* While job_end waits, one of `watched` is ready; they may be changed, fd -1: nothing is. */
    void (*on_watched)(void *owner);
    struct pollfd watched[2];
    void *owner;
};

struct job {
    struct msg *msg;
    const char *separator; /* of --sep */
    int status_fd;         /* of --status-fd, -1: none */
    bool status_stalled;   /* its reader takes nothing: the next line is not waited for */

    struct prog *progs;
    struct prog few[JOB_FEW]; /* where progs points, if they are not more */
    size_t n, running;
    bool start_failed; /* one could not be started; who is ended then has not been late */

    struct job_hooks hooks;
    int came;     /* the last signal that would have ended us, 0: none */
    bool hurry;   /* the applet's to set, by on_signal: job_end is to wait for nobody */
    bool patient; /* the applet's to set: only that, and no signal, hurries job_end */

    struct descendants descendants;
    bool with_family;     /* job_end ends them, too */
    unsigned long reaped; /* ends and stops of children that were seen */

    struct env env; /* of job_env; without one, programs get ours */
    /* LISTEN_PID and WATCHDOG_PID of the program that is being started, and where in them its pid goes */
    char pids[SPAWN_PIDS][16 + SPAWN_PID_SIZE], *pid_text[SPAWN_PIDS];
    bool poll_failed; /* which has been reported */
};

void job_init(struct job *j, struct msg *m);

/* Takes an option whose row is one of JOB_ONE_OPTIONS or JOB_OPTIONS. */
void job_option(struct job *j, int row, const struct opts *o);

/* Splits words into programs at the separator. Ends the process if there are none, or too many. */
void job_split(struct job *j, char **words, size_t max);

/* Two programs: the second begins behind the first separator, and has all words from there on. */
void job_pair(struct job *j, char **words);

/* The words are one program, whatever they are; n of it, each to be started by itself. */
void job_alike(struct job *j, char **words, size_t n);

static inline void job_single(struct job *j, char **words)
{
    job_alike(j, words, 1);
}

/* Forgets the programs, for the next ones. */
void job_forget(struct job *j);

/* Finds all programs. 0, or the exit status of a failure, which has been said. */
int job_find(struct job *j);

/*
 * Catches SIGCHLD and what would end us. With `family`, descendants belong to us. Exits when signals can't be
 * caught.
 */
void job_begin(struct job *j, bool family);

/*
 * For one that has a deadline and does not read the terminal: it is not stopped when a background job of its
 * group touches the terminal (SIGTTIN, SIGTTOU), lest the deadline never come.
 */
void job_stay_awake(void);

/* What is to be changed of the programs' environment. Ends the process when there is no memory for it. */
struct env *job_env(struct job *j);

/*
 * Starts program i; s says all but path, argv, envp. Returns at once: 0, or -1 with errno when there is no
 * process for it. A start that fails later is reported then, sets start_failed, and is the program's end,
 * with 126, 127 or 111 as its status.
 */
int job_start(struct job *j, size_t i, struct spawn *s);

/*
 * The same for those who must know: returns once program i has been executed, or a signal has come that would
 * have ended us: 0, or the exit status of a failure, which has been reported: EXIT_DEADLINE if it is still
 * being executed then (a file system that does not answer).
 */
int job_execute(struct job *j, size_t i, struct spawn *s, int64_t deadline);

/* Reports why program i could not be started; the exit status for it. */
int job_start_failed(struct job *j, size_t i, const char *failed, int err);

/*
 * Sleeps as sigs_sleep, then takes the signals that came: notes ends, passes on what a process sent us. What
 * the terminal sends has reached all in our process group, so it goes only to programs with their own.
 */
int job_sleep(struct job *j, struct pollfd *fds, nfds_t n, int64_t ns);

/* Takes note of all children that have ended, which job_sleep does by itself. */
void job_reap(struct job *j);

/* Notes the end of one of the programs, which job_sleep does by itself. Whether it was one of them. */
bool job_note_end(struct job *j, pid_t pid, int status);

/* Sends a signal to all that run, or with `only_groups` to those with a process group of their own. How many
 * took it. */
long job_signal(const struct job *j, int sig, bool only_groups);

/*
 * Writes all of it through half a pump (pump_init_half), which never blocks, and goes on as job_sleep does.
 * 0, or -1 with errno: EINTR once a signal has come that would end us, ETIMEDOUT, or the write's.
 */
int job_write(struct job *j, struct pump *out, const char *bytes, size_t n, int64_t deadline);

/* Lets signals in without sleeping: for a loop that may never have to. */
void job_look(struct job *j);

/*
 * open(2), close-on-exec, which may wait, at a FIFO, for its other end: until the deadline passes or a signal
 * comes that would end us (EINTR).
 */
int job_open(const char *path, int flags, int64_t deadline);

/*
 * The one way to end programs: asks those that still run, by the signals of the schedule, each for its time;
 * kills them, again and again, after the last or when a signal comes; and is sure that nobody is left that we
 * may signal. EXIT_DONE, or EXIT_SYSTEM when some are there 2 s after SIGKILL, which has been reported with
 * their pids. Programs that had to be ended are timed_out; one that would not is not `ended`.
 */
int job_end_by(struct job *j, const struct schedule *s);

/* The same with one signal, and `grace` nanoseconds. */
int job_end(struct job *j, int sig, int64_t grace);

/* How far programs are that are to end while the caller goes on. */
struct ending {
    struct schedule by;
    size_t step;     /* how many have been sent */
    int64_t next_at; /* when the next one is */
};

/* Not begun. */
void ending_reset(struct ending *e);

/* To be called until the programs have ended: sends what is due, at last SIGKILL, once a second. Says it,
 * once a step, when none took a signal. */
void job_end_meanwhile(const struct job *j, struct ending *e);

/*
 * For a launcher that has started its last program, and holds on to nothing from then on: who is at the other
 * end of a pipe must see the programs end, not us; a port, a lock or a file system that PROG gave up is free.
 * Puts /dev/null in place of stdin and stdout, closes all above stderr, and goes to `/`. The n fds in `own`,
 * JOB_OWN_MAX at most, of which each may be -1, and that of --status-fd stay as they are. Where there is no
 * /dev/null, so do stdin and stdout.
 */
enum { JOB_OWN_MAX = 5 };
void job_let_go(const struct job *j, const int *own, size_t n);

/* The exit status of program i: its own, 128+N, 126 or 127. */
int job_status(const struct job *j, size_t i);

/*
 * Ends as program i has ended: dies of the signal that killed it, so that a shell sees it (process 1 can't),
 * or returns its exit status. For a launcher of one program.
 */
int job_end_alike(const struct job *j, size_t i);

/* Adds how program i, which has ended, has: "was killed by SIGKILL", "exited with status 3". */
void job_describe_end(const struct job *j, size_t i, struct buf *text);

/* Whether program i was killed by that signal. */
bool job_died_of(const struct job *j, size_t i, int sig);

#endif
