/* SPDX-License-Identifier: PostgreSQL */
/*
 * transfer_write.c: readings go into the destination, a batch after the other.
 *
 * PostgreSQL: a batch is a transaction of the engine's mover, with the mark. SQLite: a batch is a
 * flush of a head with the number of the batch as its lsn; the mark follows in meta.db. A batch
 * that is written again because the mark did not come has the same slices and number, and day
 * files that have it leave it out.
 */
#include "store/transfer/transfer_part.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "store/tsdb/postgres/pgstore_move.h"

#include <string.h>

#define MOVE_BYTES ((size_t)512 * 1024 * 1024)
#define BLOB_BYTES ((size_t)512 * 1024 * 1024)
#define MOVE_ROWS  50000 /* of a batch into PostgreSQL: each is a line of a wide table */
#define MAKE_TRIES 20

struct writing {
    struct transfer *t;
    struct head *head; /* SQLite */
    struct buf blob;   /* PostgreSQL: slices with their lengths */
    size_t rows, count;
    struct transfer_place place; /* of the last one in the batch */
};

/* --- SQLite --- */

static enum err_code flush_batch(struct writing *w, struct err *e)
{
    struct transfer *t = w->t;
    enum err_code code = flush_head(t->to.series, w->head, t->mark.batches, e);

    head_free(w->head);
    w->head = head_new();
    if (code == ERR_OK) {
        FAULT_POINT("transfer.batch_mark");
        code = transfer_mark_save(t, e);
    }
    return code;
}

/* --- PostgreSQL --- */

enum err_code transfer_take_lease(struct transfer *t, struct err *e)
{
    struct pgstore *p = pgstore_of(t->to.series);
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(p->lead, "transfer_leader_take", SQLDB_ARGS(sqldb_i64(p->node)),
                                   &s, e);

    if (code == ERR_OK) {
        p->term = sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code;
}

/* Some hundred at a time. */
static enum err_code make_tables(struct transfer *t, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t made = 0; code == ERR_OK && made <= t->to.series->catalog->relation_count;
         made += 500) {
        code = transfer_take_lease(t, e);
        code = code ? code : pgstore_tables_make(pgstore_of(t->to.series), e);
    }
    return code;
}

static enum err_code make_day(struct transfer *t, int64_t day, struct err *e)
{
    enum err_code code = transfer_take_lease(t, e);
    return code ? code : pgstore_tables_make_day(pgstore_of(t->to.series), day, e);
}

static enum err_code move_batch(struct writing *w, struct move *m, struct err *e)
{
    struct sqldb *db = m->store->move;
    enum err_code code = sqldb_begin_shared(db, e);

    if (code) {
        return code;
    }
    code = move_slices(m, e);
    if (code == ERR_OK && !m->waits) {
        code = transfer_mark_put(db, &w->t->mark, e);
    }
    if (code || m->waits) {
        sqldb_rollback(db);
        return code;
    }
    FAULT_POINT("transfer.batch");
    return sqldb_commit(db, e);
}

/* A relation that got its description late may lack its table. */
static enum err_code try_batch(struct writing *w, bool *waits, struct err *e)
{
    struct move_row row = {.slices = buf_view(&w->blob)};
    struct move m = {.store = pgstore_of(w->t->to.series), .rows = &row, .row_count = 1};

    arena_init(&m.arena, "copied batch", MOVE_BYTES);
    arena_init(&m.scratch, "copied values", MOVE_BYTES);
    enum err_code code = move_batch(w, &m, e);
    *waits = m.waits;
    arena_fini(&m.scratch);
    arena_fini(&m.arena);
    if (code == ERR_OK && *waits) {
        code = make_tables(w->t, e);
    }
    return code;
}

static enum err_code load_batch(struct writing *w, struct err *e)
{
    enum err_code code = buf_check(&w->blob, e);
    bool waits = true;

    for (int i = 0; code == ERR_OK && waits && i < MAKE_TRIES; i++) {
        code = try_batch(w, &waits, e);
    }
    buf_reset(&w->blob);
    if (code == ERR_OK && waits) {
        code = err_set(e, ERR_BUG, "tables for the readings are not there");
    }
    return code;
}

/* --- batches --- */

static enum err_code write_batch(struct writing *w, struct err *e)
{
    struct transfer *t = w->t;

    if (w->count == 0) {
        return ERR_OK;
    }
    t->mark.batches++;
    t->mark.readings += w->count;
    t->mark.place = w->place;
    enum err_code code = t->to.pg ? load_batch(w, e) : flush_batch(w, e);
    w->rows = w->count = 0;
    t->progress.done = t->mark.readings;
    transfer_tell(t);
    return code;
}

static bool is_full(const struct writing *w)
{
    size_t most = w->t->mark.batch_bytes;
    return w->t->to.pg ? w->blob.len >= most || w->rows >= MOVE_ROWS : head_bytes(w->head) >= most;
}

static enum err_code take_reading(void *arg, const struct transfer_reading *r, struct err *e)
{
    struct writing *w = arg;

    if (w->t->to.pg) {
        codec_put_bytes(&w->blob, r->bytes);
    } else {
        const struct head_slice s = {w->t->mark.batches + 1, r->t_ms, r->every_ms, r->bytes};
        head_link(w->head, r->group, &s);
    }
    w->count++;
    w->rows += r->row_count;
    w->t->progress.rows += r->row_count;
    w->place.group = r->group;
    w->place.t_ms = r->t_ms;
    return is_full(w) ? write_batch(w, e) : ERR_OK;
}

static enum err_code copy_day(struct writing *w, int64_t day, struct err *e)
{
    struct transfer *t = w->t;
    const struct transfer_reader reader = {
        .t = t, .side = &t->from, .visit = take_reading, .arg = w};
    struct transfer_place after = {day, 0, INT64_MIN};

    if (t->mark.batches && day < t->mark.place.day) {
        return ERR_OK;
    }
    if (t->mark.batches && day == t->mark.place.day) {
        after = t->mark.place;
    }
    w->place = after;
    t->progress.day_ms = day * TSDB_DAY_MS;
    enum err_code code = t->to.pg ? make_day(t, day, e) : ERR_OK;
    code = code ? code : transfer_read_day(&reader, &after, e);
    return code ? code : write_batch(w, e);
}

enum err_code transfer_readings_copy(struct transfer *t, struct err *e)
{
    struct writing w = {.t = t, .head = head_new()};
    int64_t *days = NULL;
    size_t count = 0;
    uint64_t total = 0;

    buf_init(&w.blob, BLOB_BYTES);
    enum err_code code = t->to.pg ? make_tables(t, e) : ERR_OK;
    code = code ? code : transfer_days(&t->from, &days, &count, &total, e);
    t->progress = (struct transfer_progress){
        .step = "readings", .done = t->mark.readings, .total = total};
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        code = copy_day(&w, days[i], e);
    }
    alloc_free(days);
    buf_fini(&w.blob);
    head_free(w.head);
    return code;
}
