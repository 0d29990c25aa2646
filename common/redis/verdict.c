/*
 * verdict.c - see verdict.h.
 */
#include "redis/verdict.h"

#include <string.h>

static const struct {
    const char *words; /* that the error begins with */
    bool may_pass;
    const char *advice;
} known[] = {
    {"LOADING ", true, ""},
    {"BUSY ", true, ""},
    {"MASTERDOWN ", true, ""},
    {"TRYAGAIN ", true, ""},
    {"READONLY ", true, ""},
    {"OOM ", true, ""},
    {"MISCONF ", true, ""},
    {"NOREPLICAS ", true, ""},
    {"ERR max number of clients", true, ""},
    {"NOAUTH ", false, " (the password goes into $REDIS_URL or --redis-auth FILE)"},
    {"MOVED ", false, " (Redis Cluster is not supported: one server has it all)"},
    {"ASK ", false, " (Redis Cluster is not supported: one server has it all)"},
    {"CROSSSLOT ", false, " (Redis Cluster is not supported: one server has it all)"},
};

bool redis_may_pass(const struct resp_value *error, const char **advice)
{
    /* ERR Error running script (call to f_...): @user_script:1: -OOM command not allowed ... */
    static const char wrapped[] = ": -";
    struct resp_value v = *error;
    const char *inner =
        resp_begins(&v, "ERR Error running script") ? memmem(v.bytes, v.len, wrapped, strlen(wrapped)) : NULL;
    if (inner) {
        v.len -= (size_t)(inner + strlen(wrapped) - v.bytes);
        v.bytes = inner + strlen(wrapped);
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (resp_begins(&v, known[i].words)) {
            *advice = known[i].advice;
            return known[i].may_pass;
        }
    return false;
}
