/*
 * message.c - see message.h.
 */
#include "ipc/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/speak.h"

enum { FIRST_ROOM = 8192, ESCAPED = 6 /* bytes that one may become */, MORE = 512 };

int message_make_room(struct message *m, size_t room)
{
    struct message_text *text = realloc(m->m, sizeof *text + room);
    if (text)
        m->m = text;
    char *escaped = realloc(m->escaped, room * ESCAPED + MORE);
    if (escaped)
        m->escaped = escaped;
    if (!text || !escaped)
        return -1;
    m->room = room;
    return 0;
}

int message_init(struct message *m)
{
    *m = (struct message){0};
    return message_make_room(m, FIRST_ROOM);
}

void message_free(struct message *m)
{
    free(m->m);
    free(m->escaped);
}

struct buf message_line(const struct message *m)
{
    return (struct buf){.mem = m->escaped, .size = m->room * ESCAPED + MORE};
}

void message_lost(const struct message *m, const struct msg *msg, const char *key, int err)
{
    struct buf line = message_line(m);
    buf_fmt(&line, "%s: put back ", msg->applet);
    buf_escaped(&line, key, strnlen(key, 64));
    buf_fmt(&line, ": %s: a message of type %ld: ", strerror(err), m->m->type);
    buf_escaped(&line, m->m->text, m->len);
    buf_char(&line, '\n');
    speak_to(STDERR_FILENO, line.mem, line.len, &(bool){false});
}

int message_file(const struct message *m)
{
    int fd = memfd_create("message", MFD_CLOEXEC);
    if (fd >= 0 && fd_raise(&fd, STDERR_FILENO + 1) == 0 && fd_write_all(fd, m->m->text, m->len) == 0 &&
        lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    fd_close(&fd);
    return -1;
}
