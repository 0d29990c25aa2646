/*
 * fuzz.h - what fuzz targets share. A target is one file, check/fuzz/NAME.c, with LLVMFuzzerTestOneInput; it
 * links with all of common/. What a target must find is an abort: of a sanitizer, of MUST, or of PLANTED,
 * which is compiled in by `check/fuzz.sh plant` alone and proves that the target gets that far.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input, from which fields are cut. */
struct input {
    const uint8_t *at;
    size_t left;
};

/* The next byte; of n bytes a number, the most significant first. At the end of the input, zeros. */
unsigned fuzz_byte(struct input *in);
uint64_t fuzz_number(struct input *in, unsigned n);

/*
 * Memory of exactly the next bytes, as many as there are up to n, so that a sanitizer sees a step too far;
 * *got is how many. The caller frees it.
 */
uint8_t *fuzz_bytes(struct input *in, size_t n, size_t *got);

/* The same as a string: up to n bytes, or up to a NUL or newline, which is skipped. The caller frees it. */
char *fuzz_text(struct input *in, size_t n);

/* Calls what may end the process. Its exit status; -1: it has returned. Leaks of such a call are ignored. */
int fuzz_exits(void (*call)(void *), void *arg);

/* From now on, open(2) of `path` is a file of these bytes; of NULL: no path is. Eight at most. */
void fuzz_file(const char *path, const void *bytes, size_t n);

/* A directory of our own, removed at the end if it is empty. */
const char *fuzz_dir(void);

/* An unlinked file in memory of these bytes, at offset 0. The caller closes it. */
int fuzz_memory_file(const void *bytes, size_t n);

/* A connected pair of stream sockets, both non-blocking. */
void fuzz_pair(int fds[2]);

/* Whether the n bytes are one JSON value (RFC 8259); are text for a terminal: UTF-8 without controls. */
bool fuzz_is_json(const char *text, size_t n);
bool fuzz_is_printable(const char *text, size_t n);

/* From now on no message has that text (NULL: any may); messages are JSON, or not. */
void fuzz_forbid(const char *text);
void fuzz_want_json(bool json);

_Noreturn void fuzz_fail(const char *what, const char *file, int line);

/* Holds, whatever the input. */
#define MUST(condition) ((condition) ? (void)0 : fuzz_fail(#condition, __FILE__, __LINE__))

#ifdef FUZZ_PLANT
#define PLANTED(condition) ((condition) ? fuzz_fail("planted: " #condition, __FILE__, __LINE__) : (void)0)
#else
#define PLANTED(condition) ((void)(condition))
#endif

#endif
