/*
 * rawqueue - the limit for msgsend and msgrecv: msgsnd and msgrcv in a loop, and no more.
 *
 *     rawqueue send KEY [TEXT]   one message, or one for each line of stdin
 *     rawqueue receive KEY       prints one
 *     rawqueue follow KEY        one after the other: msgrcv, write
 *     rawqueue batch KEY         all that are there, one write for them
 *
 * KEY is a number. A signal ends it, whatever is in its hands; no deadlines, no message is put back.
 */
#include <sys/ipc.h>
#include <sys/msg.h>
#include <unistd.h>

#include "tool.h"

enum { MAX = 8192, OUT = 131072 };

struct message {
    long type;
    char text[MAX];
};

static void put(int id, struct message *m, const char *text, size_t len)
{
    if (len > MAX)
        tool_die(TOOL_NO, "rawqueue: a line is too long");
    m->type = 1;
    memcpy(m->text, text, len);
    if (msgsnd(id, m, len, 0) < 0)
        tool_die(TOOL_SYSTEM, "rawqueue: msgsnd");
}

static void put_lines(int id, struct message *m)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    while ((n = getline(&line, &room, stdin)) > 0)
        put(id, m, line, (size_t)n - (line[n - 1] == '\n'));
    free(line);
}

/* A message and a newline at `to`; 0 if there is none and flags say that it is not to be waited for. */
static size_t take(int id, struct message *m, char *to, int flags)
{
    ssize_t n = msgrcv(id, m, MAX, 0, flags);
    if (n < 0 && errno == ENOMSG)
        return 0;
    if (n < 0)
        tool_die(TOOL_SYSTEM, "rawqueue: msgrcv");
    memcpy(to, m->text, (size_t)n);
    to[n] = '\n';
    return (size_t)n + 1;
}

static void take_all(int id, struct message *m, bool follow, bool batch)
{
    static char out[OUT];
    do {
        size_t len = take(id, m, out, 0), more = batch;
        while (more && len < OUT - MAX - 1)
            len += more = take(id, m, out + len, IPC_NOWAIT);
        if (write(STDOUT_FILENO, out, len) != (ssize_t)len)
            tool_die(TOOL_SYSTEM, "rawqueue: write");
    } while (follow);
}

int main(int argc, char **argv)
{
    struct message m;
    const char *what = argc < 3 ? "" : argv[1];
    bool batch = strcmp(what, "batch") == 0, follow = batch || strcmp(what, "follow") == 0;
    if (argc < 3)
        tool_die(TOOL_USAGE, "usage: rawqueue send|receive|follow|batch KEY [TEXT]");
    int id = msgget((key_t)tool_number(argv[2], 1, UINT32_MAX), 0);
    if (id < 0)
        tool_die(TOOL_SYSTEM, "rawqueue: msgget");
    if (strcmp(what, "send") != 0)
        take_all(id, &m, follow, batch);
    else if (argv[3])
        put(id, &m, argv[3], strlen(argv[3]));
    else
        put_lines(id, &m);
    return TOOL_OK;
}
