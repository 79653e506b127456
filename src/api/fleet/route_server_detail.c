/* SPDX-License-Identifier: PostgreSQL */
/* route_server_detail.c: relations, probe states and gaps of one target. */
#include "api/fleet/route_server_detail.h"

#include <math.h>

#include "os/clock.h"

#define PROBE_WINDOW_MS (3600 * (int64_t)1000)
#define GAP_WINDOW_MS   (7 * 24 * 3600 * (int64_t)1000)
#define GAPS_SHOWN      100
#define PROBES_MAX      500

/* --- relations --- */

static void put_flags(struct json_writer *w, unsigned flags)
{
    json_key(w, "last_flags");
    json_array_begin(w);
    if (flags & SLICE_COMPLETE)
        json_put_c(w, "complete");
    if (flags & SLICE_KEYFRAME)
        json_put_c(w, "keyframe");
    if (flags & SLICE_FAILED)
        json_put_c(w, "failed");
    json_array_end(w);
}

static void put_columns(struct json_writer *w, const struct relation *r)
{
    json_key(w, "keys");
    json_array_begin(w);
    for (size_t i = 0; i < r->key_count; i++)
        json_put_str(w, r->keys[i].name);
    json_array_end(w);
    json_key(w, "columns");
    json_array_begin(w);
    for (size_t i = 0; i < r->column_count; i++) {
        const struct relation_column *c = &r->columns[i];

        json_object_begin(w);
        json_member_str(w, "name", c->name);
        json_member_c(w, "kind", relation_kind_name(c->kind));
        json_member_c(w, "type", relation_type_name(c->type));
        json_member_str(w, "unit", c->unit);
        json_member_str(w, "help", c->help);
        json_object_end(w);
    }
    json_array_end(w);
}

static const struct tsdb_group *newest(const struct tsdb_group *groups, size_t count)
{
    const struct tsdb_group *best = groups;

    for (size_t i = 1; i < count; i++) {
        if (groups[i].last_t_ms > best->last_t_ms)
            best = &groups[i];
    }
    return best;
}

static void put_last(struct json_writer *w, const struct tsdb_group *g)
{
    bool failed = g->last_flags & SLICE_FAILED;
    bool complete = g->last_flags & SLICE_COMPLETE;

    json_member_i64(w, "last_t_ms", g->last_t_ms);
    put_flags(w, g->last_flags);
    json_member_bool(w, "truncated",
                     !failed && !complete && str_starts(g->last_reason, STR("truncated")));
    if (g->last_reason.len > 0)
        json_member_str(w, "reason", g->last_reason);
    else
        json_member_null(w, "reason");
}

/* The newest reading of each database, for a relation that is read in each. */
static void put_scopes(struct json_writer *w, const struct tsdb_group *groups, size_t count)
{
    json_key(w, "scopes");
    json_array_begin(w);
    for (size_t i = 0; i < count; i++) {
        if (groups[i].scope.len == 0)
            continue;
        json_object_begin(w);
        json_member_str(w, "scope", groups[i].scope);
        json_member_u64(w, "objects", groups[i].objects);
        put_last(w, &groups[i]);
        json_object_end(w);
    }
    json_array_end(w);
}

/* `groups`: the scopes of one relation. */
static enum err_code put_relation(struct api_call *call, const struct tsdb_group *groups,
                                  size_t count, struct json_writer *w, struct err *e)
{
    const struct tsdb_group *last = newest(groups, count);
    struct relation *r;
    enum err_code rc = tsdb_relation(call->reader, call->arena, last->relation, &r, e);

    if (rc != ERR_OK)
        return rc;
    json_object_begin(w);
    json_member_str(w, "name", r->name);
    json_member_str(w, "help", r->help);
    json_member_c(w, "shape", r->shape == RELATION_FACT ? "fact" : "object");
    json_member_bool(w, "sparse", r->sparse);
    put_columns(w, r);
    json_member_i64(w, "every_ms", last->last_every_ms);
    put_last(w, last);
    put_scopes(w, groups, count);
    json_object_end(w);
    return ERR_OK;
}

enum err_code route_server_put_relations(struct api_call *call, const struct uuid *id,
                                         struct json_writer *w, struct err *e)
{
    struct tsdb_group *groups;
    struct tsdb_reader *reader;
    size_t count = 0;
    enum err_code rc = api_reader(call, &reader, e);

    if (rc == ERR_OK)
        rc = tsdb_groups(reader, call->arena, id, &groups, &count, e);
    json_key(w, "relations");
    json_array_begin(w);
    for (size_t i = 0; rc == ERR_OK && i < count;) {
        size_t next = i;

        /* groups of one relation (its scopes) stand together */
        while (next < count && str_eq(groups[next].relation, groups[i].relation))
            next++;
        rc = put_relation(call, &groups[i], next - i, w, e);
        i = next;
    }
    json_array_end(w);
    return rc;
}

/* --- probes --- */

enum probe_column {
    PROBE_RUNS,
    PROBE_ERRORS,
    PROBE_DURATION,
    PROBE_ROWS,
    PROBE_LAST_RUN,
    PROBE_STATE,
    PROBE_REASON,
    PROBE_FIX,
    PROBE_COLUMNS
};

static const struct str probe_columns[PROBE_COLUMNS] = {
    {"runs", 4},         {"errors", 6}, {"duration_ms", 11}, {"rows", 4},
    {"last_run_ms", 11}, {"state", 5},  {"reason", 6},       {"fix", 3}};

struct probe {
    uint64_t object;
    double runs, errors;
    struct cell cells[PROBE_COLUMNS]; /* the newest; text in the arena */
};

struct probe_scan {
    struct arena *arena;
    struct probe *probes;
    size_t count;
};

static struct probe *find_probe(struct probe_scan *scan, uint64_t object)
{
    for (size_t i = 0; i < scan->count; i++) {
        if (scan->probes[i].object == object)
            return &scan->probes[i];
    }
    if (scan->count == PROBES_MAX)
        return NULL;
    scan->probes[scan->count].object = object;
    return &scan->probes[scan->count++];
}

static void take_row(struct probe_scan *scan, const struct tsdb_slice *s, size_t row)
{
    struct probe *p = find_probe(scan, s->objects[row]);

    if (p == NULL)
        return;
    for (size_t c = 0; c < PROBE_COLUMNS; c++) {
        struct cell cell = s->cells[c][row];

        if (c >= PROBE_STATE && cell.tag == CELL_NULL && !(s->flags & SLICE_FAILED)) {
            p->cells[c] = cell;
            continue;
        }
        if (cell.tag == CELL_NULL)
            continue;
        if (cell.tag == CELL_STR)
            cell.str = arena_str(scan->arena, cell.str);
        p->cells[c] = cell;
        if (c == PROBE_RUNS)
            p->runs += cell_to_f64(cell);
        if (c == PROBE_ERRORS)
            p->errors += cell_to_f64(cell);
    }
}

static enum err_code take_slice(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct probe_scan *scan = arg;

    if (s->objects == NULL)
        return ERR_OK;
    for (size_t row = 0; row < s->row_count; row++)
        take_row(scan, s, row);
    return arena_check(scan->arena, e);
}

static void put_cell(struct json_writer *w, const char *name, struct cell c)
{
    if (c.tag == CELL_STR && c.str.len > 0)
        json_member_str(w, name, c.str);
    else if (c.tag == CELL_STR || c.tag == CELL_NULL)
        json_member_null(w, name);
    else
        json_member_f64(w, name, cell_to_f64(c));
}

static enum err_code put_probe(struct api_call *call, const struct probe *p, struct json_writer *w,
                               struct err *e)
{
    struct str *keys;
    enum err_code rc = tsdb_object_keys(call->reader, call->arena, p->object, &keys, e);

    if (rc != ERR_OK)
        return rc;
    json_object_begin(w);
    json_member_str(w, "probe", keys[0]);
    put_cell(w, "state", p->cells[PROBE_STATE]);
    put_cell(w, "reason", p->cells[PROBE_REASON]);
    put_cell(w, "fix", p->cells[PROBE_FIX]);
    put_cell(w, "last_run_ms", p->cells[PROBE_LAST_RUN]);
    put_cell(w, "duration_ms", p->cells[PROBE_DURATION]);
    put_cell(w, "rows", p->cells[PROBE_ROWS]);
    json_member_f64(w, "runs", p->runs);
    json_member_f64(w, "errors", p->errors);
    json_object_end(w);
    return ERR_OK;
}

enum err_code route_server_put_probes(struct api_call *call, const struct uuid *id,
                                      struct json_writer *w, struct err *e)
{
    int64_t now = clock_wall_ms();
    struct tsdb_scan_spec spec = {
        .target = *id,
        .relation = STR("pga_probe"),
        .columns = probe_columns,
        .column_count = PROBE_COLUMNS,
        .from_ms = now - PROBE_WINDOW_MS,
        .to_ms = now + PROBE_WINDOW_MS,
        .deadline_mono_us = clock_mono_us() + API_READ_DEADLINE_US,
    };
    struct probe_scan scan = {.arena = call->arena};
    struct tsdb_reader *reader;
    enum err_code rc = api_reader(call, &reader, e);

    scan.probes = arena_array(call->arena, PROBES_MAX, sizeof(*scan.probes));
    if (rc == ERR_OK)
        rc = arena_check(call->arena, e);
    if (rc == ERR_OK)
        rc = tsdb_scan(reader, &spec, take_slice, &scan, e);
    if (rc == ERR_NOT_FOUND) /* no agent told of its probes yet */
        rc = ERR_OK;
    json_key(w, "probes");
    json_array_begin(w);
    for (size_t i = 0; rc == ERR_OK && i < scan.count; i++)
        rc = put_probe(call, &scan.probes[i], w, e);
    json_array_end(w);
    return rc;
}

/* --- gaps --- */

static void put_gap(struct json_writer *w, const struct tsdb_event *event)
{
    static const struct json_limits limits = {65536, 8, false};
    struct json_doc *doc = NULL;
    const struct json *body;

    if (json_parse(event->event.body, &limits, &doc, NULL) != ERR_OK)
        doc = NULL;
    body = doc ? json_root(doc) : NULL;
    json_object_begin(w);
    json_member_i64(w, "from_ms", json_i64(json_get(body, "from_ms"), event->event.t_ms));
    json_member_i64(w, "to_ms", json_i64(json_get(body, "to_ms"), event->event.t_ms));
    if (json_type(json_get(body, "reason")) == JSON_STR)
        json_member_str(w, "reason", json_str(json_get(body, "reason")));
    else
        json_member_str(w, "reason", event->event.title);
    json_object_end(w);
    json_doc_free(doc);
}

enum err_code route_server_put_gaps(struct api_call *call, const struct store_target *t,
                                    struct json_writer *w, struct err *e)
{
    struct tsdb_event_spec spec = {.from_ms = clock_wall_ms() - GAP_WINDOW_MS,
                                   .kind = STR("gap"),
                                   .min_severity = BATCH_DEBUG,
                                   .limit = GAPS_SHOWN};
    struct tsdb_event *events;
    struct uuid collector;
    size_t count = 0;
    bool known = text_parse_uuid(str_of(t->collector_id), &collector);
    enum err_code rc = tsdb_events(call->reader, call->arena, &spec, &events, &count, e);

    json_key(w, "gaps");
    json_array_begin(w);
    for (size_t i = 0; rc == ERR_OK && known && i < count; i++) {
        if (text_uuid_eq(&events[i].collector, &collector))
            put_gap(w, &events[i]);
    }
    json_array_end(w);
    return rc;
}
