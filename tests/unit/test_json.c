/* SPDX-License-Identifier: PostgreSQL */
/* test_json.c: exact integers, bounds, duplicate keys, iteration, writing. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"

static const struct json_limits limits = {.max_bytes = 1 << 20, .max_depth = 8};
static const struct json_limits strict = {
    .max_bytes = 1 << 20, .max_depth = 8, .refuse_duplicate_keys = true};

static struct json_doc *parse(const char *text)
{
    struct json_doc *doc = NULL;
    struct err e;

    if (json_parse(str_of(text), &limits, &doc, &e) != ERR_OK)
        fail_msg("%s: %s", text, e.text);
    return doc;
}

static void integers_stay_exact(void **state)
{
    struct json_doc *doc = parse("[9007199254740993,-9223372036854775808,9223372036854775807,"
                                 "18446744073709551615,1.0,1e2,-1,9223372036854775808]");
    struct json_iter it = json_iter(json_root(doc));
    struct json_scalar v;

    (void)state;
    assert_true(json_next(&it));
    assert_true(json_i64(it.value, 0) == INT64_C(9007199254740993));
    assert_true(json_next(&it));
    assert_true(json_i64(it.value, 0) == INT64_MIN);
    assert_true(json_u64(it.value, 7) == 7);
    assert_true(json_next(&it));
    assert_true(json_i64(it.value, 0) == INT64_MAX);
    assert_int_equal(json_type(it.value), JSON_I64);
    assert_true(json_next(&it));
    assert_int_equal(json_type(it.value), JSON_U64);
    assert_true(json_u64(it.value, 0) == UINT64_MAX);
    assert_true(json_i64(it.value, 5) == 5);
    assert_true(json_is_int(it.value));
    assert_true(json_next(&it));
    assert_int_equal(json_type(it.value), JSON_F64);
    assert_false(json_is_int(it.value));
    assert_true(json_next_scalar(&it, &v));
    assert_int_equal(v.type, JSON_F64);
    assert_true(v.f64 == 100);
    assert_true(json_next_scalar(&it, &v));
    assert_int_equal(v.type, JSON_I64);
    assert_true(v.i64 == -1);
    assert_true(json_next_scalar(&it, &v));
    assert_int_equal(v.type, JSON_U64);
    assert_int_equal(it.index, 7);
    assert_false(json_next_scalar(&it, &v));
    json_doc_free(doc);
}

static void wrong_text_is_refused_with_its_place(void **state)
{
    static const char *const bad[] = {
        "",           " ",          "{",       "[1,]",   "{\"a\":1,}",
        "[1] x",      "[1][2]",     "nul",     "[01]",   "[+1]",
        "[.5]",       "[NaN]",      "[1e999]", "'a'",    "[\"\\ud800\"]",
        "[\"\xFF\"]", "[\"a\nb\"]", "// x\n1", "[1]\x01"};
    struct json_doc *doc = NULL;
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(json_parse(str_of(bad[i]), &limits, &doc, &e), ERR_INVALID);
    assert_int_equal(json_parse(STR("{\n  \"a\": x\n}"), &limits, &doc, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "line 2, column 8"));
    assert_null(doc);
}

static void size_and_depth_are_bounded(void **state)
{
    struct json_limits tiny = {.max_bytes = 4, .max_depth = 8};
    struct json_doc *doc = NULL;
    struct err e;

    (void)state;
    assert_int_equal(json_parse(STR("[1,2]"), &tiny, &doc, &e), ERR_LIMIT);
    assert_int_equal(json_parse(STR("[[[[[[[[]]]]]]]]"), &limits, &doc, &e), ERR_OK);
    json_doc_free(doc);
    assert_int_equal(json_parse(STR("[[[[[[[[[]]]]]]]]]"), &limits, &doc, &e), ERR_LIMIT);
    assert_int_equal(json_parse(STR("[[[[[[[[1]]]]]]],[[[[[[[1]]]]]]],[{\"a\":[[[[{}]]]]}]]"),
                                &limits, &doc, &e),
                     ERR_OK);
    json_doc_free(doc);
    assert_int_equal(json_parse(STR("[1,[[[[[[[{\"a\":[]}]]]]]]]]"), &limits, &doc, &e), ERR_LIMIT);
    tiny.max_bytes = 100;
    tiny.max_depth = 0;
    assert_int_equal(json_parse(STR("1"), &tiny, &doc, &e), ERR_OK);
    json_doc_free(doc);
    assert_int_equal(json_parse(STR("[]"), &tiny, &doc, &e), ERR_LIMIT);
}

static size_t duplicates_of(const char *text)
{
    struct json_doc *doc = parse(text);
    size_t found = json_duplicates(doc);

    json_doc_free(doc);
    return found;
}

static void h3_members_that_come_twice_are_counted(void **state)
{
    struct buf big;
    size_t all;

    (void)state;
    assert_int_equal(duplicates_of("{\"ab\":1,\"ba\":2,\"axb\":3,\"\":4,\"ab \":5}"), 0);
    assert_int_equal(duplicates_of("{\"a\":1,\"a\":2,\"a\":3,\"\":4,\"\":5}"), 3);
    assert_int_equal(duplicates_of("[{\"a\":1},{\"a\":{\"b\":1,\"b\":2}},{\"a\":1,\"a\":1}]"), 2);
    for (int keys = 15; keys <= 5000; keys += keys < 20 ? 1 : 4980) {
        buf_init(&big, 200000);
        for (int i = 0; i < keys; i++)
            buf_printf(&big, "%s\"k%d\":0", i ? "," : "{", i);
        buf_add_c(&big, ",\"k0\":1,\"k1\":1}");
        all = duplicates_of(big.ptr);
        assert_int_equal(all, keys < 4000 ? 2 : 0); /* of a very large one it is not known */
        buf_fini(&big);
    }
}

static void duplicate_keys_by_choice(void **state)
{
    struct json_doc *doc = parse("{\"a\":1,\"b\":2,\"a\":3}");
    struct buf big;
    struct err e;

    (void)state;
    assert_int_equal(json_i64(json_get(json_root(doc), "a"), 0), 3);
    assert_int_equal(json_duplicates(doc), 1);
    json_doc_free(doc);
    assert_int_equal(json_parse(STR("{\"a\":1,\"b\":2,\"a\":3}"), &strict, &doc, &e), ERR_INVALID);
    assert_non_null(strstr(e.text, "\"a\""));
    assert_int_equal(json_parse(STR("[{\"a\":1},{\"a\":{\"a\":1}}]"), &strict, &doc, &e), ERR_OK);
    json_doc_free(doc);
    buf_init(&big, 10000);
    for (int i = 0; i < 100; i++)
        buf_printf(&big, "%s\"k%d\":%d", i ? "," : "{", i, i);
    buf_add_c(&big, ",\"k50\":1}");
    assert_int_equal(json_parse(buf_view(&big), &strict, &doc, &e), ERR_INVALID);
    buf_truncate(&big, big.len - strlen(",\"k50\":1}"));
    buf_add_char(&big, '}');
    assert_int_equal(json_parse(buf_view(&big), &strict, &doc, &e), ERR_OK);
    assert_int_equal(json_count(json_root(doc)), 100);
    json_doc_free(doc);
    buf_fini(&big);
}

static void queries_on_absent_nodes_are_harmless(void **state)
{
    struct json_doc *doc = parse("{\"s\":\"x\\u0000y\",\"t\":true,\"n\":null,\"o\":{}}");
    const struct json *root = json_root(doc);

    (void)state;
    assert_null(json_get(root, "absent"));
    assert_null(json_get(NULL, "a"));
    assert_null(json_get(json_get(root, "s"), "a"));
    assert_int_equal(json_type(NULL), JSON_ABSENT);
    assert_int_equal(json_type(json_get(root, "n")), JSON_NULL);
    assert_int_equal(json_str(json_get(root, "s")).len, 3);
    assert_null(json_str(NULL).ptr);
    assert_true(json_bool(json_get(root, "t"), false));
    assert_true(json_bool(NULL, true));
    assert_true(json_f64(json_get(root, "s"), 1.5) == 1.5);
    assert_int_equal(json_count(json_get(root, "s")), 0);
    for (struct json_iter it = json_iter(json_get(root, "o")); json_next(&it);)
        fail();
    for (struct json_iter it = json_iter(NULL); json_next(&it);)
        fail();
    json_doc_free(doc);
    json_doc_free(NULL);
}

static void nested_iteration_sees_everything(void **state)
{
    struct json_doc *doc = parse("{\"a\":[1,[2,3],{\"x\":4}],\"b\":{\"c\":[]},\"d\":5}");
    static const char *const names[] = {"a", "b", "d"};
    struct json_iter it = json_iter(json_root(doc));

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(json_next(&it));
        assert_int_equal(it.index, i);
        assert_true(str_eq_c(it.key, names[i]));
    }
    assert_int_equal(json_i64(it.value, 0), 5);
    assert_false(json_next(&it));
    assert_false(json_next(&it));
    json_doc_free(doc);
}

static void writer_escapes_and_separates(void **state)
{
    struct json_writer w;
    struct buf b;

    (void)state;
    buf_init(&b, 10000);
    json_writer_init(&w, &b);
    json_object_begin(&w);
    json_member_c(&w, "a\"b", "\x01\n\t\\/\x7f");
    json_member_str(&w, "bad", STR("x\xFFy\xC3"));
    json_key(&w, "list");
    json_array_begin(&w);
    json_put_i64(&w, INT64_MIN);
    json_put_u64(&w, UINT64_MAX);
    json_put_f64(&w, NAN);
    json_put_f64(&w, INFINITY);
    json_put_f64(&w, 0.5);
    json_put_bool(&w, true);
    json_put_null(&w);
    json_put_c(&w, NULL);
    json_array_begin(&w);
    json_array_end(&w);
    json_object_begin(&w);
    json_object_end(&w);
    json_put_raw(&w, STR("{\"r\":1}"));
    json_array_end(&w);
    json_member_null(&w, "n");
    json_member_bool(&w, "f", false);
    json_member_i64(&w, "i", -1);
    json_member_u64(&w, "u", 1);
    json_member_f64(&w, "d", 2.5);
    json_object_end(&w);
    assert_string_equal(
        b.ptr,
        "{\"a\\\"b\":\"\\u0001\\n\\t\\\\/\x7f\",\"bad\":\"x\xEF\xBF\xBDy\xEF\xBF\xBD\",\"list\":["
        "-9223372036854775808,18446744073709551615,null,null,0.5,true,null,null,[],{},{\"r\":1}],"
        "\"n\":null,\"f\":false,\"i\":-1,\"u\":1,\"d\":2.5}");
    assert_int_equal(w.depth, 0);
    json_doc_free(parse(b.ptr));
    buf_fini(&b);
}

static void nodes_are_written_again_as_they_were(void **state)
{
    static const char text[] =
        "{\"a\":[1,2.5,-9223372036854775808,18446744073709551615,1.0],\"s\":\"x\\n\",\"o\":{}}";
    struct json_doc *doc = parse(text);
    struct json_writer w;
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    json_writer_init(&w, &b);
    json_array_begin(&w);
    json_put_node(&w, json_root(doc));
    json_put_node(&w, NULL);
    json_array_end(&w);
    buf_truncate(&b, b.len - strlen(",null]"));
    assert_string_equal(b.ptr + 1, text);
    json_doc_free(doc);
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_stay_exact),
        cmocka_unit_test(wrong_text_is_refused_with_its_place),
        cmocka_unit_test(size_and_depth_are_bounded),
        cmocka_unit_test(duplicate_keys_by_choice),
        cmocka_unit_test(h3_members_that_come_twice_are_counted),
        cmocka_unit_test(queries_on_absent_nodes_are_harmless),
        cmocka_unit_test(nested_iteration_sees_everything),
        cmocka_unit_test(writer_escapes_and_separates),
        cmocka_unit_test(nodes_are_written_again_as_they_were),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
