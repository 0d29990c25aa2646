/*
 * log.c - a log by lines, rotated by size, whatever comes in whatever pieces: all of it, in order, in the
 * rotated files and the last one.
 */
#include "harness/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/logfile.h"

enum { KEEP = 40, MOST = 4096 };

/* Appends that file to what there is. */
static size_t add_file(struct logfile *l, unsigned n, char *text, size_t len)
{
    char mem[128];
    struct buf path = BUF(mem);
    int fd = logfile_open_rotated(l, n, &path);
    if (fd < 0)
        return len;
    ssize_t got = read(fd, text + len, 2 * MOST - len);
    MUST(got >= 0 &&
         (!n || !got || !l->limit || text[len + (size_t)got - 1] == '\n' || (uint64_t)got >= l->limit));
    close(fd);
    unlink(buf_str(&path));
    return len + (size_t)got;
}

static void write_all(struct logfile *l, struct input *in)
{
    int from = fuzz_memory_file(in->at, in->left);
    off_t at = 0;
    for (int done = 1; done > 0;) {
        struct input ops = {in->at + at, in->left - (size_t)at};
        unsigned op = fuzz_byte(&ops);
        if (op == 'R')
            logfile_ask_rotation(l);
        if (op == 'F')
            logfile_flush(l, true);
        done = logfile_take(l, from);
        at = lseek(from, 0, SEEK_CUR);
    }
    close(from);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[128], text[2 * MOST];
    struct input in = {data, size};
    struct logfile l;
    if (size > MOST)
        return 0;
    snprintf(path, sizeof path, "%s/log", fuzz_dir());
    logfile_init(&l);
    l.path = path;
    l.keep = KEEP;
    l.limit = 100 + fuzz_byte(&in);
    MUST(logfile_open(&l) == 0);
    while (in.left) { /* pieces, each as large as its first byte says */
        size_t n = fuzz_byte(&in);
        struct input piece = {in.at, n < in.left ? n : in.left};
        write_all(&l, &piece);
        in.at += piece.left;
        in.left -= piece.left;
    }
    logfile_flush(&l, true);
    MUST(!l.len && !l.error && !l.rotate_error);
    size_t len = 0, at = 0, piece;
    PLANTED(l.rotated == 2);
    for (unsigned n = KEEP + 1; n-- > 0;)
        len = add_file(&l, n, text, len);
    for (size_t i = 1; i < size && l.rotated < KEEP; i += 1 + piece, at += piece) {
        piece = data[i] < size - i - 1 ? data[i] : size - i - 1;
        MUST(at + piece <= len && memcmp(text + at, data + i + 1, piece) == 0);
    }
    MUST(l.rotated >= KEEP || at == len);
    place_close(&l.place);
    close(l.fd);
    free(l.buffer);
    return 0;
}
