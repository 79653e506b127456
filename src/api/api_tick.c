/* SPDX-License-Identifier: PostgreSQL */
/*
 * api_tick.c: what collectors delivered, who of them is silent, and other housekeeping.
 *
 * Threads: api_seen in any; api_tick in one. `seen_lock` guards the map between them.
 */
#include <string.h>

#include "api/api_call.h"
#include "api/api_form.h"
#include "base/alloc.h"
#include "base/map.h"
#include "os/clock.h"
#include "store/store_collector.h"

#define PURGE_EVERY_MS (3600 * (int64_t)1000)
#define TURNS_ARENA    (1024 * 1024)

/* --- what collectors delivered --- */

void api_seen(struct api *api, const char *collector_id, int64_t samples)
{
    struct store_collector_seen *row;

    lock_take(&api->seen_lock);
    row = map_get(api->seen, str_of(collector_id));
    if (row == NULL) {
        row = alloc_new(sizeof(*row));
        memcpy(row->id, collector_id, sizeof(row->id));
        (void)map_put(api->seen, str_of(collector_id), row);
    }
    row->last_seen_ms = clock_wall_ms();
    row->samples += samples;
    lock_release(&api->seen_lock);
}

/* Take all rows out; the caller frees the array. */
static struct store_collector_seen *take_seen(struct api *api, size_t *count)
{
    struct store_collector_seen *rows;
    size_t pos = 0, n = 0;
    struct str key;
    void *value;

    lock_take(&api->seen_lock);
    rows = alloc_array(map_count(api->seen) + 1, sizeof(*rows));
    while (map_next(api->seen, &pos, &key, &value))
        rows[n++] = *(struct store_collector_seen *)value;
    map_clear(api->seen, alloc_free);
    lock_release(&api->seen_lock);
    *count = n;
    return rows;
}

/* --- who is silent --- */

static void write_turn(const struct store_collector_turned *c, bool silent, struct buf *out)
{
    struct json_writer w;

    json_writer_init(&w, out);
    json_object_begin(&w);
    json_member_c(&w, "collector", c->id);
    json_member_c(&w, "name", c->name);
    json_member_c(&w, "hostname", c->hostname);
    json_member_i64(&w, "last_seen_ms", c->last_seen_ms);
    if (!silent)
        json_member_i64(&w, "offline_ms", c->offline_ms);
    json_object_end(&w);
}

/* The event first: should the note fail, it is told twice rather than never. */
static enum err_code turn(struct api *api, struct arena *a, const struct store_collector_turned *c,
                          struct err *e)
{
    bool silent = c->offline_ms == 0;
    const char *title = arena_printf(a, "agent %s %s", c->name,
                                     silent ? "is offline" : "is heard again");
    struct batch_event event = {.t_ms = clock_wall_ms(), .severity = BATCH_INFO};
    struct buf body;
    enum err_code rc = arena_check(a, e);

    if (rc != ERR_OK)
        return rc;
    buf_init(&body, 8192);
    write_turn(c, silent, &body);
    event.kind = silent ? STR("collector_offline") : STR("collector_online");
    event.severity = silent ? BATCH_WARNING : BATCH_INFO;
    event.title = str_of(title);
    event.body = buf_view(&body);
    rc = tsdb_event_add(api->config.tsdb, &event, e);
    if (rc == ERR_OK)
        rc = store_collector_set_offline(api->config.store, c->id, silent ? event.t_ms : 0, e);
    buf_fini(&body);
    return rc;
}

/* Nobody is called silent before this process could have heard of him. */
static enum err_code look_for_silence(struct api *api, struct err *e)
{
    int64_t patience_ms = 2 * api->config.check_interval_ms;
    int64_t cutoff = clock_wall_ms() - patience_ms;
    bool can_tell = clock_mono_ms() - api->start_mono_ms > patience_ms;
    struct store_collector_turns turns = {.silent_before_ms = can_tell ? cutoff : 0,
                                          .back_since_ms = cutoff};
    struct arena a;
    enum err_code rc;

    arena_init(&a, "silence", TURNS_ARENA);
    rc = store_collector_turned(api->config.store, &a, &turns, e);
    for (size_t i = 0; rc == ERR_OK && i < turns.count; i++)
        rc = turn(api, &a, &turns.rows[i], e);
    arena_fini(&a);
    return rc;
}

enum err_code api_tick(struct api *api, struct err *e)
{
    int64_t now = clock_mono_ms();
    enum err_code rc = ERR_OK;
    size_t count;
    struct store_collector_seen *rows = take_seen(api, &count);

    if (count > 0)
        rc = store_collector_seen(api->config.store, rows, count, e);
    alloc_free(rows);
    api_forms_trim(api->forms);
    if (rc == ERR_OK)
        rc = look_for_silence(api, e);
    if (rc == ERR_OK && now - api->purged_mono_ms > PURGE_EVERY_MS) {
        api->purged_mono_ms = now;
        rc = store_session_purge(api->config.store, e);
        if (rc == ERR_OK)
            rc = store_ca_purge(api->config.store, e);
    }
    return rc;
}
