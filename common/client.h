/*
 * client.h - what tcpclient and unixclient do with a connection: give it to a program, or relay it.
 */
#ifndef CLIENT_H
#define CLIENT_H

#include "env.h"
#include "msg.h"

/*
 * Becomes the program, with the connection on fds 6 (from the network) and 7 (to it), the UCSPI client
 * convention. fd is blocking from here on. Returns only the exit status of a failure, which has been said.
 */
int client_become(const struct msg *m, int fd, char **argv, char *const *envp);

/* The exit status for a program that is not there, found out before the connection is made; 0 if it is there.
 */
int client_check(const struct msg *m, const char *name);

/*
 * Relays stdin to the connection and the connection to stdout. The end of stdin half-closes; the peer's end
 * is the end, once input has not come for half a second. A reset is an error. Returns the exit status.
 * `progress`: tells on stderr every second how far it is.
 */
int client_relay(const struct msg *m, int fd, bool progress);

#endif
