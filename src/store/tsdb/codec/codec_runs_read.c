/* SPDX-License-Identifier: PostgreSQL */
/*
 * codec_runs_read.c: runs into cells, or straight into doubles.
 */
#include "store/tsdb/codec/codec_run.h"

#include <string.h>

#define DOUBLE_NAN_BITS UINT64_C(0x7ff8000000000000)

bool codec_cut_runs(struct arena *a, size_t n, struct codec_runs *out)
{
    size_t count = (n + CODEC_RUN_PIECE - 1) / CODEC_RUN_PIECE;
    uint32_t *start = arena_array(a, count + 1, sizeof(*start));

    for (size_t i = 0; start && i < count; i++) {
        start[i] = (uint32_t)(i * CODEC_RUN_PIECE);
    }
    if (start) {
        start[count] = (uint32_t)n;
    }
    *out = (struct codec_runs){start, count};
    return start != NULL;
}

static enum err_code bad_stream(const struct arena *a, struct err *e)
{
    enum err_code code = arena_check(a, e);
    return code ? code : err_set(e, ERR_CORRUPT, "column stream: bad runs");
}

/* --- cells --- */

/* Decimals and whole numbers; these are multiples of the power, and small, or damaged. */
static bool put_numbers(const struct codec_reader *r, const struct codec_run *run, struct cell *out)
{
    double by = codec_power10[run->decimals];

    for (size_t i = 0; i < run->value_count; i++) {
        int64_t v = (int64_t)r->x[i];
        out[i] = cell_f64((double)v / by);
        if (r->whole[i]) {
            int64_t whole = v / (int64_t)by;
            out[i] = cell_i64(whole);
            if (whole * (int64_t)by != v || v > CODEC_RUN_SPAN || v < -CODEC_RUN_SPAN) {
                return false;
            }
        }
    }
    return true;
}

static bool put_cells(const struct codec_reader *r, const struct codec_run *run, struct cell *out)
{
    const uint64_t *x = r->x;
    double by = codec_power10[run->decimals];

    if (run->class == CODEC_RUN_NUM) {
        return put_numbers(r, run, out);
    }
    for (size_t i = 0; i < run->value_count; i++) {
        switch (run->class) {
        case CODEC_RUN_NULL:
        case CODEC_RUN_NUM:
            break;
        case CODEC_RUN_I64:
            out[i] = cell_i64((int64_t)x[i]);
            break;
        case CODEC_RUN_U64:
            out[i] = cell_u64(x[i]);
            break;
        case CODEC_RUN_F64:
            out[i] = cell_f64(bits_double(x[i]));
            break;
        case CODEC_RUN_DEC:
            out[i] = cell_f64((double)(int64_t)x[i] / by);
            break;
        }
    }
    return true;
}

static void put_other_cells(const struct codec_run *run, struct cell *out)
{
    struct str list = run->others;
    struct codec_other one = {0, {.tag = CELL_NULL}};
    size_t next = 0;

    for (size_t i = 0;
         i < run->other_count && codec_reader_other(&list, next, run->value_count, &one); i++) {
        out[one.at] = one.cell;
        next = one.at + 1;
    }
}

/* Values stand at the front: move them to their places, from the last on. */
static void spread_cells(const struct codec_reader *r, const struct codec_run *run,
                         struct cell *out)
{
    size_t from = run->value_count;
    for (size_t i = run->n; i-- > 0;) {
        if (r->null[i]) {
            out[i] = (struct cell){.tag = CELL_NULL};
        } else {
            out[i] = out[--from];
        }
    }
}

struct cell *codec_move_cells(struct arena *a, const struct cell *cells, const uint32_t *to,
                              size_t n)
{
    struct cell *out = arena_array(a, n, sizeof(*out));

    for (size_t i = 0; out && i < n; i++) {
        out[to[i]] = cells[i];
    }
    return out;
}

/* The cells of one run into `to`. */
static bool get_run(struct codec_reader *r, unsigned kind, size_t n, struct cell *to)
{
    struct codec_run run = {.n = n};

    if (!codec_reader_run(r, kind, &run)) {
        return false;
    }
    if (run.class == CODEC_RUN_NULL) {
        memset(to, 0, n * sizeof(*to)); /* CELL_NULL */
        return true;
    }
    if (!put_cells(r, &run, to)) {
        return false;
    }
    put_other_cells(&run, to);
    if (run.extras & CODEC_HAS_NULLS) {
        spread_cells(r, &run, to);
    }
    return true;
}

static enum err_code get_plain(struct str in, struct arena *a, const struct codec_cells *want,
                               struct cell **cells, struct err *e)
{
    size_t n = want->runs->start[want->runs->count];
    enum err_code code = codec_get_column(in, a, n, cells, e);

    if (code == ERR_OK && want->to) {
        *cells = codec_move_cells(a, *cells, want->to, n);
        code = *cells ? ERR_OK : arena_fail(a, e);
    }
    return code;
}

enum err_code codec_get_runs(struct str in, struct arena *a, const struct codec_cells *want,
                             struct cell **cells, struct err *e)
{
    const uint32_t *start = want->runs->start;
    struct codec_reader r = {.longest = 0};

    if (in.len == 0 || (unsigned char)in.ptr[0] != CODEC_RUNS_TYPE) {
        return get_plain(in, a, want, cells, e);
    }
    struct cell *out = arena_array(a, start[want->runs->count], sizeof(*out));
    if (!out || !codec_reader_init(&r, in, a, want->runs)) {
        return bad_stream(a, e);
    }
    struct cell *one = want->to ? arena_array(a, r.longest, sizeof(*one)) : NULL;
    if (want->to && !one) {
        return arena_fail(a, e);
    }
    for (size_t i = 0; i < want->runs->count; i++) {
        size_t n = start[i + 1] - start[i];
        if (!get_run(&r, r.kinds[i], n, one ? one : out + start[i])) {
            return bad_stream(a, e);
        }
        for (size_t c = 0; one && c < n; c++) {
            out[want->to[start[i] + c]] = one[c];
        }
    }
    if (!codec_reader_at_end(&r)) {
        return bad_stream(a, e);
    }
    *cells = out;
    return ERR_OK;
}

/* --- doubles --- */

static double present(double v)
{
    return codec_is_absent(v) ? bits_double(DOUBLE_NAN_BITS) : v;
}

static double absent(void)
{
    return bits_double(CODEC_ABSENT_BITS);
}

static double number_of(const struct cell *c)
{
    switch (c->tag) {
    case CELL_I64:
        return (double)c->i64;
    case CELL_U64:
        return (double)c->u64;
    case CELL_F64:
        return present(c->f64);
    case CELL_NULL:
    case CELL_STR:
        break;
    }
    return absent();
}

static void put_doubles(const uint64_t *x, const struct codec_run *run, double *out)
{
    size_t n = run->value_count;
    double by = codec_power10[run->decimals];

    switch (run->class) {
    case CODEC_RUN_NULL:
        for (size_t i = 0; i < run->n; i++) {
            out[i] = absent();
        }
        break;
    case CODEC_RUN_I64:
        for (size_t i = 0; i < n; i++) {
            out[i] = (double)(int64_t)x[i];
        }
        break;
    case CODEC_RUN_U64:
        for (size_t i = 0; i < n; i++) {
            out[i] = (double)x[i];
        }
        break;
    case CODEC_RUN_F64:
        for (size_t i = 0; i < n; i++) {
            out[i] = present(bits_double(x[i]));
        }
        break;
    case CODEC_RUN_DEC:
    case CODEC_RUN_NUM:
        for (size_t i = 0; i < n; i++) {
            out[i] = (double)(int64_t)x[i] / by;
        }
        break;
    }
}

static void put_other_doubles(const struct codec_run *run, double *out)
{
    struct str list = run->others;
    struct codec_other one = {0, {.tag = CELL_NULL}};
    size_t next = 0;

    for (size_t i = 0;
         i < run->other_count && codec_reader_other(&list, next, run->value_count, &one); i++) {
        out[one.at] = number_of(&one.cell);
        next = one.at + 1;
    }
}

static void spread_doubles(const struct codec_reader *r, const struct codec_run *run, double *out)
{
    size_t from = run->value_count;
    for (size_t i = run->n; i-- > 0;) {
        out[i] = r->null[i] ? absent() : out[--from];
    }
}

/* A column that is not in runs: by way of its cells. */
static enum err_code whole_column(struct str in, struct arena *scratch,
                                  const struct codec_doubles *want, struct err *e)
{
    const uint32_t *start = want->runs->start;
    struct cell *cells = NULL;
    enum err_code code = codec_get_column(in, scratch, start[want->runs->count], &cells, e);

    for (size_t r = want->from; code == ERR_OK && r < want->to; r++) {
        bool skip = want->wanted && !want->wanted[r];
        for (size_t i = start[r]; !skip && i < start[r + 1]; i++) {
            want->out[i - start[want->from]] = number_of(&cells[i]);
        }
    }
    return code;
}

enum err_code codec_get_doubles(struct str in, struct arena *scratch,
                                const struct codec_doubles *want, struct err *e)
{
    const uint32_t *start = want->runs->start;
    struct codec_reader r = {.longest = 0};

    if (in.len == 0 || (unsigned char)in.ptr[0] != CODEC_RUNS_TYPE) {
        return whole_column(in, scratch, want, e);
    }
    if (!codec_reader_init(&r, in, scratch, want->runs)) {
        return bad_stream(scratch, e);
    }
    for (size_t i = 0; i < want->to; i++) {
        bool skip = i < want->from || (want->wanted && !want->wanted[i]);
        struct codec_run run = {.n = start[i + 1] - start[i], .skip = skip};
        if (!codec_reader_run(&r, r.kinds[i], &run)) {
            return bad_stream(scratch, e);
        }
        if (run.skip) {
            continue;
        }
        double *to = want->out + (start[i] - start[want->from]);
        put_doubles(r.x, &run, to);
        put_other_doubles(&run, to);
        if (run.extras & CODEC_HAS_NULLS) {
            spread_doubles(&r, &run, to);
        }
    }
    if (want->to == want->runs->count && !codec_reader_at_end(&r)) {
        return bad_stream(scratch, e);
    }
    return ERR_OK;
}
