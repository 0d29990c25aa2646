/* time.c - answers of SNTP and RFC 868, and what is printed of them. */
#include "harness/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/rfc868.h"
#include "net/timetell.h"

static void rfc868(struct input *in)
{
    unsigned char octets[RFC868_SIZE], again[RFC868_SIZE];
    int64_t near = (int64_t)(fuzz_number(in, 5) & 0x3ffffffff);
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (unsigned char)fuzz_byte(in);
    int64_t there = rfc868_read(octets, near);
    MUST(llabs(there - near) <= (INT64_C(1) << 31));
    rfc868_write(again, there);
    MUST(memcmp(octets, again, sizeof octets) == 0);
}

/* The line, which is in t->lines. */
static void print(const struct sntp *s, int64_t here, bool json)
{
    static char lines[TIMETELL_ROOM];
    struct msg m = {.applet = "fuzz", .level = MSG_NORMAL, .json = json};
    struct timetell t = {.msg = &m, .json = json, .lines = lines};
    if (s->why)
        timetell_silent(&t, "host\n\x80", s->why);
    else
        timetell_sntp(&t, "host\n\x80", s, here);
    timetell_time(&t, "host", here / CLOCK_SECOND + s->offset / CLOCK_SECOND, here / CLOCK_SECOND);
    for (size_t at = 0; at < t.len;) {
        size_t n = (size_t)((char *)memchr(lines + at, '\n', t.len - at) - lines) - at;
        MUST(json ? fuzz_is_json(lines + at, n) : fuzz_is_printable(lines + at, n));
        at += n + 1;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct sntp_server server = {.n = 1 + fuzz_byte(&in) % 9u};
    struct sntp s;
    size_t n;
    rfc868(&in);
    for (size_t i = 0; i < SNTP_QUESTIONS; i++) {
        memset(server.asked[i].cookie, (int)i + 1, SNTP_COOKIE_SIZE);
        server.asked[i].sent = (int64_t)fuzz_number(&in, 4) * CLOCK_SECOND + 1;
    }
    int64_t taken = (int64_t)fuzz_number(&in, 4);
    uint8_t *packet = fuzz_bytes(&in, 64, &n);
    int64_t sent = sntp_sent(&server, packet, n);
    if (sent) {
        enum sntp_answer answer = sntp_read(&server, packet, sent, sent + taken, &s);
        MUST(answer == SNTP_TIME ? s.stratum > 0 && s.stratum < 16 : s.why != NULL);
        s.why = answer == SNTP_TIME ? NULL : s.why;
        MUST(strlen(s.code) <= 4 && fuzz_is_printable(s.code, strlen(s.code)));
        print(&s, sent, false);
        print(&s, sent, true);
        PLANTED(answer == SNTP_TIME || s.code[0] == 'R');
    }
    free(packet);
    return 0;
}
