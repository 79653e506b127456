/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_prometheus_series.c: which series, labels, values and metrics there are.
 *
 * With match[] the series of the interval are looked at; without, what the store knows of its
 * newest readings, so that a browser of metrics does not read everything.
 */
#include <stdlib.h>
#include <string.h>

#include "api/prometheus/prometheus.h"
#include "base/limits.h"
#include "base/map.h"
#include "os/clock.h"

#define TRUNCATED   "results truncated due to limit"
#define SPAN_MS     (3600LL * 1000) /* looked at when no start is given */
#define KEY_BYTES   (64 * 1024)
#define METRICS_AGE (2 * 86400000LL) /* metadata is of what had a reading since */

struct request {
    struct series_span span;
    struct prometheus_selectors selectors;
    uint64_t limit;
    struct prometheus_source source;
};

static enum err_code read_request(struct api_call *call, struct request *q, struct err *e)
{
    int64_t now = clock_wall_ms();
    enum err_code rc = prometheus_take_form(call, e);

    if (rc == ERR_OK)
        rc = prometheus_time(call, "end", now, &q->span.to_ms, e);
    if (rc == ERR_OK)
        rc = prometheus_time(call, "start", q->span.to_ms - SPAN_MS, &q->span.from_ms, e);
    if (rc == ERR_OK && q->span.to_ms < q->span.from_ms)
        return err_set(e, ERR_INVALID,
                       "invalid parameter \"end\": end timestamp must not be before start time");
    if (rc == ERR_OK)
        rc = prometheus_limit(call, &q->limit, e);
    if (rc == ERR_OK)
        rc = prometheus_deadline(call, &q->span.deadline_mono_us, e);
    q->span.from_ms--; /* samples of the start itself count */
    return rc ? rc : prometheus_selectors(call, &q->selectors, e);
}

/* --- series that match --- */

struct gathering {
    struct api_call *call;
    struct map *known;
    void *list; /* of labels, or of texts */
    size_t count, cap, size;
    struct str label; /* whose values are gathered; empty = the names of labels */
};

static void *add_item(struct gathering *g, struct err *e)
{
    if (g->count == LIMIT_PROMQL_SERIES) {
        (void)err_set(e, ERR_LIMIT, "more than %d series", LIMIT_PROMQL_SERIES);
        return NULL;
    }
    if (g->count == g->cap) {
        size_t cap = g->cap ? 2 * g->cap : 64;
        void *longer = arena_array(g->call->arena, cap, g->size);
        if (longer && g->count)
            memcpy(longer, g->list, g->count * g->size);
        g->list = longer;
        g->cap = cap;
    }
    if (!g->list) {
        (void)arena_fail(g->call->arena, e);
        return NULL;
    }
    return (char *)g->list + g->count++ * g->size;
}

static enum err_code add_text(struct gathering *g, struct str text, struct err *e)
{
    struct str *at = NULL;

    if (text.len == 0 || map_get(g->known, text))
        return ERR_OK;
    (void)map_put(g->known, text, g);
    at = add_item(g, e);
    if (!at)
        return e->code;
    *at = arena_str(g->call->arena, text);
    return arena_check(g->call->arena, e);
}

static bool put_identity(struct buf *out, const struct labels *l)
{
    buf_reset(out);
    for (size_t i = 0; i < l->count; i++) {
        buf_add_str(out, l->items[i].name);
        buf_add_char(out, '\0');
        buf_add_str(out, l->items[i].value);
        buf_add_char(out, '\0');
    }
    return !out->failed;
}

static enum err_code add_series(struct gathering *g, const struct labels *l, struct err *e)
{
    struct arena *a = g->call->arena;
    struct labels *to = NULL;
    struct label *items = NULL;
    struct buf identity;
    bool known = false;

    buf_init(&identity, KEY_BYTES);
    if (put_identity(&identity, l))
        known = map_put(g->known, buf_view(&identity), g) != NULL;
    buf_fini(&identity);
    if (known)
        return ERR_OK;
    to = add_item(g, e);
    items = arena_array(a, l->count, sizeof(*items));
    if (!to)
        return e->code;
    for (size_t i = 0; items && i < l->count; i++)
        items[i] = (struct label){arena_str(a, l->items[i].name), arena_str(a, l->items[i].value)};
    *to = (struct labels){l->count, items};
    return arena_check(a, e);
}

typedef enum err_code each_series(struct gathering *g, const struct labels *l, struct err *e);

static enum err_code add_label_names(struct gathering *g, const struct labels *l, struct err *e)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < l->count; i++)
        rc = add_text(g, l->items[i].name, e);
    return rc;
}

static enum err_code add_label_value(struct gathering *g, const struct labels *l, struct err *e)
{
    return add_text(g, labels_get(l, g->label), e);
}

static enum err_code gather_one(struct gathering *g, const struct request *q,
                                const struct prometheus_selector *s, each_series *each,
                                struct err *e)
{
    struct series_select spec = {
        .matchers = s->matchers,
        .matcher_count = s->count,
        .from_ms = q->span.from_ms,
        .to_ms = q->span.to_ms,
        .labels_only = true,
        .deadline_mono_us = q->span.deadline_mono_us,
    };
    struct series_set *set = NULL;
    struct series one;
    bool more = true;
    enum err_code rc = series_select(series_tsdb_source(q->source.series), g->call->arena, &spec,
                                     &set, e);

    while (rc == ERR_OK && more) {
        rc = series_next(set, &one, &more, e);
        if (rc == ERR_OK && more)
            rc = each(g, &one.labels, e);
    }
    series_close(set);
    return rc;
}

static enum err_code gather(struct gathering *g, const struct request *q, each_series *each,
                            struct err *e)
{
    enum err_code rc = ERR_OK;

    g->known = map_new();
    for (size_t i = 0; rc == ERR_OK && i < q->selectors.count; i++)
        rc = gather_one(g, q, &q->selectors.items[i], each, e);
    map_free(g->known, NULL);
    return rc;
}

/* --- answers --- */

/* How many are shown; says so when these are not all. */
static size_t shown(const struct request *q, size_t count, struct promql_notes *warnings)
{
    static struct str truncated = {TRUNCATED, sizeof(TRUNCATED) - 1};

    *warnings = (struct promql_notes){0};
    if (q->limit == 0 || count <= q->limit)
        return count;
    *warnings = (struct promql_notes){1, &truncated};
    return (size_t)q->limit;
}

static int by_labels(const void *x, const void *y)
{
    return labels_compare(x, y);
}

static int by_text(const void *x, const void *y)
{
    return str_cmp(*(const struct str *)x, *(const struct str *)y);
}

static void put_texts(struct api_call *call, const struct request *q,
                      const struct series_texts *texts)
{
    struct promql_notes warnings;
    size_t count = shown(q, texts->count, &warnings);
    struct json_writer *w = prometheus_begin(call);

    json_array_begin(w);
    for (size_t i = 0; i < count; i++)
        json_put_str(w, texts->items[i]);
    json_array_end(w);
    prometheus_end(call, &warnings, NULL);
}

static enum err_code answer_series(struct api_call *call, struct request *q, struct err *e)
{
    struct gathering g = {.call = call, .size = sizeof(struct labels)};
    enum err_code rc = gather(&g, q, add_series, e);
    const struct labels *list = g.list;
    struct promql_notes warnings;

    if (rc)
        return rc;
    if (g.count)
        qsort(g.list, g.count, g.size, by_labels);
    size_t count = shown(q, g.count, &warnings);
    struct json_writer *w = prometheus_begin(call);
    json_array_begin(w);
    for (size_t i = 0; i < count; i++)
        prometheus_put_labels(w, &list[i]);
    json_array_end(w);
    prometheus_end(call, &warnings, NULL);
    return ERR_OK;
}

/* label: whose values; empty = the names of labels. */
static enum err_code answer_texts(struct api_call *call, struct request *q, struct str label,
                                  struct err *e)
{
    struct series_texts texts = {0};
    struct gathering g = {.call = call, .size = sizeof(struct str), .label = label};
    enum err_code rc = ERR_OK;

    if (q->selectors.count) {
        rc = gather(&g, q, label.len ? add_label_value : add_label_names, e);
        texts = (struct series_texts){g.count, g.list};
        if (rc == ERR_OK && g.count)
            qsort(texts.items, texts.count, sizeof(*texts.items), by_text);
    } else if (label.len) {
        rc = series_list_values(q->source.series, label, &q->span, &texts, e);
    } else {
        rc = series_list_labels(q->source.series, &q->span, &texts, e);
    }
    if (rc == ERR_OK)
        put_texts(call, q, &texts);
    return rc;
}

static enum err_code series(struct api_call *call, struct err *e)
{
    struct request q = {0};
    enum err_code rc = read_request(call, &q, e);

    if (rc == ERR_OK && q.selectors.count == 0)
        rc = err_set(e, ERR_INVALID, "no match[] parameter provided");
    if (rc == ERR_OK)
        rc = prometheus_open(call, &q.source, e);
    if (rc == ERR_OK)
        rc = answer_series(call, &q, e);
    prometheus_close(call, &q.source);
    return rc ? prometheus_fail(call, e) : ERR_OK;
}

static enum err_code texts(struct api_call *call, struct str label, struct err *e)
{
    struct request q = {0};
    enum err_code rc = read_request(call, &q, e);

    if (rc == ERR_OK)
        rc = prometheus_open(call, &q.source, e);
    if (rc == ERR_OK)
        rc = answer_texts(call, &q, label, e);
    prometheus_close(call, &q.source);
    return rc ? prometheus_fail(call, e) : ERR_OK;
}

static enum err_code labels(struct api_call *call, struct err *e)
{
    return texts(call, STR(""), e);
}

static enum err_code values(struct api_call *call, struct err *e)
{
    return texts(call, call->params[0], e);
}

/* --- metadata --- */

static const char *type_name(enum series_kind kind)
{
    switch (kind) {
    case SERIES_COUNTER:
        return "counter";
    case SERIES_GAUGE:
    case SERIES_DELTA:
        return "gauge";
    case SERIES_LOOSE:
        break;
    }
    return "unknown";
}

static void put_metadata(struct json_writer *w, const struct series_name *n)
{
    json_key_str(w, n->name);
    json_array_begin(w);
    json_object_begin(w);
    json_member_c(w, "type", type_name(n->kind));
    json_member_str(w, "help", n->help);
    json_member_str(w, "unit", n->unit);
    json_object_end(w);
    json_array_end(w);
}

static enum err_code list_metadata(struct api_call *call, const struct prometheus_source *source,
                                   struct err *e)
{
    int64_t now = clock_wall_ms();
    struct series_span span = {.from_ms = now - METRICS_AGE,
                               .to_ms = now,
                               .deadline_mono_us = clock_mono_us() + API_READ_DEADLINE_US};
    struct series_names names;
    struct str metric;
    uint64_t limit = 0, shown_count = 0;
    enum err_code rc = prometheus_limit(call, &limit, e);

    if (rc == ERR_OK)
        rc = api_param(call, "metric", &metric, e);
    if (rc == ERR_OK)
        rc = series_list_names(source->series, &span, &names, e);
    if (rc)
        return rc;
    struct json_writer *w = prometheus_begin(call);
    json_object_begin(w);
    for (size_t i = 0; i < names.count && (limit == 0 || shown_count < limit); i++) {
        if (metric.len && !str_eq(metric, names.items[i].name))
            continue;
        put_metadata(w, &names.items[i]);
        shown_count++;
    }
    json_object_end(w);
    prometheus_end(call, NULL, NULL);
    return ERR_OK;
}

static enum err_code metadata(struct api_call *call, struct err *e)
{
    struct prometheus_source source;
    enum err_code rc = prometheus_open(call, &source, e);

    if (rc == ERR_OK)
        rc = list_metadata(call, &source, e);
    prometheus_close(call, &source);
    return rc ? prometheus_fail(call, e) : ERR_OK;
}

/* --- the routes --- */

#define INTERVAL                                                            \
    "start text: Unix seconds or RFC 3339, default an hour before the end", \
        "end text: Unix seconds or RFC 3339, default now"
#define LIMIT "limit int: at most so many, 0 = all"

static const char *const series_members[] = {
    "match[] text!: a selector, such as pg_stat_database_xact_commit{datname=\"app\"}; several",
    INTERVAL, LIMIT, NULL};
static const char *const label_members[] = {
    "match[] text: a selector; several: labels of series that match one", INTERVAL, LIMIT, NULL};
static const char *const metadata_members[] = {"metric text: only this one", LIMIT, NULL};

const struct route route_prometheus_series = {
    .method = "GET",
    .path = PROMETHEUS_PATH "/series",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_LIST,
    .classes = HTTPD_API,
    .query = series_members,
    .handle = series,
    .summary = "The series that match.",
    .answer = "{status: text(success), data: [{*: text}], warnings~: [text]}",
    .also = "422 503",
};

const struct route route_prometheus_series_form = {
    .method = "POST",
    .path = PROMETHEUS_PATH "/series",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_LIST,
    .classes = HTTPD_API,
    .body = ROUTE_RAW,
    .max_body = 2 * LIMIT_QUERY_BYTES,
    .accepts = PROMETHEUS_FORM,
    .members = series_members,
    .handle = series,
    .summary = "The same, with a form.",
    .answer = "{status: text(success), data: [{*: text}], warnings~: [text]}",
    .also = "422 503",
};

const struct route route_prometheus_labels = {
    .method = "GET",
    .path = PROMETHEUS_PATH "/labels",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_LIST,
    .classes = HTTPD_API,
    .query = label_members,
    .handle = labels,
    .summary = "The names of labels.",
    .answer = "{status: text(success), data: [text], warnings~: [text]}",
    .also = "422 503",
};

const struct route route_prometheus_labels_form = {
    .method = "POST",
    .path = PROMETHEUS_PATH "/labels",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_LIST,
    .classes = HTTPD_API,
    .body = ROUTE_RAW,
    .max_body = 2 * LIMIT_QUERY_BYTES,
    .accepts = PROMETHEUS_FORM,
    .members = label_members,
    .handle = labels,
    .summary = "The same, with a form.",
    .answer = "{status: text(success), data: [text], warnings~: [text]}",
    .also = "422 503",
};

const struct route route_prometheus_values = {
    .method = "GET",
    .path = PROMETHEUS_PATH "/label/{name}/values",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_LIST,
    .classes = HTTPD_API,
    .query = label_members,
    .handle = values,
    .summary = "The values of a label; of __name__ the metrics.",
    .answer = "{status: text(success), data: [text], warnings~: [text]}",
    .also = "422 503",
};

const struct route route_prometheus_metadata = {
    .method = "GET",
    .path = PROMETHEUS_PATH "/metadata",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_LIST,
    .classes = HTTPD_API,
    .query = metadata_members,
    .handle = metadata,
    .summary = "Type, help and unit of the metrics.",
    .answer = "{status: text(success), data: {*: [{type: text(counter|gauge|unknown), help: text,"
              " unit: text}]}}",
    .also = "422 503",
};
