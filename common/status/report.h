/*
 * report.h - one look at this machine, as records.
 */
#ifndef REPORT_H
#define REPORT_H

#include "status/show.h"

/*
 * Our processes, where they listen, their connections and locks, System V objects, and how many may not be
 * looked at. 0, or -1 with errno (census_take).
 */
int report(struct show *s);

/* The System V objects of this IPC namespace, of all users (/proc/sysvipc). */
int report_sysv(struct show *s); /* 0, or -1 with errno */

/* Fields that records share: a user by name, a moment of time(2). */
void report_user(struct show *s, unsigned long uid);
void report_time(struct show *s, const char *field, long long when);

#endif
