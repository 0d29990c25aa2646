// sntp IP PORT - answers SNTP requests (RFC 4330) with this machine's time, as a server of stratum 1. For
// examples that ask a server of NTP by its name.
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static void put_now(unsigned char *at)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint32_t seconds = htonl((uint32_t)((uint64_t)now.tv_sec + 2208988800u));
    uint32_t fraction = htonl((uint32_t)(((uint64_t)now.tv_nsec << 32) / 1000000000u));
    memcpy(at, &seconds, 4);
    memcpy(at + 4, &fraction, 4);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 100;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(argv[1])};
    a.sin_port = htons((uint16_t)strtol(argv[2], NULL, 10));
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0)
        return perror("sntp"), 111;
    for (;;) {
        unsigned char packet[48];
        struct sockaddr_in from;
        socklen_t size = sizeof from;
        if (recvfrom(fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &size) != sizeof packet)
            continue;
        memcpy(packet + 24, packet + 40, 8); // originate: what the client sent as its time
        packet[0] = (unsigned char)((packet[0] & 0x38) | 4);
        packet[1] = 1;
        memcpy(packet + 12, "TEST", 4);
        put_now(packet + 16);
        put_now(packet + 32);
        put_now(packet + 40);
        sendto(fd, packet, sizeof packet, 0, (struct sockaddr *)&from, size);
    }
}
