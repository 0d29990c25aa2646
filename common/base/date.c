#include "base/date.h"

static const char days[][10] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char months[][10] = {"January", "February", "March", "April", "May", "June", "July", "August",
    "September", "October", "November", "December"};

void date_local(struct buf *b, time_t when)
{
    struct tm t;
    if (localtime_r(&when, &t))
        buf_fmt(b, "%.3s %.3s %2d %02d:%02d:%02d %lld", days[t.tm_wday], months[t.tm_mon], t.tm_mday,
            t.tm_hour, t.tm_min, t.tm_sec, t.tm_year + 1900LL);
}

void date_syslog(struct buf *b, time_t when)
{
    struct tm t;
    if (localtime_r(&when, &t))
        buf_fmt(b, "%.3s %2d %02d:%02d:%02d", months[t.tm_mon], t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec);
}

void date_utc(struct buf *b, time_t when)
{
    struct tm t;
    if (gmtime_r(&when, &t))
        buf_fmt(b, "%04lld-%02d-%02dT%02d:%02d:%02dZ", t.tm_year + 1900LL, t.tm_mon + 1, t.tm_mday, t.tm_hour,
            t.tm_min, t.tm_sec);
}

void date_daytime(struct buf *b, time_t when)
{
    struct tm t;
    if (gmtime_r(&when, &t))
        buf_fmt(b, "%s, %s %2d, %lld %02d:%02d:%02d-UTC", days[t.tm_wday], months[t.tm_mon], t.tm_mday,
            t.tm_year + 1900LL, t.tm_hour, t.tm_min, t.tm_sec);
}
