/* SPDX-License-Identifier: PostgreSQL */
/*
 * block_cache.c: in each half entries lie one behind the other, and are found by chains.
 */
#include "store/tsdb/read/block_cache.h"

#include <string.h>

#include "base/alloc.h"
#include "base/thread.h"
#include "store/tsdb/engine.h"

#define CHAINS 1024 /* a power of two: of some kB each there are not many more entries */
#define NONE   UINT32_MAX

struct entry {
    struct block_cache_key key;
    uint32_t next; /* of its chain: offset in the half */
    uint32_t len;
    char bytes[];
};

struct half {
    uint32_t used;
    uint32_t chains[CHAINS];
    unsigned char *room;
};

struct block_cache {
    struct lock lock;
    uint32_t size; /* of a half */
    int now;       /* the new one */
    struct half halves[2];
};

static void empty(struct half *h)
{
    h->used = 0;
    memset(h->chains, 0xff, sizeof(h->chains));
}

struct block_cache *block_cache_new(size_t bytes)
{
    struct block_cache *c = alloc_new(sizeof(*c));

    lock_init(&c->lock, "tsdb block cache", TSDB_LOCK_CACHE);
    c->size = (uint32_t)(bytes / 2 < NONE / 2 ? bytes / 2 : NONE / 2);
    for (int i = 0; i < 2; i++) {
        c->halves[i].room = alloc_resize(NULL, c->size);
        empty(&c->halves[i]);
    }
    return c;
}

void block_cache_free(struct block_cache *c)
{
    if (c) {
        alloc_free(c->halves[0].room);
        alloc_free(c->halves[1].room);
        lock_fini(&c->lock);
        alloc_free(c);
    }
}

static uint32_t *chain_of(struct half *h, const struct block_cache_key *key)
{
    uint64_t words[sizeof(*key) / sizeof(uint64_t)];
    uint64_t hash = 0;

    memcpy(words, key, sizeof(words));
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        hash = (hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return &h->chains[hash % CHAINS];
}

static struct entry *entry_at(const struct half *h, uint32_t offset)
{
    return (struct entry *)(void *)(h->room + offset);
}

static struct entry *find(struct half *h, const struct block_cache_key *key)
{
    uint32_t offset = *chain_of(h, key);

    while (offset != NONE && memcmp(&entry_at(h, offset)->key, key, sizeof(*key)) != 0) {
        offset = entry_at(h, offset)->next;
    }
    return offset == NONE ? NULL : entry_at(h, offset);
}

static void add(struct block_cache *c, const struct block_cache_key *key, struct str bytes)
{
    size_t align = _Alignof(struct entry);
    size_t need = (sizeof(struct entry) + bytes.len + align - 1) / align * align;

    if (c->halves[c->now].used + need > c->size) {
        c->now = !c->now;
        empty(&c->halves[c->now]);
    }
    struct half *h = &c->halves[c->now];
    uint32_t *chain = chain_of(h, key);
    struct entry *n = entry_at(h, h->used);
    *n = (struct entry){.key = *key, .next = *chain, .len = (uint32_t)bytes.len};
    if (bytes.len) {
        memcpy(n->bytes, bytes.ptr, bytes.len);
    }
    *chain = h->used;
    h->used += (uint32_t)need;
}

bool block_cache_get(struct block_cache *c, const struct block_cache_key *key, struct arena *a,
                     struct str *out)
{
    lock_take(&c->lock);
    const struct entry *found = find(&c->halves[c->now], key);
    bool is_old = !found && (found = find(&c->halves[!c->now], key));
    *out = found ? arena_str(a, str_make(found->bytes, found->len)) : str_make(NULL, 0);
    if (is_old && out->ptr) {
        add(c, key, *out);
    }
    lock_release(&c->lock);
    return out->ptr != NULL;
}

void block_cache_put(struct block_cache *c, const struct block_cache_key *key, struct str bytes)
{
    lock_take(&c->lock);
    if (bytes.len <= c->size / 4 && !find(&c->halves[c->now], key)) {
        add(c, key, bytes);
    }
    lock_release(&c->lock);
}
