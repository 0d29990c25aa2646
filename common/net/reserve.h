/*
 * reserve.h - a TCP port for a program that is about to be started, and that binds it by itself.
 *
 * A port that the kernel has just handed out and taken back is handed out again: to the next bind(2) to port
 * 0, or as the local port of any connection. A socket that stays bound to it, or one in TIME_WAIT, keeps it
 * from the program, too, unless that sets SO_REUSEADDR. So the port is one that the kernel hands to nobody,
 * of 49152 to 65535 (which RFC 6335 assigns to no service) outside of ip_local_port_range (ip(7)), which is
 * 61000 to 65535 by default. The program may bind it in any way; it is kept from those who reserve, not from
 * those who ask for that very number. Where the range leaves none, the kernel chooses one, and a socket with
 * SO_REUSEADDR that stays bound keeps it: then the program must set SO_REUSEADDR, too.
 */
#ifndef RESERVE_H
#define RESERVE_H

#include <stdint.h>

/*
 * A port that nobody uses on any address of either family. 0 and *port; *fd, the caller's to close, is what
 * reserves it. Or -1 with errno.
 */
int reserve_port(uint16_t *port, int *fd);

#endif
