/* SPDX-License-Identifier: PostgreSQL */
/*
 * transfer_read.c: the readings of a store, as coded slices, in order of day, group and time.
 *
 * From PostgreSQL the stored bytes themselves; from SQLite what a scan decodes, coded again with
 * the same ids. A reading that cannot be read is left out: in PostgreSQL one by one; in SQLite
 * between the borders of blocks, for a block is damaged as a whole.
 */
#include "store/transfer/transfer_part.h"

#include "base/alloc.h"
#include "base/num.h"
#include "os/clock.h"
#include "store/tsdb/postgres/pgstore.h"
#include "store/tsdb/quarantine.h"
#include "store/tsdb/read/reader.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SLICES 500
#define SLICE_BYTES ((size_t)512 * 1024 * 1024)
#define BORROW_US   10000000

/* --- which days there are --- */

static int compare_days(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;
    return *x < *y ? -1 : *x > *y;
}

static enum err_code read_count(struct sqldb *db, const char *name, struct sqldb_args args,
                                uint64_t *readings, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(db, name, args, &s, e);

    if (code == ERR_OK) {
        *readings += (uint64_t)sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code;
}

/* A file that is damaged counts nothing: what is lost of it is said when it is read. */
static void count_file(const struct tsdb *db, const struct day_file *f, uint64_t *readings)
{
    struct sqldb *file = NULL;
    char path[4096];
    struct err e = {0};

    days_path(db, f, path, sizeof(path));
    if (days_open(path, SQLDB_READ_ONLY, &file, &e) == ERR_OK) {
        (void)!read_count(file, "transfer_block_count", SQLDB_NO_ARGS, readings, &e);
    }
    sqldb_close(file);
}

static size_t list_files(const struct tsdb *db, int64_t *list, uint64_t *readings)
{
    size_t kept = 0;

    for (size_t i = 0; i < db->day_count; i++) {
        list[i] = db->days[i].day;
        count_file(db, &db->days[i], readings);
    }
    qsort(list, db->day_count, sizeof(*list), compare_days);
    for (size_t i = 0; i < db->day_count; i++) {
        if (kept == 0 || list[kept - 1] != list[i]) {
            list[kept++] = list[i];
        }
    }
    return kept;
}

static enum err_code list_partitions(struct sqldb *db, int64_t **days, size_t *count, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(db, "tsdb_day_list", SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        *days = alloc_resize(*days, (*count + 1) * sizeof(**days));
        (*days)[(*count)++] = sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code;
}

static enum err_code count_partitions(struct sqldb *db, int64_t *days, size_t *count,
                                      uint64_t *readings, struct err *e)
{
    size_t kept = 0;
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < *count; i++) {
        uint64_t before = *readings;
        int64_t first = days[i] * TSDB_DAY_MS;
        code = read_count(db, "transfer_slice_count",
                          SQLDB_ARGS(sqldb_i64(first), sqldb_i64(first + TSDB_DAY_MS - 1)),
                          readings, e);
        if (*readings > before) {
            days[kept++] = days[i];
        }
    }
    *count = kept;
    return code;
}

enum err_code transfer_days(const struct transfer_side *side, int64_t **days, size_t *count,
                            uint64_t *readings, struct err *e)
{
    enum err_code code = ERR_OK;

    *days = NULL;
    *count = 0;
    *readings = 0;
    if (side->pg) {
        code = list_partitions(side->control, days, count, e);
        return code ? code : count_partitions(side->control, *days, count, readings, e);
    }
    *days = alloc_array(side->series->day_count + 1, sizeof(**days));
    *count = list_files(side->series, *days, readings);
    return ERR_OK;
}

/* --- PostgreSQL --- */

struct reading_pg {
    const struct transfer_reader *r;
    struct arena page, scratch;
};

static void say_reading(const struct transfer_reader *r, const struct transfer_place *at,
                        const char *why)
{
    char when[NUM_TIME_TEXT_MAX];
    const struct catalog_group *g = catalog_group_by_id(r->side->series->catalog, at->group);

    if (!r->says_losses) {
        return;
    }
    num_format_time(at->t_ms, when);
    transfer_lose(r->t, "the reading of %.*s, group %" PRIu64 ", of %s cannot be read: %s",
                  STR_ARG(g->relation->name), at->group, when, why);
}

static enum err_code visit_bytes(struct reading_pg *p, const struct transfer_place *at,
                                 struct str bytes, struct err *e)
{
    struct codec_slice s;
    struct err why = {0};

    if (!catalog_group_by_id(p->r->side->series->catalog, at->group)) {
        return ERR_OK; /* its target was deleted */
    }
    arena_reset(&p->scratch);
    enum err_code code = quarantine_check_slice(bytes, &p->scratch, &why);
    code = code ? code : codec_get_slice(bytes, &p->scratch, &s, &why);
    if (code == ERR_OK && (s.group != at->group || s.t_ms != at->t_ms)) {
        code = err_set(&why, ERR_CORRUPT, "it is of another group or time");
    }
    if (code == ERR_CORRUPT) {
        say_reading(p->r, at, why.text);
        return ERR_OK;
    }
    if (code) {
        *e = why;
        return code;
    }
    const struct transfer_reading out = {s.group, s.t_ms, s.every_ms, s.row_count, bytes, NULL};
    return p->r->visit(p->r->arg, &out, e);
}

struct page_row {
    struct transfer_place at;
    struct str bytes;
};

static enum err_code read_page(struct reading_pg *p, const struct transfer_place *after,
                               struct page_row *rows, size_t *count, struct err *e)
{
    int64_t first = after->day * TSDB_DAY_MS;
    struct sqldb_stmt *s = NULL;
    bool row = true;

    arena_reset(&p->page);
    *count = 0;
    enum err_code code = sqldb_query(p->r->side->control, "transfer_slice_page",
                                     SQLDB_ARGS(sqldb_i64(first),
                                                sqldb_i64(first + TSDB_DAY_MS - 1),
                                                sqldb_i64((int64_t)after->group),
                                                sqldb_i64(after->t_ms), sqldb_i64(PAGE_SLICES)),
                                     &s, e);
    while (code == ERR_OK && *count < PAGE_SLICES && (code = sqldb_step(s, &row, e)) == ERR_OK &&
           row) {
        rows[(*count)++] = (struct page_row){
            {after->day, (uint64_t)sqldb_get_i64(s, 0), sqldb_get_i64(s, 1)},
            arena_str(&p->page, sqldb_get_blob(s, 2))};
    }
    sqldb_end(s);
    return code ? code : arena_check(&p->page, e);
}

static enum err_code read_pg(const struct transfer_reader *r, struct transfer_place after,
                             struct err *e)
{
    struct page_row *rows = alloc_array(PAGE_SLICES, sizeof(*rows));
    struct reading_pg p = {.r = r};
    size_t count = PAGE_SLICES;
    enum err_code code = ERR_OK;

    arena_init(&p.page, "copied page", SLICE_BYTES);
    arena_init(&p.scratch, "copied reading", SLICE_BYTES);
    while (code == ERR_OK && count == PAGE_SLICES) {
        code = read_page(&p, &after, rows, &count, e);
        for (size_t i = 0; code == ERR_OK && i < count; i++) {
            code = visit_bytes(&p, &rows[i].at, rows[i].bytes, e);
        }
        after = count ? rows[count - 1].at : after;
    }
    arena_fini(&p.scratch);
    arena_fini(&p.page);
    alloc_free(rows);
    return code;
}

/* --- SQLite --- */

struct reading_lite {
    const struct transfer_reader *r;
    struct tsdb_reader *reader;
    const struct catalog_group *group;
    struct arena scratch;
    struct buf bytes;
    int64_t last_ms; /* of what was visited in this group */
    bool failed;     /* the visitor: no damage of the source */
};

static bool all_null(const struct cell *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (cells[i].tag != CELL_NULL) {
            return false;
        }
    }
    return true;
}

static void put_columns(struct arena *a, const struct tsdb_slice *from, struct codec_slice *to)
{
    to->columns = arena_array(a, from->column_count, sizeof(*to->columns));
    for (size_t c = 0; to->columns && c < from->column_count; c++) {
        if (!all_null(from->cells[c], from->row_count)) {
            to->columns[to->column_count++] = (struct codec_column){.id = (uint32_t)c,
                                                                    .cells = from->cells[c]};
        }
    }
}

static void put_keys(struct arena *a, const struct tsdb_slice *from, struct codec_slice *to)
{
    to->keys = arena_array(a, from->key_count, sizeof(*to->keys));
    for (size_t k = 0; to->keys && k < from->key_count; k++) {
        struct cell *cells = arena_array(a, from->row_count, sizeof(*cells));
        bool any = false;
        for (size_t i = 0; cells && i < from->row_count; i++) {
            cells[i] = cell_str(from->keys[k][i]);
            any |= from->keys[k][i].len > 0;
        }
        if (any) {
            to->keys[to->key_count++] = (struct codec_column){.id = (uint32_t)k, .cells = cells};
        }
    }
}

static void *copy_of(struct arena *a, const void *from, size_t count, size_t size)
{
    void *to = arena_array(a, count, size);

    if (to && count) {
        memcpy(to, from, count * size);
    }
    return to;
}

/* The same reading, coded; its columns are borrowed. */
static enum err_code encode(struct reading_lite *l, const struct tsdb_slice *from, struct err *e)
{
    struct codec_slice to = {.group = from->group,
                             .t_ms = from->t_ms,
                             .from_ms = from->from_ms,
                             .every_ms = from->every_ms,
                             .flags = from->flags,
                             .fact = l->group->relation->shape == RELATION_FACT,
                             .reason = from->reason,
                             .row_count = from->row_count,
                             .gone_count = from->gone_count,
                             .reset_count = from->reset_count};

    arena_reset(&l->scratch);
    buf_reset(&l->bytes);
    if (to.fact) {
        put_keys(&l->scratch, from, &to);
    } else {
        to.objects = copy_of(&l->scratch, from->objects, from->row_count, sizeof(*to.objects));
    }
    put_columns(&l->scratch, from, &to);
    to.gone = copy_of(&l->scratch, from->gone, from->gone_count, sizeof(*to.gone));
    to.resets = copy_of(&l->scratch, from->resets, from->reset_count, sizeof(*to.resets));
    enum err_code code = arena_check(&l->scratch, e);
    if (code == ERR_OK) {
        codec_put_slice(&l->bytes, &l->scratch, &to);
        code = buf_check(&l->bytes, e);
    }
    return code ? code : arena_check(&l->scratch, e);
}

static enum err_code visit_slice(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct reading_lite *l = arg;
    bool decoded = l->r->decoded;
    enum err_code code = decoded ? ERR_OK : encode(l, s, e);
    const struct transfer_reading out = {
        s->group, s->t_ms, s->every_ms, s->row_count, buf_view(&l->bytes), decoded ? s : NULL};

    l->last_ms = s->t_ms;
    code = code ? code : l->r->visit(l->r->arg, &out, e);
    l->failed = code != ERR_OK;
    return code;
}

struct stretch_ms {
    int64_t from, to; /* from < t <= to */
};

static enum err_code scan(struct reading_lite *l, struct stretch_ms s, struct err *e)
{
    const struct tsdb_scan_spec spec = {.target = l->group->target,
                                        .relation = l->group->relation->name,
                                        .scope = &l->group->scope,
                                        .from_ms = s.from,
                                        .to_ms = s.to};

    l->last_ms = s.from;
    return tsdb_scan(l->reader, &spec, visit_slice, l, e);
}

/* --- what is damaged --- */

struct borders {
    int64_t *list;
    size_t count, cap;
};

static void add_border(struct borders *b, int64_t t_ms)
{
    if (b->count == b->cap) {
        b->cap = b->cap ? 2 * b->cap : 64;
        b->list = alloc_resize(b->list, b->cap * sizeof(*b->list));
    }
    b->list[b->count++] = t_ms;
}

static enum err_code file_borders(struct reading_lite *l, enum day_class class, int64_t day,
                                  struct borders *out, struct err *e)
{
    struct reader_file *file = NULL;
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = reader_day(l->reader, class, day, &file, e);

    if (code || !file) {
        return code;
    }
    code = sqldb_query(
        file->db, "tsdb_block_of_group",
        SQLDB_ARGS(sqldb_i64((int64_t)l->group->id), sqldb_i64((int64_t)file->applied)), &s, e);
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        add_border(out, sqldb_get_i64(s, 2) - 1);
        add_border(out, sqldb_get_i64(s, 3));
    }
    sqldb_end(s);
    return code;
}

static void say_stretch(const struct reading_lite *l, struct stretch_ms s, const char *why)
{
    const struct catalog_group *g = l->group;
    char from[NUM_TIME_TEXT_MAX];
    char to[NUM_TIME_TEXT_MAX];

    if (!l->r->says_losses) {
        return;
    }
    num_format_time(s.from, from);
    num_format_time(s.to, to);
    transfer_lose(l->r->t, "readings of %.*s, group %" PRIu64 ", after %s up to %s: %s",
                  STR_ARG(g->relation->name), g->id, from, to, why);
}

/* What is lost side by side is said once. */
static void lose(const struct reading_lite *l, struct stretch_ms *lost, struct stretch_ms next,
                 const char *why)
{
    if (lost->to > lost->from && next.from != lost->to) {
        say_stretch(l, *lost, why);
        lost->from = next.from;
    }
    lost->from = lost->to > lost->from ? lost->from : next.from;
    lost->to = next.to;
}

/* What lies between the borders of blocks, one stretch after the other. */
static enum err_code read_between(struct reading_lite *l, struct stretch_ms whole,
                                  const struct borders *b, struct err *e)
{
    struct stretch_ms lost = {0};
    struct err why = {0};
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i + 1 < b->count; i++) {
        struct stretch_ms s = {b->list[i] > whole.from ? b->list[i] : whole.from,
                               b->list[i + 1] < whole.to ? b->list[i + 1] : whole.to};
        if (s.from >= s.to) {
            continue;
        }
        code = scan(l, s, e);
        if (code == ERR_CORRUPT && !l->failed) {
            lose(l, &lost, (struct stretch_ms){l->last_ms, s.to}, why.text);
            why = *e;
            code = ERR_OK;
        }
    }
    if (lost.to > lost.from) {
        say_stretch(l, lost, why.text);
    }
    return code;
}

/* After a scan that met damage: all that can be read behind what was visited. */
static enum err_code read_around(struct reading_lite *l, struct stretch_ms whole, struct err *e)
{
    int64_t day = days_of_ms(whole.to);
    struct borders b = {0};
    struct err met = *e;

    add_border(&b, whole.from);
    add_border(&b, whole.to);
    enum err_code code = file_borders(l, DAY_FAST, day, &b, e);
    code = code ? code : file_borders(l, DAY_SLOW, day, &b, e);
    if (code == ERR_OK) {
        qsort(b.list, b.count, sizeof(*b.list), compare_days);
        code = read_between(l, whole, &b, e);
    } else if (code == ERR_CORRUPT && !l->failed) { /* not even its blocks are known */
        say_stretch(l, whole, met.text);
        code = ERR_OK;
    }
    alloc_free(b.list);
    return code;
}

static enum err_code read_group(struct reading_lite *l, struct stretch_ms s, struct err *e)
{
    enum err_code code = scan(l, s, e);

    if (code == ERR_CORRUPT && !l->failed) {
        code = read_around(l, (struct stretch_ms){l->last_ms, s.to}, e);
    }
    return code;
}

static enum err_code read_groups(struct reading_lite *l, const struct transfer_place *after,
                                 struct err *e)
{
    const struct catalog *c = l->r->side->series->catalog;
    int64_t first = after->day * TSDB_DAY_MS;
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < c->group_count; i++) {
        l->group = c->all_groups[i];
        struct stretch_ms s = {first - 1, first + TSDB_DAY_MS - 1};
        if (atomic_load(&l->group->dropped) || l->group->id < after->group) {
            continue;
        }
        if (l->group->id == after->group && after->t_ms > s.from) {
            s.from = after->t_ms;
        }
        code = s.from < s.to ? read_group(l, s, e) : ERR_OK;
    }
    return code;
}

static enum err_code read_lite(const struct transfer_reader *r, const struct transfer_place *after,
                               struct err *e)
{
    struct reading_lite l = {.r = r};
    enum err_code code = tsdb_reader_borrow(r->side->series, clock_mono_us() + BORROW_US, &l.reader,
                                            e);

    if (code) {
        return code;
    }
    arena_init(&l.scratch, "copied reading", SLICE_BYTES);
    buf_init(&l.bytes, SLICE_BYTES);
    code = read_groups(&l, after, e);
    buf_fini(&l.bytes);
    arena_fini(&l.scratch);
    tsdb_reader_return(l.reader);
    return code;
}

enum err_code transfer_read_day(const struct transfer_reader *r, const struct transfer_place *after,
                                struct err *e)
{
    return r->side->pg ? read_pg(r, *after, e) : read_lite(r, after, e);
}
