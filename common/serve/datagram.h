/*
 * datagram.h - a program per datagram: what udpserver has of its own beside serve.h.
 *
 * A program's stdin is a memfd that holds the datagram, its stdout a pipe of ours. When it has exited with
 * status 0, what it wrote is sent to the client, from the address that was asked, whole or not at all. With
 * --stream (datagram_stream.c) one program gets all datagrams and gives all answers.
 */
#ifndef DATAGRAM_H
#define DATAGRAM_H

#include "net/keeper.h"
#include "net/ucspi.h"
#include "net/udp.h"
#include "serve/access.h"
#include "serve/serve.h"

enum {
    DATAGRAM_ANSWER = 65507,      /* the most that UDP carries over IPv4 */
    DATAGRAM_ROOM = 65536,        /* for one that comes */
    DATAGRAM_UNIX_ROOM = 1 << 20, /* the same, of a Unix socket */
    DATAGRAM_ALWAYS = 64,         /* an answer may be that long, whatever was asked */
};

struct datagram_stream;

struct datagrams {
    struct msg *msg;
    struct serve serve;
    struct serve_kind kind;
    struct access access;
    struct keeper keeper;
    unsigned long amplify;
    bool is_stream;

    /* the inside */
    struct ucspi ucspi;
    int spare;            /* the memfd of the next datagram; -1: there is none yet */
    int socket;           /* which the present datagram came to */
    unsigned char *bytes; /* what it says */
    size_t n, room;
    struct udp_ends ends;
    unsigned char *answer; /* room for one */
    struct table jobs;
    struct datagram_stream *stream;
    unsigned long answered;
};

/* The applet's state; the options are to be taken into it. */
void datagrams_init(struct datagrams *d, struct msg *m);

/* Prepares the sockets that serve_listener has been given, and serves. What serve_run returns. */
int datagrams_run(struct datagrams *d, const char *where, char **argv);

/*
 * Sends an answer to a question of `asked` bytes, if it may be that long. A failure is reported; none is
 * waited for.
 */
void datagram_answer(
    struct datagrams *d, int socket, const struct udp_ends *to, size_t asked, const void *bytes, size_t n);

/* ---- --stream ---- */

/* Starts PROG, before we are ready. 0, or the exit status of a failure, which has been said. */
int stream_begin(struct datagrams *d);

/* Gives PROG the present datagram. */
void stream_give(struct datagrams *d);

/* Writes and reads what is possible without waiting. */
void stream_tend(struct datagrams *d);

/* That child has ended: if it is PROG, so do we. */
void stream_ended(struct datagrams *d, pid_t pid, int status);

#endif
