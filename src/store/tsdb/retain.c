/* SPDX-License-Identifier: PostgreSQL */
/*
 * retain.c: unlinks files of readings that are too old, or for which the quota has no room.
 *
 * By age: whole days, each class by itself. By quota: the oldest day of the first class of
 * quota_order that has one, until the store is small enough; the present day stays in any case, for
 * it is being written. A file leaves the list before it is unlinked: no new reader opens it, and
 * one that has it open reads on.
 * Threads: the flusher.
 */
#include "store/tsdb/tier.h"

#include "base/fault.h"
#include "base/log.h"

#include <limits.h>
#include <stdio.h>

/* What is missed least goes first. */
static const enum day_class quota_order[] = {DAY_FAST, DAY_SLOW};

static const struct log_ctx retain_log = {.component = "tsdb"};

/*
 * Whether a file may go at all: not before the roll-ups have taken everything. Caller holds state.
 */
static bool may_go(const struct tsdb *db, const struct day_file *f, int64_t now_ms)
{
    (void)db;
    return f->day < days_of_ms(now_ms) && rollup_passed(f);
}

/* Take the oldest file of a class that is older than `before` out of the list. */
static bool take(struct tsdb *db, enum day_class class, int64_t before, int64_t now_ms,
                 struct day_file *out)
{
    struct day_file *oldest = NULL;

    lock_take(&db->state);
    for (size_t i = 0; i < db->day_count && !db->copying; i++) {
        struct day_file *f = &db->days[i];
        if (f->class == class && f->day < before && may_go(db, f, now_ms) &&
            (!oldest || f->day < oldest->day)) {
            oldest = f;
        }
    }
    if (oldest) {
        *out = *oldest;
        *oldest = db->days[--db->day_count];
        db->days_removed++;
    }
    lock_release(&db->state);
    return oldest != NULL;
}

static bool unlink_file(struct tsdb *db, const struct day_file *f, enum tsdb_removal why)
{
    char path[PATH_MAX];
    struct err e;

    days_path(db, f, path, sizeof(path));
    uint64_t bytes = days_size(path);
    FAULT_POINT("tsdb.retain_unlisted");
    if (days_unlink(path, &e)) {
        log_error(&retain_log, "a file that is to go stays until the next start: %s", e.text);
        return false;
    }
    FAULT_POINT("tsdb.retain_unlinked");
    atomic_fetch_add(&db->count.removed[why], 1);
    atomic_fetch_add(&db->count.removed_bytes, bytes);
    if (why == TSDB_REMOVED_AGE) {
        log_info(&retain_log, "%s removed, %llu kB: older than %d days", path,
                 (unsigned long long)(bytes / 1024), db->config.retention_days);
    } else {
        log_warn(&retain_log, "%s removed, %llu kB: the store may have %llu kB and had %llu", path,
                 (unsigned long long)(bytes / 1024),
                 (unsigned long long)(db->config.max_bytes / 1024),
                 (unsigned long long)(atomic_load(&db->count.disk_bytes) / 1024));
    }
    return true;
}

size_t retain_age(struct tsdb *db, int64_t now_ms)
{
    int64_t before = days_of_ms(now_ms) - db->config.retention_days;
    struct day_file f;
    size_t removed = 0;

    for (int c = 0; c < DAY_CLASSES; c++) {
        while (take(db, (enum day_class)c, before, now_ms, &f)) {
            removed += unlink_file(db, &f, TSDB_REMOVED_AGE);
        }
    }
    if (removed) {
        reader_close_idle(db);
    }
    return removed;
}

/* Room for one flush is left: that one must not have to wait for the removal that makes it. */
static bool is_over(const struct tsdb *db)
{
    uint64_t most = db->config.max_bytes;
    uint64_t flush = db->config.flush_bytes < most / 4 ? db->config.flush_bytes : most / 4;

    return atomic_load(&db->count.disk_bytes) + flush > most;
}

size_t retain_quota(struct tsdb *db, int64_t now_ms)
{
    size_t classes = sizeof(quota_order) / sizeof(quota_order[0]);
    struct day_file f;
    size_t removed = 0;

    if (db->config.max_bytes == 0) {
        return 0;
    }
    for (size_t i = 0; i < classes; i++) {
        while (is_over(db) && take(db, quota_order[i], INT64_MAX, now_ms, &f)) {
            removed += unlink_file(db, &f, TSDB_REMOVED_QUOTA);
            tsdb_measure_disk(db);
        }
    }
    if (removed) {
        reader_close_idle(db);
    }
    return removed;
}
