/* SPDX-License-Identifier: PostgreSQL */
/*
 * source.h: series in memory, as a series_source.
 *
 * Loading adds to what is there. A series with native histograms stays as a name alone: a query
 * that selects it is noticed (`touched`).
 * Owner: everything lives in the source's own arena, until source_clear.
 */
#ifndef PROMQL_SOURCE_H
#define PROMQL_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "model/series.h"
#include "notation.h"

struct source_row {
    struct labels labels;
    bool histogram;
    size_t count, room;
    int64_t *t_ms;
    double *value;
};

struct source {
    struct series_source base; /* first: the evaluator's view */
    struct arena arena;
    size_t count, room;
    struct source_row *series;
    bool touched; /* a series with native histograms was selected */
};

void source_init(struct source *s);
void source_fini(struct source *s);
void source_clear(struct source *s);
/* The values of a line, every `step_ms` from 0 on. */
enum err_code source_load(struct source *s, const struct notation *n, int64_t step_ms,
                          struct err *e) ERR_MUST_CHECK;
/* As if there were a native histogram of this name. */
enum err_code source_mark_histogram(struct source *s, const struct labels *labels,
                                    struct err *e) ERR_MUST_CHECK;

#endif
