/*
 * ere.c - see ere.h. The expression is compiled to a few instructions, and a list of threads, the most
 * preferred one first, goes over the line (Pike's method).
 */
#include "base/ere.h"

#include <string.h>

enum op { CHAR, ANY, SET, END, BEGIN, SPLIT, OPEN, MATCH };
enum { NO_END = 256 }; /* above all that may be repeated */

/* ---- sets ---- */

static bool is_in_ranges(const char *ranges, unsigned char c)
{
    for (; *ranges; ranges += 2)
        if (c >= (unsigned char)ranges[0] && c <= (unsigned char)ranges[1])
            return true;
    return false;
}

/* "[:digit:]" at s: what follows it, or NULL if there is no such class. */
static const char *scan_class(const char *s, unsigned char c, bool *has)
{
    static const struct {
        char name[7], ranges[9];
    } classes[] = {{"alnum", "09AZaz"}, {"alpha", "AZaz"}, {"blank", "\t\t  "}, {"cntrl", "\1\37\177\177"},
        {"digit", "09"}, {"graph", "!~"}, {"lower", "az"}, {"print", " ~"}, {"punct", "!/:@[`{~"},
        {"space", "\t\r  "}, {"upper", "AZ"}, {"xdigit", "09AFaf"}};
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
        size_t len = strlen(classes[i].name);
        if (strncmp(s + 2, classes[i].name, len) != 0 || strncmp(s + 2 + len, ":]", 2) != 0)
            continue;
        *has = *has || is_in_ranges(classes[i].ranges, c);
        return s + len + 4;
    }
    return NULL;
}

/* Whether a class begins at s, or what we have not: collating elements, which bytes are not. */
static bool is_special(const char *s)
{
    return s[0] == '[' && s[1] && strchr(".:=", s[1]);
}

/* A set behind its [: what follows its ], or NULL, and whether c is in it. */
static const char *scan_set(const char *s, unsigned char c, bool *has)
{
    bool negated = *s == '^', is_range = false; /* what came last, or a class */
    *has = false;
    s += negated;
    do { /* a ] in the first place is one of them */
        char range[] = {s[0], s[0], '\0'};
        if (is_range && s[0] == '-' && s[1] != ']')
            return NULL;
        is_range = true;
        if (s[0] == '[' && s[1] == ':') {
            s = scan_class(s, c, has);
            if (!s)
                return NULL;
            continue;
        }
        if (!*s || is_special(s++))
            return NULL;
        if (s[0] == '-' && s[1] && s[1] != ']') {
            range[1] = s[1];
            if (is_special(s + 1) || (unsigned char)range[0] > (unsigned char)range[1])
                return NULL;
            s += 2;
        } else {
            is_range = false;
        }
        *has = *has || is_in_ranges(range, c);
    } while (*s != ']');
    *has = *has != negated;
    return s + 1;
}

/* ---- compiling ---- */

/* The code that follows one which takes no byte is at x and y from there, so that code can be moved. */
static void emit(struct ere *e, enum op op, int x, int y)
{
    if (e->n == ERE_CODE)
        e->wrong = "it is too long";
    else
        e->code[e->n++] =
            (struct ere_code){.op = (unsigned char)op, .in_first = e->in_first, .x = (short)x, .y = (short)y};
}

/* A SPLIT at an instruction that has been emitted, which moves on with all behind it. */
static void insert(struct ere *e, int at, int y)
{
    emit(e, SPLIT, 0, 0);
    if (e->wrong)
        return;
    memmove(&e->code[at + 1], &e->code[at], (size_t)(e->n - 1 - at) * sizeof *e->code);
    e->code[at] = (struct ere_code){.op = SPLIT, .x = 1, .y = (short)y};
}

static void take_alternatives(struct ere *e);

static void take_group(struct ere *e)
{
    bool first = !e->has_group;
    e->has_group = true;
    e->in_first = e->in_first || first;
    emit(e, first ? OPEN : SPLIT, 1, 1);
    take_alternatives(e);
    e->in_first = e->in_first && !first;
    if (*e->at++ != ')') {
        e->wrong = "missing )";
        e->at--;
    }
}

static void take_set(struct ere *e)
{
    bool has;
    emit(e, SET, (int)(e->at - e->text), 0);
    e->at = scan_set(e->at, 0, &has);
    if (!e->at) {
        e->wrong = "missing ], or a class or range that is not supported";
        e->at = "";
    }
}

/* Whether an operator that repeats is at s. A { is one if an interval follows, as in regex(7). */
static bool repeats(const char *s)
{
    return *s == '{' ? s[1] == ',' || is_in_ranges("09", (unsigned char)s[1]) : *s && strchr("*+?", *s);
}

static void take_atom(struct ere *e)
{
    const char *first = e->at;
    char c = *e->at++;
    if (repeats(first) || ((c == '^' || c == '$') && repeats(e->at)))
        e->wrong = "nothing to repeat";
    else if (c == '(')
        take_group(e);
    else if (c == '[')
        take_set(e);
    else if (c == '.')
        emit(e, ANY, 0, 0);
    else if (c == '^')
        emit(e, BEGIN, 1, 1);
    else if (c == '$')
        emit(e, END, 1, 1);
    else if (c == '\\' && (!*e->at || is_in_ranges("09AZaz<<>>``\'\'", (unsigned char)*e->at)))
        e->wrong = "\\ and what follows is not supported"; /* \d, \< and their like are not POSIX's */
    else
        emit(e, CHAR, (unsigned char)(c == '\\' ? *e->at++ : c), 0);
}

/* A number of an interval; NO_END: there is none, or it is too large. */
static int take_number(struct ere *e)
{
    int n = NO_END;
    for (; is_in_ranges("09", (unsigned char)*e->at); e->at++)
        n = (n < NO_END ? n * 10 : 0) + *e->at - '0';
    return n < NO_END ? n : NO_END;
}

/* How often, at e->at; once where nothing says so. */
static void take_count(struct ere *e, int *min, int *max)
{
    char c = *e->at;
    *min = *max = 1;
    if (!repeats(e->at))
        return;
    e->at++;
    if (c != '{') {
        *min = c == '+';
        *max = c == '?' ? 1 : NO_END;
        return;
    }
    *min = *max = take_number(e);
    if (*e->at == ',') {
        e->at++;
        *max = take_number(e);
    }
    if (*min == NO_END || *min > *max || *e->at != '}')
        e->wrong = "expected {N}, {N,} or {N,M}";
    else
        e->at++;
}

/* An atom and its repetition: its code is copied for each time that it may come. */
static void take_piece(struct ere *e)
{
    int body = e->n, min, max;
    take_atom(e);
    int len = e->n - body;
    if (e->wrong)
        return;
    take_count(e, &min, &max);
    if (!max) {
        e->n = body;
        return;
    }
    if (!min)
        insert(e, body++, len + 1 + (max == NO_END));
    for (int i = 1; i < (max != NO_END ? max : min) && !e->wrong; i++) {
        if (i >= min)
            emit(e, SPLIT, 1, len + 1);
        for (int k = 0; k < len && !e->wrong; k++) {
            emit(e, SPLIT, 0, 0);
            e->code[e->n - 1] = e->code[body + k];
        }
    }
    if (max == NO_END)
        emit(e, SPLIT, -len, 1);
}

static void take_branch(struct ere *e)
{
    while (*e->at && *e->at != '|' && *e->at != ')' && !e->wrong)
        take_piece(e);
}

static void take_alternatives(struct ere *e)
{
    int start = e->n;
    take_branch(e);
    while (*e->at == '|' && !e->wrong) {
        e->at++;
        int jump = e->n + 1;
        insert(e, start, jump + 1 - start);
        emit(e, SPLIT, 0, 0);
        take_branch(e);
        if (!e->wrong)
            e->code[jump].x = e->code[jump].y = (short)(e->n - jump);
    }
}

/* ---- matching ---- */

/* A thread goes on at pc, past all that takes no byte, unless one that is preferred is there. */
static void add(struct ere *e, int pc, struct ere_thread t)
{
    struct ere_code *code = &e->code[pc];
    t.pc = pc;
    t.opened = t.opened || code->op == OPEN;
    if (code->mark == e->mark || (code->op == BEGIN && e->at_byte > e->ends))
        return;
    code->mark = e->mark;
    if (code->op == MATCH) {
        if (!e->found || t.start <= e->best.start)
            e->best = t;
        e->found = true;
    } else if (code->op < END || (code->op == END && !e->ends)) {
        e->now->threads[e->now->n++] = t;
    } else {
        add(e, pc + code->x, t);
        add(e, pc + code->y, t);
    }
}

static bool takes(const struct ere *e, const struct ere_code *code, unsigned char c)
{
    bool has = code->op == ANY || code->x == c;
    if (code->op == SET)
        scan_set(e->text + code->x, c, &has);
    return has;
}

static void begin_list(struct ere *e, struct ere_list *list)
{
    e->now = list;
    list->n = 0;
    e->mark++;
}

/* A match may begin here. */
static void add_start(struct ere *e)
{
    add(e, 0, (struct ere_thread){.start = e->at_byte, .value = ERE_VALUE_MAX});
}

const char *ere_begin(struct ere *e, const char *text)
{
    memset(e, 0, sizeof *e);
    e->text = e->at = text;
    if (!*text)
        e->wrong = "it is empty";
    take_alternatives(e);
    emit(e, MATCH, 0, 0);
    if (!e->wrong && *e->at)
        e->wrong = "unexpected )";
    begin_list(e, e->lists);
    if (!e->wrong)
        add_start(e);
    return e->wrong;
}

/* The first group takes one more digit; one that takes none has what it took the last time. */
static void append(struct ere_thread *t, unsigned char c)
{
    unsigned value = t->opened ? 0 : t->value, more = value * 10 + c - '0';
    t->opened = false;
    t->value = value >= ERE_VALUE_MAX || c < '0' || c > '9' || more > ERE_VALUE_MAX ? ERE_VALUE_MAX : more;
}

bool ere_feed(struct ere *e, char byte)
{
    const struct ere_list *was = e->now;
    unsigned char c = (unsigned char)byte;
    bool ends = e->ends = c == '\n';
    begin_list(e, &e->lists[was == e->lists]);
    e->at_byte++;
    for (const struct ere_thread *t = was->threads; t < was->threads + was->n; t++) {
        const struct ere_code *code = &e->code[t->pc];
        bool goes_on = code->op == END ? ends : !ends && takes(e, code, c);
        if (!goes_on || (e->found && t->start > e->best.start))
            continue;
        struct ere_thread next = *t;
        if (code->in_first && !ends)
            append(&next, c);
        add(e, t->pc + 1, next);
    }
    if (e->found)
        return ends || !e->has_group || !e->now->n;
    if (ends) {
        begin_list(e, e->now);
        e->at_byte = 0;
        e->ends = false;
    }
    add_start(e);
    return false;
}
