/* SPDX-License-Identifier: PostgreSQL */
/*
 * codec_bench.c: bytes and speed of blocks, for the data set of the performance notes.
 *
 * codec-bench [AGENTS]: 1000 series for each agent: 40 % constant, 25 % busy integer counters, 10 %
 * sparse counters, 15 % integer gauges, 10 % floats with 3 decimals; 60 s apart. As `loose` samples
 * (one column of 1000 objects) and as a `table` (50 objects of 20 columns). Floats are a `walk` of
 * small steps or `noise` about a mean; `sparse` is a table of 1000 objects of which a slice has 5 %
 * (statements that changed). One line for each shape, data and number of slices:
 * bytes a sample beside the entropy of the very same samples under the law that made them (no codec
 * can do better on average), and millions of samples per CPU second.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/tsdb/codec/block.h"

enum { SERIES = 1000, AGENTS = 8, ROUNDS = 5 };
enum kind { CONSTANT, BUSY, SPARSE, GAUGE, FLOAT };
enum floats { WALK, NOISE };

static const enum kind kinds[20] = {
    CONSTANT, CONSTANT, CONSTANT, CONSTANT, CONSTANT, CONSTANT, CONSTANT, CONSTANT, BUSY,  BUSY,
    BUSY,     BUSY,     BUSY,     SPARSE,   SPARSE,   GAUGE,    GAUGE,    GAUGE,    FLOAT, FLOAT};

struct series {
    enum kind kind;
    int64_t value; /* floats: thousandths */
    int64_t rate;
};

struct shape {
    const char *name;
    size_t objects, columns;
    double presence; /* of an object in a slice */
    enum floats floats;
};

struct figures {
    size_t samples, bytes, head, blocks;
    double entropy_bits;
    double encode_s, doubles_s, unpack_s, cells_s;
    double check; /* keeps the work from being left out */
};

static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static double uniform(void)
{
    return ((double)(next_random() >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
    return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
}

static double cpu_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Bits of the event that a normal variable falls into [v, v + 1). */
static double normal_bits(double v, double mean, double deviation)
{
    double low = (v - mean) / deviation / sqrt(2);
    double high = (v + 1 - mean) / deviation / sqrt(2);
    double p = low > 0 ? erfc(low) - erfc(high) : erfc(-high) - erfc(-low);
    return -log2(p / 2 > 1e-300 ? p / 2 : 1e-300);
}

static double next_float(struct series *s, enum floats floats)
{
    if (floats == WALK) {
        s->value += (int64_t)(next_random() % 201) - 100;
        return log2(201);
    }
    double mean = (double)s->rate * 1000;
    double v = floor(mean + normal() * mean / 20);
    s->value = (int64_t)fabs(v);
    return normal_bits(v, mean, mean / 20);
}

/* The next value; returns the bits of news in it. */
static double step(struct series *s, enum floats floats)
{
    double rate = (double)s->rate;
    double v = 0;

    switch (s->kind) {
    case CONSTANT:
        return 0;
    case BUSY:
        v = floor(rate + normal() * rate / 10);
        s->value += (int64_t)fmax(0, v);
        return normal_bits(v, rate, rate / 10);
    case SPARSE:
        if (uniform() >= 0.1) {
            return -log2(0.9);
        }
        s->value += 1 + (int64_t)(next_random() % 3);
        return -log2(0.1 / 3);
    case GAUGE:
        s->value += (int64_t)(next_random() % 7) - 3;
        return log2(7);
    case FLOAT:
        break;
    }
    return next_float(s, floats);
}

static struct cell cell_of(const struct series *s)
{
    return s->kind == FLOAT ? cell_f64((double)s->value / 1000) : cell_i64(s->value);
}

static struct series *start_series(struct arena *a, const struct shape *shape)
{
    struct series *series = arena_array(a, shape->objects * shape->columns, sizeof(*series));

    for (size_t i = 0; series && i < shape->objects * shape->columns; i++) {
        size_t column = shape->columns > 1 ? i / shape->objects : next_random() % 20;
        series[i] = (struct series){kinds[column], 1 + (int64_t)(next_random() % 1000000),
                                    1 + (int64_t)(next_random() % 3000)};
    }
    return series;
}

/* Rows of a slice: which objects are in it, and their cells. */
static void fill_slice(struct arena *a, const struct shape *shape, struct series *series,
                       struct codec_slice *out, struct figures *f)
{
    struct codec_column *columns = arena_array(a, shape->columns, sizeof(*columns));
    struct cell *cells = arena_array(a, shape->objects * shape->columns, sizeof(*cells));

    out->objects = arena_array(a, shape->objects, sizeof(*out->objects));
    if (!columns || !cells || !out->objects) {
        exit(1);
    }
    for (size_t c = 0; c < shape->columns; c++) {
        columns[c] = (struct codec_column){.id = (uint32_t)c, .cells = cells + c * shape->objects};
    }
    for (size_t o = 0; o < shape->objects; o++) {
        bool here = shape->presence == 1 || uniform() < shape->presence;
        f->entropy_bits -= log2(here ? shape->presence : 1 - shape->presence);
        if (!here) {
            continue;
        }
        for (size_t c = 0; c < shape->columns; c++) {
            struct series *s = &series[c * shape->objects + o];
            f->entropy_bits += step(s, shape->floats);
            cells[c * shape->objects + out->row_count] = cell_of(s);
        }
        out->objects[out->row_count++] = 5000 + o;
    }
    out->columns = columns;
    out->column_count = shape->columns;
    f->samples += out->row_count * shape->columns;
}

/* One agent's slices. */
static struct codec_slice *make_slices(struct arena *a, const struct shape *shape, size_t count,
                                       struct figures *f)
{
    struct codec_slice *slices = arena_array(a, count, sizeof(*slices));
    struct series *series = start_series(a, shape);

    for (size_t s = 0; series && slices && s < count; s++) {
        slices[s] = (struct codec_slice){.group = 9,
                                         .t_ms = 1700000000000 + (int64_t)s * 60000,
                                         .from_ms = 1700000000000 + (int64_t)s * 60000 - 60000,
                                         .every_ms = 60000,
                                         .flags = SLICE_COMPLETE};
        fill_slice(a, shape, series, &slices[s], f);
    }
    return slices;
}

static void must(enum err_code code, const struct err *e)
{
    if (code) {
        (void)fprintf(stderr, "codec-bench: %s\n", e->text);
        exit(1);
    }
}

/* Every column into doubles, as a query over all objects reads it. */
static void read_doubles(const struct block_packed *b, struct arena *a, double *out,
                         struct figures *f)
{
    struct block_view v;
    struct str part = {NULL, 0};
    struct err e;
    size_t last = SIZE_MAX;

    must(block_open_by_object(b->head, a, &v, &e), &e);
    for (size_t i = 0; i < v.stream_count; i++) {
        struct str bytes;
        double start = cpu_s();
        if (v.streams[i].part != last) {
            must(block_unpack_part(b->parts[v.streams[i].part], a, &part, &e), &e);
            last = v.streams[i].part;
        }
        f->unpack_s += cpu_s() - start;
        must(block_stream_bytes(&v.streams[i], part, &bytes, &e), &e);
        const struct block_numbers want = {0, v.runs.count, out, NULL};
        must(block_get_numbers(&v, bytes, &want, a, &e), &e);
        f->check += out[v.row_total / 2];
    }
}

static void read_cells(const struct block_packed *b, struct arena *a, struct figures *f)
{
    struct block_view v;
    struct str part;
    struct err e;

    must(block_open(b->head, a, &v, &e), &e);
    for (size_t i = 0; i < v.stream_count; i++) {
        struct str bytes;
        struct cell *cells = NULL;
        must(block_unpack_part(b->parts[v.streams[i].part], a, &part, &e), &e);
        must(block_stream_bytes(&v.streams[i], part, &bytes, &e), &e);
        must(block_cells(&v, bytes, a, &cells, &e), &e);
        f->check += (double)cells[0].tag;
    }
}

static void one_agent(const struct shape *shape, size_t count, struct figures *f)
{
    struct arena data;
    struct arena built;
    struct arena scratch;
    struct block_packed packed;
    struct err e;

    arena_init(&data, "data", SIZE_MAX / 2);
    arena_init(&built, "built", SIZE_MAX / 2);
    arena_init(&scratch, "scratch", SIZE_MAX / 2);
    struct codec_slice *slices = make_slices(&data, shape, count, f);
    const struct block_input in = {.slices = slices, .count = count, .scratch = &scratch};
    double start = cpu_s();
    must(block_build(&built, &in, &packed, &e), &e);
    f->encode_s += cpu_s() - start;
    f->head += packed.head.len;
    f->bytes += packed.head.len;
    for (size_t i = 0; i < packed.part_count; i++) {
        f->bytes += packed.parts[i].len;
    }
    double *out = arena_array(&data, count * shape->objects, sizeof(*out));
    start = cpu_s();
    for (int i = 0; i < ROUNDS; i++) {
        arena_reset(&scratch);
        read_doubles(&packed, &scratch, out, f);
    }
    f->doubles_s += (cpu_s() - start) / ROUNDS;
    arena_reset(&scratch);
    start = cpu_s();
    read_cells(&packed, &scratch, f);
    f->cells_s += cpu_s() - start;
    arena_fini(&scratch);
    arena_fini(&built);
    arena_fini(&data);
}

static void print(const struct shape *shape, size_t count, const struct figures *f)
{
    double n = (double)f->samples;
    double entropy = f->entropy_bits / 8 / n;
    double value = (double)f->bytes / n;

    (void)printf("bench name=codec shape=%s floats=%s slices=%zu value=%.3f unit=B/sample "
                 "peer=%.3f peer_name=entropy ratio=%.2f head=%.4f encode=%.0f doubles=%.0f "
                 "unpack_share=%.2f cells=%.0f speed_unit=Msamples/cpu_s samples=%zu\n",
                 shape->name, shape->floats == WALK ? "walk" : "noise", count, value, entropy,
                 value / entropy, (double)f->head / n, n / f->encode_s / 1e6,
                 n / f->doubles_s / 1e6, f->unpack_s / ROUNDS / f->doubles_s, n / f->cells_s / 1e6,
                 f->samples);
}

int main(int argc, char **argv)
{
    static const struct shape shapes[] = {
        {"loose", SERIES, 1, 1, WALK},       {"loose", SERIES, 1, 1, NOISE},
        {"table", SERIES / 20, 20, 1, WALK}, {"table", SERIES / 20, 20, 1, NOISE},
        {"sparse", SERIES, 20, 0.05, WALK},  {"sparse", SERIES, 20, 0.05, NOISE}};
    static const size_t counts[] = {60, 120, 720, 1440};
    int agents = argc > 1 ? (int)strtol(argv[1], NULL, 10) : AGENTS;

    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
        for (size_t c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
            struct figures f = {0};
            for (int a = 0; a < agents; a++) {
                one_agent(&shapes[i], counts[c], &f);
            }
            print(&shapes[i], counts[c], &f);
        }
    }
    return 0;
}
