/* SPDX-License-Identifier: PostgreSQL */
/*
 * writer.c: the one thread that writes ingest.db: group commit, trim, checkpoint.
 *
 * What queued while the last commit ran becomes the next transaction; there is no timer. In idle
 * gaps it trims the journal and checkpoints, so that neither delays a push.
 * Invariants: (1) an answer follows a durable commit; (2) slices are linked into the head after
 * their commit, in lsn order; (3) a journal row is deleted only when day files and appliers have
 * applied it.
 */
#include "store/tsdb/writer.h"
#include "store/tsdb/head_fold.h"
#include "store/tsdb/retire.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/varint.h"
#include "os/clock.h"

#include <string.h>

#define BATCH_BYTES        (4UL * 1024 * 1024)
#define IDLE_US            200000LL
#define TRIM_ROWS          2000
#define SPARE_PAGES        2048 /* 8 MB that the next pushes fill again; a clean end leaves none */
#define SHRINK_PAGES       1024 /* given back in one transaction */
#define CHECKPOINT_PAGES   256  /* worth it in an idle gap */
#define CHECKPOINT_OVERDUE 8192 /* 32 MB of WAL: not to be put off any longer */
#define ROW_OVERHEAD       100
#define FAILURES_AT_STOP   5

static const struct log_ctx writer_log = {.component = "tsdb"};

/* --- one batch --- */

static size_t job_bytes(const struct ingest_job *job)
{
    size_t bytes = 0;
    for (size_t i = 0; i < job->record_count; i++) {
        bytes += job->records[i].blob.len + job->records[i].meta.len;
    }
    return bytes;
}

/* A deletion is a batch of its own. Caller holds state. */
void writer_take_jobs(struct tsdb *db, struct batch_of_jobs *b)
{
    size_t bytes = 0;

    b->count = 0;
    while (db->queue_first && b->count < WRITER_BATCH_JOBS && bytes < BATCH_BYTES) {
        struct ingest_job *job = db->queue_first;
        if (b->count && (job->drop || b->jobs[0]->drop)) {
            break;
        }
        db->queue_first = job->next;
        job->next = NULL;
        job->state = JOB_TAKEN;
        bytes += job_bytes(job);
        b->jobs[b->count++] = job;
    }
}

void writer_fail_job(struct ingest_job *job, enum err_code code, const struct err *e)
{
    job->code = code;
    job->err = *e;
    job->err.code = code;
}

/*
 * Records that name something new are resolved and encoded here. A bad one fails its own job
 * only.
 */
static void prepare_jobs(struct tsdb *db, struct batch_of_jobs *b)
{
    for (size_t j = 0; j < b->count; j++) {
        struct ingest_job *job = b->jobs[j];
        for (size_t i = 0; job->code == ERR_OK && i < job->record_count; i++) {
            struct ingest_record *r = &job->records[i];
            struct err e;
            err_clear(&e);
            if (r->ready && ingest_is_stale(r)) {
                (void)err_set(&e, ERR_TIMEOUT, "a target was deleted meanwhile: send again");
                writer_fail_job(job, ERR_TIMEOUT, &e);
            }
            if (r->ready) {
                continue;
            }
            ingest_free_record(r);
            enum err_code code = ingest_prepare(db, job, r, INGEST_CREATE, &e);
            if (code) {
                /* A full store is nobody's record's fault: the push waits, nothing is given up. */
                bool full = code == ERR_LIMIT && catalog_is_full(db->catalog);
                job->bad_seq = full ? 0 : r->seq;
                writer_fail_job(job, code, &e);
            }
        }
    }
}

static struct sqldb_value blob_or_null(const struct buf *b)
{
    return b->len ? sqldb_blob(b->ptr, b->len) : sqldb_null();
}

static enum err_code insert_record(struct tsdb *db, const struct ingest_job *job,
                                   struct ingest_record *r, struct err *e)
{
    const struct push_record *source = r->source;
    bool is_gap = source && source->is_gap;
    bool has_times = r->slice_count > 0;

    r->lsn = db->next_lsn++;
    const struct sqldb_value values[] = {
        sqldb_i64((int64_t)r->lsn),
        sqldb_i64(job->stream ? (int64_t)job->stream->id : 0),
        sqldb_i64((int64_t)r->seq),
        sqldb_i64((int64_t)r->span),
        source && !is_gap ? sqldb_blob(source->hash, sizeof(source->hash)) : sqldb_null(),
        is_gap ? sqldb_text(source->gap.reason) : sqldb_null(),
        sqldb_i64((int64_t)r->slice_count),
        sqldb_i64((int64_t)r->samples),
        has_times ? sqldb_i64(r->t_min_ms) : sqldb_null(),
        has_times ? sqldb_i64(r->t_max_ms) : sqldb_null(),
        blob_or_null(&r->blob),
        blob_or_null(&r->meta),
    };
    struct sqldb_args args = {values, sizeof(values) / sizeof(values[0])};
    return sqldb_run(db->ingest, "tsdb_journal_insert", args, e);
}

struct stream_state writer_after(const struct ingest_job *job)
{
    const struct stream *s = job->stream;
    struct stream_state n = {s->next_seq, s->stored, s->samples};

    for (size_t i = 0; i < job->record_count; i++) {
        const struct ingest_record *r = &job->records[i];
        n.next_seq = r->seq + r->span;
        n.stored += !r->source->is_gap;
        n.samples += r->samples;
    }
    return n;
}

static enum err_code add_stream(struct tsdb *db, struct stream *s, struct err *e)
{
    uint64_t id = db->next_stream;
    enum err_code code = sqldb_run(db->ingest, "tsdb_stream_next_put",
                                   SQLDB_ARGS(sqldb_i64((int64_t)id + 1)), e);

    if (code == ERR_OK) {
        code = sqldb_run(db->ingest, "tsdb_stream_insert",
                         SQLDB_ARGS(sqldb_i64((int64_t)id),
                                    sqldb_blob(s->collector.bytes, sizeof(s->collector.bytes)),
                                    sqldb_blob(s->uuid.bytes, sizeof(s->uuid.bytes))),
                         e);
    }
    if (code == ERR_OK) {
        db->next_stream++; /* a rollback leaves a hole, which is fine */
        s->id = id;
    }
    return code;
}

static enum err_code write_stream(struct tsdb *db, const struct ingest_job *job, struct err *e)
{
    struct stream_state n = writer_after(job);
    enum err_code code = sqldb_run(
        db->ingest, "tsdb_stream_update",
        SQLDB_ARGS(sqldb_i64((int64_t)job->stream->id), sqldb_i64((int64_t)n.next_seq),
                   sqldb_i64((int64_t)n.stored), sqldb_i64((int64_t)n.samples),
                   sqldb_i64(job->push->backlog),
                   sqldb_i64(job->push->closes || job->stream->closed)),
        e);
    for (size_t i = 0; code == ERR_OK && i < job->record_count; i++) {
        const struct ingest_record *r = &job->records[i];
        if (r->source->is_gap) {
            code = sqldb_run(db->ingest, "tsdb_stream_gap_add",
                             SQLDB_ARGS(sqldb_i64((int64_t)job->stream->id),
                                        sqldb_text(r->source->gap.reason),
                                        sqldb_i64((int64_t)r->span)),
                             e);
        }
    }
    return code;
}

static enum err_code write_job(struct tsdb *db, struct ingest_job *job, struct err *e)
{
    enum err_code code = ERR_OK;

    if (job->stream && job->stream->id == 0) {
        code = add_stream(db, job->stream, e);
    }
    for (size_t i = 0; code == ERR_OK && i < job->record_count; i++) {
        code = insert_record(db, job, &job->records[i], e);
    }
    if (code == ERR_OK && job->stream) {
        code = write_stream(db, job, e);
    }
    if (code == ERR_OK && job->drop) {
        job->drop->lsn = job->records[0].lsn;
        code = drop_write(db, job->drop, e);
    }
    return code;
}

/* Streams that got an id in a transaction that failed have none. */
static void forget_new_streams(struct batch_of_jobs *b, uint64_t first_new)
{
    for (size_t j = 0; j < b->count; j++) {
        struct stream *s = b->jobs[j]->stream;
        if (s && s->id >= first_new) {
            s->id = 0;
        }
    }
}

static enum err_code write_batch(struct tsdb *db, struct batch_of_jobs *b, struct err *e)
{
    uint64_t first_new = db->next_stream;
    enum err_code code = sqldb_begin(db->ingest, e);

    if (code) {
        return code;
    }
    code = catalog_save(db->catalog, db->ingest, e);
    for (size_t j = 0; code == ERR_OK && j < b->count; j++) {
        if (b->jobs[j]->code == ERR_OK) {
            code = write_job(db, b->jobs[j], e);
        }
    }
    if (code) {
        sqldb_rollback(db->ingest);
    } else {
        FAULT_POINT("tsdb.before_commit");
        code = sqldb_commit(db->ingest, e);
        FAULT_POINT("tsdb.after_commit");
    }
    if (code) {
        forget_new_streams(b, first_new);
        return code;
    }
    catalog_saved(db->catalog);
    return ERR_OK;
}

/* --- after the commit --- */

/* Caller holds state. */
static void link_record(struct tsdb *db, struct ingest_record *r)
{
    for (size_t i = 0; i < r->slice_count; i++) {
        const struct ingest_slice *s = &r->slices[i];
        struct head_slice linked = {r->lsn, s->t_ms, s->every_ms,
                                    str_make(r->blob.ptr + s->offset, s->len)};
        head_link(db->active, s->group, &linked);
    }
    if (r->meta.len) {
        db->meta_lsn = r->lsn;
    }
    db->linked_lsn = r->lsn;
}

/* Caller holds state. */
void writer_advance_stream(struct ingest_job *job)
{
    struct stream *s = job->stream;
    struct stream_state n = writer_after(job);

    s->next_seq = n.next_seq;
    s->stored = n.stored;
    s->samples = n.samples;
    s->backlog = job->push->backlog;
    s->closed |= job->push->closes;
    s->last_push_ms = clock_wall_ms();
    for (size_t i = 0; i < job->record_count; i++) {
        const struct ingest_record *r = &job->records[i];
        struct known_record k = {.seq = r->seq, .span = r->span, .is_gap = r->source->is_gap};
        if (k.is_gap) {
            stream_count_gap(s, r->source->gap.reason, r->span);
        } else {
            memcpy(k.hash, r->source->hash, sizeof(k.hash));
        }
        stream_remember(s, &k);
    }
}

void writer_count_record(struct tsdb *db, const struct ingest_record *r)
{
    struct tsdb_counters *n = &db->count;
    atomic_fetch_add(&n->records, 1);
    atomic_fetch_add(&n->slices, r->slice_count);
    atomic_fetch_add(&n->samples, r->samples);
    atomic_fetch_add(&n->journal_bytes, r->blob.len + r->meta.len + ROW_OVERHEAD);
    atomic_fetch_add(&n->refused[TSDB_REFUSED_CLOCK], r->rejected_clock);
    atomic_fetch_add(&n->refused[TSDB_REFUSED_ORDER], r->rejected_order);
    atomic_fetch_add(&n->refused[TSDB_REFUSED_CAP], r->rejected_cap);
    atomic_fetch_add(&n->refused[TSDB_REFUSED_OWNER], r->rejected_owner);
    atomic_fetch_add(&n->refused[TSDB_REFUSED_DELETED], r->rejected_deleted);
}

void writer_note_last(struct tsdb *db, const struct ingest_record *r)
{
    for (size_t i = 0; i < r->slice_count; i++) {
        const struct ingest_slice *s = &r->slices[i];
        struct catalog_last last = {s->t_ms, s->every_ms, s->flags, s->reason};
        catalog_seen(db->catalog, s->group, &last);
    }
}

static void publish(struct tsdb *db, struct batch_of_jobs *b)
{
    lock_take(&db->state);
    for (size_t j = 0; j < b->count; j++) {
        struct ingest_job *job = b->jobs[j];
        for (size_t i = 0; job->code == ERR_OK && i < job->record_count; i++) {
            link_record(db, &job->records[i]);
        }
        if (job->code == ERR_OK && job->stream) {
            writer_advance_stream(job);
        }
    }
    bool due = head_bytes(db->active) >= db->config.flush_bytes || head_fold_is_due(db);
    bool meta = db->meta_lsn > db->applied_lsn;
    lock_release(&db->state);
    if (due) {
        cond_signal(&db->wake_flusher);
    }
    if (meta) {
        cond_signal(&db->wake_applier);
    }
    for (size_t j = 0; j < b->count; j++) {
        struct ingest_job *job = b->jobs[j];
        for (size_t i = 0; job->code == ERR_OK && i < job->record_count; i++) {
            writer_count_record(db, &job->records[i]);
            writer_note_last(db, &job->records[i]);
            ingest_committed(&job->records[i]);
        }
    }
}

void writer_finish_jobs(struct tsdb *db, struct batch_of_jobs *b)
{
    lock_take(&db->state);
    for (size_t j = 0; j < b->count; j++) {
        b->jobs[j]->state = JOB_DONE;
        cond_signal(&b->jobs[j]->done);
    }
    db->queued -= b->count;
    if (db->queued == 0 && db->run != RUN_OPEN) {
        cond_signal(&db->wake_flusher);
        cond_signal(&db->wake_applier);
    }
    lock_release(&db->state);
}

static void check_full(struct tsdb *db)
{
    uint64_t journal = atomic_load(&db->count.journal_bytes);
    uint64_t left = atomic_load(&db->count.free_bytes);
    bool no_disk = left < 2 * db->config.flush_bytes;
    bool full = journal > 2 * db->config.journal_bytes || no_disk;
    if (atomic_exchange(&db->full, full) == full) {
        return;
    }
    if (!full) {
        log_warn(&writer_log, "store has room again: pushes are taken");
    } else if (no_disk) {
        log_error(&writer_log,
                  "store is full: pushes are refused: %llu kB left on the file system of %s, "
                  "%llu kB needed: free space there",
                  (unsigned long long)(left / 1024), db->dir,
                  (unsigned long long)(2 * db->config.flush_bytes / 1024));
    } else {
        log_error(&writer_log,
                  "store is full: pushes are refused: the journal has %llu kB and cannot be "
                  "written down as blocks: earlier lines say why",
                  (unsigned long long)(journal / 1024));
    }
}

static void commit_jobs(struct tsdb *db, struct batch_of_jobs *b)
{
    struct err e;

    err_clear(&e);
    prepare_jobs(db, b);
    enum err_code code = write_batch(db, b, &e);
    if (code) {
        log_error(&writer_log, "commit failed: %s", e.text);
        for (size_t j = 0; j < b->count; j++) {
            if (b->jobs[j]->code == ERR_OK) {
                writer_fail_job(b->jobs[j], code == ERR_TIMEOUT ? ERR_TIMEOUT : ERR_IO, &e);
            }
        }
    } else {
        atomic_fetch_add(&db->count.commits, 1);
        const struct drop *drop = b->jobs[0]->drop;
        if (drop) {
            drop_written(db, drop);
        }
        publish(db, b);
        if (drop) {
            drop_wake_flusher(db);
        }
    }
    check_full(db);
    FAULT_POINT("tsdb.before_answer");
    writer_finish_jobs(db, b);
}

/* --- chores --- */

/* Up to here nothing needs the journal any more. Caller holds state. */
static uint64_t derived_lsn(const struct tsdb *db)
{
    uint64_t applied = db->meta_lsn <= db->applied_lsn ? db->linked_lsn : db->applied_lsn;
    return db->flushed_lsn < applied ? db->flushed_lsn : applied;
}

/* Old rows of the audit list, once a trim is complete. */
static enum err_code trim_records(struct tsdb *db, struct err *e)
{
    struct str key;
    void *value = NULL;
    enum err_code code = sqldb_begin(db->ingest, e);

    lock_take(&db->state);
    size_t count = 0;
    uint64_t(*ends)[2] = alloc_array(map_count(db->streams) + 1, sizeof(*ends));
    for (size_t pos = 0; map_next(db->streams, &pos, &key, &value);) {
        const struct stream *s = value;
        if (s->id && s->next_seq > TSDB_RECORDS_KEPT) {
            ends[count][0] = s->id;
            ends[count++][1] = s->next_seq - TSDB_RECORDS_KEPT;
        }
    }
    lock_release(&db->state);
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        code = sqldb_run(db->ingest, "tsdb_record_trim",
                         SQLDB_ARGS(sqldb_i64((int64_t)ends[i][0]), sqldb_i64((int64_t)ends[i][1])),
                         e);
    }
    alloc_free(ends);
    if (code) {
        sqldb_rollback(db->ingest);
        return code;
    }
    return sqldb_commit(db->ingest, e);
}

static enum err_code trim_rows(struct tsdb *db, uint64_t last, struct err *e)
{
    struct sqldb_args to = SQLDB_ARGS(sqldb_i64((int64_t)last));
    enum err_code code = sqldb_begin(db->ingest, e);

    if (code) {
        return code;
    }
    code = sqldb_run(db->ingest, "tsdb_lsn_put", SQLDB_ARGS(sqldb_i64((int64_t)db->next_lsn)), e);
    if (code == ERR_OK) {
        code = sqldb_run(db->ingest, "tsdb_journal_to_record", to, e);
    }
    if (code == ERR_OK) {
        code = sqldb_run(db->ingest, "tsdb_journal_trim", to, e);
    }
    if (code) {
        sqldb_rollback(db->ingest);
        return code;
    }
    FAULT_POINT("tsdb.before_trim");
    code = sqldb_commit(db->ingest, e);
    FAULT_POINT("tsdb.after_trim");
    return code;
}

static void set_trimmed(struct tsdb *db, uint64_t lsn)
{
    lock_take(&db->state);
    db->trimmed_lsn = lsn;
    cond_broadcast(&db->done);
    lock_release(&db->state);
}

/* Delete some journal rows that everything else has applied; *more says whether to come again. */
static enum err_code trim(struct tsdb *db, bool *more, struct err *e)
{
    struct sqldb_stmt *s = NULL;

    *more = false;
    lock_take(&db->state);
    uint64_t limit = derived_lsn(db);
    uint64_t trimmed = db->trimmed_lsn;
    bool held = db->hold_trim;
    lock_release(&db->state);
    if (held || limit <= trimmed) {
        return ERR_OK;
    }
    enum err_code code = sqldb_row(db->ingest, "tsdb_journal_first",
                                   SQLDB_ARGS(sqldb_i64((int64_t)limit), sqldb_i64(TRIM_ROWS)), &s,
                                   e);
    if (code) {
        return code;
    }
    uint64_t last = (uint64_t)sqldb_get_i64(s, 0);
    uint64_t bytes = (uint64_t)sqldb_get_i64(s, 1);
    int64_t rows = sqldb_get_i64(s, 2);
    sqldb_end(s);
    if (rows > 0) {
        code = trim_rows(db, last, e);
    }
    if (code) {
        return code;
    }
    uint64_t all = atomic_load(&db->count.journal_bytes);
    atomic_store(&db->count.journal_bytes, all > bytes ? all - bytes : 0);
    if (rows == TRIM_ROWS) {
        *more = true;
        set_trimmed(db, last);
        return ERR_OK;
    }
    code = trim_records(db, e);
    if (code == ERR_OK) {
        set_trimmed(db, limit);
    }
    return code;
}

/* Returns whether there is more to do at once; *failures counts attempts that failed in a row. */
static bool chores(struct tsdb *db, int worth_pages, int *failures)
{
    struct err e;
    bool more = false;

    err_clear(&e);
    enum err_code code = trim(db, &more, &e);
    if (code == ERR_OK) {
        code = drop_forget(db, &e);
    }
    if (code == ERR_OK && !more) {
        code = sqldb_shrink(db->ingest, SPARE_PAGES, SHRINK_PAGES, &more, &e);
    }
    if (code == ERR_OK && sqldb_wal_pages(db->ingest) >= worth_pages) {
        code = sqldb_checkpoint(db->ingest, &e);
    }
    if (code) {
        log_warn(&writer_log, "journal upkeep failed: %s", e.text);
    }
    if (retire_write(db, &e)) { /* in any case: it may hold pushes */
        log_warn(&writer_log, "names of objects are kept: %s", e.text);
    }
    *failures = code ? *failures + 1 : 0;
    check_full(db);
    return more && code == ERR_OK;
}

/*
 * Caller holds state. Whether the writer may end: nothing queued, nobody will queue, all is
 * trimmed.
 */
static bool is_over(const struct tsdb *db)
{
    uint64_t limit = derived_lsn(db);

    if (db->run == RUN_OPEN || db->queued > 0) {
        return false;
    }
    return db->flusher_over && db->applier_over &&
           (db->run == RUN_STOPPING_FAST || db->trimmed_lsn >= limit);
}

/* Whether journal rows wait for nothing but the writer. Caller holds state. */
static bool trim_is_due(const struct tsdb *db)
{
    return !db->hold_trim && derived_lsn(db) > db->trimmed_lsn;
}

static void end_clean(struct tsdb *db)
{
    struct err e;
    bool more = true;
    enum err_code code = ERR_OK;

    while (code == ERR_OK && more) {
        code = sqldb_shrink(db->ingest, 0, SHRINK_PAGES, &more, &e);
    }
    if (code == ERR_OK) {
        code = sqldb_checkpoint(db->ingest, &e);
    }
    if (code) {
        log_warn(&writer_log, "checkpoint failed: %s", e.text);
    }
}

void tsdb_sqlite_run_writer(struct tsdb *db)
{
    struct batch_of_jobs b;
    bool more = false;
    int failures = 0;

    for (;;) {
        lock_take(&db->state);
        more = more || (failures == 0 && trim_is_due(db)); /* pushes may leave no longer gap */
        if (!db->queue_first && !more && !is_over(db)) {
            (void)cond_wait_until(&db->wake_writer, &db->state, clock_mono_us() + IDLE_US);
        }
        writer_take_jobs(db, &b);
        bool stuck = db->run != RUN_OPEN && failures >= FAILURES_AT_STOP && b.count == 0;
        bool over = is_over(db) || stuck; /* never with jobs in hand: their pushers wait */
        lock_release(&db->state);
        if (over) {
            break;
        }
        if (b.count) {
            commit_jobs(db, &b);
            bool overdue = sqldb_wal_pages(db->ingest) >= CHECKPOINT_OVERDUE ||
                           atomic_load(&db->count.journal_bytes) > db->config.journal_bytes;
            more = overdue && chores(db, CHECKPOINT_OVERDUE, &failures);
        } else {
            more = chores(db, CHECKPOINT_PAGES, &failures);
        }
    }
    if (db->run == RUN_STOPPING) {
        end_clean(db);
    }
}
