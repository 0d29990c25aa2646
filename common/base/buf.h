/*
 * buf.h - text put together in memory of a fixed size, so that it can leave in one write(2).
 *
 * A buffer never overflows and never allocates: what doesn't fit is cut off, and `cut` says so.
 */
#ifndef BUF_H
#define BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *mem;
    size_t len, size;
    bool cut;
};

/* A buffer over the array `a`. */
#define BUF(a) ((struct buf){.mem = (a), .size = sizeof(a)})

void buf_bytes(struct buf *b, const void *bytes, size_t n);
void buf_text(struct buf *b, const char *text);
void buf_char(struct buf *b, char c);
__attribute__((format(printf, 2, 3))) void buf_fmt(struct buf *b, const char *format, ...);
__attribute__((format(printf, 2, 0))) void buf_vfmt(struct buf *b, const char *format, va_list ap);

/* Decimal, without printf: for what is done once a connection. */
void buf_num(struct buf *b, unsigned long long n);

/* n bytes made safe to print: control characters, C1 and invalid UTF-8 become \n, \t or \xHH. */
void buf_escaped(struct buf *b, const char *bytes, size_t n);

/* n bytes as a JSON string, quotes included (RFC 8259); bytes that are no UTF-8 become \u00HH. */
void buf_json(struct buf *b, const char *bytes, size_t n);

/* The text with a NUL behind it (the last byte is given up for it when the buffer is full). */
const char *buf_str(struct buf *b);

#endif
