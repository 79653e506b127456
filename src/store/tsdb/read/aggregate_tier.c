/* SPDX-License-Identifier: PostgreSQL */
/*
 * aggregate_tier.c: aggregation of roll-ups, beside that of full readings.
 *
 * Group by group a plan says which stretch of time comes from where; stretches follow each other in
 * time and share what is known of the rows, so that a counter's rise across a seam is counted once.
 */
#include "store/tsdb/read/aggregate_run.h"

#include <math.h>
#include <string.h>

/* --- which --- */

static enum tsdb_need need_of(const struct run *r, size_t c)
{
    if (aggregate_is_rise(r, c)) {
        return TSDB_NEED_RISE;
    }
    switch (r->ops[c]) {
    case AGGREGATE_DEFAULT:
    case AGGREGATE_AVG:
        return TSDB_NEED_AVG;
    case AGGREGATE_LAST:
        return TSDB_NEED_LAST;
    case AGGREGATE_MIN:
        return TSDB_NEED_MIN;
    case AGGREGATE_MAX:
        return TSDB_NEED_MAX;
    case AGGREGATE_SUM:
        return TSDB_NEED_SUM;
    case AGGREGATE_COUNT:
        return TSDB_NEED_COUNT;
    case AGGREGATE_RATE:
    case AGGREGATE_INCREASE:
        return TSDB_NEED_READINGS; /* of a gauge: last - first */
    }
    return TSDB_NEED_READINGS;
}

/* An extreme of a sum over rows is not the sum of their extremes. */
static bool is_extreme(enum tsdb_need need)
{
    return need == TSDB_NEED_MIN || need == TSDB_NEED_MAX;
}

bool aggregate_tier_fits(const struct run *r)
{
    for (size_t c = 0; c < r->rows.column_count; c++) {
        enum tsdb_need need = need_of(r, c);
        if (!tsdb_tier_answers(r->rows.columns[c]->kind, need) ||
            (is_extreme(need) && r->spec->by_mode != AGGREGATE_BY_ROW)) {
            return false;
        }
    }
    return true;
}

/* --- one row --- */

/* What a counter rose by in the bucket; false = it cannot be told. */
static bool rise_of(const struct tsdb_rolled *v, size_t row, const struct cell *before, double *out)
{
    const struct cell *last = &v->last[row];
    const struct cell *base = v->first[row].tag != CELL_NULL ? &v->first[row] : before;

    if (v->rise[row].tag != CELL_NULL) {
        *out = cell_to_f64(v->rise[row]);
        return true;
    }
    if (last->tag == CELL_NULL || !base || base->tag == CELL_NULL) {
        return false;
    }
    bool whole = last->tag == CELL_I64 && base->tag == CELL_I64;
    double rise = whole && last->i64 >= base->i64
                      ? (double)((uint64_t)last->i64 - (uint64_t)base->i64)
                      : cell_to_f64(*last) - cell_to_f64(*base);
    /* a fall without a rise of its own: late readings before it are just being rolled up */
    *out = rise < 0 ? cell_to_f64(*last) : rise;
    return true;
}

/* A column of a row. */
struct rolled_cell {
    const struct tsdb_bucket *bucket;
    size_t column, row;
    const struct cell *before; /* of a counter; NULL = nothing is known */
};

static void take_rise(const struct run *r, struct track *t, const struct rolled_cell *in)
{
    const struct tsdb_rolled *v = &in->bucket->columns[in->column];
    size_t row = in->row;
    double rise = 0;

    if (!r->in_range) {
        return;
    }
    if (r->rows.columns[in->column]->kind == RELATION_DELTA) {
        if (v->sum[row].tag != CELL_NULL) {
            aggregate_add(&t->value[r->bucket], cell_to_f64(v->sum[row]));
        }
    } else if (!v->no_rise[row] && rise_of(v, row, in->before, &rise)) {
        aggregate_add(&t->value[r->bucket], rise);
    }
}

/* The numbers of the rows of a series come together in the track, until the bucket is settled. */
static void take_level(struct run *r, struct track *t, const struct rolled_cell *in)
{
    enum tsdb_need need = need_of(r, in->column);
    const struct tsdb_bucket *b = in->bucket;
    const struct tsdb_rolled *v = &b->columns[in->column];
    size_t row = in->row;
    double count = v->count[row].tag == CELL_NULL ? 0 : cell_to_f64(v->count[row]);
    bool any = need == TSDB_NEED_LAST ? v->last[row].tag != CELL_NULL : count > 0;

    if (t->stamp != r->slice_no) {
        t->stamp = r->slice_no;
        t->now = t->rows = t->most = 0;
        t->now_t = INT64_MIN;
    }
    if (!any) {
        return;
    }
    if (need == TSDB_NEED_LAST) {
        if (b->row_t_ms[row] > t->now_t) { /* rows that ended before are not in the last reading */
            t->now_t = b->row_t_ms[row];
            t->now = 0;
        }
        t->now += b->row_t_ms[row] == t->now_t ? cell_to_f64(v->last[row]) : 0;
        t->rows++;
        return;
    }
    const struct cell *from = need == TSDB_NEED_MIN   ? v->min
                              : need == TSDB_NEED_MAX ? v->max
                                                      : v->sum;
    t->now += cell_to_f64(from[row]);
    t->rows += count;
    t->most = fmax(t->most, count);
}

static void settle(struct run *r, struct track *t, enum tsdb_need need)
{
    double *v = &t->value[r->bucket];
    double *w = &t->weight[r->bucket];
    bool first = isnan(*v);

    switch (need) {
    case TSDB_NEED_AVG:
        *w += t->most;
        *v = first || isinf(*v) || isinf(t->now) ? (first ? 0 : *v) + t->now / t->most
                                                 : *v + (t->now - *v * t->most) / *w;
        break;
    case TSDB_NEED_LAST:
        *v = t->now;
        break;
    case TSDB_NEED_MIN:
        *v = first || t->now < *v ? t->now : *v;
        break;
    case TSDB_NEED_MAX:
        *v = first || t->now > *v ? t->now : *v;
        break;
    case TSDB_NEED_SUM:
        aggregate_add(v, t->now);
        break;
    case TSDB_NEED_COUNT:
        aggregate_add(v, t->rows);
        break;
    case TSDB_NEED_RISE:
    case TSDB_NEED_READINGS:
        break;
    }
}

static void settle_levels(struct run *r)
{
    size_t count = r->rows.count * r->rows.column_count;

    for (size_t at = 0; at < count && at < r->track_cap; at++) {
        struct track *t = r->tracks[at];
        size_t c = at % r->rows.column_count;
        if (t && t->stamp == r->slice_no && t->rows > 0 && !aggregate_is_rise(r, c)) {
            settle(r, t, need_of(r, c));
        }
    }
}

/* What the row is at the end of the bucket; the next stretch goes on from there. */
static bool keep_row(struct run *r, struct rows_object *o, const struct tsdb_bucket *b, size_t row)
{
    bool gone = b->ended[row];

    if (!o->cells) {
        o->cells = arena_array(r->arena, r->rows.column_count + 1, sizeof(*o->cells));
    }
    for (size_t c = 0; o->cells && c < r->rows.column_count; c++) {
        const struct tsdb_rolled *v = &b->columns[c];
        bool lost = v->broken[row] || (gone && r->rows.relation->sparse);
        if (lost || (v->last[row].tag == CELL_NULL && !r->rows.relation->sparse)) {
            o->cells[c].tag = CELL_NULL;
        } else if (v->last[row].tag != CELL_NULL) {
            o->cells[c] = v->last[row];
        }
    }
    o->seen = r->slice_no - gone;
    return o->cells != NULL;
}

static bool take_row(struct run *r, const struct tsdb_bucket *b, const struct tsdb_slice *s,
                     size_t row)
{
    struct rows_object *o = NULL;
    int64_t out = -1;

    if (rows_find(&r->rows, s, row, &out, &o)) {
        return false;
    }
    for (size_t c = 0; out >= 0 && c < r->rows.column_count; c++) {
        struct track *t = aggregate_track(r, (size_t)out, c);
        const struct rolled_cell in = {b, c, row, o && o->cells ? &o->cells[c] : NULL};
        if (!t) {
            return false;
        }
        r->samples += r->in_range;
        if (aggregate_is_rise(r, c)) {
            take_rise(r, t, &in);
        } else {
            take_level(r, t, &in);
        }
    }
    return out < 0 || !o || keep_row(r, o, b, row);
}

/* --- a bucket --- */

/* The reading that what is of the bucket rose since; of a group that begins its own first one. */
static int64_t rose_since(const struct run *r, const struct tsdb_bucket *b)
{
    int64_t first = b->t_ms;

    for (size_t row = 0; !r->last_t_ms && row < b->row_count; row++) {
        first = b->born_ms[row] && b->born_ms[row] < first ? b->born_ms[row] : first;
    }
    return r->last_t_ms ? r->last_t_ms : first;
}

static void note_cover(struct run *r, const struct tsdb_bucket *b)
{
    if (b->t_ms >= r->newest_ms) {
        r->newest_ms = b->t_ms;
        r->every_ms = b->every_ms;
    }
    if (r->in_range) {
        r->delta_ms[r->bucket] += (double)b->covered_ms;
        r->rise_ms[r->bucket] += (double)(b->t_ms - rose_since(r, b));
    }
}

static enum err_code visit_bucket(void *arg, const struct tsdb_bucket *b, struct err *e)
{
    struct run *r = arg;
    const struct tsdb_slice as_slice = {.group = b->group,
                                        .scope = b->scope,
                                        .row_count = b->row_count,
                                        .objects = b->objects,
                                        .key_count = b->key_count,
                                        .keys = b->keys};

    if (!aggregate_enter(r, &as_slice)) {
        return arena_check(r->arena, e);
    }
    r->slice_no += 2; /* the one before is when ended rows were last seen */
    if (!aggregate_find_bucket(r, b->t_ms) || b->flags & SLICE_FAILED) {
        return ERR_OK;
    }
    note_cover(r, b);
    for (size_t row = 0; row < b->row_count; row++) {
        if (!take_row(r, b, &as_slice, row)) {
            return arena_check(r->arena, e);
        }
    }
    if (r->in_range) {
        settle_levels(r);
    }
    r->complete_no = r->slice_no;
    r->last_t_ms = b->t_ms;
    return ERR_OK;
}

/* --- a group --- */

/* Where what the first readings are compared with begins; of roll-ups the whole bucket before. */
static int64_t compared_from(int64_t scan_ms, int64_t from_ms, enum tsdb_tier tier)
{
    int64_t bucket = from_ms - tsdb_tier_ms(tier);
    return bucket < scan_ms ? bucket : scan_ms;
}

static enum err_code run_group(struct run *r, const struct tsdb_scan_spec *scan, struct err *e)
{
    const struct tsdb_plan_spec ask = {.target = scan->target,
                                       .relation = scan->relation,
                                       .scope = *scan->scope,
                                       .answers = true,
                                       .from_ms = r->spec->from_ms,
                                       .to_ms = scan->to_ms,
                                       .step_ms = r->spec->step_ms,
                                       .aligned = true};
    const struct tsdb_part_visit visit = {visit_bucket, aggregate_visit, r};
    struct tsdb_plan plan;
    enum err_code code = tsdb_tier_plan(r->rows.reader, &ask, &plan, e);

    for (size_t i = 0; code == ERR_OK && i < plan.count; i++) {
        struct tsdb_tier_part part = plan.parts[i];
        if (i == 0) {
            part.from_ms = compared_from(scan->from_ms, ask.from_ms, part.tier);
        }
        code = tsdb_part_scan(r->rows.reader, scan, &part, &visit, e);
    }
    return code;
}

enum err_code aggregate_tier_run(struct run *r, const struct tsdb_scan_spec *scan, struct err *e)
{
    struct tsdb_group *groups = NULL;
    size_t count = 0;
    enum err_code code = tsdb_groups(r->rows.reader, r->arena, &scan->target, &groups, &count, e);

    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        struct tsdb_scan_spec one = *scan;
        one.scope = &groups[i].scope;
        if (str_eq(groups[i].relation, scan->relation)) {
            code = run_group(r, &one, e);
        }
    }
    return code;
}
