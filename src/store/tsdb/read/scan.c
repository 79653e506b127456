/* SPDX-License-Identifier: PostgreSQL */
/*
 * scan.c: visits the slices of a relation in time order, from blocks and heads.
 *
 * Per group the blocks that overlap the interval (usually one after the other) and the slices of
 * the pinned heads are merged by time; a block, or a folded piece of a head, is decoded when its
 * time has come and freed when it is used up. Of slices with equal t the first acknowledged one
 * counts: blocks before heads, older flushes first.
 */
#include "store/tsdb/codec/block.h"
#include "store/tsdb/read/reader.h"
#include "store/tsdb/read/stretch.h"

#include "base/alloc.h"
#include "os/clock.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_ARENA (512UL * 1024 * 1024)

/* What the scan wants of a relation; fixed for all groups. */
struct wanted {
    struct catalog_relation *relation;
    size_t key_count;
    size_t column_count;
    uint32_t *columns; /* ids; UINT32_MAX = the relation has none of that name */
};

/* A block on its way: found, then open. */
struct source {
    struct reader_file *file;
    int64_t block;
    const struct block_packed *packed; /* a piece of a head; NULL = a block of the file */
    uint64_t order;                    /* of equal times the lower one counts */
    int64_t t_min, t_max;
    bool open;
    size_t at; /* next slice */
    struct arena arena;
    struct block_view view;
    struct cell **columns; /* wanted->column_count */
    struct str **keys;     /* key_count */
    struct str *parts;     /* unpacked; NULL ptr = not yet */
};

struct head_ref {
    int64_t t_ms;
    uint64_t lsn;
    struct str bytes;
};

struct scan {
    struct tsdb_reader *reader;
    const struct tsdb_scan_spec *spec;
    struct wanted wanted;
    struct catalog_group *group;
    struct arena arena;           /* of the scan */
    struct arena list;            /* of the group: sources and head slices */
    struct arena scratch;         /* of one visit */
    const struct tsdb_sink *sink; /* takes stretches; NULL = readings one by one */
    struct arena stretch;         /* of one block that is given as such */
    struct stretch_choice choice;
    size_t source_count, source_cap;
    struct source *sources; /* by t_min */
    size_t next_source;     /* first that is not open yet */
    size_t head_count;
    struct head_ref *heads; /* by t, lsn */
    size_t next_head;
    struct head_view views[2]; /* held */
    bool any;
    int64_t last_t;
    tsdb_visit *visit;
    void *arg;
};

static enum err_code check_deadline(const struct scan *s, struct err *e)
{
    return reader_check(s->reader, s->spec->deadline_mono_us, e);
}

/* --- finding what there is --- */

static enum err_code want(struct scan *s, struct err *e)
{
    struct catalog *c = s->reader->db->catalog;
    struct wanted *w = &s->wanted;

    w->relation = catalog_find_relation(c, s->spec->relation);
    if (!w->relation) {
        return err_set(e, ERR_NOT_FOUND, "no relation %.*s", STR_ARG(s->spec->relation));
    }
    lock_take(&c->lock);
    w->key_count = w->relation->key_count;
    w->column_count = s->spec->columns ? s->spec->column_count : w->relation->column_count;
    lock_release(&c->lock);
    w->columns = arena_array(&s->arena, w->column_count, sizeof(*w->columns));
    for (size_t i = 0; w->columns && i < w->column_count; i++) {
        const struct catalog_column *col =
            s->spec->columns ? catalog_find_column(c, w->relation, s->spec->columns[i]) : NULL;
        w->columns[i] = !s->spec->columns ? (uint32_t)i : col ? col->id : UINT32_MAX;
    }
    return arena_check(&s->arena, e);
}

static struct source *add_source(struct scan *s)
{
    if (s->source_count == s->source_cap) {
        s->source_cap = s->source_cap ? 2 * s->source_cap : 32;
        s->sources = alloc_resize(s->sources, s->source_cap * sizeof(*s->sources));
    }
    return memset(&s->sources[s->source_count++], 0, sizeof(*s->sources));
}

static enum err_code find_blocks(struct scan *s, struct reader_file *f, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    bool row = true;
    enum err_code code = sqldb_query(
        f->db, "tsdb_block_find",
        SQLDB_ARGS(sqldb_i64((int64_t)s->group->id), sqldb_i64(s->spec->from_ms),
                   sqldb_i64(s->spec->to_ms), sqldb_i64((int64_t)f->applied)),
        &q, e);

    while (code == ERR_OK && (code = sqldb_step(q, &row, e)) == ERR_OK && row) {
        struct source *n = add_source(s);
        n->file = f;
        n->block = sqldb_get_i64(q, 0);
        n->order = (uint64_t)sqldb_get_i64(q, 1);
        n->t_min = sqldb_get_i64(q, 2);
        n->t_max = sqldb_get_i64(q, 3);
    }
    sqldb_end(q);
    return code;
}

static int compare_sources(const void *a, const void *b)
{
    const struct source *x = a;
    const struct source *y = b;
    if (x->t_min != y->t_min) {
        return x->t_min < y->t_min ? -1 : 1;
    }
    return x->order < y->order ? -1 : x->order > y->order;
}

static int compare_heads(const void *a, const void *b)
{
    const struct head_ref *x = a;
    const struct head_ref *y = b;
    if (x->t_ms != y->t_ms) {
        return x->t_ms < y->t_ms ? -1 : 1;
    }
    return x->lsn < y->lsn ? -1 : x->lsn > y->lsn;
}

static enum err_code find_sources(struct scan *s, struct err *e)
{
    size_t count = 0;
    struct day_file *days = reader_days(s->reader, days_of_ms(s->spec->from_ms),
                                        days_of_ms(s->spec->to_ms), &count);
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        struct reader_file *f = NULL;
        code = reader_day(s->reader, days[i].class, days[i].day, &f, e);
        if (code == ERR_OK && f) {
            code = find_blocks(s, f, e);
        }
    }
    alloc_free(days);
    return code;
}

/* Whether slices of a head, newest `lsn`, are not yet in blocks of the reader's files. */
static bool counts(const struct scan *s, uint64_t lsn, int64_t every_ms, int64_t t_ms)
{
    /* of the files that find_sources took blocks from: a younger one was not looked at */
    return lsn > reader_applied(s->reader, days_class_of(every_ms), days_of_ms(t_ms));
}

/* Slices of one head and file are flushed together: either all of a piece count, or none. */
static void add_piece(struct scan *s, const struct head_piece *p)
{
    if (counts(s, p->lsn_max, p->every_ms, p->t_min)) {
        struct source *n = add_source(s);
        n->packed = &p->packed;
        n->order = p->lsn;
        n->t_min = p->t_min;
        n->t_max = p->t_max;
    }
}

/* Copy the lists under the lock; the bytes stay where they are. */
static enum err_code look_at_heads(struct scan *s, struct err *e)
{
    const struct head_window w = {s->group->id, s->spec->from_ms, s->spec->to_ms, s->reader->lsn};
    bool fits = true;

    lock_take(&s->reader->db->state);
    for (int h = 0; fits && h < 2; h++) {
        fits = !s->reader->heads[h] || head_look(s->reader->heads[h], &w, &s->list, &s->views[h]);
    }
    lock_release(&s->reader->db->state);
    return fits ? ERR_OK : arena_fail(&s->list, e);
}

static void let_go_of_heads(struct scan *s)
{
    if (s->views[0].bundle_count || s->views[1].bundle_count) {
        lock_take(&s->reader->db->state);
        head_release(&s->views[0]);
        head_release(&s->views[1]);
        lock_release(&s->reader->db->state);
    }
    memset(s->views, 0, sizeof(s->views));
}

static enum err_code find_heads(struct scan *s, struct err *e)
{
    enum err_code code = look_at_heads(s, e);

    s->heads = arena_array(&s->list, s->views[0].slice_count + s->views[1].slice_count,
                           sizeof(*s->heads));
    code = code ? code : arena_check(&s->list, e);
    for (int h = 0; code == ERR_OK && h < 2; h++) {
        const struct head_view *v = &s->views[h];
        for (size_t i = 0; i < v->slice_count; i++) {
            const struct head_slice *x = &v->slices[i];
            if (counts(s, x->lsn, x->every_ms, x->t_ms)) {
                s->heads[s->head_count++] = (struct head_ref){x->t_ms, x->lsn, x->bytes};
            }
        }
        for (size_t i = 0; i < v->piece_count; i++) {
            add_piece(s, v->pieces[i]);
        }
    }
    if (code == ERR_OK && s->head_count) {
        qsort(s->heads, s->head_count, sizeof(*s->heads), compare_heads);
    }
    return code;
}

static enum err_code find_all(struct scan *s, struct err *e)
{
    enum err_code code = find_sources(s, e);

    code = code ? code : find_heads(s, e);
    if (code == ERR_OK && s->source_count) {
        qsort(s->sources, s->source_count, sizeof(*s->sources), compare_sources);
    }
    return code;
}

/* --- blocks --- */

static enum err_code load_blob(struct sqldb *db, const char *statement, int64_t id,
                               struct sqldb_stmt **q, struct err *e)
{
    enum err_code code = sqldb_row(db, statement, SQLDB_ARGS(sqldb_i64(id)), q, e);
    return code == ERR_NOT_FOUND ? err_set(e, ERR_CORRUPT, "block %lld is cut", (long long)id)
                                 : code;
}

static enum err_code load_part(struct source *n, uint32_t part, struct err *e)
{
    struct sqldb_stmt *q = NULL;

    if (n->parts[part].ptr) {
        return ERR_OK;
    }
    if (n->packed) {
        return block_unpack_part(n->packed->parts[part], &n->arena, &n->parts[part], e);
    }
    enum err_code code = load_blob(n->file->db, "tsdb_part_get", n->block * BLOCK_PARTS_MAX + part,
                                   &q, e);
    if (code == ERR_OK) {
        code = block_unpack_part(sqldb_get_blob(q, 0), &n->arena, &n->parts[part], e);
    }
    sqldb_end(q);
    return code;
}

static enum err_code load_stream(struct source *n, enum block_kind kind, uint32_t id,
                                 struct cell **cells, struct err *e)
{
    const struct block_stream *stream = block_find(&n->view, kind, id);
    struct str bytes;

    if (!stream) {
        *cells = arena_array(&n->arena, n->view.row_total, sizeof(**cells));
        return arena_check(&n->arena, e);
    }
    enum err_code code = load_part(n, stream->part, e);
    if (code == ERR_OK) {
        code = block_stream_bytes(stream, n->parts[stream->part], &bytes, e);
    }
    if (code == ERR_OK) {
        code = block_cells(&n->view, bytes, &n->arena, cells, e);
    }
    return code;
}

static enum err_code key_strings(struct source *n, uint32_t id, struct str **out, struct err *e)
{
    struct cell *cells = NULL;
    enum err_code code = load_stream(n, BLOCK_KEY, id, &cells, e);

    if (code) {
        return code;
    }
    *out = arena_array(&n->arena, n->view.row_total, sizeof(**out));
    for (size_t i = 0; *out && i < n->view.row_total; i++) {
        (*out)[i] = cells[i].tag == CELL_STR ? cells[i].str : (struct str){"", 0};
    }
    return arena_check(&n->arena, e);
}

static enum err_code load_streams(struct scan *s, struct source *n, struct err *e)
{
    const struct wanted *w = &s->wanted;
    enum err_code code = ERR_OK;

    n->parts = arena_array(&n->arena, n->view.part_count, sizeof(*n->parts));
    n->columns = arena_array(&n->arena, w->column_count, sizeof(*n->columns));
    n->keys = arena_array(&n->arena, w->key_count, sizeof(*n->keys));
    if (!n->keys) {
        return arena_check(&n->arena, e);
    }
    for (size_t c = 0; code == ERR_OK && c < w->column_count; c++) {
        code = load_stream(n, BLOCK_COLUMN, w->columns[c], &n->columns[c], e);
    }
    for (size_t k = 0; code == ERR_OK && n->view.fact && k < w->key_count; k++) {
        code = key_strings(n, (uint32_t)k, &n->keys[k], e);
    }
    return code;
}

static enum err_code open_row(struct source *n, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code code = load_blob(n->file->db, "tsdb_block_head", n->block, &q, e);

    if (code == ERR_OK) { /* strings of the head borrow from the row: copy it first */
        struct str head = arena_str(&n->arena, sqldb_get_blob(q, 0));
        code = block_open(head, &n->arena, &n->view, e);
    }
    sqldb_end(q);
    return code;
}

static enum err_code open_source(struct scan *s, struct source *n, struct err *e)
{
    arena_init(&n->arena, "tsdb block", BLOCK_ARENA);
    n->open = true;
    enum err_code code = n->packed ? block_open(n->packed->head, &n->arena, &n->view, e)
                                   : open_row(n, e);
    if (code == ERR_OK) {
        code = load_streams(s, n, e);
    }
    while (code == ERR_OK && n->at < n->view.slice_count &&
           n->view.slices[n->at].t_ms <= s->spec->from_ms) {
        n->at++;
    }
    return code;
}

static void close_source(struct source *n)
{
    if (n->open) {
        arena_fini(&n->arena);
        n->open = false;
        n->view.slice_count = n->at = 0;
    }
}

/* --- visiting --- */

static struct tsdb_slice visible(const struct scan *s, const struct codec_slice *c)
{
    return (struct tsdb_slice){
        .group = s->group->id,
        .scope = s->group->scope,
        .t_ms = c->t_ms,
        .from_ms = c->from_ms,
        .every_ms = c->every_ms,
        .flags = c->flags,
        .reason = c->reason,
        .row_count = c->row_count,
        .objects = c->fact ? NULL : c->objects,
        .key_count = c->fact ? s->wanted.key_count : 0,
        .column_count = s->wanted.column_count,
        .gone_count = c->gone_count,
        .gone = c->gone,
        .reset_count = c->reset_count,
        .resets = c->resets,
    };
}

static enum err_code visit_block(struct scan *s, struct source *n, struct err *e)
{
    const struct codec_slice *c = &n->view.slices[n->at];
    size_t start = n->view.row_start[n->at];
    struct tsdb_slice out = visible(s, c);

    const struct cell **cells = arena_array(&s->scratch, s->wanted.column_count,
                                            sizeof(const struct cell *));
    struct str **keys = arena_array(&s->scratch, s->wanted.key_count, sizeof(*keys));
    if (!cells || !keys) {
        return arena_check(&s->scratch, e);
    }
    for (size_t i = 0; i < s->wanted.column_count; i++) {
        cells[i] = n->columns[i] + start;
    }
    for (size_t k = 0; c->fact && k < s->wanted.key_count; k++) {
        keys[k] = n->keys[k] + start;
    }
    out.cells = cells;
    out.keys = keys;
    return s->visit(s->arg, &out, e);
}

static enum err_code slice_column(struct scan *s, const struct codec_slice *c, uint32_t id,
                                  struct cell **cells, struct err *e)
{
    for (size_t i = 0; i < c->column_count; i++) {
        if (c->columns[i].id == id) {
            return codec_get_column(c->columns[i].stream, &s->scratch, c->row_count, cells, e);
        }
    }
    *cells = arena_array(&s->scratch, c->row_count, sizeof(**cells));
    return arena_check(&s->scratch, e);
}

static enum err_code slice_keys(struct scan *s, const struct codec_slice *c, struct str **keys,
                                struct err *e)
{
    for (size_t k = 0; k < s->wanted.key_count; k++) {
        struct cell *cells = NULL;
        enum err_code code = ERR_OK;
        for (size_t i = 0; code == ERR_OK && i < c->key_count; i++) {
            if (c->keys[i].id == k) {
                code = codec_get_column(c->keys[i].stream, &s->scratch, c->row_count, &cells, e);
            }
        }
        keys[k] = arena_array(&s->scratch, c->row_count, sizeof(**keys));
        if (code || !keys[k]) {
            return code ? code : arena_check(&s->scratch, e);
        }
        for (size_t i = 0; i < c->row_count; i++) {
            bool is_text = cells && cells[i].tag == CELL_STR;
            keys[k][i] = is_text ? cells[i].str : (struct str){"", 0};
        }
    }
    return ERR_OK;
}

static enum err_code visit_head(struct scan *s, const struct head_ref *h, struct err *e)
{
    struct codec_slice c;
    enum err_code code = codec_get_slice(h->bytes, &s->scratch, &c, e);

    if (code) {
        return code;
    }
    struct tsdb_slice out = visible(s, &c);
    struct cell **cells = arena_array(&s->scratch, s->wanted.column_count, sizeof(*cells));
    struct str **keys = arena_array(&s->scratch, s->wanted.key_count, sizeof(*keys));
    if (!cells || !keys) {
        return arena_check(&s->scratch, e);
    }
    for (size_t i = 0; code == ERR_OK && i < s->wanted.column_count; i++) {
        code = slice_column(s, &c, s->wanted.columns[i], &cells[i], e);
    }
    if (code == ERR_OK && c.fact) {
        code = slice_keys(s, &c, keys, e);
    }
    out.cells = (const struct cell *const *)cells;
    out.keys = keys;
    return code ? code : s->visit(s->arg, &out, e);
}

/* The open block whose next slice is the earliest; NULL = none. Used-up blocks are closed. */
static struct source *earliest(struct scan *s)
{
    struct source *best = NULL;

    for (size_t i = 0; i < s->next_source; i++) {
        struct source *n = &s->sources[i];
        if (n->open && n->at >= n->view.slice_count) {
            close_source(n);
        }
        if (!n->open) {
            continue;
        }
        int64_t t = n->view.slices[n->at].t_ms;
        int64_t best_t = best ? best->view.slices[best->at].t_ms : INT64_MAX;
        if (!best || t < best_t || (t == best_t && n->order < best->order)) {
            best = n;
        }
    }
    return best;
}

/* Whether nothing else lies between the slices of the next block, and the sink takes it whole. */
static bool is_stretch(const struct scan *s, const struct source *best)
{
    const struct source *n = &s->sources[s->next_source];

    return s->sink && s->wanted.relation->shape == RELATION_OBJECT && !best &&
           (!s->any || s->last_t < n->t_min) &&
           (s->next_head == s->head_count || s->heads[s->next_head].t_ms > n->t_max) &&
           (s->next_source + 1 == s->source_count || n[1].t_min > n->t_max);
}

static enum err_code give_stretch(struct scan *s, struct err *e)
{
    const struct source *n = &s->sources[s->next_source++];
    const struct stretch_job job = {
        .cache = s->reader->db->cache,
        .file = n->file,
        .block = n->block,
        .packed = n->packed,
        .lsn = n->order,
        .group = s->group->id,
        .scope = s->group->scope,
        .spec = s->spec,
        .columns = s->wanted.columns,
        .column_count = s->wanted.column_count,
        .sink = s->sink,
        .scratch = &s->stretch,
        .choice = &s->choice,
    };

    s->any = true;
    s->last_t = n->t_max;
    enum err_code code = stretch_visit(&job, e);
    return code ? code : check_deadline(s, e);
}

/* Open every block that may begin before the earliest slice at hand. */
static enum err_code open_due(struct scan *s, struct source **best, struct err *e)
{
    *best = earliest(s);
    while (s->next_source < s->source_count) {
        int64_t t = *best ? (*best)->view.slices[(*best)->at].t_ms : INT64_MAX;
        if (s->next_head < s->head_count && s->heads[s->next_head].t_ms < t) {
            t = s->heads[s->next_head].t_ms;
        }
        if (t != INT64_MAX && s->sources[s->next_source].t_min > t) {
            break;
        }
        enum err_code code = is_stretch(s, *best)
                                 ? give_stretch(s, e)
                                 : open_source(s, &s->sources[s->next_source++], e);
        if (code) {
            return code;
        }
        *best = earliest(s);
    }
    return ERR_OK;
}

/* Visit the next slice of the group; *end at its end. */
static enum err_code visit_next(struct scan *s, bool *end, struct err *e)
{
    struct source *best = NULL;
    enum err_code code = open_due(s, &best, e);
    const struct head_ref *h = s->next_head < s->head_count ? &s->heads[s->next_head] : NULL;

    if (code) {
        return code;
    }
    *end = !best && !h;
    if (*end) {
        return ERR_OK;
    }
    int64_t block_t = best ? best->view.slices[best->at].t_ms : INT64_MAX;
    bool from_block = best &&
                      (!h || block_t < h->t_ms || (block_t == h->t_ms && best->order <= h->lsn));
    int64_t t = from_block ? block_t : h->t_ms;
    bool again = s->any && t == s->last_t;
    if (t > s->spec->to_ms && from_block) {
        best->at = best->view.slice_count;
        return ERR_OK;
    }
    if (!again) {
        arena_reset(&s->scratch);
        code = from_block ? visit_block(s, best, e) : visit_head(s, h, e);
    }
    s->any = true;
    s->last_t = t;
    best ? best->at += from_block : 0;
    s->next_head += !from_block;
    return code;
}

static enum err_code scan_group(struct scan *s, struct err *e)
{
    bool end = false;

    s->source_count = s->source_cap = s->next_source = s->head_count = s->next_head = 0;
    s->any = false;
    arena_reset(&s->list);
    enum err_code code = find_all(s, e);
    while (code == ERR_OK && !end) {
        code = visit_next(s, &end, e);
        if (code == ERR_OK) {
            code = check_deadline(s, e);
        }
    }
    for (size_t i = 0; i < s->source_count; i++) {
        close_source(&s->sources[i]);
    }
    alloc_free(s->sources);
    s->sources = NULL;
    let_go_of_heads(s);
    return code;
}

/* Groups of the relation and target, in order of scope id. */
static struct catalog_group **groups_of(struct scan *s, size_t *count)
{
    struct catalog *c = s->reader->db->catalog;
    size_t n = 0;

    lock_take(&c->lock);
    struct catalog_group **list = arena_array(&s->arena, c->group_count, sizeof(*list));
    for (size_t i = 0; list && i < c->group_count; i++) {
        struct catalog_group *g = c->all_groups[i];
        if (g->relation == s->wanted.relation && !atomic_load(&g->dropped) &&
            text_uuid_eq(&g->target, &s->spec->target) &&
            (!s->spec->scope || str_eq(g->scope, *s->spec->scope))) {
            list[n++] = g;
        }
    }
    lock_release(&c->lock);
    *count = n;
    return list;
}

static enum err_code run(struct tsdb_reader *r, const struct tsdb_scan_spec *spec,
                         const struct tsdb_sink *sink, struct err *e)
{
    struct scan s = {.reader = r,
                     .spec = spec,
                     .visit = sink->visit,
                     .arg = sink->arg,
                     .sink = sink->stretch ? sink : NULL};
    size_t count = 0;

    arena_init(&s.arena, "tsdb scan", TSDB_ARENA_BYTES);
    arena_init(&s.list, "tsdb scan list", TSDB_ARENA_BYTES);
    arena_init(&s.scratch, "tsdb scan slice", TSDB_ARENA_BYTES);
    arena_init(&s.stretch, "tsdb scan block", TSDB_ARENA_BYTES);
    enum err_code code = want(&s, e);
    struct catalog_group **groups = code == ERR_OK ? groups_of(&s, &count) : NULL;
    if (code == ERR_OK) {
        code = arena_check(&s.arena, e);
    }
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        s.group = groups[i];
        code = scan_group(&s, e);
    }
    stretch_choice_fini(&s.choice);
    arena_fini(&s.stretch);
    arena_fini(&s.scratch);
    arena_fini(&s.list);
    arena_fini(&s.arena);
    return code;
}

enum err_code tsdb_sqlite_scan(struct tsdb_reader *r, const struct tsdb_scan_spec *spec,
                               tsdb_visit *visit, void *arg, struct err *e)
{
    const struct tsdb_sink sink = {.visit = visit, .arg = arg};

    return run(r, spec, &sink, e);
}

enum err_code tsdb_sqlite_scan_numbers(struct tsdb_reader *r, const struct tsdb_scan_spec *spec,
                                       const struct tsdb_sink *sink, struct err *e)
{
    return run(r, spec, sink, e);
}
