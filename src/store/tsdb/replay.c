/* SPDX-License-Identifier: PostgreSQL */
/*
 * replay.c: fills the head from the journal at start.
 *
 * Journal rows are read in lsn order and linked as they are; a slice is left out when the day file
 * that it belongs to has applied its lsn, or its target was deleted. Threads: none run yet.
 */
#include "store/tsdb/ingest.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "store/tsdb/codec.h"

#include <string.h>

struct replay {
    struct tsdb *db;
    struct map *streams; /* id -> struct stream */
};

static bool is_applied(const struct tsdb *db, const struct codec_slice *s, uint64_t lsn)
{
    struct day_file f;
    return days_get(db, days_class_of(s->every_ms), days_of_ms(s->t_ms), &f) && f.applied >= lsn;
}

static enum err_code replay_slice(struct tsdb *db, uint64_t lsn, struct str bytes, struct err *e)
{
    struct codec_slice s;
    enum err_code code = codec_peek_slice(bytes, &s, e);

    if (code) {
        return code;
    }
    if (drop_has(db, s.group)) {
        return ERR_OK; /* its target was deleted */
    }
    struct catalog_last last = {s.t_ms, s.every_ms, s.flags, s.reason};
    catalog_seen(db->catalog, s.group, &last);
    if (!is_applied(db, &s, lsn)) {
        struct head_slice linked = {lsn, s.t_ms, s.every_ms, bytes};
        head_link(db->active, s.group, &linked);
        atomic_fetch_add(&db->count.replayed_slices, 1);
    }
    return ERR_OK;
}

static enum err_code replay_blob(struct tsdb *db, uint64_t lsn, struct str blob, struct err *e)
{
    struct str rest = head_keep(db->active, blob);

    while (rest.len) {
        struct str one;
        if (!codec_take_bytes(&rest, &one)) {
            return err_set(e, ERR_CORRUPT, "slices cut short");
        }
        enum err_code code = replay_slice(db, lsn, one, e);
        if (code) {
            return code;
        }
    }
    return ERR_OK;
}

static void remember(struct replay *r, struct sqldb_stmt *s)
{
    uint64_t id = (uint64_t)sqldb_get_i64(s, 3);
    struct str hash = sqldb_get_blob(s, 6);
    struct stream *stream = map_get(r->streams, str_make(&id, sizeof(id)));
    struct known_record k = {.seq = (uint64_t)sqldb_get_i64(s, 4),
                             .span = (uint64_t)sqldb_get_i64(s, 5),
                             .is_gap = hash.len != sizeof(k.hash)};
    if (!stream) {
        return;
    }
    if (!k.is_gap) {
        memcpy(k.hash, hash.ptr, sizeof(k.hash));
    }
    stream_remember(stream, &k);
}

static enum err_code replay_row(struct replay *r, struct sqldb_stmt *s, struct err *e)
{
    struct tsdb *db = r->db;
    uint64_t lsn = (uint64_t)sqldb_get_i64(s, 0);
    enum err_code code = replay_blob(db, lsn, sqldb_get_blob(s, 1), e);

    if (code) {
        (void)err_wrap(e, "journal row %llu", (unsigned long long)lsn);
        return code;
    }
    if (sqldb_get_i64(s, 2)) {
        db->meta_lsn = lsn;
    }
    db->linked_lsn = lsn;
    remember(r, s);
    atomic_fetch_add(&db->count.replayed_records, 1);
    FAULT_POINT("tsdb.replay");
    return ERR_OK;
}

enum err_code replay_run(struct tsdb *db, struct err *e)
{
    struct replay r = {db, map_new()};
    struct sqldb_stmt *s = NULL;
    struct str key;
    void *value = NULL;
    bool row = true;

    for (size_t pos = 0; map_next(db->streams, &pos, &key, &value);) {
        const struct stream *stream = value;
        (void)map_put(r.streams, str_make(&stream->id, sizeof(stream->id)), value);
    }
    enum err_code code = sqldb_query(db->ingest, "tsdb_journal_scan", SQLDB_NO_ARGS, &s, e);
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        code = replay_row(&r, s, e);
    }
    sqldb_end(s);
    map_free(r.streams, NULL);
    return code;
}
