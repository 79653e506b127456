/* SPDX-License-Identifier: PostgreSQL */
/*
 * days.c: the day files raw/fast/YYYYMMDD.db and raw/slow/YYYYMMDD.db: names and
 * watermarks.
 *
 * Compaction replaces a file by its next edition, YYYYMMDD-1.db and so on. Each edition has a WAL
 * of its own, so that none is ever applied to a file that it is not of.
 *
 * Threads: the list is guarded by the engine's state lock; only the flusher changes it.
 */
#include "store/tsdb/merge.h"
#include "store/tsdb/rollup/tier.h"

#include "base/alloc.h"
#include "base/log.h"
#include "base/num.h"
#include "os/file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

static const char *const class_name[DAY_CLASSES] = {[DAY_FAST] = "fast", [DAY_SLOW] = "slow"};
static const struct log_ctx days_log = {.component = "tsdb"};

int64_t days_of_ms(int64_t t_ms)
{
    return t_ms >= 0 ? t_ms / TSDB_DAY_MS : -((-t_ms + TSDB_DAY_MS - 1) / TSDB_DAY_MS);
}

enum day_class days_class_of(int64_t every_ms)
{
    return every_ms > 0 && every_ms <= TSDB_FAST_MS ? DAY_FAST : DAY_SLOW;
}

/* Civil date of a day number (proleptic Gregorian calendar). */
static void date_of(int64_t day, int *year, int *month, int *mday)
{
    int64_t z = day + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    *mday = (int)(doy - (153 * mp + 2) / 5 + 1);
    *month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *year = (int)(yoe + era * 400 + (*month <= 2));
}

int days_month(int64_t day)
{
    int year = 0;
    int month = 0;
    int mday = 0;
    date_of(day, &year, &month, &mday);
    return year * 12 + month - 1;
}

void days_path(const struct tsdb *db, const struct day_file *f, char *out, size_t size)
{
    char edition[16] = "";
    int year = 0;
    int month = 0;
    int mday = 0;

    date_of(f->day, &year, &month, &mday);
    if (f->edition) {
        (void)snprintf(edition, sizeof(edition), "-%u", f->edition);
    }
    (void)snprintf(out, size, "%s/raw/%s/%04d%02d%02d%s.db", db->dir, class_name[f->class], year,
                   month, mday, edition);
}

/* What follows the date: ".db" or "-3.db". */
static bool parse_edition(const char *rest, uint32_t *edition)
{
    int64_t n = 0;
    size_t len = strlen(rest);

    *edition = 0;
    if (len < 3 || strcmp(rest + len - 3, ".db") != 0) {
        return false;
    }
    if (len == 3) {
        return true;
    }
    bool number = rest[0] == '-' &&
                  num_parse_i64(str_make(rest + 1, len - 4), 1, UINT32_MAX, &n, NULL) == ERR_OK;
    *edition = (uint32_t)n;
    return number;
}

bool days_parse_name(const char *name, int64_t *day, uint32_t *edition)
{
    char text[32];
    int64_t ms = 0;

    if (strlen(name) < 11 || !parse_edition(name + 8, edition)) {
        return false;
    }
    (void)snprintf(text, sizeof(text), "%.4s-%.2s-%.2sT00:00:00Z", name, name + 4, name + 6);
    if (num_parse_time_ms(str_of(text), &ms, NULL) != ERR_OK) {
        return false;
    }
    *day = days_of_ms(ms);
    return true;
}

static struct day_file *find(const struct tsdb *db, enum day_class class, int64_t day)
{
    for (size_t i = 0; i < db->day_count; i++) {
        if (db->days[i].class == class && db->days[i].day == day) {
            return &db->days[i];
        }
    }
    return NULL;
}

bool days_get(const struct tsdb *db, enum day_class class, int64_t day, struct day_file *out)
{
    const struct day_file *f = find(db, class, day);

    *out = f ? *f : (struct day_file){.class = class, .day = day};
    return f != NULL;
}

void days_put(struct tsdb *db, const struct day_file *new)
{
    struct day_file *f = find(db, new->class, new->day);

    if (!f) {
        if (db->day_count == db->day_cap) {
            db->day_cap = db->day_cap ? 2 * db->day_cap : 64;
            db->days = alloc_resize(db->days, db->day_cap * sizeof(*db->days));
        }
        f = &db->days[db->day_count++];
    }
    *f = *new;
}

enum err_code days_open(const char *path, unsigned flags, struct sqldb **out, struct err *e)
{
    char url[PATH_MAX + 8];
    struct sqldb_options options = {.flags = flags, .cache_kib = 512};

    (void)snprintf(url, sizeof(url), "sqlite:%s", path);
    enum err_code code = sqldb_open(url, &options, out, e);
    if (code == ERR_OK && !(flags & SQLDB_READ_ONLY)) {
        code = sqldb_schema(*out, "tsdb_day", TSDB_SCHEMA_DAY, e);
        if (code) {
            sqldb_close(*out);
            *out = NULL;
        }
    }
    return code;
}

enum err_code days_is_begun(struct sqldb *file, bool *begun, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(file, "tsdb_file_begun", SQLDB_NO_ARGS, &s, e);

    *begun = code == ERR_OK && sqldb_get_i64(s, 0) != 0;
    sqldb_end(s);
    return code;
}

enum err_code days_read_applied(struct sqldb *day, uint64_t *out, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(day, "tsdb_day_applied", SQLDB_NO_ARGS, &s, e);

    if (code == ERR_OK) {
        *out = (uint64_t)sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code;
}

/* First hour that is not in the roll-ups; INT64_MAX = all are. */
static enum err_code read_dirty(struct sqldb *day, int64_t *hour, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(day, "tsdb_dirty_first", SQLDB_NO_ARGS, &s, e);

    if (code == ERR_OK) {
        *hour = sqldb_is_null(s, 0) ? INT64_MAX : sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code;
}

enum err_code days_read_state(struct sqldb *day, struct day_file *f, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(
        day, "tsdb_day_state", SQLDB_ARGS(sqldb_i64(MERGE_ROWS / 2), sqldb_i64(MERGE_SLICES / 2)),
        &s, e);
    if (code == ERR_OK) {
        uint64_t groups = (uint64_t)sqldb_get_i64(s, 3);
        f->applied = (uint64_t)sqldb_get_i64(s, 0);
        f->compacted = (uint64_t)sqldb_get_i64(s, 1);
        f->pile = groups ? (uint64_t)sqldb_get_i64(s, 2) / groups : 0;
    }
    sqldb_end(s);
    return code ? code : read_dirty(day, &f->dirty_hour, e);
}

uint64_t days_size(const char *path)
{
    char wal[PATH_MAX + 8];
    struct stat st;

    (void)snprintf(wal, sizeof(wal), "%s-wal", path);
    uint64_t sum = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
    return sum + (stat(wal, &st) == 0 ? (uint64_t)st.st_size : 0);
}

enum err_code days_unlink(const char *path, struct err *e)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    char full[PATH_MAX + 16];
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < sizeof(endings) / sizeof(endings[0]); i++) {
        (void)snprintf(full, sizeof(full), "%s%s", path, endings[i]);
        code = file_remove(full, e);
    }
    return code;
}

/* --- start --- */

struct listing {
    struct tsdb *db;
    enum day_class class;
};

/* Of two editions the higher one counts: it was complete when it got its name. */
static void on_file(void *arg, const char *name)
{
    struct listing *l = arg;
    struct day_file f = {.class = l->class};
    struct day_file other;

    if (days_parse_name(name, &f.day, &f.edition) &&
        (!days_get(l->db, l->class, f.day, &other) || other.edition < f.edition)) {
        days_put(l->db, &f);
    }
}

/* What a compaction left that a crash ended: its new file, or the edition before. */
static void on_rest(void *arg, const char *name)
{
    const struct listing *l = arg;
    char path[PATH_MAX];
    char stem[64] = "";
    struct day_file f;
    struct day_file listed;
    struct err e;

    const char *end = strstr(name, ".db");
    if (end && (size_t)(end - name) + 4 <= sizeof(stem)) { /* with "-wal" and the like */
        (void)snprintf(stem, sizeof(stem), "%.*s", (int)(end - name) + 3, name);
    }
    bool unfinished = strstr(name, ".new") != NULL;
    bool superseded = days_parse_name(stem, &f.day, &f.edition) &&
                      (!days_get(l->db, l->class, f.day, &listed) || listed.edition != f.edition);
    if (!unfinished && !superseded) {
        return;
    }
    (void)snprintf(path, sizeof(path), "%s/raw/%s/%s", l->db->dir, class_name[l->class], name);
    if (file_remove(path, &e)) {
        log_warn(&days_log, "%s", e.text);
    }
}

/* The newest reading of each group of a file. */
static enum err_code load_last(struct tsdb *db, struct sqldb *day, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(day, "tsdb_block_last", SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        struct catalog_last last = {sqldb_get_i64(s, 1), sqldb_get_i64(s, 2),
                                    (unsigned)sqldb_get_i64(s, 3), sqldb_get_text(s, 4)};
        catalog_seen(db->catalog, (uint64_t)sqldb_get_i64(s, 0), &last);
    }
    sqldb_end(s);
    return code;
}

static enum err_code load_file(struct tsdb *db, struct day_file *f, struct err *e)
{
    char path[PATH_MAX];
    struct sqldb *day = NULL;

    days_path(db, f, path, sizeof(path));
    enum err_code code = days_open(path, 0, &day, e); /* ends a schema that was cut short */
    if (code == ERR_OK) {
        code = days_read_state(day, f, e);
    }
    if (code == ERR_OK) {
        code = load_last(db, day, e);
    }
    sqldb_close(day);
    return code == ERR_CORRUPT ? err_wrap(e, "%s (pga migrate verify --repair mends it)", path)
                               : code;
}

enum err_code days_load(struct tsdb *db, struct err *e)
{
    char path[PATH_MAX];
    enum err_code code = ERR_OK;

    for (int c = 0; code == ERR_OK && c < DAY_CLASSES; c++) {
        struct listing l = {db, (enum day_class)c};
        (void)snprintf(path, sizeof(path), "%s/raw/%s", db->dir, class_name[c]);
        code = file_make_dirs(path, 0700, e);
        if (code == ERR_OK) {
            code = file_list(path, on_file, &l, e);
        }
        if (code == ERR_OK) {
            code = file_list(path, on_rest, &l, e);
        }
    }
    for (size_t i = 0; code == ERR_OK && i < db->day_count; i++) {
        code = load_file(db, &db->days[i], e);
    }
    return code;
}
