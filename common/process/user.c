/*
 * user.c - see user.h.
 */
#include "process/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/msg.h"
#include "base/num.h"

/* An id: (uid_t)-1 means "leave alone" to the kernel, so it is none. */
static bool parse_id(const char *word, uint64_t *id)
{
    return num_u64(word, 0, UINT32_MAX - 1, id);
}

/* Those of an earlier -u, which does not count any more; a group of -g stays. */
static void forget_groups(struct user *u)
{
    free(u->groups);
    u->groups = NULL;
    u->ngroups = 0;
    u->name[0] = '\0';
    u->gid_is_given = u->gid_is_option;
}

/* The user's own groups, with `gid` first. */
static const char *find_groups(struct user *u)
{
    int n = 64;
    for (int tries = 0; tries < 2; tries++) {
        gid_t *groups = realloc(u->groups, (size_t)n * sizeof *groups);
        if (!groups)
            return strerror(ENOMEM);
        u->groups = groups;
        if (getgrouplist(u->name, u->gid, groups, &n) >= 0) {
            u->ngroups = n;
            return NULL;
        }
    }
    return "too many groups";
}

/* It is not there or, as getpwnam(3) has it, could not be looked for. */
static const char *why_missing(const char *why)
{
    return msg_is_fault(errno) ? strerror(errno) : why;
}

const char *user_find(const char *word, uid_t *uid)
{
    uint64_t id;
    const struct passwd *pw;
    errno = 0;
    if (parse_id(word, &id))
        *uid = (uid_t)id;
    else if (*word && (pw = getpwnam(word)))
        *uid = pw->pw_uid;
    else
        return why_missing("no such user");
    return NULL;
}

const char *user_find_group(const char *word, gid_t *gid)
{
    uint64_t id;
    const struct group *gr;
    errno = 0;
    if (parse_id(word, &id))
        *gid = (gid_t)id;
    else if (*word && (gr = getgrnam(word)))
        *gid = gr->gr_gid;
    else
        return why_missing("no such group");
    return NULL;
}

static const char *parse_group(struct user *u, const char *word)
{
    const char *wrong = user_find_group(word, &u->gid);
    if (wrong)
        return wrong;
    u->has_gid = u->gid_is_given = true;
    return *u->name ? find_groups(u) : NULL;
}

const char *user_parse_group(struct user *u, const char *word)
{
    const char *wrong = parse_group(u, word);
    u->gid_is_option = !wrong;
    return wrong;
}

const char *user_parse(struct user *u, const char *spec)
{
    char name[256];
    size_t len = strcspn(spec, ":");
    if (!len || len >= sizeof name)
        return "no such user";
    forget_groups(u);
    memcpy(name, spec, len);
    name[len] = '\0';
    uint64_t id;
    bool number = parse_id(name, &id);
    errno = 0;
    const struct passwd *pw = number ? getpwuid((uid_t)id) : getpwnam(name);
    if (!pw && !number)
        return why_missing("no such user");
    u->uid = pw ? pw->pw_uid : (uid_t)id;
    u->has_uid = true;
    if (pw)
        strncpy(u->name, pw->pw_name, sizeof u->name - 1);
    if (pw && !u->gid_is_given)
        u->gid = pw->pw_gid;
    u->has_gid = u->gid_is_given || pw; /* a bare number: its group must come from GROUP or -g */
    if (spec[len] == ':')
        return parse_group(u, spec + len + 1);
    return pw ? find_groups(u) : NULL;
}

void user_option(struct user *u, int row, const struct opts *o)
{
    enum user_row { USER_OPTIONS(OPT_ENUM, , ) };
    const char *wrong = NULL;
    switch ((enum user_row)row) {
    case OPT_USER:
        wrong = user_parse(u, o->arg);
        break;
    case OPT_GROUP:
        wrong = user_parse_group(u, o->arg);
        break;
    }
    if (wrong)
        opts_wrong(o, wrong);
}

const char *user_from_env(struct user *u)
{
    const char *uid = getenv("UID"), *gid = getenv("GID");
    uint64_t id, group;
    if (!uid || !gid || !parse_id(uid, &id) || !parse_id(gid, &group))
        return "wants numbers in $UID and $GID";
    forget_groups(u);
    u->gid_is_option = false; /* $GID counts from here on */
    u->uid = (uid_t)id;
    u->gid = (gid_t)group;
    u->has_uid = u->has_gid = u->gid_is_given = true;
    return NULL;
}

/* Whether we are that user already. */
static bool already(const struct user *u)
{
    uid_t r, e, s;
    gid_t gr, ge, gs;
    if (getresuid(&r, &e, &s) < 0 || getresgid(&gr, &ge, &gs) < 0 || e == 0)
        return false;
    bool same_uid = !u->has_uid || (r == u->uid && e == u->uid && s == u->uid);
    return same_uid && gr == u->gid && ge == u->gid && gs == u->gid;
}

/*
 * setresuid(2) takes capabilities from root alone, and not even there if the securebits say so
 * (SECBIT_NO_SETUID_FIXUP, SECBIT_KEEP_CAPS): all sets are emptied, the ambient set with the inheritable one
 * (capset(2), capabilities(7)). 0, or -1 with errno, EPERM when some are left.
 */
static int drop_capabilities(void)
{
    struct {
        uint32_t version;
        int pid;
    } header = {0x20080522 /* _LINUX_CAPABILITY_VERSION_3 */, 0};
    struct {
        uint32_t effective, permitted, inheritable;
    } none[2] = {0}, left[2];
    memset(left, 0xff, sizeof left); /* what is not said to be none is some */
    long done = syscall(SYS_capset, &header, none);
    if (syscall(SYS_capget, &header, left) < 0)
        return (int)done; /* a filter of system calls (seccomp(2)) may know only the other one */
    errno = EPERM;
    return memcmp(left, none, sizeof none) == 0 ? 0 : -1;
}

/* The ids are what was asked for, and root's can't be had again. */
static int verify(const struct user *u, bool groups_are_set)
{
    uid_t r, e, s;
    gid_t gr, ge, gs;
    errno = EPERM;
    if (groups_are_set && getgroups(0, NULL) != (u->groups ? u->ngroups : 1))
        return -1;
    if (getresgid(&gr, &ge, &gs) < 0 || gr != u->gid || ge != u->gid || gs != u->gid)
        return -1;
    if (getresuid(&r, &e, &s) < 0 || (u->has_uid && (r != u->uid || e != u->uid || s != u->uid)))
        return -1;
    if (e == 0)
        return 0;
    if (drop_capabilities() < 0)
        return -1;
    if (u->has_uid && (setuid(0) == 0 || (u->gid != 0 && setgid(0) == 0))) {
        errno = EPERM;
        return -1;
    }
    return 0;
}

int user_become(const struct user *u)
{
    if (!u->has_uid && !u->has_gid)
        return 0;
    if (!u->has_gid) {
        errno = EINVAL;
        return -1;
    }
    /* a user without privileges who is that one keeps the groups that he has */
    bool stays = already(u);
    bool groups_are_set = setgroups(u->groups ? (size_t)u->ngroups : 1, u->groups ? u->groups : &u->gid) == 0;
    if ((!groups_are_set && !(stays && errno == EPERM)) || setresgid(u->gid, u->gid, u->gid) < 0)
        return -1;
    if (u->has_uid && setresuid(u->uid, u->uid, u->uid) < 0)
        return -1;
    return verify(u, groups_are_set);
}
