// free-port [udp] [IP] - prints a TCP (UDP) port of IP (127.0.0.1) that nobody is bound to, as the kernel
// chooses it. Exits with 1 where IP is not an address of this machine.
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int main(int argc, char **argv)
{
    int udp = argc > 1 && !strcmp(argv[1], "udp");
    const char *ip = argc > 1 + udp ? argv[1 + udp] : "127.0.0.1";
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    int is_6 = strchr(ip, ':') != NULL;
    struct sockaddr *any = is_6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in;
    socklen_t length = is_6 ? sizeof in6 : sizeof in;
    if (inet_pton(any->sa_family, ip, is_6 ? (void *)&in6.sin6_addr : (void *)&in.sin_addr) != 1)
        return 100;
    int fd = socket(any->sa_family, udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, any, length) < 0 || getsockname(fd, any, &length) < 0)
        return 1;
    printf("%d", ntohs(is_6 ? in6.sin6_port : in.sin_port));
    return 0;
}
