/*
 * timeresponder - answers datagrams by the Time Protocol (RFC 868) at all addresses of this machine.
 *
 *     timeresponder
 *
 * Prints its port. Each answer comes from the address that was asked, and its time is as many seconds ahead
 * as the last two octets of that address say, so that whoever asks many can check each answer: 127.0.1.2 is
 * 258 seconds ahead.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tool.h"

enum { BATCH = 64, ROOM = 16 << 20 };

static const uint32_t EPOCH = 2208988800U; /* from 1900 to 1970 */

struct batch {
    struct mmsghdr heads[BATCH];
    struct iovec v[BATCH];
    struct sockaddr_in from[BATCH];
    uint32_t data[BATCH];
    _Alignas(struct cmsghdr) char control[BATCH][CMSG_SPACE(sizeof(struct in_pktinfo))];
};

static int open_socket(void)
{
    const int on = 1, room = ROOM;
    struct sockaddr_in a = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&a, sizeof a) < 0 ||
        getsockname(fd, (struct sockaddr *)&a, &(socklen_t){sizeof a}) < 0)
        tool_die(TOOL_SYSTEM, "timeresponder: socket");
    /* so that nothing is lost here */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    printf("%u\n", ntohs(a.sin_port));
    if (fflush(stdout) != 0)
        tool_die(TOOL_SYSTEM, "timeresponder: write");
    return fd;
}

/* What recvmmsg may fill, also after it has shortened it. */
static void prepare(struct batch *b)
{
    for (size_t i = 0; i < BATCH; i++) {
        b->v[i] = (struct iovec){.iov_base = &b->data[i], .iov_len = sizeof b->data[i]};
        b->heads[i].msg_hdr = (struct msghdr){.msg_name = &b->from[i],
            .msg_namelen = sizeof b->from[i],
            .msg_iov = &b->v[i],
            .msg_iovlen = 1,
            .msg_control = b->control[i],
            .msg_controllen = sizeof b->control[i]};
    }
}

/* Makes an answer of a question: it goes back the same way, from the address that was asked. */
static void turn_round(struct batch *b, size_t i, uint32_t now)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(&b->heads[i].msg_hdr);
    if (!c || c->cmsg_type != IP_PKTINFO)
        tool_die(TOOL_NO, "timeresponder: a datagram for nobody");
    struct in_pktinfo info;
    memcpy(&info, CMSG_DATA(c), sizeof info);
    info = (struct in_pktinfo){.ipi_spec_dst = info.ipi_addr};
    b->data[i] = htonl(now + (ntohl(info.ipi_spec_dst.s_addr) & 0xffff));
    b->v[i].iov_len = sizeof b->data[i];
    memcpy(CMSG_DATA(c), &info, sizeof info);
}

int main(void)
{
    static struct batch b;
    int fd = open_socket();
    for (;;) {
        prepare(&b);
        int n = recvmmsg(fd, b.heads, BATCH, MSG_WAITFORONE, NULL);
        if (n < 0)
            tool_die(TOOL_SYSTEM, "timeresponder: recvmmsg");
        uint32_t now = (uint32_t)time(NULL) + EPOCH;
        for (size_t i = 0; i < (size_t)n; i++)
            turn_round(&b, i, now);
        for (int done = 0, sent; done < n; done += sent)
            if ((sent = sendmmsg(fd, b.heads + done, (unsigned)(n - done), 0)) < 0)
                tool_die(TOOL_SYSTEM, "timeresponder: sendmmsg");
    }
}
