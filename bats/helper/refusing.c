// refusing WHAT COMMAND... - becomes COMMAND, for which and for whose descendants WHAT is not to be had, as
// with an old kernel or in a container: landlock (no such system call), seccomp (no filters), no-new-privs.
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { LANDLOCK_CREATE_RULESET = 444 };

int main(int argc, char **argv)
{
    if (argc < 3)
        return 100;
    int landlock = !strcmp(argv[1], "landlock");
    unsigned option = !strcmp(argv[1], "seccomp") ? PR_SET_SECCOMP : PR_SET_NO_NEW_PRIVS;
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, landlock ? LANDLOCK_CREATE_RULESET : SYS_prctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, landlock ? 0 : option, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (landlock                      ? ENOSYS
                                                          : option == PR_SET_SECCOMP ? EINVAL
                                                                                     : EPERM)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof code / sizeof *code, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0)
        return perror("refusing"), 77;
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 127;
}
