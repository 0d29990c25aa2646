/*
 * let_go.c - job_let_go, see job.h.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "process/job.h"
#include "process/sigs.h"

/* Programs have had their own copies of all this since they were forked, executed or not. */
void job_let_go(const struct job *j, const int *own, size_t n)
{
    int keep[JOB_OWN_MAX + 2];
    if (n)
        memcpy(keep, own, n * sizeof *own);
    keep[n++] = j->status_fd;
    keep[n++] = sigs_fd();
    fd_close_others(STDERR_FILENO + 1, keep, n); /* first: there may be no descriptor left for null */
    for (int fd = STDIN_FILENO; fd <= STDOUT_FILENO; fd++) {
        size_t i = 0;
        while (i < n && keep[i] != fd)
            i++;
        if (i == n)
            fd_to_null(fd);
    }
    if (chdir("/") < 0)
        errno = 0; /* then a file system can't be unmounted for a while */
}
