/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_rollup.c: the leader's work on roll-ups, in steps.
 *
 *   mover: marks (group, hour) in ts_dirty, in the transaction that stores the readings
 *   open:  hours that are over, alone with no mover at work: from then on each reading of them
 *          renews their mark
 *   step:  some marks -> buckets of those hours, and of the hour after when it was there already
 *          -> a mark that is the same still goes -> COMMIT
 *   none left: watermark
 *
 * A step is one transaction that checks the term, and each of its statements sees what was
 * committed before: the marks are read first, so a reading that a bucket lacks has renewed its
 * mark, and the hour is made again. Building and coding are those of the SQLite engine.
 * Threads: the leader's.
 */
#include "store/tsdb/postgres/pgstore_rollup.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "base/log.h"
#include "os/clock.h"
#include "store/tsdb/postgres/pgstore_tables.h"
#include "store/tsdb/postgres/pgstore_tier.h"
#include "store/tsdb/rollup/tier_write.h"

#include <string.h>

#define STEP_MARKS  32
#define STEP_US     500000LL  /* of a transaction: the lease must be renewed between two */
#define ROUND_US    1000000LL /* of all steps, before other work of the leader */
#define NAMES_BYTES (64UL * 1024 * 1024)

static const struct log_ctx rollup_log = {.component = "tsdb"};

struct mark {
    int64_t hour;
    uint64_t group;
    int64_t n;
};

struct work {
    struct pgstore *p;
    struct pgstore_reader reader; /* the leader's connection, in its transaction */
    struct arena arena;           /* of one hour */
    int64_t watermark_ms, raw_day, open_hour;
    struct mark marks[STEP_MARKS];
    size_t count;
};

/* A group whose hour is made. */
struct target {
    uint64_t id;
    struct uuid target;
    struct str scope;
    struct relation *relation;
    const struct tier_shape *shape;
};

static const char *const parents[TSDB_TIERS] = {
    [TSDB_TIER_5M] = "ts_tier5m", [TSDB_TIER_1H] = "ts_tier1h"};

const char *pgstore_month_name(struct arena *a, enum tsdb_tier tier, int month)
{
    return arena_printf(a, "%s_%04d%02d", parents[tier], month / 12, month % 12 + 1);
}

const char *pgstore_tier_parent(enum tsdb_tier tier)
{
    return parents[tier];
}

/* --- partitions --- */

static struct str hour_of_month(struct arena *a, int month)
{
    int64_t start_ms = 0;

    if (!tier_month_start(month, &start_ms)) {
        return (struct str){NULL, 0};
    }
    return str_of(arena_printf(a, "%lld", (long long)(start_ms / TIER_HOUR_MS)));
}

enum err_code pgstore_need_month(struct pgstore *p, struct arena *a, enum tsdb_tier tier, int month,
                                 struct err *e)
{
    struct sqldb_args args = SQLDB_ARGS(sqldb_i64(tier), sqldb_i64(month));
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(p->lead, "tsdb_month_get", args, &s, e);

    sqldb_end(s);
    if (code != ERR_NOT_FOUND) {
        return code;
    }
    const struct pgstore_partition n = {.parent = parents[tier],
                                        .child = pgstore_month_name(a, tier, month),
                                        .column = "hour",
                                        .from = hour_of_month(a, month),
                                        .to = hour_of_month(a, month + 1)};
    if (!n.from.len || !n.to.len) {
        return err_set(e, ERR_CORRUPT, "readings of month %d", month);
    }
    code = arena_check(a, e);
    code = code ? code : pgstore_make_partition(p, &n, e);
    return code ? code : sqldb_run(p->lead, "tsdb_month_add", args, e);
}

/* --- one hour of a group --- */

static enum err_code find_target(struct work *w, struct target *t, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    struct str name;
    enum err_code code = sqldb_row(w->p->lead, "tsdb_rollup_group",
                                   SQLDB_ARGS(sqldb_i64((int64_t)t->id)), &s, e);

    if (code) {
        sqldb_end(s);
        return code;
    }
    struct str target = sqldb_get_blob(s, 0);
    if (target.len == sizeof(t->target.bytes)) {
        memcpy(t->target.bytes, target.ptr, target.len);
    }
    name = arena_str(&w->arena, sqldb_get_text(s, 1));
    t->scope = arena_str(&w->arena, sqldb_get_text(s, 2));
    sqldb_end(s);
    code = arena_check(&w->arena, e);
    code = code ? code
                : pgstore_relation((struct tsdb_reader *)&w->reader, &w->arena, name, &t->relation,
                                   e);
    if (code == ERR_OK) {
        t->shape = pgstore_tier_shape(t->relation, &w->arena);
        code = arena_check(&w->arena, e);
    }
    return code;
}

static enum err_code prime(void *arg, const struct tsdb_bucket *b, struct err *e)
{
    return tier_build_prime(arg, b, e);
}

static enum err_code build_hour(struct work *w, const struct target *t, int64_t hour,
                                struct tier_build *b, struct err *e)
{
    struct pgstore_tiers tiers;
    const struct tier_range before = tier_range_before(&tiers.place, t->shape, t->scope, hour);
    const struct tsdb_scan_spec readings = {.target = t->target,
                                            .relation = t->relation->name,
                                            .scope = &t->scope,
                                            .from_ms = hour * TIER_HOUR_MS,
                                            .to_ms = (hour + 1) * TIER_HOUR_MS};

    pgstore_tiers_init(&tiers, w->p->lead, TSDB_TIER_1H, t->id);
    enum err_code code = tier_scan(&before, prime, b, e);
    pgstore_tiers_fini(&tiers);
    return code ? code
                : pgstore_scan((struct tsdb_reader *)&w->reader, &readings, tier_build_visit, b, e);
}

static enum err_code write_hour(struct work *w, const struct target *t, int64_t hour,
                                const struct tier_made *made, struct err *e)
{
    bool rebuilt = (hour + 1) * TIER_HOUR_MS <= w->watermark_ms;
    enum err_code code = ERR_OK;

    for (int tier = 0; code == ERR_OK && tier < TSDB_TIERS; tier++) {
        struct pgstore_tiers tiers;
        const struct tier_hour in = {.place = &tiers.place,
                                     .hour = hour,
                                     .count = made->count[tier],
                                     .slices = made->slices[tier]};
        if (in.count == 0 && !rebuilt) {
            continue;
        }
        pgstore_tiers_init(&tiers, w->p->lead, (enum tsdb_tier)tier, t->id);
        code = pgstore_need_month(w->p, &w->arena, (enum tsdb_tier)tier, tier_month_of_hour(hour),
                                  e);
        code = code ? code : tier_write_hour(&in, e);
        pgstore_tiers_fini(&tiers);
    }
    return code;
}

static enum err_code make_hour(struct work *w, const struct target *t, int64_t hour, struct err *e)
{
    struct tier_build *b = tier_build_new(t->shape, t->id);
    struct tier_made made;
    enum err_code code = build_hour(w, t, hour, b, e);

    code = code ? code : tier_build_end(b, &made, e);
    if (code == ERR_CORRUPT || code == ERR_LIMIT) { /* trying again would not help */
        log_error(&rollup_log, "no roll-up of an hour of group %llu: %s", (unsigned long long)t->id,
                  e->text);
        code = ERR_OK;
    } else if (code == ERR_OK) {
        code = write_hour(w, t, hour, &made, e);
    }
    tier_build_free(b);
    return code;
}

/* The next hour of a group that was rolled up before: it began with what was known then. Also one
 * above the watermark: hours were made, and not all of them were told of yet. */
static enum err_code find_after(struct work *w, const struct target *t, int64_t hour,
                                int64_t *after, struct err *e)
{
    int64_t end = (hour + 1) * TIER_HOUR_MS;
    struct pgstore_tiers tiers;
    const struct tier_range range = tier_range_bare(&tiers.place, t->shape, end,
                                                    end + TIER_LATE_MS);

    *after = 0;
    pgstore_tiers_init(&tiers, w->p->lead, TSDB_TIER_1H, t->id);
    enum err_code code = tier_scan(&range, tier_note_first, after, e);
    pgstore_tiers_fini(&tiers);
    return code;
}

/* What is left of a day that went is less than what its buckets were made of: they stay. */
static bool has_readings(const struct work *w, int64_t hour)
{
    return hour >= w->raw_day * (TSDB_DAY_MS / TIER_HOUR_MS);
}

static enum err_code roll_mark(struct work *w, const struct mark *m, struct err *e)
{
    struct target t = {.id = m->group};
    int64_t after = 0;
    enum err_code code = ERR_OK;

    arena_reset(&w->arena);
    if (has_readings(w, m->hour)) {
        code = find_target(w, &t, e);
        code = code ? code : make_hour(w, &t, m->hour, e);
        code = code ? code : find_after(w, &t, m->hour, &after, e);
        code = code || !after ? code : make_hour(w, &t, after, e);
    }
    if (code && code != ERR_NOT_FOUND) { /* its target was deleted: nothing is left to do */
        return code;
    }
    return sqldb_run(w->p->lead, "tsdb_dirty_done",
                     SQLDB_ARGS(sqldb_i64(m->hour), sqldb_i64((int64_t)m->group), sqldb_i64(m->n)),
                     e);
}

/* --- a step --- */

static enum err_code read_state(struct work *w, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(w->p->lead, "tsdb_rollup_state", SQLDB_NO_ARGS, &s, e);

    if (code == ERR_OK) {
        w->open_hour = sqldb_get_i64(s, 0);
        w->watermark_ms = sqldb_get_i64(s, 1);
        w->raw_day = sqldb_get_i64(s, 2);
    }
    sqldb_end(s);
    return code;
}

static enum err_code read_marks(struct work *w, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(w->p->lead, "tsdb_dirty_next",
                                     SQLDB_ARGS(sqldb_i64(STEP_MARKS)), &s, e);

    w->count = 0;
    while (code == ERR_OK && w->count < STEP_MARKS && (code = sqldb_step(s, &row, e)) == ERR_OK &&
           row) {
        w->marks[w->count++] = (struct mark){sqldb_get_i64(s, 0), (uint64_t)sqldb_get_i64(s, 1),
                                             sqldb_get_i64(s, 2)};
    }
    sqldb_end(s);
    return code;
}

static enum err_code roll_marks(struct work *w, struct err *e)
{
    int64_t end = clock_mono_us() + STEP_US;
    enum err_code code = read_state(w, e);

    code = code ? code : read_marks(w, e);
    for (size_t i = 0; code == ERR_OK && i < w->count && (i == 0 || clock_mono_us() < end); i++) {
        code = roll_mark(w, &w->marks[i], e);
    }
    FAULT_POINT("pgstore.rollup_writing");
    return code;
}

static enum err_code step(struct work *w, struct err *e)
{
    enum err_code code = pgstore_lead_begin(w->p, e);

    if (code) {
        return code;
    }
    w->reader.in_snapshot = true;
    code = pgstore_lead_end(w->p, roll_marks(w, e), e);
    FAULT_POINT("pgstore.rollup_written");
    return code;
}

/* --- which hours, and how far --- */

static enum err_code open_hours(struct pgstore *p, int64_t hour, struct err *e)
{
    enum err_code code = pgstore_lead_begin(p, e);

    if (code) {
        return code;
    }
    code = sqldb_run(p->lead, "tsdb_rollup_lock", SQLDB_NO_ARGS, e);
    code = code ? code : sqldb_run(p->lead, "tsdb_rollup_open", SQLDB_ARGS(sqldb_i64(hour)), e);
    return pgstore_lead_end(p, code, e);
}

static enum err_code advance(struct pgstore *p, struct err *e)
{
    enum err_code code = pgstore_lead_begin(p, e);

    if (code) {
        return code;
    }
    code = sqldb_run(p->lead, "tsdb_rollup_advance", SQLDB_NO_ARGS, e);
    return pgstore_lead_end(p, code, e);
}

static enum err_code is_marked(struct pgstore *p, bool *marked, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(p->lead, "tsdb_rollup_pending", SQLDB_NO_ARGS, &s, e);

    *marked = code == ERR_OK && sqldb_get_i64(s, 0) > 0;
    sqldb_end(s);
    return code;
}

static enum err_code roll_all(struct work *w, struct err *e)
{
    int64_t end = clock_mono_us() + ROUND_US;
    int64_t hour = (clock_wall_ms() - TIER_GRACE_MS) / TIER_HOUR_MS;
    bool marked = false;
    enum err_code code = read_state(w, e);

    if (code == ERR_OK && w->open_hour < hour) {
        code = open_hours(w->p, hour, e);
    }
    code = code ? code : is_marked(w->p, &marked, e);
    while (code == ERR_OK && marked && clock_mono_us() < end) {
        code = step(w, e);
        code = code ? code : is_marked(w->p, &marked, e);
    }
    if (code == ERR_OK && !marked && w->watermark_ms < hour * TIER_HOUR_MS) {
        code = advance(w->p, e);
    }
    return code;
}

enum err_code pgstore_rollup(struct pgstore *p, struct err *e)
{
    struct work *w = alloc_new(sizeof(*w));

    w->p = p;
    w->reader = (struct pgstore_reader){
        .base.ops = &pgstore_ops, .store = p, .borrowed = true, .in_snapshot = true, .db = p->lead};
    arena_init(&w->arena, "tsdb roll-up names", NAMES_BYTES);
    enum err_code code = roll_all(w, e);
    arena_fini(&w->arena);
    alloc_free(w);
    return code;
}

enum err_code pgstore_rollup_show(struct pgstore *p, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool marked = false;
    enum err_code code = sqldb_row(p->lead, "tsdb_rollup_state", SQLDB_NO_ARGS, &s, e);
    int64_t watermark_ms = code ? 0 : sqldb_get_i64(s, 1);

    if (code == ERR_OK) {
        pgstore_note_raw_day(p, sqldb_get_i64(s, 2));
    }
    sqldb_end(s);
    code = code ? code : is_marked(p, &marked, e);
    if (code == ERR_OK) {
        atomic_store(&p->rolled_up_ms, watermark_ms);
        atomic_store(&p->rollup_marks, marked);
    }
    return code;
}
