/*
 * sntp.h - one question and answer of the Simple Network Time Protocol, as a client (RFC 4330, RFC 5905).
 */
#ifndef SNTP_H
#define SNTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SNTP_SIZE = 48, SNTP_COOKIE_SIZE = 8 };

/* What was measured, in nanoseconds. */
struct sntp {
    int64_t offset; /* how much later it is there */
    int64_t delay;  /* the round trip, without the time that the server took */
    int stratum;
};

/*
 * A question. The cookie stands where the time of sending might: the answer brings it back, so that a forger
 * has to guess it, and our clock is told to nobody.
 */
void sntp_ask(unsigned char packet[static SNTP_SIZE], const unsigned char cookie[static SNTP_COOKIE_SIZE]);

/* Whether a packet brings that cookie back. */
bool sntp_is_answer(
    const unsigned char *packet, size_t n, const unsigned char cookie[static SNTP_COOKIE_SIZE]);

/* Whether an answer says that its server wants to hear no more of us (RFC 4330, 8). */
bool sntp_is_refusal(const unsigned char *packet);

/*
 * Reads an answer to a question that left at `sent` and came at `received`, in nanoseconds since 1970. NULL,
 * or what is wrong with it.
 */
const char *sntp_read(const unsigned char *packet, int64_t sent, int64_t received, struct sntp *result);

#endif
