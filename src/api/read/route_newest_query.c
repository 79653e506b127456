/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_newest_query.c: the slowest and the most frequent statements of a collector.
 *
 * Our agents deliver what happened in each interval, so theirs are sums over a window, which the
 * answer names. Older collectors deliver what the server counted since its last reset; theirs are
 * the rows of the newest document, in its own words. Each row says which it is: "sums".
 */
#include <math.h>

#include "api/read/route_newest.h"
#include "os/clock.h"
#include "store/tsdb/read/aggregate.h"

#define NATIVE    "pg_stat_statements"
#define OLD       "pg_query_stats_queries"
#define REMAINDER "other" /* the agent's query id for all that it did not name */

static const struct str keys[] = {{"datname", 7}, {"usename", 7}, {"queryid", 7}, {"toplevel", 8}};
enum { KEY_QUERYID = 2, KEYS = 4 };

enum order { BY_MEAN, BY_CALLS };

static double number(struct cell c)
{
    return c.tag == CELL_NULL || c.tag == CELL_STR ? 0 : cell_to_f64(c);
}

static double mean_of(struct cell calls, struct cell time)
{
    return number(calls) > 0 ? number(time) / number(calls) : -1;
}

/* --- our agents --- */

static struct api_newest_reading *window_reading(struct api_newest *n,
                                                 const struct store_target *target,
                                                 const struct aggregate_total *t)
{
    struct arena *a = n->call->arena;
    struct api_newest_reading *r = arena_alloc(a, sizeof(*r));
    struct str *columns = arena_array(a, t->column_count + 1, sizeof(*columns));

    if (!r || !columns)
        return NULL;
    for (size_t c = 0; c < t->column_count; c++)
        columns[c] = t->columns[c]->name;
    *r = (struct api_newest_reading){
        .target = target,
        .relation = STR(NATIVE),
        .t_ms = t->covered_to_ms,
        .from_ms = t->covered_from_ms,
        .complete = !t->incomplete,
        .sums = "window",
        .key_count = KEYS,
        .column_count = t->column_count,
        .keys = keys,
        .columns = columns,
        .key_used = arena_array(a, KEYS, sizeof(bool)),
        .column_used = arena_array(a, t->column_count + 1, sizeof(bool)),
    };
    (void)text_parse_uuid(str_of(target->id), &r->target_id);
    return r->key_used && r->column_used ? r : NULL;
}

static enum err_code add_sums(struct api_newest *n, const struct aggregate_total *t,
                              struct api_newest_reading *r, enum order order, struct err *e)
{
    for (size_t i = 0; i < t->row_count; i++) {
        struct api_newest_row *row;

        if (str_eq_c(t->rows[i].keys[KEY_QUERYID], REMAINDER))
            continue;
        row = api_newest_add(n, r);
        if (!row)
            return arena_fail(n->call->arena, e);
        row->keys = t->rows[i].keys;
        row->cells = t->rows[i].cells;
        for (size_t k = 0; k < KEYS; k++)
            r->key_used[k] |= row->keys[k].len > 0;
        for (size_t c = 0; c < r->column_count; c++)
            r->column_used[c] |= row->cells[c].tag != CELL_NULL;
        row->mean = mean_of(api_newest_cell(row, "calls"), api_newest_cell(row, "total_exec_time"));
        row->rank = order == BY_MEAN ? row->mean : number(api_newest_cell(row, "calls"));
    }
    return ERR_OK;
}

static enum err_code add_native(struct api_newest *n, const struct store_target *target,
                                const struct api_range *range, enum order order, struct err *e)
{
    struct aggregate_filter filter = {STR("datname"), n->database};
    struct aggregate_total_spec spec = {
        .relation = STR(NATIVE),
        .by = keys,
        .by_count = KEYS,
        .filters = &filter,
        .filter_count = n->database.len > 0,
        .from_ms = range->from_ms,
        .to_ms = range->to_ms,
        .deadline_mono_us = clock_mono_us() + API_READ_DEADLINE_US,
    };
    struct api_newest_reading *r;
    struct aggregate_total *t;
    enum err_code rc;

    if (!text_parse_uuid(str_of(target->id), &spec.target))
        return err_set(e, ERR_CORRUPT, "target id %s", target->id);
    rc = aggregate_totals(n->call->reader, n->call->arena, &spec, &t, e);
    if (rc != ERR_OK)
        return rc;
    r = window_reading(n, target, t);
    return r ? add_sums(n, t, r, order, e) : arena_fail(n->call->arena, e);
}

/* --- older collectors --- */

static enum err_code add_old(struct api_newest *n, const struct store_target *target,
                             enum order order, struct err *e)
{
    static const struct api_newest_part part = {{{OLD, NULL}}};
    size_t first = n->count;
    enum err_code rc = api_newest_read(n, target, &part, e);

    for (size_t i = first; rc == ERR_OK && i < n->count; i++) {
        struct api_newest_row *row = &n->rows[i];
        struct cell mean = api_newest_cell(row, "mean_time");
        struct cell calls = api_newest_cell(row, "calls");

        row->reading->sums = "since_reset";
        row->rank = number(calls);
        if (order == BY_MEAN)
            row->rank = mean.tag == CELL_NULL ? mean_of(calls, api_newest_cell(row, "total_time"))
                                              : number(mean);
    }
    return rc;
}

/* --- the answer --- */

static enum err_code add_target(struct api_newest *n, const struct store_target *target,
                                const struct api_range *range, enum order order, struct err *e)
{
    bool has;
    enum err_code rc = api_newest_has(n, target, NATIVE, &has, e);

    if (rc != ERR_OK)
        return rc;
    return has ? add_native(n, target, range, order, e) : add_old(n, target, order, e);
}

static enum err_code statements(struct api_call *call, enum order order, struct err *e)
{
    struct api_newest n = {.call = call};
    struct store_target_page targets;
    struct api_newest_page page;
    struct api_range range;
    struct json_writer *w;
    enum err_code rc = route_newest_begin(&n, &page, &targets, e);

    if (rc == ERR_OK)
        rc = api_param_range(call, &range, e);
    for (size_t t = 0; rc == ERR_OK && t < targets.count; t++)
        rc = add_target(&n, &targets.rows[t], &range, order, e);
    if (rc != ERR_OK)
        return rc;
    api_newest_order(&n);
    w = api_json(call, 200);
    json_object_begin(w);
    json_member_c(w, "metric_type", "pg_query_stats");
    json_member_c(w, "order", order == BY_MEAN ? "mean_time" : "calls");
    json_member_i64(w, "from_ms", range.from_ms);
    json_member_i64(w, "to_ms", range.to_ms);
    rc = api_newest_put(&n, &page, w, e);
    json_object_end(w);
    return rc;
}

static enum err_code slow(struct api_call *call, struct err *e)
{
    return statements(call, BY_MEAN, e);
}

static enum err_code frequent(struct api_call *call, struct err *e)
{
    return statements(call, BY_CALLS, e);
}

static const char *const query[] = {
    "from when: begin of the window of an agent's sums, default one hour before to",
    "to when: its end, default now; what an older collector tells is not of a window",
    API_NEWEST_QUERY,
    NULL,
};

#define STATEMENTS(name)                                                                    \
    .method = "GET", .path = "/api/v1/collectors/{id}/queries/" name, .role = ROUTE_VIEWER, \
    .sight = ROUTE_SIGHT_COLLECTOR, .classes = HTTPD_API, .query = query,                   \
    .answer = "{metric_type: text, order: text(mean_time|calls), from_ms: ms 'the "         \
              "window', to_ms: ms, " API_NEWEST_ANSWER "}"

const struct route route_newest_slow = {
    STATEMENTS("slow"),
    .handle = slow,
    .summary = "The statements of a collector, the highest mean time first.",
};

const struct route route_newest_frequent = {
    STATEMENTS("frequent"),
    .handle = frequent,
    .summary = "The statements of a collector, the most calls first.",
};
