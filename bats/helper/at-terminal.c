// at-terminal [REGEX KEYS]... -- COMMAND... - runs COMMAND in a session of its own at a new terminal, and
// types KEYS
// (\cC, \n, \x1c...) each time REGEX (extended, line by line) has been shown. Prints all that was
// shown, without carriage returns; exits with COMMAND's status, or 128+N; 255 when a REGEX was not shown
// within 50 s. REGEX looks at what came after the last one's match. The terminal's habit of dropping what is
// being typed when it sends a signal (stty -noflsh) is off: a program would have to type slowly. The
// session's leader is not COMMAND, but its parent, which stays until all has been read: the end of a leader
// takes away what the terminal has not yet shown.
#include <fcntl.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

static char shown[4 << 20]; // with a NUL behind it
static size_t n_shown, matched;
static char **steps; // REGEX, KEYS, REGEX...
static int n_steps, master;

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(255);
}

// Resolves \n \r \t \e \cC \xHH; of others the backslash stays where the text is a regular expression.
static size_t unescape(const char *text, char *out, int is_regex)
{
    char *to = out;
    unsigned byte;
    for (; *text; text++) {
        const char *known = *text == '\\' && text[1] ? strchr("n\nr\rt\te\033", text[1]) : NULL;
        if (*text != '\\') {
            *to++ = *text;
        } else if (known) {
            *to++ = known[1], text++;
        } else if (text[1] == 'c') {
            *to++ = (char)(text[2] & 31), text += 2;
        } else if (sscanf(text, "\\x%2x", &byte) == 1) {
            *to++ = (char)byte, text += 3;
        } else {
            if (is_regex)
                *to++ = '\\';
            *to++ = *++text;
        }
    }
    *to = 0;
    return (size_t)(to - out);
}

static void match_steps(void)
{
    char text[2000];
    regex_t regex;
    regmatch_t match;
    for (; n_steps; n_steps--, steps += 2) {
        unescape(steps[0], text, 1);
        if (regcomp(&regex, text, REG_EXTENDED | REG_NEWLINE) != 0)
            die(text);
        int found = !regexec(&regex, shown + matched, 1, &match, 0);
        regfree(&regex);
        if (!found)
            return;
        matched += (size_t)match.rm_eo;
        ssize_t n = (ssize_t)unescape(steps[1], text, 0);
        if (write(master, text, (size_t)n) != n)
            die("at-terminal: type");
    }
}

// Reads what is there to be shown; false: there is no more now.
static int show(void)
{
    char data[4096];
    ssize_t n = read(master, data, sizeof data);
    if (n <= 0)
        return 0;
    for (ssize_t i = 0; i < n; i++)
        if (data[i] && n_shown < sizeof shown - 1)
            shown[n_shown++] = data[i];
    shown[n_shown] = 0;
    match_steps();
    return 1;
}

static void print_shown(void)
{
    for (size_t i = 0; i < n_shown; i++)
        if (shown[i] != '\r')
            putchar(shown[i]);
}

// At a terminal of its own, which is not its controlling one yet.
static int open_terminal(void)
{
    struct winsize size = {.ws_row = 24, .ws_col = 120};
    struct termios termios;
    master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
        die("at-terminal: ptmx");
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave < 0 || ioctl(master, TIOCSWINSZ, &size) < 0 || tcgetattr(slave, &termios) < 0)
        die("at-terminal: pts");
    termios.c_lflag |= NOFLSH;
    if (tcsetattr(slave, TCSANOW, &termios) < 0)
        die("at-terminal: stty");
    return slave;
}

static void set_all(void (*disposition)(int))
{
    for (int i = 0; i < 6; i++)
        signal((int[]){SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGHUP}[i], disposition);
}

// The leader: tells COMMAND's status, and ends when that was heard.
static _Noreturn void lead(int slave, int theirs, char **command)
{
    int status;
    char heard;
    setsid();
    if (ioctl(slave, TIOCSCTTY, 0) < 0)
        die("at-terminal: terminal");
    set_all(SIG_IGN);
    pid_t pid = fork();
    if (pid < 0)
        die("at-terminal: fork");
    if (!pid) {
        for (int fd = 0; fd < 3; fd++)
            dup2(slave, fd);
        set_all(SIG_DFL);
        execvp(*command, command);
        die(*command);
    }
    for (int fd = 0; fd < 3; fd++) // whoever reads what at-terminal prints waits for no other's end
        dup2(slave, fd);
    waitpid(pid, &status, 0);
    if (write(theirs, &status, sizeof status) < 0 || read(theirs, &heard, 1) < 0)
        _exit(1);
    _exit(0);
}

int main(int argc, char **argv)
{
    int pair[2], status, i = 1;
    for (steps = argv + 1; i < argc && strcmp(argv[i], "--") != 0; i += 2)
        n_steps++;
    if (i + 1 >= argc)
        return 100;
    int slave = open_terminal();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        die("at-terminal: socketpair");
    pid_t leader = fork();
    if (leader < 0)
        die("at-terminal: fork");
    if (!leader) {
        close(pair[0]);
        lead(slave, pair[1], argv + i + 1);
    }
    close(slave);
    close(pair[1]);
    fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
    struct pollfd fds[] = {{.fd = master, .events = POLLIN}, {.fd = pair[0], .events = POLLIN}};
    time_t limit = time(NULL) + 50;
    while (!fds[1].revents && time(NULL) < limit) {
        if (poll(fds, 2, 1000) <= 0)
            continue;
        if (fds[0].revents)
            show();
    }
    if (!fds[1].revents) {
        print_shown();
        printf("\nat-terminal: no %s\n", n_steps ? *steps : "end");
        return 255;
    }
    if (read(pair[0], &status, sizeof status) != sizeof status)
        die("at-terminal: the leader has gone");
    while (show())
        continue;
    close(pair[0]);
    waitpid(leader, NULL, 0);
    print_shown();
    for (int n = 0; n < n_steps; n++)
        printf("at-terminal: never shown: %s\n", steps[2 * n]);
    return n_steps ? 255 : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
