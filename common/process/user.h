/*
 * user.h - giving up privileges for good: -u USER[:GROUP] and -g GROUP.
 *
 * Names are looked up when the words are parsed, before any chroot or drop; what is dropped is the
 * supplementary groups, then the group ids, then the user ids, real, effective and saved, and, unless the
 * user is root, all capabilities; and then it is verified that there is no way back (setresuid(2),
 * credentials(7)).
 */
#ifndef USER_H
#define USER_H

#include <stdbool.h>
#include <sys/types.h>

#include "cli/opts.h"

/* What each does is the applet's to say. */
#define USER_OPTIONS(X, user_help, group_help)      \
    X(USER, 'u', "user", "USER[:GROUP]", user_help) \
    X(GROUP, 'g', "group", "GROUP", group_help)

struct user {
    bool has_uid, has_gid, gid_is_given;
    bool gid_is_option; /* by -g, which counts whatever -u follows */
    uid_t uid;
    gid_t gid;
    char name[256]; /* of a user that has one */
    gid_t *groups;  /* supplementary; NULL: only gid. Lives as long as the process. */
    int ngroups;
};

/* Each returns NULL, or what is wrong with the word. A group that was given with -g stays. */
const char *user_parse(struct user *u, const char *spec);
const char *user_parse_group(struct user *u, const char *word);

/*
 * The id of a user or group, by number or name: NULL, or what is wrong with the word; if its lookup met a
 * fault of the machine, such as a lack of fds, that is wrong, and errno says so (getpwnam(3)).
 */
const char *user_find(const char *word, uid_t *uid);
const char *user_find_group(const char *word, gid_t *gid);

/* Takes an option; row counts from the first of USER_OPTIONS. */
void user_option(struct user *u, int row, const struct opts *o);

/* -U: from $UID and $GID, as ucspi-tcp does. */
const char *user_from_env(struct user *u);

/*
 * Becomes that user if one was asked for; one that we are already, too, though without the right to set
 * groups those that we have stay. 0, or -1 with errno: then the process must end.
 */
int user_become(const struct user *u);

#endif
