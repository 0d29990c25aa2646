/*
 * addr_words.h - addresses and ports on the command line: operands and arguments of options.
 */
#ifndef ADDR_WORDS_H
#define ADDR_WORDS_H

#include "cli/opts.h"
#include "net/addr.h"

/*
 * The port of the operands HOST PORT, at least `min`. Does not return on a usage error; for HOST:PORT in one
 * word its message has the two words. With `min` 0, a service that does not exist is EXIT_SYSTEM, as in
 * ucspi-tcp. HOST as [IPv6] becomes the address, in place.
 */
uint16_t addr_port_operand(const struct msg *m, char *const *words, uint16_t min);

/* HOST of an applet whose port is an option, -p: as above; HOST:PORT is a usage error whose message has the
 * option. */
void addr_host_operand(const struct msg *m, char *host);

/* The argument of an option: an IP address, an IPv6 address also in brackets. Does not return on a usage
 * error. */
void addr_ip_option(const struct opts *o, struct addr *a);

/* The operand PATH as such an address. Does not return on a usage error. */
void addr_unix_operand(struct addr *a, const struct msg *m, const char *path);

/* The argument of an option as a port to talk to, not 0; as the path of a socket. Don't return on another. */
uint16_t addr_port_option(const struct opts *o);
void addr_unix_option(struct addr *a, const struct opts *o);

#endif
