/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_match.c: the list of objects that a query asks for is what each object's keys say,
 * while objects come, end, are retired and are dropped; and it stays small.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "model/series.h"
#include "os/clock.h"
#include "store/tsdb/engine.h"
#include "store/tsdb/read/object_memo.h"
#include "store/tsdb/series/series.h"
#include "tsdb_clock.h"
#include "tsdb_fixture.h"

#define DAY_MS    86400000LL
#define WAIT_MS   60000
#define OBJECTS   300
#define QUESTIONS 12

static struct err e;

struct world {
    struct tsdb_fixture f;
    struct tsdb_sender sender;
    struct arena arena;
    uint64_t random;
    int64_t t_ms, every_ms;
};

static uint64_t draw(struct world *w, uint64_t below)
{
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (w->random >> 33) % below;
}

static int set_up(void **state)
{
    struct world *w = alloc_new(sizeof(*w));

    tsdb_fixture_init(&w->f);
    w->f.config.object_rest_ms = 1;
    w->f.config.retention_days = w->f.config.retention_slow_days = 3;
    w->t_ms = w->f.now_ms - 20 * DAY_MS;
    tsdb_clock_take(w->t_ms);
    tsdb_fixture_start(&w->f);
    tsdb_sender_init(&w->sender, &w->f);
    arena_init(&w->arena, "test", 256 << 20);
    w->random = 7;
    w->every_ms = 60000;
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    arena_fini(&w->arena);
    tsdb_fixture_fini(&w->f);
    tsdb_clock_give_back();
    alloc_free(w);
    return 0;
}

/* A reading of the objects [from, to), each other one left out at random. */
static void send(struct world *w, int from, int to)
{
    char target[TEXT_UUID_SIZE];
    struct buf db, name, values;
    int rows = 0;

    text_uuid(&w->f.target, target);
    buf_init(&db, 1 << 20);
    buf_init(&name, 1 << 20);
    buf_init(&values, 1 << 20);
    for (int i = from; i < to; i++) {
        if (draw(w, 4) == 0) {
            continue;
        }
        buf_printf(&db, "%s\"d%d\"", rows ? "," : "", i % 5);
        buf_printf(&name, "%s\"%s%d\"", rows ? "," : "", i % 7 ? "n" : "", i % 7 ? i : 0);
        buf_printf(&values, "%s%d", rows++ ? "," : "", (int)draw(w, 1000));
    }
    w->t_ms += w->every_ms;
    tsdb_clock_set(w->t_ms);
    struct buf text;
    buf_init(&text, 1 << 20);
    buf_printf(&text,
               "{\"relations\":[{\"name\":\"many\",\"help\":\"\",\"shape\":\"object\",\"sparse\":"
               "false,\"keys\":[{\"name\":\"db\",\"help\":\"\"},{\"name\":\"name\",\"help\":\"\"}],"
               "\"columns\":[{\"name\":\"v\",\"kind\":\"counter\",\"type\":\"i64\",\"unit\":\"1\","
               "\"help\":\"\"}]}],\"slices\":[{\"relation\":\"many\",\"target\":\"%s\",\"scope\":"
               "\"\",\"t\":%lld,\"every_ms\":%lld,\"flags\":[\"complete\"],\"rows\":%d,\"keys\":{"
               "\"db\":[%s],\"name\":[%s]},\"columns\":{\"v\":[%s]}}]}",
               target, (long long)w->t_ms, (long long)w->every_ms, rows, rows ? db.ptr : "",
               rows ? name.ptr : "", rows ? values.ptr : "");
    tsdb_send_ok(&w->sender, text.ptr);
    buf_fini(&text);
    buf_fini(&values);
    buf_fini(&name);
    buf_fini(&db);
}

/* --- questions --- */

static const struct {
    enum matcher_kind kind;
    const char *key, *value;
} table[QUESTIONS] = {
    {MATCHER_EQUAL, "name", "n17"},
    {MATCHER_EQUAL, "db", "d3"},
    {MATCHER_EQUAL, "name", ""},
    {MATCHER_NOT_EQUAL, "name", ""},
    {MATCHER_NOT_EQUAL, "db", "d1"},
    {MATCHER_REGEX, "name", "n1.*"},
    {MATCHER_REGEX, "name", "n(5|17|200)|x"},
    {MATCHER_REGEX, "name", ".*"},
    {MATCHER_NOT_REGEX, "name", "n[0-9]"},
    {MATCHER_NOT_REGEX, "db", "d[0-3]"},
    {MATCHER_EQUAL, "name", "nobody"},
    {MATCHER_REGEX, "name", "|n20"},
};

static struct matcher matcher_of(struct world *w, size_t n)
{
    struct matcher m = {
        .kind = table[n].kind, .name = str_of(table[n].key), .value = str_of(table[n].value)};

    if (m.kind == MATCHER_REGEX || m.kind == MATCHER_NOT_REGEX) {
        assert_int_equal(regex_compile(&w->arena, m.value, &m.regex, &e), ERR_OK);
    }
    return m;
}

static struct catalog_group *group_of(struct world *w)
{
    struct catalog *c = w->f.db->catalog;
    const struct catalog_group_key key = {.relation = catalog_find_relation(c, STR("many")),
                                          .target = w->f.target};

    return catalog_find_group(c, &key);
}

static bool has(const struct tsdb_ids *ids, uint64_t id)
{
    for (size_t i = 0; i < ids->count; i++) {
        if (ids->ids[i] == id) {
            return true;
        }
    }
    return false;
}

/* Both lists: what each object of the catalogue says, and the answer. Gone ones may be in it. */
static void compare(struct world *w, const struct tsdb_match_spec *spec)
{
    struct tsdb_reader *r = tsdb_borrow(&w->f);
    struct catalog_group *g = group_of(w);
    struct catalog_object *all[OBJECTS * 2];
    size_t count = catalog_objects_after(w->f.db->catalog, g, 0, all, OBJECTS * 2);
    size_t wanted = 0, gone = 0;
    struct tsdb_ids ids;

    assert_true(count < OBJECTS * 2);
    assert_int_equal(tsdb_match(r, &w->arena, spec, &ids, &e), ERR_OK);
    assert_true(ids.known);
    for (size_t i = 0; i < count; i++) {
        const struct tsdb_group_object o = {g->id, all[i]->id};
        struct str keys[2];
        bool want = true;
        assert_int_equal(tsdb_group_keys(r, &o, keys, 2, &e), ERR_OK);
        for (size_t t = 0; t < spec->count; t++) {
            want &= matcher_match(spec->tests[t].matcher, keys[spec->tests[t].key]);
        }
        wanted += want;
        if (want != has(&ids, all[i]->id)) {
            fail_msg("object %llu (%.*s, %.*s) is %sin the list", (unsigned long long)all[i]->id,
                     STR_ARG(keys[0]), STR_ARG(keys[1]), want ? "not " : "");
        }
    }
    for (size_t i = 0; i < ids.count; i++) {
        assert_true(i == 0 || ids.ids[i - 1] < ids.ids[i]);
        gone += catalog_object_by_id(w->f.db->catalog, g, ids.ids[i]) == NULL;
    }
    assert_int_equal(ids.count, wanted + gone);
    tsdb_reader_return(r);
}

static void compare_all(struct world *w)
{
    for (size_t n = 0; n < QUESTIONS * 4; n++) {
        const struct matcher one = matcher_of(w, draw(w, QUESTIONS));
        const struct matcher other = matcher_of(w, draw(w, QUESTIONS));
        const struct tsdb_key_test tests[2] = {{&one, str_eq_c(one.name, "name")},
                                               {&other, str_eq_c(other.name, "name")}};
        const struct tsdb_match_spec spec = {
            .group = group_of(w)->id, .count = 1 + draw(w, 2), .tests = tests};
        compare(w, &spec);
    }
    arena_reset(&w->arena);
}

static void test_lists_are_what_keys_say_while_objects_come(void **state)
{
    struct world *w = *state;

    for (int round = 0; round < 15; round++) {
        send(w, 0, round * 20 + 5);
        compare_all(w);
    }
    const struct uuid target = w->f.target;
    assert_int_equal(
        tsdb_target_drop(w->f.db, &target, STR("{}"), clock_mono_us() + WAIT_MS * 1000LL, &e),
        ERR_OK);
    w->t_ms += 120000;
    tsdb_clock_set(w->t_ms);
    for (int round = 0; round < 3; round++) {
        send(w, 100, 150 + round * 20);
        compare_all(w);
    }
}

/* --- retired ones --- */

static uint64_t objects_of(struct world *w)
{
    struct tsdb_stats s;

    tsdb_stats(w->f.db, &s);
    return s.objects;
}

/* Names that only a file of 20 days ago has leave with it. */
static void retire(struct world *w)
{
    int64_t until = clock_mono_ms() + WAIT_MS;
    uint64_t before = objects_of(w);

    tsdb_flush_ok(&w->f);
    w->t_ms = w->f.now_ms - 10 * DAY_MS;
    tsdb_clock_set(w->t_ms);
    send(w, 0, 20);
    tsdb_flush_ok(&w->f);
    while (objects_of(w) >= before && clock_mono_ms() < until) {
        (void)retain_age(w->f.db, clock_wall_ms());
        clock_sleep_ms(20);
    }
    assert_true(objects_of(w) < before);
}

static void test_who_returns_is_found_by_its_new_id(void **state)
{
    struct world *w = *state;

    w->every_ms = 3600000; /* no roll-ups keep the names */
    send(w, 0, 200);
    compare_all(w);
    retire(w);
    compare_all(w);
    send(w, 50, 250);
    compare_all(w);
}

/* --- series --- */

struct sums {
    size_t series, samples;
    double total;
};

static void add_series(struct sums *sums, const struct series *s)
{
    sums->series++;
    for (size_t i = 0; i < s->count; i++) {
        if (!series_is_stale(s->value[i])) {
            sums->samples++;
            sums->total += s->value[i] * (double)(s->t_ms[i] % 1000003);
        }
    }
}

/* By the question itself, or of all series those whose labels match it. */
static struct sums read_series(struct world *w, const struct matcher *key, bool all)
{
    struct matcher matchers[2] = {{MATCHER_EQUAL, STR("__name__"), STR("many_v"), NULL}, *key};
    struct series_tsdb_config config = {.reader = tsdb_borrow(&w->f)};
    const struct series_select spec = {.matchers = matchers,
                                       .matcher_count = all ? 1 : 2,
                                       .from_ms = w->f.now_ms - 21 * DAY_MS,
                                       .to_ms = w->t_ms,
                                       .range_ms = DAY_MS,
                                       .func = STR("changes")};
    struct series_tsdb *s = NULL;
    struct series_set *set = NULL;
    struct series one;
    struct sums sums = {0};
    bool more = true;

    assert_int_equal(series_tsdb_init(&w->arena, &config, &s, &e), ERR_OK);
    assert_int_equal(series_select(series_tsdb_source(s), &w->arena, &spec, &set, &e), ERR_OK);
    while (more) {
        assert_int_equal(series_next(set, &one, &more, &e), ERR_OK);
        if (more && matchers_match(matchers, 2, &one.labels)) {
            add_series(&sums, &one);
        }
    }
    series_close(set);
    series_tsdb_fini(s);
    tsdb_reader_return(config.reader);
    return sums;
}

static void compare_series(struct world *w)
{
    for (size_t n = 0; n < QUESTIONS; n++) {
        const struct matcher m = matcher_of(w, n);
        struct sums listed = read_series(w, &m, false);
        struct sums asked = read_series(w, &m, true);
        if (listed.series != asked.series || listed.samples != asked.samples ||
            listed.total != asked.total) {
            fail_msg("%s \"%s\": %zu series, %zu samples; each asked: %zu, %zu", table[n].key,
                     table[n].value, listed.series, listed.samples, asked.series, asked.samples);
        }
    }
    arena_reset(&w->arena);
}

/* Of readings in the head, of stretches of files, and of both. */
static void test_series_are_those_that_each_object_gives(void **state)
{
    struct world *w = *state;

    for (int round = 0; round < 40; round++) {
        send(w, round, 120 + round);
    }
    compare_series(w);
    tsdb_flush_ok(&w->f);
    compare_series(w);
    send(w, 0, 130);
    send(w, 20, 170);
    compare_series(w);
}

/* --- the memo --- */

static void test_a_memo_is_bounded_and_keeps_what_is_asked_for(void **state)
{
    struct object_memo *m = object_memo_new(10000);
    uint64_t ids[2000];
    struct object_list got;
    struct arena a;

    (void)state;
    arena_init(&a, "test", 1 << 20);
    for (size_t i = 0; i < 2000; i++) {
        ids[i] = i + 1;
    }
    object_memo_put(m, STR("large"), &(struct object_list){2000, 2000, ids});
    assert_false(object_memo_get(m, STR("large"), &a, &got));
    object_memo_put(m, STR("loved"), &(struct object_list){10, 5, ids});
    for (int i = 0; i < 500; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "q%d", i);
        object_memo_put(m, str_of(name), &(struct object_list){100, (size_t)i % 50, ids});
        assert_true(object_memo_bytes(m) <= 10000);
        assert_true(object_memo_get(m, STR("loved"), &a, &got));
        assert_int_equal(got.count, 5);
    }
    assert_false(object_memo_get(m, STR("q0"), &a, &got));
    object_memo_put(m, STR("loved"), &(struct object_list){9, 4, ids});
    assert_true(object_memo_get(m, STR("loved"), &a, &got) && got.through == 10);
    object_memo_put(m, STR("loved"), &(struct object_list){11, 6, ids});
    assert_true(object_memo_get(m, STR("loved"), &a, &got) && got.count == 6);
    arena_fini(&a);
    object_memo_free(m);
}

/* --- many threads --- */

struct asking {
    struct world *w;
    struct thread thread;
    atomic_bool *stop;
    uint64_t asked;
};

static void ask_on(void *arg)
{
    struct asking *a = arg;
    const struct matcher m = {MATCHER_EQUAL, STR("db"), STR("d3"), NULL};
    const struct tsdb_key_test test = {&m, 0};
    const struct tsdb_match_spec spec = {.group = group_of(a->w)->id, .count = 1, .tests = &test};
    size_t before = 0;
    struct arena arena;

    arena_init(&arena, "test", 1 << 20);
    while (!atomic_load(a->stop)) {
        struct tsdb_reader *r = tsdb_borrow(&a->w->f);
        struct tsdb_ids ids;
        struct err mine = {0};
        if (tsdb_match(r, &arena, &spec, &ids, &mine) || !ids.known || ids.count < before) {
            a->asked = 0;
            tsdb_reader_return(r);
            break;
        }
        before = ids.count;
        a->asked++;
        arena_reset(&arena);
        tsdb_reader_return(r);
    }
    arena_fini(&arena);
}

static void test_threads_ask_while_objects_come(void **state)
{
    struct world *w = *state;
    atomic_bool stop = false;
    struct asking asking[2] = {{.w = w, .stop = &stop}, {.w = w, .stop = &stop}};

    send(w, 0, 10);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(thread_start(&asking[i].thread, "asks", ask_on, &asking[i], &e), ERR_OK);
    }
    for (int round = 0; round < 30; round++) {
        send(w, 0, 10 * round);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) {
        thread_join(&asking[i].thread);
        assert_true(asking[i].asked > 0);
    }
    compare_all(w);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_lists_are_what_keys_say_while_objects_come),
        CASE(test_who_returns_is_found_by_its_new_id),
        CASE(test_series_are_those_that_each_object_gives),
        CASE(test_threads_ask_while_objects_come),
        cmocka_unit_test(test_a_memo_is_bounded_and_keeps_what_is_asked_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
