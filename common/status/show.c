/*
 * show.c - see show.h.
 */
#include "status/show.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_SIZE = 2048, LINE_SIZE = 64 * 1024, GAP = 2 };

struct show_row {
    char *cells[SHOW_COLUMNS];
};

int show_init(struct show *s, bool is_json, size_t width)
{
    *s = (struct show){.is_json = is_json,
        .width = width,
        .text.size = 1,
        .cells.size = sizeof(struct show_row),
        .line = {.mem = malloc(LINE_SIZE), .size = LINE_SIZE}};
    return s->line.mem ? 0 : -1;
}

static void free_rows(struct show *s)
{
    struct show_row *row = s->cells.mem;
    for (size_t i = 0; i < s->cells.n; i++)
        for (size_t k = 0; k < SHOW_COLUMNS; k++)
            free(row[i].cells[k]);
    list_free(&s->cells);
}

void show_free(struct show *s)
{
    free_rows(s);
    list_free(&s->text);
    free(s->line.mem);
}

static void add_text(struct show *s, const char *text, size_t n)
{
    if (list_append(&s->text, text, n) < 0)
        s->failed = true;
}

/* ---- tables ---- */

/* How many columns of a terminal the character at p takes, at most, and its length. */
static size_t width_of(const char *p, size_t *len)
{
    const unsigned char c = (unsigned char)*p;
    *len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return *len > 2 ? 2 : 1; /* from U+0800 on many are wide */
}

static size_t text_width(const char *text)
{
    size_t width = 0;
    for (size_t len; *text; text += len)
        width += width_of(text, &len);
    return width;
}

/* What fits; the rest of a line that is cut is of no use to anybody. */
static void put_cut(struct show *s, struct buf *line)
{
    const char *text = buf_str(line);
    size_t at = 0, len;
    for (size_t width = 0; text[at]; at += len) {
        width += width_of(text + at, &len);
        if (s->width && width > s->width)
            break;
    }
    while (at && text[at - 1] == ' ')
        at--;
    add_text(s, text, at);
    add_text(s, "\n", 1);
}

static void pad(struct buf *line, size_t n)
{
    while (n--)
        buf_char(line, ' ');
}

static void put_row(struct show *s, const struct show_row *row, const size_t *widths)
{
    s->line.len = 0;
    for (size_t k = 0; k < SHOW_COLUMNS && s->kind->columns[k]; k++) {
        const char *cell = row->cells[k] && *row->cells[k] ? row->cells[k] : "-";
        buf_text(&s->line, cell);
        pad(&s->line, widths[k] - text_width(cell) + GAP);
    }
    put_cut(s, &s->line);
}

static void end_table(struct show *s)
{
    const struct show_row *row = s->cells.mem;
    char heads[SHOW_COLUMNS][24] = {""};
    struct show_row head = {{0}};
    size_t widths[SHOW_COLUMNS] = {0};
    if (!s->cells.n)
        return;
    for (size_t k = 0; k < SHOW_COLUMNS && s->kind->columns[k]; k++) {
        const char *name = s->kind->columns[k];
        for (size_t i = 0; i < sizeof heads[k] - 1 && name[i]; i++)
            heads[k][i] = (char)toupper((unsigned char)name[i]);
        head.cells[k] = heads[k];
        widths[k] = strlen(name);
        for (size_t i = 0; i < s->cells.n; i++) {
            size_t width = row[i].cells[k] ? text_width(row[i].cells[k]) : 1;
            widths[k] = width > widths[k] ? width : widths[k];
        }
    }
    if (s->has_tables)
        add_text(s, "\n", 1);
    s->has_tables = true;
    put_row(s, &head, widths);
    for (size_t i = 0; i < s->cells.n; i++)
        put_row(s, &row[i], widths);
    free_rows(s);
}

static void put_cell(struct show *s, const char *field, const char *text, size_t n)
{
    char mem[CELL_SIZE];
    struct buf cell = BUF(mem);
    struct show_row *row = s->cells.n ? (struct show_row *)s->cells.mem + s->cells.n - 1 : NULL;
    for (size_t k = 0; row && k < SHOW_COLUMNS && s->kind->columns[k]; k++)
        if (strcmp(s->kind->columns[k], field) == 0 && !row->cells[k]) {
            buf_escaped(&cell, text, n < CELL_SIZE / 4 ? n : CELL_SIZE / 4 - 1);
            row->cells[k] = strdup(buf_str(&cell));
            s->failed |= !row->cells[k];
        }
}

/* ---- records ---- */

void show_begin(struct show *s, const struct show_kind *kind)
{
    if (!s->is_json && s->kind != kind)
        end_table(s);
    s->kind = kind;
    if (!s->is_json) {
        s->failed |= !list_add(&s->cells);
        return;
    }
    s->line.len = 0;
    s->line.cut = false;
    buf_fmt(&s->line, "{\"type\":\"%s\"", kind->type);
}

void show_end(struct show *s)
{
    if (!s->is_json)
        return;
    buf_text(&s->line, "}\n");
    if (!s->line.cut)
        add_text(s, s->line.mem, s->line.len);
}

struct buf *show_member(struct show *s, const char *field)
{
    if (!s->is_json)
        return NULL;
    buf_fmt(&s->line, ",\"%s\":", field);
    return &s->line;
}

void show_textn(struct show *s, const char *field, const char *text, size_t n)
{
    struct buf *member = show_member(s, field);
    if (member)
        buf_json(member, text, n);
    else
        put_cell(s, field, text, n);
}

void show_text(struct show *s, const char *field, const char *text)
{
    show_textn(s, field, text, strlen(text));
}

void show_num(struct show *s, const char *field, long long value)
{
    char mem[32];
    struct buf text = BUF(mem);
    struct buf *member = show_member(s, field);
    buf_fmt(member ? member : &text, "%lld", value);
    if (!member)
        put_cell(s, field, text.mem, text.len);
}

void show_bool(struct show *s, const char *field, bool value)
{
    struct buf *member = show_member(s, field);
    if (member)
        buf_text(member, value ? "true" : "false");
}

void show_cell(struct show *s, const char *field, const char *text)
{
    if (!s->is_json)
        put_cell(s, field, text, strlen(text));
}

void show_line(struct show *s, const char *text)
{
    if (s->is_json)
        return;
    end_table(s);
    if (s->has_tables)
        add_text(s, "\n", 1);
    s->has_tables = false;
    s->line.len = 0;
    buf_text(&s->line, text);
    put_cut(s, &s->line);
}

int show_finish(struct show *s)
{
    if (!s->is_json)
        end_table(s);
    if (!s->failed)
        return 0;
    errno = ENOMEM; /* nothing else can have failed */
    return -1;
}
