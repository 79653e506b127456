/* SPDX-License-Identifier: PostgreSQL */
/*
 * reader.c: a pool of read-only handle sets, and the version that a borrowed one pins.
 */
#include "store/tsdb/rollup/tier.h"

#include "base/alloc.h"
#include "os/clock.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Caller holds state. */
static struct tsdb_reader *find_free(struct tsdb *db)
{
    for (size_t i = 0; i < db->reader_count; i++) {
        if (!db->readers[i]->borrowed) {
            return db->readers[i];
        }
    }
    if (db->reader_count == db->reader_max) {
        return NULL;
    }
    struct tsdb_reader *r = alloc_new(sizeof(*r));
    r->base.ops = db->ops;
    r->db = db;
    db->readers[db->reader_count++] = r;
    return r;
}

static void close_files(struct tsdb_reader *r)
{
    for (size_t i = 0; i < r->file_count; i++) {
        sqldb_close(r->files[i].db);
    }
    for (size_t i = 0; i < r->tier_count; i++) {
        sqldb_close(r->tiers[i].db);
    }
    r->file_count = r->tier_count = 0;
}

enum err_code tsdb_sqlite_reader_borrow(struct tsdb *db, int64_t mono_us, struct tsdb_reader **out,
                                        struct err *e)
{
    struct tsdb_reader *r = NULL;
    enum err_code code = ERR_OK;

    lock_take(&db->state);
    while (!(r = find_free(db)) && code == ERR_OK) {
        if (!cond_wait_until(&db->reader_free, &db->state, mono_us)) {
            code = err_set(e, ERR_TIMEOUT, "all readers of the store are busy");
        }
    }
    bool stale = false;
    if (r) {
        code = ERR_OK;
        r->borrowed = true;
        r->borrow = ++db->borrows;
        r->heads[0] = db->frozen;
        r->heads[1] = db->active;
        r->lsn = db->linked_lsn;
        for (int t = 0; t < TSDB_TIERS; t++) {
            r->tier_watermark[t] = tier_watermark(db, (enum tsdb_tier)t);
        }
        head_pin(db->active);
        if (db->frozen) {
            head_pin(db->frozen);
        }
        stale = r->days_removed != db->days_removed;
        r->days_removed = db->days_removed;
    }
    lock_release(&db->state);
    if (stale) { /* retention unlinked files */
        close_files(r);
    }
    if (r) {
        turns_begin(&r->turn);
    }
    *out = r;
    return code;
}

void tsdb_sqlite_reader_return(struct tsdb_reader *r)
{
    struct head *free_these[2] = {NULL, NULL};

    if (!r) {
        return;
    }
    turns_end(&r->db->turns, &r->turn);
    for (size_t i = 0; i < r->file_count; i++) {
        if (r->files[i].in_snapshot) {
            sqldb_rollback(r->files[i].db);
            r->files[i].in_snapshot = false;
        }
    }
    for (size_t i = 0; i < r->tier_count; i++) {
        if (r->tiers[i].in_snapshot) {
            sqldb_rollback(r->tiers[i].db);
            r->tiers[i].in_snapshot = false;
        }
    }
    lock_take(&r->db->state);
    for (int i = 0; i < 2; i++) {
        if (r->heads[i] && head_unpin(r->heads[i])) {
            free_these[i] = r->heads[i];
        }
        r->heads[i] = NULL;
    }
    r->borrowed = false;
    cond_signal(&r->db->reader_free);
    lock_release(&r->db->state);
    head_free(free_these[0]);
    head_free(free_these[1]);
}

enum err_code reader_check(struct tsdb_reader *r, int64_t deadline_us, struct err *e)
{
    if (deadline_us && clock_mono_us() > deadline_us) {
        return err_set(e, ERR_TIMEOUT, "the read took too long");
    }
    return deadline_us ? turns_check(&r->db->turns, &r->turn, deadline_us, e) : ERR_OK;
}

/* A reader that nobody has and that holds files which may be gone; it is borrowed then. */
static struct tsdb_reader *take_stale(struct tsdb *db)
{
    struct tsdb_reader *found = NULL;

    lock_take(&db->state);
    for (size_t i = 0; !found && i < db->reader_count; i++) {
        struct tsdb_reader *r = db->readers[i];
        if (!r->borrowed && r->days_removed != db->days_removed) {
            r->borrowed = true;
            r->days_removed = db->days_removed;
            found = r;
        }
    }
    lock_release(&db->state);
    return found;
}

void reader_close_idle(struct tsdb *db)
{
    struct tsdb_reader *r = NULL;

    while ((r = take_stale(db))) {
        close_files(r);
        lock_take(&db->state);
        r->borrowed = false;
        cond_signal(&db->reader_free);
        lock_release(&db->state);
    }
}

void reader_close(struct tsdb_reader *r)
{
    close_files(r);
    sqldb_close(r->ingest);
    sqldb_close(r->text);
    sqldb_close(r->event);
    alloc_free(r);
}

/* --- day files --- */

static struct reader_file *find_file(struct tsdb_reader *r, enum day_class class, int64_t day)
{
    for (size_t i = 0; i < r->file_count; i++) {
        if (r->files[i].class == class && r->files[i].day == day) {
            return &r->files[i];
        }
    }
    return NULL;
}

/* A place for one more handle; the one used longest ago that is not in a snapshot goes. */
static struct reader_file *place(struct tsdb_reader *r)
{
    struct reader_file *oldest = NULL;

    if (r->file_count < READER_FILES_MAX) {
        return &r->files[r->file_count++];
    }
    for (size_t i = 0; i < r->file_count; i++) {
        struct reader_file *f = &r->files[i];
        if (!f->in_snapshot && (!oldest || f->used < oldest->used)) {
            oldest = f;
        }
    }
    if (oldest) {
        sqldb_close(oldest->db);
    }
    return oldest;
}

static enum err_code open_file(struct tsdb_reader *r, const struct day_file *day,
                               struct reader_file **out, struct err *e)
{
    char path[PATH_MAX];
    struct sqldb *db = NULL;

    days_path(r->db, day, path, sizeof(path));
    enum err_code code = days_open(path, SQLDB_READ_ONLY, &db, e);
    if (code) {
        return code;
    }
    if (!*out) {
        *out = place(r);
    } else {
        sqldb_close((*out)->db); /* of an edition that was replaced */
    }
    if (!*out) {
        sqldb_close(db);
        return err_set(e, ERR_LIMIT, "more than %d day files in one read", READER_FILES_MAX);
    }
    **out = (struct reader_file){
        .db = db, .class = day->class, .day = day->day, .edition = day->edition};
    return ERR_OK;
}

static bool is_listed(struct tsdb_reader *r, enum day_class class, int64_t day,
                      struct day_file *out)
{
    lock_take(&r->db->state);
    bool listed = days_get(r->db, class, day, out);
    lock_release(&r->db->state);
    return listed;
}

/* Begin the snapshot of an edition that is listed; *out is its handle, or an older one's. */
static enum err_code begin_snapshot(struct tsdb_reader *r, const struct day_file *day,
                                    struct reader_file **out, struct err *e)
{
    enum err_code code = ERR_OK;

    if (!*out || (*out)->edition != day->edition) {
        code = open_file(r, day, out, e);
    }
    if (code == ERR_OK) {
        code = sqldb_begin_read((*out)->db, e);
    }
    if (code == ERR_OK) {
        code = days_read_applied((*out)->db, &(*out)->applied, e);
        (*out)->in_snapshot = code == ERR_OK;
        if (code) {
            sqldb_rollback((*out)->db);
        }
    }
    return code;
}

/*
 * A file that was replaced or unlinked before its snapshot began may have been read without its
 * WAL, which is unlinked with it: that snapshot counts for nothing.
 * The list is changed before anything is unlinked.
 */
static enum err_code snapshot_newest(struct tsdb_reader *r, enum day_class class, int64_t day,
                                     struct reader_file **out, struct err *e)
{
    struct day_file before;
    struct day_file now;

    for (bool listed = is_listed(r, class, day, &before); listed; before = now) {
        enum err_code code = begin_snapshot(r, &before, out, e);
        listed = is_listed(r, class, day, &now);
        if (listed && now.edition == before.edition) {
            return code;
        }
        if (*out && (*out)->in_snapshot) {
            sqldb_rollback((*out)->db);
            (*out)->in_snapshot = false;
        }
    }
    return err_set(e, ERR_NOT_FOUND, "no such day");
}

enum err_code reader_day(struct tsdb_reader *r, enum day_class class, int64_t day,
                         struct reader_file **out, struct err *e)
{
    struct reader_file *f = find_file(r, class, day);
    enum err_code code = ERR_OK;

    *out = NULL;
    if (!f || !f->in_snapshot) {
        code = snapshot_newest(r, class, day, &f, e);
    }
    if (code == ERR_NOT_FOUND) {
        return ERR_OK; /* retention was here first */
    }
    if (code == ERR_OK) {
        f->used = ++r->uses;
        *out = f;
    }
    return code;
}

uint64_t reader_applied(struct tsdb_reader *r, enum day_class class, int64_t day)
{
    const struct reader_file *f = find_file(r, class, day);
    return f && f->in_snapshot ? f->applied : 0;
}

struct day_file *reader_days(struct tsdb_reader *r, int64_t first, int64_t last, size_t *count)
{
    size_t n = 0;

    lock_take(&r->db->state);
    struct day_file *list = alloc_array(r->db->day_count + 1, sizeof(*list));
    for (size_t i = 0; i < r->db->day_count; i++) {
        if (r->db->days[i].day >= first && r->db->days[i].day <= last) {
            list[n++] = r->db->days[i];
        }
    }
    lock_release(&r->db->state);
    *count = n;
    return list;
}

/* --- files of roll-ups --- */

static struct reader_tier *find_tier(struct tsdb_reader *r, enum tsdb_tier tier, int month)
{
    for (size_t i = 0; i < r->tier_count; i++) {
        if (r->tiers[i].tier == tier && r->tiers[i].month == month) {
            return &r->tiers[i];
        }
    }
    return NULL;
}

/* As `place`. */
static struct reader_tier *place_tier(struct tsdb_reader *r)
{
    struct reader_tier *oldest = NULL;

    if (r->tier_count < READER_TIERS_MAX) {
        return &r->tiers[r->tier_count++];
    }
    for (size_t i = 0; i < r->tier_count; i++) {
        struct reader_tier *f = &r->tiers[i];
        if (!f->in_snapshot && (!oldest || f->used < oldest->used)) {
            oldest = f;
        }
    }
    if (oldest) {
        sqldb_close(oldest->db);
    }
    return oldest;
}

static enum err_code open_tier(struct tsdb_reader *r, enum tsdb_tier tier, int month,
                               struct reader_tier **out, struct err *e)
{
    char path[PATH_MAX];
    struct sqldb *db = NULL;

    tier_path(r->db, tier, month, path, sizeof(path));
    enum err_code code = tier_open(path, SQLDB_READ_ONLY, &db, e);
    if (code) {
        return code;
    }
    struct reader_tier *f = place_tier(r);
    if (!f) {
        sqldb_close(db);
        return err_set(e, ERR_LIMIT, "more than %d files of roll-ups in one read",
                       READER_TIERS_MAX);
    }
    *f = (struct reader_tier){.db = db, .tier = tier, .month = month};
    *out = f;
    return ERR_OK;
}

enum err_code reader_tier(struct tsdb_reader *r, enum tsdb_tier tier, int month, struct sqldb **out,
                          struct err *e)
{
    struct reader_tier *f = find_tier(r, tier, month);
    enum err_code code = ERR_OK;

    *out = NULL;
    if (!f) {
        code = open_tier(r, tier, month, &f, e);
    }
    if (code == ERR_NOT_FOUND) {
        return ERR_OK; /* retention was here first */
    }
    if (code == ERR_OK && !f->in_snapshot) {
        code = sqldb_begin_read(f->db, e);
        f->in_snapshot = code == ERR_OK;
    }
    if (code == ERR_OK) {
        f->used = ++r->uses;
        *out = f->db;
    }
    return code;
}

/* --- the other files --- */

static enum err_code open_once(struct tsdb_reader *r, const char *name, struct sqldb **at,
                               struct err *e)
{
    char url[PATH_MAX];
    struct sqldb_options o = {.flags = SQLDB_READ_ONLY, .cache_kib = 512};

    if (*at) {
        return ERR_OK;
    }
    (void)snprintf(url, sizeof(url), "sqlite:%s/%s.db", r->db->dir, name);
    return sqldb_open(url, &o, at, e);
}

enum err_code reader_ingest(struct tsdb_reader *r, struct sqldb **out, struct err *e)
{
    enum err_code code = open_once(r, "ingest", &r->ingest, e);
    *out = r->ingest;
    return code;
}

enum err_code reader_text(struct tsdb_reader *r, struct sqldb **out, struct err *e)
{
    enum err_code code = open_once(r, "text", &r->text, e);
    *out = r->text;
    return code;
}

enum err_code reader_event(struct tsdb_reader *r, struct sqldb **out, struct err *e)
{
    enum err_code code = open_once(r, "event", &r->event, e);
    *out = r->event;
    return code;
}
