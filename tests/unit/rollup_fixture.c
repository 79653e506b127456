/* SPDX-License-Identifier: PostgreSQL */
/*
 * rollup_fixture.c: a store under a clock of its own, random readings in it, and the same questions
 * to its readings and to its roll-ups.
 */
#include "rollup_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "os/clock.h"

static const char dense[] =
    "{\"name\":\"dense\",\"help\":\"h\",\"shape\":\"object\",\"sparse\":false,\"keys\":[{\"name\":"
    "\"db\",\"help\":\"\"}],\"columns\":[{\"name\":\"n\",\"kind\":\"counter\",\"type\":\"i64\","
    "\"unit\":\"1\",\"help\":\"\"},{\"name\":\"g\",\"kind\":\"gauge\",\"type\":\"i64\",\"unit\":"
    "\"1\",\"help\":\"\"},{\"name\":\"level\",\"kind\":\"gauge\",\"type\":\"i64\",\"unit\":\"1\","
    "\"help\":\"\"},{\"name\":\"d\",\"kind\":\"delta\",\"type\":\"i64\",\"unit\":\"1\",\"help\":"
    "\"\"},{\"name\":\"word\",\"kind\":\"text\",\"type\":\"text\",\"unit\":\"\",\"help\":\"\"}]}";
static const char sparse[] =
    "{\"name\":\"sparse\",\"help\":\"h\",\"shape\":\"object\",\"sparse\":true,\"keys\":[{\"name\":"
    "\"db\",\"help\":\"\"}],\"columns\":[{\"name\":\"n\",\"kind\":\"counter\",\"type\":\"i64\","
    "\"unit\":\"1\",\"help\":\"\"},{\"name\":\"g\",\"kind\":\"gauge\",\"type\":\"i64\",\"unit\":"
    "\"1\",\"help\":\"\"},{\"name\":\"d\",\"kind\":\"delta\",\"type\":\"i64\",\"unit\":\"1\","
    "\"help\":\"\"}]}";
static const char fact[] =
    "{\"name\":\"fact\",\"help\":\"h\",\"shape\":\"fact\",\"sparse\":false,\"keys\":[{\"name\":"
    "\"db\",\"help\":\"\"},{\"name\":\"wait\",\"help\":\"\"}],\"columns\":[{\"name\":\"d\","
    "\"kind\":"
    "\"delta\",\"type\":\"i64\",\"unit\":\"1\",\"help\":\"\"}]}";

static const char level[] =
    "{\"name\":\"level\",\"help\":\"h\",\"shape\":\"object\",\"sparse\":false,\"keys\":[{\"name\":"
    "\"db\",\"help\":\"\"}],\"columns\":[{\"name\":\"v\",\"kind\":\"gauge\",\"type\":\"f64\","
    "\"unit\":\"1\",\"help\":\"\"}]}";

/* --- random readings --- */

static uint64_t next_random(struct rolling *g, uint64_t below)
{
    g->random = g->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (g->random >> 33) % below;
}

static bool one_in(struct rolling *g, uint64_t n)
{
    return next_random(g, n) == 0 && !g->quiet;
}

/* What happens to an object until the next reading; whether it restarted, although it may be
 * higher than before. */
static bool move_on(struct rolling *g, struct object *o)
{
    bool reset = one_in(g, 60);

    o->alive = g->steady || (one_in(g, 90) ? !o->alive : o->alive);
    o->n = reset ? (int64_t)next_random(g, 20) : o->n + (int64_t)next_random(g, 50);
    if (reset && one_in(g, 2)) {
        o->n += 1000000;
        return true;
    }
    o->g = (int64_t)next_random(g, 1000) - 500;
    o->level += one_in(g, 30);
    return false;
}

struct lists {
    struct buf keys, n, g, level, d, word, reset;
    size_t rows;
};

static void lists_init(struct lists *l)
{
    struct buf *all[] = {&l->keys, &l->n, &l->g, &l->level, &l->d, &l->word, &l->reset};
    for (size_t i = 0; i < 7; i++) {
        buf_init(all[i], 4096);
    }
    l->rows = 0;
}

static void lists_fini(struct lists *l)
{
    struct buf *all[] = {&l->keys, &l->n, &l->g, &l->level, &l->d, &l->word, &l->reset};
    for (size_t i = 0; i < 7; i++) {
        buf_fini(all[i]);
    }
}

static void add_value(struct rolling *g, struct buf *to, size_t row, int64_t v, uint64_t null_in)
{
    if (null_in && !g->steady && one_in(g, null_in)) {
        buf_printf(to, "%snull", row ? "," : "");
    } else {
        buf_printf(to, "%s%lld", row ? "," : "", (long long)v);
    }
}

static void add_row(struct rolling *g, struct lists *l, size_t object, bool reset)
{
    const struct object *o = &g->objects[object];
    const char *comma = l->rows ? "," : "";

    buf_printf(&l->keys, "%s\"o%zu\"", comma, object);
    buf_printf(&l->word, "%s\"w%lld\"", comma, (long long)o->level);
    add_value(g, &l->n, l->rows, o->n, 40);
    add_value(g, &l->g, l->rows, o->g, 20);
    add_value(g, &l->level, l->rows, o->level, 0);
    add_value(g, &l->d, l->rows, (int64_t)next_random(g, 9), 0);
    if (reset) {
        buf_printf(&l->reset, "%s%zu", l->reset.len ? "," : "", l->rows);
    }
    l->rows++;
}

static void put_head(const struct rolling *g, struct buf *out, const char *relation, int64_t t,
                     int64_t every)
{
    char target[TEXT_UUID_SIZE];

    text_uuid(&g->f.target, target);
    buf_printf(out,
               "{\"relation\":\"%s\",\"target\":\"%s\",\"scope\":\"\",\"t\":%lld,\"from_t\":%lld,"
               "\"every_ms\":%lld,",
               relation, target, (long long)t, (long long)g->last_t, (long long)every);
}

void rolling_dense(struct rolling *g, struct buf *out, int64_t t, int64_t every)
{
    bool complete = g->whole || !one_in(g, 12);
    struct lists l;

    put_head(g, out, "dense", t, every);
    if (!g->whole && one_in(g, 50)) {
        buf_add_c(out, "\"flags\":[\"failed\"],\"reason\":\"no\",\"rows\":0}");
        return;
    }
    lists_init(&l);
    for (size_t i = 0; i < OBJECTS; i++) {
        bool reset = move_on(g, &g->objects[i]);
        if (g->objects[i].alive && (complete || !one_in(g, 3))) {
            add_row(g, &l, i, reset);
        }
    }
    buf_printf(out,
               "\"flags\":[%s],\"rows\":%zu,\"keys\":{\"db\":[%s]},\"columns\":{\"n\":[%s],\"g\":["
               "%s],\"level\":[%s],\"d\":[%s],\"word\":[%s]},\"reset\":[%s]}",
               complete ? "\"complete\"" : "", l.rows, l.keys.ptr, l.n.ptr, l.g.ptr, l.level.ptr,
               l.d.ptr, l.word.ptr, l.reset.ptr);
    lists_fini(&l);
}

void rolling_sparse(struct rolling *g, struct buf *out, int64_t t, int64_t every)
{
    bool keyframe = t % HOUR < every || one_in(g, 200);
    struct lists l;
    struct buf gone;

    put_head(g, out, "sparse", t, every);
    lists_init(&l);
    buf_init(&gone, 4096);
    for (size_t i = 0; i < OBJECTS; i++) {
        struct object *o = &g->objects[i];
        bool before = o->alive;
        bool changed = keyframe || one_in(g, 4);
        bool reset = changed && move_on(g, o);
        if (before && !o->alive) {
            buf_printf(&gone, "%s[\"o%zu\"]", gone.len ? "," : "", i);
        } else if (o->alive && changed) {
            add_row(g, &l, i, reset);
        }
    }
    buf_printf(out,
               "\"flags\":[\"complete\"%s],\"rows\":%zu,\"keys\":{\"db\":[%s]},\"columns\":{\"n\":["
               "%s],\"g\":[%s],\"d\":[%s]},\"reset\":[%s],\"gone\":[%s]}",
               keyframe ? ",\"keyframe\"" : "", l.rows, l.keys.ptr, l.n.ptr, l.g.ptr, l.d.ptr,
               l.reset.ptr, gone.ptr);
    buf_fini(&gone);
    lists_fini(&l);
}

void rolling_fact(struct rolling *g, struct buf *out, int64_t t, int64_t every)
{
    size_t rows = (size_t)next_random(g, 4);
    size_t first = (size_t)next_random(g, 5);

    put_head(g, out, "fact", t, every);
    buf_printf(out, "\"flags\":[\"complete\"],\"rows\":%zu,\"keys\":{\"db\":[", rows);
    for (size_t i = 0; i < rows; i++) {
        buf_printf(out, "%s\"d%zu\"", i ? "," : "", i % 2);
    }
    buf_add_c(out, "],\"wait\":[");
    for (size_t i = 0; i < rows; i++) {
        buf_printf(out, "%s\"w%zu\"", i ? "," : "", first + i);
    }
    buf_add_c(out, "]},\"columns\":{\"d\":[");
    for (size_t i = 0; i < rows; i++) {
        buf_printf(out, "%s%zu", i ? "," : "", (size_t)next_random(g, 100));
    }
    buf_add_c(out, "]}}");
}

void rolling_level(struct rolling *g, struct buf *out, int64_t t, int64_t every)
{
    put_head(g, out, "level", t, every);
    buf_add_c(out, "\"flags\":[\"complete\"],\"rows\":1,\"keys\":{\"db\":[\"o1\"]},"
                   "\"columns\":{\"v\":[0.015]}}");
}

/* The readings of (from, to], with holes of up to 40 minutes; one record. */
void rolling_send(struct rolling *g, rolling_put *put, int64_t from, int64_t to, int64_t every)
{
    struct buf out;
    size_t count = 0;

    buf_init(&out, 16 << 20);
    buf_printf(&out, "{\"made_ms\":1,\"relations\":[%s,%s,%s,%s],\"slices\":[", dense, sparse, fact,
               level);
    for (int64_t t = from + every; t <= to; t += every) {
        /* a read of full readings does not look far behind its beginning */
        g->quiet = t > START_MS + 57 * 60000 && t <= START_MS + 63 * 60000;
        if (!g->whole && one_in(g, 150) && (t > START_MS + HOUR || t < START_MS + HOUR / 4)) {
            t += every * (int64_t)next_random(g, 2400000 / (uint64_t)every);
        }
        if (t > to) {
            break;
        }
        buf_add_c(&out, count++ ? "," : "");
        put(g, &out, t, every);
        g->last_t = t;
    }
    buf_add_c(&out, "]}");
    tsdb_send_ok(&g->sender, out.ptr);
    buf_fini(&out);
}

/* --- the store --- */

void rolling_wait(struct rolling *g, int64_t until_ms)
{
    int64_t end = clock_mono_us() + WAIT_US;
    struct tsdb_stats now;

    for (;;) {
        tsdb_stats(g->f.db, &now);
        if (now.rolled_up_ms >= until_ms && now.rollup_files == 0) {
            return;
        }
        if (clock_mono_us() > end) {
            fail_msg("roll-ups stay at %lld", (long long)(now.rolled_up_ms - START_MS));
        }
        clock_sleep_ms(2);
    }
}

/* One hour of readings, flushed and rolled up. */
void rolling_hour(struct rolling *g, rolling_put *put, int64_t hour, int64_t every)
{
    int64_t from = START_MS + hour * HOUR;

    tsdb_clock_set(from + HOUR + 600000);
    rolling_send(g, put, from, from + HOUR, every);
    tsdb_flush_ok(&g->f);
    rolling_wait(g, from + HOUR);
}

void rolling_begin(struct rolling *g, const char *url)
{
    tsdb_fixture_init(&g->f);
    g->f.config.url = url;
    tsdb_fixture_start(&g->f);
    tsdb_sender_init(&g->sender, &g->f);
    arena_init(&g->arena, "test", 256 << 20);
    g->random = 42;
    g->last_t = START_MS;
    for (size_t i = 0; i < OBJECTS; i++) {
        g->objects[i].alive = i > 0;
    }
}

void rolling_end(struct rolling *g)
{
    arena_fini(&g->arena);
    tsdb_fixture_fini(&g->f);
}

int rolling_set_up(void **state)
{
    struct rolling *g = alloc_new(sizeof(*g));

    tsdb_clock_take(START_MS);
    rolling_begin(g, NULL);
    *state = g;
    return 0;
}

int rolling_tear_down(void **state)
{
    struct rolling *g = *state;

    rolling_end(g);
    tsdb_clock_give_back();
    alloc_free(g);
    return 0;
}

/* --- both ways of reading --- */

struct aggregate_result *rolling_run(struct rolling *g, struct aggregate_spec spec, bool readings)
{
    struct tsdb_reader *r = tsdb_borrow(&g->f);
    struct aggregate_result *out = NULL;
    struct err e = {0};

    spec.target = g->f.target;
    spec.readings_only = readings;
    if (aggregate_run(r, &g->arena, &spec, &out, &e)) {
        fail_msg("aggregate: %s", e.text);
    }
    tsdb_reader_return(r);
    return out;
}

static const struct aggregate_series *same_series(const struct aggregate_result *in,
                                                  const struct aggregate_series *like)
{
    for (size_t i = 0; i < in->series_count; i++) {
        const struct aggregate_series *s = &in->series[i];
        bool same = s->column == like->column && s->label_count == like->label_count;
        for (size_t l = 0; same && l < s->label_count; l++) {
            same = str_eq(s->label_values[l], like->label_values[l]);
        }
        if (same) {
            return s;
        }
    }
    return NULL;
}

/* Roll-ups give what the readings give: integers exactly, means within their rounding. */
static void compare(struct rolling *g, const struct aggregate_spec *spec)
{
    const struct aggregate_result *want = rolling_run(g, *spec, true);
    const struct aggregate_result *got = rolling_run(g, *spec, false);
    bool exact = spec->op != AGGREGATE_AVG && spec->op != AGGREGATE_RATE;

    assert_int_equal(got->point_count, want->point_count);
    assert_true(want->series_count > 0);
    for (size_t i = 0; i < want->series_count; i++) {
        const struct aggregate_series *w = &want->series[i];
        const struct aggregate_series *s = same_series(got, w);
        assert_non_null(s);
        for (size_t p = 0; p < want->point_count; p++) {
            double a = w->values[p];
            double b = s->values[p];
            double most = exact ? 0 : 1e-9 * fmax(1, fabs(a));
            if (isnan(a) != isnan(b) || (!isnan(a) && fabs(a - b) > most)) {
                fail_msg("%.*s.%.*s %s, series %zu, step %lld, point %zu of %zu: %.17g instead of "
                         "%.17g",
                         STR_ARG(spec->relation), STR_ARG(spec->columns[0]),
                         aggregate_op_name(spec->op), i, (long long)spec->step_ms / 60000, p,
                         want->point_count, b, a);
            }
            assert_true(fabs(got->covered[p] - want->covered[p]) < 1e-9);
        }
    }
    arena_reset(&g->arena);
}

void rolling_compare_all(struct rolling *g, const char *relation, const struct question *q,
                         size_t count, int hours)
{
    static const int steps[] = {5, 30, 60, 180};

    for (size_t i = 0; i < count; i++) {
        const struct str column[] = {str_of(q[i].column)};
        for (size_t s = 0; s < 4 && steps[s] <= hours * 60; s++) {
            struct aggregate_spec spec = {.relation = str_of(relation),
                                          .columns = column,
                                          .column_count = 1,
                                          .op = q[i].op,
                                          .by_mode = q[i].by,
                                          .from_ms = START_MS + HOUR,
                                          .step_ms = steps[s] * 60000LL};
            spec.to_ms = spec.from_ms + hours * HOUR;
            compare(g, &spec);
        }
    }
}

/* Which tier a read of hours is served by. */
void rolling_expect_tier(struct rolling *g, const char *relation, int64_t step_ms,
                         enum tsdb_tier tier)
{
    const struct tsdb_plan_spec ask = {.target = g->f.target,
                                       .relation = str_of(relation),
                                       .answers = true,
                                       .from_ms = START_MS + HOUR,
                                       .to_ms = START_MS + 5 * HOUR,
                                       .step_ms = step_ms,
                                       .aligned = true};
    struct tsdb_reader *r = tsdb_borrow(&g->f);
    struct tsdb_plan plan;
    struct err e = {0};

    assert_int_equal(tsdb_tier_plan(r, &ask, &plan, &e), ERR_OK);
    tsdb_reader_return(r);
    assert_int_equal(plan.count, 1);
    assert_int_equal(plan.parts[0].tier, tier);
    assert_int_equal(plan.instead, TSDB_RAW);
}
