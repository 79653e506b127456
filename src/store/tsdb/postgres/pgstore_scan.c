/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_scan.c: readings of a relation, from the coded bytes in ts_slice.
 *
 * Group by group, page by page: the connection is free while the visitor is called, who may ask
 * for names. A page is read whole, a reading is decoded when its turn comes.
 */
#include "store/tsdb/postgres/pgstore.h"

#include "os/clock.h"

#include <string.h>

#define PAGE_SLICES 64

struct page_slice {
    int64_t t_ms;
    struct str bytes;
};

struct scan {
    struct tsdb_reader *reader;
    const struct tsdb_scan_spec *spec;
    tsdb_visit *visit;
    void *arg;
    struct sqldb *db;
    struct arena arena, page, scratch; /* of the scan, of a page, of a slice */
    const struct relation *relation;
    int64_t relation_id;
    size_t column_count;
    int *columns; /* wanted, as indexes in relation->columns; -1 = none of that name */
    uint64_t group;
    struct str scope;
};

/* --- what is wanted --- */

static enum err_code want_columns(struct scan *s, struct err *e)
{
    const struct tsdb_scan_spec *q = s->spec;

    s->column_count = q->columns ? q->column_count : s->relation->column_count;
    s->columns = arena_array(&s->arena, s->column_count + 1, sizeof(*s->columns));
    for (size_t i = 0; s->columns && i < s->column_count; i++) {
        s->columns[i] = q->columns ? relation_find_column(s->relation, q->columns[i]) : (int)i;
    }
    return arena_check(&s->arena, e);
}

static enum err_code want_relation(struct scan *s, struct err *e)
{
    struct relation *r = NULL;
    struct sqldb_stmt *q = NULL;
    enum err_code code = pgstore_relation(s->reader, &s->arena, s->spec->relation, &r, e);

    if (code == ERR_OK) {
        s->relation = r;
        code = sqldb_row(s->db, "tsdb_relation_get", SQLDB_ARGS(sqldb_text(r->name)), &q, e);
    }
    if (code == ERR_OK) {
        s->relation_id = sqldb_get_i64(q, 0);
    }
    sqldb_end(q);
    return code ? code : want_columns(s, e);
}

/* --- one reading --- */

static const struct codec_column *find(const struct codec_column *list, size_t count, int id)
{
    for (size_t i = 0; i < count; i++) {
        if (list[i].id == (uint32_t)id) {
            return &list[i];
        }
    }
    return NULL;
}

static enum err_code cells_of(struct scan *s, const struct codec_slice *c, int id,
                              struct cell **out, struct err *e)
{
    const struct codec_column *found = id < 0 ? NULL : find(c->columns, c->column_count, id);

    if (found) {
        return codec_get_column(found->stream, &s->scratch, c->row_count, out, e);
    }
    *out = arena_array(&s->scratch, c->row_count, sizeof(**out)); /* all CELL_NULL */
    return arena_check(&s->scratch, e);
}

static enum err_code keys_of(struct scan *s, const struct codec_slice *c, struct str **keys,
                             struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t k = 0; code == ERR_OK && k < s->relation->key_count; k++) {
        const struct codec_column *found = find(c->keys, c->key_count, (int)k);
        struct cell *cells = NULL;
        keys[k] = arena_array(&s->scratch, c->row_count, sizeof(struct str));
        if (found && keys[k]) {
            code = codec_get_column(found->stream, &s->scratch, c->row_count, &cells, e);
        }
        for (size_t i = 0; code == ERR_OK && keys[k] && i < c->row_count; i++) {
            bool text = cells && cells[i].tag == CELL_STR;
            keys[k][i] = text ? cells[i].str : (struct str){"", 0};
        }
    }
    return code ? code : arena_check(&s->scratch, e);
}

static enum err_code visit_slice(struct scan *s, const struct page_slice *n, struct err *e)
{
    struct codec_slice c;
    enum err_code code = codec_get_slice(n->bytes, &s->scratch, &c, e);

    if (code) {
        return code;
    }
    struct cell **cells = arena_array(&s->scratch, s->column_count + 1, sizeof(*cells));
    struct str **keys = arena_array(&s->scratch, s->relation->key_count + 1, sizeof(*keys));
    code = arena_check(&s->scratch, e);
    for (size_t i = 0; code == ERR_OK && i < s->column_count; i++) {
        code = cells_of(s, &c, s->columns[i], &cells[i], e);
    }
    if (code == ERR_OK && c.fact) {
        code = keys_of(s, &c, keys, e);
    }
    const struct tsdb_slice out = {
        .group = s->group,
        .scope = s->scope,
        .t_ms = c.t_ms,
        .from_ms = c.from_ms,
        .every_ms = c.every_ms,
        .flags = c.flags,
        .reason = c.reason,
        .row_count = c.row_count,
        .objects = c.fact ? NULL : c.objects,
        .key_count = c.fact ? s->relation->key_count : 0,
        .keys = c.fact ? keys : NULL,
        .column_count = s->column_count,
        .cells = (const struct cell *const *)cells,
        .gone_count = c.gone_count,
        .gone = c.gone,
        .reset_count = c.reset_count,
        .resets = c.resets,
    };
    return code ? code : s->visit(s->arg, &out, e);
}

/* --- pages --- */

static enum err_code read_page(struct scan *s, int64_t after, struct page_slice *list,
                               size_t *count, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    bool row = true;
    enum err_code code = sqldb_query(s->db, "tsdb_slice_page",
                                     SQLDB_ARGS(sqldb_i64((int64_t)s->group), sqldb_i64(after),
                                                sqldb_i64(s->spec->to_ms), sqldb_i64(PAGE_SLICES)),
                                     &q, e);

    *count = 0;
    arena_reset(&s->page);
    while (code == ERR_OK && *count < PAGE_SLICES && (code = sqldb_step(q, &row, e)) == ERR_OK &&
           row) {
        list[(*count)++] = (struct page_slice){sqldb_get_i64(q, 0),
                                               arena_str(&s->page, sqldb_get_blob(q, 1))};
    }
    sqldb_end(q);
    return code ? code : arena_check(&s->page, e);
}

static enum err_code check_deadline(const struct scan *s, struct err *e)
{
    int64_t deadline = s->spec->deadline_mono_us;
    return deadline && clock_mono_us() > deadline
               ? err_set(e, ERR_TIMEOUT, "the read took too long")
               : ERR_OK;
}

static enum err_code scan_group(struct scan *s, struct err *e)
{
    struct page_slice list[PAGE_SLICES];
    int64_t after = s->spec->from_ms;
    size_t count = PAGE_SLICES;
    enum err_code code = ERR_OK;

    while (code == ERR_OK && count == PAGE_SLICES) {
        code = read_page(s, after, list, &count, e);
        for (size_t i = 0; code == ERR_OK && i < count; i++) {
            arena_reset(&s->scratch);
            code = visit_slice(s, &list[i], e);
            after = list[i].t_ms;
            code = code ? code : check_deadline(s, e);
        }
    }
    return code;
}

/* --- groups --- */

struct group_row {
    uint64_t id;
    struct str scope;
};

static enum err_code list_groups(struct scan *s, struct group_row **out, size_t *count,
                                 struct err *e)
{
    const struct tsdb_scan_spec *q = s->spec;
    struct sqldb_stmt *stmt = NULL;
    size_t cap = 0;
    bool row = true;
    enum err_code code = sqldb_query(
        s->db, "tsdb_group_find",
        SQLDB_ARGS(sqldb_blob(q->target.bytes, sizeof(q->target.bytes)), sqldb_i64(s->relation_id),
                   q->scope ? sqldb_text(*q->scope) : sqldb_null()),
        &stmt, e);

    *out = NULL;
    *count = 0;
    while (code == ERR_OK && (code = sqldb_step(stmt, &row, e)) == ERR_OK && row) {
        if (*count == cap) {
            cap = cap ? 2 * cap : 16;
            struct group_row *longer = arena_array(&s->arena, cap, sizeof(*longer));
            if (!longer) {
                break;
            }
            if (*count) {
                memcpy(longer, *out, *count * sizeof(*longer));
            }
            *out = longer;
        }
        (*out)[(*count)++] = (struct group_row){(uint64_t)sqldb_get_i64(stmt, 0),
                                                arena_str(&s->arena, sqldb_get_text(stmt, 1))};
    }
    sqldb_end(stmt);
    return code ? code : arena_check(&s->arena, e);
}

static enum err_code scan_all(struct scan *s, struct err *e)
{
    struct group_row *groups = NULL;
    size_t count = 0;
    enum err_code code = pgstore_reader_db(s->reader, &s->db, e);

    if (code) {
        return code;
    }
    sqldb_deadline(s->db, s->spec->deadline_mono_us);
    code = want_relation(s, e);
    code = code ? code : list_groups(s, &groups, &count, e);
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        s->group = groups[i].id;
        s->scope = groups[i].scope;
        code = scan_group(s, e);
    }
    sqldb_deadline(s->db, 0);
    return code;
}

enum err_code pgstore_scan(struct tsdb_reader *r, const struct tsdb_scan_spec *spec,
                           tsdb_visit *visit, void *arg, struct err *e)
{
    struct scan s = {.reader = r, .spec = spec, .visit = visit, .arg = arg};

    arena_init(&s.arena, "tsdb scan", TSDB_ARENA_BYTES);
    arena_init(&s.page, "tsdb scan page", TSDB_ARENA_BYTES);
    arena_init(&s.scratch, "tsdb scan slice", TSDB_ARENA_BYTES);
    enum err_code code = scan_all(&s, e);
    arena_fini(&s.scratch);
    arena_fini(&s.page);
    arena_fini(&s.arena);
    return code;
}
