/*
 * confine.h - --confine: once a process is set up, it keeps what the rest of its work needs, and nothing
 * else.
 *
 * Landlock (landlock(7)) takes away all files by name and, where the kernel knows them, TCP ports other than
 * those of `to`, abstract Unix sockets and signals to other processes. A seccomp filter (seccomp(2)) then
 * allows a list of system calls, some with certain arguments only. An address that is connected or sent to
 * must lie in the table `to`, which can't be written or unmapped any more: a filter sees pointers, not what
 * they point to. execve, fork, clone and ptrace kill the process; any other call fails with EPERM, as the C
 * library may try one that it can do without.
 */
#ifndef CONFINE_H
#define CONFINE_H

#include <stddef.h>

#include "base/msg.h"
#include "net/addr.h"

#define CONFINE_OPTION(X) \
    X(CONFINE, 0, "confine", NULL, "once set up, allow no files, programs or other sockets")

struct confine {
    enum confine_work {
        CONFINE_ANSWER,  /* accepts connections, receives datagrams, and answers them */
        CONFINE_CONNECT, /* makes stream sockets, and connects them to `to` */
        CONFINE_SEND,    /* sends datagrams to `to` from sockets that it has, and receives them */
    } work;
    const struct addr *to; /* of confine_room; those of length 0 are none */
    size_t n;
    bool binds; /* CONFINE_CONNECT: each socket is bound first */
};

/* Ends the process with status 100 where the kernel or the machine can't confine it, naming what is missing.
 */
void confine_check(const struct msg *m);

/* Room for n addresses that are known before confine and don't change after it. Ends the process if there is
 * none. */
struct addr *confine_room(const struct msg *m, size_t n);

/* Confines this process, for good. Ends it, with a message, where that fails. */
void confine(const struct msg *m, const struct confine *c);

#endif
