/*
 * rfc868.h - seconds since 1900 in 32 bits, as the Time Protocol (RFC 868) and NTP (RFC 5905) count them.
 *
 * The count begins again at 0 on 2036-02-07, 06:28:16 UTC: a value alone does not say which time around it is
 * meant, so it is read as the moment that is nearest to one that is known.
 */
#ifndef RFC868_H
#define RFC868_H

#include <stdint.h>
#include <time.h>

enum { RFC868_SIZE = 4 };

/* The four octets for a Unix time. */
void rfc868_write(unsigned char octets[static RFC868_SIZE], int64_t unix_time);

/* The Unix time that the four octets mean, within 68 years of `near`. */
int64_t rfc868_read(const unsigned char octets[static RFC868_SIZE], int64_t near);

#endif
