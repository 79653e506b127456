/* SPDX-License-Identifier: PostgreSQL */
/*
 * conf.c: loading a configuration: defaults, file, environment, checks; in this order.
 *
 * The TOML tree is walked once; each member is looked up in the schema by the path of its table. An
 * error names file, line, column and key.
 */
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/log.h"
#include "conf/conf_value.h"

struct conf_loader {
    struct arena *arena;
    const struct conf_schema *schema;
    const char *origin;
    void *config;
    bool *seen;         /* per key, of the struct or of the row being read */
    unsigned forbidden; /* keys with one of these flags are refused */
};

static enum err_code conf_fail(const struct conf_loader *l, const struct toml *node, struct err *e)
{
    return err_wrap(e, "%s: line %u, column %u", l->origin, node->line, node->column);
}

static bool conf_is_row_section(const char *section)
{
    return str_ends(str_of(section), STR("[]"));
}

static size_t conf_key_count(const struct conf_schema *schema)
{
    return schema->key_count + schema->old_key_count;
}

static const struct conf_key *conf_key_at(const struct conf_schema *schema, size_t i)
{
    return i < schema->key_count ? &schema->keys[i] : &schema->old_keys[i - schema->key_count];
}

static enum err_code conf_set_defaults(const struct conf_loader *l, const char *section, void *base,
                                       struct err *e)
{
    for (size_t i = 0; i < conf_key_count(l->schema); i++) {
        const struct conf_key *key = conf_key_at(l->schema, i);
        bool mine = section ? strcmp(key->section, section) == 0
                            : !conf_is_row_section(key->section);
        enum err_code rc;

        if (!mine || !key->text)
            continue;
        rc = conf_value_set_text(l->arena, key, base, str_of(key->text), e);
        if (rc != ERR_OK)
            return err_wrap(e, "default of %s", key->name);
    }
    return ERR_OK;
}

/* `index`: its number, in conf_loader's `seen` as well. */
static const struct conf_key *conf_find_key(const struct conf_schema *schema, const char *section,
                                            struct str name, size_t *index)
{
    for (size_t i = 0; i < conf_key_count(schema); i++) {
        const struct conf_key *key = conf_key_at(schema, i);

        if (strcmp(key->section, section) == 0 && str_eq_c(name, key->name)) {
            *index = i;
            return key;
        }
    }
    return NULL;
}

/* Whether a table of this path may stand in a file: it is a section or above one. */
static bool conf_has_section(const struct conf_schema *schema, const char *section)
{
    size_t len = strlen(section);

    for (size_t i = 0; i < conf_key_count(schema); i++) {
        const char *known = conf_key_at(schema, i)->section;

        if (strncmp(known, section, len) == 0 && (known[len] == '\0' || known[len] == '.'))
            return true;
    }
    return false;
}

/* Information, not a warning: of those, equal ones are held back. */
static void conf_note_old(const struct conf_loader *l, const struct conf_key *key, unsigned line)
{
    if (key->replaced_by)
        log_info(NULL, "%s: line %u: [%s] %s is an old name, write %s", l->origin, line,
                 key->section, key->name, key->replaced_by);
    else
        log_info(NULL, "%s: line %u: [%s] %s is an old key without effect: %s", l->origin, line,
                 key->section, key->name, key->help);
}

static enum err_code conf_set_key(const struct conf_loader *l, const char *section, void *base,
                                  const struct toml *node, struct err *e)
{
    size_t index = 0;
    const struct conf_key *key = conf_find_key(l->schema, section, node->key, &index);
    struct str shown = node->key.len > 64 ? str_make(node->key.ptr, 64) : node->key;
    enum err_code rc;

    if (!key) {
        (void)err_set(e, ERR_INVALID, "unknown key \"%.*s\"%s%s%s", STR_ARG(shown),
                      *section ? " in [" : "", section, *section ? "]" : "");
        return conf_fail(l, node, e);
    }
    if (key->flags & l->forbidden) {
        (void)err_set(e, ERR_INVALID, "%s is set in the host's own file alone%s", key->name,
                      key->flags & CONF_LOCAL ? "" : " for a row that stands there");
        return conf_fail(l, node, e);
    }
    if (key->flags & CONF_DEPRECATED)
        conf_note_old(l, key, node->line);
    rc = conf_value_set_toml(l->arena, key, base, node, e);
    if (rc != ERR_OK)
        return conf_fail(l, node, e);
    l->seen[index] = true;
    return ERR_OK;
}

static enum err_code conf_check_required(const struct conf_loader *l, const char *section,
                                         struct err *e)
{
    for (size_t i = 0; i < l->schema->key_count; i++) {
        const struct conf_key *key = &l->schema->keys[i];
        bool mine = section ? strcmp(key->section, section) == 0
                            : !conf_is_row_section(key->section);

        if (mine && (key->flags & CONF_REQUIRED) && !l->seen[i])
            return err_set(e, ERR_INVALID, "%s: %s%s%s%s is required", l->origin,
                           *key->section ? "[" : "", key->section, *key->section ? "] " : "",
                           key->name);
    }
    return ERR_OK;
}

/* CONF_ORIGIN forbidden: the row is one of an overlay's base, and filled in. */
static enum err_code conf_load_row(const struct conf_loader *l, const struct conf_array *array,
                                   void *row, const struct toml *table, struct err *e)
{
    struct conf_loader mine = *l;
    enum err_code rc = ERR_OK;

    mine.seen = arena_array(l->arena, conf_key_count(l->schema), sizeof(*mine.seen));
    if (!mine.seen)
        return arena_fail(l->arena, e);
    if (array->line_offset)
        memcpy((char *)row + array->line_offset, &table->line, sizeof(table->line));
    if (!(l->forbidden & CONF_ORIGIN))
        rc = conf_set_defaults(&mine, array->section, row, e);
    for (const struct toml *at = table->first; at && rc == ERR_OK; at = at->next)
        rc = conf_set_key(&mine, array->section, row, at, e);
    if (rc != ERR_OK)
        return rc;
    rc = conf_check_required(&mine, array->section, e);
    return rc == ERR_OK ? rc : err_wrap(e, "line %u", table->line);
}

/* Rows of an overlay's base, found by their names. */
struct conf_rows {
    char *rows;
    size_t known, count;
};

static enum err_code conf_start_rows(const struct conf_loader *l, const struct conf_array *array,
                                     size_t more, struct conf_rows *out, struct err *e)
{
    const char *config = l->config;
    char *old = NULL;

    memcpy(&old, config + array->offset, sizeof(old));
    memcpy(&out->known, config + array->count_offset, sizeof(out->known));
    out->count = out->known;
    out->rows = arena_array(l->arena, out->known + more, array->row_size);
    if (!out->rows)
        return arena_fail(l->arena, e);
    if (out->known > 0)
        memcpy(out->rows, old, out->known * array->row_size);
    return ERR_OK;
}

/* The row that a table of an overlay is about: one that is known, or out->count. */
static size_t conf_find_row(const struct conf_loader *l, const struct conf_array *array,
                            const struct conf_rows *in, const struct toml *table)
{
    const struct toml *name = array->row_key ? toml_get(table, array->row_key) : NULL;
    const struct conf_key *key;
    size_t index;

    if (!name || name->type != TOML_STRING)
        return in->count;
    key = conf_find_key(l->schema, array->section, name->key, &index);
    for (size_t i = 0; key && i < in->count; i++) {
        const char *have;

        memcpy(&have, in->rows + i * array->row_size + key->offset, sizeof(have));
        if (have && str_eq_c(name->string, have))
            return i;
    }
    return in->count;
}

static enum err_code conf_load_rows(const struct conf_loader *l, const struct conf_array *array,
                                    const struct toml *node, struct err *e)
{
    struct conf_rows in;
    enum err_code rc;

    if (node->count > array->max_rows) {
        (void)err_set(e, ERR_LIMIT, "[[%.*s]] stands %u times, at most %zu", STR_ARG(node->key),
                      node->count, array->max_rows);
        return conf_fail(l, node, e);
    }
    if (conf_start_rows(l, array, node->count, &in, e) != ERR_OK)
        return e->code;
    for (const struct toml *at = node->first; at; at = at->next) {
        struct conf_loader mine = *l;
        size_t row;

        if (at->type != TOML_TABLE) {
            (void)err_set(e, ERR_INVALID, "[[%.*s]] is expected", STR_ARG(node->key));
            return conf_fail(l, node, e);
        }
        row = l->forbidden ? conf_find_row(l, array, &in, at) : in.count;
        if (row < in.known)
            mine.forbidden |= CONF_ORIGIN;
        rc = conf_load_row(&mine, array, in.rows + row * array->row_size, at, e);
        if (rc != ERR_OK)
            return rc;
        in.count += row == in.count;
    }
    if (in.count > array->max_rows)
        return err_set(e, ERR_LIMIT, "%s: more than %zu rows of [[%.*s]] in all", l->origin,
                       array->max_rows, STR_ARG(node->key));
    memcpy((char *)l->config + array->offset, &in.rows, sizeof(in.rows));
    memcpy((char *)l->config + array->count_offset, &in.count, sizeof(in.count));
    return ERR_OK;
}

static const struct conf_array *conf_find_array(const struct conf_schema *schema,
                                                const char *section)
{
    for (size_t i = 0; i < schema->array_count; i++) {
        if (strcmp(schema->arrays[i].section, section) == 0)
            return &schema->arrays[i];
    }
    return NULL;
}

static enum err_code conf_load_table(const struct conf_loader *l, const char *section,
                                     const struct toml *table, struct err *e);

static enum err_code conf_load_member(const struct conf_loader *l, const char *section,
                                      const struct toml *node, struct err *e)
{
    const char *path = arena_printf(l->arena, "%s%s%.*s%s", section, *section ? "." : "",
                                    STR_ARG(node->key), node->type == TOML_ARRAY ? "[]" : "");
    const struct conf_array *array;

    if (!path)
        return arena_fail(l->arena, e);
    array = conf_find_array(l->schema, path);
    if (array && node->type == TOML_ARRAY)
        return conf_load_rows(l, array, node, e);
    if (node->type != TOML_TABLE)
        return conf_set_key(l, section, l->config, node, e);
    if (conf_has_section(l->schema, path))
        return conf_load_table(l, path, node, e);
    (void)err_set(e, ERR_INVALID, "unknown section [%.*s]", (int)strnlen(path, 64), path);
    return conf_fail(l, node, e);
}

/* Recursion ends: a section's path has at most as many parts as the schema's longest. */
static enum err_code conf_load_table(const struct conf_loader *l, const char *section,
                                     const struct toml *table, struct err *e)
{
    enum err_code rc = ERR_OK;

    for (const struct toml *at = table->first; at && rc == ERR_OK; at = at->next)
        rc = conf_load_member(l, section, at, e);
    return rc;
}

enum err_code conf_row_defaults(struct arena *a, const struct conf_schema *schema,
                                const char *section, void *row, struct err *e)
{
    const struct conf_loader l = {.arena = a, .schema = schema, .origin = "defaults"};

    return conf_set_defaults(&l, section, row, e);
}

static enum err_code conf_load_env(const struct conf_loader *l, struct err *e)
{
    for (size_t i = 0; i < l->schema->key_count; i++) {
        const struct conf_key *key = &l->schema->keys[i];
        const char *text = key->env ? getenv(key->env) : NULL;
        enum err_code rc;

        if (!text || !*text || conf_is_row_section(key->section))
            continue;
        rc = conf_value_set_text(l->arena, key, l->config, str_of(text), e);
        if (rc != ERR_OK)
            return err_wrap(e, "environment variable %s", key->env);
        l->seen[i] = true;
    }
    return ERR_OK;
}

static enum err_code conf_load_text(const struct conf_loader *l, struct str text, struct err *e)
{
    const struct toml *root = NULL;
    enum err_code rc;

    if (!text.ptr)
        return ERR_OK;
    rc = toml_parse(l->arena, text, &root, e);
    if (rc != ERR_OK)
        return err_wrap(e, "%s", l->origin);
    return conf_load_table(l, "", root, e);
}

enum err_code conf_load(struct arena *a, const struct conf_schema *schema, struct str text,
                        const char *origin, void **out, struct err *e)
{
    struct conf_loader l = {.arena = a, .schema = schema, .origin = origin};
    struct err mine;
    enum err_code rc;

    if (!e)
        e = &mine; /* below, err_wrap returns its code */
    l.config = arena_alloc(a, schema->struct_size);
    l.seen = arena_array(a, conf_key_count(schema), sizeof(*l.seen));
    if (!l.config || !l.seen)
        return arena_fail(a, e);
    rc = conf_set_defaults(&l, NULL, l.config, e);
    if (rc == ERR_OK)
        rc = conf_load_text(&l, text, e);
    if (rc == ERR_OK)
        rc = conf_load_env(&l, e);
    if (rc == ERR_OK && text.ptr)
        rc = conf_check_required(&l, NULL, e);
    if (rc == ERR_OK && schema->check) {
        rc = schema->check(l.config, e);
        if (rc != ERR_OK)
            (void)err_wrap(e, "%s", origin);
    }
    if (rc == ERR_OK)
        rc = arena_check(a, e);
    if (rc == ERR_OK)
        *out = l.config;
    return rc;
}

enum err_code conf_overlay(struct arena *a, const struct conf_over *over, void **out, struct err *e)
{
    const struct conf_schema *schema = over->schema;
    struct conf_loader l = {
        .arena = a, .schema = schema, .origin = over->origin, .forbidden = CONF_LOCAL};
    struct err mine;
    enum err_code rc;

    if (!e)
        e = &mine;
    l.config = arena_alloc(a, schema->struct_size);
    l.seen = arena_array(a, conf_key_count(schema), sizeof(*l.seen));
    if (!l.config || !l.seen)
        return arena_fail(a, e);
    memcpy(l.config, over->base, schema->struct_size);
    rc = conf_load_text(&l, over->text, e);
    if (rc == ERR_OK && schema->check) {
        rc = schema->check(l.config, e);
        if (rc != ERR_OK)
            (void)err_wrap(e, "%s", l.origin);
    }
    if (rc == ERR_OK)
        rc = arena_check(a, e);
    if (rc == ERR_OK)
        *out = l.config;
    return rc;
}

/* conf/ does not know os/: the file is read by hand. */
static enum err_code conf_read_file(const char *path, struct buf *out, struct err *e)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    enum err_code rc = ERR_OK;
    ssize_t got = 1;

    if (fd < 0)
        return err_set_errno(e,
                             errno == ENOENT   ? ERR_NOT_FOUND
                             : errno == EACCES ? ERR_DENIED
                                               : ERR_IO,
                             errno, "open %s", path);
    while (rc == ERR_OK && got != 0) {
        char part[4096];

        got = read(fd, part, sizeof(part));
        if (got > 0)
            buf_add(out, part, (size_t)got);
        else if (got < 0 && errno != EINTR)
            rc = err_set_errno(e, ERR_IO, errno, "read %s", path);
        if (rc == ERR_OK && out->failed)
            rc = err_set(e, ERR_LIMIT, "%s is longer than %zu bytes", path, out->max);
    }
    (void)close(fd);
    return rc;
}

enum err_code conf_load_file(struct arena *a, const struct conf_schema *schema, const char *path,
                             void **out, struct err *e)
{
    struct buf text;
    enum err_code rc;

    buf_init(&text, LIMIT_CONFIG_BYTES);
    rc = conf_read_file(path, &text, e);
    if (rc == ERR_OK)
        rc = conf_load(a, schema, buf_view(&text), path, out, e);
    buf_fini(&text);
    return rc;
}
