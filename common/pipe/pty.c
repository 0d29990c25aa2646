/*
 * pty.c - see pty.h.
 */
#include "pipe/pty.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"

enum {
    END = 4,          /* ^D: hands on what there is of the line; with nothing there, it is the end */
    LITERAL = 22,     /* ^V: the next character is no special one */
    LINE_PIECE = 2048 /* Linux drops what passes 4095 in a line */
};

/* Output as it is; input, where there is any, by lines. */
static int set_up(int slave, bool input)
{
    struct termios t;
    if (tcgetattr(slave, &t) < 0)
        return -1;
    cfmakeraw(&t);
    if (input) {
        t.c_lflag |= ICANON | IEXTEN;
        memset(t.c_cc, _POSIX_VDISABLE, sizeof t.c_cc);
        t.c_cc[VMIN] = 1; /* for a program that makes it raw */
        t.c_cc[VEOF] = END;
        t.c_cc[VLNEXT] = LITERAL;
    }
    return tcsetattr(slave, TCSANOW, &t);
}

static int open_slave(int master)
{
    if (grantpt(master) < 0 || unlockpt(master) < 0)
        return -1;
#ifdef TIOCGPTPEER
    int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave >= 0)
        return slave; /* without a look into /dev/pts, which may be another's */
#endif
    char name[64];
    if (ptsname_r(master, name, sizeof name) != 0)
        return -1;
    return open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

int pty_open(int *master, int *slave, bool input)
{
    *master = posix_openpt(O_RDWR | O_NOCTTY);
    if (*master < 0)
        return -1;
    *slave = fd_set_cloexec(*master, true) < 0 ? -1 : open_slave(*master);
    if (*slave >= 0 && set_up(*slave, input) == 0 && fd_set_nonblock(*master, true) == 0)
        return 0;
    fd_close(slave);
    fd_close(master);
    return -1;
}

/* Whether the terminal still gathers lines. */
static bool gathers_lines(int master)
{
    struct termios t;
    return tcgetattr(master, &t) == 0 && t.c_lflag & ICANON;
}

/* FIONREAD counts no ends that are still to be read, and poll(2) no bytes below a raw terminal's VMIN. */
enum pty_waiting pty_waits_for(int master)
{
    int unread = 0, slave = open_slave(master);
    struct pollfd p = {.fd = slave, .events = POLLIN};
    bool waits = slave >= 0 && ioctl(slave, FIONREAD, &unread) == 0 && !unread && poll(&p, 1, 0) == 0;
    fd_close(&slave);
    return !waits ? PTY_HAS_INPUT : gathers_lines(master) ? PTY_LINE : PTY_BYTES;
}

size_t pty_encode(struct pty_line *line, int master, const char *in, size_t n, char *out)
{
    char *to = out;
    if (!gathers_lines(master)) {
        memcpy(out, in, n);
        return n;
    }
    for (size_t i = 0; i < n; i++) {
        if (in[i] == END || in[i] == LITERAL)
            *to++ = LITERAL;
        *to++ = in[i];
        line->length = in[i] == '\n' ? 0 : line->length + 1;
        if (line->length == LINE_PIECE) {
            *to++ = END;
            line->length = 0;
        }
    }
    return (size_t)(to - out);
}

size_t pty_encode_end(struct pty_line *line, int master, char out[static PTY_END_SIZE])
{
    if (!gathers_lines(master))
        return 0;
    size_t n = PTY_END_SIZE - !line->length;
    memset(out, END, n);
    return n;
}
