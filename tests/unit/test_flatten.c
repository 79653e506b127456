/* SPDX-License-Identifier: PostgreSQL */
/* test_flatten.c: each rule of the flattener, the documents of the older collector, refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "model/flatten.h"

#define NOW INT64_C(1760000000000)

static struct arena arena;
static struct json_doc *doc;
static struct flatten flat;
static struct err failure;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, "flatten", 1 << 26);
    doc = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_doc_free(doc);
    arena_fini(&arena);
    return 0;
}

static enum err_code flatten_text(const char *text)
{
    static const struct json_limits limits = {.max_bytes = 1 << 24, .max_depth = LIMIT_JSON_DEPTH};
    const struct flatten_spec spec = {.database = {{1}}, .host = {{2}}, .now_ms = NOW};

    json_doc_free(doc);
    doc = NULL;
    assert_int_equal(json_parse(str_of(text), &limits, &doc, &failure), ERR_OK);
    return flatten_push(&arena, json_root(doc), &spec, &flat, &failure);
}

/* A push of these items; the batch must be one that the store reads. */
static void items(const char *text)
{
    static const struct json_limits limits = {.max_bytes = 1 << 24, .max_depth = LIMIT_JSON_DEPTH};
    struct json_doc *again = NULL;
    struct json_writer w;
    struct batch read;
    struct buf out;

    assert_int_equal(
        flatten_text(arena_printf(&arena, "{\"collector_id\":\"c\",\"metrics\":[%s]}", text)),
        ERR_OK);
    buf_init(&out, 1 << 24);
    json_writer_init(&w, &out);
    batch_write(&flat.batch, &w);
    assert_int_equal(json_parse(buf_view(&out), &limits, &again, &failure), ERR_OK);
    if (batch_read(&arena, json_root(again), &read, &failure) != ERR_OK)
        fail_msg("%s: %s", failure.text, out.ptr);
    json_doc_free(again);
    buf_fini(&out);
}

static const struct slice *slice(const char *relation)
{
    for (size_t i = 0; i < flat.batch.slice_count; i++) {
        if (str_eq_c(flat.batch.slices[i].relation, relation))
            return &flat.batch.slices[i];
    }
    fail_msg("there is no slice of %s", relation);
    return NULL;
}

static bool has_slice(const char *relation)
{
    for (size_t i = 0; i < flat.batch.slice_count; i++) {
        if (str_eq_c(flat.batch.slices[i].relation, relation))
            return true;
    }
    return false;
}

static const char *key(const struct slice *s, const char *name, size_t row)
{
    for (size_t k = 0; k < s->key_count; k++) {
        if (str_eq_c(s->key_names[k], name))
            return arena_cstr(&arena, s->keys[k][row]);
    }
    return "(no such key)";
}

static struct cell cell(const struct slice *s, const char *name, size_t row)
{
    for (size_t c = 0; c < s->column_count; c++) {
        if (str_eq_c(s->columns[c].name, name))
            return s->columns[c].cells[row];
    }
    fail_msg("there is no column %s", name);
    return (struct cell){0};
}

static bool has_column(const struct slice *s, const char *name)
{
    for (size_t c = 0; c < s->column_count; c++) {
        if (str_eq_c(s->columns[c].name, name))
            return true;
    }
    return false;
}

static void is_i64(struct cell c, int64_t want)
{
    assert_int_equal(c.tag, CELL_I64);
    assert_int_equal(c.i64, want);
}

static void is_f64(struct cell c, double want)
{
    assert_int_equal(c.tag, CELL_F64);
    assert_true(c.f64 == want);
}

static void is_text(struct cell c, const char *want)
{
    assert_int_equal(c.tag, CELL_STR);
    assert_string_equal(arena_cstr(&arena, c.str), want);
}

/* --- rules --- */

static void numbers_and_booleans_are_values(void **state)
{
    const struct slice *s;

    (void)state;
    items("{\"type\":\"t\",\"a\":9007199254740993,\"b\":18446744073709551615,\"c\":1.5,"
          "\"d\":true,\"e\":false,\"f\":null}");
    s = slice("t");
    assert_int_equal(s->row_count, 1);
    assert_int_equal(s->key_count, 0);
    is_i64(cell(s, "a", 0), INT64_C(9007199254740993));
    assert_int_equal(cell(s, "b", 0).tag, CELL_U64);
    is_f64(cell(s, "c", 0), 1.5);
    is_i64(cell(s, "d", 0), 1);
    is_i64(cell(s, "e", 0), 0);
    assert_false(has_column(s, "f"));
}

static void names_are_keys_and_other_text_is_not(void **state)
{
    const struct slice *s;

    (void)state;
    items("{\"type\":\"t\",\"database\":\"app\",\"pid\":42,\"role_name\":\"r\",\"state\":\"idle\","
          "\"n\":1}");
    s = slice("t");
    assert_int_equal(s->key_count, 3);
    assert_string_equal(key(s, "database", 0), "app");
    assert_string_equal(key(s, "pid", 0), "42");
    assert_string_equal(key(s, "role_name", 0), "r");
    is_text(cell(s, "state", 0), "idle");
    assert_int_equal(flat.batch.relation_count, 1);
    assert_int_equal(flat.batch.relations[0].column_count, 1);
    assert_int_equal(flat.batch.relations[0].columns[0].kind, RELATION_TEXT);
    assert_int_equal(flat.batch.relations[0].help.len, 0);
}

static void times_become_seconds(void **state)
{
    const struct slice *s;

    (void)state;
    items("{\"type\":\"t\",\"last_vacuum\":\"2025-10-09T08:53:20.250Z\",\"day\":\"2025-10-09\"}");
    s = slice("t");
    is_f64(cell(s, "last_vacuum", 0), 1760000000.25);
    is_text(cell(s, "day", 0), "2025-10-09");
}

static void pretty_sizes_become_bytes(void **state)
{
    const struct slice *s;

    (void)state;
    items("{\"type\":\"t\",\"a\":\"12 MB\",\"b\":\"8192 bytes\",\"c\":\"-3 kB\",\"d\":\"1.5 GB\","
          "\"e\":\"12 parsecs\",\"f\":\"MB\",\"g\":\"12\"}");
    s = slice("t");
    is_i64(cell(s, "a", 0), 12 * 1048576);
    is_i64(cell(s, "b", 0), 8192);
    is_i64(cell(s, "c", 0), -3072);
    is_i64(cell(s, "d", 0), INT64_C(1610612736));
    is_text(cell(s, "e", 0), "12 parsecs");
    is_text(cell(s, "f", 0), "MB");
    is_text(cell(s, "g", 0), "12");
}

static void query_texts_go_to_the_dictionary(void **state)
{
    const struct slice *s;

    (void)state;
    items("{\"type\":\"t\",\"rows\":[{\"hash\":\"-4711\",\"text\":\"SELECT 1\",\"calls\":1},"
          "{\"hash\":\"-4711\",\"text\":\"SELECT 1\",\"calls\":2,\"database\":\"b\"}]},"
          "{\"type\":\"u\",\"rows\":[{\"pid\":1,\"blocked_query\":\"SELECT 2\",\"n\":1}]}");
    assert_int_equal(flat.batch.text_count, 2);
    assert_true(str_eq_c(flat.batch.texts[0].key, "-4711"));
    assert_true(str_eq_c(flat.batch.texts[0].kind, "query"));
    assert_true(str_eq_c(flat.batch.texts[0].text, "SELECT 1"));
    s = slice("t_rows");
    assert_string_equal(key(s, "hash", 1), "-4711");
    assert_false(has_column(s, "text"));
    s = slice("u_rows");
    assert_true(str_eq_c(flat.batch.texts[1].key, key(s, "blocked_query_hash", 0)));
    assert_int_equal(strlen(key(s, "blocked_query_hash", 0)), 16);
}

static void entries_are_events(void **state)
{
    const struct batch_event *e;

    (void)state;
    items("{\"type\":\"pg_log\",\"database\":\"app\",\"entries\":[{\"timestamp\":1759999990,"
          "\"level\":\"fatal\",\"message\":\"one\\ntwo\"},{\"timestamp\":\"2025-10-09T08:53:20Z\","
          "\"message\":\"three\"}]},{\"type\":\"note\",\"timestamp\":5,\"message\":\"m\"}");
    assert_int_equal(flat.batch.event_count, 3);
    assert_int_equal(flat.batch.slice_count, 0);
    e = &flat.batch.events[0];
    assert_int_equal(e->t_ms, INT64_C(1759999990000));
    assert_int_equal(e->severity, BATCH_CRITICAL);
    assert_true(str_eq_c(e->kind, "pg_log"));
    assert_true(str_eq_c(e->title, "one"));
    assert_true(
        str_eq_c(e->body, "{\"database\":\"app\",\"level\":\"fatal\",\"message\":\"one\\ntwo\"}"));
    assert_int_equal(flat.batch.events[1].severity, BATCH_INFO);
    assert_int_equal(flat.batch.events[1].t_ms, NOW);
    assert_true(str_eq_c(flat.batch.events[2].kind, "note"));
}

static void children_inherit_keys(void **state)
{
    const struct slice *s;

    (void)state;
    items("{\"type\":\"t\",\"data\":{\"database\":\"app\",\"tables\":[{\"schema\":\"s\",\"name\":"
          "\"a\",\"n\":1,\"indexes\":[{\"index\":\"i\",\"n\":2}]},{\"schema\":\"s\",\"name\":\"b\","
          "\"other\":3}]}}");
    assert_false(has_slice("t"));
    s = slice("t_tables");
    assert_int_equal(s->row_count, 2);
    assert_string_equal(key(s, "database", 1), "app");
    assert_string_equal(key(s, "name", 1), "b");
    is_i64(cell(s, "n", 0), 1);
    assert_int_equal(cell(s, "n", 1).tag, CELL_NULL);
    is_i64(cell(s, "other", 1), 3);
    s = slice("t_tables_indexes");
    assert_int_equal(s->key_count, 4);
    assert_string_equal(key(s, "database", 0), "app");
    assert_string_equal(key(s, "name", 0), "a");
    is_i64(cell(s, "n", 0), 2);
}

static void objects_by_name_are_rows(void **state)
{
    const struct slice *s;

    (void)state;
    items("{\"type\":\"t\",\"databases\":{\"a\":{\"stats\":{\"total\":7},\"rows\":[{\"state\":"
          "\"idle\",\"count\":1},{\"state\":\"active\",\"count\":2}]},\"b\":{\"stats\":{\"total\":"
          "8}}}}");
    s = slice("t");
    assert_int_equal(s->row_count, 2);
    assert_string_equal(key(s, "database", 1), "b");
    is_i64(cell(s, "stats_total", 1), 8);
    s = slice("t_rows");
    assert_string_equal(key(s, "database", 0), "a");
    assert_string_equal(key(s, "state", 1), "active");
    is_i64(cell(s, "count", 1), 2);
}

static void rows_with_names_alone_are_there(void **state)
{
    (void)state;
    items("{\"type\":\"t\",\"rows\":[{\"name\":\"x\"}],\"list\":[\"a\",1]}");
    is_i64(cell(slice("t_rows"), "present", 0), 1);
    is_text(cell(slice("t"), "list", 0), "[\"a\",1]");
}

static void names_are_made_fit(void **state)
{
    (void)state;
    items("{\"type\":\"Queue.Depth-2\",\"9 lives\":1,\"labels\":{\"Env\":\"prod\"}}");
    is_i64(cell(slice("queue_depth_2"), "_9_lives", 0), 1);
    assert_string_equal(key(slice("queue_depth_2"), "env", 0), "prod");
}

static void items_of_one_time_share_a_reading(void **state)
{
    (void)state;
    items("{\"type\":\"t\",\"timestamp\":100,\"database\":\"a\",\"n\":1},{\"type\":\"t\","
          "\"timestamp\":100,\"database\":\"b\",\"n\":2},{\"type\":\"t\",\"timestamp\":99,"
          "\"database\":\"a\",\"n\":3}");
    assert_int_equal(flat.batch.slice_count, 2);
    assert_int_equal(flat.batch.slices[0].t_ms, 99000);
    assert_int_equal(flat.batch.slices[0].row_count, 1);
    assert_int_equal(flat.batch.slices[1].row_count, 2);
    assert_true(flat.timed);
}

static void samples_are_one_relation(void **state)
{
    const struct slice *s;

    (void)state;
    items("{\"name\":\"a\",\"value\":1,\"timestamp\":100,\"labels\":{\"y\":\"2\",\"x\":\"q\\\"\"}},"
          "{\"name\":\"b\",\"value\":2.5,\"timestamp\":100},{\"name\":\"c\",\"value\":true}");
    assert_int_equal(flat.batch.slice_count, 2);
    assert_false(flat.timed);
    s = slice(FLATTEN_SAMPLE);
    assert_int_equal(s->t_ms, 100000);
    assert_int_equal(s->every_ms, 0);
    assert_string_equal(key(s, "name", 0), "a");
    assert_string_equal(key(s, "labels", 0), "{x=\"q\\\"\",y=\"2\"}");
    assert_string_equal(key(s, "labels", 1), "");
    is_f64(cell(s, "value", 1), 2.5);
    assert_int_equal(flat.batch.slices[1].t_ms, NOW);
}

/* --- documents: the old names and ours; tests/scenario/push_forms.sh reads all twelve back --- */

static void statistics_are_given_under_our_names(void **state)
{
    const struct slice *s;

    (void)state;
    items("{\"type\":\"pg_stats\",\"database\":\"app\",\"transactions_committed\":5,\"tables\":["
          "{\"schema\":\"s\",\"name\":\"t\",\"live_tuples\":6}],\"indexes\":[{\"schema\":\"s\","
          "\"name\":\"i\",\"table\":\"t\",\"scans\":7}]}");
    is_i64(cell(slice("pg_stats"), "transactions_committed", 0), 5);
    is_i64(cell(slice("pg_stat_database"), "xact_commit", 0), 5);
    s = slice("pg_stat_user_tables");
    assert_true(str_eq_c(s->scope, "app"));
    assert_string_equal(key(s, "relname", 0), "t");
    is_i64(cell(s, "n_live_tup", 0), 6);
    assert_int_equal(cell(s, "last_vacuum", 0).tag, CELL_NULL);
    s = slice("pg_stat_user_indexes");
    assert_string_equal(key(s, "indexrelname", 0), "i");
    is_i64(cell(s, "idx_scan", 0), 7);
}

static void replication_is_given_under_our_names(void **state)
{
    const struct slice *s;

    (void)state;
    items("{\"type\":\"pg_replication\",\"replication_status\":[{\"application_name\":\"a\","
          "\"client_addr\":\"h\",\"sent_lsn\":\"1/10\",\"replay_lag_ms\":1500,\"behind_by_mb\":1}],"
          "\"replication_slots\":[{\"slot_name\":\"s\",\"restart_lsn\":\"nonsense\"}]}");
    s = slice("pg_stat_replication");
    is_i64(cell(s, "sent_lsn", 0), INT64_C(0x100000010));
    is_f64(cell(s, "replay_lag", 0), 1.5);
    is_i64(cell(s, "replay_lag_bytes", 0), 1048576);
    assert_int_equal(cell(slice("pg_replication_slots"), "restart_lsn", 0).tag, CELL_NULL);
}

static void hosts_are_another_target(void **state)
{
    (void)state;
    items("{\"type\":\"sysstat\",\"memory\":{\"total_mb\":2}},{\"type\":\"pg_stats\",\"n\":1}");
    assert_int_equal(slice("sysstat")->target.bytes[0], 2);
    assert_int_equal(slice("pg_stats")->target.bytes[0], 1);
    is_i64(cell(slice("host_memory"), "total", 0), 2 * 1048576);
    assert_true(flat.has_host && flat.has_database);
}

static void statements_are_counters_under_our_names(void **state)
{
    const struct slice *s;
    const struct relation *r = NULL;

    (void)state;
    items("{\"type\":\"pg_query_stats\",\"data\":{\"database\":\"app\",\"queries\":[{\"hash\":"
          "\"-4711\",\"text\":\"SELECT 1\",\"calls\":5,\"total_time\":7,\"mean_time\":1.4}]}}");
    is_i64(cell(slice("pg_query_stats_queries"), "calls", 0), 5);
    s = slice(FLATTEN_STATEMENTS);
    assert_string_equal(key(s, "datname", 0), "app");
    assert_string_equal(key(s, "queryid", 0), "-4711");
    assert_string_equal(key(s, "usename", 0), "");
    is_i64(cell(s, "calls", 0), 5);
    is_f64(cell(s, "total_exec_time", 0), 7);
    assert_false(has_column(s, "mean_exec_time"));
    for (size_t i = 0; i < flat.batch.relation_count; i++) {
        if (str_eq_c(flat.batch.relations[i].name, FLATTEN_STATEMENTS))
            r = &flat.batch.relations[i];
    }
    assert_non_null(r);
    assert_int_equal(r->columns[0].kind, RELATION_COUNTER);
}

static void disks_are_given_under_our_names(void **state)
{
    const struct slice *s;

    (void)state;
    items("{\"type\":\"disk_usage\",\"filesystems\":[{\"device\":\"/dev/sda1\",\"mount\":\"/\","
          "\"total_gb\":2.5,\"free_gb\":1,\"percent_used\":60}]},{\"type\":\"sysstat\","
          "\"cpu\":{\"load_1m\":2},\"disk_io\":[{\"device\":\"sda\",\"read_ops\":3,"
          "\"read_sectors\":4}]}");
    s = slice("host_filesystem");
    assert_int_equal(s->target.bytes[0], 2);
    assert_int_equal(s->key_count, 1);
    assert_string_equal(key(s, "mountpoint", 0), "/");
    is_text(cell(s, "device", 0), "/dev/sda1");
    is_i64(cell(s, "size_bytes", 0), INT64_C(2684354560));
    is_i64(cell(s, "free_bytes", 0), 1073741824);
    s = slice("host_disk");
    is_i64(cell(s, "reads", 0), 3);
    is_i64(cell(s, "read_bytes", 0), 2048);
    assert_int_equal(cell(s, "written_bytes", 0).tag, CELL_NULL);
    is_f64(cell(slice("host_cpu"), "load1", 0), 2);
}

static void one_document_may_have_two_of_our_names(void **state)
{
    (void)state;
    items("{\"type\":\"pg_stats\",\"database\":\"app\",\"size_bytes\":9,"
          "\"transactions_committed\":5}");
    is_i64(cell(slice("pg_stat_database"), "xact_commit", 0), 5);
    is_i64(cell(slice("pg_database"), "size_bytes", 0), 9);
    assert_string_equal(key(slice("pg_database"), "datname", 0), "app");
}

/* Else the last locks would stay the newest for ever. */
static void known_lists_are_told_when_they_are_empty(void **state)
{
    (void)state;
    items("{\"type\":\"pg_locks\",\"databases\":{\"app\":{\"active_locks\":[],\"others\":[]}}},"
          "{\"type\":\"pg_replication\",\"replication_slots\":[],\"n\":1}");
    assert_int_equal(flat.refused, 0);
    assert_int_equal(slice("pg_locks_active_locks")->row_count, 0);
    assert_int_equal(slice("pg_replication_replication_slots")->row_count, 0);
    assert_int_equal(slice("pg_replication_slots")->row_count, 0);
    assert_false(has_slice("pg_locks_others"));
    assert_true(flat.has_database);
}

/* --- refusals --- */

static void wrong_items_are_refused_alone(void **state)
{
    static const struct {
        const char *item, *reason;
    } cases[] = {
        {"7", "no object"},
        {"[]", "no object"},
        {"null", "no object"},
        {"{}", "neither type nor name"},
        {"{\"value\":1}", "neither type nor name"},
        {"{\"type\":5,\"value\":1}", "type is no text"},
        {"{\"type\":\"\",\"value\":1}", "type is empty"},
        {"{\"type\":\"x\"}", "no values"},
        {"{\"type\":\"x\",\"timestamp\":5}", "no values"},
        {"{\"type\":\"x\",\"data\":5}", "data is neither"},
        {"{\"type\":\"x\",\"data\":[1]}", "data is neither"},
        {"{\"type\":\"x\",\"timestamp\":\"soon\",\"value\":1}", "timestamp is no time"},
        {"{\"type\":\"x\",\"timestamp\":-1,\"value\":1}", "timestamp is no time"},
        {"{\"type\":\"x\",\"timestamp\":1e300,\"value\":1}", "timestamp is no time"},
        {"{\"name\":5,\"value\":1}", "name is no text"},
        {"{\"name\":\"\",\"value\":1}", "name is no text"},
        {"{\"name\":\"x\"}", "value is no number"},
        {"{\"name\":\"x\",\"value\":\"1\"}", "value is no number"},
        {"{\"name\":\"x\",\"value\":1,\"labels\":[]}", "labels is no object"},
        {"{\"name\":\"x\",\"value\":1,\"labels\":{\"a\":{}}}", "a label is neither"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        items(arena_printf(&arena, "{\"type\":\"good\",\"value\":1},%s", cases[i].item));
        if (flat.refused != 1 || flat.refusal_count != 1 || flat.refusals[0].item != 1 ||
            !strstr(flat.refusals[0].reason, cases[i].reason))
            fail_msg("%s: %s", cases[i].item,
                     flat.refusal_count ? flat.refusals[0].reason : "taken");
        assert_int_equal(flat.batch.slice_count, 1);
    }
}

static void wrong_envelopes_are_refused(void **state)
{
    static const char *const cases[] = {
        "{\"metrics\":[{}]}",
        "{\"collector_id\":5,\"metrics\":[{}]}",
        "{\"collector_id\":\"c\",\"metrics\":[]}",
        "{\"collector_id\":\"c\",\"metrics\":{}}",
        "{\"collector_id\":\"c\",\"metrics\":[{}],\"timestamp\":\"x\"}",
        "{\"collector_id\":\"c\",\"metrics\":[{}],\"hostname\":7}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(flatten_text(cases[i]), ERR_INVALID);
}

static void bounds_are_told(void **state)
{
    char *many = arena_alloc(&arena, 40000);
    size_t at = 0;

    (void)state;
    for (int i = 0; i < 300; i++)
        at += (size_t)snprintf(many + at, 100, ",\"m%d\":%d", i, i);
    items(arena_printf(&arena, "{\"type\":\"t\"%s}", many));
    assert_int_equal(slice("t")->column_count, LIMIT_RELATION_COLUMNS);
    assert_int_equal(flat.refusal_count, 1);
    assert_int_equal(flat.refused, 0);
    assert_non_null(strstr(flat.refusals[0].reason, "too many members"));
}

/* The key of its hash would be longer than a name may be. */
static void a_query_of_a_long_name_is_told(void **state)
{
    char name[LIMIT_NAME_BYTES + 1];

    (void)state;
    memset(name, 'r', sizeof(name));
    memcpy(name + LIMIT_NAME_BYTES - 6, "_query", 7);
    items(arena_printf(&arena, "{\"type\":\"t\",\"%s\":\"SELECT 1\",\"n\":1}", name));
    is_i64(cell(slice("t"), "n", 0), 1);
    assert_int_equal(flat.refusal_count, 1);
    assert_int_equal(flat.refused, 0);
    assert_non_null(strstr(flat.refusals[0].reason, "too long"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_and_booleans_are_values, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_keys_and_other_text_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(times_become_seconds, setup, teardown),
        cmocka_unit_test_setup_teardown(pretty_sizes_become_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(query_texts_go_to_the_dictionary, setup, teardown),
        cmocka_unit_test_setup_teardown(entries_are_events, setup, teardown),
        cmocka_unit_test_setup_teardown(children_inherit_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(objects_by_name_are_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_with_names_alone_are_there, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_made_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(items_of_one_time_share_a_reading, setup, teardown),
        cmocka_unit_test_setup_teardown(samples_are_one_relation, setup, teardown),
        cmocka_unit_test_setup_teardown(statistics_are_given_under_our_names, setup, teardown),
        cmocka_unit_test_setup_teardown(replication_is_given_under_our_names, setup, teardown),
        cmocka_unit_test_setup_teardown(hosts_are_another_target, setup, teardown),
        cmocka_unit_test_setup_teardown(statements_are_counters_under_our_names, setup, teardown),
        cmocka_unit_test_setup_teardown(disks_are_given_under_our_names, setup, teardown),
        cmocka_unit_test_setup_teardown(one_document_may_have_two_of_our_names, setup, teardown),
        cmocka_unit_test_setup_teardown(known_lists_are_told_when_they_are_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_items_are_refused_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_envelopes_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_query_of_a_long_name_is_told, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
