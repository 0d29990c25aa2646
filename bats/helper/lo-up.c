// lo-up [COMMAND...] - brings the loopback interface up, as in a new network namespace; becomes COMMAND.
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct ifreq lo = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &lo) < 0)
        return perror("lo-up"), 111;
    lo.ifr_flags |= IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &lo) < 0)
        return perror("lo-up"), 111;
    close(fd);
    if (argc < 2)
        return 0;
    execvp(argv[1], argv + 1);
    return perror(argv[1]), 127;
}
