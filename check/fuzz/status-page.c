/* status-page.c - a page that a process shows of itself, and the state of a daemon in it. */
#include "harness/fuzz.h"

#include <string.h>
#include <unistd.h>

#include "daemon/monitor_status.h"
#include "process/status_page.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int page = -1;
    char text[STATUS_PAGE_SIZE], mem[STATUS_LINES_SIZE];
    struct monitor_status s;
    struct buf lines = BUF(mem);
    if (page < 0)
        page = status_page_open();
    bool made = size && data[0] & 1; /* a true page, with any lines */
    buf_bytes(&lines, data, made && size < sizeof mem ? size : 0);
    buf_char(&lines, '\n');
    MUST(page >= 0 && ftruncate(page, 0) == 0);
    if (made)
        status_page_write(page, &lines);
    else
        MUST(pwrite(page, data, size, 0) == (ssize_t)size);
    ssize_t n = status_page_read(getpid(), text);
    MUST(n < STATUS_PAGE_SIZE && (n < 0 || strlen(text) <= (size_t)n));
    MUST(!made || memchr(mem, '\0', lines.len) || memmem(mem, lines.len, "\nend=", 5) ||
         (lines.len >= 4 && memcmp(mem, "end=", 4) == 0) || n >= 0);
    PLANTED(n >= 2 && strstr(text, "log=1"));
    if (n >= 0 && monitor_status_read(getpid(), &s))
        MUST(s.prog >= 0 && s.ended >= 0 && s.phase <= PHASE_STOPPING && s.last <= LAST_FAILED);
    return 0;
}
