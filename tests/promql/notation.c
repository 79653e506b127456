/* SPDX-License-Identifier: PostgreSQL */
/* notation.c: the series notation of Prometheus's tests. */
#include "notation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "promql/lex.h"
#include "promql/literal.h"
#include "promql/parse.h"

struct reader {
    struct arena *arena;
    struct str text;
    size_t at;
    struct notation *out;
    size_t room; /* of values */
    struct err *e;
};

/* --- Labels --- */

static int by_name(const void *a, const void *b)
{
    return label_compare(a, b);
}

static bool add_label(struct reader *r, struct str name, struct str value)
{
    struct labels *l = &r->out->labels;
    struct label *more = arena_array(r->arena, l->count + 1, sizeof(*more));

    if (!more || value.len == 0)
        return more != NULL;
    if (l->count > 0)
        memcpy(more, l->items, l->count * sizeof(*more));
    more[l->count] = (struct label){name, value};
    l->items = more;
    l->count++;
    qsort(more, l->count, sizeof(*more), by_name);
    return true;
}

static enum err_code wrong(struct reader *r, const char *what)
{
    return err_set(r->e, ERR_INVALID, "series \"%.*s\": %s", STR_ARG(r->text), what);
}

/* name="value", "name"="value" or "metric" */
static enum err_code read_label(struct reader *r, struct lex *lex, struct lex_token *t)
{
    struct str name = t->text, value;
    bool quoted = t->kind == LEX_STRING;

    if (t->kind != LEX_IDENTIFIER && !quoted)
        return wrong(r, lex->over ? lex->message : "a label name is missing");
    if (quoted && !promql_literal_string(r->arena, t->text, &name))
        return arena_fail(r->arena, r->e);
    lex_next(lex, t);
    if (quoted && t->kind != LEX_EQUAL)
        return add_label(r, STR("__name__"), name) ? ERR_OK : arena_fail(r->arena, r->e);
    if (t->kind != LEX_EQUAL)
        return wrong(r, "\"=\" is missing");
    lex_next(lex, t);
    if (t->kind != LEX_STRING)
        return wrong(r, lex->over ? lex->message : "the value of a label is missing");
    if (!promql_literal_string(r->arena, t->text, &value) || !add_label(r, name, value))
        return arena_fail(r->arena, r->e);
    lex_next(lex, t);
    return ERR_OK;
}

static enum err_code read_labels(struct reader *r)
{
    struct lex_token t;
    struct lex lex;
    enum err_code rc;

    lex_init(&lex, r->text);
    lex_next(&lex, &t);
    if (t.kind != LEX_LEFT_BRACE) {
        if (t.text.len == 0 || strchr("\"'`0123456789(", t.text.ptr[0]))
            return wrong(r, "neither a metric nor labels");
        if (!add_label(r, STR("__name__"), t.text))
            return arena_fail(r->arena, r->e);
        r->at = t.end;
        if (r->at >= r->text.len || r->text.ptr[r->at] != '{')
            return ERR_OK;
        lex_next(&lex, &t);
    }
    for (lex_next(&lex, &t); t.kind != LEX_RIGHT_BRACE;) {
        rc = read_label(r, &lex, &t);
        if (rc != ERR_OK)
            return rc;
        if (t.kind == LEX_COMMA)
            lex_next(&lex, &t);
        else if (t.kind != LEX_RIGHT_BRACE)
            return wrong(r, lex.over ? lex.message : "\",\" or \"}\" is missing");
    }
    r->at = t.end;
    return ERR_OK;
}

/* --- Values --- */

static enum err_code add_value(struct reader *r, struct notation_value v)
{
    struct notation *out = r->out;

    if (out->count >= NOTATION_VALUES)
        return wrong(r, "too many values");
    if (out->count == r->room) {
        size_t room = r->room ? 2 * r->room : 16;
        struct notation_value *more = arena_array(r->arena, room, sizeof(*more));

        if (!more)
            return arena_fail(r->arena, r->e);
        if (out->count > 0)
            memcpy(more, out->values, out->count * sizeof(*more));
        out->values = more;
        r->room = room;
    }
    out->values[out->count++] = v;
    out->histogram = out->histogram || v.histogram;
    return ERR_OK;
}

/* The repetition "x12" at the end of an item. */
static bool take_times(struct str *item, size_t *times, bool *given)
{
    size_t at = item->len, value = 0;

    while (at > 0 && item->ptr[at - 1] >= '0' && item->ptr[at - 1] <= '9')
        at--;
    *given = at > 0 && at < item->len && item->ptr[at - 1] == 'x';
    *times = 0;
    for (size_t i = at; *given && i < item->len; i++) {
        value = value * 10 + (size_t)(item->ptr[i] - '0');
        if (value > NOTATION_VALUES)
            return false;
        *times = value;
    }
    if (*given)
        item->len = at - 1;
    return true;
}

static bool take_number(struct str text, double *out)
{
    bool negative = text.len > 0 && text.ptr[0] == '-';

    if (text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+'))
        text = str_make(text.ptr + 1, text.len - 1);
    if (!promql_literal_number(text, out))
        return false;
    *out = negative ? -*out : *out;
    return true;
}

/* "1", "-2+3" or "5-1.5e-3": a start and what is added each time. */
static bool take_sequence(struct str item, double *start, double *step)
{
    *step = 0;
    if (str_eq_c(item, "stale")) {
        *start = series_stale();
        return true;
    }
    if (take_number(item, start))
        return true;
    for (size_t i = 1; i < item.len; i++)
        if ((item.ptr[i] == '+' || item.ptr[i] == '-') &&
            take_number(str_make(item.ptr, i), start) &&
            take_number(str_make(item.ptr + i, item.len - i), step))
            return true;
    return false;
}

static enum err_code read_item(struct reader *r, struct str item)
{
    struct notation_value v = {0, false, false};
    enum err_code rc = ERR_OK;
    double step = 0;
    bool given;
    size_t times;

    if (!take_times(&item, &times, &given))
        return wrong(r, "too many values");
    v.omitted = str_eq_c(item, "_");
    if (v.omitted && given && times-- == 0)
        return ERR_OK; /* _x0 */
    if (!v.omitted && !take_sequence(item, &v.value, &step))
        return wrong(r, "neither a number, \"_\" nor \"stale\"");
    if (step != 0 && !given)
        return wrong(r, "a step without a repetition");
    for (size_t i = 0; i <= times && rc == ERR_OK; i++, v.value += step)
        rc = add_value(r, v);
    return rc;
}

/* {{...}}, {{...}}x3, {{...}}+{{...}}x3 */
static enum err_code read_histogram(struct reader *r)
{
    struct notation_value v = {0, false, true};
    enum err_code rc = ERR_OK;
    struct str rest;
    bool given;
    size_t end = r->at, times;

    while (end + 1 < r->text.len && (r->text.ptr[end] != '}' || r->text.ptr[end + 1] != '}'))
        end++;
    if (end + 1 >= r->text.len)
        return wrong(r, "\"}}\" is missing");
    end += 2;
    r->at = end;
    if (end + 2 < r->text.len && strchr("+-", r->text.ptr[end]) && r->text.ptr[end + 1] == '{') {
        r->at = end + 1;
        return read_histogram(r);
    }
    while (r->at < r->text.len && r->text.ptr[r->at] != ' ' && r->text.ptr[r->at] != '\t')
        r->at++;
    rest = str_make(r->text.ptr + end, r->at - end);
    if (!take_times(&rest, &times, &given) || rest.len > 0)
        return wrong(r, "a wrong repetition of a histogram");
    for (size_t i = 0; i <= times && rc == ERR_OK; i++)
        rc = add_value(r, v);
    return rc;
}

enum err_code notation_read(struct arena *a, struct str line, struct notation *out, struct err *e)
{
    struct reader r = {.arena = a, .text = line, .out = out, .e = e};
    enum err_code rc;

    memset(out, 0, sizeof(*out));
    rc = read_labels(&r);
    while (rc == ERR_OK && r.at < line.len) {
        size_t start = r.at;

        if (line.ptr[r.at] == ' ' || line.ptr[r.at] == '\t') {
            r.at++;
        } else if (str_starts(str_make(line.ptr + r.at, line.len - r.at), STR("{{"))) {
            rc = read_histogram(&r);
        } else {
            while (r.at < line.len && line.ptr[r.at] != ' ' && line.ptr[r.at] != '\t')
                r.at++;
            rc = read_item(&r, str_make(line.ptr + start, r.at - start));
        }
    }
    return rc;
}

bool notation_number(struct str line, double *out)
{
    return take_number(line, out);
}

void notation_put_labels(struct buf *out, const struct labels *l)
{
    bool first = true;
    struct str name = labels_get(l, STR("__name__"));

    buf_add_str(out, name);
    if (name.len > 0 && l->count == 1)
        return;
    buf_add_char(out, '{');
    for (size_t i = 0; i < l->count; i++) {
        if (str_eq_c(l->items[i].name, "__name__"))
            continue;
        buf_add_c(out, first ? "" : ", ");
        if (promql_literal_plain_label(l->items[i].name))
            buf_add_str(out, l->items[i].name);
        else
            promql_literal_quote(out, l->items[i].name);
        buf_add_char(out, '=');
        promql_literal_quote(out, l->items[i].value);
        first = false;
    }
    buf_add_char(out, '}');
}
