/* SPDX-License-Identifier: PostgreSQL */
/*
 * tier_scan.c: visits the buckets of a group in time order.
 *
 * Blocks of a group do not overlap: one is open at a time. What the streams leave out (a minimum
 * that is the last value) is filled in for the whole block, then each slice is a view of it.
 */
#include "store/tsdb/block.h"
#include "store/tsdb/tier.h"

#include "base/alloc.h"
#include "os/clock.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_ARENA (512UL * 1024 * 1024)

/* A column over a whole block. */
struct column {
    struct cell *cells[TIER_STREAMS];
    bool *broken, *no_rise;
};

struct scan {
    struct tsdb_reader *reader;
    const struct tier_range *q;
    tier_visit *visit;
    void *arg;
    struct sqldb *file;
    size_t column_count, key_count;
    struct arena list;  /* of the scan */
    struct arena arena; /* of the open block */
    int64_t block;
    struct block_view view;
    struct str *parts;
    struct column *columns;
    struct cell *readings;
    int64_t *row_t_ms, *born_ms;
    bool *ended;
    struct str **keys;
    bool found; /* of `last` */
};

/* --- streams --- */

static enum err_code load_part(struct scan *s, uint32_t part, struct err *e)
{
    struct sqldb_stmt *q = NULL;

    if (s->parts[part].ptr) {
        return ERR_OK;
    }
    enum err_code code = sqldb_row(s->file, "tsdb_part_get",
                                   SQLDB_ARGS(sqldb_i64(s->block * BLOCK_PARTS_MAX + part)), &q, e);
    if (code == ERR_NOT_FOUND) {
        code = err_set(e, ERR_CORRUPT, "block %lld is cut", (long long)s->block);
    } else if (code == ERR_OK) {
        code = block_unpack_part(sqldb_get_blob(q, 0), &s->arena, &s->parts[part], e);
    }
    sqldb_end(q);
    return code;
}

static enum err_code load_stream(struct scan *s, enum block_kind kind, uint32_t id,
                                 struct cell **cells, struct err *e)
{
    const struct block_stream *stream = block_find(&s->view, kind, id);
    struct str bytes;

    if (!stream) {
        *cells = arena_array(&s->arena, s->view.row_total, sizeof(**cells)); /* all NULL */
        return arena_check(&s->arena, e);
    }
    enum err_code code = load_part(s, stream->part, e);
    if (code == ERR_OK) {
        code = block_stream_bytes(stream, s->parts[stream->part], &bytes, e);
    }
    return code ? code : block_cells(&s->view, bytes, &s->arena, cells, e);
}

/* --- what the streams leave out --- */

static struct cell times(struct cell last, struct cell count)
{
    int64_t exact = 0;

    if (last.tag == CELL_I64 && !__builtin_mul_overflow(last.i64, count.i64, &exact)) {
        return cell_i64(exact);
    }
    return last.tag == CELL_NULL ? last : cell_f64(cell_to_f64(last) * (double)count.i64);
}

static void fill(struct cell *at, struct cell v)
{
    if (at->tag == CELL_NULL) {
        *at = v;
    }
}

/* Which numbers a row of a column has, by what it was written with. */
static void fill_row(const struct scan *s, struct column *c, enum relation_kind kind, size_t i)
{
    struct cell *last = &c->cells[TIER_LAST][i];
    struct cell *sum = &c->cells[TIER_SUM][i];
    bool level = kind == RELATION_GAUGE && last->tag != CELL_NULL;

    const struct cell *state = &c->cells[TIER_STATE][i];
    c->broken[i] = state->tag == CELL_I64 && state->i64 & TIER_BROKEN;
    c->no_rise[i] = state->tag == CELL_I64 && state->i64 & TIER_NO_RISE;
    if (level || sum->tag != CELL_NULL) {
        fill(&c->cells[TIER_COUNT][i], s->readings[i]);
    }
    if (level) {
        fill(&c->cells[TIER_MIN][i], *last);
        fill(&c->cells[TIER_MAX][i], *last);
        fill(sum, times(*last, c->cells[TIER_COUNT][i]));
    } else if (sum->tag != CELL_NULL) {
        fill(&c->cells[TIER_MAX][i], *sum);
    }
}

static enum relation_kind kind_of(const struct scan *s, uint32_t id)
{
    struct catalog *c = s->reader->db->catalog;
    const struct catalog_relation *r = s->q->group->relation;

    lock_take(&c->lock);
    enum relation_kind kind = id < r->column_count ? r->columns[id]->kind : RELATION_GAUGE;
    lock_release(&c->lock);
    return kind;
}

static enum err_code load_column(struct scan *s, size_t at, struct err *e)
{
    uint32_t id = s->q->columns ? s->q->columns[at] : (uint32_t)at;
    struct column *c = &s->columns[at];
    enum err_code code = ERR_OK;

    for (uint32_t what = 0; code == ERR_OK && what < TIER_STREAMS; what++) {
        uint32_t stream = id == UINT32_MAX ? id : TIER_STREAM(id, what);
        code = load_stream(s, BLOCK_COLUMN, stream, &c->cells[what], e);
    }
    c->broken = arena_array(&s->arena, s->view.row_total, sizeof(*c->broken));
    c->no_rise = arena_array(&s->arena, s->view.row_total, sizeof(*c->no_rise));
    if (code == ERR_OK) {
        code = arena_check(&s->arena, e);
    }
    if (code) {
        return code;
    }
    enum relation_kind kind = kind_of(s, id);
    for (size_t i = 0; i < s->view.row_total; i++) {
        fill_row(s, c, kind, i);
    }
    return ERR_OK;
}

static void spread_rows(struct scan *s, const struct cell *age, const struct cell *born,
                        const struct cell *ended)
{
    for (size_t at = 0; at < s->view.slice_count; at++) {
        int64_t t = s->view.slices[at].t_ms;
        for (size_t i = s->view.row_start[at]; i < s->view.row_start[at + 1]; i++) {
            s->row_t_ms[i] = age[i].tag == CELL_I64 ? t - age[i].i64 : t;
            s->born_ms[i] = born[i].tag == CELL_I64 ? t - born[i].i64 : 0;
            s->ended[i] = ended[i].tag != CELL_NULL;
        }
    }
}

static enum err_code load_rows(struct scan *s, struct err *e)
{
    struct cell *streams[TIER_ENDED + 1] = {NULL};
    size_t n = s->view.row_total;
    enum err_code code = ERR_OK;

    for (uint32_t i = TIER_READINGS; code == ERR_OK && i <= TIER_ENDED; i++) {
        code = load_stream(s, BLOCK_COLUMN, i, &streams[i], e);
    }
    s->readings = streams[TIER_READINGS];
    s->row_t_ms = arena_array(&s->arena, n, sizeof(*s->row_t_ms));
    s->born_ms = arena_array(&s->arena, n, sizeof(*s->born_ms));
    s->ended = arena_array(&s->arena, n, sizeof(*s->ended));
    if (code == ERR_OK) {
        code = arena_check(&s->arena, e);
    }
    if (code == ERR_OK) {
        for (size_t i = 0; i < n; i++) {
            fill(&s->readings[i], cell_i64(0));
        }
        spread_rows(s, streams[TIER_AGE], streams[TIER_BORN], streams[TIER_ENDED]);
    }
    return code;
}

static enum err_code load_keys(struct scan *s, struct err *e)
{
    enum err_code code = ERR_OK;

    s->keys = arena_array(&s->arena, s->key_count, sizeof(*s->keys));
    for (size_t k = 0; code == ERR_OK && s->keys && s->view.fact && k < s->key_count; k++) {
        struct cell *cells = NULL;
        code = load_stream(s, BLOCK_KEY, (uint32_t)k, &cells, e);
        s->keys[k] = arena_array(&s->arena, s->view.row_total, sizeof(**s->keys));
        for (size_t i = 0; code == ERR_OK && s->keys[k] && i < s->view.row_total; i++) {
            s->keys[k][i] = cells[i].tag == CELL_STR ? cells[i].str : (struct str){"", 0};
        }
    }
    return code ? code : arena_check(&s->arena, e);
}

static enum err_code open_block(struct scan *s, int64_t id, struct err *e)
{
    struct sqldb_stmt *q = NULL;

    arena_reset(&s->arena);
    s->block = id;
    enum err_code code = sqldb_row(s->file, "tsdb_block_head", SQLDB_ARGS(sqldb_i64(id)), &q, e);
    if (code == ERR_OK) {
        struct str head = arena_str(&s->arena, sqldb_get_blob(q, 0));
        code = block_open(head, &s->arena, &s->view, e);
    }
    sqldb_end(q);
    if (code) {
        return code;
    }
    s->parts = arena_array(&s->arena, s->view.part_count, sizeof(*s->parts));
    s->columns = arena_array(&s->arena, s->column_count + 1, sizeof(*s->columns));
    code = s->parts && s->columns ? load_rows(s, e) : arena_fail(&s->arena, e);
    for (size_t c = 0; code == ERR_OK && c < s->column_count; c++) {
        code = load_column(s, c, e);
    }
    return code ? code : load_keys(s, e);
}

/* --- visiting --- */

static enum err_code visit_slice(struct scan *s, size_t at, struct err *e)
{
    const struct codec_slice *c = &s->view.slices[at];
    size_t start = s->view.row_start[at];
    struct tsdb_rolled *columns = arena_array(&s->arena, s->column_count + 1, sizeof(*columns));
    struct str **keys = arena_array(&s->arena, s->key_count + 1, sizeof(*keys));

    if (!columns || !keys) {
        return arena_fail(&s->arena, e);
    }
    for (size_t i = 0; i < s->column_count; i++) {
        const struct column *from = &s->columns[i];
        columns[i] = (struct tsdb_rolled){.last = from->cells[TIER_LAST] + start,
                                          .min = from->cells[TIER_MIN] + start,
                                          .max = from->cells[TIER_MAX] + start,
                                          .sum = from->cells[TIER_SUM] + start,
                                          .count = from->cells[TIER_COUNT] + start,
                                          .first = from->cells[TIER_FIRST] + start,
                                          .rise = from->cells[TIER_RISE] + start,
                                          .broken = from->broken + start,
                                          .no_rise = from->no_rise + start};
    }
    for (size_t k = 0; c->fact && k < s->key_count; k++) {
        keys[k] = s->keys[k] + start;
    }
    const struct tsdb_bucket b = {
        .group = s->q->group->id,
        .scope = s->q->group->scope,
        .end_ms = tier_bucket_end(s->q->tier, c->t_ms),
        .t_ms = c->t_ms,
        .covered_ms = c->t_ms - c->from_ms,
        .every_ms = c->every_ms,
        .flags = c->flags,
        .reason = c->reason,
        .row_count = c->row_count,
        .objects = c->fact ? NULL : c->objects,
        .key_count = c->fact ? s->key_count : 0,
        .keys = keys,
        .readings = s->readings + start,
        .row_t_ms = s->row_t_ms + start,
        .born_ms = s->born_ms + start,
        .ended = s->ended + start,
        .column_count = s->column_count,
        .columns = columns,
    };
    return s->visit(s->arg, &b, e);
}

static bool is_wanted(const struct scan *s, const struct codec_slice *c)
{
    const struct tier_range *q = s->q;
    return c->t_ms > q->from_ms && c->t_ms <= q->to_ms &&
           (q->above || tier_bucket_end(q->tier, c->t_ms) <= s->reader->tier_watermark[q->tier]);
}

static enum err_code visit_block(struct scan *s, int64_t id, struct err *e)
{
    enum err_code code = open_block(s, id, e);

    for (size_t i = 0; code == ERR_OK && i < s->view.slice_count; i++) {
        if (is_wanted(s, &s->view.slices[i])) {
            code = visit_slice(s, i, e);
        }
    }
    if (code == ERR_OK && s->q->deadline_mono_us && clock_mono_us() > s->q->deadline_mono_us) {
        code = err_set(e, ERR_TIMEOUT, "the read took too long");
    }
    return code;
}

/* Only the newest bucket that did not fail. */
static enum err_code visit_last(struct scan *s, int64_t id, struct err *e)
{
    enum err_code code = open_block(s, id, e);

    for (size_t i = code ? 0 : s->view.slice_count; i > 0 && !s->found; i--) {
        const struct codec_slice *c = &s->view.slices[i - 1];
        if (is_wanted(s, c) && !(c->flags & SLICE_FAILED)) {
            s->found = true;
            code = visit_slice(s, i - 1, e);
        }
    }
    return code;
}

/* --- files --- */

static enum err_code list_blocks(struct scan *s, int64_t **ids, size_t *count, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    size_t cap = 0;
    bool row = true;
    enum err_code code = sqldb_query(s->file, "tsdb_block_find",
                                     SQLDB_ARGS(sqldb_i64((int64_t)s->q->group->id),
                                                sqldb_i64(s->q->from_ms), sqldb_i64(s->q->to_ms),
                                                sqldb_i64(0)),
                                     &q, e);

    *count = 0;
    while (code == ERR_OK && (code = sqldb_step(q, &row, e)) == ERR_OK && row) {
        if (*count == cap) {
            cap = cap ? 2 * cap : 32;
            *ids = alloc_resize(*ids, cap * sizeof(**ids));
        }
        (*ids)[(*count)++] = sqldb_get_i64(q, 0);
    }
    sqldb_end(q);
    return code;
}

static enum err_code scan_file(struct scan *s, struct err *e)
{
    int64_t *ids = NULL;
    size_t count = 0;
    enum err_code code = list_blocks(s, &ids, &count, e);

    for (size_t i = 0; code == ERR_OK && i < count && !s->found; i++) {
        code = s->q->last ? visit_last(s, ids[count - 1 - i], e) : visit_block(s, ids[i], e);
    }
    alloc_free(ids);
    return code;
}

static int compare_months(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* Months of a tier that the range may be in. */
static int *list_months(struct scan *s, size_t *count)
{
    struct tsdb *db = s->reader->db;
    int first = tier_month_of_hour(tier_hour_of(s->q->from_ms));
    int last = tier_month_of_hour(tier_hour_of(s->q->to_ms));

    *count = 0;
    lock_take(&db->state);
    int *months = arena_array(&s->list, db->tier_count + 1, sizeof(*months));
    for (size_t i = 0; months && i < db->tier_count; i++) {
        const struct tier_file *f = &db->tiers[i];
        if (f->tier == s->q->tier && f->month >= first && f->month <= last) {
            months[(*count)++] = f->month;
        }
    }
    lock_release(&db->state);
    if (*count) {
        qsort(months, *count, sizeof(*months), compare_months);
    }
    return months;
}

static enum err_code scan_files(struct scan *s, struct err *e)
{
    size_t count = 0;
    const int *months = list_months(s, &count);
    enum err_code code = arena_check(&s->list, e);

    for (size_t i = 0; code == ERR_OK && i < count && !s->found; i++) {
        int month = s->q->last ? months[count - 1 - i] : months[i];
        code = reader_tier(s->reader, s->q->tier, month, &s->file, e);
        if (code == ERR_OK && s->file) {
            code = scan_file(s, e);
        }
    }
    return code;
}

enum err_code tier_scan(struct tsdb_reader *r, const struct tier_range *q, tier_visit *visit,
                        void *arg, struct err *e)
{
    struct scan s = {.reader = r, .q = q, .visit = visit, .arg = arg};
    struct catalog *c = r->db->catalog;

    lock_take(&c->lock);
    s.key_count = q->group->relation->key_count;
    s.column_count = q->columns ? q->column_count : q->group->relation->column_count;
    lock_release(&c->lock);
    arena_init(&s.list, "tsdb tier files", TSDB_ARENA_BYTES);
    arena_init(&s.arena, "tsdb tier block", BLOCK_ARENA);
    enum err_code code = scan_files(&s, e);
    arena_fini(&s.arena);
    arena_fini(&s.list);
    return code;
}

/* --- the public form --- */

enum err_code tsdb_sqlite_tier_scan(struct tsdb_reader *r, const struct tsdb_tier_spec *spec,
                                    tsdb_bucket_visit *visit, void *arg, struct err *e)
{
    struct catalog *c = r->db->catalog;
    struct catalog_relation *relation = catalog_find_relation(c, spec->relation);

    if (!relation) {
        return err_set(e, ERR_NOT_FOUND, "no relation %.*s", STR_ARG(spec->relation));
    }
    const struct catalog_group_key key = {
        .relation = relation, .target = spec->target, .scope = spec->scope};
    struct catalog_group *group = catalog_find_group(c, &key);
    if (!group) {
        return ERR_OK;
    }
    uint32_t *ids = alloc_array(spec->column_count + 1, sizeof(*ids));
    for (size_t i = 0; spec->columns && i < spec->column_count; i++) {
        const struct catalog_column *column = catalog_find_column(c, relation, spec->columns[i]);
        ids[i] = column ? column->id : UINT32_MAX;
    }
    const struct tier_range q = {.tier = spec->tier,
                                 .group = group,
                                 .from_ms = spec->from_ms,
                                 .to_ms = spec->to_ms,
                                 .columns = spec->columns ? ids : NULL,
                                 .column_count = spec->column_count,
                                 .deadline_mono_us = spec->deadline_mono_us};
    enum err_code code = tier_scan(r, &q, visit, arg, e);
    alloc_free(ids);
    return code;
}
