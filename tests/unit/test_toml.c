/* SPDX-License-Identifier: PostgreSQL */
/* test_toml.c: values, tables, and errors with their line and column. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "conf/toml.h"

static struct arena arena;

static int open_arena(void **state)
{
    (void)state;
    arena_init(&arena, "toml", 1 << 22);
    return 0;
}

static int close_arena(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

static const struct toml *parse(const char *text)
{
    const struct toml *root = NULL;
    struct err e;

    if (toml_parse(&arena, str_of(text), &root, &e) != ERR_OK)
        fail_msg("%s: %s", text, e.text);
    return root;
}

static void scalars(void **state)
{
    const struct toml *t = parse("\xEF\xBB\xBF# comment \xC3\xA4\r\n"
                                 "i = 42\nneg=-17\nplus = +1_000\nhex = 0xDEAD_beef\n"
                                 "oct = 0o755\nbin = 0b1101\nmax = 9223372036854775807\n"
                                 "min = -9223372036854775808\nf = 6.5e-3\ng = 1e3\nh = -0.0\n"
                                 "inf = -inf\nnan = nan\nyes = true # end\nno = false\n");

    (void)state;
    assert_int_equal(toml_get(t, "i")->integer, 42);
    assert_int_equal(toml_get(t, "neg")->integer, -17);
    assert_int_equal(toml_get(t, "plus")->integer, 1000);
    assert_int_equal(toml_get(t, "hex")->integer, 0xDEADBEEF);
    assert_int_equal(toml_get(t, "oct")->integer, 0755);
    assert_int_equal(toml_get(t, "bin")->integer, 13);
    assert_true(toml_get(t, "max")->integer == INT64_MAX);
    assert_true(toml_get(t, "min")->integer == INT64_MIN);
    assert_true(toml_get(t, "f")->number == 0.0065);
    assert_int_equal(toml_get(t, "g")->type, TOML_FLOAT);
    assert_true(isinf(toml_get(t, "inf")->number));
    assert_true(isnan(toml_get(t, "nan")->number));
    assert_int_equal(toml_get(t, "yes")->boolean, 1);
    assert_int_equal(toml_get(t, "no")->type, TOML_BOOLEAN);
    assert_null(toml_get(t, "absent"));
    assert_null(toml_get(toml_get(t, "i"), "x"));
    assert_null(toml_get(NULL, "x"));
}

static void strings(void **state)
{
    const struct toml *t = parse("a = \"q\\\"\\\\ \\t\\u00e4\\U0001F600\"\n"
                                 "b = 'C:\\raw'\n"
                                 "c = \"\"\"\nline 1\r\nline \\\n   \n   2\"\"\"\"\"\n"
                                 "d = '''\n'x' ''y'' '''\n"
                                 "e = \"\"\n\"quoted key\" = 1\n'' = 2\n");

    (void)state;
    assert_true(str_eq_c(toml_get(t, "a")->string, "q\"\\ \t\xC3\xA4\xF0\x9F\x98\x80"));
    assert_true(str_eq_c(toml_get(t, "b")->string, "C:\\raw"));
    assert_true(str_eq_c(toml_get(t, "c")->string, "line 1\nline 2\"\""));
    assert_true(str_eq_c(toml_get(t, "d")->string, "'x' ''y'' "));
    assert_int_equal(toml_get(t, "e")->string.len, 0);
    assert_int_equal(toml_get(t, "quoted key")->integer, 1);
    assert_int_equal(toml_get(t, "")->integer, 2);
}

static void dates_and_times(void **state)
{
    const struct toml *t = parse(
        "a = 1979-05-27 07:32:01.1234567899-07:30\nb = 1979-05-27T07:32:00\n"
        "c = 2000-02-29\nd = 23:59:60.5\ne = 1979-05-27t07:32:00z");
    static const struct {
        const char *key;
        enum toml_type type;
        const char *text;
    } known[] = {{"a", TOML_DATETIME, "1979-05-27T07:32:01.123456789-07:30"},
                 {"b", TOML_LOCAL_DATETIME, "1979-05-27T07:32:00"},
                 {"c", TOML_LOCAL_DATE, "2000-02-29"},
                 {"d", TOML_LOCAL_TIME, "23:59:60.5"},
                 {"e", TOML_DATETIME, "1979-05-27T07:32:00Z"}};
    char text[TOML_TIME_TEXT];

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_int_equal(toml_get(t, known[i].key)->type, known[i].type);
        toml_time_format(toml_get(t, known[i].key), text);
        assert_string_equal(text, known[i].text);
    }
    assert_int_equal(toml_get(t, "a")->time.offset_minutes, -450);
    assert_int_equal(toml_get(t, "a")->time.nanosecond, 123456789);
    assert_int_equal(toml_get(t, "c")->time.month, 2);
}

static void tables_arrays_and_dotted_keys(void **state)
{
    const struct toml *t = parse("top.x = 1\ntop.y.z = 2\n[a.b]\nc = [1, [2, 3], # note\n 'x',]\n"
                                 "[a]\nd = {e = 1, f.g = 2, h = {}}\n[[row]]\nn = 1\n[row.sub]\n"
                                 "m = 5\n[[row]]\nn = 2\n[a.b.c2]\n[ spaced . 'key' ]\nv=1");
    const struct toml *row = toml_get(t, "row"),
                      *c = toml_get(toml_get(toml_get(t, "a"), "b"), "c");

    (void)state;
    assert_int_equal(toml_get(toml_get(toml_get(t, "top"), "y"), "z")->integer, 2);
    assert_int_equal(c->count, 3);
    assert_int_equal(c->first->next->count, 2);
    assert_int_equal(c->first->next->first->next->integer, 3);
    assert_int_equal(toml_get(toml_get(toml_get(toml_get(t, "a"), "d"), "f"), "g")->integer, 2);
    assert_int_equal(row->type, TOML_ARRAY);
    assert_int_equal(row->count, 2);
    assert_int_equal(toml_get(toml_get(row->first, "sub"), "m")->integer, 5);
    assert_int_equal(toml_get(row->first->next, "n")->integer, 2);
    assert_int_equal(row->first->next->line, 12);
    assert_int_equal(toml_get(toml_get(toml_get(t, "spaced"), "key"), "v")->integer, 1);
    assert_int_equal(c->line, 4);
    assert_int_equal(c->column, 1);
}

static void wrong_text_is_refused(void **state)
{
    static const char *const bad[] = {"a",
                                      "a =",
                                      "= 1",
                                      "a = 1 b = 2",
                                      "a = 1\na = 2",
                                      "a = 01",
                                      "a = 1_",
                                      "a = _1",
                                      "a = 1__0",
                                      "a = 1.",
                                      "a = .5",
                                      "a = 1e",
                                      "a = 0x",
                                      "a = 0xG",
                                      "a = +0x1",
                                      "a = 9223372036854775808",
                                      "a = 0xFFFFFFFFFFFFFFFF",
                                      "a = tru",
                                      "a = \"x",
                                      "a = 'x\n'",
                                      "a = \"\\q\"",
                                      "a = \"\\ud800\"",
                                      "a = \"\\u12\"",
                                      "a = \"\x01\"",
                                      "a = [1",
                                      "a = [1 2]",
                                      "a = {b = 1",
                                      "a = {b = 1,}",
                                      "a = {b = 1\n}",
                                      "a = 1979-05-32",
                                      "a = 07:32",
                                      "a = 1979-05-27T07:32:00+1:00",
                                      "[a",
                                      "[a]]",
                                      "[[a]",
                                      "[a]\n[a]",
                                      "a = 1\n[a]",
                                      "a = 1\n[a.b]",
                                      "[a]\nb.c = 1\n[a.b]",
                                      "a = {}\n[a.b]",
                                      "a = {}\na.b = 1",
                                      "a = []\n[[a]]",
                                      "[[a]]\n[a]",
                                      "[a]\n[[a]]",
                                      "[a.b.c]\n[a]\nb.c.d = 1",
                                      "# \x01",
                                      "a = \xFF",
                                      "[]",
                                      "a..b = 1",
                                      "a.b = 1\na = 2",
                                      "\"\"\"a\"\"\" = 1",
                                      "a = {b.c = 1}\n[a.b.d]",
                                      "a = \"\"\"x\"\"",
                                      "a = 1e999",
                                      "a = \"a\rb\"",
                                      "\r"};
    const struct toml *root;
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (toml_parse(&arena, str_of(bad[i]), &root, &e) != ERR_INVALID)
            fail_msg("taken: %s", bad[i]);
        assert_memory_equal(e.text, "line ", 5);
    }
    assert_int_equal(toml_parse(&arena, str_make("a = \"\0\"", 8), &root, &e), ERR_INVALID);
}

static void errors_say_where(void **state)
{
    static const struct {
        const char *text, *where;
    } known[] = {{"a = 1\nb = x", "line 2, column 5: "},
                 {"\xC3\xA4 = 1", "line 1, column 1: "},
                 {"a = '\xC3\xA4\xC3\xA4' x", "line 1, column 10: "},
                 {"[t]\n\n  a = 1\n  a = 2", "line 4, column 3: "},
                 {"a = 1979-02-29", "is no date or time"},
                 {"a = \"x", "line 1, column 5: "},
                 {"a = word", "needs quotes"},
                 {"a = 1\na = 2", "already, in line 1"}};
    const struct toml *root;
    struct err e;

    (void)state;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_int_equal(toml_parse(&arena, str_of(known[i].text), &root, &e), ERR_INVALID);
        if (!strstr(e.text, known[i].where))
            fail_msg("%s: %s", known[i].text, e.text);
    }
}

static void sizes_are_bounded(void **state)
{
    struct arena tiny;
    const struct toml *root;
    struct err e;
    struct buf b;

    (void)state;
    buf_init(&b, 1 << 21);
    buf_add_c(&b, "a = ");
    for (int i = 0; i < 100000; i++)
        buf_add_char(&b, '[');
    assert_int_equal(toml_parse(&arena, buf_view(&b), &root, &e), ERR_INVALID);
    buf_reset(&b);
    for (int i = 0; i < 20000; i++)
        buf_printf(&b, "k%d = 1\n", i);
    assert_int_equal(toml_parse(&arena, buf_view(&b), &root, &e), ERR_LIMIT);
    while (b.len < (1 << 20) + 1)
        buf_add_char(&b, '\n');
    assert_int_equal(toml_parse(&arena, buf_view(&b), &root, &e), ERR_LIMIT);
    buf_fini(&b);
    arena_init(&tiny, "tiny", 300);
    assert_int_equal(toml_parse(&tiny, STR("a = 1\nb = 2\nc = 3\n"), &root, &e), ERR_LIMIT);
    arena_fini(&tiny);
    assert_int_equal(toml_parse(&arena, (struct str){NULL, 0}, &root, &e), ERR_OK);
    assert_int_equal(root->count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars),
        cmocka_unit_test(strings),
        cmocka_unit_test(dates_and_times),
        cmocka_unit_test(tables_arrays_and_dotted_keys),
        cmocka_unit_test(wrong_text_is_refused),
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(sizes_are_bounded),
    };

    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
