/*
 * proc.c - what /proc shows of processes, locks and sockets, with names that their owners have chosen. An odd
 * first byte: the input is the name of a process in a line of stat that is right otherwise. An even one: its
 * quarters are stat, locks, net/tcp and net/unix.
 */
#include "harness/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "status/sockets.h"

enum { NOBODY = 999999999 }; /* above all pids: nothing of it is there but what we put there */

static void name(const uint8_t *bytes, size_t n)
{
    static const char rest[] = ") S 11 22 33 34816 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 98765 0 0";
    char text[512];
    struct buf b = BUF(text);
    struct process p;
    buf_fmt(&b, "%d (", NOBODY);
    buf_bytes(&b, bytes, n < 64 ? n : 64); /* a kernel thread's; all others have 15 */
    buf_text(&b, rest);
    fuzz_file("/proc/999999999/stat", b.mem, b.len);
    bool read = procs_look(NOBODY, &p);
    MUST(read == !memchr(bytes, '\0', n < 64 ? n : 64));
    MUST(!read || (p.state == 'S' && p.parent == 11 && p.session == 33 && p.start == 98765));
    PLANTED(read && n > 4 && memcmp(bytes, ") R ", 4) == 0);
}

static void tables(struct input *in)
{
    static const char *const names[] = {"tcp", "unix", "tcp6", "udp", "udp6"};
    char path[5][64];
    struct found me = {.process = {.pid = getpid()}};
    struct census c = {.list = &me, .n = 1};
    struct holdings h = {.sockets.size = sizeof(struct held_socket),
        .locks.size = sizeof(struct held_lock),
        .files.size = sizeof(struct held_file)};
    struct sockets s;
    struct process p;
    size_t quarter = in->left / 4;
    fuzz_file("/proc/999999999/stat", in->at, quarter);
    fuzz_file("/proc/locks", in->at + quarter, quarter);
    for (size_t i = 0; i < 5; i++) { /* the last three have nothing */
        snprintf(path[i], sizeof *path, "/proc/%ld/net/%s", (long)getpid(), names[i]);
        fuzz_file(path[i], in->at + (i < 2 ? 2 + i : 0) * quarter, i < 2 ? quarter : 0);
    }
    procs_look(NOBODY, &p);
    struct census nobody = {.list = &me, .n = 1};
    me.process.pid = NOBODY;
    MUST(holdings_take(&h, &nobody) == 0);
    for (size_t i = 0; i < h.locks.n; i++)
        MUST(((struct held_lock *)h.locks.mem)[i].path && *((struct held_lock *)h.locks.mem)[i].end);
    PLANTED(h.locks.n == 1);
    me.process.pid = getpid();
    for (uint64_t i = 1; i < 4; i++) {
        const struct held_socket held = {.inode = i, .pid = getpid(), .owner = &me};
        MUST(list_append(&h.sockets, &held, 1) == 0);
    }
    MUST(sockets_take(&s, &c, &h) == 0);
    for (size_t i = 0; i < s.list.n; i++) {
        const struct seen_socket *seen = (struct seen_socket *)s.list.mem + i;
        MUST(seen->owner == &me && memchr(seen->local, '\0', sizeof seen->local));
        MUST(memchr(seen->remote, '\0', sizeof seen->remote) && strlen(sockets_state(seen)) < 14);
    }
    PLANTED(s.list.n == 1);
    sockets_free(&s);
    holdings_free(&h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    fuzz_file(NULL, NULL, 0);
    if (fuzz_byte(&in) & 1)
        name(in.at, in.left);
    else
        tables(&in);
    fuzz_file(NULL, NULL, 0);
    return 0;
}
