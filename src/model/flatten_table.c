/* SPDX-License-Identifier: PostgreSQL */
/*
 * flatten_table.c: rows of one relation at one instant, gathered from many items, as slices.
 *
 * Rows of one relation need not have the same members: a table has the keys and columns of all of
 * them; a key that a row lacks is "", a value that it lacks is NULL.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "model/flatten_part.h"

struct flatten_line {
    struct flatten_line *next;
    size_t key_count, value_count;
    struct {
        size_t at;
        struct str value;
    } * keys;
    struct {
        size_t at;
        struct cell cell;
    } * values;
};

#define NAME_MAX_BYTES (LIMIT_NAME_BYTES + sizeof(struct uuid) + sizeof(int64_t))

void flatten_table_init(struct flatten_tables *set, struct arena *a)
{
    *set = (struct flatten_tables){.arena = a, .by_name = map_new()};
}

void flatten_table_fini(struct flatten_tables *set)
{
    map_free(set->by_name, NULL);
}

void *flatten_table_grow(struct arena *a, void *list, size_t count, size_t *cap, size_t size)
{
    void *more;

    if (count < *cap)
        return list;
    *cap = *cap ? *cap * 2 : 16;
    more = arena_array(a, *cap, size);
    if (more && count > 0)
        memcpy(more, list, count * size);
    return more;
}

static struct str table_name(const struct flatten_place *p, char bytes[NAME_MAX_BYTES])
{
    size_t at = 0;

    memcpy(bytes, p->target->bytes, sizeof(p->target->bytes));
    at += sizeof(p->target->bytes);
    memcpy(bytes + at, &p->t_ms, sizeof(p->t_ms));
    at += sizeof(p->t_ms);
    memcpy(bytes + at, p->relation.ptr, p->relation.len);
    return str_make(bytes, at + p->relation.len);
}

struct flatten_table *flatten_table_at(struct flatten_tables *set, const struct flatten_place *p,
                                       const char **why)
{
    char bytes[NAME_MAX_BYTES];
    struct str name = table_name(p, bytes);
    struct flatten_table *t = map_get(set->by_name, name);

    if (t)
        return t;
    *why = "the push holds more readings at different times than a record may";
    if (set->count >= LIMIT_RECORD_SLICES / 2) /* each may be given under a second name */
        return NULL;
    set->all = flatten_table_grow(set->arena, set->all, set->count, &set->cap, sizeof(*set->all));
    t = arena_alloc(set->arena, sizeof(*t));
    *why = "the push needs too much memory";
    if (!t || !set->all)
        return NULL;
    t->relation = p->relation;
    t->target = p->target;
    t->t_ms = p->t_ms;
    t->every_ms = p->every_ms;
    set->all[set->count++] = t;
    (void)map_put(set->by_name, name, t);
    return t;
}

/* The place of a name in a list, which grows; rows mostly have the members of the row before. */
static size_t place_of(struct str *list, size_t *count, size_t max, struct str name, size_t hint)
{
    if (hint < *count && str_eq(list[hint], name))
        return hint;
    for (size_t i = 0; i < *count; i++) {
        if (str_eq(list[i], name))
            return i;
    }
    if (*count == max)
        return max;
    list[*count] = name;
    return (*count)++;
}

static bool is_in(const struct str *list, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_eq(list[i], name))
            return true;
    }
    return false;
}

/* A name is a key or a column of a relation, never both. */
static const char *const of_two_kinds = "a member is a key in one row and a value in another";

static const char *add_keys(struct flatten_table *t, struct flatten_line *line,
                            const struct flatten_row *row)
{
    for (size_t i = 0; i < row->key_count; i++) {
        struct str name = row->keys[i].name;
        size_t before = t->key_count;
        size_t at = place_of(t->keys, &t->key_count, LIMIT_RELATION_KEYS, name, i);

        if (at == LIMIT_RELATION_KEYS)
            return "its relation has too many keys";
        if (at == before && is_in(t->columns, t->column_count, name)) {
            t->key_count--;
            return of_two_kinds;
        }
        line->keys[i].at = at;
        line->keys[i].value = row->keys[i].value;
    }
    return NULL;
}

static const char *add_values(struct flatten_table *t, struct flatten_line *line,
                              const struct flatten_row *row)
{
    for (size_t i = 0; i < row->value_count; i++) {
        const struct flatten_value *v = &row->values[i];
        size_t before = t->column_count;
        size_t at = place_of(t->columns, &t->column_count, LIMIT_RELATION_COLUMNS, v->name, i);

        if (at == LIMIT_RELATION_COLUMNS)
            return "its relation has too many columns";
        if (at == before && is_in(t->keys, t->key_count, v->name)) {
            t->column_count--;
            return of_two_kinds;
        }
        if (at == before)
            t->sorts[at] = v->sort;
        else if (t->sorts[at] != v->sort)
            t->sorts[at] = FLATTEN_NUMBER; /* of several kinds: nothing is promised */
        line->values[i].at = at;
        line->values[i].cell = v->cell;
    }
    return NULL;
}

const char *flatten_table_add(struct flatten_tables *set, struct flatten_table *t,
                              const struct flatten_row *row)
{
    struct flatten_line *line;
    const char *why;

    if (t->line_count == LIMIT_SLICE_ROWS)
        return "its relation has too many rows";
    line = arena_alloc(set->arena, sizeof(*line));
    if (line) {
        line->keys = arena_array(set->arena, row->key_count, sizeof(*line->keys));
        line->values = arena_array(set->arena, row->value_count, sizeof(*line->values));
    }
    if (!line || !line->keys || !line->values)
        return "the push needs too much memory";
    line->key_count = row->key_count;
    line->value_count = row->value_count;
    why = add_keys(t, line, row);
    if (!why)
        why = add_values(t, line, row);
    if (why)
        return why;
    if (t->last)
        t->last->next = line;
    else
        t->first = line;
    t->last = line;
    t->line_count++;
    return NULL;
}

/* --- slices --- */

static bool slice_room(struct arena *a, struct slice *s)
{
    s->key_names = arena_array(a, s->key_count, sizeof(*s->key_names));
    s->keys = arena_array(a, s->key_count, sizeof(*s->keys));
    s->columns = arena_array(a, s->column_count, sizeof(*s->columns));
    for (size_t k = 0; !a->overflow && k < s->key_count; k++)
        s->keys[k] = arena_array(a, s->row_count, sizeof(*s->keys[k]));
    for (size_t c = 0; !a->overflow && c < s->column_count; c++)
        s->columns[c].cells = arena_array(a, s->row_count, sizeof(*s->columns[c].cells));
    return !a->overflow;
}

static struct slice *next_slice(struct batch *out, const struct flatten_table *t)
{
    struct slice *s = &out->slices[out->slice_count];

    *s = (struct slice){.relation = t->relation,
                        .target = *t->target,
                        .t_ms = t->t_ms,
                        .from_ms = t->t_ms,
                        .every_ms = t->every_ms,
                        .row_count = t->line_count,
                        .key_count = t->key_count,
                        .column_count = t->column_count};
    return s;
}

static void put_slice(struct arena *a, struct batch *out, const struct flatten_table *t)
{
    struct slice *s = next_slice(out, t);
    size_t row = 0;

    if (!slice_room(a, s))
        return;
    for (size_t k = 0; k < t->key_count; k++)
        s->key_names[k] = t->keys[k];
    for (size_t c = 0; c < t->column_count; c++)
        s->columns[c].name = t->columns[c];
    for (const struct flatten_line *line = t->first; line; line = line->next, row++) {
        for (size_t i = 0; i < line->key_count; i++)
            s->keys[line->keys[i].at][row] = line->keys[i].value;
        for (size_t i = 0; i < line->value_count; i++)
            s->columns[line->values[i].at].cells[row] = line->values[i].cell;
    }
    out->slice_count++;
}

/* --- descriptions: of what is known for sure, with no help; see relation.h --- */

static void describe(struct arena *a, struct batch *out, const struct flatten_table *t)
{
    struct relation_column *columns = arena_array(a, t->column_count, sizeof(*columns));
    struct relation_key *keys = arena_array(a, t->key_count, sizeof(*keys));
    size_t count = 0;

    if (!columns || !keys)
        return;
    for (size_t k = 0; k < t->key_count; k++)
        keys[k].name = t->keys[k];
    for (size_t c = 0; c < t->column_count; c++) {
        struct relation_column *d = &columns[count];

        d->name = t->columns[c];
        d->kind = t->sorts[c] == FLATTEN_TEXT ? RELATION_TEXT : RELATION_GAUGE;
        d->type = RELATION_F64;
        if (t->sorts[c] == FLATTEN_TEXT)
            d->type = RELATION_STR;
        else if (t->sorts[c] == FLATTEN_BYTES)
            d->type = RELATION_I64;
        d->unit = t->sorts[c] == FLATTEN_BYTES ? STR("bytes") : STR("s");
        if (t->sorts[c] == FLATTEN_TEXT)
            d->unit = STR("");
        count += t->sorts[c] != FLATTEN_NUMBER;
    }
    if (count == 0)
        return;
    out->relations[out->relation_count++] = (struct relation){.name = t->relation,
                                                              .keys = keys,
                                                              .key_count = t->key_count,
                                                              .columns = columns,
                                                              .column_count = count};
}

/* --- the same under the names of our own relations --- */

struct mapped {
    const struct flatten_map *map;
    const struct flatten_table *table;
    size_t key_at[LIMIT_RELATION_KEYS];       /* of the map's key in the table */
    size_t column_at[LIMIT_RELATION_COLUMNS]; /* of the map's column */
    size_t text_at[LIMIT_RELATION_COLUMNS];   /* the key in the table that the column is */
};

static size_t index_of(const struct str *list, size_t count, const char *name)
{
    size_t i = 0;

    while (i < count && !str_eq_c(list[i], name))
        i++;
    return i;
}

static struct cell map_cell(const struct flatten_map_column *c, struct cell in)
{
    double scale = c->scale != 0 ? c->scale : 1;
    int64_t position;

    if (c->kind == RELATION_TEXT)
        return in.tag == CELL_STR ? in : (struct cell){.tag = CELL_NULL};
    if (in.tag == CELL_STR)
        return flatten_word_lsn(in.str, &position) ? cell_i64(position)
                                                   : (struct cell){.tag = CELL_NULL};
    if (in.tag == CELL_NULL || (scale == 1 && c->type == RELATION_I64 && in.tag != CELL_F64))
        return in;
    if (c->type == RELATION_I64) {
        double value = cell_to_f64(in) * scale;

        return fabs(value) < 9e18 ? cell_i64(llround(value)) : (struct cell){.tag = CELL_NULL};
    }
    return cell_f64(cell_to_f64(in) * scale);
}

static struct str key_of(const struct flatten_line *line, size_t at)
{
    for (size_t i = 0; i < line->key_count; i++) {
        if (line->keys[i].at == at)
            return line->keys[i].value;
    }
    return STR("");
}

static struct cell value_of(const struct flatten_line *line, size_t at)
{
    for (size_t i = 0; i < line->value_count; i++) {
        if (line->values[i].at == at)
            return line->values[i].cell;
    }
    return (struct cell){.tag = CELL_NULL};
}

static struct cell mapped_cell(const struct mapped *m, const struct flatten_line *line, size_t c)
{
    if (m->text_at[c] < m->table->key_count)
        return cell_str(key_of(line, m->text_at[c]));
    return map_cell(&m->map->columns[c], value_of(line, m->column_at[c]));
}

/* Whether the row is of that scope, or the relation has none. */
static bool in_scope(const struct mapped *m, const struct flatten_line *line,
                     const struct str *scope)
{
    return !scope || str_eq(key_of(line, m->key_at[0]), *scope);
}

static void put_mapped(struct arena *a, struct batch *out, const struct mapped *m,
                       const struct str *scope)
{
    const struct flatten_map *map = m->map;
    struct slice *s = next_slice(out, m->table);
    size_t row = 0;

    s->relation = str_of(map->to);
    s->scope = scope ? *scope : STR("");
    s->key_count = map->key_count;
    s->column_count = map->column_count;
    s->row_count = 0;
    for (const struct flatten_line *line = m->table->first; line; line = line->next)
        s->row_count += in_scope(m, line, scope);
    if (!slice_room(a, s))
        return;
    for (size_t k = 0; k < map->key_count; k++)
        s->key_names[k] = str_of(map->keys[k].to);
    for (size_t c = 0; c < map->column_count; c++)
        s->columns[c].name = str_of(map->columns[c].to);
    for (const struct flatten_line *line = m->table->first; line; line = line->next) {
        if (!in_scope(m, line, scope))
            continue;
        for (size_t k = 0; k < map->key_count; k++)
            s->keys[k][row] = key_of(line, m->key_at[k]);
        for (size_t c = 0; c < map->column_count; c++)
            s->columns[c].cells[row] = mapped_cell(m, line, c);
        row++;
    }
    out->slice_count++;
}

static void put_scopes(struct arena *a, struct batch *out, const struct mapped *m)
{
    const struct flatten_table *t = m->table;
    struct map *seen = map_new();

    for (const struct flatten_line *line = t->first; line; line = line->next) {
        struct str scope = key_of(line, m->key_at[0]);

        if (map_get(seen, scope) || out->slice_count >= LIMIT_RECORD_SLICES)
            continue;
        (void)map_put(seen, scope, seen);
        put_mapped(a, out, m, &scope);
    }
    map_free(seen, NULL);
}

static void describe_map(struct arena *a, struct batch *out, const struct flatten_map *map)
{
    struct relation_column *columns = arena_array(a, map->column_count, sizeof(*columns));
    struct relation_key *keys = arena_array(a, map->key_count, sizeof(*keys));

    if (!columns || !keys)
        return;
    for (size_t k = 0; k < map->key_count; k++)
        keys[k].name = str_of(map->keys[k].to);
    for (size_t c = 0; c < map->column_count; c++) {
        const struct flatten_map_column *from = &map->columns[c];

        columns[c] = (struct relation_column){.name = str_of(from->to),
                                              .kind = from->kind,
                                              .type = from->type,
                                              .unit = str_of(from->unit)};
    }
    out->relations[out->relation_count++] = (struct relation){.name = str_of(map->to),
                                                              .keys = keys,
                                                              .key_count = map->key_count,
                                                              .columns = columns,
                                                              .column_count = map->column_count};
}

static void put_map(struct arena *a, struct batch *out, const struct flatten_table *t,
                    const struct flatten_map *map)
{
    struct mapped m = {.map = map, .table = t};

    for (size_t k = 0; k < map->key_count; k++)
        m.key_at[k] = index_of(t->keys, t->key_count, map->keys[k].from);
    for (size_t c = 0; c < map->column_count; c++) {
        const struct flatten_map_column *from = &map->columns[c];

        m.column_at[c] = index_of(t->columns, t->column_count, from->from);
        m.text_at[c] = from->kind == RELATION_TEXT ? index_of(t->keys, t->key_count, from->from)
                                                   : t->key_count;
    }
    describe_map(a, out, map);
    if (map->by_database)
        put_scopes(a, out, &m);
    else
        put_mapped(a, out, &m, NULL);
}

static void put_as_ours(struct arena *a, struct batch *out, const struct flatten_table *t)
{
    const struct flatten_map *map = NULL;

    while ((map = flatten_map_next(t->relation, map)) != NULL && !a->overflow &&
           out->slice_count < LIMIT_RECORD_SLICES && out->relation_count < LIMIT_RECORD_RELATIONS)
        put_map(a, out, t, map);
}

static int by_time(const void *a, const void *b)
{
    const struct flatten_table *const *x = a, *const *y = b;

    return ((*x)->t_ms > (*y)->t_ms) - ((*x)->t_ms < (*y)->t_ms);
}

/* One for each table, and those under our own names. */
static size_t slices_at_most(const struct flatten_tables *set)
{
    size_t count = set->count;

    for (size_t i = 0; i < set->count; i++) {
        const struct flatten_map *map = NULL;

        while ((map = flatten_map_next(set->all[i]->relation, map)) != NULL)
            count += map->by_database ? set->all[i]->line_count : 1;
    }
    return count < LIMIT_RECORD_SLICES ? count : LIMIT_RECORD_SLICES;
}

void flatten_table_finish(struct flatten_tables *set, struct batch *out)
{
    struct arena *a = set->arena;

    out->slices = arena_array(a, slices_at_most(set), sizeof(*out->slices));
    out->relations = arena_array(a, (1 + FLATTEN_MAPS_MAX) * set->count + 1,
                                 sizeof(*out->relations));
    if (!out->slices || !out->relations || set->count == 0)
        return;
    qsort(set->all, set->count, sizeof(struct flatten_table *), by_time);
    for (size_t i = 0; i < set->count && !a->overflow; i++) {
        if (out->slice_count >= LIMIT_RECORD_SLICES)
            break;
        if (out->relation_count + 2 <= LIMIT_RECORD_RELATIONS)
            describe(a, out, set->all[i]);
        put_slice(a, out, set->all[i]);
    }
    for (size_t i = 0; i < set->count; i++)
        put_as_ours(a, out, set->all[i]);
}
