/* SPDX-License-Identifier: PostgreSQL */
/*
 * relation.h: the shape of what a probe returns: key columns and value columns.
 *
 * A relation's description travels with the data; the server has no compiled catalogue.
 * Shape object: rows have a lasting identity (target + relation + key values). Shape fact: keys
 * explode (session history); keys are columns, there is no identity.
 * Owner: whoever built it (an arena, or static data); immutable once built.
 */
#ifndef MODEL_RELATION_H
#define MODEL_RELATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

enum relation_shape { RELATION_OBJECT, RELATION_FACT };

enum relation_kind {
    RELATION_GAUGE,   /* a level */
    RELATION_COUNTER, /* cumulative, as PostgreSQL reports it */
    RELATION_DELTA,   /* what happened in (from_t, t] */
    RELATION_TEXT,    /* state that is no key */
};

enum relation_type { RELATION_I64, RELATION_U64, RELATION_F64, RELATION_STR };

struct relation_key {
    struct str name;
    struct str help;
};

struct relation_column {
    struct str name;
    enum relation_kind kind;
    enum relation_type type; /* RELATION_STR only with RELATION_TEXT */
    struct str unit;         /* "s", "bytes", "1", "ms", "blocks", "" */
    struct str help;
    double resolution; /* F64: values are multiples of it (1e-6); 0 = none declared */
};

/*
 * Without help it was not written by who knows the relation (model/flatten.h): it says only what
 * nobody described yet.
 */
struct relation {
    struct str name;
    struct str help;
    enum relation_shape shape;
    bool sparse; /* a row missing from a reading is unchanged, not ended */
    const struct relation_key *keys;
    size_t key_count;
    const struct relation_column *columns;
    size_t column_count;
};

/* Index of a column or key by name; -1 = absent. */
int relation_find_column(const struct relation *r, struct str name);
int relation_find_key(const struct relation *r, struct str name);
const char *relation_kind_name(enum relation_kind kind);
bool relation_parse_kind(struct str s, enum relation_kind *out);
const char *relation_type_name(enum relation_type type);
bool relation_parse_type(struct str s, enum relation_type *out);
/* [a-z_][a-z0-9_]*, at most LIMIT_NAME_BYTES. */
bool relation_is_name(struct str s);
/* Names: [a-z_][a-z0-9_]*, at most LIMIT_NAME_BYTES; no key is a column; counts within limits.h. */
enum err_code relation_check(const struct relation *r, struct err *e) ERR_MUST_CHECK;
void relation_write(const struct relation *r, struct json_writer *w);
enum err_code relation_read(struct arena *a, const struct json *n, struct relation *out,
                            struct err *e) ERR_MUST_CHECK;

#endif
