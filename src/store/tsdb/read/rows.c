/* SPDX-License-Identifier: PostgreSQL */
/*
 * rows.c: filters rows and groups them by key values, with a memory per object.
 */
#include "store/tsdb/read/rows.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/map.h"
#include "store/tsdb/codec/codec.h"

#include <string.h>

static enum err_code find_key(const struct rows *w, struct str name, int *out, struct err *e)
{
    *out = relation_find_key(w->relation, name);
    if (*out < 0 && !str_eq_c(name, "scope")) {
        return err_set(e, ERR_INVALID, "relation %.*s has no key %.*s", STR_ARG(w->relation->name),
                       STR_ARG(name));
    }
    return ERR_OK; /* -1 is ROWS_SCOPE */
}

static enum err_code init_columns(struct rows *w, struct err *e)
{
    const struct rows_request *q = w->request;
    size_t most = q->columns ? q->column_count : w->relation->column_count;

    w->columns = arena_array(w->arena, most + 1, sizeof(*w->columns));
    w->column_names = arena_array(w->arena, most + 1, sizeof(*w->column_names));
    if (!w->column_names) {
        return arena_check(w->arena, e);
    }
    for (size_t i = 0; i < most; i++) {
        int at = q->columns ? relation_find_column(w->relation, q->columns[i]) : (int)i;
        if (at < 0) {
            return err_set(e, ERR_INVALID, "relation %.*s has no column %.*s",
                           STR_ARG(w->relation->name), STR_ARG(q->columns[i]));
        }
        const struct relation_column *c = &w->relation->columns[at];
        if (c->kind == RELATION_TEXT && q->columns) {
            return err_set(e, ERR_INVALID, "column %.*s is text", STR_ARG(c->name));
        }
        if (c->kind != RELATION_TEXT) {
            w->columns[w->column_count] = c;
            w->column_names[w->column_count++] = c->name;
        }
    }
    return ERR_OK;
}

static enum err_code init_labels(struct rows *w, struct err *e)
{
    const struct rows_request *q = w->request;
    bool by_row = q->by_mode == AGGREGATE_BY_ROW;
    size_t count = by_row ? w->relation->key_count : q->by_count;
    enum err_code code = ERR_OK;

    w->label_keys = arena_array(w->arena, count + 1, sizeof(*w->label_keys));
    w->label_names = arena_array(w->arena, count + 1, sizeof(*w->label_names));
    w->filter_keys = arena_array(w->arena, q->filter_count + 1, sizeof(*w->filter_keys));
    if (!w->label_names || !w->filter_keys) {
        return arena_check(w->arena, e);
    }
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        w->label_names[i] = by_row ? w->relation->keys[i].name : q->by[i];
        w->label_keys[i] = (int)i;
        if (!by_row) {
            code = find_key(w, q->by[i], &w->label_keys[i], e);
        }
    }
    if (by_row && relation_find_key(w->relation, STR("scope")) < 0) {
        w->label_names[count] = STR("scope");
        w->label_keys[count++] = ROWS_SCOPE;
    }
    w->label_count = count;
    for (size_t i = 0; code == ERR_OK && i < q->filter_count; i++) {
        code = find_key(w, q->filters[i].key, &w->filter_keys[i], e);
    }
    return code;
}

enum err_code rows_init(struct rows *w, struct tsdb_reader *r, struct arena *a,
                        const struct rows_request *request, struct err *e)
{
    memset(w, 0, sizeof(*w));
    w->reader = r;
    w->arena = a;
    w->request = request;
    w->tuples = map_new();
    enum err_code code = tsdb_relation(r, a, request->relation, &w->relation, e);
    if (code == ERR_OK) {
        code = init_columns(w, e);
    }
    if (code == ERR_OK) {
        code = init_labels(w, e);
    }
    if (code == ERR_OK) {
        w->keys = arena_array(a, w->relation->key_count + 1, sizeof(*w->keys));
        code = arena_check(a, e);
    }
    return code;
}

void rows_fini(struct rows *w)
{
    map_free(w->tuples, NULL);
    w->tuples = NULL;
    alloc_free(w->objects);
    w->objects = NULL;
}

static struct str value_of(const struct rows *w, int key)
{
    return key == ROWS_SCOPE ? w->scope : w->keys[key];
}

static bool passes(const struct rows *w)
{
    for (size_t i = 0; i < w->request->filter_count; i++) {
        if (!str_eq(value_of(w, w->filter_keys[i]), w->request->filters[i].value)) {
            return false;
        }
    }
    return true;
}

static bool add_tuple(struct rows *w)
{
    if (w->count == w->cap) {
        size_t cap = w->cap ? 2 * w->cap : 64;
        struct str **longer = arena_array(w->arena, cap, sizeof(*longer));
        if (!longer) {
            return false;
        }
        if (w->count) {
            memcpy(longer, w->labels, w->count * sizeof(struct str *));
        }
        w->labels = longer;
        w->cap = cap;
    }
    struct str *values = arena_array(w->arena, w->label_count + 1, sizeof(*values));
    for (size_t i = 0; values && i < w->label_count; i++) {
        values[i] = arena_str(w->arena, value_of(w, w->label_keys[i]));
    }
    w->labels[w->count++] = values;
    return !w->arena->overflow;
}

/* The output row of the key values in w->keys. */
static int64_t tuple_row(struct rows *w)
{
    char bytes[4096];
    struct buf key;
    size_t len = 0;

    if (!passes(w)) {
        return -1;
    }
    buf_init(&key, sizeof(bytes) * 4);
    for (size_t i = 0; i < w->label_count; i++) { /* short keys stay on the stack */
        struct str v = value_of(w, w->label_keys[i]);
        if (key.len == 0 && len + v.len + 2 <= sizeof(bytes)) {
            bytes[len++] = (char)(v.len & 0xff);
            bytes[len++] = (char)(v.len >> 8);
            if (v.len) {
                memcpy(bytes + len, v.ptr, v.len);
            }
            len += v.len;
        } else {
            codec_put_bytes(&key, v);
        }
    }
    buf_add(&key, bytes, len);
    uintptr_t at = (uintptr_t)map_get(w->tuples, buf_view(&key));
    if (at == 0 && w->count >= w->request->max) {
        w->truncated = true;
    } else if (at == 0 && add_tuple(w)) {
        at = w->count;
        (void)map_put(w->tuples, buf_view(&key), (void *)at);
    }
    buf_fini(&key);
    return (int64_t)at - 1;
}

/* --- objects --- */

static size_t object_slot(const struct rows *w, uint64_t id)
{
    size_t at = (size_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 20) & w->object_mask;
    while (w->objects[at] && w->objects[at]->id != id) {
        at = (at + 1) & w->object_mask;
    }
    return at;
}

struct rows_object *rows_object(const struct rows *w, uint64_t id)
{
    return w->object_mask ? w->objects[object_slot(w, id)] : NULL;
}

static void grow_objects(struct rows *w)
{
    struct rows_object **old = w->objects;
    size_t old_mask = w->object_mask;

    w->object_mask = old_mask ? old_mask * 2 + 1 : 255;
    w->objects = alloc_array(w->object_mask + 1, sizeof(struct rows_object *));
    for (size_t i = 0; old && i <= old_mask; i++) {
        if (old[i]) {
            w->objects[object_slot(w, old[i]->id)] = old[i];
        }
    }
    alloc_free(old);
}

static bool take_keys(struct rows *w, uint64_t id)
{
    const struct tsdb_group_object of = {w->group, id};
    return tsdb_group_keys(w->reader, &of, w->keys, w->relation->key_count, NULL) == ERR_OK;
}

static struct rows_object *add_object(struct rows *w, uint64_t id)
{
    struct rows_object *o = arena_alloc(w->arena, sizeof(*o));

    if (!o) {
        return NULL;
    }
    if (2 * (w->object_count + 1) > w->object_mask) {
        grow_objects(w);
    }
    o->id = id;
    o->out = take_keys(w, id) ? tuple_row(w) : -1;
    w->objects[object_slot(w, id)] = o;
    w->object_count++;
    return o;
}

bool rows_enter(struct rows *w, const struct tsdb_slice *s)
{
    if (w->group == s->group) {
        return false;
    }
    w->group = s->group;
    w->scope = arena_str(w->arena, s->scope);
    if (w->objects) {
        memset(w->objects, 0, (w->object_mask + 1) * sizeof(struct rows_object *));
    }
    w->object_count = 0;
    return true;
}

enum err_code rows_find(struct rows *w, const struct tsdb_slice *s, size_t row, int64_t *out,
                        struct rows_object **object)
{
    *object = NULL;
    *out = -1;
    if (!s->objects) {
        for (size_t k = 0; k < w->relation->key_count; k++) {
            w->keys[k] = k < s->key_count ? s->keys[k][row] : (struct str){"", 0};
        }
        *out = tuple_row(w);
        return w->arena->overflow ? ERR_LIMIT : ERR_OK;
    }
    struct rows_object *o = rows_object(w, s->objects[row]);
    if (!o) {
        o = add_object(w, s->objects[row]);
    }
    if (!o || w->arena->overflow) {
        return ERR_LIMIT;
    }
    *object = o;
    *out = o->out;
    return ERR_OK;
}
