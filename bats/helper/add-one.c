// add-one FILE - adds one to the number in it, in a way that loses what another adds at the same time.
#include <stdio.h>
#include <time.h>

int main(int argc, char **argv)
{
    struct timespec pause = {.tv_nsec = 1000000};
    int n = 0;
    FILE *f = argc == 2 ? fopen(argv[1], "r") : NULL;
    if (!f || fscanf(f, "%d", &n) != 1)
        return 111;
    fclose(f);
    nanosleep(&pause, NULL);
    f = fopen(argv[1], "w");
    return !f || fprintf(f, "%d\n", n + 1) < 0 || fclose(f) != 0;
}
