/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_catalogue.c: the embedded catalogue is whole, and bad files are refused with their place.
 */
#include "probe/catalogue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe/probe.h"

static int load(void **state)
{
    static struct arena arena;
    static struct catalogue catalogue;
    struct err e = {0};
    arena_init(&arena, "catalogue", 16 << 20);
    if (catalogue_load(&arena, &catalogue, &e)) {
        fail_msg("%s", e.text);
    }
    *state = &catalogue;
    return 0;
}

static void every_sql_probe_has_a_text_for_every_version(void **state)
{
    const struct catalogue *c = *state;
    for (size_t i = 0; i < c->count; i++) {
        int first = c->files[i].min_major ? c->files[i].min_major : 10;
        for (int major = first; !c->files[i].probe && major <= 18; major++) {
            if (!catalogue_pick(&c->files[i], "read", major * 10000, "")) {
                fail_msg("%s has no text for PostgreSQL %d", c->files[i].name, major);
            }
        }
    }
}

static void every_extension_version_has_its_text(void **state)
{
    static const char *const VERSIONS[] = {"1.4", "1.5",  "1.6",  "1.7",  "1.8",
                                           "1.9", "1.10", "1.11", "1.12", "1.13"};
    const struct catalogue *c = *state;
    const struct catalogue_file *f = catalogue_find(c, "pg_stat_statements");
    assert_non_null(f);
    for (size_t i = 0; i < sizeof(VERSIONS) / sizeof(VERSIONS[0]); i++) {
        const struct catalogue_query *q = catalogue_pick(f, "read", 150000, VERSIONS[i]);
        assert_non_null(q);
        assert_non_null(strstr(q->sql, "pg_stat_statements(false)")); /* never with texts */
    }
    const char *old = catalogue_pick(f, "read", 150000, "1.7")->sql;
    const char *mid = catalogue_pick(f, "read", 150000, "1.10")->sql;
    const char *new = catalogue_pick(f, "read", 150000, "1.11")->sql;
    assert_non_null(strstr(old, "s.total_time AS total_exec_time"));
    assert_null(strstr(old, "wal_bytes"));
    assert_non_null(strstr(mid, "s.blk_read_time AS shared_blk_read_time"));
    assert_null(strstr(mid, "stats_since)"));
    assert_non_null(strstr(new, "s.stats_since"));
}

static void each_relation_of_a_probe_is_described(void **state)
{
    const struct catalogue *c = *state;
    struct arena arena;
    size_t count;
    arena_init(&arena, "probes", 1 << 20);
    const struct probe *const *probes = probe_table(&arena, c, &count);
    assert_true(count > 4);
    for (size_t i = 0; i < count; i++) {
        assert_true(probes[i]->clock_ms >= 1000 && probes[i]->timeout_ms > 0);
        assert_non_null(probes[i]->privilege);
        assert_non_null(probes[i]->source);
        for (size_t k = 0; probes[i]->relations[k]; k++) {
            const struct catalogue_file *f = catalogue_find(c, probes[i]->relations[k]);
            assert_non_null(f);
            assert_true(f->relation.column_count > 0);
            assert_true(f->relation.help.len > 0);
        }
    }
    arena_fini(&arena);
}

static void sql_texts_begin_with_a_comment(void **state)
{
    const struct catalogue *c = *state;
    for (size_t i = 0; i < c->count; i++) {
        for (size_t q = 0; q < c->files[i].query_count; q++) {
            const struct catalogue_query *query = &c->files[i].queries[q];
            bool advice = strncmp(query->name, "fix_", 4) == 0;
            assert_true(advice || strncmp(query->sql, "-- ", 3) == 0);
        }
    }
}

static void relations_of_a_database_name_it_and_are_bounded(void **state)
{
    const struct catalogue *c = *state;
    size_t count = 0;
    for (size_t i = 0; i < c->count; i++) {
        const struct catalogue_file *f = &c->files[i];
        if (f->scope == CATALOGUE_DATABASE) {
            count++;
            assert_int_equal(relation_find_key(&f->relation, STR("datname")), 0);
            assert_true(f->max_rows > 0);
            assert_null(f->extension); /* known of the first database only */
        }
        for (size_t q = 0; q < f->query_count && !f->probe; q++) {
            bool takes_limit = strstr(f->queries[q].sql, "LIMIT $1") != NULL;
            assert_int_equal(takes_limit, f->max_rows > 0);
        }
    }
    assert_true(count >= 2);
}

/* greatest(NULL, 0) and coalesce(x, 0) are 0: what is not known must not become a number. */
static void no_text_makes_zero_of_null(void **state)
{
    const struct catalogue *c = *state;
    for (size_t i = 0; i < c->count; i++) {
        for (size_t q = 0; q < c->files[i].query_count; q++) {
            if (strstr(c->files[i].queries[q].sql, ", 0)")) {
                fail_msg("%s, query %s", c->files[i].name, c->files[i].queries[q].name);
            }
        }
    }
}

static void versions_compare_by_number(void **state)
{
    (void)state;
    assert_true(catalogue_compare_versions("1.9", "1.10") < 0);
    assert_true(catalogue_compare_versions("1.10", "1.10") == 0);
    assert_true(catalogue_compare_versions("2.0", "1.10") > 0);
    assert_true(catalogue_compare_versions("1.10", "1.10.1") < 0);
    assert_true(catalogue_compare_versions("", "1.5") < 0);
}

static void expect_refusal(const char *text, const char *why)
{
    struct arena arena;
    struct catalogue_file f;
    struct err e = {0};
    arena_init(&arena, "bad", 1 << 20);
    assert_int_not_equal(catalogue_parse(&arena, str_of(text), "bad.toml", &f, &e), ERR_OK);
    if (!strstr(e.text, why)) {
        fail_msg("\"%s\" does not say \"%s\"", e.text, why);
    }
    assert_non_null(strstr(e.text, "bad.toml"));
    arena_fini(&arena);
}

static void bad_files_are_refused_with_their_place(void **state)
{
    (void)state;
    expect_refusal("name = \"x\"\nonly_on = \"primary\"\n", "line 2: unknown member");
    expect_refusal("help = \"x\"\n", "name is missing");
    expect_refusal("name = \"x\"\n", "clock");
    expect_refusal("name = \"x\"\nclock = \"1s\"\ntimeout = \"5s\"\nonly = \"moon\"\n", "line 4");
    expect_refusal("name = \"x\"\nclock = \"9s\"\ntimeout = \"5s\"\n[[column]]\nname = \"a\"\n"
                   "kind = \"level\"\ntype = \"i64\"\n",
                   "kind must be");
    expect_refusal("name = \"x\"\nclock = \"9s\"\ntimeout = \"5s\"\n[[query]]\nmin_version = 14\n",
                   "a query needs sql");
    expect_refusal("name = \"x\"\nmax_rows = 0\n", "line 2: max_rows");
    expect_refusal("name = \"x\"\nmax_rows = 100001\n", "line 2: max_rows");
    expect_refusal("name = \"x\"\nscope = \"table\"\n", "line 2: unknown word");
}

static void values_are_read_exactly(void **state)
{
    const struct relation_column i = {.type = RELATION_I64},
                                 f = {.type = RELATION_F64, .resolution = 0.001};
    struct cell c;
    struct err e = {0};
    (void)state;
    assert_int_equal(probe_parse_cell(&i, STR("9007199254740993"), &c, &e), ERR_OK);
    assert_true(c.tag == CELL_I64 && c.i64 == 9007199254740993LL);
    assert_int_equal(probe_parse_cell(&f, STR("1.23456"), &c, &e), ERR_OK);
    assert_true(c.tag == CELL_F64 && c.f64 == 1.235);
    assert_int_equal(probe_parse_cell(&f, STR("NaN"), &c, &e), ERR_OK);
    assert_true(c.tag == CELL_NULL);
    assert_int_equal(probe_parse_cell(&i, STR("12x"), &c, &e), ERR_INVALID);
}

/* What a catalogue probe says without a connection: it must not come to reading. */
static struct probe_report judge(const struct catalogue *c, const char *name,
                                 const struct probe_server *server)
{
    static struct arena arena;
    struct probe p = {.name = name, .run = probe_run_catalogue, .sql = catalogue_find(c, name)};
    struct probe_memory memory = {.probe = &p};
    struct probe_output out = {.arena = &arena};
    struct probe_report report = {0};
    struct err e = {0};
    struct probe_run r = {.catalogue = c,
                          .server = server,
                          .memory = &memory,
                          .arena = &arena,
                          .out = &out,
                          .report = &report};
    arena_fini(&arena);
    arena_init(&arena, "judge", 1 << 20);
    assert_non_null(p.sql);
    assert_int_equal(probe_execute(&r, &e), ERR_OK);
    assert_int_equal(out.slice_count, 0);
    return report;
}

static void predicates_keep_a_query_away_and_say_why(void **state)
{
    struct probe_server server = {.version_num = 130000, .user = "guest"};
    struct probe_report report = judge(*state, "pg_stat_replication", &server);
    assert_int_equal(report.state, PROBE_DENIED);
    assert_non_null(strstr(report.reason, "hidden from the role guest"));
    assert_string_equal(report.fix, "GRANT pg_monitor TO \"guest\"");
    report = judge(*state, "pg_stat_io", &server);
    assert_int_equal(report.state, PROBE_NO_DATA);
    assert_string_equal(report.reason, "needs PostgreSQL 16");
    server.reads_all_stats = true;
    report = judge(*state, "pg_stat_wal_receiver", &server);
    assert_int_equal(report.state, PROBE_NO_DATA);
    assert_string_equal(report.reason, "only on a standby");
}

static void a_file_may_say_what_no_rows_mean(void **state)
{
    const struct catalogue_file *f = catalogue_find(*state, "pg_replication_slots");
    assert_non_null(f);
    assert_string_equal(f->empty, "there are no replication slots");
    assert_null(catalogue_find(*state, "pg_stat_database")->empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sql_probe_has_a_text_for_every_version),
        cmocka_unit_test(every_extension_version_has_its_text),
        cmocka_unit_test(each_relation_of_a_probe_is_described),
        cmocka_unit_test(sql_texts_begin_with_a_comment),
        cmocka_unit_test(relations_of_a_database_name_it_and_are_bounded),
        cmocka_unit_test(no_text_makes_zero_of_null),
        cmocka_unit_test(versions_compare_by_number),
        cmocka_unit_test(bad_files_are_refused_with_their_place),
        cmocka_unit_test(values_are_read_exactly),
        cmocka_unit_test(predicates_keep_a_query_away_and_say_why),
        cmocka_unit_test(a_file_may_say_what_no_rows_mean),
    };
    return cmocka_run_group_tests(tests, load, NULL);
}
