/*
 * serve_loop.h - the inside of serve.h: the loop, and what it keeps of each child and client.
 */
#ifndef SERVE_LOOP_H
#define SERVE_LOOP_H

#include "serve.h"

struct serve_child {
    pid_t pid; /* the key */
    unsigned char client[ADDR_KEY_SIZE];
};

struct serve_client {
    unsigned char key[ADDR_KEY_SIZE];
    unsigned long connections;
};

/* From readiness to the end; what serve_run returns. */
int serve_loop(struct serve *s);

#endif
