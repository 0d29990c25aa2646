/*
 * lock_holders.c - see lock_holders.h.
 */
#include "process/lock_holders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/num.h"
#include "cli/opts.h"
#include "process/procs.h"

/* A process in the queue for a slot has none. */
static bool is_queue(const char *line)
{
    char mem[64];
    struct buf byte = BUF(mem);
    buf_fmt(&byte, " %lld %lld", (long long)LOCK_QUEUE_BYTE, (long long)LOCK_QUEUE_BYTE);
    return strstr(line, buf_str(&byte)) != NULL;
}

/* Reads a small file of /proc; how many bytes, -1 if it can't be. */
static ssize_t read_proc(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : fd_read(fd, text, size - 1);
    fd_close(&fd);
    text[n > 0 ? n : 0] = '\0';
    return n;
}

/* Whether a line of /proc/PID/fdinfo/FD is of a lock that is held on the file with that identity. */
static bool is_lock_on(const char *line, const char *id)
{
    return strstr(line, id) && !strstr(line, "->") && !strstr(line, "LEASE") && !is_queue(line);
}

/* The number behind NAME: in the text of a fdinfo. False: there is none. */
static bool info_number(const char *text, const char *name, uint64_t *out)
{
    const char *at = strstr(text, name);
    if (!at)
        return false;
    at += strlen(name);
    at += strspn(at, " \t");
    return num_u64n(at, strspn(at, "0123456789"), 0, UINT64_MAX, out);
}

/* The number that begins at *at, which goes behind the byte after it. */
static bool take_number(const char **at, uint64_t *out)
{
    size_t n = strspn(*at, "0123456789");
    bool is_number = num_u64n(*at, n, 0, UINT64_MAX, out);
    *at += n + ((*at)[n] != '\0');
    return is_number;
}

/* The device of that mount: "ID PARENT MAJOR:MINOR ..." in /proc/self/mountinfo (proc(5)). False: not found.
 */
static bool find_device(uint64_t mount, unsigned *maj, unsigned *min)
{
    char line[4096];
    uint64_t id, parent, major_number, minor_number;
    bool found = false;
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    while (mounts && !found && fgets(line, sizeof line, mounts)) {
        const char *at = line;
        found = take_number(&at, &id) && take_number(&at, &parent) && take_number(&at, &major_number) &&
                take_number(&at, &minor_number) && id == mount;
        if (!found)
            continue;
        *maj = (unsigned)major_number;
        *min = (unsigned)minor_number;
    }
    if (mounts)
        (void)fclose(mounts); /* it was only read */
    return found;
}

/*
 * " MAJOR:MINOR:INODE " as the kernel's lists of locks name the file. stat(2) of some file systems (btrfs,
 * overlayfs) has other numbers: so those of our own descriptor come first, where the kernel tells them
 * (5.14).
 */
static int identify(const char *path, struct buf *id)
{
    char mem[64], text[1024];
    struct buf info = BUF(mem);
    struct stat st;
    uint64_t mount, inode;
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        fd_close(&fd);
        return -1;
    }
    unsigned maj = major(st.st_dev), min = minor(st.st_dev);
    buf_fmt(&info, "/proc/self/fdinfo/%d", fd);
    if (read_proc(buf_str(&info), text, sizeof text) <= 0 || !info_number(text, "mnt_id:", &mount) ||
        !info_number(text, "ino:", &inode) || !find_device(mount, &maj, &min)) {
        maj = major(st.st_dev);
        min = minor(st.st_dev);
        inode = st.st_ino;
    }
    buf_fmt(id, " %02x:%02x:%llu ", maj, min, (unsigned long long)inode);
    buf_str(id);
    fd_close(&fd);
    return 0;
}

/* Whether one of that process's fds holds a lock on the file: 1, 0, or -1 with errno: it can't be seen. */
static int holds(pid_t pid, const char *id)
{
    char mem[300], text[4096];
    struct buf dir = BUF(mem);
    int found = 0;
    buf_fmt(&dir, "/proc/%ld/fdinfo", (long)pid);
    DIR *fds = opendir(buf_str(&dir));
    struct dirent *entry;
    size_t dir_len = dir.len;
    if (!fds)
        return procs_is_out_of_reach(errno) ? 0 : -1;
    while (!found && (errno = 0, entry = readdir(fds))) {
        dir.len = dir_len;
        buf_fmt(&dir, "/%s", entry->d_name);
        char *rest = text, *line;
        if (*entry->d_name == '.')
            continue;
        if (read_proc(buf_str(&dir), text, sizeof text) < 0 && !procs_is_out_of_reach(errno))
            found = -1;
        while (found >= 0 && (line = strtok_r(rest, "\n", &rest)))
            found = found || (strncmp(line, "lock:", 5) == 0 && is_lock_on(line, id));
    }
    int err = errno;
    closedir(fds);
    errno = err;
    return !found && err && !procs_is_out_of_reach(err) ? -1 : found;
}

/* Whether the kernel knows of a holder: then it is one that we may not look at. -1 with errno: not known. */
static int is_locked(const char *id)
{
    char line[256];
    int found = 0, err;
    FILE *locks = fopen("/proc/locks", "re");
    if (!locks)
        return -1;
    while (!found && fgets(line, sizeof line, locks))
        found = is_lock_on(line, id);
    err = errno;
    if (!found && ferror(locks))
        found = -1;
    (void)fclose(locks); /* only read */
    errno = err;
    return found;
}

/* Nobody that we can see has it. */
static int answer_no(const struct msg *m, const char *path, const char *id)
{
    int locked = is_locked(id);
    if (locked < 0)
        return msg_fatal(m, EXIT_SYSTEM, "look at", "/proc/locks", errno);
    return !locked ? EXIT_NO
                   : msg_fatal_why(m, EXIT_SYSTEM, "look at the holder of", path,
                         "it is a process that we may not look at");
}

/* A line a process that holds a lock: "PID NAME". */
int lock_print_holders(const struct msg *m, const char *path)
{
    char mem[8192], name_path[64], name[64], id_text[64];
    int status = EXIT_NO;
    struct buf out = BUF(mem), id = BUF(id_text);
    struct procs all;
    if (identify(path, &id) < 0)
        return errno == ENOENT ? EXIT_NO : msg_fatal(m, EXIT_SYSTEM, "open", path, errno);
    if (procs_list(&all) < 0)
        procs_die(m);
    for (size_t i = 0; i < all.n && status != EXIT_SYSTEM; i++) {
        struct buf b = BUF(name_path);
        int found = all.list[i].pid == getpid() ? 0 : holds(all.list[i].pid, id_text);
        if (found < 0)
            procs_die(m);
        if (!found)
            continue;
        buf_fmt(&b, "/proc/%ld/comm", (long)all.list[i].pid);
        ssize_t n = read_proc(buf_str(&b), name, sizeof name);
        buf_fmt(&out, "%ld ", (long)all.list[i].pid);
        buf_escaped(&out, name, n > 0 ? (size_t)n - 1 : 0);
        buf_char(&out, '\n');
        status = opts_print_part(m, &out);
    }
    procs_free(&all);
    if (status == EXIT_NO)
        return answer_no(m, path, id_text);
    return status == EXIT_DONE ? opts_print(m, &out) : status;
}
