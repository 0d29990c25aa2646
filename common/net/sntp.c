/*
 * sntp.c - see sntp.h.
 */
#include "net/sntp.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/rfc868.h"

enum { VERSION_4_CLIENT = 4 << 3 | 3, MODE_MASK = 7, MODE_SERVER = 4, LEAP_UNKNOWN = 3, STRATUM_MAX = 15 };
enum { STRATUM = 1, REFERENCE = 12, ORIGINATE = 24, RECEIVE = 32, TRANSMIT = 40, CODE_SIZE = 4 };
enum { MARGIN = 1000000 }; /* clocks have steps: a round trip may seem that much shorter than none */
enum { PAUSE_SECONDS = 2, SLOW_SECONDS = 8 };

int sntp_ask(struct sntp_server *s, unsigned char packet[static SNTP_SIZE])
{
    unsigned i = s->n++ % SNTP_QUESTIONS;
    struct timespec now;
    if (getrandom(s->asked[i].cookie, SNTP_COOKIE_SIZE, 0) < 0)
        return -1;
    memset(packet, 0, SNTP_SIZE);
    packet[0] = VERSION_4_CLIENT;
    memcpy(packet + TRANSMIT, s->asked[i].cookie, SNTP_COOKIE_SIZE);
    s->free_at = clock_in((s->is_slow ? SLOW_SECONDS : PAUSE_SECONDS) * CLOCK_SECOND);
    clock_gettime(CLOCK_REALTIME, &now);
    s->asked[i].sent = now.tv_sec * CLOCK_SECOND + now.tv_nsec;
    return 0;
}

int64_t sntp_sent(const struct sntp_server *s, const unsigned char *packet, size_t n)
{
    for (unsigned i = 0; n >= SNTP_SIZE && i < s->n && i < SNTP_QUESTIONS; i++)
        if ((packet[0] & MODE_MASK) == MODE_SERVER &&
            memcmp(packet + ORIGINATE, s->asked[i].cookie, SNTP_COOKIE_SIZE) == 0)
            return s->asked[i].sent;
    return 0;
}

/* A timestamp: seconds, and a fraction of 32 bits. */
static int64_t read_time(const unsigned char *octets, int64_t near)
{
    uint64_t fraction = 0;
    for (int i = 0; i < 4; i++)
        fraction = fraction << 8 | octets[4 + i];
    return rfc868_read(octets, near / CLOCK_SECOND) * CLOCK_SECOND +
           (int64_t)(fraction * (uint64_t)CLOCK_SECOND >> 32);
}

/* The code of a server of stratum 0: ASCII, filled up with NULs; anything else is none. */
static void take_code(const unsigned char *packet, char code[static CODE_SIZE + 1])
{
    memcpy(code, packet + REFERENCE, CODE_SIZE);
    code[CODE_SIZE] = '\0';
    for (char *c = code; *c; c++)
        if (*c <= ' ' || *c > '~')
            *code = '\0';
}

/* Stratum 0. */
static enum sntp_answer read_code(struct sntp_server *s, const unsigned char *packet, struct sntp *result)
{
    take_code(packet, result->code);
    if (!strcmp(result->code, "DENY") || !strcmp(result->code, "RSTR")) {
        result->why = "the server refuses to answer";
        return SNTP_NEVER;
    }
    if (!strcmp(result->code, "RATE")) {
        result->why = "the server is asked too often";
        s->is_slow = true;
        s->free_at = clock_in(SLOW_SECONDS * CLOCK_SECOND);
    }
    return SNTP_LATER;
}

enum sntp_answer sntp_read(
    struct sntp_server *s, const unsigned char *packet, int64_t sent, int64_t received, struct sntp *result)
{
    static const unsigned char none[8];
    *result = (struct sntp){.stratum = packet[STRATUM], .why = "its clock is not synchronized"};
    if (!result->stratum)
        return read_code(s, packet, result);
    if (packet[0] >> 6 == LEAP_UNKNOWN || result->stratum > STRATUM_MAX)
        return SNTP_LATER;
    result->why = "the answer has no time";
    if (memcmp(packet + TRANSMIT, none, sizeof none) == 0 || memcmp(packet + RECEIVE, none, sizeof none) == 0)
        return SNTP_LATER;
    int64_t there = read_time(packet + RECEIVE, sent), back = read_time(packet + TRANSMIT, sent);
    result->offset = ((there - sent) + (back - received)) / 2;
    result->delay = (received - sent) - (back - there);
    result->why = "the timestamps of the answer are inconsistent";
    return back < there || result->delay < -MARGIN ? SNTP_LATER : SNTP_TIME;
}
