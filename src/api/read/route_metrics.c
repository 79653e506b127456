/* SPDX-License-Identifier: PostgreSQL */
/* route_metrics.c: the history of one relation of one target, in buckets. */
#include <math.h>

#include "api/fleet/api_target.h"
#include "api/read/route_metrics.h"
#include "api/read/route_metrics_exact.h"
#include "base/limits.h"
#include "base/num.h"
#include "os/clock.h"

#define POINTS_DEFAULT   300
#define EVERY_DEFAULT_MS 1000

/* "30s" as a duration, "30000" as milliseconds. */
static bool parse_step(struct str s, int64_t *out)
{
    if (num_parse_i64(s, 1, INT64_MAX, out, NULL) == ERR_OK)
        return true;
    return num_parse_duration_ms(s, out, NULL) == ERR_OK && *out > 0;
}

enum err_code route_metrics_step(struct api_call *call, const struct route_metrics_span *span,
                                 int64_t *step_ms, struct err *e)
{
    int64_t width = span->range->to_ms - span->range->from_ms, every = EVERY_DEFAULT_MS;
    struct tsdb_reader *reader;
    struct tsdb_group last;
    struct str text;
    enum err_code rc = api_param(call, "step", &text, e);

    if (rc != ERR_OK)
        return rc;
    if (text.len > 0) {
        if (!parse_step(text, step_ms))
            return err_set(e, ERR_INVALID, "step: not a duration");
        if (width / *step_ms > LIMIT_QUERY_POINTS)
            return err_set(e, ERR_INVALID, "step: more than %d points", LIMIT_QUERY_POINTS);
        return ERR_OK;
    }
    rc = api_reader(call, &reader, e);
    if (rc != ERR_OK)
        return rc;
    if (tsdb_last(reader, call->arena, span->target, span->relation, &last, NULL) == ERR_OK &&
        last.last_every_ms > 0)
        every = last.last_every_ms;
    *step_ms = (width / POINTS_DEFAULT + every - 1) / every * every;
    if (*step_ms == 0)
        *step_ms = every;
    return ERR_OK;
}

void route_metrics_put_times(struct json_writer *w, const int64_t *times, size_t count)
{
    json_key(w, "times");
    json_array_begin(w);
    for (size_t i = 0; i < count; i++)
        json_put_i64(w, times[i]);
    json_array_end(w);
}

static enum err_code read_filters(struct api_call *call, struct aggregate_spec *spec, struct err *e)
{
    struct aggregate_filter *filters;
    struct httpd_param *params;
    size_t count;
    enum err_code rc = httpd_params(call->req, &params, &count, e);

    if (rc != ERR_OK)
        return rc;
    filters = arena_array(call->arena, count + 1, sizeof(*filters));
    for (size_t i = 0; filters != NULL && i < count; i++) {
        struct str name = params[i].name;

        if (!str_starts(name, STR("key.")))
            continue;
        filters[spec->filter_count].key = str_make(name.ptr + 4, name.len - 4);
        filters[spec->filter_count++].value = params[i].value;
    }
    spec->filters = filters;
    return arena_check(call->arena, e);
}

static enum err_code read_spec(struct api_call *call, struct aggregate_spec *spec, struct err *e)
{
    struct api_words columns, by;
    struct str agg;
    enum err_code rc = api_param(call, "relation", &spec->relation, e);

    if (rc == ERR_OK && spec->relation.len == 0)
        return err_set(e, ERR_INVALID, "relation: missing");
    if (rc == ERR_OK)
        rc = api_param_words(call, "column", &columns, e);
    if (rc != ERR_OK)
        return rc;
    spec->columns = columns.items;
    spec->column_count = columns.count;
    rc = api_param(call, "agg", &agg, e);
    if (rc == ERR_OK && !aggregate_parse_op(agg, &spec->op))
        return err_set(e, ERR_INVALID, "agg: last avg min max sum count rate increase");
    if (rc == ERR_OK)
        rc = api_param_words(call, "by", &by, e);
    if (rc != ERR_OK)
        return rc;
    spec->by = by.items;
    spec->by_count = by.count;
    spec->by_mode = by.present ? AGGREGATE_BY_KEYS : AGGREGATE_BY_ROW;
    spec->max_series = LIMIT_QUERY_SERIES;
    spec->deadline_mono_us = clock_mono_us() + API_READ_DEADLINE_US;
    return read_filters(call, spec, e);
}

/* cells: NULL, or integers in place of doubles that would round them */
static void put_points(struct json_writer *w, const double *values, const struct cell *cells,
                       size_t count)
{
    json_key(w, "values");
    json_array_begin(w);
    for (size_t p = 0; p < count; p++) {
        if (cells != NULL && cells[p].tag == CELL_I64)
            json_put_i64(w, cells[p].i64);
        else if (cells != NULL && cells[p].tag == CELL_U64)
            json_put_u64(w, cells[p].u64);
        else
            json_put_f64(w, values[p]); /* NAN writes null */
    }
    json_array_end(w);
}

static void put_series(struct json_writer *w, const struct aggregate_result *r, size_t index,
                       const struct cell *cells)
{
    const struct aggregate_series *s = &r->series[index];
    const struct relation_column *c = r->columns[s->column];

    json_object_begin(w);
    json_member_str(w, "column", c->name);
    json_member_c(w, "kind", relation_kind_name(c->kind));
    json_member_str(w, "unit", c->unit);
    json_member_c(w, "agg", aggregate_op_name(r->ops[s->column]));
    json_key(w, "labels");
    json_object_begin(w);
    for (size_t i = 0; i < s->label_count; i++) {
        json_key_str(w, s->label_names[i]);
        json_put_str(w, s->label_values[i]);
    }
    json_object_end(w);
    put_points(w, s->values, cells, r->point_count);
    json_object_end(w);
}

static enum err_code answer(struct api_call *call, const struct aggregate_spec *spec,
                            const struct aggregate_result *r, struct err *e)
{
    struct json_writer *w = api_json(call, 200);
    struct cell **cells = NULL;
    enum err_code rc = r->relation ? route_metrics_exact(call, spec, r, &cells, e) : ERR_OK;

    json_object_begin(w);
    json_member_str(w, "relation", spec->relation);
    json_member_i64(w, "from_ms", spec->from_ms);
    json_member_i64(w, "to_ms", spec->to_ms);
    json_member_i64(w, "step_ms", spec->step_ms);
    json_member_i64(w, "every_ms", r->every_ms);
    json_member_c(w, "agg", r->column_count > 0 ? aggregate_op_name(r->ops[0]) : "avg");
    route_metrics_put_times(w, r->times_ms, r->point_count);
    json_key(w, "series");
    json_array_begin(w);
    for (size_t i = 0; rc == ERR_OK && i < r->series_count; i++)
        put_series(w, r, i, cells ? cells[i] : NULL);
    json_array_end(w);
    json_member_u64(w, "samples", r->samples);
    json_member_bool(w, "truncated", r->truncated);
    json_object_end(w);
    return rc;
}

/* --- what is not there --- */

/* missing=skip: leave out columns that the relation does not have. *some: whether any is left. */
static enum err_code skip_missing(struct api_call *call, struct aggregate_spec *spec, bool *some,
                                  struct err *e)
{
    struct relation *relation;
    struct str *known = arena_array(call->arena, spec->column_count + 1, sizeof(*known));
    size_t count = 0;
    enum err_code rc = tsdb_relation(call->reader, call->arena, spec->relation, &relation, e);

    *some = rc == ERR_OK;
    if (rc == ERR_NOT_FOUND)
        return ERR_OK;
    if (rc != ERR_OK || spec->column_count == 0)
        return rc;
    for (size_t i = 0; known && i < spec->column_count; i++) {
        if (relation_find_column(relation, spec->columns[i]) >= 0)
            known[count++] = spec->columns[i];
    }
    spec->columns = known;
    spec->column_count = count;
    *some = count > 0;
    return arena_check(call->arena, e);
}

/* Buckets without any series. */
static enum err_code answer_nothing(struct api_call *call, const struct aggregate_spec *spec,
                                    struct err *e)
{
    struct aggregate_result nothing = {
        .point_count = (size_t)((spec->to_ms - spec->from_ms) / spec->step_ms)};

    nothing.times_ms = arena_array(call->arena, nothing.point_count + 1, sizeof(int64_t));
    if (!nothing.times_ms)
        return arena_fail(call->arena, e);
    for (size_t i = 0; i < nothing.point_count; i++)
        nothing.times_ms[i] = spec->from_ms + (int64_t)(i + 1) * spec->step_ms;
    return answer(call, spec, &nothing, e);
}

static enum err_code read_missing(struct api_call *call, bool *skips, struct err *e)
{
    struct str text;
    enum err_code rc = api_param(call, "missing", &text, e);

    *skips = str_eq_c(text, "skip");
    if (rc == ERR_OK && text.len > 0 && !*skips && !str_eq_c(text, "error"))
        return err_set(e, ERR_INVALID, "missing: error skip");
    return rc;
}

static enum err_code run(struct api_call *call, struct aggregate_spec *spec, struct err *e)
{
    struct aggregate_result *result;
    bool skips, some = true;
    enum err_code rc = read_missing(call, &skips, e);

    if (rc == ERR_OK && skips)
        rc = skip_missing(call, spec, &some, e);
    if (rc == ERR_OK && !some)
        return answer_nothing(call, spec, e);
    if (rc == ERR_OK)
        rc = aggregate_run(call->reader, call->arena, spec, &result, e);
    return rc == ERR_OK ? answer(call, spec, result, e) : rc;
}

static enum err_code metrics(struct api_call *call, struct err *e)
{
    struct aggregate_spec spec = {0};
    struct tsdb_reader *reader;
    struct store_target t;
    struct api_range range;
    struct uuid id;
    enum err_code rc = read_spec(call, &spec, e);

    if (rc == ERR_OK)
        rc = api_param_range(call, &range, e);
    if (rc == ERR_OK && text_parse_uuid(call->params[0], &id))
        rc = route_metrics_step(call, &(struct route_metrics_span){&id, spec.relation, &range},
                                &spec.step_ms, e);
    if (rc == ERR_OK)
        rc = api_target_get(call, &id, &t, e);
    if (rc == ERR_OK)
        rc = api_reader(call, &reader, e);
    if (rc != ERR_OK)
        return rc;
    spec.target = id;
    spec.from_ms = range.from_ms;
    spec.to_ms = range.to_ms;
    return run(call, &spec, e);
}

static const char *const get_query[] = {
    "relation text!: name of the relation",
    "column list: its columns, default all",
    ROUTE_RANGE,
    "step span: width of a bucket, default one that gives about 300",
    "agg text(last|avg|min|max|sum|count|rate|increase): default by the kind of column",
    "by list: keys to sum by; empty gives one series",
    "key.NAME text: only rows whose key NAME has this value",
    "missing text(error|skip): what a relation or column that nobody ever sent is, default error",
    NULL,
};

const struct route route_metrics_get = {
    .method = "GET",
    .path = "/api/v1/servers/{id}/metrics",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_TARGET,
    .classes = HTTPD_API,
    .query = get_query,
    .handle = metrics,
    .summary = "The history of columns of one relation.",
    .answer = "{relation: text, from_ms: ms, to_ms: ms, step_ms: int, every_ms: int, agg: text,"
              " times: [ms] 'end of each bucket', series: [{column: text, kind: text, unit: text,"
              " agg: text, labels: {*: text?}, values: [num?]}], samples: int, truncated: bool}",
};
