/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_runs.c: runs of every class of bit patterns come back bit for bit, as cells and as
 * doubles, whole and in ranges; each coding is met; damaged bytes are refused, not followed.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/pack.h"
#include "base/varint.h"
#include "store/tsdb/codec/codec_runs.h"

#define RUNS_MAX  12
#define CELLS_MAX 4000

static uint64_t seed = 88172645463325252ULL;

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static int64_t about(int64_t center, uint64_t spread)
{
    return (int64_t)((uint64_t)center + next_random() % (2 * spread + 1) - spread);
}

static double of_bits(uint64_t bits)
{
    double v = 0;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

/* --- classes of runs; `i` is the place in the run, `s` what the class remembers --- */

struct state {
    int64_t value, rate;
    double real;
};

typedef struct cell make_cell(struct state *s, size_t i);

static struct cell make_constant(struct state *s, size_t i)
{
    (void)i;
    return cell_i64(s->rate);
}

static struct cell make_zero(struct state *s, size_t i)
{
    (void)s;
    (void)i;
    return cell_f64(0);
}

/* Sums of twelve: nearly a bell curve. */
static struct cell make_busy(struct state *s, size_t i)
{
    (void)i;
    for (int k = 0; k < 12; k++) {
        s->value += (int64_t)(next_random() % 700);
    }
    return cell_i64(s->value);
}

static struct cell make_busy_with_resets(struct state *s, size_t i)
{
    s->value = next_random() % 60 == 0 ? 0 : s->value;
    return make_busy(s, i);
}

static struct cell make_sparse(struct state *s, size_t i)
{
    (void)i;
    s->value += next_random() % 10 == 0 ? 1 + (int64_t)(next_random() % 3) : 0;
    return cell_i64(s->value);
}

static struct cell make_rare(struct state *s, size_t i)
{
    s->value = i % 97 == 50 ? (int64_t)next_random() : s->value;
    return cell_i64(s->value);
}

static struct cell make_gauge(struct state *s, size_t i)
{
    (void)i;
    s->value = about(s->value, 3);
    return cell_i64(s->value);
}

/* Spikes in a calm gauge. */
static struct cell make_spikes(struct state *s, size_t i)
{
    return next_random() % 50 == 0 ? cell_i64((int64_t)next_random()) : make_gauge(s, i);
}

static struct cell make_level(struct state *s, size_t i)
{
    (void)i;
    return cell_i64(about(s->rate, 100));
}

static struct cell make_curve(struct state *s, size_t i)
{
    return cell_i64(s->rate + (int64_t)(i * i * 1000) + about(0, 1));
}

static struct cell make_curve_of_noise(struct state *s, size_t i)
{
    s->rate += about(0, 100000) + about(0, 100000) + about(0, 100000);
    s->value += s->rate;
    (void)i;
    return cell_i64(s->value);
}

static struct cell make_edge_53(struct state *s, size_t i)
{
    int64_t v = about(1LL << 53, 4);
    (void)s;
    return i % 2 ? cell_i64(v) : cell_i64(-v);
}

static struct cell make_edge_53_double(struct state *s, size_t i)
{
    (void)s;
    (void)i;
    return cell_f64((double)about(1LL << 53, 4));
}

static struct cell make_edge_63(struct state *s, size_t i)
{
    static const int64_t edges[] = {INT64_MAX, INT64_MIN, INT64_MAX - 1, INT64_MIN + 1, 0, -1};
    (void)s;
    (void)i;
    return cell_i64(edges[next_random() % 6]);
}

static struct cell make_u64(struct state *s, size_t i)
{
    (void)s;
    (void)i;
    return cell_u64((1ULL << 63) + next_random() % 9 - 4);
}

static struct cell make_u64_any(struct state *s, size_t i)
{
    (void)s;
    (void)i;
    return cell_u64(next_random() >> next_random() % 64);
}

static struct cell make_i64_any(struct state *s, size_t i)
{
    (void)s;
    (void)i;
    return cell_i64((int64_t)next_random() >> next_random() % 64);
}

static struct cell make_denormal(struct state *s, size_t i)
{
    (void)s;
    (void)i;
    return cell_f64(of_bits(next_random() >> (12 + next_random() % 52)));
}

static struct cell make_special(struct state *s, size_t i)
{
    static const double v[] = {NAN, INFINITY, -INFINITY, 0.0, -0.0, 5e-324, 1.5, 1e300};
    (void)s;
    (void)i;
    return cell_f64(v[next_random() % 8]);
}

static struct cell make_nan(struct state *s, size_t i)
{
    uint64_t bits = UINT64_C(0x7ff0000000000001) | next_random() >> 12 | (next_random() & 1) << 63;
    (void)s;
    return cell_f64(of_bits(i % 9 == 4 ? CODEC_ABSENT_BITS : bits));
}

static struct cell make_minus_zero(struct state *s, size_t i)
{
    (void)s;
    return cell_f64(i % 3 ? 0.0 : -0.0);
}

static struct cell make_bits(struct state *s, size_t i)
{
    (void)s;
    (void)i;
    return cell_f64(of_bits(next_random()));
}

static struct cell make_noise(struct state *s, size_t i)
{
    (void)s;
    (void)i;
    return cell_f64(1 + (double)(next_random() >> 12) / 4503599627370496.0);
}

/* Binary fractions whose ends are zeros. */
static struct cell make_binary(struct state *s, size_t i)
{
    (void)i;
    s->value = about(s->value, 50);
    return cell_f64((double)s->value / 1099511627776.0 + 1);
}

static struct cell make_decimal(struct state *s, size_t i)
{
    (void)i;
    s->value = about(s->value, 500);
    return cell_f64((double)s->value / 1000);
}

static struct cell make_decimal_with_nan(struct state *s, size_t i)
{
    return next_random() % 40 == 0 ? make_special(s, i) : make_decimal(s, i);
}

static struct cell make_number(struct state *s, size_t i)
{
    struct cell c = make_decimal(s, i);
    return c.f64 == floor(c.f64) || next_random() % 4 == 0 ? cell_i64((int64_t)c.f64) : c;
}

static struct cell make_big_number(struct state *s, size_t i)
{
    return next_random() % 20 == 0 ? make_edge_63(s, i) : make_number(s, i);
}

static struct cell make_any(struct state *s, size_t i)
{
    static make_cell *const some[] = {make_i64_any, make_u64_any, make_bits, make_decimal};
    return some[next_random() % 4](s, i);
}

static make_cell *const makers[] = {make_constant,
                                    make_zero,
                                    make_busy,
                                    make_busy_with_resets,
                                    make_sparse,
                                    make_rare,
                                    make_gauge,
                                    make_spikes,
                                    make_level,
                                    make_curve,
                                    make_curve_of_noise,
                                    make_edge_53,
                                    make_edge_53_double,
                                    make_edge_63,
                                    make_u64,
                                    make_u64_any,
                                    make_i64_any,
                                    make_denormal,
                                    make_special,
                                    make_nan,
                                    make_minus_zero,
                                    make_bits,
                                    make_noise,
                                    make_binary,
                                    make_decimal,
                                    make_decimal_with_nan,
                                    make_number,
                                    make_big_number,
                                    make_any};

#define MAKERS (sizeof(makers) / sizeof(*makers))

enum absence { ABSENT_NEVER, ABSENT_STRETCHES, ABSENT_ANYWHERE, ABSENT_ALWAYS };

static void make_run(struct cell *out, size_t n, make_cell *make, enum absence absence)
{
    struct state s = {about(1000000, 900000), about(0, 3000), 0};
    bool away = next_random() % 2;

    for (size_t i = 0; i < n; i++) {
        away = next_random() % 30 == 0 ? !away : away;
        bool null = absence == ABSENT_ALWAYS || (absence == ABSENT_STRETCHES && away) ||
                    (absence == ABSENT_ANYWHERE && next_random() % 2);
        out[i] = null ? (struct cell){.tag = CELL_NULL} : make(&s, i);
    }
}

/* --- comparing --- */

static void assert_cell(const struct cell *got, const struct cell *want)
{
    assert_int_equal(got->tag, want->tag);
    if (want->tag != CELL_NULL) {
        assert_memory_equal(&got->i64, &want->i64, sizeof(got->i64));
    }
}

static void assert_double(double got, const struct cell *want)
{
    double v = cell_to_f64(*want);

    if (want->tag == CELL_NULL) {
        assert_true(codec_is_absent(got));
    } else if (isnan(v)) {
        assert_true(isnan(got) && !codec_is_absent(got));
    } else {
        assert_memory_equal(&got, &v, sizeof(v));
    }
}

struct column {
    struct cell cells[CELLS_MAX];
    uint32_t start[RUNS_MAX + 1];
    struct codec_runs runs;
};

static void init_pieces(struct codec_pieces *p)
{
    buf_init(&p->params, 1 << 20);
    buf_init(&p->symbols, 1 << 20);
    buf_init(&p->fields, 1 << 20);
}

static void fini_pieces(struct codec_pieces *p)
{
    assert_false(p->params.failed || p->symbols.failed || p->fields.failed);
    buf_fini(&p->params);
    buf_fini(&p->symbols);
    buf_fini(&p->fields);
}

static void put_runs(struct codec_pieces *p, struct arena *a, const struct column *c)
{
    struct codec_values v;

    v.tags = arena_array(a, CELLS_MAX, sizeof(*v.tags));
    v.bits = arena_array(a, CELLS_MAX, sizeof(*v.bits));
    for (size_t i = 0; i < c->start[c->runs.count]; i++) {
        assert_true(codec_set_value(&v, i, &c->cells[i]));
    }
    codec_put_runs(p, a, &v, &c->runs);
}

static struct str put_column(struct arena *a, const struct column *c)
{
    struct codec_pieces p;

    init_pieces(&p);
    put_runs(&p, a, c);
    buf_add_str(&p.params, buf_view(&p.symbols));
    buf_add_str(&p.params, buf_view(&p.fields));
    struct str out = arena_str(a, buf_view(&p.params));
    fini_pieces(&p);
    return out;
}

static void check_cells(struct arena *a, const struct column *c, struct str bytes)
{
    struct cell *back = NULL;
    struct err e = {0};

    if (codec_get_runs(bytes, a, &(struct codec_cells){&c->runs, NULL}, &back, &e)) {
        fail_msg("%s", e.text);
    }
    for (size_t i = 0; i < c->start[c->runs.count]; i++) {
        assert_cell(&back[i], &c->cells[i]);
    }
}

static void check_doubles(struct arena *a, const struct column *c, struct str bytes, size_t from,
                          size_t to)
{
    size_t n = c->start[to] - c->start[from];
    double *out = malloc(n * sizeof(*out) + 1); /* exactly: the sanitizer sees one beyond */
    struct codec_doubles want = {&c->runs, from, to, out, NULL};
    struct err e = {0};

    if (codec_get_doubles(bytes, a, &want, &e)) {
        fail_msg("%s", e.text);
    }
    for (size_t i = 0; i < n; i++) {
        assert_double(out[i], &c->cells[c->start[from] + i]);
    }
    free(out);
}

/* Scattered runs: the others stay as they are. */
static void check_wanted(struct arena *a, const struct column *c, struct str bytes)
{
    size_t n = c->start[c->runs.count];
    double *out = malloc(n * sizeof(*out) + 1);
    unsigned char wanted[RUNS_MAX];
    struct codec_doubles want = {&c->runs, 0, c->runs.count, out, wanted};
    struct err e = {0};

    for (size_t r = 0; r < c->runs.count; r++) {
        wanted[r] = next_random() % 2;
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = 12345;
    }
    assert_int_equal(codec_get_doubles(bytes, a, &want, &e), ERR_OK);
    for (size_t r = 0; r < c->runs.count; r++) {
        for (size_t i = c->start[r]; i < c->start[r + 1]; i++) {
            if (wanted[r]) {
                assert_double(out[i], &c->cells[i]);
            } else {
                assert_true(out[i] == 12345);
            }
        }
    }
    free(out);
}

/* Which codings of which classes a stream has. */
static void note_kinds(struct str bytes, size_t count, bool seen[256])
{
    uint64_t unused = 0;

    assert_int_equal(bytes.ptr[0], CODEC_RUNS_TYPE);
    bytes.ptr++;
    bytes.len--;
    assert_true(varint_take(&bytes, &unused) && varint_take(&bytes, &unused));
    for (size_t i = 0; i < count; i++) {
        seen[(unsigned char)bytes.ptr[i]] = true;
    }
}

static void make_column(struct column *c, make_cell *make, size_t run_count)
{
    size_t at = 0;

    for (size_t r = 0; r < run_count; r++) {
        size_t len = next_random() % (next_random() % 4 ? 300 : 4);
        enum absence absence = next_random() % 4 ? ABSENT_NEVER : (enum absence)(next_random() % 4);
        make_run(c->cells + at, len, make ? make : makers[next_random() % MAKERS], absence);
        c->start[r] = (uint32_t)at;
        at += len;
    }
    c->start[run_count] = (uint32_t)at;
    c->runs = (struct codec_runs){c->start, run_count};
}

static void test_every_class_comes_back(void **state)
{
    static struct column c;
    bool seen[256] = {false};
    struct arena a;
    (void)state;

    arena_init(&a, "test", 64 << 20);
    for (size_t round = 0; round < 20 * (MAKERS + 1); round++) {
        size_t kind = round % (MAKERS + 1);
        make_column(&c, kind < MAKERS ? makers[kind] : NULL, 1 + next_random() % RUNS_MAX);
        struct str bytes = put_column(&a, &c);
        check_cells(&a, &c, bytes);
        check_doubles(&a, &c, bytes, 0, c.runs.count);
        size_t from = next_random() % c.runs.count;
        check_doubles(&a, &c, bytes, from, from + next_random() % (c.runs.count - from + 1));
        check_wanted(&a, &c, bytes);
        note_kinds(bytes, c.runs.count, seen);
        arena_reset(&a);
    }
    for (unsigned coding = CODEC_RUN_CONST; coding <= CODEC_RUN_LIST1; coding++) {
        bool met = false;
        for (unsigned i = CODEC_RUN_I64 << CODEC_RUN_SHIFT; i < 256; i++) {
            met |= seen[i] && (i & CODEC_RUN_CODING) == coding;
        }
        if (!met) {
            fail_msg("coding %u was never chosen", coding);
        }
    }
    for (unsigned class = CODEC_RUN_NULL; class <= CODEC_RUN_NUM; class ++) {
        bool met = false;
        for (unsigned i = 0; i < 128; i++) {
            met |= i >> CODEC_RUN_SHIFT == class && (seen[i] || seen[i | CODEC_RUN_EXTRAS]);
        }
        if (!met) {
            fail_msg("class %u was never chosen", class);
        }
    }
    arena_fini(&a);
}

/* How many bytes a run of n cells of a class takes, symbols packed as in a block. */
static size_t size_of(struct arena *a, make_cell *make, size_t n)
{
    static struct column c;
    struct codec_pieces p;
    struct buf packed;
    struct err e = {0};

    make_run(c.cells, n, make, ABSENT_NEVER);
    c.start[0] = 0;
    c.start[1] = (uint32_t)n;
    c.runs = (struct codec_runs){c.start, 1};
    init_pieces(&p);
    buf_init(&packed, 1 << 20);
    put_runs(&p, a, &c);
    assert_int_equal(pack_zstd(buf_view(&p.symbols), 1, &packed, &e), ERR_OK);
    size_t symbols = packed.len < p.symbols.len ? packed.len : p.symbols.len;
    size_t size = p.params.len + symbols + p.fields.len;
    buf_fini(&packed);
    fini_pieces(&p);
    return size;
}

static void test_each_class_is_small(void **state)
{
    struct arena a;
    (void)state;

    arena_init(&a, "test", 64 << 20);
    assert_true(size_of(&a, make_constant, 1440) < 12);
    assert_true(size_of(&a, make_zero, 1440) < 12);
    assert_true(size_of(&a, make_rare, 1440) < 200);   /* 15 values of 8 bytes */
    assert_true(size_of(&a, make_sparse, 1440) < 260); /* 1.2 bits and a head */
    assert_true(size_of(&a, make_gauge, 1440) < 3 * 180 + 20);
    assert_true(size_of(&a, make_spikes, 1440) < 3 * 180 + 60 * 12 + 100);
    assert_true(size_of(&a, make_level, 1440) < 8 * 180 + 20);
    assert_true(size_of(&a, make_curve, 1440) < 4 * 180 + 30);
    assert_true(size_of(&a, make_busy_with_resets, 1440) < 13 * 180 + 400);
    assert_true(size_of(&a, make_decimal, 1440) < 10 * 180 + 30);
    assert_true(size_of(&a, make_decimal_with_nan, 1440) < 11 * 180 + 72 * 11 + 100);
    assert_true(size_of(&a, make_noise, 1440) < 53 * 180 + 30);
    assert_true(size_of(&a, make_binary, 1440) < 13 * 180);
    assert_true(size_of(&a, make_bits, 1440) < 64 * 180 + 100);
    arena_fini(&a);
}

/* Cells with text in them are not in runs; the readers take them all the same. */
static void test_text_has_no_numbers(void **state)
{
    static struct column c;
    struct arena a;
    struct err e = {0};
    struct cell *back = NULL;
    double out[3];
    (void)state;

    arena_init(&a, "test", 1 << 20);
    c.cells[0] = cell_str(STR("active"));
    c.cells[1] = cell_i64(-7);
    c.cells[2] = (struct cell){.tag = CELL_NULL};
    c.start[1] = 1;
    c.start[2] = 3;
    c.runs = (struct codec_runs){c.start, 2};
    struct buf stream;
    buf_init(&stream, 1 << 20);
    codec_put_column(&stream, &a, c.cells, 3);
    struct str bytes = buf_view(&stream);
    struct codec_doubles want = {&c.runs, 0, 2, out, NULL};
    assert_int_equal(codec_get_runs(bytes, &a, &(struct codec_cells){&c.runs, NULL}, &back, &e),
                     ERR_OK);
    assert_true(str_eq_c(back[0].str, "active") && back[1].i64 == -7);
    assert_int_equal(codec_get_doubles(bytes, &a, &want, &e), ERR_OK);
    assert_true(codec_is_absent(out[0]) && out[1] == -7 && codec_is_absent(out[2]));
    buf_fini(&stream);
    arena_fini(&a);
}

/* Bytes changed at random: any answer but a crash is right. */
static void test_damaged_runs_never_crash(void **state)
{
    static struct column c;
    struct arena a;
    size_t refused = 0;
    (void)state;

    arena_init(&a, "test", 64 << 20);
    for (int round = 0; round < 3000; round++) {
        struct cell *back = NULL;
        struct err e = {0};
        make_column(&c, NULL, 3);
        struct str bytes = put_column(&a, &c);
        char *copy = malloc(bytes.len); /* exactly */
        memcpy(copy, bytes.ptr, bytes.len);
        size_t len = next_random() % 4 ? bytes.len : next_random() % bytes.len;
        size_t reach = next_random() % 2 ? bytes.len : (bytes.len < 24 ? bytes.len : 24);
        for (uint64_t hits = 1 + next_random() % 3; hits > 0; hits--) {
            copy[next_random() % reach] = (char)next_random();
        }
        char *cut = malloc(len + 1);
        memcpy(cut, copy, len);
        struct str in = str_make(cut, len);
        refused += codec_get_runs(in, &a, &(struct codec_cells){&c.runs, NULL}, &back, &e) !=
                   ERR_OK;
        double *out = malloc(c.start[3] * sizeof(*out) + 1);
        struct codec_doubles want = {&c.runs, 0, 3, out, NULL};
        refused += codec_get_doubles(in, &a, &want, &e) != ERR_OK;
        free(out);
        free(cut);
        free(copy);
        arena_reset(&a);
    }
    assert_true(refused > 2000);
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_class_comes_back),
        cmocka_unit_test(test_each_class_is_small),
        cmocka_unit_test(test_text_has_no_numbers),
        cmocka_unit_test(test_damaged_runs_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
