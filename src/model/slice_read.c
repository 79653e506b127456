/* SPDX-License-Identifier: PostgreSQL */
/*
 * slice_read.c: one slice from JSON. This is the hot path of ingest.
 *
 * The members of the slice are found in one walk, then read in the order in which they depend on
 * each other (rows before keys and columns). Per value there is one call and no allocation; key
 * strings are borrowed from the document.
 */
#include "model/slice_read.h"

#include <string.h>

#include "base/limits.h"

enum slice_member {
    MEMBER_RELATION,
    MEMBER_TARGET,
    MEMBER_SCOPE,
    MEMBER_T,
    MEMBER_FROM_T,
    MEMBER_EVERY_MS,
    MEMBER_FLAGS,
    MEMBER_REASON,
    MEMBER_ROWS,
    MEMBER_KEYS,
    MEMBER_COLUMNS,
    MEMBER_GONE,
    MEMBER_RESET,
    MEMBER_COUNT,
};

static const struct str slice_members[MEMBER_COUNT] = {
    [MEMBER_RELATION] = {"relation", 8}, [MEMBER_TARGET] = {"target", 6},
    [MEMBER_SCOPE] = {"scope", 5},       [MEMBER_T] = {"t", 1},
    [MEMBER_FROM_T] = {"from_t", 6},     [MEMBER_EVERY_MS] = {"every_ms", 8},
    [MEMBER_FLAGS] = {"flags", 5},       [MEMBER_REASON] = {"reason", 6},
    [MEMBER_ROWS] = {"rows", 4},         [MEMBER_KEYS] = {"keys", 4},
    [MEMBER_COLUMNS] = {"columns", 7},   [MEMBER_GONE] = {"gone", 4},
    [MEMBER_RESET] = {"reset", 5},
};

struct slice_reader {
    struct arena *arena;
    struct place *at;
    struct slice *slice;
    struct err *e; /* == at->e */
    const struct json *members[MEMBER_COUNT];
};

/* Names seen so far, as a set of bits: a clear bit proves that a name is new. */
struct slice_names {
    uint64_t bits[4];
};

static bool slice_names_add(struct slice_names *seen, struct str name)
{
    unsigned char first = (unsigned char)name.ptr[0];
    unsigned char last = (unsigned char)name.ptr[name.len - 1];
    unsigned char middle = (unsigned char)name.ptr[name.len / 2];
    size_t hash = (name.len * 31 + first * 7U + last * 13U + middle * 37U) & 255;
    uint64_t bit = UINT64_C(1) << (hash & 63);
    bool maybe = (seen->bits[hash >> 6] & bit) != 0;

    seen->bits[hash >> 6] |= bit;
    return maybe;
}

static void slice_find_members(struct slice_reader *r, const struct json *n)
{
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        for (size_t i = 0; i < MEMBER_COUNT; i++) {
            if (it.key.len == slice_members[i].len &&
                memcmp(it.key.ptr, slice_members[i].ptr, it.key.len) == 0) {
                r->members[i] = it.value;
                break;
            }
        }
    }
}

/* Point at a member, or at a part of it. */
static void slice_at(struct slice_reader *r, enum slice_member member, struct str name, size_t row)
{
    r->at->member = slice_members[member].ptr;
    r->at->name = name;
    r->at->row = row;
}

static enum err_code slice_fail_member(struct slice_reader *r, enum slice_member member,
                                       enum err_code code, const char *what)
{
    slice_at(r, member, (struct str){NULL, 0}, PLACE_NONE);
    return place_fail(r->at, code, "%s", what);
}

static enum err_code slice_read_flags(struct slice_reader *r)
{
    const struct json *n = r->members[MEMBER_FLAGS];

    if (n && json_type(n) != JSON_ARRAY)
        return slice_fail_member(r, MEMBER_FLAGS, ERR_INVALID, "must be an array");
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        struct str flag = json_str(it.value);

        if (json_type(it.value) != JSON_STR)
            return slice_fail_member(r, MEMBER_FLAGS, ERR_INVALID, "must hold text alone");
        if (str_eq_c(flag, "complete"))
            r->slice->flags |= SLICE_COMPLETE;
        else if (str_eq_c(flag, "keyframe"))
            r->slice->flags |= SLICE_KEYFRAME;
        else if (str_eq_c(flag, "failed"))
            r->slice->flags |= SLICE_FAILED;
    }
    return ERR_OK;
}

static enum err_code slice_read_times(struct slice_reader *r)
{
    struct slice *s = r->slice;
    enum err_code rc = place_read_ms(r->at, r->members[MEMBER_T], "t", &s->t_ms);

    s->from_ms = s->t_ms;
    if (rc == ERR_OK && r->members[MEMBER_FROM_T])
        rc = place_read_ms(r->at, r->members[MEMBER_FROM_T], "from_t", &s->from_ms);
    if (rc == ERR_OK && r->members[MEMBER_EVERY_MS])
        rc = place_read_ms(r->at, r->members[MEMBER_EVERY_MS], "every_ms", &s->every_ms);
    if (rc == ERR_OK && s->from_ms > s->t_ms)
        rc = slice_fail_member(r, MEMBER_FROM_T, ERR_INVALID, "is later than t");
    return rc;
}

static enum err_code slice_read_head(struct slice_reader *r)
{
    struct slice *s = r->slice;
    enum err_code rc;

    rc = place_read_str(r->at, r->members[MEMBER_RELATION], "relation", LIMIT_NAME_BYTES,
                        &s->relation);
    if (rc == ERR_OK && !relation_is_name(s->relation))
        rc = slice_fail_member(r, MEMBER_RELATION, ERR_INVALID, "is no relation's name");
    if (rc == ERR_OK)
        rc = place_read_uuid(r->at, r->members[MEMBER_TARGET], "target", &s->target);
    if (rc == ERR_OK && r->members[MEMBER_SCOPE])
        rc = place_read_str(r->at, r->members[MEMBER_SCOPE], "scope", LIMIT_KEY_BYTES, &s->scope);
    if (rc == ERR_OK)
        rc = slice_read_times(r);
    if (rc == ERR_OK)
        rc = slice_read_flags(r);
    if (rc == ERR_OK && r->members[MEMBER_REASON])
        rc = place_read_str(r->at, r->members[MEMBER_REASON], "reason", LIMIT_EVENT_TITLE_BYTES,
                            &s->reason);
    return rc;
}

static enum err_code slice_read_row_count(struct slice_reader *r)
{
    const struct json *n = r->members[MEMBER_ROWS];
    int64_t rows = json_i64(n, n ? -1 : 0);

    if (rows < 0)
        return slice_fail_member(r, MEMBER_ROWS, ERR_INVALID, "must be a whole number");
    if (rows > LIMIT_SLICE_ROWS)
        return slice_fail_member(r, MEMBER_ROWS, ERR_LIMIT, "too many rows in one slice");
    if (rows > 0 && (r->slice->flags & SLICE_FAILED))
        return slice_fail_member(r, MEMBER_ROWS, ERR_INVALID, "a failed reading has no rows");
    r->slice->row_count = (size_t)rows;
    return ERR_OK;
}

/* A member of keys or columns: a name, and an array with one value a row. */
static enum err_code slice_check_array(struct slice_reader *r, enum slice_member member,
                                       const struct json_iter *it)
{
    slice_at(r, member, it->key, PLACE_NONE);
    if (!relation_is_name(it->key))
        return place_fail(r->at, ERR_INVALID, "is no name");
    if (json_type(it->value) != JSON_ARRAY)
        return place_fail(r->at, ERR_INVALID, "must be an array");
    if (json_count(it->value) != r->slice->row_count)
        return place_fail(r->at, ERR_INVALID, "%zu values for %zu rows", json_count(it->value),
                          r->slice->row_count);
    return ERR_OK;
}

static enum err_code slice_check_object(struct slice_reader *r, enum slice_member member,
                                        size_t max)
{
    const struct json *n = r->members[member];

    if (n && json_type(n) != JSON_OBJECT)
        return slice_fail_member(r, member, ERR_INVALID, "must be an object");
    if (json_count(n) > max)
        return slice_fail_member(r, member, ERR_LIMIT, "too many members");
    return ERR_OK;
}

/* One key value; `s` is what the document has. */
static enum err_code slice_check_key(struct slice_reader *r, const struct json_scalar *v)
{
    if (v->type != JSON_STR)
        return place_fail(r->at, ERR_INVALID, "must be a string");
    if (v->str.len > LIMIT_KEY_BYTES)
        return place_fail(r->at, ERR_LIMIT, "%zu bytes, at most %d", v->str.len, LIMIT_KEY_BYTES);
    if (memchr(v->str.ptr, '\0', v->str.len))
        return place_fail(r->at, ERR_INVALID, "holds a NUL character");
    return ERR_OK;
}

/* `count` strings of an array. The place's row follows. */
static enum err_code slice_read_strings(struct slice_reader *r, const struct json *array,
                                        size_t count, struct str **out)
{
    struct str *values = arena_array(r->arena, count, sizeof(*values));
    struct json_iter it = json_iter(array);
    struct json_scalar v;

    if (!values)
        return arena_fail(r->arena, r->e);
    for (size_t i = 0; json_next_scalar(&it, &v); i++) {
        enum err_code rc;

        r->at->row = i;
        rc = slice_check_key(r, &v);
        if (rc != ERR_OK)
            return rc;
        values[i] = v.str;
    }
    *out = values;
    return ERR_OK;
}

static enum err_code slice_read_keys(struct slice_reader *r)
{
    const struct json *n = r->members[MEMBER_KEYS];
    struct slice *s = r->slice;
    enum err_code rc = slice_check_object(r, MEMBER_KEYS, LIMIT_RELATION_KEYS);

    if (rc != ERR_OK)
        return rc;
    s->key_names = arena_array(r->arena, json_count(n), sizeof(*s->key_names));
    s->keys = arena_array(r->arena, json_count(n), sizeof(*s->keys));
    if (!s->key_names || !s->keys)
        return arena_fail(r->arena, r->e);
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        rc = slice_check_array(r, MEMBER_KEYS, &it);
        for (size_t k = 0; rc == ERR_OK && k < s->key_count; k++) {
            if (str_eq(s->key_names[k], it.key))
                rc = place_fail(r->at, ERR_INVALID, "stands twice");
        }
        if (rc == ERR_OK)
            rc = slice_read_strings(r, it.value, s->row_count, &s->keys[s->key_count]);
        if (rc != ERR_OK)
            return rc;
        s->key_names[s->key_count++] = it.key;
    }
    return ERR_OK;
}

static enum err_code slice_read_text_cell(struct slice_reader *r, struct str text, struct cell *out)
{
    if (text.len > LIMIT_TEXT_BYTES)
        return place_fail(r->at, ERR_LIMIT, "%zu bytes, at most %d", text.len, LIMIT_TEXT_BYTES);
    if (memchr(text.ptr, '\0', text.len))
        return place_fail(r->at, ERR_INVALID, "holds a NUL character");
    *out = cell_str(text);
    return ERR_OK;
}

/* Cells are zeroed: CELL_NULL. Numbers first: they are nearly all. */
static enum err_code slice_read_cells(struct slice_reader *r, const struct json *array,
                                      struct cell *cells)
{
    struct json_iter it = json_iter(array);
    enum err_code rc = ERR_OK;
    struct json_scalar v;

    for (struct cell *c = cells; rc == ERR_OK && json_next_scalar(&it, &v); c++) {
        switch (v.type) {
        case JSON_I64:
            *c = cell_i64(v.i64);
            break;
        case JSON_F64:
            *c = cell_f64(v.f64);
            break;
        case JSON_NULL:
            break;
        case JSON_U64:
            *c = cell_u64(v.u64);
            break;
        case JSON_STR:
            r->at->row = (size_t)(c - cells);
            rc = slice_read_text_cell(r, v.str, c);
            break;
        case JSON_BOOL:
        case JSON_ARRAY:
        case JSON_OBJECT:
        case JSON_ABSENT:
            r->at->row = (size_t)(c - cells);
            rc = place_fail(r->at, ERR_INVALID, "must be a number, a string or null");
            break;
        }
    }
    return rc;
}

static enum err_code slice_check_new_column(struct slice_reader *r, struct slice_names *seen,
                                            struct str name)
{
    if (!slice_names_add(seen, name))
        return ERR_OK;
    for (size_t i = 0; i < r->slice->column_count; i++) {
        if (str_eq(r->slice->columns[i].name, name))
            return place_fail(r->at, ERR_INVALID, "stands twice");
    }
    return ERR_OK;
}

static enum err_code slice_read_columns(struct slice_reader *r)
{
    const struct json *n = r->members[MEMBER_COLUMNS];
    struct slice *s = r->slice;
    struct slice_names seen = {{0}};
    enum err_code rc = slice_check_object(r, MEMBER_COLUMNS, LIMIT_RELATION_COLUMNS);

    if (rc != ERR_OK)
        return rc;
    s->columns = arena_array(r->arena, json_count(n), sizeof(*s->columns));
    if (!s->columns)
        return arena_fail(r->arena, r->e);
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        struct cell *cells;

        rc = slice_check_array(r, MEMBER_COLUMNS, &it);
        if (rc == ERR_OK)
            rc = slice_check_new_column(r, &seen, it.key);
        if (rc != ERR_OK)
            return rc;
        cells = arena_array(r->arena, s->row_count, sizeof(*cells));
        if (!cells)
            return arena_fail(r->arena, r->e);
        rc = slice_read_cells(r, it.value, cells);
        if (rc != ERR_OK)
            return rc;
        s->columns[s->column_count++] = (struct slice_column){.name = it.key, .cells = cells};
    }
    return ERR_OK;
}

/* Tuples in the order in which the slice names its keys. */
static enum err_code slice_read_gone(struct slice_reader *r)
{
    const struct json *n = r->members[MEMBER_GONE];
    struct slice *s = r->slice;

    if (n && json_type(n) != JSON_ARRAY)
        return slice_fail_member(r, MEMBER_GONE, ERR_INVALID, "must be an array");
    if (json_count(n) > LIMIT_SLICE_ROWS)
        return slice_fail_member(r, MEMBER_GONE, ERR_LIMIT, "too many tuples");
    s->gone = arena_array(r->arena, json_count(n), sizeof(*s->gone));
    if (!s->gone)
        return arena_fail(r->arena, r->e);
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        enum err_code rc;

        slice_at(r, MEMBER_GONE, (struct str){NULL, 0}, it.index);
        if (json_type(it.value) != JSON_ARRAY || json_count(it.value) != s->key_count)
            return place_fail(r->at, ERR_INVALID, "must have one string for each key");
        rc = slice_read_strings(r, it.value, s->key_count, &s->gone[s->gone_count]);
        if (rc != ERR_OK)
            return rc;
        s->gone_count++;
    }
    return ERR_OK;
}

static enum err_code slice_read_resets(struct slice_reader *r)
{
    const struct json *n = r->members[MEMBER_RESET];
    struct slice *s = r->slice;
    int64_t last = -1;

    if (n && json_type(n) != JSON_ARRAY)
        return slice_fail_member(r, MEMBER_RESET, ERR_INVALID, "must be an array");
    if (json_count(n) > s->row_count)
        return slice_fail_member(r, MEMBER_RESET, ERR_INVALID, "more numbers than rows");
    s->resets = arena_array(r->arena, json_count(n), sizeof(*s->resets));
    if (!s->resets)
        return arena_fail(r->arena, r->e);
    for (struct json_iter it = json_iter(n); json_next(&it);) {
        int64_t row = json_i64(it.value, -1);

        slice_at(r, MEMBER_RESET, (struct str){NULL, 0}, it.index);
        if (row <= last || (uint64_t)row >= s->row_count)
            return place_fail(r->at, ERR_INVALID, "must be rising row numbers");
        s->resets[s->reset_count++] = (uint32_t)row;
        last = row;
    }
    return ERR_OK;
}

enum err_code slice_read(struct arena *a, const struct json *n, struct place *at, struct slice *out)
{
    struct slice_reader r = {.arena = a, .at = at, .slice = out, .e = at->e};
    enum err_code rc;

    *out = (struct slice){0};
    at->member = NULL;
    at->name = (struct str){NULL, 0};
    at->row = PLACE_NONE;
    if (json_type(n) != JSON_OBJECT)
        return place_fail(at, ERR_INVALID, "must be an object");
    slice_find_members(&r, n);
    rc = slice_read_head(&r);
    if (rc == ERR_OK)
        rc = slice_read_row_count(&r);
    if (rc == ERR_OK)
        rc = slice_read_keys(&r);
    if (rc == ERR_OK)
        rc = slice_read_columns(&r);
    if (rc == ERR_OK)
        rc = slice_read_gone(&r);
    if (rc == ERR_OK)
        rc = slice_read_resets(&r);
    return rc;
}
