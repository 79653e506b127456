/* SPDX-License-Identifier: PostgreSQL */
/*
 * rollup.c: the flusher's work on roll-ups, in steps.
 *
 *   flush: marks (group, hour) in the day file, with `applied`
 *   step:  some marks of the oldest hour that is over -> buckets into the tier files -> COMMIT
 *          -> the hours after them, when those were there already -> COMMIT -> marks deleted
 *   none left: watermark
 *
 * What a crash leaves between two commits is made again from the same readings.
 * Threads: the flusher
 */
#include "store/tsdb/rollup/tier.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "base/log.h"
#include "os/clock.h"
#include "store/tsdb/rollup/tier_write.h"

#include <limits.h>
#include <string.h>

#define STEP_GROUPS 32
#define READER_US   2000000LL

static const struct log_ctx rollup_log = {.component = "tsdb"};

struct work {
    struct tsdb *db;
    struct tsdb_reader *reader;
    struct sqldb *files[TSDB_TIERS];
    int months[TSDB_TIERS];
    enum day_class class; /* of the readings that were marked */
    int64_t hour;
    size_t count;
    uint64_t groups[STEP_GROUPS];
    int64_t after[STEP_GROUPS]; /* the next hour of the group that has buckets; 0 = none */
};

void rollup_allow(struct tsdb *db, int64_t wall_ms)
{
    int64_t limit = (wall_ms - TIER_GRACE_MS) / TIER_HOUR_MS * TIER_HOUR_MS;

    lock_take(&db->state);
    db->rollup_limit_ms = limit > db->rollup_limit_ms ? limit : db->rollup_limit_ms;
    lock_release(&db->state);
}

/* --- tier files, each in an open transaction --- */

static enum err_code end_file(struct work *w, int tier, struct err *e)
{
    enum err_code code = ERR_OK;

    if (w->files[tier]) {
        FAULT_POINT("tsdb.rollup_writing");
        code = sqldb_commit(w->files[tier], e);
        FAULT_POINT("tsdb.rollup_written");
        if (code == ERR_OK) {
            code = sqldb_checkpoint(w->files[tier], e);
        }
        sqldb_close(w->files[tier]);
        w->files[tier] = NULL;
    }
    return code;
}

static enum err_code end_files(struct work *w, struct err *e)
{
    enum err_code code = ERR_OK;

    for (int t = 0; code == ERR_OK && t < TSDB_TIERS; t++) {
        code = end_file(w, t, e);
    }
    return code;
}

/* List a file before the watermark says anything of it. */
static void list_file(struct tsdb *db, enum tsdb_tier tier, int month)
{
    bool known = false;

    lock_take(&db->state);
    for (size_t i = 0; i < db->tier_count; i++) {
        known |= db->tiers[i].tier == tier && db->tiers[i].month == month;
    }
    if (!known) {
        tier_set_watermark(db, tier, month, 0);
    }
    lock_release(&db->state);
}

static enum err_code need_file(struct work *w, int tier, int month, struct err *e)
{
    char path[PATH_MAX];
    enum err_code code = ERR_OK;

    if (w->files[tier] && w->months[tier] == month) {
        return ERR_OK;
    }
    code = end_file(w, tier, e);
    if (code) {
        return code;
    }
    tier_path(w->db, (enum tsdb_tier)tier, month, path, sizeof(path));
    code = tier_open(path, SQLDB_OWN_CHECKPOINT, &w->files[tier], e);
    if (code == ERR_OK) {
        w->months[tier] = month;
        list_file(w->db, (enum tsdb_tier)tier, month);
        code = sqldb_begin(w->files[tier], e);
    }
    return code ? err_wrap(e, "%s", path) : ERR_OK;
}

/* --- one hour of a group --- */

static enum err_code prime(void *arg, const struct tsdb_bucket *b, struct err *e)
{
    return tier_build_prime(arg, b, e);
}

struct group_hour {
    const struct catalog_group *group;
    const struct tier_shape *shape;
    int64_t hour;
};

static enum err_code build_hour(struct work *w, const struct group_hour *in, struct tier_build *b,
                                struct err *e)
{
    const struct catalog_group *g = in->group;
    int64_t hour = in->hour;
    struct tier_files files = tier_files_of(w->reader, TSDB_TIER_1H, g->id);
    const struct tier_range before = tier_range_before(&files.place, in->shape, g->scope, hour);
    const struct tsdb_scan_spec readings = {.target = g->target,
                                            .relation = g->relation->name,
                                            .scope = &g->scope,
                                            .from_ms = hour * TIER_HOUR_MS,
                                            .to_ms = (hour + 1) * TIER_HOUR_MS};
    enum err_code code = tier_scan(&before, prime, b, e);

    return code ? code : tsdb_scan(w->reader, &readings, tier_build_visit, b, e);
}

static enum err_code write_hour(struct work *w, const struct catalog_group *g, int64_t hour,
                                const struct tier_made *made, struct err *e)
{
    int month = tier_month_of_hour(hour);
    bool rebuilt = (hour + 1) * TIER_HOUR_MS <= w->reader->tier_watermark[TSDB_TIER_1H];
    enum err_code code = ERR_OK;

    for (int t = 0; code == ERR_OK && t < TSDB_TIERS; t++) {
        struct tier_files files = tier_files_of(NULL, (enum tsdb_tier)t, g->id);
        const struct tier_hour in = {.place = &files.place,
                                     .hour = hour,
                                     .count = made->count[t],
                                     .slices = made->slices[t]};
        if (in.count == 0 && !rebuilt) {
            continue;
        }
        code = need_file(w, t, month, e);
        if (code == ERR_OK) {
            files.file = w->files[t];
            code = tier_write_hour(&in, e);
        }
    }
    return code;
}

static enum err_code build_group(struct work *w, const struct group_hour *in, struct err *e)
{
    struct tier_build *b = tier_build_new(in->shape, in->group->id);
    struct tier_made made;
    enum err_code code = build_hour(w, in, b, e);

    if (code == ERR_OK) {
        code = tier_build_end(b, &made, e);
    }
    if (code == ERR_CORRUPT || code == ERR_LIMIT) { /* trying again would not help */
        log_error(&rollup_log, "no roll-up of an hour of group %llu: %s",
                  (unsigned long long)in->group->id, e->text);
        code = ERR_OK;
    } else if (code == ERR_OK) {
        code = write_hour(w, in->group, in->hour, &made, e);
    }
    tier_build_free(b);
    return code;
}

/* --- readings that went --- */

struct found_bucket {
    bool found;
    int64_t every_ms;
};

static enum err_code find_bucket(void *arg, const struct tsdb_bucket *b, struct err *e)
{
    struct found_bucket *f = arg;

    (void)e;
    f->found = true;
    f->every_ms = b->every_ms;
    return ERR_OK;
}

/*
 * Whether buckets of an hour stay as they are: readings that they were made of went with their day,
 * so those that are left are fewer.
 */
static enum err_code is_final(struct work *w, const struct group_hour *in, bool *final,
                              struct err *e)
{
    const _Atomic int64_t *raw_day = w->db->raw_day;
    int64_t from_ms = in->hour * TIER_HOUR_MS;
    int64_t day = days_of_ms(from_ms);
    struct found_bucket now = {false, 0};
    struct tier_files files = tier_files_of(w->reader, TSDB_TIER_1H, in->group->id);
    const struct tier_range range = tier_range_bare(&files.place, in->shape, from_ms,
                                                    from_ms + TIER_HOUR_MS);

    *final = false;
    if (day >= atomic_load(&raw_day[DAY_FAST]) && day >= atomic_load(&raw_day[DAY_SLOW])) {
        return ERR_OK;
    }
    enum err_code code = tier_scan(&range, find_bucket, &now, e);
    *final = now.found && (day < atomic_load(&raw_day[w->class]) ||
                           day < atomic_load(&raw_day[days_class_of(now.every_ms)]));
    return code;
}

static enum err_code roll_group(struct work *w, uint64_t id, int64_t hour, struct err *e)
{
    struct catalog_group *g = catalog_group_by_id(w->db->catalog, id);
    struct arena a;
    bool final = false;

    if (!g || atomic_load(&g->dropped)) {
        return ERR_OK;
    }
    arena_init(&a, "tsdb shape", TSDB_ARENA_BYTES);
    const struct group_hour in = {g, tier_shape_of(w->db->catalog, g->relation, &a), hour};
    enum err_code code = in.shape ? is_final(w, &in, &final, e) : arena_fail(&a, e);
    code = code || final ? code : build_group(w, &in, e);
    arena_fini(&a);
    return code;
}

/* --- what follows a late reading --- */

/* The next hour of a group that was rolled up before: it began with what was known then. Also one
 * above the watermark: hours were made, and not all of them were told of yet. */
static enum err_code find_after(struct work *w, size_t at, struct err *e)
{
    static const struct tier_shape any = {0};
    int64_t end = (w->hour + 1) * TIER_HOUR_MS;
    struct tier_files files = tier_files_of(w->reader, TSDB_TIER_1H, w->groups[at]);
    const struct tier_range after = tier_range_bare(&files.place, &any, end, end + TIER_LATE_MS);

    w->after[at] = 0;
    if (!catalog_group_by_id(w->db->catalog, w->groups[at])) {
        return ERR_OK;
    }
    return tier_scan(&after, tier_note_first, &w->after[at], e);
}

/* --- a step --- */

static enum err_code borrow(struct work *w, struct err *e)
{
    return tsdb_reader_borrow(w->db, clock_mono_us() + READER_US, &w->reader, e);
}

static void give_back(struct work *w)
{
    tsdb_reader_return(w->reader);
    w->reader = NULL;
}

static enum err_code roll_hours(struct work *w, struct err *e)
{
    enum err_code code = borrow(w, e);

    for (size_t i = 0; code == ERR_OK && i < w->count; i++) {
        code = roll_group(w, w->groups[i], w->hour, e);
        if (code == ERR_OK) {
            code = find_after(w, i, e);
        }
    }
    give_back(w);
    return code ? code : end_files(w, e);
}

/* A new reader: it sees what was just committed. */
static enum err_code roll_after(struct work *w, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < w->count; i++) {
        if (w->after[i] == 0) {
            continue;
        }
        code = w->reader ? ERR_OK : borrow(w, e);
        if (code == ERR_OK) {
            code = roll_group(w, w->groups[i], w->after[i], e);
        }
    }
    give_back(w);
    return code ? code : end_files(w, e);
}

static enum err_code list_groups(struct work *w, struct sqldb *day, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    bool row = true;
    enum err_code code = sqldb_query(day, "tsdb_dirty_list",
                                     SQLDB_ARGS(sqldb_i64(w->hour), sqldb_i64(STEP_GROUPS)), &q, e);

    while (code == ERR_OK && (code = sqldb_step(q, &row, e)) == ERR_OK && row &&
           w->count < STEP_GROUPS) {
        w->groups[w->count++] = (uint64_t)sqldb_get_i64(q, 0);
    }
    sqldb_end(q);
    return code;
}

static enum err_code delete_marks(const struct work *w, struct sqldb *day, struct err *e)
{
    enum err_code code = sqldb_begin(day, e);

    for (size_t i = 0; code == ERR_OK && i < w->count; i++) {
        code = sqldb_run(day, "tsdb_dirty_delete",
                         SQLDB_ARGS(sqldb_i64(w->hour), sqldb_i64((int64_t)w->groups[i])), e);
    }
    if (code) {
        sqldb_rollback(day);
        return code;
    }
    FAULT_POINT("tsdb.rollup_marks");
    code = sqldb_commit(day, e);
    return code ? code : sqldb_checkpoint(day, e);
}

static enum err_code roll_marks(struct work *w, const struct day_file *f, struct sqldb *day,
                                struct err *e)
{
    struct day_file now = *f;
    enum err_code code = list_groups(w, day, e);

    if (code == ERR_OK) {
        code = roll_hours(w, e);
    }
    if (code == ERR_OK) {
        code = roll_after(w, e);
    }
    if (code == ERR_OK) {
        code = delete_marks(w, day, e);
    }
    if (code == ERR_OK) {
        code = days_read_state(day, &now, e);
    }
    if (code == ERR_OK) {
        lock_take(&w->db->state);
        days_put(w->db, &now);
        lock_release(&w->db->state);
    }
    return code;
}

static enum err_code roll_file(struct tsdb *db, const struct day_file *f, struct err *e)
{
    char path[PATH_MAX];
    struct sqldb *day = NULL;
    struct work w = {.db = db, .class = f->class, .hour = f->dirty_hour};

    days_path(db, f, path, sizeof(path));
    FAULT_POINT("tsdb.rollup_hour");
    enum err_code code = days_open(path, SQLDB_OWN_CHECKPOINT, &day, e);
    if (code == ERR_OK) {
        code = roll_marks(&w, f, day, e);
    }
    for (int t = 0; t < TSDB_TIERS; t++) {
        sqldb_close(w.files[t]); /* rolls back what did not end */
    }
    sqldb_close(day);
    return code ? err_wrap(e, "roll-up of %s", path) : ERR_OK;
}

/* --- the watermark --- */

static enum err_code put_watermark(struct tsdb *db, const struct tier_file *f, int64_t limit,
                                   struct err *e)
{
    char path[PATH_MAX];
    struct sqldb *file = NULL;

    tier_path(db, f->tier, f->month, path, sizeof(path));
    enum err_code code = tier_open(path, SQLDB_OWN_CHECKPOINT, &file, e);
    if (code == ERR_OK) {
        code = sqldb_run(file, "tsdb_tier_set_watermark", SQLDB_ARGS(sqldb_i64(limit)), e);
        FAULT_POINT("tsdb.rollup_watermark");
    }
    if (code == ERR_OK) {
        code = sqldb_checkpoint(file, e);
    }
    sqldb_close(file);
    if (code) {
        return err_wrap(e, "%s", path);
    }
    lock_take(&db->state);
    tier_set_watermark(db, f->tier, f->month, limit);
    lock_release(&db->state);
    return ERR_OK;
}

/* Into the newest file of each tier: one without files has nothing that could be complete. */
static enum err_code advance(struct tsdb *db, struct err *e)
{
    enum err_code code = ERR_OK;

    for (int t = 0; code == ERR_OK && t < TSDB_TIERS; t++) {
        struct tier_file newest;
        lock_take(&db->state);
        int64_t limit = db->rollup_limit_ms;
        bool due = tier_newest(db, (enum tsdb_tier)t, &newest) &&
                   tier_watermark(db, (enum tsdb_tier)t) < limit;
        lock_release(&db->state);
        if (due) {
            code = put_watermark(db, &newest, limit, e);
        }
    }
    return code;
}

/* The file with the oldest hour that may be rolled up. */
static bool next_file(struct tsdb *db, struct day_file *out)
{
    *out = (struct day_file){.dirty_hour = INT64_MAX};
    lock_take(&db->state);
    int64_t limit_hour = db->rollup_limit_ms / TIER_HOUR_MS;
    for (size_t i = 0; i < db->day_count; i++) {
        const struct day_file *f = &db->days[i];
        if (f->dirty_hour < limit_hour && f->dirty_hour < out->dirty_hour) {
            *out = *f;
        }
    }
    lock_release(&db->state);
    return out->dirty_hour != INT64_MAX;
}

enum err_code rollup_step(struct tsdb *db, bool *more, struct err *e)
{
    struct day_file f;

    *more = next_file(db, &f);
    return *more ? roll_file(db, &f, e) : advance(db, e);
}
