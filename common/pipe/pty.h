/*
 * pty.h - pseudo-terminals for programs that answer line by line only at a terminal (pty(7)).
 */
#ifndef PTY_H
#define PTY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Opens a pair, both close-on-exec; the caller's to close. The master never blocks. The slave is raw: its
 * output leaves as it was written. With `input` the slave can be read, too: by lines, without echo, and
 * without a special character but the end of file, which pty_encode writes. 0, or -1 with errno.
 */
int pty_open(int *master, int *slave, bool input);

/* How far the line is that is being written to the slave's input; zeroed at the start. */
struct pty_line {
    size_t length;
};

/*
 * The n bytes `in` as they have to be written to the master so that the slave's program reads just these,
 * whatever they are: a line that is longer than a terminal's (termios(3), MAX_CANON) comes in pieces. They
 * take 3n bytes at the most; how many. A program that has made its terminal raw gets them as they are.
 */
size_t pty_encode(struct pty_line *line, int master, const char *in, size_t n, char *out);

/*
 * What the slave's program, which has read all its input, may wait for, if for anything: a line, whose end is
 * a character (pty_encode_end), or bytes, as it has made its terminal raw. Only a hang-up is the end of
 * those.
 */
enum pty_waiting { PTY_HAS_INPUT, PTY_LINE, PTY_BYTES };
enum pty_waiting pty_waits_for(int master);

/*
 * What tells the slave's program that its input has ended; nothing if its terminal is raw. Unlike a pipe's, a
 * terminal's end is read once only, so there are some, for one program after the other.
 */
enum { PTY_END_SIZE = 16 };
size_t pty_encode_end(struct pty_line *line, int master, char out[static PTY_END_SIZE]);

#endif
