/* telnet.c - what clients of cmdserver type, with telnet's negotiation (RFC 854) in it. */
#define applet_cmdserver fuzz_cmdserver
#include "../../applets/cmdserver.c"

#include "harness/fuzz.h"

/* Every line has one answer and one prompt, and with --crlf no LF is without its CR. */
static void check(const char *out, size_t n, bool crlf, size_t lines)
{
    size_t prompts = 0;
    for (size_t i = 0; i < n; i++) {
        prompts += out[i] == '\1';
        MUST(!crlf || out[i] != '\n' || (i && out[i - 1] == '\r'));
    }
    MUST(prompts == lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* commands that would start programs are other names for one that is not there */
    static char who[] = "who=/nonexistent", cookie[] = "cookie=/nonexistent", date[] = "date=/none x";
    static char motd[] = "motd=/nonexistent", when[] = "time=/nonexistent";
    static char *own[] = {who, cookie, date, motd, when, NULL};
    static char out[1 << 18];
    static int fd = -1;
    struct msg m = {.applet = "cmdserver", .level = MSG_NORMAL};
    struct cmdserver c = {.msg = &m, .prompt = "\1", .own = own, .idle = CLOCK_NEVER, .until = CLOCK_NEVER};
    size_t lines = 0;
    if (!size || size > 6000)
        return 0;
    fd = fd < 0 ? fuzz_memory_file("", 0) : fd;
    MUST(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0 && pump_init_half(&c.out, -1, fd) == 0);
    job_init(&c.job, &m);
    c.crlf = data[0] & 1;
    for (size_t i = 1; i < size && !c.quit; i++) {
        size_t had = c.len;
        bool was_long = c.too_long;
        int64_t taken = c.idle_until;
        c.idle_until = 1;
        take_byte(&c, data[i]);
        lines += c.idle_until != 1;
        MUST(c.len <= LINE_MAX_BYTES && (c.len == had || c.len == had + 1 || !c.len));
        MUST(!was_long || c.too_long || !c.len);
        c.idle_until = taken;
    }
    PLANTED(c.quit && c.crlf && memchr(data, TELNET_SE, size));
    ssize_t n = pread(fd, out, sizeof out, 0);
    MUST(n >= 0);
    if (!c.quit) /* what is said after that is not sent */
        check(out, (size_t)n, c.crlf, lines);
    pump_free(&c.out);
    return 0;
}
