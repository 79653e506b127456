/* SPDX-License-Identifier: PostgreSQL */
/*
 * embed.c: finds a file by name in a table of embedded files.
 *
 * Invariants:  (1) a table is sorted by strcmp of its names, without duplicates (src/tool/embed.c).
 * Threads:     any; everything is constant.
 */
#include "base/embed.h"

#include <stdlib.h>
#include <string.h>

static int compare_name(const void *key, const void *member)
{
    return strcmp(key, ((const struct embed_file *)member)->name);
}

const struct embed_file *embed_find(const struct embed_file *table, size_t count, const char *name)
{
    return bsearch(name, table, count, sizeof(*table), compare_name);
}
