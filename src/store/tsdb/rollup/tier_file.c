/* SPDX-License-Identifier: PostgreSQL */
/*
 * tier_file.c: the blocks of roll-ups in files of months (SQLite): a place of tier_place.h, and
 * what the calls of rolled.h need of it.
 *
 * A reader lists the months that there are and opens what it needs; the flusher has the file that
 * it writes, in a transaction.
 */
#include "store/tsdb/rollup/tier.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

const struct tier_shape *tier_shape_of(struct catalog *c, const struct catalog_relation *r,
                                       struct arena *a)
{
    struct tier_shape *shape = arena_alloc(a, sizeof(*shape));

    lock_take(&c->lock);
    enum relation_kind *kinds = arena_array(a, r->column_count + 1, sizeof(*kinds));
    for (size_t i = 0; kinds && i < r->column_count; i++) {
        kinds[i] = r->columns[i]->kind;
    }
    if (shape) {
        *shape = (struct tier_shape){.column_count = r->column_count,
                                     .key_count = r->key_count,
                                     .kinds = kinds,
                                     .fact = r->shape == RELATION_FACT,
                                     .sparse = r->sparse};
    }
    lock_release(&c->lock);
    return kinds ? shape : NULL;
}

/* --- blocks --- */

static struct tier_files *files_of(struct tier_place *p)
{
    return (struct tier_files *)p;
}

static enum err_code list_in(struct tier_place *p, struct sqldb *file, int month,
                             struct tier_list *list, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    bool row = true;
    enum err_code code = sqldb_query(file, "tsdb_block_find",
                                     SQLDB_ARGS(sqldb_i64((int64_t)p->group),
                                                sqldb_i64(list->from_ms), sqldb_i64(list->to_ms),
                                                sqldb_i64(0)),
                                     &q, e);

    while (code == ERR_OK && (code = sqldb_step(q, &row, e)) == ERR_OK && row) {
        const struct tier_block block = {month, sqldb_get_i64(q, 0), 0};
        if (!tier_list_add(list, block)) {
            break;
        }
    }
    sqldb_end(q);
    return code ? code : arena_check(list->arena, e);
}

static int compare_months(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Months of a tier that the range may be in; the caller frees them. */
static int *list_months(struct tsdb *db, enum tsdb_tier tier, int64_t from_ms, int64_t to_ms,
                        size_t *count)
{
    int first = tier_month_of_hour(tier_hour_of(from_ms));
    int last = tier_month_of_hour(tier_hour_of(to_ms));

    *count = 0;
    lock_take(&db->state);
    int *months = alloc_array(db->tier_count + 1, sizeof(*months));
    for (size_t i = 0; i < db->tier_count; i++) {
        const struct tier_file *f = &db->tiers[i];
        if (f->tier == tier && f->month >= first && f->month <= last) {
            months[(*count)++] = f->month;
        }
    }
    lock_release(&db->state);
    qsort(months, *count, sizeof(*months), compare_months);
    return months;
}

static enum err_code list(struct tier_place *p, struct tier_list *out, struct err *e)
{
    struct tier_files *f = files_of(p);
    enum err_code code = ERR_OK;
    size_t count = 0;

    if (f->file) {
        return list_in(p, f->file, 0, out, e);
    }
    int *months = list_months(f->reader->db, p->tier, out->from_ms, out->to_ms, &count);
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        struct sqldb *file = NULL;
        code = reader_tier(f->reader, p->tier, months[i], &file, e);
        if (code == ERR_OK && file) {
            code = list_in(p, file, months[i], out, e);
        }
    }
    alloc_free(months);
    return code;
}

/* The file of a block; one that retention took meanwhile is not found. */
static enum err_code file_of(struct tier_place *p, const struct tier_block *b, struct sqldb **out,
                             struct err *e)
{
    struct tier_files *f = files_of(p);
    enum err_code code = ERR_OK;

    *out = f->file;
    if (!*out) {
        code = reader_tier(f->reader, p->tier, (int)b->stretch, out, e);
    }
    return code || *out ? code : err_set(e, ERR_NOT_FOUND, "roll-ups were removed");
}

static enum err_code head(struct tier_place *p, const struct tier_block *b, struct arena *a,
                          struct str *out, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    struct sqldb *file = NULL;
    enum err_code code = file_of(p, b, &file, e);

    code = code ? code : sqldb_row(file, "tsdb_block_head", SQLDB_ARGS(sqldb_i64(b->id)), &q, e);
    if (code == ERR_OK) {
        *out = arena_str(a, sqldb_get_blob(q, 0));
    }
    sqldb_end(q);
    return code ? code : arena_check(a, e);
}

static enum err_code part(struct tier_place *p, const struct tier_block *b, struct arena *a,
                          struct str *out, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    struct sqldb *file = NULL;
    enum err_code code = file_of(p, b, &file, e);

    if (code == ERR_OK) {
        code = sqldb_row(file, "tsdb_part_get",
                         SQLDB_ARGS(sqldb_i64(b->id * BLOCK_PARTS_MAX + b->part)), &q, e);
    }
    if (code == ERR_NOT_FOUND) {
        code = err_set(e, ERR_CORRUPT, "block %lld is cut", (long long)b->id);
    } else if (code == ERR_OK) {
        code = block_unpack_part(sqldb_get_blob(q, 0), a, out, e);
    }
    sqldb_end(q);
    return code;
}

static enum err_code remove_block(struct tier_place *p, const struct tier_block *b, struct err *e)
{
    struct sqldb *file = files_of(p)->file;
    struct sqldb_value id = sqldb_i64(b->id);
    enum err_code code = sqldb_run(file, "tsdb_tier_part_delete", SQLDB_ARGS(id), e);

    return code ? code : sqldb_run(file, "tsdb_tier_block_delete", SQLDB_ARGS(id), e);
}

static enum err_code insert_block(struct sqldb *file, const struct block_input *in, struct str head,
                                  int64_t *id, struct err *e)
{
    const struct codec_slice *first = &in->slices[0];
    const struct codec_slice *last = &in->slices[in->count - 1];
    struct sqldb_stmt *s = NULL;
    size_t rows = 0;

    for (size_t i = 0; i < in->count; i++) {
        rows += in->slices[i].row_count;
    }
    enum err_code code = sqldb_row(
        file, "tsdb_block_insert",
        SQLDB_ARGS(sqldb_i64((int64_t)first->group), sqldb_i64(0), sqldb_i64(first->t_ms),
                   sqldb_i64(last->t_ms), sqldb_i64(last->every_ms), sqldb_i64(last->flags),
                   last->reason.len ? sqldb_text(last->reason) : sqldb_null(),
                   sqldb_i64((int64_t)in->count), sqldb_i64((int64_t)rows),
                   sqldb_blob(head.ptr, head.len)),
        &s, e);
    if (code == ERR_OK) {
        *id = sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code;
}

/* The file gives the number of the block. */
static enum err_code insert(struct tier_place *p, const struct tier_block *b,
                            const struct block_input *in, const struct block_packed *packed,
                            struct err *e)
{
    struct sqldb *file = files_of(p)->file;
    int64_t id = 0;
    enum err_code code = insert_block(file, in, packed->head, &id, e);

    (void)b;
    for (size_t i = 0; code == ERR_OK && i < packed->part_count; i++) {
        code = sqldb_run(file, "tsdb_part_insert",
                         SQLDB_ARGS(sqldb_i64(id * BLOCK_PARTS_MAX + (int64_t)i),
                                    sqldb_blob(packed->parts[i].ptr, packed->parts[i].len)),
                         e);
    }
    return code;
}

static const struct tier_place_ops file_ops = {
    .list = list, .head = head, .part = part, .remove = remove_block, .insert = insert};

struct tier_files tier_files_of(struct tsdb_reader *r, enum tsdb_tier tier, uint64_t group)
{
    return (struct tier_files){.place = {.ops = &file_ops, .tier = tier, .group = group},
                               .reader = r};
}

/* --- the public form --- */

static struct catalog_group *find_group(struct catalog *c, const struct catalog_relation *relation,
                                        const struct uuid *target, struct str scope)
{
    const struct catalog_group_key key = {.relation = relation, .target = *target, .scope = scope};
    return catalog_find_group(c, &key);
}

/* The ids of the columns that are wanted; NULL = the arena is full. */
static uint32_t *want_columns(struct catalog *c, struct catalog_relation *relation,
                              const struct tsdb_tier_spec *spec, struct arena *a)
{
    uint32_t *ids = arena_array(a, spec->column_count + 1, sizeof(*ids));

    for (size_t i = 0; ids && spec->columns && i < spec->column_count; i++) {
        const struct catalog_column *column = catalog_find_column(c, relation, spec->columns[i]);
        ids[i] = column ? column->id : UINT32_MAX;
    }
    return ids;
}

enum err_code tsdb_sqlite_tier_scan(struct tsdb_reader *r, const struct tsdb_tier_spec *spec,
                                    tsdb_bucket_visit *visit, void *arg, struct err *e)
{
    struct catalog *c = r->db->catalog;
    struct catalog_relation *relation = catalog_find_relation(c, spec->relation);
    struct arena a;

    if (!relation) {
        return err_set(e, ERR_NOT_FOUND, "no relation %.*s", STR_ARG(spec->relation));
    }
    struct catalog_group *group = find_group(c, relation, &spec->target, spec->scope);
    if (!group) {
        return ERR_OK;
    }
    struct tier_files files = tier_files_of(r, spec->tier, group->id);
    arena_init(&a, "tsdb tier columns", TSDB_ARENA_BYTES);
    const uint32_t *ids = want_columns(c, relation, spec, &a);
    const struct tier_range q = {.place = &files.place,
                                 .shape = tier_shape_of(c, relation, &a),
                                 .scope = group->scope,
                                 .from_ms = spec->from_ms,
                                 .to_ms = spec->to_ms,
                                 .columns = spec->columns ? ids : NULL,
                                 .column_count = spec->column_count,
                                 .watermark_ms = r->tier_watermark[spec->tier],
                                 .deadline_mono_us = spec->deadline_mono_us};
    enum err_code code = ids && q.shape ? tier_scan(&q, visit, arg, e) : arena_fail(&a, e);
    arena_fini(&a);
    return code;
}

/* --- what there is of a group --- */

static int64_t find_raw(struct tsdb *db, int64_t every_ms)
{
    enum day_class class = days_class_of(every_ms);
    int64_t oldest = INT64_MAX;

    lock_take(&db->state);
    for (size_t i = 0; i < db->day_count; i++) {
        if (db->days[i].class == class && db->days[i].day < oldest) {
            oldest = db->days[i].day;
        }
    }
    lock_release(&db->state);
    int64_t raw_day = atomic_load(&db->raw_day[class]); /* late readings may stand before it */
    oldest = oldest == INT64_MAX || oldest > raw_day ? oldest : raw_day;
    return oldest == INT64_MAX ? INT64_MIN : oldest * TSDB_DAY_MS;
}

static enum err_code widen(struct sqldb *file, uint64_t group, const struct tsdb_plan_spec *spec,
                           struct tier_cover *c, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(
        file, "tsdb_tier_extent",
        SQLDB_ARGS(sqldb_i64((int64_t)group), sqldb_i64(spec->from_ms), sqldb_i64(spec->to_ms)), &s,
        e);

    if (code == ERR_OK && !sqldb_is_null(s, 0) && !sqldb_is_null(s, 1)) {
        tier_cover_widen(c, sqldb_get_i64(s, 0), sqldb_get_i64(s, 1));
    }
    sqldb_end(s);
    return code;
}

static enum err_code find_tier(struct tsdb_reader *r, const struct tsdb_plan_spec *spec,
                               const struct tier_place *p, struct tier_cover *c, struct err *e)
{
    size_t count = 0;
    int *months = list_months(r->db, p->tier, spec->from_ms, spec->to_ms, &count);
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        struct sqldb *file = NULL;
        code = reader_tier(r, p->tier, months[i], &file, e);
        if (code == ERR_OK && file) {
            code = widen(file, p->group, spec, c, e);
        }
    }
    alloc_free(months);
    int64_t watermark = r->tier_watermark[p->tier];
    c->to_ms = c->to_ms < watermark ? c->to_ms : watermark;
    return code;
}

enum err_code tsdb_sqlite_tier_plan(struct tsdb_reader *r, const struct tsdb_plan_spec *spec,
                                    struct tsdb_plan *out, struct err *e)
{
    struct catalog *c = r->db->catalog;
    struct catalog_relation *relation = catalog_find_relation(c, spec->relation);
    struct catalog_group *group = relation ? find_group(c, relation, &spec->target, spec->scope)
                                           : NULL;
    struct tier_known known = {.raw_from_ms = INT64_MIN};
    enum err_code code = ERR_OK;

    if (!group || r->tier_watermark[TSDB_TIER_1H] == 0) {
        tier_plan_make(spec, &known, out);
        return ERR_OK;
    }
    lock_take(&c->lock);
    int64_t every_ms = group->last_every_ms;
    lock_release(&c->lock);
    known.raw_from_ms = find_raw(r->db, every_ms);
    for (int t = 0; code == ERR_OK && t < TSDB_TIERS; t++) {
        const struct tier_place p = {.tier = (enum tsdb_tier)t, .group = group->id};
        code = find_tier(r, spec, &p, &known.tiers[t], e);
    }
    if (code == ERR_OK) {
        tier_plan_make(spec, &known, out);
    }
    return code;
}
