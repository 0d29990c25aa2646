/* pidfile.c - a pidfile with anything in it: whether it may be replaced, and its replacement. */
#include "harness/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/pidfile.h"

/* Digits and at most one newline behind them, or nothing. */
static bool is_plain(const uint8_t *bytes, size_t n)
{
    uint64_t pid = 0;
    n -= n && bytes[n - 1] == '\n';
    for (size_t i = 0; i < n; i++) {
        unsigned digit = bytes[i] - (unsigned)'0';
        if (digit > 9 || pid > (UINT64_MAX - digit) / 10)
            return false;
        pid = pid * 10 + digit;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[128], text[PIDFILE_TEXT_SIZE];
    struct pidfile p;
    snprintf(path, sizeof path, "%s/pid", fuzz_dir());
    pidfile_init(&p);
    p.path = path;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    MUST(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
    MUST(place_open(&p.place, path) == 0);
    MUST(pidfile_holder(&p.place, text) == 0);
    size_t got = size < sizeof text - 1 ? size : sizeof text - 1;
    MUST(memcmp(text, data, got) == 0 && text[got] == '\0');
    errno = 0;
    bool may = pidfile_is_replaceable(&p.place);
    MUST(may || errno == EEXIST);
    MUST(!may || is_plain(data, size < sizeof text ? size : sizeof text));
    PLANTED(may && size > 6 && data[size - 1] == '\n');
    if (may) {
        MUST(pidfile_prepare(&p) == 0 && pidfile_write(&p, 4711) == 0);
        pidfile_holder(&p.place, text);
        MUST(strcmp(text, "4711\n") == 0);
    }
    pidfile_remove(&p); /* also closes the directory */
    MUST(access(path, F_OK) < 0 || !may);
    unlink(path);
    return 0;
}
