/*
 * escape.c - linked into a test build alone (make B/try-escape), where confine.c calls it: tries what a
 * confined process must not be able to do, says what came of it, and exits. TRY_ESCAPE is the name of the
 * attempt (or `list`), TRY_ESCAPE_AT when it is made: 0 before anything is confined, 1 under Landlock alone,
 * 2 confined.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/confine.h"

void try_escape(const struct confine *c, int at);

enum { IO_URING_SETUP = 425, PIDFD_OPEN = 434, CLONE3 = 435, OPENAT2 = 437 };

static int stream = -1, datagram = -1;
static const struct confine *work;
static char *const program[] = {"/bin/true", NULL};
static struct sockaddr_in elsewhere; /* port 9 of this machine */
static struct sockaddr_in any_port = {.sin_family = AF_INET};
static struct sockaddr *below; /* the same at an address whose lower half is 0 */
static char page[3 * 4096];    /* there is a whole one in it */

static long call(long number, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f)
{
    return syscall(number, a, b, c, d, e, f);
}

/* One that returns in the child, too */
static long begin_child(long pid)
{
    if (pid == 0)
        _exit(0);
    return pid;
}

static uintptr_t whole_page(void)
{
    return ((uintptr_t)page + 4095) / 4096 * 4096;
}

static long send_message(long number, int fd, unsigned flags)
{
    struct iovec v = {.iov_base = page, .iov_len = 1};
    struct mmsghdr m = {
        .msg_hdr = {.msg_name = &elsewhere, .msg_namelen = sizeof elsewhere, .msg_iov = &v, .msg_iovlen = 1}};
    return number == SYS_sendmmsg ? syscall(number, fd, &m, 1, flags)
                                  : syscall(number, fd, &m.msg_hdr, flags);
}

/* getpid(2), by the numbers of another ABI of this machine */
static long call_other_abi(void)
{
#ifdef __x86_64__
    return call(0x40000000 + SYS_getpid, 0, 0, 0, 0, 0, 0);
#else
    errno = EPERM;
    return -1;
#endif
}

static long call_32_bits(void)
{
#ifdef __x86_64__
    long number = 20;
    __asm__ volatile("int $0x80" : "+a"(number) : : "memory");
    return number;
#else
    raise(SIGSYS);
    return -1;
#endif
}

static long connect_copy(void)
{
    struct addr copy = *work->to;
    return syscall(SYS_connect, stream, &copy.u, copy.len);
}

#define P(x) ((uintptr_t)(x))
#define TABLE P(work->to)

/* X(name, what is tried): the others in what a work needs; then what takes a table */
#define ATTEMPTS(X)                                                                                       \
    X(execve, call(SYS_execve, P(*program), P(program), 0, 0, 0, 0))                                      \
    X(execveat, call(SYS_execveat, P(AT_FDCWD), P(*program), P(program), 0, 0, 0))                        \
    X(clone, begin_child(call(SYS_clone, SIGCHLD, 0, 0, 0, 0, 0)))                                        \
    X(clone3, begin_child(call(CLONE3, P(((uint64_t[11]){[4] = SIGCHLD})), 88, 0, 0, 0, 0)))              \
    X(fork, begin_child(fork()))                                                                          \
    X(ptrace, call(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0, 0, 0))                                            \
    X(call_32_bits, call_32_bits())                                                                       \
    X(open, call(SYS_openat, P(AT_FDCWD), P("/dev/null"), O_RDONLY, 0, 0, 0))                             \
    X(openat2, call(OPENAT2, P(AT_FDCWD), P("/dev/null"), P(((uint64_t[3]){0})), 24, 0, 0))               \
    X(create, call(SYS_openat, P(AT_FDCWD), P("escaped"), O_WRONLY | O_CREAT, 0600, 0, 0))                \
    X(mkdir, call(SYS_mkdirat, P(AT_FDCWD), P("escaped.d"), 0700, 0, 0, 0))                               \
    X(unlink, call(SYS_unlinkat, P(AT_FDCWD), P("victim"), 0, 0, 0, 0))                                   \
    X(chdir, call(SYS_chdir, P("/"), 0, 0, 0, 0, 0))                                                      \
    X(kill, call(SYS_kill, P(getppid()), 0, 0, 0, 0, 0))                                                  \
    X(killall, call(SYS_kill, P(-1), 0, 0, 0, 0, 0))                                                      \
    X(tgkill, call(SYS_tgkill, P(getppid()), P(getppid()), 0, 0, 0, 0))                                   \
    X(pidfd, call(PIDFD_OPEN, P(getppid()), 0, 0, 0, 0, 0))                                               \
    X(setown, call(SYS_fcntl, P(stream), F_SETOWN, P(getppid()), 0, 0, 0))                                \
    X(prlimit, call(SYS_prlimit64, P(getppid()), RLIMIT_CORE, 0, P(page), 0, 0))                          \
    X(prctl, call(SYS_prctl, PR_SET_NAME, P("escaped"), 0, 0, 0, 0))                                      \
    X(setsid, call(SYS_setpgid, 0, 0, 0, 0, 0, 0))                                                        \
    X(unshare, call(SYS_unshare, 0, 0, 0, 0, 0, 0))                                                       \
    X(memfd, call(SYS_memfd_create, P("escaped"), 0, 0, 0, 0, 0))                                         \
    X(shm, call(SYS_shmget, 0, 4096, 0600, 0, 0, 0))                                                      \
    X(inotify, call(SYS_inotify_init1, 0, 0, 0, 0, 0, 0))                                                 \
    X(mmap_code, call(SYS_mmap, 0, 4096, PROT_EXEC | PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, P(-1), 0))   \
    X(mmap_fixed,                                                                                         \
        call(SYS_mmap, whole_page(), 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, P(-1), 0)) \
    X(mprotect_code, call(SYS_mprotect, whole_page(), 4096, PROT_EXEC | PROT_READ, 0, 0, 0))              \
    X(socket_datagram, call(SYS_socket, AF_INET, SOCK_DGRAM, 0, 0, 0, 0))                                 \
    X(socket_netlink, call(SYS_socket, AF_NETLINK, SOCK_RAW, 0, 0, 0, 0))                                 \
    X(socket_unix_datagram, call(SYS_socket, AF_UNIX, SOCK_DGRAM, 0, 0, 0, 0))                            \
    X(socketpair, call(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, P(page), 0, 0))                           \
    X(listen, call(SYS_listen, P(stream), 1, 0, 0, 0, 0))                                                 \
    X(socket_stream, call(SYS_socket, AF_INET, SOCK_STREAM, 0, 0, 0, 0))                                  \
    X(socket_unix, call(SYS_socket, AF_UNIX, SOCK_STREAM, 0, 0, 0, 0))                                    \
    X(bind, call(SYS_bind, P(stream), P(&any_port), sizeof any_port, 0, 0, 0))                            \
    X(connect, call(SYS_connect, P(stream), P(&elsewhere), sizeof elsewhere, 0, 0, 0))                    \
    X(sendto, call(SYS_sendto, P(datagram), P(page), 1, 0, P(&elsewhere), sizeof elsewhere))              \
    X(sendto_half, call(SYS_sendto, P(datagram), P(page), 1, 0, P(below), sizeof elsewhere))              \
    X(source_route,                                                                                       \
        call(SYS_setsockopt, P(datagram), IPPROTO_IP, IP_OPTIONS, P("\203\7\4\177\11\11\11"), 8, 0))      \
    X(stream_route,                                                                                       \
        call(SYS_setsockopt, P(stream), IPPROTO_IP, IP_OPTIONS, P("\203\7\4\177\11\11\11"), 8, 0))        \
    X(sendmmsg, send_message(SYS_sendmmsg, datagram, 0))                                                  \
    X(fastopen, send_message(SYS_sendmsg, stream, MSG_FASTOPEN))                                          \
    X(tiocsti, call(SYS_ioctl, 0, TIOCSTI, P("x"), 0, 0, 0))                                              \
    X(other_abi, call_other_abi())                                                                        \
    X(io_uring, call(IO_URING_SETUP, 0, 0, 0, 0, 0, 0))                                                   \
    X(connect_copy, connect_copy())                                                                       \
    X(connect_short, call(SYS_connect, P(stream), P(&work->to->u), work->to->len - 1, 0, 0, 0))           \
    X(connect_inside, call(SYS_connect, P(stream), P(&work->to->u) + 1, sizeof elsewhere, 0, 0, 0))       \
    X(connect_behind, call(SYS_connect, P(stream), P(&work->to[work->n].u), sizeof elsewhere, 0, 0, 0))   \
    X(connect_half,                                                                                       \
        call(SYS_connect, P(stream), P(&work->to->u) + (uintptr_t)(UINT64_C(1) << 32), 16, 0, 0, 0))      \
    X(table_munmap, call(SYS_munmap, TABLE, 4096, 0, 0, 0, 0))                                            \
    X(table_mprotect, call(SYS_mprotect, TABLE, 4096, PROT_READ | PROT_WRITE, 0, 0, 0))                   \
    X(table_mremap, call(SYS_mremap, TABLE, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, whole_page(), 0))  \
    X(table_madvise, call(SYS_madvise, TABLE, 4096, MADV_DONTNEED, 0, 0, 0))                              \
    X(table_read, call(SYS_getrandom, TABLE, 16, 0, 0, 0, 0))

#define NAME_OF(name, what) #name "\n"
#define TRY_IT(name, what)       \
    if (!strcmp(attempt, #name)) \
        done = what;

static void get_ready(void)
{
    stream = socket(AF_INET, SOCK_STREAM, 0);
    datagram = socket(AF_INET, SOCK_DGRAM, 0);
    elsewhere = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    below = mmap((void *)((uintptr_t)(UINT64_C(7) << 32)), 4096, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    memcpy(below, &elsewhere, sizeof elsewhere);
}

void try_escape(const struct confine *c, int at)
{
    const char *attempt = getenv("TRY_ESCAPE"), *when = getenv("TRY_ESCAPE_AT");
    static const char names[] = ATTEMPTS(NAME_OF);
    long done = 0;
    if (at == 0)
        get_ready();
    if (!attempt || !when || atoi(when) != at)
        return;
    if (!strcmp(attempt, "list"))
        _exit(write(STDERR_FILENO, names, sizeof names - 1) < 0);
    work = c;
    errno = 0;
    ATTEMPTS(TRY_IT)
    dprintf(STDERR_FILENO, "%s: %s\n", attempt, done < 0 ? strerror(errno) : "done");
    _exit(0);
}
