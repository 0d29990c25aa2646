/*
 * replay.c - the corpora without a fuzzer: each file once through its target (make B/check/fuzz-replay).
 *
 *     fuzz-replay DIR            the files of DIR/TARGET, for every target
 *     fuzz-replay DIR TARGET     of that one alone
 *
 * A failure is a sanitizer's, or an abort. The last line is how many files there were of how many targets.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

#define TARGET(name, symbol) int symbol(const uint8_t *data, size_t size);
#include "fuzz_targets.h"
#undef TARGET

static const struct {
    const char *name;
    int (*run)(const uint8_t *data, size_t size);
} targets[] = {
#define TARGET(name, symbol) {name, symbol},
#include "fuzz_targets.h"
};

/* Memory that ends where the file does. */
static void replay_file(int dir, const char *name, int (*run)(const uint8_t *data, size_t size))
{
    struct stat st;
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    MUST(fd >= 0 && fstat(fd, &st) == 0);
    size_t n = (size_t)st.st_size;
    uint8_t *bytes = malloc(n ? n : 1);
    MUST(bytes && read(fd, bytes, n) == (ssize_t)n);
    close(fd);
    run(bytes, n);
    free(bytes);
}

static size_t replay(const char *dir, size_t i)
{
    char path[4096];
    size_t n = 0;
    struct dirent *entry;
    snprintf(path, sizeof path, "%s/%s", dir, targets[i].name);
    DIR *files = opendir(path);
    while (files && (entry = readdir(files))) {
        if (*entry->d_name == '.')
            continue;
        fprintf(stderr, "%s/%s\n", path, entry->d_name);
        replay_file(dirfd(files), entry->d_name, targets[i].run);
        n++;
    }
    if (files)
        closedir(files);
    targets[i].run((const uint8_t *)"", 0);
    return n;
}

int main(int argc, char **argv)
{
    size_t files = 0, ran = 0;
    if (argc < 2 || argc > 3)
        return 100;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
        if (argc == 3 && strcmp(argv[2], targets[i].name) != 0)
            continue;
        files += replay(argv[1], i);
        ran++;
    }
    printf("%zu files of %zu targets\n", files, ran);
    return ran ? 0 : 1;
}
