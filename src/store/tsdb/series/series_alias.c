/* SPDX-License-Identifier: PostgreSQL */
/* series_alias.c: see the header. */
#include "store/tsdb/series/series_alias.h"

const struct series_alias *series_alias_find(struct str name)
{
    size_t low = 0, high = series_alias_count;

    while (low < high) { /* sorted; a test proves it */
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(str_of(series_alias_table[middle].name), name);
        if (order == 0)
            return &series_alias_table[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool series_alias_next(struct str *rest, struct str *label, struct str *key, bool *fixed)
{
    if (!rest->ptr || rest->len == 0)
        return false;
    *key = str_split(rest, ' ');
    *label = str_split(key, '=');
    *fixed = key->len >= 2 && key->ptr[0] == '"';
    if (*fixed)
        *key = str_make(key->ptr + 1, key->len - 2);
    return true;
}
