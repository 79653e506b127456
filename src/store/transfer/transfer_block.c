/* SPDX-License-Identifier: PostgreSQL */
/*
 * transfer_block.c: the blocks of roll-ups of a store, as the bytes that they are.
 *
 * Both kinds of stores code them alike, and cut them at the same windows of hours. A file of
 * SQLite does not say which number a block has in its window: it is counted.
 * A block that does not decode is left out, and said.
 */
#include "store/transfer/transfer_part.h"

#include "base/alloc.h"
#include "store/tsdb/rollup/tier.h"
#include "store/tsdb/rollup/tier_write.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>

#define PAGE_PARTS  200
#define BLOCK_ARENA ((size_t)512 * 1024 * 1024)

/* --- which months there are --- */

static int compare_months(const void *a, const void *b)
{
    const struct transfer_month *x = a;
    const struct transfer_month *y = b;

    return x->tier != y->tier ? (int)x->tier - (int)y->tier : x->month - y->month;
}

static enum err_code list_partitions(struct sqldb *db, struct transfer_month **out, size_t *count,
                                     struct err *e)
{
    enum err_code code = ERR_OK;

    for (int tier = 0; code == ERR_OK && tier < TSDB_TIERS; tier++) {
        struct sqldb_stmt *s = NULL;
        bool row = true;
        code = sqldb_query(db, "tsdb_month_list", SQLDB_ARGS(sqldb_i64(tier)), &s, e);
        while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
            *out = alloc_resize(*out, (*count + 1) * sizeof(**out));
            (*out)[(*count)++] = (struct transfer_month){(enum tsdb_tier)tier,
                                                         (int)sqldb_get_i64(s, 0)};
        }
        sqldb_end(s);
    }
    return code;
}

enum err_code transfer_months(const struct transfer_side *side, struct transfer_month **out,
                              size_t *count, struct err *e)
{
    const struct tsdb *db = side->series;

    *count = 0;
    *out = NULL;
    if (side->pg) {
        return list_partitions(side->control, out, count, e);
    }
    *out = alloc_array(db->tier_count + 1, sizeof(**out));
    for (; *count < db->tier_count; ++*count) {
        (*out)[*count] = (struct transfer_month){db->tiers[*count].tier, db->tiers[*count].month};
    }
    qsort(*out, *count, sizeof(**out), compare_months);
    return ERR_OK;
}

/* --- a block --- */

struct reading {
    const struct transfer_blocks *r;
    const struct transfer_month *month;
    struct transfer_block block; /* that is being read */
    struct str parts[BLOCK_PARTS_MAX];
    struct arena bytes;   /* of the block */
    struct arena scratch; /* of what it decodes to */
    bool any, failed;     /* there is a block; the visitor failed */
};

static void say(const struct reading *d, const char *why)
{
    const struct transfer_month *m = d->month;

    if (d->r->says_losses) {
        transfer_lose(d->r->t, "roll-ups of %s, group %" PRIu64 ", of %04d-%02d cannot be read: %s",
                      m->tier == TSDB_TIER_5M ? "5 minutes" : "an hour", d->block.group,
                      m->month / 12, m->month % 12 + 1, why);
    }
}

static enum err_code decode(struct reading *d, struct block_view *view, struct err *e)
{
    const struct transfer_block *b = &d->block;
    struct str part;
    enum err_code code = block_open(b->head, &d->scratch, view, e);

    if (code == ERR_OK &&
        (view->group != b->group || view->part_count != b->part_count || view->slice_count == 0)) {
        code = err_set(e, ERR_CORRUPT, "a block is cut, or of another group");
    }
    for (size_t i = 0; code == ERR_OK && i < b->part_count; i++) {
        struct arena one;
        arena_init(&one, "copied part", 2 * (size_t)BLOCK_PART_MAX);
        code = block_unpack_part(b->parts[i], &one, &part, e);
        arena_fini(&one);
    }
    return code;
}

/* The block that was read goes to the visitor. */
static enum err_code end_block(struct reading *d, struct err *e)
{
    struct catalog *c = d->r->side->series->catalog;
    const struct catalog_group *g = catalog_group_by_id(c, d->block.group);
    struct block_view view;
    struct err why = {0};

    if (!d->any || !g || atomic_load(&g->dropped)) {
        return ERR_OK;
    }
    enum err_code code = arena_check(&d->bytes, &why);
    arena_reset(&d->scratch);
    code = code ? code : decode(d, &view, &why);
    if (code == ERR_CORRUPT) {
        say(d, why.text);
        return ERR_OK;
    }
    if (code) {
        *e = why;
        return code;
    }
    d->block.view = &view;
    code = d->r->visit(d->r->arg, &d->block, e);
    d->failed = code != ERR_OK;
    return code;
}

static void begin_block(struct reading *d, struct transfer_block b, struct str head)
{
    arena_reset(&d->bytes);
    d->block = b;
    d->block.tier = d->month->tier;
    d->block.parts = d->parts;
    d->block.head = arena_str(&d->bytes, head);
    d->any = true;
}

static void add_part(struct reading *d, struct str bytes)
{
    if (d->block.part_count < BLOCK_PARTS_MAX) {
        d->parts[d->block.part_count++] = arena_str(&d->bytes, bytes);
    }
}

/* --- PostgreSQL --- */

struct place {
    int64_t group, hour, id, part;
};

static enum err_code take_row(struct reading *d, struct sqldb_stmt *s, struct place *at,
                              struct err *e)
{
    enum err_code code = ERR_OK;

    *at = (struct place){sqldb_get_i64(s, 0), sqldb_get_i64(s, 1), sqldb_get_i64(s, 2),
                         sqldb_get_i64(s, 3)};
    struct str data = sqldb_get_blob(s, 4);
    bool same = d->any && d->block.group == (uint64_t)at->group && d->block.hour == at->hour &&
                d->block.id == at->id;
    if (same && at->part == (int64_t)d->block.part_count + 1) {
        add_part(d, data);
    } else if (!same) {
        code = end_block(d, e);
        begin_block(
            d,
            (struct transfer_block){.group = (uint64_t)at->group, .hour = at->hour, .id = at->id},
            at->part == 0 ? data : (struct str){"", 0});
    }
    return code;
}

static enum err_code read_pg(struct reading *d, struct err *e)
{
    struct place at = {-1, 0, 0, 0};
    int64_t first = 0;
    int64_t end = 0;
    size_t rows = PAGE_PARTS;
    enum err_code code = ERR_OK;

    if (!tier_month_start(d->month->month, &first) ||
        !tier_month_start(d->month->month + 1, &end)) {
        return err_set(e, ERR_CORRUPT, "roll-ups of month %d", d->month->month);
    }
    while (code == ERR_OK && rows == PAGE_PARTS) {
        struct sqldb_stmt *s = NULL;
        bool row = true;
        rows = 0;
        code = sqldb_query(d->r->side->control, "transfer_tier_page",
                           SQLDB_ARGS(sqldb_i64(d->month->tier), sqldb_i64(first / TIER_HOUR_MS),
                                      sqldb_i64(end / TIER_HOUR_MS), sqldb_i64(at.group),
                                      sqldb_i64(at.hour), sqldb_i64(at.id), sqldb_i64(at.part),
                                      sqldb_i64(PAGE_PARTS)),
                           &s, e);
        while (code == ERR_OK && rows < PAGE_PARTS && (code = sqldb_step(s, &row, e)) == ERR_OK &&
               row) {
            code = take_row(d, s, &at, e);
            rows++;
        }
        sqldb_end(s);
    }
    return code ? code : end_block(d, e);
}

/* --- SQLite --- */

static enum err_code read_parts(struct reading *d, struct sqldb *file, int64_t id, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(file, "tsdb_part_list", SQLDB_ARGS(sqldb_i64(id)), &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        if (sqldb_get_i64(s, 0) == (int64_t)d->block.part_count) {
            add_part(d, sqldb_get_blob(s, 1));
        }
    }
    sqldb_end(s);
    return code;
}

static enum err_code read_blocks(struct reading *d, struct sqldb *file, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(file, "transfer_tier_list", SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        struct transfer_block b = {
            .group = (uint64_t)sqldb_get_i64(s, 1),
            .hour = tier_window_first(d->month->tier, tier_hour_of(sqldb_get_i64(s, 2)))};
        bool same = d->any && d->block.group == b.group && d->block.hour == b.hour;
        b.id = same ? d->block.id + 1 : 0;
        begin_block(d, b, sqldb_get_blob(s, 3));
        code = read_parts(d, file, sqldb_get_i64(s, 0), e);
        code = code ? code : end_block(d, e);
    }
    sqldb_end(s);
    return code;
}

static enum err_code read_lite(struct reading *d, struct err *e)
{
    struct sqldb *file = NULL;
    char path[PATH_MAX];

    tier_path(d->r->side->series, d->month->tier, d->month->month, path, sizeof(path));
    enum err_code code = tier_open(path, SQLDB_READ_ONLY, &file, e);
    code = code ? code : read_blocks(d, file, e);
    sqldb_close(file);
    if (code == ERR_CORRUPT && !d->failed) { /* what is behind it is not known */
        say(d, e->text);
        code = ERR_OK;
    }
    return code;
}

enum err_code transfer_read_month(const struct transfer_blocks *r, const struct transfer_month *m,
                                  struct err *e)
{
    struct reading *d = alloc_new(sizeof(*d));

    d->r = r;
    d->month = m;
    arena_init(&d->bytes, "copied block", BLOCK_ARENA);
    arena_init(&d->scratch, "copied roll-ups", BLOCK_ARENA);
    enum err_code code = r->side->pg ? read_pg(d, e) : read_lite(d, e);
    arena_fini(&d->scratch);
    arena_fini(&d->bytes);
    alloc_free(d);
    return code;
}
