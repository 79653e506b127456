/* SPDX-License-Identifier: PostgreSQL */
/*
 * managed_instance.c: see the header.
 *
 * A record goes the way of a push from its first byte on: JSON text, hash, envelope, push_read,
 * tsdb_push; so every bound that holds for agents holds here. The number of the next record is the
 * store's to say: at the start, and whenever it answers that another one is due.
 */
#include "app/server/managed_instance.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/log.h"
#include "os/clock.h"
#include "tls/hash.h"

#define STREAM_RANK   30 /* below the target's lock, which the teller takes */
#define STATE_RANK    46
#define NEWS_EVERY_MS 60000
#define READER_US     (5 * (int64_t)1000000)
#define PUSH_ARENA    (64 * 1024 * 1024)
#define NAMES_ARENA   (4 * 1024 * 1024)

static void note_failure(void *arg, struct err *e)
{
    struct managed_instance *in = arg;
    struct managed_verdict v;

    managed_verdict_of(e, &in->place, &v);
    snprintf(e->text, sizeof(e->text), "%s", v.error); /* the other side is not quoted */
    lock_take(&in->state_lock);
    in->failure = v;
    lock_release(&in->state_lock);
}

static enum err_code open_link(void *arg, struct buf *room, struct pgclient_config *out,
                               struct err *e)
{
    struct managed_instance *in = arg;
    enum err_code rc;

    room->max = LIMIT_LINK_BYTES;
    rc = store_managed_password(in->config->store, in->config->seal, in->id, room, e);
    if (rc != ERR_OK) {
        snprintf(e->sqlstate, sizeof(e->sqlstate), "%s", MANAGED_STATE_SECRET);
        return rc;
    }
    return managed_link_open(in->config->rules, &in->place, room, out, e);
}

/* --- life cycle --- */

static bool read_ids(struct managed_instance *in, const struct store_managed *row)
{
    return text_parse_uuid(str_of(row->target_id), &in->target->id) &&
           text_parse_uuid(str_of(row->collector_id), &in->collector) &&
           text_parse_uuid(str_of(row->stream_id), &in->stream);
}

static struct agent_target *make_target(struct managed_instance *in,
                                        const struct managed_parts *parts,
                                        const struct store_managed *row)
{
    static const char *all[] = {"*"};
    char *port = arena_printf(&in->arena, "%u", in->place.port);
    const struct agent_target_config config = {
        .name = arena_printf(&in->arena, "%s", row->fields.name),
        .host = in->place.endpoint,
        .port = port,
        .user = in->place.username,
        .dbname = in->place.dbname,
        .sslmode = in->place.ssl_mode,
        .enabled = true,
        .cost_budget = 0.5,
        .statements_every_ms = 10000,
        .sessions_every_ms = 1000,
        .every_ms = row->fields.interval_ms,
        .databases = {all, 1},
        .databases_max = 50,
        .link = &in->link,
    };

    return agent_target_new(parts->catalogue, parts->probes, parts->probe_count, &config);
}

struct managed_instance *managed_instance_new(const struct managed_config *config,
                                              const struct managed_parts *parts,
                                              const struct store_managed *row)
{
    struct managed_instance *in = alloc_new(sizeof(*in));

    in->config = config;
    in->id = row->id;
    in->version = row->version;
    arena_init(&in->arena, "managed instance", 65536);
    in->place = (struct managed_place){
        .endpoint = arena_printf(&in->arena, "%s", row->fields.endpoint),
        .dbname = arena_printf(&in->arena, "%s", row->fields.dbname),
        .username = arena_printf(&in->arena, "%s", row->fields.username),
        .ssl_mode = arena_printf(&in->arena, "%s", row->fields.ssl_mode),
        .port = (uint16_t)row->fields.port,
    };
    in->link = (struct agent_link){.open = open_link, .failed = note_failure, .arg = in};
    lock_init(&in->lock, "managed stream", STREAM_RANK);
    lock_init(&in->state_lock, "managed state", STATE_RANK);
    in->teller = agent_teller_new(parts->catalogue);
    in->target = make_target(in, parts, row);
    if (read_ids(in, row) && arena_check(&in->arena, NULL) == ERR_OK)
        return in;
    managed_instance_free(in);
    return NULL;
}

void managed_instance_free(struct managed_instance *in)
{
    if (in == NULL)
        return;
    agent_target_free(in->target);
    agent_teller_free(in->teller);
    lock_fini(&in->state_lock);
    lock_fini(&in->lock);
    arena_fini(&in->arena);
    alloc_free(in);
}

/* --- the way into the store --- */

/* What the store expects next in our stream. */
static enum err_code ask_seq(struct managed_instance *in, struct err *e)
{
    struct tsdb_reader *reader = NULL;
    struct tsdb_stream *streams;
    struct arena a;
    size_t count = 0;
    enum err_code rc;

    arena_init(&a, "streams", NAMES_ARENA);
    rc = tsdb_reader_borrow(in->config->tsdb, clock_mono_us() + READER_US, &reader, e);
    if (rc == ERR_OK)
        rc = tsdb_streams(reader, &a, &streams, &count, e);
    if (rc == ERR_OK)
        in->seq = 1;
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        if (text_uuid_eq(&streams[i].stream, &in->stream) &&
            text_uuid_eq(&streams[i].collector, &in->collector))
            in->seq = streams[i].next_seq;
    }
    tsdb_reader_return(reader);
    arena_fini(&a);
    return rc;
}

/* The envelope as an agent would send it: what was lost before, then the record. */
static void write_push(const struct managed_instance *in, struct str record, struct buf *out)
{
    struct push head = {
        .collector = in->collector,
        .stream = in->stream,
        .seq = in->seq,
        .wall_ms = clock_wall_ms(),
        .mono_ms = clock_mono_ms(),
        .version = STR(PGA_VERSION),
        .hostname = STR("managed"),
    };
    struct push_text_record records[2] = {
        {.gap = {.span = in->lost,
                 .reason = STR("store_refused"),
                 .from_ms = in->lost_from_ms,
                 .to_ms = in->lost_to_ms}},
        {.json = record},
    };
    struct json_writer w;
    size_t first = in->lost > 0 ? 0 : 1;

    hash_sha256(record, records[1].hash);
    json_writer_init(&w, out);
    push_write(&head, records + first, 2 - first, &w);
}

static enum err_code push_once(struct managed_instance *in, struct str record, struct tsdb_ack *ack,
                               struct err *e)
{
    static const struct json_limits limits = {LIMIT_PUSH_INFLATED_BYTES, LIMIT_JSON_DEPTH, false};
    struct json_doc *doc = NULL;
    struct push push;
    struct buf text;
    struct arena a;
    enum err_code rc;

    arena_init(&a, "managed push", PUSH_ARENA);
    buf_init(&text, LIMIT_PUSH_INFLATED_BYTES);
    write_push(in, record, &text);
    rc = buf_check(&text, e);
    if (rc == ERR_OK)
        rc = json_parse(buf_view(&text), &limits, &doc, e);
    if (rc == ERR_OK)
        rc = push_read(&a, json_root(doc), &push, e);
    if (rc == ERR_OK)
        rc = tsdb_push(in->config->tsdb, &a, &push, ack, e);
    json_doc_free(doc);
    buf_fini(&text);
    arena_fini(&a);
    return rc;
}

static enum err_code deliver(struct managed_instance *in, struct str record, struct err *e)
{
    struct tsdb_ack ack = {0};
    enum err_code rc = in->seq == 0 ? ask_seq(in, e) : ERR_OK;

    if (rc == ERR_OK)
        rc = push_once(in, record, &ack, e);
    if (rc == ERR_CONFLICT && ack.next_seq > 0 && ack.next_seq != in->seq) {
        in->seq = ack.next_seq; /* another server delivered in between */
        agent_teller_forget(in->teller);
        rc = push_once(in, record, &ack, e);
    }
    in->seq = rc == ERR_OK ? ack.next_seq : 0;
    return rc;
}

static void lose(struct managed_instance *in, const struct agent_cycle *cycle, const struct err *e)
{
    const struct log_ctx ctx = {.component = "managed", .target = in->target->name};

    if (in->lost++ == 0) {
        in->lost_from_ms = cycle->made_ms;
        log_warn(&ctx, "a record was not stored: %s", e->text);
    }
    in->lost_to_ms = cycle->made_ms;
    agent_teller_forget(in->teller);
}

static void store_cycle(struct managed_instance *in, struct agent_cycle *cycle)
{
    struct err e = {0};
    struct buf text;
    enum err_code rc;

    buf_init(&text, LIMIT_RECORD_BYTES);
    lock_take(&in->lock);
    rc = agent_record_write(in->teller, in->target, cycle, &text, &e);
    if (rc == ERR_OK)
        rc = deliver(in, buf_view(&text), &e);
    if (rc == ERR_OK)
        in->lost = 0;
    else
        lose(in, cycle, &e);
    lock_release(&in->lock);
    buf_fini(&text);
}

/* --- how it fares --- */

static void note_connection(struct managed_instance *in, const struct agent_lane *lane)
{
    struct managed_verdict v = {0};

    if (lane->pg != NULL)
        managed_verdict_of_server(&lane->server, &in->place, &v);
    else if (lane->trouble.code == ERR_OK)
        return; /* not tried yet */
    lock_take(&in->state_lock);
    if (lane->pg == NULL)
        v = in->failure;
    in->has_news = in->has_news || v.code != in->verdict.code || in->told_mono_ms == 0;
    in->verdict = v;
    lock_release(&in->state_lock);
}

void managed_instance_take(struct managed_instance *in, struct agent_lane *lane,
                           struct agent_cycle *cycle)
{
    if (atomic_load(&in->target->leaving))
        return;
    if (lane == &in->target->lanes[AGENT_LANE_MAIN])
        note_connection(in, lane);
    if (agent_record_has(cycle) && tsdb_leads(in->config->tsdb))
        store_cycle(in, cycle);
}

bool managed_instance_news(struct managed_instance *in, struct arena *a,
                           struct store_managed_status *out)
{
    int64_t now = clock_mono_ms();
    struct managed_verdict v;
    bool due;

    lock_take(&in->state_lock);
    v = in->verdict;
    due = in->has_news || (in->told_mono_ms != 0 && now - in->told_mono_ms >= NEWS_EVERY_MS);
    if (due)
        in->told_mono_ms = now;
    in->has_news = false;
    lock_release(&in->state_lock);
    if (!due)
        return false;
    *out = (struct store_managed_status){
        .id = in->id,
        .connection = v.version[0] ? "connected" : "error",
        .stage = managed_code_stage(v.code),
        .error = arena_printf(a, "%s", v.error),
        .fix = arena_printf(a, "%s", v.fix),
        .server_version = arena_printf(a, "%s", v.version),
        .at_ms = clock_wall_ms(),
    };
    return out->error && out->fix && out->server_version;
}
