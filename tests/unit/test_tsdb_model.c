/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_model.c: random pushes, flushes, compactions, crashes and restarts against a plain
 * table in memory.
 *
 * After each step every value that was acknowledged must be read back, and nothing else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "os/clock.h"
#include "tsdb_fixture.h"

#define STREAMS 3
#define SCOPES  2
#define OBJECTS 9
#define TIMES   400
#define STEPS   250

struct model {
    struct tsdb_fixture f;
    struct tsdb_sender senders[STREAMS];
    uint64_t seed;
    bool there[SCOPES][TIMES];
    bool has[SCOPES][TIMES][OBJECTS];
    int64_t value[SCOPES][TIMES][OBJECTS];
    int next_time[STREAMS][SCOPES];
    /* of the present scan */
    size_t slices;
    int scope;
};

static uint64_t pick(struct model *m, uint64_t below)
{
    m->seed ^= m->seed << 13;
    m->seed ^= m->seed >> 7;
    m->seed ^= m->seed << 17;
    return m->seed % below;
}

/*
 * Times run over two days and a half, in steps of about 8 minutes: several day files are in
 * play.
 */
static int64_t time_of(const struct model *m, int at)
{
    return m->f.now_ms - (int64_t)(TIMES - at) * 400000;
}

static void put_slice(struct model *m, struct buf *out, int scope, int at)
{
    char target[TEXT_UUID_SIZE];
    struct buf keys;
    struct buf values;
    int rows = 0;
    bool first = !m->there[scope][at]; /* a second stream with the same t is not counted */

    text_uuid(&m->f.target, target);
    buf_init(&keys, 4096);
    buf_init(&values, 4096);
    for (int o = 0; o < OBJECTS; o++) {
        if (pick(m, 3) == 0) {
            continue;
        }
        int64_t v = (int64_t)pick(m, 1000000);
        buf_printf(&keys, "%s\"k%d\"", rows ? "," : "", o);
        buf_printf(&values, "%s%lld", rows ? "," : "", (long long)v);
        if (first) {
            m->has[scope][at][o] = true;
            m->value[scope][at][o] = v;
        }
        rows++;
    }
    m->there[scope][at] = true;
    buf_printf(out,
               "{\"made_ms\":1,\"slices\":[{\"relation\":\"m\",\"target\":\"%s\",\"scope\":\"s%d\","
               "\"t\":%lld,\"every_ms\":%d,\"flags\":[\"complete\"],\"rows\":%d,"
               "\"keys\":{\"k\":[%s]},\"columns\":{\"v\":[%s]}}]}",
               target, scope, (long long)time_of(m, at), at % 3 ? 10000 : 60000, rows,
               rows ? keys.ptr : "", rows ? values.ptr : "");
    buf_fini(&keys);
    buf_fini(&values);
}

static void push_some(struct model *m)
{
    int s = (int)pick(m, STREAMS);
    int scope = (int)pick(m, SCOPES);
    int at = m->next_time[s][scope] + 1 + (int)pick(m, 3);
    struct buf text;

    if (at >= TIMES) {
        return;
    }
    m->next_time[s][scope] = at;
    buf_init(&text, 1 << 16);
    put_slice(m, &text, scope, at);
    tsdb_send_ok(&m->senders[s], text.ptr);
    buf_fini(&text);
}

static enum err_code compare(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct model *m = arg;
    int at = TIMES - (int)((m->f.now_ms - s->t_ms) / 400000);
    size_t rows = 0;

    assert_true(at >= 0 && at < TIMES && time_of(m, at) == s->t_ms);
    assert_true(m->there[m->scope][at]);
    for (int o = 0; o < OBJECTS; o++) {
        rows += m->has[m->scope][at][o];
    }
    assert_int_equal(rows, s->row_count);
    (void)e;
    int64_t sum = 0;
    for (size_t i = 0; i < s->row_count; i++) {
        assert_int_equal(s->cells[0][i].tag, CELL_I64);
        sum += s->cells[0][i].i64;
    }
    for (int o = 0; o < OBJECTS; o++) {
        sum -= m->has[m->scope][at][o] ? m->value[m->scope][at][o] : 0;
    }
    assert_true(sum == 0);
    m->slices++;
    return ERR_OK;
}

static void check(struct model *m)
{
    struct tsdb_reader *r = tsdb_borrow(&m->f);
    for (m->scope = 0; m->scope < SCOPES; m->scope++) {
        char name[16];
        struct err e = {0};
        size_t want = 0;
        (void)snprintf(name, sizeof(name), "s%d", m->scope);
        const struct str scope = str_of(name);
        const struct tsdb_scan_spec spec = {.target = m->f.target,
                                            .relation = STR("m"),
                                            .scope = &scope,
                                            .from_ms = 0,
                                            .to_ms = INT64_MAX / 2};
        m->slices = 0;
        enum err_code code = tsdb_scan(r, &spec, compare, m, &e);
        for (int t = 0; t < TIMES; t++) {
            want += m->there[m->scope][t];
        }
        if (code == ERR_NOT_FOUND) {
            assert_int_equal(want, 0);
        } else if (code) {
            fail_msg("scan: %s", e.text);
        }
        assert_int_equal(m->slices, want);
    }
    tsdb_reader_return(r);
}

static void test_random_life_of_a_store(void **state)
{
    struct model *m = alloc_new(sizeof(*m));
    (void)state;

    m->seed = 2463534242u;
    tsdb_fixture_init(&m->f);
    tsdb_fixture_start(&m->f);
    for (int s = 0; s < STREAMS; s++) {
        tsdb_sender_init(&m->senders[s], &m->f);
        for (int c = 0; c < SCOPES; c++) {
            m->next_time[s][c] = 5; /* within the clock window of 48 h */
        }
    }
    for (int step = 0; step < STEPS; step++) {
        uint64_t what = pick(m, 22);
        if (what < 16) {
            push_some(m);
        } else if (what < 18) {
            tsdb_flush_ok(&m->f);
        } else if (what == 18) {
            tsdb_fixture_kill(&m->f);
            tsdb_fixture_start(&m->f);
        } else if (what == 19) {
            tsdb_fixture_stop(&m->f);
            tsdb_fixture_start(&m->f);
        } else {
            struct err e = {0};
            assert_int_equal(tsdb_compact(m->f.db, clock_mono_us() + 30000000, &e), ERR_OK);
        }
        check(m);
    }
    tsdb_fixture_fini(&m->f);
    alloc_free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_life_of_a_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
