/* SPDX-License-Identifier: PostgreSQL */
/*
 * replay.c: fills the head from the journal at start.
 *
 * Journal rows are read in lsn order and linked as they are; a slice is left out when the day file
 * that it belongs to has applied its lsn, or its target was deleted. One that cannot be read is
 * moved into quarantine and out of its row: it must not keep a server from starting.
 * Threads: none run yet.
 */
#include "store/tsdb/head_fold.h"
#include "store/tsdb/ingest.h"
#include "store/tsdb/quarantine.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "base/log.h"

#include <string.h>

static const struct log_ctx replay_log = {.component = "tsdb"};

struct replay {
    struct tsdb *db;
    struct map *streams; /* id -> struct stream */
    uint64_t *bad;       /* rows with a slice that cannot be read */
    size_t bad_count;
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

/* Link the slices of a row that can be read; false = there is one that cannot. */
static bool replay_blob(struct tsdb *db, uint64_t lsn, struct str blob)
{
    struct str rest = blob;
    struct err e;
    bool good = true;

    while (rest.len) {
        struct str one;
        if (!codec_take_bytes(&rest, &one)) {
            return false;
        }
        good &= replay_slice(db, lsn, one, &e) == ERR_OK;
    }
    return good;
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

static void replay_row(struct replay *r, struct sqldb_stmt *s)
{
    struct tsdb *db = r->db;
    uint64_t lsn = (uint64_t)sqldb_get_i64(s, 0);

    if (!replay_blob(db, lsn, sqldb_get_blob(s, 1))) {
        r->bad = alloc_resize(r->bad, (r->bad_count + 1) * sizeof(*r->bad));
        r->bad[r->bad_count++] = lsn;
    }
    if (sqldb_get_i64(s, 2)) {
        db->meta_lsn = lsn;
    }
    db->linked_lsn = lsn;
    if (head_loose_bytes(db->active) > db->config.flush_bytes) {
        (void)head_fold_step(db); /* a long journal must not take more memory than a full head */
    }
    remember(r, s);
    atomic_fetch_add(&db->count.replayed_records, 1);
    FAULT_POINT("tsdb.replay");
}

/* --- what cannot be read --- */

enum err_code replay_mend_row(const char *dir, struct sqldb *ingest, uint64_t lsn, size_t *bad,
                              struct err *e)
{
    struct quarantine_item item = {.file = "ingest.db", .what = "journal slices"};
    struct quarantine_slices split;
    struct sqldb_value id = sqldb_i64((int64_t)lsn);
    struct sqldb_stmt *s = NULL;
    struct arena a;

    *bad = 0;
    enum err_code code = sqldb_row(ingest, "tsdb_journal_slices", SQLDB_ARGS(id), &s, e);
    if (code) {
        return code;
    }
    arena_init(&a, "tsdb mend", TSDB_ARENA_BYTES);
    item.key = (int64_t)lsn;
    item.data = sqldb_get_blob(s, 0);
    quarantine_split(item.data, &a, &split);
    item.reason = split.why.text;
    code = split.bad ? quarantine_put(dir, &item, 1, e) : ERR_OK;
    sqldb_end(s);
    if (code == ERR_OK && split.bad) {
        code = sqldb_run(ingest, "tsdb_journal_put_slices",
                         SQLDB_ARGS(id, sqldb_blob(split.good.ptr, split.good.len)), e);
        *bad = split.bad;
    }
    buf_fini(&split.good);
    arena_fini(&a);
    return code;
}

static enum err_code mend_rows(struct replay *r, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < r->bad_count; i++) {
        size_t bad = 0;
        code = replay_mend_row(r->db->dir, r->db->ingest, r->bad[i], &bad, e);
        if (code == ERR_OK) {
            atomic_fetch_add(&r->db->count.quarantined, bad);
            log_error(&replay_log,
                      "journal row %llu: %zu readings cannot be read: damaged.db has it",
                      (unsigned long long)r->bad[i], bad);
        }
    }
    return code;
}

enum err_code replay_run(struct tsdb *db, struct err *e)
{
    struct replay r = {.db = db, .streams = map_new()};
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
        replay_row(&r, s);
    }
    sqldb_end(s);
    if (code == ERR_OK) {
        code = mend_rows(&r, e);
    }
    map_free(r.streams, NULL);
    alloc_free(r.bad);
    return code;
}
