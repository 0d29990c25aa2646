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
#include <stdint.h>

enum { ERE_CODE = 256, ERE_VALUE_MAX = 1000000 };

struct ere_thread {
    int pc;
    unsigned value; /* of the first group, in decimal; ERE_VALUE_MAX: it is no number, or not below that */
    uint64_t start; /* where in the line it began */
    bool opened;    /* the first group begins with the next byte that it takes */
};

struct ere {
    const char *text, *at, *wrong;
    int n;
    uint64_t at_byte, mark; /* bytes of the line, and lists, so far */
    bool has_group;
    bool in_first;    /* while the first group is compiled */
    bool found, ends; /* there is a match; the line ends with the present byte */
    struct ere_thread best;
    struct ere_code {
        unsigned char op;
        bool in_first;
        short x, y;
        uint64_t mark; /* that of the list in which it has a thread */
    } code[ERE_CODE];
    struct ere_list {
        int n;
        struct ere_thread threads[ERE_CODE];
    } lists[2], *now;
};

/*
 * Takes the expression, which must live as long as *e. NULL, or what is wrong with it: also what POSIX leaves
 * undefined and others read in different ways. A { that begins no interval is an ordinary character.
 */
const char *ere_begin(struct ere *e, const char *text);

/*
 * The next byte of the stream; at its end, a newline if the last line has none (e->at_byte is not 0). Whether
 * there is a match now which no further byte can change; it is e->best. An expression without a group matches
 * before the line has ended.
 */
bool ere_feed(struct ere *e, char byte);

#endif
