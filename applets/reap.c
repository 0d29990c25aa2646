/*
 * reap - a small init: runs PROG, passes every signal on, reaps every orphan, and leaves no process behind.
 *
 * perlipc's REAPER, for the program that never had one: process 1 of a container, or any subreaper.
 */
#include "cli/applet.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/job.h"
#include "base/num.h"
#include "process/sigs.h"
#include "base/signum.h"

#define REAP_OPTIONS(X)                                                                                 \
    JOB_ONE_OPTIONS(X)                                                                                  \
    X(GROUP, 'g', "group", NULL, "run PROG in its own process group, and pass signals on to the group") \
    X(REWRITE, 0, "rewrite", "SIG:SIG", "pass the first signal on as the second; 0: do not pass it on") \
    X(GRACE, 0, "grace", "TIME", "kill the remaining processes TIME after PROG has exited (5)")         \
    X(REMAP, 'e', "remap", "NUM[:NUM]", "exit with the second status (0) if PROG exits with the first") \
    X(DEATH, 0, "death-signal", "SIG", "get SIG if the parent exits, and send it to PROG if reap is killed")

enum reap_option { REAP_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {REAP_OPTIONS(OPT_ROW)};

enum { GRACE_SECONDS = 5, STATUSES = 256 };

struct reap {
    struct msg *msg;
    struct job job;
    bool group, foreground, stopped;
    bool has_terminal;
    const char *needs_prog; /* an option that does; NULL: none was given */
    int terminal;           /* /dev/tty, wherever stdin leads; -1: none, or not needed */
    int death_signal;
    pid_t prog_group;
    int64_t grace;
    int rewrite[SIGNUM_MAX + 1];
    int remap[STATUSES];
};

/* A PROG with a process group of its own gets the terminal when it is ours. */
static void give_terminal(struct reap *r)
{
    pid_t pid = r->job.progs->pid, holder = tcgetpgrp(r->terminal);
    if (r->group && pid > 0)
        r->foreground = holder == pid || (holder == getpgrp() && tcsetpgrp(r->terminal, pid) == 0);
}

/* Ours again, if PROG has it; we are in the background then, which tcsetpgrp(3) punishes by SIGTTOU. */
static void take_terminal_back(const struct reap *r)
{
    if (r->foreground && r->prog_group != getpgrp() && tcgetpgrp(r->terminal) == r->prog_group)
        tcsetpgrp(r->terminal, getpgrp());
}

/* PROG, or its process group. Gone already: nobody is left to be told. */
static void signal_prog(struct reap *r, int sig)
{
    pid_t pid = r->job.progs->pid;
    if (pid <= 0)
        return;
    if (!r->group || kill(-pid, sig) < 0) /* it may not have made its group yet */
        kill(pid, sig);
    bool continues = sig == SIGCONT || sig == SIGTERM || sig == SIGHUP || sig == SIGINT || sig == SIGQUIT;
    if (r->stopped && continues && sig != SIGCONT)
        kill(r->group ? -pid : pid, SIGCONT); /* or it would not hear it */
    r->stopped = r->stopped && !continues;
}

/*
 * What the terminal sends has reached PROG already if it is in our process group. Without a terminal the
 * kernel's own signals are process 1's alone (Ctrl-Alt-Del), and meant for PROG.
 */
static void pass_on(void *owner, int sig, bool sent)
{
    struct reap *r = owner;
    int to = r->rewrite[sig];
    if (sig == SIGCONT)
        give_terminal(r);
    if (to && (sent || r->group || !r->has_terminal))
        signal_prog(r, to);
}

/*
 * Ctrl-Z in a process group of its own, or in the background a touch of the terminal: give the shell its
 * terminal back, and stop, too. There the SIGCONT of `fg` goes on to PROG (pass_on).
 */
static void stop_along(void *owner)
{
    struct reap *r = owner;
    bool had_terminal = r->foreground;
    r->stopped = true;
    if (!r->group || r->terminal < 0)
        return;
    take_terminal_back(r);
    sigs_stop_group(); /* with whoever waits for us in it, such as a script */
    if (!had_terminal)
        return;
    /* PROG gets one SIGCONT, that of `fg` or ours: a second would undo the next stop */
    sigs_ending_came();
    bool continued = sigs_take(SIGCONT);
    give_terminal(r); /* if the shell has given it to us, or could not stop us, as our group is orphaned */
    if (continued || r->foreground)
        signal_prog(r, SIGCONT);
}

/* Every signal that can be passed on. Those of job control stop us with PROG, unless nothing can. */
static void catch_signals(struct reap *r)
{
    sigs_catch_also(SIGCONT);
    sigs_catch_also(SIGWINCH);
    sigs_catch_also(SIGURG);
    sigs_catch_also(SIGPIPE);
    for (int sig = 1; sig <= SIGNUM_MAX; sig++)
        if (r->rewrite[sig] != sig)
            sigs_catch_also(sig);
    if (getpid() == 1 || r->group) {
        sigs_catch_also(SIGTSTP);
        sigs_catch_also(SIGTTIN);
        sigs_catch_also(SIGTTOU);
    }
}

/* As tini -p: the signal that our parent's exit sends us. It may have exited already. */
static void tie_to_parent(const struct reap *r)
{
    pid_t parent = getppid();
    if (prctl(PR_SET_PDEATHSIG, r->death_signal) < 0)
        msg_die_sys(r->msg, "prctl", NULL);
    if (getppid() != parent)
        kill(getpid(), r->death_signal);
}

/* Where the kernel makes us no subreaper, a filter or an emulator is between: PROG runs all the same. */
static void begin(struct reap *r)
{
    const struct descendants *d = &r->job.descendants;
    job_begin(&r->job, true);
    if (d->missing && strcmp(d->missing, "prctl") == 0)
        msg_error(r->msg, "become a subreaper", "for orphans", d->missing_errno);
}

/* Without PROG: reaps until a signal ends us. */
static int pause_and_reap(struct reap *r)
{
    struct job *j = &r->job;
    begin(r);
    sigs_claim_term();
    if (r->death_signal)
        tie_to_parent(r);
    job_let_go(j, NULL, 0);
    while (!j->came)
        job_sleep(j, NULL, 0, CLOCK_NEVER);
    int sig = j->came, left = job_end(j, SIGTERM, r->grace);
    if (!left && sig != SIGTERM)
        sigs_die(sig);
    return left;
}

static int run(struct reap *r)
{
    struct job *j = &r->job;
    r->terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    r->has_terminal = r->terminal >= 0;
    if (!r->group)
        fd_close(&r->terminal);
    r->foreground = r->group && r->terminal >= 0 && tcgetpgrp(r->terminal) == getpgrp();
    j->hooks.on_signal = pass_on;
    j->hooks.on_stop = stop_along;
    j->hooks.owner = r;
    begin(r);
    catch_signals(r);
    if (r->death_signal)
        tie_to_parent(r);
    struct spawn spawn = {.signals = SIGS_INHERITED,
        .death_signal = r->death_signal,
        .place = r->foreground ? SPAWN_FOREGROUND
                 : r->group    ? SPAWN_GROUP
                               : SPAWN_HERE,
        .terminal = r->terminal};
    if (job_start(j, 0, &spawn) < 0)
        return job_start_failed(j, 0, "fork", errno);
    job_let_go(j, &r->terminal, 1);
    r->prog_group = j->progs->pid;
    while (j->running)
        job_sleep(j, NULL, 0, CLOCK_NEVER);
    take_terminal_back(r);
    if (j->start_failed)
        return job_status(j, 0);
    int left = job_end(j, SIGTERM, r->grace), status = job_status(j, 0);
    if (left)
        return left;
    if (r->remap[status] != status)
        return r->remap[status];
    return job_end_alike(j, 0);
}

/* ---- the command line ---- */

static void take_rewrite(struct reap *r, const struct opts *o)
{
    int from, to = 0;
    size_t n = strcspn(o->arg, ":");
    const char *second = o->arg[n] ? o->arg + n + 1 : "";
    if (!signum_parse(o->arg, n, &from) ||
        (strcmp(second, "0") != 0 && !signum_parse(second, strlen(second), &to)))
        opts_wrong(o, "expected two signals such as TERM:QUIT, or TERM:0");
    if (from == SIGKILL || from == SIGSTOP || from == SIGCHLD || signum_is_reserved(from))
        opts_wrong(o, "this signal can't be passed on");
    r->rewrite[from] = to;
}

static void take_remap(struct reap *r, const struct opts *o)
{
    uint64_t from, to = 0;
    size_t n = strcspn(o->arg, ":");
    if (!num_u64n(o->arg, n, 0, STATUSES - 1, &from) ||
        (o->arg[n] && !num_u64(o->arg + n + 1, 0, STATUSES - 1, &to)))
        opts_wrong(o, "expected one or two exit statuses from 0 to 255, such as 143 or 143:0");
    r->remap[from] = (int)to;
}

static void take_option(struct reap *r, int row, const struct opts *o)
{
    switch ((enum reap_option)row) {
        JOB_ONE_OPTIONS(OPT_CASE)
        job_option(&r->job, row, o);
        break;
    case OPT_GROUP:
        r->needs_prog = "--group";
        r->group = true;
        break;
    case OPT_REWRITE:
        r->needs_prog = "--rewrite";
        take_rewrite(r, o);
        break;
    case OPT_GRACE:
        r->grace = opts_duration(o);
        break;
    case OPT_REMAP:
        r->needs_prog = "--remap";
        take_remap(r, o);
        break;
    case OPT_DEATH:
        r->death_signal = opts_signal(o);
        break;
    }
}

static const struct cli cli = {
    .name = "reap",
    .summary = "run a program under an init: reap orphans, pass signals on",
    .usage = "[OPTION]... [PROG [ARG]...]",
    .notes = "Runs as process 1 of a PID namespace, or as a subreaper. Descendants that outlive PROG are "
             "terminated.\nWithout PROG, reaps until a signal terminates it.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int reap_main(struct msg *m, int argc, char **argv)
{
    struct reap r = {.msg = m, .grace = GRACE_SECONDS * CLOCK_SECOND};
    struct opts o;
    int row;
    for (int sig = 0; sig <= SIGNUM_MAX; sig++)
        r.rewrite[sig] = sig;
    for (int status = 0; status < STATUSES; status++)
        r.remap[status] = status;
    job_init(&r.job, m);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0)
        take_option(&r, row, &o);
    argv += o.first;
    if (r.job.status_fd >= 0)
        r.needs_prog = "--status-fd";
    if (!*argv && r.needs_prog)
        msg_usage(m, "%s requires PROG", r.needs_prog);
    if (!*argv)
        return pause_and_reap(&r);
    job_single(&r.job, argv);
    int failed = job_find(&r.job);
    return failed ? failed : run(&r);
}

const struct applet applet_reap = {.cli = &cli, .theme = THEME_SIGNALS, .main = reap_main};
