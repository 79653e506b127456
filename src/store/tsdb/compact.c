/* SPDX-License-Identifier: PostgreSQL */
/*
 * compact.c: writes a day file anew, with few large blocks instead of many small ones.
 *
 * Once as a whole when the day is closed, once more when late data came after that, and before
 * that only the newest small blocks of each group, when flushes have piled them up.
 *
 *   next edition as FILE.new -> group by group -> blocks of later flushes -> watermark -> sync
 *   -> rename -> sync folder -> listed -> the edition before is unlinked
 *
 * Invariants: (1) until the rename the old edition is all there is; from then on the new one holds
 * every block that counts; (2) a block that cannot be read is copied as it is; (3) blocks of one
 * group keep the order of their flushes, so that of equal times the first acknowledged counts.
 * Threads: the flusher, which alone writes day files; between two steps it flushes and purges.
 */
#include "store/tsdb/blocks.h"
#include "store/tsdb/engine.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "base/log.h"
#include "os/clock.h"
#include "os/file.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#ifdef PGA_FAULTS
#define TRANSACTION_BYTES 256UL /* so that a small file has several parts and steps, too */
#define STEP_US           0LL
#else
#define TRANSACTION_BYTES (4UL * 1024 * 1024)
#define STEP_US           50000LL
#endif
#define REST_US    3600000000LL
#define PILE       16 /* small blocks a group, on the average, that are worth a pass */
#define PILE_LEAST 4  /* blocks of one group that are worth merging in such a pass */
/* After a day's end nothing is accepted of it any more, and what was accepted is flushed. */
#define LATE_MS (TSDB_CLOCK_PAST_MS + 3 * 3600000LL)

static const struct log_ctx compact_log = {.component = "tsdb"};

enum extent { EXTENT_NONE, EXTENT_PILE, EXTENT_WHOLE };

struct compact {
    struct tsdb *db;
    enum extent extent;  /* of the file at hand; EXTENT_NONE = there is none */
    struct day_file day; /* as it was at the start */
    uint64_t asked;      /* newest wish at the start */
    uint64_t purged_lsn; /* likewise */
    int64_t start_us;
    char path[PATH_MAX], path_new[PATH_MAX];
    struct sqldb *from, *to;
    uint64_t group;
    struct blocks_list group_blocks; /* oldest flush first */
    struct merge *merge;             /* of some of them; NULL = none under way */
    uint64_t merge_lsn;
    size_t bytes; /* of the open transaction */
    uint64_t blocks_read, blocks_written;
};

struct compact *compact_new(struct tsdb *db)
{
    struct compact *c = alloc_new(sizeof(*c));
    c->db = db;
    return c;
}

static void end_group(struct compact *c)
{
    merge_free(c->merge);
    c->merge = NULL;
    alloc_free(c->group_blocks.blocks);
    c->group_blocks = (struct blocks_list){NULL, 0};
}

/* Close what is open; a new file that was not renamed is removed. */
static void end_file(struct compact *c)
{
    struct err e;

    end_group(c);
    sqldb_close(c->from);
    if (c->to) {
        sqldb_close(c->to);
        if (days_unlink(c->path_new, &e)) {
            log_warn(&compact_log, "%s", e.text);
        }
    }
    c->from = c->to = NULL;
    c->extent = EXTENT_NONE;
}

void compact_free(struct compact *c)
{
    if (c) {
        end_file(c);
        alloc_free(c);
    }
}

/* --- which file --- */

static enum extent extent_due(const struct tsdb *db, const struct day_file *f, int64_t now_ms)
{
    int64_t end_ms = (f->day + 1) * TSDB_DAY_MS;
    bool closed = now_ms >= end_ms + db->config.close_ms;

    if (f->applied && f->served < db->compact_asked) {
        return EXTENT_WHOLE;
    }
    if (f->applied == 0 || clock_mono_us() < f->rest_us) {
        return EXTENT_NONE;
    }
    if ((closed && f->compacted == 0) ||
        (now_ms >= end_ms + LATE_MS && f->compacted < f->applied)) {
        return EXTENT_WHOLE;
    }
    return f->pile < PILE ? EXTENT_NONE : closed ? EXTENT_WHOLE : EXTENT_PILE;
}

/* Choose the oldest file of which something is due. */
static void choose(struct compact *c)
{
    struct tsdb *db = c->db;
    int64_t now_ms = clock_wall_ms();

    lock_take(&db->state);
    for (size_t i = 0; i < db->day_count; i++) {
        enum extent extent = extent_due(db, &db->days[i], now_ms);
        if (extent && (!c->extent || db->days[i].day < c->day.day)) {
            c->extent = extent;
            c->day = db->days[i];
        }
    }
    c->asked = db->compact_asked;
    c->purged_lsn = db->purged_lsn;
    if (!c->extent && db->compact_done < db->compact_asked) {
        db->compact_done = db->compact_asked;
        cond_broadcast(&db->done);
    }
    lock_release(&db->state);
}

/* Note how a file came out. */
static void note(struct compact *c, const struct day_file *now, bool failed)
{
    struct tsdb *db = c->db;
    struct day_file f;

    lock_take(&db->state);
    if (days_get(db, c->day.class, c->day.day, &f)) {
        f = now ? *now : f;
        f.served = c->asked;
        /* a pile that stays is of blocks that cannot be merged */
        f.rest_us = failed || f.pile >= PILE ? clock_mono_us() + REST_US : 0;
        days_put(db, &f);
    }
    if (failed) {
        db->compact_failed = c->asked;
    }
    lock_release(&db->state);
}

/* --- begin --- */

/*
 * The new file lies beside the old one until it is renamed: room for both, and for flushes. It
 * counts for the quota, which makes room as usual: the oldest days go, perhaps this one.
 */
static enum err_code check_room(struct compact *c, struct err *e)
{
    uint64_t bytes = days_size(c->path);
    uint64_t free_bytes = 0;
    uint64_t size = 0;
    enum err_code code = file_space(c->db->dir, &free_bytes, &size, e);

    if (retain_is_over(c->db, bytes)) {
        tsdb_measure_disk(c->db);
        (void)retain_quota(c->db, clock_wall_ms(), bytes);
    }
    if (code == ERR_OK && retain_is_over(c->db, bytes)) {
        return err_set(e, ERR_LIMIT, "max_bytes has no room for %s twice", c->path);
    }
    if (code == ERR_OK && free_bytes < bytes + 4 * c->db->config.flush_bytes) {
        code = err_set(e, ERR_LIMIT, "no room to write %s anew: %llu kB are left", c->path,
                       (unsigned long long)(free_bytes / 1024));
    }
    return code;
}

static enum err_code make_new(struct compact *c, struct err *e)
{
    (void)snprintf(c->path_new, sizeof(c->path_new), "%.*s.new", PATH_MAX - 8, c->path);
    enum err_code code = days_unlink(c->path_new, e);
    if (code == ERR_OK) {
        code = days_open(c->path_new, 0, &c->to, e);
    }
    if (code == ERR_OK) { /* until its rename nothing depends on it */
        code = sqldb_script(c->to, "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF", e);
    }
    return code ? code : sqldb_begin(c->to, e);
}

/* A file with one block a group is compact. */
static enum err_code is_worth_it(struct compact *c, bool *worth, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(c->from, "tsdb_block_mergeable", SQLDB_NO_ARGS, &s, e);

    *worth = code == ERR_OK && sqldb_get_i64(s, 0) != 0;
    sqldb_end(s);
    return code;
}

static enum err_code mark_compacted(struct compact *c, struct err *e)
{
    struct sqldb *file = NULL;
    struct day_file now = c->day;
    enum err_code code = days_open(c->path, SQLDB_OWN_CHECKPOINT, &file, e);

    if (code == ERR_OK) {
        code = sqldb_run(file, "tsdb_day_set_compacted",
                         SQLDB_ARGS(sqldb_i64((int64_t)c->day.applied)), e);
    }
    if (code == ERR_OK) {
        code = sqldb_checkpoint(file, e);
    }
    sqldb_close(file);
    now.compacted = c->day.applied;
    if (code == ERR_OK) {
        note(c, &now, false);
    }
    return code;
}

static enum err_code begin_file(struct compact *c, struct err *e)
{
    bool worth = false;

    c->group = 0;
    c->bytes = 0;
    c->blocks_read = c->blocks_written = 0;
    c->start_us = clock_mono_us();
    days_path(c->db, &c->day, c->path, sizeof(c->path));
    enum err_code code = days_open(c->path, SQLDB_READ_ONLY, &c->from, e);
    if (code == ERR_OK) {
        code = is_worth_it(c, &worth, e);
    }
    if (code == ERR_OK && !worth) {
        code = mark_compacted(c, e);
        end_file(c);
        return code;
    }
    if (code == ERR_OK) {
        code = check_room(c, e);
    }
    if (code == ERR_OK) {
        code = make_new(c, e);
    }
    FAULT_POINT("tsdb.compact_begun");
    return code;
}

/* --- one group --- */

static enum err_code copy_blocks(struct compact *c, size_t from, size_t end, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = from; code == ERR_OK && i < end; i++) {
        const struct blocks_copy copy = {
            .from = c->from, .to = c->to, .id = c->group_blocks.blocks[i].id};
        code = blocks_copy(&copy, &c->bytes, e);
        c->blocks_written++;
    }
    return code;
}

static bool is_small(const struct merge_block *b)
{
    return b->rows < MERGE_ROWS / 2 && b->slices < MERGE_SLICES / 2;
}

/* How many of the oldest blocks stay as they are: the newer ones are not much smaller. */
static size_t kept_of_pile(const struct compact *c)
{
    size_t at = c->group_blocks.count;
    size_t weight = 0;

    while (at > 0) {
        const struct merge_block *b = &c->group_blocks.blocks[at - 1];
        size_t own = b->rows + b->slices;
        bool taken = c->group_blocks.count - at < PILE_LEAST || own <= 2 * weight;
        if (!is_small(b) || !taken) {
            break;
        }
        weight += own;
        at--;
    }
    return c->group_blocks.count - at < PILE_LEAST ? c->group_blocks.count : at;
}

/* Whether blocks of a whole group are already as they should be. */
static bool is_compact(const struct compact *c)
{
    for (size_t i = 1; i < c->group_blocks.count; i++) {
        const struct merge_block *a = &c->group_blocks.blocks[i - 1];
        const struct merge_block *b = &c->group_blocks.blocks[i];
        if (a->t_max >= b->t_min ||
            (a->rows + b->rows <= MERGE_ROWS && a->slices + b->slices <= MERGE_SLICES)) {
            return false;
        }
    }
    return true;
}

static bool was_dropped(struct compact *c)
{
    lock_take(&c->db->state);
    bool dropped = drop_has(c->db, c->group);
    lock_release(&c->db->state);
    return dropped;
}

/* Take the next group; *end when there is none. */
static enum err_code begin_group(struct compact *c, bool *end, struct err *e)
{
    bool found = false;
    enum err_code code = blocks_next_group(c->from, &c->group, &found, e);

    *end = code == ERR_OK && !found;
    if (code || !found || was_dropped(c)) {
        return code;
    }
    code = blocks_of_group(c->from, c->group, c->day.applied, &c->group_blocks, e);
    if (code) {
        return code;
    }
    c->blocks_read += c->group_blocks.count;
    size_t kept = c->extent == EXTENT_PILE ? kept_of_pile(c)
                  : is_compact(c)          ? c->group_blocks.count
                                           : 0;
    code = copy_blocks(c, 0, kept, e);
    if (code || kept == c->group_blocks.count) {
        end_group(c);
        return code;
    }
    c->merge = merge_new(c->from, c->group_blocks.blocks + kept, c->group_blocks.count - kept);
    c->merge_lsn = c->group_blocks.blocks[c->group_blocks.count - 1].order;
    return ERR_OK;
}

/* Whether a block is to blame, and not the file that is written. */
static bool is_unreadable(enum err_code code)
{
    return code == ERR_CORRUPT || code == ERR_LIMIT;
}

/* Blocks that cannot be merged stay as they are; what was merged of the group goes. */
static enum err_code give_up_group(struct compact *c, const struct err *why, struct err *e)
{
    log_warn(&compact_log, "%s: blocks of group %llu stay as they are: %s", c->path,
             (unsigned long long)c->group, why->text);
    enum err_code code = blocks_remove_group(c->to, c->group, e);
    if (code == ERR_OK) {
        code = copy_blocks(c, 0, c->group_blocks.count, e);
    }
    end_group(c);
    return code;
}

static enum err_code merge_some(struct compact *c, struct err *e)
{
    struct merge_result r;
    struct err why;
    bool end = false;

    err_clear(&why);
    enum err_code code = merge_next(c->merge, &r, &end, &why);
    if (is_unreadable(code)) {
        return give_up_group(c, &why, e);
    }
    if (code) {
        *e = why;
        return code;
    }
    if (end) {
        end_group(c);
        return ERR_OK;
    }
    c->blocks_written++;
    const struct blocks_new n = {c->to, c->merge_lsn, &r.input, &r.packed};
    return blocks_insert(&n, &c->bytes, e);
}

static enum err_code commit_some(struct compact *c, struct err *e)
{
    enum err_code code = sqldb_commit(c->to, e);

    c->bytes = 0;
    FAULT_POINT("tsdb.compact_part");
    return code ? code : sqldb_begin(c->to, e);
}

/* --- the end --- */

/* Blocks that were flushed into the old edition since the start; their order stays. */
static enum err_code copy_newer(struct compact *c, uint64_t applied, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    bool row = true;
    enum err_code code = sqldb_query(
        c->from, "tsdb_block_since",
        SQLDB_ARGS(sqldb_i64((int64_t)c->day.applied), sqldb_i64((int64_t)applied)), &q, e);

    while (code == ERR_OK && (code = sqldb_step(q, &row, e)) == ERR_OK && row) {
        const struct blocks_copy copy = {.from = c->from, .to = c->to, .id = sqldb_get_i64(q, 0)};
        code = blocks_copy(&copy, &c->bytes, e);
        c->blocks_read++;
        c->blocks_written++;
    }
    sqldb_end(q);
    return code;
}

/* Hours that are not rolled up yet, by blocks of before and since. */
static enum err_code copy_marks(struct compact *c, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    bool row = true;
    enum err_code code = sqldb_query(c->from, "tsdb_dirty_all", SQLDB_NO_ARGS, &q, e);

    while (code == ERR_OK && (code = sqldb_step(q, &row, e)) == ERR_OK && row) {
        code = sqldb_run(c->to, "tsdb_dirty_put",
                         SQLDB_ARGS(sqldb_i64(sqldb_get_i64(q, 0)), sqldb_i64(sqldb_get_i64(q, 1))),
                         e);
    }
    sqldb_end(q);
    return code;
}

static enum err_code set_state(struct compact *c, uint64_t applied, struct err *e)
{
    enum err_code code = sqldb_run(c->to, "tsdb_day_set_applied",
                                   SQLDB_ARGS(sqldb_i64((int64_t)applied)), e);
    if (code == ERR_OK) {
        uint64_t upto = c->extent == EXTENT_WHOLE ? c->day.applied : c->day.compacted;
        code = sqldb_run(c->to, "tsdb_day_set_compacted", SQLDB_ARGS(sqldb_i64((int64_t)upto)), e);
    }
    return code;
}

/* Complete the new file and close it; *now is how it is. */
static enum err_code complete(struct compact *c, struct day_file *now, struct err *e)
{
    int fd = -1;
    enum err_code code = copy_newer(c, now->applied, e);

    if (code == ERR_OK) {
        code = copy_marks(c, e);
    }
    if (code == ERR_OK) {
        code = set_state(c, now->applied, e);
    }
    if (code == ERR_OK) {
        code = sqldb_commit(c->to, e);
    }
    if (code == ERR_OK) {
        code = sqldb_script(c->to, "PRAGMA journal_mode=WAL", e);
    }
    if (code == ERR_OK) {
        code = days_read_state(c->to, now, e);
    }
    if (code) {
        return code;
    }
    sqldb_close(c->to);
    c->to = NULL;
    code = file_open(c->path_new, O_RDWR, 0, &fd, e);
    if (code == ERR_OK) {
        code = file_sync_data(fd, e);
    }
    file_close(fd);
    FAULT_POINT("tsdb.compact_written");
    return code;
}

/* Give the new edition its name, durably, or leave none. */
static enum err_code rename_new(struct compact *c, const char *path, struct err *e)
{
    char folder[PATH_MAX];
    struct err ignored;
    enum err_code code = file_rename(c->path_new, path, e);

    if (code) {
        return code;
    }
    FAULT_POINT("tsdb.compact_renamed");
    (void)snprintf(folder, sizeof(folder), "%s", path);
    *strrchr(folder, '/') = '\0';
    code = file_sync_dir(folder, e);
    if (code) {
        (void)!days_unlink(path, &ignored);
    }
    return code;
}

static void publish(struct compact *c, const struct day_file *now)
{
    struct err e;

    note(c, now, false);
    lock_take(&c->db->state);
    c->db->days_removed++;
    lock_release(&c->db->state);
    FAULT_POINT("tsdb.compact_listed");
    if (days_unlink(c->path, &e)) {
        log_warn(&compact_log, "%s", e.text);
    }
    FAULT_POINT("tsdb.compact_unlinked");
    reader_close_idle(c->db);
    atomic_fetch_add(&c->db->count.compactions, 1);
}

static enum err_code finish_file(struct compact *c, struct err *e)
{
    struct day_file now;
    char path[PATH_MAX];
    uint64_t before = days_size(c->path);

    lock_take(&c->db->state);
    (void)days_get(c->db, c->day.class, c->day.day, &now);
    lock_release(&c->db->state);
    now.edition++;
    days_path(c->db, &now, path, sizeof(path));
    enum err_code code = complete(c, &now, e);
    if (code == ERR_OK) {
        code = rename_new(c, path, e);
    }
    if (code) {
        (void)!days_unlink(c->path_new, NULL);
        return code;
    }
    publish(c, &now);
    log_info(&compact_log, "%s: %llu blocks became %llu, %llu kB became %llu kB, in %lld ms", path,
             (unsigned long long)c->blocks_read, (unsigned long long)c->blocks_written,
             (unsigned long long)(before / 1024), (unsigned long long)(days_size(path) / 1024),
             (long long)((clock_mono_us() - c->start_us) / 1000));
    end_file(c);
    return ERR_OK;
}

/* --- steps --- */

/* Whether the file at hand is no longer what it was: unlinked, or purged of a deleted target. */
static bool is_outdated(struct compact *c)
{
    struct day_file f;

    lock_take(&c->db->state);
    bool listed = days_get(c->db, c->day.class, c->day.day, &f);
    bool outdated = !listed || f.edition != c->day.edition || c->db->purged_lsn != c->purged_lsn;
    lock_release(&c->db->state);
    return outdated;
}

static enum err_code step(struct compact *c, struct err *e)
{
    bool end = false;

    if (!c->from) {
        return begin_file(c, e);
    }
    if (is_outdated(c)) {
        end_file(c); /* it is chosen again if it is still due */
        return ERR_OK;
    }
    enum err_code code = c->merge ? merge_some(c, e) : begin_group(c, &end, e);
    if (code == ERR_OK && c->bytes >= TRANSACTION_BYTES) {
        code = commit_some(c, e);
    }
    return code == ERR_OK && end ? finish_file(c, e) : code;
}

/* A backup copies files: no edition comes or goes meanwhile. */
static bool may_work(struct tsdb *db)
{
    lock_take(&db->state);
    db->compacting = !db->copying;
    bool may = db->compacting;
    lock_release(&db->state);
    return may;
}

static void rest(struct tsdb *db)
{
    lock_take(&db->state);
    db->compacting = false;
    cond_broadcast(&db->done);
    lock_release(&db->state);
}

/* Returns whether there is more to do. */
static bool work_a_while(struct compact *c)
{
    int64_t until_us = clock_mono_us() + STEP_US;
    struct err e;

    do {
        if (!c->extent) {
            choose(c);
        }
        if (!c->extent) {
            return false;
        }
        err_clear(&e);
        if (step(c, &e)) {
            log_warn(&compact_log, "compaction of %s failed, nothing is lost: %s", c->path, e.text);
            atomic_fetch_add(&c->db->count.compact_errors, 1);
            note(c, NULL, true);
            end_file(c);
        }
    } while (clock_mono_us() < until_us);
    return true;
}

bool compact_step(struct compact *c)
{
    if (!may_work(c->db)) {
        return false;
    }
    bool more = work_a_while(c);
    rest(c->db);
    return more;
}
