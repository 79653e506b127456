/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_promql_errors.c: what every error of a query says, and where.
 *
 * The texts are those of Prometheus 3.5, which tools show to people.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "promql/parse.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

struct wrong {
    const char *query;
    const char *place;
    const char *message;
};

static const struct wrong bad[] = {
    {"", "unknown position", "no expression found in input"},
    {"   ", "1:1", "no expression found in input"},
    {"# only a comment", "1:1", "no expression found in input"},
    {"(", "1:2", "unclosed left parenthesis"},
    {")", "1:2", "unexpected right parenthesis ')'"},
    {"1)", "1:3", "unexpected right parenthesis ')'"},
    {"((1)", "1:5", "unclosed left parenthesis"},
    {"up{", "1:4", "unexpected end of input inside braces"},
    {"up{a", "1:5", "unexpected end of input inside braces"},
    {"up{a=", "1:6", "unexpected end of input inside braces"},
    {"up{a=}", "1:6", "unexpected \"}\" in label matching, expected string"},
    {"up{a=\"b\"", "1:9", "unexpected end of input inside braces"},
    {"up{a=\"b\"]", "1:9", "unexpected character inside braces: ']'"},
    {"up{a=\"b\" c=\"d\"}", "1:10",
     "unexpected identifier \"c\" in label matching, expected \",\" or \"}\""},
    {"up{a=\"b\",,}", "1:10", "unexpected \",\" in label matching, expected identifier or \"}\""},
    {"up{,}", "1:4", "unexpected \",\" in label matching, expected identifier or \"}\""},
    {"up{a!b}", "1:5", "unexpected character after '!' inside braces: 'b'"},
    {"up{a=~\"(\"}", "1:4", "error parsing regexp: missing closing parenthesis at byte 1: `(`"},
    {"up{a=~\"b(?=c)\"}", "1:4", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`"},
    {"up{a==\"b\"}", "1:6", "unexpected \"=\" in label matching, expected string"},
    {"up{1=\"b\"}", "1:4", "unexpected character inside braces: '1'"},
    {"up{{", "1:4", "unexpected left brace '{'"},
    {"up{a=b}", "1:6", "unexpected identifier \"b\" in label matching, expected string"},
    {"up{\"a\" \"b\"}", "1:8",
     "unexpected string \"\\\"b\\\"\" in label matching, expected \",\" or \"}\""},
    {"up{\"a\"=}", "1:8", "unexpected \"}\" in label matching, expected string"},
    {"{}", "1:1", "vector selector must contain at least one non-empty matcher"},
    {"{a=\"\"}", "1:1", "vector selector must contain at least one non-empty matcher"},
    {"{a!=\"b\"}", "1:1", "vector selector must contain at least one non-empty matcher"},
    {"{a=~\".*\"}", "1:1", "vector selector must contain at least one non-empty matcher"},
    {"up{__name__=\"down\"}", "1:1", "metric name must not be set twice: \"up\" or \"down\""},
    {"up{\"down\"}", "1:1", "metric name must not be set twice: \"up\" or \"down\""},
    {"up[", "1:4", "unexpected end of input in duration expression"},
    {"up[]", "1:4", "unexpected \"]\" in subquery or range selector, expected number or duration"},
    {"up[5m", "1:6", "unclosed left bracket"},
    {"up[5m:", "1:7", "unclosed left bracket"},
    {"up[5m:1m", "1:9", "unclosed left bracket"},
    {"up[5m 1m]", "1:7",
     "unexpected duration \"1m\" in subquery or range, expected \":\" or \"]\""},
    {"up[5m:1m:1m]", "1:9", "unexpected colon ':'"},
    {"up[:1m]", "1:5", "unexpected colon before duration in duration expression"},
    {"up[5m:x]", "1:7", "unexpected character: 'x', expected ':'"},
    {"up[5mm]", "1:4", "bad number or duration syntax: \"5mm\""},
    {"up[5m1]", "1:4", "bad number or duration syntax: \"5m1\""},
    {"up[1h5y]", "1:4", "bad number or duration syntax: \"1h5\""},
    {"up[5m5m]", "1:4", "not a valid duration string: \"5m5m\""},
    {"up[5hs]", "1:4", "unknown unit \"hs\" in duration \"5hs\""},
    {"up[0]", "1:4", "duration must be greater than 0"},
    {"up[0s]", "1:4", "duration must be greater than 0"},
    {"up[-5m]", "1:4", "duration must be greater than 0"},
    {"up[5m:0]", "1:7", "duration must be greater than 0"},
    {"up[5m:-1]", "1:7", "duration must be greater than 0"},
    {"up[\"5m\"]", "1:4", "unexpected character in duration expression: '\"'"},
    {"up[5m][5m]", "1:7", "ranges only allowed for vector selectors"},
    {"up[[5m]]", "1:4", "unexpected character in duration expression: '['"},
    {"up]", "1:3", "unexpected right bracket ']'"},
    {"up[5m + 1m]", "1:4", "experimental duration expression is not enabled"},
    {"up[(5m)]", "1:5", "experimental duration expression is not enabled"},
    {"up[300y]", "1:4", "duration out of range"},
    {"(up)[5m]", "1:5", "ranges only allowed for vector selectors"},
    {"1[5m]", "1:2", "ranges only allowed for vector selectors"},
    {"up offset", "1:10", "unexpected end of input in offset, expected number or duration"},
    {"up offset foo", "1:11",
     "unexpected identifier \"foo\" in offset, expected number or duration"},
    {"up offset 5m offset 5m", "1:1", "offset may not be set multiple times"},
    {"up offset 1m[5m]", "1:13", "no offset modifiers allowed before range"},
    {"up @ 1[5m]", "1:7", "no @ modifiers allowed before range"},
    {"up @", "1:5", "unexpected end of input in @, expected timestamp"},
    {"up @ foo", "1:6", "unexpected identifier \"foo\" in @, expected timestamp"},
    {"up @ start", "1:11", "unexpected end of input in @, expected timestamp"},
    {"up @ start(", "1:12", "unclosed left parenthesis"},
    {"up @ Inf", "1:1", "timestamp out of bounds for @ modifier: +Inf"},
    {"up @ NaN", "1:1", "timestamp out of bounds for @ modifier: NaN"},
    {"up @ 1e20", "1:1", "timestamp out of bounds for @ modifier: 100000000000000000000.000000"},
    {"up @ 1 @ 2", "1:1", "@ <timestamp> may not be set multiple times"},
    {"up @ 1 @ start()", "1:1", "@ <timestamp> may not be set multiple times"},
    {"1 offset 5m", "1:1",
     "offset modifier must be preceded by an instant vector selector or range vector "
     "selector or a subquery"},
    {"1 @ 5", "1:1",
     "@ modifier must be preceded by an instant vector selector or range vector selector "
     "or a subquery"},
    {"sum(up) offset 5m", "1:1",
     "offset modifier must be preceded by an instant vector selector or range vector "
     "selector or a subquery"},
    {"(up) @ 5", "1:1",
     "@ modifier must be preceded by an instant vector selector or range vector selector "
     "or a subquery"},
    {"1 +", "1:4", "unexpected end of input"},
    {"+ ", "1:3", "unexpected end of input"},
    {"1 + + ", "1:7", "unexpected end of input"},
    {"* 1", "1:1", "unexpected <op:*>"},
    {"1 2", "1:3", "unexpected number \"2\""},
    {"up up", "1:4", "unexpected identifier \"up\""},
    {"up \"a\"", "1:4", "unexpected string \"\\\"a\\\"\""},
    {"up 5", "1:4", "unexpected number \"5\""},
    {"up 5m", "1:4", "unexpected duration \"5m\""},
    {"foo bar baz", "1:5", "unexpected identifier \"bar\""},
    {"1 == 2", "1:3", "comparisons between scalars must use BOOL modifier"},
    {"up bool 1", "1:4", "unexpected <bool>"},
    {"up + bool 1", "1:4", "bool modifier can only be used on comparison operators"},
    {"up and bool up", "1:4", "bool modifier can only be used on comparison operators"},
    {"1 and 2", "1:1", "set operator \"and\" not allowed in binary scalar expression"},
    {"1 or up", "1:1", "set operator \"or\" not allowed in binary scalar expression"},
    {"up unless 1", "1:1", "set operator \"unless\" not allowed in binary scalar expression"},
    {"up and on (x) group_left up", "1:1", "no grouping allowed for \"and\" operation"},
    {"up + group_left (x) up", "1:6", "unexpected <group_left>"},
    {"up + on up", "1:9", "unexpected identifier \"up\" in grouping opts, expected \"(\""},
    {"up + on x up", "1:9", "unexpected identifier \"x\" in grouping opts, expected \"(\""},
    {"up + on (", "1:10", "unclosed left parenthesis"},
    {"up + on (x", "1:11", "unclosed left parenthesis"},
    {"up + on (x up", "1:12",
     "unexpected identifier \"up\" in grouping opts, expected \",\" or \")\""},
    {"up + on (1) up", "1:10", "unexpected number \"1\" in grouping opts, expected label"},
    {"up + on (,) up", "1:10", "unexpected \",\" in grouping opts, expected label"},
    {"up + on (without) up", "1:10", "unexpected <without> in grouping opts, expected label"},
    {"up + on (x) group_left * up", "1:24", "unexpected <op:*> in grouping opts, expected \"(\""},
    {"up + on (x) group_left (x) up", "1:4",
     "label \"x\" must not occur in ON and GROUP clause at once"},
    {"up + on (\"\") up", "1:10", "invalid label name for grouping: \"\""},
    {"1 + on (x) up", "1:1", "vector matching only allowed between instant vectors"},
    {"\"a\" + \"b\"", "1:1", "binary expression must contain only scalar and instant vector types"},
    {"up + \"a\"", "1:6", "binary expression must contain only scalar and instant vector types"},
    {"up[5m] + 1", "1:1", "binary expression must contain only scalar and instant vector types"},
    {"1 + up[5m]", "1:5", "binary expression must contain only scalar and instant vector types"},
    {"-\"a\"", "1:1",
     "unary expression only allowed on expressions of type scalar or instant vector, "
     "got \"string\""},
    {"-up[5m]", "1:1",
     "unary expression only allowed on expressions of type scalar or instant vector, "
     "got \"range vector\""},
    {"+up[5m]", "1:1",
     "unary expression only allowed on expressions of type scalar or instant vector, "
     "got \"range vector\""},
    {"sum()", "1:1", "no arguments for aggregate expression provided"},
    {"sum(", "1:5", "unclosed left parenthesis"},
    {"sum(up", "1:7", "unclosed left parenthesis"},
    {"sum(up, up)", "1:1",
     "wrong number of arguments for aggregate expression provided, expected 1, got 2"},
    {"sum up", "1:5", "unexpected identifier \"up\""},
    {"sum by (x) up", "1:12", "unexpected identifier \"up\" in aggregation"},
    {"sum by x (up)", "1:8", "unexpected identifier \"x\" in grouping opts, expected \"(\""},
    {"sum by (x up)", "1:11",
     "unexpected identifier \"up\" in grouping opts, expected \",\" or \")\""},
    {"sum by (x)(up) by (y)", "1:16", "unexpected <by>"},
    {"sum(1)", "1:5", "expected type instant vector in aggregation expression, got scalar"},
    {"sum(up[5m])", "1:5",
     "expected type instant vector in aggregation expression, got range vector"},
    {"sum(up bar)", "1:8", "unexpected identifier \"bar\" in aggregation"},
    {"sum((up bar))", "1:9", "unexpected identifier \"bar\" in aggregation"},
    {"sum(1 + )", "1:9", "unexpected \")\" in aggregation"},
    {"topk(up)", "1:1",
     "wrong number of arguments for aggregate expression provided, expected 2, got 1"},
    {"topk(\"a\", up)", "1:6", "expected type scalar in aggregation parameter, got string"},
    {"topk(up, up)", "1:6", "expected type scalar in aggregation parameter, got instant vector"},
    {"count_values(5, up)", "1:14", "expected type string in aggregation parameter, got scalar"},
    {"quantile(1, 2)", "1:13",
     "expected type instant vector in aggregation expression, got scalar"},
    {"limitk(1, up)", "1:1", "limitk() is experimental and not enabled"},
    {"limit_ratio(1, up)", "1:1", "limit_ratio() is experimental and not enabled"},
    {"foo()", "1:1", "unknown function with name \"foo\""},
    {"foo(1, 2)", "1:1", "unknown function with name \"foo\""},
    {"rate(up)", "1:6",
     "expected type range vector in call to function \"rate\", got instant vector"},
    {"rate(up[5m], 1)", "1:1", "expected 1 argument(s) in call to \"rate\", got 2"},
    {"rate()", "1:1", "expected 1 argument(s) in call to \"rate\", got 0"},
    {"rate(5m)", "1:6", "expected type range vector in call to function \"rate\", got scalar"},
    {"time(1)", "1:1", "expected 0 argument(s) in call to \"time\", got 1"},
    {"abs(1)", "1:5", "expected type instant vector in call to function \"abs\", got scalar"},
    {"abs(up,)", "1:7", "trailing commas not allowed in function call args"},
    {"abs(,up)", "1:5", "unexpected \",\""},
    {"abs(up, ==)", "1:7", "trailing commas not allowed in function call args"},
    {"abs(up up)", "1:8", "unexpected identifier \"up\""},
    {"round()", "1:1", "expected at least 1 argument(s) in call to \"round\", got 0"},
    {"round(up, 1, 2)", "1:1", "expected at most 2 argument(s) in call to \"round\", got 3"},
    {"round(up, \"a\")", "1:11", "expected type scalar in call to function \"round\", got string"},
    {"clamp(up)", "1:1", "expected 3 argument(s) in call to \"clamp\", got 1"},
    {"label_replace(up, \"a\", \"b\", \"c\")", "1:1",
     "expected 5 argument(s) in call to \"label_replace\", got 4"},
    {"label_join(up, \"a\")", "1:1",
     "expected at least 3 argument(s) in call to \"label_join\", got 2"},
    {"label_join(up, \"a\", 5)", "1:21",
     "expected type string in call to function \"label_join\", got scalar"},
    {"label_join(up, \"a\", \"b\", 5)", "1:26",
     "expected type string in call to function \"label_join\", got scalar"},
    {"scalar(1)", "1:8", "expected type instant vector in call to function \"scalar\", got scalar"},
    {"vector(up)", "1:8",
     "expected type scalar in call to function \"vector\", got instant vector"},
    {"day_of_week(1)", "1:13",
     "expected type instant vector in call to function \"day_of_week\", got scalar"},
    {"mad_over_time(up[5m])", "1:1", "function \"mad_over_time\" is not enabled"},
    {"info(up)", "1:1", "function \"info\" is not enabled"},
    {"sort_by_label(up, \"a\")", "1:1", "function \"sort_by_label\" is not enabled"},
    {"(up[5m])[5m:]", "1:1", "subquery is only allowed on instant vector, got matrix instead"},
    {"up[5m][5m:]", "1:1", "subquery is only allowed on instant vector, got matrix instead"},
    {"1[5m:]", "1:1", "subquery is only allowed on instant vector, got scalar instead"},
    {"\"a\"[5m:]", "1:1", "subquery is only allowed on instant vector, got string instead"},
    {"\"abc", "1:1", "unterminated quoted string"},
    {"'abc\"", "1:1", "unterminated quoted string"},
    {"`abc", "1:1", "unterminated raw string"},
    {"\"\\q\"", "1:1", "unknown escape sequence U+0071 'q'"},
    {"\"\\400\"", "1:1", "escape sequence is an invalid Unicode code point"},
    {"\"\\x4\"", "1:1", "illegal character U+0022 '\"' in escape sequence"},
    {"\"\\xzz\"", "1:1", "illegal character U+007A 'z' in escape sequence"},
    {"\"\\ud800\"", "1:1", "escape sequence is an invalid Unicode code point"},
    {"\"\\U00110000\"", "1:1", "escape sequence is an invalid Unicode code point"},
    {"\"\\", "1:1", "escape sequence not terminated"},
    {"\"a\\", "1:1", "escape sequence not terminated"},
    {"5hs", "1:1", "unknown unit \"hs\" in duration \"5hs\""},
    {"5x", "1:1", "bad number or duration syntax: \"5\""},
    {"1e", "1:1", "bad number or duration syntax: \"1e\""},
    {"1e+", "1:1", "bad number or duration syntax: \"1e+\""},
    {"1..2", "1:1", "bad number or duration syntax: \"1..\""},
    {"1.2.3", "1:1", "bad number or duration syntax: \"1.2.\""},
    {"0x", "1:1", "error parsing number: \"0x\""},
    {"0xg", "1:1", "bad number or duration syntax: \"0x\""},
    {"1__0", "1:1", "bad number or duration syntax: \"1__\""},
    {"1_", "1:1", "bad number or duration syntax: \"1_\""},
    {"1e999", "1:1", "error parsing number: \"1e999\""},
    {"99999999999y", "1:1", "duration out of range"},
    {"=", "1:1", "unexpected \"=\""},
    {"!", "1:1", "unexpected character after '!': '\xef\xbf\xbd'"},
    {"!~", "1:1", "unexpected character after '!': '~'"},
    {"a =~ \"b\"", "1:3", "unexpected character after '=': '~'"},
    {"a = \"b\"", "1:3", "unexpected \"=\""},
    {"a ! b", "1:3", "unexpected character after '!': ' '"},
    {"$", "1:1", "unexpected character: '$'"},
    {"a $ b", "1:3", "unexpected character: '$'"},
    {"a ? b", "1:3", "unexpected character: '?'"},
    {"a & b", "1:3", "unexpected character: '&'"},
    {"\xc3\xa4", "1:1", "unexpected character: '\xc3\xa4'"},
    {"a;b", "1:2", "unexpected character: ';'"},
    {"offset 5m", "1:8", "unexpected duration \"5m\""},
    {"by (x)", "1:4", "unexpected \"(\""},
    {"on", "1:1", "unexpected <on>"},
    {"bool", "1:1", "unexpected <bool>"},
    {"up\n\n  + * 2", "3:5", "unexpected <op:*>"},
    {"sum(\n  rate(\n up))", "3:2",
     "expected type range vector in call to function \"rate\", got instant vector"},
};

static void bad_queries_say_what_and_where(void **state)
{
    static const struct promql_options options = {.experimental = false};

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct expr *x = NULL;
        struct arena a;
        struct err e;
        char want[ERR_TEXT_MAX];

        snprintf(want, sizeof(want), "%s: parse error: %s", bad[i].place, bad[i].message);
        arena_init(&a, "test", 1 << 20);
        assert_int_equal(promql_parse(&a, str_of(bad[i].query), &options, &x, &e), ERR_INVALID);
        assert_string_equal(e.text, want);
        assert_null(x);
        arena_fini(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_queries_say_what_and_where),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
