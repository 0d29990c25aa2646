/*
 * pollfor.h - ppoll(2) whose time is a number of nanoseconds, and is believed only when the clock agrees.
 */
#ifndef POLLFOR_H
#define POLLFOR_H

#include <poll.h>
#include <stdint.h>

/*
 * As ppoll(2) with no mask: the number of ready fds; 0 once ns nanoseconds have passed, and not before
 * (CLOCK_NEVER: no limit; 0: at once); -1 with errno, EINTR after a signal.
 */
int poll_for(struct pollfd *fds, nfds_t n, int64_t ns);

#endif
