/*
 * ere.h - extended regular expressions (POSIX, XBD 9.4), for a stream of lines that is looked at byte by
 * byte.
 *
 * Of regcomp(3) a static binary would grow by an eighth. All alternatives are followed at once, so the time
 * for a byte is bounded by the length of the expression, whatever it is. Characters are bytes. The match is
 * the leftmost, and of these the longest.
 */
#ifndef ERE_H
#define ERE_H

#include <stdbool.h>
#include <stddef.h>

enum { ERE_CODE = 256, ERE_VALUE_MAX = 1000000 };

struct ere_thread {
    int pc, start;  /* where in the line it began */
    unsigned value; /* of the first group, in decimal; ERE_VALUE_MAX: it is no number, or not below that */
};

struct ere {
    const char *text, *at, *wrong;
    const char *first; /* where the first group begins; NULL: there is none */
    int n, at_byte, mark;
    bool in_first;    /* while the first group is compiled */
    bool found, ends; /* there is a match; the line ends with the present byte */
    struct ere_thread best;
    struct ere_code {
        unsigned char op;
        bool in_first;
        short x, y;
        int mark; /* that of the list in which it has a thread */
    } code[ERE_CODE];
    struct ere_list {
        int n;
        struct ere_thread threads[ERE_CODE];
    } lists[2], *now;
};

/* Takes the expression, which must live as long as *e. NULL, or what is wrong with it. */
const char *ere_begin(struct ere *e, const char *text);

/*
 * The next byte of the stream; at its end, a newline. Whether there is a match now which no further byte can
 * change; it is e->best. An expression without a group matches before the line has ended.
 */
bool ere_feed(struct ere *e, char byte);

#endif
