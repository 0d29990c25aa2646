// slow SIZE - copies stdin to stdout, at most SIZE bytes at a time, and rests for a millisecond after
// each 50.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    static char piece[65536];
    static const struct timespec rest = {.tv_nsec = 1000000};
    size_t size = argc == 2 ? (size_t)atoi(argv[1]) : 0;
    ssize_t n = 0;
    if (!size || size > sizeof piece)
        return 100;
    for (int count = 0; (n = read(0, piece, size)) > 0; count++) {
        for (ssize_t done = 0, more; done < n; done += more)
            if ((more = write(1, piece + done, (size_t)(n - done))) < 0)
                return perror("slow: write"), 111;
        if (count % 50 == 0)
            nanosleep(&rest, NULL);
    }
    return n < 0 ? perror("slow: read"), 111 : 0;
}
