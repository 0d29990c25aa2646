/*
 * lines.h - the tables of the kernel, line by line and word by word.
 */
#ifndef LINES_H
#define LINES_H

#include <stddef.h>
#include <stdint.h>

struct lines {
    int fd, err; /* err: why it could not be read to its end */
    size_t at, len;
    char mem[16384];
};

/* 1; 0: there is no such table, or not for us; -1 with errno. */
int lines_open(struct lines *l, const char *path);

/* The next line, without its newline, good until the next call; NULL at the end. */
char *lines_next(struct lines *l);

/* 0, or -1 with errno where lines_next could not read on. */
int lines_close(struct lines *l);

/* Behind the first n words, at the beginning of the next; words are parted by blanks. */
const char *lines_word(const char *line, int n);

/* Copies the word at `text`, as much as fits, and a NUL. */
void lines_copy(const char *text, char *word, size_t size);

/* The number that the text begins with; 0 if it begins with none. */
uint64_t lines_hex(const char *text);
uint64_t lines_number(const char *text);

#endif
