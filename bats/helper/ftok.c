// ftok PATH NUMBER - prints the key that ftok(3) makes of them, 0x and 8 digits.
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>

int main(int argc, char **argv)
{
    if (argc != 3)
        return 100;
    printf("0x%08x\n", (unsigned)ftok(argv[1], atoi(argv[2])));
    return 0;
}
