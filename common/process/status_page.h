/*
 * status_page.h - what only a process knows about itself, where others can read it: a page of text, lines
 * NAME=VALUE, in a memfd named ipcbox-status that is found among the process's descriptors in /proc.
 *
 * Readable for whoever may look at the process's descriptors (its user and root); gone with the process.
 */
#ifndef STATUS_PAGE_H
#define STATUS_PAGE_H

#include <sys/types.h>

#include "base/buf.h"

enum { STATUS_PAGE_SIZE = 2048, STATUS_LINES_SIZE = STATUS_PAGE_SIZE - 64 };

/* Close-on-exec. -1 with errno when there can be none: then there is no page, and nothing else is wrong. */
int status_page_open(void);

/* Replaces the page. The lines are the caller's, each with its newline, STATUS_LINES_SIZE at most; fd may be
 * -1. A line state=TEXT is what people are shown of it. */
void status_page_write(int fd, const struct buf *lines);

/* The page of one that has only this to tell: applet=APPLET and NAME=N. */
void status_page_count(int fd, const char *applet, const char *name, unsigned long long n);

/*
 * The lines of process pid's page, NUL-terminated; how many bytes, or -1 with errno: it has none
 * (ENOENT), or may not be looked at. What it says is only as true as that process is honest. Never opens
 * anything but such a memfd.
 */
ssize_t status_page_read(pid_t pid, char text[static STATUS_PAGE_SIZE]);

#endif
