// flood PORT COUNT NAME - 100 connections at a time to a server whose programs print something; a new one for
// each that ends. Makes the file NAME when as many as are open at once have been served. Ends with 0 when one
// is refused or ends with no byte; with 1 after COUNT or a minute, with the server as busy as ever.
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { AT_ONCE = 100 };

// Hung up with a reset: ports are free again at once.
static int call(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct linger none = {.l_onoff = 1};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none) < 0)
        perror("flood"), exit(111);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        exit(0);
    return fd;
}

int main(int argc, char **argv)
{
    struct pollfd fds[AT_ONCE];
    if (argc != 4)
        return 100;
    alarm(60);
    for (int i = 0; i < AT_ONCE; i++)
        fds[i] = (struct pollfd){.fd = call(atoi(argv[1])), .events = POLLIN};
    for (int served = 0; served < atoi(argv[2]);) {
        if (poll(fds, AT_ONCE, 60000) <= 0)
            return 1;
        for (int i = 0; i < AT_ONCE; i++) {
            char data[100];
            if (!fds[i].revents)
                continue;
            if (read(fds[i].fd, data, sizeof data) <= 0)
                return 0;
            close(fds[i].fd);
            if (++served == AT_ONCE)
                close(open(argv[3], O_WRONLY | O_CREAT, 0666));
            fds[i].fd = call(atoi(argv[1]));
        }
    }
    return 1;
}
