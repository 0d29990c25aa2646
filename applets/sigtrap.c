/*
 * sigtrap - runs PROG and acts on signals for it: ignores or rewrites them, restarts PROG, or runs a handler.
 *
 * perlipc's %SIG, with handlers that are programs: a handler can do anything, as nothing of it happens inside
 * a signal handler, and there is never more than one.
 */
#include "cli/applet.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "process/job.h"
#include "process/sigs.h"
#include "process/status_page.h"
#include "base/signum.h"
#include "base/words.h"

#define SIGTRAP_OPTIONS(X)              \
    JOB_ONE_OPTIONS(X)                  \
    X(GRACE, 'k', "kill-after", "TIME", \
        "kill PROG if it has not exited TIME after a restart was requested (10)")

enum sigtrap_option { SIGTRAP_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {SIGTRAP_OPTIONS(OPT_ROW)};

enum { GRACE_SECONDS = 10 };

struct action {
    enum { FORWARD, IGNORE, REWRITE, RUN, RESTART } kind;
    int to;       /* REWRITE */
    char **words; /* RUN */
    bool pending; /* RUN: it came, and its handler has not been started since */
};

struct sigtrap {
    struct msg *msg;
    struct job job;     /* PROG */
    struct job handler; /* the one that runs */
    struct action actions[SIGNUM_MAX + 1];
    bool restart; /* was asked for */
    uint64_t starts;
    int page;             /* status_page.h */
    bool over;            /* PROG has ended by itself */
    struct ending ending; /* of PROG, for a restart */
    char signal_text[32], pid_text[32];
};

/* ---- actions ---- */

/* PROG gets the signal. One that asks it to end overtakes a restart. */
static void pass_on(struct sigtrap *s, int sig, bool only_groups)
{
    if (sig == SIGTERM || sig == SIGINT || sig == SIGQUIT || sig == SIGHUP) {
        s->restart = false;
        ending_reset(&s->ending);
    }
    job_signal(&s->job, sig, only_groups);
}

static void act(void *owner, int sig, bool sent)
{
    struct sigtrap *s = owner;
    struct action *a = &s->actions[sig];
    switch (a->kind) {
    case FORWARD:
        pass_on(s, sig, !sent);
        break;
    case IGNORE:
        break;
    case REWRITE:
        pass_on(s, a->to, false);
        break;
    case RUN:
        a->pending = true;
        break;
    case RESTART:
        s->restart = true;
        break;
    }
}

/* SIGNAL=HUP, and while PROG runs PROG_PID=42, for the handler. */
static int put_handler_env(struct sigtrap *s, int sig)
{
    char name[SIGNUM_SIZE];
    struct buf text = BUF(s->signal_text), pid = BUF(s->pid_text);
    buf_fmt(&text, "SIGNAL=%s", signum_name(sig, name));
    buf_fmt(&pid, "PROG_PID=%ld", (long)s->job.progs->pid);
    buf_str(&text);
    buf_str(&pid);
    env_reset(&s->handler.env);
    if (env_put(&s->handler.env, s->signal_text) < 0)
        return -1;
    return s->job.running ? env_put(&s->handler.env, s->pid_text) : 0;
}

/* A handler that can't be started is said, and PROG lives on. */
static void start_handler(struct sigtrap *s, int sig)
{
    struct action *a = &s->actions[sig];
    struct spawn spawn = {.signals = SIGS_INHERITED};
    a->pending = false;
    job_forget(&s->handler);
    job_single(&s->handler, a->words);
    if (job_find(&s->handler) != 0)
        return;
    if (put_handler_env(s, sig) < 0 || job_start(&s->handler, 0, &spawn) < 0)
        job_start_failed(&s->handler, 0, "fork", errno);
}

static void start_next_handler(struct sigtrap *s)
{
    for (int sig = 1; sig <= SIGNUM_MAX && !s->handler.running; sig++)
        if (s->actions[sig].pending)
            start_handler(s, sig);
}

/* ---- PROG ---- */

static int start_prog(struct sigtrap *s)
{
    struct spawn spawn = {.signals = SIGS_INHERITED};
    s->restart = false;
    ending_reset(&s->ending);
    status_page_count(s->page, s->msg->applet, "restarts", s->starts++);
    return job_start(&s->job, 0, &spawn) < 0 ? job_start_failed(&s->job, 0, "fork", errno) : 0;
}

static bool starts_more(const struct sigtrap *s)
{
    for (int sig = 1; sig <= SIGNUM_MAX; sig++)
        if (s->actions[sig].kind == RUN || s->actions[sig].kind == RESTART)
            return true;
    return false;
}

/* PROG's end ends us, unless it was for a restart. The handler that runs may finish, those that wait are run.
 */
static int run(struct sigtrap *s)
{
    s->page = starts_more(s) ? status_page_open() : -1;
    int failed = start_prog(s);
    if (!failed && !starts_more(s))
        job_let_go(&s->job, NULL, 0);
    while ((!failed && s->job.running) || s->handler.running) {
        if (s->restart && s->job.running)
            job_end_meanwhile(&s->job, &s->ending);
        job_sleep(&s->job, NULL, 0, clock_left(s->ending.next_at));
        if (s->restart && !s->job.running && !s->over && !failed)
            failed = start_prog(s);
        s->over = !s->job.running;
        if (!failed)
            start_next_handler(s);
    }
    return failed ? failed : job_end_alike(&s->job, 0);
}

/* A child that is not PROG is the handler. */
static bool take_end(void *owner, pid_t pid, int status)
{
    struct sigtrap *s = owner;
    return job_note_end(&s->handler, pid, status);
}

/* ---- the command line ---- */

/* exec:COMMAND, in place of one that was given before. */
static void take_command(struct sigtrap *s, struct action *a, const char *word, char *command)
{
    if (!command[strspn(command, WORDS_BLANKS)])
        msg_usage(s->msg, "'%s': missing command after exec:", word);
    a->kind = RUN;
    free(a->words);
    a->words = words_split(command);
    if (!a->words)
        msg_die_sys(s->msg, "malloc", NULL);
}

static void take_action(struct sigtrap *s, const char *word, int sig, char *text)
{
    struct action *a = &s->actions[sig];
    if (sig == SIGKILL || sig == SIGSTOP || sig == SIGCHLD || signum_is_reserved(sig))
        msg_usage(s->msg, "'%s': this signal can't be trapped", word);
    if (strcmp(text, "ignore") == 0) {
        a->kind = IGNORE;
    } else if (strcmp(text, "restart") == 0) {
        a->kind = RESTART;
    } else if (strncmp(text, "exec:", 5) == 0) {
        take_command(s, a, word, text + 5);
    } else if (signum_parse(text, strlen(text), &a->to)) {
        a->kind = REWRITE;
    } else {
        msg_usage(s->msg, "'%s': expected ignore, restart, exec:CMD or a signal after the =", word);
    }
}

/* SIG=ACTION words, up to PROG or --. How many words they are. */
static int take_actions(struct sigtrap *s, char **words)
{
    int n = 0, sig;
    for (; words[n]; n++) {
        size_t name = strcspn(words[n], "=");
        if (strcmp(words[n], "--") == 0)
            return n + 1;
        if (!words[n][name])
            break;
        if (!signum_parse(words[n], name, &sig))
            msg_usage(s->msg, "'%s': not a signal before the = (put -- before a PROG whose name contains =)",
                words[n]);
        take_action(s, words[n], sig, words[n] + name + 1);
    }
    return n;
}

/* What has an action is caught, also what does nothing by default. */
static void catch_signals(const struct sigtrap *s)
{
    for (int sig = 1; sig <= SIGNUM_MAX; sig++)
        if (s->actions[sig].kind != FORWARD || sig == SIGCONT || sig == SIGWINCH || sig == SIGURG)
            sigs_catch_also(sig);
}

static const struct cli cli = {
    .name = "sigtrap",
    .summary = "run a program and act on its signals",
    .usage = "[OPTION]... SIG=ACTION... [--] PROG [ARG]...",
    .notes = "ACTION is ignore, restart, exec:CMD (split at blanks, run with SIGNAL and PROG_PID in its "
             "environment)\n"
             "or the signal to pass on instead. All other signals are passed on.",
    .options = options,
    .count = sizeof options / sizeof *options,
};

static int sigtrap_main(struct msg *m, int argc, char **argv)
{
    struct sigtrap s = {.msg = m, .ending.by = schedule_of(SIGTERM, GRACE_SECONDS * CLOCK_SECOND)};
    struct opts o;
    int row;
    job_init(&s.job, m);
    job_init(&s.handler, m);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum sigtrap_option)row) {
            JOB_ONE_OPTIONS(OPT_CASE)
            job_option(&s.job, row, &o);
            break;
        case OPT_GRACE:
            s.ending.by.steps->time = opts_duration(&o);
            break;
        }
    }
    argv += o.first;
    argv += take_actions(&s, argv);
    if (!*argv)
        msg_usage(m, "missing PROG");
    job_single(&s.job, argv);
    int failed = job_find(&s.job);
    if (failed)
        return failed;
    s.job.hooks.on_signal = act;
    s.job.hooks.on_other = take_end;
    s.job.hooks.owner = &s;
    job_begin(&s.job, false);
    if (env_init(&s.handler.env, environ) < 0)
        msg_die_sys(m, "malloc", NULL);
    env_drop(&s.handler.env, "PROG_PID");
    catch_signals(&s);
    int status = run(&s);
    for (int sig = 0; sig <= SIGNUM_MAX; sig++)
        free(s.actions[sig].words);
    return status;
}

const struct applet applet_sigtrap = {.cli = &cli, .theme = THEME_SIGNALS, .main = sigtrap_main};
