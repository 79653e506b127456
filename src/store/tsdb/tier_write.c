/* SPDX-License-Identifier: PostgreSQL */
/*
 * tier_write.c: puts the buckets of an hour into a tier file.
 *
 * Buckets of a stretch of hours (a window) share a block, so that a value lies beside the one
 * before it. The blocks of the window are read, the hour is replaced, and they are written again:
 * the same buckets give the same file, however often they come.
 * Threads: the flusher
 */
#include "store/tsdb/tier_write.h"

#include "base/alloc.h"
#include "store/tsdb/block.h"

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
    size_t old_count, old_cap;
    int64_t *old; /* blocks that are replaced */
    int64_t first_ms, end_ms;
};

/* --- reading what is there --- */

static enum err_code find_blocks(struct window *w, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    bool row = true;
    enum err_code code = sqldb_query(w->in->file, "tsdb_block_find",
                                     SQLDB_ARGS(sqldb_i64((int64_t)w->in->group),
                                                sqldb_i64(w->first_ms), sqldb_i64(w->end_ms),
                                                sqldb_i64(0)),
                                     &q, e);

    while (code == ERR_OK && (code = sqldb_step(q, &row, e)) == ERR_OK && row) {
        if (w->old_count == w->old_cap) {
            w->old_cap = w->old_cap ? 2 * w->old_cap : 16;
            w->old = alloc_resize(w->old, w->old_cap * sizeof(*w->old));
        }
        w->old[w->old_count++] = sqldb_get_i64(q, 0);
    }
    sqldb_end(q);
    return code;
}

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
    int64_t id;
    struct block_view view;
    size_t at; /* its first slice in the window */
};

static enum err_code load_cells(struct window *w, const struct taken *b,
                                const struct block_stream *stream, struct cell **cells,
                                struct err *e)
{
    struct sqldb_stmt *q = NULL;
    struct str part;
    struct str bytes;
    enum err_code code = sqldb_row(w->in->file, "tsdb_part_get",
                                   SQLDB_ARGS(sqldb_i64(b->id * BLOCK_PARTS_MAX + stream->part)),
                                   &q, e);

    if (code == ERR_OK) {
        code = block_unpack_part(sqldb_get_blob(q, 0), &w->scratch, &part, e);
    }
    sqldb_end(q);
    if (code == ERR_OK) {
        code = block_stream_bytes(stream, part, &bytes, e);
    }
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

static enum err_code take_block(struct window *w, int64_t block, struct err *e)
{
    struct taken b = {.id = block, .at = w->count};
    struct sqldb_stmt *q = NULL;

    arena_reset(&w->build);
    enum err_code code = sqldb_row(w->in->file, "tsdb_block_head", SQLDB_ARGS(sqldb_i64(block)), &q,
                                   e);
    if (code == ERR_OK) {
        struct str head = arena_str(&w->build, sqldb_get_blob(q, 0));
        code = block_open(head, &w->build, &b.view, e);
    }
    sqldb_end(q);
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
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < w->old_count; i++) {
        struct sqldb_value id = sqldb_i64(w->old[i]);
        code = sqldb_run(w->in->file, "tsdb_tier_part_delete", SQLDB_ARGS(id), e);
        if (code == ERR_OK) {
            code = sqldb_run(w->in->file, "tsdb_tier_block_delete", SQLDB_ARGS(id), e);
        }
    }
    return code;
}

static enum err_code insert_block(struct window *w, const struct block_input *in,
                                  const struct block_packed *b, struct err *e)
{
    const struct codec_slice *first = &in->slices[0];
    const struct codec_slice *last = &in->slices[in->count - 1];
    struct sqldb_stmt *s = NULL;
    size_t rows = 0;

    for (size_t i = 0; i < in->count; i++) {
        rows += in->slices[i].row_count;
    }
    enum err_code code = sqldb_row(
        w->in->file, "tsdb_block_insert",
        SQLDB_ARGS(sqldb_i64((int64_t)first->group), sqldb_i64(0), sqldb_i64(first->t_ms),
                   sqldb_i64(last->t_ms), sqldb_i64(last->every_ms), sqldb_i64(last->flags),
                   last->reason.len ? sqldb_text(last->reason) : sqldb_null(),
                   sqldb_i64((int64_t)in->count), sqldb_i64((int64_t)rows),
                   sqldb_blob(b->head.ptr, b->head.len)),
        &s, e);
    if (code) {
        return code;
    }
    int64_t id = sqldb_get_i64(s, 0);
    sqldb_end(s);
    for (size_t i = 0; code == ERR_OK && i < b->part_count; i++) {
        code = sqldb_run(w->in->file, "tsdb_part_insert",
                         SQLDB_ARGS(sqldb_i64(id * BLOCK_PARTS_MAX + (int64_t)i),
                                    sqldb_blob(b->parts[i].ptr, b->parts[i].len)),
                         e);
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
    enum err_code code = ERR_OK;

    for (size_t at = 0; code == ERR_OK && at < w->count;) {
        struct block_input in = {
            .slices = w->slices + at, .count = fitting(w, at), .scratch = &w->scratch};
        struct block_packed packed;
        arena_reset(&w->build);
        arena_reset(&w->scratch);
        code = block_build(&w->build, &in, &packed, e);
        if (code == ERR_OK) {
            code = insert_block(w, &in, &packed, e);
        }
        at += in.count;
    }
    return code;
}

enum err_code tier_write_hour(const struct tier_hour *in, struct err *e)
{
    int64_t hours = window_hours[in->tier];
    int64_t first = in->hour - in->hour % hours;
    struct window w = {
        .in = in, .first_ms = first * TIER_HOUR_MS, .end_ms = (first + hours) * TIER_HOUR_MS};

    arena_init(&w.list, "tsdb tier slices", WRITE_ARENA);
    arena_init(&w.build, "tsdb tier block", WRITE_ARENA);
    arena_init(&w.scratch, "tsdb tier column", WRITE_ARENA);
    enum err_code code = find_blocks(&w, e);
    for (size_t i = 0; code == ERR_OK && i < w.old_count; i++) {
        code = take_block(&w, w.old[i], e);
    }
    if (code == ERR_OK) {
        insert_hour(&w);
        code = remove_blocks(&w, e);
    }
    if (code == ERR_OK) {
        code = insert_blocks(&w, e);
    }
    arena_fini(&w.scratch);
    arena_fini(&w.build);
    arena_fini(&w.list);
    alloc_free(w.slices);
    alloc_free(w.old);
    return code;
}
