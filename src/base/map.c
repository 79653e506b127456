/* SPDX-License-Identifier: PostgreSQL */
/*
 * map.c: entries in order of insertion, and an open-addressed table of their numbers.
 *
 * Invariants: (1) slot_count is a power of two; (2) at least a third of the slots is free (never
 * used since the last rebuild), so that probing ends; (3) an entry whose value is NULL was removed.
 */
#include "base/map.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"

#define MAP_FIRST_SLOTS 16
#define MAP_FREE        0          /* slot never used; else entry number + 1 */
#define MAP_GONE        UINT32_MAX /* slot of a removed entry */
#define MAP_MAX_ENTRIES (UINT32_MAX / 4)

struct map_entry {
    char *key;
    size_t key_len;
    uint64_t hash;
    void *value;
};

struct map {
    struct map_entry *entries;
    size_t used; /* entries in the array, removed ones included */
    size_t live;
    uint32_t *slots;
    size_t slot_count;
};

struct map *map_new(void)
{
    return alloc_new(sizeof(struct map));
}

void map_clear(struct map *m, void (*free_value)(void *))
{
    for (size_t i = 0; i < m->used; i++) {
        if (m->entries[i].value && free_value)
            free_value(m->entries[i].value);
        alloc_free(m->entries[i].key);
    }
    alloc_free(m->entries);
    alloc_free(m->slots);
    *m = (struct map){0};
}

void map_free(struct map *m, void (*free_value)(void *))
{
    if (!m)
        return;
    map_clear(m, free_value);
    alloc_free(m);
}

static bool map_is_key(const struct map_entry *entry, struct str key, uint64_t hash)
{
    return entry->hash == hash && str_eq(str_make(entry->key, entry->key_len), key);
}

/* The slot that holds `key`, or NULL. */
static uint32_t *map_find(const struct map *m, struct str key, uint64_t hash)
{
    size_t mask = m->slot_count - 1;

    if (m->slot_count == 0)
        return NULL;
    for (size_t at = hash & mask; m->slots[at] != MAP_FREE; at = (at + 1) & mask) {
        uint32_t slot = m->slots[at];

        if (slot != MAP_GONE && map_is_key(&m->entries[slot - 1], key, hash))
            return &m->slots[at];
    }
    return NULL;
}

static void map_link(struct map *m, size_t entry)
{
    size_t mask = m->slot_count - 1;
    size_t at = m->entries[entry].hash & mask;

    while (m->slots[at] != MAP_FREE)
        at = (at + 1) & mask;
    m->slots[at] = (uint32_t)entry + 1;
}

/* Room for one more entry: drops removed ones, and doubles when at least half is alive. */
static void map_rebuild(struct map *m)
{
    size_t slot_count = m->slot_count ? m->slot_count : MAP_FIRST_SLOTS;
    size_t used = 0;

    if (m->live >= slot_count / 3)
        slot_count *= 2;
    assert(slot_count <= MAP_MAX_ENTRIES);
    for (size_t i = 0; i < m->used; i++) {
        if (m->entries[i].value)
            m->entries[used++] = m->entries[i];
    }
    m->used = used;
    alloc_free(m->slots);
    m->slots = alloc_array(slot_count, sizeof(*m->slots));
    m->slot_count = slot_count;
    m->entries = alloc_resize(m->entries, slot_count * 2 / 3 * sizeof(*m->entries));
    for (size_t i = 0; i < used; i++)
        map_link(m, i);
}

void *map_get(const struct map *m, struct str key)
{
    const uint32_t *slot = map_find(m, key, str_hash(key));

    return slot ? m->entries[*slot - 1].value : NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
    uint64_t hash = str_hash(key);
    const uint32_t *slot = map_find(m, key, hash);
    void *old;

    assert(value);
    if (slot) {
        old = m->entries[*slot - 1].value;
        m->entries[*slot - 1].value = value;
        return old;
    }
    if (m->used >= m->slot_count * 2 / 3)
        map_rebuild(m);
    m->entries[m->used] = (struct map_entry){
        .key = alloc_strndup(key.ptr, key.len), .key_len = key.len, .hash = hash, .value = value};
    map_link(m, m->used);
    m->used++;
    m->live++;
    return NULL;
}

void *map_remove(struct map *m, struct str key)
{
    uint32_t *slot = map_find(m, key, str_hash(key));
    struct map_entry *entry;
    void *value;

    if (!slot)
        return NULL;
    entry = &m->entries[*slot - 1];
    value = entry->value;
    alloc_free(entry->key);
    *entry = (struct map_entry){0};
    *slot = MAP_GONE;
    m->live--;
    return value;
}

size_t map_count(const struct map *m)
{
    return m->live;
}

bool map_next(const struct map *m, size_t *pos, struct str *key, void **value)
{
    while (*pos < m->used) {
        const struct map_entry *entry = &m->entries[(*pos)++];

        if (!entry->value)
            continue;
        *key = str_make(entry->key, entry->key_len);
        *value = entry->value;
        return true;
    }
    return false;
}
