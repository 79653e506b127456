/* SPDX-License-Identifier: PostgreSQL */
/*
 * tsdb_scan_text.h: what a scan visits, as text that is the same whatever ids the store gave.
 */
#ifndef TSDB_SCAN_TEXT_H
#define TSDB_SCAN_TEXT_H

#include "tsdb_fixture.h"

struct tsdb_text_range {
    const struct str *scope;
    const struct str *columns;
    size_t column_count;
    int64_t from_ms, to_ms;
};

/* Every slice with its rows, keys, gone ones and resets; the caller frees *out. How many slices. */
size_t tsdb_scan_text(struct tsdb_fixture *f, const char *relation,
                      const struct tsdb_text_range *range, char **out);

#endif
