// queue KEY create - makes a message queue, as a program of another's would.
// queue KEY rm - removes it.
// queue KEY qbytes N - lets it hold no more than N bytes.
// queue KEY send TYPE [TEXT] - sends TEXT, or every line of stdin.
// queue KEY recv TYPE COUNT - prints COUNT messages, selected as msgrcv(2) does: "TYPE:TEXT" a line.
// KEY is a number, 0x..., PATH:NUMBER, or id:N.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/msg.h>

enum { LONGEST = 1 << 21 };

static struct {
    long type;
    char text[LONGEST];
} message;

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(111);
}

static key_t key_of(char *word)
{
    char *colon = strrchr(word, ':');
    if (!strchr(word, '/'))
        return (key_t)strtoul(word, NULL, 0);
    if (colon)
        *colon = '\0';
    return ftok(word, colon ? atoi(colon + 1) : 1);
}

static void send(int id, size_t len)
{
    if (msgsnd(id, &message, len, 0) < 0)
        die("msgsnd");
}

static void send_lines(int id)
{
    while (fgets(message.text, sizeof message.text, stdin))
        send(id, strcspn(message.text, "\n"));
}

static void receive(int id, long type, long count)
{
    while (count--) {
        ssize_t n = msgrcv(id, &message, sizeof message.text, type, 0);
        if (n < 0)
            die("msgrcv");
        printf("%ld:", message.type);
        fwrite(message.text, 1, (size_t)n, stdout);
        putchar('\n');
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 100;
    const char *what = argv[2];
    int make = strcmp(what, "create") == 0 ? IPC_CREAT | IPC_EXCL | 0600 : 0;
    int id = strncmp(argv[1], "id:", 3) == 0 ? atoi(argv[1] + 3) : msgget(key_of(argv[1]), make);
    if (id < 0)
        die("msgget");
    if (strcmp(what, "rm") == 0) {
        if (msgctl(id, IPC_RMID, NULL) < 0)
            die("msgctl");
    } else if (strcmp(what, "qbytes") == 0 && argc == 4) {
        struct msqid_ds state;
        if (msgctl(id, IPC_STAT, &state) < 0)
            die("msgctl");
        state.msg_qbytes = strtoul(argv[3], NULL, 10);
        if (msgctl(id, IPC_SET, &state) < 0)
            die("msgctl");
    } else if (strcmp(what, "send") == 0 && argc >= 4) {
        message.type = atol(argv[3]);
        if (argc == 4) {
            send_lines(id);
        } else {
            strncpy(message.text, argv[4], sizeof message.text - 1);
            send(id, strlen(message.text));
        }
    } else if (strcmp(what, "recv") == 0 && argc == 5) {
        receive(id, atol(argv[3]), atol(argv[4]));
    } else if (!make) {
        return 100;
    }
    return 0;
}
