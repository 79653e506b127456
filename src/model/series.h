/* SPDX-License-Identifier: PostgreSQL */
/*
 * series.h: what a query evaluator asks of a store, and how the samples come.
 *
 * A series is a set of labels (with __name__) and samples in time. A relation's column becomes one
 * series per row object, named <relation>_<column>; a loose sample is one already. The evaluator
 * (promql/) knows nothing of relations: what a store knows of a series' clock comes with it.
 *
 * Owner: labels and samples belong to the source and live until the next series_next of the set.
 * Threads: a source and its sets belong to one thread at a time.
 */
#ifndef MODEL_SERIES_H
#define MODEL_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/regex.h"
#include "base/str.h"

/* --- Labels --- */

struct label {
    struct str name, value;
};

/* Sorted by name (bytes), no name twice, no empty value. */
struct labels {
    size_t count;
    const struct label *items;
};

enum matcher_kind { MATCHER_EQUAL, MATCHER_NOT_EQUAL, MATCHER_REGEX, MATCHER_NOT_REGEX };

struct matcher {
    enum matcher_kind kind;
    struct str name, value;
    struct regex *regex; /* of the two regular kinds: anchored at both ends; else NULL */
};

/* --- Samples --- */

/* The bits of Prometheus's stale marker: here the series ended. Any other NaN is a value. */
#define SERIES_STALE_BITS UINT64_C(0x7ff0000000000002)

static inline double series_stale(void)
{
    const uint64_t bits = SERIES_STALE_BITS;
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

static inline bool series_is_stale(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits == SERIES_STALE_BITS;
}

enum series_kind {
    SERIES_LOOSE, /* behaves exactly as in Prometheus */
    SERIES_GAUGE,
    SERIES_COUNTER,
    SERIES_DELTA, /* the value at t is what happened in (from_t, t] */
};

struct series {
    struct labels labels;
    enum series_kind kind;
    int64_t every_ms; /* clock of the newest sample; 0 = none (loose) */
    size_t count;
    const int64_t *t_ms; /* strictly rising */
    const double *value; /* SERIES_STALE_BITS = ended at this time */
    /*
     * NULL, or per sample: it is valid at T when t <= T < until, although T is beyond the lookback
     * (tsdb.md 5: staleness on slow clocks). Not used when the query gives its own lookback.
     */
    const int64_t *until_ms;
    /*
     * NULL, or per sample: of roll-ups it stands for so many readings that have this sum (elsewhere
     * for 1, the value). For a mean or a count the value is their mean; for rate() and its kin it
     * is the newest of them, the sum is of no use, and 0 is a sample that no reading had.
     */
    const double *readings, *sum;
};

/* --- Selecting --- */

struct series_select {
    const struct matcher *matchers;
    size_t matcher_count;
    /*
     * Samples wanted: from_ms < t <= to_ms. For a series with a clock the source returns as much
     * before from_ms as its validity (range_ms 0) or its shortest window (2.5 x every_ms) needs.
     */
    int64_t from_ms, to_ms;
    int64_t range_ms; /* window of the function; 0 = an instant selector */
    int64_t step_ms;  /* between two evaluations; 0 = there is one */
    struct str
        func; /* function or aggregation right around the selector: "rate", "sum"; or empty */
    bool own_lookback;        /* the query gave a lookback: validity beyond it is not wanted */
    bool labels_only;         /* series that have a sample in the interval; count is 0 in each */
    int64_t deadline_mono_us; /* 0 = none; passed: ERR_TIMEOUT */
};

struct series_source;
struct series_set;

struct series_source_ops {
    enum err_code (*select)(struct series_source *s, struct arena *a,
                            const struct series_select *spec, struct series_set **out,
                            struct err *e);
    /* *more false = the end. In no particular order; no labels twice. */
    enum err_code (*next)(struct series_set *set, struct series *out, bool *more, struct err *e);
    void (*close)(struct series_set *set); /* NULL allowed */
};

struct series_source {
    const struct series_source_ops *ops;
    /* What the reader of an answer should know ("raw data is gone: roll-ups of 1 h"). The source
     * calls it, the evaluator sets it; NULL = nobody listens. The text is copied. */
    void (*note)(void *arg, const char *text);
    void *note_arg;
};

struct series_set {
    const struct series_source_ops *ops;
};

static inline enum err_code series_select(struct series_source *s, struct arena *a,
                                          const struct series_select *spec, struct series_set **out,
                                          struct err *e)
{
    return s->ops->select(s, a, spec, out, e);
}

static inline enum err_code series_next(struct series_set *set, struct series *out, bool *more,
                                        struct err *e)
{
    return set->ops->next(set, out, more, e);
}

static inline void series_close(struct series_set *set)
{
    if (set) {
        set->ops->close(set);
    }
}

/* --- model/series.c --- */

int label_compare(const struct label *a, const struct label *b); /* by name */
/* As Prometheus orders label sets: pairwise name then value; the shorter first. */
int labels_compare(const struct labels *a, const struct labels *b);
struct str labels_get(const struct labels *l, struct str name); /* empty when absent */
/* Whether a value (empty = absent) matches. */
bool matcher_match(const struct matcher *m, struct str value);
bool matchers_match(const struct matcher *m, size_t count, const struct labels *l);

#endif
