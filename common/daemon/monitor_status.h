/*
 * monitor_status.h - what a monitor tells about PROG: a line in the log (or syslog) at PROG's end, and a page
 * that `daemonize --status` reads (status_page.h).
 */
#ifndef MONITOR_STATUS_H
#define MONITOR_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct monitor;

struct monitor_status {
    enum { PHASE_RUNNING, PHASE_RESTARTING, PHASE_STOPPING } phase;
    pid_t prog; /* while it runs, and after its end until its successor runs */
    uint64_t restarts;
    enum { LAST_NONE, LAST_EXITED, LAST_KILLED, LAST_FAILED } last; /* FAILED: it could not be started */
    int value;          /* of `last`: exit status, signal or errno */
    int64_t ended;      /* when, in seconds since the Epoch */
    int64_t next_start; /* the same; 0: not known yet */
    bool has_log;       /* a file */
};

/* Publishes m->status. */
void monitor_status_publish(struct monitor *m);

/* PROG runs; `again`: it is not the first. */
void monitor_note_start(struct monitor *m, bool again);

/* PROG has ended, or could not be started; `again`: it is to be started again. */
void monitor_note_end(struct monitor *m, bool again);

/* Reports the end that was noted last, once; `again`: with the restart that comes after m->backoff. */
void monitor_report_end(struct monitor *m, bool again);

#define MONITOR_SEEMS_DETACHED " and left processes: it seems to have daemonized itself"

/* Whether PROG has exited with status 0 and left processes, as one does that daemonizes itself. */
bool monitor_prog_left_processes(const struct monitor *m);

/* A text of the monitor's: to the log, to syslog, or, in the foreground without a log, to stderr. */
void monitor_say(struct monitor *m, const char *text);

/* What the monitor with that pid has published. False with errno, as status_page_read. */
bool monitor_status_read(pid_t monitor, struct monitor_status *status);

#endif
