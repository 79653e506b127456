/* SPDX-License-Identifier: PostgreSQL */
/* test_regex.c: what matches, what is refused although PCRE2 knows it, bounds, plain words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/regex.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct row {
    const char *pattern;
    const char *yes[4]; /* texts that match */
    const char *no[5];
};

static const struct row rows[] = {
    {"", {""}, {"a", "\n"}},
    {"foo", {"foo"}, {"", "fo", "foobar", "xfoo", "foo\n"}},
    {"foo|bar", {"foo", "bar"}, {"foobar", ""}},
    {"(foo|bar)", {"foo", "bar"}, {"(foo|bar)"}},
    {"^(?:foo|bar)$", {"foo", "bar"}, {"xbar"}},
    {"^foo|bar$", {"foo", "bar"}, {"xbar", "foox"}},
    {"foo|", {"foo", ""}, {"fo"}},
    {"a\\.b|c\\|d", {"a.b", "c|d"}, {"axb", "c", "d"}},
    {"a-b", {"a-b"}, {"a", "b"}},
    {".*", {"", "a", "a\nb"}, {NULL}},
    {".+", {"a", "\n"}, {""}},
    {"a.c",
     {"abc", "a\nc",
      "a\xc3\xa4"
      "c"},
     {"ac", "abbc"}},
    {"fo+?", {"fo", "fooo"}, {"f"}},
    {"a{2,3}", {"aa", "aaa"}, {"a", "aaaa"}},
    {"a{,3}", {"a{,3}"}, {"a", "aa", ""}},
    {"a{x}", {"a{x}"}, {"a"}},
    {"a{2,}b{1}", {"aab", "aaaab"}, {"ab"}},
    {"[a-c]+", {"abc"}, {"abcd", ""}},
    {"[^a]", {"b", "\n"}, {"a", ""}},
    {"[]a]+", {"]a]"}, {"b"}},
    {"[[:digit:]x]+", {"12x"}, {"a"}},
    {"[[a]", {"[", "a"}, {"b"}},
    {"[a\\]b]", {"]", "a"}, {"\\"}},
    {"\\d+\\w\\s\\S",
     {"12a x", "1_\tb"},
     {"1a\x0b"
      "b"}},
    {"[\\s]", {" ", "\n"}, {"\x0b", "x"}},
    {"\\v", {"\x0b"}, {"\n", "v"}},
    {"\\x41\\x{1F600}\\101",
     {"A\xf0\x9f\x98\x80"
      "A"},
     {"A"}},
    {"\\Qa.b\\E+", {"a.b", "a.bbb"}, {"axb"}},
    {"\\Qa*", {"a*"}, {"a"}},
    {"\\pL+", {"a\xc3\xa4"}, {"1"}},
    {"\\p{Greek}", {"\xce\xb1"}, {"a"}},
    {"(?i)abc", {"ABC", "aBc"}, {"ab"}},
    {"(?i:a)b", {"Ab"}, {"AB"}},
    {"a(?-s).b", {"axb"}, {"a\nb"}},
    {"(?m)^a$\\n^b$", {"a\nb"}, {"ab"}},
    {"a$", {"a"}, {"a\n"}},
    {"a$\\n?", {"a"}, {"a\n"}},
    {"\\Aa\\z", {"a"}, {"a\n"}},
    {"(?P<x>a)(?<y>b)", {"ab"}, {"a"}},
    {"\\bfoo\\b.*", {"foo bar"}, {"foobar"}},
    {"a\\_b\\-", {"a_b-"}, {"ab"}},
    {"\xc3\xa4|\xc3\xb6", {"\xc3\xa4", "\xc3\xb6"}, {"\xc3"}},
    {"[\xc3\xa4-\xc3\xb6]", {"\xc3\xa5"}, {"a"}},
    {"(((a)))", {"a"}, {"b"}},
    {"pg_.*_(time|count)", {"pg_x_time", "pg__count"}, {"pg_time"}},
    {".*foo.*", {"foo", "xfoox"}, {"fo"}},
};

static const char *const refused[] = {
    "(",
    ")",
    "a)",
    "(a",
    "[a",
    "[z-a]",
    "*a",
    "a**",
    "a*+",
    "a++",
    "a?+",
    "a{2}{3}",
    "a{1001}",
    "a{3,2}",
    "+",
    "a|*",
    "(*)",
    "(*UTF)a",
    "(?=a)",
    "(?!a)",
    "(?<=a)b",
    "(?<!a)b",
    "(?>a)",
    "(?|a|b)",
    "(a)\\1",
    "\\1",
    "\\8",
    "\\g1",
    "(?P<n>a)(?P=n)",
    "(?R)",
    "(a)(?1)",
    "(?&n)",
    "(?(1)a)",
    "(?C1)a",
    "(?#c)a",
    "(?x)a b",
    "(?J)a",
    "(?'n'a)",
    "\\k<n>",
    "\\K",
    "\\R",
    "\\X",
    "\\h",
    "\\N",
    "\\G",
    "\\Z",
    "\\C",
    "\\e",
    "\\ca",
    "\\q",
    "\\",
    "a\\",
    "[\\b]",
    "[[:foo:]]",
    "\\x",
    "\\x1",
    "\\x{}",
    "\\x{110000}",
    "\\p{Nope}",
    "\\p{L",
    "\\p",
    "(?P<>a)",
    "(?P<n",
    "(?z)",
    "(?)",
    "(?",
    "\xff",
    "\\\xc3\xa4",
    "(?P<a>x)(?P<a>y)",
    "[[:<:]]a",
};

static struct regex *compiled(struct arena *a, const char *pattern)
{
    struct regex *r = NULL;
    struct err e;

    if (regex_compile(a, str_of(pattern), &r, &e) != ERR_OK)
        fail_msg("%s: %s", pattern, e.text);
    return r;
}

static void whole_texts_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct arena a;
        struct regex *r;

        arena_init(&a, "test", 1 << 20);
        r = compiled(&a, rows[i].pattern);
        for (int k = 0; k < 4 && rows[i].yes[k]; k++)
            if (!regex_match(r, str_of(rows[i].yes[k])))
                fail_msg("%s does not match \"%s\"", rows[i].pattern, rows[i].yes[k]);
        for (int k = 0; k < 5 && rows[i].no[k]; k++)
            if (regex_match(r, str_of(rows[i].no[k])))
                fail_msg("%s matches \"%s\"", rows[i].pattern, rows[i].no[k]);
        assert_false(regex_failed(r));
        arena_fini(&a);
    }
}

static void what_re2_lacks_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct regex *r = NULL;
        struct arena a;
        struct err e;

        arena_init(&a, "test", 1 << 20);
        if (regex_compile(&a, str_of(refused[i]), &r, &e) != ERR_INVALID)
            fail_msg("%s was not refused", refused[i]);
        assert_int_equal(strncmp(e.text, "error parsing regexp: ", 22), 0);
        assert_null(r);
        arena_fini(&a);
    }
}

static void a_costly_match_is_given_up(void **state)
{
    struct arena a;
    struct regex *r;
    struct err e;
    bool matched = true;
    struct str out;

    (void)state;
    arena_init(&a, "test", 64 << 20);
    r = compiled(&a, "(a+)+[bc]");
    assert_true(regex_match(r, STR("aaab")));
    assert_false(regex_failed(r));
    assert_false(regex_match(r, STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaad")));
    assert_true(regex_failed(r));
    assert_false(regex_match(r, STR("aaab"))); /* not tried again */
    assert_int_equal(regex_expand(r, &a, STR("aaab"), STR("$1"), &matched, &out, &e), ERR_LIMIT);
    arena_fini(&a);
}

static void sizes_are_bounded(void **state)
{
    struct regex *r = NULL;
    struct arena a;
    struct err e;
    char text[LIMIT_REGEX_BYTES + 2];
    size_t count = 0;

    (void)state;
    arena_init(&a, "test", 64 << 20);
    memset(text, '.', sizeof(text));
    assert_int_equal(regex_compile(&a, str_make(text, LIMIT_REGEX_BYTES), &r, &e), ERR_OK);
    assert_int_equal(regex_compile(&a, str_make(text, LIMIT_REGEX_BYTES + 1), &r, &e), ERR_LIMIT);
    memset(text, '(', 200);
    memset(text + 200, ')', 200);
    assert_int_equal(regex_compile(&a, str_make(text, 400), &r, &e), ERR_LIMIT);
    assert_int_equal(regex_compile(&a, STR("((abcdefgh){1000}){1000}"), &r, &e), ERR_LIMIT);
    /* Words are compared one by one: there may be more of them. */
    memset(text, '|', sizeof(text));
    assert_int_equal(regex_compile(&a, str_make(text, sizeof(text)), &r, &e), ERR_OK);
    regex_words(r, &count);
    assert_int_equal(count, sizeof(text) + 1);
    arena_fini(&a);
    for (size_t cap = 0; cap < 40000; cap += 997) {
        arena_init(&a, "test", cap);
        if (regex_compile(&a, STR("(?i)a.*b|c{3}"), &r, &e) == ERR_OK)
            (void)regex_match(r, STR("AxxxB"));
        arena_fini(&a);
    }
}

static void words_are_found(void **state)
{
    static const struct {
        const char *pattern;
        size_t count;
        const char *first, *last;
    } table[] = {{"a", 1, "a", "a"},         {"", 1, "", ""},
                 {"a|b\\.c|d", 3, "a", "d"}, {"(?:x|y\\|z)", 2, "x", "y|z"},
                 {"(a-b)", 1, "a-b", "a-b"}, {"^a$", 1, "a", "a"},
                 {"^(a|b)$", 2, "a", "b"}};
    static const char *const none[] = {"a.*", "^a|b$", "(a)|b", "a(b)",  "\\d",
                                       "[a]", "a$b",   "(?i)a", "(?i:a)"};
    struct arena a;

    (void)state;
    arena_init(&a, "test", 1 << 20);
    for (size_t i = 0; i < COUNT(table); i++) {
        size_t count = 0;
        const struct str *words = regex_words(compiled(&a, table[i].pattern), &count);

        assert_int_equal(count, table[i].count);
        assert_true(str_eq_c(words[0], table[i].first));
        assert_true(str_eq_c(words[count - 1], table[i].last));
    }
    for (size_t i = 0; i < COUNT(none); i++) {
        size_t count = 1;

        regex_words(compiled(&a, none[i]), &count);
        assert_int_equal(count, 0);
    }
    arena_fini(&a);
}

static void templates_are_filled(void **state)
{
    static const struct {
        const char *pattern, *text, *template, *want;
    } table[] = {{"(.*):(.*)", "host:80", "$1", "host"},
                 {"(.*):(.*)", "host:80", "${2}-$1", "80-host"},
                 {"(.*):(.*)", "host:80", "$0", "host:80"},
                 {"(.*):(.*)", "host:80", "$1x", ""},
                 {"(.*):(.*)", "host:80", "${1}x", "hostx"},
                 {"(.*):(.*)", "host:80", "$3|$99999999999999999999", "|"},
                 {"(.*):(.*)", "host:80", "$$1 $ $- ${", "$1 $ $- ${"},
                 {"(?P<a>.)(?P<b_1>.)", "xy", "$b_1$a", "yx"},
                 {"(?P<a>.)(?P<b_1>.)", "xy", "$ab", ""},
                 {"(a)|(b)", "b", "[$1][$2]", "[][b]"},
                 {"foo|bar", "bar", "<$0>", "<bar>"},
                 {"", "", "x", "x"}};
    struct arena a;

    (void)state;
    arena_init(&a, "test", 1 << 20);
    for (size_t i = 0; i < COUNT(table); i++) {
        struct str out = {NULL, 0};
        bool matched = false;
        struct err e;

        assert_int_equal(regex_expand(compiled(&a, table[i].pattern), &a, str_of(table[i].text),
                                      str_of(table[i].template), &matched, &out, &e),
                         ERR_OK);
        assert_true(matched);
        if (!str_eq_c(out, table[i].want))
            fail_msg("%s with %s gives \"%.*s\"", table[i].pattern, table[i].template,
                     STR_ARG(out));
    }
    arena_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_texts_match),
        cmocka_unit_test(what_re2_lacks_is_refused),
        cmocka_unit_test(a_costly_match_is_given_up),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(words_are_found),
        cmocka_unit_test(templates_are_filled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
