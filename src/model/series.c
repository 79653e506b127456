/* SPDX-License-Identifier: PostgreSQL */
/* series.c: labels in order, and what a matcher says of a value. */
#include "model/series.h"

#include <stddef.h>

int label_compare(const struct label *a, const struct label *b)
{
    return str_cmp(a->name, b->name);
}

int labels_compare(const struct labels *a, const struct labels *b)
{
    size_t common = a->count < b->count ? a->count : b->count;

    for (size_t i = 0; i < common; i++) {
        int order = str_cmp(a->items[i].name, b->items[i].name);

        if (order == 0)
            order = str_cmp(a->items[i].value, b->items[i].value);
        if (order != 0)
            return order;
    }
    return (a->count > b->count) - (a->count < b->count);
}

struct str labels_get(const struct labels *l, struct str name)
{
    size_t low = 0, high = l->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_cmp(l->items[middle].name, name);

        if (order == 0)
            return l->items[middle].value;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return (struct str){NULL, 0};
}

bool matcher_match(const struct matcher *m, struct str value)
{
    switch (m->kind) {
    case MATCHER_EQUAL:
        return str_eq(m->value, value);
    case MATCHER_NOT_EQUAL:
        return !str_eq(m->value, value);
    case MATCHER_REGEX:
        return regex_match(m->regex, value);
    case MATCHER_NOT_REGEX:
        return !regex_match(m->regex, value);
    }
    return false;
}

bool matchers_match(const struct matcher *m, size_t count, const struct labels *l)
{
    for (size_t i = 0; i < count; i++)
        if (!matcher_match(&m[i], labels_get(l, m[i].name)))
            return false;
    return true;
}
