/*
 * show.h - records, as a table for people or as JSON objects, one a line, for programs.
 *
 * The same calls make both: a record's fields become members of its object, and those that are columns of
 * its table become cells. Everything is escaped; lines of a table are cut to the width of the terminal.
 */
#ifndef SHOW_H
#define SHOW_H

#include "base/buf.h"
#include "status/list.h"

enum { SHOW_COLUMNS = 8 };

/* A kind of record. */
struct show_kind {
    const char *type; /* the member "type" */
    const char
        *columns[SHOW_COLUMNS]; /* the fields that a table has, in that order; the heads are their names */
};

struct show {
    bool is_json;
    size_t width; /* of the terminal; 0: unlimited */

    struct list text; /* of char: all that is to be written */
    const struct show_kind *kind;
    struct buf line;   /* the object that is being made */
    struct list cells; /* of struct show_row: those of the table that is being made */
    bool has_tables, failed;
};

/* Returns 0, or -1 with ENOMEM. */
int show_init(struct show *s, bool is_json, size_t width);
void show_free(struct show *s);

/* A record, between these two. A table ends where a record of another kind begins. */
void show_begin(struct show *s, const struct show_kind *kind);
void show_end(struct show *s);

void show_num(struct show *s, const char *field, long long value);
void show_bool(struct show *s, const char *field, bool value);
void show_text(struct show *s, const char *field, const char *text);
void show_textn(struct show *s, const char *field, const char *text, size_t n);

/* A cell that is in the table alone. */
void show_cell(struct show *s, const char *field, const char *text);

/* Where the value of a member that is in the object alone is put, as JSON; NULL: there is no object. */
struct buf *show_member(struct show *s, const char *field);

/* A line below the tables. */
void show_line(struct show *s, const char *text);

/* Completes what was begun. 0, or -1: there was no memory for all of it; it is in s->text. */
int show_finish(struct show *s);

#endif
