/* SPDX-License-Identifier: PostgreSQL */
/*
 * literal.h: numbers, strings and durations of PromQL, from their text and to it.
 */
#ifndef PROMQL_LITERAL_H
#define PROMQL_LITERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"

/* 1.5 1e3 0x1F 017 1_000 Inf NaN, any case; false when it is none of these. */
bool promql_literal_number(struct str text, double *out);
/* What stands between the quotes, escapes replaced; false: no such string, or arena full (then
 * *out is empty). */
bool promql_literal_string(struct arena *a, struct str text, struct str *out);

enum promql_duration { DURATION_GOOD, DURATION_WRONG, DURATION_RANGE /* over 292 years */ };
enum promql_duration promql_literal_duration(struct str text, int64_t *ms);

/* "text" in double quotes, escaped so that it parses back. */
void promql_literal_quote(struct buf *out, struct str text);
/* 'c' of the character in front of `text`, which may be empty or not UTF-8. */
void promql_literal_quote_char(struct buf *out, struct str text);
/* Shortest digits that read back the same, never with an exponent; +Inf, -Inf, NaN. */
void promql_literal_put_number(struct buf *out, double value);
/* 1h30m, 0s, 90d, 2w; `ms` is not negative. */
void promql_literal_put_duration(struct buf *out, int64_t ms);
/* [a-zA-Z_][a-zA-Z0-9_]*: a label name that needs no quotes. */
bool promql_literal_plain_label(struct str name);

#endif
