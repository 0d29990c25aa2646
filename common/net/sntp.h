/*
 * sntp.h - one question and answer of the Simple Network Time Protocol, as a client (RFC 4330, RFC 5905).
 */
#ifndef SNTP_H
#define SNTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SNTP_SIZE = 48, SNTP_COOKIE_SIZE = 8, SNTP_QUESTIONS = 8 };

/*
 * A server that is asked: its last questions, each of which an answer may still come to, and when it may be
 * asked again. A server that limits its clients wants 2 s between two questions (ntp.conf(5), discard
 * minimum), and 8 s once it has said so (RATE).
 */
struct sntp_server {
    struct {
        unsigned char cookie[SNTP_COOKIE_SIZE];
        int64_t sent; /* in nanoseconds since 1970 */
    } asked[SNTP_QUESTIONS];
    unsigned n;
    bool is_slow;    /* RATE has come */
    int64_t free_at; /* a deadline (clock.h) */
};

/*
 * A question, which is to leave now. The cookie stands where the time of sending might: the answer brings it
 * back, so that a forger has to guess it, and our clock is told to nobody. 0, or -1 with errno.
 */
int sntp_ask(struct sntp_server *s, unsigned char packet[static SNTP_SIZE]);

/* When the question was sent to which a packet is the answer; 0: to none. */
int64_t sntp_sent(const struct sntp_server *s, const unsigned char *packet, size_t n);

/* What was measured, in nanoseconds; or why nothing was. */
struct sntp {
    int64_t offset; /* how much later it is there */
    int64_t delay;  /* the round trip, without the time that the server took */
    int stratum;
    const char *why;
    char code[5]; /* what a server of stratum 0 says: four letters, such as DENY, or none */
};

/*
 * Reads an answer to a question that left at `sent` and came at `received`. A server that is not synchronized
 * (stratum 0 or 16, leap 3) or has no time may have one later; one that has said DENY or RSTR must not be
 * asked again, one that has said RATE not so soon (RFC 5905, 7.4), which is noted in *s.
 */
enum sntp_answer { SNTP_TIME, SNTP_LATER, SNTP_NEVER };
enum sntp_answer sntp_read(
    struct sntp_server *s, const unsigned char *packet, int64_t sent, int64_t received, struct sntp *result);

#endif
