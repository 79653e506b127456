/* SPDX-License-Identifier: PostgreSQL */
/* api_newest.c: see the header. */
#include "api/read/api_newest.h"

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
    struct cell none = {.tag = CELL_NULL};

    return at < 0 ? none : row->cells[at];
}

/* --- rows --- */

struct api_newest_row *api_newest_add(struct api_newest *n, struct api_newest_reading *r)
{
    if (n->count == n->cap) {
        size_t cap = n->cap > 0 ? n->cap * 2 : 256;
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

/* The groups of one relation, or of all of a target. */
struct group_list {
    struct tsdb_group *rows;
    size_t count;
};

static enum err_code read_relation(struct api_newest *n, const struct store_target *target,
                                   const struct api_newest_source *source,
                                   const struct group_list *groups, struct err *e)
{
    struct visit v = {.n = n, .target = target, .id = groups->rows->target};
    size_t first = n->count;
    struct relation *relation;
    enum err_code rc = tsdb_relation(n->call->reader, n->call->arena, groups->rows->relation,
                                     &relation, e);

    v.relation = relation;
    if (rc == ERR_OK)
        rc = choose_columns(&v, source, e);
    if (rc != ERR_OK || (v.chosen && v.column_count == 0))
        return rc;
    for (size_t i = 0; rc == ERR_OK && i < groups->count; i++) {
        if (groups->rows[i].has_last)
            rc = read_group(&v, &groups->rows[i], e);
    }
    if (n->count > first)
        qsort(n->rows + first, n->count - first, sizeof(*n->rows), by_keys);
    return rc;
}

/* Those of one relation stand together. */
static enum err_code groups_of(struct api_newest *n, const struct store_target *target,
                               struct group_list *groups, struct err *e)
{
    struct tsdb_reader *reader;
    struct uuid id;
    enum err_code rc = api_reader(n->call, &reader, e);

    groups->count = 0;
    if (!text_parse_uuid(str_of(target->id), &id))
        return err_set(e, ERR_CORRUPT, "target id %s", target->id);
    return rc == ERR_OK ? tsdb_groups(reader, n->call->arena, &id, &groups->rows, &groups->count, e)
                        : rc;
}

static struct group_list find_groups(const struct group_list *all, const char *relation)
{
    struct group_list found = {NULL, 0};

    for (size_t i = 0; relation && i < all->count; i++) {
        if (!str_eq_c(all->rows[i].relation, relation))
            continue;
        if (found.count++ == 0)
            found.rows = &all->rows[i];
    }
    return found;
}

enum err_code api_newest_has(struct api_newest *n, const struct store_target *target,
                             const char *relation, bool *has, struct err *e)
{
    struct group_list groups;
    enum err_code rc = groups_of(n, target, &groups, e);

    *has = rc == ERR_OK && find_groups(&groups, relation).count > 0;
    return rc;
}

enum err_code api_newest_read(struct api_newest *n, const struct store_target *target,
                              const struct api_newest_part *part, struct err *e)
{
    struct group_list groups;
    enum err_code rc = groups_of(n, target, &groups, e);

    for (size_t i = 0; rc == ERR_OK && i < API_NEWEST_SOURCES; i++) {
        struct group_list found = find_groups(&groups, part->sources[i].relation);

        if (found.count > 0)
            return read_relation(n, target, &part->sources[i], &found, e);
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
