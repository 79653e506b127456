/* SPDX-License-Identifier: PostgreSQL */
/*
 * series_rules.h: what an object's readings mean as samples. Private to store/tsdb.
 *
 * Absence:   a complete reading without the object, `gone`, NULL and a failed reading end a series
 *            (stale marker); of a sparse relation a level that is missing is repeated instead. A
 *            reading that is not complete says nothing about what it lacks.
 * Delta:     there is a sample where something was counted: it covers (from_t, t].
 * Total:     of a delta column, the sum since 00:00 UTC of the sample's day; (00:00, 24:00]. It
 *            begins with what it was (0 at the day's first) at 00:00:00.001, or at from_t after a
 *            birth or a gap, so that increase() counts the first reading whole. It is repeated at
 *            each complete reading, and ends after `gone`, a failed reading, or an hour unchanged.
 * Restart:   a counter whose row says so although it grew has a 0 a millisecond after the sample
 *            before: increase() is exact, and the last two samples still are a clock apart.
 * Validity:  on clocks of which two are longer than the lookback a sample is valid for 2 x every_ms
 *            + 5 s (a delta: 1.5 x every_ms), beyond the lookback only while the target's heartbeat
 *            goes on.
 * Loose:     samples as they came, nothing else.
 */
#ifndef STORE_TSDB_SERIES_SERIES_RULES_H
#define STORE_TSDB_SERIES_SERIES_RULES_H

#include "store/tsdb/series/series.h"
#include "store/tsdb/series/series_table.h"

#define SERIES_UNCHANGED_MS 3600000LL

enum series_form { SERIES_LEVEL, SERIES_TOTAL, SERIES_PLAIN };

struct series_rule {
    enum series_form form;
    enum series_kind kind;
    size_t column;          /* of the table */
    bool ends;              /* a complete reading without the object ends it */
    bool repeats;           /* ... is the same as before */
    int64_t text;           /* the number of the text of which this is the series; -1 = no text */
    double scale;           /* of an alias; 1 */
    int64_t from_ms, to_ms; /* samples wanted: from < t <= to */
    bool no_validity;
    const struct series_beats *beats;
    /* samples of a longer clock are of roll-ups, valid until the next one; 0 = there are none */
    int64_t rolled_over_ms;
};

/* Times of the readings that say that the target is alive. */
struct series_beats {
    size_t count, cap;
    int64_t *t_ms;
};

/* Samples of one series; they live in the arena, or in the table. */
struct series_samples {
    struct arena *arena;
    size_t count, cap;
    int64_t *t_ms, *every_ms;
    double *value;
    const int64_t *until_ms;
    double *readings, *sum; /* NULL: one each, the value */
};

/* The first time at which a sample is not valid any more beyond the lookback. */
int64_t series_rule_until(const struct series_rule *rule, int64_t t_ms, int64_t every_ms);
/* Whether a clock is so slow that its samples are valid beyond the lookback. */
bool series_rule_is_slow(const struct series_rule *rule, int64_t every_ms);
/* The begin of the day of a sample: (00:00, 24:00] UTC. */
int64_t series_rule_day(int64_t t_ms);

enum err_code series_rule_apply(const struct series_rule *rule, const struct series_table *table,
                                const struct series_row *row, struct series_samples *out,
                                struct err *e) ERR_MUST_CHECK;

#endif
