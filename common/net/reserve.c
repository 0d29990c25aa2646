/*
 * reserve.c - see reserve.h. Who holds the abstract Unix socket @ipcbox-port-PORT, which belongs to the
 * network namespace as the port does, has reserved it.
 */
#include "net/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/num.h"
#include "net/addr.h"

/* an odd stride comes to each of them, and does not begin at the same one behind the range */
enum { FIRST = 49152, PORTS = UINT16_MAX + 1 - FIRST, STRIDE = 6007 };

/*
 * A socket that is bound to the port on all addresses: of both families, or of IPv4 where there is no other.
 * -1 with errno.
 */
static int bind_port(uint16_t port)
{
    static const char *const any[] = {"::", "0.0.0.0"};
    int fd = -1;
    for (size_t i = 0; fd < 0 && i < sizeof any / sizeof *any; i++) {
        struct addr a;
        const int off = 0;
        addr_parse_ip(&a, any[i], port);
        fd = socket(addr_family(&a), SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        if (i == 0)
            setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
        if (bind(fd, &a.u.sa, a.len) == 0)
            return fd;
        fd_close(&fd);
        if (errno == EADDRINUSE)
            break;
    }
    return -1;
}

/* What the kernel hands out: all, where that can't be read. */
static void read_range(uint64_t *low, uint64_t *high)
{
    char text[32];
    int fd = open("/proc/sys/net/ipv4/ip_local_port_range", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : fd_read(fd, text, sizeof text - 1);
    fd_close(&fd);
    text[n > 0 ? n : 0] = '\0';
    size_t tab = strcspn(text, "\t");
    if (!text[tab] || !num_u64n(text, tab, 0, UINT16_MAX, low) ||
        !num_u64n(text + tab + 1, strcspn(text + tab + 1, "\n"), 0, UINT16_MAX, high))
        *low = 0;
}

/* The lock on a port, among those who reserve. -1: it is taken. */
static int lock_port(uint16_t port)
{
    char mem[32];
    struct buf name = BUF(mem);
    struct addr a;
    buf_fmt(&name, "@ipcbox-port-%u", port);
    addr_parse_unix(&a, buf_str(&name));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, &a.u.sa, a.len) < 0)
        fd_close(&fd);
    return fd;
}

int reserve_port(uint16_t *port, int *fd)
{
    uint64_t low, high = UINT16_MAX;
    unsigned start = (unsigned)(clock_now() / 1000);
    struct addr a;
    const int on = 1;
    read_range(&low, &high);
    for (unsigned i = 0; i < PORTS; i++) {
        *port = (uint16_t)(FIRST + (start + i * STRIDE) % PORTS);
        if ((*port >= low && *port <= high) || (*fd = lock_port(*port)) < 0)
            continue;
        int test = bind_port(*port);
        if (test >= 0) {
            fd_close(&test);
            return 0;
        }
        fd_close(fd);
    }
    *fd = bind_port(0);
    if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 || addr_local(&a, *fd) < 0)
        return -1;
    *port = addr_port(&a);
    return 0;
}
