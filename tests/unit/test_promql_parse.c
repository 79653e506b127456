/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_promql_parse.c: what parses, the tree, how it prints; bounds. Errors: test_promql_errors.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "promql/literal.h"
#include "promql/parse.h"

struct pair {
    const char *query;
    const char *printed; /* NULL: as it is written */
};

static const struct pair good[] = {
    {"1", NULL},
    {".5", "0.5"},
    {"5.", "5"},
    {"1e3", "1000"},
    {"1E-3", "0.001"},
    {"0x1F", "31"},
    {"0X1f", "31"},
    {"017", "15"},
    {"08", "8"},
    {"1_000.5", "1000.5"},
    {"0x_ff", "255"},
    {"Inf", "+Inf"},
    {"+inf", "+Inf"},
    {"-Inf", NULL},
    {"NaN", NULL},
    {"-nan", "NaN"},
    {"5m", NULL},
    {"-1h30m", NULL},
    {"1d", NULL},
    {"90d", NULL},
    {"1y2w", "379d"},
    {"500ms", NULL},
    {"1.50", "1.5"},
    {"0.000001", NULL},
    {"1e21", "1000000000000000000000"},
    {"-0", NULL},
    {"+5", "5"},
    {"--5", "5"},
    {"\"a\\\"b\"", NULL},
    {"'it\\'s'", "\"it's\""},
    {"'say \"x\"'", "\"say \\\"x\\\"\""},
    {"`raw\\n`", "\"raw\\\\n\""},
    {"\"tab\\t\\x41\\u00e9\\U0001F600\\101\"", "\"tab\\tA\xc3\xa9\xf0\x9f\x98\x80"
                                               "A\""},
    {"\"\\xff\"", NULL},
    {"\"Gr\xc3\xbc\xc3\x9f"
     "e\"",
     NULL},
    {"\"\"", NULL},
    {"up", NULL},
    {":rule:sum", NULL},
    {"job:up:rate5m", NULL},
    {"up{}", "up"},
    {"up{job=\"a\"}", NULL},
    {"up{job=\"a\",}", "up{job=\"a\"}"},
    {"up { job = \"a\" , env != 'b' , x =~ \"c.*\" , y !~ \"d|e\" }",
     "up{env!=\"b\",job=\"a\",x=~\"c.*\",y!~\"d|e\"}"},
    {"{job=\"a\"}", NULL},
    {"{\"a.metric\"}", "{__name__=\"a.metric\"}"},
    {"{\"a.metric\", \"l.x\"=\"v\"}", "{\"l.x\"=\"v\",__name__=\"a.metric\"}"},
    {"{\"up\", job=~\".+\"}", "{__name__=\"up\",job=~\".+\"}"},
    {"{__name__=\"up\"}", NULL},
    {"{__name__=~\"up|down\"}", NULL},
    {"up{\"job\"=\"a\"}", "up{job=\"a\"}"},
    {"up{\"my label\"!=\"a\"}", NULL},
    {"up{b=\"2\",a=\"1\"}", "up{a=\"1\",b=\"2\"}"},
    {"up{a=\"1\",a!=\"2\"}", "up{a!=\"2\",a=\"1\"}"},
    {"up{on=\"x\",by=\"y\",sum=\"z\",offset=\"0\"}",
     "up{by=\"y\",offset=\"0\",on=\"x\",sum=\"z\"}"},
    {"sum", NULL},
    {"by", NULL},
    {"offset", NULL},
    {"and{}", "and"},
    {"start", NULL},
    {"end{x=\"y\"}", NULL},
    {"group", NULL},
    {"quantile{quantile=\"0.5\"}", NULL},
    {"bottomk == topk", NULL},
    {"up offset 5m", NULL},
    {"up OFFSET -5m", "up offset -5m"},
    {"up offset 90", "up offset 1m30s"},
    {"up offset 1.5", "up offset 1s500ms"},
    {"up offset +1m", "up offset 1m"},
    {"up{a=\"b\"} offset 1w", NULL},
    {"up @ 1603774568", "up @ 1603774568.000"},
    {"up @ 1.5", "up @ 1.500"},
    {"up @ -2.0005", "up @ -2.001"},
    {"up @ 1m", "up @ 60.000"},
    {"up @ start()", NULL},
    {"up @ end()", NULL},
    {"up @ start() offset 5m", NULL},
    {"up offset 5m @ end()", "up @ end() offset 5m"},
    {"up[5m]", NULL},
    {"up[300]", "up[5m]"},
    {"up[1.5]", "up[1s500ms]"},
    {"up[ 5m ]", "up[5m]"},
    {"up[5m] offset 1h", NULL},
    {"up[5m] @ 10 offset -1h", "up[5m] @ 10.000 offset -1h"},
    {"up{a=\"b\"}[1h30m]", NULL},
    {"up[5m:1m]", NULL},
    {"up[5m:]", NULL},
    {"up[1h:30]", "up[1h:30s]"},
    {"up[5m:1m] offset 3m @ 4", "up[5m:1m] @ 4.000 offset 3m"},
    {"(up)[5m:]", NULL},
    {"rate(up[5m])[30m:1m]", NULL},
    {"max_over_time(rate(up[5m])[30m:1m] offset 1d)", NULL},
    {"(1 + up)[5m:30s] @ end()", NULL},
    {"1 + 2", NULL},
    {"1+2*3", "1 + 2 * 3"},
    {"(1+2)*3", "(1 + 2) * 3"},
    {"1 - 2 - 3", NULL},
    {"2 ^ 3 ^ 2", NULL},
    {"-2 ^ 2", NULL},
    {"2 ^ -1", NULL},
    {"2 ^ -a ^ b", NULL},
    {"-a * b", NULL},
    {"-a ^ b", NULL},
    {"- -a", "--a"},
    {"-+a", NULL},
    {"+a", NULL},
    {"-(1)", NULL},
    {"a / b % c atan2 d", NULL},
    {"a and b or c unless d", NULL},
    {"a or b and c", NULL},
    {"a == bool 1", NULL},
    {"1 == bool 2", NULL},
    {"1 != bool NaN", NULL},
    {"a > b < c >= d <= e", NULL},
    {"a + on (x) b", NULL},
    {"a + ON(x, y,) b", "a + on (x, y) b"},
    {"a + on () b", NULL},
    {"a + ignoring (x) b", NULL},
    {"a + ignoring () b", "a + b"},
    {"a + on (x) group_left b", "a + on (x) group_left () b"},
    {"a * on (x) group_left () b", NULL},
    {"a * on (x) group_left (y, z) b", NULL},
    {"a * ignoring (x) group_right (y) b", NULL},
    {"a > bool on (x) group_right b", "a > bool on (x) group_right () b"},
    {"a and on (x) b", NULL},
    {"a unless ignoring (x, y) b", NULL},
    {"a + on (\"l.x\", by) group_left (\"m n\") b", NULL},
    {"1 + on () a", "1 + a"},
    {"a % on (x) (b)", NULL},
    {"sum(up)", NULL},
    {"sum by (job) (up)", NULL},
    {"sum(up) by (job)", "sum by (job) (up)"},
    {"SUM BY (job, \"l.x\") (up)", "sum by (job, \"l.x\") (up)"},
    {"sum without (job) (up)", NULL},
    {"sum(up) without ()", "sum without () (up)"},
    {"sum by () (up)", "sum(up)"},
    {"sum by (a:b) (up)", "sum by (\"a:b\") (up)"},
    {"avg by (bool, group_left, on, atan2, and, sum, start) (up)", NULL},
    {"topk(5, up)", NULL},
    {"bottomk by (a) (2 + 3, up)", NULL},
    {"quantile(0.9, up)", NULL},
    {"count_values(\"v\", up)", NULL},
    {"count_values without (x) (\"v\", up)", NULL},
    {"min(max(sum(up)))", NULL},
    {"limitk(2, up)", NULL},
    {"limit_ratio(-0.5, up) by (x)", "limit_ratio by (x) (-0.5, up)"},
    {"time()", NULL},
    {"pi() * 2", NULL},
    {"rate(up[5m])", NULL},
    {"vector(1)", NULL},
    {"scalar(up)", NULL},
    {"round(up)", NULL},
    {"round(up, 0.5)", NULL},
    {"clamp(up, 0, 1)", NULL},
    {"day_of_week()", NULL},
    {"year(vector(0))", NULL},
    {"label_replace(up, \"a\", \"$1\", \"b\", \"(.*)\")", NULL},
    {"label_join(up, \"a\", \"-\")", NULL},
    {"label_join(up, \"a\", \"-\", \"b\", \"c\", \"d\")", NULL},
    {"sort_by_label(up, \"a\", \"b\")", NULL},
    {"sort_by_label_desc(up)", NULL},
    {"histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))", NULL},
    {"info(up)", NULL},
    {"info(up, {a=\"b\"})", NULL},
    {"info(up, {})", NULL},
    {"double_exponential_smoothing(up[5m], 0.1, 0.2)", NULL},
    {"absent(up{a=\"b\"})", NULL},
    {"predict_linear(up[1h], 5m)", NULL},
    {"# first\n1 # and last", "1"},
    {"sum( # in here\n up # and there\n)", "sum(up)"},
    {"up{ # inside braces\na=\"b\"}", "up{a=\"b\"}"},
    {"\t up \r\n", "up"},
    {"(((up)))", NULL},
    {"\"string in a query\"", NULL},
    {"Inf ^ 2", NULL},
    {"2 ^ Inf", "2 ^ +Inf"},
    {"foo{a=~\"\"}", NULL},
    {"up == 1 or up != 1", NULL},
    {"up offset 5", "up offset 5s"},
    {"up @ start() [5m]", "up[5m] @ start()"},
    {"-up offset 5m", NULL},
    {"1 < 2 + up", NULL},
    {":", NULL},
    {"a:b:", NULL},
    {"up{a=\"b\"}[5m] @ start() offset 1w1d", "up{a=\"b\"}[5m] @ start() offset 8d"},
    {"sum by (\"without\", \"Inf\") (up)", NULL},
    {"offset offset 5m", NULL},
    {"by + by", NULL},
    {"group(up)", NULL},
    {"a offset 1m - b", NULL},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static enum err_code parse(struct arena *a, const char *query, bool experimental, struct expr **x,
                           struct err *e)
{
    struct promql_options options = {.experimental = experimental};

    return promql_parse(a, str_of(query), &options, x, e);
}

/* The tree of a query that parses. */
static struct expr *tree(struct arena *a, const char *query)
{
    struct expr *x = NULL;
    struct err e;

    if (parse(a, query, true, &x, &e) != ERR_OK)
        fail_msg("%s: %s", query, e.text);
    return x;
}

static void good_queries_print_in_one_form(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        const char *want = good[i].printed ? good[i].printed : good[i].query;
        struct arena a;
        struct buf once, twice;

        arena_init(&a, "test", 1 << 20);
        buf_init(&once, 1 << 16);
        buf_init(&twice, 1 << 16);
        promql_print(tree(&a, good[i].query), &once);
        assert_string_equal(once.ptr, want);
        promql_print(tree(&a, once.ptr), &twice);
        assert_string_equal(twice.ptr, want);
        buf_fini(&twice);
        buf_fini(&once);
        arena_fini(&a);
    }
}

static void nothing_is_left_out_of_the_tree(void **state)
{
    struct arena a;
    struct expr *x, *s;

    (void)state;
    arena_init(&a, "test", 1 << 20);
    x = tree(&a,
             "a * on (x) group_left (y) -sum by (z) (rate(m{l=~\"p|q\"}[1h] offset -5m @ 1.5))");
    assert_int_equal(x->kind, EXPR_BINARY);
    assert_int_equal(x->u.binary.op, OP_MUL);
    assert_int_equal(x->u.binary.card, CARD_MANY_TO_ONE);
    assert_true(x->u.binary.on && x->u.binary.labels.count == 1);
    assert_true(str_eq_c(x->u.binary.include.items[0], "y"));
    assert_int_equal(x->u.binary.op_at, 2);
    x = x->u.binary.right;
    assert_true(x->kind == EXPR_UNARY && x->u.unary.negative);
    x = x->u.unary.x;
    assert_true(x->kind == EXPR_AGGREGATE && x->u.aggregate.op == AGG_SUM);
    assert_true(!x->u.aggregate.without && str_eq_c(x->u.aggregate.by.items[0], "z"));
    x = x->u.aggregate.x;
    assert_true(x->kind == EXPR_CALL && x->u.call.func->id == PROMQL_FUNC_rate);
    s = x->u.call.args[0];
    assert_true(s->kind == EXPR_SELECTOR && s->type == PROMQL_MATRIX);
    assert_true(s->u.selector.range_ms == 3600000 && s->u.selector.when.offset_ms == -300000);
    assert_true(s->u.selector.when.at == AT_TIME && s->u.selector.when.at_ms == 1500);
    assert_int_equal(s->u.selector.matcher_count, 2);
    assert_true(matcher_match(&s->u.selector.matchers[0], STR("q")));
    assert_false(matcher_match(&s->u.selector.matchers[0], STR("pq")));
    assert_true(str_eq_c(s->u.selector.matchers[1].value, "m"));
    arena_fini(&a);
}

/* Operators with parentheses around each, so that the shape of the tree is seen. */
static void put_shape(const struct expr *x, struct buf *out)
{
    if (x->kind == EXPR_UNARY) {
        buf_add_c(out, x->u.unary.negative ? "(-" : "(+");
        put_shape(x->u.unary.x, out);
        buf_add_char(out, ')');
    } else if (x->kind == EXPR_BINARY) {
        buf_add_char(out, '(');
        put_shape(x->u.binary.left, out);
        buf_printf(out, " %s ", expr_op_text(x->u.binary.op));
        put_shape(x->u.binary.right, out);
        buf_add_char(out, ')');
    } else {
        promql_print(x, out);
    }
}

static void operators_bind_as_they_should(void **state)
{
    static const struct pair table[] = {
        {"1 + 2 * 3", "(1 + (2 * 3))"},
        {"1 * 2 + 3", "((1 * 2) + 3)"},
        {"1 - 2 - 3", "((1 - 2) - 3)"},
        {"8 / 4 / 2", "((8 / 4) / 2)"},
        {"2 ^ 3 ^ 2", "(2 ^ (3 ^ 2))"},
        {"2 ^ 3 * 2", "((2 ^ 3) * 2)"},
        {"-2 ^ 2", "(-(2 ^ 2))"},
        {"-a * b", "((-a) * b)"},
        {"-a ^ b", "(-(a ^ b))"},
        {"a ^ -b * c", "((a ^ (-b)) * c)"},
        {"a ^ -b ^ c", "(a ^ (-(b ^ c)))"},
        {"a atan2 b % c", "((a atan2 b) % c)"},
        {"a + b > c", "((a + b) > c)"},
        {"a > b == c", "((a > b) == c)"},
        {"a and b or c and d", "((a and b) or (c and d))"},
        {"a or b unless c and d", "(a or ((b unless c) and d))"},
        {"a == 1 and b != 2", "((a == 1) and (b != 2))"},
        {"-a offset 5m + b @ 1", "((-a offset 5m) + b @ 1.000)"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct arena a;
        struct buf b;

        arena_init(&a, "test", 1 << 20);
        buf_init(&b, 1 << 16);
        put_shape(tree(&a, table[i].query), &b);
        assert_string_equal(b.ptr, table[i].printed);
        buf_fini(&b);
        arena_fini(&a);
    }
}

static void set_operators_are_many_to_many(void **state)
{
    struct arena a;

    (void)state;
    arena_init(&a, "test", 1 << 20);
    assert_int_equal(tree(&a, "a and on (x) b")->u.binary.card, CARD_MANY_TO_MANY);
    assert_int_equal(tree(&a, "a + b")->u.binary.card, CARD_ONE_TO_ONE);
    assert_int_equal(tree(&a, "1 + 1")->type, PROMQL_SCALAR);
    assert_int_equal(tree(&a, "1 + a")->type, PROMQL_VECTOR);
    arena_fini(&a);
}

static void nodes_know_their_place(void **state)
{
    static const char query[] = "  (a{b=\"c\"}[5m:1m] offset 1m)  ";
    struct arena a;
    struct expr *x;

    (void)state;
    arena_init(&a, "test", 1 << 20);
    x = tree(&a, query);
    assert_true(x->start == 2 && x->end == strlen(query) - 2);
    x = x->u.paren;
    assert_true(x->start == 3 && x->end == strlen(query) - 3);
    x = x->u.subquery.x;
    assert_true(x->start == 3 && x->end == 11);
    arena_fini(&a);
}

/* `count` times `part`, then `rest`. */
static char *repeated(const char *part, size_t count, const char *rest)
{
    size_t len = strlen(part);
    char *text = malloc(len * count + strlen(rest) + 1);

    assert_non_null(text);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * len, part, len);
    memcpy(text + len * count, rest, strlen(rest) + 1);
    return text;
}

static void depth_and_length_are_bounded(void **state)
{
    static const char *const parts[] = {"(", "-", "sum(", "1^", "1+", "a or ", "abs(-"};

    (void)state;
    for (size_t i = 0; i < COUNT(parts); i++) {
        char *text = repeated(parts[i], 10000, "1");
        struct expr *x = NULL;
        struct arena a;
        struct err e;

        arena_init(&a, "test", 64 << 20);
        assert_int_equal(parse(&a, text, false, &x, &e), ERR_LIMIT);
        assert_string_equal(e.text, "the query nests deeper than 200 levels");
        arena_fini(&a);
        free(text);
    }
    for (size_t count = LIMIT_QUERY_BYTES / 2 - 1; count < (size_t)LIMIT_QUERY_BYTES / 2 + 1;
         count++) {
        char *text = repeated("\n ", count, "1");
        struct expr *x = NULL;
        struct arena a;
        struct err e;

        arena_init(&a, "test", 1 << 20);
        assert_int_equal(parse(&a, text, false, &x, &e),
                         strlen(text) > LIMIT_QUERY_BYTES ? ERR_LIMIT : ERR_OK);
        arena_fini(&a);
        free(text);
    }
}

static void a_full_arena_is_a_limit(void **state)
{
    (void)state;
    for (size_t cap = 0; cap < 4096; cap += 64) {
        struct expr *x = NULL;
        struct arena a;
        struct err e;
        enum err_code rc;

        arena_init(&a, "test", cap);
        rc = parse(&a, "sum by (a, b, c) (up{x=~\"a.*\", y=\"\\n\"}) + clamp(a, 1, 2)", false, &x,
                   &e);
        assert_true(rc == ERR_LIMIT || (rc == ERR_OK && x));
        arena_fini(&a);
    }
}

static void selectors_alone(void **state)
{
    static const struct pair refused[] = {
        {"up offset 5m", "1:4: parse error: unexpected <offset>"},
        {"sum(up)", "1:4: parse error: unexpected \"(\""},
        {"1", "1:1: parse error: unexpected number \"1\""},
        {"", "1:1: parse error: unexpected end of input"},
        {"(up)", "1:1: parse error: unexpected \"(\""},
        {"up{", "1:4: parse error: unexpected end of input inside braces"},
        {"{}", "match[] must contain at least one non-empty matcher"},
        {"{a=~\".*\"}", "match[] must contain at least one non-empty matcher"},
    };
    struct matcher *m = NULL;
    struct arena a;
    struct err e;
    size_t count = 0;

    (void)state;
    arena_init(&a, "test", 1 << 20);
    assert_int_equal(promql_parse_selector(&a, STR("up{a!=\"b\"}"), &m, &count, &e), ERR_OK);
    assert_int_equal(count, 2);
    assert_true(m[0].kind == MATCHER_NOT_EQUAL && str_eq_c(m[1].name, "__name__"));
    assert_int_equal(promql_parse_selector(&a, STR("{\"x.y\"}"), &m, &count, &e), ERR_OK);
    assert_true(count == 1 && str_eq_c(m[0].value, "x.y"));
    for (size_t i = 0; i < COUNT(refused); i++) {
        assert_int_equal(promql_parse_selector(&a, str_of(refused[i].query), &m, &count, &e),
                         ERR_INVALID);
        assert_string_equal(e.text, refused[i].printed);
    }
    arena_fini(&a);
}

static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t ms;
        const char *printed;
    } table[] = {{"0", 0, "0s"},
                 {"1ms", 1, "1ms"},
                 {"1m30s", 90000, "1m30s"},
                 {"1h0m5s", 3605000, "1h5s"},
                 {"1y2w3d4h5m6s7ms", 33019506007, "382d4h5m6s7ms"},
                 {"14d", 1209600000, "2w"},
                 {"365d", 31536000000, "1y"}};
    static const char *const wrong[] = {"",
                                        "5",
                                        "m",
                                        "1.5m",
                                        "1m1h",
                                        "1m1m",
                                        "1h ",
                                        " 1h",
                                        "-1h",
                                        "1hs",
                                        "293y",
                                        "1M",
                                        "18446744073709551616s"};
    int64_t ms = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(table); i++) {
        struct buf b;

        buf_init(&b, 64);
        assert_true(promql_parse_duration(str_of(table[i].text), &ms));
        assert_true(ms == table[i].ms);
        promql_literal_put_duration(&b, ms);
        assert_string_equal(b.ptr, table[i].printed);
        buf_fini(&b);
    }
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_false(promql_parse_duration(str_of(wrong[i]), &ms));
}

/* The table of func.c: by name, complete, found by binary search. */
static void functions_are_complete(void **state)
{
    (void)state;
    for (int i = 0; i < PROMQL_FUNC_COUNT; i++) {
        const struct promql_func *func = promql_func_at((enum promql_func_id)i);

        assert_int_equal(func->id, i);
        assert_true(func->type != PROMQL_NONE);
        assert_ptr_equal(promql_func_find(str_of(func->name)), func);
    }
    assert_null(promql_func_find(STR("sum")));
    assert_null(promql_func_find(STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_queries_print_in_one_form),
        cmocka_unit_test(nothing_is_left_out_of_the_tree),
        cmocka_unit_test(operators_bind_as_they_should),
        cmocka_unit_test(set_operators_are_many_to_many),
        cmocka_unit_test(nodes_know_their_place),
        cmocka_unit_test(depth_and_length_are_bounded),
        cmocka_unit_test(a_full_arena_is_a_limit),
        cmocka_unit_test(selectors_alone),
        cmocka_unit_test(durations),
        cmocka_unit_test(functions_are_complete),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
