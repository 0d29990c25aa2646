/*
 * status - shows what runs on this machine of ours: once, or again and again.
 *
 * It has no link of its own: it is reached as `ipcbox status`.
 */
#include "cli/applet.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/job.h"
#include "process/sigs.h"
#include "status/report.h"

#define STATUS_OPTIONS(X)                                                              \
    X(JSON, 'j', "json", NULL, "print JSON objects, one per line, on a terminal, too") \
    X(WATCH, 'w', "watch", "[TIME]", "print it again after each TIME (2), until interrupted")

enum status_option { STATUS_OPTIONS(OPT_ENUM) };
static const struct opt options[] = {STATUS_OPTIONS(OPT_ROW)};

enum { INTERVAL_SECONDS = 2, COLUMNS = 80, ROWS = 24 };

static const char enter_screen[] = "\033[?1049h\033[?25l", leave_screen[] = "\033[?25h\033[?1049l";

struct status {
    struct msg *msg;
    struct job job; /* of no program: for its signals and its writes */
    struct pump out;
    bool json, watch, is_terminal;
    int64_t interval;
    struct winsize window;
};

static void look_at_terminal(struct status *s)
{
    s->is_terminal = isatty(STDOUT_FILENO);
    if (!s->is_terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &s->window) < 0)
        s->window.ws_col = s->window.ws_row = 0;
    s->window.ws_col = s->window.ws_col ? s->window.ws_col : COLUMNS;
    s->window.ws_row = s->window.ws_row ? s->window.ws_row : ROWS;
}

static void take(const struct status *s, struct show *show)
{
    if (show_init(show, s->json || !s->is_terminal, s->is_terminal ? s->window.ws_col : 0) < 0)
        msg_die_sys(s->msg, "malloc", NULL);
    if (report(show) < 0)
        procs_die(s->msg);
}

/* ---- again and again ---- */

/* Through the pump, so that a terminal that was stopped (Ctrl-S) keeps no signal waiting. */
static bool put(struct status *s, const char *bytes, size_t n)
{
    return job_write(&s->job, &s->out, bytes, n, CLOCK_NEVER) == 0;
}

/* The screen from its first line on: what is left of longer lines and of more of them is erased. */
static bool draw(struct status *s, const struct show *show)
{
    static const char home[] = "\033[H", erase_line[] = "\033[K", erase_below[] = "\033[J";
    struct list screen = {.size = 1};
    const char *text = show->text.mem;
    int failed = list_append(&screen, home, sizeof home - 1);
    size_t row = 0;
    for (size_t at = 0, n; at < show->text.n && row < s->window.ws_row; at += n + 1, row++) {
        for (n = 0; text[at + n] != '\n'; n++)
            ;
        if (row)
            failed |= list_append(&screen, "\r\n", 2);
        failed |=
            list_append(&screen, text + at, n) | list_append(&screen, erase_line, sizeof erase_line - 1);
    }
    failed |= list_append(&screen, erase_below, sizeof erase_below - 1);
    if (failed)
        msg_die_sys(s->msg, "malloc", NULL);
    bool done = put(s, screen.mem, screen.n);
    list_free(&screen);
    return done;
}

/* Leaves the terminal as it was, for Ctrl-Z, too. */
static void stop(struct status *s)
{
    put(s, leave_screen, sizeof leave_screen - 1);
    sigs_stop_group();
    put(s, enter_screen, sizeof enter_screen - 1);
}

/* Until it is time for the next look, or something wants one: a new size, or that we go on after a stop. */
static void wait_for_next(struct status *s, bool draws)
{
    int64_t at = clock_in(s->interval);
    while (!s->job.came && clock_left(at)) {
        job_sleep(&s->job, NULL, 0, clock_left(at));
        if (draws && sigs_take(SIGTSTP)) {
            stop(s);
            return;
        }
        if (sigs_take(SIGWINCH))
            return;
    }
}

static int watch(struct status *s)
{
    bool draws = s->is_terminal && !s->json, done = true;
    job_begin(&s->job, false);
    sigs_claim_term();
    if (draws) {
        sigs_catch(SIGWINCH);
        sigs_catch(SIGTSTP);
    }
    if (pump_init_half(&s->out, -1, STDOUT_FILENO) < 0)
        msg_die_sys(s->msg, "malloc", NULL);
    if (draws)
        done = put(s, enter_screen, sizeof enter_screen - 1);
    while (done && !s->job.came) {
        struct show show;
        look_at_terminal(s);
        take(s, &show);
        job_look(&s->job);
        if (!s->job.came)
            done = draws ? draw(s, &show) : put(s, show.text.mem, show.text.n);
        show_free(&show);
        if (done)
            wait_for_next(s, draws);
    }
    int err = errno, sig = s->job.came;
    s->job.came = 0;
    if (draws)
        job_write(&s->job, &s->out, leave_screen, sizeof leave_screen - 1, clock_in(CLOCK_SECOND / 5));
    if (!sig)
        return msg_fatal(s->msg, EXIT_SYSTEM, "write", "stdout", err);
    if (sig != SIGTERM)
        sigs_die(sig);
    return EXIT_DONE;
}

/* ---- once ---- */

static int print(const struct status *s)
{
    struct show show;
    take(s, &show);
    const struct buf text = {.mem = show.text.mem, .len = show.text.n};
    int status = opts_print(s->msg, &text);
    show_free(&show);
    return status;
}

static const struct cli cli = {
    .name = "status",
    .summary = "show the processes, servers, locks and objects of ipcbox",
    .usage = "[OPTION]...",
    .notes = "On a terminal, it prints tables; else, JSON objects, one per line.",
    .options = options,
    .count = sizeof options / sizeof *options,
    .is_inner = true,
};

static int status_main(struct msg *m, int argc, char **argv)
{
    struct status s = {.msg = m, .interval = INTERVAL_SECONDS * CLOCK_SECOND};
    struct opts o;
    int row;
    job_init(&s.job, m);
    opts_start(&o, m, &cli, argc, argv);
    while ((row = opts_next(&o)) >= 0) {
        switch ((enum status_option)row) {
        case OPT_JSON:
            s.json = true;
            break;
        case OPT_WATCH:
            s.watch = true;
            s.interval = o.arg ? opts_duration(&o) : s.interval;
            if (!s.interval)
                opts_wrong(&o, "expected a duration above 0");
            break;
        }
    }
    if (argv[o.first])
        msg_usage(m, "unexpected operand '%s'", argv[o.first]);
    look_at_terminal(&s);
    return s.watch ? watch(&s) : print(&s);
}

const struct applet applet_status = {.cli = &cli, .theme = THEME_SIGNALS, .main = status_main};
