/* SPDX-License-Identifier: PostgreSQL */
/*
 * str.h: a borrowed view of bytes, passed by value. Not NUL-terminated, never owned.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    const char *ptr; /* may be NULL when len is 0 */
    size_t len;
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
/* For printf: "%.*s", STR_ARG(s) */
#define STR_ARG(s) (int)(s).len, (s).ptr ? (s).ptr : ""

struct str str_of(const char *text); /* NULL gives the empty view */
struct str str_make(const void *ptr, size_t len);
bool str_eq(struct str a, struct str b);
bool str_eq_c(struct str a, const char *b);
bool str_eq_nocase(struct str a, struct str b); /* ASCII */
int str_cmp(struct str a, struct str b);        /* bytewise, shorter first */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
struct str str_trim(struct str s); /* blanks, tabs, CR, LF on both ends */
/*
 * Cut `*rest` at the first `sep`: returns what stands before it, `*rest` becomes what follows.
 * Without a separator the whole is returned and `*rest` becomes {NULL, 0}.
 */
struct str str_split(struct str *rest, char sep);
bool str_find(struct str s, struct str needle, size_t *at);
bool str_is_utf8(struct str s);
size_t str_utf8_len(struct str s); /* bytes of the well-formed character in front; 0 = none */
uint64_t str_hash(struct str s);   /* 64 bit, seeded per process: not for disk */

#endif
