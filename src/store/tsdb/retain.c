/* SPDX-License-Identifier: PostgreSQL */
/*
 * retain.c: unlinks files of readings that are too old, or for which the quota has no room.
 *
 * By age: whole days, each class by itself. By quota, what is missed least goes first, the oldest
 * of it, until the store is small enough: days of fast clocks, plans and bodies of events
 * (expire.c), days of slow clocks, months of roll-ups of 5 minutes, of an hour. What is of today or
 * this month stays in any case, for it is being written. A file leaves the list before it is
 * unlinked: no new reader opens it, and one that has it open reads on.
 * Threads: the flusher.
 */
#include "store/tsdb/rollup/tier.h"

#include "base/fault.h"
#include "base/log.h"
#include "os/clock.h"

#include <limits.h>
#include <stdio.h>

#define ANSWER_US 30000000LL /* what the applier has to say what events and texts can spare */

static const struct log_ctx retain_log = {.component = "tsdb"};

/*
 * Whether a file may go at all: not before the roll-ups have taken everything. A reading at
 * midnight ends an hour of the day before, so the files on both sides have a say. Caller holds
 * state.
 */
static bool may_go(const struct tsdb *db, const struct day_file *f, int64_t now_ms)
{
    int64_t hours = TSDB_DAY_MS / TIER_HOUR_MS;
    bool passed = f->day < days_of_ms(now_ms);

    for (size_t i = 0; passed && i < db->day_count; i++) {
        const struct day_file *other = &db->days[i];
        bool beside = other->day >= f->day - 1 && other->day <= f->day + 1;
        passed = !beside || other->dirty_hour >= (f->day + 1) * hours;
    }
    return passed;
}

/* Readings that came late, and wait to be flushed: the day waits with them. Caller holds state. */
static bool heads_hold(const struct tsdb *db, int64_t day)
{
    int64_t end_ms = (day + 1) * TSDB_DAY_MS;
    return head_first_ms(db->active) <= end_ms ||
           (db->frozen && head_first_ms(db->frozen) <= end_ms);
}

/* Take the oldest file of a class that is older than `before` out of the list. */
static bool take(struct tsdb *db, enum day_class class, int64_t before, int64_t now_ms,
                 struct day_file *out)
{
    struct day_file *oldest = NULL;
    bool quota = before == INT64_MAX; /* it cannot wait: a flush may need the room */

    lock_take(&db->state);
    for (size_t i = 0; i < db->day_count && !db->copying; i++) {
        struct day_file *f = &db->days[i];
        if (f->class == class && f->day < before && may_go(db, f, now_ms) &&
            (quota || !heads_hold(db, f->day)) && (!oldest || f->day < oldest->day)) {
            oldest = f;
        }
    }
    if (oldest) {
        *out = *oldest;
        tier_raise_raw_day(db, class, out->day + 1);
        *oldest = db->days[--db->day_count];
        db->days_removed++;
    }
    lock_release(&db->state);
    return oldest != NULL;
}

static int days_kept(const struct tsdb *db, enum day_class class)
{
    return class == DAY_FAST ? db->config.retention_days : db->config.retention_slow_days;
}

static bool unlink_file(struct tsdb *db, const struct day_file *f, enum tsdb_removal why)
{
    char path[PATH_MAX];
    struct err e;

    days_path(db, f, path, sizeof(path));
    uint64_t bytes = days_size(path);
    if (tier_save_raw_days(db, &e)) {
        log_warn(&retain_log, "which days went is not written down: %s", e.text);
    }
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
                 (unsigned long long)(bytes / 1024), days_kept(db, f->class));
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
    struct day_file f;
    size_t removed = 0;

    for (int c = 0; c < DAY_CLASSES; c++) {
        int64_t before = days_of_ms(now_ms) - days_kept(db, (enum day_class)c);
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
bool retain_is_over(const struct tsdb *db, uint64_t more)
{
    uint64_t most = db->config.max_bytes;
    uint64_t flush = db->config.flush_bytes < most / 4 ? db->config.flush_bytes : most / 4;

    return most > 0 && atomic_load(&db->count.disk_bytes) + flush + more > most;
}

/* What the quota is to make room for. */
struct wish {
    int64_t now_ms;
    uint64_t more;
};

static size_t take_days(struct tsdb *db, enum day_class class, const struct wish *w)
{
    struct day_file f;
    size_t removed = 0;

    while (retain_is_over(db, w->more) && take(db, class, INT64_MAX, w->now_ms, &f)) {
        removed += unlink_file(db, &f, TSDB_REMOVED_QUOTA);
        tsdb_measure_disk(db);
    }
    return removed;
}

/*
 * Whether events and texts have given what they can. The applier is asked, and wakes us up; one
 * that does not answer for long does not hold up the rest.
 */
static bool is_spared(struct tsdb *db)
{
    int unknown = SPARE_UNKNOWN;

    if (!atomic_compare_exchange_strong(&db->spare, &unknown, SPARE_ASKED)) {
        return unknown == SPARE_NONE || clock_mono_us() - db->spare_asked_us > ANSWER_US;
    }
    db->spare_asked_us = clock_mono_us();
    lock_take(&db->state);
    cond_signal(&db->wake_applier);
    lock_release(&db->state);
    return false;
}

static size_t take_months(struct tsdb *db, enum tsdb_tier tier, const struct wish *w)
{
    uint64_t before = atomic_load(&db->count.disk_bytes);
    size_t removed = 0;

    while (retain_is_over(db, w->more) && tier_remove_oldest(db, tier, w->now_ms)) {
        removed++;
        tsdb_measure_disk(db);
        uint64_t after = atomic_load(&db->count.disk_bytes);
        atomic_fetch_add(&db->count.removed[TSDB_REMOVED_QUOTA], 1);
        atomic_fetch_add(&db->count.removed_bytes, before > after ? before - after : 0);
        before = after;
    }
    return removed;
}

size_t retain_quota(struct tsdb *db, int64_t now_ms, uint64_t more)
{
    const struct wish w = {now_ms, more};
    size_t removed = take_days(db, DAY_FAST, &w);

    if (retain_is_over(db, more) && is_spared(db)) {
        removed += take_days(db, DAY_SLOW, &w);
        removed += take_months(db, TSDB_TIER_5M, &w);
        removed += take_months(db, TSDB_TIER_1H, &w);
    }
    if (removed) {
        reader_close_idle(db);
    }
    return removed;
}
