// number-lines COUNT [FILE] - writes "line 1 of COUNT" to "line COUNT of COUNT" to stdout, in pieces that end
// anywhere. With FILE: makes it when stdout has taken nothing for a while, whatever waits in it; FILE.end at
// the end.
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void touch(const char *file, const char *suffix)
{
    char path[4096];
    snprintf(path, sizeof path, "%s%s", file, suffix);
    int fd = open(path, O_WRONLY | O_CREAT, 0666);
    if (fd < 0)
        exit((perror(path), 111));
    close(fd);
}

int main(int argc, char **argv)
{
    char text[8192];
    size_t len = 0;
    if (argc < 2)
        return 100;
    long count = atol(argv[1]);
    for (long n = 1; n <= count; n++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "line %ld of %ld\n", n, count);
        while (len >= 4000 || (n == count && len)) {
            struct pollfd out = {.fd = 1, .events = POLLOUT};
            if (argc > 2 && poll(&out, 1, 500) == 0)
                touch(argv[2], "");
            size_t piece = 1 + (size_t)n % 3000;
            ssize_t done = write(1, text, piece < len ? piece : len);
            if (done < 0)
                return perror("number-lines: write"), 111;
            len -= (size_t)done;
            memmove(text, text + done, len);
        }
    }
    if (argc > 2)
        touch(argv[2], ".end");
    return 0;
}
