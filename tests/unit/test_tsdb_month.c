/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_month.c: days of a clock of its own: what a store holds does not grow once retention
 * has set in, and roll-ups say what the readings say. tests/bench/month.sh is the long form.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "month_store.h"
#include "os/clock.h"
#include "os/file.h"

#define DAYS      6
#define WAL_BYTES 131072          /* what logs of small files come and go by */
#define START_MS  1772323200000LL /* 2026-03-01T00:00:00Z */

struct life {
    struct month m;
    char dir[64];
    struct month_figures days[DAYS];
};

static struct life life;

static int set_up(void **state)
{
    struct err e = {0};

    *state = &life;
    (void)snprintf(life.dir, sizeof(life.dir), "/tmp/pga-month-XXXXXX");
    assert_non_null(mkdtemp(life.dir));
    life.m.shape = (struct month_shape){.targets = 2,
                                        .rows = 4,
                                        .days = DAYS,
                                        .late_every = 4,
                                        .push_ms = 40 * 60000,
                                        .flush_ms = 8 * 3600000,
                                        .events = 50,
                                        .texts = 20,
                                        .churn = 1};
    life.m.config = (struct tsdb_config){.dir = life.dir,
                                         .retention_days = 3,
                                         .retention_slow_days = 3,
                                         .rollup_5m_days = 3,
                                         .event_days = 3,
                                         .text_days = 3};
    if (month_open(&life.m, START_MS, &e)) {
        fail_msg("open: %s", e.text);
    }
    return 0;
}

static int tear_down(void **state)
{
    struct life *l = *state;
    struct err e;

    month_close(&l->m);
    return file_remove_tree(l->dir, &e);
}

static void check_retention(const struct life *l)
{
    const struct month_figures *last = &l->days[DAYS - 1];

    assert_int_equal(last->files_gone, 2 * (DAYS - 3)); /* of both classes of clocks */
    assert_in_range(last->events_gone, 50 * (DAYS - 3), 50 * (DAYS - 2)); /* the look may be late */
    assert_true(last->texts_gone >= 19 * (DAYS - 4));
    assert_true(last->compactions > 0);
}

/* From the day on when everything is there that is kept, no part grows by more than a bit. */
static void check_flat(const struct life *l)
{
    static const enum tsdb_part parts[] = {TSDB_PART_RAW_FAST, TSDB_PART_RAW_SLOW, TSDB_PART_TEXT,
                                           TSDB_PART_EVENT};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        uint64_t early = l->days[DAYS - 3].part_bytes[parts[i]];
        uint64_t late = l->days[DAYS - 1].part_bytes[parts[i]];
        if (late > early + early / 4 + WAL_BYTES) {
            fail_msg("%s grew from %llu to %llu", tsdb_part_name(parts[i]),
                     (unsigned long long)early, (unsigned long long)late);
        }
    }
}

static void test_days_come_and_go(void **state)
{
    struct life *l = *state;
    struct month_comparison c;
    struct err e = {0};

    for (int i = 0; i < DAYS; i++) {
        if (month_live_a_day(&l->m, &l->days[i], &e)) {
            fail_msg("day %d: %s", i, e.text);
        }
    }
    check_retention(l);
    check_flat(l);
    if (month_compare(&l->m, DAYS, &c, &e)) {
        fail_msg("compare: %s", e.text);
    }
    if (c.differing) {
        fail_msg("%llu of %llu differ, first: %s", (unsigned long long)c.differing,
                 (unsigned long long)c.points, c.first);
    }
    assert_true(c.points > 3000);
    assert_true(c.tier_only > 1000); /* of days whose readings are gone */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_days_come_and_go, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
