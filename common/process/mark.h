/*
 * mark.h - what tells an ipcbox, of any build, from other programs: a note in its ELF file (elf(5)), of owner
 * "ipcbox" and type 1, with the version as its descriptor.
 *
 * It is a mark and not a proof: whoever may write a file may write that note.
 */
#ifndef MARK_H
#define MARK_H

#include <stdbool.h>

enum { MARK_VERSION_SIZE = 32 };

/*
 * Whether fd is an ELF file with our note, and its version, of printable characters. False with errno: 0, or
 * why it can't be read. Reads a few kilobytes at most, whatever the file says of itself; the file offset
 * stays.
 */
bool mark_read(int fd, char version[static MARK_VERSION_SIZE]);

#endif
