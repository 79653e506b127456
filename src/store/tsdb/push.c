/* SPDX-License-Identifier: PostgreSQL */
/*
 * push.c: the way of a push through the thread that serves its request.
 *
 * One push of a stream at a time: its sequence is checked, its new records are read and encoded,
 * the job is handed to the writer, and the thread sleeps until the commit is durable.
 * Threads: any.
 */
#include "store/tsdb/ingest.h"

#include "base/limits.h"
#include "os/clock.h"

#include <string.h>

#define STREAM_WAIT_US 20000000LL
#define QUEUE_MAX      4096
#define STREAMS_MAX    200000
/* Of one collector: more than an agent keeps (SPOOL_STREAMS_MAX), and how many may rest. */
#define STREAMS_AWAKE  300
#define STREAMS_OF_ONE 20000
#define EVENT_ARENA    (4UL * 1024 * 1024)
#define SHARED_TRIES   5

enum err_code tsdb_front_admit(struct tsdb *db, struct err *e)
{
    lock_take(&db->state);
    enum run_state run = db->run;
    lock_release(&db->state);
    if (run != RUN_OPEN) {
        return err_set(e, ERR_CANCELLED, "the store is stopping");
    }
    if (atomic_load(&db->full)) {
        atomic_fetch_add(&db->count.refused[TSDB_REFUSED_FULL], 1);
        return err_set(e, ERR_LIMIT, "the store is full: the journal waits for room on the disk");
    }
    return ERR_OK;
}

/* --- the stream --- */

static bool may_rest(const struct stream *s, const struct stream *idlest)
{
    return !s->closed && !s->busy && !stream_is_unnumbered(s) &&
           (!idlest || s->last_push_ms < idlest->last_push_ms);
}

/*
 * Room for one more stream of this collector: of those that are awake the one that was silent
 * longest rests. It loses its caches alone, and may go on. Caller holds state.
 */
static enum err_code make_room(struct tsdb *db, const struct uuid *collector, struct err *e)
{
    size_t pos = 0, all = 0, awake = 0;
    struct stream *idlest = NULL;
    struct str key;
    void *value = NULL;

    if (map_count(db->streams) >= STREAMS_MAX) {
        return err_set(e, ERR_LIMIT, "more than %d streams", STREAMS_MAX);
    }
    while (map_next(db->streams, &pos, &key, &value)) {
        struct stream *s = value;
        if (text_uuid_eq(&s->collector, collector)) {
            all++;
            awake += !s->closed;
            idlest = may_rest(s, idlest) ? s : idlest;
        }
    }
    if (all >= STREAMS_OF_ONE) {
        return err_set(e, ERR_LIMIT, "this collector has made %d streams", STREAMS_OF_ONE);
    }
    if (awake >= STREAMS_AWAKE && idlest) {
        idlest->closed = true;
        stream_rest(idlest);
    }
    return ERR_OK;
}

/* Caller holds state. */
static enum err_code find_stream(struct tsdb *db, const struct push *push, struct stream **out,
                                 struct err *e)
{
    struct uuid both[2] = {push->collector, push->stream};
    struct str key = str_make(both, sizeof(both));

    *out = map_get(db->streams, key);
    if (*out) {
        return ERR_OK;
    }
    enum err_code code = make_room(db, &push->collector, e);
    if (code == ERR_OK) {
        *out = stream_new(&push->collector, &push->stream);
        (void)map_put(db->streams, key, *out);
    }
    return code;
}

/* Find or make the stream and take it for this push. Holds no lock when it returns. */
static enum err_code take_stream(struct tsdb *db, const struct push *push, struct stream **out,
                                 struct err *e)
{
    int64_t until = clock_mono_us() + STREAM_WAIT_US;
    struct stream *s = NULL;

    lock_take(&db->state);
    enum err_code code = find_stream(db, push, &s, e);
    if (code == ERR_OK && db->restarting) {
        code = err_set(e, ERR_TIMEOUT, "the store reads its names again");
    }
    /* Who had it may have given it up: it is looked for after each wait. */
    while (code == ERR_OK && (s->busy || db->holding)) {
        bool in_time = cond_wait_until(&db->stream_free, &db->state, until);
        code = find_stream(db, push, &s, e);
        if (code == ERR_OK && !in_time && (s->busy || db->holding)) {
            code = err_set(e, ERR_TIMEOUT, "another push of this stream is under way");
        }
    }
    if (code == ERR_OK) {
        s->busy = true;
        db->busy_streams++;
        s->push_no++;
        *out = s;
    }
    lock_release(&db->state);
    return code;
}

/* A stream of which nothing was ever stored: whoever sends nonsense must not fill the memory. */
static bool is_nothing(const struct tsdb *db, const struct stream *s)
{
    return s->id == 0 && !db->shared;
}

static void return_stream(struct tsdb *db, struct stream *s)
{
    struct uuid both[2] = {s->collector, s->uuid};

    if (s->closed) {
        stream_rest(s);
    }
    lock_take(&db->state);
    s->busy = false;
    db->busy_streams--;
    if (is_nothing(db, s)) {
        stream_free(map_remove(db->streams, str_make(both, sizeof(both))));
    }
    cond_broadcast(&db->stream_free);
    if (db->holding && db->busy_streams == 0) {
        cond_signal(&db->wake_writer);
    }
    lock_release(&db->state);
}

/* --- sequence --- */

static bool known_as_another(const struct stream *s, const struct push_record *r)
{
    const struct known_record *k = stream_known(s, r->seq);
    return k && !r->is_gap && !k->is_gap && memcmp(k->hash, r->hash, sizeof(k->hash)) != 0;
}

static uint64_t span_of(const struct push_record *r)
{
    return r->is_gap ? r->gap.span : 1;
}

/* Sort the records into known and new ones. */
static enum err_code sort_records(struct ingest_job *job, struct tsdb_ack *ack, struct err *e)
{
    const struct push *push = job->push;
    uint64_t expected = job->stream->next_seq;
    uint64_t seq = push->seq;

    if (push->seq > expected) {
        return err_set(e, ERR_CONFLICT, "sequence %llu skips ahead: %llu is expected",
                       (unsigned long long)push->seq, (unsigned long long)expected);
    }
    for (size_t i = 0; i < push->record_count; i++) {
        const struct push_record *r = &push->records[i];
        uint64_t span = span_of(r);
        if (r->seq != seq || span == 0 || span > INT64_MAX / 2 || seq > INT64_MAX / 2) {
            ack->bad_seq = seq;
            return err_set(e, ERR_INVALID, "records[%zu]: sequence numbers do not follow", i);
        }
        uint64_t end = seq + span;
        if (end <= expected) {
            ack->duplicate_records++;
            if (known_as_another(job->stream, r)) {
                ack->mismatch = true;
                return err_set(e, ERR_CONFLICT, "record %llu came before with another hash",
                               (unsigned long long)seq);
            }
        } else {
            uint64_t from = seq > expected ? seq : expected;
            job->records[job->record_count++] = (struct ingest_record){
                .source = r, .seq = from, .span = end - from};
        }
        seq = end;
    }
    return ERR_OK;
}

/* Once a record must wait for the writer, those behind it wait too: times are taken in order. */
static enum err_code read_records(struct tsdb *db, struct ingest_job *job, struct err *e)
{
    bool all_ready = true;

    (void)ingest_forget_stale(db, job->stream);
    for (size_t i = 0; i < job->record_count; i++) {
        struct ingest_record *r = &job->records[i];
        enum err_code code = ERR_OK;
        if (r->source->batch) {
            r->batch = *r->source->batch;
        } else if (!r->source->is_gap) {
            code = batch_read(job->arena, r->source->json, &r->batch, e);
        }
        if (code == ERR_OK && all_ready) {
            code = ingest_prepare(db, job, r, INGEST_LOOKUP, e);
            all_ready = r->ready;
        }
        if (code) {
            job->bad_seq = r->seq;
            return code;
        }
    }
    return ERR_OK;
}

/* --- the writer's queue --- */

/* Live pushes go before backlog. */
static void enqueue(struct tsdb *db, struct ingest_job *job)
{
    struct ingest_job **at = &db->queue_first;
    bool live = !job->push || !job->push->backlog;

    while (*at && !(live && (*at)->push && (*at)->push->backlog)) {
        at = &(*at)->next;
    }
    job->next = *at;
    *at = job;
    db->queued++;
}

/* Caller holds state. */
static enum err_code may_submit(const struct tsdb *db, struct err *e)
{
    if (db->run != RUN_OPEN) {
        return err_set(e, ERR_CANCELLED, "the store is stopping");
    }
    if (db->restarting) {
        return err_set(e, ERR_TIMEOUT, "the store reads its names again");
    }
    return db->queued >= QUEUE_MAX ? err_set(e, ERR_LIMIT, "too many pushes wait for the disk")
                                   : ERR_OK;
}

static enum err_code submit(struct tsdb *db, struct ingest_job *job, struct err *e)
{
    cond_init(&job->done);
    lock_take(&db->state);
    enum err_code code = may_submit(db, e);
    if (code) {
        lock_release(&db->state);
        cond_fini(&job->done);
        return code;
    }
    enqueue(db, job);
    cond_signal(&db->wake_writer);
    while (job->state != JOB_DONE) {
        cond_wait(&job->done, &db->state);
    }
    lock_release(&db->state);
    cond_fini(&job->done);
    if (job->code && e) {
        *e = job->err;
    }
    return job->code;
}

static void fill_ack(const struct ingest_job *job, struct tsdb_ack *ack)
{
    for (size_t i = 0; i < job->record_count; i++) {
        const struct ingest_record *r = &job->records[i];
        ack->stored_records++;
        ack->samples += r->samples;
        ack->rejected += r->rejected_clock + r->rejected_order + r->rejected_cap +
                         r->rejected_owner + r->rejected_deleted;
    }
}

/* The one record of a push without a number: the next one of its stream, unless it is known. */
static void number_record(struct ingest_job *job, struct tsdb_ack *ack)
{
    const struct push_record *r = &job->push->records[0];

    if (stream_heard(job->stream, r->hash)) {
        ack->duplicate_records++;
        return;
    }
    job->records[job->record_count++] = (struct ingest_record){
        .source = r, .seq = job->stream->next_seq, .span = 1};
}

static enum err_code push_stream(struct tsdb *db, struct ingest_job *job, struct tsdb_ack *ack,
                                 struct err *e)
{
    enum err_code code = ERR_OK;

    if (job->push->unnumbered) {
        number_record(job, ack);
    } else {
        code = sort_records(job, ack, e);
    }
    if (code) {
        return code;
    }
    if (job->record_count == 0 && (!job->push->closes || job->stream->closed)) {
        return ERR_OK; /* everything was known */
    }
    code = read_records(db, job, e);
    if (code == ERR_OK) {
        code = submit(db, job, e);
    }
    if (code == ERR_OK && !job->again) {
        fill_ack(job, ack);
    } else if (code == ERR_INVALID || code == ERR_LIMIT) {
        ack->bad_seq = job->bad_seq;
    }
    return code;
}

/* --- stores that other processes push into, too --- */

static enum err_code load_stream(struct tsdb *db, const struct ingest_job *job, struct err *e)
{
    struct ingest_job load = {.push = job->push, .stream = job->stream, .load = true};
    return submit(db, &load, e);
}

/* Begin anew with what the stream is now. */
static void start_again(struct ingest_job *job, struct tsdb_ack *ack, const struct uuid *epoch)
{
    for (size_t i = 0; i < job->record_count; i++) {
        ingest_free_record(&job->records[i]);
        job->records[i] = (struct ingest_record){0};
    }
    *job = (struct ingest_job){
        .push = job->push, .arena = job->arena, .stream = job->stream, .records = job->records};
    *ack = (struct tsdb_ack){.store_epoch = *epoch};
    job->stream->push_no++; /* times of the attempt before count for nothing */
}

/* As push_stream, when another process may have taken records of the stream since. */
static enum err_code push_shared(struct tsdb *db, struct ingest_job *job, struct tsdb_ack *ack,
                                 struct err *e)
{
    bool fresh = !job->stream->loaded;
    enum err_code code = fresh ? load_stream(db, job, e) : ERR_OK;

    for (int tries = 0; code == ERR_OK && tries < SHARED_TRIES; tries++) {
        code = push_stream(db, job, ack, e);
        if (code == ERR_CONFLICT && !fresh) {
            code = load_stream(db, job, e);
            fresh = true;
        } else if (code || !job->again) {
            return code;
        }
        start_again(job, ack, &db->epoch);
    }
    return code ? code : err_set(e, ERR_TIMEOUT, "the stream is pushed to several servers at once");
}

static void count_refusal(struct tsdb *db, enum err_code code)
{
    enum tsdb_refusal why = code == ERR_CONFLICT ? TSDB_REFUSED_SEQUENCE : TSDB_REFUSED_INVALID;
    if (code == ERR_CONFLICT || code == ERR_INVALID) {
        atomic_fetch_add(&db->count.refused[why], 1);
    }
}

enum err_code tsdb_front_push(struct tsdb *db, struct arena *a, const struct push *push,
                              struct tsdb_ack *ack, struct err *e)
{
    memset(ack, 0, sizeof(*ack));
    ack->store_epoch = db->epoch;
    struct ingest_job job = {.push = push, .arena = a};
    enum err_code code = tsdb_front_admit(db, e);
    if (code == ERR_OK) {
        code = take_stream(db, push, &job.stream, e);
    }
    if (code) {
        return code;
    }
    job.records = arena_array(a, push->record_count, sizeof(*job.records));
    if (!job.records) {
        code = arena_check(a, e);
    } else {
        code = db->shared ? push_shared(db, &job, ack, e) : push_stream(db, &job, ack, e);
    }
    ack->next_seq = job.stream->next_seq;
    for (size_t i = 0; i < job.record_count; i++) {
        ingest_free_record(&job.records[i]);
    }
    return_stream(db, job.stream);
    if (code == ERR_NOT_FOUND) { /* it comes again, with keys */
        return code;
    }
    atomic_fetch_add(&db->count.pushes, 1);
    atomic_fetch_add(&db->count.duplicates, ack->duplicate_records);
    count_refusal(db, code);
    return code;
}

/* --- events of the server itself --- */

static void put_event(struct json_writer *w, const struct batch_event *event)
{
    static const struct uuid none;
    char target[TEXT_UUID_SIZE];

    json_object_begin(w);
    json_key(w, "events");
    json_array_begin(w);
    json_object_begin(w);
    json_member_i64(w, "t", event->t_ms);
    if (!text_uuid_eq(&event->target, &none)) {
        text_uuid(&event->target, target);
        json_member_c(w, "target", target);
    }
    json_member_str(w, "kind", event->kind);
    json_member_c(w, "severity", batch_severity_name(event->severity));
    json_member_str(w, "title", event->title);
    if (event->body.len) {
        json_key(w, "body");
        json_put_raw(w, event->body);
    }
    json_object_end(w);
    json_array_end(w);
    json_object_end(w);
}

enum err_code tsdb_front_event_add(struct tsdb *db, const struct batch_event *event, struct err *e)
{
    struct ingest_record r = {.span = 1, .ready = true};
    struct ingest_job job = {.records = &r, .record_count = 1};
    struct json_writer w;

    buf_init(&r.blob, 0);
    buf_init(&r.meta, EVENT_ARENA);
    json_writer_init(&w, &r.meta);
    put_event(&w, event);
    enum err_code code = buf_check(&r.meta, e);
    if (code == ERR_OK) {
        code = submit(db, &job, e);
    }
    ingest_free_record(&r);
    return code;
}

/* --- deletion of a target --- */

static void put_drop(struct json_writer *w, const struct uuid *target, struct str by)
{
    char id[TEXT_UUID_SIZE];

    text_uuid(target, id);
    json_object_begin(w);
    json_key(w, "drop");
    json_object_begin(w);
    json_member_c(w, "target", id);
    json_key(w, "by");
    json_put_raw(w, by);
    json_object_end(w);
    json_object_end(w);
}

static void wait_applied(struct tsdb *db, uint64_t lsn, int64_t mono_us)
{
    bool late = false;

    lock_take(&db->state);
    while (db->applied_lsn < lsn && !db->applier_over && !late) {
        late = !cond_wait_until(&db->done, &db->state, mono_us);
    }
    lock_release(&db->state);
}

enum err_code tsdb_front_target_drop(struct tsdb *db, const struct uuid *target, struct str by,
                                     int64_t mono_us, struct err *e)
{
    struct ingest_record r = {.span = 1, .ready = true};
    struct drop drop = {*target, clock_wall_ms(), 0};
    struct ingest_job job = {.records = &r, .record_count = 1, .drop = &drop};
    struct json_writer w;

    buf_init(&r.blob, 0);
    buf_init(&r.meta, EVENT_ARENA);
    json_writer_init(&w, &r.meta);
    put_drop(&w, target, by);
    enum err_code code = buf_check(&r.meta, e);
    if (code == ERR_OK) {
        code = submit(db, &job, e);
    }
    if (code == ERR_OK) {
        wait_applied(db, r.lsn, mono_us);
    }
    ingest_free_record(&r);
    return code;
}
