/*
 * repeat - runs a command many times, one after the other, and checks that each of them ends with 0.
 *
 *     repeat N PROG [ARG...]
 *
 * What a shell loop would measure, without the shell: vfork(2), which copies no page tables, exec and wait.
 */
#include "tool.h"

int main(int argc, char **argv)
{
    if (argc < 3)
        tool_die(TOOL_USAGE, "usage: repeat N PROG [ARG...]");
    for (uint64_t n = tool_number(argv[1], 1, 100000000); n; n--)
        tool_run("repeat", argv + 2);
    return TOOL_OK;
}
