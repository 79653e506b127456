/* SPDX-License-Identifier: PostgreSQL */
/*
 * notation.h: a series as a line of text: metric{a="b"} 0+10x100 _x3 stale NaN {{schema:0}}
 *
 * The notation of Prometheus's own tests. A native histogram is seen, not read: no value of it is
 * kept. Everything lives in the arena. Errors: ERR_INVALID with what is wrong.
 */
#ifndef PROMQL_NOTATION_H
#define PROMQL_NOTATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "model/series.h"

struct notation_value {
    double value;
    bool omitted;
    bool histogram;
};

struct notation {
    struct labels labels;
    size_t count;
    struct notation_value *values;
    bool histogram; /* one of the values is */
};

#define NOTATION_VALUES 1000000 /* of a line; no test needs more */

enum err_code notation_read(struct arena *a, struct str line, struct notation *out,
                            struct err *e) ERR_MUST_CHECK;
/* A line that is a number alone: a scalar. */
bool notation_number(struct str line, double *out);
/* {a="b"}, metric{a="b"}, {}. */
void notation_put_labels(struct buf *out, const struct labels *l);

#endif
