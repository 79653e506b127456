/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_top.c: what of a relation was most in an interval, by any column, grouped by any of its
 * keys, and beside it what it was in another interval.
 *
 * Values are totals: the rise of a counter with its resets, the sum of a delta, the newest value of
 * a level. A level of a group of several rows has no one value and is null. Intervals may differ in
 * length: what is compared is the rate, by the time that readings cover. Rows that are not listed
 * are summed into `other`, so that listed + other = total.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/fleet/api_target.h"
#include "base/limits.h"
#include "base/map.h"
#include "os/clock.h"
#include "store/tsdb/read/aggregate.h"

#define LIMIT_DEFAULT 20
#define FILTERS_MAX   16
#define KEY_BYTES_MAX 65536

struct top_row {
    const struct str *keys;
    const struct cell *cells, *before; /* NULL = not in that interval */
    double rank;
};

struct top {
    struct api_call *call;
    struct uuid id;
    struct str relation;
    struct api_range range, other_range;
    bool compares, by_change, rising;
    struct api_words by;
    struct str *keys; /* what is grouped by */
    size_t key_count;
    bool groups; /* several rows may come together */
    struct aggregate_filter filters[FILTERS_MAX];
    size_t filter_count;
    struct str order_name;
    size_t order;
    struct aggregate_total *now, *before;
    struct top_row *rows;
    size_t row_count, limit;
};

/* --- the request --- */

/* where=key=value, as often as one likes. */
static enum err_code read_filters(struct top *t, struct err *e)
{
    struct httpd_param *params;
    size_t count = 0;
    enum err_code rc = httpd_params(t->call->req, &params, &count, e);

    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        struct str value = params[i].value, key;

        if (!str_eq_c(params[i].name, "where"))
            continue;
        if (t->filter_count == FILTERS_MAX)
            return err_set(e, ERR_INVALID, "where: at most %d of them", FILTERS_MAX);
        key = str_split(&value, '=');
        if (key.len == 0 || value.ptr == NULL)
            return err_set(e, ERR_INVALID, "where: key=value");
        t->filters[t->filter_count++] = (struct aggregate_filter){key, value};
    }
    return rc;
}

static enum err_code read_compare(struct top *t, struct err *e)
{
    struct str from = {NULL, 0}, to = {NULL, 0};
    int64_t span = t->range.to_ms - t->range.from_ms;
    enum err_code rc = api_param(t->call, "compare_from", &from, e);

    if (rc == ERR_OK)
        rc = api_param(t->call, "compare_to", &to, e);
    t->compares = rc == ERR_OK && (from.len > 0 || to.len > 0);
    if (rc != ERR_OK || !t->compares)
        return rc;
    rc = api_param_time(t->call, "compare_to", t->range.from_ms, &t->other_range.to_ms, e);
    if (rc == ERR_OK && to.len == 0 && from.len > 0) { /* as long as the other interval */
        rc = api_param_time(t->call, "compare_from", 0, &t->other_range.from_ms, e);
        t->other_range.to_ms = t->other_range.from_ms + span;
        return rc;
    }
    if (rc == ERR_OK)
        rc = api_param_time(t->call, "compare_from", t->other_range.to_ms - span,
                            &t->other_range.from_ms, e);
    if (rc == ERR_OK && t->other_range.from_ms >= t->other_range.to_ms)
        return err_set(e, ERR_INVALID, "compare_from is not before compare_to");
    return rc;
}

static enum err_code read_words(struct top *t, struct err *e)
{
    struct str rank, direction;
    enum err_code rc = api_param(t->call, "rank", &rank, e);

    if (rc == ERR_OK)
        rc = api_param(t->call, "direction", &direction, e);
    if (rc != ERR_OK)
        return rc;
    t->by_change = str_eq_c(rank, "change");
    if (rank.len > 0 && !t->by_change && !str_eq_c(rank, "value"))
        return err_set(e, ERR_INVALID, "rank: value or change");
    if (t->by_change && !t->compares)
        return err_set(e, ERR_INVALID, "rank: a change needs compare_from or compare_to");
    t->rising = str_eq_c(direction, "asc");
    if (direction.len > 0 && !t->rising && !str_eq_c(direction, "desc"))
        return err_set(e, ERR_INVALID, "direction: asc or desc");
    return ERR_OK;
}

static enum err_code read_request(struct top *t, struct err *e)
{
    int64_t limit = 0;
    enum err_code rc = api_param(t->call, "relation", &t->relation, e);

    if (rc == ERR_OK && t->relation.len == 0)
        return err_set(e, ERR_INVALID, "relation: which one?");
    if (rc == ERR_OK)
        rc = api_param(t->call, "order", &t->order_name, e);
    if (rc == ERR_OK)
        rc = api_param_words(t->call, "by", &t->by, e);
    if (rc == ERR_OK)
        rc = api_param_i64(t->call, "limit", (struct api_bounds){LIMIT_DEFAULT, 1, LIMIT_LIST_PAGE},
                           &limit, e);
    if (rc == ERR_OK)
        rc = api_param_range(t->call, &t->range, e);
    if (rc == ERR_OK)
        rc = read_compare(t, e);
    if (rc == ERR_OK)
        rc = read_words(t, e);
    if (rc == ERR_OK)
        rc = read_filters(t, e);
    t->limit = (size_t)limit;
    return rc;
}

/* --- reading --- */

static bool has_word(const struct api_words *words, struct str name)
{
    for (size_t i = 0; i < words->count; i++) {
        if (str_eq(words->items[i], name))
            return true;
    }
    return false;
}

/* By the keys that were asked for; else by all of them. */
static enum err_code choose_keys(struct top *t, const struct relation *r, struct err *e)
{
    t->keys = arena_array(t->call->arena, r->key_count + t->by.count + 1, sizeof(*t->keys));
    if (t->keys == NULL)
        return arena_check(t->call->arena, e);
    for (size_t i = 0; i < (t->by.present ? t->by.count : r->key_count); i++)
        t->keys[t->key_count++] = t->by.present ? t->by.items[i] : r->keys[i].name;
    for (size_t i = 0; t->by.present && i < r->key_count; i++)
        t->groups = t->groups || !has_word(&t->by, r->keys[i].name);
    return ERR_OK;
}

static enum err_code read_relation(struct top *t, struct err *e)
{
    struct tsdb_reader *reader;
    struct relation *r = NULL;
    enum err_code rc = api_reader(t->call, &reader, e);

    if (rc == ERR_OK)
        rc = tsdb_relation(reader, t->call->arena, t->relation, &r, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND, "there is no such relation");
    return rc == ERR_OK ? choose_keys(t, r, e) : rc;
}

static enum err_code read_total(struct top *t, const struct api_range *range,
                                struct aggregate_total **out, struct err *e)
{
    const struct aggregate_total_spec spec = {
        .target = t->id,
        .relation = t->relation,
        .by = t->keys,
        .by_count = t->key_count,
        .filters = t->filters,
        .filter_count = t->filter_count,
        .from_ms = range->from_ms,
        .to_ms = range->to_ms,
        .deadline_mono_us = clock_mono_us() + API_READ_DEADLINE_US,
    };

    return aggregate_totals(t->call->reader, t->call->arena, &spec, out, e);
}

/* --- ranking --- */

static double number(struct cell c)
{
    return c.tag == CELL_NULL || c.tag == CELL_STR ? NAN : cell_to_f64(c);
}

static bool is_level(const struct top *t, size_t c)
{
    return t->now->columns[c]->kind == RELATION_GAUGE;
}

/* The first column of which there are totals, unless one was named. */
static enum err_code choose_order(struct top *t, struct err *e)
{
    size_t first = t->now->column_count;

    for (size_t c = 0; c < t->now->column_count; c++) {
        if (str_eq(t->now->columns[c]->name, t->order_name)) {
            t->order = c;
            if (is_level(t, c) && t->groups)
                return err_set(e, ERR_INVALID, "order: a level of several rows is no one value");
            return ERR_OK;
        }
        if (first == t->now->column_count && !is_level(t, c))
            first = c;
    }
    if (t->order_name.len > 0)
        return err_set(e, ERR_INVALID, "order: not a numeric column");
    t->order = first < t->now->column_count ? first : 0;
    return ERR_OK;
}

/* A second's share, for comparing intervals; of a level the value itself. */
static double rate(const struct top *t, const struct aggregate_total *total,
                   const struct cell *cells)
{
    double v = cells != NULL ? number(cells[t->order]) : NAN;

    if (is_level(t, t->order))
        return v;
    if (total->covered_ms <= 0)
        return NAN;
    return (isnan(v) ? 0 : v) * 1000 / (double)total->covered_ms;
}

static double change_of(const struct top *t, const struct top_row *row)
{
    return t->compares ? rate(t, t->now, row->cells) - rate(t, t->before, row->before) : NAN;
}

/* The bytes of a row's keys, to find it in the other interval. */
static struct str row_name(const struct top *t, const struct str *keys, struct buf *out)
{
    buf_reset(out);
    for (size_t k = 0; k < t->key_count; k++) {
        buf_printf(out, "%zu:", keys[k].len);
        buf_add_str(out, keys[k]);
    }
    return buf_view(out);
}

static void add_rows(struct top *t, struct map *by_name, const struct aggregate_total *total,
                     bool before)
{
    struct buf name;

    buf_init(&name, KEY_BYTES_MAX);
    for (size_t i = 0; i < total->row_count; i++) {
        struct str key = row_name(t, total->rows[i].keys, &name);
        struct top_row *row = map_get(by_name, key);

        if (row == NULL) {
            row = &t->rows[t->row_count++];
            row->keys = total->rows[i].keys;
            (void)map_put(by_name, key, row);
        }
        *(before ? &row->before : &row->cells) = total->rows[i].cells;
    }
    buf_fini(&name);
}

static int compare_rows(const void *a, const void *b)
{
    const struct top_row *x = a, *y = b;

    if (isnan(x->rank) || isnan(y->rank))
        return isnan(x->rank) - isnan(y->rank);
    return x->rank < y->rank ? 1 : x->rank > y->rank ? -1 : str_cmp(x->keys[0], y->keys[0]);
}

static enum err_code make_rows(struct top *t, struct err *e)
{
    size_t most = t->now->row_count + (t->compares ? t->before->row_count : 0);
    struct map *by_name;

    t->rows = arena_array(t->call->arena, most + 1, sizeof(*t->rows));
    if (t->rows == NULL)
        return arena_check(t->call->arena, e);
    by_name = map_new();
    add_rows(t, by_name, t->now, false);
    if (t->compares)
        add_rows(t, by_name, t->before, true);
    map_free(by_name, NULL);
    for (size_t i = 0; i < t->row_count; i++) {
        struct top_row *row = &t->rows[i];

        row->rank = t->by_change         ? change_of(t, row)
                    : row->cells != NULL ? number(row->cells[t->order])
                                         : NAN;
        row->rank = t->rising ? -row->rank : row->rank;
    }
    if (t->key_count > 0)
        qsort(t->rows, t->row_count, sizeof(*t->rows), compare_rows);
    return ERR_OK;
}

/* --- the answer --- */

static void put_cell(struct json_writer *w, struct cell c)
{
    if (c.tag == CELL_I64)
        json_put_i64(w, c.i64);
    else if (c.tag == CELL_U64)
        json_put_u64(w, c.u64);
    else if (c.tag == CELL_F64)
        json_put_f64(w, c.f64);
    else
        json_put_null(w);
}

static void put_values(struct json_writer *w, const struct top *t, const char *name,
                       const struct cell *cells)
{
    json_key(w, name);
    if (cells == NULL) {
        json_put_null(w);
        return;
    }
    json_object_begin(w);
    for (size_t c = 0; c < t->now->column_count; c++) {
        json_key_str(w, t->now->columns[c]->name);
        if (is_level(t, c) && t->groups)
            json_put_null(w);
        else
            put_cell(w, cells[c]);
    }
    json_object_end(w);
}

/* Sums of rows; levels have none. */
static void put_sum(struct json_writer *w, const struct top *t, const char *name, size_t from)
{
    json_key(w, name);
    json_object_begin(w);
    for (size_t c = 0; c < t->now->column_count; c++) {
        double sum = 0;
        bool any = false;

        for (size_t i = from; i < t->row_count; i++) {
            double v = t->rows[i].cells != NULL ? number(t->rows[i].cells[c]) : NAN;
            any = any || !isnan(v);
            sum += isnan(v) ? 0 : v;
        }
        json_key_str(w, t->now->columns[c]->name);
        json_put_f64(w, any && !is_level(t, c) ? sum : NAN);
    }
    json_object_end(w);
}

static double sum_of_order(const struct top *t)
{
    double sum = 0;

    for (size_t i = 0; i < t->row_count; i++) {
        double v = t->rows[i].cells != NULL ? number(t->rows[i].cells[t->order]) : NAN;
        sum += isnan(v) ? 0 : v;
    }
    return sum;
}

static void put_row(struct json_writer *w, const struct top *t, const struct top_row *row,
                    double all)
{
    double v = row->cells != NULL && !is_level(t, t->order) ? number(row->cells[t->order]) : NAN;

    json_object_begin(w);
    json_key(w, "keys");
    json_object_begin(w);
    for (size_t k = 0; k < t->key_count; k++) {
        json_key_str(w, t->keys[k]);
        json_put_str(w, row->keys[k]);
    }
    json_object_end(w);
    put_values(w, t, "values", row->cells);
    put_values(w, t, "before", row->before);
    json_member_f64(w, "share", all > 0 ? v / all : NAN);
    json_member_f64(w, "change", change_of(t, row));
    json_object_end(w);
}

static void put_range(struct json_writer *w, const struct api_range *range,
                      const struct aggregate_total *total)
{
    json_member_i64(w, "from_ms", range->from_ms);
    json_member_i64(w, "to_ms", range->to_ms);
    json_member_i64(w, "covered_ms", total->covered_ms);
}

static void put_columns(struct json_writer *w, const struct top *t)
{
    json_key(w, "columns");
    json_array_begin(w);
    for (size_t c = 0; c < t->now->column_count; c++) {
        const struct relation_column *column = t->now->columns[c];

        json_object_begin(w);
        json_member_str(w, "name", column->name);
        json_member_str(w, "unit", column->unit);
        json_member_c(w, "kind", relation_kind_name(column->kind));
        json_object_end(w);
    }
    json_array_end(w);
}

static void put_head(struct json_writer *w, const struct top *t)
{
    json_member_str(w, "relation", t->relation);
    put_range(w, &t->range, t->now);
    json_key(w, "compare");
    if (t->compares) {
        json_object_begin(w);
        put_range(w, &t->other_range, t->before);
        json_object_end(w);
    } else {
        json_put_null(w);
    }
    json_key(w, "by");
    json_array_begin(w);
    for (size_t k = 0; k < t->key_count; k++)
        json_put_str(w, t->keys[k]);
    json_array_end(w);
    json_key(w, "order");
    if (t->now->column_count > 0)
        json_put_str(w, t->now->columns[t->order]->name);
    else
        json_put_null(w);
    put_columns(w, t);
}

static void answer(const struct top *t)
{
    struct json_writer *w = api_json(t->call, 200);
    size_t shown = t->row_count < t->limit ? t->row_count : t->limit;
    double all = t->now->column_count > 0 ? sum_of_order(t) : 0;

    json_object_begin(w);
    put_head(w, t);
    json_key(w, "data");
    json_array_begin(w);
    for (size_t i = 0; i < shown; i++)
        put_row(w, t, &t->rows[i], all);
    json_array_end(w);
    json_member_u64(w, "rows", t->row_count);
    put_sum(w, t, "other", shown);
    put_sum(w, t, "total", 0);
    json_object_end(w);
}

static enum err_code top(struct api_call *call, struct err *e)
{
    struct top t = {.call = call};
    struct store_target target;
    enum err_code rc = read_request(&t, e);

    if (rc == ERR_OK)
        rc = api_target_get(call, &t.id, &target, e);
    if (rc == ERR_OK)
        rc = read_relation(&t, e);
    if (rc == ERR_OK)
        rc = read_total(&t, &t.range, &t.now, e);
    if (rc == ERR_OK && t.compares)
        rc = read_total(&t, &t.other_range, &t.before, e);
    if (rc == ERR_OK)
        rc = choose_order(&t, e);
    if (rc == ERR_OK)
        rc = make_rows(&t, e);
    if (rc == ERR_OK)
        answer(&t);
    return rc;
}

static const char *const top_query[] = {
    ROUTE_RANGE,
    "relation text!: its name",
    "by list: keys to group by, scope among them; default all keys of the relation",
    "order text: a numeric column, default the first that is a counter or a delta",
    "direction text(desc|asc): default desc",
    "rank text(value|change): order by the value, or by the change between the intervals",
    "where text: key=value, only such rows; may be repeated",
    "limit int: at most this many, default 20, up to 1000",
    "compare_from when: begin of a second interval; default: as long as the first",
    "compare_to when: its end, default the begin of the first",
    NULL,
};

const struct route route_top_get = {
    .method = "GET",
    .path = "/api/v1/servers/{id}/top",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_TARGET,
    .classes = HTTPD_API,
    .query = top_query,
    .handle = top,
    .summary = "The rows of a relation that had most of a column in an interval, beside another.",
    .answer = "{relation: text, from_ms: ms, to_ms: ms, covered_ms: int, compare: {from_ms: ms,"
              " to_ms: ms, covered_ms: int}?, by: [text], order: text?, columns: [Column],"
              " data: [{keys: {*: text}, values: {*: num?}?, before: {*: num?}?, share: num?"
              " 'of the sum of all rows', change: num? 'of the rate a second; of a level itself'}],"
              " rows: int 'in all', other: {*: num?} 'those not listed', total: {*: num?}}",
};
