/* SPDX-License-Identifier: PostgreSQL */
/*
 * merge.c: blocks of one group become fewer and larger ones.
 *
 * Sources are sorted by their first time. merge_next gathers slices until a bound of the result is
 * reached, then block_build asks for one column after the other, and each source that takes part
 * decodes that column once.
 */
#include "store/tsdb/merge.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define SOURCE_ARENA (512UL * 1024 * 1024)

struct source {
    struct merge_block block;
    bool open;
    size_t at; /* next slice */
    struct arena arena;
    struct block_view view;
    size_t column_count, key_count;
    struct codec_column *columns, *keys; /* what every slice of it has */
    struct arena part_arena;
    bool has_part;
    uint32_t part_number;
    struct str part;    /* unpacked, the one that was used last */
    struct cell *cells; /* of the column at hand; NULL = not decoded */
    bool loaded;
};

/* Where a slice of the result comes from. */
struct origin {
    struct source *source;
    size_t slice;
};

struct merge {
    struct sqldb *from;
    struct source *sources; /* by t_min, order */
    size_t count;
    size_t first; /* those before are used up */
    size_t next;  /* first that was not opened yet */
    bool any;
    int64_t last_t;
    struct arena build, scratch;
    struct codec_slice *slices; /* of the result at hand */
    struct origin *origins;
    size_t slice_count, slice_cap, rows;
    enum block_kind column_kind; /* of the pass at hand */
    uint32_t column_id;
    size_t asked; /* this pass has asked for slices before this one */
};

static int compare_sources(const void *a, const void *b)
{
    const struct merge_block *x = &((const struct source *)a)->block;
    const struct merge_block *y = &((const struct source *)b)->block;
    if (x->t_min != y->t_min) {
        return x->t_min < y->t_min ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

struct merge *merge_new(struct sqldb *from, const struct merge_block *blocks, size_t count)
{
    struct merge *m = alloc_new(sizeof(*m));

    m->from = from;
    m->count = count;
    m->sources = alloc_array(count + 1, sizeof(*m->sources));
    for (size_t i = 0; i < count; i++) {
        m->sources[i].block = blocks[i];
    }
    qsort(m->sources, count, sizeof(*m->sources), compare_sources);
    arena_init(&m->build, "tsdb merge block", SOURCE_ARENA);
    arena_init(&m->scratch, "tsdb merge column", SOURCE_ARENA);
    return m;
}

static void close_source(struct source *s)
{
    if (s->open) {
        arena_fini(&s->arena);
        arena_fini(&s->part_arena);
        s->open = s->has_part = false;
        s->at = s->view.slice_count = 0;
    }
}

void merge_free(struct merge *m)
{
    if (!m) {
        return;
    }
    for (size_t i = 0; i < m->count; i++) {
        close_source(&m->sources[i]);
    }
    arena_fini(&m->scratch);
    arena_fini(&m->build);
    alloc_free(m->slices);
    alloc_free(m->origins);
    alloc_free(m->sources);
    alloc_free(m);
}

/* --- sources --- */

/* The columns of a block as every slice of it names them; *count of them. */
static struct codec_column *list_columns(struct source *s, enum block_kind kind, size_t *count)
{
    struct codec_column *list = arena_array(&s->arena, s->view.stream_count, sizeof(*list));

    *count = 0;
    for (size_t i = 0; list && i < s->view.stream_count; i++) {
        if (s->view.streams[i].kind == kind) {
            list[(*count)++].id = s->view.streams[i].id;
        }
    }
    return list;
}

static enum err_code open_row(struct merge *m, struct source *s, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code code = sqldb_row(m->from, "tsdb_block_head", SQLDB_ARGS(sqldb_i64(s->block.id)),
                                   &q, e);

    if (code == ERR_OK) {
        struct str head = arena_str(&s->arena, sqldb_get_blob(q, 0));
        code = block_open(head, &s->arena, &s->view, e);
    }
    sqldb_end(q);
    return code;
}

static enum err_code open_source(struct merge *m, struct source *s, struct err *e)
{
    arena_init(&s->arena, "tsdb merge source", SOURCE_ARENA);
    arena_init(&s->part_arena, "tsdb merge part", SOURCE_ARENA);
    s->open = true;
    enum err_code code = s->block.packed ? block_open(s->block.packed->head, &s->arena, &s->view, e)
                                         : open_row(m, s, e);
    if (code == ERR_OK) {
        s->columns = list_columns(s, BLOCK_COLUMN, &s->column_count);
        s->keys = list_columns(s, BLOCK_KEY, &s->key_count);
        code = arena_check(&s->arena, e);
    }
    return code;
}

static enum err_code load_row(struct merge *m, struct source *s, uint32_t number, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code code = sqldb_row(m->from, "tsdb_part_get",
                                   SQLDB_ARGS(sqldb_i64(s->block.id * BLOCK_PARTS_MAX + number)),
                                   &q, e);
    if (code == ERR_OK) {
        code = block_unpack_part(sqldb_get_blob(q, 0), &s->part_arena, &s->part, e);
    } else if (code == ERR_NOT_FOUND) {
        code = err_set(e, ERR_CORRUPT, "block: a part is missing");
    }
    sqldb_end(q);
    return code;
}

static enum err_code load_part(struct merge *m, struct source *s, uint32_t number, struct err *e)
{
    const struct block_packed *packed = s->block.packed;

    if (s->has_part && s->part_number == number) {
        return ERR_OK;
    }
    arena_reset(&s->part_arena);
    s->has_part = false;
    enum err_code code = packed
                             ? block_unpack_part(packed->parts[number], &s->part_arena, &s->part, e)
                             : load_row(m, s, number, e);
    s->has_part = code == ERR_OK;
    s->part_number = number;
    return code;
}

/* Decode a column of a source, once; it stays until another column is asked for. */
static enum err_code load_column(struct merge *m, struct source *s, struct err *e)
{
    const struct block_stream *stream = block_find(&s->view, m->column_kind, m->column_id);
    struct str bytes;

    s->loaded = true;
    s->cells = NULL;
    if (!stream) {
        return ERR_OK;
    }
    enum err_code code = load_part(m, s, stream->part, e);
    if (code == ERR_OK) {
        code = block_stream_bytes(stream, s->part, &bytes, e);
    }
    if (code == ERR_OK) {
        code = block_cells(&s->view, bytes, &m->scratch, &s->cells, e);
    }
    return code;
}

static void forget_columns(struct merge *m)
{
    for (size_t i = m->first; i < m->next; i++) {
        m->sources[i].loaded = false;
        m->sources[i].cells = NULL;
    }
}

static enum err_code load(void *arg, const struct block_ask *ask, const struct cell **cells,
                          struct err *e)
{
    struct merge *m = arg;
    const struct origin *o = &m->origins[ask->slice];
    enum err_code code = ERR_OK;

    if (ask->id != m->column_id || ask->kind != m->column_kind || ask->slice < m->asked) {
        forget_columns(m); /* another pass: what was decoded lay in the scratch arena */
        m->column_id = ask->id;
        m->column_kind = ask->kind;
    }
    m->asked = ask->slice + 1;
    if (!o->source->loaded) {
        code = load_column(m, o->source, e);
    }
    *cells = o->source->cells ? o->source->cells + o->source->view.row_start[o->slice] : NULL;
    return code;
}

/* --- slices in order --- */

/* The open source whose next slice is the earliest; NULL = none. */
static struct source *earliest(struct merge *m)
{
    struct source *best = NULL;

    for (size_t i = m->first; i < m->next; i++) {
        struct source *s = &m->sources[i];
        if (s->at >= s->view.slice_count) {
            continue;
        }
        int64_t t = s->view.slices[s->at].t_ms;
        int64_t best_t = best ? best->view.slices[best->at].t_ms : 0;
        if (!best || t < best_t || (t == best_t && s->block.order < best->block.order)) {
            best = s;
        }
    }
    return best;
}

/* As above, after opening every source that may begin before. */
static enum err_code next_source(struct merge *m, struct source **out, struct err *e)
{
    *out = earliest(m);
    while (m->next < m->count &&
           (!*out || m->sources[m->next].block.t_min <= (*out)->view.slices[(*out)->at].t_ms)) {
        enum err_code code = open_source(m, &m->sources[m->next++], e);
        if (code) {
            return code;
        }
        *out = earliest(m);
    }
    return ERR_OK;
}

static bool fits(const struct merge *m, const struct codec_slice *s)
{
    return m->slice_count == 0 ||
           (m->slice_count < MERGE_SLICES &&
            m->rows + s->row_count <= block_rows_most(MERGE_ROWS, s->row_count) &&
            s->fact == m->slices[0].fact);
}

static void take_slice(struct merge *m, struct source *source)
{
    if (m->slice_count == m->slice_cap) {
        m->slice_cap = m->slice_cap ? 2 * m->slice_cap : 256;
        m->slices = alloc_resize(m->slices, m->slice_cap * sizeof(*m->slices));
        m->origins = alloc_resize(m->origins, m->slice_cap * sizeof(*m->origins));
    }
    struct codec_slice *s = &m->slices[m->slice_count];
    *s = source->view.slices[source->at];
    s->columns = source->columns;
    s->column_count = source->column_count;
    s->keys = source->keys;
    s->key_count = source->key_count;
    m->origins[m->slice_count++] = (struct origin){source, source->at};
    m->rows += s->row_count;
}

static enum err_code gather(struct merge *m, struct err *e)
{
    for (;;) {
        struct source *source = NULL;
        enum err_code code = next_source(m, &source, e);
        if (code || !source) {
            return code;
        }
        const struct codec_slice *s = &source->view.slices[source->at];
        bool again = m->any && s->t_ms == m->last_t;
        if (!again && !fits(m, s)) {
            return ERR_OK;
        }
        m->any = true;
        m->last_t = s->t_ms;
        if (!again) {
            take_slice(m, source);
        }
        source->at++;
    }
}

/* Sources of which the last result took the rest; their heads lived until now. */
static void close_used(struct merge *m)
{
    for (size_t i = m->first; i < m->next; i++) {
        if (m->sources[i].at >= m->sources[i].view.slice_count) {
            close_source(&m->sources[i]);
        }
    }
    while (m->first < m->next && !m->sources[m->first].open) {
        m->first++;
    }
}

enum err_code merge_next(struct merge *m, struct merge_result *out, bool *end, struct err *e)
{
    close_used(m);
    forget_columns(m);
    arena_reset(&m->build);
    arena_reset(&m->scratch);
    m->slice_count = m->rows = 0;
    m->column_id = UINT32_MAX;
    m->asked = 0;
    enum err_code code = gather(m, e);
    *end = code == ERR_OK && m->slice_count == 0;
    if (code || *end) {
        return code;
    }
    out->input = (struct block_input){.slices = m->slices,
                                      .count = m->slice_count,
                                      .scratch = &m->scratch,
                                      .load = load,
                                      .load_arg = m};
    return block_build(&m->build, &out->input, &out->packed, e);
}
