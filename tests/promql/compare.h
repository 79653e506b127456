/* SPDX-License-Identifier: PostgreSQL */
/*
 * compare.h: whether an answer is the expected one; if not, why.
 *
 * Values are equal up to a millionth of their size, as in Prometheus's tests.
 */
#ifndef PROMQL_COMPARE_H
#define PROMQL_COMPARE_H

#include <stdbool.h>

#include "base/buf.h"
#include "promql/promql.h"
#include "script.h"

/* false: the reason is in `why`. */
bool compare_result(const struct script_eval *eval, const struct promql_result *r, struct buf *why);
bool compare_notes(const struct script_eval *eval, const struct promql_result *r, struct buf *why);
bool compare_failure(const struct script_eval *eval, struct str message, struct buf *why);

/* One line a row, indented. */
void compare_put_expected(struct buf *out, const struct script_eval *eval);
void compare_put_result(struct buf *out, const struct promql_result *r);

#endif
