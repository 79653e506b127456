/* SPDX-License-Identifier: PostgreSQL */
/*
 * transfer_rollup.c: roll-ups between two SQLite stores: whole files, for all ids stay.
 *
 * The flushes of the copy marked every hour of the destination as not rolled up. Where the source's
 * roll-ups were taken over, the source's own marks take their place: what is rolled up already
 * knows readings that are gone by now. A store that was copied from PostgreSQL makes its roll-ups
 * of its readings.
 */
#include "store/transfer/transfer_part.h"

#include "base/fault.h"
#include "base/num.h"
#include "os/file.h"
#include "store/tsdb/tier.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char *const tier_text[TSDB_TIERS] = {
    [TSDB_TIER_5M] = "5 minutes", [TSDB_TIER_1H] = "an hour"};

/* --- files --- */

static enum err_code make_folder(const char *path, struct err *e)
{
    char folder[PATH_MAX];

    (void)snprintf(folder, sizeof(folder), "%s", path);
    char *slash = strrchr(folder, '/');
    if (slash) {
        *slash = '\0';
    }
    return file_make_dirs(folder, 0700, e);
}

static enum err_code copy_file(struct transfer *t, const struct tier_file *f, struct err *e)
{
    char from[PATH_MAX];
    char to[PATH_MAX];
    struct sqldb *file = NULL;

    tier_path(t->from.series, f->tier, f->month, from, sizeof(from));
    tier_path(t->to.series, f->tier, f->month, to, sizeof(to));
    enum err_code code = make_folder(to, e);
    code = code ? code : days_unlink(to, e); /* of an earlier try */
    code = code ? code : tier_open(from, SQLDB_READ_ONLY, &file, e);
    FAULT_POINT("transfer.rollup");
    code = code ? code : sqldb_copy_to(file, to, e);
    sqldb_close(file);
    if (code == ERR_OK) {
        tier_set_watermark(t->to.series, f->tier, f->month, f->watermark_ms);
    }
    return code;
}

/* One that is damaged is missing; what readings there are of its time is rolled up anew. */
static enum err_code copy_files(struct transfer *t, struct err *e)
{
    enum err_code code = ERR_OK;

    t->progress = (struct transfer_progress){.step = "roll-ups",
                                             .total = t->from.series->tier_count};
    for (size_t i = 0; code == ERR_OK && i < t->from.series->tier_count; i++) {
        const struct tier_file *f = &t->from.series->tiers[i];
        code = copy_file(t, f, e);
        if (code == ERR_CORRUPT) {
            transfer_lose(t, "roll-ups of %s of %04d-%02d are damaged: %s", tier_text[f->tier],
                          f->month / 12, f->month % 12 + 1, e->text);
            code = ERR_OK;
        }
        t->progress.done++;
        transfer_tell(t);
    }
    return code;
}

/* --- marks --- */

static enum err_code copy_marks(struct sqldb *from, struct sqldb *to, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = transfer_table_clear(to, "dirty", e);

    code = code ? code : sqldb_query(from, "tsdb_dirty_all", SQLDB_NO_ARGS, &s, e);
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        code = sqldb_run(to, "tsdb_dirty_put",
                         SQLDB_ARGS(sqldb_i64(sqldb_get_i64(s, 0)), sqldb_i64(sqldb_get_i64(s, 1))),
                         e);
    }
    sqldb_end(s);
    return code;
}

static enum err_code replace_marks(struct sqldb *from, struct sqldb *to, struct err *e)
{
    enum err_code code = sqldb_begin(to, e);

    if (code) {
        return code;
    }
    code = copy_marks(from, to, e);
    if (code) {
        sqldb_rollback(to);
        return code;
    }
    return sqldb_commit(to, e);
}

static enum err_code copy_day(struct transfer *t, const struct day_file *f, struct err *e)
{
    struct day_file source;
    struct sqldb *from = NULL;
    struct sqldb *to = NULL;
    char path[PATH_MAX];

    if (!days_get(t->from.series, f->class, f->day, &source)) {
        return ERR_OK;
    }
    days_path(t->from.series, &source, path, sizeof(path));
    enum err_code code = days_open(path, SQLDB_READ_ONLY, &from, e);
    if (code == ERR_OK) {
        days_path(t->to.series, f, path, sizeof(path));
        code = days_open(path, 0, &to, e);
    }
    code = code ? code : replace_marks(from, to, e);
    sqldb_close(to);
    sqldb_close(from);
    return code == ERR_CORRUPT ? ERR_OK : code; /* then all of it is rolled up anew */
}

enum err_code transfer_rollups_copy(struct transfer *t, struct err *e)
{
    enum err_code code = ERR_OK;

    if (t->from.pg || t->to.pg || t->from.series->tier_count == 0) {
        return ERR_OK;
    }
    code = copy_files(t, e);
    for (size_t i = 0; code == ERR_OK && i < t->to.series->day_count; i++) {
        code = copy_day(t, &t->to.series->days[i], e);
    }
    return code;
}

/* --- how many --- */

struct buckets {
    uint64_t count;
    int64_t first_ms, last_ms; /* with count > 0 */
};

static enum err_code count_file(const struct tsdb *db, const struct tier_file *f, int64_t before,
                                struct buckets *out, struct err *e)
{
    struct sqldb *file = NULL;
    struct sqldb_stmt *s = NULL;
    char path[PATH_MAX];

    tier_path(db, f->tier, f->month, path, sizeof(path));
    enum err_code code = tier_open(path, SQLDB_READ_ONLY, &file, e);
    if (code == ERR_OK) {
        code = sqldb_row(file, "transfer_bucket_count", SQLDB_ARGS(sqldb_i64(before)), &s, e);
    }
    if (code == ERR_OK && sqldb_get_i64(s, 0) > 0) {
        int64_t first = sqldb_get_i64(s, 1);
        int64_t last = sqldb_get_i64(s, 2);
        out->first_ms = out->count == 0 || first < out->first_ms ? first : out->first_ms;
        out->last_ms = out->count == 0 || last > out->last_ms ? last : out->last_ms;
        out->count += (uint64_t)sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    sqldb_close(file);
    return code;
}

static enum err_code count_buckets(const struct tsdb *db, enum tsdb_tier tier, int64_t before,
                                   struct buckets *out, struct err *e)
{
    enum err_code code = ERR_OK;

    *out = (struct buckets){0};
    for (size_t i = 0; code == ERR_OK && i < db->tier_count; i++) {
        if (db->tiers[i].tier == tier) {
            code = count_file(db, &db->tiers[i], before, out, e);
        }
    }
    return code;
}

enum err_code transfer_rollups_count(const struct transfer_side *side, enum tsdb_tier tier,
                                     uint64_t *out, struct err *e)
{
    struct buckets b;
    enum err_code code = count_buckets(side->series, tier, INT64_MAX, &b, e);

    *out = b.count;
    return code;
}

/* The first day of which readings are there that such buckets are made of. */
static int64_t oldest_ms(const struct tsdb *db, enum tsdb_tier tier)
{
    int64_t oldest = INT64_MAX;

    for (size_t i = 0; i < db->day_count; i++) {
        const struct day_file *f = &db->days[i];
        int64_t first = f->day * TSDB_DAY_MS;
        if ((tier == TSDB_TIER_1H || f->class == DAY_FAST) && first < oldest) {
            oldest = first;
        }
    }
    return oldest;
}

enum err_code transfer_rollups_lost(struct transfer *t, struct err *e)
{
    enum err_code code = ERR_OK;

    for (int i = 0; code == ERR_OK && i < TSDB_TIERS && !t->from.pg && t->to.pg; i++) {
        enum tsdb_tier tier = (enum tsdb_tier)i;
        char first[NUM_TIME_TEXT_MAX];
        char last[NUM_TIME_TEXT_MAX];
        struct buckets b;
        code = count_buckets(t->from.series, tier, oldest_ms(t->from.series, tier), &b, e);
        if (code || b.count == 0) {
            continue;
        }
        num_format_time(b.first_ms, first);
        num_format_time(b.last_ms, last);
        transfer_lose(t,
                      "%llu roll-ups of %s, from %s to %s, of which the readings are gone: a store "
                      "in PostgreSQL has no roll-ups",
                      (unsigned long long)b.count, tier_text[tier], first, last);
    }
    return code;
}
