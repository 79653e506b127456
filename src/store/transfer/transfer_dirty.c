/* SPDX-License-Identifier: PostgreSQL */
/*
 * transfer_dirty.c: which hours the destination has still to roll up, and how far roll-ups are.
 *
 * The batches of the copy marked every hour of every group in the destination. A mark stays where
 * the source has it, too; any other goes: what is rolled up already knows readings that are gone by
 * now. A SQLite source whose marks of a day cannot be read has all of that day's.
 * Doing it again leaves the same.
 */
#include "store/transfer/transfer_part.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "os/clock.h"
#include "store/tsdb/postgres/pgstore.h"
#include "store/tsdb/rollup/tier.h"

#include <limits.h>
#include <stdlib.h>

#define DAY_HOURS (TSDB_DAY_MS / TIER_HOUR_MS)
#define COPY_MAX  ((size_t)512 * 1024 * 1024)

/* --- a list of marks --- */

struct mark {
    int64_t hour, group;
};

struct marks {
    struct mark *list;
    size_t count, cap;
};

static void add(struct marks *m, int64_t hour, int64_t group)
{
    if (m->count == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 256;
        m->list = alloc_resize(m->list, m->cap * sizeof(*m->list));
    }
    m->list[m->count++] = (struct mark){hour, group};
}

static int compare_marks(const void *a, const void *b)
{
    const struct mark *x = a;
    const struct mark *y = b;

    if (x->hour != y->hour) {
        return x->hour < y->hour ? -1 : 1;
    }
    return x->group < y->group ? -1 : x->group > y->group;
}

static bool has(const struct marks *m, int64_t hour, int64_t group)
{
    const struct mark key = {hour, group};
    return m->count && bsearch(&key, m->list, m->count, sizeof(key), compare_marks);
}

static enum err_code read_marks(struct sqldb *db, const char *name, struct marks *out,
                                struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(db, name, SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        add(out, sqldb_get_i64(s, 0), sqldb_get_i64(s, 1));
    }
    sqldb_end(s);
    return code;
}

/* --- the source --- */

struct source {
    struct marks marks; /* sorted */
    int64_t *days;      /* whose marks cannot be read */
    size_t day_count;
    int64_t watermark_ms;
    int64_t raw_day;               /* for PostgreSQL */
    int64_t raw_days[DAY_CLASSES]; /* for SQLite */
};

static enum err_code read_day(const struct tsdb *db, const struct day_file *f, struct marks *out,
                              struct err *e)
{
    struct sqldb *file = NULL;
    char path[PATH_MAX];

    days_path(db, f, path, sizeof(path));
    enum err_code code = days_open(path, SQLDB_READ_ONLY, &file, e);
    code = code ? code : read_marks(file, "tsdb_dirty_all", out, e);
    sqldb_close(file);
    return code;
}

/* What there is of buckets. */
struct extent {
    int64_t first_ms, last_ms; /* 0 = there is no bucket */
};

static enum err_code widen(void *arg, const struct transfer_block *b, struct err *e)
{
    struct extent *x = arg;
    int64_t first = b->view->slices[0].t_ms;
    int64_t last = b->view->slices[b->view->slice_count - 1].t_ms;

    (void)e;
    x->first_ms = x->first_ms == 0 || first < x->first_ms ? first : x->first_ms;
    x->last_ms = last > x->last_ms ? last : x->last_ms;
    return ERR_OK;
}

static enum err_code find_extent(struct transfer *t, struct extent *out, struct err *e)
{
    const struct transfer_blocks blocks = {.t = t, .side = &t->from, .visit = widen, .arg = out};
    struct transfer_month *months = NULL;
    size_t count = 0;
    enum err_code code = transfer_months(&t->from, &months, &count, e);

    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        code = transfer_read_month(&blocks, &months[i], e);
    }
    alloc_free(months);
    return code;
}

/*
 * Readings of days before it went: PostgreSQL has a number for what SQLite sees by its files. 0 =
 * none went, so that old readings may still come.
 */
static enum err_code find_raw_day(struct transfer *t, int64_t *out, struct err *e)
{
    const struct tsdb *db = t->from.series;
    struct extent x = {0};
    int64_t oldest = INT64_MAX;
    enum err_code code = find_extent(t, &x, e);

    for (size_t i = 0; i < db->day_count; i++) {
        oldest = db->days[i].day < oldest ? db->days[i].day : oldest;
    }
    if (oldest == INT64_MAX && x.last_ms) { /* nothing but roll-ups; today something may come */
        int64_t today = days_of_ms(clock_wall_ms());
        oldest = days_of_ms(x.last_ms) + 1;
        oldest = oldest < today ? oldest : today;
    }
    *out = x.last_ms && days_of_ms(x.first_ms) < oldest ? oldest : 0;
    return code;
}

static enum err_code read_lite(struct transfer *t, struct source *out, struct err *e)
{
    const struct tsdb *db = t->from.series;
    enum err_code code = ERR_OK;

    out->days = alloc_array(db->day_count + 1, sizeof(*out->days));
    for (size_t i = 0; code == ERR_OK && i < db->day_count; i++) {
        code = read_day(db, &db->days[i], &out->marks, e);
        if (code == ERR_CORRUPT) {
            out->days[out->day_count++] = db->days[i].day;
            code = ERR_OK;
        }
    }
    for (int tier = 0; tier < TSDB_TIERS; tier++) { /* both are set when no mark is left */
        int64_t ms = tier_watermark(db, (enum tsdb_tier)tier);
        out->watermark_ms = ms > out->watermark_ms ? ms : out->watermark_ms;
    }
    for (int c = 0; c < DAY_CLASSES; c++) {
        out->raw_days[c] = atomic_load(&db->raw_day[c]);
    }
    return code || !t->to.pg ? code : find_raw_day(t, &out->raw_day, e);
}

static enum err_code read_pg(struct transfer *t, struct source *out, struct err *e)
{
    struct sqldb *db = t->from.control;
    struct sqldb_stmt *s = NULL;
    enum err_code code = read_marks(db, "transfer_dirty_list", &out->marks, e);

    code = code ? code : sqldb_row(db, "tsdb_rollup_state", SQLDB_NO_ARGS, &s, e);
    if (code == ERR_OK) {
        out->watermark_ms = sqldb_get_i64(s, 1);
        out->raw_day = out->raw_days[DAY_FAST] = out->raw_days[DAY_SLOW] = sqldb_get_i64(s, 2);
    }
    sqldb_end(s);
    return code;
}

static bool is_marked(const struct source *s, const struct mark *m)
{
    for (size_t i = 0; i < s->day_count; i++) {
        int64_t first = s->days[i] * DAY_HOURS -
                        1; /* a reading at midnight is of the hour before */
        if (m->hour >= first && m->hour < s->days[i] * DAY_HOURS + DAY_HOURS) {
            return true;
        }
    }
    return has(&s->marks, m->hour, m->group);
}

/* --- PostgreSQL --- */

static enum err_code replace_pg(struct sqldb *db, const struct source *from, struct err *e)
{
    struct marks now = {0};
    struct buf rows;
    enum err_code code = read_marks(db, "transfer_dirty_list", &now, e);

    buf_init(&rows, COPY_MAX);
    for (size_t i = 0; code == ERR_OK && i < now.count; i++) {
        if (is_marked(from, &now.list[i])) {
            buf_printf(&rows, "%lld\t%lld\t0\n", (long long)now.list[i].hour,
                       (long long)now.list[i].group);
        }
    }
    code = code ? code : buf_check(&rows, e);
    code = code ? code : sqldb_run(db, "transfer_dirty_clear", SQLDB_NO_ARGS, e);
    if (code == ERR_OK && rows.len) {
        code = sqldb_load(db, "COPY ts_dirty (hour, grp, n) FROM STDIN", buf_view(&rows), e);
    }
    buf_fini(&rows);
    alloc_free(now.list);
    return code ? code
                : sqldb_run(db, "transfer_rollup_put",
                            SQLDB_ARGS(sqldb_i64(from->watermark_ms / TIER_HOUR_MS),
                                       sqldb_i64(from->watermark_ms), sqldb_i64(from->raw_day)),
                            e);
}

/* --- SQLite --- */

static enum err_code replace_day(struct sqldb *db, const struct source *from, struct err *e)
{
    struct marks now = {0};
    enum err_code code = read_marks(db, "tsdb_dirty_all", &now, e);

    for (size_t i = 0; code == ERR_OK && i < now.count; i++) {
        if (!is_marked(from, &now.list[i])) {
            code = sqldb_run(db, "tsdb_dirty_delete",
                             SQLDB_ARGS(sqldb_i64(now.list[i].hour), sqldb_i64(now.list[i].group)),
                             e);
        }
    }
    alloc_free(now.list);
    return code;
}

typedef enum err_code replacing(struct sqldb *db, const struct source *from, struct err *e);

static enum err_code in_transaction(struct sqldb *db, replacing *work, const struct source *from,
                                    struct err *e)
{
    enum err_code code = sqldb_begin(db, e);

    if (code) {
        return code;
    }
    code = work(db, from, e);
    if (code) {
        sqldb_rollback(db);
        return code;
    }
    FAULT_POINT("transfer.dirty");
    return sqldb_commit(db, e);
}

static enum err_code replace_file(struct tsdb *db, const struct day_file *f,
                                  const struct source *from, struct err *e)
{
    struct sqldb *file = NULL;
    char path[PATH_MAX];

    days_path(db, f, path, sizeof(path));
    enum err_code code = days_open(path, 0, &file, e);
    code = code ? code : in_transaction(file, replace_day, from, e);
    sqldb_close(file);
    return code;
}

static enum err_code set_watermark(struct sqldb *file, const struct source *from, struct err *e)
{
    return sqldb_run(file, "tsdb_tier_set_watermark", SQLDB_ARGS(sqldb_i64(from->watermark_ms)), e);
}

/* In the newest file of a tier, as the engine has it. */
static enum err_code put_watermark(struct tsdb *db, enum tsdb_tier tier, const struct source *from,
                                   struct err *e)
{
    struct sqldb *file = NULL;
    struct tier_file newest;
    char path[PATH_MAX];

    if (!tier_newest(db, tier, &newest)) {
        return ERR_OK;
    }
    tier_path(db, tier, newest.month, path, sizeof(path));
    enum err_code code = tier_open(path, 0, &file, e);
    code = code ? code : in_transaction(file, set_watermark, from, e);
    sqldb_close(file);
    if (code == ERR_OK) {
        tier_set_watermark(db, tier, newest.month, from->watermark_ms);
    }
    return code;
}

static enum err_code replace_lite(struct tsdb *db, const struct source *from, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < db->day_count; i++) {
        code = replace_file(db, &db->days[i], from, e);
    }
    for (int tier = 0; code == ERR_OK && tier < TSDB_TIERS; tier++) {
        code = put_watermark(db, (enum tsdb_tier)tier, from, e);
    }
    for (int c = 0; c < DAY_CLASSES; c++) {
        tier_raise_raw_day(db, (enum day_class)c, from->raw_days[c]);
    }
    return code ? code : tier_save_raw_days(db, e);
}

enum err_code transfer_dirty_copy(struct transfer *t, struct err *e)
{
    struct source from = {0};
    enum err_code code = t->from.pg ? read_pg(t, &from, e) : read_lite(t, &from, e);

    if (code == ERR_OK && from.marks.count) {
        qsort(from.marks.list, from.marks.count, sizeof(*from.marks.list), compare_marks);
    }
    if (code == ERR_OK) {
        code = t->to.pg ? in_transaction(t->to.control, replace_pg, &from, e)
                        : replace_lite(t->to.series, &from, e);
    }
    alloc_free(from.days);
    alloc_free(from.marks.list);
    return code;
}
