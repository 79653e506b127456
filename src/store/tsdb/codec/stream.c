/* SPDX-License-Identifier: PostgreSQL */
/*
 * stream.c: what the engine remembers of each stream of records.
 *
 * Threads: the list and the acknowledged state are guarded by the engine's state lock; the cache
 * belongs to the push that holds `busy`.
 */
#include "store/tsdb/ingest.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "os/clock.h"

#include <string.h>

#define ENTRY_KEY_MAX (LIMIT_NAME_BYTES + LIMIT_KEY_BYTES + sizeof(struct uuid) + 1)

struct stream *stream_new(const struct uuid *collector, const struct uuid *uuid)
{
    struct stream *s = alloc_new(sizeof(*s));
    s->collector = *collector;
    s->uuid = *uuid;
    s->next_seq = 1;
    return s;
}

static void free_entry(void *value)
{
    struct stream_entry *entry = value;
    if (!entry) {
        return;
    }
    alloc_free(entry->keys);
    alloc_free(entry->columns);
    alloc_free(entry->types);
    alloc_free(entry->rows);
    alloc_free(entry);
}

void stream_forget(struct stream *s)
{
    map_free(s->cache, free_entry);
    s->cache = NULL;
}

static bool is_dropped(const struct stream_entry *n)
{
    return n->group && atomic_load(&n->group->dropped);
}

void stream_forget_dropped(struct stream *s)
{
    struct map *kept = NULL;
    struct str key;
    void *value = NULL;
    bool any = false;

    for (size_t pos = 0; !any && s->cache && map_next(s->cache, &pos, &key, &value);) {
        any = is_dropped(value);
    }
    if (!any) {
        return;
    }
    kept = map_new();
    for (size_t pos = 0; map_next(s->cache, &pos, &key, &value);) {
        if (is_dropped(value)) {
            free_entry(value);
        } else {
            (void)map_put(kept, key, value);
        }
    }
    map_free(s->cache, NULL);
    s->cache = kept;
}

void stream_rest(struct stream *s)
{
    stream_forget(s);
    alloc_free(s->known);
    s->known = NULL;
    s->known_next = 0;
}

void stream_free(void *stream)
{
    struct stream *s = stream;
    stream_rest(s);
    for (size_t i = 0; i < s->gap_count; i++) {
        alloc_free(s->gaps[i].reason);
    }
    alloc_free(s->gaps);
    alloc_free(s->heard);
    alloc_free(s);
}

static struct str entry_key(const struct slice *slice, char key[ENTRY_KEY_MAX])
{
    size_t len = 0;

    memcpy(key, slice->target.bytes, sizeof(slice->target.bytes));
    len += sizeof(slice->target.bytes);
    size_t name = slice->relation.len < LIMIT_NAME_BYTES ? slice->relation.len : LIMIT_NAME_BYTES;
    memcpy(key + len, slice->relation.ptr ? slice->relation.ptr : "", name);
    len += name;
    key[len++] = '\0';
    size_t scope = slice->scope.len < LIMIT_KEY_BYTES ? slice->scope.len : LIMIT_KEY_BYTES;
    if (scope) {
        memcpy(key + len, slice->scope.ptr, scope);
    }
    return str_make(key, len + scope);
}

struct stream_entry *stream_entry_of(struct stream *s, const struct slice *slice)
{
    char bytes[ENTRY_KEY_MAX];
    struct str key = entry_key(slice, bytes);

    if (!s->cache) {
        s->cache = map_new();
    }
    struct stream_entry *entry = map_get(s->cache, key);
    if (!entry) {
        entry = alloc_new(sizeof(*entry));
        entry->last_t_ms = INT64_MIN;
        (void)map_put(s->cache, key, entry);
    }
    return entry;
}

void stream_drop_entry(struct stream *s, const struct slice *slice)
{
    char bytes[ENTRY_KEY_MAX];

    if (s->cache) {
        free_entry(map_remove(s->cache, entry_key(slice, bytes)));
    }
}

bool stream_is_unnumbered(const struct stream *s)
{
    return text_uuid_eq(&s->collector, &s->uuid);
}

void stream_hear(struct stream *s, const unsigned char hash[PUSH_HASH_BYTES])
{
    if (!s->heard) {
        s->heard = alloc_array(TSDB_HEARD_KEPT, sizeof(*s->heard));
    }
    struct heard_record *h = &s->heard[s->heard_next];
    memcpy(h->hash, hash, sizeof(h->hash));
    h->mono_us = clock_mono_us();
    s->heard_next = (s->heard_next + 1) % TSDB_HEARD_KEPT;
}

bool stream_heard(const struct stream *s, const unsigned char hash[PUSH_HASH_BYTES])
{
    int64_t now = clock_mono_us();

    for (size_t i = 0; s->heard && i < TSDB_HEARD_KEPT; i++) {
        const struct heard_record *h = &s->heard[i];
        if (h->mono_us && now - h->mono_us <= TSDB_HEARD_US &&
            memcmp(h->hash, hash, sizeof(h->hash)) == 0) {
            return true;
        }
    }
    return false;
}

void stream_remember(struct stream *s, const struct known_record *k)
{
    if (stream_is_unnumbered(s) && !k->is_gap) {
        stream_hear(s, k->hash);
    }
    if (!s->known) {
        s->known = alloc_array(TSDB_HASHES_KEPT, sizeof(*s->known));
    }
    s->known[s->known_next] = *k;
    s->known_next = (s->known_next + 1) % TSDB_HASHES_KEPT;
}

const struct known_record *stream_known(const struct stream *s, uint64_t seq)
{
    for (size_t i = 0; s->known && i < TSDB_HASHES_KEPT; i++) {
        const struct known_record *k = &s->known[i];
        if (k->span > 0 && seq >= k->seq && seq - k->seq < k->span) {
            return k;
        }
    }
    return NULL;
}

void stream_count_gap(struct stream *s, struct str reason, uint64_t records)
{
    for (size_t i = 0; i < s->gap_count; i++) {
        if (str_eq_c(reason, s->gaps[i].reason)) {
            s->gaps[i].records += records;
            return;
        }
    }
    s->gaps = alloc_resize(s->gaps, (s->gap_count + 1) * sizeof(*s->gaps));
    s->gaps[s->gap_count].reason = alloc_strndup(reason.ptr ? reason.ptr : "", reason.len);
    s->gaps[s->gap_count++].records = records;
}

/* --- start --- */

static bool take_uuid(struct str blob, struct uuid *out)
{
    if (blob.len != sizeof(out->bytes)) {
        return false;
    }
    memcpy(out->bytes, blob.ptr, sizeof(out->bytes));
    return true;
}

static enum err_code load_row(struct tsdb *db, struct sqldb_stmt *row, struct map *by_id,
                              struct err *e)
{
    struct uuid both[2];
    uint64_t id = (uint64_t)sqldb_get_i64(row, 0);

    if (!take_uuid(sqldb_get_blob(row, 1), &both[0]) ||
        !take_uuid(sqldb_get_blob(row, 2), &both[1])) {
        return err_set(e, ERR_CORRUPT, "stream %llu is damaged", (unsigned long long)id);
    }
    struct stream *s = stream_new(&both[0], &both[1]);
    s->id = id;
    s->next_seq = (uint64_t)sqldb_get_i64(row, 3);
    s->stored = (uint64_t)sqldb_get_i64(row, 4);
    s->samples = (uint64_t)sqldb_get_i64(row, 5);
    s->backlog = sqldb_get_i64(row, 6) != 0;
    s->closed = sqldb_get_i64(row, 7) != 0;
    (void)map_put(db->streams, str_make(both, sizeof(both)), s);
    (void)map_put(by_id, str_make(&id, sizeof(id)), s);
    if (id >= db->next_stream) {
        db->next_stream = id + 1;
    }
    return ERR_OK;
}

static enum err_code load_gaps(struct tsdb *db, const struct map *by_id, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(db->ingest, "tsdb_stream_gap_list", SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        uint64_t id = (uint64_t)sqldb_get_i64(s, 0);
        struct stream *stream = map_get(by_id, str_make(&id, sizeof(id)));
        if (stream) {
            stream_count_gap(stream, sqldb_get_text(s, 1), (uint64_t)sqldb_get_i64(s, 2));
        }
    }
    sqldb_end(s);
    return code;
}

/* The last trimmed hashes of a stream; replay adds those that the journal holds. */
static enum err_code load_known(struct tsdb *db, struct stream *stream, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    uint64_t kept = stream_is_unnumbered(stream) ? TSDB_HEARD_KEPT : TSDB_HASHES_KEPT;
    uint64_t from = stream->next_seq > kept ? stream->next_seq - kept : 1;
    enum err_code code = sqldb_query(
        db->ingest, "tsdb_record_known",
        SQLDB_ARGS(sqldb_i64((int64_t)stream->id), sqldb_i64((int64_t)from)), &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        struct str hash = sqldb_get_blob(s, 2);
        struct known_record k = {.seq = (uint64_t)sqldb_get_i64(s, 0),
                                 .span = (uint64_t)sqldb_get_i64(s, 1),
                                 .is_gap = hash.len != sizeof(k.hash)};
        if (!k.is_gap) {
            memcpy(k.hash, hash.ptr, sizeof(k.hash));
        }
        stream_remember(stream, &k);
    }
    sqldb_end(s);
    return code;
}

enum err_code stream_load_all(struct tsdb *db, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    struct map *by_id = map_new();
    struct str key;
    void *value = NULL;
    bool row = true;
    enum err_code code = sqldb_query(db->ingest, "tsdb_stream_list", SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        code = load_row(db, s, by_id, e);
    }
    sqldb_end(s);
    if (code == ERR_OK) {
        code = load_gaps(db, by_id, e);
    }
    for (size_t pos = 0; code == ERR_OK && map_next(db->streams, &pos, &key, &value);) {
        struct stream *stream = value;
        if (!stream->closed) {
            code = load_known(db, stream, e);
        }
    }
    map_free(by_id, NULL);
    return code;
}
