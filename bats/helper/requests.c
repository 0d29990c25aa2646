// requests PORT PER_SECOND COUNT [HOLD] - makes COUNT connections to 127.0.0.1, PER_SECOND of them a second
// whether or not the earlier ones are answered. Each sends a line, shuts its direction down, and expects an
// answer of at least one byte and a clean end. With HOLD, "open" is printed when the last has been begun.
// SIGTERM: no more are begun. Prints what went wrong, by its errno, and "N requests, F failed"; 1 if F is not
// 0. Nothing is tried again, and nothing has a time limit.
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX = 10000 };
static volatile sig_atomic_t told_to_end;
static struct pollfd conns[MAX];
static struct {
    int asked, bytes;
} state[MAX];
static int active, failed;

static long long now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void end(int i, const char *action, int err)
{
    if (action) {
        printf("%s: %s\n", action, strerror(err));
        failed++;
    }
    close(conns[i].fd);
    active--;
    conns[i] = conns[active];
    state[i] = state[active];
}

static void begin(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int i = active++;
    conns[i] = (struct pollfd){.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .events = POLLOUT};
    state[i].asked = state[i].bytes = 0;
    if (conns[i].fd < 0)
        end(i, "socket", errno);
    else if (connect(conns[i].fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS)
        end(i, "connect", errno);
}

static void go_on(int i)
{
    char in[4096];
    if (!state[i].asked) {
        int err = 0;
        socklen_t len = sizeof err;
        getsockopt(conns[i].fd, SOL_SOCKET, SO_ERROR, &err, &len);
        if (err) {
            end(i, "connect", err);
            return;
        }
        if (send(conns[i].fd, "hello\n", 6, MSG_NOSIGNAL) != 6) {
            end(i, "send", errno);
            return;
        }
        shutdown(conns[i].fd, SHUT_WR);
        state[i].asked = 1;
        conns[i].events = POLLIN;
        return;
    }
    ssize_t n = recv(conns[i].fd, in, sizeof in, 0);
    if (n > 0)
        state[i].bytes += (int)n;
    else if (n == 0)
        end(i, state[i].bytes ? NULL : "no answer", 0);
    else if (errno != EAGAIN)
        end(i, "receive", errno);
}

static void stop(int sig)
{
    told_to_end = sig;
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return 100;
    int port = atoi(argv[1]), count = atoi(argv[3]), made = 0, held = argc > 4;
    long long pause = 1000000000LL / atoi(argv[2]), due = now();
    if (count > MAX)
        return 100;
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = stop}, NULL);
    while (made < count || active) {
        if (told_to_end)
            count = made;
        while (made < count && due <= now()) {
            begin(port);
            made++;
            due += pause;
        }
        if (held && made == count) {
            puts("open");
            fflush(stdout);
            held = 0;
        }
        int wait = made < count ? (int)((due - now()) / 1000000) + 1 : -1;
        if (poll(conns, (nfds_t)active, made < count && wait < 0 ? 0 : wait) < 0)
            continue;
        for (int i = active; i-- > 0;)
            if (conns[i].revents)
                go_on(i);
    }
    printf("%d requests, %d failed\n", made, failed);
    return failed != 0;
}
