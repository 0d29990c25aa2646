/*
 * rfc868.c - see rfc868.h.
 */
#include "base/rfc868.h"

/* From 1900 to 1970: 70 years, 17 of them leap years. */
static const int64_t from_1900 = (int64_t)(70 * 365 + 17) * 86400;

void rfc868_write(unsigned char octets[static RFC868_SIZE], int64_t unix_time)
{
    uint32_t value = (uint32_t)(unix_time + from_1900);
    for (int i = 0; i < RFC868_SIZE; i++)
        octets[i] = (unsigned char)(value >> (24 - 8 * i));
}

int64_t rfc868_read(const unsigned char octets[static RFC868_SIZE], int64_t near)
{
    uint32_t value = 0, expected = (uint32_t)(near + from_1900);
    for (int i = 0; i < RFC868_SIZE; i++)
        value = value << 8 | octets[i];
    return near + (int32_t)(value - expected);
}
