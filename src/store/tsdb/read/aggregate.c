/* SPDX-License-Identifier: PostgreSQL */
/*
 * aggregate.c: buckets over time of the rows of a relation.
 *
 * Group by group (scope): gauges are summed over the rows of a series at each reading, then over
 * time; what counters and deltas rose by is put into the bucket of the reading. At the end of a
 * group its buckets are added to the result, since readings of different groups do not fall on the
 * same instants.
 */
#include "store/tsdb/read/aggregate_run.h"

#include "base/limits.h"

#include <math.h>
#include <string.h>

#define LOOKBACK_LEAST_MS  30000
#define LOOKBACK_SPARSE_MS (65 * 60000LL) /* a keyframe comes every hour */
#define LOOKBACK_MOST_MS   3600000LL

static const char *const op_names[] = {
    [AGGREGATE_DEFAULT] = "default", [AGGREGATE_LAST] = "last", [AGGREGATE_AVG] = "avg",
    [AGGREGATE_MIN] = "min",         [AGGREGATE_MAX] = "max",   [AGGREGATE_SUM] = "sum",
    [AGGREGATE_COUNT] = "count",     [AGGREGATE_RATE] = "rate", [AGGREGATE_INCREASE] = "increase",
};

bool aggregate_parse_op(struct str s, enum aggregate_op *out)
{
    if (s.len == 0) {
        *out = AGGREGATE_DEFAULT;
        return true;
    }
    for (int i = AGGREGATE_LAST; i <= AGGREGATE_INCREASE; i++) {
        if (str_eq_c(s, op_names[i])) {
            *out = (enum aggregate_op)i;
            return true;
        }
    }
    return false;
}

const char *aggregate_op_name(enum aggregate_op op)
{
    return op_names[op];
}

/* --- places --- */

bool aggregate_is_rise(const struct run *r, size_t c)
{
    enum relation_kind kind = r->rows.columns[c]->kind;
    bool op = r->ops[c] == AGGREGATE_RATE || r->ops[c] == AGGREGATE_INCREASE;
    return (kind == RELATION_COUNTER && op) ||
           (kind == RELATION_DELTA && (op || r->ops[c] == AGGREGATE_SUM));
}

static bool fit_tracks(struct run *r, size_t at)
{
    if (at < r->track_cap) {
        return true;
    }
    size_t cap = r->track_cap ? r->track_cap : 256;
    while (cap <= at) {
        cap *= 2;
    }
    struct track **tracks = arena_array(r->arena, cap, sizeof(*tracks));
    double **results = arena_array(r->arena, cap, sizeof(*results));
    if (!tracks || !results) {
        return false;
    }
    if (r->track_cap) {
        memcpy(tracks, r->tracks, r->track_cap * sizeof(struct track *));
        memcpy(results, r->results, r->track_cap * sizeof(double *));
    }
    r->tracks = tracks;
    r->results = results;
    r->track_cap = cap;
    return true;
}

static double *new_points(struct run *r, double fill)
{
    double *p = arena_array(r->arena, r->points, sizeof(*p));
    for (size_t i = 0; p && fill != 0 && i < r->points; i++) {
        p[i] = fill;
    }
    return p;
}

struct track *aggregate_track(struct run *r, size_t series, size_t c)
{
    size_t at = series * r->rows.column_count + c;

    if (!fit_tracks(r, at)) {
        return NULL;
    }
    if (!r->tracks[at]) {
        struct track *t = arena_alloc(r->arena, sizeof(*t));
        if (!t) {
            return NULL;
        }
        t->value = new_points(r, NAN);
        t->weight = new_points(r, 0);
        if (!t->value || !t->weight) {
            return NULL;
        }
        r->tracks[at] = t;
    }
    return r->tracks[at];
}

void aggregate_add(double *to, double v)
{
    *to = isnan(*to) ? v : *to + v;
}

/* --- one value --- */

/* What a counter rose by; false when there is nothing to compare with. */
static bool rise(const struct cell *before, const struct cell *now, bool reset, double *out)
{
    if (before->tag == CELL_NULL || now->tag == CELL_NULL) {
        return false;
    }
    if (before->tag == CELL_I64 && now->tag == CELL_I64) { /* exact, whatever the size */
        bool back = reset || now->i64 < before->i64;
        *out = back ? (double)now->i64 : (double)((uint64_t)now->i64 - (uint64_t)before->i64);
        return true;
    }
    double a = cell_to_f64(*before);
    double b = cell_to_f64(*now);
    *out = reset || b < a ? b : b - a;
    return true;
}

/* A value that rises: its column, what is known of its row, and the reading. */
struct rising {
    size_t column;
    const struct rows_object *object; /* NULL: a fact row has no past */
    const struct cell *now;
    bool reset;
};

static void take_rise(const struct run *r, struct track *t, const struct rising *in)
{
    const struct rows_object *o = in->object;
    double v = 0;

    if (!r->in_range) {
        return;
    }
    if (r->rows.columns[in->column]->kind == RELATION_DELTA) {
        if (in->now->tag != CELL_NULL) {
            aggregate_add(&t->value[r->bucket], cell_to_f64(*in->now));
        }
        return;
    }
    if (!o || !o->cells) {
        return;
    }
    bool goes_on = r->rows.relation->sparse || (o->seen && o->seen >= r->complete_no);
    if (goes_on && rise(&o->cells[in->column], in->now, in->reset, &v)) {
        aggregate_add(&t->value[r->bucket], v);
    }
}

static void take_level(struct run *r, struct track *t, const struct cell *now)
{
    if (t->stamp != r->slice_no) {
        t->stamp = r->slice_no;
        t->now = 0;
        t->rows = 0;
    }
    if (now->tag != CELL_NULL) {
        t->now += cell_to_f64(*now);
        t->rows++;
    }
}

/* The mean of `count` values, of which x is the last. Not sum / count: a level that does not change
 * comes out as it is, however often it was read. */
static double mean_with(double mean, double x, double count)
{
    if (isinf(mean) || isinf(x)) {
        return mean + x;
    }
    return mean + (x - mean) / count;
}

/* The sum over the rows of a reading goes into its bucket. */
static void settle_level(struct run *r, struct track *t, enum aggregate_op op)
{
    double *v = &t->value[r->bucket];
    double *w = &t->weight[r->bucket];
    bool first = isnan(*v);

    switch (op) {
    case AGGREGATE_DEFAULT:
    case AGGREGATE_AVG:
        (*w)++;
        *v = first ? t->now : mean_with(*v, t->now, *w);
        break;
    case AGGREGATE_LAST:
        *v = t->now;
        break;
    case AGGREGATE_MIN:
        *v = first || t->now < *v ? t->now : *v;
        break;
    case AGGREGATE_MAX:
        *v = first || t->now > *v ? t->now : *v;
        break;
    case AGGREGATE_SUM:
        aggregate_add(v, t->now);
        break;
    case AGGREGATE_COUNT:
        aggregate_add(v, t->rows);
        break;
    case AGGREGATE_RATE:
    case AGGREGATE_INCREASE:
        *w = first ? t->now : *w;
        *v = t->now;
        break;
    }
}

/* --- one reading --- */

static bool keep_cells(struct run *r, struct rows_object *o, const struct tsdb_slice *s, size_t row)
{
    if (!o->cells) {
        o->cells = arena_array(r->arena, r->rows.column_count + 1, sizeof(*o->cells));
    }
    for (size_t c = 0; o->cells && c < r->rows.column_count; c++) {
        if (s->cells[c][row].tag != CELL_NULL) {
            o->cells[c] = s->cells[c][row];
        } else if (!r->rows.relation->sparse) {
            o->cells[c].tag = CELL_NULL;
        }
    }
    o->seen = r->slice_no;
    return o->cells != NULL;
}

static bool take_row(struct run *r, const struct tsdb_slice *s, size_t row, bool reset)
{
    struct rows_object *o = NULL;
    int64_t out = -1;

    if (rows_find(&r->rows, s, row, &out, &o)) {
        return false;
    }
    for (size_t c = 0; out >= 0 && c < r->rows.column_count; c++) {
        struct track *t = aggregate_track(r, (size_t)out, c);
        const struct cell *now = &s->cells[c][row];
        if (!t) {
            return false;
        }
        r->samples += r->in_range && now->tag != CELL_NULL;
        if (!aggregate_is_rise(r, c)) {
            take_level(r, t, now);
        } else {
            const struct rising in = {c, o, now, reset};
            take_rise(r, t, &in);
        }
    }
    return out < 0 || !o || keep_cells(r, o, s, row);
}

/* A sparse reading lacks what did not change: levels of known objects count again. */
static void repeat_levels(struct run *r)
{
    struct rows *w = &r->rows;

    for (size_t i = 0; w->objects && i <= w->object_mask; i++) {
        struct rows_object *o = w->objects[i];
        if (!o || o->out < 0 || !o->cells || o->seen == r->slice_no) {
            continue;
        }
        for (size_t c = 0; c < w->column_count; c++) {
            struct track *t = aggregate_is_rise(r, c) || w->columns[c]->kind == RELATION_DELTA ||
                                      o->cells[c].tag == CELL_NULL
                                  ? NULL
                                  : aggregate_track(r, (size_t)o->out, c);
            if (t) {
                take_level(r, t, &o->cells[c]);
            }
        }
    }
}

static void forget_gone(struct run *r, const struct tsdb_slice *s)
{
    for (size_t i = 0; i < s->gone_count; i++) {
        struct rows_object *o = rows_object(&r->rows, s->gone[i]);
        if (o && o->cells) {
            memset(o->cells, 0, r->rows.column_count * sizeof(*o->cells));
        }
    }
}

static void settle_levels(struct run *r)
{
    size_t count = r->rows.count * r->rows.column_count;
    for (size_t at = 0; at < count && at < r->track_cap; at++) {
        struct track *t = r->tracks[at];
        size_t c = at % r->rows.column_count;
        if (t && t->stamp == r->slice_no && t->rows > 0 && !aggregate_is_rise(r, c)) {
            settle_level(r, t, r->ops[c]);
        }
    }
}

/* Time that this reading stands for, put into its bucket. */
static void note_cover(struct run *r, const struct tsdb_slice *s)
{
    int64_t since = r->last_t_ms ? s->t_ms - r->last_t_ms : 0;
    int64_t span = s->t_ms - s->from_ms;

    if (span == 0 && s->every_ms > 0) {
        span = since > 0 && since < 2 * s->every_ms ? since : s->every_ms;
    }
    if (r->in_range) {
        r->delta_ms[r->bucket] += (double)span;
        r->rise_ms[r->bucket] += (double)since;
    }
}

bool aggregate_find_bucket(struct run *r, int64_t t_ms)
{
    const struct aggregate_spec *q = r->spec;
    r->in_range = t_ms > q->from_ms;
    r->bucket = r->in_range ? (size_t)((t_ms - q->from_ms - 1) / q->step_ms) : 0;
    return r->bucket < r->points;
}

/* --- a group's end --- */

static double seconds_of(const struct run *r, size_t c, size_t p)
{
    bool delta = r->rows.columns[c]->kind == RELATION_DELTA;
    return (delta ? r->delta_ms[p] : r->rise_ms[p]) / 1000;
}

/* The value of one bucket of one group; NAN = none. */
static double bucket_value(const struct run *r, const struct track *t, size_t c, size_t p)
{
    double v = t->value[p];
    double seconds = seconds_of(r, c, p);

    if (aggregate_is_rise(r, c)) {
        bool zero = r->rows.columns[c]->kind == RELATION_DELTA || r->rows.relation->sparse;
        if (isnan(v) && zero && seconds > 0) {
            v = 0; /* a delta that a reading lacks is zero */
        }
        if (r->ops[c] != AGGREGATE_RATE) {
            return v;
        }
        return seconds > 0 ? v / seconds : NAN;
    }
    if (isnan(v)) {
        return v;
    }
    if (r->ops[c] == AGGREGATE_INCREASE) {
        return v - t->weight[p];
    }
    if (r->ops[c] == AGGREGATE_RATE) {
        return (v - t->weight[p]) / ((double)r->spec->step_ms / 1000);
    }
    return v;
}

static bool fold_track(struct run *r, size_t at)
{
    struct track *t = r->tracks[at];
    size_t c = at % r->rows.column_count;

    if (!r->results[at]) {
        r->results[at] = new_points(r, NAN);
    }
    if (!r->results[at]) {
        return false;
    }
    for (size_t p = 0; p < r->points; p++) {
        double v = bucket_value(r, t, c, p);
        if (!isnan(v)) {
            aggregate_add(&r->results[at][p], v);
        }
        t->value[p] = NAN;
        t->weight[p] = 0;
    }
    return true;
}

static bool fold_group(struct run *r)
{
    size_t count = r->rows.count * r->rows.column_count;
    for (size_t at = 0; at < count && at < r->track_cap; at++) {
        if (r->tracks[at] && !fold_track(r, at)) {
            return false;
        }
    }
    for (size_t p = 0; p < r->points; p++) {
        double share = r->delta_ms[p] / (double)r->spec->step_ms;
        r->covered[p] = fmax(r->covered[p], fmin(share, 1));
        r->delta_ms[p] = r->rise_ms[p] = 0;
    }
    r->complete_no = 0;
    r->last_t_ms = 0;
    return true;
}

bool aggregate_enter(struct run *r, const struct tsdb_slice *s)
{
    bool first = r->rows.group == 0;
    return !rows_enter(&r->rows, s) || first || fold_group(r);
}

enum err_code aggregate_visit(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct run *r = arg;
    size_t reset = 0;

    if (!aggregate_enter(r, s)) {
        return arena_check(r->arena, e);
    }
    r->slice_no++;
    if (!aggregate_find_bucket(r, s->t_ms) || s->flags & SLICE_FAILED) {
        return ERR_OK;
    }
    if (s->t_ms >= r->newest_ms) {
        r->newest_ms = s->t_ms;
        r->every_ms = s->every_ms;
    }
    note_cover(r, s);
    for (size_t row = 0; row < s->row_count; row++) {
        bool is_reset = reset < s->reset_count && s->resets[reset] == row;
        reset += is_reset;
        if (!take_row(r, s, row, is_reset)) {
            return arena_check(r->arena, e);
        }
    }
    forget_gone(r, s);
    if (r->rows.relation->sparse && !(s->flags & SLICE_KEYFRAME)) {
        repeat_levels(r);
    }
    if (r->in_range) {
        settle_levels(r);
    }
    if (s->flags & SLICE_COMPLETE) {
        r->complete_no = r->slice_no;
    }
    r->last_t_ms = s->t_ms;
    return ERR_OK;
}

/* --- the whole --- */

static enum err_code check_spec(const struct aggregate_spec *q, size_t *points, struct err *e)
{
    if (q->step_ms <= 0 || q->to_ms <= q->from_ms) {
        return err_set(e, ERR_INVALID, "the interval or the step is empty");
    }
    uint64_t n = ((uint64_t)q->to_ms - (uint64_t)q->from_ms) / (uint64_t)q->step_ms;
    if (n > LIMIT_QUERY_POINTS) {
        return err_set(e, ERR_INVALID, "more than %d points: take a longer step",
                       LIMIT_QUERY_POINTS);
    }
    if (n == 0) {
        return err_set(e, ERR_INVALID, "the step is longer than the interval");
    }
    *points = (size_t)n;
    return ERR_OK;
}

static void choose_ops(struct run *r)
{
    for (size_t c = 0; c < r->rows.column_count; c++) {
        bool gauge = r->rows.columns[c]->kind == RELATION_GAUGE;
        r->ops[c] = r->spec->op != AGGREGATE_DEFAULT ? r->spec->op
                    : gauge                          ? AGGREGATE_AVG
                                                     : AGGREGATE_RATE;
    }
}

/* How far before the interval a reading may be that the first one is compared with. */
int64_t aggregate_lookback_ms(struct run *r)
{
    struct tsdb_group last;
    int64_t ms = LOOKBACK_LEAST_MS;

    if (r->rows.relation->sparse) {
        return LOOKBACK_SPARSE_MS;
    }
    if (tsdb_last(r->rows.reader, r->arena, &r->spec->target, r->spec->relation, &last, NULL) ==
            ERR_OK &&
        last.last_every_ms > 0) {
        ms = last.last_every_ms * 5 / 2;
    }
    ms = ms < LOOKBACK_LEAST_MS ? LOOKBACK_LEAST_MS : ms;
    return ms > LOOKBACK_MOST_MS ? LOOKBACK_MOST_MS : ms;
}

static bool make_series(struct run *r, struct aggregate_result *out, size_t series)
{
    for (size_t c = 0; c < r->rows.column_count; c++) {
        size_t at = series * r->rows.column_count + c;
        double *values = at < r->track_cap ? r->results[at] : NULL;
        if (!values) {
            values = new_points(r, NAN);
        }
        if (!values) {
            return false;
        }
        out->series[out->series_count++] = (struct aggregate_series){
            .column = c,
            .label_count = r->rows.label_count,
            .label_names = r->rows.label_names,
            .label_values = r->rows.labels[series],
            .values = values};
    }
    return true;
}

static enum err_code make_result(struct run *r, struct aggregate_result **result, struct err *e)
{
    struct aggregate_result *out = arena_alloc(r->arena, sizeof(*out));

    if (!out || !fold_group(r)) {
        return arena_check(r->arena, e);
    }
    *out = (struct aggregate_result){
        .relation = r->rows.relation,
        .column_count = r->rows.column_count,
        .columns = r->rows.columns,
        .ops = r->ops,
        .point_count = r->points,
        .covered = r->covered,
        .samples = r->samples,
        .every_ms = r->every_ms,
        .truncated = r->rows.truncated,
    };
    out->times_ms = arena_array(r->arena, r->points, sizeof(*out->times_ms));
    out->series = arena_array(r->arena, r->rows.count * r->rows.column_count + 1,
                              sizeof(*out->series));
    if (!out->times_ms || !out->series) {
        return arena_check(r->arena, e);
    }
    for (size_t p = 0; p < r->points; p++) {
        out->times_ms[p] = r->spec->from_ms + (int64_t)(p + 1) * r->spec->step_ms;
    }
    for (size_t s = 0; s < r->rows.count; s++) {
        if (!make_series(r, out, s)) {
            return arena_check(r->arena, e);
        }
    }
    *result = out;
    return arena_check(r->arena, e);
}

static enum err_code run_scan(struct run *r, struct err *e)
{
    const struct aggregate_spec *q = r->spec;

    r->ops = arena_array(r->arena, r->rows.column_count + 1, sizeof(*r->ops));
    r->rise_ms = new_points(r, 0);
    r->delta_ms = new_points(r, 0);
    r->covered = new_points(r, 0);
    if (!r->ops || !r->rise_ms || !r->delta_ms || !r->covered) {
        return arena_check(r->arena, e);
    }
    choose_ops(r);
    const struct tsdb_scan_spec scan = {
        .target = q->target,
        .relation = q->relation,
        .columns = r->rows.column_names,
        .column_count = r->rows.column_count,
        .from_ms = q->from_ms - aggregate_lookback_ms(r),
        .to_ms = q->from_ms + (int64_t)r->points * q->step_ms,
        .deadline_mono_us = q->deadline_mono_us,
    };
    if (!q->readings_only && aggregate_tier_fits(r)) {
        return aggregate_tier_run(r, &scan, e);
    }
    return tsdb_scan(r->rows.reader, &scan, aggregate_visit, r, e);
}

enum err_code aggregate_run(struct tsdb_reader *reader, struct arena *a,
                            const struct aggregate_spec *spec, struct aggregate_result **out,
                            struct err *e)
{
    const struct rows_request request = {
        .target = spec->target,
        .relation = spec->relation,
        .columns = spec->columns,
        .column_count = spec->column_count,
        .by_mode = spec->by_mode,
        .by = spec->by,
        .by_count = spec->by_count,
        .filters = spec->filters,
        .filter_count = spec->filter_count,
        .max = spec->max_series ? spec->max_series : LIMIT_QUERY_SERIES,
    };
    struct run r = {.spec = spec, .arena = a};
    enum err_code code = check_spec(spec, &r.points, e);

    if (code) {
        return code;
    }
    code = rows_init(&r.rows, reader, a, &request, e);
    if (code == ERR_OK) {
        code = run_scan(&r, e);
    }
    if (code == ERR_OK) {
        code = make_result(&r, out, e);
    }
    rows_fini(&r.rows);
    return code;
}
