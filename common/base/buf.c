/*
 * buf.c - see buf.h.
 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buf_bytes(struct buf *b, const void *bytes, size_t n)
{
    size_t room = b->size - b->len;
    if (n > room) {
        n = room;
        b->cut = true;
    }
    if (n)
        memcpy(b->mem + b->len, bytes, n);
    b->len += n;
}

void buf_text(struct buf *b, const char *text)
{
    buf_bytes(b, text, strlen(text));
}

void buf_char(struct buf *b, char c)
{
    buf_bytes(b, &c, 1);
}

void buf_vfmt(struct buf *b, const char *format, va_list ap)
{
    size_t room = b->size - b->len;
    int n = vsnprintf(b->mem + b->len, room, format, ap);
    if (n < 0)
        return;
    if ((size_t)n >= room) {
        b->cut = true;
        b->len = room ? b->size - 1 : b->len;
        return;
    }
    b->len += (size_t)n;
}

void buf_fmt(struct buf *b, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    buf_vfmt(b, format, ap);
    va_end(ap);
}

void buf_num(struct buf *b, unsigned long long n)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    buf_bytes(b, digits + at, sizeof digits - at);
}

/* The length of the UTF-8 sequence at p (RFC 3629), or 0 if it is none or a C1 control. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
    if (p[0] >= 0x80 && p[0] < 0xc2)
        return 0;
    if (!len || len > n)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool surrogate = p[0] == 0xed && p[1] >= 0xa0;
    bool beyond = p[0] == 0xf4 && p[1] >= 0x90;
    bool c1 = p[0] == 0xc2 && p[1] < 0xa0;
    return overlong || surrogate || beyond || c1 ? 0 : len;
}

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

void buf_escaped(struct buf *b, const char *bytes, size_t n)
{
    const unsigned char *p = (const unsigned char *)bytes;
    for (size_t i = 0, len; i < n; i += len ? len : 1) {
        len = utf8_len(p + i, n - i);
        if (p[i] == '\n')
            buf_text(b, "\\n");
        else if (p[i] == '\t')
            buf_text(b, "\\t");
        else if (p[i] == '\r')
            buf_text(b, "\\r");
        else if (p[i] == '\\')
            buf_text(b, "\\\\");
        else if (!len || is_control(p[i]))
            buf_fmt(b, "\\x%02x", p[i]);
        else if (len > 1 && len >= b->size - b->len) /* not a part of a character, also before a NUL */
            b->cut = true;
        else
            buf_bytes(b, p + i, len);
    }
}

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

void buf_json(struct buf *b, const char *bytes, size_t n)
{
    const unsigned char *p = (const unsigned char *)bytes;
    buf_char(b, '"');
    for (size_t i = 0, len; i < n; i += len ? len : 1) {
        for (len = 0; i + len < n && is_plain(p[i + len]);)
            len++;
        buf_bytes(b, p + i, len);
        i += len;
        if (i == n)
            break;
        len = utf8_len(p + i, n - i);
        if (p[i] == '"' || p[i] == '\\')
            buf_fmt(b, "\\%c", p[i]);
        else if (!len || is_control(p[i]))
            buf_fmt(b, "\\u%04x", p[i]);
        else
            buf_bytes(b, p + i, len);
    }
    buf_char(b, '"');
}

const char *buf_str(struct buf *b)
{
    if (b->len == b->size) {
        b->len--;
        b->cut = true;
    }
    b->mem[b->len] = '\0';
    return b->mem;
}
