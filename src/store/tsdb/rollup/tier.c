/* SPDX-License-Identifier: PostgreSQL */
/*
 * tier.c: the files of roll-ups, tier5m/YYYYMM.db and tier1h/YYYYMM.db: names, watermarks,
 * retention.
 *
 * Threads: the list is guarded by the engine's state lock; only the flusher changes it.
 */
#include "store/tsdb/rollup/tier.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/num.h"
#include "os/file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char *const folder[TSDB_TIERS] = {
    [TSDB_TIER_5M] = "tier5m", [TSDB_TIER_1H] = "tier1h"};
static const struct log_ctx tier_log = {.component = "tsdb"};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

int64_t tier_hour_of(int64_t t_ms)
{
    return floor_div(t_ms - 1, TIER_HOUR_MS);
}

int64_t tier_bucket_end(enum tsdb_tier tier, int64_t t_ms)
{
    int64_t r = tsdb_tier_ms(tier);
    return (floor_div(t_ms - 1, r) + 1) * r;
}

int tier_month_of_hour(int64_t hour)
{
    return days_month(floor_div(hour, TSDB_DAY_MS / TIER_HOUR_MS));
}

void tier_path(const struct tsdb *db, enum tsdb_tier tier, int month, char *out, size_t size)
{
    (void)snprintf(out, size, "%s/%s/%04d%02d.db", db->dir, folder[tier], month / 12,
                   month % 12 + 1);
}

bool tier_month_start(int month, int64_t *ms)
{
    char text[40];

    (void)snprintf(text, sizeof(text), "%04d-%02d-01T00:00:00Z", month / 12, month % 12 + 1);
    return num_parse_time_ms(str_of(text), ms, NULL) == ERR_OK;
}

bool tier_parse_name(const char *name, int *month)
{
    struct str text = str_of(name);
    int64_t number = 0;
    int64_t ms = 0;

    if (text.len != 9 || strcmp(name + 6, ".db") != 0 ||
        num_parse_i64(str_make(name, 6), 0, 999912, &number, NULL) != ERR_OK || number % 100 < 1) {
        return false;
    }
    *month = (int)(number / 100 * 12 + number % 100 - 1);
    return number % 100 <= 12 && tier_month_start(*month, &ms);
}

/* --- the list --- */

void tier_set_watermark(struct tsdb *db, enum tsdb_tier tier, int month, int64_t watermark_ms)
{
    size_t i = 0;

    while (i < db->tier_count && (db->tiers[i].tier != tier || db->tiers[i].month != month)) {
        i++;
    }
    if (i == db->tier_count) {
        if (db->tier_count == db->tier_cap) {
            db->tier_cap = db->tier_cap ? 2 * db->tier_cap : 32;
            db->tiers = alloc_resize(db->tiers, db->tier_cap * sizeof(*db->tiers));
        }
        db->tiers[db->tier_count++] = (struct tier_file){.tier = tier, .month = month};
    }
    db->tiers[i].watermark_ms = watermark_ms;
}

int64_t tier_watermark(const struct tsdb *db, enum tsdb_tier tier)
{
    int64_t most = 0;

    for (size_t i = 0; i < db->tier_count; i++) {
        if (db->tiers[i].tier == tier && db->tiers[i].watermark_ms > most) {
            most = db->tiers[i].watermark_ms;
        }
    }
    return most;
}

bool tier_newest(const struct tsdb *db, enum tsdb_tier tier, struct tier_file *out)
{
    *out = (struct tier_file){.month = -1};
    for (size_t i = 0; i < db->tier_count; i++) {
        if (db->tiers[i].tier == tier && db->tiers[i].month > out->month) {
            *out = db->tiers[i];
        }
    }
    return out->month >= 0;
}

enum err_code tier_open(const char *path, unsigned flags, struct sqldb **out, struct err *e)
{
    char url[PATH_MAX + 8];
    struct sqldb_options options = {.flags = flags, .cache_kib = 512};

    (void)snprintf(url, sizeof(url), "sqlite:%s", path);
    enum err_code code = sqldb_open(url, &options, out, e);
    if (code == ERR_OK && !(flags & SQLDB_READ_ONLY)) {
        code = sqldb_schema(*out, "tsdb_tier", TSDB_SCHEMA_TIER, e);
        if (code) {
            sqldb_close(*out);
            *out = NULL;
        }
    }
    return code;
}

enum err_code tier_read_watermark(struct sqldb *file, int64_t *out, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(file, "tsdb_tier_watermark", SQLDB_NO_ARGS, &s, e);

    if (code == ERR_OK) {
        *out = sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code;
}

/* --- days that went --- */

void tier_raise_raw_day(struct tsdb *db, enum day_class class, int64_t day)
{
    int64_t before = atomic_load(&db->raw_day[class]);

    while (day > before && !atomic_compare_exchange_weak(&db->raw_day[class], &before, day)) {
    }
}

enum err_code tier_save_raw_days(struct tsdb *db, struct err *e)
{
    char path[PATH_MAX];
    struct tier_file newest;
    struct sqldb *file = NULL;

    lock_take(&db->state);
    bool found = tier_newest(db, TSDB_TIER_1H, &newest);
    lock_release(&db->state);
    if (!found) {
        return ERR_OK;
    }
    tier_path(db, newest.tier, newest.month, path, sizeof(path));
    enum err_code code = tier_open(path, SQLDB_OWN_CHECKPOINT, &file, e);
    code = code ? code
                : sqldb_run(file, "tsdb_tier_set_raw",
                            SQLDB_ARGS(sqldb_i64(atomic_load(&db->raw_day[DAY_FAST])),
                                       sqldb_i64(atomic_load(&db->raw_day[DAY_SLOW]))),
                            e);
    code = code ? code : sqldb_checkpoint(file, e);
    sqldb_close(file);
    return code ? err_wrap(e, "%s", path) : ERR_OK;
}

static enum err_code read_raw_days(struct tsdb *db, struct sqldb *file, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(file, "tsdb_tier_raw", SQLDB_NO_ARGS, &s, e);

    if (code == ERR_OK) {
        tier_raise_raw_day(db, DAY_FAST, sqldb_get_i64(s, 0));
        tier_raise_raw_day(db, DAY_SLOW, sqldb_get_i64(s, 1));
    }
    sqldb_end(s);
    return code;
}

/* --- start --- */

struct listing {
    struct tsdb *db;
    enum tsdb_tier tier;
};

static void on_file(void *arg, const char *name)
{
    const struct listing *l = arg;
    int month = 0;
    if (tier_parse_name(name, &month)) {
        tier_set_watermark(l->db, l->tier, month, 0);
    }
}

static enum err_code load_file(struct tsdb *db, struct tier_file *f, struct err *e)
{
    char path[PATH_MAX];
    struct sqldb *file = NULL;

    tier_path(db, f->tier, f->month, path, sizeof(path));
    enum err_code code = tier_open(path, 0, &file, e); /* ends a schema that was cut short */
    if (code == ERR_OK) {
        code = tier_read_watermark(file, &f->watermark_ms, e);
    }
    code = code ? code : read_raw_days(db, file, e);
    sqldb_close(file);
    return code ? err_wrap(e, "%s", path) : ERR_OK;
}

enum err_code tier_load(struct tsdb *db, struct err *e)
{
    char path[PATH_MAX];
    enum err_code code = ERR_OK;

    for (int t = 0; code == ERR_OK && t < TSDB_TIERS; t++) {
        struct listing l = {db, (enum tsdb_tier)t};
        (void)snprintf(path, sizeof(path), "%s/%s", db->dir, folder[t]);
        code = file_make_dirs(path, 0700, e);
        if (code == ERR_OK) {
            code = file_list(path, on_file, &l, e);
        }
    }
    for (size_t i = 0; code == ERR_OK && i < db->tier_count; i++) {
        code = load_file(db, &db->tiers[i], e);
    }
    return code;
}

/* --- retention --- */

bool tier_is_old(const struct tsdb_config *config, enum tsdb_tier tier, int month, int64_t now_ms)
{
    int days = tier == TSDB_TIER_5M ? config->rollup_5m_days : config->rollup_1h_days;
    int64_t end = 0;

    return tier_month_start(month + 1, &end) && end + days * TSDB_DAY_MS <= now_ms;
}

static bool is_old(const struct tsdb *db, const struct tier_file *f, int64_t now_ms)
{
    return tier_is_old(&db->config, f->tier, f->month, now_ms);
}

static void remove_file(const struct tsdb *db, const struct tier_file *f)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char path[PATH_MAX];
    char full[PATH_MAX + 8];
    struct err e;

    tier_path(db, f->tier, f->month, path, sizeof(path));
    FAULT_POINT("tsdb.retain_tier");
    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        (void)snprintf(full, sizeof(full), "%s%s", path, endings[i]);
        if (file_remove(full, &e) != ERR_OK) {
            log_warn(&tier_log, "retention: %s", e.text);
            return;
        }
    }
    log_info(&tier_log, "retention removed %s", path);
}

/* Remove a file of the list. Out of it first: no new reader opens it. Caller holds state. */
static void take_out(struct tsdb *db, size_t i, struct tier_file *out)
{
    *out = db->tiers[i];
    db->tiers[i] = db->tiers[--db->tier_count];
    db->days_removed++;
}

size_t tier_expire(struct tsdb *db, int64_t now_ms)
{
    size_t removed = 0;

    for (;;) {
        struct tier_file f = {0};
        size_t i = 0;
        lock_take(&db->state);
        while (i < db->tier_count && !(!db->copying && is_old(db, &db->tiers[i], now_ms))) {
            i++;
        }
        bool found = i < db->tier_count;
        if (found) {
            take_out(db, i, &f);
        }
        lock_release(&db->state);
        if (!found) {
            return removed;
        }
        remove_file(db, &f);
        removed++;
    }
}

bool tier_remove_oldest(struct tsdb *db, enum tsdb_tier tier, int64_t now_ms)
{
    int present = days_month(days_of_ms(now_ms));
    struct tier_file f = {0};

    lock_take(&db->state);
    size_t oldest = db->tier_count;
    for (size_t i = 0; i < db->tier_count && !db->copying; i++) {
        const struct tier_file *t = &db->tiers[i];
        if (t->tier == tier && t->month < present &&
            (oldest == db->tier_count || t->month < db->tiers[oldest].month)) {
            oldest = i;
        }
    }
    bool found = oldest < db->tier_count;
    if (found) {
        take_out(db, oldest, &f);
    }
    lock_release(&db->state);
    if (found) {
        remove_file(db, &f);
    }
    return found;
}
