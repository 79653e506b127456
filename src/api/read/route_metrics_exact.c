/* SPDX-License-Identifier: PostgreSQL */
/* route_metrics_exact.c: see the header. */
#include "api/read/route_metrics_exact.h"

#include <math.h>

#include "base/map.h"

#define EXACT_LIMIT 9007199254740992.0 /* 2^53 */

struct reading {
    struct api_call *call;
    const struct aggregate_spec *spec;
    const struct aggregate_result *result;
    struct map *series; /* scope and keys of a row -> its first series */
    struct cell **cells;
};

static bool is_needed(const struct aggregate_spec *spec, const struct aggregate_result *r)
{
    bool picks = spec->op == AGGREGATE_LAST || spec->op == AGGREGATE_MIN ||
                 spec->op == AGGREGATE_MAX; /* one of the values as it was read */

    if (!picks || spec->by_mode != AGGREGATE_BY_ROW || r->relation->shape != RELATION_OBJECT)
        return false;
    for (size_t i = 0; i < r->series_count; i++) {
        for (size_t p = 0; p < r->point_count; p++) {
            if (fabs(r->series[i].values[p]) >= EXACT_LIMIT)
                return true;
        }
    }
    return false;
}

/* "scope\nkey\nkey": what a series and a row of it have in common. */
static struct str name_of(struct arena *a, struct str scope, const struct str *keys, size_t count)
{
    struct buf text;
    struct str out;

    buf_init(&text, 65536);
    buf_add_str(&text, scope);
    for (size_t k = 0; k < count; k++) {
        buf_add_char(&text, '\n');
        buf_add_str(&text, keys[k]);
    }
    out = arena_str(a, buf_view(&text));
    buf_fini(&text);
    return out;
}

static struct str label_of(const struct aggregate_series *s, struct str name)
{
    for (size_t i = 0; i < s->label_count; i++) {
        if (str_eq(s->label_names[i], name))
            return s->label_values[i];
    }
    return (struct str){NULL, 0};
}

static enum err_code index_series(struct reading *in, struct err *e)
{
    const struct relation *relation = in->result->relation;
    struct arena *a = in->call->arena;
    struct str *keys = arena_array(a, relation->key_count + 1, sizeof(*keys));
    bool scoped = relation_find_key(relation, STR("scope")) < 0;

    in->cells = arena_array(a, in->result->series_count + 1, sizeof(*in->cells));
    for (size_t i = 0; i < in->result->series_count && !a->overflow; i++) {
        struct aggregate_series *s = &in->result->series[i];

        in->cells[i] = arena_array(a, in->result->point_count + 1, sizeof(struct cell));
        for (size_t k = 0; k < relation->key_count; k++)
            keys[k] = label_of(s, relation->keys[k].name);
        if (s->column == 0)
            (void)map_put(
                in->series,
                name_of(a, scoped ? label_of(s, STR("scope")) : STR(""), keys, relation->key_count),
                s);
    }
    return arena_check(a, e);
}

/* Whether `a` is below `b`; exact among integers (CELL_U64 is above every CELL_I64). */
static bool is_below(struct cell a, struct cell b)
{
    if (a.tag == CELL_I64 && b.tag == CELL_I64)
        return a.i64 < b.i64;
    if (a.tag == CELL_U64 && b.tag == CELL_U64)
        return a.u64 < b.u64;
    return cell_to_f64(a) < cell_to_f64(b);
}

static bool is_picked(enum aggregate_op op, struct cell now, struct cell before)
{
    if (now.tag == CELL_NULL || now.tag == CELL_STR)
        return false;
    if (before.tag == CELL_NULL || op == AGGREGATE_LAST)
        return true;
    return op == AGGREGATE_MIN ? is_below(now, before) : is_below(before, now);
}

static void take_row(struct reading *in, const struct tsdb_slice *slice, size_t row,
                     const struct aggregate_series *first)
{
    const struct aggregate_result *r = in->result;
    size_t base = (size_t)(first - r->series);
    int64_t point = (slice->t_ms - in->spec->from_ms - 1) / in->spec->step_ms;

    if (point < 0 || (size_t)point >= r->point_count)
        return;
    for (size_t c = 0; c < slice->column_count && base + c < r->series_count; c++) {
        struct cell cell = slice->cells[c][row];

        if (is_picked(in->spec->op, cell, in->cells[base + c][point]))
            in->cells[base + c][point] = cell;
    }
}

static enum err_code take_slice(void *arg, const struct tsdb_slice *slice, struct err *e)
{
    struct reading *in = arg;
    const struct relation *relation = in->result->relation;
    bool scoped = relation_find_key(relation, STR("scope")) < 0;

    for (size_t row = 0; slice->objects != NULL && row < slice->row_count; row++) {
        const struct aggregate_series *first;
        struct str *keys;
        enum err_code rc = tsdb_object_keys(in->call->reader, in->call->arena, slice->objects[row],
                                            &keys, e);

        if (rc != ERR_OK)
            return rc;
        first = map_get(in->series, name_of(in->call->arena, scoped ? slice->scope : STR(""), keys,
                                            relation->key_count));
        if (first != NULL)
            take_row(in, slice, row, first);
    }
    return arena_check(in->call->arena, e);
}

static enum err_code scan(struct reading *in, struct err *e)
{
    const struct aggregate_result *r = in->result;
    struct tsdb_scan_spec spec = {
        .target = in->spec->target,
        .relation = in->spec->relation,
        .column_count = r->column_count,
        .from_ms = in->spec->from_ms,
        .to_ms = in->spec->to_ms,
        .deadline_mono_us = in->spec->deadline_mono_us,
    };
    struct str *names = arena_array(in->call->arena, r->column_count + 1, sizeof(*names));

    for (size_t c = 0; names != NULL && c < r->column_count; c++)
        names[c] = r->columns[c]->name;
    spec.columns = names;
    if (names == NULL)
        return arena_check(in->call->arena, e);
    return tsdb_scan(in->call->reader, &spec, take_slice, in, e);
}

enum err_code route_metrics_exact(struct api_call *call, const struct aggregate_spec *spec,
                                  const struct aggregate_result *result, struct cell ***cells,
                                  struct err *e)
{
    struct reading in = {.call = call, .spec = spec, .result = result};
    enum err_code rc;

    *cells = NULL;
    if (!is_needed(spec, result))
        return ERR_OK;
    in.series = map_new();
    rc = index_series(&in, e);
    if (rc == ERR_OK)
        rc = scan(&in, e);
    map_free(in.series, NULL);
    if (rc == ERR_OK)
        *cells = in.cells;
    return rc;
}
