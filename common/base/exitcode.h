/*
 * exitcode.h - what an exit status of ipcbox means, in one place (ipcbox(7), EXIT STATUS).
 */
#ifndef EXITCODE_H
#define EXITCODE_H

enum {
    EXIT_DONE = 0,       /* done */
    EXIT_NO = 1,         /* the answer is no */
    EXIT_USAGE = 100,    /* usage error, or a configuration that can never work */
    EXIT_SYSTEM = 111,   /* the system said no */
    EXIT_DEADLINE = 124, /* the deadline passed */
    EXIT_CANTRUN = 126,  /* the program was found but can't be run */
    EXIT_NOTFOUND = 127, /* the program was not found */
    EXIT_SIGNAL = 128,   /* + N: killed by signal N */
};

#endif
