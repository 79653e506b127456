/* SPDX-License-Identifier: PostgreSQL */
/*
 * buf.h: a growable byte string with a maximum.
 *
 * Invariants: (1) ptr[len] == 0 always, also when empty; (2) len <= max; (3) a failed append sets
 * `failed` and changes nothing; later appends do nothing, so a chain is checked once with
 * buf_check; (4) the bytes belong to the buf until buf_take.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

struct buf {
    char *ptr;
    size_t len;
    size_t cap; /* private */
    size_t max;
    bool failed;
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_fini(struct buf *b);
void buf_reset(struct buf *b); /* empty, not failed; keeps the memory */
void buf_add(struct buf *b, const void *bytes, size_t len);
void buf_add_str(struct buf *b, struct str s);
void buf_add_c(struct buf *b, const char *text);
void buf_add_char(struct buf *b, char c);
void buf_add_u64(struct buf *b, uint64_t value);
void buf_add_i64(struct buf *b, int64_t value);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap);
/* Make room for `extra` more bytes and return where they go; NULL when over max. Then buf_grew. */
char *buf_room(struct buf *b, size_t extra);
void buf_grew(struct buf *b, size_t added);
void buf_truncate(struct buf *b, size_t len);
struct str buf_view(const struct buf *b); /* valid until the next change */
char *buf_take(struct buf *b,
               size_t *len); /* caller frees with alloc_free; len may be NULL; buf is empty again */
enum err_code buf_check(const struct buf *b,
                        struct err *e) ERR_MUST_CHECK; /* ERR_LIMIT if failed */

#endif
