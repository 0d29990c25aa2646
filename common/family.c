/*
 * family.c - see family.h.
 */
#include "family.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "procs.h"
#include "reap.h"

static bool is_stranger(const struct family *f, pid_t pid)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->strangers[i] == pid)
            return true;
    return false;
}

static bool has_parent_of_ours(const struct family *f, const struct procs *all, const struct proc *p)
{
    if (p->parent == getpid())
        return !is_stranger(f, p->pid);
    const struct proc *parent = procs_find(all, p->parent);
    return parent && parent->ours;
}

/* Marks the descendants: generation after generation, until there is no younger one. */
static void find_ours(const struct family *f, struct procs *all)
{
    for (bool found = true; found;) {
        found = false;
        for (size_t i = 0; i < all->n; i++) {
            struct proc *p = &all->list[i];
            if (!p->ours && has_parent_of_ours(f, all, p))
                found = p->ours = true;
        }
    }
}

int family_begin(struct family *f)
{
    struct procs all;
    *f = (struct family){.is_init = getpid() == 1};
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
        return -1;
    if (f->is_init)
        return 0;
    if (!procs_are_ours())
        return -1;
    if (!reap_are_parent())
        return 0;
    if (procs_list(&all) < 0)
        return -1;
    for (size_t i = 0; i < all.n; i++)
        f->count += all.list[i].parent == getpid();
    f->strangers = f->count ? malloc(f->count * sizeof *f->strangers) : NULL;
    size_t n = 0;
    for (size_t i = 0; i < all.n && f->strangers; i++)
        if (all.list[i].parent == getpid())
            f->strangers[n++] = all.list[i].pid;
    procs_free(&all);
    return n == f->count ? 0 : -1;
}

/* All the others in our pid namespace are ours, and need no /proc (kill(2), pid_namespaces(7)). */
static long signal_namespace(int sig)
{
    if (kill(-1, sig) == 0)
        return 1;
    return errno == ESRCH || errno == EPERM ? 0 : -1;
}

long family_signal(const struct family *f, int sig)
{
    struct procs all;
    long count = 0;
    if (f->is_init)
        return signal_namespace(sig);
    if (procs_list(&all) < 0)
        return -1;
    find_ours(f, &all);
    for (size_t i = 0; i < all.n; i++)
        if (all.list[i].ours && procs_is_alive(&all.list[i]))
            count += procs_signal(&all.list[i], sig) == 0;
    procs_free(&all);
    return count;
}
