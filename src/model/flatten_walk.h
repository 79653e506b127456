/* SPDX-License-Identifier: PostgreSQL */
/*
 * flatten_walk.h: what the parts of the flattener share while they walk the items of one push.
 *
 * Owner: all of it lives in the arena but the map of texts. Threads: one.
 * Errors: what is wrong with a part of an item is kept in `why`, the first of them.
 */
#ifndef MODEL_FLATTEN_WALK_H
#define MODEL_FLATTEN_WALK_H

#include "model/flatten_part.h"

struct flatten_walk {
    struct arena *arena;
    const struct flatten_spec *spec;
    struct flatten *out;
    struct flatten_tables tables;
    struct map *texts; /* keys that are in the batch already */
    size_t text_cap, event_cap;
    int64_t push_t_ms;              /* of the push as a whole */
    size_t item;                    /* number of the one that is read */
    const struct json *node, *data; /* of it */
    struct str type;                /* of the item, as a name */
    int64_t t_ms;                   /* of the item */
    const char *why;                /* what is wrong with a part of the item */
    size_t taken;                   /* rows and events of the item */
    struct flatten_table *samples;  /* the reading that the last loose sample went to */
    struct flatten_row *rows[LIMIT_JSON_DEPTH + 1]; /* one a level; made when needed */
};

/* --- One row: flatten_row.c --- */

void flatten_row_complain(struct flatten_walk *w, const char *why);
/* The store takes no text with a NUL: PostgreSQL has none. */
bool flatten_row_has_nul(struct str text);
/* The row of a level, with the keys of the one above; NULL when there is no memory for it. */
struct flatten_row *flatten_row_begin(struct flatten_walk *w, size_t level,
                                      const struct flatten_row *above);
void flatten_row_add_key(struct flatten_walk *w, struct flatten_row *row, struct str name,
                         struct str value);
void flatten_row_read_number(struct flatten_walk *w, struct flatten_row *row, struct str name,
                             const struct json *n);
/* `object` is what the text stands in: the hash of a query may be beside it. */
void flatten_row_read_text(struct flatten_walk *w, struct flatten_row *row, struct str name,
                           const struct json *n, const struct json *object);
/* An array of anything but objects is told as it stands. */
void flatten_row_read_list(struct flatten_walk *w, struct flatten_row *row, struct str name,
                           const struct json *n);

/* --- Documents: flatten_document.c --- */

/* The item `node`. Why it was refused; NULL = it was not. */
const char *flatten_document_read(struct flatten_walk *w);

#endif
