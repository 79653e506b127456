/* SPDX-License-Identifier: PostgreSQL */
/*
 * flush.c: the head becomes blocks of day files.
 *
 * A frozen head is sorted by file, group and time; what of a group was folded is merged with its
 * loose slices (merge.h), each column decoded once. Each file gets its blocks in transactions of
 * about 4 MB, the last of which sets `applied`. Blocks of a flush that did not end have flush_lsn >
 * applied: no reader counts them, and the next flush of the file removes them.
 * Threads: the flusher.
 */
#include "store/tsdb/blocks.h"
#include "store/tsdb/head_fold.h"
#include "store/tsdb/quarantine.h"
#include "store/tsdb/retire.h"
#include "store/tsdb/rollup/tier.h"

#include "base/fault.h"
#include "base/log.h"
#include "os/clock.h"
#include "os/file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef PGA_FAULTS
#define TRANSACTION_BYTES 256UL /* so that a small flush has several parts, too */
#else
#define TRANSACTION_BYTES (4UL * 1024 * 1024)
#endif
#define LOOK_US   1000000LL
#define SPACE_US  5000000LL
#define EXPIRE_US 600000000LL
#define RETRY_US  5000000LL

static const struct log_ctx flush_log = {.component = "tsdb"};

struct item {
    enum day_class class;
    int64_t day;
    struct head_item head;
};

/* Items of one file and group. */
struct span {
    struct item *items;
    size_t count;
};

struct flushing {
    struct tsdb *db;
    uint64_t lsn;
    struct sqldb *file;
    struct arena decode;  /* slices of one block */
    struct arena build;   /* the block made of them */
    struct arena scratch; /* one column */
    struct arena keep;    /* what a group with pieces has beside them */
    size_t bytes;         /* of the open transaction */
};

static int compare_u64(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_i64(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_items(const void *a, const void *b)
{
    const struct item *x = a;
    const struct item *y = b;
    int c = compare_u64(x->class, y->class);

    c = c ? c : compare_i64(x->day, y->day);
    c = c ? c : compare_u64(x->head.group, y->head.group);
    c = c ? c : compare_i64(x->head.slice.t_ms, y->head.slice.t_ms);
    return c ? c : compare_u64(x->head.slice.lsn, y->head.slice.lsn);
}

/*
 * Slices of one block: as many as fit from `items`, equal times once. Returns how many items
 * went.
 */
static enum err_code gather(struct flushing *f, struct span batch, struct block_input *in,
                            size_t *used, struct err *e)
{
    size_t most = batch.count < BLOCK_SLICES ? batch.count : BLOCK_SLICES;
    struct codec_slice *slices = arena_array(&f->decode, most, sizeof(*slices));
    size_t rows = 0;
    size_t i = 0;

    in->count = 0;
    for (; slices && i < batch.count && in->count < most; i++) {
        struct codec_slice *s = &slices[in->count];
        if (batch.items[i].head.slice.bytes.len == 0) {
            continue; /* in quarantine */
        }
        enum err_code code = codec_get_slice(batch.items[i].head.slice.bytes, &f->decode, s, e);
        if (code) {
            return code;
        }
        if (in->count && s->t_ms == s[-1].t_ms) {
            continue; /* two streams sent it: the first acknowledged one counts */
        }
        size_t rows_most = block_rows_most(BLOCK_ROWS, s->row_count);
        if (in->count && (rows + s->row_count > rows_most || s->fact != slices[0].fact)) {
            break;
        }
        rows += s->row_count;
        in->count++;
    }
    in->slices = slices;
    *used = i;
    return arena_check(&f->decode, e);
}

/* Move what cannot be read into quarantine: it must not keep the rest from being written. */
static enum err_code set_aside(struct flushing *f, struct head_item *item, const struct err *why,
                               struct err *e)
{
    char about[96];
    (void)snprintf(about, sizeof(about), "group %llu, t %lld", (unsigned long long)item->group,
                   (long long)item->slice.t_ms);
    const struct quarantine_item q = {.file = "ingest.db",
                                      .what = "slice",
                                      .key = (int64_t)item->slice.lsn,
                                      .reason = why->text,
                                      .about = str_of(about),
                                      .data = item->slice.bytes};
    enum err_code code = quarantine_put(f->db->dir, &q, 1, e);

    if (code == ERR_OK) {
        item->slice.bytes.len = 0;
        atomic_fetch_add(&f->db->count.quarantined, 1);
        log_error(&flush_log, "a reading cannot be read, damaged.db has it: lsn %llu, %s: %s",
                  (unsigned long long)item->slice.lsn, about, why->text);
    }
    return code;
}

/* Readings of a block that could not be made; ERR_CORRUPT when each of them is well. */
static enum err_code set_bad_aside(struct flushing *f, struct span batch, struct err *e)
{
    struct err why = *e;
    size_t bad = 0;

    for (size_t i = 0; i < batch.count; i++) {
        struct head_item *item = &batch.items[i].head;
        arena_reset(&f->decode);
        if (item->slice.bytes.len &&
            quarantine_check_slice(item->slice.bytes, &f->decode, &why) == ERR_CORRUPT) {
            enum err_code code = set_aside(f, item, &why, e);
            if (code) {
                return code;
            }
            bad++;
        }
    }
    return bad ? ERR_OK : e->code;
}

/* A block that was made of loose slices, in the arenas. */
struct made {
    struct block_input in;
    struct block_packed packed;
    size_t used; /* slices that went; in.count of them are in it, perhaps none */
};

static enum err_code try_block(struct flushing *f, struct span batch, struct made *out,
                               struct err *e)
{
    *out = (struct made){.in = {.scratch = &f->scratch}};
    arena_reset(&f->decode);
    arena_reset(&f->build);
    arena_reset(&f->scratch);
    enum err_code code = gather(f, batch, &out->in, &out->used, e);
    return code || out->in.count == 0 ? code : block_build(&f->build, &out->in, &out->packed, e);
}

static enum err_code make_block(struct flushing *f, struct span batch, struct made *out,
                                struct err *e)
{
    enum err_code code = try_block(f, batch, out, e);

    if (code == ERR_CORRUPT) {
        code = set_bad_aside(f, batch, e);
        if (code == ERR_OK) {
            code = try_block(f, batch, out, e);
        }
    }
    return code;
}

/* End a transaction with blocks of the day; the last one, with `applied`, too. */
static enum err_code commit_blocks(struct flushing *f, struct err *e)
{
    enum err_code code = sqldb_commit(f->file, e);
    FAULT_POINT("tsdb.flush_day_written");
    return code;
}

static enum err_code commit_part(struct flushing *f, struct err *e)
{
    enum err_code code = commit_blocks(f, e);
    f->bytes = 0;
    return code ? code : sqldb_begin(f->file, e);
}

static enum err_code insert_block(struct flushing *f, const struct block_input *in,
                                  const struct block_packed *packed, struct err *e)
{
    const struct blocks_new n = {f->file, f->lsn, in, packed};
    enum err_code code = blocks_insert(&n, &f->bytes, e);

    return code == ERR_OK && f->bytes >= TRANSACTION_BYTES ? commit_part(f, e) : code;
}

/* A group of which nothing was folded. */
static enum err_code write_loose(struct flushing *f, struct span batch, struct err *e)
{
    enum err_code code = ERR_OK;
    struct made made;

    for (size_t at = 0; code == ERR_OK && at < batch.count; at += made.used) {
        code = make_block(f, (struct span){batch.items + at, batch.count - at}, &made, e);
        if (code == ERR_OK && made.in.count) {
            code = insert_block(f, &made.in, &made.packed, e);
        }
    }
    return code;
}

/* --- a group with pieces: they are merged with what is loose --- */

static struct merge_block of_piece(const struct head_piece *p)
{
    return (struct merge_block){.packed = &p->packed,
                                .order = p->lsn,
                                .t_min = p->t_min,
                                .t_max = p->t_max,
                                .slices = p->slices,
                                .rows = p->rows};
}

/* Keep a block of loose slices until its group is merged. */
static enum err_code keep_block(struct flushing *f, const struct made *made,
                                struct merge_block *out, struct err *e)
{
    const struct block_input *in = &made->in;
    struct block_packed *kept = arena_array(&f->keep, 1, sizeof(*kept));
    struct str *parts = arena_array(&f->keep, made->packed.part_count, sizeof(*parts));

    if (!kept || !parts) {
        return arena_fail(&f->keep, e);
    }
    for (size_t i = 0; i < made->packed.part_count; i++) {
        parts[i] = arena_str(&f->keep, made->packed.parts[i]);
    }
    *kept = (struct block_packed){arena_str(&f->keep, made->packed.head), made->packed.part_count,
                                  parts};
    out->packed = kept;
    out->t_min = in->slices[0].t_ms;
    out->t_max = in->slices[in->count - 1].t_ms;
    return arena_check(&f->keep, e);
}

static enum err_code keep_loose(struct flushing *f, struct span loose, struct merge_block *blocks,
                                size_t *count, struct err *e)
{
    enum err_code code = ERR_OK;
    struct made made;

    for (size_t at = 0; code == ERR_OK && at < loose.count; at += made.used) {
        code = make_block(f, (struct span){loose.items + at, loose.count - at}, &made, e);
        if (code == ERR_OK && made.in.count) {
            struct merge_block *b = &blocks[(*count)++];
            *b = (struct merge_block){.order = loose.items[at].head.slice.lsn};
            code = keep_block(f, &made, b, e);
        }
    }
    return code;
}

static enum err_code write_merged(struct flushing *f, const struct merge_block *blocks,
                                  size_t count, struct err *e)
{
    struct merge *m = merge_new(NULL, blocks, count);
    struct merge_result r;
    bool end = false;
    enum err_code code = ERR_OK;

    while (code == ERR_OK && (code = merge_next(m, &r, &end, e)) == ERR_OK && !end) {
        code = insert_block(f, &r.input, &r.packed, e);
    }
    merge_free(m);
    return code;
}

static enum err_code write_folded(struct flushing *f, struct span batch, struct err *e)
{
    size_t count = 0;

    arena_reset(&f->keep);
    struct merge_block *blocks = arena_array(&f->keep, batch.count, sizeof(*blocks));
    struct span loose = {arena_array(&f->keep, batch.count, sizeof(*loose.items)), 0};
    if (!blocks || !loose.items) {
        return arena_fail(&f->keep, e);
    }
    for (size_t i = 0; i < batch.count; i++) {
        const struct head_item *item = &batch.items[i].head;
        if (item->piece) {
            blocks[count++] = of_piece(item->piece);
        } else {
            loose.items[loose.count++] = batch.items[i];
        }
    }
    enum err_code code = keep_loose(f, loose, blocks, &count, e);
    return code ? code : write_merged(f, blocks, count, e);
}

static bool has_pieces(struct span batch)
{
    for (size_t i = 0; i < batch.count; i++) {
        if (batch.items[i].head.piece) {
            return true;
        }
    }
    return false;
}

/* All blocks of one file, in open transactions; the caller ends the last one. */
static enum err_code write_blocks(struct flushing *f, struct item *items, size_t count,
                                  struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t at = 0; code == ERR_OK && at < count;) {
        size_t end = at + 1;
        while (end < count && items[end].head.group == items[at].head.group) {
            end++;
        }
        struct span batch = {items + at, end - at};
        code = has_pieces(batch) ? write_folded(f, batch, e) : write_loose(f, batch, e);
        at = end;
    }
    return code;
}

static enum err_code mark_hour(struct flushing *f, int64_t hour, uint64_t group, struct err *e)
{
    return sqldb_run(f->file, "tsdb_dirty_put",
                     SQLDB_ARGS(sqldb_i64(hour), sqldb_i64((int64_t)group)), e);
}

static enum err_code mark_piece(struct flushing *f, const struct head_piece *p, struct err *e)
{
    enum err_code code = ERR_OK;

    for (int i = 0; code == ERR_OK && i < 32; i++) {
        if (p->hours >> i & 1) {
            code = mark_hour(f, p->hour + i, p->group, e);
        }
    }
    return code;
}

/* Mark the hours of these slices as not rolled up, in the transaction that makes them count. */
static enum err_code mark_hours(struct flushing *f, const struct item *items, size_t count,
                                struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        const struct head_item *now = &items[i].head;
        int64_t hour = tier_hour_of(now->slice.t_ms);
        if (now->piece) {
            code = mark_piece(f, now->piece, e);
        } else if (i == 0 || now->group != items[i - 1].head.group || items[i - 1].head.piece ||
                   hour != tier_hour_of(items[i - 1].head.slice.t_ms)) {
            code = mark_hour(f, hour, now->group, e);
        }
    }
    return code;
}

static enum err_code write_file(struct flushing *f, struct item *items, size_t count, struct err *e)
{
    enum err_code code = sqldb_begin(f->file, e);

    if (code) {
        return code;
    }
    f->bytes = 0;
    code = sqldb_run(f->file, "tsdb_day_drop_parts", SQLDB_NO_ARGS, e);
    if (code == ERR_OK) {
        code = sqldb_run(f->file, "tsdb_day_drop_blocks", SQLDB_NO_ARGS, e);
    }
    if (code == ERR_OK) {
        code = write_blocks(f, items, count, e);
    }
    if (code == ERR_OK) {
        code = mark_hours(f, items, count, e);
    }
    if (code == ERR_OK) {
        code = sqldb_run(f->file, "tsdb_day_set_applied", SQLDB_ARGS(sqldb_i64((int64_t)f->lsn)),
                         e);
    }
    if (code) {
        sqldb_rollback(f->file);
        return code;
    }
    FAULT_POINT("tsdb.flush_before_applied");
    code = commit_blocks(f, e);
    FAULT_POINT("tsdb.flush_after_applied");
    return code ? code : sqldb_checkpoint(f->file, e);
}

static enum err_code flush_file(struct flushing *f, struct item *items, size_t count, struct err *e)
{
    struct tsdb *db = f->db;
    struct day_file day;
    char path[PATH_MAX];

    lock_take(&db->state);
    (void)days_get(db, items[0].class, items[0].day, &day);
    lock_release(&db->state);
    days_path(db, &day, path, sizeof(path));
    enum err_code code = days_open(path, SQLDB_OWN_CHECKPOINT, &f->file, e);
    if (code == ERR_OK) {
        code = days_read_applied(f->file, &day.applied, e);
    }
    if (code == ERR_OK && day.applied < f->lsn) { /* else an earlier try of this flush did it */
        code = write_file(f, items, count, e);
    }
    if (code == ERR_OK) {
        code = days_read_state(f->file, &day, e);
    }
    sqldb_close(f->file);
    f->file = NULL;
    if (code) {
        return err_wrap(e, "%s", path);
    }
    lock_take(&db->state);
    days_put(db, &day);
    lock_release(&db->state);
    return ERR_OK;
}

/* Without those of deleted targets. */
static struct item *sorted_items(struct tsdb *db, struct head *h, struct arena *a, size_t *count)
{
    size_t all = 0;
    struct head_item *heads = head_items(h, a, &all);
    struct item *items = arena_array(a, all, sizeof(*items));

    *count = 0;
    lock_take(&db->state);
    for (size_t i = 0; items && heads && i < all; i++) {
        if (!drop_has(db, heads[i].group)) {
            items[(*count)++] = (struct item){days_class_of(heads[i].slice.every_ms),
                                              days_of_ms(heads[i].slice.t_ms), heads[i]};
        }
    }
    lock_release(&db->state);
    if (items && *count) {
        qsort(items, *count, sizeof(*items), compare_items);
    }
    return items;
}

enum err_code flush_head(struct tsdb *db, struct head *h, uint64_t lsn, struct err *e)
{
    struct flushing f = {.db = db, .lsn = lsn};
    struct arena list;
    size_t count = 0;

    arena_init(&list, "tsdb flush list", TSDB_ARENA_BYTES);
    arena_init(&f.decode, "tsdb flush slices", TSDB_ARENA_BYTES);
    arena_init(&f.build, "tsdb flush block", TSDB_ARENA_BYTES);
    arena_init(&f.scratch, "tsdb flush column", TSDB_ARENA_BYTES);
    arena_init(&f.keep, "tsdb flush group", TSDB_ARENA_BYTES);
    FAULT_POINT("tsdb.flush_begin");
    struct item *items = sorted_items(db, h, &list, &count);
    enum err_code code = arena_check(&list, e);
    for (size_t at = 0; code == ERR_OK && at < count;) {
        size_t end = at + 1;
        while (end < count && items[end].class == items[at].class &&
               items[end].day == items[at].day) {
            end++;
        }
        code = flush_file(&f, items + at, end - at, e);
        at = end;
    }
    arena_fini(&f.keep);
    arena_fini(&f.scratch);
    arena_fini(&f.build);
    arena_fini(&f.decode);
    arena_fini(&list);
    return code;
}

/* --- the thread --- */

/* Caller holds state. */
static bool flush_is_due(const struct tsdb *db)
{
    int64_t oldest = head_oldest_mono_us(db->active);

    if (db->frozen) {
        return true; /* an earlier try failed */
    }
    return db->flush_wanted || head_bytes(db->active) >= db->config.flush_bytes ||
           (atomic_load(&db->count.journal_bytes) >= db->config.journal_bytes &&
            db->linked_lsn > db->flushed_lsn) ||
           (oldest && clock_mono_us() - oldest >= db->config.flush_age_ms * 1000);
}

/* Freeze the head (or take the one that failed), write it, let go of it. */
static enum err_code flush_once(struct tsdb *db, struct err *e)
{
    lock_take(&db->state);
    db->flush_wanted = false;
    if (!db->frozen) {
        db->frozen = db->active;
        db->frozen_lsn = db->linked_lsn;
        db->frozen_wall_ms = clock_wall_ms();
        db->active = head_new();
    }
    int64_t wall_ms = db->frozen_wall_ms;
    struct head *h = db->frozen;
    uint64_t lsn = db->frozen_lsn;
    lock_release(&db->state);

    enum err_code code = head_count(h) ? flush_head(db, h, lsn, e) : ERR_OK;
    if (code) {
        atomic_fetch_add(&db->count.flush_errors, 1);
        return code;
    }
    rollup_allow(db, wall_ms); /* who waits for this flush can wait for its roll-ups then */
    lock_take(&db->state);
    db->frozen = NULL;
    db->flushed_lsn = lsn;
    bool last = head_unpin(h);
    cond_signal(&db->wake_writer);
    lock_release(&db->state);
    if (last) {
        head_free(h);
    }
    atomic_fetch_add(&db->count.flushes, 1);
    atomic_store(&db->count.last_flush_ms, clock_wall_ms());
    return ERR_OK;
}

static void look_at_space(struct tsdb *db)
{
    uint64_t free_bytes = 0;
    uint64_t size = 0;
    struct err e;

    if (file_space(db->dir, &free_bytes, &size, &e) == ERR_OK) {
        atomic_store(&db->count.free_bytes, free_bytes);
    } else {
        log_warn(&flush_log, "free space is not known: %s", e.text);
    }
    tsdb_measure_disk(db);
}

struct flusher {
    int64_t space_us, expire_us, retry_us, rollup_us;
    int64_t expire_day;
    int failures;
    struct compact *compact;
    struct retire *retire;
};

static void flusher_chores(struct tsdb *db, struct flusher *f)
{
    int64_t now = clock_mono_us();

    if (now >= f->space_us || atomic_exchange(&db->look_again, false)) {
        look_at_space(db);
        (void)retain_quota(db, clock_wall_ms(), 0);
        f->space_us = now + SPACE_US;
    }
    int64_t day = days_of_ms(clock_wall_ms());
    if (now >= f->expire_us || day != f->expire_day) {
        (void)retain_age(db, clock_wall_ms());
        (void)tier_expire(db, clock_wall_ms());
        f->expire_us = now + EXPIRE_US;
        f->expire_day = day;
    }
}

static void try_flush(struct tsdb *db, struct flusher *f)
{
    struct err e;

    err_clear(&e);
    enum err_code code = flush_once(db, &e);
    if (code == ERR_OK) {
        code = drop_purge(db, &e);
    }
    if (code) {
        log_error(&flush_log, "flush failed: %s", e.text);
        f->failures++;
        f->retry_us = clock_mono_us() + RETRY_US;
    } else {
        f->failures = 0;
    }
}

/* A step of the roll-ups; whether there is more to do at once. Flushes come first. */
static bool try_rollup(struct tsdb *db, struct flusher *f)
{
    struct err e;
    bool more = false;

    if (clock_mono_us() < f->rollup_us) {
        return false;
    }
    err_clear(&e);
    if (rollup_step(db, &more, &e)) {
        log_error(&flush_log, "%s", e.text);
        f->rollup_us = clock_mono_us() + RETRY_US;
        return false;
    }
    return more;
}

void tsdb_sqlite_run_flusher(struct tsdb *db)
{
    struct flusher f = {.compact = compact_new(db), .retire = retire_new(db)};
    bool over = false;
    bool more = true; /* to roll up or to compact; at start, perhaps */

    while (!over) {
        flusher_chores(db, &f);
        more |= head_fold_step(db);
        more |= try_rollup(db, &f);
        lock_take(&db->state);
        bool stopping = db->run != RUN_OPEN && db->queued == 0;
        bool due = flush_is_due(db) && clock_mono_us() >= f.retry_us;
        if (!due && !stopping && !more) {
            (void)cond_wait_until(&db->wake_flusher, &db->state, clock_mono_us() + LOOK_US);
            due = flush_is_due(db) && clock_mono_us() >= f.retry_us;
            stopping = db->run != RUN_OPEN && db->queued == 0;
        }
        over = stopping;
        bool fast = db->run == RUN_STOPPING_FAST;
        bool any = db->frozen || head_count(db->active) > 0 || db->linked_lsn > db->flushed_lsn;
        lock_release(&db->state);
        if (over ? any && !fast : due) {
            try_flush(db, &f);
            over = over && f.failures == 0; /* at stop: one more try, then the journal keeps it */
            over = over || (stopping && f.failures > 1);
        }
        more = !over && compact_step(f.compact);
        more |= !over && retire_step(f.retire);
    }
    retire_free(f.retire);
    compact_free(f.compact);
    lock_take(&db->state);
    db->flusher_over = true;
    cond_signal(&db->wake_writer);
    lock_release(&db->state);
}
