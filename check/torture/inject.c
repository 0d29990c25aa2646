/*
 * inject FAULT CALL N PROG [ARG]...: becomes PROG, an applet, whose Nth system call of the name CALL in each
 * of its processes, up to their exec of another program, meets FAULT:
 *
 *   error:ERRNO, errors:ERRNO   it fails; it and all later ones fail   (a number)
 *   signal:NUMBER               that signal comes as it begins
 *   short                       it is asked for one byte, or one buffer
 *
 * The tracer is a process aside, in a session of its own. It is what strace(1) is with -D, -b execve and -e
 * inject, but processes stop for it only at that call (seccomp(2), SECCOMP_RET_TRACE), so a run costs a
 * fraction; and it knows short. For torture.py; x86-64 only.
 */
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES = 256 };

static const struct call {
    const char *name;
    long number;
} calls[] = {
#define CALL(name) {#name, SYS_##name},
#include "calls.h"
};

struct fault {
    enum { ERROR, ERRORS, SIGNAL, SHORT } kind;
    long call;
    int n, value; /* an errno, a signal */
};

struct tracee {
    pid_t pid;
    int count;
    int foreign; /* it is, or descends from, another program */
    int known;   /* its parent has reported it */
    int waits;   /* has stopped before that */
};

struct tracer {
    struct fault fault;
    pid_t first;
    int execs;
    struct tracee all[PROCESSES];
};

static struct tracee *tracee_of(struct tracer *t, pid_t pid)
{
    struct tracee *unused = NULL;
    for (int i = 0; i < PROCESSES; i++) {
        if (t->all[i].pid == pid)
            return &t->all[i];
        if (!t->all[i].pid && !unused)
            unused = &t->all[i];
    }
    if (!unused)
        exit(125);
    *unused = (struct tracee){.pid = pid};
    return unused;
}

/* signalfd(2), inotify(7): what is read is whole, or an error */
static int is_of_records(pid_t pid, int fd)
{
    char path[64], target[16] = "";
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    return readlink(path, target, sizeof target - 1) > 0 && strncmp(target, "anon_inode:", 11) == 0;
}

static void shorten(pid_t pid, struct user_regs_struct *regs)
{
    unsigned long long *length = (long)regs->orig_rax == SYS_splice     ? &regs->r8
                                 : (long)regs->orig_rax == SYS_sendfile ? &regs->r10
                                                                        : &regs->rdx;
    if (!is_of_records(pid, (int)regs->rdi))
        *length = *length > 1 ? 1 : *length;
}

/* As the call begins. */
static void meet(const struct tracer *t, struct tracee *p)
{
    const struct fault *f = &t->fault;
    struct user_regs_struct regs;
    if (!t->execs || p->foreign || ++p->count < f->n || (p->count > f->n && f->kind != ERRORS))
        return;
    if (f->kind == SIGNAL) {
        kill(p->pid, f->value);
        return;
    }
    if (ptrace(PTRACE_GETREGS, p->pid, NULL, &regs) < 0)
        return;
    if (f->kind == SHORT) {
        shorten(p->pid, &regs);
    } else {
        regs.orig_rax = (unsigned long long)-1; /* it is left out, with this result */
        regs.rax = (unsigned long long)-(long long)f->value;
    }
    ptrace(PTRACE_SETREGS, p->pid, NULL, &regs);
}

/* A child is like its parent; what it does is not looked at before it is known whose it is. */
static void adopt(struct tracer *t, const struct tracee *parent)
{
    unsigned long pid = 0;
    if (ptrace(PTRACE_GETEVENTMSG, parent->pid, NULL, &pid) < 0 || !pid)
        return;
    struct tracee *child = tracee_of(t, (pid_t)pid);
    child->foreign = parent->foreign;
    child->known = 1;
    if (child->waits)
        ptrace(PTRACE_CONT, child->pid, NULL, NULL);
}

/* Who was killed reports no child. */
static void release(struct tracer *t)
{
    for (struct tracee *p = t->all; p < t->all + PROCESSES; p++)
        if (p->pid && p->waits && !p->known) {
            p->known = 1;
            ptrace(PTRACE_CONT, p->pid, NULL, NULL);
        }
}

static void stopped(struct tracer *t, struct tracee *p, int sig, int event)
{
    if (event == PTRACE_EVENT_STOP &&
        (sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU)) {
        ptrace(PTRACE_LISTEN, p->pid, NULL, NULL);
        return;
    }
    if (event == PTRACE_EVENT_STOP && !p->known && p->pid != t->first) {
        p->waits = 1;
        return;
    }
    if (event == PTRACE_EVENT_SECCOMP)
        meet(t, p);
    else if (event == PTRACE_EVENT_EXEC && (p->pid != t->first || t->execs++))
        p->foreign = 1;
    else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE)
        adopt(t, p);
    ptrace(PTRACE_CONT, p->pid, NULL, (void *)(long)(event ? 0 : sig));
}

static void follow(struct tracer *t)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        struct tracee *p = tracee_of(t, pid);
        if (WIFSTOPPED(status)) {
            stopped(t, p, WSTOPSIG(status), status >> 16);
        } else {
            p->pid = 0;
            release(t);
        }
    }
}

static int filter(long call)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* Returns in the process that is traced from then on. */
static void attach(struct tracer *t)
{
    int attached[2];
    char byte = 0;
    pid_t pid;
    t->first = getpid();
    if (pipe(attached) < 0)
        exit(125);
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    if ((pid = fork()) == 0) {
        if (fork() != 0)
            _exit(0);
        setsid();
        prctl(PR_SET_NAME, "inject");
        close(0);
        close(1);
        close(attached[0]);
        if (ptrace(PTRACE_SEIZE, t->first, NULL,
                (void *)(long)(PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                               PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)) < 0) {
            perror("inject: ptrace");
            _exit(125);
        }
        if (write(attached[1], &byte, 1) != 1)
            _exit(125);
        close(2);
        close(attached[1]);
        follow(t);
        _exit(0);
    }
    close(attached[1]);
    waitpid(pid, NULL, 0);
    if (read(attached[0], &byte, 1) != 1)
        exit(125);
    close(attached[0]);
}

int main(int argc, char **argv)
{
    static const char *const kinds[] = {"error", "errors", "signal", "short"};
    static struct tracer t = {.fault.call = -1};
    struct fault *f = &t.fault;
    char *value = argc > 4 ? strchr(argv[1], ':') : NULL;
    if (value)
        *value++ = '\0';
    while (argc > 4 && f->kind < 4 && strcmp(kinds[f->kind], argv[1]) != 0)
        f->kind++;
    for (size_t i = 0; argc > 4 && i < sizeof calls / sizeof *calls; i++)
        if (strcmp(calls[i].name, argv[2]) == 0)
            f->call = calls[i].number;
    if (f->call < 0 || f->kind > SHORT)
        return fputs("usage: inject FAULT CALL N PROG [ARG]...\n", stderr), 125;
    f->n = atoi(argv[3]);
    f->value = value ? atoi(value) : 0;
    attach(&t);
    if (filter(f->call) < 0)
        return perror("inject: seccomp"), 125;
    execv(argv[4], argv + 4);
    return 125;
}
