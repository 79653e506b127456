/* SPDX-License-Identifier: PostgreSQL */
/*
 * json.c: reading JSON over yyjson.
 *
 * yyjson keeps all values of a document in one array, in the order of the text; a container knows
 * where the value behind it stands. struct json is such a value, so a node costs nothing extra.
 * Depth and duplicate keys are checked in one walk over that array. The memory of a document is
 * bounded, because "[0,0,0" takes eight times its text.
 * Threads: a document is immutable after json_parse.
 */
#include "base/json.h"

#include <yyjson.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/map.h"

#define JSON_DEPTH_MAX 256 /* of any caller's limits.max_depth */
#define JSON_FEW_KEYS  16  /* up to here keys are compared in pairs */
/* Where duplicates are only counted, larger objects are not looked through: a map costs more. */
#define JSON_COUNT_KEYS 4096

struct json_doc {
    yyjson_doc *doc;
    size_t members, duplicates;
};

/* What a parse has taken; the context of yyjson's allocator. */
struct json_memory {
    size_t used;
};

static void *json_malloc(void *ctx, size_t size)
{
    struct json_memory *memory = ctx;

    if (size > LIMIT_JSON_MEMORY_BYTES - memory->used)
        return NULL;
    memory->used += size;
    return alloc_try(NULL, size);
}

static void *json_realloc(void *ctx, void *ptr, size_t old_size, size_t size)
{
    struct json_memory *memory = ctx;

    if (size > old_size && size - old_size > LIMIT_JSON_MEMORY_BYTES - memory->used)
        return NULL;
    memory->used += size - old_size;
    return alloc_try(ptr, size);
}

static void json_release(void *ctx, void *ptr)
{
    (void)ctx;
    alloc_free(ptr);
}

static yyjson_val *json_raw(const struct json *n)
{
    return (yyjson_val *)(uintptr_t)n;
}

static const struct json *json_node(const yyjson_val *v)
{
    return (const struct json *)v;
}

static struct str json_raw_str(yyjson_val *v)
{
    return str_make(unsafe_yyjson_get_str(v), unsafe_yyjson_get_len(v));
}

static enum err_code json_refuse_duplicate(struct str key, struct err *e)
{
    return err_set(e, ERR_INVALID, "JSON: member \"%.*s\" stands twice in one object",
                   key.len > 64 ? 64 : (int)key.len, key.ptr);
}

/* How many keys stood before; only keys that look alike at their ends are compared. */
static size_t json_few_twice(yyjson_val *object, struct str *twice)
{
    struct str keys[JSON_FEW_KEYS];
    yyjson_obj_iter it = yyjson_obj_iter_with(object);
    size_t count = 0, found = 0;
    uint64_t seen = 0;

    for (yyjson_val *key = yyjson_obj_iter_next(&it); key; key = yyjson_obj_iter_next(&it)) {
        struct str name = json_raw_str(key);
        unsigned ends = name.len > 0 ? (unsigned char)name.ptr[0] * 31u +
                                           (unsigned char)name.ptr[name.len - 1] * 7u
                                     : 0;
        uint64_t bit = UINT64_C(1) << ((ends + name.len) & 63);
        bool again = false;

        for (size_t i = 0; (seen & bit) != 0 && i < count && !again; i++)
            again = str_eq(keys[i], name);
        if (again)
            *twice = name;
        found += again;
        seen |= bit;
        keys[count++] = name;
    }
    return found;
}

static size_t json_many_twice(yyjson_val *object, struct str *twice)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(object);
    struct map *seen = map_new();
    size_t found = 0;

    for (yyjson_val *key = yyjson_obj_iter_next(&it); key; key = yyjson_obj_iter_next(&it)) {
        if (map_put(seen, json_raw_str(key), seen)) {
            *twice = json_raw_str(key);
            found++;
        }
    }
    map_free(seen, NULL);
    return found;
}

/* Members of one object whose key stood before. */
static enum err_code json_check_keys(yyjson_val *object, const struct json_limits *limits,
                                     size_t *duplicates, struct err *e)
{
    size_t count = unsafe_yyjson_get_len(object), found = 0;
    struct str twice = {NULL, 0};

    if (count <= JSON_FEW_KEYS)
        found = json_few_twice(object, &twice);
    else if (limits->refuse_duplicate_keys || count <= JSON_COUNT_KEYS)
        found = json_many_twice(object, &twice);
    if (found > 0 && limits->refuse_duplicate_keys)
        return json_refuse_duplicate(twice, e);
    *duplicates += found;
    return ERR_OK;
}

/* One walk over the array of values; `open` holds where each open container ends. */
static enum err_code json_check_tree(yyjson_doc *doc, const struct json_limits *limits,
                                     struct json_doc *out, struct err *e)
{
    const yyjson_val *open[JSON_DEPTH_MAX];
    size_t depth = 0, max = limits->max_depth < JSON_DEPTH_MAX ? limits->max_depth : JSON_DEPTH_MAX;
    size_t count = yyjson_doc_get_val_count(doc);
    yyjson_val *v = yyjson_doc_get_root(doc);
    enum err_code rc;

    for (size_t i = 0; i < count; i++, v++) {
        if (!unsafe_yyjson_is_ctn(v))
            continue;
        while (depth > 0 && open[depth - 1] <= v)
            depth--;
        if (depth == max)
            return err_set(e, ERR_LIMIT, "JSON: nested deeper than %zu levels", max);
        open[depth++] = unsafe_yyjson_get_next(v);
        if (!unsafe_yyjson_is_obj(v))
            continue;
        out->members += unsafe_yyjson_get_len(v);
        rc = json_check_keys(v, limits, &out->duplicates, e);
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

static enum err_code json_read_error(struct str text, const yyjson_read_err *why, struct err *e)
{
    unsigned line = 1;
    size_t start = 0;

    if (why->code == YYJSON_READ_ERROR_MEMORY_ALLOCATION)
        return err_set(e, ERR_LIMIT, "JSON: needs more than %u bytes of memory",
                       (unsigned)LIMIT_JSON_MEMORY_BYTES);
    for (size_t i = 0; i < why->pos && i < text.len; i++) {
        if (text.ptr[i] == '\n') {
            line++;
            start = i + 1;
        }
    }
    return err_set(e, ERR_INVALID, "JSON: line %u, column %zu: %s", line, why->pos - start + 1,
                   why->msg);
}

enum err_code json_parse(struct str text, const struct json_limits *limits, struct json_doc **out,
                         struct err *e)
{
    struct json_memory memory = {0};
    const yyjson_alc alc = {json_malloc, json_realloc, json_release, &memory};
    yyjson_read_err why = {0};
    struct json_doc made = {0};
    enum err_code rc;
    yyjson_doc *doc;

    if (text.len > limits->max_bytes)
        return err_set(e, ERR_LIMIT, "JSON: %zu bytes, at most %zu", text.len, limits->max_bytes);
    if (text.len == 0)
        return err_set(e, ERR_INVALID, "JSON: empty text");
    /* The flag in-situ is not given, so the text is only read. */
    doc = yyjson_read_opts((char *)(uintptr_t)text.ptr, text.len, 0, &alc, &why);
    if (!doc)
        return json_read_error(text, &why, e);
    doc->alc.ctx = NULL; /* json_release does not use it, and `memory` ends here */
    rc = json_check_tree(doc, limits, &made, e);
    if (rc != ERR_OK) {
        yyjson_doc_free(doc);
        return rc;
    }
    *out = alloc_new(sizeof(**out));
    made.doc = doc;
    **out = made;
    return ERR_OK;
}

void json_doc_free(struct json_doc *doc)
{
    if (!doc)
        return;
    yyjson_doc_free(doc->doc);
    alloc_free(doc);
}

size_t json_members(const struct json_doc *doc)
{
    return doc->members;
}

size_t json_duplicates(const struct json_doc *doc)
{
    return doc->duplicates;
}

const struct json *json_root(const struct json_doc *doc)
{
    return json_node(yyjson_doc_get_root(doc->doc));
}

enum json_type json_type(const struct json *n)
{
    yyjson_val *v = json_raw(n);

    if (!v)
        return JSON_ABSENT;
    switch (unsafe_yyjson_get_type(v)) {
    case YYJSON_TYPE_NULL:
        return JSON_NULL;
    case YYJSON_TYPE_BOOL:
        return JSON_BOOL;
    case YYJSON_TYPE_STR:
        return JSON_STR;
    case YYJSON_TYPE_ARR:
        return JSON_ARRAY;
    case YYJSON_TYPE_OBJ:
        return JSON_OBJECT;
    case YYJSON_TYPE_NUM:
        break;
    default:
        return JSON_ABSENT;
    }
    if (unsafe_yyjson_is_real(v))
        return JSON_F64;
    if (unsafe_yyjson_is_uint(v) && unsafe_yyjson_get_uint(v) > INT64_MAX)
        return JSON_U64;
    return JSON_I64;
}

const struct json *json_get(const struct json *object, const char *key)
{
    return json_get_str(object, str_of(key));
}

/* The last of equal keys wins, so all are looked at. */
const struct json *json_get_str(const struct json *object, struct str key)
{
    yyjson_obj_iter it = yyjson_obj_iter_with(json_raw(object));
    const yyjson_val *found = NULL;

    for (yyjson_val *at = yyjson_obj_iter_next(&it); at; at = yyjson_obj_iter_next(&it)) {
        if (str_eq(json_raw_str(at), key))
            found = yyjson_obj_iter_get_val(at);
    }
    return json_node(found);
}

size_t json_count(const struct json *n)
{
    return n && unsafe_yyjson_is_ctn(json_raw(n)) ? unsafe_yyjson_get_len(json_raw(n)) : 0;
}

bool json_bool(const struct json *n, bool fallback)
{
    return yyjson_is_bool(json_raw(n)) ? unsafe_yyjson_get_bool(json_raw(n)) : fallback;
}

bool json_is_int(const struct json *n)
{
    return yyjson_is_int(json_raw(n));
}

int64_t json_i64(const struct json *n, int64_t fallback)
{
    return json_type(n) == JSON_I64 ? unsafe_yyjson_get_sint(json_raw(n)) : fallback;
}

uint64_t json_u64(const struct json *n, uint64_t fallback)
{
    return yyjson_is_uint(json_raw(n)) ? unsafe_yyjson_get_uint(json_raw(n)) : fallback;
}

double json_f64(const struct json *n, double fallback)
{
    return yyjson_is_num(json_raw(n)) ? yyjson_get_num(json_raw(n)) : fallback;
}

struct str json_str(const struct json *n)
{
    return yyjson_is_str(json_raw(n)) ? json_raw_str(json_raw(n)) : (struct str){NULL, 0};
}

struct json_iter json_iter(const struct json *n)
{
    struct json_iter it = {0};

    it.left = json_count(n);
    if (it.left > 0) {
        it.at = unsafe_yyjson_get_first(json_raw(n));
        it.is_object = unsafe_yyjson_is_obj(json_raw(n));
        it.index = SIZE_MAX; /* json_next makes it 0 */
    }
    return it;
}

bool json_next(struct json_iter *it)
{
    yyjson_val *v = (yyjson_val *)(uintptr_t)it->at;

    if (it->left == 0)
        return false;
    it->left--;
    it->index++;
    if (it->is_object) {
        it->key = json_raw_str(v);
        v++;
    }
    it->value = json_node(v);
    if (it->left > 0)
        it->at = unsafe_yyjson_get_next(v);
    return true;
}

bool json_next_scalar(struct json_iter *it, struct json_scalar *out)
{
    yyjson_val *v;

    if (!json_next(it))
        return false;
    v = json_raw(it->value);
    out->type = json_type(it->value);
    if (out->type == JSON_STR)
        out->str = json_raw_str(v);
    else
        out->u64 = v->uni.u64; /* i64, u64 and f64 share the bytes */
    return true;
}

const char *json_read_number(const char *text, struct json_scalar *out)
{
    yyjson_val value;
    const char *end;

    if (*text != '-' && (*text < '0' || *text > '9'))
        return NULL;
    end = yyjson_read_number(text, &value, 0, NULL, NULL);
    if (!end)
        return NULL;
    out->type = json_type(json_node(&value));
    out->u64 = value.uni.u64;
    return end;
}
