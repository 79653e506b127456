/* SPDX-License-Identifier: PostgreSQL */
/*
 * catalogue.c: reads catalogue files into tables.
 *
 * Unknown members are errors, so that a misspelt predicate cannot silently widen where a query
 * runs.
 * Threads: none of its own; what it builds is immutable.
 */
#include "probe/catalogue.h"

#include <stdlib.h>
#include <string.h>

#include "base/embed.h"
#include "base/limits.h"
#include "base/num.h"
#include "conf/toml.h"

struct reader {
    struct arena *arena;
    const char *origin;
    struct err *e;
};

static enum err_code complain(struct reader *r, const struct toml *at, const char *what)
{
    return err_set(r->e, ERR_INVALID, "%s: line %u: %s", r->origin, at ? at->line : 1, what);
}

static enum err_code check_members(struct reader *r, const struct toml *table,
                                   const char *const *allowed)
{
    for (const struct toml *m = table->first; m; m = m->next) {
        bool known = false;
        for (size_t i = 0; allowed[i]; i++) {
            known = known || str_eq_c(m->key, allowed[i]);
        }
        if (!known) {
            return complain(r, m, "unknown member");
        }
    }
    return ERR_OK;
}

/* A text member, or NULL when it is absent. */
static enum err_code get_text(struct reader *r, const struct toml *table, const char *key,
                              const char **out)
{
    const struct toml *n = toml_get(table, key);
    *out = NULL;
    if (!n) {
        return ERR_OK;
    }
    if (n->type != TOML_STRING) {
        return complain(r, n, "a text is expected");
    }
    *out = arena_cstr(r->arena, n->string);
    return ERR_OK;
}

static enum err_code get_view(struct reader *r, const struct toml *table, const char *key,
                              struct str *out)
{
    const char *text;
    if (get_text(r, table, key, &text)) {
        return r->e->code;
    }
    *out = str_of(text ? text : "");
    return ERR_OK;
}

static enum err_code get_int(struct reader *r, const struct toml *table, const char *key, int *out)
{
    const struct toml *n = toml_get(table, key);
    *out = 0;
    if (!n) {
        return ERR_OK;
    }
    if (n->type != TOML_INTEGER || n->integer < 0 || n->integer > 1000) {
        return complain(r, n, "a major version is expected");
    }
    *out = (int)n->integer;
    return ERR_OK;
}

/* How many rows a reading keeps at most. */
static enum err_code get_max_rows(struct reader *r, const struct toml *table, int64_t *out)
{
    const struct toml *n = toml_get(table, "max_rows");
    *out = 0;
    if (!n) {
        return ERR_OK;
    }
    if (n->type != TOML_INTEGER || n->integer < 1 || n->integer > LIMIT_SLICE_ROWS) {
        return complain(r, n, "max_rows must be 1 or more, and fit into one slice");
    }
    *out = n->integer;
    return ERR_OK;
}

static enum err_code get_duration(struct reader *r, const struct toml *table, const char *key,
                                  int64_t *out)
{
    const char *text;
    if (get_text(r, table, key, &text)) {
        return r->e->code;
    }
    if (text && num_parse_duration_ms(str_of(text), out, NULL)) {
        return complain(r, toml_get(table, key), "a duration is expected");
    }
    return ERR_OK;
}

/* One of `names`; *out is the index, 0 when absent. */
static enum err_code get_choice(struct reader *r, const struct toml *table, const char *key,
                                const char *const *names, int *out)
{
    const char *text;
    *out = 0;
    if (get_text(r, table, key, &text)) {
        return r->e->code;
    }
    for (int i = 0; text && names[i]; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = i;
            return ERR_OK;
        }
    }
    return text ? complain(r, toml_get(table, key), "unknown word") : ERR_OK;
}

static size_t count_items(const struct toml *array)
{
    size_t n = 0;
    for (const struct toml *m = array ? array->first : NULL; m; m = m->next) {
        n++;
    }
    return n;
}

static enum err_code read_key(struct reader *r, const struct toml *t, struct relation_key *out)
{
    static const char *const ALLOWED[] = {"name", "help", NULL};
    if (check_members(r, t, ALLOWED) || get_view(r, t, "name", &out->name) ||
        get_view(r, t, "help", &out->help)) {
        return r->e->code;
    }
    return ERR_OK;
}

static enum err_code read_column(struct reader *r, const struct toml *t,
                                 struct relation_column *out)
{
    static const char *const ALLOWED[] = {"name", "kind",       "type", "unit",
                                          "help", "resolution", NULL};
    struct str kind = {0}, type = {0};
    if (check_members(r, t, ALLOWED) || get_view(r, t, "name", &out->name) ||
        get_view(r, t, "help", &out->help) || get_view(r, t, "unit", &out->unit) ||
        get_view(r, t, "kind", &kind) || get_view(r, t, "type", &type)) {
        return r->e->code;
    }
    if (!relation_parse_kind(kind, &out->kind)) {
        return complain(r, t, "kind must be gauge, counter, delta or text");
    }
    if (!relation_parse_type(type, &out->type)) {
        return complain(r, t, "type must be i64, u64, f64 or text");
    }
    const struct toml *res = toml_get(t, "resolution");
    if (res && res->type != TOML_FLOAT) {
        return complain(r, res, "resolution must be a number with a point");
    }
    out->resolution = res ? res->number : 0;
    return ERR_OK;
}

static enum err_code read_query(struct reader *r, const struct toml *t, struct catalogue_query *out)
{
    static const char *const ALLOWED[] = {
        "name", "min_version", "max_version", "min_extension", "max_extension", "sql", NULL};
    if (check_members(r, t, ALLOWED) || get_text(r, t, "name", &out->name) ||
        get_int(r, t, "min_version", &out->min_major) ||
        get_int(r, t, "max_version", &out->max_major) ||
        get_text(r, t, "min_extension", &out->min_extension) ||
        get_text(r, t, "max_extension", &out->max_extension) || get_text(r, t, "sql", &out->sql)) {
        return r->e->code;
    }
    out->name = out->name ? out->name : "read";
    return out->sql ? ERR_OK : complain(r, t, "a query needs sql");
}

static enum err_code read_relation(struct reader *r, const struct toml *root, struct relation *out)
{
    static const char *const SHAPES[] = {"object", "fact", NULL};
    const struct toml *keys = toml_get(root, "key");
    const struct toml *columns = toml_get(root, "column");
    const struct toml *sparse = toml_get(root, "sparse");
    int shape;
    if (get_view(r, root, "name", &out->name) || get_view(r, root, "help", &out->help) ||
        get_choice(r, root, "shape", SHAPES, &shape)) {
        return r->e->code;
    }
    out->shape = shape ? RELATION_FACT : RELATION_OBJECT;
    out->sparse = sparse && sparse->type == TOML_BOOLEAN && sparse->boolean;
    out->key_count = count_items(keys);
    out->column_count = count_items(columns);
    if (out->key_count > LIMIT_RELATION_KEYS || out->column_count > LIMIT_RELATION_COLUMNS) {
        return complain(r, root, "too many keys or columns");
    }
    struct relation_key *k = arena_array(r->arena, out->key_count, sizeof(*k));
    struct relation_column *c = arena_array(r->arena, out->column_count, sizeof(*c));
    out->keys = k;
    out->columns = c;
    if (arena_check(r->arena, r->e)) {
        return r->e->code;
    }
    for (const struct toml *m = keys ? keys->first : NULL; m; m = m->next) {
        if (read_key(r, m, k++)) {
            return r->e->code;
        }
    }
    for (const struct toml *m = columns ? columns->first : NULL; m; m = m->next) {
        if (read_column(r, m, c++)) {
            return r->e->code;
        }
    }
    return out->column_count ? relation_check(out, r->e) : ERR_OK;
}

static enum err_code read_queries(struct reader *r, const struct toml *root,
                                  struct catalogue_file *out)
{
    const struct toml *list = toml_get(root, "query");
    out->query_count = count_items(list);
    struct catalogue_query *q = arena_array(r->arena, out->query_count, sizeof(*q));
    out->queries = q;
    if (arena_check(r->arena, r->e)) {
        return r->e->code;
    }
    for (const struct toml *m = list ? list->first : NULL; m; m = m->next) {
        if (read_query(r, m, q++)) {
            return r->e->code;
        }
    }
    return ERR_OK;
}

static enum err_code read_file(struct reader *r, const struct toml *root,
                               struct catalogue_file *out)
{
    static const char *const SCOPES[] = {"cluster", "host", "database", NULL};
    static const char *const ONLY[] = {"anywhere", "primary", "standby", NULL};
    int scope, only;
    if (get_text(r, root, "name", &out->name) || get_text(r, root, "privilege", &out->privilege) ||
        get_text(r, root, "source", &out->source) || get_text(r, root, "probe", &out->probe) ||
        get_text(r, root, "extension", &out->extension) ||
        get_text(r, root, "empty", &out->empty) ||
        get_int(r, root, "min_version", &out->min_major) || get_max_rows(r, root, &out->max_rows) ||
        get_choice(r, root, "scope", SCOPES, &scope) || get_choice(r, root, "only", ONLY, &only) ||
        get_duration(r, root, "clock", &out->clock_ms) ||
        get_duration(r, root, "timeout", &out->timeout_ms)) {
        return r->e->code;
    }
    out->scope = (enum catalogue_scope)scope;
    out->only = (enum catalogue_only)only;
    if (!out->name) {
        return complain(r, root, "name is missing");
    }
    if (!out->probe && (out->clock_ms < 1000 || out->timeout_ms < 100)) {
        return complain(r, root, "clock (>= 1s) and timeout (>= 100ms) are needed");
    }
    if (read_relation(r, root, &out->relation)) {
        return r->e->code;
    }
    return read_queries(r, root, out);
}

enum err_code catalogue_parse(struct arena *a, struct str text, const char *origin,
                              struct catalogue_file *out, struct err *e)
{
    static const char *const ALLOWED[] = {"name",  "help",      "scope",       "clock",  "timeout",
                                          "shape", "sparse",    "privilege",   "source", "probe",
                                          "only",  "extension", "min_version", "key",    "column",
                                          "query", "max_rows",  "empty",       NULL};
    struct err mine = {0};
    struct reader r = {a, origin, e ? e : &mine};
    const struct toml *root = NULL;
    memset(out, 0, sizeof(*out));
    if (toml_parse(a, text, &root, r.e)) {
        return err_wrap(r.e, "%s", origin);
    }
    if (check_members(&r, root, ALLOWED) || read_file(&r, root, out)) {
        return r.e->code;
    }
    return arena_check(a, r.e);
}

enum err_code catalogue_load(struct arena *a, struct catalogue *out, struct err *e)
{
    struct catalogue_file *files = arena_array(a, embed_catalogue_count, sizeof(*files));
    if (arena_check(a, e)) {
        return ERR_LIMIT;
    }
    for (size_t i = 0; i < embed_catalogue_count; i++) {
        const struct embed_file *f = &embed_catalogue[i];
        enum err_code code = catalogue_parse(a, str_make(f->data, f->len), f->name, &files[i], e);
        if (code) {
            return code;
        }
    }
    out->files = files;
    out->count = embed_catalogue_count;
    return ERR_OK;
}

const struct catalogue_file *catalogue_find(const struct catalogue *c, const char *name)
{
    for (size_t i = 0; i < c->count; i++) {
        if (strcmp(c->files[i].name, name) == 0) {
            return &c->files[i];
        }
    }
    return NULL;
}

int catalogue_compare_versions(const char *a, const char *b)
{
    while (*a || *b) {
        char *end_a, *end_b;
        long x = strtol(a, &end_a, 10), y = strtol(b, &end_b, 10);
        if (x != y) {
            return x < y ? -1 : 1;
        }
        if (end_a == a && end_b == b) {
            return 0; /* no digits on either side: nothing to compare */
        }
        a = *end_a == '.' ? end_a + 1 : "";
        b = *end_b == '.' ? end_b + 1 : "";
    }
    return 0;
}

const struct catalogue_query *catalogue_pick(const struct catalogue_file *f, const char *name,
                                             int version_num, const char *extension)
{
    int major = version_num / 10000;
    for (size_t i = 0; i < f->query_count; i++) {
        const struct catalogue_query *q = &f->queries[i];
        bool fits = strcmp(q->name, name) == 0 && (!q->min_major || major >= q->min_major) &&
                    (!q->max_major || major <= q->max_major);
        fits = fits &&
               (!q->min_extension || catalogue_compare_versions(extension, q->min_extension) >= 0);
        fits = fits &&
               (!q->max_extension || catalogue_compare_versions(extension, q->max_extension) <= 0);
        if (fits) {
            return q;
        }
    }
    return NULL;
}
