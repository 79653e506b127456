/* SPDX-License-Identifier: PostgreSQL */
/* api_newest.c: see the header. */
#include "api/api_newest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/map.h"
#include "model/flatten.h"
#include "os/clock.h"

#define STAGGER_MS (10 * 60000LL)       /* items of one round of an older collector lie within */
#define LOOK_MS    (24 * 3600 * 1000LL) /* how far back a reading that did not fail is looked for */

/* Relations that older collectors may send database by database. */
static const char *const by_database[] = {
    FLATTEN_STATEMENTS, "pg_database",      "pg_query_stats_queries", "pg_stat_database",
    "pg_stats",         "pg_stats_indexes", "pg_stats_tables"};

struct visit {
    struct api_newest *n;
    const struct store_target *target;
    struct uuid id;
    const struct relation *relation;
    struct str *columns; /* those that are read */
    size_t column_count;
    bool chosen;                   /* rows without any of the columns are left out */
    int database_key, datname_key; /* agents and older collectors may share a relation */
    int database_column;
    int64_t last_t_ms; /* of those that did not fail */
};

/* --- names --- */

static bool is_in(struct str name, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq_c(name, list[i]))
            return true;
    }
    return false;
}

static size_t length(const char *const *list)
{
    size_t count = 0;

    while (list && list[count])
        count++;
    return count;
}

static int index_of(const struct str *names, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(names[i], name))
            return (int)i;
    }
    return -1;
}

struct str api_newest_key(const struct api_newest_row *row, const char *name)
{
    int at = index_of(row->reading->keys, row->reading->key_count, str_of(name));

    return at < 0 ? (struct str){NULL, 0} : row->keys[at];
}

struct cell api_newest_cell(const struct api_newest_row *row, const char *name)
{
    int at = index_of(row->reading->columns, row->reading->column_count, str_of(name));

    return at < 0 ? (struct cell){.tag = CELL_NULL} : row->cells[at];
}

/* --- rows --- */

struct api_newest_row *api_newest_add(struct api_newest *n, struct api_newest_reading *r)
{
    if (n->count == n->cap) {
        size_t cap = n->cap ? 2 * n->cap : 256;
        struct api_newest_row *more = arena_array(n->call->arena, cap, sizeof(*more));

        if (!more)
            return NULL;
        if (n->count > 0)
            memcpy(more, n->rows, n->count * sizeof(*more));
        n->rows = more;
        n->cap = cap;
    }
    n->rows[n->count] = (struct api_newest_row){.reading = r, .mean = -1};
    return &n->rows[n->count++];
}

static struct api_newest_reading *make_reading(const struct visit *v, const struct tsdb_slice *s)
{
    struct arena *a = v->n->call->arena;
    struct api_newest_reading *r = arena_alloc(a, sizeof(*r));
    struct str *keys = arena_array(a, v->relation->key_count + 1, sizeof(*keys));

    if (!r || !keys)
        return NULL;
    for (size_t k = 0; k < v->relation->key_count; k++)
        keys[k] = v->relation->keys[k].name;
    *r = (struct api_newest_reading){
        .target = v->target,
        .target_id = v->id,
        .relation = v->relation->name,
        .scope = arena_str(a, s->scope),
        .t_ms = s->t_ms,
        .from_ms = s->from_ms,
        .complete = s->flags & SLICE_COMPLETE,
        .key_count = v->relation->key_count,
        .column_count = v->column_count,
        .keys = keys,
        .columns = v->columns,
        .key_used = arena_array(a, v->relation->key_count + 1, sizeof(bool)),
        .column_used = arena_array(a, v->column_count + 1, sizeof(bool)),
    };
    return r->key_used && r->column_used ? r : NULL;
}

static enum err_code row_keys(const struct visit *v, const struct tsdb_slice *s, size_t row,
                              struct str **out, struct err *e)
{
    struct arena *a = v->n->call->arena;

    if (s->objects)
        return tsdb_object_keys(v->n->call->reader, a, s->objects[row], out, e);
    *out = arena_array(a, v->relation->key_count + 1, sizeof(**out));
    for (size_t k = 0; *out && k < v->relation->key_count && k < s->key_count; k++)
        (*out)[k] = arena_str(a, s->keys[k][row]);
    return arena_check(a, e);
}

static bool has_value(const struct visit *v, const struct tsdb_slice *s, size_t row)
{
    for (size_t c = 0; c < v->column_count; c++) {
        if (s->cells[c][row].tag != CELL_NULL)
            return true;
    }
    return !v->chosen;
}

/* *known: whether the relation knows of databases at all. */
static struct str database_of(const struct visit *v, const struct tsdb_slice *s, size_t row,
                              const struct str *keys, bool *known)
{
    struct cell cell = {.tag = CELL_NULL};

    *known = true;
    if (v->database_key >= 0 && keys[v->database_key].len > 0)
        return keys[v->database_key];
    if (v->datname_key >= 0 || v->database_key >= 0)
        return v->datname_key >= 0 ? keys[v->datname_key] : (struct str){NULL, 0};
    if (s->scope.len > 0)
        return s->scope;
    if (v->database_column >= 0)
        cell = s->cells[v->database_column][row];
    *known = cell.tag == CELL_STR;
    return *known ? cell.str : (struct str){NULL, 0};
}

static bool copy_row(const struct visit *v, const struct tsdb_slice *s, size_t row,
                     struct api_newest_row *to)
{
    struct arena *a = v->n->call->arena;
    struct cell *cells = arena_array(a, v->column_count + 1, sizeof(*cells));

    for (size_t c = 0; cells && c < v->column_count; c++) {
        cells[c] = s->cells[c][row];
        if (cells[c].tag == CELL_STR)
            cells[c].str = arena_str(a, cells[c].str);
        to->reading->column_used[c] |= cells[c].tag != CELL_NULL;
    }
    for (size_t k = 0; k < to->reading->key_count; k++)
        to->reading->key_used[k] |= to->keys[k].len > 0;
    to->cells = cells;
    to->database = arena_str(a, to->database);
    return cells != NULL;
}

static enum err_code take_row(struct visit *v, const struct tsdb_slice *s, size_t row,
                              struct api_newest_reading *reading, struct err *e)
{
    struct api_newest_row *to;
    struct str *keys, database;
    bool known;
    enum err_code rc = row_keys(v, s, row, &keys, e);

    if (rc != ERR_OK || !has_value(v, s, row))
        return rc;
    database = database_of(v, s, row, keys, &known);
    if (v->n->database.len > 0 && known && !str_eq(database, v->n->database))
        return ERR_OK;
    to = api_newest_add(v->n, reading);
    if (to) {
        to->keys = keys;
        to->database = database;
    }
    if (!to || !copy_row(v, s, row, to))
        return arena_fail(v->n->call->arena, e);
    return ERR_OK;
}

static enum err_code take_slice(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct visit *v = arg;
    struct api_newest_reading *reading;
    enum err_code rc = ERR_OK;

    if (s->flags & SLICE_FAILED)
        return ERR_OK;
    reading = make_reading(v, s);
    if (!reading)
        return arena_fail(v->n->call->arena, e);
    for (size_t row = 0; rc == ERR_OK && row < s->row_count; row++)
        rc = take_row(v, s, row, reading, e);
    return rc;
}

static enum err_code note_time(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct visit *v = arg;

    (void)e;
    if (!(s->flags & SLICE_FAILED) && s->t_ms > v->last_t_ms)
        v->last_t_ms = s->t_ms;
    return ERR_OK;
}

/* --- which reading --- */

static enum err_code scan(struct visit *v, const struct tsdb_group *g, struct api_range range,
                          tsdb_visit *visit, struct err *e)
{
    const struct tsdb_scan_spec spec = {
        .target = v->id,
        .relation = g->relation,
        .scope = &g->scope,
        .columns = v->columns,
        .column_count = visit == note_time ? 0 : v->column_count,
        .from_ms = range.from_ms,
        .to_ms = range.to_ms,
        .deadline_mono_us = clock_mono_us() + API_READ_DEADLINE_US,
    };

    return tsdb_scan(v->n->call->reader, &spec, visit, v, e);
}

/* 0 = there is none. */
static enum err_code find_newest(struct visit *v, const struct tsdb_group *g, int64_t *t_ms,
                                 struct err *e)
{
    struct api_range range = {g->last_t_ms - STAGGER_MS, g->last_t_ms};
    enum err_code rc;

    *t_ms = g->last_t_ms;
    if (!(g->last_flags & SLICE_FAILED))
        return ERR_OK;
    v->last_t_ms = 0;
    rc = scan(v, g, range, note_time, e);
    if (rc == ERR_OK && v->last_t_ms == 0) {
        range.from_ms = g->last_t_ms - LOOK_MS;
        rc = scan(v, g, range, note_time, e);
    }
    *t_ms = v->last_t_ms;
    return rc;
}

/* Of the rows from `first` on keep those of the newest reading of their database. */
static void keep_newest(struct api_newest *n, size_t first)
{
    struct map *newest = map_new();
    size_t kept = first;

    for (size_t i = first; i < n->count; i++) /* in order of time */
        (void)map_put(newest, n->rows[i].database, (void *)(uintptr_t)&n->rows[i]);
    for (size_t i = first; i < n->count; i++) {
        const struct api_newest_row *last = map_get(newest, n->rows[i].database);

        n->rows[i].rank = n->rows[i].reading->t_ms == last->reading->t_ms;
    }
    for (size_t i = first; i < n->count; i++) {
        if (n->rows[i].rank > 0) {
            n->rows[kept] = n->rows[i];
            n->rows[kept++].rank = 0;
        }
    }
    n->count = kept;
    map_free(newest, NULL);
}

static enum err_code read_group(struct visit *v, const struct tsdb_group *g, struct err *e)
{
    size_t first = v->n->count;
    struct api_range range;
    bool staggered = !(g->last_flags & (SLICE_COMPLETE | SLICE_FAILED)) &&
                     is_in(g->relation, by_database, sizeof(by_database) / sizeof(by_database[0]));
    enum err_code rc = find_newest(v, g, &range.to_ms, e);

    if (rc != ERR_OK || range.to_ms == 0)
        return rc;
    range.from_ms = range.to_ms - (staggered ? STAGGER_MS : 1);
    rc = scan(v, g, range, take_slice, e);
    if (rc == ERR_OK && staggered)
        keep_newest(v->n, first);
    return rc;
}

/* --- parts --- */

static enum err_code choose_columns(struct visit *v, const struct api_newest_source *source,
                                    struct err *e)
{
    const struct relation *r = v->relation;

    v->chosen = source->columns != NULL;
    v->columns = arena_array(v->n->call->arena, r->column_count + 1, sizeof(*v->columns));
    for (size_t c = 0; v->columns && c < r->column_count; c++) {
        if (!v->chosen || is_in(r->columns[c].name, source->columns, length(source->columns)))
            v->columns[v->column_count++] = r->columns[c].name;
    }
    v->database_key = relation_find_key(r, STR("database"));
    v->datname_key = relation_find_key(r, STR("datname"));
    v->database_column = v->columns ? index_of(v->columns, v->column_count, STR("database")) : -1;
    return arena_check(v->n->call->arena, e);
}

static int by_keys(const void *a, const void *b)
{
    const struct api_newest_row *x = a, *y = b;
    int order = str_cmp(x->reading->scope, y->reading->scope);

    for (size_t k = 0; order == 0 && k < x->reading->key_count; k++)
        order = str_cmp(x->keys[k], y->keys[k]);
    return order;
}

static enum err_code read_relation(struct api_newest *n, const struct store_target *target,
                                   const struct api_newest_source *source,
                                   const struct tsdb_group *groups, size_t count, struct err *e)
{
    struct visit v = {.n = n, .target = target, .id = groups->target};
    size_t first = n->count;
    struct relation *relation;
    enum err_code rc = tsdb_relation(n->call->reader, n->call->arena, groups->relation, &relation,
                                     e);

    v.relation = relation;
    if (rc == ERR_OK)
        rc = choose_columns(&v, source, e);
    if (rc != ERR_OK || (v.chosen && v.column_count == 0))
        return rc;
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        if (groups[i].has_last)
            rc = read_group(&v, &groups[i], e);
    }
    if (n->count > first)
        qsort(n->rows + first, n->count - first, sizeof(*n->rows), by_keys);
    return rc;
}

/* The groups of a target; those of one relation stand together. */
static enum err_code groups_of(struct api_newest *n, const struct store_target *target,
                               struct tsdb_group **groups, size_t *count, struct err *e)
{
    struct tsdb_reader *reader;
    struct uuid id;
    enum err_code rc = api_reader(n->call, &reader, e);

    if (!text_parse_uuid(str_of(target->id), &id))
        return err_set(e, ERR_CORRUPT, "target id %s", target->id);
    return rc == ERR_OK ? tsdb_groups(reader, n->call->arena, &id, groups, count, e) : rc;
}

/* How many groups the relation has, from *first on. */
static size_t find_groups(const struct tsdb_group *groups, size_t count, const char *relation,
                          size_t *first)
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        if (!str_eq_c(groups[i].relation, relation))
            continue;
        if (found++ == 0)
            *first = i;
    }
    return found;
}

enum err_code api_newest_has(struct api_newest *n, const struct store_target *target,
                             const char *relation, bool *has, struct err *e)
{
    struct tsdb_group *groups;
    size_t count = 0, first;
    enum err_code rc = groups_of(n, target, &groups, &count, e);

    *has = rc == ERR_OK && find_groups(groups, count, relation, &first) > 0;
    return rc;
}

enum err_code api_newest_read(struct api_newest *n, const struct store_target *target,
                              const struct api_newest_part *part, struct err *e)
{
    struct tsdb_group *groups;
    size_t count = 0, first = 0;
    enum err_code rc = groups_of(n, target, &groups, &count, e);

    for (size_t i = 0; rc == ERR_OK && i < API_NEWEST_SOURCES; i++) {
        const struct api_newest_source *source = &part->sources[i];
        size_t found = source->relation ? find_groups(groups, count, source->relation, &first) : 0;

        if (found > 0)
            return read_relation(n, target, source, groups + first, found, e);
    }
    return rc;
}

static int by_rank(const void *a, const void *b)
{
    const struct api_newest_row *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank < y->rank ? 1 : -1;
    if (x->reading->relation.ptr != y->reading->relation.ptr ||
        x->reading->key_count != y->reading->key_count)
        return strcmp(x->reading->target->id, y->reading->target->id);
    return by_keys(a, b);
}

void api_newest_order(struct api_newest *n)
{
    if (n->count > 0)
        qsort(n->rows, n->count, sizeof(*n->rows), by_rank);
}

/* --- answer --- */

enum err_code api_newest_params(struct api_newest *n, struct api_newest_page *page, struct err *e)
{
    enum err_code rc = api_param_i64(n->call, "limit", (struct api_bounds){100, 1, LIMIT_LIST_PAGE},
                                     &page->limit, e);

    if (rc == ERR_OK)
        rc = api_param_i64(n->call, "offset", (struct api_bounds){0, 0, INT32_MAX}, &page->offset,
                           e);
    return rc == ERR_OK ? api_param(n->call, "database", &n->database, e) : rc;
}

static void put_reading(struct json_writer *w, const struct api_newest_reading *r)
{
    json_key(w, "reading");
    json_object_begin(w);
    json_member_c(w, "target_id", r->target->id);
    json_member_c(w, "target_name", r->target->name);
    json_member_str(w, "relation", r->relation);
    if (r->scope.len > 0)
        json_member_str(w, "scope", r->scope);
    api_member_time(w, "t", r->t_ms);
    json_member_i64(w, "t_ms", r->t_ms);
    if (r->from_ms < r->t_ms)
        json_member_i64(w, "from_ms", r->from_ms);
    json_member_bool(w, "complete", r->complete);
    if (r->sums)
        json_member_c(w, "sums", r->sums);
    json_object_end(w);
}

void api_newest_put_cell(struct json_writer *w, struct str name, struct cell cell)
{
    json_key_str(w, name);
    switch (cell.tag) {
    case CELL_I64:
        json_put_i64(w, cell.i64);
        break;
    case CELL_U64:
        json_put_u64(w, cell.u64);
        break;
    case CELL_F64:
        json_put_f64(w, cell.f64);
        break;
    case CELL_STR:
        json_put_str(w, cell.str);
        break;
    case CELL_NULL:
        json_put_null(w);
        break;
    }
}

/* The member that has the text of a statement whose key is `name`; empty = it is no such key. */
static struct str text_member(struct str name)
{
    if (str_eq_c(name, "hash") || str_eq_c(name, "queryid") || str_eq_c(name, "query_id"))
        return STR("text");
    if (str_ends(name, STR("query_hash")))
        return str_make(name.ptr, name.len - 5);
    return (struct str){NULL, 0};
}

static enum err_code put_text(struct api_newest *n, struct json_writer *w,
                              const struct api_newest_row *row, size_t k, struct err *e)
{
    const struct api_newest_reading *r = row->reading;
    struct tsdb_text_key key = {r->target_id, STR("query"), row->keys[k]};
    struct str member = text_member(r->keys[k]), text;
    enum err_code rc;

    if (member.len == 0 || row->keys[k].len == 0 ||
        index_of(r->columns, r->column_count, member) >= 0)
        return ERR_OK;
    rc = tsdb_text(n->call->reader, n->call->arena, &key, &text, e);
    json_key_str(w, member);
    if (rc == ERR_OK)
        json_put_str(w, text);
    else
        json_put_null(w);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err_code put_row(struct api_newest *n, struct json_writer *w,
                             const struct api_newest_row *row, struct err *e)
{
    const struct api_newest_reading *r = row->reading;
    enum err_code rc = ERR_OK;

    json_object_begin(w);
    put_reading(w, r);
    for (size_t k = 0; rc == ERR_OK && k < r->key_count; k++) {
        if (!r->key_used[k])
            continue;
        json_key_str(w, r->keys[k]);
        json_put_str(w, row->keys[k]);
        rc = put_text(n, w, row, k, e);
    }
    for (size_t c = 0; c < r->column_count; c++) {
        if (r->column_used[c])
            api_newest_put_cell(w, r->columns[c], row->cells[c]);
    }
    if (row->mean >= 0)
        json_member_f64(w, "mean_exec_time", row->mean);
    json_object_end(w);
    return rc;
}

enum err_code api_newest_put(struct api_newest *n, const struct api_newest_page *page,
                             struct json_writer *w, struct err *e)
{
    size_t first = (size_t)page->offset < n->count ? (size_t)page->offset : n->count;
    size_t count = n->count - first;
    int64_t newest = 0;
    enum err_code rc = ERR_OK;

    if (count > (size_t)page->limit)
        count = (size_t)page->limit;
    for (size_t i = 0; i < n->count; i++) {
        if (n->rows[i].reading->t_ms > newest)
            newest = n->rows[i].reading->t_ms;
    }
    json_member_u64(w, "count", count);
    json_member_u64(w, "total", n->count);
    json_member_i64(w, "limit", page->limit);
    json_member_i64(w, "offset", page->offset);
    api_member_time(w, "timestamp", newest);
    json_key(w, "data");
    json_array_begin(w);
    for (size_t i = first; rc == ERR_OK && i < first + count; i++)
        rc = put_row(n, w, &n->rows[i], e);
    json_array_end(w);
    return rc;
}
