/* SPDX-License-Identifier: PostgreSQL */
/*
 * head.c: slices in memory: chunks of bytes, and per group a list of where each slice lies.
 *
 * The whole head is one generation: nothing in it is freed alone.
 */
#include "store/tsdb/head.h"

#include "base/alloc.h"
#include "base/map.h"
#include "os/clock.h"

#include <string.h>

#define CHUNK_BYTES (256 * 1024)

struct chunk {
    struct chunk *next;
    size_t used, size;
    char bytes[];
};

struct list {
    uint64_t group;
    size_t count, cap;
    struct head_slice *slices;
};

struct head {
    int pins;
    size_t bytes, count;
    int64_t oldest_mono_us;
    struct chunk *chunks;
    struct map *lists; /* group id -> struct list */
};

struct head *head_new(void)
{
    struct head *h = alloc_new(sizeof(*h));
    h->pins = 1;
    h->lists = map_new();
    return h;
}

void head_pin(struct head *h)
{
    h->pins++;
}

bool head_unpin(struct head *h)
{
    return --h->pins == 0;
}

static void free_list(void *value)
{
    struct list *l = value;
    alloc_free(l->slices);
    alloc_free(l);
}

void head_free(struct head *h)
{
    if (!h) {
        return;
    }
    map_free(h->lists, free_list);
    while (h->chunks) {
        struct chunk *next = h->chunks->next;
        alloc_free(h->chunks);
        h->chunks = next;
    }
    alloc_free(h);
}

struct str head_keep(struct head *h, struct str blob)
{
    struct chunk *c = h->chunks;

    if (!c || c->size - c->used < blob.len) {
        size_t size = blob.len > CHUNK_BYTES ? blob.len : CHUNK_BYTES;
        c = alloc_resize(NULL, sizeof(*c) + size);
        c->next = h->chunks;
        c->used = 0;
        c->size = size;
        h->chunks = c;
    }
    char *at = c->bytes + c->used;
    if (blob.len) {
        memcpy(at, blob.ptr, blob.len);
    }
    c->used += blob.len;
    h->bytes += blob.len;
    return str_make(at, blob.len);
}

void head_link(struct head *h, uint64_t group, const struct head_slice *s)
{
    struct str key = str_make(&group, sizeof(group));
    struct list *l = map_get(h->lists, key);

    if (!l) {
        l = alloc_new(sizeof(*l));
        l->group = group;
        (void)map_put(h->lists, key, l);
        h->bytes += sizeof(*l) + 64;
    }
    if (l->count == l->cap) {
        size_t more = l->cap ? l->cap : 4;
        l->slices = alloc_resize(l->slices, (l->cap + more) * sizeof(*l->slices));
        l->cap += more;
        h->bytes += more * sizeof(*l->slices);
    }
    l->slices[l->count++] = *s;
    h->count++;
    if (h->oldest_mono_us == 0) {
        h->oldest_mono_us = clock_mono_us();
    }
}

size_t head_bytes(const struct head *h)
{
    return h->bytes;
}

size_t head_count(const struct head *h)
{
    return h->count;
}

int64_t head_oldest_mono_us(const struct head *h)
{
    return h->oldest_mono_us;
}

size_t head_find(const struct head *h, uint64_t group, const struct head_slice **out)
{
    const struct list *l = map_get(h->lists, str_make(&group, sizeof(group)));
    *out = l ? l->slices : NULL;
    return l ? l->count : 0;
}

struct head_item *head_items(const struct head *h, struct arena *a, size_t *count)
{
    struct head_item *items = arena_array(a, h->count, sizeof(*items));
    struct str key;
    void *value = NULL;
    size_t n = 0;

    for (size_t pos = 0; items && map_next(h->lists, &pos, &key, &value);) {
        const struct list *l = value;
        for (size_t i = 0; i < l->count; i++) {
            items[n++] = (struct head_item){l->group, l->slices[i]};
        }
    }
    *count = n;
    return items;
}
