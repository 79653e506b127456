/* SPDX-License-Identifier: PostgreSQL */
/* place.c: naming the place of an error. */
#include "model/place.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PLACE_MAX_MS INT64_C(253402300799999) /* end of the year 9999 */
#define PLACE_TEXT   160
#define PLACE_NAME   64

/* Append to a text of PLACE_TEXT bytes, cut when it is full. */
static void place_add(char *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void place_add(char *out, const char *fmt, ...)
{
    size_t len = strlen(out);
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(out + len, PLACE_TEXT - len, fmt, ap);
    va_end(ap);
}

enum err_code place_fail(const struct place *at, enum err_code code, const char *fmt, ...)
{
    char where[PLACE_TEXT] = "", what[ERR_TEXT_MAX];
    va_list ap;

    if (!at->e)
        return code;
    if (at->list)
        place_add(where, "%s[%zu]", at->list, at->index);
    if (at->member)
        place_add(where, "%s%s", *where ? "." : "", at->member);
    if (at->name.len > 0)
        place_add(where, ".%.*s", at->name.len > PLACE_NAME ? PLACE_NAME : (int)at->name.len,
                  at->name.ptr);
    if (at->row != PLACE_NONE)
        place_add(where, "[%zu]", at->row);
    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return err_set(at->e, code, "%s%s%s", where, *where ? ": " : "", what);
}

enum err_code place_read_ms(struct place *at, const struct json *n, const char *name, int64_t *out)
{
    int64_t value = json_i64(n, -1);

    at->member = name;
    if (value < 0 || value > PLACE_MAX_MS)
        return place_fail(at, ERR_INVALID, "must be a whole number of milliseconds");
    *out = value;
    return ERR_OK;
}

enum err_code place_read_str(struct place *at, const struct json *n, const char *name, size_t max,
                             struct str *out)
{
    struct str s = json_str(n);

    at->member = name;
    if (json_type(n) != JSON_STR)
        return place_fail(at, ERR_INVALID, "must be a string");
    if (s.len > max)
        return place_fail(at, ERR_LIMIT, "%zu bytes, at most %zu", s.len, max);
    if (s.len > 0 && memchr(s.ptr, '\0', s.len))
        return place_fail(at, ERR_INVALID, "holds a NUL character");
    *out = s;
    return ERR_OK;
}

enum err_code place_read_uuid(struct place *at, const struct json *n, const char *name,
                              struct uuid *out)
{
    at->member = name;
    if (!text_parse_uuid(json_str(n), out))
        return place_fail(at, ERR_INVALID, "must be a UUID");
    return ERR_OK;
}
