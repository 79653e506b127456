/* SPDX-License-Identifier: PostgreSQL */
/* route_query_load.c: load of statements, by session history. */
#include <math.h>
#include <string.h>

#include "api/read/route_query.h"
#include "base/limits.h"
#include "base/map.h"
#include "os/clock.h"

static const struct str keys[] = {{"datname", 7}, {"usename", 7},       {"query_id", 8},
                                  {"state", 5},   {"backend_type", 12}, {"wait_event_type", 15}};
enum { KEY_DATNAME, KEY_USENAME, KEY_QUERY, KEY_STATE, KEY_BACKEND, KEY_WAIT, KEYS };

static struct str name_of(struct arena *a, const struct str *parts)
{
    return str_of(arena_printf(a, "%.*s\n%.*s\n%.*s", STR_ARG(parts[0]), STR_ARG(parts[1]),
                               STR_ARG(parts[2])));
}

/* A statement that ran at top level and nested has two rows; its sessions count for the first. */
static struct map *index_rows(struct route_query_top *q)
{
    struct map *m = map_new();

    for (size_t i = 0; i < q->row_count; i++) {
        struct str name = name_of(q->call->arena, q->rows[i].keys);
        struct route_query_row *known = map_get(m, name);
        bool is_top = str_eq_c(q->rows[i].keys[3], "true");

        if (known == NULL || is_top)
            (void)map_put(m, name, &q->rows[i]);
    }
    return m;
}

static size_t class_index(struct str wait_event_type)
{
    const char *class = api_target_wait_class(wait_event_type);
    size_t i = 0;

    while (i + 1 < API_TARGET_WAIT_CLASSES && strcmp(api_target_wait_class_name(i), class) != 0)
        i++;
    return i;
}

static void take(const struct aggregate_total_row *seen, struct route_query_row *row, double ticks)
{
    double aas = cell_to_f64(seen->cells[0]) / ticks;

    if (isnan(aas))
        return;
    row->load = (row->load > 0 ? row->load : 0) + aas;
    row->waits[class_index(seen->keys[KEY_WAIT])] += aas;
}

static enum err_code read_history(struct route_query_top *q, struct aggregate_total **out,
                                  struct err *e)
{
    struct str column = STR("samples");
    struct aggregate_total_spec spec = {
        .target = q->id,
        .relation = STR("pg_session_history"),
        .columns = &column,
        .column_count = 1,
        .by = keys,
        .by_count = KEYS,
        .from_ms = q->range.from_ms,
        .to_ms = q->range.to_ms,
        .deadline_mono_us = clock_mono_us() + API_READ_DEADLINE_US,
    };
    struct tsdb_reader *reader;
    enum err_code rc = api_reader(q->call, &reader, e);

    *out = NULL;
    if (rc == ERR_OK)
        rc = aggregate_totals(reader, q->call->arena, &spec, out, e);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

enum err_code route_query_add_load(struct route_query_top *q, struct err *e)
{
    struct aggregate_total *history = NULL;
    struct map *rows;
    double ticks;
    enum err_code rc = api_target_ticks(q->call, &q->id, &q->range, &ticks, e);

    if (rc == ERR_OK && ticks > 0)
        rc = read_history(q, &history, e);
    if (rc != ERR_OK || history == NULL)
        return rc;
    rows = index_rows(q);
    for (size_t i = 0; i < q->row_count; i++)
        q->rows[i].load = 0;
    for (size_t i = 0; i < history->row_count; i++) {
        const struct aggregate_total_row *seen = &history->rows[i];
        struct route_query_row *row = map_get(rows, name_of(q->call->arena, seen->keys));

        if (row != NULL && api_target_is_load(seen->keys[KEY_STATE], seen->keys[KEY_BACKEND],
                                              seen->keys[KEY_WAIT]))
            take(seen, row, ticks);
    }
    map_free(rows, NULL);
    return arena_check(q->call->arena, e);
}
