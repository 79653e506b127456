/* SPDX-License-Identifier: PostgreSQL */
/* series_name.c: which columns of which relations a query's names stand for. */
#include "store/tsdb/series_part.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "model/flatten.h"

#define TOTAL "_total"

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

struct found {
    const struct relation *relation;
    size_t column;
    bool total;
};

/* A column, or the total of a delta column. */
static bool find_column(const struct relation *r, struct str name, struct found *out)
{
    int at = relation_find_column(r, name);

    *out = (struct found){.relation = r};
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
static enum err_code find_own(struct series_tsdb *s, struct str name, struct found *out,
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

static enum err_code find_alias(struct series_tsdb *s, const struct series_alias *alias,
                                struct found *out, struct err *e)
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

static enum err_code add_pick(struct planning *p, const struct found *f, struct series_pick pick,
                              struct err *e)
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
    struct found f = {.relation = r};

    if (rc || !r || relation_find_key(r, STR("name")) < 0 || !find_column(r, STR("value"), &f))
        return rc;
    rc = add_pick(p, &f, (struct series_pick){0}, e);
    if (rc == ERR_OK)
        p->plan->entries[p->plan->count - 1].loose = true;
    return rc;
}

static enum err_code plan_name(struct planning *p, struct str name, struct err *e)
{
    const struct series_alias *alias = series_alias_find(name);
    struct found f = {0};
    enum err_code rc = ERR_OK;

    if (alias)
        rc = find_alias(p->source, alias, &f, e);
    if (rc == ERR_OK && !f.relation) {
        alias = NULL;
        rc = find_own(p->source, name, &f, e);
    }
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
    struct found f;

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
static enum err_code plan_all(struct planning *p, const struct series_groups *groups, struct err *e)
{
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

enum err_code series_plan_make(struct series_tsdb *s, struct arena *a,
                               const struct series_select *spec, const struct series_groups *groups,
                               struct series_plan *out, struct err *e)
{
    struct planning p = {.source = s, .arena = a, .spec = spec, .plan = out};
    const struct matcher *equal = NULL;
    enum err_code rc = ERR_OK;

    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < spec->matcher_count; i++) {
        const struct matcher *m = &spec->matchers[i];
        if (str_eq_c(m->name, SERIES_NAME_LABEL) && m->kind == MATCHER_EQUAL && m->value.len)
            equal = m;
    }
    if (!equal)
        rc = plan_all(&p, groups, e);
    else if (name_matches(&p, equal->value))
        rc = plan_name(&p, equal->value, e);
    if (rc == ERR_OK && out->count)
        qsort(out->entries, out->count, sizeof(*out->entries), by_relation);
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

/* --- listing --- */

static int by_listed_name(const void *x, const void *y)
{
    const struct series_name *a = x;
    const struct series_name *b = y;
    int order = str_cmp(a->name, b->name);

    return order ? order : (int)a->alias - (int)b->alias;
}

struct listing {
    struct series_tsdb *source;
    struct series_names *out;
    size_t cap;
    struct map *relations; /* that have readings in the interval */
};

static enum err_code list_one(struct listing *l, struct series_name n, struct err *e)
{
    struct series_names *out = l->out;

    out->items = grow(l->source->arena, out->items, out->count, &l->cap, sizeof(*out->items));
    if (!out->items)
        return arena_fail(l->source->arena, e);
    out->items[out->count++] = n;
    return ERR_OK;
}

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

    if (pick->alias)
        n.name = str_of(pick->alias->name);
    if (n.name.len == 0)
        n.name = str_of(arena_printf(l->source->arena, "%.*s_%.*s%s", STR_ARG(r->name),
                                     STR_ARG(c->name), pick->total ? TOTAL : ""));
    return list_one(l, n, e);
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

static enum err_code list_aliases(struct listing *l, struct err *e)
{
    size_t count = 0;
    const struct series_alias *table = series_alias_table(&count);
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        struct found f = {0};
        if (!map_get(l->relations, str_of(table[i].relation)))
            continue;
        rc = find_alias(l->source, &table[i], &f, e);
        if (rc == ERR_OK && f.relation) {
            struct series_pick pick = {.column = f.column, .total = f.total, .alias = &table[i]};
            rc = list_column(l, f.relation, &pick, e);
        }
    }
    return rc;
}

static void drop_doubles(struct series_names *n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n->count; i++) {
        if (kept == 0 || !str_eq(n->items[kept - 1].name, n->items[i].name))
            n->items[kept++] = n->items[i];
    }
    n->count = kept;
}

enum err_code series_tsdb_names(struct series_tsdb *s, int64_t from_ms, int64_t to_ms,
                                struct series_names *out, struct err *e)
{
    struct listing l = {.source = s, .out = out, .relations = map_new()};
    struct tsdb_group *groups = NULL;
    size_t count = 0;
    enum err_code rc = tsdb_groups(s->config.reader, s->arena, NULL, &groups, &count, e);

    memset(out, 0, sizeof(*out));
    (void)to_ms; /* when the first reading was is not kept; of the newest one `from` tells enough */
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        if (!groups[i].has_last || groups[i].last_t_ms <= from_ms ||
            str_eq_c(groups[i].relation, FLATTEN_SAMPLE) || map_put(l.relations, groups[i].relation, s))
            continue;
        rc = list_relation(&l, groups[i].relation, e);
    }
    if (rc == ERR_OK)
        rc = list_aliases(&l, e);
    map_free(l.relations, NULL);
    if (rc == ERR_OK && out->count)
        qsort(out->items, out->count, sizeof(*out->items), by_listed_name);
    drop_doubles(out);
    return rc ? rc : arena_check(s->arena, e);
}
