/*
 * resolve.c - see resolve.h.
 */
#include "net/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "process/reap.h"
#include "process/sigs.h"
#include "process/spawn.h"
#include "process/worker.h"

_Static_assert(sizeof(struct resolved) <= PIPE_BUF, "an answer is one atomic write");

struct question {
    int fd;
    const char *host;
    uint16_t port;
    int family;
    const struct addr *addr;
    bool paranoid;
};

static void look_up(const char *host, uint16_t port, int family, struct resolved *answer)
{
    const struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    memset(answer, 0, sizeof *answer);
    answer->error = getaddrinfo(host, NULL, &hints, &list);
    answer->err = errno;
    if (answer->error)
        return;
    for (const struct addrinfo *ai = list; ai && answer->n < RESOLVE_MAX; ai = ai->ai_next) {
        struct addr *a = &answer->addrs[answer->n];
        if (ai->ai_addrlen > sizeof a->u)
            continue;
        memcpy(&a->u, ai->ai_addr, ai->ai_addrlen);
        a->len = ai->ai_addrlen;
        addr_set_port(a, port);
        answer->n++;
    }
    freeaddrinfo(list);
}

static int answer_addresses(void *arg)
{
    const struct question *q = arg;
    struct resolved answer;
    look_up(q->host, q->port, q->family, &answer);
    return fd_write_all(q->fd, &answer, sizeof answer) < 0;
}

/* RFC 952 and 1123, and the underscore that some use: nothing that a shell or a terminal could trip over. */
static bool is_host_name(const char *name)
{
    size_t len = strlen(name);
    return len && len < RESOLVE_NAME_SIZE && *name != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == len;
}

static bool has_address(const char *name, const struct addr *a)
{
    unsigned char wanted[ADDR_KEY_SIZE], found[ADDR_KEY_SIZE];
    struct resolved back;
    look_up(name, 0, addr_family(a), &back);
    addr_key(a, wanted);
    for (int i = 0; i < back.n; i++) {
        addr_key(&back.addrs[i], found);
        if (!memcmp(wanted, found, sizeof found))
            return true;
    }
    return false;
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
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return -1;
    q->fd = pipe_fds[1];
    r->fd = pipe_fds[0];
    r->pid = worker_start(work, q, true);
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
    if (r->fd < 0)
        return;
    kill(r->pid, SIGKILL);
    reap_wait(r->pid);
    fd_close(&r->fd);
}

void resolve_take(struct resolve *r, struct resolved *answer)
{
    ssize_t n = fd_read(r->fd, answer, sizeof *answer);
    if (n != (ssize_t)sizeof *answer) /* it was killed, or it crashed */
        *answer = (struct resolved){.error = EAI_FAIL};
    resolve_stop(r);
}

int resolve_wait(const char *host, uint16_t port, int family, int64_t deadline, struct resolved *answer)
{
    struct resolve r;
    memset(answer, 0, sizeof *answer);
    if (addr_parse_ip(&answer->addrs[0], host, port)) {
        answer->n = 1;
        if (family != AF_UNSPEC && addr_family(&answer->addrs[0]) != family)
            answer->error = EAI_NONAME;
        return answer->error ? -1 : 0;
    }
    if (resolve_start(&r, host, port, family) < 0)
        return -1;
    if (sigs_wait(r.fd, POLLIN, deadline) < 0) {
        int err = errno;
        resolve_stop(&r);
        errno = err;
        return -1;
    }
    resolve_take(&r, answer);
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
