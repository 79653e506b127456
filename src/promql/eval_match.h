/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_match.h: rows of two vectors grouped by the labels they are matched on; a part of the
 * evaluator (eval.h).
 */
#ifndef PROMQL_EVAL_MATCH_H
#define PROMQL_EVAL_MATCH_H

#include "promql/eval.h"

#define MATCH_NONE UINT32_MAX

enum match_side { MATCH_LEFT, MATCH_RIGHT };

/* The rows that agree in the matching labels, in their order. */
struct match_group {
    uint32_t first[2], last[2]; /* row of each side; MATCH_NONE = there is none */
};

struct match {
    const struct expr *x;
    struct eval_vec side[2];
    uint32_t *next[2]; /* by row: the next one of its group, or MATCH_NONE */
    struct match_group *groups;
    size_t group_count;
};

/* Evaluates both sides and groups their rows. */
enum err_code eval_match(struct eval *ev, const struct expr *x, struct match *out);

#endif
