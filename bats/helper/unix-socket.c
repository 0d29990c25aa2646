// unix-socket dgram|seqpacket|stream PATH - binds such a socket, listens where that is possible, and prints
// `up`; never takes anything from it.
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (argc != 3 || strlen(argv[2]) >= sizeof a.sun_path)
        return 100;
    int type = *argv[1] == 'd' ? SOCK_DGRAM : argv[1][1] == 'e' ? SOCK_SEQPACKET : SOCK_STREAM;
    int fd = socket(AF_UNIX, type, 0);
    strcpy(a.sun_path, argv[2]);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 ||
        (type != SOCK_DGRAM && listen(fd, 1) < 0)) {
        perror("unix-socket");
        return 111;
    }
    puts("up");
    fflush(stdout);
    for (;;)
        pause();
}
