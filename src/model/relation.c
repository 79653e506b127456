/* SPDX-License-Identifier: PostgreSQL */
/* relation.c: looking into descriptions, checking them, and their JSON form. */
#include "model/relation.h"

#include "base/limits.h"

static const char *const relation_kinds[] = {
    [RELATION_GAUGE] = "gauge",
    [RELATION_COUNTER] = "counter",
    [RELATION_DELTA] = "delta",
    [RELATION_TEXT] = "text",
};
static const char *const relation_types[] = {
    [RELATION_I64] = "i64",
    [RELATION_U64] = "u64",
    [RELATION_F64] = "f64",
    [RELATION_STR] = "text",
};

#define RELATION_COUNT(table) (sizeof(table) / sizeof((table)[0]))

int relation_find_column(const struct relation *r, struct str name)
{
    for (size_t i = 0; i < r->column_count; i++) {
        if (str_eq(r->columns[i].name, name))
            return (int)i;
    }
    return -1;
}

int relation_find_key(const struct relation *r, struct str name)
{
    for (size_t i = 0; i < r->key_count; i++) {
        if (str_eq(r->keys[i].name, name))
            return (int)i;
    }
    return -1;
}

const char *relation_kind_name(enum relation_kind kind)
{
    return relation_kinds[kind];
}

bool relation_parse_kind(struct str s, enum relation_kind *out)
{
    for (size_t i = 0; i < RELATION_COUNT(relation_kinds); i++) {
        if (str_eq_c(s, relation_kinds[i])) {
            *out = (enum relation_kind)i;
            return true;
        }
    }
    return false;
}

const char *relation_type_name(enum relation_type type)
{
    return relation_types[type];
}

bool relation_parse_type(struct str s, enum relation_type *out)
{
    for (size_t i = 0; i < RELATION_COUNT(relation_types); i++) {
        if (str_eq_c(s, relation_types[i])) {
            *out = (enum relation_type)i;
            return true;
        }
    }
    return false;
}

bool relation_is_name(struct str s)
{
    if (s.len == 0 || s.len > LIMIT_NAME_BYTES || (s.ptr[0] >= '0' && s.ptr[0] <= '9'))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
            return false;
    }
    return true;
}

static enum err_code relation_check_name(struct str name, const char *what, struct err *e)
{
    if (relation_is_name(name))
        return ERR_OK;
    return err_set(e, ERR_INVALID, "%s name \"%.*s\" does not match [a-z_][a-z0-9_]*", what,
                   name.len > 64 ? 64 : (int)name.len, name.ptr ? name.ptr : "");
}

static enum err_code relation_check_column(const struct relation *r, size_t i, struct err *e)
{
    const struct relation_column *c = &r->columns[i];
    enum err_code rc = relation_check_name(c->name, "column", e);

    if (rc != ERR_OK)
        return rc;
    if (relation_find_column(r, c->name) != (int)i || relation_find_key(r, c->name) >= 0)
        return err_set(e, ERR_INVALID, "column %.*s stands twice", STR_ARG(c->name));
    if ((c->kind == RELATION_TEXT) != (c->type == RELATION_STR))
        return err_set(e, ERR_INVALID, "column %.*s: kind %s with type %s", STR_ARG(c->name),
                       relation_kind_name(c->kind), relation_type_name(c->type));
    if (!(c->resolution >= 0) || (c->resolution > 0 && c->type != RELATION_F64))
        return err_set(e, ERR_INVALID, "column %.*s: a resolution is for f64, and positive",
                       STR_ARG(c->name));
    return ERR_OK;
}

enum err_code relation_check(const struct relation *r, struct err *e)
{
    enum err_code rc = relation_check_name(r->name, "relation", e);

    if (rc == ERR_OK && r->key_count > LIMIT_RELATION_KEYS)
        rc = err_set(e, ERR_LIMIT, "%zu keys, at most %d", r->key_count, LIMIT_RELATION_KEYS);
    if (rc == ERR_OK && r->column_count > LIMIT_RELATION_COLUMNS)
        rc = err_set(e, ERR_LIMIT, "%zu columns, at most %d", r->column_count,
                     LIMIT_RELATION_COLUMNS);
    for (size_t i = 0; rc == ERR_OK && i < r->key_count; i++) {
        rc = relation_check_name(r->keys[i].name, "key", e);
        if (rc == ERR_OK && relation_find_key(r, r->keys[i].name) != (int)i)
            rc = err_set(e, ERR_INVALID, "key %.*s stands twice", STR_ARG(r->keys[i].name));
    }
    for (size_t i = 0; rc == ERR_OK && i < r->column_count; i++)
        rc = relation_check_column(r, i, e);
    return rc;
}

static void relation_write_column(const struct relation_column *c, struct json_writer *w)
{
    json_object_begin(w);
    json_member_str(w, "name", c->name);
    json_member_c(w, "kind", relation_kind_name(c->kind));
    json_member_c(w, "type", relation_type_name(c->type));
    json_member_str(w, "unit", c->unit);
    json_member_str(w, "help", c->help);
    if (c->resolution > 0)
        json_member_f64(w, "resolution", c->resolution);
    json_object_end(w);
}

void relation_write(const struct relation *r, struct json_writer *w)
{
    json_object_begin(w);
    json_member_str(w, "name", r->name);
    json_member_str(w, "help", r->help);
    json_member_c(w, "shape", r->shape == RELATION_FACT ? "fact" : "object");
    json_member_bool(w, "sparse", r->sparse);
    json_key(w, "keys");
    json_array_begin(w);
    for (size_t i = 0; i < r->key_count; i++) {
        json_object_begin(w);
        json_member_str(w, "name", r->keys[i].name);
        json_member_str(w, "help", r->keys[i].help);
        json_object_end(w);
    }
    json_array_end(w);
    json_key(w, "columns");
    json_array_begin(w);
    for (size_t i = 0; i < r->column_count; i++)
        relation_write_column(&r->columns[i], w);
    json_array_end(w);
    json_object_end(w);
}

static struct str relation_member(const struct json *n, const char *name)
{
    return json_str(json_get(n, name));
}

static enum err_code relation_read_keys(struct arena *a, const struct json *n, struct relation *out,
                                        struct err *e)
{
    struct relation_key *keys;

    if (json_count(n) > LIMIT_RELATION_KEYS)
        return err_set(e, ERR_LIMIT, "%zu keys, at most %d", json_count(n), LIMIT_RELATION_KEYS);
    keys = arena_array(a, json_count(n), sizeof(*keys));
    if (!keys)
        return arena_fail(a, e);
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        keys[it.index].name = relation_member(it.value, "name");
        keys[it.index].help = relation_member(it.value, "help");
    }
    out->keys = keys;
    out->key_count = json_count(n);
    return ERR_OK;
}

static enum err_code relation_read_column(const struct json *n, struct relation_column *out,
                                          struct err *e)
{
    struct str kind = relation_member(n, "kind"), type = relation_member(n, "type");

    out->name = relation_member(n, "name");
    out->unit = relation_member(n, "unit");
    out->help = relation_member(n, "help");
    out->resolution = json_f64(json_get(n, "resolution"), 0);
    if (!relation_parse_kind(kind, &out->kind))
        return err_set(e, ERR_INVALID, "unknown kind \"%.*s\"", kind.len > 32 ? 32 : (int)kind.len,
                       kind.ptr ? kind.ptr : "");
    if (!relation_parse_type(type, &out->type))
        return err_set(e, ERR_INVALID, "unknown type \"%.*s\"", type.len > 32 ? 32 : (int)type.len,
                       type.ptr ? type.ptr : "");
    return ERR_OK;
}

static enum err_code relation_read_columns(struct arena *a, const struct json *n,
                                           struct relation *out, struct err *e)
{
    struct relation_column *columns;

    if (json_count(n) > LIMIT_RELATION_COLUMNS)
        return err_set(e, ERR_LIMIT, "%zu columns, at most %d", json_count(n),
                       LIMIT_RELATION_COLUMNS);
    columns = arena_array(a, json_count(n), sizeof(*columns));
    if (!columns)
        return arena_fail(a, e);
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        enum err_code rc = relation_read_column(it.value, &columns[it.index], e);

        if (rc != ERR_OK)
            return err_wrap(e, "columns[%zu]", it.index);
    }
    out->columns = columns;
    out->column_count = json_count(n);
    return ERR_OK;
}

enum err_code relation_read(struct arena *a, const struct json *n, struct relation *out,
                            struct err *e)
{
    const struct json *keys = json_get(n, "keys"), *columns = json_get(n, "columns");
    struct str shape = relation_member(n, "shape");
    struct relation got = {0};
    struct err mine;
    enum err_code rc;

    if (!e)
        e = &mine; /* err_wrap returns its code */
    if (json_type(n) != JSON_OBJECT)
        return err_set(e, ERR_INVALID, "a description must be an object");
    if ((keys && json_type(keys) != JSON_ARRAY) || (columns && json_type(columns) != JSON_ARRAY))
        return err_set(e, ERR_INVALID, "keys and columns must be arrays");
    if (!str_eq_c(shape, "object") && !str_eq_c(shape, "fact"))
        return err_set(e, ERR_INVALID, "shape must be object or fact");
    got.name = relation_member(n, "name");
    got.help = relation_member(n, "help");
    got.shape = str_eq_c(shape, "fact") ? RELATION_FACT : RELATION_OBJECT;
    got.sparse = json_bool(json_get(n, "sparse"), false);
    rc = relation_read_keys(a, keys, &got, e);
    if (rc == ERR_OK)
        rc = relation_read_columns(a, columns, &got, e);
    if (rc == ERR_OK)
        rc = relation_check(&got, e);
    if (rc == ERR_OK)
        *out = got;
    return rc;
}
