/* SPDX-License-Identifier: PostgreSQL */
/*
 * codec_runs_plan.h: which coding of a run of integers is the shortest. Private to codec_runs*.
 *
 * Threads: any
 */
#ifndef STORE_TSDB_CODEC_CODEC_RUNS_PLAN_H
#define STORE_TSDB_CODEC_CODEC_RUNS_PLAN_H

#include "store/tsdb/codec/codec_runs.h"

/* How a run is written. A field is (value - low) in `width` bits; what does not fit is patched. */
struct codec_plan {
    enum codec_run_coding coding;
    uint64_t bits; /* estimated */
    uint64_t low;
    unsigned width;
    unsigned gap_width; /* STEPS */
    unsigned trailing;  /* XOR: zero bits at the end that are left out */
    size_t changes;     /* STEPS, BITMAP */
    size_t patches;     /* PACK, SPLIT */
};

/*
 * The plan for x[0 ... n-1], n > 0. `fields` is working room for n.
 */
void codec_plan_run(const uint64_t *x, size_t n, enum codec_run_class class, uint64_t *fields,
                    struct codec_plan *out);
/* Differences of an order in `fields`; returns how many there are. */
size_t codec_plan_fields(const uint64_t *x, size_t n, unsigned order, uint64_t *fields);

#endif
