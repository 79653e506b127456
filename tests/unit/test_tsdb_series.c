/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_series.c: relations as series: names, labels, absence, totals, restarts, validity.
 *
 * Each case runs on the head and again on blocks. A set is written as text, one series a line,
 * sorted: labels, kind, and samples as seconds after the start = value; "x" = ended.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "store/tsdb/series/series.h"
#include "store/tsdb/series/series_alias.h"
#include "store/tsdb/series/series_rules.h"
#include "tsdb_fixture.h"

#define DAY_MS 86400000LL
#define MOST   16

struct serial {
    struct tsdb_fixture f;
    struct tsdb_sender sender;
    struct arena arena;
    int64_t start_ms; /* a minute boundary of the past; 00:00 of a day where a test says so */
    int every_ms;
    struct series_target target;
    struct buf text;
    struct series_select spec;
    struct matcher matchers[MOST];
    bool flush_each; /* a block for each reading */
};

static int set_up(void **state)
{
    static const struct label labels[] = {{STR("environment"), STR("prod")},
                                          {STR("instance"), STR("db1:5432")},
                                          {STR("target"), STR("db1")}};
    struct serial *g = alloc_new(sizeof(*g));
    tsdb_fixture_init(&g->f);
    tsdb_fixture_start(&g->f);
    tsdb_sender_init(&g->sender, &g->f);
    arena_init(&g->arena, "test", 256 << 20);
    buf_init(&g->text, 1 << 20);
    g->start_ms = (g->f.now_ms - 7200000) / 60000 * 60000;
    g->every_ms = 10000;
    g->target = (struct series_target){g->f.target, {3, labels}};
    *state = g;
    return 0;
}

static int tear_down(void **state)
{
    struct serial *g = *state;
    buf_fini(&g->text);
    arena_fini(&g->arena);
    tsdb_fixture_fini(&g->f);
    alloc_free(g);
    return 0;
}

/* --- sending --- */

static void describe(struct serial *g, const char *relation)
{
    char text[4096];
    (void)snprintf(text, sizeof(text), "{\"made_ms\":1,\"relations\":[%s]}", relation);
    tsdb_send_ok(&g->sender, text);
}

/* A record with one slice: `rest` is its members from "flags" on; t in seconds after the start. */
static void send(struct serial *g, const char *relation, int t_s, int from_s, const char *rest)
{
    char target[TEXT_UUID_SIZE];
    char text[4096];

    text_uuid(&g->f.target, target);
    (void)snprintf(text, sizeof(text),
                   "{\"made_ms\":1,\"slices\":[{\"relation\":\"%s\",\"target\":\"%s\",\"scope\":"
                   "\"\",\"t\":%lld,\"from_t\":%lld,\"every_ms\":%d,%s}]}",
                   relation, target, (long long)g->start_ms + t_s * 1000LL,
                   (long long)g->start_ms + from_s * 1000LL, g->every_ms, rest);
    tsdb_send_ok(&g->sender, text);
    if (g->flush_each)
        tsdb_flush_ok(&g->f);
}

/* --- reading --- */

static void put_time(struct serial *g, int64_t t_ms)
{
    int64_t t = t_ms - g->start_ms;
    if (t % 1000 == 0)
        buf_printf(&g->text, "%lld", (long long)(t / 1000));
    else
        buf_printf(&g->text, "%.3f", (double)t / 1000);
}

static void put_series(struct serial *g, const struct series *s)
{
    static const char kinds[] = "LGCD";

    buf_add_char(&g->text, '{');
    for (size_t i = 0; i < s->labels.count; i++) {
        if (i > 0)
            assert_true(label_compare(&s->labels.items[i - 1], &s->labels.items[i]) < 0);
        assert_true(s->labels.items[i].value.len > 0);
        buf_printf(&g->text, "%s%.*s=%.*s", i ? "," : "", STR_ARG(s->labels.items[i].name),
                   STR_ARG(s->labels.items[i].value));
    }
    buf_printf(&g->text, "} %c", kinds[s->kind]);
    for (size_t i = 0; i < s->count; i++) {
        assert_true(i == 0 || s->t_ms[i] > s->t_ms[i - 1]);
        buf_add_char(&g->text, ' ');
        put_time(g, s->t_ms[i]);
        if (series_is_stale(s->value[i]))
            buf_add_c(&g->text, "=x");
        else
            buf_printf(&g->text, "=%.17g", s->value[i]);
        if (s->until_ms) {
            buf_add_char(&g->text, '~');
            put_time(g, s->until_ms[i]);
        }
    }
    buf_add_char(&g->text, '\n');
}

static int by_line(const void *x, const void *y)
{
    return strcmp(*(char *const *)x, *(char *const *)y);
}

static void sort_lines(struct buf *text)
{
    char *lines[256];
    size_t count = 0;
    char *copy = alloc_strdup(text->ptr);
    char *save = NULL;

    for (char *l = strtok_r(copy, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
        lines[count++] = l;
    qsort(lines, count, sizeof(lines[0]), by_line);
    buf_reset(text);
    for (size_t i = 0; i < count; i++)
        buf_printf(text, "%s\n", lines[i]);
    alloc_free(copy);
}

static void run_select(struct serial *g, struct series_tsdb *s)
{
    struct series_set *set = NULL;
    struct series series;
    struct err e = {0};
    bool more = true;

    buf_reset(&g->text);
    if (series_select(series_tsdb_source(s), &g->arena, &g->spec, &set, &e))
        fail_msg("select: %s", e.text);
    while (more) {
        if (series_next(set, &series, &more, &e))
            fail_msg("next: %s", e.text);
        if (more)
            put_series(g, &series);
    }
    series_close(set);
    sort_lines(&g->text);
}

/* What the selector of g->spec gives; times in seconds. */
static void expect(struct serial *g, const char *want)
{
    struct series_tsdb *s = NULL;
    struct err e = {0};
    struct series_tsdb_config config = {
        .reader = tsdb_borrow(&g->f), .targets = &g->target, .target_count = 1};

    g->spec.matchers = g->matchers;
    if (series_tsdb_init(&g->arena, &config, &s, &e))
        fail_msg("init: %s", e.text);
    run_select(g, s);
    assert_string_equal(g->text.len ? g->text.ptr : "", want);
    series_tsdb_fini(s);
    tsdb_reader_return(config.reader);
}

static void match(struct serial *g, enum matcher_kind kind, const char *name, const char *value)
{
    g->matchers[g->spec.matcher_count++] = (struct matcher){kind, str_of(name), str_of(value),
                                                            NULL};
}

/* name = ..., in (from, to] seconds after the start. */
static void ask(struct serial *g, const char *name, int from_s, int to_s)
{
    g->spec = (struct series_select){.from_ms = g->start_ms + from_s * 1000LL,
                                     .to_ms = g->start_ms + to_s * 1000LL,
                                     .range_ms = (to_s - from_s) * 1000LL};
    if (name)
        match(g, MATCHER_EQUAL, "__name__", name);
}

/* On the head, and again on blocks. */
static void expect_both(struct serial *g, const char *want)
{
    expect(g, want);
    tsdb_flush_ok(&g->f);
    expect(g, want);
}

#define ENV    "environment=prod,"
#define PLACE  "instance=db1:5432,job=pga,target=db1"
#define Q      "__name__=q_calls_total," ENV
#define TARGET "environment=prod,instance=db1:5432,job=pga"

#define COMPLETE(rows, keys) "\"flags\":[\"complete\"],\"rows\":" rows ",\"keys\":{" keys "},"
#define FAILED               "\"flags\":[\"failed\"],\"reason\":\"no\",\"rows\":0"

static const char counters[] =
    "{\"name\":\"c_x\",\"help\":\"h\",\"shape\":\"object\",\"sparse\":false,\"keys\":[{\"name\":"
    "\"db\",\"help\":\"\"}],\"columns\":[{\"name\":\"n\",\"kind\":\"counter\",\"type\":\"i64\","
    "\"unit\":\"1\",\"help\":\"\"},{\"name\":\"g\",\"kind\":\"gauge\",\"type\":\"f64\",\"unit\":"
    "\"1\",\"help\":\"\"}]}";

static void send_counters(struct serial *g)
{
    describe(g, counters);
    send(g, "c_x", 0, 0,
         COMPLETE("2", "\"db\":[\"a\",\"b\"]") "\"columns\":{\"n\":[5,1],\"g\":[1,2]}");
    send(g, "c_x", 10, 0,
         COMPLETE("2", "\"db\":[\"a\",\"b\"]") "\"columns\":{\"n\":[7,2],\"g\":[1.5,null]}");
    send(g, "c_x", 20, 10,
         COMPLETE("1", "\"db\":[\"a\"]") "\"columns\":{\"n\":[9],\"g\":[2]},"
                                         "\"reset\":[0]");
    send(g, "c_x", 30, 20,
         "\"flags\":[],\"rows\":1,\"keys\":{\"db\":[\"b\"]},"
         "\"columns\":{\"n\":[3],\"g\":[4]}");
    send(g, "c_x", 40, 30, FAILED);
    send(g, "c_x", 50, 40,
         COMPLETE("2", "\"db\":[\"b\",\"a\"]") "\"columns\":{\"n\":[4,10],"
                                               "\"g\":[5,6]}");
}

static void test_absence_null_and_failure_end_a_series(void **state)
{
    struct serial *g = *state;

    send_counters(g);
    ask(g, "c_x_g", -1, 60);
    expect_both(g, "{__name__=c_x_g,db=a," TARGET ",target=db1} G 0=1 10=1.5 20=2 40=x 50=6\n"
                   "{__name__=c_x_g,db=b," TARGET ",target=db1} G 0=2 10=x 30=4 40=x 50=5\n");
}

static void test_a_restart_that_growth_hides_shows(void **state)
{
    struct serial *g = *state;

    send_counters(g);
    ask(g, "c_x_n", -1, 60);
    match(g, MATCHER_EQUAL, "db", "a");
    expect_both(g, "{__name__=c_x_n,db=a," TARGET ",target=db1} C 0=5 10=7 10.001=0 20=9 40=x "
                   "50=10\n");
    ask(g, "c_x_n", 10, 30);
    match(g, MATCHER_NOT_EQUAL, "db", "a");
    /* a window shorter than 2.5 clocks begins that much earlier */
    expect(g, "{__name__=c_x_n,db=b," TARGET ",target=db1} C 10=2 20=x 30=3\n");
}

static void test_names_and_labels_choose(void **state)
{
    struct serial *g = *state;

    send_counters(g);
    ask(g, NULL, 45, 60);
    g->spec.range_ms = 15000;
    match(g, MATCHER_NOT_EQUAL, "__name__", "c_x_n");
    match(g, MATCHER_EQUAL, "environment", "prod");
    match(g, MATCHER_EQUAL, "nothing", "");
    expect_both(g, "{__name__=c_x_g,db=a," TARGET ",target=db1} G 50=6\n"
                   "{__name__=c_x_g,db=b," TARGET ",target=db1} G 50=5\n");
    match(g, MATCHER_EQUAL, "target", "db2");
    expect(g, "");
    ask(g, "c_x", -1, 60);
    expect(g, "");
    ask(g, "c_x_g_total", -1, 60); /* no delta */
    expect(g, "");
}

static void test_blocks_in_pieces_and_between_each_other_read_alike(void **state)
{
    struct serial *g = *state;
    struct tsdb_sender first = g->sender;

    g->flush_each = true;
    send_counters(g);
    ask(g, "c_x_n", -1, 60);
    expect(g, "{__name__=c_x_n,db=a," TARGET ",target=db1} C 0=5 10=7 10.001=0 20=9 40=x 50=10\n"
              "{__name__=c_x_n,db=b," TARGET ",target=db1} C 0=1 10=2 20=x 30=3 40=x 50=4\n");
    first = g->sender;
    tsdb_sender_init(&g->sender, &g->f); /* a backlog: its readings lie between those of before */
    g->flush_each = false;
    send(g, "c_x", 15, 10, COMPLETE("1", "\"db\":[\"c\"]") "\"columns\":{\"n\":[1],\"g\":[1]}");
    send(g, "c_x", 45, 40, COMPLETE("1", "\"db\":[\"b\"]") "\"columns\":{\"n\":[3],\"g\":[1]}");
    tsdb_flush_ok(&g->f);
    g->sender = first;
    send(g, "c_x", 60, 50, COMPLETE("1", "\"db\":[\"a\"]") "\"columns\":{\"n\":[12],\"g\":[1]}");
    expect_both(
        g, "{__name__=c_x_n,db=a," TARGET ",target=db1} C 0=5 10=7 15=x 20=9 40=x 50=10 60=12\n"
           "{__name__=c_x_n,db=b," TARGET ",target=db1} C 0=1 10=2 15=x 30=3 40=x 45=3 50=4 "
           "60=x\n"
           "{__name__=c_x_n,db=c," TARGET ",target=db1} C 15=1 20=x\n");
    ask(g, "c_x_n", 12, 46); /* blocks that are cut */
    g->spec.range_ms = 1000000;
    expect(g, "{__name__=c_x_n,db=a," TARGET ",target=db1} C 20=9 40=x\n"
              "{__name__=c_x_n,db=b," TARGET ",target=db1} C 30=3 40=x 45=3\n"
              "{__name__=c_x_n,db=c," TARGET ",target=db1} C 15=1 20=x\n");
}

/* --- texts --- */

static void test_texts_are_labels(void **state)
{
    struct serial *g = *state;

    describe(g, "{\"name\":\"s\",\"help\":\"\",\"shape\":\"object\",\"sparse\":false,\"keys\":[{"
                "\"name\":\"slot\",\"help\":\"\"}],\"columns\":[{\"name\":\"w\",\"kind\":\"text\","
                "\"type\":\"text\",\"unit\":\"\",\"help\":\"\"},{\"name\":\"v\",\"kind\":\"text\","
                "\"type\":\"text\",\"unit\":\"\",\"help\":\"\"}]}");
    send(g, "s", 0, 0,
         COMPLETE("2", "\"slot\":[\"a\",\"b\"]") "\"columns\":{\"w\":[\"ok\",\"ok\"],"
                                                 "\"v\":[\"1\",null]}");
    send(g, "s", 10, 0,
         COMPLETE("2", "\"slot\":[\"a\",\"b\"]") "\"columns\":{\"w\":[\"lost\","
                                                 "\"ok\"],\"v\":[\"1\",null]}");
    send(g, "s", 20, 10,
         COMPLETE("1", "\"slot\":[\"a\"]") "\"columns\":{\"w\":[\"ok\"],\"v\":["
                                           "\"1\"]}");
    ask(g, "s_w", -1, 60);
    expect_both(g, "{__name__=s_w," TARGET ",slot=a,target=db1,value=lost} G 10=1 20=x\n"
                   "{__name__=s_w," TARGET ",slot=a,target=db1,value=ok} G 0=1 10=x 20=1\n"
                   "{__name__=s_w," TARGET ",slot=b,target=db1,value=ok} G 0=1 10=1 20=x\n");
    match(g, MATCHER_EQUAL, "value", "lost");
    expect(g, "{__name__=s_w," TARGET ",slot=a,target=db1,value=lost} G 10=1 20=x\n");
    ask(g, "s_v", -1, 60);
    expect(g, "{__name__=s_v," TARGET ",slot=a,target=db1,value=1} G 0=1 10=1 20=1\n");
}

/* --- sparse relations and deltas --- */

static const char sparse[] =
    "{\"name\":\"q\",\"help\":\"\",\"shape\":\"object\",\"sparse\":true,\"keys\":[{\"name\":"
    "\"id\",\"help\":\"\"}],\"columns\":[{\"name\":\"calls\",\"kind\":\"delta\",\"type\":\"i64\","
    "\"unit\":\"1\",\"help\":\"\"},{\"name\":\"size\",\"kind\":\"gauge\",\"type\":\"i64\",\"unit\":"
    "\"1\",\"help\":\"\"}]}";

static void test_sparse_levels_are_repeated(void **state)
{
    struct serial *g = *state;

    describe(g, sparse);
    send(g, "q", 0, -10,
         COMPLETE("2", "\"id\":[\"1\",\"2\"]") "\"columns\":{\"calls\":[1,2],"
                                               "\"size\":[10,20]}");
    send(g, "q", 10, 0,
         COMPLETE("1", "\"id\":[\"2\"]") "\"columns\":{\"calls\":[3],\"size\":[21]}");
    send(g, "q", 20, 10,
         COMPLETE("0", "\"id\":[]") "\"columns\":{\"calls\":[],\"size\":[]},"
                                    "\"gone\":[[\"2\"]]");
    send(g, "q", 30, 20, FAILED);
    send(g, "q", 40, 30, COMPLETE("0", "\"id\":[]") "\"columns\":{\"calls\":[],\"size\":[]}");
    ask(g, "q_size", 5, 60);
    expect_both(g, "{__name__=q_size," ENV "id=1," PLACE "} G 10=10 20=10 30=x 40=10\n"
                   "{__name__=q_size," ENV "id=2," PLACE "} G 10=21 20=x\n");
    ask(g, "q_calls", -5, 60);
    expect(g, "{__name__=q_calls," ENV "id=1," PLACE "} D 0=1 10=x\n"
              "{__name__=q_calls," ENV "id=2," PLACE "} D 0=2 10=3 20=x\n");
}

static void begin_at_midnight(struct serial *g)
{
    int64_t today = g->f.now_ms / DAY_MS * DAY_MS;

    /* three hours of it are past, and its begin is within the clock window */
    g->start_ms = g->f.now_ms - today > 3 * 3600000LL ? today : today - DAY_MS;
}

static void test_totals_begin_with_the_day_and_after_a_gap(void **state)
{
    struct serial *g = *state;

    begin_at_midnight(g);
    describe(g, sparse);
    /* the day before: the last reading ends with it */
    send(g, "q", -10, -20,
         COMPLETE("1", "\"id\":[\"1\"]") "\"columns\":{\"calls\":[5],\"size\":[1]}");
    send(g, "q", 0, -10,
         COMPLETE("1", "\"id\":[\"1\"]") "\"columns\":{\"calls\":[2],\"size\":[1]}");
    send(g, "q", 10, 0,
         COMPLETE("2", "\"id\":[\"1\",\"2\"]") "\"columns\":{\"calls\":[3,0],"
                                               "\"size\":[1,1]}");
    send(g, "q", 20, 10,
         COMPLETE("1", "\"id\":[\"3\"]") "\"columns\":{\"calls\":[7],\"size\":[1]}");
    send(g, "q", 30, 20, FAILED);
    send(g, "q", 40, 20,
         COMPLETE("1", "\"id\":[\"1\"]") "\"columns\":{\"calls\":[4],\"size\":[1]}");
    send(g, "q", 70, 60,
         COMPLETE("2", "\"id\":[\"1\",\"3\"]") "\"columns\":{\"calls\":[1,1],"
                                               "\"size\":[1,1]},\"gone\":[[\"2\"]]");
    send(g, "q", 80, 70,
         COMPLETE("0", "\"id\":[]") "\"columns\":{\"calls\":[],\"size\":[]},"
                                    "\"gone\":[[\"3\"]]");
    ask(g, "q_calls_total", -25, 100);
    expect_both(g, "{" Q "id=1," PLACE "} C -20=0 -10=5 0=7 0.001=0 10=3 20=3 "
                   "30=x 30.001=3 40=7 60=7 70=8 80=8\n"
                   "{" Q "id=2," PLACE "} C 0.001=0 10=0 20=0 30=x\n"
                   "{" Q "id=3," PLACE "} C 10=0 20=7 30=x 60=7 70=8 80=x\n");
    ask(g, "q_calls_total", 60, 75); /* the sum is that of the whole day */
    expect(g, "{" Q "id=1," PLACE "} C 60=7 70=8\n"
              "{" Q "id=3," PLACE "} C 60=7 70=8\n");
}

static void test_a_total_ends_after_an_hour_unchanged(void **state)
{
    struct serial *g = *state;

    begin_at_midnight(g);
    g->every_ms = 1200000;
    describe(g, sparse);
    send(g, "q", 1200, 0,
         COMPLETE("1", "\"id\":[\"1\"]") "\"columns\":{\"calls\":[5],\"size\":[1]}");
    for (int t = 2400; t <= 6000; t += 1200) {
        send(g, "q", t, t - 1200,
             COMPLETE("0", "\"id\":[]") "\"columns\":{\"calls\":[],\"size\":[]}");
    }
    send(g, "q", 7200, 6000,
         COMPLETE("1", "\"id\":[\"1\"]") "\"columns\":{\"calls\":[0],\"size\":[1]}");
    send(g, "q", 8400, 7200,
         COMPLETE("1", "\"id\":[\"1\"]") "\"columns\":{\"calls\":[2],\"size\":[1]}");
    ask(g, "q_calls_total", -5, 9000);
    expect_both(g, "{" Q "id=1," PLACE "} C 0.001=0 1200=5 2400=5 "
                   "3600=5 4800=x 7200=5 8400=7\n");
}

static void test_facts_are_series_by_their_keys(void **state)
{
    struct serial *g = *state;

    describe(g, "{\"name\":\"h\",\"help\":\"\",\"shape\":\"fact\",\"sparse\":false,\"keys\":[{"
                "\"name\":\"db\",\"help\":\"\"},{\"name\":\"wait\",\"help\":\"\"}],\"columns\":[{"
                "\"name\":\"samples\",\"kind\":\"delta\",\"type\":\"i64\",\"unit\":\"1\",\"help\":"
                "\"\"}]}");
    send(g, "h", 10, 0,
         COMPLETE("2",
                  "\"db\":[\"a\",\"a\"],\"wait\":[\"\",\"IO\"]") "\"columns\":{\"samples\":[3,4]}");
    send(g, "h", 20, 10,
         COMPLETE("1", "\"db\":[\"a\"],\"wait\":[\"IO\"]") "\"columns\":{\"samples\""
                                                           ":[1]}");
    ask(g, "h_samples", 5, 60);
    expect_both(g, "{__name__=h_samples,db=a," TARGET ",target=db1,wait=IO} D 10=4 20=1\n"
                   "{__name__=h_samples,db=a," TARGET ",target=db1} D 10=3 20=x\n");
    match(g, MATCHER_EQUAL, "wait", "");
    expect(g, "{__name__=h_samples,db=a," TARGET ",target=db1} D 10=3 20=x\n");
}

/* --- validity --- */

static void test_slow_clocks_are_valid_while_the_heart_beats(void **state)
{
    struct serial *g = *state;

    g->every_ms = 60000;
    for (int t = 0; t <= 1200; t += 60)
        send(g, "pg_instance", t, t, COMPLETE("1", "") "\"columns\":{\"up\":[1]}");
    g->every_ms = 600000;
    describe(g, counters);
    send(g, "c_x", 0, 0, COMPLETE("1", "\"db\":[\"a\"]") "\"columns\":{\"n\":[1],\"g\":[1]}");
    send(g, "c_x", 600, 0, COMPLETE("1", "\"db\":[\"a\"]") "\"columns\":{\"n\":[2],\"g\":[2]}");
    ask(g, "c_x_g", 900, 1200); /* an instant query with its lookback */
    g->spec.range_ms = 0;
    expect_both(g, "{__name__=c_x_g,db=a," TARGET ",target=db1} G 0=1~1205 600=2~1500\n");
    g->spec.own_lookback = true;
    expect(g, "");
    ask(g, "c_x_n", 900, 1200); /* a rate over 5 min on a clock of 10 */
    expect(g, "{__name__=c_x_n,db=a," TARGET ",target=db1} C 0=1 600=2\n");
}

/* --- loose samples --- */

static void test_loose_samples_keep_name_and_labels(void **state)
{
    struct serial *g = *state;

    g->every_ms = 0;
    send(g, "sample", 0, 0,
         "\"flags\":[],\"rows\":2,\"keys\":{\"name\":[\"queue\",\"queue\"],\"labels\":[\"{app="
         "\\\"a\\\\\\\"b\\\",env=\\\"x\\\"}\",\"\"]},\"columns\":{\"value\":[1,2]}");
    send(g, "sample", 10, 10,
         "\"flags\":[],\"rows\":2,\"keys\":{\"name\":[\"other\",\"queue\"],\"labels\":[\"{job="
         "\\\"mine\\\"}\",\"\"]},\"columns\":{\"value\":[1.5,3]}");
    ask(g, "queue", -1, 60);
    expect_both(g, "{__name__=queue,app=a\"b,env=x," TARGET ",target=db1} L 0=1\n"
                   "{__name__=queue," TARGET ",target=db1} L 0=2 10=3\n");
    match(g, MATCHER_EQUAL, "env", "x");
    expect(g, "{__name__=queue,app=a\"b,env=x," TARGET ",target=db1} L 0=1\n");
    ask(g, NULL, -1, 60);
    match(g, MATCHER_EQUAL, "job", "mine");
    expect(g, "{__name__=other,environment=prod,instance=db1:5432,job=mine,target=db1} L 10=1.5\n");
}

/* --- names of an exporter --- */

static void test_an_exporters_name_answers_when_it_is_told(void **state)
{
    struct serial *g = *state;
    struct err e = {0};

    describe(g, "{\"name\":\"pg_stat_statements\",\"help\":\"\",\"shape\":\"object\","
                "\"sparse\":true,\"keys\":[{\"name\":\"usename\",\"help\":\"\"}],"
                "\"columns\":[{\"name\":\"total_exec_time\",\"kind\":\"delta\",\"type\":"
                "\"f64\",\"unit\":\"ms\",\"help\":\"\"}]}");
    send(g, "pg_stat_statements", 10, 0,
         COMPLETE("1", "\"usename\":[\"app\"]") "\"columns\":{\"total_exec_time\":[1500]}");
    send(g, "pg_settings", 10, 0,
         COMPLETE("2", "\"name\":[\"work_mem\",\"port\"]") "\"columns\":{\"value\":[4096,1]}");
    send(g, "pg_instance", 10, 0,
         COMPLETE("1", "") "\"columns\":{\"up\":[1],\"version\":[\"15.20\"]}");
    ask(g, "pg_stat_statements_seconds_total", -1, 60);
    expect_both(g, "{__name__=pg_stat_statements_seconds_total," TARGET ",server=db1:5432,"
                   "target=db1,usename=app,user=app} C 0=0 10=1.5\n");
    match(g, MATCHER_EQUAL, "user", "other");
    expect(g, "");
    ask(g, "pg_settings_work_mem_bytes", -1, 60);
    expect(g, "{__name__=pg_settings_work_mem_bytes," TARGET ",name=work_mem,server=db1:5432,"
              "target=db1} G 10=4096\n");
    ask(g, "pg_settings_port", -1, 60); /* of no line of the table */
    expect(g, "{__name__=pg_settings_port," TARGET ",name=port,server=db1:5432,target=db1} G "
              "10=1\n");
    ask(g, "pg_up", -1, 60);
    expect(g, "{__name__=pg_up," TARGET ",server=db1:5432,target=db1} G 10=1\n");
    ask(g, NULL, -1, 60);
    match(g, MATCHER_REGEX, "__name__", "pg_(up|instance_up)");
    assert_int_equal(
        regex_compile(&g->arena, STR("pg_(up|instance_up)"), &g->matchers[0].regex, &e), ERR_OK);
    expect(g, "{__name__=pg_instance_up," TARGET ",target=db1} G 10=1\n");
}

static void test_lists_tell_what_there_is(void **state)
{
    struct serial *g = *state;
    struct series_span span = {g->start_ms - 1000, g->start_ms + 60000, 0};
    struct series_tsdb *s = NULL;
    struct series_texts texts;
    struct series_names names;
    struct err e = {0};
    bool own = false, alias = false;

    send_counters(g);
    send(g, "pg_instance", 10, 0, COMPLETE("1", "") "\"columns\":{\"up\":[1]}");
    struct series_tsdb_config config = {
        .reader = tsdb_borrow(&g->f), .targets = &g->target, .target_count = 1};
    assert_int_equal(series_tsdb_init(&g->arena, &config, &s, &e), ERR_OK);
    assert_int_equal(series_list_names(s, &span, &names, &e), ERR_OK);
    for (size_t i = 0; i < names.count; i++) {
        own = own || (str_eq_c(names.items[i].name, "pg_instance_up") && !names.items[i].alias);
        alias = alias || (str_eq_c(names.items[i].name, "pg_up") && names.items[i].alias);
    }
    assert_true(own && alias);
    assert_int_equal(series_list_values(s, STR("db"), &span, &texts, &e), ERR_OK);
    assert_int_equal(texts.count, 2);
    assert_true(str_eq_c(texts.items[0], "a") && str_eq_c(texts.items[1], "b"));
    assert_int_equal(series_list_values(s, STR("server"), &span, &texts, &e), ERR_OK);
    assert_int_equal(texts.count, 1);
    assert_int_equal(series_list_labels(s, &span, &texts, &e), ERR_OK);
    assert_int_equal(texts.count, 7);   /* __name__ db environment instance job server target */
    span.from_ms = g->start_ms + 55000; /* nothing is newer */
    assert_int_equal(series_list_names(s, &span, &names, &e), ERR_OK);
    assert_int_equal(names.count, 0);
    series_tsdb_fini(s);
    tsdb_reader_return(config.reader);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(test_absence_null_and_failure_end_a_series),
        CASE(test_a_restart_that_growth_hides_shows),
        CASE(test_names_and_labels_choose),
        CASE(test_blocks_in_pieces_and_between_each_other_read_alike),
        CASE(test_texts_are_labels),
        CASE(test_sparse_levels_are_repeated),
        CASE(test_totals_begin_with_the_day_and_after_a_gap),
        CASE(test_a_total_ends_after_an_hour_unchanged),
        CASE(test_facts_are_series_by_their_keys),
        CASE(test_slow_clocks_are_valid_while_the_heart_beats),
        CASE(test_loose_samples_keep_name_and_labels),
        CASE(test_an_exporters_name_answers_when_it_is_told),
        CASE(test_lists_tell_what_there_is),
    };
#undef CASE
    return cmocka_run_group_tests(tests, NULL, NULL);
}
