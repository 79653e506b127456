/* SPDX-License-Identifier: PostgreSQL */
/*
 * tier_write.c: puts the buckets of an hour where its tier lies.
 *
 * Buckets of a stretch of hours (a window) share a block, so that a value lies beside the one
 * before it. The blocks of the window are read, the hour is replaced, and they are written again:
 * the same buckets give the same blocks, however often they come.
 * Threads: the flusher, or the leader
 */
#include "store/tsdb/rollup/tier_write.h"

#include "base/alloc.h"
#include "store/tsdb/codec/block.h"

#include <string.h>

#define WRITE_ARENA (512UL * 1024 * 1024)

static const int64_t window_hours[TSDB_TIERS] = {[TSDB_TIER_5M] = 6, [TSDB_TIER_1H] = 24};

struct window {
    const struct tier_hour *in;
    struct arena list;    /* slices */
    struct arena build;   /* a block that is read or made */
    struct arena scratch; /* one column */
    size_t count, cap;
    struct codec_slice *slices; /* in order of t */
    struct tier_list old;       /* blocks that are replaced */
    int64_t first_ms, end_ms;
};

/* --- reading what is there --- */

static void add_slice(struct window *w, const struct codec_slice *s)
{
    if (w->count == w->cap) {
        w->cap = w->cap ? 2 * w->cap : 64;
        w->slices = alloc_resize(w->slices, w->cap * sizeof(*w->slices));
    }
    w->slices[w->count++] = *s;
}

/* A slice of a block that outlives it; columns are still to come. */
static bool copy_slice(struct window *w, const struct codec_slice *from, size_t streams)
{
    struct codec_slice s = *from;

    s.reason = arena_str(&w->list, from->reason);
    s.columns = arena_array(&w->list, streams + 1, sizeof(*s.columns));
    s.keys = arena_array(&w->list, streams + 1, sizeof(*s.keys));
    s.objects = from->fact ? NULL : arena_array(&w->list, from->row_count, sizeof(*s.objects));
    if (!s.columns || !s.keys || (!from->fact && !s.objects)) {
        return false;
    }
    if (!from->fact && from->row_count) {
        memcpy(s.objects, from->objects, from->row_count * sizeof(*s.objects));
    }
    add_slice(w, &s);
    return true;
}

static bool any_value(const struct cell *cells, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (cells[i].tag != CELL_NULL) {
            return true;
        }
    }
    return false;
}

/* A block that is taken apart. */
struct taken {
    const struct tier_block *block;
    struct block_view view;
    size_t at; /* its first slice in the window */
};

static enum err_code load_cells(struct window *w, const struct taken *b,
                                const struct block_stream *stream, struct cell **cells,
                                struct err *e)
{
    struct tier_place *p = w->in->place;
    struct tier_block block = *b->block;
    struct str part;
    struct str bytes;

    block.part = stream->part;
    enum err_code code = p->ops->part(p, &block, &w->scratch, &part, e);

    code = code ? code : block_stream_bytes(stream, part, &bytes, e);
    return code ? code : block_cells(&b->view, bytes, &w->scratch, cells, e);
}

/* Is this slice kept? Those of the hour itself are replaced. */
static bool is_kept(const struct window *w, const struct codec_slice *s)
{
    return tier_hour_of(s->t_ms) != w->in->hour && s->t_ms > w->first_ms && s->t_ms <= w->end_ms;
}

/* Cut one stream into those of the slices. */
static enum err_code cut_stream(struct window *w, const struct taken *b,
                                const struct block_stream *stream, struct err *e)
{
    const struct block_view *view = &b->view;
    size_t at = b->at;
    struct cell *cells = NULL;
    enum err_code code = load_cells(w, b, stream, &cells, e);

    for (size_t i = 0; code == ERR_OK && i < view->slice_count; i++) {
        if (!is_kept(w, &view->slices[i])) {
            continue;
        }
        struct codec_slice *s = &w->slices[at++];
        const struct cell *mine = cells + view->row_start[i];
        if (stream->kind == BLOCK_COLUMN && !any_value(mine, s->row_count)) {
            continue;
        }
        struct buf bytes;
        buf_init(&bytes, WRITE_ARENA);
        codec_put_column(&bytes, &w->scratch, mine, s->row_count);
        const struct codec_column c = {.id = stream->id,
                                       .stream = arena_str(&w->list, buf_view(&bytes))};
        if (stream->kind == BLOCK_COLUMN) {
            s->columns[s->column_count++] = c;
        } else {
            s->keys[s->key_count++] = c;
        }
        buf_fini(&bytes);
    }
    arena_reset(&w->scratch);
    return code ? code : arena_check(&w->list, e);
}

static enum err_code take_block(struct window *w, const struct tier_block *block, struct err *e)
{
    struct taken b = {.block = block, .at = w->count};
    struct tier_place *p = w->in->place;
    struct str head;

    arena_reset(&w->build);
    enum err_code code = p->ops->head(p, block, &w->build, &head, e);
    code = code ? code : block_open(head, &w->build, &b.view, e);
    if (code) {
        return code;
    }
    for (size_t i = 0; i < b.view.slice_count; i++) {
        if (is_kept(w, &b.view.slices[i]) &&
            !copy_slice(w, &b.view.slices[i], b.view.stream_count)) {
            return arena_fail(&w->list, e);
        }
    }
    for (size_t i = 0; code == ERR_OK && w->count > b.at && i < b.view.stream_count; i++) {
        code = cut_stream(w, &b, &b.view.streams[i], e);
    }
    return code;
}

/* The new buckets go where their hour is. */
static void insert_hour(struct window *w)
{
    size_t at = 0;
    size_t all = w->count + w->in->count;

    while (at < w->count && tier_hour_of(w->slices[at].t_ms) < w->in->hour) {
        at++;
    }
    if (w->in->count == 0) {
        return;
    }
    w->slices = alloc_resize(w->slices, all * sizeof(*w->slices));
    w->cap = all;
    memmove(w->slices + at + w->in->count, w->slices + at, (w->count - at) * sizeof(*w->slices));
    memcpy(w->slices + at, w->in->slices, w->in->count * sizeof(*w->slices));
    w->count = all;
}

/* --- writing --- */

static enum err_code remove_blocks(struct window *w, struct err *e)
{
    struct tier_place *p = w->in->place;
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < w->old.count; i++) {
        code = p->ops->remove(p, &w->old.blocks[i], e);
    }
    return code;
}

/* How many slices from `at` on fit into one block. */
static size_t fitting(const struct window *w, size_t at)
{
    size_t rows = w->slices[at].row_count;
    size_t n = 1;

    while (at + n < w->count && rows + w->slices[at + n].row_count <= BLOCK_ROWS &&
           n < BLOCK_SLICES && w->slices[at + n].fact == w->slices[at].fact) {
        rows += w->slices[at + n].row_count;
        n++;
    }
    return n;
}

static enum err_code insert_blocks(struct window *w, struct err *e)
{
    struct tier_place *p = w->in->place;
    struct tier_block block = {.stretch = w->first_ms / TIER_HOUR_MS};
    enum err_code code = ERR_OK;

    for (size_t at = 0; code == ERR_OK && at < w->count; block.id++) {
        struct block_input in = {
            .slices = w->slices + at, .count = fitting(w, at), .scratch = &w->scratch};
        struct block_packed packed;
        arena_reset(&w->build);
        arena_reset(&w->scratch);
        code = block_build(&w->build, &in, &packed, e);
        code = code ? code : p->ops->insert(p, &block, &in, &packed, e);
        at += in.count;
    }
    return code;
}

int64_t tier_window_hours(enum tsdb_tier tier)
{
    return window_hours[tier];
}

int64_t tier_window_first(enum tsdb_tier tier, int64_t hour)
{
    return hour - hour % window_hours[tier];
}

static enum err_code write_window(struct window *w, struct err *e)
{
    struct tier_place *p = w->in->place;
    enum err_code code = p->ops->list(p, &w->old, e);

    for (size_t i = 0; code == ERR_OK && i < w->old.count; i++) {
        code = take_block(w, &w->old.blocks[i], e);
    }
    if (code == ERR_OK) {
        insert_hour(w);
        code = remove_blocks(w, e);
    }
    return code ? code : insert_blocks(w, e);
}

enum err_code tier_write_hour(const struct tier_hour *in, struct err *e)
{
    int64_t first = tier_window_first(in->place->tier, in->hour);
    int64_t end = first + window_hours[in->place->tier];
    struct window w = {.in = in, .first_ms = first * TIER_HOUR_MS, .end_ms = end * TIER_HOUR_MS};

    w.old = (struct tier_list){.from_ms = w.first_ms, .to_ms = w.end_ms, .arena = &w.list};
    arena_init(&w.list, "tsdb tier slices", WRITE_ARENA);
    arena_init(&w.build, "tsdb tier block", WRITE_ARENA);
    arena_init(&w.scratch, "tsdb tier column", WRITE_ARENA);
    enum err_code code = write_window(&w, e);
    arena_fini(&w.scratch);
    arena_fini(&w.build);
    arena_fini(&w.list);
    alloc_free(w.slices);
    return code;
}
