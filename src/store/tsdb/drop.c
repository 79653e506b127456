/* SPDX-License-Identifier: PostgreSQL */
/*
 * drop.c: deletes a target with its history.
 *
 * One transaction of the writer deletes the target's groups and objects, keeps the groups' ids in
 * table `dropped` and adds a journal row by which the appliers delete events, texts and the target
 * itself. From that commit on no reader finds the groups, replay and flush leave their slices out,
 * and the flusher removes their blocks. A target that comes again gets new groups; agents send
 * again what they delivered within an hour or could not yet, so what is not younger than the
 * deletion is refused for as long as the clock window would take it.
 * Invariants: (1) every slice of a dropped group has a lower lsn than its deletion, for the writer
 *             refuses what was encoded for a group before it was dropped; (2) a row of `dropped`
 *             goes when the journal is trimmed to its lsn and every day file was purged; then the
 *             groups leave memory (retire_waste.h).
 */
#include "store/tsdb/blocks.h"
#include "store/tsdb/rollup/tier.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "base/log.h"
#include "os/clock.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define FORGET_MS 3600000LL /* a clock may be set back a little */

static const struct log_ctx drop_log = {.component = "tsdb"};

static int compare_groups(const void *a, const void *b)
{
    const struct dropped_group *x = a;
    const struct dropped_group *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

/* Caller holds state (or is alone). */
static void add(struct tsdb *db, uint64_t id, uint64_t lsn)
{
    size_t count = db->dropped_count + 1;

    db->dropped = alloc_resize(db->dropped, count * sizeof(*db->dropped));
    db->dropped[db->dropped_count++] = (struct dropped_group){id, lsn};
    db->dropped_lsn = lsn > db->dropped_lsn ? lsn : db->dropped_lsn;
}

/* Caller holds state (or is alone). */
static void add_target(struct tsdb *db, const struct dropped_target *t)
{
    size_t count = atomic_load(&db->dropped_target_count);

    for (size_t i = 0; i < count; i++) {
        if (text_uuid_eq(&db->dropped_targets[i].id, &t->id)) {
            db->dropped_targets[i].t_ms = t->t_ms;
            return;
        }
    }
    db->dropped_targets = alloc_resize(db->dropped_targets, (count + 1) * sizeof(*t));
    db->dropped_targets[count] = *t;
    atomic_store(&db->dropped_target_count, count + 1);
}

static void sort(struct tsdb *db)
{
    if (db->dropped_count) {
        qsort(db->dropped, db->dropped_count, sizeof(*db->dropped), compare_groups);
    }
}

static enum err_code load_targets(struct tsdb *db, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(db->ingest, "tsdb_dropped_target_list", SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        struct dropped_target t = {.t_ms = sqldb_get_i64(s, 1)};
        struct str id = sqldb_get_blob(s, 0);
        if (id.len != sizeof(t.id.bytes)) {
            code = err_set(e, ERR_CORRUPT, "a deleted target is damaged");
            break;
        }
        memcpy(t.id.bytes, id.ptr, sizeof(t.id.bytes));
        add_target(db, &t);
    }
    sqldb_end(s);
    return code;
}

enum err_code drop_load(struct tsdb *db, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(db->ingest, "tsdb_dropped_list", SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        add(db, (uint64_t)sqldb_get_i64(s, 0), (uint64_t)sqldb_get_i64(s, 1));
    }
    sqldb_end(s);
    sort(db);
    db->flush_wanted = db->dropped_count > 0;
    return code ? code : load_targets(db, e);
}

bool drop_has(const struct tsdb *db, uint64_t group)
{
    struct dropped_group key = {group, 0};

    return db->dropped_count && bsearch(&key, db->dropped, db->dropped_count, sizeof(*db->dropped),
                                        compare_groups) != NULL;
}

bool drop_covers(struct tsdb *db, const struct uuid *target, int64_t t_ms)
{
    bool covers = false;

    if (atomic_load(&db->dropped_target_count) == 0) {
        return false;
    }
    lock_take(&db->state);
    for (size_t i = 0; !covers && i < atomic_load(&db->dropped_target_count); i++) {
        const struct dropped_target *t = &db->dropped_targets[i];
        covers = t_ms <= t->t_ms && text_uuid_eq(&t->id, target);
    }
    lock_release(&db->state);
    return covers;
}

/* --- the writer --- */

enum err_code drop_write(struct tsdb *db, const struct drop *d, struct err *e)
{
    struct sqldb_value id = sqldb_blob(d->target.bytes, sizeof(d->target.bytes));
    enum err_code code = sqldb_run(db->ingest, "tsdb_dropped_insert",
                                   SQLDB_ARGS(id, sqldb_i64((int64_t)d->lsn)), e);

    if (code == ERR_OK) {
        code = sqldb_run(db->ingest, "tsdb_dropped_target_put", SQLDB_ARGS(id, sqldb_i64(d->t_ms)),
                         e);
    }

    if (code == ERR_OK) {
        code = sqldb_run(db->ingest, "tsdb_object_drop", SQLDB_ARGS(id), e);
    }
    if (code == ERR_OK) {
        code = sqldb_run(db->ingest, "tsdb_group_drop", SQLDB_ARGS(id), e);
    }
    return code;
}

void drop_written(struct tsdb *db, const struct drop *d)
{
    const struct dropped_target t = {d->target, d->t_ms};
    uint64_t *ids = NULL;

    FAULT_POINT("tsdb.drop_committed");
    size_t count = catalog_drop(db->catalog, &d->target, &ids);
    caps_count(db->caps, db->catalog);
    lock_take(&db->state);
    for (size_t i = 0; i < count; i++) {
        add(db, ids[i], d->lsn);
    }
    sort(db);
    add_target(db, &t);
    lock_release(&db->state);
    alloc_free(ids);
    log_info(&drop_log, "a target was deleted: %zu groups", count);
}

void drop_wake_flusher(struct tsdb *db)
{
    lock_take(&db->state);
    db->flush_wanted = true;
    cond_signal(&db->wake_flusher);
    lock_release(&db->state);
}

/* Caller holds state. Up to here nothing of a deletion is left to be done. */
static uint64_t finished_lsn(const struct tsdb *db)
{
    return db->purged_lsn < db->trimmed_lsn ? db->purged_lsn : db->trimmed_lsn;
}

/* Of targets whose readings of before are too old for any. */
static enum err_code forget_targets(struct tsdb *db, struct err *e)
{
    int64_t oldest = clock_wall_ms() - TSDB_CLOCK_PAST_MS - FORGET_MS;
    size_t kept = 0;

    lock_take(&db->state);
    size_t count = atomic_load(&db->dropped_target_count);
    for (size_t i = 0; i < count; i++) {
        if (db->dropped_targets[i].t_ms >= oldest) {
            db->dropped_targets[kept++] = db->dropped_targets[i];
        }
    }
    atomic_store(&db->dropped_target_count, kept);
    lock_release(&db->state);
    return kept == count ? ERR_OK
                         : sqldb_run(db->ingest, "tsdb_dropped_target_delete",
                                     SQLDB_ARGS(sqldb_i64(oldest)), e);
}

static bool any_finished(struct tsdb *db, uint64_t *limit)
{
    bool any = false;

    lock_take(&db->state);
    *limit = finished_lsn(db);
    for (size_t i = 0; i < db->dropped_count; i++) {
        any |= !db->copying && db->dropped[i].lsn <= *limit;
    }
    lock_release(&db->state);
    return any;
}

enum err_code drop_forget(struct tsdb *db, struct err *e)
{
    uint64_t limit = 0;
    size_t kept = 0;

    enum err_code code = forget_targets(db, e);
    if (code || !any_finished(db, &limit)) {
        return code;
    }
    FAULT_POINT("tsdb.drop_forget");
    code = sqldb_run(db->ingest, "tsdb_dropped_delete", SQLDB_ARGS(sqldb_i64((int64_t)limit)), e);
    if (code) {
        return code;
    }
    lock_take(&db->state);
    for (size_t i = 0; i < db->dropped_count; i++) {
        if (db->dropped[i].lsn > limit) {
            db->dropped[kept++] = db->dropped[i];
        }
    }
    db->dropped_count = kept;
    lock_release(&db->state);
    db->groups_over = true; /* retire_write takes them out of memory */
    return ERR_OK;
}

/* --- the flusher --- */

struct purging {
    struct dropped_group *groups;
    size_t group_count;
    struct day_file *days;
    size_t day_count;
    struct tier_file *tiers;
    size_t tier_count;
    uint64_t lsn;
};

/* What is to be done; false = nothing. Not before the heads of the groups' time are flushed. */
static bool begin(struct tsdb *db, struct purging *p)
{
    lock_take(&db->state);
    bool due = db->dropped_count && db->purged_lsn < db->dropped_lsn &&
               db->flushed_lsn >= db->dropped_lsn;
    *p = (struct purging){.lsn = db->dropped_lsn};
    if (due) {
        p->group_count = db->dropped_count;
        p->groups = alloc_array(db->dropped_count, sizeof(*p->groups));
        memcpy(p->groups, db->dropped, db->dropped_count * sizeof(*p->groups));
        p->day_count = db->day_count;
        p->days = alloc_array(db->day_count + 1, sizeof(*p->days));
        if (db->day_count) {
            memcpy(p->days, db->days, db->day_count * sizeof(*p->days));
        }
        p->tier_count = db->tier_count;
        p->tiers = alloc_array(db->tier_count + 1, sizeof(*p->tiers));
        if (db->tier_count) {
            memcpy(p->tiers, db->tiers, db->tier_count * sizeof(*p->tiers));
        }
    }
    lock_release(&db->state);
    return due;
}

static enum err_code purge_blocks(const struct purging *p, struct sqldb *file, struct err *e)
{
    enum err_code code = sqldb_begin(file, e);

    if (code) {
        return code;
    }
    for (size_t i = 0; code == ERR_OK && i < p->group_count; i++) {
        code = blocks_remove_group(file, p->groups[i].id, e);
    }
    if (code) {
        sqldb_rollback(file);
        return code;
    }
    FAULT_POINT("tsdb.drop_purging");
    code = sqldb_commit(file, e);
    FAULT_POINT("tsdb.drop_purged");
    return code ? code : sqldb_checkpoint(file, e);
}

static enum err_code purge_file(struct tsdb *db, const struct purging *p,
                                const struct day_file *day, struct err *e)
{
    char path[PATH_MAX];
    struct sqldb *file = NULL;

    days_path(db, day, path, sizeof(path));
    enum err_code code = days_open(path, SQLDB_OWN_CHECKPOINT, &file, e);
    if (code == ERR_OK) {
        code = purge_blocks(p, file, e);
    }
    sqldb_close(file);
    return code ? err_wrap(e, "%s", path) : ERR_OK;
}

static enum err_code purge_tier(struct tsdb *db, const struct purging *p,
                                const struct tier_file *tier, struct err *e)
{
    char path[PATH_MAX];
    struct sqldb *file = NULL;

    tier_path(db, tier->tier, tier->month, path, sizeof(path));
    enum err_code code = tier_open(path, SQLDB_OWN_CHECKPOINT, &file, e);
    if (code == ERR_OK) {
        code = purge_blocks(p, file, e);
    }
    sqldb_close(file);
    return code ? err_wrap(e, "%s", path) : ERR_OK;
}

enum err_code drop_purge(struct tsdb *db, struct err *e)
{
    struct purging p;
    enum err_code code = ERR_OK;

    if (!begin(db, &p)) {
        return ERR_OK;
    }
    for (size_t i = 0; code == ERR_OK && i < p.day_count; i++) {
        code = purge_file(db, &p, &p.days[i], e);
    }
    for (size_t i = 0; code == ERR_OK && i < p.tier_count; i++) {
        code = purge_tier(db, &p, &p.tiers[i], e);
    }
    lock_take(&db->state);
    if (code == ERR_OK) {
        db->purged_lsn = p.lsn;
        cond_signal(&db->wake_writer);
    } else {
        db->flush_wanted = true; /* come again */
    }
    lock_release(&db->state);
    alloc_free(p.tiers);
    alloc_free(p.days);
    alloc_free(p.groups);
    return code;
}
