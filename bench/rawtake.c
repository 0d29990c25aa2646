/*
 * rawtake - the limit for semtake and semgive: semget, semop and exec, and no more.
 *
 *     rawtake KEY PROG [ARG...]   takes it with SEM_UNDO and becomes PROG, a path
 *     rawtake KEY                 takes it
 *     rawtake -g KEY              gives it back
 *
 * KEY is a number. It waits as long as it takes; no options, no names, no reasons but errno's.
 */
#include <sys/ipc.h>
#include <sys/sem.h>
#include <unistd.h>

#include "tool.h"

int main(int argc, char **argv)
{
    bool gives = argc > 1 && strcmp(argv[1], "-g") == 0;
    argv += 1 + gives;
    if (!*argv || (gives && argv[1]))
        tool_die(TOOL_USAGE, "usage: rawtake [-g] KEY [PROG [ARG...]]");
    int id = semget((key_t)tool_number(*argv++, 1, UINT32_MAX), 0, 0);
    if (id < 0)
        tool_die(TOOL_SYSTEM, "rawtake: semget");
    const short undo = *argv ? SEM_UNDO : 0;
    struct sembuf give = {.sem_op = -1, .sem_flg = IPC_NOWAIT};
    struct sembuf take[] = {{.sem_flg = undo}, {.sem_op = 1, .sem_flg = undo}};
    if (semop(id, gives ? &give : take, gives ? 1 : 2) < 0)
        tool_die(TOOL_SYSTEM, "rawtake: semop");
    if (!*argv)
        return TOOL_OK;
    execv(*argv, argv);
    tool_die(TOOL_SYSTEM, "rawtake: exec %s", *argv);
}
