/* SPDX-License-Identifier: PostgreSQL */
/*
 * tier_pack.c: a bucket becomes a slice: a stream for each number of each column.
 *
 * What another number says already is left out (NULL), and a stream that is all NULL, too.
 * Threads: the flusher, or the leader
 */
#include "store/tsdb/rollup/tier_build.h"

#include "base/alloc.h"
#include "base/buf.h"

#include <string.h>

static bool put_cells(struct tier_build *b, struct codec_slice *s, uint32_t id,
                      const struct cell *cells)
{
    struct buf bytes;
    size_t any = 0;

    while (any < s->row_count && cells[any].tag == CELL_NULL) {
        any++;
    }
    if (any == s->row_count) {
        return true; /* a stream that a slice lacks is all NULL */
    }
    buf_init(&bytes, BUILD_ARENA);
    codec_put_column(&bytes, &b->arena, cells, s->row_count);
    s->columns[s->column_count++] = (struct codec_column){
        .id = id, .stream = arena_str(&b->arena, buf_view(&bytes))};
    bool good = buf_check(&bytes, NULL) == ERR_OK;
    buf_fini(&bytes);
    return good && !b->arena.overflow;
}

static bool has_ended(const struct tier_build *b, const struct entry *n)
{
    return !b->fact && (n->gone || (!b->sparse && n->seen < b->complete_no));
}

static struct cell row_cell(const struct tier_build *b, const struct bucket *k, const struct row *r,
                            enum tier_row_stream what)
{
    static const struct cell none = {.tag = CELL_NULL};

    switch (what) {
    case TIER_READINGS:
        return cell_i64(r->readings);
    case TIER_AGE:
        return r->t_ms == k->t_ms ? none : cell_i64(k->t_ms - r->t_ms);
    case TIER_BORN:
        return r->born_ms ? cell_i64(k->t_ms - r->born_ms) : none;
    case TIER_ENDED:
        return has_ended(b, r->entry) ? cell_i64(1) : none;
    case TIER_OPENED:
        return b->counts ? cell_i64(k->t_ms - r->open_ms) : none;
    }
    return none;
}

/* Sum and extremes, left out where the last value says the same. */
static struct cell level_cell(const struct agg *g, enum tier_stream what)
{
    static const struct cell none = {.tag = CELL_NULL};
    struct cell last = tier_build_get(g, SLOT_LAST);
    struct cell min = tier_build_get(g, SLOT_MIN);
    struct cell max = tier_build_get(g, SLOT_MAX);
    struct cell sum = tier_build_get(g, SLOT_SUM);
    bool flat = tier_build_same(last, min) && tier_build_same(last, max);

    if (what == TIER_MIN) {
        return tier_build_same(last, min) ? none : min;
    }
    if (what == TIER_MAX) {
        return tier_build_same(last, max) ? none : max;
    }
    bool whole = last.tag != CELL_I64 || sum.tag == CELL_I64; /* else the product overflows, too */
    return flat && whole ? none : sum;
}

static struct cell counter_cell(const struct tier_build *b, const struct row *r, size_t c,
                                enum tier_stream what)
{
    static const struct cell none = {.tag = CELL_NULL};
    const struct agg *g = &r->aggs[c];
    int state = 0;

    switch (what) {
    case TIER_OPEN:
        return tier_build_get(g, SLOT_OPEN);
    case TIER_CLIMB:
        return g->fell ? tier_build_get(g, SLOT_CLIMB) : none;
    case TIER_FIRST:
        return tier_build_get(g, SLOT_FIRST);
    case TIER_RISE:
        return g->odd ? tier_build_get(g, SLOT_RISE) : none;
    case TIER_STATE:
        state |= !b->fact && g->count && r->entry->cells[c].tag == CELL_NULL ? TIER_BROKEN : 0;
        state |= g->count && g->tag[SLOT_RISE] == CELL_NULL ? TIER_NO_RISE : 0;
        state |= g->reopened ? TIER_REOPEN : 0;
        return state ? cell_i64(state) : none;
    default:
        return none;
    }
}

static struct cell column_cell(const struct tier_build *b, const struct row *r, size_t c,
                               enum tier_stream what)
{
    static const struct cell none = {.tag = CELL_NULL};
    const struct agg *g = &r->aggs[c];

    if (what == TIER_LAST) {
        return b->kinds[c] == RELATION_DELTA ? none : tier_build_get(g, SLOT_LAST);
    }
    if (what == TIER_COUNT) {
        bool counted = b->kinds[c] != RELATION_TEXT;
        return counted && g->count != r->readings ? cell_i64(g->count) : none;
    }
    switch (b->kinds[c]) {
    case RELATION_TEXT:
        return none;
    case RELATION_COUNTER:
        return counter_cell(b, r, c, what);
    case RELATION_GAUGE:
        return what <= TIER_SUM ? level_cell(g, what) : none;
    case RELATION_DELTA:
        return what == TIER_SUM ? tier_build_get(g, SLOT_SUM)
               : what == TIER_MAX &&
                       !tier_build_same(tier_build_get(g, SLOT_MAX), tier_build_get(g, SLOT_SUM))
                   ? tier_build_get(g, SLOT_MAX)
                   : none;
    }
    return none;
}

static bool put_row_streams(struct tier_build *b, const struct bucket *k, struct codec_slice *s,
                            struct cell *cells)
{
    bool good = true;

    for (uint32_t what = TIER_READINGS; good && what <= TIER_OPENED; what++) {
        size_t i = 0;
        for (const struct row *r = k->first; r; r = r->next) {
            cells[i++] = row_cell(b, k, r, (enum tier_row_stream)what);
        }
        good = put_cells(b, s, what, cells);
    }
    return good;
}

static bool put_columns(struct tier_build *b, const struct bucket *k, struct codec_slice *s,
                        struct cell *cells)
{
    bool good = true;

    for (size_t c = 0; c < b->column_count; c++) {
        for (uint32_t what = TIER_LAST; good && what <= TIER_STATE; what++) {
            size_t i = 0;
            for (const struct row *r = k->first; r; r = r->next) {
                cells[i++] = column_cell(b, r, c, (enum tier_stream)what);
            }
            good = put_cells(b, s, TIER_STREAM((uint32_t)c, what), cells);
        }
    }
    return good;
}

static bool put_keys(struct tier_build *b, const struct bucket *k, struct codec_slice *s,
                     struct cell *cells)
{
    struct buf bytes;

    s->keys = arena_array(&b->arena, b->key_count + 1, sizeof(*s->keys));
    for (size_t c = 0; b->fact && s->keys && c < b->key_count; c++) {
        size_t i = 0;
        for (const struct row *r = k->first; r; r = r->next) {
            cells[i++] = cell_str(r->entry->keys[c]);
        }
        buf_init(&bytes, BUILD_ARENA);
        codec_put_column(&bytes, &b->arena, cells, s->row_count);
        s->keys[s->key_count++] = (struct codec_column){
            .id = (uint32_t)c, .stream = arena_str(&b->arena, buf_view(&bytes))};
        buf_fini(&bytes);
    }
    return !b->arena.overflow;
}

static bool put_rows(struct tier_build *b, const struct bucket *k, struct codec_slice *s)
{
    size_t i = 0;
    struct cell *cells = arena_array(&b->arena, k->row_count, sizeof(*cells));

    s->row_count = k->row_count;
    s->columns = arena_array(&b->arena, (b->column_count + 1) * TIER_STREAMS, sizeof(*s->columns));
    s->objects = b->fact ? NULL : arena_array(&b->arena, k->row_count, sizeof(*s->objects));
    if (!cells || !s->columns || (!b->fact && !s->objects)) {
        return false;
    }
    for (const struct row *r = k->first; !b->fact && r; r = r->next) {
        s->objects[i++] = r->entry->id;
    }
    return put_keys(b, k, s, cells) && put_row_streams(b, k, s, cells) &&
           put_columns(b, k, s, cells);
}

static struct codec_slice *new_slice(struct made *m)
{
    if (m->count == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 16;
        m->slices = alloc_resize(m->slices, m->cap * sizeof(*m->slices));
    }
    memset(&m->slices[m->count], 0, sizeof(*m->slices));
    return &m->slices[m->count++];
}

bool tier_pack_bucket(struct tier_build *b, int tier)
{
    const struct bucket *k = &b->buckets[tier];
    struct codec_slice *s = new_slice(&b->made[tier]);

    s->group = b->group;
    s->t_ms = k->t_ms;
    s->from_ms = k->t_ms - k->covered_ms;
    s->every_ms = k->every_ms;
    s->fact = b->fact;
    s->flags = k->readings ? k->flags : SLICE_FAILED;
    s->reason = k->readings ? (struct str){NULL, 0} : k->reason;
    return put_rows(b, k, s);
}
