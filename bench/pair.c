/*
 * pair - runs two commands in turn, many times, and checks that each of them ends with 0.
 *
 *     pair N PROG [ARG...] ::: PROG [ARG...]
 *
 * As repeat does with one: what is done by two programs, such as take and give, send and receive.
 */
#include "tool.h"

int main(int argc, char **argv)
{
    char **second = argv + (argc < 3 ? argc : 3);
    while (*second && strcmp(*second, ":::") != 0)
        second++;
    if (!*second || !second[1])
        tool_die(TOOL_USAGE, "usage: pair N PROG [ARG...] ::: PROG [ARG...]");
    *second++ = NULL;
    for (uint64_t n = tool_number(argv[1], 1, 100000000); n; n--) {
        tool_run("pair", argv + 2);
        tool_run("pair", second);
    }
    return TOOL_OK;
}
