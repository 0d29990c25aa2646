// alarmed SECONDS COMMAND... - becomes COMMAND, with an alarm(2) in SECONDS.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc < 3)
        return 100;
    alarm((unsigned)atoi(argv[1]));
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 127;
}
