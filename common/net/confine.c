/*
 * confine.c - see confine.h. Constants and structures are those of the kernel's linux/landlock.h,
 * linux/seccomp.h, linux/filter.h and linux/audit.h, which musl does not bring.
 */
#include "net/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The machines whose system calls are listed below; another ABI of the same machine (x32, 32 bits) has other
 * numbers or another AUDIT_ARCH, and gets nowhere. */
#if defined __x86_64__ && !defined __ILP32__
#define MACHINE 0xc000003e
#elif defined __aarch64__ && defined __AARCH64EL__ && !defined __ILP32__
#define MACHINE 0xc00000b7
#elif defined __riscv && __riscv_xlen == 64
#define MACHINE 0xc00000f3
#endif

#ifdef TRY_ESCAPE
void try_escape(const struct confine *c, int at); /* check/escape.c */
#else
#define try_escape(c, at) (void)0
#endif

/* ---- Landlock ---- */

enum { LANDLOCK_CREATE = 444, LANDLOCK_ADD, LANDLOCK_RESTRICT }; /* the same numbers on all machines */
enum { LANDLOCK_VERSION = 1, LANDLOCK_PORT = 2 };
enum { BIND_TCP = 1, CONNECT_TCP = 2, ABSTRACT_UNIX = 1, SIGNALS = 2 };

struct landlock_rules {
    uint64_t files, net, scope;
};

struct landlock_port {
    uint64_t access, port;
};

static long landlock_abi(void)
{
    return syscall(LANDLOCK_CREATE, NULL, (size_t)0, LANDLOCK_VERSION);
}

/* What this kernel's Landlock can deny. */
static struct landlock_rules rules_of(const struct confine *c, long abi)
{
    bool is_unix = c->n && addr_family(c->to) == AF_UNIX;
    struct landlock_rules rules = {.files = 0x1fff}; /* from EXECUTE to MAKE_SYM */
    rules.files |= abi >= 2 ? 0x2000 : 0;            /* REFER */
    rules.files |= abi >= 3 ? 0x4000 : 0;            /* TRUNCATE */
    rules.files |= abi >= 5 ? 0x8000 : 0;            /* IOCTL_DEV */
    if (abi >= 4)
        rules.net = CONNECT_TCP | (c->binds ? 0 : BIND_TCP);
    if (abi >= 6)
        rules.scope = SIGNALS | (is_unix ? 0 : ABSTRACT_UNIX);
    return rules;
}

static int restrict_files_and_ports(const struct confine *c)
{
    struct landlock_rules rules = rules_of(c, landlock_abi());
    int done = 0, fd = (int)syscall(LANDLOCK_CREATE, &rules, sizeof rules, 0);
    if (fd < 0)
        return -1;
    for (size_t i = 0; rules.net && c->work == CONFINE_CONNECT && i < c->n && done == 0; i++) {
        const struct landlock_port port = {.access = CONNECT_TCP, .port = addr_port(&c->to[i])};
        if (c->to[i].len && addr_family(&c->to[i]) != AF_UNIX)
            done = (int)syscall(LANDLOCK_ADD, fd, LANDLOCK_PORT, &port, 0);
    }
    if (done == 0)
        done = (int)syscall(LANDLOCK_RESTRICT, fd, 0);
    close(fd);
    return done;
}

/* ---- the filter ---- */

#ifdef MACHINE

enum {
    LOAD = 0x20,
    RETURN = 0x06,
    IF_EQUAL = 0x15,
    IF_EQUAL_X = 0x1d,
    IF_NOT_BELOW = 0x35,
    AND = 0x54,
    SUBTRACT = 0x14,
    DIVIDE = 0x34,
    MULTIPLY = 0x24,
    COPY_TO_X = 0x07,
};
enum { NUMBER_AT = 0, MACHINE_AT = 4, ARGUMENTS_AT = 16 }; /* in struct seccomp_data */
enum { FILTER_SIZE = 512, OUT = 255 };

static const uint32_t ALLOW = 0x7fff0000, KILL = 0x80000000, REFUSE = 0x00050000 | EPERM, ALL = UINT32_MAX;

struct filter {
    unsigned short n;
    unsigned short rule; /* where the current one begins */
    struct instruction {
        uint16_t code;
        uint8_t yes, no; /* how many to jump over; OUT: to behind the rule */
        uint32_t k;
    } code[FILTER_SIZE];
};

static void put(struct filter *f, uint16_t code, uint8_t yes, uint8_t no, uint32_t k)
{
    f->code[f->n++] = (struct instruction){.code = code, .yes = yes, .no = no, .k = k};
}

/* A rule: a number, what its arguments must be, and that it is allowed. */
static void begin(struct filter *f, long number)
{
    f->rule = f->n;
    put(f, IF_EQUAL, 0, OUT, (uint32_t)number);
}

static void load(struct filter *f, unsigned argument, bool high)
{
    put(f, LOAD, 0, 0, ARGUMENTS_AT + 8 * argument + (high ? 4 : 0));
}

static void want(struct filter *f, unsigned argument, uint32_t mask, uint32_t value)
{
    load(f, argument, false);
    put(f, AND, 0, 0, mask);
    put(f, IF_EQUAL, 0, OUT, value);
}

static void end(struct filter *f)
{
    put(f, RETURN, 0, 0, ALLOW);
    for (struct instruction *i = f->code + f->rule; i < f->code + f->n; i++) {
        uint8_t out = (uint8_t)(f->code + f->n - i - 1);
        i->yes = i->yes == OUT ? out : i->yes;
        i->no = i->no == OUT ? out : i->no;
    }
    put(f, LOAD, 0, 0, NUMBER_AT);
}

static void only(struct filter *f, long number, unsigned argument, uint32_t mask, uint32_t value)
{
    begin(f, number);
    want(f, argument, mask, value);
    end(f);
}

/* The address of an entry of the table; of a path, whole: a part of it would be another. */
static void want_known(struct filter *f, unsigned argument, const struct confine *c)
{
    load(f, argument, true);
    put(f, IF_EQUAL, 0, OUT, 0); /* confine_room */
    load(f, argument, false);
    put(f, SUBTRACT, 0, 0, (uint32_t)(uintptr_t)&c->to->u);
    put(f, IF_NOT_BELOW, OUT, 0, (uint32_t)(c->n * sizeof *c->to));
    put(f, COPY_TO_X, 0, 0, 0);
    put(f, DIVIDE, 0, 0, sizeof *c->to);
    put(f, MULTIPLY, 0, 0, sizeof *c->to);
    put(f, IF_EQUAL_X, 0, OUT, 0);
    if (addr_family(c->to) == AF_UNIX)
        want(f, argument + 1, ALL, c->to->len);
}

static void put_list(struct filter *f, const uint16_t *numbers, size_t n, uint32_t result)
{
    for (size_t i = 0; i < n; i++) {
        put(f, IF_EQUAL, 0, 1, numbers[i]);
        put(f, RETURN, 0, 0, result);
    }
}

/* What is set later. One of IP's, such as a source route, would lead from a known address to another. */
static void put_options(struct filter *f)
{
    static const struct {
        uint16_t level, name;
    } options[] = {{SOL_SOCKET, SO_LINGER}, {SOL_SOCKET, SO_REUSEADDR}, {SOL_SOCKET, SO_SNDTIMEO},
        {IPPROTO_TCP, TCP_NODELAY}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        begin(f, SYS_setsockopt);
        want(f, 1, ALL, options[i].level);
        want(f, 2, ALL, options[i].name);
        end(f);
    }
}

static void put_common(struct filter *f)
{
    static const uint16_t kills[] = {SYS_execve, SYS_execveat, SYS_clone, SYS_clone3,
#ifdef SYS_fork
        SYS_fork, SYS_vfork,
#endif
        SYS_ptrace};
    static const uint16_t allowed[] = {SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pwritev2, SYS_sendfile,
        SYS_splice, SYS_close, SYS_lseek, SYS_dup3, SYS_pipe2, SYS_fstat, SYS_ppoll,
#ifdef SYS_poll
        SYS_poll, SYS_dup2,
#endif
        SYS_recvfrom, SYS_shutdown, SYS_getsockname, SYS_getpeername, SYS_getsockopt, SYS_rt_sigaction,
        SYS_rt_sigprocmask, SYS_rt_sigtimedwait, SYS_rt_sigreturn, SYS_signalfd4, SYS_timer_create,
        SYS_timer_settime, SYS_restart_syscall, SYS_clock_gettime, SYS_getrandom, SYS_getpid, SYS_gettid,
        SYS_getsid, SYS_futex, SYS_brk, SYS_exit, SYS_exit_group};
    static const struct {
        uint16_t number, argument;
        uint32_t value;
    } rules[] = {{SYS_newfstatat, 3, AT_EMPTY_PATH}, {SYS_ioctl, 1, TCGETS}, {SYS_ioctl, 1, TIOCGWINSZ},
        {SYS_ioctl, 1, TIOCGPTN}, {SYS_ioctl, 1, TIOCOUTQ}, {SYS_fcntl, 1, F_GETFD}, {SYS_fcntl, 1, F_SETFD},
        {SYS_fcntl, 1, F_GETFL}, {SYS_fcntl, 1, F_SETFL}, {SYS_fcntl, 1, F_DUPFD_CLOEXEC},
        {SYS_fcntl, 1, F_SETPIPE_SZ}, {SYS_prctl, 0, PR_SET_DUMPABLE}};
    put_list(f, kills, sizeof kills / sizeof *kills, KILL);
    put_list(f, allowed, sizeof allowed / sizeof *allowed, ALLOW);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        only(f, rules[i].number, rules[i].argument, ALL, rules[i].value);
    put_options(f);
}

/* Signals to itself alone; memory that is no code, neither in place of the table nor below 4 GiB. */
static void put_process(struct filter *f)
{
    static const uint16_t signals[] = {SYS_kill, SYS_tkill, SYS_tgkill};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        only(f, signals[i], 0, ALL, (uint32_t)getpid());
    begin(f, SYS_mmap);
    want(f, 2, PROT_EXEC, 0);
    want(f, 3, ALL, MAP_PRIVATE | MAP_ANONYMOUS);
    end(f);
    begin(f, SYS_munmap);
    load(f, 0, true);
    put(f, IF_EQUAL, OUT, 0, 0);
    end(f);
}

static void put_sockets(struct filter *f, const struct confine *c)
{
    static const uint16_t answer[] = {SYS_accept4, SYS_recvmsg}, batch[] = {SYS_recvmmsg},
                          local[] = {SYS_bind};
    static const uint16_t families[] = {AF_INET, AF_INET6, AF_UNIX};
    begin(f, SYS_sendto); /* as send(3) */
    load(f, 4, true);
    put(f, IF_EQUAL, 0, OUT, 0);
    want(f, 4, ALL, 0);
    end(f);
    if (c->work == CONFINE_ANSWER) {
        put_list(f, answer, 2, ALLOW);
        only(f, SYS_sendmsg, 2, ALL, MSG_DONTWAIT | MSG_NOSIGNAL); /* not MSG_FASTOPEN, which connects */
        return;
    }
    begin(f, c->work == CONFINE_SEND ? SYS_sendto : SYS_connect);
    want_known(f, c->work == CONFINE_SEND ? 4 : 1, c);
    end(f);
    if (c->work == CONFINE_SEND) {
        put_list(f, batch, 1, ALLOW);
        return;
    }
    put_list(f, local, c->binds, ALLOW);
    bool is_unix = addr_family(c->to) == AF_UNIX;
    for (size_t i = is_unix ? 2 : 0; i < (is_unix ? 3 : 2); i++) {
        begin(f, SYS_socket);
        want(f, 0, ALL, families[i]);
        want(f, 1, (uint32_t) ~(SOCK_CLOEXEC | SOCK_NONBLOCK), SOCK_STREAM);
        want(f, 2, ALL, 0);
        end(f);
    }
}

static int filter_calls(const struct confine *c)
{
    struct filter f = {0};
    put(&f, LOAD, 0, 0, MACHINE_AT);
    put(&f, IF_EQUAL, 1, 0, MACHINE);
    put(&f, RETURN, 0, 0, KILL);
    put(&f, LOAD, 0, 0, NUMBER_AT);
    put_common(&f);
    put_process(&f);
    put_sockets(&f, c);
    put(&f, RETURN, 0, 0, REFUSE);
    const struct {
        unsigned short n;
        const struct instruction *code;
    } program = {.n = f.n, .code = f.code};
    return prctl(PR_SET_SECCOMP, 2 /* SECCOMP_MODE_FILTER */, &program);
}

#else

static int filter_calls(const struct confine *c)
{
    (void)c;
    errno = ENOSYS;
    return -1;
}

#endif

/* ---- both ---- */

void confine_check(const struct msg *m)
{
#ifndef MACHINE
    msg_die(m, EXIT_USAGE, "--confine needs", "the numbers of this machine's system calls", 0);
#endif
    if (landlock_abi() < 1)
        msg_die(m, EXIT_USAGE, "--confine needs", "Landlock", errno);
    prctl(PR_SET_SECCOMP, 2, NULL);
    if (errno != EFAULT)
        msg_die(m, EXIT_USAGE, "--confine needs", "seccomp filters", errno);
}

/* Below 4 GiB, where a program has nothing that it unmaps: so the filter sees from half of a pointer that the
 * table isn't meant. */
struct addr *confine_room(const struct msg *m, size_t n)
{
    void *below = (void *)0x80000000; /* above programs that can't be moved, and their heaps */
    void *room =
        mmap(below, n * sizeof(struct addr), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room != below)
        msg_die(m, EXIT_SYSTEM, "confine", "mmap", room == MAP_FAILED ? errno : ENOMEM);
    return room;
}

void confine(const struct msg *m, const struct confine *c)
{
    const struct rlimit no_core = {0, 0};
    tzset(); /* reads its file */
    try_escape(c, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &no_core) < 0)
        msg_die_sys(m, "confine", NULL);
    if (c->n && mprotect((void *)c->to, c->n * sizeof *c->to, PROT_READ) < 0)
        msg_die_sys(m, "confine", "mprotect");
    if (restrict_files_and_ports(c) < 0)
        msg_die_sys(m, "confine", "Landlock");
    try_escape(c, 1);
    if (filter_calls(c) < 0)
        msg_die_sys(m, "confine", "seccomp");
    try_escape(c, 2);
}
