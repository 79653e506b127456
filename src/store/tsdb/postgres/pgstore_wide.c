/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_wide.c: the values of readings as rows that people can query: ts_wide_N and ts_extra.
 *
 * The tables are the leader's; the mover asks which columns there are and puts the rest into
 * ts_extra. What a column's type cannot hold exactly goes there, too.
 * Threads: the mover.
 */
#include "store/tsdb/postgres/pgstore_move.h"

#include "base/alloc.h"
#include "base/num.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS_BYTES   (512UL * 1024 * 1024)
#define COPY_BYTES   65536
#define EXACT_DOUBLE 9007199254740992.0

/* --- which tables there are --- */

static void forget_tables(struct pgstore *p)
{
    for (size_t i = 0; i < p->wide_count; i++) {
        alloc_free(p->wide[i].keys);
        alloc_free(p->wide[i].columns);
    }
    p->wide_count = 0;
    p->day_count = 0;
    p->wide_seen = -1;
}

void pgstore_note_raw_day(struct pgstore *p, int64_t day)
{
    for (int c = 0; c < DAY_CLASSES; c++) { /* both go together */
        atomic_store(&p->front.raw_day[c], day);
    }
}

static enum err_code read_days(struct pgstore *p, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(p->move, "tsdb_day_list", SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        p->days = alloc_resize(p->days, (p->day_count + 1) * sizeof(*p->days));
        p->days[p->day_count++] = sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    s = NULL;
    code = code ? code : sqldb_row(p->move, "tsdb_rollup_state", SQLDB_NO_ARGS, &s, e);
    if (code == ERR_OK) {
        pgstore_note_raw_day(p, sqldb_get_i64(s, 2));
    }
    sqldb_end(s);
    return code;
}

static void add_column(struct pgstore_wide *w, bool is_key, struct pgstore_wide_column c)
{
    size_t *count = is_key ? &w->key_count : &w->column_count;
    struct pgstore_wide_column **list = is_key ? &w->keys : &w->columns;

    *list = alloc_resize(*list, (*count + 1) * sizeof(c));
    (*list)[(*count)++] = c;
}

static enum err_code read_columns(struct pgstore *p, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(p->move, "tsdb_wide_list", SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        uint64_t relation = (uint64_t)sqldb_get_i64(s, 0);
        if (!p->wide_count || p->wide[p->wide_count - 1].relation != relation) {
            p->wide = alloc_resize(p->wide, (p->wide_count + 1) * sizeof(*p->wide));
            p->wide[p->wide_count++] = (struct pgstore_wide){.relation = relation};
        }
        add_column(&p->wide[p->wide_count - 1], sqldb_get_i64(s, 1) != 0,
                   (struct pgstore_wide_column){(uint32_t)sqldb_get_i64(s, 2),
                                                (enum relation_type)(sqldb_get_i64(s, 3) & 3)});
    }
    sqldb_end(s);
    return code;
}

enum err_code move_know_tables(struct move *m, struct err *e)
{
    struct pgstore *p = m->store;
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(p->move, "tsdb_wide_state", SQLDB_NO_ARGS, &s, e);

    if (code) {
        return code;
    }
    int64_t wide = sqldb_get_i64(s, 0);
    sqldb_end(s);
    if (wide == p->wide_seen) {
        return ERR_OK;
    }
    forget_tables(p);
    code = read_days(p, e);
    code = code ? code : read_columns(p, e);
    if (code == ERR_OK) {
        p->wide_seen = wide;
    }
    return code;
}

static const struct pgstore_wide *find_wide(const struct pgstore *p, uint64_t relation)
{
    for (size_t i = 0; i < p->wide_count; i++) {
        if (p->wide[i].relation == relation) {
            return &p->wide[i];
        }
    }
    return NULL;
}

bool move_has_wide(const struct pgstore *p, uint64_t relation)
{
    return find_wide(p, relation) != NULL;
}

/* --- cells --- */

static void put_number(struct buf *out, const struct cell *c)
{
    char text[40];

    switch (c->tag) {
    case CELL_I64:
        buf_add_i64(out, c->i64);
        break;
    case CELL_U64:
        buf_add_u64(out, c->u64);
        break;
    case CELL_F64:
        num_format_f64(c->f64, text, sizeof(text));
        buf_add_c(out, isfinite(c->f64) ? text
                       : isnan(c->f64)  ? "NaN"
                       : c->f64 > 0     ? "Infinity"
                                        : "-Infinity");
        break;
    case CELL_STR:
    case CELL_NULL:
        break;
    }
}

/* Whether a column of this type holds the value as it is. */
static bool fits(const struct cell *c, enum relation_type type)
{
    switch (type) {
    case RELATION_I64:
        return c->tag == CELL_I64 ||
               (c->tag == CELL_F64 && fabs(c->f64) < EXACT_DOUBLE && c->f64 == nearbyint(c->f64));
    case RELATION_U64: /* numeric */
        return c->tag == CELL_I64 || c->tag == CELL_U64 || (c->tag == CELL_F64 && isfinite(c->f64));
    case RELATION_F64:
        return c->tag == CELL_F64 ||
               (c->tag == CELL_I64 && llabs(c->i64) <= (long long)EXACT_DOUBLE);
    case RELATION_STR:
        return true;
    }
    return false;
}

static void put_cell(struct buf *out, const struct cell *c, enum relation_type type)
{
    buf_add_char(out, '\t');
    if (c->tag == CELL_NULL || !fits(c, type)) {
        buf_add_c(out, "\\N");
    } else if (c->tag == CELL_STR) {
        pgstore_copy_text(out, c->str);
    } else if (c->tag == CELL_F64 && type == RELATION_I64) {
        buf_add_i64(out, (int64_t)c->f64);
    } else {
        put_number(out, c);
    }
}

/* --- rows --- */

/* A slice with its columns decoded. */
struct decoded {
    const struct move_slice *n;
    const struct pgstore_wide *wide; /* NULL = none yet */
    struct cell **keys, **cells;
    const size_t *at; /* per column of the table: which of the slice; SIZE_MAX = none */
    const size_t *key_at;
};

struct streams {
    const struct codec_column *columns;
    size_t count, rows;
};

static enum err_code decode(struct move *m, const struct streams *in, struct cell ***out,
                            struct err *e)
{
    struct cell **cells = arena_array(&m->scratch, in->count, sizeof(*cells));
    enum err_code code = ERR_OK;

    if (!cells) {
        return arena_fail(&m->scratch, e);
    }
    for (size_t i = 0; code == ERR_OK && i < in->count; i++) {
        code = codec_get_column(in->columns[i].stream, &m->scratch, in->rows, &cells[i], e);
    }
    *out = cells;
    return code;
}

static const size_t *places(struct arena *a, const struct pgstore_wide_column *list, size_t count,
                            const struct codec_column *columns, size_t column_count)
{
    size_t *at = arena_array(a, count, sizeof(*at));

    for (size_t i = 0; at && i < count; i++) {
        at[i] = SIZE_MAX;
        for (size_t c = 0; c < column_count; c++) {
            if (columns[c].id == list[i].id) {
                at[i] = c;
            }
        }
    }
    return at;
}

static bool is_reset(const struct codec_slice *s, size_t row)
{
    for (size_t i = 0; i < s->reset_count; i++) {
        if (s->resets[i] == row) {
            return true;
        }
    }
    return false;
}

/* Columns of a table, and where a slice has them. */
struct placed {
    const struct pgstore_wide_column *list;
    size_t count;
    const size_t *at;
    struct cell *const *cells;
};

static void put_columns(struct buf *out, const struct placed *p, size_t row)
{
    static const struct cell null = {.tag = CELL_NULL};

    for (size_t i = 0; i < p->count; i++) {
        bool has = p->cells && p->at[i] != SIZE_MAX;
        put_cell(out, has ? &p->cells[p->at[i]][row] : &null, p->list[i].type);
    }
}

static void put_wide_row(struct buf *out, const struct decoded *d, size_t row)
{
    const struct codec_slice *s = &d->n->s;
    const struct pgstore_wide *w = d->wide;

    pgstore_copy_time(out, s->t_ms);
    buf_printf(out, "\t%lld\t", (long long)s->group);
    if (s->fact) {
        buf_add_c(out, "\\N");
    } else {
        buf_add_i64(out, (int64_t)s->objects[row]);
    }
    buf_add_c(out, is_reset(s, row) ? "\tt" : "\t\\N");
    put_columns(out, &(struct placed){w->keys, w->key_count, d->key_at, d->keys}, row);
    put_columns(out, &(struct placed){w->columns, w->column_count, d->at, d->cells}, row);
    buf_add_char(out, '\n');
}

/* Whether the wide table has a place for the cell. */
static bool in_wide(const struct decoded *d, size_t column, const struct cell *c)
{
    for (size_t i = 0; d->wide && i < d->wide->column_count; i++) {
        if (d->at[i] == column) {
            return fits(c, d->wide->columns[i].type);
        }
    }
    return false;
}

static void put_extra_cell(struct buf *out, const struct decoded *d, size_t column, size_t row)
{
    const struct cell *c = &d->cells[column][row];

    pgstore_copy_time(out, d->n->s.t_ms);
    buf_printf(out, "\t%lld\t%u\t", (long long)d->n->s.objects[row], d->n->s.columns[column].id);
    if (c->tag == CELL_STR) {
        buf_add_c(out, "\\N\t");
        pgstore_copy_text(out, c->str);
    } else {
        put_number(out, c);
        buf_add_char(out, '\t');
        if (fits(c, RELATION_F64)) {
            buf_add_c(out, "\\N");
        } else {
            put_number(out, c);
        }
    }
    buf_add_char(out, '\n');
}

static void put_extra(struct buf *out, const struct decoded *d)
{
    const struct codec_slice *s = &d->n->s;

    for (size_t c = 0; !s->fact && c < s->column_count; c++) {
        for (size_t row = 0; row < s->row_count; row++) {
            const struct cell *cell = &d->cells[c][row];
            if (cell->tag != CELL_NULL && !in_wide(d, c, cell)) {
                put_extra_cell(out, d, c, row);
            }
        }
    }
}

/* Where the rows of a relation go. */
struct outlet {
    const struct pgstore_wide *wide; /* NULL = none yet */
    struct buf rows;
    struct buf *extra;
};

static enum err_code put_slice(struct move *m, const struct move_slice *n, struct outlet *to,
                               struct err *e)
{
    const struct pgstore_wide *wide = to->wide;
    const struct codec_slice *s = &n->s;
    struct decoded d = {.n = n, .wide = wide};
    enum err_code code = decode(m, &(struct streams){s->columns, s->column_count, s->row_count},
                                &d.cells, e);

    if (code == ERR_OK && s->fact) {
        code = decode(m, &(struct streams){s->keys, s->key_count, s->row_count}, &d.keys, e);
    }
    if (code == ERR_OK && wide) {
        d.at = places(&m->scratch, wide->columns, wide->column_count, s->columns, s->column_count);
        d.key_at = places(&m->scratch, wide->keys, wide->key_count, s->keys, s->key_count);
        code = d.at && d.key_at ? ERR_OK : arena_fail(&m->scratch, e);
    }
    for (size_t row = 0; code == ERR_OK && wide && row < s->row_count; row++) {
        put_wide_row(&to->rows, &d, row);
    }
    if (code == ERR_OK) {
        put_extra(to->extra, &d);
    }
    return code;
}

/* --- writing --- */

static enum err_code load_wide(struct move *m, const struct pgstore_wide *w, struct buf *rows,
                               struct err *e)
{
    struct buf copy;

    buf_init(&copy, COPY_BYTES);
    buf_printf(&copy, "COPY ts_wide_%llu (t, grp, object, reset", (unsigned long long)w->relation);
    for (size_t i = 0; i < w->key_count; i++) {
        buf_printf(&copy, ", k%u", w->keys[i].id);
    }
    for (size_t i = 0; i < w->column_count; i++) {
        buf_printf(&copy, ", c%u", w->columns[i].id);
    }
    buf_add_c(&copy, ") FROM STDIN");
    enum err_code code = buf_check(&copy, e);
    code = code ? code : buf_check(rows, e);
    code = code ? code : sqldb_load(m->store->move, copy.ptr, buf_view(rows), e);
    buf_fini(&copy);
    return code;
}

static int compare_relations(const void *a, const void *b)
{
    const struct move_slice *x = *(struct move_slice *const *)a;
    const struct move_slice *y = *(struct move_slice *const *)b;

    if (x->relation != y->relation) {
        return x->relation < y->relation ? -1 : 1;
    }
    return x < y ? -1 : x > y;
}

/* Slices in order of their relations. */
struct ordered {
    struct move_slice **list;
    size_t count, at;
};

/* The slices of the next relation. */
static enum err_code move_relation(struct move *m, struct ordered *o, struct buf *extra,
                                   struct err *e)
{
    uint64_t relation = o->list[o->at]->relation;
    struct outlet to = {.wide = find_wide(m->store, relation), .extra = extra};
    enum err_code code = ERR_OK;

    buf_init(&to.rows, ROWS_BYTES);
    for (; code == ERR_OK && o->at < o->count && o->list[o->at]->relation == relation; o->at++) {
        if (!o->list[o->at]->skip) {
            arena_reset(&m->scratch);
            code = put_slice(m, o->list[o->at], &to, e);
        }
    }
    if (code == ERR_OK && to.rows.len) {
        code = load_wide(m, to.wide, &to.rows, e);
    }
    buf_fini(&to.rows);
    return code;
}

enum err_code move_values(struct move *m, struct err *e)
{
    struct move_slice **list = arena_array(&m->arena, m->slice_count, sizeof(*list));
    struct buf extra;
    enum err_code code = list ? ERR_OK : arena_fail(&m->arena, e);

    for (size_t i = 0; list && i < m->slice_count; i++) {
        list[i] = &m->slices[i];
    }
    if (list) {
        qsort(list, m->slice_count, sizeof(*list), compare_relations);
    }
    buf_init(&extra, ROWS_BYTES);
    struct ordered o = {list, m->slice_count, 0};
    while (code == ERR_OK && o.at < o.count) {
        code = move_relation(m, &o, &extra, e);
    }
    code = code ? code : buf_check(&extra, e);
    if (code == ERR_OK && extra.len) {
        code = sqldb_load(m->store->move, "COPY ts_extra (t, object, col, v, exact) FROM STDIN",
                          buf_view(&extra), e);
    }
    buf_fini(&extra);
    return code;
}
