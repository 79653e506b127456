/* SPDX-License-Identifier: PostgreSQL */
/*
 * tsdb_samples.h: slices whose cells follow from a formula, of every type that a column can have.
 *
 * tsdb_v1_bytes.h holds the bytes that version 1 of the codec made of them.
 */
#ifndef TSDB_SAMPLES_H
#define TSDB_SAMPLES_H

#include "store/tsdb/codec/codec.h"

#define SAMPLES_SLICES  12
#define SAMPLES_OBJECTS 6
#define SAMPLES_COLUMNS 7
#define SAMPLES_FAILED  8 /* the slice without rows */

/* The cell of a column (1 ...) of an object in a slice. */
struct cell samples_cell(unsigned column, unsigned object, unsigned slice);
/* Whether the object (its id is object + 100) is in the slice. */
bool samples_present(unsigned object, unsigned slice);
/* A slice with cells to write, in the arena. `fact`: key 0 names the object. */
void samples_slice(struct arena *a, unsigned slice, bool fact, struct codec_slice *out);

#endif
