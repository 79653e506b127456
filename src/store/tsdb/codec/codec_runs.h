/* SPDX-License-Identifier: PostgreSQL */
/*
 * codec_runs.h: a column of a block as runs, one for each object, each coded in the way that is
 * shortest for it. README.md describes the format.
 *
 * A stream is written in three pieces, which a block keeps apart because they pack differently:
 * what runs are, symbols of about one law, and bit fields in which a packer finds little. A reader
 * gets them joined. Where runs begin is not in the stream: the block knows.
 * Owner:   decoded strings borrow from the input, arrays live in the arena
 * Errors:  encoding never fails but for the maximum of the bufs and the arena; decoding is safe on
 *          any bytes and answers ERR_CORRUPT
 * Threads: any
 */
#ifndef STORE_TSDB_CODEC_CODEC_RUNS_H
#define STORE_TSDB_CODEC_CODEC_RUNS_H

#include <string.h>

#include "store/tsdb/codec/codec.h"

#define CODEC_RUN_PIECE 1024 /* cells of a run where there are no objects */

/* Run i is the cells start[i] ... start[i + 1] - 1; start[0] = 0. */
struct codec_runs {
    const uint32_t *start; /* count + 1 */
    size_t count;
};

/* Runs of CODEC_RUN_PIECE for n cells, in the arena; false when that is full. */
bool codec_cut_runs(struct arena *a, size_t n, struct codec_runs *out);

/* What the reader of doubles puts where there is no number: a NaN that no cell decodes to. */
#define CODEC_ABSENT_BITS UINT64_C(0x7ffc706761616273)
static inline bool codec_is_absent(double v)
{
    union {
        double v;
        uint64_t bits;
    } u = {.v = v};
    return u.bits == CODEC_ABSENT_BITS;
}

#define CODEC_PIECES 3
struct codec_pieces {
    struct buf params, symbols, fields;
};

/* Cells without text, in less room: 9 bytes each. */
struct codec_values {
    unsigned char *tags; /* enum cell_tag */
    uint64_t *bits;      /* i64, u64, or the pattern of f64 */
};
/* False for text. */
static inline bool codec_set_value(struct codec_values *v, size_t at, const struct cell *c)
{
    v->tags[at] = (unsigned char)c->tag;
    memcpy(&v->bits[at], &c->i64, sizeof(c->i64));
    return c->tag != CELL_STR;
}

/* Append a column. Columns with text go through codec_put_column, to params. */
void codec_put_runs(struct codec_pieces *out, struct arena *scratch,
                    const struct codec_values *values, const struct codec_runs *runs);
/* Where cells go. */
struct codec_cells {
    const struct codec_runs *runs;
    const uint32_t *to; /* by place in the stream: the place of its cell; NULL = the same */
};
/* Every cell of a whole stream, exact. */
enum err_code codec_get_runs(struct str in, struct arena *a, const struct codec_cells *want,
                             struct cell **cells, struct err *e) ERR_MUST_CHECK;
/* A copy with cells[i] at to[i]; NULL when the arena is full. */
struct cell *codec_move_cells(struct arena *a, const struct cell *cells, const uint32_t *to,
                              size_t n);

/* Which runs to decode, and where to. */
struct codec_doubles {
    const struct codec_runs *runs;
    size_t from, to;             /* runs [from, to) */
    double *out;                 /* start[to] - start[from] numbers */
    const unsigned char *wanted; /* by run: 0 = leave its numbers as they are; NULL = all */
};
/*
 * Cells as doubles: integers above 2^53 are rounded, NULL and text are absent, and the NaN that
 * means absent comes back as another NaN. Other runs are passed over, not decoded.
 */
enum err_code codec_get_doubles(struct str in, struct arena *scratch,
                                const struct codec_doubles *want, struct err *e) ERR_MUST_CHECK;

/* --- the format, for writer and reader --- */

#define CODEC_RUNS_TYPE    0x07 /* first byte of the stream; below it: codec_put_column */
#define CODEC_RUN_DECIMALS 9
#define CODEC_RUN_SPAN     (INT64_C(1) << 52) /* decimals are smaller: a half more is exact */

/* What a run's cells are; bits 4 to 6 of its description. */
enum codec_run_class {
    CODEC_RUN_NULL, /* all NULL */
    CODEC_RUN_I64,
    CODEC_RUN_U64, /* CELL_U64, CELL_I64 >= 0 */
    CODEC_RUN_F64, /* bit patterns of doubles */
    CODEC_RUN_DEC, /* doubles = integer / 10^k */
    CODEC_RUN_NUM, /* the same, and a mask of those that are CELL_I64 */
};

/* How its integers are written; bits 0 to 3. The number in a name is the order of differences. */
enum codec_run_coding {
    CODEC_RUN_CONST,
    CODEC_RUN_PACK0,
    CODEC_RUN_PACK1,
    CODEC_RUN_PACK2,
    CODEC_RUN_SPLIT0, /* as PACK, but the 8 high bits of a field are symbols */
    CODEC_RUN_SPLIT1,
    CODEC_RUN_SPLIT2,
    CODEC_RUN_BITMAP, /* one bit: changed or not, then the changes */
    CODEC_RUN_STEPS,  /* distances between changes, then the changes */
    CODEC_RUN_XOR,
    CODEC_RUN_LIST0, /* a varint each: for runs of a few */
    CODEC_RUN_LIST1,
};

#define CODEC_RUN_CODING  0x0f
#define CODEC_RUN_SHIFT   4 /* of the class */
#define CODEC_RUN_EXTRAS  0x80
#define CODEC_HAS_NULLS   1u
#define CODEC_HAS_OTHERS  2u /* cells that are not of the class */
#define CODEC_HAS_PATCHES 4u /* fields that are wider than the rest */

extern const double codec_power10[CODEC_RUN_DECIMALS + 1];

#endif
