// segment KEY create SIZE - makes a segment of shared memory, of zeros, as a program of another's would.
// segment KEY write OFFSET - copies stdin there.
// segment KEY read OFFSET LENGTH - to stdout.
// segment KEY hold - attaches it, says "attached", and has it until stdin ends.
// segment private hold SIZE - the same with a new one without a key, which nobody else has; it goes at the
// end. KEY is a number, 0x..., PATH:NUMBER, or id:N.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(111);
}

static key_t key_of(char *word)
{
    char *colon = strrchr(word, ':');
    if (!strchr(word, '/'))
        return (key_t)strtoul(word, NULL, 0);
    if (colon)
        *colon = '\0';
    return ftok(word, colon ? atoi(colon + 1) : 1);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 100;
    const char *what = argv[2];
    size_t offset = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    if (strcmp(what, "create") == 0) {
        if (shmget(key_of(argv[1]), offset, IPC_CREAT | IPC_EXCL | 0600) < 0)
            die("shmget");
        return 0;
    }
    bool private = strcmp(argv[1], "private") == 0;
    int id = private                           ? shmget(IPC_PRIVATE, offset, 0700)
             : strncmp(argv[1], "id:", 3) == 0 ? atoi(argv[1] + 3)
                                               : shmget(key_of(argv[1]), 0, 0);
    if (id < 0)
        die("shmget");
    char *memory = shmat(id, NULL, 0);
    if ((intptr_t)memory == -1)
        die("shmat");
    if (private && shmctl(id, IPC_RMID, NULL) < 0)
        die("shmctl");
    if (strcmp(what, "write") == 0) {
        ssize_t n;
        while ((n = read(STDIN_FILENO, memory + offset, 4096)) > 0)
            offset += (size_t)n;
        return n < 0;
    }
    if (strcmp(what, "read") == 0 && argc == 5) {
        size_t left = strtoul(argv[4], NULL, 10);
        return fwrite(memory + offset, 1, left, stdout) != left || fflush(stdout) != 0;
    }
    if (strcmp(what, "hold") != 0)
        return 100;
    char c;
    puts("attached");
    fflush(stdout);
    while (read(STDIN_FILENO, &c, 1) > 0)
        continue;
    return 0;
}
