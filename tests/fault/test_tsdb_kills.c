/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_kills.c: a store whose process is killed again and again in each phase of its work
 * loses nothing that was acknowledged and has nothing twice.
 *
 * After each kill the store is verified and its readings are compared with the ledger; after every
 * second one it is started, flushed and rolled up as well, and what is derived is compared. It goes
 * on with the next kill, so damage would add up; every KILLS_STORE a new one begins.
 * Settings: kills/killing.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kills_check.h"
#include "os/clock.h"
#include "os/file.h"
#include "store/store.h"
#include "tsdb_clock.h"
#include "tsdb_fixture.h"

/* Not among the parts that every test links: these replace calls of the C library. */
#include "kills/child.c"    /* NOLINT(bugprone-suspicious-include) */
#include "kills/database.c" /* NOLINT(bugprone-suspicious-include) */
#include "kills/killing.c"  /* NOLINT(bugprone-suspicious-include) */
#include "kills/look.c"     /* NOLINT(bugprone-suspicious-include) */
#include "kills/moment.c"   /* NOLINT(bugprone-suspicious-include) */

/* --- a store --- */

static void new_store(struct killing *k)
{
    killing_new_ledger(k);
    if (k->phase == PHASE_MIGRATE) {
        killing_add_meta(k);
    }
}

/* --- looking at what is left --- */

static void look_at_copy(struct killing *k, uint64_t number, struct kills_check *c)
{
    struct tsdb_fixture f = {.config = k->f.config};
    char dir[120];
    struct err e = {0};

    (void)snprintf(dir, sizeof(dir), "%s/%" PRIu64, k->copies, number);
    f.config.dir = dir;
    f.config.target_arg = &f;
    if (k->phase == PHASE_COPY) {
        assert_int_equal(tsdb_restored(dir, 0, &e), ERR_OK);
    }
    kills_look_at_rest(&f, c);
    kills_look_settled(&f, c);
}

static void check(struct killing *k, bool settle)
{
    struct tsdb_verify v;

    kills_look_verify(k->f.dir, &k->now, &v);
    tsdb_clock_set(atomic_load(&k->shared->ledger.wall_ms));
    kills_look_at_rest(&k->f, &k->now);
    if (k->phase >= PHASE_COPY) {
        killing_check_copy(k);
    }
    settle = settle && !atomic_load(&k->shared->migrating); /* meanwhile the source rests */
    if (settle && k->now.wrong + k->now.lost + k->now.doubled == 0) {
        kills_look_settled(&k->f, &k->now);
    }
    killing_note(k, settle);
}

static int set_up(void **state)
{
    struct killing *k = killing_new();

    k->new_store = new_store;
    k->check = check;
    k->look_at_copy = look_at_copy;
    *state = k;
    return 0;
}

static int tear_down(void **state)
{
    killing_free(*state);
    return 0;
}

#define KILLS_OF(name, phase)                   \
    static void test_kills_##name(void **state) \
    {                                           \
        killing_many(*state, phase);            \
    }

KILLS_OF(during_start, PHASE_START)
KILLS_OF(during_ingest, PHASE_INGEST)
KILLS_OF(during_flush, PHASE_FLUSH)
KILLS_OF(during_compaction, PHASE_COMPACT)
KILLS_OF(during_rollup, PHASE_ROLLUP)
KILLS_OF(during_retention, PHASE_RETAIN)
KILLS_OF(during_retirement, PHASE_RETIRE)
KILLS_OF(during_copy, PHASE_COPY)
KILLS_OF(during_migration, PHASE_MIGRATE)

#define TEST(name) cmocka_unit_test_setup_teardown(test_kills_##name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(during_start),      TEST(during_ingest), TEST(during_flush),
        TEST(during_compaction), TEST(during_rollup), TEST(during_retention),
        TEST(during_retirement), TEST(during_copy),   TEST(during_migration),
    };

    killing_choose();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
