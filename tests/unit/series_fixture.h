/* SPDX-License-Identifier: PostgreSQL */
/*
 * series_fixture.h: a series_source in memory, for tests of the evaluator and promql-dump.
 *
 * Series are answered in the order in which they were added. Owner: the fixture, on the heap.
 */
#ifndef SERIES_FIXTURE_H
#define SERIES_FIXTURE_H

#include "model/series.h"

struct fixture_series;

struct series_fixture {
    struct series_source source; /* first: the ops find the fixture by it */
    struct fixture_series *series;
    size_t count, cap;
    struct series_select last; /* what was asked for last; pointers are gone */
};

void series_fixture_init(struct series_fixture *f);
void series_fixture_fini(struct series_fixture *f);
/* text: "name=value,name=value", sorted here. Later samples go to this series. */
void series_fixture_series(struct series_fixture *f, struct str text, char separator);
/* Of the series added last. */
void series_fixture_kind(struct series_fixture *f, enum series_kind kind, int64_t every_ms);
void series_fixture_sample(struct series_fixture *f, int64_t t_ms, double value);
void series_fixture_until(struct series_fixture *f, int64_t until_ms); /* of the last sample */

#endif
