/* SPDX-License-Identifier: PostgreSQL */
/* test_batch.c: build, write, read again equal; what batch_read refuses; relations; pushes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "model/batch.h"
#include "model/push.h"

/* As STR, for static data. */
#define TEXT(literal)                \
    {                                \
        literal, sizeof(literal) - 1 \
    }

static const struct relation_key keys[] = {{TEXT("datname"), TEXT("Database.")},
                                           {TEXT("relname"), TEXT("Table.")}};
static const struct relation_column columns[] = {
    {TEXT("n"), RELATION_COUNTER, RELATION_I64, TEXT("1"), TEXT("N."), 0},
    {TEXT("size"), RELATION_GAUGE, RELATION_U64, TEXT("bytes"), TEXT("S."), 0},
    {TEXT("t"), RELATION_DELTA, RELATION_F64, TEXT("ms"), TEXT("T."), 0.001},
    {TEXT("state"), RELATION_TEXT, RELATION_STR, TEXT(""), TEXT("X."), 0}};
static const struct relation relation = {
    TEXT("pg_table"), TEXT("Tables."), RELATION_OBJECT, true, keys, 2, columns, 4};
static struct arena arena;
static struct json_doc *doc;
static struct buf text;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, "batch", 1 << 26);
    buf_init(&text, 1 << 24);
    doc = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    json_doc_free(doc);
    arena_fini(&arena);
    buf_fini(&text);
    return 0;
}

static const struct json *parse(struct str s)
{
    static const struct json_limits limits = {.max_bytes = 1 << 24, .max_depth = LIMIT_JSON_DEPTH};
    struct err e;

    json_doc_free(doc);
    doc = NULL;
    if (json_parse(s, &limits, &doc, &e) != ERR_OK)
        fail_msg("%.*s: %s", STR_ARG(s), e.text);
    return json_root(doc);
}

static struct slice *build(size_t rows)
{
    static const struct slice_times times = {1000, 500, 10000};
    struct uuid target = {{1, 2, 3}};
    struct slice_builder sb;
    struct slice *out = NULL;
    char name[16];

    slice_build_begin(&sb, &arena, &relation, &target, STR("app"), &times);
    for (size_t i = 0; i < rows; i++) {
        struct str key[] = {STR("app"), {name, 0}};

        key[1].len = (size_t)snprintf(name, sizeof(name), "t\"%zu", i);
        slice_build_row(&sb, key);
        slice_build_cell(&sb, 0, cell_i64(i % 2 ? INT64_MIN : INT64_C(9007199254740993)));
        slice_build_cell(&sb, 1, cell_u64(i % 2 ? UINT64_MAX : i));
        if (i % 3)
            slice_build_cell(&sb, 2, cell_f64(i % 3 == 1 ? 5.0 : 0.1));
        slice_build_cell(&sb, 3, cell_str(key[1]));
        if (i % 5 == 0) {
            slice_build_reset(&sb);
            slice_build_reset(&sb);
        }
        if (i % 7 == 0)
            slice_build_gone(&sb, key);
    }
    assert_int_equal(slice_build_end(&sb, SLICE_COMPLETE | SLICE_KEYFRAME, &out, NULL), ERR_OK);
    return out;
}

static void assert_cell_equal(const struct cell *a, const struct cell *b)
{
    assert_int_equal(a->tag, b->tag);
    if (a->tag == CELL_STR)
        assert_true(str_eq(a->str, b->str));
    else if (a->tag != CELL_NULL)
        assert_true(a->u64 == b->u64);
}

static void assert_slice_equal(const struct slice *a, const struct slice *b)
{
    assert_true(str_eq(a->relation, b->relation) && str_eq(a->scope, b->scope));
    assert_true(text_uuid_eq(&a->target, &b->target));
    assert_true(a->t_ms == b->t_ms && a->from_ms == b->from_ms && a->every_ms == b->every_ms);
    assert_int_equal(a->flags, b->flags);
    assert_int_equal(a->row_count, b->row_count);
    assert_int_equal(a->key_count, b->key_count);
    assert_int_equal(a->column_count, b->column_count);
    assert_int_equal(a->gone_count, b->gone_count);
    assert_int_equal(a->reset_count, b->reset_count);
    for (size_t k = 0; k < a->key_count; k++) {
        assert_true(str_eq(a->key_names[k], b->key_names[k]));
        for (size_t row = 0; row < a->row_count; row++)
            assert_true(str_eq(a->keys[k][row], b->keys[k][row]));
        for (size_t i = 0; i < a->gone_count; i++)
            assert_true(str_eq(a->gone[i][k], b->gone[i][k]));
    }
    for (size_t c = 0; c < a->column_count; c++) {
        assert_true(str_eq(a->columns[c].name, b->columns[c].name));
        for (size_t row = 0; row < a->row_count; row++)
            assert_cell_equal(&a->columns[c].cells[row], &b->columns[c].cells[row]);
    }
    for (size_t i = 0; i < a->reset_count; i++)
        assert_int_equal(a->resets[i], b->resets[i]);
}

static void what_was_built_is_read_again(void **state)
{
    static const size_t sizes[] = {0, 1, 16, 17, 1000};
    struct batch_event event = {.t_ms = 5,
                                .kind = STR("gap"),
                                .severity = BATCH_WARNING,
                                .title = STR("t"),
                                .body = STR("{\"a\":[1,2.5]}")};
    struct batch_text query = {.kind = STR("query"), .key = STR("-1"), .text = STR("SELECT\n1")};
    struct batch_target target = {
        .kind = STR("postgresql"), .name = STR("db1"), .attributes = STR("{\"port\":5432}")};

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct batch b = {.made_ms = 9,
                          .relations = (struct relation *)(uintptr_t)&relation,
                          .relation_count = 1,
                          .targets = &target,
                          .target_count = 1,
                          .slices = build(sizes[i]),
                          .slice_count = 1,
                          .events = &event,
                          .event_count = 1,
                          .texts = &query,
                          .text_count = 1};
        struct json_writer w;
        struct batch got;
        struct err e;

        buf_reset(&text);
        json_writer_init(&w, &text);
        batch_write(&b, &w);
        if (batch_read(&arena, parse(buf_view(&text)), &got, &e) != ERR_OK)
            fail_msg("%s", e.text);
        assert_int_equal(got.made_ms, 9);
        assert_slice_equal(b.slices, got.slices);
        assert_int_equal(got.relations[0].column_count, 4);
        assert_true(got.relations[0].sparse);
        assert_int_equal(got.relations[0].columns[2].kind, RELATION_DELTA);
        assert_true(got.relations[0].columns[2].resolution == 0.001);
        assert_true(str_eq(got.events[0].body, event.body));
        assert_int_equal(got.events[0].severity, BATCH_WARNING);
        assert_true(str_eq(got.texts[0].text, query.text));
        assert_true(str_eq(got.targets[0].attributes, target.attributes));
    }
}

static void a_failed_reading(void **state)
{
    const struct json *n = parse(
        STR("{\"slices\":[{\"relation\":\"r\",\"target\":"
            "\"33333333-3333-4333-8333-333333333333\",\"t\":5,\"flags\":[\"failed\",\"new\"],"
            "\"reason\":\"refused\",\"unknown\":{}}],\"more\":1}"));
    struct batch b;

    (void)state;
    assert_int_equal(batch_read(&arena, n, &b, NULL), ERR_OK);
    assert_int_equal(b.slices[0].flags, SLICE_FAILED);
    assert_true(str_eq_c(b.slices[0].reason, "refused"));
    assert_int_equal(b.slices[0].from_ms, 5);
    assert_int_equal(b.slices[0].row_count, 0);
}

#define HEAD "\"relation\":\"r\",\"target\":\"33333333-3333-4333-8333-333333333333\",\"t\":5,"

static void wrong_slices_are_refused_with_their_place(void **state)
{
    static const char *const bad[][2] = {
        {"1", "slices[1]: must be an object"},
        {"{}", "slices[1].relation"},
        {"{\"relation\":\"R\"}", "slices[1].relation"},
        {"{\"relation\":\"r\",\"target\":\"x\"}", "slices[1].target"},
        {"{" HEAD "\"from_t\":6}", "slices[1].from_t"},
        {"{" HEAD "\"every_ms\":-1}", "slices[1].every_ms"},
        {"{" HEAD "\"every_ms\":1.5}", "slices[1].every_ms"},
        {"{" HEAD "\"flags\":\"complete\"}", "slices[1].flags"},
        {"{" HEAD "\"flags\":[\"failed\"],\"rows\":1}", "slices[1].rows"},
        {"{" HEAD "\"rows\":-1}", "slices[1].rows"},
        {"{" HEAD "\"rows\":\"2\"}", "slices[1].rows"},
        {"{" HEAD "\"rows\":1000000}", "slices[1].rows"},
        {"{" HEAD "\"rows\":2,\"columns\":{\"a\":[1]}}",
         "slices[1].columns.a: 1 values for 2 rows"},
        {"{" HEAD "\"rows\":2,\"columns\":{\"a\":[1,2],\"b\":[1,2,3]}}", "slices[1].columns.b: 3"},
        {"{" HEAD "\"columns\":{\"a\":[1]},\"rows\":2}", "slices[1].columns.a"},
        {"{" HEAD "\"rows\":1,\"columns\":{\"a\":{}}}", "slices[1].columns.a: must be an array"},
        {"{" HEAD "\"rows\":1,\"columns\":[]}", "slices[1].columns: must be an object"},
        {"{" HEAD "\"rows\":1,\"columns\":{\"A\":[1]}}", "slices[1].columns.A: is no name"},
        {"{" HEAD "\"rows\":1,\"columns\":{\"\":[1]}}", "slices[1].columns: is no name"},
        {"{" HEAD "\"rows\":1,\"columns\":{\"a\":[1],\"b\":[1],\"a\":[2]}}", "stands twice"},
        {"{" HEAD "\"rows\":3,\"columns\":{\"a\":[1,2,true]}}", "slices[1].columns.a[2]: must be"},
        {"{" HEAD "\"rows\":1,\"columns\":{\"a\":[[]]}}", "slices[1].columns.a[0]"},
        {"{" HEAD "\"rows\":1,\"columns\":{\"a\":[\"\\u0000\"]}}", "NUL"},
        {"{" HEAD "\"rows\":2,\"keys\":{\"k\":[\"x\",1]}}",
         "slices[1].keys.k[1]: must be a string"},
        {"{" HEAD "\"rows\":2,\"keys\":{\"k\":[\"x\"]}}", "slices[1].keys.k: 1 values for 2 rows"},
        {"{" HEAD "\"rows\":0,\"keys\":{\"k\":[],\"k\":[]}}", "stands twice"},
        {"{" HEAD "\"rows\":0,\"keys\":{\"k\":[]},\"gone\":[[\"a\"],[]]}", "slices[1].gone[1]"},
        {"{" HEAD "\"rows\":0,\"gone\":[[\"a\"]]}", "slices[1].gone[0]"},
        {"{" HEAD "\"rows\":2,\"reset\":[1,1]}", "slices[1].reset[1]"},
        {"{" HEAD "\"rows\":2,\"reset\":[2]}", "slices[1].reset[0]"},
        {"{" HEAD "\"rows\":2,\"reset\":[0,1,2]}", "slices[1].reset"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct batch b;
        struct err e;
        enum err_code rc;

        buf_reset(&text);
        buf_printf(&text, "{\"slices\":[{" HEAD "\"rows\":0},%s]}", bad[i][0]);
        rc = batch_read(&arena, parse(buf_view(&text)), &b, &e);
        if ((rc != ERR_INVALID && rc != ERR_LIMIT) || !strstr(e.text, bad[i][1]))
            fail_msg("%s: %s", bad[i][0], rc == ERR_OK ? "taken" : e.text);
        assert_int_equal(batch_read(&arena, json_root(doc), &b, NULL), rc);
    }
}

static void other_members_are_checked_too(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{\"made_ms\":\"x\"}",
        "{\"slices\":{}}",
        "{\"relations\":[1]}",
        "{\"relations\":[{\"name\":\"r\",\"shape\":\"cube\"}]}",
        "{\"relations\":[{\"name\":\"R\",\"shape\":\"fact\"}]}",
        "{\"relations\":[{\"name\":\"r\",\"shape\":\"fact\",\"columns\":[{\"name\":\"a\"}]}]}",
        "{\"relations\":[{\"name\":\"r\",\"shape\":\"fact\",\"keys\":[{\"name\":\"a\"},{\"name\":"
        "\"a\"}]}]}",
        "{\"relations\":[{\"name\":\"r\",\"shape\":\"fact\",\"keys\":[{\"name\":\"a\"}],"
        "\"columns\":[{\"name\":\"a\",\"kind\":\"gauge\",\"type\":\"i64\"}]}]}",
        "{\"relations\":[{\"name\":\"r\",\"shape\":\"fact\",\"columns\":[{\"name\":\"a\",\"kind\":"
        "\"text\",\"type\":\"i64\"}]}]}",
        "{\"targets\":[{\"id\":1}]}",
        "{\"events\":[{\"t\":1,\"kind\":\"x\",\"severity\":\"bad\"}]}",
        "{\"events\":[{\"t\":1,\"kind\":\"x\",\"severity\":\"info\",\"title\":\"t\",\"body\":[]}]}",
        "{\"texts\":[{\"target\":\"x\"}]}"};
    struct batch b;
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (batch_read(&arena, parse(str_of(bad[i])), &b, &e) != ERR_INVALID)
            fail_msg("taken: %s", bad[i]);
    }
}

static void builders_report_bounds_and_full_arenas(void **state)
{
    static const struct slice_times times = {1, 1, 0};
    static char longer[LIMIT_KEY_BYTES + 1];
    struct str key[] = {STR("a"), {longer, sizeof(longer)}};
    struct uuid target = {{0}};
    struct slice_builder sb;
    struct slice *out = NULL;
    struct arena tiny;
    struct err e;

    (void)state;
    memset(longer, 'x', sizeof(longer));
    slice_build_begin(&sb, &arena, &relation, &target, STR(""), &times);
    slice_build_row(&sb, key);
    slice_build_cell(&sb, 0, cell_i64(1));
    assert_int_equal(slice_build_end(&sb, 0, &out, &e), ERR_LIMIT);
    for (size_t cap = 0; cap < 20000; cap += 256) {
        key[1].len = 3;
        arena_init(&tiny, "tiny", cap);
        slice_build_begin(&sb, &tiny, &relation, &target, STR("s"), &times);
        for (int i = 0; i < 100; i++) {
            slice_build_row(&sb, key);
            slice_build_cell(&sb, 3, cell_str(key[1]));
            slice_build_gone(&sb, key);
            slice_build_reset(&sb);
        }
        assert_int_equal(slice_build_end(&sb, 0, &out, &e), ERR_LIMIT);
        arena_fini(&tiny);
    }
    assert_null(out);
}

static void cells_convert(void **state)
{
    (void)state;
    assert_int_equal(cell_u64(INT64_MAX).tag, CELL_I64);
    assert_int_equal(cell_u64((uint64_t)INT64_MAX + 1).tag, CELL_U64);
    assert_true(cell_to_f64(cell_i64(-2)) == -2);
    assert_true(cell_to_f64(cell_u64(UINT64_MAX)) == 18446744073709551616.0);
    assert_true(isnan(cell_to_f64((struct cell){0})));
    assert_true(isnan(cell_to_f64(cell_str(STR("1")))));
}

static void a_push_round_trips(void **state)
{
    struct push head = {.seq = 41,
                        .backlog = true,
                        .wall_ms = 7,
                        .mono_ms = 8,
                        .version = STR("0.1.0"),
                        .hostname = STR("db1")};
    struct push_text_record records[] = {
        {.json = STR("{\"made_ms\":1}"), .hash = {0xAB, 1}},
        {.gap = {.span = 5, .reason = STR("spool_full"), .from_ms = 1, .to_ms = 2}},
        {.json = STR("{\"made_ms\":2}")}};
    struct json_writer w;
    struct push got;
    struct batch b;

    (void)state;
    head.collector.bytes[0] = 1;
    head.stream.bytes[15] = 2;
    json_writer_init(&w, &text);
    push_write(&head, records, 3, &w);
    assert_int_equal(push_read(&arena, parse(buf_view(&text)), &got, NULL), ERR_OK);
    assert_true(text_uuid_eq(&got.collector, &head.collector));
    assert_true(text_uuid_eq(&got.stream, &head.stream));
    assert_int_equal(got.count, 7);
    assert_true(got.backlog);
    assert_false(got.closes);
    assert_true(str_eq_c(got.hostname, "db1"));
    assert_int_equal(got.mono_ms, 8);
    assert_int_equal(got.record_count, 3);
    assert_int_equal(got.records[0].hash[0], 0xAB);
    assert_true(got.records[1].is_gap);
    assert_int_equal(got.records[1].seq, 42);
    assert_int_equal(got.records[1].gap.span, 5);
    assert_int_equal(got.records[2].seq, 47);
    assert_int_equal(batch_read(&arena, got.records[2].json, &b, NULL), ERR_OK);
    assert_int_equal(b.made_ms, 2);
}

#define IDS                                                       \
    "{\"collector_id\":\"11111111-1111-4111-8111-111111111111\"," \
    "\"stream\":\"22222222-2222-4222-8222-222222222222\","
#define HASH "\"hash\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""

static void wrong_pushes_are_refused(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{}",
        "{\"collector_id\":\"x\"}",
        IDS "\"seq\":0}",
        IDS "\"seq\":1}",
        IDS "\"seq\":1,\"count\":1,\"records\":[]}",
        IDS "\"seq\":1,\"count\":1,\"records\":[1]}",
        IDS "\"seq\":1,\"count\":1,\"records\":[{}]}",
        IDS "\"seq\":1,\"count\":1,\"records\":[{\"record\":{}}]}",
        IDS "\"seq\":1,\"count\":2,\"records\":[{" HASH ",\"record\":{}}]}",
        IDS "\"seq\":1,\"count\":1,\"records\":[{" HASH ",\"record\":[]}]}",
        IDS "\"seq\":1,\"count\":1,\"records\":[{" HASH ",\"record\":{},\"gap\":{}}]}",
        IDS "\"seq\":1,\"count\":0,\"records\":[{\"span\":0,\"gap\":{\"reason\":\"x\"}}]}",
        IDS "\"seq\":1,\"count\":1,\"records\":[{\"span\":1,\"gap\":{}}]}",
        IDS "\"seq\":9007199254740992,\"count\":9007199254740992,\"records\":[{\"span\":"
            "9007199254740992,\"gap\":{\"reason\":\"x\"}}]}",
        IDS "\"seq\":-1,\"count\":1,\"records\":[{" HASH ",\"record\":{}}]}",
        IDS "\"seq\":1,\"count\":1,\"backlog\":1,\"records\":[{" HASH ",\"record\":{}}]}",
        IDS "\"seq\":1,\"count\":1,\"closes\":null,\"records\":[{" HASH ",\"record\":{}}]}"};
    struct push got;
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (push_read(&arena, parse(str_of(bad[i])), &got, &e) != ERR_INVALID)
            fail_msg("taken: %s", bad[i]);
    }
    buf_add_c(&text, IDS "\"seq\":1,\"count\":300,\"records\":[");
    for (int i = 0; i < 300; i++)
        buf_printf(&text, "%s{" HASH ",\"record\":{}}", i ? "," : "");
    buf_add_c(&text, "]}");
    assert_int_equal(push_read(&arena, parse(buf_view(&text)), &got, &e), ERR_LIMIT);
}

static void answers_need_next_seq_and_epoch(void **state)
{
    struct push_answer got;
    struct err e;

    (void)state;
    assert_int_equal(push_answer_read(parse(STR("{\"success\":true}")), &got, &e), ERR_INVALID);
    assert_int_equal(push_answer_read(parse(STR("{\"next_seq\":8}")), &got, &e), ERR_INVALID);
    assert_int_equal(push_answer_read(parse(STR("7")), &got, &e), ERR_INVALID);
    assert_int_equal(
        push_answer_read(parse(STR("{\"next_seq\":8,\"server_ms\":9,\"next_config_version\":3,"
                                   "\"next_check_in_seconds\":60,\"store_epoch\":"
                                   "\"22222222-2222-4222-8222-222222222222\"}")),
                         &got, &e),
        ERR_OK);
    assert_int_equal(got.next_seq, 8);
    assert_int_equal(got.server_ms, 9);
    assert_int_equal(got.config_version, 3);
    assert_int_equal(got.next_check_s, 60);
}

/* A clock that was set back between two readings gives no interval that ends before it begins. */
static void test_an_interval_never_ends_before_it_begins(void **state)
{
    struct slice_times back = {1000, 5000, 10000};
    struct uuid target = {{0}};
    struct slice_builder sb;
    struct slice *out = NULL;
    struct err e;

    (void)state;
    slice_build_begin(&sb, &arena, &relation, &target, STR(""), &back);
    assert_int_equal(slice_build_end(&sb, 0, &out, &e), ERR_OK);
    assert_int_equal(out->t_ms, 1000);
    assert_int_equal(out->from_ms, 1000);
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ARENA(test_an_interval_never_ends_before_it_begins),
        WITH_ARENA(what_was_built_is_read_again),
        WITH_ARENA(a_failed_reading),
        WITH_ARENA(wrong_slices_are_refused_with_their_place),
        WITH_ARENA(other_members_are_checked_too),
        WITH_ARENA(builders_report_bounds_and_full_arenas),
        WITH_ARENA(cells_convert),
        WITH_ARENA(a_push_round_trips),
        WITH_ARENA(wrong_pushes_are_refused),
        WITH_ARENA(answers_need_next_seq_and_epoch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
