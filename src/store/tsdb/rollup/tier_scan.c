/* SPDX-License-Identifier: PostgreSQL */
/*
 * tier_scan.c: visits the buckets of a group in time order.
 *
 * Blocks of a group do not overlap: one is open at a time. What the streams leave out (a minimum
 * that is the last value) is filled in for the whole block, then each slice is a view of it.
 */
#include "store/tsdb/rollup/tier.h"

#include "os/clock.h"

#include <string.h>

#define BLOCK_ARENA (512UL * 1024 * 1024)
#define BLOCK_KEPT  (2UL * 1024 * 1024) /* of it, from one block to the next */

/* A column over a whole block. */
struct column {
    struct cell *cells[TIER_STREAMS];
    const struct cell *open, *climb; /* of a counter, which has no extremes */
    bool *broken, *no_rise, *reopened;
};

struct scan {
    const struct tier_range *q;
    tier_visit *visit;
    void *arg;
    size_t column_count, key_count;
    struct arena list;  /* of the scan */
    struct arena arena; /* of the open block */
    const struct tier_block *block;
    struct block_view view;
    struct str *parts;
    struct column *columns;
    struct cell *readings;
    struct cell *nothing; /* all NULL, for streams that there are not */
    int64_t *row_t_ms, *open_ms, *born_ms;
    bool *ended;
    struct str **keys;
    bool found; /* of `last` */
};

/* --- streams --- */

static enum err_code load_part(struct scan *s, uint32_t part, struct err *e)
{
    struct tier_place *p = s->q->place;
    struct tier_block b = *s->block;

    if (s->parts[part].ptr) {
        return ERR_OK;
    }
    b.part = part;
    return p->ops->part(p, &b, &s->arena, &s->parts[part], e);
}

static enum err_code load_stream(struct scan *s, enum block_kind kind, uint32_t id,
                                 struct cell **cells, struct err *e)
{
    const struct block_stream *stream = block_find(&s->view, kind, id);
    struct str bytes;

    if (!stream) {
        *cells = s->nothing;
        return ERR_OK;
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

static void fill_counter(const struct scan *s, struct column *c, size_t i)
{
    const struct cell *state = &c->cells[TIER_STATE][i];
    int64_t bits = state->tag == CELL_I64 ? state->i64 : 0;

    c->broken[i] = bits & TIER_BROKEN;
    c->no_rise[i] = bits & TIER_NO_RISE;
    c->reopened[i] = bits & TIER_REOPEN;
    if (c->cells[TIER_LAST][i].tag != CELL_NULL) {
        fill(&c->cells[TIER_COUNT][i], s->readings[i]);
    }
}

/* Which numbers a row of a column has, by what it was written with. */
static void fill_row(const struct scan *s, struct column *c, enum relation_kind kind, size_t i)
{
    struct cell *last = &c->cells[TIER_LAST][i];
    struct cell *sum = &c->cells[TIER_SUM][i];
    bool level = kind == RELATION_GAUGE && last->tag != CELL_NULL;

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
    const struct tier_shape *shape = s->q->shape;
    return id < shape->column_count ? shape->kinds[id] : RELATION_GAUGE;
}

/* Numbers that are filled in where their stream leaves them out: they need cells of their own. */
static bool is_filled(enum relation_kind kind, uint32_t what)
{
    return what == TIER_COUNT || (kind != RELATION_COUNTER && what >= TIER_MIN && what <= TIER_SUM);
}

static enum err_code load_column_streams(struct scan *s, struct column *c, uint32_t id,
                                         struct err *e)
{
    enum relation_kind kind = kind_of(s, id);
    size_t n = s->view.row_total;
    enum err_code code = ERR_OK;

    for (uint32_t what = 0; code == ERR_OK && what < TIER_STREAMS; what++) {
        uint32_t stream = id == UINT32_MAX ? id : TIER_STREAM(id, what);
        code = load_stream(s, BLOCK_COLUMN, stream, &c->cells[what], e);
        if (code == ERR_OK && c->cells[what] == s->nothing && is_filled(kind, what)) {
            c->cells[what] = arena_array(&s->arena, n, sizeof(struct cell)); /* all NULL */
        }
    }
    c->open = kind == RELATION_COUNTER ? c->cells[TIER_OPEN] : s->nothing;
    c->climb = kind == RELATION_COUNTER ? c->cells[TIER_CLIMB] : s->nothing;
    if (kind == RELATION_COUNTER) {
        c->cells[TIER_MIN] = c->cells[TIER_MAX] = s->nothing;
    }
    c->broken = arena_array(&s->arena, n, sizeof(*c->broken));
    c->no_rise = arena_array(&s->arena, n, sizeof(*c->no_rise));
    c->reopened = arena_array(&s->arena, n, sizeof(*c->reopened));
    return code ? code : arena_check(&s->arena, e);
}

static enum err_code load_column(struct scan *s, size_t at, struct err *e)
{
    uint32_t id = s->q->columns ? s->q->columns[at] : (uint32_t)at;
    enum relation_kind kind = kind_of(s, id);
    enum err_code code = load_column_streams(s, &s->columns[at], id, e);

    for (size_t i = 0; code == ERR_OK && i < s->view.row_total; i++) {
        if (kind == RELATION_COUNTER) {
            fill_counter(s, &s->columns[at], i);
        } else {
            fill_row(s, &s->columns[at], kind, i);
        }
    }
    return code;
}

static int64_t before(int64_t t_ms, const struct cell *by, int64_t none)
{
    return by->tag == CELL_I64 ? t_ms - by->i64 : none;
}

static void spread_rows(struct scan *s, struct cell *const *streams)
{
    for (size_t at = 0; at < s->view.slice_count; at++) {
        int64_t t = s->view.slices[at].t_ms;
        for (size_t i = s->view.row_start[at]; i < s->view.row_start[at + 1]; i++) {
            s->row_t_ms[i] = before(t, &streams[TIER_AGE][i], t);
            s->open_ms[i] = before(t, &streams[TIER_OPENED][i], 0);
            s->born_ms[i] = before(t, &streams[TIER_BORN][i], 0);
            s->ended[i] = streams[TIER_ENDED][i].tag != CELL_NULL;
        }
    }
}

static enum err_code load_rows(struct scan *s, struct err *e)
{
    struct cell *streams[TIER_OPENED + 1] = {NULL};
    size_t n = s->view.row_total;
    enum err_code code = ERR_OK;

    s->nothing = arena_array(&s->arena, n, sizeof(*s->nothing));
    for (uint32_t i = TIER_READINGS; code == ERR_OK && i <= TIER_OPENED; i++) {
        code = load_stream(s, BLOCK_COLUMN, i, &streams[i], e);
    }
    s->readings = streams[TIER_READINGS] == s->nothing
                      ? arena_array(&s->arena, n, sizeof(*s->readings))
                      : streams[TIER_READINGS];
    s->open_ms = arena_array(&s->arena, n, sizeof(*s->open_ms));
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
        spread_rows(s, streams);
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

static enum err_code open_block(struct scan *s, const struct tier_block *b, struct err *e)
{
    struct tier_place *p = s->q->place;
    struct str head;

    arena_reset(&s->arena);
    arena_reserve(&s->arena, BLOCK_KEPT);
    s->block = b;
    enum err_code code = p->ops->head(p, b, &s->arena, &head, e);
    code = code ? code : block_open(head, &s->arena, &s->view, e);
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
                                          .no_rise = from->no_rise + start,
                                          .open = from->open + start,
                                          .climb = from->climb + start,
                                          .reopened = from->reopened + start};
    }
    for (size_t k = 0; c->fact && k < s->key_count; k++) {
        keys[k] = s->keys[k] + start;
    }
    const struct tsdb_bucket b = {
        .group = s->q->place->group,
        .scope = s->q->scope,
        .end_ms = tier_bucket_end(s->q->place->tier, c->t_ms),
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
        .open_ms = s->open_ms + start,
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
           tier_bucket_end(q->place->tier, c->t_ms) <= q->watermark_ms;
}

static enum err_code check(const struct tier_range *q, struct err *e)
{
    if (q->reader) {
        return reader_check(q->reader, q->deadline_mono_us, e);
    }
    return q->deadline_mono_us && clock_mono_us() > q->deadline_mono_us
               ? err_set(e, ERR_TIMEOUT, "the read took too long")
               : ERR_OK;
}

static enum err_code visit_block(struct scan *s, const struct tier_block *b, struct err *e)
{
    enum err_code code = open_block(s, b, e);

    for (size_t i = 0; code == ERR_OK && i < s->view.slice_count; i++) {
        if (is_wanted(s, &s->view.slices[i])) {
            code = visit_slice(s, i, e);
        }
    }
    return code ? code : check(s->q, e);
}

/* Only the newest bucket that did not fail. */
static enum err_code visit_last(struct scan *s, const struct tier_block *b, struct err *e)
{
    enum err_code code = open_block(s, b, e);

    for (size_t i = code ? 0 : s->view.slice_count; i > 0 && !s->found; i--) {
        const struct codec_slice *c = &s->view.slices[i - 1];
        if (is_wanted(s, c) && !(c->flags & SLICE_FAILED)) {
            s->found = true;
            code = visit_slice(s, i - 1, e);
        }
    }
    return code;
}

/* --- blocks --- */

bool tier_list_add(struct tier_list *list, struct tier_block block)
{
    if (list->count == list->cap) {
        size_t cap = list->cap ? 2 * list->cap : 32;
        struct tier_block *longer = arena_array(list->arena, cap, sizeof(*longer));
        if (!longer) {
            return false;
        }
        if (list->count) {
            memcpy(longer, list->blocks, list->count * sizeof(*longer));
        }
        list->blocks = longer;
        list->cap = cap;
    }
    list->blocks[list->count++] = block;
    return true;
}

static enum err_code scan_blocks(struct scan *s, struct err *e)
{
    const struct tier_range *q = s->q;
    struct tier_list list = {.from_ms = q->from_ms, .to_ms = q->to_ms, .arena = &s->list};
    enum err_code code = q->place->ops->list(q->place, &list, e);

    for (size_t i = 0; code == ERR_OK && i < list.count && !s->found; i++) {
        code = q->last ? visit_last(s, &list.blocks[list.count - 1 - i], e)
                       : visit_block(s, &list.blocks[i], e);
    }
    return code;
}

enum err_code tier_scan(const struct tier_range *q, tier_visit *visit, void *arg, struct err *e)
{
    struct scan s = {.q = q,
                     .visit = visit,
                     .arg = arg,
                     .key_count = q->shape->key_count,
                     .column_count = q->columns ? q->column_count : q->shape->column_count};

    arena_init(&s.list, "tsdb tier blocks", TSDB_ARENA_BYTES);
    arena_init(&s.arena, "tsdb tier block", BLOCK_ARENA);
    enum err_code code = scan_blocks(&s, e);
    arena_fini(&s.arena);
    arena_fini(&s.list);
    return code;
}

enum err_code tier_note_first(void *arg, const struct tsdb_bucket *b, struct err *e)
{
    int64_t *hour = arg;
    (void)e;
    if (*hour == 0) {
        *hour = tier_hour_of(b->t_ms);
    }
    return ERR_OK;
}

struct tier_range tier_range_before(struct tier_place *place, const struct tier_shape *shape,
                                    struct str scope, int64_t hour)
{
    return (struct tier_range){.place = place,
                               .shape = shape,
                               .scope = scope,
                               .from_ms = hour * TIER_HOUR_MS - TIER_SEARCH_MS,
                               .to_ms = hour * TIER_HOUR_MS,
                               .watermark_ms = INT64_MAX,
                               .last = true};
}

struct tier_range tier_range_bare(struct tier_place *place, const struct tier_shape *shape,
                                  int64_t from_ms, int64_t to_ms)
{
    static const uint32_t none[1] = {0};

    return (struct tier_range){.place = place,
                               .shape = shape,
                               .from_ms = from_ms,
                               .to_ms = to_ms,
                               .columns = none,
                               .watermark_ms = INT64_MAX};
}
