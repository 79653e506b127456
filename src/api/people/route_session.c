/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_session.c: load over time, split by what the sessions waited for or who they were.
 *
 * Average active sessions of a bucket = sessions seen in it / sampling ticks done in it. A bucket
 * without ticks is unknown (null); a bucket with ticks in which nobody was seen is zero.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/read/api_dimension.h"
#include "api/read/route_metrics.h"
#include "base/alloc.h"
#include "base/map.h"
#include "os/clock.h"

#define SERIES_MAX   20000 /* key tuples read; those that share the dimension are summed */
#define SERIES_SHOWN 50

struct line {
    struct str key;
    double *samples; /* per bucket */
    double total;
};

struct load {
    struct api_call *call;
    size_t by;
    struct str wait_class; /* filter; empty = all */
    struct uuid id;
    struct api_range range;
    int64_t step_ms;
    struct aggregate_result *ticks, *samples; /* NULL = no such relation */
    struct map *by_key;
    struct line *lines;
    size_t line_count;
    size_t points;
};

/* --- reading --- */

static enum err_code read_by(struct load *l, struct err *e)
{
    struct str by;
    enum err_code rc = api_param(l->call, "by", &by, e);

    if (rc != ERR_OK)
        return rc;
    return by.len > 0 ? api_dimension_find(by, &l->by, e) : ERR_OK;
}

static enum err_code run(struct load *l, struct aggregate_spec *spec, struct aggregate_result **out,
                         struct err *e)
{
    struct tsdb_reader *reader;
    enum err_code rc = api_reader(l->call, &reader, e);

    *out = NULL;
    spec->target = l->id;
    spec->column_count = 1;
    spec->op = AGGREGATE_INCREASE;
    spec->by_mode = AGGREGATE_BY_KEYS;
    spec->from_ms = l->range.from_ms;
    spec->to_ms = l->range.to_ms;
    spec->step_ms = l->step_ms;
    spec->max_series = SERIES_MAX;
    spec->deadline_mono_us = clock_mono_us() + API_READ_DEADLINE_US;
    if (rc == ERR_OK)
        rc = aggregate_run(reader, l->call->arena, spec, out, e);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err_code read_data(struct load *l, struct err *e)
{
    struct str by[API_DIMENSION_KEYS + 1];
    struct str ticks = STR("ticks"), samples = STR("samples");
    struct aggregate_filter filters[API_DIMENSIONS];
    struct aggregate_spec tick_spec = {.relation = STR("pg_session_ticks"), .columns = &ticks};
    struct aggregate_spec spec = {
        .relation = STR("pg_session_history"), .columns = &samples, .by = by, .filters = filters};
    enum err_code rc = api_dimension_filters(l->call, &l->wait_class, filters, &spec.filter_count,
                                             e);

    spec.by_count = api_dimension_keys(&l->by, 1, by);
    if (rc == ERR_OK)
        rc = run(l, &tick_spec, &l->ticks, e);
    if (rc == ERR_OK)
        rc = run(l, &spec, &l->samples, e);
    return rc;
}

/* --- folding --- */

static struct line *line_of(struct load *l, struct str key)
{
    struct line *line = map_get(l->by_key, key);

    if (line != NULL)
        return line;
    line = &l->lines[l->line_count++];
    line->key = key;
    line->samples = arena_array(l->call->arena, l->points, sizeof(double));
    (void)map_put(l->by_key, key, line);
    return line;
}

static enum err_code fold(struct load *l, struct err *e)
{
    size_t series = l->samples ? l->samples->series_count : 0;

    l->lines = arena_array(l->call->arena, series + 1, sizeof(*l->lines));
    for (size_t i = 0; i < series && !l->call->arena->overflow; i++) {
        const struct aggregate_series *s = &l->samples->series[i];
        struct line *line;

        if (!api_dimension_counts(s->label_values, l->wait_class,
                                  l->by == API_DIMENSION_STATE ? API_DIMENSION_IDLE_TOO
                                                               : API_DIMENSION_LOAD_ALONE))
            continue;
        line = line_of(l, api_dimension_value(l->call->arena, l->by, s->label_values,
                                              s->label_values + API_DIMENSION_KEYS));
        for (size_t p = 0; line->samples != NULL && p < l->points; p++) {
            if (isnan(s->values[p]))
                continue;
            line->samples[p] += s->values[p];
            line->total += s->values[p];
        }
    }
    return arena_check(l->call->arena, e);
}

/* --- answer --- */

static int class_rank(struct str key)
{
    for (int i = 0; i < API_TARGET_WAIT_CLASSES; i++) {
        if (str_eq_c(key, api_target_wait_class_name((size_t)i)))
            return i;
    }
    return API_TARGET_WAIT_CLASSES;
}

static int compare_class(const void *a, const void *b)
{
    return class_rank(((const struct line *)a)->key) - class_rank(((const struct line *)b)->key);
}

static int compare_total(const void *a, const void *b)
{
    double x = ((const struct line *)a)->total, y = ((const struct line *)b)->total;

    return x < y ? 1 : x > y ? -1 : 0;
}

static double ticks_at(const struct load *l, size_t point)
{
    if (l->ticks == NULL || l->ticks->series_count == 0)
        return NAN;
    return l->ticks->series[0].values[point];
}

static void put_line(struct json_writer *w, const struct load *l, const struct line *line,
                     double all_ticks)
{
    json_object_begin(w);
    json_member_str(w, "key", line->key);
    json_key(w, "values");
    json_array_begin(w);
    for (size_t p = 0; p < l->points; p++) {
        double ticks = ticks_at(l, p);

        json_put_f64(w, ticks > 0 ? line->samples[p] / ticks : NAN);
    }
    json_array_end(w);
    json_member_f64(w, "total_aas", all_ticks > 0 ? line->total / all_ticks : NAN);
    json_object_end(w);
}

static double put_axis(struct json_writer *w, const struct load *l)
{
    double all = 0;

    json_member_i64(w, "from_ms", l->range.from_ms);
    json_member_i64(w, "to_ms", l->range.to_ms);
    json_member_i64(w, "step_ms", l->step_ms);
    json_key(w, "times");
    json_array_begin(w);
    for (size_t p = 0; p < l->points; p++) {
        json_put_i64(w, l->range.from_ms + (int64_t)(p + 1) * l->step_ms);
        if (!isnan(ticks_at(l, p)))
            all += ticks_at(l, p);
    }
    json_array_end(w);
    return all;
}

static void put_covered(struct json_writer *w, const struct load *l)
{
    json_key(w, "covered");
    json_array_begin(w);
    for (size_t p = 0; p < l->points; p++)
        json_put_f64(w, l->ticks != NULL && l->ticks->covered ? l->ticks->covered[p] : 0);
    json_array_end(w);
}

static void answer(const struct load *l, const struct store_target *t)
{
    struct json_writer *w = api_json(l->call, 200);
    double vcpus = api_target_vcpus(l->call, t), all_ticks, samples = 0;
    size_t shown = l->line_count < SERIES_SHOWN ? l->line_count : SERIES_SHOWN;

    qsort(l->lines, l->line_count, sizeof(*l->lines),
          l->by == API_DIMENSION_CLASS ? compare_class : compare_total);
    json_object_begin(w);
    all_ticks = put_axis(w, l);
    json_member_c(w, "by", api_dimension_name(l->by));
    json_key(w, "series");
    json_array_begin(w);
    for (size_t i = 0; i < shown; i++)
        put_line(w, l, &l->lines[i], all_ticks);
    json_array_end(w);
    put_covered(w, l);
    json_key(w, "vcpus");
    json_put_f64(w, vcpus > 0 ? vcpus : NAN);
    for (size_t i = 0; i < l->line_count; i++)
        samples += l->lines[i].total;
    json_member_f64(w, "samples", samples);
    json_member_bool(w, "truncated",
                     shown < l->line_count || (l->samples != NULL && l->samples->truncated));
    json_object_end(w);
}

static enum err_code load(struct api_call *call, struct err *e)
{
    struct load l = {.call = call};
    struct store_target t;
    enum err_code rc = read_by(&l, e);

    if (rc == ERR_OK)
        rc = api_param_range(call, &l.range, e);
    if (rc == ERR_OK)
        rc = api_target_get(call, &l.id, &t, e);
    if (rc == ERR_OK)
        rc = route_metrics_step(
            call, &(struct route_metrics_span){&l.id, STR("pg_session_ticks"), &l.range},
            &l.step_ms, e);
    if (rc == ERR_OK)
        rc = read_data(&l, e);
    if (rc != ERR_OK)
        return rc;
    l.points = (size_t)((l.range.to_ms - l.range.from_ms) / l.step_ms);
    if (l.ticks != NULL)
        l.points = l.ticks->point_count;
    if (l.samples != NULL && l.samples->point_count < l.points)
        l.points = l.samples->point_count;
    l.by_key = map_new();
    rc = fold(&l, e);
    map_free(l.by_key, NULL);
    if (rc == ERR_OK)
        answer(&l, &t);
    return rc;
}

static const char *const load_query[] = {
    ROUTE_RANGE,
    "step span: width of a bucket, default one that gives about 300",
    "by text: what to split by: wait_class (default) or one of the names below",
    "wait_class text: only sessions with this value",
    "wait_event text: only sessions with this value",
    "datname text: only sessions with this value",
    "usename text: only sessions with this value",
    "application_name text: only sessions with this value",
    "backend_type text: only sessions with this value",
    "state text: only sessions with this value",
    "query_id text: only sessions with this value",
    NULL,
};

const struct route route_session_load = {
    .method = "GET",
    .path = "/api/v1/servers/{id}/sessions/load",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_TARGET,
    .classes = HTTPD_API,
    .query = load_query,
    .handle = load,
    .summary = "Average active sessions over time, split by one dimension.",
    .answer = "{from_ms: ms, to_ms: ms, step_ms: int, times: [ms] 'end of each bucket', by: text,"
              " series: [{key: text?, values: [num?], total_aas: num?}], covered: [num?],"
              " vcpus: num?, samples: num, truncated: bool}",
};
