/* SPDX-License-Identifier: PostgreSQL */
/*
 * aggregate_total_tier.c: totals of one interval from roll-ups, beside those of full readings.
 *
 * Within the interval whole buckets serve, and full readings before the first and after the last
 * one; what is known of the rows goes from one to the next, so that a rise across a seam is counted
 * once. Integers stay exact.
 */
#include "store/tsdb/read/aggregate_total_run.h"

#include <string.h>

/* A column of a row of a bucket. */
struct rolled_cell {
    const struct tsdb_bucket *bucket;
    size_t column, row;
    const struct cell *before; /* of a counter; NULL = nothing is known */
};

/* What a counter rose by in the bucket; NULL = it cannot be told. */
static struct cell rise_of(const struct rolled_cell *in)
{
    const struct tsdb_rolled *v = &in->bucket->columns[in->column];
    const struct cell *last = &v->last[in->row];
    const struct cell *first = &v->first[in->row];
    const struct cell *base = first->tag != CELL_NULL ? first : in->before;
    int64_t whole = 0;

    if (v->no_rise[in->row]) {
        return (struct cell){.tag = CELL_NULL};
    }
    if (v->rise[in->row].tag != CELL_NULL) {
        return v->rise[in->row];
    }
    if (last->tag == CELL_NULL || !base || base->tag == CELL_NULL) {
        return (struct cell){.tag = CELL_NULL};
    }
    if (cell_to_f64(*last) < cell_to_f64(*base)) {
        return *last; /* late readings before it are just being rolled up */
    }
    return last->tag == CELL_I64 && base->tag == CELL_I64 &&
                   !__builtin_sub_overflow(last->i64, base->i64, &whole)
               ? cell_i64(whole)
               : cell_f64(cell_to_f64(*last) - cell_to_f64(*base));
}

static void take_cell(const struct total *t, struct total_sum *sum, const struct rolled_cell *in)
{
    const struct tsdb_rolled *v = &in->bucket->columns[in->column];
    int64_t at = in->bucket->row_t_ms[in->row];

    switch (t->rows.columns[in->column]->kind) {
    case RELATION_DELTA:
        cell_add(&sum->value, v->sum[in->row]);
        break;
    case RELATION_COUNTER:
        cell_add(&sum->value, rise_of(in));
        break;
    case RELATION_GAUGE: /* of rows with equal keys the one that was read last */
        if (v->last[in->row].tag != CELL_NULL && at >= sum->t_ms) {
            *sum = (struct total_sum){v->last[in->row], at};
        }
        break;
    case RELATION_TEXT:
        break;
    }
}

/* What the row is at the end of the bucket; what follows goes on from there. */
static bool keep_row(struct total *t, struct rows_object *o, const struct tsdb_bucket *b,
                     size_t row)
{
    bool sparse = t->rows.relation->sparse;
    bool gone = b->ended[row];

    if (!o->cells) {
        o->cells = arena_array(t->arena, t->rows.column_count + 1, sizeof(*o->cells));
    }
    for (size_t c = 0; o->cells && c < t->rows.column_count; c++) {
        const struct tsdb_rolled *v = &b->columns[c];
        if (v->broken[row] || (gone && sparse) || (v->last[row].tag == CELL_NULL && !sparse)) {
            o->cells[c].tag = CELL_NULL;
        } else if (v->last[row].tag != CELL_NULL) {
            o->cells[c] = v->last[row];
        }
    }
    o->seen = t->slice_no - gone;
    return o->cells != NULL;
}

static bool take_row(struct total *t, const struct tsdb_bucket *b, const struct tsdb_slice *s,
                     size_t row)
{
    struct rows_object *o = NULL;
    int64_t out = -1;

    if (rows_find(&t->rows, s, row, &out, &o)) {
        return false;
    }
    for (size_t c = 0; out >= 0 && c < t->rows.column_count; c++) {
        struct total_sum *sum = aggregate_total_sum(t, (size_t)out, c);
        const struct rolled_cell in = {b, c, row, o && o->cells ? &o->cells[c] : NULL};
        if (!sum) {
            return false;
        }
        if (b->t_ms > t->spec->from_ms) {
            take_cell(t, sum, &in);
        }
    }
    return out < 0 || !o || keep_row(t, o, b, row);
}

static enum err_code visit_bucket(void *arg, const struct tsdb_bucket *b, struct err *e)
{
    struct total *t = arg;
    const struct tsdb_slice as_slice = {.group = b->group,
                                        .scope = b->scope,
                                        .t_ms = b->t_ms,
                                        .from_ms = b->t_ms - b->covered_ms,
                                        .flags = b->flags,
                                        .row_count = b->row_count,
                                        .objects = b->objects,
                                        .key_count = b->key_count,
                                        .keys = b->keys};

    if (rows_enter(&t->rows, &as_slice)) {
        aggregate_total_end_group(t);
    }
    t->slice_no += 2; /* the one before is when ended rows were last seen */
    if (b->t_ms > t->spec->from_ms) {
        aggregate_total_cover(t, &as_slice, b->covered_ms);
    }
    if (b->flags & SLICE_FAILED) {
        return ERR_OK;
    }
    for (size_t row = 0; row < b->row_count; row++) {
        if (!take_row(t, b, &as_slice, row)) {
            return arena_fail(t->arena, e);
        }
    }
    t->complete_no = t->slice_no;
    t->last_t_ms = b->t_ms;
    return ERR_OK;
}

/* --- a group --- */

static enum err_code run_group(struct total *t, const struct tsdb_scan_spec *scan, struct err *e)
{
    const struct tsdb_plan_spec ask = {.target = scan->target,
                                       .relation = scan->relation,
                                       .scope = *scan->scope,
                                       .answers = true,
                                       .from_ms = t->spec->from_ms,
                                       .to_ms = scan->to_ms,
                                       .step_ms = scan->to_ms - t->spec->from_ms};
    const struct tsdb_part_visit visit = {visit_bucket, aggregate_total_visit, t};
    struct tsdb_plan plan = {.count = 1, .parts = {{TSDB_RAW, ask.from_ms, ask.to_ms}}};
    enum err_code code = ERR_OK;

    if (!t->spec->readings_only) {
        code = tsdb_tier_plan(t->rows.reader, &ask, &plan, e);
    }
    for (size_t i = 0; code == ERR_OK && i < plan.count; i++) {
        struct tsdb_tier_part part = plan.parts[i];
        if (i == 0) { /* what the first readings are compared with; of roll-ups a whole bucket */
            int64_t bucket = part.from_ms - tsdb_tier_ms(part.tier);
            part.from_ms = bucket < scan->from_ms ? bucket : scan->from_ms;
        }
        code = tsdb_part_scan(t->rows.reader, scan, &part, &visit, e);
    }
    return code;
}

enum err_code aggregate_total_tier_run(struct total *t, const struct tsdb_scan_spec *scan,
                                       struct err *e)
{
    struct tsdb_group *groups = NULL;
    size_t count = 0;
    enum err_code code = tsdb_groups(t->rows.reader, t->arena, &scan->target, &groups, &count, e);

    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        struct tsdb_scan_spec one = *scan;
        int64_t before = t->spec->from_ms - groups[i].last_every_ms * 5 / 2;
        one.scope = &groups[i].scope;
        if (one.from_ms < t->spec->from_ms && before < one.from_ms) {
            one.from_ms = before;
        }
        if (str_eq(groups[i].relation, scan->relation)) {
            code = run_group(t, &one, e);
        }
    }
    return code;
}
