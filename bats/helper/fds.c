// fds [FILE] - prints which of the fds 0 to 255 it was started with, in one line, to stdout or to FILE.
#include <fcntl.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    char open_before[256];
    for (int fd = 0; fd < 256; fd++)
        open_before[fd] = fcntl(fd, F_GETFD) >= 0;
    FILE *out = argc > 1 ? fopen(argv[1], "w") : stdout;
    if (!out)
        return 111;
    const char *blank = "";
    for (int fd = 0; fd < 256; fd++) {
        if (!open_before[fd])
            continue;
        fprintf(out, "%s%d", blank, fd);
        blank = " ";
    }
    return putc('\n', out) == EOF || fclose(out) == EOF ? 111 : 0;
}
