/* SPDX-License-Identifier: PostgreSQL */
/*
 * flatten_part.h: what the parts of the flattener share: words (what a member is), tables (rows on
 * their way to slices), and the names of our own relations.
 */
#ifndef MODEL_FLATTEN_PART_H
#define MODEL_FLATTEN_PART_H

#include "base/limits.h"
#include "base/map.h"
#include "model/flatten.h"

#define FLATTEN_EVERY_MS 60000 /* the clock of documents, which do not tell theirs */

/* --- Words: flatten_word.c --- */

/* [a-z_][a-z0-9_]* of any text; empty when it is empty or too long. Borrows when it is one. */
struct str flatten_word_name(struct arena *a, struct str prefix, struct str text);
/* Whether a member of that name, with text, is a part of a row's identity. */
bool flatten_word_is_key(struct str name);
/* The same with a whole number. */
bool flatten_word_is_number_key(struct str name);
/* "databases" -> "database": an object whose members' names are values of that key. */
bool flatten_word_is_container(struct str name, struct str *key);
bool flatten_word_is_query(struct str name);
/* "12 MB", "8192 bytes". */
bool flatten_word_size(struct str text, int64_t *bytes);
/* What stands as a time: Unix seconds or milliseconds, or RFC 3339. */
bool flatten_word_instant(const struct json *n, int64_t *ms);
/* A time in RFC 3339. */
bool flatten_word_time(struct str text, int64_t *ms);
/* "0/3000060" */
bool flatten_word_lsn(struct str text, int64_t *position);
enum batch_severity flatten_word_severity(struct str level);
/* A whole number as text. */
struct str flatten_word_number(struct arena *a, const struct json *n);
/*
 * Labels as one text that does not depend on their order: {a="1",b="2"}; no labels: "". Returns
 * why not; NULL = done. flatten_label.c
 */
const char *flatten_label_text(struct arena *a, const struct json *n, struct str *out);
/* 16 hexadecimal digits for a text. */
struct str flatten_word_hash(struct arena *a, struct str text);

/* --- Tables: flatten_table.c --- */

/* A larger copy of a list that is full; NULL when the arena is. */
void *flatten_table_grow(struct arena *a, void *list, size_t count, size_t *cap, size_t size);

enum flatten_sort { FLATTEN_NUMBER, FLATTEN_BYTES, FLATTEN_TIME, FLATTEN_TEXT };

struct flatten_key {
    struct str name, value;
};

struct flatten_value {
    struct str name;
    struct cell cell;
    enum flatten_sort sort;
};

/* A row before it is in a table. */
struct flatten_row {
    struct flatten_key keys[LIMIT_RELATION_KEYS];
    size_t key_count;
    struct flatten_value values[LIMIT_RELATION_COLUMNS];
    size_t value_count;
};

struct flatten_line; /* a row that is in a table */

/* Rows of one relation of one target at one instant. */
struct flatten_table {
    struct str relation;
    const struct uuid *target;
    int64_t t_ms, every_ms;
    struct str keys[LIMIT_RELATION_KEYS];
    size_t key_count;
    struct str columns[LIMIT_RELATION_COLUMNS];
    enum flatten_sort sorts[LIMIT_RELATION_COLUMNS];
    size_t column_count;
    struct flatten_line *first, *last;
    size_t line_count;
};

struct flatten_tables {
    struct arena *arena;
    struct map *by_name; /* relation, target, t -> table */
    struct flatten_table **all;
    size_t count, cap;
};

void flatten_table_init(struct flatten_tables *set, struct arena *a);
void flatten_table_fini(struct flatten_tables *set);
struct flatten_place {
    struct str relation;
    const struct uuid *target;
    int64_t t_ms, every_ms;
};
/* NULL and *why when a bound is passed. */
struct flatten_table *flatten_table_at(struct flatten_tables *set, const struct flatten_place *p,
                                       const char **why);
/* Why the row was not taken; NULL = it was. */
const char *flatten_table_add(struct flatten_tables *set, struct flatten_table *t,
                              const struct flatten_row *row);
/* Every table as a slice, with the descriptions that it needs, in order of time. */
void flatten_table_finish(struct flatten_tables *set, struct batch *out);

/* --- Our own relations: flatten_map.c --- */

struct flatten_map_column {
    const char *from, *to; /* a text may come from a key */
    enum relation_kind kind;
    enum relation_type type;
    const char *unit;
    double scale; /* 0 = 1 */
};
struct flatten_map_key {
    const char *from, *to;
};
struct flatten_map {
    const char *from, *to;
    bool by_database; /* the first key is the scope too */
    const struct flatten_map_key *keys;
    size_t key_count;
    const struct flatten_map_column *columns;
    size_t column_count;
};
#define FLATTEN_MAPS_MAX 2 /* of one flattened relation */
/* The relations of ours that a flattened one is also given as; after NULL the first. NULL = end. */
const struct flatten_map *flatten_map_next(struct str relation, const struct flatten_map *after);
/* Whether items of that type tell of a host. */
bool flatten_map_is_host(struct str type);
/* Whether an empty array there is a reading without rows: nothing is left of what was before. */
bool flatten_map_is_list(struct str relation);

#endif
