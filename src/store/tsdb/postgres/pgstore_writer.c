/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_writer.c: the writer of a node: group commit of journal rows with their streams' rows.
 *
 * What queued while the last commit ran becomes the next transaction. Another node may have taken
 * records of a stream since: its row, locked, says so, and the push is tried again with what it is.
 * Invariants: (1) an answer follows a commit that is durable; (2) streams are locked in order of
 * id, and waited for at most PGSTORE_LOCK_MS; (3) the names that a row uses were committed before.
 */
#include "store/tsdb/postgres/pgstore.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "base/log.h"
#include "os/clock.h"

#include <stdlib.h>
#include <string.h>

#define IDLE_US   200000LL
#define RETRY_MS  500
#define IDS_BYTES 65536

static const struct log_ctx writer_log = {.component = "tsdb"};

/* A full disk is told as such; for anything else trying again helps. */
static enum err_code code_of_answer(enum err_code code)
{
    return code == ERR_IO ? ERR_IO : ERR_TIMEOUT;
}

static void fail_all(struct batch_of_jobs *b, enum err_code code, const struct err *e)
{
    for (size_t j = 0; j < b->count; j++) {
        if (b->jobs[j]->code == ERR_OK) {
            writer_fail_job(b->jobs[j], code_of_answer(code), e);
        }
    }
}

/* --- streams --- */

/* The acknowledged records whose hashes are compared when they come again. */
static enum err_code load_known(struct pgstore *p, struct stream *s, uint64_t next, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    bool row = true;
    uint64_t kept = stream_is_unnumbered(s) ? TSDB_HEARD_KEPT : TSDB_HASHES_KEPT;
    uint64_t from = next > kept ? next - kept : 1;
    enum err_code code = sqldb_query(
        p->write, "tsdb_record_known",
        SQLDB_ARGS(sqldb_i64((int64_t)s->id), sqldb_i64((int64_t)from)), &q, e);

    while (code == ERR_OK && (code = sqldb_step(q, &row, e)) == ERR_OK && row) {
        struct str hash = sqldb_get_blob(q, 2);
        struct known_record k = {.seq = (uint64_t)sqldb_get_i64(q, 0),
                                 .span = (uint64_t)sqldb_get_i64(q, 1),
                                 .is_gap = hash.len != sizeof(k.hash)};
        if (!k.is_gap) {
            memcpy(k.hash, hash.ptr, sizeof(k.hash));
        }
        stream_remember(s, &k);
    }
    sqldb_end(q);
    return code;
}

static enum err_code load_row(struct pgstore *p, struct stream *s, uint64_t *next, struct err *e)
{
    struct sqldb_args who = SQLDB_ARGS(sqldb_blob(s->collector.bytes, sizeof(s->collector.bytes)),
                                       sqldb_blob(s->uuid.bytes, sizeof(s->uuid.bytes)));
    struct sqldb_stmt *q = NULL;
    enum err_code code = sqldb_row(p->write, "tsdb_stream_get", who, &q, e);

    if (code == ERR_NOT_FOUND) {
        code = sqldb_run(p->write, "tsdb_stream_add", who, e);
        code = code ? code : sqldb_row(p->write, "tsdb_stream_get", who, &q, e);
    }
    if (code) {
        return code;
    }
    *next = (uint64_t)sqldb_get_i64(q, 1);
    lock_take(&p->front.state);
    s->id = (uint64_t)sqldb_get_i64(q, 0);
    s->stored = (uint64_t)sqldb_get_i64(q, 2);
    s->samples = (uint64_t)sqldb_get_i64(q, 3);
    s->backlog = sqldb_get_i64(q, 4) != 0;
    s->closed = sqldb_get_i64(q, 5) != 0;
    lock_release(&p->front.state);
    sqldb_end(q);
    return ERR_OK;
}

/* The pusher of the stream waits meanwhile: nobody else looks at what is known. */
static enum err_code load_stream(struct pgstore *p, struct stream *s, struct err *e)
{
    uint64_t next = 0;
    enum err_code code = load_row(p, s, &next, e);

    if (code == ERR_OK && (!s->loaded || next != s->next_seq)) {
        code = load_known(p, s, next, e);
    }
    if (code == ERR_OK) {
        lock_take(&p->front.state);
        s->next_seq = next;
        s->loaded = true;
        lock_release(&p->front.state);
    }
    return code;
}

static void load_streams(struct pgstore *p, struct batch_of_jobs *b)
{
    for (size_t j = 0; j < b->count; j++) {
        struct ingest_job *job = b->jobs[j];
        struct err e = {0};
        if (job->code == ERR_OK && (job->load || job->again)) {
            enum err_code code = load_stream(p, job->stream, &e);
            if (code) {
                writer_fail_job(job, code_of_answer(code), &e);
            }
        }
    }
}

/* --- names --- */

static bool takes_part(const struct ingest_job *job)
{
    return job->code == ERR_OK && !job->load && !job->again;
}

static bool has_new_names(const struct ingest_job *job)
{
    for (size_t i = 0; takes_part(job) && i < job->record_count; i++) {
        if (!job->records[i].ready) {
            return true;
        }
    }
    return false;
}

static size_t count_new_names(const struct batch_of_jobs *b)
{
    size_t count = 0;

    for (size_t j = 0; j < b->count; j++) {
        count += has_new_names(b->jobs[j]);
    }
    return count;
}

/* PostgreSQL's text has no NUL byte, and a name cannot be stored without it. */
static bool has_nul(const struct batch *b)
{
    for (size_t i = 0; i < b->slice_count; i++) {
        struct str scope = b->slices[i].scope;
        if (scope.len && memchr(scope.ptr, '\0', scope.len)) {
            return true;
        }
    }
    return false;
}

/* Encode what is not ready yet. With INGEST_LOOKUP it may stay so. */
static void prepare_job(struct pgstore *p, struct ingest_job *job, enum ingest_mode mode)
{
    for (size_t i = 0; job->code == ERR_OK && i < job->record_count; i++) {
        struct ingest_record *r = &job->records[i];
        struct err e = {0};
        if (r->ready) {
            continue;
        }
        ingest_free_record(r);
        enum err_code code = has_nul(&r->batch)
                                 ? err_set(&e, ERR_INVALID, "a scope with a NUL byte")
                                 : ingest_prepare(&p->front, job, r, mode, &e);
        if (code) {
            bool full = code == ERR_LIMIT && catalog_is_full(p->front.catalog);
            job->bad_seq = full ? 0 : r->seq;
            writer_fail_job(job, code, &e);
        } else if (!r->ready) {
            return; /* those behind it wait: times are taken in order */
        }
    }
}

/* A record as it was when it had been read. */
static void unprepare(struct ingest_record *r)
{
    struct batch batch = r->batch;

    ingest_free_record(r);
    *r = (struct ingest_record){
        .source = r->source, .seq = r->seq, .span = r->span, .batch = batch};
}

/* Names may have been taken back since a push was encoded: then it is encoded again. */
static void renew_jobs(struct pgstore *p, struct batch_of_jobs *b)
{
    for (size_t j = 0; j < b->count; j++) {
        struct ingest_job *job = b->jobs[j];
        if (!takes_part(job) || !job->stream || !ingest_forget_stale(&p->front, job->stream)) {
            continue;
        }
        for (size_t i = 0; i < job->record_count; i++) {
            unprepare(&job->records[i]);
        }
        prepare_job(p, job, INGEST_LOOKUP);
    }
}

/* Resolve and encode, with what they name new, one job or (NULL) all that need it. */
static enum err_code add_names(struct pgstore *p, struct batch_of_jobs *b, struct ingest_job *one,
                               struct err *e)
{
    enum err_code code = pgstore_names_begin(p, e);

    if (code) {
        return code;
    }
    for (size_t j = 0; j < b->count; j++) {
        if (has_new_names(b->jobs[j]) && (!one || b->jobs[j] == one)) {
            prepare_job(p, b->jobs[j], INGEST_CREATE);
        }
    }
    code = pgstore_names_commit(p, e);
    if (code) {
        log_warn(&writer_log, "names were not stored: %s", e->text);
        renew_jobs(p, b);
    }
    return code;
}

static void fail_new_names(struct batch_of_jobs *b, enum err_code code, const struct err *e)
{
    for (size_t j = 0; j < b->count; j++) {
        if (has_new_names(b->jobs[j])) {
            writer_fail_job(b->jobs[j], code_of_answer(code), e);
        }
    }
}

/*
 * Records that name something new wait for a transaction of their own. When it fails, only they do:
 * one by one, unless the database is in trouble, since one may have what cannot be stored.
 */
static void prepare_jobs(struct pgstore *p, struct batch_of_jobs *b)
{
    struct err e = {0};

    renew_jobs(p, b);
    size_t count = count_new_names(b);
    enum err_code code = count ? add_names(p, b, NULL, &e) : ERR_OK;
    if (code == ERR_OK) {
        return;
    }
    bool trouble = code == ERR_TIMEOUT || code == ERR_UNREACHABLE || code == ERR_CANCELLED;
    for (size_t j = 0; !trouble && count > 1 && j < b->count; j++) {
        if (has_new_names(b->jobs[j])) {
            code = add_names(p, b, b->jobs[j], &e);
            if (code) {
                writer_fail_job(b->jobs[j], code_of_answer(code), &e);
            }
        }
    }
    fail_new_names(b, code, &e);
}

/* --- the transaction --- */

static struct sqldb_value blob_or_null(const struct buf *b)
{
    return b->len ? sqldb_blob(b->ptr, b->len) : sqldb_null();
}

static struct sqldb_value reason_of(struct ingest_job *job, const struct push_record *source)
{
    struct arena *a = job->arena;
    return source && source->is_gap ? sqldb_text(pgstore_clean(a, source->gap.reason))
                                    : sqldb_null();
}

static enum err_code insert_record(struct pgstore *p, struct ingest_job *job,
                                   struct ingest_record *r, struct err *e)
{
    const struct push_record *source = r->source;
    struct sqldb_stmt *s = NULL;
    bool times = r->slice_count > 0;
    const struct sqldb_value values[] = {
        sqldb_i64(p->node),
        sqldb_i64(job->stream ? (int64_t)job->stream->id : 0),
        sqldb_i64((int64_t)r->seq),
        sqldb_i64((int64_t)r->span),
        source && !source->is_gap ? sqldb_blob(source->hash, sizeof(source->hash)) : sqldb_null(),
        reason_of(job, source),
        sqldb_i64((int64_t)r->slice_count),
        sqldb_i64((int64_t)r->samples),
        times ? sqldb_i64(r->t_min_ms) : sqldb_null(),
        times ? sqldb_i64(r->t_max_ms) : sqldb_null(),
        blob_or_null(&r->blob),
        blob_or_null(&r->meta),
    };
    struct sqldb_args args = {values, sizeof(values) / sizeof(values[0])};
    enum err_code code = sqldb_row(p->write, "tsdb_journal_insert", args, &s, e);
    if (code == ERR_OK) {
        r->lsn = (uint64_t)sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code;
}

static enum err_code write_stream(struct pgstore *p, struct ingest_job *job, struct err *e)
{
    struct stream_state n = writer_after(job);
    const struct stream *s = job->stream;
    enum err_code code = sqldb_run(
        p->write, "tsdb_stream_update",
        SQLDB_ARGS(sqldb_i64((int64_t)s->id), sqldb_i64((int64_t)n.next_seq),
                   sqldb_i64((int64_t)n.stored), sqldb_i64((int64_t)n.samples),
                   sqldb_i64(job->push->backlog), sqldb_i64(job->push->closes || s->closed),
                   sqldb_i64(clock_wall_ms())),
        e);
    for (size_t i = 0; code == ERR_OK && i < job->record_count; i++) {
        const struct ingest_record *r = &job->records[i];
        if (r->source->is_gap) {
            code = sqldb_run(p->write, "tsdb_stream_gap_add",
                             SQLDB_ARGS(sqldb_i64((int64_t)s->id), reason_of(job, r->source),
                                        sqldb_i64((int64_t)r->span)),
                             e);
        }
    }
    return code;
}

static enum err_code write_job(struct pgstore *p, struct ingest_job *job, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < job->record_count; i++) {
        code = insert_record(p, job, &job->records[i], e);
    }
    return code == ERR_OK && job->stream ? write_stream(p, job, e) : code;
}

/* The streams of a batch: which ones were locked. */
struct locking {
    struct batch_of_jobs *batch;
    bool locked[WRITER_BATCH_JOBS]; /* by job */
};

static bool has_stream(const struct ingest_job *job)
{
    return takes_part(job) && job->stream;
}

static void note_locked(struct locking *l, uint64_t id, uint64_t next_seq)
{
    for (size_t j = 0; j < l->batch->count; j++) {
        struct ingest_job *job = l->batch->jobs[j];
        if (has_stream(job) && job->stream->id == id) {
            job->again = job->stream->next_seq != next_seq;
            l->locked[j] = true;
        }
    }
}

/* Another server has them, perhaps one that sleeps: the rest of the batch does not wait for it. */
static void fail_locked_elsewhere(struct locking *l)
{
    for (size_t j = 0; j < l->batch->count; j++) {
        struct ingest_job *job = l->batch->jobs[j];
        if (has_stream(job) && !l->locked[j]) {
            struct err e;
            (void)err_set(&e, ERR_TIMEOUT, "another server takes a push of this stream");
            writer_fail_job(job, ERR_TIMEOUT, &e);
        }
    }
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/*
 * Lock the batch's streams; jobs whose stream is not what we knew are to be tried again. One that
 * is locked already is waited for by itself only.
 */
static enum err_code lock_streams(struct pgstore *p, struct batch_of_jobs *b, struct err *e)
{
    uint64_t ids[WRITER_BATCH_JOBS];
    struct locking l = {.batch = b};
    struct sqldb_stmt *s = NULL;
    struct buf text;
    size_t count = 0;
    bool row = true;

    for (size_t j = 0; j < b->count; j++) {
        if (has_stream(b->jobs[j])) {
            ids[count++] = b->jobs[j]->stream->id;
        }
    }
    if (count == 0) {
        return ERR_OK;
    }
    qsort(ids, count, sizeof(*ids), compare_ids);
    buf_init(&text, IDS_BYTES);
    pgstore_put_ids(&text, ids, count);
    enum err_code code = sqldb_query(p->write,
                                     count == 1 ? "tsdb_stream_lock" : "tsdb_stream_lock_free",
                                     SQLDB_ARGS(sqldb_text(buf_view(&text))), &s, e);
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        note_locked(&l, (uint64_t)sqldb_get_i64(s, 0), (uint64_t)sqldb_get_i64(s, 1));
    }
    sqldb_end(s);
    buf_fini(&text);
    if (code == ERR_OK) {
        fail_locked_elsewhere(&l);
    }
    return code;
}

/* No target is deleted until the commit; *dropped says that one was since we last looked. */
static enum err_code share_drops(struct pgstore *p, bool *dropped, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(p->write, "tsdb_drops_share", SQLDB_NO_ARGS, &s, e);

    sqldb_end(s);
    code = code ? code : sqldb_row(p->write, "tsdb_state_epoch", SQLDB_NO_ARGS, &s, e);
    if (code == ERR_OK) {
        *dropped = sqldb_get_i64(s, 2) != p->drops_seen;
    }
    sqldb_end(s);
    return code;
}

static enum err_code write_jobs(struct pgstore *p, struct batch_of_jobs *b,
                                struct pgstore_claims *claims, struct err *e)
{
    enum err_code code = lock_streams(p, b, e);

    code = code ? code : pgstore_owner_claim(p, b, claims, e);
    for (size_t j = 0; code == ERR_OK && j < b->count; j++) {
        if (takes_part(b->jobs[j])) {
            code = write_job(p, b->jobs[j], e);
        }
    }
    return code;
}

static enum err_code write_batch(struct pgstore *p, struct batch_of_jobs *b, bool *dropped,
                                 struct err *e)
{
    struct pgstore_claims claims = {0};
    enum err_code code = sqldb_begin_shared(p->write, e);

    if (code) {
        return code;
    }
    code = share_drops(p, dropped, e);
    if (code == ERR_OK && !*dropped) {
        code = write_jobs(p, b, &claims, e);
    }
    if (code || *dropped) {
        sqldb_rollback(p->write);
    } else {
        FAULT_POINT("tsdb.before_commit");
        code = sqldb_commit(p->write, e);
        FAULT_POINT("tsdb.after_commit");
    }
    if (code == ERR_OK && !*dropped) {
        pgstore_owner_committed(&claims);
    }
    pgstore_owner_fini(&claims);
    return code;
}

/* Readings of a target that was deleted meanwhile are refused; the agent sends them again. */
static void fail_stale(struct batch_of_jobs *b)
{
    for (size_t j = 0; j < b->count; j++) {
        struct ingest_job *job = b->jobs[j];
        for (size_t i = 0; takes_part(job) && i < job->record_count; i++) {
            if (job->records[i].ready && ingest_is_stale(&job->records[i])) {
                struct err e;
                (void)err_set(&e, ERR_TIMEOUT, "a target was deleted meanwhile: send again");
                writer_fail_job(job, ERR_TIMEOUT, &e);
            }
        }
    }
}

static enum err_code see_drops(struct pgstore *p, struct err *e)
{
    enum err_code code = pgstore_names_begin(p, e);
    return code ? code : pgstore_names_commit(p, e);
}

static bool any_takes_part(const struct batch_of_jobs *b)
{
    for (size_t j = 0; j < b->count; j++) {
        if (takes_part(b->jobs[j])) {
            return true;
        }
    }
    return false;
}

static enum err_code store_batch(struct pgstore *p, struct batch_of_jobs *b, struct err *e)
{
    enum err_code code = ERR_OK;
    bool dropped = true;

    prepare_jobs(p, b);
    for (int tries = 0; code == ERR_OK && dropped && tries < 3; tries++) {
        dropped = false;
        fail_stale(b);
        if (any_takes_part(b)) {
            code = write_batch(p, b, &dropped, e);
        }
        if (code == ERR_OK && dropped) {
            code = see_drops(p, e);
        }
    }
    return code == ERR_OK && dropped ? err_set(e, ERR_TIMEOUT, "targets are being deleted") : code;
}

/* --- after the commit --- */

static void publish(struct pgstore *p, struct batch_of_jobs *b)
{
    struct tsdb *db = &p->front;
    bool any = false;

    lock_take(&db->state);
    for (size_t j = 0; j < b->count; j++) {
        struct ingest_job *job = b->jobs[j];
        for (size_t i = 0; takes_part(job) && i < job->record_count; i++) {
            db->linked_lsn = job->records[i].lsn;
            any = true;
        }
        if (takes_part(job) && job->stream) {
            writer_advance_stream(job);
        }
    }
    lock_release(&db->state);
    if (any) {
        cond_signal(&db->wake_flusher);
    }
    for (size_t j = 0; j < b->count; j++) {
        struct ingest_job *job = b->jobs[j];
        for (size_t i = 0; takes_part(job) && i < job->record_count; i++) {
            writer_count_record(db, &job->records[i]);
            ingest_committed(&job->records[i]);
        }
    }
}

static void commit_jobs(struct pgstore *p, struct batch_of_jobs *b)
{
    struct err e = {0};
    enum err_code code = ERR_OK;

    load_streams(p, b);
    if (b->jobs[0]->drop) {
        code = pgstore_drop_store(p, b->jobs[0], &e);
    } else if (any_takes_part(b)) {
        code = store_batch(p, b, &e);
    }
    if (code) {
        log_error(&writer_log, "commit failed: %s", e.text);
        fail_all(b, code, &e);
    } else {
        atomic_fetch_add(&p->front.count.commits, 1);
        publish(p, b);
        load_streams(p, b); /* of jobs that are to be tried again */
    }
    FAULT_POINT("tsdb.before_answer");
    writer_finish_jobs(&p->front, b);
}

static void restart(struct pgstore *p)
{
    struct err e = {0};

    if (pgstore_names_restart(p, &e)) {
        log_warn(&writer_log, "names could not be read: %s", e.text);
        clock_sleep_ms(RETRY_MS);
    }
}

void pgstore_run_writer(struct tsdb *db)
{
    struct pgstore *p = pgstore_of(db);
    struct batch_of_jobs *b = alloc_new(sizeof(*b));
    bool over = false;

    while (!over) {
        lock_take(&db->state);
        if (!db->queue_first && db->run == RUN_OPEN) {
            (void)cond_wait_until(&db->wake_writer, &db->state, clock_mono_us() + IDLE_US);
        }
        writer_take_jobs(db, b);
        over = b->count == 0 && db->run != RUN_OPEN && db->queued == 0;
        lock_release(&db->state);
        if (b->count) {
            commit_jobs(p, b);
        }
        if (p->names_lost && !over) {
            restart(p);
        }
    }
    alloc_free(b);
    lock_take(&db->state);
    p->writer_over = true;
    cond_signal(&db->wake_flusher);
    cond_signal(&db->wake_applier);
    lock_release(&db->state);
}
