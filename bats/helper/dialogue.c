// dialogue [-n COUNT] [-s] PORT|PATH LINE... - a client that sends a LINE at every prompt, "Command? ", once
// it has come, and reads until the server's end. Prints all that came. With -n, COUNT clients at once: none
// goes on before all have their first prompt; a transcript is printed once for all that got the same, behind
// their number. With -s it is slow: it takes little at a time, and lets little be on its way.
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char prompt[] = "Command? ";

static struct client {
    char *heard;
    size_t n, fresh; // how much; where the answer to the last line begins
    char **lines;    // those left
    int is_waiting;
} * clients;

static int slow;

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(111);
}

static int call(const char *to)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(to))};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int little = 1024, is_path = to[strspn(to, "0123456789")] != 0;
    int fd = socket(is_path ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
    inet_pton(AF_INET, "127.0.0.1", &in.sin_addr);
    strncpy(un.sun_path, to, sizeof un.sun_path - 1);
    if (fd < 0 || (slow && setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &little, sizeof little) < 0) ||
        connect(fd, is_path ? (struct sockaddr *)&un : (struct sockaddr *)&in,
            is_path ? sizeof un : sizeof in) < 0)
        die("dialogue: connect");
    return fd;
}

// Reads once. Whether there will be more.
static int hear(struct client *c, int fd)
{
    size_t bite = slow ? 7 : 65536;
    char *more = realloc(c->heard, c->n + bite + 1);
    ssize_t n = more ? read(fd, more + c->n, bite) : -1;
    if (!more)
        die("dialogue: realloc");
    c->heard = more;
    if (n < 0)
        perror("dialogue: read");
    c->n += n > 0 ? (size_t)n : 0;
    c->heard[c->n] = 0;
    size_t end = strlen(prompt);
    c->is_waiting = c->n - c->fresh >= end && !memcmp(c->heard + c->n - end, prompt, end);
    return n > 0;
}

static void answer(struct client *c, int fd)
{
    char line[4096];
    c->fresh = c->n;
    c->is_waiting = 0;
    if (!*c->lines) {
        shutdown(fd, SHUT_WR);
        return;
    }
    int n = snprintf(line, sizeof line, "%s\n", *c->lines++);
    if (write(fd, line, (size_t)n) != n)
        perror("dialogue: write");
}

// Each transcript once, behind the number of those that have it.
static void print(int count, int with_number)
{
    for (int i = 0; i < count; i++) {
        int same = 0, is_first = 1;
        for (int j = 0; j < count; j++)
            if (clients[j].n == clients[i].n && !memcmp(clients[j].heard, clients[i].heard, clients[i].n)) {
                same++;
                is_first = is_first && j >= i;
            }
        if (is_first && with_number)
            printf("%d ", same);
        if (is_first)
            fwrite(clients[i].heard, 1, clients[i].n, stdout);
    }
}

int main(int argc, char **argv)
{
    int count = 1, numbered = 0, met = 0;
    for (int option; (option = getopt(argc, argv, "+n:s")) > 0;)
        if (option == 'n')
            numbered = count = atoi(optarg);
        else
            slow = 1;
    struct pollfd *fds = calloc((size_t)count, sizeof *fds);
    clients = calloc((size_t)count, sizeof *clients);
    if (!fds || !clients || optind >= argc)
        return 100;
    for (int i = 0; i < count; i++) {
        fds[i] = (struct pollfd){.fd = call(argv[optind]), .events = POLLIN};
        clients[i].lines = argv + optind + 1;
    }
    for (int left = count, waiting = 0; left && poll(fds, (nfds_t)count, -1) > 0; waiting = 0) {
        for (int i = 0; i < count; i++) {
            if (fds[i].revents && !hear(&clients[i], fds[i].fd)) {
                fds[i].fd = -fds[i].fd - 1;
                left--;
            }
            waiting += clients[i].is_waiting;
        }
        met = met || waiting >= left;
        for (int i = 0; met && i < count; i++)
            if (clients[i].is_waiting && fds[i].fd >= 0)
                answer(&clients[i], fds[i].fd);
    }
    print(count, numbered);
    return 0;
}
