/* SPDX-License-Identifier: PostgreSQL */
/*
 * map.h: hash map from byte strings (copied, owned by the map) to a pointer.
 *
 * Order of iteration is that of insertion while nothing was deleted. Threads: one owner.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct map;

struct map *map_new(void);
void map_free(struct map *m, void (*free_value)(void *)); /* free_value may be NULL */
void map_clear(struct map *m, void (*free_value)(void *));
void *map_get(const struct map *m, struct str key); /* NULL = absent */
void *map_put(struct map *m, struct str key,
              void *value); /* value not NULL; returns the replaced value or NULL */
void *map_remove(struct map *m, struct str key); /* returns the value or NULL */
size_t map_count(const struct map *m);
/* Walk: *pos starts at 0; returns false at the end. No change of the map meanwhile. */
bool map_next(const struct map *m, size_t *pos, struct str *key, void **value);

#endif
