/*
 * pollfor.h - ppoll(2) whose time is a number of nanoseconds, and is believed only when the clock agrees.
 */
#ifndef POLLFOR_H
#define POLLFOR_H

#include <poll.h>
#include <stdint.h>

/*
 * As ppoll(2) with no mask: the number of ready fds; 0 once ns nanoseconds have passed, and not before
 * (CLOCK_NEVER: no limit; 0: at once); -1 with errno, EINTR after a signal. Entries whose fd is -1 do not
 * count against RLIMIT_NOFILE, as they do in ppoll(2).
 */
int poll_for(struct pollfd *fds, nfds_t n, int64_t ns);

/*
 * For where that fails: looks at each fd by itself, which takes no memory and nothing of RLIMIT_NOFILE, and
 * waits for none. The number of ready fds, or -1 with errno.
 */
int poll_each(struct pollfd *fds, nfds_t n);

#endif
