/*
 * find.c - see find.h.
 */
#include "process/find.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/exitcode.h"

/* Whether it can be run, as far as that can be seen before: 0, or -1 with errno. */
static int check_file(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return -1;
    if (S_ISREG(st.st_mode))
        return access(path, X_OK);
    errno = EACCES;
    return -1;
}

/*
 * The first file of that name that can be run in the directories of $PATH. 0, or -1 with errno: EACCES if
 * there is one that can't be run. A directory that can't be searched counts as one without it, as for a
 * shell.
 */
static int search(const char *name, struct buf *path)
{
    const char *dir = getenv("PATH");
    struct stat st;
    int err = ENOENT;
    for (dir = dir ? dir : "/usr/local/bin:/bin:/usr/bin"; dir; dir = *dir ? dir + 1 : NULL) {
        size_t len = strcspn(dir, ":");
        path->len = 0;
        path->cut = false;
        buf_bytes(path, len ? dir : ".", len ? len : 1);
        buf_char(path, '/');
        buf_text(path, name);
        if (!path->cut && check_file(buf_str(path)) == 0)
            return 0;
        if (errno == EACCES &&
            stat(path->mem, &st) == 0) /* it is there; else it is the directory that can't be searched */
            err = EACCES;
        dir += len;
    }
    errno = err;
    return -1;
}

const char *find_program(const char *name)
{
    if (strchr(name, '/'))
        return check_file(name) == 0 ? name : NULL;
    struct buf path = {.mem = malloc(PATH_MAX), .size = PATH_MAX};
    if (!path.mem)
        return NULL;
    errno = ENOENT;
    if (*name && search(name, &path) == 0)
        return path.mem;
    int err = errno;
    free(path.mem);
    errno = err;
    return NULL;
}

void find_free(const char *path, const char *name)
{
    if (path != name)
        free((void *)path);
}

int find_exit_status(int err)
{
    return err == ENOENT || err == ENOTDIR || err == ENAMETOOLONG ? EXIT_NOTFOUND : EXIT_CANTRUN;
}

int find_failed(const struct msg *m, const char *name, int err)
{
    bool in_path = err == ENOENT && !strchr(name, '/');
    return msg_fatal_why(m, find_exit_status(err), NULL, name, in_path ? "command not found" : strerror(err));
}
