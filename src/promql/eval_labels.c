/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_labels.c: label sets: interned, cut down, changed, printed.
 *
 * A set is serialised as length and bytes of each name and value; equal bytes are equal sets, so
 * one hash over one string finds a set, and the labels of a new one point into the copy.
 */
#include <string.h>

#include "promql/eval.h"

#define POOL_FIRST 64

uint32_t eval_epoch(struct eval *ev)
{
    return ++ev->pool.epoch;
}

/* --- Interning --- */

static char *pool_put(char *p, struct str s)
{
    uint32_t len = (uint32_t)s.len;

    memcpy(p, &len, sizeof(len));
    if (len > 0)
        memcpy(p + sizeof(len), s.ptr, len);
    return p + sizeof(len) + len;
}

static bool pool_serialise(struct eval *ev, const struct labels *l, struct str *out)
{
    struct eval_pool *pool = &ev->pool;
    size_t need = 1;
    char *p;

    for (size_t i = 0; i < l->count; i++)
        need += 2 * sizeof(uint32_t) + l->items[i].name.len + l->items[i].value.len;
    if (need > pool->bytes_cap) {
        pool->bytes_cap = need * 2;
        pool->bytes = arena_alloc(ev->arena, pool->bytes_cap);
    }
    if (!pool->bytes)
        return false;
    p = pool->bytes;
    for (size_t i = 0; i < l->count; i++)
        p = pool_put(pool_put(p, l->items[i].name), l->items[i].value);
    *out = str_make(pool->bytes, (size_t)(p - pool->bytes));
    return true;
}

static struct str pool_take(const char **p)
{
    uint32_t len;
    struct str s;

    memcpy(&len, *p, sizeof(len));
    s = str_make(*p + sizeof(len), len);
    *p += sizeof(len) + len;
    return s;
}

static struct labelset *pool_new(struct eval *ev, struct str bytes, size_t label_count)
{
    struct labelset *set = arena_alloc(ev->arena, sizeof(*set));
    struct label *items = arena_array(ev->arena, label_count, sizeof(*items));
    char *copy = arena_strndup(ev->arena, bytes.ptr, bytes.len);
    const char *p = copy;

    if (!set || !items || !copy)
        return NULL;
    for (size_t i = 0; i < label_count; i++) {
        items[i].name = pool_take(&p);
        items[i].value = pool_take(&p);
    }
    *set = (struct labelset){.labels = {label_count, items}, .bytes = {copy, bytes.len}};
    return set;
}

static struct labelset **pool_find(const struct eval_pool *pool, struct str bytes, uint64_t hash)
{
    size_t mask = pool->slot_count - 1, at = hash & mask;

    for (; pool->slots[at]; at = (at + 1) & mask) {
        if (pool->slots[at]->hash == hash && str_eq(pool->slots[at]->bytes, bytes))
            break;
    }
    return &pool->slots[at];
}

static bool pool_grow(struct eval *ev)
{
    struct eval_pool *pool = &ev->pool, old = *pool;

    if (pool->count < pool->slot_count / 2)
        return true;
    pool->slot_count = old.slot_count ? old.slot_count * 2 : POOL_FIRST;
    pool->slots = arena_array(ev->arena, pool->slot_count, sizeof(*pool->slots));
    if (!pool->slots)
        return false;
    for (size_t i = 0; i < old.slot_count; i++) {
        if (old.slots[i])
            *pool_find(pool, old.slots[i]->bytes, old.slots[i]->hash) = old.slots[i];
    }
    return true;
}

enum err_code eval_intern(struct eval *ev, const struct labels *labels, struct labelset **out)
{
    struct labelset **slot;
    struct str bytes;
    uint64_t hash;

    if (!pool_serialise(ev, labels, &bytes) || !pool_grow(ev))
        return eval_full(ev);
    hash = str_hash(bytes);
    slot = pool_find(&ev->pool, bytes, hash);
    if (!*slot) {
        struct labelset *set = pool_new(ev, bytes, labels->count);

        if (!set)
            return eval_full(ev);
        set->hash = hash;
        *slot = set;
        ev->pool.count++;
    }
    *out = *slot;
    return ERR_OK;
}

/* --- Changing --- */

static bool scratch_room(struct eval *ev, struct eval_scratch *s, size_t count)
{
    if (count <= s->cap)
        return true;
    s->cap = count * 2;
    s->items = arena_array(ev->arena, s->cap, sizeof(*s->items));
    return s->items != NULL;
}

bool eval_names_have(const struct expr_names *names, struct str name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (str_eq(names->items[i], name))
            return true;
    }
    return false;
}

enum err_code eval_labels_nameless(struct eval *ev, struct eval_scratch *s, const struct labels *l,
                                   struct labels *out)
{
    static const struct expr_names none = {0};

    if (l->count > 0 && str_eq(l->items[0].name, STR("__name__"))) {
        *out = (struct labels){l->count - 1, l->items + 1};
        return ERR_OK;
    }
    return eval_labels_drop(ev, s, l, &none, out);
}

enum err_code eval_labels_keep(struct eval *ev, struct eval_scratch *s, const struct labels *l,
                               const struct expr_names *names, struct labels *out)
{
    size_t kept = 0;

    if (!scratch_room(ev, s, l->count))
        return eval_full(ev);
    for (size_t i = 0; i < l->count && kept < names->count; i++) {
        if (eval_names_have(names, l->items[i].name))
            s->items[kept++] = l->items[i];
    }
    *out = (struct labels){kept, s->items};
    return ERR_OK;
}

/* The metric name goes as well. */
enum err_code eval_labels_drop(struct eval *ev, struct eval_scratch *s, const struct labels *l,
                               const struct expr_names *names, struct labels *out)
{
    size_t kept = 0;

    if (!scratch_room(ev, s, l->count))
        return eval_full(ev);
    for (size_t i = 0; i < l->count; i++) {
        struct str name = l->items[i].name;

        if (!eval_names_have(names, name) && !str_eq(name, STR("__name__")))
            s->items[kept++] = l->items[i];
    }
    *out = (struct labels){kept, s->items};
    return ERR_OK;
}

enum err_code eval_labels_set(struct eval *ev, struct eval_scratch *s, const struct labels *l,
                              const struct label *label, struct labels *out)
{
    size_t n = 0, i = 0;

    if (!scratch_room(ev, s, l->count + 1))
        return eval_full(ev);
    for (; i < l->count && str_cmp(l->items[i].name, label->name) < 0; i++)
        s->items[n++] = l->items[i];
    if (label->value.len > 0)
        s->items[n++] = *label;
    if (i < l->count && str_eq(l->items[i].name, label->name))
        i++;
    for (; i < l->count; i++)
        s->items[n++] = l->items[i];
    *out = (struct labels){n, s->items};
    return ERR_OK;
}

/* --- Printing --- */

/* [a-zA-Z_][a-zA-Z0-9_]*: printed without quotes. */
static bool label_is_plain(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return s.len > 0;
}

static void label_quote(struct buf *b, struct str s)
{
    buf_add_char(b, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (c == '"' || c == '\\')
            buf_add_char(b, '\\');
        if (c == '\n')
            buf_add_c(b, "\\n");
        else if (c == '\t')
            buf_add_c(b, "\\t");
        else if (c == '\r')
            buf_add_c(b, "\\r");
        else if (c < ' ' || c == 127)
            buf_printf(b, "\\x%02x", c);
        else
            buf_add_char(b, (char)c);
    }
    buf_add_char(b, '"');
}

const char *eval_labels_text(struct eval *ev, const struct labels *l)
{
    struct buf b;
    char *text;

    buf_init(&b, 65536);
    buf_add_char(&b, '{');
    for (size_t i = 0; i < l->count; i++) {
        if (i > 0)
            buf_add_c(&b, ", ");
        if (label_is_plain(l->items[i].name))
            buf_add_str(&b, l->items[i].name);
        else
            label_quote(&b, l->items[i].name);
        buf_add_char(&b, '=');
        label_quote(&b, l->items[i].value);
    }
    buf_add_char(&b, '}');
    text = arena_cstr(ev->arena, buf_view(&b));
    buf_fini(&b);
    return text ? text : "{}";
}
