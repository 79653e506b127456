/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_query.c: the statements that took most of an interval.
 *
 * Sums come from pg_stat_statements (deltas, so they are exact), or from the cumulative counters of
 * an older collector where there are no others; load and waits from session history by the same
 * key. Rows that are not listed are summed into `other`, together with the
 * remainder row of the agent, so that listed + other = total.
 */
#include "api/read/route_query.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "model/flatten.h"
#include "os/clock.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MAX     200
#define REMAINDER     "other" /* the agent's query id for all that it did not name */

static const struct str keys[] = {{"datname", 7}, {"usename", 7}, {"queryid", 7}, {"toplevel", 8}};
enum { KEY_DATNAME, KEY_USENAME, KEY_QUERYID, KEY_TOPLEVEL, KEYS };

/* --- sums --- */

static void add_row(const struct route_query_top *q, struct cell *to, const struct cell *from)
{
    for (size_t c = 0; c < q->total->column_count; c++)
        cell_add(&to[c], from[c]);
}

static double number(struct cell c)
{
    return c.tag == CELL_NULL || c.tag == CELL_STR ? 0 : cell_to_f64(c);
}

static double mean_time(const struct route_query_top *q, const struct cell *cells)
{
    double calls;

    if (q->calls < 0 || q->exec_time < 0)
        return NAN;
    calls = number(cells[q->calls]);
    return calls > 0 ? number(cells[q->exec_time]) / calls : NAN;
}

/* --- reading --- */

static int find_column(const struct aggregate_total *t, struct str name)
{
    for (size_t c = 0; c < t->column_count; c++) {
        if (str_eq(t->columns[c]->name, name))
            return (int)c;
    }
    return -1;
}

/* Of an agent; of an older collector where that is all that the target has. */
static enum err_code choose_relation(struct route_query_top *q, struct err *e)
{
    struct tsdb_group *groups;
    struct tsdb_reader *reader;
    size_t count = 0;
    enum err_code rc = api_reader(q->call, &reader, e);

    q->relation = STR("pg_stat_statements");
    if (rc == ERR_OK)
        rc = tsdb_groups(reader, q->call->arena, &q->id, &groups, &count, e);
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        if (str_eq_c(groups[i].relation, "pg_stat_statements"))
            return ERR_OK;
    }
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        if (str_eq_c(groups[i].relation, FLATTEN_STATEMENTS))
            q->relation = groups[i].relation;
    }
    return rc;
}

static enum err_code read_total(struct route_query_top *q, struct err *e)
{
    struct aggregate_filter filter = {STR("datname"), {NULL, 0}};
    struct aggregate_total_spec spec = {
        .target = q->id,
        .relation = q->relation,
        .by = keys,
        .by_count = KEYS,
        .filters = &filter,
        .from_ms = q->range.from_ms,
        .to_ms = q->range.to_ms,
        .deadline_mono_us = clock_mono_us() + API_READ_DEADLINE_US,
    };
    struct tsdb_reader *reader;
    bool found;
    enum err_code rc = httpd_query(q->call->req, "datname", &filter.value, &found, e);

    spec.filter_count = found;
    if (rc == ERR_OK)
        rc = api_reader(q->call, &reader, e);
    if (rc == ERR_OK)
        rc = aggregate_totals(reader, q->call->arena, &spec, &q->total, e);
    if (rc == ERR_NOT_FOUND) {
        q->total = arena_alloc(q->call->arena, sizeof(*q->total));
        rc = arena_check(q->call->arena, e);
    }
    return rc;
}

static enum err_code choose_sort(struct route_query_top *q, struct str sort, struct err *e)
{
    q->calls = find_column(q->total, STR("calls"));
    q->exec_time = find_column(q->total, STR("total_exec_time"));
    if (sort.len == 0)
        sort = STR("total_exec_time");
    q->sort_load = str_eq_c(sort, "load_aas");
    q->sort_mean = str_eq_c(sort, "mean_exec_time");
    q->sort = find_column(q->total, sort);
    if (q->sort < 0 && !q->sort_load && !q->sort_mean && q->total->column_count > 0)
        return err_set(e, ERR_INVALID, "sort: not a numeric column");
    return ERR_OK;
}

static double rank(const struct route_query_top *q, const struct route_query_row *row)
{
    if (q->sort_load)
        return row->load > 0 ? row->load : 0;
    if (q->sort_mean)
        return isnan(mean_time(q, row->cells)) ? 0 : mean_time(q, row->cells);
    return q->sort >= 0 ? number(row->cells[q->sort]) : 0;
}

static int compare(const void *a, const void *b)
{
    const struct route_query_row *x = a, *y = b;
    int order;

    if (x->rank != y->rank)
        return x->rank < y->rank ? 1 : -1;
    order = str_cmp(x->keys[KEY_QUERYID], y->keys[KEY_QUERYID]);
    return order != 0 ? order : str_cmp(x->keys[KEY_USENAME], y->keys[KEY_USENAME]);
}

static enum err_code make_rows(struct route_query_top *q, struct err *e)
{
    const struct aggregate_total *t = q->total;
    struct arena *a = q->call->arena;

    q->rows = arena_array(a, t->row_count + 1, sizeof(*q->rows));
    q->all = arena_array(a, t->column_count + 1, sizeof(struct cell));
    q->other = arena_array(a, t->column_count + 1, sizeof(struct cell));
    if (arena_check(a, e) != ERR_OK)
        return ERR_LIMIT;
    for (size_t i = 0; i < t->row_count; i++) {
        add_row(q, q->all, t->rows[i].cells);
        if (str_eq_c(t->rows[i].keys[KEY_QUERYID], REMAINDER)) {
            add_row(q, q->other, t->rows[i].cells);
            continue;
        }
        q->rows[q->row_count].keys = t->rows[i].keys;
        q->rows[q->row_count].cells = t->rows[i].cells;
        q->rows[q->row_count++].load = -1;
    }
    return ERR_OK;
}

static void sort_rows(struct route_query_top *q)
{
    for (size_t i = 0; i < q->row_count; i++) {
        q->rows[i].rank = rank(q, &q->rows[i]);
        q->rank_all += q->rows[i].rank;
    }
    if (q->sort >= 0)
        q->rank_all = number(q->all[q->sort]);
    qsort(q->rows, q->row_count, sizeof(*q->rows), compare);
    for (size_t i = q->limit; i < q->row_count; i++)
        add_row(q, q->other, q->rows[i].cells);
    if (q->row_count > q->limit)
        q->row_count = q->limit;
}

/* --- answer --- */

static void put_cells(struct json_writer *w, const struct route_query_top *q,
                      const struct cell *cells)
{
    for (size_t c = 0; c < q->total->column_count; c++) {
        json_key_str(w, q->total->columns[c]->name);
        if (cells[c].tag == CELL_I64)
            json_put_i64(w, cells[c].i64);
        else if (cells[c].tag == CELL_U64)
            json_put_u64(w, cells[c].u64);
        else if (cells[c].tag == CELL_F64)
            json_put_f64(w, cells[c].f64);
        else
            json_put_null(w);
    }
    json_member_f64(w, "mean_exec_time", mean_time(q, cells));
}

static void put_columns(struct json_writer *w, const struct route_query_top *q)
{
    json_key(w, "columns");
    json_array_begin(w);
    for (size_t c = 0; c < q->total->column_count; c++) {
        const struct relation_column *column = q->total->columns[c];

        json_object_begin(w);
        json_member_str(w, "name", column->name);
        json_member_str(w, "unit", column->unit);
        json_member_c(w, "kind", relation_kind_name(column->kind));
        json_object_end(w);
    }
    json_array_end(w);
}

static enum err_code put_text(struct json_writer *w, const struct route_query_top *q,
                              const struct route_query_row *row, struct err *e)
{
    struct tsdb_text_key key = {q->id, STR("query"), row->keys[KEY_QUERYID]};
    struct str text;
    enum err_code rc = tsdb_text(q->call->reader, q->call->arena, &key, &text, e);

    if (rc == ERR_OK) {
        json_member_str(w, "text", text);
        return ERR_OK;
    }
    json_member_null(w, "text");
    json_member_c(w, "text_reason",
                  row->keys[KEY_QUERYID].len == 0 ? "PostgreSQL does not show this statement"
                                                  : "the agent has not sent the text yet");
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err_code put_row(struct json_writer *w, const struct route_query_top *q,
                             const struct route_query_row *row, struct err *e)
{
    enum err_code rc;

    json_object_begin(w);
    json_member_str(w, "queryid", row->keys[KEY_QUERYID]);
    json_member_str(w, "datname", row->keys[KEY_DATNAME]);
    json_member_str(w, "usename", row->keys[KEY_USENAME]);
    json_key(w, "toplevel");
    if (row->keys[KEY_TOPLEVEL].len > 0)
        json_put_bool(w, str_eq_c(row->keys[KEY_TOPLEVEL], "true"));
    else
        json_put_null(w);
    rc = put_text(w, q, row, e);
    put_cells(w, q, row->cells);
    json_member_f64(w, "load_aas", row->load >= 0 ? row->load : NAN);
    json_key(w, "waits");
    json_object_begin(w);
    for (size_t c = 0; c < API_TARGET_WAIT_CLASSES; c++) {
        if (row->waits[c] > 0)
            json_member_f64(w, api_target_wait_class_name(c), row->waits[c]);
    }
    json_object_end(w);
    json_member_f64(w, "share", q->rank_all > 0 ? row->rank / q->rank_all : NAN);
    json_object_end(w);
    return rc;
}

static void put_sum(struct json_writer *w, const struct route_query_top *q, const char *name,
                    const struct cell *cells)
{
    json_key(w, name);
    json_object_begin(w);
    put_cells(w, q, cells);
    json_object_end(w);
}

static enum err_code answer(const struct route_query_top *q, struct err *e)
{
    struct json_writer *w = api_json(q->call, 200);
    enum err_code rc = ERR_OK;

    json_object_begin(w);
    json_member_i64(w, "from_ms", q->range.from_ms);
    json_member_i64(w, "to_ms", q->range.to_ms);
    json_member_str(w, "relation", q->relation);
    json_member_i64(w, "covered_from_ms", q->total->covered_from_ms);
    json_member_i64(w, "covered_to_ms", q->total->covered_to_ms);
    json_member_i64(w, "covered_ms", q->total->covered_ms);
    put_columns(w, q);
    json_key(w, "data");
    json_array_begin(w);
    for (size_t i = 0; rc == ERR_OK && i < q->row_count; i++)
        rc = put_row(w, q, &q->rows[i], e);
    json_array_end(w);
    put_sum(w, q, "other", q->other);
    put_sum(w, q, "total", q->all);
    json_object_end(w);
    return rc;
}

static enum err_code top(struct api_call *call, struct err *e)
{
    struct route_query_top q = {.call = call};
    struct store_target t;
    struct str sort;
    int64_t limit;
    enum err_code rc = api_param(call, "sort", &sort, e);

    if (rc == ERR_OK)
        rc = api_param_i64(call, "limit", (struct api_bounds){LIMIT_DEFAULT, 1, LIMIT_MAX}, &limit,
                           e);
    if (rc == ERR_OK)
        rc = api_param_range(call, &q.range, e);
    if (rc == ERR_OK)
        rc = api_target_get(call, &q.id, &t, e);
    if (rc == ERR_OK)
        rc = choose_relation(&q, e);
    if (rc == ERR_OK)
        rc = read_total(&q, e);
    if (rc == ERR_OK)
        rc = choose_sort(&q, sort, e);
    if (rc == ERR_OK)
        rc = make_rows(&q, e);
    if (rc == ERR_OK)
        rc = route_query_add_load(&q, e);
    if (rc != ERR_OK)
        return rc;
    q.limit = (size_t)limit;
    sort_rows(&q);
    return answer(&q, e);
}

static const char *const list_query[] = {
    ROUTE_RANGE,
    "sort text: a numeric column or load_aas; default total_exec_time",
    "limit int: at most this many, default 20, up to 200",
    "datname text: only this database",
    NULL,
};

const struct route route_query_list = {
    .method = "GET",
    .path = "/api/v1/servers/{id}/queries/top",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_TARGET,
    .classes = HTTPD_API,
    .query = list_query,
    .handle = top,
    .summary = "The statements that took most of an interval.",
    .answer = "{from_ms: ms, to_ms: ms, relation: text 'where the sums come from',"
              " covered_from_ms: ms, covered_to_ms: ms, covered_ms: int,"
              " columns: [Column], data: [{queryid: text, datname: text, usename: text,"
              " toplevel: bool?, text: text?, text_reason~: text, load_aas: num?, waits: {*: num},"
              " share: num?, *: num?}], other: {*: num?}, total: {*: num?}}",
};
