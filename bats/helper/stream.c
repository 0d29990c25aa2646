// stream WORD MIB - writes MIB mebibytes that depend on WORD and on the place: a lost, doubled or moved piece
// changes their checksum.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { BLOCK = 65536 };

int main(int argc, char **argv)
{
    static char block[BLOCK + 200];
    if (argc != 3)
        return 100;
    for (int n = 1; n <= atoi(argv[2]) * 16; n++) {
        int at = snprintf(block, sizeof block, "%.50s block %d\n", argv[1], n);
        for (int line = 1; at < BLOCK; line++)
            at += sprintf(block + at, "%.50s %07d\n", argv[1], line);
        ssize_t done;
        for (char *from = block; from < block + BLOCK; from += done)
            if ((done = write(1, from, (size_t)(block + BLOCK - from))) < 0)
                return perror("stream: write"), 111;
    }
    return 0;
}
