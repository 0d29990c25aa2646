// hung-exec [-o] FILE... - makes every exec of a FILE hang (-o: every open(2)), as that from a network file
// system whose server is away (fanotify(7); for root only). Prints "ready", then "held N" as the Nth exec
// hangs. At SIGUSR1 all that hang go on, and so do those to come; the same when it ends. 77: there is no such
// thing on this machine.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { MANY = 1000 };

static int fan, held[MANY], n_held, all, count;

static void answer(int fd)
{
    struct fanotify_response response = {.fd = fd, .response = FAN_ALLOW};
    if (write(fan, &response, sizeof response) < 0)
        perror("hung-exec: answer"); // who waited has been killed
    close(fd);
}

static void take_events(void)
{
    char buffer[4096] __attribute__((aligned(8)));
    ssize_t n = read(fan, buffer, sizeof buffer);
    for (struct fanotify_event_metadata *event = (void *)buffer; FAN_EVENT_OK(event, n);
         event = FAN_EVENT_NEXT(event, n)) {
        if (all || n_held == MANY) {
            answer(event->fd);
        } else {
            held[n_held++] = event->fd;
            printf("held %d\n", ++count);
        }
    }
}

int main(int argc, char **argv)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    setlinebuf(stdout);
    fan = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC);
    if (fan < 0)
        return perror("hung-exec"), 77;
    int opens = argc > 1 && strcmp(argv[1], "-o") == 0;
    for (int i = 1 + opens; i < argc; i++)
        if (fanotify_mark(fan, FAN_MARK_ADD, opens ? FAN_OPEN_PERM : FAN_OPEN_EXEC_PERM, AT_FDCWD, argv[i]) <
            0)
            return perror(argv[i]), 77;
    puts("ready");
    struct pollfd fds[] = {
        {.fd = fan, .events = POLLIN}, {.fd = signalfd(-1, &set, SFD_CLOEXEC), .events = POLLIN}};
    while (poll(fds, 2, -1) > 0) {
        if (fds[0].revents)
            take_events();
        if (!fds[1].revents)
            continue;
        for (all = 1; n_held;)
            answer(held[--n_held]);
        fds[1].fd = -1;
    }
}
