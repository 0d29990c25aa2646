/*
 * sntp.c - see sntp.h.
 */
#include "net/sntp.h"

#include <string.h>

#include "base/rfc868.h"

enum { VERSION_4_CLIENT = 4 << 3 | 3, MODE_MASK = 7, MODE_SERVER = 4, LEAP_UNKNOWN = 3 };
enum { STRATUM = 1, ORIGINATE = 24, RECEIVE = 32, TRANSMIT = 40 };
static const int64_t second = 1000000000;
enum { MARGIN = 1000000 }; /* clocks have steps: a round trip may seem that much shorter than none */

void sntp_ask(unsigned char packet[static SNTP_SIZE], const unsigned char cookie[static SNTP_COOKIE_SIZE])
{
    memset(packet, 0, SNTP_SIZE);
    packet[0] = VERSION_4_CLIENT;
    memcpy(packet + TRANSMIT, cookie, SNTP_COOKIE_SIZE);
}

bool sntp_is_answer(
    const unsigned char *packet, size_t n, const unsigned char cookie[static SNTP_COOKIE_SIZE])
{
    return n >= SNTP_SIZE && (packet[0] & MODE_MASK) == MODE_SERVER &&
           memcmp(packet + ORIGINATE, cookie, SNTP_COOKIE_SIZE) == 0;
}

bool sntp_is_refusal(const unsigned char *packet)
{
    return packet[STRATUM] == 0;
}

/* A timestamp: seconds, and a fraction of 32 bits. */
static int64_t read_time(const unsigned char *octets, int64_t near)
{
    uint64_t fraction = 0;
    for (int i = 0; i < 4; i++)
        fraction = fraction << 8 | octets[4 + i];
    return rfc868_read(octets, near / second) * second + (int64_t)(fraction * (uint64_t)second >> 32);
}

const char *sntp_read(const unsigned char *packet, int64_t sent, int64_t received, struct sntp *result)
{
    static const unsigned char none[8];
    if (sntp_is_refusal(packet))
        return "the server refuses to answer (kiss-o'-death)";
    if (packet[0] >> 6 == LEAP_UNKNOWN || packet[STRATUM] > 15)
        return "its clock is not synchronized";
    if (memcmp(packet + TRANSMIT, none, sizeof none) == 0 || memcmp(packet + RECEIVE, none, sizeof none) == 0)
        return "the answer has no time";
    int64_t there = read_time(packet + RECEIVE, sent), back = read_time(packet + TRANSMIT, sent);
    result->offset = ((there - sent) + (back - received)) / 2;
    result->delay = (received - sent) - (back - there);
    result->stratum = packet[STRATUM];
    return back < there || result->delay < -MARGIN ? "the timestamps of the answer are inconsistent" : NULL;
}
