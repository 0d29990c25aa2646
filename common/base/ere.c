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

/* A set behind its [: what follows its ], or NULL, and whether c is in it. */
static const char *scan_set(const char *s, unsigned char c, bool *has)
{
    bool negated = *s == '^';
    *has = false;
    s += negated;
    do { /* a ] in the first place is one of them */
        char range[] = {s[0], s[0], '\0'};
        if (s[0] == '[' && s[1] == ':') {
            s = scan_class(s, c, has);
            if (!s)
                return NULL;
            continue;
        }
        if (!*s++)
            return NULL;
        if (s[0] == '-' && s[1] && s[1] != ']') {
            range[1] = s[1];
            s += 2;
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

static void take_alternatives(struct ere *e);

static void take_group(struct ere *e)
{
    if (!e->first)
        e->first = e->at;
    bool first = e->first == e->at; /* it may come again, for its repetition */
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
        e->wrong = "missing ], or an unknown class";
        e->at = "";
    }
}

static void take_atom(struct ere *e)
{
    char c = *e->at++;
    if (c == '(')
        take_group(e);
    else if (c == '[')
        take_set(e);
    else if (c == '.')
        emit(e, ANY, 0, 0);
    else if (c == '^')
        emit(e, BEGIN, 1, 1);
    else if (c == '$')
        emit(e, END, 1, 1);
    else if (strchr("*+?{", c))
        e->wrong = "nothing to repeat";
    else if (c == '\\' && (!*e->at || is_in_ranges("09AZaz", (unsigned char)*e->at)))
        e->wrong = "expected a punctuation mark after \\"; /* \d and its like are not POSIX's */
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
    if (!c || !strchr("*+?{", c))
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
    if (*min == NO_END || *min > *max || *e->at++ != '}')
        e->wrong = "expected {N}, {N,} or {N,M}";
}

/* An atom and its repetition: it is compiled again for each time that it may come. */
static void take_piece(struct ere *e)
{
    const char *atom = e->at;
    int start = e->n, min, max;
    take_atom(e);
    if (e->wrong)
        return;
    take_count(e, &min, &max);
    const char *behind = e->at;
    int times = max != NO_END ? max : min ? min : 1;
    e->n = start;
    for (int i = 1; i <= times && !e->wrong; i++) {
        int split = e->n;
        if (i > min)
            emit(e, SPLIT, 1, 0);
        int body = e->n;
        e->at = atom;
        take_atom(e);
        if (max == NO_END && i == times)
            emit(e, SPLIT, body - e->n, 1);
        if (i > min)
            e->code[split].y = (short)(e->n - split);
    }
    e->at = behind;
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
        emit(e, SPLIT, 0, 0); /* makes room for the one that goes to the start */
        int jump = e->n;
        emit(e, SPLIT, 0, 0);
        memmove(&e->code[start + 1], &e->code[start], (size_t)(jump - 1 - start) * sizeof *e->code);
        e->code[start] = (struct ere_code){.op = SPLIT, .x = 1, .y = (short)(e->n - start)};
        take_branch(e);
        e->code[jump].x = e->code[jump].y = (short)(e->n - jump);
    }
}

/* ---- matching ---- */

/* A thread goes on at pc, past all that takes no byte, unless one that is preferred is there. */
static void add(struct ere *e, int pc, int start, unsigned value)
{
    struct ere_code *code = &e->code[pc];
    const struct ere_thread t = {pc, start, code->op == OPEN ? 0 : value};
    if (code->mark == e->mark || (code->op == BEGIN && e->at_byte))
        return;
    code->mark = e->mark;
    if (code->op == MATCH) {
        if (!e->found || start <= e->best.start)
            e->best = t;
        e->found = true;
    } else if (code->op < END || (code->op == END && !e->ends)) {
        e->now->threads[e->now->n++] = t;
    } else {
        add(e, pc + code->x, start, t.value);
        add(e, pc + code->y, start, t.value);
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

const char *ere_begin(struct ere *e, const char *text)
{
    memset(e, 0, sizeof *e);
    e->text = e->at = text;
    take_alternatives(e);
    emit(e, MATCH, 0, 0);
    if (!e->wrong && *e->at)
        e->wrong = "unexpected )";
    begin_list(e, e->lists);
    if (!e->wrong)
        add(e, 0, 0, ERE_VALUE_MAX);
    return e->wrong;
}

/* The number with one more digit. */
static unsigned append(unsigned value, unsigned char c)
{
    unsigned more = value * 10 + c - '0';
    return value >= ERE_VALUE_MAX || c < '0' || c > '9' || more > ERE_VALUE_MAX ? ERE_VALUE_MAX : more;
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
        if (goes_on && (!e->found || t->start <= e->best.start))
            add(e, t->pc + 1, t->start, code->in_first && !ends ? append(t->value, c) : t->value);
    }
    if (e->found)
        return ends || !e->first || !e->now->n;
    if (ends) {
        begin_list(e, e->now);
        e->at_byte = 0;
        e->ends = false;
    }
    add(e, 0, e->at_byte, ERE_VALUE_MAX); /* a match may begin here, too */
    return false;
}
