/* SPDX-License-Identifier: PostgreSQL */
/*
 * aggregate_total.c: what happened in one interval, a row per key tuple, exact as long as it fits
 * i64.
 */
#include "store/tsdb/read/aggregate.h"

#include "base/limits.h"
#include "store/tsdb/read/aggregate_total_run.h"

#include <string.h>

#define LOOKBACK_MS        120000LL
#define LOOKBACK_SPARSE_MS (65 * 60000LL)

struct total_sum *aggregate_total_sum(struct total *t, size_t row, size_t c)
{
    size_t at = row * t->rows.column_count + c;

    if (at >= t->sum_cap) {
        size_t cap = t->sum_cap ? t->sum_cap : 1024;
        while (cap <= at) {
            cap *= 2;
        }
        struct total_sum *longer = arena_array(t->arena, cap, sizeof(*longer));
        if (!longer) {
            return NULL;
        }
        if (t->sum_cap) {
            memcpy(longer, t->sums, t->sum_cap * sizeof(*longer));
        }
        t->sums = longer;
        t->sum_cap = cap;
    }
    return &t->sums[at];
}

/* What a counter rose by, as a cell. */
static struct cell rise_cell(const struct cell *before, const struct cell *now, bool reset)
{
    if (before->tag == CELL_I64 && now->tag == CELL_I64) {
        int64_t d = 0;
        if (reset || now->i64 < before->i64) {
            return *now;
        }
        return __builtin_sub_overflow(now->i64, before->i64, &d)
                   ? cell_f64((double)now->i64 - (double)before->i64)
                   : cell_i64(d);
    }
    double a = cell_to_f64(*before);
    double b = cell_to_f64(*now);
    return cell_f64(reset || b < a ? b : b - a);
}

struct value {
    const struct cell *now;
    bool in_range, reset;
};

static void take_value(struct total *t, struct cell *sum, size_t c, const struct rows_object *o,
                       const struct value *v)
{
    if (!v->in_range || v->now->tag == CELL_NULL) {
        return;
    }
    switch (t->rows.columns[c]->kind) {
    case RELATION_DELTA:
        cell_add(sum, *v->now);
        break;
    case RELATION_COUNTER:
        if (o && o->cells && o->cells[c].tag != CELL_NULL &&
            (t->rows.relation->sparse || o->seen >= t->complete_no)) {
            cell_add(sum, rise_cell(&o->cells[c], v->now, v->reset));
        }
        break;
    case RELATION_GAUGE:
        *sum = *v->now;
        break;
    case RELATION_TEXT:
        break;
    }
}

static bool keep_cells(struct total *t, struct rows_object *o, const struct tsdb_slice *s,
                       size_t row)
{
    if (!o->cells) {
        o->cells = arena_array(t->arena, t->rows.column_count + 1, sizeof(*o->cells));
    }
    for (size_t c = 0; o->cells && c < t->rows.column_count; c++) {
        if (s->cells[c][row].tag != CELL_NULL || !t->rows.relation->sparse) {
            o->cells[c] = s->cells[c][row];
        }
    }
    o->seen = t->slice_no;
    return o->cells != NULL;
}

static bool take_row(struct total *t, const struct tsdb_slice *s, size_t row, bool reset)
{
    struct rows_object *o = NULL;
    int64_t out = -1;
    bool in_range = s->t_ms > t->spec->from_ms;

    if (rows_find(&t->rows, s, row, &out, &o)) {
        return false;
    }
    for (size_t c = 0; out >= 0 && c < t->rows.column_count; c++) {
        struct total_sum *sum = aggregate_total_sum(t, (size_t)out, c);
        const struct value v = {&s->cells[c][row], in_range, reset};
        if (!sum) {
            return false;
        }
        take_value(t, &sum->value, c, o, &v);
    }
    return out < 0 || !o || keep_cells(t, o, s, row);
}

void aggregate_total_cover(struct total *t, const struct tsdb_slice *s, int64_t covered_ms)
{
    struct aggregate_total *out = t->out;
    int64_t from = s->t_ms - covered_ms;

    out->slices++;
    out->incomplete |= !(s->flags & SLICE_COMPLETE) || s->flags & SLICE_FAILED;
    if (s->flags & SLICE_FAILED) {
        return;
    }
    t->group_ms += covered_ms;
    if (out->covered_from_ms == 0 || from < out->covered_from_ms) {
        out->covered_from_ms = from;
    }
    if (s->t_ms > out->covered_to_ms) {
        out->covered_to_ms = s->t_ms;
    }
}

void aggregate_total_end_group(struct total *t)
{
    t->covered_ms = t->group_ms > t->covered_ms ? t->group_ms : t->covered_ms;
    t->group_ms = 0;
    t->last_t_ms = 0;
    t->complete_no = 0;
    for (size_t i = 0; i < t->sum_cap; i++) {
        t->sums[i].t_ms = 0;
    }
}

static int64_t covered_by(const struct total *t, const struct tsdb_slice *s)
{
    return s->from_ms < s->t_ms ? s->t_ms - s->from_ms : t->last_t_ms ? s->t_ms - t->last_t_ms : 0;
}

enum err_code aggregate_total_visit(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct total *t = arg;
    size_t reset = 0;

    if (rows_enter(&t->rows, s)) {
        aggregate_total_end_group(t);
    }
    t->slice_no++;
    if (s->t_ms > t->spec->from_ms) {
        aggregate_total_cover(t, s, covered_by(t, s));
    }
    if (s->flags & SLICE_FAILED) {
        return ERR_OK;
    }
    for (size_t row = 0; row < s->row_count; row++) {
        bool is_reset = reset < s->reset_count && s->resets[reset] == row;
        reset += is_reset;
        if (!take_row(t, s, row, is_reset)) {
            return arena_check(t->arena, e);
        }
    }
    for (size_t i = 0; i < s->gone_count; i++) {
        struct rows_object *o = rows_object(&t->rows, s->gone[i]);
        if (o && o->cells) {
            memset(o->cells, 0, t->rows.column_count * sizeof(*o->cells));
        }
    }
    if (s->flags & SLICE_COMPLETE) {
        t->complete_no = t->slice_no;
    }
    t->last_t_ms = s->t_ms;
    return ERR_OK;
}

static bool needs_lookback(const struct rows *w)
{
    for (size_t c = 0; c < w->column_count; c++) {
        if (w->columns[c]->kind == RELATION_COUNTER) {
            return true;
        }
    }
    return false;
}

/* Rows that only the look back named have no value and are left out. */
static bool has_value(const struct total *t, size_t row)
{
    for (size_t c = 0; c < t->rows.column_count; c++) {
        size_t at = row * t->rows.column_count + c;
        if (at < t->sum_cap && t->sums[at].value.tag != CELL_NULL) {
            return true;
        }
    }
    return false;
}

static struct cell *cells_of(const struct total *t, size_t row)
{
    struct cell *cells = arena_array(t->arena, t->rows.column_count, sizeof(*cells));

    for (size_t c = 0; cells && c < t->rows.column_count; c++) {
        size_t at = row * t->rows.column_count + c;
        cells[c] = at < t->sum_cap ? t->sums[at].value : (struct cell){.tag = CELL_NULL};
    }
    return cells;
}

static enum err_code make_rows(struct total *t, struct err *e)
{
    struct aggregate_total *out = t->out;

    out->relation = t->rows.relation;
    out->column_count = t->rows.column_count;
    out->columns = t->rows.columns;
    aggregate_total_end_group(t);
    out->covered_ms = t->covered_ms;
    out->rows = arena_array(t->arena, t->rows.count + 1, sizeof(*out->rows));
    for (size_t i = 0; out->rows && i < t->rows.count; i++) {
        struct cell *cells = has_value(t, i) ? cells_of(t, i) : NULL;
        if (cells) {
            out->rows[out->row_count++] = (struct aggregate_total_row){t->rows.labels[i], cells};
        }
    }
    if (t->rows.truncated) {
        return err_set(e, ERR_LIMIT, "more than %zu rows: group by fewer keys",
                       t->rows.request->max);
    }
    return arena_check(t->arena, e);
}

static enum err_code run_scan(struct total *t, struct err *e)
{
    const struct aggregate_total_spec *q = t->spec;
    int64_t back = t->rows.relation->sparse ? LOOKBACK_SPARSE_MS : LOOKBACK_MS;
    const struct tsdb_scan_spec scan = {
        .target = q->target,
        .relation = q->relation,
        .columns = t->rows.column_names,
        .column_count = t->rows.column_count,
        .from_ms = needs_lookback(&t->rows) ? q->from_ms - back : q->from_ms,
        .to_ms = q->to_ms,
        .deadline_mono_us = q->deadline_mono_us,
    };
    return aggregate_total_tier_run(t, &scan, e);
}

enum err_code aggregate_totals(struct tsdb_reader *r, struct arena *a,
                               const struct aggregate_total_spec *spec,
                               struct aggregate_total **out, struct err *e)
{
    const struct rows_request request = {
        .target = spec->target,
        .relation = spec->relation,
        .columns = spec->columns,
        .column_count = spec->column_count,
        .by_mode = AGGREGATE_BY_KEYS,
        .by = spec->by,
        .by_count = spec->by_count,
        .filters = spec->filters,
        .filter_count = spec->filter_count,
        .max = spec->max_rows ? spec->max_rows : LIMIT_SLICE_ROWS,
    };
    struct total t = {.spec = spec, .arena = a};

    t.out = arena_alloc(a, sizeof(*t.out));
    enum err_code code = rows_init(&t.rows, r, a, &request, e);
    if (code == ERR_OK && t.out) {
        code = run_scan(&t, e);
    }
    if (code == ERR_OK && t.out) {
        code = make_rows(&t, e);
    }
    *out = t.out;
    rows_fini(&t.rows);
    return code ? code : arena_check(a, e);
}
