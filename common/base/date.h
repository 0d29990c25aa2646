/*
 * date.h - moments as people and programs write them, in English whatever the locale. A moment that struct tm
 * can't hold (a year beyond int) adds nothing.
 */
#ifndef DATE_H
#define DATE_H

#include <time.h>

#include "base/buf.h"

/* "Sun Sep  9 01:46:40 2001", in the local zone: as ctime(3), without its newline. */
void date_local(struct buf *b, time_t when);

/* "Sep  9 01:46:40", in the local zone (RFC 3164). */
void date_syslog(struct buf *b, time_t when);

/* "2001-09-09T01:46:40Z" (RFC 3339). */
void date_utc(struct buf *b, time_t when);

/* "Sunday, September  9, 2001 01:46:40-UTC", the popular form of RFC 867. */
void date_daytime(struct buf *b, time_t when);

#endif
