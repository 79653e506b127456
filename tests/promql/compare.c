/* SPDX-License-Identifier: PostgreSQL */
/* compare.c: an answer against what a script expects. */
#include "compare.h"

#include <float.h>
#include <math.h>

#include "promql/literal.h"

#define EPSILON 0.000001

static bool same_value(double a, double b)
{
    double sum = fabs(a) + fabs(b), difference = fabs(a - b);

    if (series_is_stale(a) || series_is_stale(b))
        return series_is_stale(a) && series_is_stale(b);
    if ((isnan(a) && isnan(b)) || a == b)
        return true;
    if (a == 0 || b == 0 || sum < DBL_MIN)
        return difference < EPSILON * DBL_MIN;
    return difference / fmin(sum, DBL_MAX) < EPSILON;
}

static void put_value(struct buf *out, double value)
{
    if (series_is_stale(value))
        buf_add_c(out, "stale");
    else
        promql_literal_put_number(out, value);
}

/* --- Results --- */

static const struct script_row *row_of(const struct script_eval *eval, const struct labels *labels)
{
    for (size_t i = 0; i < eval->row_count; i++)
        if (labels_compare(&eval->rows[i].series.labels, labels) == 0)
            return &eval->rows[i];
    return NULL;
}

static bool compare_scalar(const struct script_eval *eval, const struct promql_result *r,
                           struct buf *why)
{
    double got = r->row_count > 0 && r->rows[0].count > 0 ? r->rows[0].value[0] : NAN;

    if (!eval->scalar) {
        buf_add_c(why, "a scalar where a vector or a matrix was expected");
        return false;
    }
    if (same_value(got, eval->scalar_value))
        return true;
    buf_add_c(why, "expected the scalar ");
    put_value(why, eval->scalar_value);
    buf_add_c(why, ", got ");
    put_value(why, got);
    return false;
}

static bool unexpected_row(const struct promql_row *row, struct buf *why)
{
    buf_add_c(why, "unexpected ");
    notation_put_labels(why, &row->labels);
    return false;
}

static bool wrong_value(const struct promql_row *row, size_t i, double want, struct buf *why)
{
    notation_put_labels(why, &row->labels);
    buf_printf(why, " at %lld ms: expected ", (long long)row->t_ms[i]);
    put_value(why, want);
    buf_add_c(why, ", got ");
    put_value(why, row->value[i]);
    return false;
}

/* The points of one series, the i-th value being expected at start + i * step. */
static bool compare_points(const struct script_eval *eval, const struct script_row *want,
                           const struct promql_row *got, struct buf *why)
{
    int64_t start = eval->range_vector ? eval->vector_start_ms : eval->start_ms;
    int64_t step = eval->range_vector ? eval->vector_step_ms : eval->step_ms;
    size_t at = 0;

    for (size_t i = 0; i < want->series.count; i++) {
        int64_t t = start + (int64_t)i * step;

        if (want->series.values[i].omitted)
            continue;
        if (at >= got->count || got->t_ms[at] != t) {
            notation_put_labels(why, &got->labels);
            buf_printf(why, " has no value at %lld ms", (long long)t);
            return false;
        }
        if (!same_value(want->series.values[i].value, got->value[at]))
            return wrong_value(got, at, want->series.values[i].value, why);
        at++;
    }
    if (at == got->count)
        return true;
    notation_put_labels(why, &got->labels);
    buf_printf(why, " has a value at %lld ms that was not expected", (long long)got->t_ms[at]);
    return false;
}

static bool compare_row(const struct script_eval *eval, const struct promql_result *r, size_t i,
                        struct buf *why)
{
    const struct promql_row *got = &r->rows[i];
    const struct script_row *want = row_of(eval, &got->labels);

    if (!want)
        return unexpected_row(got, why);
    if (r->type == PROMQL_MATRIX)
        return compare_points(eval, want, got, why);
    if (eval->ordered && want->position != i + 1) {
        notation_put_labels(why, &got->labels);
        buf_printf(why, " is at place %zu, not %zu", i + 1, want->position);
        return false;
    }
    if (want->series.count != 1 || got->count != 1)
        return unexpected_row(got, why);
    return same_value(want->series.values[0].value, got->value[0]) ||
           wrong_value(got, 0, want->series.values[0].value, why);
}

static bool has_row(const struct promql_result *r, const struct labels *labels)
{
    for (size_t i = 0; i < r->row_count; i++)
        if (labels_compare(&r->rows[i].labels, labels) == 0)
            return true;
    return false;
}

static bool compare_rows(const struct script_eval *eval, const struct promql_result *r,
                         struct buf *why)
{
    if (eval->scalar || (eval->ordered && r->type == PROMQL_MATRIX)) {
        buf_printf(why, "got %s", eval->scalar ? "no scalar" : "a matrix, which has no order");
        return false;
    }
    for (size_t i = 0; i < r->row_count; i++) {
        if (r->type == PROMQL_MATRIX && i > 0 &&
            labels_compare(&r->rows[i - 1].labels, &r->rows[i].labels) >= 0) {
            buf_add_c(why, "the matrix is not sorted by labels");
            return false;
        }
        if (!compare_row(eval, r, i, why))
            return false;
    }
    for (size_t i = 0; i < eval->row_count; i++) {
        if (has_row(r, &eval->rows[i].series.labels))
            continue;
        buf_add_c(why, "missing: ");
        notation_put_labels(why, &eval->rows[i].series.labels);
        return false;
    }
    return true;
}

bool compare_result(const struct script_eval *eval, const struct promql_result *r, struct buf *why)
{
    if (r->type == PROMQL_SCALAR)
        return compare_scalar(eval, r, why);
    if (r->type != PROMQL_STRING)
        return compare_rows(eval, r, why);
    if (!eval->has_string || str_eq(eval->string, r->string))
        return true;
    buf_add_c(why, "expected the string ");
    promql_literal_quote(why, eval->string);
    buf_add_c(why, ", got ");
    promql_literal_quote(why, r->string);
    return false;
}

/* --- Notes and errors --- */

/* The place in the query that may stand behind a note: " (1:5)". */
static struct str without_place(struct str text)
{
    size_t at = text.len;

    if (at < 2 || text.ptr[at - 1] != ')')
        return text;
    at--;
    while (at > 0 &&
           ((text.ptr[at - 1] >= '0' && text.ptr[at - 1] <= '9') || text.ptr[at - 1] == ':'))
        at--;
    if (at < 2 || text.ptr[at - 1] != '(' || text.ptr[at - 2] != ' ' || at + 1 >= text.len)
        return text;
    return str_make(text.ptr, at - 2);
}

static bool note_matches(const struct script_note *note, struct str text)
{
    struct str bare = without_place(text);

    if (note->any)
        return true;
    if (note->regex)
        return regex_match(note->regex, text) || regex_match(note->regex, bare);
    return str_eq(note->text, text) || str_eq(note->text, bare);
}

static bool is_expected(const struct script_eval *eval, enum script_about about, struct str text,
                        size_t *of_kind)
{
    bool found = false;

    *of_kind = 0;
    for (size_t i = 0; i < eval->note_count; i++) {
        if (eval->notes[i].about != about)
            continue;
        (*of_kind)++;
        found = found || note_matches(&eval->notes[i], text);
    }
    return found;
}

static bool compare_kind(const struct script_eval *eval, enum script_about about,
                         const struct promql_notes *got, bool none, struct buf *why)
{
    const char *name = about == ABOUT_WARN ? "warning" : "info";
    size_t of_kind;

    for (size_t i = 0; i < got->count; i++) {
        bool expected = is_expected(eval, about, got->items[i], &of_kind);

        if (none || (of_kind > 0 && !expected)) {
            buf_printf(why, "unexpected %s: %.*s", name, STR_ARG(got->items[i]));
            return false;
        }
    }
    for (size_t i = 0; i < eval->note_count; i++) {
        const struct script_note *note = &eval->notes[i];
        bool found = false;

        for (size_t k = 0; note->about == about && k < got->count; k++)
            found = found || note_matches(note, got->items[k]);
        if (note->about != about || found)
            continue;
        buf_printf(why, "missing %s: %.*s", name, STR_ARG(note->text));
        for (size_t k = 0; k < got->count; k++)
            buf_printf(why, "\n      got: %.*s", STR_ARG(got->items[k]));
        return false;
    }
    return true;
}

bool compare_notes(const struct script_eval *eval, const struct promql_result *r, struct buf *why)
{
    return compare_kind(eval, ABOUT_WARN, &r->warnings, eval->no_warn, why) &&
           compare_kind(eval, ABOUT_INFO, &r->infos, eval->no_info, why);
}

bool compare_failure(const struct script_eval *eval, struct str message, struct buf *why)
{
    size_t of_kind;

    if (is_expected(eval, ABOUT_FAIL, message, &of_kind) || of_kind == 0)
        return true;
    buf_printf(why, "the error is: %.*s", STR_ARG(message));
    for (size_t i = 0; i < eval->note_count; i++)
        if (eval->notes[i].about == ABOUT_FAIL)
            buf_printf(why, "\n    expected: %.*s", STR_ARG(eval->notes[i].text));
    return false;
}

/* --- For people --- */

void compare_put_expected(struct buf *out, const struct script_eval *eval)
{
    buf_add_c(out, "    expected:\n");
    if (eval->scalar) {
        buf_add_c(out, "        ");
        put_value(out, eval->scalar_value);
        buf_add_char(out, '\n');
    }
    if (eval->has_string)
        buf_printf(out, "        \"%.*s\"\n", STR_ARG(eval->string));
    for (size_t i = 0; i < eval->row_count; i++)
        buf_printf(out, "        %.*s\n", STR_ARG(eval->rows[i].text));
}

void compare_put_result(struct buf *out, const struct promql_result *r)
{
    buf_add_c(out, "    got:\n");
    if (r->type == PROMQL_STRING)
        buf_printf(out, "        \"%.*s\"\n", STR_ARG(r->string));
    for (size_t i = 0; i < r->row_count; i++) {
        const struct promql_row *row = &r->rows[i];

        buf_add_c(out, "        ");
        notation_put_labels(out, &row->labels);
        for (size_t k = 0; k < row->count; k++) {
            buf_add_char(out, ' ');
            put_value(out, row->value[k]);
            if (r->type == PROMQL_MATRIX)
                buf_printf(out, "@%lld", (long long)row->t_ms[k]);
        }
        buf_add_char(out, '\n');
    }
}
