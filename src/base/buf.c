/* SPDX-License-Identifier: PostgreSQL */
/*
 * buf.c: the growable byte string.
 *
 * An empty buf without memory points at one shared NUL, which is never written (cap is then 0).
 */
#include "base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define BUF_FIRST_BYTES 64

static char buf_empty[1];

static bool buf_valid(const struct buf *b)
{
    return b->len <= b->max && (b->cap == 0 ? b->len == 0 : b->len < b->cap);
}

void buf_init(struct buf *b, size_t max_bytes)
{
    *b = (struct buf){.ptr = buf_empty, .max = max_bytes < SIZE_MAX ? max_bytes : SIZE_MAX - 1};
}

void buf_fini(struct buf *b)
{
    if (b->cap > 0)
        alloc_free(b->ptr);
    buf_init(b, b->max);
}

void buf_reset(struct buf *b)
{
    b->failed = false;
    buf_truncate(b, 0);
}

char *buf_room(struct buf *b, size_t extra)
{
    size_t need, cap;
    char *ptr;

    assert(buf_valid(b));
    if (b->failed)
        return NULL;
    if (extra > b->max - b->len) {
        b->failed = true;
        return NULL;
    }
    need = b->len + extra + 1;
    if (need <= b->cap)
        return b->ptr + b->len;
    cap = b->cap > b->max / 2 ? b->max + 1 : b->cap * 2;
    if (cap < BUF_FIRST_BYTES)
        cap = BUF_FIRST_BYTES;
    if (cap > b->max + 1)
        cap = b->max + 1;
    if (cap < need)
        cap = need;
    ptr = alloc_try(b->cap > 0 ? b->ptr : NULL, cap);
    if (!ptr) {
        b->failed = true;
        return NULL;
    }
    b->ptr = ptr;
    b->cap = cap;
    b->ptr[b->len] = '\0';
    return b->ptr + b->len;
}

void buf_grew(struct buf *b, size_t added)
{
    assert(added == 0 || added < b->cap - b->len);
    b->len += added;
    if (b->cap > 0)
        b->ptr[b->len] = '\0';
}

void buf_truncate(struct buf *b, size_t len)
{
    assert(len <= b->len);
    b->len = len;
    if (b->cap > 0)
        b->ptr[len] = '\0';
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    char *to;

    if (len == 0)
        return;
    to = buf_room(b, len);
    if (!to)
        return;
    memcpy(to, bytes, len);
    buf_grew(b, len);
}

void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.ptr, s.len);
}

void buf_add_c(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_add_u64(struct buf *b, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_add_i64(struct buf *b, int64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0)
        digits[--at] = '-';
    buf_add(b, digits + at, sizeof(digits) - at);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
    va_list again;
    char *to;
    int len;

    va_copy(again, ap);
    len = vsnprintf(NULL, 0, fmt, ap);
    to = len >= 0 ? buf_room(b, (size_t)len) : NULL;
    if (to) {
        (void)vsnprintf(to, (size_t)len + 1, fmt, again);
        buf_grew(b, (size_t)len);
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

struct str buf_view(const struct buf *b)
{
    return str_make(b->ptr, b->len);
}

char *buf_take(struct buf *b, size_t *len)
{
    char *ptr = b->cap > 0 ? b->ptr : alloc_new(1);

    if (len)
        *len = b->len;
    buf_init(b, b->max);
    return ptr;
}

enum err_code buf_check(const struct buf *b, struct err *e)
{
    if (!b->failed)
        return ERR_OK;
    return err_set(e, ERR_LIMIT, "more than %zu bytes", b->max);
}
