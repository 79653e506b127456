/* SPDX-License-Identifier: PostgreSQL */
/*
 * block.h: one group over a stretch of time, column-major, as it lies in a day file.
 *
 * A block is a head (time axis, objects, presence, directory) and parts of about 64 kB that hold
 * column streams, so that one column is read without the others. README.md describes the format.
 * Owner:   everything lives in the arena given, strings borrow from the unpacked parts
 * Threads: any
 */
#ifndef STORE_TSDB_BLOCK_H
#define STORE_TSDB_BLOCK_H

#include "store/tsdb/codec.h"

#define BLOCK_VERSION    1
#define BLOCK_ROWS       65536 /* a block is closed when one more slice would pass this */
#define BLOCK_SLICES     4096
#define BLOCK_PART_BYTES (48 * 1024)
#define BLOCK_PARTS_MAX  4096
#define BLOCK_PART_MAX   (64 * 1024 * 1024) /* unpacked; bounds what a damaged length can ask for */

/* What block_build makes. */
struct block_packed {
    struct str head;
    size_t part_count;
    struct str *parts;
};

/* Slices of one group in order of t, as read by codec_get_slice. */
struct block_input {
    const struct codec_slice *slices;
    size_t count;
    struct arena *scratch; /* reset as the work goes on */
};
enum err_code block_build(struct arena *a, const struct block_input *in, struct block_packed *out,
                          struct err *e) ERR_MUST_CHECK;

enum block_kind { BLOCK_COLUMN, BLOCK_KEY };

struct block_stream {
    enum block_kind kind;
    uint32_t id;
    uint32_t part;
    uint32_t offset, len; /* within the unpacked part */
};

struct block_view {
    uint64_t group;
    bool fact;
    size_t slice_count, row_total, part_count;
    struct codec_slice *slices; /* times, flags, reason, row_count, objects, gone, resets */
    size_t *row_start;          /* slice_count + 1 */
    uint32_t *order; /* row of the block by slice -> place in a stream; NULL = the same */
    size_t stream_count;
    struct block_stream *streams;
};

enum err_code block_open(struct str head, struct arena *a, struct block_view *out,
                         struct err *e) ERR_MUST_CHECK;
enum err_code block_unpack_part(struct str packed, struct arena *a, struct str *out,
                                struct err *e) ERR_MUST_CHECK;
const struct block_stream *block_find(const struct block_view *v, enum block_kind kind,
                                      uint32_t id);
/* Cells of one stream, slice by slice (row_start); `bytes`: the stream, cut from its part. */
enum err_code block_cells(const struct block_view *v, struct str bytes, struct arena *a,
                          struct cell **cells, struct err *e) ERR_MUST_CHECK;
/* The bytes of a stream within its unpacked part; ERR_CORRUPT when they do not fit. */
enum err_code block_stream_bytes(const struct block_stream *s, struct str part, struct str *out,
                                 struct err *e) ERR_MUST_CHECK;

#endif
