/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_breakdown.c: the load of an interval by one or two dimensions of the sessions: which user
 * waits for what, which application runs which query.
 *
 * Average active sessions of a row = sessions seen / sampling ticks. Rows that are not listed are
 * summed into `other`, so that listed + other = total.
 */
#include <math.h>
#include <stdlib.h>

#include "api/read/api_dimension.h"
#include "base/limits.h"
#include "base/map.h"
#include "os/clock.h"

#define BY_MAX        2
#define LIMIT_DEFAULT 50
#define KEY_BYTES_MAX 4096

struct cell_of_load {
    struct str keys[BY_MAX];
    double samples;
};

struct breakdown {
    struct api_call *call;
    struct uuid id;
    struct api_range range;
    size_t by[BY_MAX], by_count, limit;
    enum api_dimension_idle idle;
    struct str wait_class;
    double ticks, samples;
    struct aggregate_total *total; /* NULL = there is no session history */
    struct cell_of_load *rows;
    size_t row_count;
};

static enum err_code read_request(struct breakdown *b, struct err *e)
{
    struct api_words by;
    int64_t limit = 0;
    enum err_code rc = api_param_words(b->call, "by", &by, e);

    if (rc == ERR_OK && (!by.present || by.count == 0 || by.count > BY_MAX))
        return err_set(e, ERR_INVALID, "by: one or two dimensions of sessions");
    for (size_t i = 0; rc == ERR_OK && i < by.count; i++) {
        rc = api_dimension_find(by.items[i], &b->by[b->by_count++], e);
        if (b->by[i] == API_DIMENSION_STATE)
            b->idle = API_DIMENSION_IDLE_TOO;
    }
    if (rc == ERR_OK)
        rc = api_param_i64(b->call, "limit", (struct api_bounds){LIMIT_DEFAULT, 1, LIMIT_LIST_PAGE},
                           &limit, e);
    b->limit = (size_t)limit;
    return rc == ERR_OK ? api_param_range(b->call, &b->range, e) : rc;
}

static enum err_code read_history(struct breakdown *b, struct err *e)
{
    struct str keys[API_DIMENSION_KEYS + BY_MAX], samples = STR("samples");
    struct aggregate_filter filters[API_DIMENSIONS];
    struct aggregate_total_spec spec = {
        .target = b->id,
        .relation = STR("pg_session_history"),
        .columns = &samples,
        .column_count = 1,
        .by = keys,
        .by_count = api_dimension_keys(b->by, b->by_count, keys),
        .filters = filters,
        .from_ms = b->range.from_ms,
        .to_ms = b->range.to_ms,
        .deadline_mono_us = clock_mono_us() + API_READ_DEADLINE_US,
    };
    struct tsdb_reader *reader;
    enum err_code rc = api_dimension_filters(b->call, &b->wait_class, filters, &spec.filter_count,
                                             e);

    if (rc == ERR_OK)
        rc = api_reader(b->call, &reader, e);
    if (rc == ERR_OK)
        rc = aggregate_totals(reader, b->call->arena, &spec, &b->total, e);
    if (rc == ERR_NOT_FOUND) {
        b->total = NULL;
        rc = ERR_OK;
    }
    return rc == ERR_OK ? api_target_ticks(b->call, &b->id, &b->range, &b->ticks, e) : rc;
}

static void add(struct breakdown *b, struct map *by_name, const struct aggregate_total_row *row)
{
    struct cell_of_load one = {.samples = cell_to_f64(row->cells[0])};
    struct cell_of_load *found;
    struct buf name;

    buf_init(&name, KEY_BYTES_MAX);
    for (size_t i = 0; i < b->by_count; i++) {
        one.keys[i] = api_dimension_value(b->call->arena, b->by[i], row->keys,
                                          &row->keys[API_DIMENSION_KEYS + i]);
        buf_printf(&name, "%zu:", one.keys[i].len);
        buf_add_str(&name, one.keys[i]);
    }
    found = map_get(by_name, buf_view(&name));
    if (found == NULL) {
        found = &b->rows[b->row_count++];
        *found = one;
        (void)map_put(by_name, buf_view(&name), found);
    } else {
        found->samples += one.samples;
    }
    b->samples += one.samples;
    buf_fini(&name);
}

static int compare(const void *x, const void *y)
{
    const struct cell_of_load *a = x, *b = y;
    int order;

    if (a->samples < b->samples || a->samples > b->samples)
        return a->samples < b->samples ? 1 : -1;
    order = str_cmp(a->keys[0], b->keys[0]);
    return order != 0 ? order : str_cmp(a->keys[1], b->keys[1]);
}

static enum err_code fold(struct breakdown *b, struct err *e)
{
    size_t count = b->total != NULL ? b->total->row_count : 0;
    struct map *by_name;

    b->rows = arena_array(b->call->arena, count + 1, sizeof(*b->rows));
    if (b->rows == NULL)
        return arena_check(b->call->arena, e);
    by_name = map_new();
    for (size_t i = 0; i < count; i++) {
        const struct aggregate_total_row *row = &b->total->rows[i];
        if (api_dimension_counts(row->keys, b->wait_class, b->idle))
            add(b, by_name, row);
    }
    map_free(by_name, NULL);
    qsort(b->rows, b->row_count, sizeof(*b->rows), compare);
    return arena_check(b->call->arena, e);
}

static double aas(const struct breakdown *b, double samples)
{
    return b->ticks > 0 ? samples / b->ticks : NAN;
}

static void put_row(struct json_writer *w, const struct breakdown *b,
                    const struct cell_of_load *row)
{
    json_object_begin(w);
    for (size_t i = 0; i < b->by_count; i++)
        json_member_str(w, api_dimension_name(b->by[i]), row->keys[i]);
    json_member_f64(w, "samples", row->samples);
    json_member_f64(w, "load_aas", aas(b, row->samples));
    json_member_f64(w, "share", b->samples > 0 ? row->samples / b->samples : NAN);
    json_object_end(w);
}

static void answer(const struct breakdown *b)
{
    struct json_writer *w = api_json(b->call, 200);
    size_t shown = b->row_count < b->limit ? b->row_count : b->limit;
    double listed = 0;

    json_object_begin(w);
    json_member_i64(w, "from_ms", b->range.from_ms);
    json_member_i64(w, "to_ms", b->range.to_ms);
    json_key(w, "by");
    json_array_begin(w);
    for (size_t i = 0; i < b->by_count; i++)
        json_put_c(w, api_dimension_name(b->by[i]));
    json_array_end(w);
    json_member_f64(w, "ticks", b->ticks);
    json_key(w, "data");
    json_array_begin(w);
    for (size_t i = 0; i < shown; i++) {
        put_row(w, b, &b->rows[i]);
        listed += b->rows[i].samples;
    }
    json_array_end(w);
    json_member_u64(w, "rows", b->row_count);
    json_member_f64(w, "other_aas", aas(b, b->samples - listed));
    json_member_f64(w, "total_aas", aas(b, b->samples));
    json_object_end(w);
}

static enum err_code breakdown(struct api_call *call, struct err *e)
{
    struct breakdown b = {.call = call};
    struct store_target t;
    enum err_code rc = read_request(&b, e);

    if (rc == ERR_OK)
        rc = api_target_get(call, &b.id, &t, e);
    if (rc == ERR_OK)
        rc = read_history(&b, e);
    if (rc == ERR_OK)
        rc = fold(&b, e);
    if (rc == ERR_OK)
        answer(&b);
    return rc;
}

static const char by_which[] =
    "by list!: one or two of wait_class, wait_event, datname, usename, application_name, "
    "backend_type, state, query_id";

static const char *const breakdown_query[] = {
    ROUTE_RANGE,
    by_which,
    "limit int: at most this many rows, default 50, up to 1000",
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

const struct route route_breakdown_get = {
    .method = "GET",
    .path = "/api/v1/servers/{id}/sessions/breakdown",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_TARGET,
    .classes = HTTPD_API,
    .query = breakdown_query,
    .handle = breakdown,
    .summary = "Average active sessions of an interval by one or two dimensions, most first.",
    .answer = "{from_ms: ms, to_ms: ms, by: [text], ticks: num 'samplings', data: [{samples: num,"
              " load_aas: num?, share: num?, *: text 'the dimensions'}], rows: int 'in all',"
              " other_aas: num? 'those not listed', total_aas: num?}",
};
