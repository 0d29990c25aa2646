/*
 * resolve.c - see resolve.h.
 */
#include "net/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/table.h"
#include "process/reap.h"
#include "process/sigs.h"
#include "process/spawn.h"
#include "process/worker.h"

/* What an answer begins with on its way through the pipe. */
enum { HEAD_SIZE = offsetof(struct resolved, addrs) };

struct question {
    int fd;
    const char *host;
    uint16_t port;
    int family;
    const struct addr *addr;
    bool paranoid;
};

/*
 * The list without repetitions: an address stands twice in /etc/hosts, or glibc takes ::1 for another
 * 127.0.0.1. A mapped address is the IPv4 address, if that was asked for, too. 0, or -1 with ENOMEM.
 */
static int keep_each_once(const struct addrinfo *list, int family, uint16_t port, struct resolved *answer)
{
    struct table seen = {.entry_size = ADDR_KEY_SIZE, .key_size = ADDR_KEY_SIZE};
    unsigned char key[ADDR_KEY_SIZE];
    size_t n = 1;
    for (const struct addrinfo *ai = list; ai; ai = ai->ai_next)
        n++;
    answer->addrs = calloc(n, sizeof *answer->addrs);
    bool fits = answer->addrs;
    for (const struct addrinfo *ai = list; ai && fits; ai = ai->ai_next) {
        struct addr *a = &answer->addrs[answer->n];
        if (ai->ai_addrlen > sizeof a->u)
            continue;
        memcpy(&a->u, ai->ai_addr, ai->ai_addrlen);
        a->len = ai->ai_addrlen;
        if (family == AF_UNSPEC)
            addr_unmap(a);
        addr_set_port(a, port);
        addr_key(a, key);
        fits = table_add(&seen, key);
        answer->n = (int)seen.used;
    }
    table_free(&seen);
    return fits ? 0 : -1;
}

static void look_up(const char *host, uint16_t port, int family, struct resolved *answer)
{
    const struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    memset(answer, 0, sizeof *answer);
    answer->error = getaddrinfo(host, NULL, &hints, &list);
    answer->err = errno;
    if (answer->error)
        return;
    if (keep_each_once(list, family, port, answer) < 0)
        answer->error = EAI_MEMORY;
    freeaddrinfo(list);
}

static int answer_addresses(void *arg)
{
    const struct question *q = arg;
    struct resolved answer;
    look_up(q->host, q->port, q->family, &answer);
    if (answer.error && dup(q->fd) < 0) { /* without a descriptor a resolver knows no name */
        answer.error = EAI_SYSTEM;
        answer.err = errno;
    }
    if (answer.error)
        answer.n = 0;
    return fd_write_all(q->fd, &answer, HEAD_SIZE) < 0 ||
           (answer.n && fd_write_all(q->fd, answer.addrs, (size_t)answer.n * sizeof *answer.addrs) < 0);
}

/*
 * RFC 952 and 1123, and the underscore that some use: nothing that a shell or a terminal could trip over. A
 * name whose last label is a number would be taken for an address, by inet_aton(3) in one of its many forms.
 */
static bool is_host_name(const char *name)
{
    size_t len = strlen(name);
    const char *dot = strrchr(name, '.'), *last = dot ? dot + 1 : name;
    bool hex = last[0] == '0' && (last[1] == 'x' || last[1] == 'X');
    bool number =
        !last[strspn(last, "0123456789")] || (hex && !last[2 + strspn(last + 2, "0123456789abcdefABCDEF")]);
    return len && len < RESOLVE_NAME_SIZE && *name != '-' && !number &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == len;
}

static bool has_address(const char *name, const struct addr *a)
{
    unsigned char wanted[ADDR_KEY_SIZE], found[ADDR_KEY_SIZE];
    struct resolved back;
    bool has = false;
    look_up(name, 0, addr_family(a), &back);
    addr_key(a, wanted);
    for (int i = 0; i < back.n && !has; i++) {
        addr_key(&back.addrs[i], found);
        has = !memcmp(wanted, found, sizeof found);
    }
    resolve_free(&back);
    return has;
}

static int answer_name(void *arg)
{
    const struct question *q = arg;
    char name[NI_MAXHOST];
    if (getnameinfo(&q->addr->u.sa, q->addr->len, name, sizeof name, NULL, 0, NI_NAMEREQD) != 0)
        return 1;
    size_t len = strlen(name);
    if (len && name[len - 1] == '.')
        name[len - 1] = '\0';
    if (!is_host_name(name) || (q->paranoid && !has_address(name, q->addr)))
        return 1;
    return fd_write_all(q->fd, name, strlen(name)) < 0;
}

static int ask(struct resolve *r, int (*work)(void *), struct question *q)
{
    int pipe_fds[2];
    sigs_catch(SIGCHLD); /* not ignored, as it may have been found: then the pid would not stay ours until we
                            reap it */
    *r = (struct resolve){.fd = -1};
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -1;
    q->fd = pipe_fds[1];
    r->fd = pipe_fds[0];
    r->pid = fd_set_nonblock(r->fd, true) < 0 ? -1 : worker_start(work, q, true);
    fd_close(&pipe_fds[1]);
    if (r->pid < 0)
        fd_close(&r->fd);
    return r->pid < 0 ? -1 : 0;
}

int resolve_start(struct resolve *r, const char *host, uint16_t port, int family)
{
    struct question q = {.host = host, .port = port, .family = family};
    return ask(r, answer_addresses, &q);
}

void resolve_stop(struct resolve *r)
{
    char rest[256];
    ssize_t n;
    if (r->fd < 0)
        return;
    while ((n = fd_read(r->fd, rest, sizeof rest)) > 0)
        ;
    /* it still has its end of the pipe; else a loop that reaps all may have reaped it, and the pid be
     * another's */
    if (n < 0)
        kill(r->pid, SIGKILL);
    reap_wait(r->pid);
    fd_close(&r->fd);
    resolve_free(&r->answer);
}

void resolve_pair(const struct resolved *answer, struct addr pair[static 2])
{
    pair[0] = answer->addrs[0];
    pair[1].len = 0;
    for (int i = 1; i < answer->n && !pair[1].len; i++)
        if (addr_family(&answer->addrs[i]) != addr_family(pair))
            pair[1] = answer->addrs[i];
}

void resolve_free(struct resolved *answer)
{
    free(answer->addrs);
    answer->addrs = NULL;
}

/* The head of the answer, then its addresses. 1: all of it is there; 0: more is to come; -1: it never will.
 */
static int read_answer(struct resolve *r)
{
    struct resolved *a = &r->answer;
    for (;;) {
        bool in_head = r->got < HEAD_SIZE;
        size_t whole = HEAD_SIZE + (in_head ? 0 : (size_t)a->n * sizeof *a->addrs);
        char *to = in_head ? (char *)a + r->got : (char *)a->addrs + (r->got - HEAD_SIZE);
        if (!in_head && r->got == whole)
            return 1;
        ssize_t n = fd_read(r->fd, to, whole - r->got);
        if (n <= 0)
            return n < 0 && errno == EAGAIN ? 0 : -1;
        r->got += (size_t)n;
        if (r->got == HEAD_SIZE && a->n > 0 && !(a->addrs = calloc((size_t)a->n, sizeof *a->addrs)))
            return -1;
    }
}

bool resolve_take(struct resolve *r, struct resolved *answer)
{
    int done = read_answer(r);
    if (done == 0)
        return false;
    *answer = done > 0 ? r->answer : (struct resolved){.error = EAI_FAIL}; /* it was killed, or it crashed */
    if (done > 0)
        r->answer.addrs = NULL;
    resolve_stop(r);
    return true;
}

void resolve_one(struct resolved *answer, const struct addr *a)
{
    *answer = (struct resolved){.addrs = malloc(sizeof *a)};
    if (!answer->addrs) {
        answer->error = EAI_MEMORY;
        return;
    }
    *answer->addrs = *a;
    answer->n = 1;
}

int resolve_wait(const char *host, uint16_t port, int family, int64_t deadline, struct resolved *answer)
{
    struct resolve r;
    struct addr number;
    memset(answer, 0, sizeof *answer);
    if (addr_parse_ip(&number, host, port)) {
        if (family != AF_UNSPEC && addr_family(&number) != family)
            answer->error = EAI_NONAME;
        else
            resolve_one(answer, &number);
        return answer->error ? -1 : 0;
    }
    if (resolve_start(&r, host, port, family) < 0)
        return -1;
    do {
        if (sigs_wait(r.fd, POLLIN, deadline) < 0) {
            int err = errno;
            resolve_stop(&r);
            errno = err;
            return -1;
        }
    } while (!resolve_take(&r, answer));
    return answer->error ? -1 : 0;
}

int resolve_name(const struct addr *a, bool paranoid, int64_t deadline, char name[static RESOLVE_NAME_SIZE])
{
    struct resolve r;
    struct question q = {.addr = a, .paranoid = paranoid};
    ssize_t n = 0;
    if (ask(&r, answer_name, &q) < 0)
        return -1;
    if (sigs_wait(r.fd, POLLIN, deadline) == 0)
        n = fd_read(r.fd, name, RESOLVE_NAME_SIZE - 1);
    resolve_stop(&r);
    if (n <= 0)
        return -1;
    name[n] = '\0';
    return 0;
}

const char *resolve_reason(const struct resolved *answer)
{
    if (answer->error == EAI_SYSTEM)
        return strerror(answer->err);
    return answer->error ? gai_strerror(answer->error) : strerror(errno);
}
