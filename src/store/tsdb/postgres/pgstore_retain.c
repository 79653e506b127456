/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_retain.c: drops partitions of readings and roll-ups that are too old, or for which the
 * quota has no room, and values of deleted targets.
 *
 * By age: days of readings, months of roll-ups. By quota, one after the other until the store is
 * small enough: the oldest day of readings, then the oldest month of 5 minutes, then of an hour;
 * the present day and month stay, for they are being written. A day goes only when all of its hours
 * are rolled up, and what comes late for it is left out from then on.
 *
 * Each partition goes in a transaction of its own, by a plain DETACH that gives way after 200 ms:
 * DETACH CONCURRENTLY would not fit into the transaction that checks the term, and what it waits
 * for (a long read) makes this one give way as well, to be tried again a minute later.
 * Threads: the leader's.
 */
#include "store/tsdb/postgres/pgstore_rollup.h"
#include "store/tsdb/postgres/pgstore_tables.h"
#include "store/tsdb/rollup/tier.h"

#include "base/fault.h"
#include "base/log.h"
#include "os/clock.h"

#include <stdio.h>
#include <string.h>

#define DAY_HOURS (TSDB_DAY_MS / TIER_HOUR_MS)

static const struct log_ctx retain_log = {.component = "tsdb"};

/* --- a day of readings --- */

/* Alone with the partition of ts_slice: whether a mark came meanwhile. */
static enum err_code check_marks(struct pgstore *p, const char *child, int64_t day, struct err *e)
{
    const struct pgstore_fill fill = {"child", str_of(child)};
    struct sqldb_stmt *s = NULL;
    bool there = false;
    enum err_code code = pgstore_table_exists(p, child, &there, e);

    if (code == ERR_OK && there) {
        code = pgstore_run_filled(p, "tsdb_ddl_lock", &fill, 1, e);
    }
    if (code == ERR_OK) {
        code = sqldb_row(
            p->lead, "tsdb_dirty_between",
            SQLDB_ARGS(sqldb_i64(day * DAY_HOURS - 1), sqldb_i64(day * DAY_HOURS + DAY_HOURS - 1)),
            &s, e);
    }
    if (code == ERR_OK && sqldb_get_i64(s, 0)) {
        code = err_set(e, ERR_CONFLICT, "readings of %s came late", child);
    }
    sqldb_end(s);
    return code;
}

/* With the readings goes the right to add some: raw_day. */
static enum err_code drop_readings(struct pgstore *p, struct arena *a, int64_t day, struct err *e)
{
    const char *child = arena_printf(a, "ts_slice_%s", pgstore_day_name(a, day));
    enum err_code code = pgstore_lead_begin(p, e);

    if (code) {
        return code;
    }
    code = check_marks(p, child, day, e);
    code = code ? code : pgstore_drop_partition(p, "ts_slice", child, e);
    code = code ? code : sqldb_run(p->lead, "tsdb_rollup_raw", SQLDB_ARGS(sqldb_i64(day + 1)), e);
    code = code ? code : sqldb_run(p->lead, "tsdb_wide_count", SQLDB_NO_ARGS, e);
    return pgstore_lead_end(p, code, e);
}

static enum err_code drop_values(struct pgstore *p, struct arena *a, const char *parent,
                                 int64_t day, struct err *e)
{
    const char *child = arena_printf(a, "%s_%s", parent, pgstore_day_name(a, day));
    enum err_code code = pgstore_lead_begin(p, e);

    if (code) {
        return code;
    }
    return pgstore_lead_end(p, pgstore_drop_partition(p, parent, child, e), e);
}

/* A mover that still counts on a partition that is gone fails once and learns it. */
static enum err_code forget_day(struct pgstore *p, int64_t day, struct err *e)
{
    enum err_code code = pgstore_lead_begin(p, e);

    if (code) {
        return code;
    }
    code = sqldb_run(p->lead, "tsdb_wide_count", SQLDB_NO_ARGS, e);
    code = code ? code : sqldb_run(p->lead, "tsdb_day_delete", SQLDB_ARGS(sqldb_i64(day)), e);
    return pgstore_lead_end(p, code, e);
}

static enum err_code drop_chunks(struct pgstore *p, struct arena *a, int64_t first, struct err *e)
{
    static const struct pgstore_parent by_time = {"", false};
    struct pgstore_numbers wide = {.arena = a};
    enum err_code code = pgstore_read_numbers(p, "tsdb_wide_relations", SQLDB_NO_ARGS, &wide, e);

    for (size_t i = 0; code == ERR_OK && i < wide.count; i++) {
        const char *table = arena_printf(a, "ts_wide_%lld", (long long)wide.list[i]);
        const struct pgstore_fill fills[] = {{"table", str_of(table)},
                                             {"from", pgstore_day_bound(a, &by_time, first)},
                                             {"schema", str_of(p->timescale_schema)}};
        code = pgstore_lead_begin(p, e);
        if (code == ERR_OK) {
            code = pgstore_lead_end(p, pgstore_run_filled(p, "tsdb_ddl_drop_chunks", fills, 3, e),
                                    e);
        }
    }
    return code;
}

static enum err_code drop_day(struct pgstore *p, struct arena *a, int64_t day,
                              enum tsdb_removal why, struct err *e)
{
    struct pgstore_parent *parents = NULL;
    size_t count = 0;
    enum err_code code = pgstore_list_parents(p, a, &parents, &count, e);

    code = code ? code : drop_readings(p, a, day, e);
    FAULT_POINT("pgstore.retain_readings");
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        if (!parents[i].by_ms) {
            code = drop_values(p, a, parents[i].name, day, e);
            FAULT_POINT("pgstore.retain_part");
        }
    }
    if (code == ERR_OK && p->has_timescale) {
        code = drop_chunks(p, a, day + 1, e);
    }
    code = code ? code : forget_day(p, day, e);
    if (code == ERR_OK) {
        atomic_fetch_add(&p->front.count.removed[why], 1);
        log_info(&retain_log, "the partitions of %s were dropped: %s", pgstore_day_name(a, day),
                 why == TSDB_REMOVED_AGE ? "older than the retention" : "over the quota");
    }
    return code;
}

static enum err_code expire_days(struct pgstore *p, struct arena *a, struct err *e)
{
    int64_t first = days_of_ms(clock_wall_ms()) - p->front.config.retention_days;
    struct pgstore_numbers days = {.arena = a};
    enum err_code code = pgstore_read_numbers(p, "tsdb_day_old", SQLDB_ARGS(sqldb_i64(first)),
                                              &days, e);

    for (size_t i = 0; code == ERR_OK && i < days.count; i++) {
        code = drop_day(p, a, days.list[i], TSDB_REMOVED_AGE, e);
    }
    return code;
}

/* --- a month of roll-ups --- */

static enum err_code drop_month(struct pgstore *p, struct arena *a, enum tsdb_tier tier, int month,
                                struct err *e)
{
    const char *child = pgstore_month_name(a, tier, month);
    enum err_code code = pgstore_lead_begin(p, e);

    if (code) {
        return code;
    }
    code = pgstore_drop_partition(p, pgstore_tier_parent(tier), child, e);
    if (code == ERR_OK) {
        code = sqldb_run(p->lead, "tsdb_month_delete",
                         SQLDB_ARGS(sqldb_i64(tier), sqldb_i64(month)), e);
    }
    code = pgstore_lead_end(p, code, e);
    if (code == ERR_OK) {
        log_info(&retain_log, "%s was dropped", child);
    }
    return code;
}

static enum err_code expire_months(struct pgstore *p, struct arena *a, struct err *e)
{
    int64_t now_ms = clock_wall_ms();
    enum err_code code = ERR_OK;

    for (int t = 0; code == ERR_OK && t < TSDB_TIERS; t++) {
        struct pgstore_numbers months = {.arena = a};
        code = pgstore_read_numbers(p, "tsdb_month_list", SQLDB_ARGS(sqldb_i64(t)), &months, e);
        for (size_t i = 0; code == ERR_OK && i < months.count; i++) {
            int month = (int)months.list[i];
            if (tier_is_old(&p->front.config, (enum tsdb_tier)t, month, now_ms)) {
                code = drop_month(p, a, (enum tsdb_tier)t, month, e);
            }
        }
    }
    return code;
}

/* --- the quota --- */

static enum err_code measure(struct pgstore *p, uint64_t *bytes, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(p->lead, "tsdb_store_size", SQLDB_NO_ARGS, &s, e);

    if (code == ERR_OK) {
        *bytes = (uint64_t)sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code;
}

/* Drop what is missed least; *done: there is nothing that may go. */
static enum err_code drop_oldest(struct pgstore *p, struct arena *a, bool *done, struct err *e)
{
    int64_t today = days_of_ms(clock_wall_ms());
    int this_month = tier_month_of_hour(tier_hour_of(clock_wall_ms()));
    struct pgstore_numbers found = {.arena = a};
    enum err_code code = pgstore_read_numbers(p, "tsdb_day_old", SQLDB_ARGS(sqldb_i64(today)),
                                              &found, e);

    *done = false;
    if (code || found.count) {
        return code ? code : drop_day(p, a, found.list[0], TSDB_REMOVED_QUOTA, e);
    }
    for (int t = 0; code == ERR_OK && t < TSDB_TIERS; t++) {
        code = pgstore_read_numbers(p, "tsdb_month_list", SQLDB_ARGS(sqldb_i64(t)), &found, e);
        if (code == ERR_OK && found.count && found.list[0] < this_month) {
            return drop_month(p, a, (enum tsdb_tier)t, (int)found.list[0], e);
        }
    }
    *done = true;
    return code;
}

static enum err_code keep_quota(struct pgstore *p, struct arena *a, struct err *e)
{
    uint64_t most = p->front.config.max_bytes;
    uint64_t bytes = 0;
    bool done = most == 0;
    enum err_code code = done ? ERR_OK : measure(p, &bytes, e);

    while (code == ERR_OK && !done && bytes > most) {
        log_warn(&retain_log, "the store may have %llu kB and has %llu",
                 (unsigned long long)(most / 1024), (unsigned long long)(bytes / 1024));
        code = drop_oldest(p, a, &done, e);
        code = code ? code : measure(p, &bytes, e);
    }
    return code;
}

/* --- deleted targets --- */

/* Values of deleted targets, table by table. */
static enum err_code purge_dropped(struct pgstore *p, struct arena *a, struct err *e)
{
    struct pgstore_numbers left = {.arena = a};
    struct pgstore_numbers wide = {.arena = a};
    enum err_code code = pgstore_read_numbers(p, "tsdb_dropped_group_count", SQLDB_NO_ARGS, &left,
                                              e);

    code = code ? code : pgstore_read_numbers(p, "tsdb_wide_relations", SQLDB_NO_ARGS, &wide, e);
    if (code || !left.count || left.list[0] == 0) {
        return code;
    }
    code = pgstore_lead_begin(p, e);
    if (code) {
        return code;
    }
    for (size_t i = 0; code == ERR_OK && i < wide.count; i++) {
        const char *table = arena_printf(a, "ts_wide_%lld", (long long)wide.list[i]);
        const struct pgstore_fill fill = {"table", str_of(table)};
        code = pgstore_run_filled(p, "tsdb_ddl_purge", &fill, 1, e);
    }
    code = code ? code : pgstore_run_filled(p, "tsdb_ddl_purge_rest", NULL, 0, e);
    return pgstore_lead_end(p, code, e);
}

enum err_code pgstore_tables_expire(struct pgstore *p, struct err *e)
{
    struct arena a;

    arena_init(&a, "tsdb tables", PGSTORE_TABLES_ARENA);
    enum err_code code = expire_days(p, &a, e);
    code = code ? code : expire_months(p, &a, e);
    code = code ? code : keep_quota(p, &a, e);
    code = code ? code : purge_dropped(p, &a, e);
    arena_fini(&a);
    return code;
}
