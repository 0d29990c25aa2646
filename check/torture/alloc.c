/*
 * alloc.c: for LD_PRELOAD: in a process of ipcbox, the allocation of that number, $TORTURE_ALLOC, fails. The
 * file $TORTURE_ALLOC_COUNT gets as many bytes as the process with the most has made. Those of glibc's name
 * service are none of ours: without memory it crashes. For torture.py.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long left = -1, made;
static const char *count;
static int in_names;

__attribute__((constructor)) static void begin(void)
{
    char exe[4096] = "";
    const char *number = getenv("TORTURE_ALLOC");
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 7 || strcmp(exe + n - 7, "/ipcbox") != 0)
        return;
    left = number ? atol(number) : -1;
    count = getenv("TORTURE_ALLOC_COUNT");
}

static void note(void)
{
    int err = errno, fd = open(count, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd >= 0) {
        made += pwrite(fd, "", 1, made) == 1;
        close(fd);
    }
    errno = err;
}

static int fails(void)
{
    if (in_names)
        return 0;
    if (count)
        note();
    if (left <= 0 || --left)
        return 0;
    errno = ENOMEM;
    return 1;
}

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t n);

void *malloc(size_t n)
{
    return fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *old, size_t n)
{
    return fails() ? NULL : __libc_realloc(old, n);
}

/* A function of the name service, with its result */
#define NAMES(type, name, parameters, ...)                                     \
    type name parameters                                                       \
    {                                                                          \
        type(*libcs) parameters = (type(*) parameters)dlsym(RTLD_NEXT, #name); \
        in_names++;                                                            \
        type result = libcs(__VA_ARGS__);                                      \
        in_names--;                                                            \
        return result;                                                         \
    }

NAMES(struct passwd *, getpwuid, (uid_t id), id)
NAMES(struct passwd *, getpwnam, (const char *name), name)
NAMES(struct group *, getgrnam, (const char *name), name)
NAMES(int, getgrouplist, (const char *name, gid_t id, gid_t *list, int *n), name, id, list, n)
NAMES(int, getaddrinfo,
    (const char *host, const char *port, const struct addrinfo *like, struct addrinfo **list), host, port,
    like, list)
NAMES(int, getnameinfo,
    (const struct sockaddr *a, socklen_t a_len, char *host, socklen_t host_len, char *port,
        socklen_t port_len, int flags),
    a, a_len, host, host_len, port, port_len, flags)
NAMES(struct servent *, getservbyname, (const char *name, const char *protocol), name, protocol)
