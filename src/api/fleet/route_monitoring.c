/* SPDX-License-Identifier: PostgreSQL */
/* route_monitoring.c: what the monitoring itself does and costs. */
#include "api/api_call.h"

static void put_refused(struct json_writer *w, const struct tsdb_stats *s)
{
    json_key(w, "refused");
    json_object_begin(w);
    for (int i = 0; i < TSDB_REFUSED_KINDS; i++)
        json_member_u64(w, tsdb_refusal_name((enum tsdb_refusal)i), s->refused[i]);
    json_object_end(w);
}

static void put_parts(struct json_writer *w, const struct tsdb_stats *s)
{
    json_key(w, "part_bytes");
    json_object_begin(w);
    for (int i = 0; i < TSDB_PARTS; i++)
        json_member_u64(w, tsdb_part_name((enum tsdb_part)i), s->part_bytes[i]);
    json_object_end(w);
}

static void put_store(struct json_writer *w, const struct tsdb_stats *s)
{
    char epoch[TEXT_UUID_SIZE];

    text_uuid(&s->epoch, epoch);
    json_key(w, "store");
    json_object_begin(w);
    json_member_c(w, "engine", s->engine);
    json_member_c(w, "epoch", epoch);
    json_member_u64(w, "journal_bytes", s->journal_bytes);
    json_member_u64(w, "head_bytes", s->head_bytes);
    json_member_u64(w, "disk_bytes", s->disk_bytes);
    put_parts(w, s);
    json_member_u64(w, "free_bytes", s->free_bytes);
    json_member_u64(w, "samples_stored", s->samples_stored);
    json_member_u64(w, "pushes", s->pushes);
    json_member_u64(w, "records", s->records);
    json_member_u64(w, "slices", s->slices);
    json_member_u64(w, "commits", s->commits);
    json_member_u64(w, "duplicates", s->duplicates);
    put_refused(w, s);
    json_member_u64(w, "flushes", s->flushes);
    json_member_u64(w, "flush_errors", s->flush_errors);
    json_member_u64(w, "compactions", s->compactions);
    json_member_u64(w, "compact_errors", s->compact_errors);
    json_member_u64(w, "quarantined", s->quarantined);
    json_member_u64(w, "max_bytes", s->max_bytes);
    json_member_u64(w, "removed_for_age", s->removed[TSDB_REMOVED_AGE]);
    json_member_u64(w, "removed_for_quota", s->removed[TSDB_REMOVED_QUOTA]);
    json_member_u64(w, "removed_bytes", s->removed_bytes);
    json_member_u64(w, "expired_events", s->expired_events);
    json_member_u64(w, "expired_texts", s->expired_texts);
    json_member_u64(w, "stripped", s->stripped);
    json_member_u64(w, "replayed_records", s->replayed_records);
    json_member_u64(w, "replayed_slices", s->replayed_slices);
    json_member_u64(w, "relations", s->relations);
    json_member_u64(w, "groups", s->groups);
    json_member_u64(w, "objects", s->objects);
    json_member_u64(w, "lsn", s->lsn);
    json_member_u64(w, "flushed_lsn", s->flushed_lsn);
    json_member_u64(w, "applied_lsn", s->applied_lsn);
    json_member_i64(w, "last_flush_ms", s->last_flush_ms);
    json_member_bool(w, "full", s->full);
    json_object_end(w);
}

static void put_stream(struct json_writer *w, const struct tsdb_stream *s)
{
    char collector[TEXT_UUID_SIZE], stream[TEXT_UUID_SIZE];

    text_uuid(&s->collector, collector);
    text_uuid(&s->stream, stream);
    json_object_begin(w);
    json_member_c(w, "collector", collector);
    json_member_c(w, "stream", stream);
    json_member_u64(w, "next_seq", s->next_seq);
    json_member_u64(w, "stored", s->stored);
    json_member_u64(w, "samples", s->samples);
    json_key(w, "gaps");
    json_object_begin(w);
    for (size_t i = 0; i < s->gap_count; i++) {
        json_key_str(w, s->gaps[i].reason);
        json_put_u64(w, s->gaps[i].records);
    }
    json_object_end(w);
    json_member_bool(w, "live", !s->backlog && !s->closed);
    json_member_bool(w, "backlog", s->backlog);
    json_member_bool(w, "closed", s->closed);
    json_member_i64(w, "last_push_ms", s->last_push_ms);
    json_object_end(w);
}

static enum err_code get(struct api_call *call, struct err *e)
{
    struct tsdb_stream *streams;
    struct tsdb_reader *reader;
    struct tsdb_stats stats;
    struct json_writer *w;
    size_t count;
    enum err_code rc = api_reader(call, &reader, e);

    if (rc == ERR_OK)
        rc = tsdb_streams(reader, call->arena, &streams, &count, e);
    if (rc != ERR_OK)
        return rc;
    tsdb_stats(call->api->config.tsdb, &stats);
    w = api_json(call, 200);
    json_object_begin(w);
    put_store(w, &stats);
    json_key(w, "streams");
    json_array_begin(w);
    for (size_t i = 0; i < count; i++)
        put_stream(w, &streams[i]);
    json_array_end(w);
    json_object_end(w);
    return ERR_OK;
}

const struct route route_monitoring_get = {
    .method = "GET",
    .path = "/api/v1/monitoring",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_FLEET,
    .classes = HTTPD_API,
    .handle = get,
    .summary = "Store, streams and losses of the monitoring itself.",
    .answer = "{store: {engine: text, epoch: uuid, part_bytes: {*: int}, refused: {*: int},"
              " full: bool, *: num?},"
              " streams: [{collector: uuid, stream: uuid, next_seq: int, stored: int, samples: int,"
              " gaps: {*: int}, live: bool, backlog: bool, closed: bool, last_push_ms: ms}]}",
};
