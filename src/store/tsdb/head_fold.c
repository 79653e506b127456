/* SPDX-License-Identifier: PostgreSQL */
/*
 * head_fold.c: closed bundles of the head become pieces.
 *
 * The slices of a bundle are sorted by day file and time; each file's are one piece, or more when
 * facts and objects alternate. Of equal times the first acknowledged counts, as everywhere.
 */
#include "store/tsdb/head_fold.h"

#include "store/tsdb/read/reader.h"
#include "store/tsdb/rollup/tier.h"

#include "base/log.h"
#include "os/clock.h"

#include <stdlib.h>
#include <string.h>

#define STEP_US 50000

static const struct log_ctx fold_log = {.component = "tsdb"};

struct folding {
    struct arena decode;  /* slices of one bundle */
    struct arena build;   /* the pieces made of them */
    struct arena scratch; /* one column */
    struct head_piece pieces[HEAD_BUNDLE_SLICES];
    size_t count;
};

/* Slices of a bundle, sorted, and how many of them are left. */
struct rest {
    const struct head_slice *slices;
    size_t count;
};

static int compare(int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

static int compare_slices(const void *a, const void *b)
{
    const struct head_slice *x = a;
    const struct head_slice *y = b;
    int c = compare(days_class_of(x->every_ms), days_class_of(y->every_ms));

    c = c ? c : compare(days_of_ms(x->t_ms), days_of_ms(y->t_ms));
    c = c ? c : compare(x->t_ms, y->t_ms);
    return c ? c : (x->lsn > y->lsn) - (x->lsn < y->lsn);
}

static bool same_file(const struct head_slice *a, const struct head_slice *b)
{
    return days_class_of(a->every_ms) == days_class_of(b->every_ms) &&
           days_of_ms(a->t_ms) == days_of_ms(b->t_ms);
}

/* What a piece says of its slices; `from` are those that went into it, and equal times. */
static void describe(struct head_piece *p, const struct block_input *in, struct rest from)
{
    p->group = in->slices[0].group;
    p->lsn = p->lsn_max = from.slices[0].lsn;
    p->t_min = in->slices[0].t_ms;
    p->t_max = in->slices[in->count - 1].t_ms;
    p->every_ms = in->slices[0].every_ms;
    p->hour = tier_hour_of(p->t_min);
    p->hours = p->rows = 0;
    p->slices = (uint32_t)in->count;
    for (size_t i = 0; i < in->count; i++) {
        p->hours |= 1u << (tier_hour_of(in->slices[i].t_ms) - p->hour); /* of one day: < 25 */
        p->rows += (uint32_t)in->slices[i].row_count;
    }
    for (size_t i = 1; i < from.count; i++) {
        p->lsn = from.slices[i].lsn < p->lsn ? from.slices[i].lsn : p->lsn;
        p->lsn_max = from.slices[i].lsn > p->lsn_max ? from.slices[i].lsn : p->lsn_max;
    }
}

/* The slices of the next piece: of one file and shape, equal times once. *used of `rest` went. */
static enum err_code gather(struct folding *f, struct rest rest, struct block_input *in,
                            size_t *used, struct err *e)
{
    struct codec_slice *slices = arena_array(&f->decode, rest.count, sizeof(*slices));
    size_t i = 0;

    in->slices = slices;
    for (; slices && i < rest.count && same_file(&rest.slices[0], &rest.slices[i]); i++) {
        struct codec_slice *s = &slices[in->count];
        enum err_code code = codec_get_slice(rest.slices[i].bytes, &f->decode, s, e);
        if (code) {
            return code;
        }
        if (in->count && s->t_ms == s[-1].t_ms) {
            continue;
        }
        if (in->count && s->fact != slices[0].fact) {
            break;
        }
        in->count++;
    }
    *used = i;
    return arena_check(&f->decode, e);
}

static enum err_code fold_bundle(struct folding *f, const struct head_bundle *b, struct err *e)
{
    struct head_slice sorted[HEAD_BUNDLE_SLICES];
    enum err_code code = ERR_OK;

    arena_reset(&f->decode);
    arena_reset(&f->build);
    f->count = 0;
    memcpy(sorted, b->slices, b->count * sizeof(*sorted));
    qsort(sorted, b->count, sizeof(*sorted), compare_slices);
    for (size_t at = 0; code == ERR_OK && at < b->count;) {
        struct block_input in = {.scratch = &f->scratch};
        struct rest rest = {sorted + at, b->count - at};
        struct head_piece *p = &f->pieces[f->count++];
        arena_reset(&f->scratch);
        code = gather(f, rest, &in, &rest.count, e);
        code = code ? code : block_build(&f->build, &in, &p->packed, e);
        if (code == ERR_OK) {
            describe(p, &in, rest);
        }
        at += rest.count;
    }
    return code;
}

/* Every reader may see the slices up to here. Caller holds state. */
static uint64_t seen_by_all(const struct tsdb *db)
{
    uint64_t lsn = db->linked_lsn;

    for (size_t i = 0; i < db->reader_count; i++) {
        if (db->readers[i]->borrowed && db->readers[i]->lsn < lsn) {
            lsn = db->readers[i]->lsn;
        }
    }
    return lsn;
}

bool head_fold_is_due(const struct tsdb *db)
{
    return head_loose_bytes(db->active) > db->config.fold_bytes && head_fold_waits(db->active);
}

/* Fold the next bundle; false = none is due. */
static bool fold_next(struct tsdb *db, struct folding *f)
{
    struct head_bundle *b = NULL;
    struct err e;

    lock_take(&db->state);
    struct head *h = db->active; /* it stays that: the flusher alone freezes it */
    if (head_fold_is_due(db)) {
        b = head_fold_take(h, seen_by_all(db));
    }
    lock_release(&db->state);
    if (!b) {
        return false;
    }
    err_clear(&e);
    enum err_code code = fold_bundle(f, b, &e);
    if (code) {
        log_debug(&fold_log, "group %llu is not folded: %s", (unsigned long long)b->group, e.text);
    }
    lock_take(&db->state);
    if (code) {
        head_fold_refuse(b);
    } else {
        head_fold_put(h, b, f->pieces, f->count);
        atomic_fetch_add(&db->count.folds, 1);
    }
    lock_release(&db->state);
    return true;
}

bool head_fold_step(struct tsdb *db)
{
    struct folding f;
    int64_t until = clock_mono_us() + STEP_US;
    bool more = true;

    lock_take(&db->state);
    bool due = head_fold_is_due(db);
    lock_release(&db->state);
    if (!due) {
        return false;
    }
    arena_init(&f.decode, "tsdb fold slices", TSDB_ARENA_BYTES);
    arena_init(&f.build, "tsdb fold block", TSDB_ARENA_BYTES);
    arena_init(&f.scratch, "tsdb fold column", TSDB_ARENA_BYTES);
    while (more && clock_mono_us() < until) {
        more = fold_next(db, &f);
    }
    arena_fini(&f.scratch);
    arena_fini(&f.build);
    arena_fini(&f.decode);
    return more;
}
