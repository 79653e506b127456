/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_expire.c: events and texts go when they are too old, and give way to the quota; under a
 * clock that the test sets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "os/clock.h"
#include "sqldb/sqldb.h"
#include "tsdb_clock.h"
#include "tsdb_fixture.h"

#define DAY      86400000LL
#define START_MS 1772366400000LL /* 2026-03-01T12:00:00Z */
#define WAIT_US  60000000LL

struct expiring {
    struct tsdb_fixture f;
    struct tsdb_sender sender;
    int64_t now_ms;
};

static int set_up(void **state)
{
    struct expiring *x = alloc_new(sizeof(*x));

    x->now_ms = START_MS;
    tsdb_clock_take(START_MS);
    tsdb_fixture_init(&x->f);
    x->f.config.event_days = 20;
    x->f.config.text_days = 10;
    tsdb_fixture_start(&x->f);
    tsdb_sender_init(&x->sender, &x->f);
    *state = x;
    return 0;
}

static int tear_down(void **state)
{
    struct expiring *x = *state;

    tsdb_fixture_fini(&x->f);
    tsdb_clock_give_back();
    alloc_free(x);
    return 0;
}

static void later(struct expiring *x, int days)
{
    x->now_ms += days * DAY;
    tsdb_clock_set(x->now_ms);
}

/* An event and three texts: of a statement that has a row, of one without, and a plan. */
static void send(struct expiring *x, const char *event, const char *statement)
{
    char target[TEXT_UUID_SIZE];
    char long_body[400];
    struct buf out;

    memset(long_body, 'x', sizeof(long_body) - 1);
    long_body[sizeof(long_body) - 1] = '\0';
    text_uuid(&x->f.target, target);
    buf_init(&out, 65536);
    buf_printf(&out,
               "{\"made_ms\":1,\"slices\":[{\"relation\":\"stmt\",\"target\":\"%s\",\"scope\":\"\","
               "\"t\":%lld,\"every_ms\":60000,\"flags\":[\"complete\"],\"rows\":1,\"keys\":{\"db\":"
               "[\"d\"],\"queryid\":[\"%s\"]},\"columns\":{\"v\":[1]}}],",
               target, (long long)x->now_ms, statement);
    buf_printf(&out,
               "\"events\":[{\"t\":%lld,\"target\":\"%s\",\"kind\":\"log\",\"severity\":\"info\","
               "\"title\":\"%s\",\"body\":{\"word%s\":\"%s\"}}],",
               (long long)x->now_ms, target, event, event, long_body);
    buf_printf(&out,
               "\"texts\":[{\"target\":\"%s\",\"kind\":\"query\",\"key\":\"%s\",\"text\":\"SELECT "
               "%s\"},{\"target\":\"%s\",\"kind\":\"query\",\"key\":\"no_%s\",\"text\":\"SELECT 2 "
               "%s\"},{\"target\":\"%s\",\"kind\":\"plan\",\"key\":\"p_%s\",\"text\":\"Seq Scan "
               "%s\"}]}",
               target, statement, statement, target, statement, statement, target, statement,
               statement);
    tsdb_send_ok(&x->sender, out.ptr);
    buf_fini(&out);
    tsdb_flush_ok(&x->f);
}

static size_t events(struct expiring *x, const char *search)
{
    const struct tsdb_event_spec spec = {.search = str_of(search), .limit = 100};
    struct tsdb_reader *r = tsdb_borrow(&x->f);
    struct tsdb_event *list = NULL;
    size_t count = 0;
    struct err e = {0};
    struct arena a;

    arena_init(&a, "events", 1 << 20);
    assert_int_equal(tsdb_events(r, &a, &spec, &list, &count, &e), ERR_OK);
    arena_fini(&a);
    tsdb_reader_return(r);
    return count;
}

static bool has_text(struct expiring *x, const char *kind, const char *key)
{
    const struct tsdb_text_key k = {x->f.target, str_of(kind), str_of(key)};
    struct tsdb_reader *r = tsdb_borrow(&x->f);
    struct err e = {0};
    struct arena a;
    struct str text;

    arena_init(&a, "text", 1 << 20);
    bool found = tsdb_text(r, &a, &k, &text, &e) == ERR_OK;
    arena_fini(&a);
    tsdb_reader_return(r);
    return found;
}

enum counter { EVENTS, TEXTS, STRIPPED };

/* Wait until so many went. */
static void want(struct expiring *x, enum counter which, uint64_t wanted)
{
    struct tsdb_stats s;
    uint64_t got = 0;
    int64_t until = clock_mono_us() + WAIT_US;

    while (clock_mono_us() < until) {
        tsdb_stats(x->f.db, &s);
        got = which == EVENTS ? s.expired_events : which == TEXTS ? s.expired_texts : s.stripped;
        if (got == wanted) {
            return;
        }
        clock_sleep_ms(20);
    }
    fail_msg("%llu went, wanted %llu", (unsigned long long)got, (unsigned long long)wanted);
}

static void check_sound(struct expiring *x)
{
    struct tsdb_verify v = {0};
    struct err e = {0};

    tsdb_fixture_stop(&x->f);
    if (tsdb_verify(x->f.dir, &v, &e)) {
        fail_msg("verify: %s", e.text);
    }
    tsdb_fixture_start(&x->f);
}

static void test_events_go_by_age(void **state)
{
    struct expiring *x = *state;

    send(x, "first", "1");
    later(x, 5);
    send(x, "second", "1");
    later(x, 15);
    assert_int_equal(events(x, ""), 2); /* 20 days: not older than that */
    later(x, 1);
    want(x, EVENTS, 1);
    assert_int_equal(events(x, "first"), 0);
    assert_int_equal(events(x, "wordfirst"), 0);
    assert_int_equal(events(x, "wordsecond"), 1);
    check_sound(x);
    assert_int_equal(events(x, ""), 1);
}

static void test_texts_stay_while_a_reading_names_them(void **state)
{
    struct expiring *x = *state;

    send(x, "e", "77");
    later(x, 9);
    send(x, "e", "88");
    later(x, 1);
    want(x, TEXTS, 2);
    assert_true(has_text(x, "query", "77")); /* its object is there */
    assert_false(has_text(x, "query", "no_77"));
    assert_false(has_text(x, "plan", "p_77"));
    assert_true(has_text(x, "query", "no_88"));
    assert_true(has_text(x, "plan", "p_88"));
    check_sound(x);
    assert_true(has_text(x, "query", "77"));
}

/* As when no file names an object any more: its row goes. */
static void forget_objects(struct expiring *x)
{
    char url[160];
    struct sqldb *file = NULL;
    struct err e = {0};

    tsdb_fixture_stop(&x->f);
    (void)snprintf(url, sizeof(url), "sqlite:%s/ingest.db", x->f.dir);
    assert_int_equal(sqldb_open(url, NULL, &file, &e), ERR_OK);
    assert_int_equal(sqldb_script(file, "DELETE FROM object", &e), ERR_OK);
    sqldb_close(file);
    tsdb_fixture_start(&x->f);
}

static void test_texts_go_with_their_last_reading(void **state)
{
    struct expiring *x = *state;

    send(x, "e", "77");
    later(x, 10);
    want(x, TEXTS, 2);
    forget_objects(x);
    later(x, 6);
    assert_true(has_text(x, "query", "77")); /* looked at a week later */
    later(x, 1);
    want(x, TEXTS, 1); /* of this run of the store */
    assert_false(has_text(x, "query", "77"));
}

static void test_a_text_that_comes_again_is_new(void **state)
{
    struct expiring *x = *state;

    send(x, "e", "1");
    later(x, 8);
    send(x, "e", "1");
    later(x, 9);
    send(x, "e", "2"); /* so that a day's look has been, too */
    assert_true(has_text(x, "query", "no_1"));
    later(x, 1);
    want(x, TEXTS, 2);
    assert_false(has_text(x, "query", "no_1"));
}

static void test_the_quota_takes_plans_and_bodies(void **state)
{
    struct expiring *x = *state;

    send(x, "old", "1");
    later(x, 4);
    send(x, "young", "2");
    tsdb_fixture_stop(&x->f);
    x->f.config.max_bytes = 1;
    x->f.config.retention_days = x->f.config.retention_slow_days = 100;
    tsdb_fixture_start(&x->f);
    want(x, STRIPPED, 2);
    assert_int_equal(events(x, "old"), 1); /* its title is there */
    assert_int_equal(events(x, "wordold"), 0);
    assert_int_equal(events(x, "wordyoung"), 1);
    assert_false(has_text(x, "plan", "p_1"));
    assert_true(has_text(x, "plan", "p_2"));
    assert_true(has_text(x, "query", "no_1"));
    check_sound(x);
    assert_int_equal(events(x, ""), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_events_go_by_age, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_texts_stay_while_a_reading_names_them, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_texts_go_with_their_last_reading, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_text_that_comes_again_is_new, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_quota_takes_plans_and_bodies, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
