/* SPDX-License-Identifier: PostgreSQL */
/*
 * codec_run.h: reads a column stream run by run, as integers and marks. Private to codec_runs*.
 *
 * Owner:   working room lives in the arena; the stream is borrowed
 * Threads: any, one per reader
 * Errors:  false: the bytes are damaged, or the arena is full (its overflow flag says which)
 */
#ifndef STORE_TSDB_CODEC_CODEC_RUN_H
#define STORE_TSDB_CODEC_CODEC_RUN_H

#include "store/tsdb/codec/codec_bits.h"
#include "store/tsdb/codec/codec_runs.h"

struct codec_reader {
    const unsigned char *kinds; /* a description for each run */
    struct str params;
    struct str symbols;
    struct bits_reader bits;
    size_t longest;
    uint64_t *x, *fields;        /* `longest` + 1; x: the integers of the run */
    unsigned char *null, *whole; /* marks: by cell, by value */
};

/* A cell that is not of the class of its run. */
struct codec_other {
    size_t at; /* among the values */
    struct cell cell;
};

/* A run as its description and parameters say. */
struct codec_run {
    enum codec_run_class class;
    enum codec_run_coding coding;
    unsigned extras;
    unsigned decimals;
    size_t n, value_count; /* cells; those that are not NULL */
    bool skip;             /* pass over it: x is not filled */
    size_t other_count;
    struct str others; /* for codec_reader_other, once the values are there */
};

bool codec_reader_init(struct codec_reader *r, struct str in, struct arena *a,
                       const struct codec_runs *runs);
/* Read the next run, of run->n cells; the rest of *run is zero but for `skip`. */
bool codec_reader_run(struct codec_reader *r, unsigned kind, struct codec_run *run);
/* The next one of a list of others; it is at `next` or later. */
bool codec_reader_other(struct str *in, size_t next, size_t end, struct codec_other *out);
bool codec_reader_at_end(const struct codec_reader *r);

#endif
