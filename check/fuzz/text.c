/* text.c - anything in messages: as text that a terminal can't trip over, and as JSON (RFC 8259). */
#include "harness/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/msg.h"

static void usage(void *arg)
{
    static const struct msg m = {.applet = "fuzz", .level = MSG_NORMAL};
    msg_usage(&m, "word '%s'", (const char *)arg);
}

static void messages(const char *a, const char *b)
{
    struct event e;
    for (int json = 0; json < 2; json++) {
        struct msg m = {.applet = "fuzz", .level = MSG_NORMAL, .json = json};
        fuzz_want_json(json);
        msg_error(&m, "open", a, 2);
        msg_fatal_why(&m, 1, "read", b, "it is so");
        event_begin(&e, &m, "end");
        event_str(&e, "first", a);
        event_num(&e, "second", -5);
        event_strn(&e, "third", b, strlen(b) / 2);
        event_text(&e, "end");
        event_send(&e);
    }
    fuzz_want_json(false);
    MUST(fuzz_exits(usage, (void *)a) == EXIT_USAGE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    size_t n;
    char *a = fuzz_text(&in, 3000), *b = fuzz_text(&in, 3000);
    messages(a, b);
    char *bytes = (char *)fuzz_bytes(&in, 4096, &n);
    struct buf text = {.mem = malloc(6 * n + 3), .size = 6 * n + 3};
    buf_escaped(&text, bytes, n);
    MUST(!text.cut && fuzz_is_printable(text.mem, text.len));
    PLANTED(n > 2 && text.len == 3 && (unsigned char)text.mem[0] == 0xe2);
    text.len = 0;
    buf_json(&text, bytes, n);
    MUST(!text.cut && fuzz_is_json(text.mem, text.len));
    free(text.mem);
    free(bytes);
    free(a);
    free(b);
    return 0;
}
