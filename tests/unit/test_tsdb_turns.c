/* SPDX-License-Identifier: PostgreSQL */
/* test_tsdb_turns.c: long reads take turns, short ones need none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/clock.h"
#include "store/tsdb/read/turns.h"

#define READS   4
#define LONG_US 60000 /* longer than what is free and than one turn */

static struct turns turns;

static int set_up(void **state)
{
    (void)state;
    turns_init(&turns, 1);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(turns.taken, 0);
    assert_null(turns.first);
    turns_fini(&turns);
    return 0;
}

static int64_t soon(void)
{
    return clock_mono_us() + 60000000;
}

/* A turn of a read that began long ago. */
static struct turn long_one(void)
{
    struct turn turn;

    turns_begin(&turn);
    turn.since_us -= LONG_US;
    return turn;
}

static void test_a_short_read_needs_none(void **state)
{
    struct turn other = long_one(), mine;
    struct err e;

    (void)state;
    assert_int_equal(turns_check(&turns, &other, soon(), &e), ERR_OK);
    assert_true(other.held);
    turns_begin(&mine);
    mine.since_us += LONG_US; /* whatever this machine does meanwhile */
    assert_int_equal(turns_check(&turns, &mine, soon(), &e), ERR_OK);
    assert_false(mine.held);
    turns_end(&turns, &mine);
    turns_end(&turns, &other);
}

static void test_who_waits_too_long_gets_an_error(void **state)
{
    struct turn other = long_one(), mine = long_one();
    struct err e;

    (void)state;
    assert_int_equal(turns_check(&turns, &other, soon(), &e), ERR_OK);
    assert_int_equal(turns_check(&turns, &mine, clock_mono_us() + 1000, &e), ERR_TIMEOUT);
    assert_false(mine.held);
    turns_end(&turns, &mine);
    turns_end(&turns, &other);
    mine = long_one();
    assert_int_equal(turns_check(&turns, &mine, soon(), &e), ERR_OK);
    assert_true(mine.held);
    turns_end(&turns, &mine);
}

static void test_alone_it_keeps_its_turn(void **state)
{
    struct turn mine = long_one();
    struct err e;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(turns_check(&turns, &mine, soon(), &e), ERR_OK);
        assert_true(mine.held);
        mine.since_us -= LONG_US;
    }
    turns_end(&turns, &mine);
}

/* --- several at once --- */

static atomic_int inside, most, rounds[READS];

static void check_inside(struct turn *turn)
{
    struct err e;

    atomic_fetch_sub(&inside, turn->held);
    assert_int_equal(turns_check(&turns, turn, soon(), &e), ERR_OK);
    int now = atomic_fetch_add(&inside, turn->held) + turn->held;
    int before = atomic_load(&most);
    while (now > before && !atomic_compare_exchange_weak(&most, &before, now)) {
    }
}

/* Until every other has had a turn, too: who does not give his up makes the others wait. */
static void read_on(void *arg)
{
    struct turn turn = long_one();
    int64_t end = soon();
    bool all = false;

    while (!all && clock_mono_us() < end) {
        check_inside(&turn);
        turn.since_us -= LONG_US;
        atomic_fetch_add((atomic_int *)arg, 1);
        all = true;
        for (int i = 0; i < READS; i++) {
            all = all && atomic_load(&rounds[i]) > 2;
        }
    }
    atomic_fetch_sub(&inside, turn.held);
    turns_end(&turns, &turn);
}

static void test_long_reads_take_turns(void **state)
{
    struct thread threads[READS] = {{0}};
    struct err e;

    (void)state;
    for (int i = 0; i < READS; i++) {
        assert_int_equal(thread_start(&threads[i], "read", read_on, &rounds[i], &e), ERR_OK);
    }
    for (int i = 0; i < READS; i++) {
        thread_join(&threads[i]);
    }
    assert_int_equal(atomic_load(&most), 1);
    for (int i = 0; i < READS; i++) {
        assert_true(atomic_load(&rounds[i]) > 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_short_read_needs_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_waits_too_long_gets_an_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_alone_it_keeps_its_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_reads_take_turns, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
