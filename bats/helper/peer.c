// peer [-1] [-b BACKLOG] [-p PORT] IP|PATH WORD... - listens there, prints its port or path, and does what
// the words say:
//   accept       takes the next connection; the words that follow are about it
//   head         reads a request's head, up to an empty line; copies it to stderr
//   read N       one read of N bytes at most; rest: reads until the end; rest FILE=NAME: into NAME
//   tell         one read; says on stderr `data`, `end`, or the error
//   send TEXT    writes it (\r \n \\ are understood); flood N: writes N bytes x (0: without end)
//   sh CODE      runs it with the connection as stdin and stdout; the head is in $asked; status 99 is `reset`
//   shutdown     of its own direction; close; reset: closes so that what was not read or sent is lost
//   say TEXT     to stderr
//   full         connects to itself until its own queue is full, and says `full`
//   wait         for ever; again: from the first word on
// A peer that has gone (EPIPE) is no error. At the end of the words it exits.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
    exit(111);
}

static socklen_t address_of(const char *where, const char *port, union address *a)
{
    memset(a, 0, sizeof *a);
    if (inet_pton(AF_INET, where, &a->in.sin_addr) == 1) {
        a->in.sin_family = AF_INET;
        a->in.sin_port = htons((uint16_t)atoi(port));
        return sizeof a->in;
    }
    if (inet_pton(AF_INET6, where, &a->in6.sin6_addr) == 1) {
        a->in6.sin6_family = AF_INET6;
        a->in6.sin6_port = htons((uint16_t)atoi(port));
        return sizeof a->in6;
    }
    a->un.sun_family = AF_UNIX;
    snprintf(a->un.sun_path, sizeof a->un.sun_path, "%s", where);
    return sizeof a->un;
}

static void put(int fd, const char *data, size_t n)
{
    for (ssize_t done; n; data += done, n -= (size_t)done)
        if ((done = write(fd, data, n)) < 0)
            return;
}

static void send_text(int fd, const char *text)
{
    char out[4096], *to = out;
    for (; *text && to < out + sizeof out; text++)
        *to++ = *text != '\\' ? *text : *++text == 'n' ? '\n' : *text == 'r' ? '\r' : *text;
    put(fd, out, (size_t)(to - out));
}

static void flood(int fd, long long n)
{
    char block[65536];
    memset(block, 'x', sizeof block);
    for (long long left = n; !n || left > 0;) {
        ssize_t done = write(fd, block, n && left < (long long)sizeof block ? (size_t)left : sizeof block);
        if (done < 0)
            return;
        left -= done;
    }
}

// Byte by byte: what is behind the head is for others.
static void read_head(int fd)
{
    char head[65536];
    size_t n = 0, line = 0;
    while (n < sizeof head - 1 && read(fd, head + n, 1) == 1)
        if (head[n++] == '\n') {
            if (n - line <= 2)
                break;
            line = n;
        }
    head[n] = 0;
    put(2, head, n);
    setenv("asked", head, 1);
}

static void read_rest(int fd, const char *name)
{
    char data[65536];
    int out = name ? open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : -1;
    if (name && out < 0)
        die(name);
    for (ssize_t n; (n = read(fd, data, sizeof data)) > 0;)
        if (name)
            put(out, data, (size_t)n);
    if (name)
        close(out);
}

static void end(int fd, int with_reset)
{
    struct linger none = {.l_onoff = 1};
    if (with_reset)
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(fd);
}

static int run_shell(int fd, const char *code)
{
    int status;
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (!pid) {
        signal(SIGPIPE, SIG_DFL);
        dup2(fd, 0);
        dup2(fd, 1);
        execl("/bin/sh", "sh", "-c", code, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void fill_queue(const union address *a, socklen_t length, int backlog)
{
    for (int i = 0; i <= backlog; i++)
        if (connect(socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), &a->any, length) < 0)
            die("connect");
    put(2, "full\n", 5);
}

int main(int argc, char **argv)
{
    int backlog = 128, on = 1, fd = -1;
    const char *port = "0";
    union address a;
    for (int option; (option = getopt(argc, argv, "+1b:p:")) > 0;)
        if (option == 'b')
            backlog = atoi(optarg);
        else if (option == 'p')
            port = optarg;
        else if (option != '1')
            return 100;
    if (argc - optind < 2)
        return 100;
    const char *where = argv[optind++];
    socklen_t length = address_of(where, port, &a);
    int listener = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, &a.any, length) < 0 || listen(listener, backlog) < 0)
        die(where);
    signal(SIGPIPE, SIG_IGN);
    if (a.any.sa_family == AF_UNIX) {
        printf("%s\n", where);
    } else {
        getsockname(listener, &a.any, &length);
        printf("%d\n", ntohs(a.in.sin_port)); // sin6_port is at the same place
    }
    fclose(stdout);
    // fds 0 and 1 stay somebody's: a connection is none of them
    while (open("/dev/null", O_RDWR) < 2)
        continue;
    for (char **word = argv + optind; *word; word++) {
        char data[65536];
        const char *w = *word;
        ssize_t n;
#define IS(name) !strcmp(w, name)
#define WITH(name) (!strcmp(w, name) && *++word)
        if (IS("accept")) {
            if ((fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC)) < 0)
                die(w);
        } else if (IS("head")) {
            read_head(fd);
        } else if (WITH("read")) {
            n = read(fd, data, (size_t)atoi(*word));
        } else if (IS("rest")) {
            const char *name = word[1] && !strncmp(word[1], "FILE=", 5) ? *++word + 5 : NULL;
            read_rest(fd, name);
        } else if (IS("tell")) {
            n = read(fd, data, sizeof data);
            fprintf(stderr, "%s\n", n > 0 ? "data" : n ? strerror(errno) : "end");
        } else if (WITH("send")) {
            send_text(fd, *word);
        } else if (WITH("flood")) {
            flood(fd, atoll(*word));
        } else if (WITH("sh")) {
            if (run_shell(fd, *word) == 99)
                end(fd, 1);
        } else if (IS("shutdown")) {
            shutdown(fd, SHUT_WR);
        } else if (IS("close") || IS("reset")) {
            end(fd, *w == 'r');
        } else if (WITH("say")) {
            fprintf(stderr, "%s\n", *word);
        } else if (IS("full")) {
            fill_queue(&a, length, backlog);
        } else if (IS("wait")) {
            pause();
        } else if (IS("again")) {
            word = argv + optind - 1;
        } else {
            return fprintf(stderr, "peer: %s?\n", w), 100;
        }
    }
    return 0;
}
