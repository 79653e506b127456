/* SPDX-License-Identifier: PostgreSQL */
/*
 * codec.h: column streams and slices as bytes. The same bytes are the journal row and the head.
 *
 * README.md describes the formats. Encoding never fails but for the maximum of the buf; decoding is
 * safe on any bytes and answers ERR_CORRUPT.
 * Owner:   decoded strings borrow from the input, arrays live in the arena
 * Threads: any
 */
#ifndef STORE_TSDB_CODEC_CODEC_H
#define STORE_TSDB_CODEC_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "model/batch.h"

#define CODEC_SLICE_VERSION 1
#define CODEC_ROWS_MAX      262144            /* of a slice: bounds what a decoder allocates */
#define CODEC_CELLS_MAX     (4 * 1024 * 1024) /* of one column of a block */
#define CODEC_COLUMNS_MAX   1024

/* Append one column of n cells; strings are put into a dictionary of the stream. */
void codec_put_column(struct buf *out, struct arena *scratch, const struct cell *cells, size_t n);
/* Read exactly n cells of a whole column stream. */
enum err_code codec_get_column(struct str in, struct arena *a, size_t n, struct cell **cells,
                               struct err *e) ERR_MUST_CHECK;

/* The same, into n cells of the caller; the arena is for what strings need. */
enum err_code codec_fill_column(struct str in, struct arena *a, size_t n, struct cell *cells,
                                struct err *e) ERR_MUST_CHECK;

/* One column of a slice: decoded cells when it is written, a stream when it was read. */
struct codec_column {
    uint32_t id;              /* of the relation's column; of its key for a key column */
    const struct cell *cells; /* to write */
    struct str stream;        /* as read */
};

/* A slice with its ids resolved. */
struct codec_slice {
    uint64_t group;
    int64_t t_ms, from_ms, every_ms;
    unsigned flags;
    bool fact;
    struct str reason;
    size_t row_count;
    uint64_t *objects; /* object shape: per row, no id twice */
    size_t key_count;  /* fact shape */
    struct codec_column *keys;
    size_t column_count;
    struct codec_column *columns;
    size_t gone_count;
    uint64_t *gone;
    size_t reset_count;
    uint32_t *resets;
};

void codec_put_slice(struct buf *out, struct arena *scratch, const struct codec_slice *s);
/* Read a slice; its columns stay streams until codec_get_column(stream, row_count). */
enum err_code codec_get_slice(struct str in, struct arena *a, struct codec_slice *out,
                              struct err *e) ERR_MUST_CHECK;
/* The first members only: group, t, every_ms, flags. */
enum err_code codec_peek_slice(struct str in, struct codec_slice *out,
                               struct err *e) ERR_MUST_CHECK;

/* Lists of ids, as zigzag differences. */
void codec_put_ids(struct buf *out, const uint64_t *ids, size_t n);
bool codec_take_ids(struct str *in, uint64_t *ids, size_t n);
/* A length and that many bytes. */
void codec_put_bytes(struct buf *out, struct str bytes);
bool codec_take_bytes(struct str *in, struct str *bytes);

#endif
