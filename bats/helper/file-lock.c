// file-lock flock|fcntl|read|ofd FILE hold - locks FILE (made if it is not there) without waiting, prints
// "held" and sleeps; "taken" and 1 when another has it. read: a read lock, on a FILE that is only read. ofd:
// one of the open file description. try: exits once it has it. file-lock query FILE: 0 when somebody holds an
// fcntl(2) lock on it, else 1.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    const char *how = argc > 2 ? argv[1] : "";
    int query = !strcmp(how, "query"), reads = query || !strcmp(how, "read");
    struct flock lock = {.l_type = reads && !query ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET};
    if (argc < (query ? 3 : 4))
        return 100;
    int fd = open(argv[2], reads ? O_RDONLY : O_RDWR | O_CREAT | O_APPEND, 0666);
    if (fd < 0)
        return perror(argv[2]), 111;
    if (query)
        return fcntl(fd, F_GETLK, &lock) < 0 ? 111 : lock.l_type == F_UNLCK;
    int done = !strcmp(how, "flock") ? flock(fd, LOCK_EX | LOCK_NB)
                                     : fcntl(fd, !strcmp(how, "ofd") ? F_OFD_SETLK : F_SETLK, &lock);
    printf("%s\n", done < 0 ? "taken" : "held");
    fflush(stdout);
    while (done == 0 && !strcmp(argv[3], "hold"))
        pause();
    return done < 0;
}
