// hostile [-t] STATE OUT ERR NAME [ARG...] - runs $IPCBOX as NAME in a directory of its own with a file `in`,
// which is its stdin, under STATE. OUT and ERR get what it writes; -t: SIGTERM once it has written a line to
// fd 9. Prints "STATUS LEFT [FILE]...": 128+N after signal N, "hang" after 10 s; how many processes it has
// left; the files that are there now. Exits 77 where the state can't be made.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_MS = 10000, GRACE_MS = 2000, READY_FD = 9, OTHER_USER = 64999 };

static const char *state;

static void no(const char *what)
{
    fprintf(stderr, "hostile: %s: %s: %s\n", state, what, strerror(errno));
    exit(77);
}

static int is(const char *name)
{
    return !strcmp(state, name);
}

static void put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    if (fd < 0 || write(fd, text, strlen(text)) < 0)
        no(path);
    close(fd);
}

// A mount namespace of our own; without root, in a user namespace of our own.
static void own_mounts(void)
{
    char map[64];
    unsigned uid = geteuid(), gid = getegid();
    if (unshare(uid ? CLONE_NEWNS | CLONE_NEWUSER : CLONE_NEWNS) < 0)
        no("unshare");
    if (uid) {
        put("/proc/self/setgroups", "deny");
        snprintf(map, sizeof map, "%u %u 1", uid, uid);
        put("/proc/self/uid_map", map);
        snprintf(map, sizeof map, "%u %u 1", gid, gid);
        put("/proc/self/gid_map", map);
    }
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        no("mount");
}

static void tmpfs(const char *path, const char *options)
{
    if (mount("none", path, "tmpfs", 0, options) < 0)
        no("mount");
}

// The directory, before the program is there. The state may be one of its file system.
static void make_directory(void)
{
    char full[4096] = {0};
    int fd;
    if (is("no-proc") || is("no-dev") || is("ro-fs") || is("full-fs"))
        own_mounts();
    if (is("ro-fs") || is("full-fs")) {
        tmpfs(".", "size=64k,mode=755");
        if (chdir(getenv("HOSTILE_DIR")) < 0)
            no("chdir");
    }
    put("in", "hello\n");
    if (is("ro-fs") && mount("none", ".", NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
        no("remount");
    if (is("full-fs")) {
        fd = open("all", O_WRONLY | O_CREAT, 0644);
        while (write(fd, full, sizeof full) > 0)
            ;
        close(fd);
    }
    if (is("no-proc"))
        tmpfs("/proc", "size=4k");
    if (is("no-dev"))
        tmpfs("/dev", "size=4k");
    if (is("nproc") && !geteuid() && (chmod(".", 0777) < 0))
        no("chmod");
}

static void become_other(void)
{
    if (!geteuid() && (setgid(OTHER_USER) < 0 || setuid(OTHER_USER) < 0))
        no("setuid");
}

static void limit(int what, rlim_t n)
{
    const struct rlimit r = {n, n};
    if (setrlimit(what, &r) < 0)
        no("setrlimit");
}

static void odd(int fd, const char *path, int flags)
{
    int other = open(path, flags);
    if (other < 0 || dup2(other, fd) < 0)
        no(path);
    close(other);
}

static void set_fds(void)
{
    int fds[2];
    if (is("closed-0") || is("closed-all"))
        close(0);
    if (is("closed-1") || is("closed-all"))
        close(1);
    if (is("closed-2") || is("closed-all"))
        close(2);
    if (is("writable-0"))
        odd(0, "/dev/null", O_WRONLY);
    if (is("directory-0"))
        odd(0, "/", O_RDONLY);
    if (is("readable-1"))
        odd(1, "/dev/null", O_RDONLY);
    if (is("full-1") || is("full-all"))
        odd(1, "/dev/full", O_WRONLY);
    if (is("full-2") || is("full-all"))
        odd(2, "/dev/full", O_WRONLY);
    if (is("broken-1") && (pipe(fds) < 0 || dup2(fds[1], 1) < 0 || close(fds[0]) < 0 || close(fds[1]) < 0))
        no("pipe");
    for (int fd = 10; is("many-fds") && fd < 200; fd++)
        if (dup2(0, fd) < 0)
            no("dup2");
}

static void set_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    for (int sig = 1; sig < NSIG; sig++) {
        int here = is("ignored-all") || is("blocked-all") || (is("ignored-chld") && sig == SIGCHLD) ||
                   (is("ignored-term") && sig == SIGTERM) || (is("blocked-chld") && sig == SIGCHLD) ||
                   (is("blocked-term") && sig == SIGTERM);
        if (here && *state == 'i')
            signal(sig, SIG_IGN);
        if (here && *state == 'b')
            sigaddset(&set, sig);
    }
    sigprocmask(SIG_SETMASK, &set, NULL);
}

static void set_limits(void)
{
    if (is("nofile"))
        limit(RLIMIT_NOFILE, is("nofile") ? 10 : 0);
    if (is("nofile-few"))
        limit(RLIMIT_NOFILE, 4);
    if (is("stack"))
        limit(RLIMIT_STACK, 65536);
    if (is("as"))
        limit(RLIMIT_AS, 12 << 20);
    if (is("fsize"))
        limit(RLIMIT_FSIZE, 0);
    if (is("sigpending"))
        limit(RLIMIT_SIGPENDING, 0);
    if (is("nproc"))
        limit(RLIMIT_NPROC, 0);
}

// So many bytes that hardly anything can be added (execve(2): 2 MiB, a quarter of the stack).
static char **large_environment(void)
{
    enum { EACH = 131000, N = 15 };
    static char *env[N + 64];
    int n = 0;
    for (char **e = environ; *e && n < 40; e++)
        env[n++] = *e;
    for (int i = 0; i < N; i++, n++) {
        env[n] = malloc(EACH + 1);
        memset(env[n], 'x', EACH);
        env[n][EACH] = '\0';
        memcpy(env[n], "LARGE00=", 8);
        env[n][5] = (char)('0' + i / 10);
        env[n][6] = (char)('0' + i % 10);
    }
    return env;
}

static void run(char **argv)
{
    static char *none[] = {NULL};
    char **env = is("no-env") ? none : is("arg-max") ? large_environment() : environ;
    int fd = open(getenv("IPCBOX"), O_RDONLY | O_CLOEXEC), high = fcntl(fd, F_DUPFD_CLOEXEC, 250);
    close(fd);
    fd = open("in", O_RDONLY);
    if (fd < 0 || high < 0 || dup2(fd, 0) < 0)
        no("open");
    close(fd);
    if (is("nproc"))
        become_other();
    set_fds();
    set_signals();
    set_limits();
    syscall(SYS_execveat, high, "", is("no-argv") ? none : argv, env, AT_EMPTY_PATH);
    _exit(77);
}

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// Moves what is there; closes at the end.
static void move(int *from, int to)
{
    char text[65536];
    ssize_t n = read(*from, text, sizeof text);
    if (n > 0 && write(to, text, (size_t)n) == n)
        return;
    if (n < 0 && errno == EAGAIN)
        return;
    close(*from);
    *from = -1;
}

struct watched {
    pid_t pid;
    int from[3], to[2];
    int term, status, left;
};

// Takes ends; whether the program's was among them.
static int take_ends(struct watched *w)
{
    pid_t pid;
    int status;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == w->pid)
            w->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    w->left = pid == 0;
    return w->status >= 0;
}

static void watch(struct watched *w)
{
    long until = now_ms() + LIMIT_MS;
    int over = 0;
    char line;
    while (now_ms() < until) {
        struct pollfd p[3];
        for (int i = 0; i < 3; i++)
            p[i] = (struct pollfd){.fd = w->from[i], .events = POLLIN};
        poll(p, 3, 5);
        for (int i = 0; i < 2; i++)
            if (p[i].fd >= 0 && p[i].revents)
                move(&w->from[i], w->to[i]);
        if (p[2].fd >= 0 && p[2].revents) {
            if (read(w->from[2], &line, 1) == 1 && w->term)
                kill(w->pid, SIGTERM);
            close(w->from[2]);
            w->from[2] = -1;
        }
        if (take_ends(w) && !over) {
            over = 1;
            until = now_ms() + GRACE_MS;
        }
        if (over && !w->left)
            break;
    }
    for (int i = 0; i < 2; i++)
        if (w->from[i] >= 0)
            move(&w->from[i], w->to[i]);
}

// Ends what is left. How many that were.
static int end_all(void)
{
    int n = 0;
    for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) >= 0;) {
        char path[64], word[32];
        FILE *f;
        snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
        f = fopen(path, "r");
        while (f && fscanf(f, "%31s", word) == 1)
            n += kill(atoi(word), SIGKILL) == 0 && !pid;
        if (f)
            fclose(f);
        else
            return n + 1;
        poll(NULL, 0, 5);
    }
    return n;
}

static void start(struct watched *w, char **argv)
{
    int pipes[3][2];
    for (int i = 0; i < 3; i++)
        if (pipe2(pipes[i], O_CLOEXEC) < 0 || fcntl(pipes[i][0], F_SETFL, O_NONBLOCK) < 0)
            no("pipe");
    w->pid = fork();
    if (!w->pid) {
        dup2(pipes[0][1], 1);
        dup2(pipes[1][1], 2);
        if (w->term)
            dup2(pipes[2][1], READY_FD);
        run(argv);
    }
    for (int i = 0; i < 3; i++) {
        close(pipes[i][1]);
        w->from[i] = pipes[i][0];
    }
}

int main(int argc, char **argv)
{
    struct watched w = {.status = -1};
    struct dirent *e;
    w.term = argc > 1 && !strcmp(argv[1], "-t");
    argv += w.term;
    if (argc - w.term < 5)
        return 100;
    state = argv[1];
    for (int i = 0; i < 2; i++)
        if ((w.to[i] = open(argv[2 + i], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) < 0)
            no(argv[2 + i]);
    char dir[] = "hostile.XXXXXX", *path = NULL;
    if (!mkdtemp(dir) || chmod(dir, 0755) < 0 || chdir(dir) < 0 || !(path = getcwd(NULL, 0)))
        no("mkdtemp");
    setenv("HOSTILE_DIR", path, 1);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    make_directory();
    unsetenv("HOSTILE_DIR");
    start(&w, argv + 4);
    watch(&w);
    w.left = w.left ? end_all() : 0;
    if (w.status < 0)
        printf("hang %d", w.left);
    else
        printf("%d %d", w.status, w.left);
    DIR *d = opendir(".");
    while ((e = readdir(d)))
        if (*e->d_name != '.' || (e->d_name[1] && e->d_name[1] != '.'))
            if (strcmp(e->d_name, "in") && strcmp(e->d_name, "all"))
                printf(" %s", e->d_name);
    putchar('\n');
    return w.status == 77 ? 77 : 0;
}
