/* SPDX-License-Identifier: PostgreSQL */
/*
 * place.h: where in a document a reader stands, for messages as
 * "slices[3].columns.xact_commit[17]: ...".
 */
#ifndef MODEL_PLACE_H
#define MODEL_PLACE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/text.h"

#define PLACE_NONE SIZE_MAX

/* Parts that are NULL, empty or PLACE_NONE are left out. */
struct place {
    const char *list; /* "slices" */
    size_t index;
    const char *member; /* "columns" */
    struct str name;    /* "xact_commit" */
    size_t row;
    struct err *e; /* where failures go; NULL allowed */
};

/* err_set with the place in front. */
enum err_code place_fail(const struct place *at, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Read `n`, the value of member `name`; absent or of another type is ERR_INVALID. The place's
 * member is set to `name` and left so on failure.
 */
/* Milliseconds from 0 to the year 9999. */
enum err_code place_read_ms(struct place *at, const struct json *n, const char *name,
                            int64_t *out) ERR_MUST_CHECK;
/* At most `max` bytes, no NUL character. */
enum err_code place_read_str(struct place *at, const struct json *n, const char *name, size_t max,
                             struct str *out) ERR_MUST_CHECK;
enum err_code place_read_uuid(struct place *at, const struct json *n, const char *name,
                              struct uuid *out) ERR_MUST_CHECK;

#endif
