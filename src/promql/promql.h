/* SPDX-License-Identifier: PostgreSQL */
/*
 * promql.h: PromQL over any source of series (model/series.h), as Prometheus 3.5 answers it for
 * float samples.
 *
 * A selector is read once for all steps, series by series; an aggregation over it keeps only its
 * groups. Native histograms do not exist here: functions of theirs give an empty answer with an
 * info that says so.
 * Where it departs from 3.5 on purpose: a classic histogram's first bucket begins at 0 in
 * histogram_fraction too (3.5 says NaN within it); info() over a range keeps series apart; the @ of
 * a selector in an aggregation's parameter holds at all steps; timestamp() heeds an offset beside
 * an @. pow(), exp() and their like may differ by a last bit.
 * Errors: ERR_INVALID: the query is wrong (parse error, or found while evaluating, such as
 *         many-to-many matching); ERR_LIMIT: over a cost limit, the text names which; ERR_TIMEOUT;
 *         ERR_CANCELLED; what the source says.
 * Threads: a query runs in its caller's thread. Owner: answers live in the arena.
 */
#ifndef PROMQL_PROMQL_H
#define PROMQL_PROMQL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/series.h"
#include "promql/func.h"

#define PROMQL_LOOKBACK_MS (5 * 60000LL)

struct promql_limits {
    uint64_t samples; /* read from the source, in all; 0 = LIMIT_PROMQL_SAMPLES */
    uint64_t
        series; /* that a selector or a step of the evaluation yields; 0 = LIMIT_PROMQL_SERIES */
    int64_t deadline_mono_us;     /* 0 = none */
    bool (*cancelled)(void *arg); /* asked every now and then; NULL = never */
    void *cancelled_arg;
};

struct promql_query {
    struct str text;
    int64_t start_ms, end_ms; /* an instant query: equal */
    int64_t step_ms;          /* 0 = an instant query; at most LIMIT_QUERY_POINTS steps */
    int64_t lookback_ms;      /* 0 = PROMQL_LOOKBACK_MS; given, it wins over slow clocks */
    bool experimental;
    struct promql_limits limits;
};

/* Instant vector and scalar: one sample. A range query's answer is always a matrix. */
struct promql_row {
    struct labels labels;
    size_t count;
    const int64_t *t_ms;
    const double *value;
};

struct promql_notes {
    size_t count;
    struct str *items; /* each once, in order of appearance */
};

struct promql_result {
    enum promql_type type;
    struct str string;       /* PROMQL_STRING */
    size_t row_count;        /* a scalar is one row without labels */
    struct promql_row *rows; /* instant: as sort() left it; range: sorted by labels */
    struct promql_notes warnings, infos;
    uint64_t samples; /* read from the source */
    uint64_t peak_series;
};

enum err_code promql_run(struct arena *a, struct series_source *source,
                         const struct promql_query *query, struct promql_result **out,
                         struct err *e) ERR_MUST_CHECK;

#endif
