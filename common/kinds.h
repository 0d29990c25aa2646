/*
 * kinds.h - what an argument's placeholder stands for: the one table behind completion.
 *
 * A placeholder of an option or of a usage form is one of the names in the table (FILE, USER[:GROUP]), an
 * enumeration written out (text|json), or is composed of those (N/TIME).
 */
#ifndef KINDS_H
#define KINDS_H

#include "buf.h"

/*
 * Adds the kind of the n bytes of a placeholder, as the completion scripts know it: "file", "user:group",
 * "=text|json" for an enumeration, "none" where nothing can be offered, and "unknown:NAME", which a test
 * looks for. One pair of brackets around all of it is ignored.
 */
void kinds_add(struct buf *out, const char *placeholder, size_t n);

#endif
