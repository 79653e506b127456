/* SPDX-License-Identifier: PostgreSQL */
/*
 * series_list.c: which names, labels and values of labels there are.
 *
 * Names and labels follow from the relations that have readings; for values the objects of those
 * relations are read that have the label as a key, without any column.
 */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "model/flatten.h"
#include "store/tsdb/series/series_part.h"
#include "store/tsdb/series/series_table.h"

#define TABLE_BYTES (256UL * 1024 * 1024)

/* A set of texts on its way to a sorted list. */
struct listing {
    struct series_tsdb *source;
    const struct series_span *span;
    struct arena *arena;
    struct map *known;
    struct series_names names; /* of series; or, with names alone, any list of texts */
    size_t cap;
    size_t group_count;
    struct tsdb_group *groups; /* that have readings */
    struct map *relations;     /* of those groups */
};

static enum err_code begin(struct listing *l, struct series_tsdb *s, const struct series_span *span,
                           struct err *e)
{
    struct tsdb_group *all = NULL;
    size_t count = 0;

    *l = (struct listing){.source = s, .span = span, .arena = s->arena};
    l->known = map_new();
    l->relations = map_new();
    enum err_code rc = tsdb_groups(s->config.reader, s->arena, NULL, &all, &count, e);
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        if (!all[i].has_last || all[i].last_t_ms <= span->from_ms)
            continue;
        (void)map_put(l->relations, all[i].relation, s);
        all[l->group_count++] = all[i];
    }
    l->groups = all;
    return rc;
}

static int by_name(const void *x, const void *y)
{
    return str_cmp(((const struct series_name *)x)->name, ((const struct series_name *)y)->name);
}

static void finish(struct listing *l)
{
    map_free(l->known, NULL);
    map_free(l->relations, NULL);
    if (l->names.count)
        qsort(l->names.items, l->names.count, sizeof(*l->names.items), by_name);
}

/* The first of a name counts. */
static enum err_code add(struct listing *l, struct series_name n, struct err *e)
{
    if (n.name.len == 0 || map_get(l->known, n.name))
        return ERR_OK;
    (void)map_put(l->known, n.name, l);
    if (l->names.count == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        struct series_name *longer = arena_array(l->arena, cap, sizeof(*longer));
        if (longer && l->names.count)
            memcpy(longer, l->names.items, l->names.count * sizeof(*longer));
        l->names.items = longer;
        l->cap = cap;
    }
    n.name = arena_str(l->arena, n.name);
    if (!l->names.items || l->arena->overflow)
        return arena_fail(l->arena, e);
    l->names.items[l->names.count++] = n;
    return ERR_OK;
}

static enum err_code add_text(struct listing *l, struct str text, struct err *e)
{
    return add(l, (struct series_name){.name = text}, e);
}

static enum err_code take_texts(struct listing *l, enum err_code rc, struct series_texts *out,
                                struct err *e)
{
    finish(l);
    if (rc)
        return rc;
    out->count = l->names.count;
    out->items = arena_array(l->arena, out->count + 1, sizeof(*out->items));
    if (!out->items)
        return arena_fail(l->arena, e);
    for (size_t i = 0; i < out->count; i++)
        out->items[i] = l->names.items[i].name;
    return ERR_OK;
}

/* --- objects --- */

typedef enum err_code each_row(struct listing *l, const struct series_row *row, void *arg,
                               struct err *e);

struct reading {
    const struct relation *relation;
    size_t column_count;
    size_t *columns;
    each_row *each;
    void *arg;
};

/* Every object of a relation in the interval; texts of the columns are in the table. */
static enum err_code read_relation(struct listing *l, const struct reading *r,
                                   struct series_table *table, struct err *e)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < l->group_count; i++) {
        const struct tsdb_group *g = &l->groups[i];
        if (!str_eq(g->relation, r->relation->name))
            continue;
        struct series_table_spec spec = {
            .reader = l->source->config.reader,
            .target = g->target,
            .relation = r->relation,
            .scope = g->scope,
            .column_count = r->column_count,
            .columns = r->columns,
            .from_ms = l->span->from_ms,
            .to_ms = l->span->to_ms,
            .deadline_mono_us = l->span->deadline_mono_us,
        };
        rc = series_table_read(table, &spec, e);
        for (size_t row = 0; rc == ERR_OK && r->each && row < table->row_count; row++)
            rc = r->each(l, table->rows[row], r->arg, e);
        for (size_t t = 0; rc == ERR_OK && t < table->text_count; t++)
            rc = add_text(l, table->texts[t], e);
    }
    return rc;
}

static enum err_code with_table(struct listing *l, const struct reading *r, struct err *e)
{
    struct series_table table;
    enum err_code rc = ERR_OK;

    series_table_init(&table, TABLE_BYTES);
    rc = read_relation(l, r, &table, e);
    series_table_fini(&table);
    return rc;
}

/* Loose samples, each with its name and its labels. */
static enum err_code read_loose(struct listing *l, each_row *each, void *arg, struct err *e)
{
    struct reading r = {.each = each, .arg = arg};
    enum err_code rc = ERR_OK;

    if (!map_get(l->relations, STR(FLATTEN_SAMPLE)))
        return ERR_OK;
    rc = series_relation(l->source, STR(FLATTEN_SAMPLE), &r.relation, e);
    if (rc || !r.relation || relation_find_key(r.relation, STR("name")) != 0 ||
        relation_find_key(r.relation, STR("labels")) != 1)
        return rc;
    return with_table(l, &r, e);
}

/* --- names of series --- */

static enum err_code list_column(struct listing *l, const struct relation *r,
                                 const struct series_pick *pick, struct err *e)
{
    const struct relation_column *c = &r->columns[pick->column];
    struct series_name n = {
        .name = pick->name,
        .kind = series_pick_kind(r, pick),
        .help = c->help,
        .unit = c->unit,
        .alias = pick->alias != NULL,
    };

    if (n.name.len == 0)
        n.name = str_of(arena_printf(l->arena, "%.*s_%.*s%s", STR_ARG(r->name), STR_ARG(c->name),
                                     pick->total ? "_total" : ""));
    return add(l, n, e);
}

static enum err_code list_relation(struct listing *l, struct str name, struct err *e)
{
    const struct relation *r = NULL;
    enum err_code rc = series_relation(l->source, name, &r, e);

    for (size_t c = 0; rc == ERR_OK && r && c < r->column_count; c++) {
        struct series_pick pick = {.column = c};
        rc = list_column(l, r, &pick, e);
        pick.total = true;
        if (rc == ERR_OK && r->columns[c].kind == RELATION_DELTA)
            rc = list_column(l, r, &pick, e);
    }
    return rc;
}

/* A walk over the aliases that the store has something for. */
struct aliases {
    size_t next;
    const struct series_alias *alias; /* NULL = the end */
    struct series_column column;
};

static enum err_code next_alias(struct listing *l, struct aliases *walk, struct err *e)
{
    enum err_code rc = ERR_OK;

    walk->alias = NULL;
    while (rc == ERR_OK && walk->next < series_alias_count) {
        const struct series_alias *alias = &series_alias_table[walk->next++];
        if (!map_get(l->relations, str_of(alias->relation)))
            continue;
        rc = series_alias_column(l->source, alias, &walk->column, e);
        if (rc == ERR_OK && walk->column.relation) {
            walk->alias = alias;
            return ERR_OK;
        }
    }
    return rc;
}

static enum err_code list_aliases(struct listing *l, struct err *e)
{
    struct aliases walk = {0};
    enum err_code rc = next_alias(l, &walk, e);

    while (rc == ERR_OK && walk.alias) {
        struct series_pick pick = {.name = str_of(walk.alias->name),
                                   .column = walk.column.column,
                                   .total = walk.column.total,
                                   .alias = walk.alias};
        rc = list_column(l, walk.column.relation, &pick, e);
        rc = rc ? rc : next_alias(l, &walk, e);
    }
    return rc;
}

static enum err_code list_loose_name(struct listing *l, const struct series_row *row, void *arg,
                                     struct err *e)
{
    (void)arg;
    return add(l, (struct series_name){.name = row->keys[0], .kind = SERIES_LOOSE}, e);
}

static enum err_code list_names(struct listing *l, struct err *e)
{
    struct str name;
    void *value = NULL;
    enum err_code rc = ERR_OK;

    for (size_t at = 0; rc == ERR_OK && map_next(l->relations, &at, &name, &value);) {
        if (!str_eq_c(name, FLATTEN_SAMPLE))
            rc = list_relation(l, name, e);
    }
    if (rc == ERR_OK)
        rc = list_aliases(l, e);
    return rc ? rc : read_loose(l, list_loose_name, NULL, e);
}

enum err_code series_list_names(struct series_tsdb *s, const struct series_span *span,
                                struct series_names *out, struct err *e)
{
    struct listing l;
    enum err_code rc = begin(&l, s, span, e);

    if (rc == ERR_OK)
        rc = list_names(&l, e);
    finish(&l);
    *out = l.names;
    return rc;
}

/* --- names of labels --- */

static bool is_alive(const struct listing *l, const struct uuid *target)
{
    for (size_t i = 0; i < l->group_count; i++) {
        if (text_uuid_eq(&l->groups[i].target, target))
            return true;
    }
    return false;
}

static enum err_code list_keys(struct listing *l, struct str relation, struct err *e)
{
    const struct relation *r = NULL;
    enum err_code rc = series_relation(l->source, relation, &r, e);

    for (size_t k = 0; rc == ERR_OK && r && k < r->key_count; k++)
        rc = add_text(l, r->keys[k].name, e);
    for (size_t c = 0; rc == ERR_OK && r && c < r->column_count; c++) {
        if (r->columns[c].kind == RELATION_TEXT)
            rc = add_text(l, STR(SERIES_TEXT_LABEL), e);
    }
    return rc;
}

static enum err_code list_alias_labels(struct listing *l, struct err *e)
{
    struct aliases walk = {0};
    enum err_code rc = next_alias(l, &walk, e);
    bool fixed = false;

    while (rc == ERR_OK && walk.alias) {
        struct str rest = str_of(walk.alias->labels), label, key;
        rc = add_text(l, STR(SERIES_ALIAS_SERVER), e);
        while (rc == ERR_OK && series_alias_next(&rest, &label, &key, &fixed))
            rc = add_text(l, label, e);
        rc = rc ? rc : next_alias(l, &walk, e);
    }
    return rc;
}

static enum err_code list_loose_labels(struct listing *l, const struct series_row *row, void *arg,
                                       struct err *e)
{
    struct str rest = row->keys[1];
    struct label one;
    enum err_code rc = ERR_OK;

    (void)arg;
    while (rc == ERR_OK && series_label_next(l->arena, &rest, &one))
        rc = add_text(l, one.name, e);
    return rc;
}

static enum err_code list_labels(struct listing *l, struct err *e)
{
    const struct series_tsdb_config *config = &l->source->config;
    struct str name;
    void *value = NULL;
    enum err_code rc = add_text(l, STR(SERIES_NAME_LABEL), e);

    if (rc == ERR_OK && l->group_count)
        rc = add_text(l, STR("job"), e);
    for (size_t i = 0; rc == ERR_OK && i < config->target_count; i++) {
        const struct series_target *t = &config->targets[i];
        for (size_t n = 0; rc == ERR_OK && is_alive(l, &t->id) && n < t->labels.count; n++)
            rc = add_text(l, t->labels.items[n].name, e);
    }
    for (size_t i = 0; rc == ERR_OK && i < l->group_count; i++)
        rc = add_text(l, l->groups[i].scope.len ? STR(SERIES_SCOPE) : STR(SERIES_TARGET_LABEL), e);
    for (size_t at = 0; rc == ERR_OK && map_next(l->relations, &at, &name, &value);) {
        if (!str_eq_c(name, FLATTEN_SAMPLE))
            rc = list_keys(l, name, e);
    }
    if (rc == ERR_OK)
        rc = list_alias_labels(l, e);
    return rc ? rc : read_loose(l, list_loose_labels, NULL, e);
}

enum err_code series_list_labels(struct series_tsdb *s, const struct series_span *span,
                                 struct series_texts *out, struct err *e)
{
    struct listing l;
    enum err_code rc = begin(&l, s, span, e);

    if (rc == ERR_OK)
        rc = list_labels(&l, e);
    return take_texts(&l, rc, out, e);
}

/* --- values of a label --- */

static enum err_code list_key(struct listing *l, const struct series_row *row, void *arg,
                              struct err *e)
{
    return add_text(l, row->keys[*(const int *)arg], e);
}

static enum err_code list_key_values(struct listing *l, const struct relation *r, struct str key,
                                     struct err *e)
{
    int at = relation_find_key(r, key);
    struct reading reading = {.relation = r, .each = list_key, .arg = &at};

    return at < 0 ? ERR_OK : with_table(l, &reading, e);
}

/* only: this column; -1 = every one that is a text */
static enum err_code list_text_values(struct listing *l, const struct relation *r, int only,
                                      struct err *e)
{
    struct reading reading = {.relation = r};

    reading.columns = arena_array(l->arena, r->column_count, sizeof(*reading.columns));
    if (!reading.columns)
        return arena_fail(l->arena, e);
    for (size_t c = 0; c < r->column_count; c++) {
        if (r->columns[c].kind == RELATION_TEXT && (only < 0 || (size_t)only == c))
            reading.columns[reading.column_count++] = c;
    }
    return reading.column_count ? with_table(l, &reading, e) : ERR_OK;
}

static enum err_code list_target_values(struct listing *l, struct str label, struct err *e)
{
    const struct series_tsdb_config *config = &l->source->config;
    bool server = str_eq_c(label, SERIES_ALIAS_SERVER);
    enum err_code rc = ERR_OK;

    if (str_eq_c(label, "job") && l->group_count)
        rc = add_text(l, STR(SERIES_JOB), e);
    for (size_t i = 0; rc == ERR_OK && i < config->target_count; i++) {
        const struct series_target *t = &config->targets[i];
        if (is_alive(l, &t->id))
            rc = add_text(l, labels_get(&t->labels, server ? STR("instance") : label), e);
    }
    for (size_t i = 0; rc == ERR_OK && str_eq_c(label, SERIES_SCOPE) && i < l->group_count; i++)
        rc = add_text(l, l->groups[i].scope, e);
    return rc;
}

/* A label of an alias: a fixed text, a text column, or a key. */
static enum err_code list_alias_value(struct listing *l, const struct aliases *walk, struct str key,
                                      bool fixed, struct err *e)
{
    if (fixed)
        return add_text(l, key, e);
    if (str_eq_c(key, SERIES_ALIAS_TEXT))
        return list_text_values(l, walk->column.relation, (int)walk->column.column, e);
    return list_key_values(l, walk->column.relation, key, e);
}

/* Keys that an exporter names otherwise. */
static enum err_code list_alias_values(struct listing *l, struct str want, struct err *e)
{
    struct aliases walk = {0};
    enum err_code rc = next_alias(l, &walk, e);
    bool fixed = false;

    while (rc == ERR_OK && walk.alias) {
        struct str rest = str_of(walk.alias->labels), label, key;
        while (rc == ERR_OK && series_alias_next(&rest, &label, &key, &fixed)) {
            if (str_eq(label, want))
                rc = list_alias_value(l, &walk, key, fixed, e);
        }
        rc = rc ? rc : next_alias(l, &walk, e);
    }
    return rc;
}

static enum err_code list_loose_value(struct listing *l, const struct series_row *row, void *arg,
                                      struct err *e)
{
    struct str rest = row->keys[1];
    struct label one;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && series_label_next(l->arena, &rest, &one)) {
        if (str_eq(one.name, *(const struct str *)arg))
            rc = add_text(l, one.value, e);
    }
    return rc;
}

static enum err_code list_values(struct listing *l, struct str label, struct err *e)
{
    struct str name;
    void *value = NULL;
    enum err_code rc = list_target_values(l, label, e);

    for (size_t at = 0; rc == ERR_OK && map_next(l->relations, &at, &name, &value);) {
        const struct relation *r = NULL;
        if (str_eq_c(name, FLATTEN_SAMPLE))
            continue;
        rc = series_relation(l->source, name, &r, e);
        if (rc == ERR_OK && r)
            rc = list_key_values(l, r, label, e);
        if (rc == ERR_OK && r && str_eq_c(label, SERIES_TEXT_LABEL))
            rc = list_text_values(l, r, -1, e);
    }
    if (rc == ERR_OK)
        rc = list_alias_values(l, label, e);
    return rc ? rc : read_loose(l, list_loose_value, &label, e);
}

enum err_code series_list_values(struct series_tsdb *s, struct str label,
                                 const struct series_span *span, struct series_texts *out,
                                 struct err *e)
{
    struct listing l;
    enum err_code rc = begin(&l, s, span, e);

    if (rc == ERR_OK)
        rc = str_eq_c(label, SERIES_NAME_LABEL) ? list_names(&l, e) : list_values(&l, label, e);
    return take_texts(&l, rc, out, e);
}
