/* SPDX-License-Identifier: PostgreSQL */
/*
 * json.h: reading JSON (over yyjson) and writing it.
 *
 * Reading: json_parse checks size, depth, UTF-8 and trailing bytes; integers stay exact as i64 or
 * u64. A `struct json` is a borrowed node of a document.
 * Writing: a json_writer appends to a buf; commas and escaping are its business.
 * Threads: a document is immutable after json_parse.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct json;     /* a node; NULL stands for "absent" in every query below */
struct json_doc; /* owns the nodes */

enum json_type {
    JSON_ABSENT,
    JSON_NULL,
    JSON_BOOL,
    JSON_I64,
    JSON_U64,
    JSON_F64,
    JSON_STR,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_limits {
    size_t max_bytes;
    size_t max_depth;
    bool refuse_duplicate_keys; /* else the last one wins */
};

/* ERR_INVALID with position, ERR_LIMIT. The document copies what it needs of `text`. */
enum err_code json_parse(struct str text, const struct json_limits *limits, struct json_doc **out,
                         struct err *e) ERR_MUST_CHECK;
void json_doc_free(struct json_doc *doc);        /* NULL allowed */
size_t json_members(const struct json_doc *doc); /* of all its objects together */
/* Members whose key stood before in the same object, of objects of up to 4096 members. */
size_t json_duplicates(const struct json_doc *doc);
const struct json *json_root(const struct json_doc *doc);

enum json_type json_type(const struct json *n); /* JSON_U64 only for values above INT64_MAX */
const struct json *json_get(const struct json *object, const char *key);
const struct json *json_get_str(const struct json *object, struct str key);
size_t json_count(const struct json *n); /* of an array or object; else 0 */
bool json_bool(const struct json *n, bool fallback);
bool json_is_int(const struct json *n);
int64_t json_i64(const struct json *n, int64_t fallback); /* fallback when not an i64 */
uint64_t json_u64(const struct json *n,
                  uint64_t fallback);                   /* fallback when negative or no integer */
double json_f64(const struct json *n, double fallback); /* any number */
struct str json_str(const struct json *n);              /* empty view when not a string */

/* Iterate: for (struct json_iter it = json_iter(n); json_next(&it);) { it.key, it.value } */
struct json_iter {
    const struct json *value;
    struct str key; /* empty for arrays */
    size_t index;
    size_t left;    /* private */
    const void *at; /* private */
    bool is_object; /* private */
};
struct json_iter json_iter(const struct json *n); /* of an array or object; else nothing */
bool json_next(struct json_iter *it);

/* The next value of an array with its content in one call, for arrays of many numbers. */
struct json_scalar {
    enum json_type type;
    union {
        int64_t i64;
        uint64_t u64;
        double f64;
        struct str str;
    };
};
bool json_next_scalar(struct json_iter *it, struct json_scalar *out);
/*
 * The number that a text begins with, exactly as json_parse reads it; the text goes on to a NUL.
 * Returns where the number ends; NULL when there is none.
 */
const char *json_read_number(const char *text, struct json_scalar *out);

/* Writing */
struct json_writer {
    struct buf *out;
    unsigned depth;
    bool need_comma;
};
void json_writer_init(struct json_writer *w, struct buf *out);
void json_object_begin(struct json_writer *w);
void json_object_end(struct json_writer *w);
void json_array_begin(struct json_writer *w);
void json_array_end(struct json_writer *w);
void json_key(struct json_writer *w, const char *key);
void json_key_str(struct json_writer *w, struct str key);
void json_put_str(struct json_writer *w, struct str value); /* bad UTF-8 becomes U+FFFD */
void json_put_c(struct json_writer *w, const char *value);  /* NULL writes null */
void json_put_i64(struct json_writer *w, int64_t value);
void json_put_u64(struct json_writer *w, uint64_t value);
void json_put_f64(struct json_writer *w, double value); /* NaN and infinities write null */
void json_put_bool(struct json_writer *w, bool value);
void json_put_null(struct json_writer *w);
void json_put_node(struct json_writer *w, const struct json *n); /* a parsed node, re-serialised */
void json_put_raw(struct json_writer *w, struct str json_text);  /* trusted JSON text as it is */
/* key and value in one */
void json_member_str(struct json_writer *w, const char *key, struct str value);
void json_member_c(struct json_writer *w, const char *key, const char *value);
void json_member_i64(struct json_writer *w, const char *key, int64_t value);
void json_member_u64(struct json_writer *w, const char *key, uint64_t value);
void json_member_f64(struct json_writer *w, const char *key, double value);
void json_member_bool(struct json_writer *w, const char *key, bool value);
void json_member_null(struct json_writer *w, const char *key);

#endif
