/*
 * monitor.h - the process that stays with a daemon: it starts PROG, holds the pidfiles and their lock, passes
 * signals on, writes the log, starts PROG again, and takes everything away at the end (daemon(8) of FreeBSD).
 */
#ifndef MONITOR_H
#define MONITOR_H

#include "process/job.h"
#include "daemon/hook.h"
#include "daemon/logpump.h"
#include "daemon/monitor_status.h"
#include "process/notify.h"
#include "process/notify_socket.h"
#include "daemon/pidfile.h"
#include "base/signum.h"
#include "process/user.h"

/* What the control commands send to a monitor. */
enum {
    MONITOR_RESTART = SIGNUM_RTMIN + 1,
    MONITOR_RELOAD,
    MONITOR_KILL,
    MONITOR_ROTATE
}; /* RTMIN itself is musl's */

/* The logs: of stdout, and of stderr where that is not in the former. */
enum { OUT_LOG, ERR_LOG, LOGS };

struct monitor {
    struct msg *msg, job_msg; /* the latter without -v: how PROG ended is reported here */
    struct job job;           /* PROG */

    /* what was asked for; paths are absolute */
    struct pidfile prog_pid, own_pid;
    struct place lock_place; /* of lock_path */
    const char *lock_path, *out_path, *err_path, *directory;
    bool append, foreground, supervise, has_umask, no_new_privs, leave; /* leave: PROG goes on without us */
    bool has_schedule, has_grace; /* SIGTERM begins the schedule; a stop has a time limit */
    mode_t umask;
    struct user user;
    char **assignments; /* NAME=VALUE, NULL-terminated */
    bool clear_env;
    enum { READY_NONE, READY_FD, READY_NOTIFY } ready;
    enum { HUP_DEFAULT, HUP_RESTART, HUP_FORWARD, HUP_REOPEN } hup;
    enum { RESTART_ALWAYS, RESTART_FAILURE, RESTART_SIGNAL } restart_on;
    size_t max_restarts; /* that many in max_restarts_time, and we give up; 0: never */
    int64_t max_restarts_time;
    int64_t timeout, settle, backoff_min, backoff_max;

    /* how it goes */
    int report;     /* who started us reads our status there; -1: nobody does any more */
    int lock;       /* of lock_path */
    int out, err;   /* PROG's stdout and stderr */
    int ready_pipe; /* --ready fd: PROG's newline comes here */
    int notify;     /* --ready notify: its messages come here */
    char notify_text[NOTIFY_SOCKET_SIZE], ready_text[16], ready_message[NOTIFY_MESSAGE_SIZE];
    bool is_cut_said;          /* a message was too long */
    bool manager_stalled;      /* our own manager takes no messages */
    struct notify readiness;   /* what is reported of PROG to our own manager */
    struct logpump logs[LOGS]; /* of what PROG writes; its file.path is set if there is one */
    struct hook on_exit, log_run;
    size_t log_run_next; /* the log whose turn it is */
    bool is_ready, is_up, restart, reload;
    bool on_exit_due, gave_up;
    int64_t *restarted; /* when the last max_restarts restarts were; 0: never */
    size_t restarted_n;
    int stop;             /* the signal that ends us, 0: none yet */
    struct ending ending; /* of PROG, and by.steps are those of its descendants */
    int64_t started, start_at, backoff;
    struct monitor_status status;
    int status_page; /* -1: none can be had */
    bool is_end_noted, is_end_reported;
    bool seems_detached; /* PROG exited at once, and left processes */
};

void monitor_init(struct monitor *m, struct msg *msg);

/* All of it. The exit status, which has been reported, too, when PROG is up or could not be brought up. */
int monitor_run(struct monitor *m);

#endif
