/* SPDX-License-Identifier: PostgreSQL */
/*
 * block.h: one group over a stretch of time, column-major, as it lies in a day file.
 *
 * A block is a head (time axis, objects, presence, directory) and parts of about 64 kB that hold
 * column streams, so that one column is read without the others. README.md describes the format.
 * Owner:   everything lives in the arena given, strings borrow from the unpacked parts
 * Threads: any
 */
#ifndef STORE_TSDB_CODEC_BLOCK_H
#define STORE_TSDB_CODEC_BLOCK_H

#include "store/tsdb/codec/codec_runs.h"

#define BLOCK_VERSION    3     /* 1 and 2 are read too */
#define BLOCK_ROWS       65536 /* a flush closes a block when one more slice would pass this */
#define BLOCK_ROWS_MAX   CODEC_CELLS_MAX
#define BLOCK_SLICES     4096
#define BLOCK_WIDE       64     /* slices that a block has room for, however many rows each has, */
#define BLOCK_ROWS_WIDE  524288 /* up to so many rows: building takes some 30 bytes a row */
#define BLOCK_PART_BYTES (48 * 1024)
#define BLOCK_SUM_BYTES  4    /* CRC-32C of what follows it, little endian */
#define BLOCK_PARTS_MAX  4096 /* the id of a part in its file is block * this + number */
#define BLOCK_PART_MAX   (64 * 1024 * 1024) /* unpacked; bounds what a damaged length can ask for */
/* The first two bytes of a part that has a checksum: no other part begins with a zero so long. */
#define BLOCK_CHECKED "\x80"

/* What block_build makes. */
struct block_packed {
    struct str head;
    size_t part_count;
    struct str *parts;
};

/*
 * The bound of a block's rows, by how many its slices have: `usual` unless they are so many that a
 * block would hold a few slices only, and say for each of these few which objects there are.
 */
static inline size_t block_rows_most(size_t usual, size_t slice_rows)
{
    size_t wide = slice_rows < BLOCK_ROWS_WIDE / BLOCK_WIDE ? slice_rows * BLOCK_WIDE
                                                            : BLOCK_ROWS_WIDE;
    return wide > usual ? wide : usual;
}

enum block_kind { BLOCK_COLUMN, BLOCK_KEY };

/* A column or key column of one slice of a block_input. */
struct block_ask {
    size_t slice;
    enum block_kind kind;
    uint32_t id;
};
/*
 * Gives row_count cells, valid until another column is asked for; NULL = the slice lacks it. All
 * slices are asked in order for one column before the next, twice when it has text; `scratch` was
 * reset in between.
 */
typedef enum err_code block_load(void *arg, const struct block_ask *ask, const struct cell **cells,
                                 struct err *e);

/*
 * Slices of one group in order of t. Columns and keys are streams, as codec_get_slice reads them,
 * or cells. All of one shape, at most BLOCK_ROWS_MAX rows.
 */
struct block_input {
    const struct codec_slice *slices;
    size_t count;
    struct arena *scratch; /* reset before each column; 24 bytes a row for one with text */
    block_load *load;      /* NULL = the cells are in the slices or in their streams */
    void *load_arg;
};
enum err_code block_build(struct arena *a, const struct block_input *in, struct block_packed *out,
                          struct err *e) ERR_MUST_CHECK;

struct block_stream {
    enum block_kind kind;
    uint32_t id;
    uint32_t part;
    uint32_t offset, len; /* within the unpacked part */
};

/* Consecutive slices that an object is in. */
struct block_span {
    uint32_t slice, count;
};

struct block_view {
    unsigned version;
    uint64_t group;
    bool fact;
    size_t slice_count, row_total, part_count;
    struct codec_slice *slices; /* by slice: with objects and resets; never with columns */
    size_t *row_start;          /* slice_count + 1 */
    uint32_t *row_of; /* by slice: place in a stream -> row of the block; NULL = the same */
    size_t stream_count;
    struct block_stream *streams;

    /* Streams as they lie: runs of places, one for each object. */
    struct codec_runs runs;
    uint64_t *objects;        /* ids of the runs, rising; NULL = fact */
    uint32_t *span_start;     /* runs.count + 1 */
    struct block_span *spans; /* of the object of run i: span_start[i] ... span_start[i + 1] - 1 */
    size_t reset_count;
    uint32_t *resets; /* places */
};

enum err_code block_open(struct str head, struct arena *a, struct block_view *out,
                         struct err *e) ERR_MUST_CHECK;
/* Cheaper: without `row_of` and what a slice knows of its rows. Cells are then object by object. */
enum err_code block_open_by_object(struct str head, struct arena *a, struct block_view *out,
                                   struct err *e) ERR_MUST_CHECK;
/* The same head, unpacked: what the two above take as well. */
enum err_code block_plain_head(struct str head, struct arena *a, struct str *out,
                               struct err *e) ERR_MUST_CHECK;
enum err_code block_unpack_part(struct str packed, struct arena *a, struct str *out,
                                struct err *e) ERR_MUST_CHECK;
const struct block_stream *block_find(const struct block_view *v, enum block_kind kind,
                                      uint32_t id);
/* Cells of one stream, slice by slice (row_start); `bytes`: the stream, cut from its part. */
enum err_code block_cells(const struct block_view *v, struct str bytes, struct arena *a,
                          struct cell **cells, struct err *e) ERR_MUST_CHECK;
/* Which numbers of a stream, and where to. */
struct block_numbers {
    size_t from, to;             /* runs [from, to) */
    double *out;                 /* that of run i are out[runs.start[i] - runs.start[from]] ... */
    const unsigned char *wanted; /* by run: 0 = leave its numbers as they are; NULL = all */
};
/*
 * Numbers of one stream as codec_get_doubles gives them, object by object, the slices of each in
 * order. One call for scattered objects (`wanted`) reads the stream once.
 */
enum err_code block_get_numbers(const struct block_view *v, struct str bytes,
                                const struct block_numbers *want, struct arena *scratch,
                                struct err *e) ERR_MUST_CHECK;
/* The same for one range. */
enum err_code block_doubles(const struct block_view *v, struct str bytes, size_t from, size_t to,
                            double *out, struct arena *scratch, struct err *e) ERR_MUST_CHECK;
/* The bytes of a stream within its unpacked part; ERR_CORRUPT when they do not fit. */
enum err_code block_stream_bytes(const struct block_stream *s, struct str part, struct str *out,
                                 struct err *e) ERR_MUST_CHECK;

#endif
