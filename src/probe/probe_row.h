/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_row.h: rows of a C probe, with cells set by name, so that the catalogue's order does not
 * matter.
 *
 * Owner:   everything lives in the run's arena
 * Threads: the thread of the run
 */
#ifndef PROBE_PROBE_ROW_H
#define PROBE_PROBE_ROW_H

#include "probe/probe.h"

struct probe_rows {
    struct slice_builder sb;
    const struct relation *relation;
    bool unknown; /* a name that the catalogue lacks */
};

/* Start a reading of the relation, at t_ms. */
enum err_code probe_rows_begin(struct probe_run *r, struct probe_rows *rows, const char *relation,
                               int64_t t_ms, struct err *e) ERR_MUST_CHECK;
/* Start a row; key: the value of the only key, NULL when the relation has none. */
void probe_rows_add(struct probe_rows *rows, const char *key);
void probe_rows_set(struct probe_rows *rows, const char *column, struct cell value);
/* Emit the reading. `lost` rows were left out: it is then not complete, and says truncated. */
enum err_code probe_rows_end(struct probe_run *r, struct probe_rows *rows, size_t lost,
                             struct err *e) ERR_MUST_CHECK;

#endif
