/*
 * plant WHAT: what looks like an applet, and has a fault that torture.py --plant must find.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* It fails without a word. */
static int mute(void)
{
    return open("in", O_RDONLY) < 0;
}

/* An error is taken for "nothing yet". */
static int hang(void)
{
    char byte;
    int fd = open("in", O_RDONLY);
    if (fd < 0)
        return perror("plant: open in"), 111;
    while (read(fd, &byte, 1) < 0)
        ;
    return 0;
}

/* What was begun is not undone. */
static int leave(void)
{
    int fd = open("temporary", O_WRONLY | O_CREAT, 0600);
    if (fd < 0 || rename("temporary", "out") < 0)
        return perror("plant: make out"), 111;
    return 0;
}

int main(int argc, char **argv)
{
    fcntl(0, F_GETFD); /* from here on it is ours, as in an applet */
    const char *what = argc == 2 ? argv[1] : "";
    return strcmp(what, "mute") == 0 ? mute() : strcmp(what, "hang") == 0 ? hang() : leave();
}
