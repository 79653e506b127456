/* SPDX-License-Identifier: PostgreSQL */
/* series_name.c: which columns of which relations a query's names stand for. */
#include "store/tsdb/series/series_part.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "model/flatten.h"

#define TOTAL    "_total"
#define SETTINGS "pg_settings" /* the exporter has a metric of each */

/* --- relations, each asked for once --- */

static const char nothing; /* a name that is known to be no relation */

enum err_code series_relation(struct series_tsdb *s, struct str name, const struct relation **out,
                              struct err *e)
{
    void *known = map_get(s->relations, name);
    struct relation *found = NULL;
    enum err_code rc = ERR_OK;

    if (!known) {
        rc = tsdb_relation(s->config.reader, s->arena, name, &found, e);
        if (rc == ERR_OK || rc == ERR_NOT_FOUND) {
            known = rc == ERR_OK ? (void *)found : (void *)&nothing;
            (void)map_put(s->relations, name, known);
            rc = ERR_OK;
        }
    }
    *out = known == (const void *)&nothing ? NULL : known;
    return rc;
}

/* --- a name --- */

/* A column, or the total of a delta column. */
static bool find_column(const struct relation *r, struct str name, struct series_column *out)
{
    int at = relation_find_column(r, name);

    *out = (struct series_column){.relation = r};
    if (at < 0 && str_ends(name, STR(TOTAL))) {
        name.len -= sizeof(TOTAL) - 1;
        at = relation_find_column(r, name);
        out->total = true;
        if (at >= 0 && r->columns[at].kind != RELATION_DELTA)
            at = -1;
    }
    out->column = at < 0 ? 0 : (size_t)at;
    return at >= 0;
}

/* <relation>_<column>: the longest relation that has such a column. */
static enum err_code find_own(struct series_tsdb *s, struct str name, struct series_column *out,
                              struct err *e)
{
    enum err_code rc = ERR_OK;

    out->relation = NULL;
    for (size_t i = name.len; rc == ERR_OK && i-- > 1;) {
        const struct relation *r = NULL;
        if (name.ptr[i] != '_' || i + 1 == name.len)
            continue;
        rc = series_relation(s, str_make(name.ptr, i), &r, e);
        if (rc == ERR_OK && r && find_column(r, str_make(name.ptr + i + 1, name.len - i - 1), out))
            return ERR_OK;
        out->relation = NULL;
    }
    return rc;
}

enum err_code series_alias_column(struct series_tsdb *s, const struct series_alias *alias,
                                  struct series_column *out, struct err *e)
{
    const struct relation *r = NULL;
    enum err_code rc = series_relation(s, str_of(alias->relation), &r, e);

    out->relation = NULL;
    if (rc == ERR_OK && r && !find_column(r, str_of(alias->column), out))
        out->relation = NULL;
    return rc;
}

enum series_kind series_pick_kind(const struct relation *r, const struct series_pick *p)
{
    switch (r->columns[p->column].kind) {
    case RELATION_COUNTER:
        return SERIES_COUNTER;
    case RELATION_DELTA:
        return p->total ? SERIES_COUNTER : SERIES_DELTA;
    case RELATION_GAUGE:
    case RELATION_TEXT:
        break;
    }
    return SERIES_GAUGE;
}

/* --- the plan --- */

struct planning {
    struct series_tsdb *source;
    struct arena *arena;
    const struct series_select *spec;
    struct series_plan *plan;
};

static void *grow(struct arena *a, void *list, size_t count, size_t *cap, size_t size)
{
    if (count < *cap)
        return list;
    *cap = *cap ? 2 * *cap : 8;
    void *longer = arena_array(a, *cap, size);
    if (longer && count)
        memcpy(longer, list, count * size);
    return longer;
}

static struct series_plan_entry *entry_of(struct planning *p, const struct relation *r)
{
    struct series_plan *plan = p->plan;

    if (plan->count && plan->entries[plan->count - 1].relation == r)
        return &plan->entries[plan->count - 1];
    plan->entries = grow(p->arena, plan->entries, plan->count, &plan->cap, sizeof(*plan->entries));
    if (!plan->entries)
        return NULL;
    plan->entries[plan->count].relation = r;
    return &plan->entries[plan->count++];
}

static enum err_code add_pick(struct planning *p, const struct series_column *f,
                              struct series_pick pick, struct err *e)
{
    struct series_plan_entry *n = entry_of(p, f->relation);

    if (!n)
        return arena_fail(p->arena, e);
    n->picks = grow(p->arena, n->picks, n->count, &n->cap, sizeof(*n->picks));
    if (!n->picks)
        return arena_fail(p->arena, e);
    pick.column = f->column;
    pick.total = f->total;
    n->picks[n->count++] = pick;
    return ERR_OK;
}

static enum err_code add_loose(struct planning *p, struct err *e)
{
    const struct relation *r = NULL;
    enum err_code rc = series_relation(p->source, STR(FLATTEN_SAMPLE), &r, e);
    struct series_column f = {.relation = r};

    if (rc || !r || relation_find_key(r, STR("name")) < 0 || !find_column(r, STR("value"), &f))
        return rc;
    rc = add_pick(p, &f, (struct series_pick){0}, e);
    if (rc == ERR_OK)
        p->plan->entries[p->plan->count - 1].loose = true;
    return rc;
}

/* pg_settings_<name>[_<unit>]: the row of that setting, whose value is in these units already. */
static enum err_code find_setting(struct planning *p, struct str name,
                                  const struct series_alias **alias, struct series_column *out,
                                  struct err *e)
{
    static const struct str units[] = {{"_bytes", 6}, {"_seconds", 8}};
    struct series_alias *made = arena_alloc(p->arena, sizeof(*made));
    struct str setting;

    if (!str_starts(name, STR(SETTINGS "_")))
        return ERR_OK;
    setting = str_make(name.ptr + sizeof(SETTINGS), name.len - sizeof(SETTINGS));
    for (size_t i = 0; i < 2; i++) {
        if (str_ends(setting, units[i]))
            setting.len -= units[i].len;
    }
    if (!made)
        return arena_fail(p->arena, e);
    *made = (struct series_alias){
        .relation = SETTINGS,
        .column = "value",
        .scale = 1,
        .filter = arena_printf(p->arena, "name=%.*s", STR_ARG(setting)),
    };
    *alias = made;
    return made->filter ? series_alias_column(p->source, made, out, e) : arena_fail(p->arena, e);
}

static enum err_code plan_name(struct planning *p, struct str name, struct err *e)
{
    const struct series_alias *alias = series_alias_find(name);
    struct series_column f = {0};
    enum err_code rc = ERR_OK;

    if (alias)
        rc = series_alias_column(p->source, alias, &f, e);
    if (rc == ERR_OK && !f.relation) {
        alias = NULL;
        rc = find_own(p->source, name, &f, e);
    }
    if (rc == ERR_OK && !f.relation)
        rc = find_setting(p, name, &alias, &f, e);
    if (rc)
        return rc;
    if (!f.relation)
        return add_loose(p, e);
    return add_pick(p, &f, (struct series_pick){.name = name, .alias = alias}, e);
}

static bool name_matches(const struct planning *p, struct str name)
{
    for (size_t i = 0; i < p->spec->matcher_count; i++) {
        const struct matcher *m = &p->spec->matchers[i];
        if (str_eq_c(m->name, SERIES_NAME_LABEL) && !matcher_match(m, name))
            return false;
    }
    return true;
}

/* The name of a column, when a query that does not tell it can find it there. */
static enum err_code plan_column(struct planning *p, const struct relation *r, size_t column,
                                 bool total, struct err *e)
{
    char *text = arena_printf(p->arena, "%.*s_%.*s%s", STR_ARG(r->name),
                              STR_ARG(r->columns[column].name), total ? TOTAL : "");
    struct series_column f;

    if (!text)
        return arena_fail(p->arena, e);
    if (!name_matches(p, str_of(text)))
        return ERR_OK;
    enum err_code rc = find_own(p->source, str_of(text), &f, e);
    if (rc || f.relation != r || f.column != column || f.total != total)
        return rc; /* a longer relation has that name */
    return add_pick(p, &f, (struct series_pick){.name = str_of(text)}, e);
}

static enum err_code plan_relation(struct planning *p, struct str name, struct err *e)
{
    const struct relation *r = NULL;
    enum err_code rc = series_relation(p->source, name, &r, e);

    for (size_t c = 0; rc == ERR_OK && r && c < r->column_count; c++) {
        rc = plan_column(p, r, c, false, e);
        if (rc == ERR_OK && r->columns[c].kind == RELATION_DELTA)
            rc = plan_column(p, r, c, true, e);
    }
    return rc;
}

static int by_relation(const void *x, const void *y)
{
    const struct series_plan_entry *a = x;
    const struct series_plan_entry *b = y;

    return str_cmp(a->relation->name, b->relation->name);
}

/* Every relation that has a group. */
static enum err_code plan_all(struct planning *p, struct err *e)
{
    const struct series_groups *groups = &p->plan->groups;
    struct map *done = map_new();
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < groups->count; i++) {
        struct str name = groups->items[i].relation;
        if (map_put(done, name, p) || str_eq_c(name, FLATTEN_SAMPLE))
            continue;
        rc = plan_relation(p, name, e);
    }
    map_free(done, NULL);
    return rc ? rc : add_loose(p, e);
}

enum err_code series_plan_make(struct series_tsdb *s, const struct series_select *spec,
                               struct series_plan *plan, struct err *e)
{
    struct planning p = {.source = s, .arena = plan->arena, .spec = spec, .plan = plan};
    const struct matcher *equal = NULL;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < spec->matcher_count; i++) {
        const struct matcher *m = &spec->matchers[i];
        if (str_eq_c(m->name, SERIES_NAME_LABEL) && m->kind == MATCHER_EQUAL && m->value.len)
            equal = m;
    }
    if (!equal)
        rc = plan_all(&p, e);
    else if (name_matches(&p, equal->value))
        rc = plan_name(&p, equal->value, e);
    if (rc == ERR_OK && plan->count)
        qsort(plan->entries, plan->count, sizeof(*plan->entries), by_relation);
    return rc;
}

const struct series_plan_entry *series_plan_find(const struct series_plan *p, struct str relation)
{
    size_t low = 0, high = p->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(p->entries[middle].relation->name, relation);
        if (order == 0)
            return &p->entries[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
