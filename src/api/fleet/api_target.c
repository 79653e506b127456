/* SPDX-License-Identifier: PostgreSQL */
/* api_target.c: see the header. */
#include "api/fleet/api_target.h"

#include <math.h>
#include <string.h>

#include "base/limits.h"
#include "os/clock.h"
#include "store/tsdb/read/aggregate.h"

#define DOWN_REASON_MS 60000 /* a failed reading that much older has another cause */

static const char *const classes[API_TARGET_WAIT_CLASSES] = {
    "CPU", "IO", "Lock", "LWLock", "IPC", "Client", "BufferPin", "Timeout", "Extension", "Other"};

enum err_code api_target_get(struct api_call *call, struct uuid *id, struct store_target *out,
                             struct err *e)
{
    struct tsdb_group *groups;
    struct tsdb_reader *reader;
    char text[TEXT_UUID_SIZE];
    size_t count = 0;
    enum err_code rc = api_param_uuid(call, 0, id, text, e);

    if (rc != ERR_OK)
        return rc;
    rc = store_target_get(call->api->config.store, call->arena, text, out, e);
    if (rc != ERR_NOT_FOUND)
        return rc;
    rc = api_reader(call, &reader, e);
    if (rc == ERR_OK)
        rc = tsdb_groups(reader, call->arena, id, &groups, &count, e);
    if (rc == ERR_OK && count == 0)
        return err_set(e, ERR_NOT_FOUND, "there is no such server");
    memset(out, 0, sizeof(*out));
    out->id = arena_strndup(call->arena, text, TEXT_UUID_LEN);
    out->kind = out->collector_id = "";
    out->name = out->id;
    out->attributes = "{}";
    return rc;
}

/* Add the rows of a page that are of that collector. */
static enum err_code take_page(struct api_call *call, const char *collector,
                               const struct store_target_page *page, struct store_target_page *out,
                               struct err *e)
{
    struct store_target *rows = arena_array(call->arena, out->count + page->count + 1,
                                            sizeof(*rows));

    if (!rows)
        return arena_fail(call->arena, e);
    if (out->count > 0)
        memcpy(rows, out->rows, out->count * sizeof(*rows));
    for (size_t i = 0; i < page->count; i++) {
        if (!collector || strcmp(page->rows[i].collector_id, collector) == 0)
            rows[out->count++] = page->rows[i];
    }
    out->rows = rows;
    return ERR_OK;
}

enum err_code api_target_all(struct api_call *call, const char *collector,
                             struct store_target_page *out, struct err *e)
{
    struct store_target_page page = {
        .after_name = "", .after_id = "", .limit = LIMIT_LIST_PAGE, .sight = call->who.sight};
    enum err_code rc;

    *out = (struct store_target_page){0};
    do {
        rc = store_target_list(call->api->config.store, call->arena, &page, e);
        if (rc == ERR_OK)
            rc = take_page(call, collector, &page, out, e);
        if (rc == ERR_OK && page.count > 0) {
            page.after_name = page.rows[page.count - 1].name;
            page.after_id = page.rows[page.count - 1].id;
        }
    } while (rc == ERR_OK && page.count == page.limit);
    return rc;
}

/* A number of the attributes, or the host's id in `host`. */
static double read_cpus(const char *attributes, char host[TEXT_UUID_SIZE])
{
    static const struct json_limits limits = {LIMIT_JSON_BODY_BYTES, LIMIT_JSON_DEPTH, false};
    struct json_doc *doc = NULL;
    struct uuid id;
    double cpus = 0;

    host[0] = '\0';
    if (json_parse(str_of(attributes), &limits, &doc, NULL) != ERR_OK)
        return 0;
    cpus = json_f64(json_get(json_root(doc), "cpus"), 0);
    if (text_parse_uuid(json_str(json_get(json_root(doc), "host_target")), &id))
        text_uuid(&id, host);
    json_doc_free(doc);
    return cpus;
}

double api_target_vcpus(struct api_call *call, const struct store_target *t)
{
    char host[TEXT_UUID_SIZE], none[TEXT_UUID_SIZE];
    double cpus = read_cpus(t->attributes, host);
    struct store_target other;

    if (cpus > 0 || host[0] == '\0')
        return cpus;
    if (store_target_get(call->api->config.store, call->arena, host, &other, NULL) != ERR_OK)
        return 0;
    return read_cpus(other.attributes, none);
}

enum err_code api_target_host_hidden(struct api_call *call, const struct store_target *t,
                                     bool *hidden, struct err *e)
{
    char host[TEXT_UUID_SIZE];
    bool seen = false;
    enum err_code rc;

    *hidden = false;
    (void)read_cpus(t->attributes, host);
    if (host[0] == '\0' || call->who.kind != API_USER || call->who.sight.all)
        return ERR_OK;
    rc = store_group_sees(call->api->config.store, &call->who.sight,
                          (struct store_group_thing){STORE_GROUP_TARGET, sqldb_text_c(host)}, &seen,
                          e);
    *hidden = !seen;
    return rc;
}

/* How old a reading may be before its next one is late. */
static int64_t patience_ms(int64_t every_ms)
{
    return 2 * every_ms + 5000;
}

/*
 * The clock of a target is its fastest one that was running at the newest reading: a reading that
 * comes once an hour would else call a silent target live for two.
 */
static int64_t clock_of(const struct tsdb_group *groups, size_t count, int64_t newest_ms)
{
    int64_t every = 0;

    for (size_t i = 0; i < count; i++) {
        const struct tsdb_group *g = &groups[i];

        if (g->has_last && g->last_every_ms > 0 && (every == 0 || g->last_every_ms < every) &&
            newest_ms - g->last_t_ms <= patience_ms(g->last_every_ms))
            every = g->last_every_ms;
    }
    return every;
}

void api_target_age(const struct tsdb_group *groups, size_t count, int64_t now_ms,
                    struct api_target_state *out)
{
    int64_t age;

    memset(out, 0, sizeof(*out));
    out->state = "new";
    for (size_t i = 0; i < count; i++) {
        if (groups[i].has_last && groups[i].last_t_ms > out->last_t_ms)
            out->last_t_ms = groups[i].last_t_ms;
    }
    if (out->last_t_ms == 0)
        return;
    out->every_ms = clock_of(groups, count, out->last_t_ms);
    age = now_ms - out->last_t_ms;
    if (age <= patience_ms(out->every_ms))
        out->state = "live";
    else
        out->state = age <= 5 * out->every_ms + 15000 ? "stale" : "offline";
}

/* The newest reading of the heartbeat; NULL = none, or too old to say something about now. */
static const struct tsdb_group *heartbeat(const struct tsdb_group *groups, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct tsdb_group *g = &groups[i];

        if (!str_eq_c(g->relation, "pg_instance") || !g->has_last || (g->last_flags & SLICE_FAILED))
            continue;
        return clock_wall_ms() - g->last_t_ms <= 5 * g->last_every_ms + 15000 ? g : NULL;
    }
    return NULL;
}

static enum err_code take_up(void *arg, const struct tsdb_slice *s, struct err *e)
{
    bool *down = arg;

    (void)e;
    *down = s->row_count > 0 && s->cells[0][0].tag != CELL_NULL && cell_to_f64(s->cells[0][0]) == 0;
    return ERR_OK;
}

/* Whether the heartbeat's newest reading says that PostgreSQL did not answer. */
static enum err_code read_up(struct api_call *call, const struct tsdb_group *beat, bool *down,
                             struct err *e)
{
    struct str column = STR("up");
    struct tsdb_scan_spec spec = {
        .target = beat->target,
        .relation = beat->relation,
        .scope = &beat->scope,
        .columns = &column,
        .column_count = 1,
        .from_ms = beat->last_t_ms - 1,
        .to_ms = beat->last_t_ms,
        .deadline_mono_us = clock_mono_us() + API_READ_DEADLINE_US,
    };

    return tsdb_scan(call->reader, &spec, take_up, down, e);
}

/* Why: the heartbeat's own word, else (older agents) that of the newest reading that failed. */
static struct str down_reason(const struct tsdb_group *beat, const struct tsdb_group *groups,
                              size_t count)
{
    struct str reason = beat->last_reason;
    int64_t newest = beat->last_t_ms - DOWN_REASON_MS;

    if (reason.len > 0)
        return reason;
    for (size_t i = 0; i < count; i++) {
        if (!groups[i].has_last || !(groups[i].last_flags & SLICE_FAILED) ||
            groups[i].last_t_ms <= newest)
            continue;
        newest = groups[i].last_t_ms;
        reason = groups[i].last_reason;
    }
    return reason;
}

enum err_code api_target_state(struct api_call *call, const struct tsdb_group *groups, size_t count,
                               struct api_target_state *out, struct err *e)
{
    const struct tsdb_group *beat = heartbeat(groups, count);
    enum err_code rc = ERR_OK;
    bool down = false;

    api_target_age(groups, count, clock_wall_ms(), out);
    if (strcmp(out->state, "live") != 0 || beat == NULL)
        return ERR_OK;
    rc = read_up(call, beat, &down, e);
    if (rc == ERR_OK && down) {
        out->state = "down";
        out->reason = down_reason(beat, groups, count);
    }
    return rc;
}

bool api_target_is_load(struct str state, struct str backend_type, struct str wait_event_type)
{
    if (str_eq_c(wait_event_type, "Activity"))
        return false;
    if (str_eq_c(state, "active") || str_starts(state, STR("fastpath")))
        return true;
    /* A background process in a Timeout wait sleeps on purpose (CheckpointWriteDelay). */
    return state.len == 0 && !str_eq_c(backend_type, "client backend") &&
           !str_eq_c(wait_event_type, "Timeout");
}

const char *api_target_wait_class(struct str wait_event_type)
{
    if (wait_event_type.len == 0)
        return classes[0];
    for (size_t i = 1; i + 1 < API_TARGET_WAIT_CLASSES; i++) {
        if (str_eq_c(wait_event_type, classes[i]))
            return classes[i];
    }
    return classes[API_TARGET_WAIT_CLASSES - 1];
}

const char *api_target_wait_class_name(size_t index)
{
    return classes[index];
}

static enum err_code totals(struct api_call *call, const struct aggregate_total_spec *spec,
                            struct aggregate_total **out, struct err *e)
{
    struct tsdb_reader *reader;
    enum err_code rc = api_reader(call, &reader, e);

    *out = NULL;
    if (rc == ERR_OK)
        rc = aggregate_totals(reader, call->arena, spec, out, e);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

enum err_code api_target_ticks(struct api_call *call, const struct uuid *id,
                               const struct api_range *range, double *ticks, struct err *e)
{
    struct str column = STR("ticks");
    struct aggregate_total_spec spec = {
        .target = *id,
        .relation = STR("pg_session_ticks"),
        .columns = &column,
        .column_count = 1,
        .from_ms = range->from_ms,
        .to_ms = range->to_ms,
        .deadline_mono_us = clock_mono_us() + API_READ_DEADLINE_US,
    };
    struct aggregate_total *total;
    enum err_code rc = totals(call, &spec, &total, e);

    *ticks = 0;
    for (size_t i = 0; rc == ERR_OK && total != NULL && i < total->row_count; i++) {
        double value = cell_to_f64(total->rows[i].cells[0]);

        if (!isnan(value))
            *ticks += value;
    }
    return rc;
}

enum err_code api_target_load(struct api_call *call, const struct uuid *id,
                              const struct api_range *range, double *aas, struct err *e)
{
    static const struct str by[] = {{"state", 5}, {"backend_type", 12}, {"wait_event_type", 15}};
    struct str column = STR("samples");
    struct aggregate_total_spec spec = {
        .target = *id,
        .relation = STR("pg_session_history"),
        .columns = &column,
        .column_count = 1,
        .by = by,
        .by_count = 3,
        .from_ms = range->from_ms,
        .to_ms = range->to_ms,
        .deadline_mono_us = clock_mono_us() + API_READ_DEADLINE_US,
    };
    struct aggregate_total *total = NULL;
    double ticks, samples = 0;
    enum err_code rc = api_target_ticks(call, id, range, &ticks, e);

    *aas = -1;
    if (rc != ERR_OK || ticks <= 0)
        return rc;
    rc = totals(call, &spec, &total, e);
    for (size_t i = 0; rc == ERR_OK && total != NULL && i < total->row_count; i++) {
        const struct aggregate_total_row *row = &total->rows[i];
        double value = cell_to_f64(row->cells[0]);

        if (!isnan(value) && api_target_is_load(row->keys[0], row->keys[1], row->keys[2]))
            samples += value;
    }
    *aas = samples / ticks;
    return rc;
}
