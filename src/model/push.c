/* SPDX-License-Identifier: PostgreSQL */
/* push.c: the envelope of a push and its answer (packaging/doc/protocol.md, 2 and 3). */
#include "model/push.h"

#include "base/limits.h"
#include "model/place.h"

#define PUSH_HASH_DIGITS (2 * PUSH_HASH_BYTES)
#define PUSH_SEQ_MAX     (UINT64_C(1) << 53) /* what every JSON reader keeps exact */

static void push_member_uuid(struct json_writer *w, const char *name, const struct uuid *u)
{
    char text[TEXT_UUID_SIZE];

    text_uuid(u, text);
    json_member_c(w, name, text);
}

static void push_write_record(const struct push_text_record *r, struct json_writer *w)
{
    char hash[PUSH_HASH_DIGITS + 1];

    json_object_begin(w);
    if (r->json.len > 0) {
        text_hex(r->hash, sizeof(r->hash), hash);
        json_member_c(w, "hash", hash);
        json_key(w, "record");
        json_put_raw(w, r->json);
    } else {
        json_member_u64(w, "span", r->gap.span);
        json_key(w, "gap");
        json_object_begin(w);
        json_member_str(w, "reason", r->gap.reason);
        json_member_i64(w, "from_ms", r->gap.from_ms);
        json_member_i64(w, "to_ms", r->gap.to_ms);
        json_object_end(w);
    }
    json_object_end(w);
}

void push_write(const struct push *head, const struct push_text_record *records, size_t count,
                struct json_writer *w)
{
    uint64_t covered = 0;

    for (size_t i = 0; i < count; i++)
        covered += records[i].json.len > 0 ? 1 : records[i].gap.span;
    json_object_begin(w);
    push_member_uuid(w, "collector_id", &head->collector);
    push_member_uuid(w, "stream", &head->stream);
    json_member_u64(w, "seq", head->seq);
    json_member_u64(w, "count", covered);
    json_member_bool(w, "backlog", head->backlog);
    json_member_bool(w, "closes", head->closes);
    json_key(w, "agent");
    json_object_begin(w);
    json_member_str(w, "version", head->version);
    json_member_str(w, "hostname", head->hostname);
    json_member_i64(w, "wall_ms", head->wall_ms);
    json_member_i64(w, "mono_ms", head->mono_ms);
    json_object_end(w);
    json_key(w, "records");
    json_array_begin(w);
    for (size_t i = 0; i < count; i++)
        push_write_record(&records[i], w);
    json_array_end(w);
    json_object_end(w);
}

static enum err_code push_read_gap(struct place *at, const struct json *n, struct push_record *out)
{
    const struct json *gap = json_get(n, "gap");
    const struct json *from = json_get(gap, "from_ms"), *to = json_get(gap, "to_ms");
    enum err_code rc;

    out->is_gap = true;
    out->gap.span = json_u64(json_get(n, "span"), 0);
    at->member = "span";
    if (out->gap.span == 0 || out->gap.span > PUSH_SEQ_MAX)
        return place_fail(at, ERR_INVALID, "must be a whole number from 1");
    rc = place_read_str(at, json_get(gap, "reason"), "gap.reason", LIMIT_NAME_BYTES,
                        &out->gap.reason);
    if (rc == ERR_OK && !relation_is_name(out->gap.reason))
        rc = place_fail(at, ERR_INVALID, "is no name");
    if (rc == ERR_OK && from)
        rc = place_read_ms(at, from, "gap.from_ms", &out->gap.from_ms);
    if (rc == ERR_OK && to)
        rc = place_read_ms(at, to, "gap.to_ms", &out->gap.to_ms);
    return rc;
}

static enum err_code push_read_record(struct place *at, const struct json *n,
                                      struct push_record *out)
{
    const struct json *record = json_get(n, "record"), *gap = json_get(n, "gap");

    if (json_type(n) != JSON_OBJECT || !record == !gap)
        return place_fail(at, ERR_INVALID, "must be an object with either record or gap");
    if (gap)
        return push_read_gap(at, n, out);
    at->member = "hash";
    if (!text_unhex(json_str(json_get(n, "hash")), out->hash, sizeof(out->hash)))
        return place_fail(at, ERR_INVALID, "must be %d hexadecimal digits", PUSH_HASH_DIGITS);
    at->member = "record";
    if (json_type(record) != JSON_OBJECT)
        return place_fail(at, ERR_INVALID, "must be an object");
    out->json = record;
    return ERR_OK;
}

static enum err_code push_read_records(struct arena *a, const struct json *n, struct push *out,
                                       struct err *e)
{
    struct place at = {.member = "records", .row = PLACE_NONE, .e = e};
    uint64_t seq = out->seq;

    if (json_type(n) != JSON_ARRAY || json_count(n) == 0)
        return place_fail(&at, ERR_INVALID, "must be an array with entries");
    if (json_count(n) > LIMIT_PUSH_RECORDS)
        return place_fail(&at, ERR_LIMIT, "%zu entries, at most %d", json_count(n),
                          LIMIT_PUSH_RECORDS);
    out->records = arena_array(a, json_count(n), sizeof(*out->records));
    if (!out->records)
        return arena_fail(a, e);
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        struct push_record *record = &out->records[it.index];
        enum err_code rc;

        at = (struct place){.list = "records", .index = it.index, .row = PLACE_NONE, .e = e};
        record->seq = seq;
        rc = push_read_record(&at, it.value, record);
        if (rc != ERR_OK)
            return rc;
        seq += record->is_gap ? record->gap.span : 1;
        if (seq > PUSH_SEQ_MAX)
            return place_fail(&at, ERR_INVALID, "sequence number out of range");
        out->record_count++;
    }
    at = (struct place){.member = "count", .row = PLACE_NONE, .e = e};
    if (seq - out->seq != out->count)
        return place_fail(&at, ERR_INVALID, "is %llu, but the records cover %llu",
                          (unsigned long long)out->count, (unsigned long long)(seq - out->seq));
    return ERR_OK;
}

/* What the agent says of itself: all of it optional. */
static enum err_code push_read_agent(const struct json *n, struct push *out, struct err *e)
{
    const struct json *version = json_get(n, "version"), *hostname = json_get(n, "hostname");
    struct place at = {.row = PLACE_NONE, .e = e};
    enum err_code rc = ERR_OK;

    if (version)
        rc = place_read_str(&at, version, "agent.version", LIMIT_NAME_BYTES, &out->version);
    if (rc == ERR_OK && hostname)
        rc = place_read_str(&at, hostname, "agent.hostname", LIMIT_KEY_BYTES, &out->hostname);
    out->wall_ms = json_i64(json_get(n, "wall_ms"), 0);
    out->mono_ms = json_i64(json_get(n, "mono_ms"), 0);
    return rc;
}

/* Absent is false; what is no boolean is refused, for a push must not land in the wrong queue. */
static enum err_code push_read_flag(const struct json *root, const char *name, bool *out,
                                    struct err *e)
{
    struct place at = {.member = name, .row = PLACE_NONE, .e = e};
    const struct json *n = json_get(root, name);

    *out = json_bool(n, false);
    if (n && json_type(n) != JSON_BOOL)
        return place_fail(&at, ERR_INVALID, "must be true or false");
    return ERR_OK;
}

enum err_code push_read(struct arena *a, const struct json *root, struct push *out, struct err *e)
{
    struct place at = {.row = PLACE_NONE, .e = e};
    enum err_code rc;

    *out = (struct push){0};
    if (json_type(root) != JSON_OBJECT)
        return place_fail(&at, ERR_INVALID, "a push must be an object");
    rc = place_read_uuid(&at, json_get(root, "collector_id"), "collector_id", &out->collector);
    if (rc == ERR_OK)
        rc = place_read_uuid(&at, json_get(root, "stream"), "stream", &out->stream);
    if (rc == ERR_OK)
        rc = push_read_flag(root, "backlog", &out->backlog, e);
    if (rc == ERR_OK)
        rc = push_read_flag(root, "closes", &out->closes, e);
    if (rc != ERR_OK)
        return rc;
    out->seq = json_u64(json_get(root, "seq"), 0);
    out->count = json_u64(json_get(root, "count"), 0);
    at.member = "seq";
    if (out->seq == 0 || out->seq > PUSH_SEQ_MAX)
        return place_fail(&at, ERR_INVALID, "must be a whole number from 1");
    at.member = "count";
    if (out->count == 0)
        return place_fail(&at, ERR_INVALID, "must be a whole number from 1");
    rc = push_read_agent(json_get(root, "agent"), out, e);
    if (rc == ERR_OK)
        rc = push_read_records(a, json_get(root, "records"), out, e);
    return rc;
}

enum err_code push_answer_read(const struct json *root, struct push_answer *out, struct err *e)
{
    struct push_answer got = {0};
    struct place at = {.member = "next_seq", .row = PLACE_NONE, .e = e};
    enum err_code rc;

    got.next_seq = json_u64(json_get(root, "next_seq"), 0);
    if (got.next_seq == 0)
        return place_fail(&at, ERR_INVALID, "is missing: no acknowledgement");
    rc = place_read_uuid(&at, json_get(root, "store_epoch"), "store_epoch", &got.store_epoch);
    if (rc != ERR_OK)
        return rc;
    got.server_ms = json_i64(json_get(root, "server_ms"), 0);
    got.config_version = json_i64(json_get(root, "next_config_version"), 0);
    got.next_check_s = json_i64(json_get(root, "next_check_in_seconds"), 0);
    *out = got;
    return ERR_OK;
}
