// lo-address IP/BITS... - gives the loopback interface more IPv4 addresses: every address of IP's network is
// this machine's then. For a network namespace where an example asks hosts such as 192.0.2.1.
#include <arpa/inet.h>
#include <net/if.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int set(int fd, unsigned long request, const char *name, in_addr_t address)
{
    struct ifreq r = {0};
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = address};
    snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
    memcpy(&r.ifr_addr, &a, sizeof a);
    return ioctl(fd, request, &r);
}

int main(int argc, char **argv)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    for (int i = 1; i < argc; i++) {
        char name[IFNAMSIZ];
        char *slash = strchr(argv[i], '/');
        int bits = slash != NULL ? (int)strtol(slash + 1, NULL, 10) : 32;
        if (slash != NULL)
            *slash = '\0';
        snprintf(name, sizeof name, "lo:%d", i);
        in_addr_t mask = bits <= 0 ? 0 : htonl(UINT32_MAX << (32 - bits));
        if (set(fd, SIOCSIFADDR, name, inet_addr(argv[i])) < 0 || set(fd, SIOCSIFNETMASK, name, mask) < 0)
            return perror("lo-address"), 111;
    }
    close(fd);
    return 0;
}
