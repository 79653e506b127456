/* SPDX-License-Identifier: PostgreSQL */
/*
 * tsdb.c: opens, stops and closes a store, and tells how it is.
 *
 * Order of opening: lock file, ingest.db (schema, epoch), catalogue, streams, day files, appliers,
 * replay.
 */
#include "store/tsdb/read/block_cache.h"
#include "store/tsdb/read/object_memo.h"
#include "store/tsdb/ingest.h"
#include "store/tsdb/retire.h"
#include "store/tsdb/rollup/tier.h"

#include "base/alloc.h"
#include "base/log.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "os/file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define FLUSH_BYTES     (24UL * 1024 * 1024)
#define FOLD_BYTES      (3UL * 1024 * 1024)
#define JOURNAL_BYTES   (64UL * 1024 * 1024)
#define FLUSH_AGE_MS    (2 * 3600 * 1000LL)
#define RETENTION_DAYS  15
#define RETENTION_PG    7  /* there a reading takes twenty times as much */
#define RETENTION_SLOW  60 /* these have no roll-ups of 5 minutes */
#define RETENTION_LEAST 3  /* more than the clock window: no late slice revives an unlinked day */
#define TIER_5M_DAYS    90
#define TIER_1H_DAYS    400
#define EVENT_DAYS      400
#define TEXT_DAYS       400
#define CLOSE_MS        (26 * 3600 * 1000LL)
#define READERS         6
#define READERS_MAX     64

static const struct log_ctx tsdb_log = {.component = "tsdb"};

static void set_defaults(struct tsdb_config *c)
{
    c->flush_bytes = c->flush_bytes ? c->flush_bytes : FLUSH_BYTES;
    c->fold_bytes = c->fold_bytes ? c->fold_bytes : FOLD_BYTES;
    c->journal_bytes = c->journal_bytes ? c->journal_bytes : JOURNAL_BYTES;
    c->flush_age_ms = c->flush_age_ms ? c->flush_age_ms : FLUSH_AGE_MS;
    c->retention_days = c->retention_days ? c->retention_days
                        : c->url          ? RETENTION_PG
                                          : RETENTION_DAYS;
    c->retention_days = c->retention_days < RETENTION_LEAST ? RETENTION_LEAST : c->retention_days;
    c->retention_slow_days = c->retention_slow_days ? c->retention_slow_days : RETENTION_SLOW;
    c->retention_slow_days = c->retention_slow_days < RETENTION_LEAST ? RETENTION_LEAST
                                                                      : c->retention_slow_days;
    c->rollup_5m_days = c->rollup_5m_days ? c->rollup_5m_days : TIER_5M_DAYS;
    c->rollup_1h_days = c->rollup_1h_days ? c->rollup_1h_days : TIER_1H_DAYS;
    c->event_days = c->event_days ? c->event_days : EVENT_DAYS;
    c->text_days = c->text_days ? c->text_days : TEXT_DAYS;
    c->close_ms = c->close_ms ? c->close_ms : CLOSE_MS;
    c->object_rest_ms = c->object_rest_ms ? c->object_rest_ms : TSDB_DAY_MS;
    c->readers = c->readers ? c->readers : READERS;
    c->cache_bytes = c->cache_bytes ? c->cache_bytes : BLOCK_CACHE_BYTES;
    c->readers = c->readers > READERS_MAX ? READERS_MAX : c->readers;
}

void tsdb_front_init(struct tsdb *db, const struct tsdb_config *config)
{
    db->config = *config;
    set_defaults(&db->config);
    db->dir = alloc_strdup(config->dir ? config->dir : "");
    db->config.dir = db->dir;
    db->lock_fd = -1;
    db->catalog = catalog_new();
    db->caps = caps_new(db->config.caps);
    db->streams = map_new();
    db->active = head_new();
    db->next_stream = db->next_lsn = 1;
    db->reader_max = db->config.readers;
    db->readers = alloc_array(db->reader_max, sizeof(struct tsdb_reader *));
    lock_init(&db->state, "tsdb state", TSDB_LOCK_STATE);
    cond_init(&db->wake_writer);
    cond_init(&db->wake_flusher);
    cond_init(&db->wake_applier);
    cond_init(&db->done);
    cond_init(&db->stream_free);
    cond_init(&db->reader_free);
    turns_init(&db->turns, 0);
}

void tsdb_front_fini(struct tsdb *db)
{
    retire_fini(db);
    turns_fini(&db->turns);
    alloc_free(db->readers);
    head_free(db->active);
    head_free(db->frozen);
    map_free(db->streams, stream_free);
    catalog_free(db->catalog);
    caps_free(db->caps);
    block_cache_free(db->cache);
    object_memo_free(db->memo);
    alloc_free(db->days);
    alloc_free(db->tiers);
    alloc_free(db->dropped);
    alloc_free(db->dropped_targets);
    cond_fini(&db->reader_free);
    cond_fini(&db->stream_free);
    cond_fini(&db->done);
    cond_fini(&db->wake_applier);
    cond_fini(&db->wake_flusher);
    cond_fini(&db->wake_writer);
    lock_fini(&db->state);
    file_close(db->lock_fd);
    alloc_free(db->dir);
}

static enum err_code lock_store(struct tsdb *db, struct err *e)
{
    char path[PATH_MAX];
    enum err_code code = file_make_dirs(db->dir, 0700, e);

    (void)snprintf(path, sizeof(path), "%s/lock", db->dir);
    if (code == ERR_OK) {
        code = file_lock(path, &db->lock_fd, e);
    }
    if (code == ERR_CONFLICT) {
        (void)err_wrap(e, "the store %s is in use", db->dir);
    }
    return code;
}

static enum err_code new_epoch(struct tsdb *db, struct err *e)
{
    struct uuid epoch;
    entropy_uuid(&epoch);
    return sqldb_run(db->ingest, "tsdb_state_init",
                     SQLDB_ARGS(sqldb_blob(epoch.bytes, sizeof(epoch.bytes))), e);
}

static enum err_code load_state(struct tsdb *db, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(db->ingest, "tsdb_state_get", SQLDB_NO_ARGS, &s, e);

    if (code == ERR_NOT_FOUND) {
        code = new_epoch(db, e);
        if (code == ERR_OK) {
            code = sqldb_row(db->ingest, "tsdb_state_get", SQLDB_NO_ARGS, &s, e);
        }
    }
    if (code) {
        return code;
    }
    struct str epoch = sqldb_get_blob(s, 0);
    uint64_t journal = (uint64_t)sqldb_get_i64(s, 3);
    db->next_lsn = (uint64_t)sqldb_get_i64(s, 1);
    db->next_lsn = journal >= db->next_lsn ? journal + 1 : db->next_lsn;
    db->next_stream = (uint64_t)sqldb_get_i64(s, 2);
    if (epoch.len != sizeof(db->epoch.bytes)) {
        code = err_set(e, ERR_CORRUPT, "the store epoch is damaged");
    } else {
        memcpy(db->epoch.bytes, epoch.ptr, sizeof(db->epoch.bytes));
    }
    sqldb_end(s);
    return code;
}

static enum err_code open_ingest(struct tsdb *db, struct err *e)
{
    char url[PATH_MAX];
    struct sqldb_options o = {.flags = SQLDB_OWN_CHECKPOINT | SQLDB_SHRINKS, .cache_kib = 4096};

    (void)snprintf(url, sizeof(url), "sqlite:%s/ingest.db", db->dir);
    enum err_code code = sqldb_open(url, &o, &db->ingest, e);
    if (code == ERR_OK) {
        code = sqldb_schema(db->ingest, "tsdb_ingest", TSDB_SCHEMA_INGEST, e);
    }
    if (code == ERR_OK) {
        code = load_state(db, e);
    }
    if (code == ERR_OK) {
        code = catalog_load(db->catalog, db->ingest, e);
    }
    if (code == ERR_OK) {
        caps_count(db->caps, db->catalog);
    }
    if (code == ERR_OK) {
        code = drop_load(db, e);
    }
    if (code == ERR_OK) {
        code = stream_load_all(db, e);
    }
    if (code) {
        (void)err_wrap(e, "ingest.db");
    }
    return code;
}

/* A restored store may be behind its own day files: lsn goes on after the highest of all. */
static void settle_lsn(struct tsdb *db)
{
    uint64_t most = db->applier.text_applied > db->applier.event_applied
                        ? db->applier.text_applied
                        : db->applier.event_applied;
    for (size_t i = 0; i < db->day_count; i++) {
        most = db->days[i].applied > most ? db->days[i].applied : most;
    }
    db->next_lsn = db->next_lsn > most ? db->next_lsn : most + 1;
    db->linked_lsn = db->next_lsn - 1;
    db->applied_lsn = db->applier.text_applied < db->applier.event_applied
                          ? db->applier.text_applied
                          : db->applier.event_applied;
}

static enum err_code journal_size(struct tsdb *db, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    uint64_t free_bytes = 0;
    uint64_t size = 0;
    enum err_code code = sqldb_row(db->ingest, "tsdb_journal_size", SQLDB_NO_ARGS, &s, e);

    if (code == ERR_OK) {
        atomic_store(&db->count.journal_bytes, (uint64_t)sqldb_get_i64(s, 0));
    }
    sqldb_end(s);
    if (code == ERR_OK) {
        code = file_space(db->dir, &free_bytes, &size, e);
        atomic_store(&db->count.free_bytes, free_bytes);
    }
    return code;
}

static enum err_code open_all(struct tsdb *db, struct err *e)
{
    enum err_code code = lock_store(db, e);

    if (code == ERR_OK) {
        code = copy_clean(db->dir, e);
    }
    if (code == ERR_OK) {
        code = open_ingest(db, e);
    }
    if (code == ERR_OK) {
        code = days_load(db, e);
    }
    if (code == ERR_OK) {
        code = tier_load(db, e);
    }
    if (code == ERR_OK) {
        code = apply_open(db, e);
    }
    if (code == ERR_OK) {
        code = journal_size(db, e);
    }
    if (code == ERR_OK) {
        code = replay_run(db, e);
    }
    if (code == ERR_OK) {
        settle_lsn(db);
        tsdb_measure_disk(db);
    }
    return code;
}

static void tsdb_sqlite_close(struct tsdb *db)
{
    if (!db) {
        return;
    }
    for (size_t i = 0; i < db->reader_count; i++) {
        reader_close(db->readers[i]);
    }
    apply_close(db);
    sqldb_close(db->ingest);
    tsdb_front_fini(db);
    alloc_free(db);
}

enum err_code tsdb_sqlite_open(const struct tsdb_config *config, struct tsdb **out, struct err *e)
{
    int64_t start = clock_mono_ms();
    struct tsdb *db = alloc_new(sizeof(*db));

    db->ops = &tsdb_sqlite_ops;
    tsdb_front_init(db, config);
    db->cache = block_cache_new(db->config.cache_bytes);
    db->memo = object_memo_new(OBJECT_MEMO_BYTES);
    enum err_code code = open_all(db, e);

    if (code) {
        tsdb_sqlite_close(db);
        return code;
    }
    log_info(&tsdb_log, "store opened in %lld ms: %llu records replayed, %zu day files",
             (long long)(clock_mono_ms() - start),
             (unsigned long long)atomic_load(&db->count.replayed_records), db->day_count);
    *out = db;
    return ERR_OK;
}

static void stop(struct tsdb *db, enum run_state run)
{
    lock_take(&db->state);
    if (db->run == RUN_OPEN) {
        db->run = run;
    }
    cond_broadcast(&db->wake_writer);
    cond_broadcast(&db->wake_flusher);
    cond_broadcast(&db->wake_applier);
    lock_release(&db->state);
}

void tsdb_front_stop(struct tsdb *db)
{
    stop(db, RUN_STOPPING);
}

void tsdb_front_stop_fast(struct tsdb *db)
{
    stop(db, RUN_STOPPING_FAST);
}

enum err_code tsdb_front_flush(struct tsdb *db, int64_t mono_us, struct err *e)
{
    enum err_code code = ERR_OK;

    lock_take(&db->state);
    uint64_t lsn = db->linked_lsn;
    db->flush_wanted = true;
    cond_signal(&db->wake_flusher);
    while (code == ERR_OK && db->trimmed_lsn < lsn) {
        if (!cond_wait_until(&db->done, &db->state, mono_us) && db->trimmed_lsn < lsn) {
            code = err_set(e, ERR_TIMEOUT, "the flush did not end in time");
        }
    }
    lock_release(&db->state);
    return code;
}

static enum err_code tsdb_sqlite_compact(struct tsdb *db, int64_t mono_us, struct err *e)
{
    enum err_code code = ERR_OK;

    lock_take(&db->state);
    uint64_t wish = ++db->compact_asked;
    cond_signal(&db->wake_flusher);
    while (code == ERR_OK && db->compact_done < wish) {
        if (db->flusher_over) {
            code = err_set(e, ERR_CANCELLED, "the store is closing");
        } else if (!cond_wait_until(&db->done, &db->state, mono_us) && db->compact_done < wish) {
            code = err_set(e, ERR_TIMEOUT, "the compaction did not end in time");
        }
    }
    if (code == ERR_OK && db->compact_failed >= wish) {
        code = err_set(e, ERR_IO, "a file could not be compacted: the log says why");
    }
    lock_release(&db->state);
    tsdb_measure_disk(db);
    return code;
}

/* --- how it is --- */

/* A list as it is now. */
struct file_lists {
    struct day_file *days;
    struct tier_file *tiers;
    size_t day_count, tier_count;
};

static struct file_lists copy_lists(struct tsdb *db)
{
    struct file_lists l;

    lock_take(&db->state);
    l.day_count = db->day_count;
    l.days = alloc_array(l.day_count + 1, sizeof(*l.days));
    if (l.day_count) {
        memcpy(l.days, db->days, l.day_count * sizeof(*l.days));
    }
    l.tier_count = db->tier_count;
    l.tiers = alloc_array(l.tier_count + 1, sizeof(*l.tiers));
    if (l.tier_count) {
        memcpy(l.tiers, db->tiers, l.tier_count * sizeof(*l.tiers));
    }
    lock_release(&db->state);
    return l;
}

static uint64_t size_of(const struct tsdb *db, const char *name)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s.db", db->dir, name);
    return days_size(path);
}

/* A day's file, and the one that a compaction is about to put in its place. */
static uint64_t size_of_day(const struct tsdb *db, const struct day_file *f)
{
    char path[PATH_MAX];
    char next[PATH_MAX];

    days_path(db, f, path, sizeof(path));
    (void)snprintf(next, sizeof(next), "%.*s.new", PATH_MAX - 8, path);
    return days_size(path) + days_size(next);
}

void tsdb_measure_disk(struct tsdb *db)
{
    struct file_lists l = copy_lists(db);
    uint64_t bytes[TSDB_PARTS] = {[TSDB_PART_INGEST] = size_of(db, "ingest"),
                                  [TSDB_PART_TEXT] = size_of(db, "text"),
                                  [TSDB_PART_EVENT] = size_of(db, "event")};
    char path[PATH_MAX];
    uint64_t sum = 0;

    for (size_t i = 0; i < l.tier_count; i++) {
        tier_path(db, l.tiers[i].tier, l.tiers[i].month, path, sizeof(path));
        bytes[l.tiers[i].tier == TSDB_TIER_5M ? TSDB_PART_TIER_5M : TSDB_PART_TIER_1H] += days_size(
            path);
    }
    for (size_t i = 0; i < l.day_count; i++) {
        bytes[l.days[i].class == DAY_FAST ? TSDB_PART_RAW_FAST : TSDB_PART_RAW_SLOW] += size_of_day(
            db, &l.days[i]);
    }
    alloc_free(l.tiers);
    alloc_free(l.days);
    for (int p = 0; p < TSDB_PARTS; p++) {
        sum += bytes[p];
        atomic_store(&db->count.part_bytes[p], bytes[p]);
    }
    atomic_store(&db->count.disk_bytes, sum);
}

void tsdb_front_counters(struct tsdb *db, struct tsdb_stats *out)
{
    struct tsdb_counters *n = &db->count;

    out->journal_bytes = atomic_load(&n->journal_bytes);
    out->disk_bytes = atomic_load(&n->disk_bytes);
    out->free_bytes = atomic_load(&n->free_bytes);
    out->samples_stored = atomic_load(&n->samples);
    out->pushes = atomic_load(&n->pushes);
    out->records = atomic_load(&n->records);
    out->slices = atomic_load(&n->slices);
    out->commits = atomic_load(&n->commits);
    out->duplicates = atomic_load(&n->duplicates);
    for (int i = 0; i < TSDB_REFUSED_KINDS; i++) {
        out->refused[i] = atomic_load(&n->refused[i]);
    }
    out->flushes = atomic_load(&n->flushes);
    out->flush_errors = atomic_load(&n->flush_errors);
    out->retired = atomic_load(&n->retired);
    out->folds = atomic_load(&n->folds);
    out->replayed_records = atomic_load(&n->replayed_records);
    out->replayed_slices = atomic_load(&n->replayed_slices);
    out->last_flush_ms = atomic_load(&n->last_flush_ms);
    for (int i = 0; i < TSDB_REMOVED_KINDS; i++) {
        out->removed[i] = atomic_load(&n->removed[i]);
    }
    out->removed_bytes = atomic_load(&n->removed_bytes);
    for (int i = 0; i < TSDB_PARTS; i++) {
        out->part_bytes[i] = atomic_load(&n->part_bytes[i]);
    }
    out->expired_events = atomic_load(&n->expired_events);
    out->expired_texts = atomic_load(&n->expired_texts);
    out->stripped = atomic_load(&n->stripped);
    out->quarantined = atomic_load(&n->quarantined);
    out->max_bytes = db->config.max_bytes;
    out->compactions = atomic_load(&n->compactions);
    out->compact_errors = atomic_load(&n->compact_errors);
    out->full = atomic_load(&db->full);
}

static void tsdb_sqlite_stats(struct tsdb *db, struct tsdb_stats *out)
{
    memset(out, 0, sizeof(*out));
    out->engine = "sqlite";
    out->epoch = db->epoch;
    tsdb_front_counters(db, out);
    lock_take(&db->state);
    out->head_bytes = head_bytes(db->active) + (db->frozen ? head_bytes(db->frozen) : 0);
    out->streams = map_count(db->streams);
    out->lsn = db->linked_lsn;
    out->flushed_lsn = db->flushed_lsn;
    out->applied_lsn = db->applied_lsn;
    out->dropped_groups = db->dropped_count;
    out->rolled_up_ms = tier_watermark(db, TSDB_TIER_1H);
    for (size_t i = 0; i < db->day_count; i++) {
        out->rollup_files += db->days[i].dirty_hour < db->rollup_limit_ms / TIER_HOUR_MS;
    }
    lock_take(&db->catalog->lock);
    out->relations = db->catalog->relation_count;
    out->groups = db->catalog->group_count - db->catalog->dropped_count;
    out->objects = db->catalog->object_count;
    lock_release(&db->catalog->lock);
    lock_release(&db->state);
}

const struct tsdb_ops tsdb_sqlite_ops = {
    .close = tsdb_sqlite_close,
    .run_writer = tsdb_sqlite_run_writer,
    .run_flusher = tsdb_sqlite_run_flusher,
    .run_applier = tsdb_sqlite_run_applier,
    .stop = tsdb_front_stop,
    .stop_fast = tsdb_front_stop_fast,
    .admit = tsdb_front_admit,
    .push = tsdb_front_push,
    .event_add = tsdb_front_event_add,
    .target_drop = tsdb_front_target_drop,
    .flush = tsdb_front_flush,
    .compact = tsdb_sqlite_compact,
    .stats = tsdb_sqlite_stats,
    .reader_borrow = tsdb_sqlite_reader_borrow,
    .reader_return = tsdb_sqlite_reader_return,
    .scan = tsdb_sqlite_scan,
    .scan_numbers = tsdb_sqlite_scan_numbers,
    .tier_scan = tsdb_sqlite_tier_scan,
    .tier_plan = tsdb_sqlite_tier_plan,
    .object_keys = tsdb_sqlite_object_keys,
    .group_keys = tsdb_sqlite_group_keys,
    .match = tsdb_sqlite_match,
    .relation = tsdb_sqlite_relation,
    .groups = tsdb_sqlite_groups,
    .last = tsdb_sqlite_last,
    .text = tsdb_sqlite_text,
    .events = tsdb_sqlite_events,
    .streams = tsdb_sqlite_streams,
    .records = tsdb_sqlite_records,
    .copy = tsdb_sqlite_copy,
    .uses = tsdb_front_uses,
};
