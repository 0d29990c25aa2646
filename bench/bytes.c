/*
 * bytes - makes, sends, takes and checks a stream of which every byte is known, for measuring relays.
 *
 *     bytes make N       writes N bytes to stdout         bytes check N      reads stdin: is it those N
 * bytes? bytes source N     a server that sends them         bytes sink N       a server that checks what it
 * gets bytes port         prints a TCP port that is free
 *
 * The servers listen on 127.0.0.1, print the port and serve one connection after the other. sink and check
 * answer `ok N` or `wrong …`, sink to the client once it has half-closed. The stream repeats a random block
 * whose length is no multiple of any buffer's, so what is lost, doubled or moved does not go unseen;
 * comparing it costs less than a checksum would.
 */
#include <arpa/inet.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tool.h"

enum { BLOCK = 1048576 + 4099, PIECE = 256 * 1024 };

struct bytes {
    uint64_t total;
    int fd;                     /* of the block */
    const unsigned char *block; /* mapped */
    unsigned char piece[PIECE];
};

static void make_block(struct bytes *b)
{
    static unsigned char block[BLOCK];
    uint64_t x = 88172645463325252U; /* xorshift64 */
    for (size_t i = 0; i < BLOCK; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        block[i] = (unsigned char)(x >> 32);
    }
    b->block = block;
    b->fd = memfd_create("block", MFD_CLOEXEC);
    if (b->fd < 0 || ftruncate(b->fd, BLOCK) < 0 || pwrite(b->fd, block, BLOCK, 0) != BLOCK)
        tool_die(TOOL_SYSTEM, "bytes: memfd");
}

static size_t smaller(uint64_t a, size_t b)
{
    return a < b ? (size_t)a : b;
}

static void make(const struct bytes *b, int to)
{
    for (uint64_t done = 0; done < b->total;) {
        size_t at = (size_t)(done % BLOCK);
        ssize_t n = write(to, b->block + at, smaller(b->total - done, smaller(BLOCK - at, PIECE)));
        if (n < 0 && errno != EINTR)
            tool_die(TOOL_SYSTEM, "bytes: write");
        done += n > 0 ? (uint64_t)n : 0;
    }
}

/* How many of the n bytes at that place of the stream are right. */
static size_t right(const struct bytes *b, uint64_t place, size_t n)
{
    for (size_t done = 0; done < n;) {
        size_t at = (size_t)((place + done) % BLOCK), len = smaller(n - done, BLOCK - at);
        if (memcmp(b->piece + done, b->block + at, len) != 0) {
            while (b->piece[done] == b->block[at++])
                done++;
            return done;
        }
        done += len;
    }
    return n;
}

/* Reads to the end and writes the verdict. */
static int check(struct bytes *b, int from, int to)
{
    uint64_t got = 0, good = 0;
    for (;;) {
        ssize_t n = read(from, b->piece, PIECE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            dprintf(to, "wrong: read: %s after %llu bytes\n", strerror(errno), (unsigned long long)got);
        if (n < 0)
            return TOOL_NO;
        if (n == 0)
            break;
        if (good == got)
            good += right(b, got, (size_t)n);
        got += (uint64_t)n;
    }
    bool ok = got == b->total && good == got;
    if (ok)
        dprintf(to, "ok %llu\n", (unsigned long long)got);
    else
        dprintf(to, "wrong: %llu bytes of %llu, the first %llu are right\n", (unsigned long long)got,
            (unsigned long long)b->total, (unsigned long long)good);
    return ok ? TOOL_OK : TOOL_NO;
}

static void send_all(const struct bytes *b, int to)
{
    for (uint64_t done = 0; done < b->total;) {
        off_t at = (off_t)(done % BLOCK);
        ssize_t n = sendfile(to, b->fd, &at, smaller(b->total - done, BLOCK));
        if (n < 0 && errno != EINTR) {
            fprintf(stderr, "bytes: send: %s\n", strerror(errno));
            return;
        }
        done += n > 0 ? (uint64_t)n : 0;
    }
}

static int listen_somewhere(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 16) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &(socklen_t){sizeof a}) < 0)
        tool_die(TOOL_SYSTEM, "bytes: listen");
    printf("%u\n", ntohs(a.sin_port));
    if (fflush(stdout) != 0)
        tool_die(TOOL_SYSTEM, "bytes: write");
    return fd;
}

static _Noreturn void serve(struct bytes *b, bool sink)
{
    int listener = listen_somewhere();
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            tool_die(TOOL_SYSTEM, "bytes: accept");
        if (sink)
            check(b, fd, fd);
        else
            send_all(b, fd);
        close(fd);
    }
}

int main(int argc, char **argv)
{
    static struct bytes b;
    const char *mode = argc > 1 ? argv[1] : "";
    if (argc == 2 && strcmp(mode, "port") == 0)
        return close(listen_somewhere()) < 0;
    if (argc != 3)
        tool_die(TOOL_USAGE, "usage: bytes make|check|source|sink N, bytes port");
    b.total = tool_number(argv[2], 0, UINT64_C(1) << 50);
    make_block(&b);
    if (strcmp(mode, "check") == 0)
        return check(&b, STDIN_FILENO, STDOUT_FILENO);
    if (strcmp(mode, "source") == 0 || strcmp(mode, "sink") == 0)
        serve(&b, mode[1] == 'i');
    if (strcmp(mode, "make") != 0)
        tool_die(TOOL_USAGE, "bytes: '%s': want make, check, source, sink or port", mode);
    make(&b, STDOUT_FILENO);
    return TOOL_OK;
}
