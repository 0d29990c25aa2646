/*
 * lock.h - locks that the kernel gives back whenever their holder ends (flock(2)).
 */
#ifndef LOCK_H
#define LOCK_H

/*
 * Locks the directory that `path` is in, so that one of us at a time looks at path and changes what is there.
 * Waits 5 seconds at the most. The fd to close when done, or -1 with errno: ETIMEDOUT also when a signal
 * came that would end us.
 */
int lock_directory(const char *path);

#endif
