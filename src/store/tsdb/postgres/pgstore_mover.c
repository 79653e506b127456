/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_mover.c: moves journal rows of this node, and of nodes that died, to where they are read.
 *
 * At 20 rows or after a second: one transaction locks them, writes readings, values, events and
 * texts, keeps what they said for audits, and deletes them. When it fails the rows are still there.
 * Threads: the mover.
 */
#include "store/tsdb/postgres/pgstore_move.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "base/log.h"
#include "os/clock.h"

#include <string.h>

#define LOOK_US      1000000LL /* the longest that a row waits */
#define ENOUGH_ROWS  20
#define ROWS_MAX     200
#define BYTES_MAX    (2UL * 1024 * 1024)
#define ADOPT_US     2000000LL
#define ADOPT_ROWS   500
#define MEASURE_US   60000000LL
#define TEXTS_US     600000000LL
#define RETRY_MS     100
#define STOP_TRIES   100
#define MOVE_BYTES   (512UL * 1024 * 1024)
#define FULL_JOURNAL 4 /* times journal_bytes: pushes are refused */

static const struct log_ctx mover_log = {.component = "tsdb"};

/* --- one transaction --- */

/* The oldest rows, up to a number and size: first and last lsn; first 0 = none. */
static enum err_code choose(struct move *m, uint64_t *first, uint64_t *last, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    size_t bytes = 0;
    bool row = true;
    enum err_code code = sqldb_query(m->store->move, "tsdb_journal_mine",
                                     SQLDB_ARGS(sqldb_i64(m->store->node), sqldb_i64(ROWS_MAX)), &s,
                                     e);

    *first = *last = 0;
    while (code == ERR_OK && bytes < BYTES_MAX && (code = sqldb_step(s, &row, e)) == ERR_OK &&
           row) {
        *last = (uint64_t)sqldb_get_i64(s, 0);
        *first = *first ? *first : *last;
        bytes += (size_t)sqldb_get_i64(s, 1);
    }
    sqldb_end(s);
    return code;
}

static enum err_code take_rows(struct move *m, uint64_t first, uint64_t last, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(
        m->store->move, "tsdb_journal_take",
        SQLDB_ARGS(sqldb_i64(m->store->node), sqldb_i64((int64_t)first), sqldb_i64((int64_t)last)),
        &s, e);

    m->rows = arena_array(&m->arena, ROWS_MAX, sizeof(*m->rows));
    while (code == ERR_OK && m->rows && m->row_count < ROWS_MAX &&
           (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        struct move_row *r = &m->rows[m->row_count++];
        struct str collector = sqldb_get_blob(s, 1);
        r->lsn = (uint64_t)sqldb_get_i64(s, 0);
        r->slices = arena_str(&m->arena, sqldb_get_blob(s, 2));
        r->meta = arena_str(&m->arena, sqldb_get_blob(s, 3));
        if (collector.len == sizeof(r->collector.bytes)) {
            memcpy(r->collector.bytes, collector.ptr, sizeof(r->collector.bytes));
        }
    }
    sqldb_end(s);
    return code ? code : arena_check(&m->arena, e);
}

static enum err_code trim(struct move *m, struct err *e)
{
    uint64_t *ids = arena_array(&m->arena, m->row_count, sizeof(*ids));
    struct buf text;

    if (!ids) {
        return arena_check(&m->arena, e);
    }
    for (size_t i = 0; i < m->row_count; i++) {
        ids[i] = m->rows[i].lsn;
    }
    buf_init(&text, 65536);
    pgstore_put_ids(&text, ids, m->row_count);
    struct sqldb_args list = SQLDB_ARGS(sqldb_text(buf_view(&text)));
    enum err_code code = sqldb_run(m->store->move, "tsdb_journal_to_record", list, e);
    code = code ? code : sqldb_run(m->store->move, "tsdb_journal_trim", list, e);
    buf_fini(&text);
    return code;
}

static enum err_code move_rows(struct move *m, struct err *e)
{
    enum err_code code = move_slices(m, e);

    FAULT_POINT("pgstore.move_copied");
    if (code == ERR_OK && !m->waits) {
        code = move_metas(m, e);
    }
    return code || m->waits ? code : trim(m, e);
}

/* Some rows; *last = 0 when there were none. */
static enum err_code move_some(struct move *m, uint64_t *last, struct err *e)
{
    uint64_t first = 0;
    enum err_code code = choose(m, &first, last, e);

    if (code || !first) {
        return code;
    }
    code = sqldb_begin_shared(m->store->move, e);
    if (code) {
        return code;
    }
    code = take_rows(m, first, *last, e);
    if (code == ERR_OK && m->row_count) {
        code = move_rows(m, e);
    } else {
        *last = 0; /* another node is taking them over */
    }
    if (code || m->waits) {
        sqldb_rollback(m->store->move);
        return code;
    }
    FAULT_POINT("pgstore.move_commit");
    code = sqldb_commit(m->store->move, e);
    FAULT_POINT("pgstore.moved");
    return code;
}

/* --- the loop --- */

static void set_moved(struct pgstore *p, uint64_t lsn)
{
    lock_take(&p->front.state);
    p->front.trimmed_lsn = lsn > p->front.trimmed_lsn ? lsn : p->front.trimmed_lsn;
    p->front.applied_lsn = p->front.trimmed_lsn;
    cond_broadcast(&p->front.done);
    lock_release(&p->front.state);
}

static void want_tables(struct pgstore *p)
{
    lock_take(&p->front.state);
    p->tables_wanted = true;
    cond_signal(&p->front.wake_applier);
    lock_release(&p->front.state);
}

/* Move until nothing is left; *waits: the leader must make tables first. */
static enum err_code move_all(struct pgstore *p, bool *waits, struct err *e)
{
    uint64_t last = 1;
    enum err_code code = ERR_OK;

    *waits = false;
    while (code == ERR_OK && last && !*waits) {
        struct move m = {.store = p};
        lock_take(&p->front.state);
        uint64_t linked = p->front.linked_lsn;
        lock_release(&p->front.state);
        arena_init(&m.arena, "tsdb mover", MOVE_BYTES);
        arena_init(&m.scratch, "tsdb mover slice", MOVE_BYTES);
        code = p->texts_lost ? move_count_texts(p, e) : ERR_OK;
        code = code ? code : move_some(&m, &last, e);
        p->texts_lost |= code != ERR_OK;
        arena_fini(&m.scratch);
        arena_fini(&m.arena);
        *waits = m.waits;
        if (code == ERR_OK && !m.waits) {
            set_moved(p, last ? last : linked);
        }
    }
    if (*waits) {
        want_tables(p);
    }
    return code;
}

static enum err_code adopt(struct pgstore *p, struct err *e)
{
    enum err_code code = sqldb_run(p->move, "tsdb_journal_adopt",
                                   SQLDB_ARGS(sqldb_i64(p->node), sqldb_i64(ADOPT_ROWS)), e);
    int64_t rows = code ? 0 : sqldb_changes(p->move);

    if (rows > 0) {
        log_warn(&mover_log, "%lld journal rows of servers that ended were taken over",
                 (long long)rows);
    }
    return code;
}

static enum err_code measure(struct pgstore *p, struct err *e)
{
    struct tsdb *db = &p->front;
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(p->move, "tsdb_journal_size", SQLDB_NO_ARGS, &s, e);

    if (code == ERR_OK) {
        uint64_t journal = (uint64_t)sqldb_get_i64(s, 0);
        atomic_store(&db->count.journal_bytes, journal);
        bool full = journal > FULL_JOURNAL * db->config.journal_bytes;
        if (atomic_exchange(&db->full, full) != full) {
            log_warn(&mover_log, full ? "the journal is not moved: pushes are refused"
                                      : "the journal has room again: pushes are taken");
        }
    }
    sqldb_end(s);
    s = NULL;
    code = code ? code : sqldb_row(p->move, "tsdb_store_size", SQLDB_NO_ARGS, &s, e);
    if (code == ERR_OK) {
        atomic_store(&db->count.disk_bytes, (uint64_t)sqldb_get_i64(s, 0));
    }
    sqldb_end(s);
    return code;
}

/* Until there is enough to do, or a second has gone; true = come to an end. */
static bool wait_for_work(struct pgstore *p, int64_t until)
{
    struct tsdb *db = &p->front;

    lock_take(&db->state);
    while (db->run == RUN_OPEN && !db->flush_wanted &&
           db->linked_lsn < db->trimmed_lsn + ENOUGH_ROWS &&
           cond_wait_until(&db->wake_flusher, &db->state, until)) {
    }
    while (db->run != RUN_OPEN && !p->writer_over) {
        (void)cond_wait_until(&db->wake_flusher, &db->state, clock_mono_us() + LOOK_US);
    }
    db->flush_wanted = false;
    bool over = p->writer_over;
    lock_release(&db->state);
    return over;
}

struct due {
    int64_t adopt_us, measure_us, texts_us;
};

static void chores(struct pgstore *p, struct due *due)
{
    int64_t now = clock_mono_us();
    enum err_code code = ERR_OK;
    struct err e = {0};

    if (now >= due->adopt_us) {
        code = adopt(p, &e);
        due->adopt_us = now + ADOPT_US;
    }
    if (code == ERR_OK && now >= due->measure_us) {
        code = measure(p, &e);
        due->measure_us = now + MEASURE_US;
    }
    if (now >= due->texts_us) {
        p->texts_lost = true; /* other nodes added some */
        due->texts_us = now + TEXTS_US;
    }
    if (code) {
        log_warn(&mover_log, "journal upkeep failed: %s", e.text);
    }
}

void pgstore_run_mover(struct tsdb *db)
{
    struct pgstore *p = pgstore_of(db);
    struct due due = {0};
    int failures = 0;
    bool over = false;

    for (;;) {
        over = wait_for_work(p, clock_mono_us() + LOOK_US);
        if (over && db->run == RUN_STOPPING_FAST) {
            break;
        }
        struct err e = {0};
        bool waits = false;
        enum err_code code = move_all(p, &waits, &e);
        if (code) {
            log_warn(&mover_log, "journal rows could not be moved: %s", e.text);
        }
        failures = code || waits ? failures + 1 : 0;
        if (over && (failures == 0 || failures > STOP_TRIES)) {
            break; /* what is left others take over, or the next start */
        }
        if (code || waits) {
            clock_sleep_ms(RETRY_MS);
        }
        if (!over) {
            chores(p, &due);
        }
    }
    lock_take(&db->state);
    p->mover_over = true;
    cond_broadcast(&db->done);
    cond_signal(&db->wake_applier);
    lock_release(&db->state);
}
