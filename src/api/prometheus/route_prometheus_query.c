/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_prometheus_query.c: a PromQL expression at one time, or over a range.
 *
 * `format=columns` is our own form of the answer: one array of times, and values by it.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/prometheus/prometheus.h"
#include "base/limits.h"
#include "os/clock.h"
#include "promql/parse.h"

#define LOOKBACK_MAX_MS (366LL * 86400000)
#define TRUNCATED       "results truncated due to limit"

struct request {
    struct promql_query query;
    uint64_t limit;
    bool columns;
};

/* --- input --- */

static enum err_code read_common(struct api_call *call, struct request *q, struct err *e)
{
    struct str format;
    enum err_code rc = api_param(call, "query", &q->query.text, e);

    if (rc == ERR_OK)
        rc = prometheus_limit(call, &q->limit, e);
    if (rc == ERR_OK)
        rc = prometheus_deadline(call, &q->query.limits.deadline_mono_us, e);
    if (rc == ERR_OK)
        rc = prometheus_duration(call, "lookback_delta", 0, &q->query.lookback_ms, e);
    if (rc == ERR_OK && (q->query.lookback_ms < 0 || q->query.lookback_ms > LOOKBACK_MAX_MS))
        return err_set(e, ERR_INVALID, "invalid parameter \"lookback_delta\": out of range");
    if (rc == ERR_OK)
        rc = api_param(call, "format", &format, e);
    if (rc)
        return rc;
    q->columns = str_eq_c(format, "columns");
    if (format.len && !q->columns && !str_eq_c(format, "standard"))
        return err_set(e, ERR_INVALID, "invalid parameter \"format\": columns or standard");
    return ERR_OK;
}

static enum err_code read_instant(struct api_call *call, struct request *q, struct err *e)
{
    enum err_code rc = prometheus_time(call, "time", clock_wall_ms(), &q->query.start_ms, e);

    q->query.end_ms = q->query.start_ms;
    return rc ? rc : read_common(call, q, e);
}

static enum err_code read_range(struct api_call *call, struct request *q, struct err *e)
{
    enum err_code rc = prometheus_time_needed(call, "start", &q->query.start_ms, e);

    if (rc == ERR_OK)
        rc = prometheus_time_needed(call, "end", &q->query.end_ms, e);
    if (rc == ERR_OK && q->query.end_ms < q->query.start_ms)
        return err_set(e, ERR_INVALID,
                       "invalid parameter \"end\": end timestamp must not be before start time");
    if (rc == ERR_OK)
        rc = prometheus_duration(call, "step", 0, &q->query.step_ms, e);
    if (rc)
        return rc;
    if (q->query.step_ms <= 0)
        return err_set(e, ERR_INVALID,
                       "invalid parameter \"step\": zero or negative query resolution step widths"
                       " are not accepted. Try a positive integer");
    if ((q->query.end_ms - q->query.start_ms) / q->query.step_ms > LIMIT_QUERY_POINTS)
        return err_set(e, ERR_INVALID,
                       "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing"
                       " the query resolution (?step=XX)");
    return read_common(call, q, e);
}

/* Prometheus tells a query that is wrong (400) from one that cannot be done (422). */
static enum err_code check_query(struct api_call *call, struct str text, struct err *e)
{
    static const struct promql_options options = {.experimental = true};
    struct expr *x = NULL;

    if (promql_parse(call->arena, text, &options, &x, e) != ERR_OK)
        return err_wrap(e, "invalid parameter \"query\"");
    return ERR_OK;
}

/* --- the standard form --- */

static void put_row(struct json_writer *w, const struct promql_row *row, bool matrix)
{
    json_object_begin(w);
    json_key(w, "metric");
    prometheus_put_labels(w, &row->labels);
    json_key(w, matrix ? "values" : "value");
    if (matrix)
        json_array_begin(w);
    for (size_t i = 0; i < row->count; i++)
        prometheus_put_sample(w, row->t_ms[i], row->value[i]);
    if (matrix)
        json_array_end(w);
    json_object_end(w);
}

static void put_rows(struct json_writer *w, const struct promql_result *r)
{
    json_array_begin(w);
    for (size_t i = 0; i < r->row_count; i++)
        put_row(w, &r->rows[i], r->type == PROMQL_MATRIX);
    json_array_end(w);
}

/* [time, "text"] */
static void put_text(struct json_writer *w, int64_t t_ms, struct str text)
{
    json_array_begin(w);
    json_put_f64(w, (double)t_ms / 1000);
    json_put_str(w, text);
    json_array_end(w);
}

static const char *type_name(enum promql_type type)
{
    switch (type) {
    case PROMQL_SCALAR:
        return "scalar";
    case PROMQL_VECTOR:
        return "vector";
    case PROMQL_MATRIX:
        return "matrix";
    case PROMQL_STRING:
        return "string";
    case PROMQL_NONE:
        break;
    }
    return "none";
}

static void put_standard(struct json_writer *w, const struct request *q,
                         const struct promql_result *r)
{
    char text[PROMETHEUS_NUMBER_MAX];

    json_object_begin(w);
    json_member_c(w, "resultType", type_name(r->type));
    json_key(w, "result");
    if (r->type == PROMQL_STRING) {
        put_text(w, q->query.start_ms, r->string);
    } else if (r->type == PROMQL_SCALAR && r->row_count) {
        prometheus_format(r->rows[0].value[0], PROMETHEUS_SCALAR, text);
        put_text(w, q->query.start_ms, str_of(text));
    } else {
        put_rows(w, r);
    }
    json_object_end(w);
}

/* --- columns --- */

struct times {
    size_t count;
    int64_t *items;
};

static int by_time(const void *x, const void *y)
{
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

    return (a > b) - (a < b);
}

/* The steps of a range; else every time that occurs. */
static enum err_code make_times(struct arena *a, const struct request *q,
                                const struct promql_result *r, struct times *out, struct err *e)
{
    const struct promql_query *x = &q->query;
    size_t room = x->step_ms ? (size_t)((x->end_ms - x->start_ms) / x->step_ms) + 1 : 0, kept = 0;

    for (size_t i = 0; x->step_ms == 0 && i < r->row_count; i++)
        room += r->rows[i].count;
    out->count = 0;
    out->items = arena_array(a, room + 1, sizeof(*out->items));
    if (!out->items)
        return arena_fail(a, e);
    if (x->step_ms) {
        for (size_t i = 0; i < room; i++)
            out->items[i] = x->start_ms + (int64_t)i * x->step_ms;
        out->count = room;
        return ERR_OK;
    }
    for (size_t i = 0; i < r->row_count; i++) {
        memcpy(out->items + out->count, r->rows[i].t_ms, r->rows[i].count * sizeof(int64_t));
        out->count += r->rows[i].count;
    }
    qsort(out->items, out->count, sizeof(*out->items), by_time);
    for (size_t i = 0; i < out->count; i++) {
        if (kept == 0 || out->items[kept - 1] != out->items[i])
            out->items[kept++] = out->items[i];
    }
    out->count = kept;
    return ERR_OK;
}

static void put_value(struct json_writer *w, double v)
{
    if (isnan(v))
        json_put_c(w, "NaN");
    else if (isinf(v))
        json_put_c(w, v > 0 ? "+Inf" : "-Inf");
    else
        json_put_f64(w, v);
}

static void put_column(struct json_writer *w, const struct promql_row *row, const struct times *t)
{
    size_t at = 0;

    json_object_begin(w);
    json_key(w, "labels");
    prometheus_put_labels(w, &row->labels);
    json_key(w, "values");
    json_array_begin(w);
    for (size_t i = 0; i < t->count; i++) {
        if (at < row->count && row->t_ms[at] == t->items[i])
            put_value(w, row->value[at++]);
        else
            json_put_null(w);
    }
    json_array_end(w);
    json_object_end(w);
}

static enum err_code put_columns(struct api_call *call, struct json_writer *w,
                                 const struct request *q, const struct promql_result *r,
                                 struct err *e)
{
    struct times times;
    enum err_code rc = make_times(call->arena, q, r, &times, e);

    if (rc)
        return rc;
    json_object_begin(w);
    json_member_c(w, "resultType", type_name(r->type));
    json_key(w, "times");
    json_array_begin(w);
    for (size_t i = 0; i < times.count; i++)
        json_put_i64(w, times.items[i]);
    json_array_end(w);
    json_key(w, "series");
    json_array_begin(w);
    for (size_t i = 0; i < r->row_count; i++)
        put_column(w, &r->rows[i], &times);
    json_array_end(w);
    json_member_u64(w, "samples", r->samples);
    json_object_end(w);
    return ERR_OK;
}

/* --- the answer --- */

/* Leave out rows over the limit, and say so. */
static enum err_code truncate(struct api_call *call, const struct request *q,
                              struct promql_result *r, struct err *e)
{
    struct str *items = NULL;

    if (q->limit == 0 || r->row_count <= q->limit || r->type == PROMQL_SCALAR)
        return ERR_OK;
    items = arena_array(call->arena, r->warnings.count + 1, sizeof(*items));
    if (!items)
        return arena_fail(call->arena, e);
    if (r->warnings.count)
        memcpy(items, r->warnings.items, r->warnings.count * sizeof(*items));
    items[r->warnings.count++] = STR(TRUNCATED);
    r->warnings.items = items;
    r->row_count = (size_t)q->limit;
    return ERR_OK;
}

static enum err_code answer(struct api_call *call, const struct request *q, struct promql_result *r,
                            struct err *e)
{
    enum err_code rc = truncate(call, q, r, e);
    struct json_writer *w = NULL;

    if (rc)
        return rc;
    w = prometheus_begin(call);
    if (q->columns && r->type != PROMQL_STRING)
        rc = put_columns(call, w, q, r, e);
    else
        put_standard(w, q, r);
    prometheus_end(call, &r->warnings, &r->infos);
    return rc ? rc : buf_check(&call->resp->body, e);
}

static bool client_is_gone(void *arg)
{
    return httpd_is_gone(arg);
}

static enum err_code run(struct api_call *call, struct request *q, struct err *e)
{
    struct prometheus_source source;
    struct promql_result *result = NULL;
    enum err_code rc = prometheus_open(call, &source, e);

    q->query.experimental = true;
    q->query.limits.cancelled = client_is_gone;
    q->query.limits.cancelled_arg = call->req;
    if (rc == ERR_OK)
        rc = promql_run(call->arena, series_tsdb_source(source.series), &q->query, &result, e);
    if (rc == ERR_OK)
        rc = answer(call, q, result, e);
    prometheus_close(call, &source);
    return rc ? prometheus_fail_execution(call, e) : ERR_OK;
}

static enum err_code handle(struct api_call *call, bool range, struct err *e)
{
    struct request q = {0};
    enum err_code rc = prometheus_take_form(call, e);

    if (rc == ERR_OK)
        rc = range ? read_range(call, &q, e) : read_instant(call, &q, e);
    if (rc == ERR_OK)
        rc = check_query(call, q.query.text, e);
    return rc ? prometheus_fail(call, e) : run(call, &q, e);
}

static enum err_code instant(struct api_call *call, struct err *e)
{
    return handle(call, false, e);
}

static enum err_code range(struct api_call *call, struct err *e)
{
    return handle(call, true, e);
}

/* --- the routes --- */

#define COMMON                                                                                 \
    "timeout text: at most so long, such as 5s", "limit int: at most so many series, 0 = all", \
        "lookback_delta text: how far back the newest sample of a series may lie",             \
        "format text(standard|columns): columns has one array of times for all series",        \
        "stats text: ignored"

static const char *const instant_members[] = {"query text!: a PromQL expression",
                                              "time text: Unix seconds or RFC 3339, default now",
                                              COMMON, NULL};
static const char *const range_members[] = {"query text!: a PromQL expression",
                                            "start text!: Unix seconds or RFC 3339",
                                            "end text!: Unix seconds or RFC 3339",
                                            "step text!: between two points: seconds or 1m30s",
                                            COMMON,
                                            NULL};

#define ANSWER                                                                                    \
    "{status: text(success), data: {resultType: text(matrix|vector|scalar|string),"               \
    " result~: any 'as Prometheus has it', times~: [ms] 'with format=columns',"                   \
    " series~: [{labels: {*: text}, values: [any] 'a number, null = absent, or NaN +Inf -Inf'}]," \
    " samples~: int 'read'}, warnings~: [text], infos~: [text]}"

const struct route route_prometheus_query = {
    .method = "GET",
    .path = PROMETHEUS_PATH "/query",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_LIST,
    .classes = HTTPD_API,
    .query = instant_members,
    .handle = instant,
    .summary = "A PromQL expression at one time.",
    .answer = ANSWER,
    .also = "422 503",
};

const struct route route_prometheus_query_form = {
    .method = "POST",
    .path = PROMETHEUS_PATH "/query",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_LIST,
    .classes = HTTPD_API,
    .body = ROUTE_RAW,
    .max_body = 2 * LIMIT_QUERY_BYTES,
    .accepts = PROMETHEUS_FORM,
    .members = instant_members,
    .handle = instant,
    .summary = "The same, with a form.",
    .answer = ANSWER,
    .also = "422 503",
};

const struct route route_prometheus_range = {
    .method = "GET",
    .path = PROMETHEUS_PATH "/query_range",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_LIST,
    .classes = HTTPD_API,
    .query = range_members,
    .handle = range,
    .summary = "A PromQL expression over a range of time.",
    .answer = ANSWER,
    .also = "422 503",
};

const struct route route_prometheus_range_form = {
    .method = "POST",
    .path = PROMETHEUS_PATH "/query_range",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_LIST,
    .classes = HTTPD_API,
    .body = ROUTE_RAW,
    .max_body = 2 * LIMIT_QUERY_BYTES,
    .accepts = PROMETHEUS_FORM,
    .members = range_members,
    .handle = range,
    .summary = "The same, with a form.",
    .answer = ANSWER,
    .also = "422 503",
};
