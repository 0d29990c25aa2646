/*
 * descendants.c - see descendants.h.
 */
#include "process/descendants.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fd.h"
#include "base/num.h"
#include "process/reap.h"

/* ---- children ---- */

struct kin {
    pid_t pid, parent;
};

struct kins {
    struct kin *list;
    size_t n, room;
};

static int add(struct kins *k, pid_t pid, pid_t parent)
{
    if (k->n == k->room) {
        size_t room = k->room ? k->room * 2 : 64;
        struct kin *list = realloc(k->list, room * sizeof *list);
        if (!list)
            return -1;
        k->list = list;
        k->room = room;
    }
    k->list[k->n++] = (struct kin){pid, parent};
    return 0;
}

/* Pids with a blank behind each. 0, or -1 with errno. */
static int read_children(const char *path, pid_t parent, struct kins *to)
{
    char text[4096];
    pid_t pid = 0;
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC), done = 0;
    if (fd < 0)
        return -1;
    while (done == 0 && (n = fd_read(fd, text, sizeof text)) > 0)
        for (ssize_t i = 0; i < n && done == 0; i++) {
            if (text[i] != ' ') {
                pid = pid * 10 + (text[i] - '0');
                continue;
            }
            done = add(to, pid, parent);
            pid = 0;
        }
    fd_close(&fd);
    return n < 0 ? -1 : done;
}

/* The children of that process, of each of its threads. 0, or -1 with errno: it has gone or can't be looked
 * at. */
static int list_children(pid_t parent, struct kins *to)
{
    char mem[96];
    struct buf path = BUF(mem);
    struct dirent *entry;
    uint64_t tid;
    int done = -1;
    buf_fmt(&path, "/proc/%ld/task", (long)parent);
    size_t len = path.len;
    DIR *threads = opendir(buf_str(&path));
    while (threads && (entry = readdir(threads))) {
        if (!num_u64(entry->d_name, 1, INT32_MAX, &tid))
            continue;
        path.len = len;
        buf_fmt(&path, "/%s/children", entry->d_name);
        if (read_children(buf_str(&path), parent, to) == 0)
            done = 0;
    }
    if (threads)
        closedir(threads);
    return done;
}

/* The same by a search of all processes. */
static int search_children(pid_t parent, struct kins *to)
{
    struct procs all;
    int done = procs_list(&all);
    for (size_t i = 0; done == 0 && i < all.n; i++)
        if (all.list[i].parent == parent)
            done = add(to, all.list[i].pid, parent);
    procs_free(&all);
    return done;
}

static int find_children(pid_t parent, struct kins *to)
{
    if (list_children(parent, to) == 0)
        return 0;
    bool is_there = parent == getpid() || kill(parent, 0) == 0 || errno == EPERM;
    return is_there ? search_children(parent, to) : 0;
}

/* One that we had before, or of a session or a group that is theirs: an orphan of their family becomes ours,
 * too. */
static bool is_earlier(const struct descendants *d, pid_t pid)
{
    struct process now;
    if (!d->earlier_n || !procs_look(pid, &now))
        return false;
    for (size_t i = 0; i < d->earlier_n; i++) {
        const struct process *e = &d->earlier[i];
        if ((e->pid == pid && e->start == now.start) ||
            (e->session != d->session && e->session == now.session) ||
            (e->group != d->group && e->group == now.group))
            return true;
    }
    return false;
}

bool descendants_have(const struct descendants *d, pid_t pid)
{
    enum { TRIES = 5 }; /* a parent may exit while we climb */
    struct process p = {.pid = pid};
    for (int i = 0; i < TRIES && p.pid > 1 && procs_are_ours(); i++)
        for (p.parent = pid; procs_look(p.parent, &p);)
            if (p.parent == getpid())
                return !is_earlier(d, p.pid);
    return false;
}

/* ---- beginning ---- */

static void miss(struct descendants *d, const char *what)
{
    d->missing = what;
    d->missing_errno = errno;
}

static int note_earlier(struct descendants *d)
{
    struct kins children = {0};
    int done = find_children(getpid(), &children);
    d->earlier = children.n ? calloc(children.n, sizeof *d->earlier) : NULL;
    if (children.n && !d->earlier)
        done = -1;
    for (size_t i = 0; done == 0 && i < children.n; i++)
        d->earlier_n += procs_look(children.list[i].pid, &d->earlier[d->earlier_n]);
    free(children.list);
    return done;
}

void descendants_begin(struct descendants *d)
{
    *d = (struct descendants){.is_init = getpid() == 1, .session = getsid(0), .group = getpgrp()};
    if (d->is_init)
        return; /* every orphan is ours without it */
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        miss(d, "prctl");
    d->had_children = reap_have_any_children();
    if (!procs_are_ours() || (d->had_children && note_earlier(d) < 0))
        miss(d, "/proc");
}

void descendants_spare(struct descendants *d, pid_t pid)
{
    struct process *more = realloc(d->earlier, (d->earlier_n + 1) * sizeof *more);
    if (!more)
        return;
    d->earlier = more;
    if (procs_look(pid, &more[d->earlier_n]))
        more[d->earlier_n++].group = pid; /* it may not have come so far */
}

void descendants_forget(struct descendants *d, pid_t pid)
{
    for (size_t i = d->earlier_n; i-- > 0;)
        if (d->earlier[i].pid == pid)
            d->earlier[i] = d->earlier[--d->earlier_n];
}

void descendants_excuse(struct descendants *d)
{
    struct process *before = d->earlier;
    size_t n = d->earlier_n;
    if (d->is_init || !reap_have_any_children())
        return;
    d->earlier = NULL;
    d->earlier_n = 0;
    bool noted = note_earlier(d) == 0 && !reap_peek();
    free(noted ? before : d->earlier);
    if (noted)
        return;
    d->earlier = before;
    d->earlier_n = n;
}

/* ---- all of them ---- */

/* All the others in our pid namespace are ours, and need no /proc (kill(2), pid_namespaces(7)). */
static long signal_namespace(int sig)
{
    if (kill(-1, sig) == 0)
        return 1;
    return errno == ESRCH || errno == EPERM ? 0 : -1;
}

/* Our children except earlier ones. 0, or -1 with errno. */
static int list_ours(const struct descendants *d, struct kins *to)
{
    if (find_children(getpid(), to) < 0)
        return -1;
    size_t kept = 0;
    for (size_t i = 0; i < to->n; i++)
        if (!is_earlier(d, to->list[i].pid))
            to->list[kept++] = to->list[i];
    to->n = kept;
    return 0;
}

/* Whether it is still that parent's: its pid may be another's by now, unless it is our child. */
static bool is_kin(const struct kin *k, struct process *p)
{
    return procs_look(k->pid, p) && p->parent == k->parent;
}

static bool look(const struct kin *k, struct process *p)
{
    return is_kin(k, p) && procs_is_alive(p);
}

/* All of them, as they are now. Whether anybody has ended meanwhile, whose children became ours unseen; -1
 * with errno. */
static int list_once(const struct descendants *d, struct procs *all)
{
    struct kins kins = {0};
    struct process p;
    int done = list_ours(d, &kins), changed = 0;
    for (size_t i = 0; done == 0 && i < kins.n; i++) {
        if (!is_kin(&kins.list[i], &p))
            changed = 1;
        else if (procs_is_alive(&p))
            done = procs_add(all, &p);
        find_children(kins.list[i].pid, &kins);
    }
    free(kins.list);
    return done < 0 ? -1 : changed;
}

/* Before any is signalled, as its children would be ours then. */
static int list_all(const struct descendants *d, struct procs *all)
{
    enum { TRIES = 5 };
    int changed = 1;
    for (int i = 0; i < TRIES && changed > 0; i++) {
        all->n = 0;
        changed = list_once(d, all);
    }
    return changed < 0 ? -1 : 0;
}

long descendants_ask(const struct descendants *d, int sig)
{
    struct procs all = {0};
    long count = 0;
    if (d->is_init) {
        count = signal_namespace(sig);
        if (sig)
            signal_namespace(SIGCONT);
        return count;
    }
    if (list_all(d, &all) < 0)
        count = -1;
    for (size_t i = 0; count >= 0 && i < all.n; i++) {
        if (procs_signal(&all.list[i], sig) != 0)
            continue;
        count++;
        if (sig)
            procs_signal(&all.list[i], SIGCONT);
    }
    procs_free(&all);
    return count;
}

/* One of our children, or a child of one that we may not signal. */
static bool kill_one(const struct descendants *d, const struct kin *k)
{
    struct process p;
    if (!look(k, &p))
        return false;
    if (p.session != d->session && kill(-p.group, SIGKILL) == 0)
        return true;
    if (k->parent != getpid())
        return procs_signal(&p, SIGKILL) == 0;
    return kill(k->pid, SIGKILL) == 0;
}

long descendants_kill(const struct descendants *d)
{
    struct kins all = {0};
    long count = 0;
    if (d->is_init)
        return signal_namespace(SIGKILL);
    if (list_ours(d, &all) < 0)
        return -1;
    for (size_t i = 0; i < all.n; i++) {
        if (kill_one(d, &all.list[i]))
            count++;
        else if (errno == EPERM || d->missing) /* its children don't become ours */
            find_children(all.list[i].pid, &all);
    }
    free(all.list);
    return count;
}

/* ---- the proof ---- */

/* Those of our children that are alive and that we may signal. 0, or -1 with errno. */
static int list_left(const struct descendants *d, struct kins *to)
{
    struct process p;
    size_t kept = 0;
    if (list_ours(d, to) < 0)
        return -1;
    for (size_t i = 0; i < to->n; i++)
        if (look(&to->list[i], &p) && kill(p.pid, 0) == 0)
            to->list[kept++] = to->list[i];
    to->n = kept;
    return 0;
}

bool descendants_are_excused(const struct descendants *d)
{
    struct kins left = {0};
    int done = d->is_init ? 0 : list_left(d, &left);
    bool excused = done < 0 ? d->had_children : !d->is_init && !left.n;
    free(left.list);
    return excused;
}

void descendants_name(const struct descendants *d, struct buf *text)
{
    enum { FEW = 5 };
    struct kins left = {0};
    list_left(d, &left);
    for (size_t i = 0; i < left.n && i < FEW; i++)
        buf_fmt(text, "%s%ld", i ? " " : "", (long)left.list[i].pid);
    buf_text(text, left.n > FEW ? " ..." : "");
    free(left.list);
}
