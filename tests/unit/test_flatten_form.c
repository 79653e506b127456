/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_flatten_form.c: a push that is read by the form of the one before gives what the flattener
 * gives; what has another form is left to the flattener.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "model/flatten_form.h"

#define NOW INT64_C(1760000000000)

static const struct json_limits limits = {.max_bytes = 1 << 24, .max_depth = LIMIT_JSON_DEPTH};
static const struct flatten_spec spec = {.database = {{1}}, .host = {{2}}, .now_ms = NOW};

/* A push by the flattener; `taken` says whether it took it. */
struct slow {
    struct arena arena;
    struct json_doc *doc;
    struct flatten flat;
    bool taken;
};

static void slow_init(struct slow *s, struct str text)
{
    *s = (struct slow){0};
    arena_init(&s->arena, "slow", 1 << 26);
    s->taken = json_parse(text, &limits, &s->doc, NULL) == ERR_OK &&
               flatten_is_push(json_root(s->doc)) &&
               flatten_push(&s->arena, json_root(s->doc), &spec, &s->flat, NULL) == ERR_OK;
}

static void slow_fini(struct slow *s)
{
    json_doc_free(s->doc);
    arena_fini(&s->arena);
}

static bool same_cell(struct cell a, struct cell b)
{
    return a.tag == b.tag && a.u64 == b.u64; /* numbers alone, bit by bit */
}

static bool same_keys(const struct slice *a, const struct slice *b)
{
    for (size_t k = 0; k < a->key_count; k++) {
        for (size_t i = 0; i < a->row_count; i++) {
            if (!str_eq(a->keys[k][i], b->keys[k][i]))
                return false;
        }
    }
    return true;
}

static void assert_same_slice(const struct slice *fast, const struct slice *slow)
{
    assert_true(str_eq(fast->relation, slow->relation));
    assert_true(text_uuid_eq(&fast->target, &slow->target));
    assert_int_equal(fast->scope.len, slow->scope.len);
    assert_true(fast->t_ms == slow->t_ms && fast->from_ms == slow->from_ms);
    assert_true(fast->every_ms == slow->every_ms && fast->flags == slow->flags);
    assert_int_equal(fast->row_count, slow->row_count);
    assert_int_equal(fast->key_count, slow->key_count);
    for (size_t k = 0; k < fast->key_count; k++)
        assert_true(str_eq(fast->key_names[k], slow->key_names[k]));
    assert_int_equal(fast->column_count, slow->column_count);
    assert_true(str_eq(fast->columns[0].name, slow->columns[0].name));
    for (size_t i = 0; i < fast->row_count; i++)
        assert_true(same_cell(fast->columns[0].cells[i], slow->columns[0].cells[i]));
    assert_int_equal(fast->gone_count + fast->reset_count, slow->gone_count + slow->reset_count);
}

static void assert_same(const struct flatten *fast, const struct flatten *slow)
{
    assert_true(str_eq(fast->collector_id, slow->collector_id));
    assert_true(str_eq(fast->hostname, slow->hostname));
    assert_true(str_eq(fast->version, slow->version));
    assert_int_equal(fast->item_count, slow->item_count);
    assert_int_equal(fast->timed, slow->timed);
    assert_int_equal(fast->has_database, slow->has_database);
    assert_int_equal(fast->has_host, slow->has_host);
    assert_int_equal(fast->refused + fast->refusal_count, slow->refused + slow->refusal_count);
    assert_true(fast->batch.made_ms == slow->batch.made_ms);
    assert_int_equal(fast->batch.relation_count, slow->batch.relation_count);
    assert_int_equal(fast->batch.event_count, slow->batch.event_count);
    assert_int_equal(fast->batch.text_count, slow->batch.text_count);
    assert_int_equal(fast->batch.slice_count, slow->batch.slice_count);
    assert_same_slice(&fast->batch.slices[0], &slow->batch.slices[0]);
}

enum outcome { NOT_LEARNED, ANOTHER_FORM, READ };

/* Learn from one text and read another; what is read must be what the flattener makes of it. */
static enum outcome try(struct str first, struct str second)
{
    enum outcome outcome = NOT_LEARNED;
    struct flatten_form *form = NULL;
    struct slow before, after;
    struct flatten fast;
    struct arena arena;

    slow_init(&before, first);
    slow_init(&after, second);
    arena_init(&arena, "fast", 1 << 26);
    if (before.taken)
        form = flatten_form_learn(first, &before.flat);
    if (form)
        outcome = flatten_form_read(form, &arena, second, &spec, &fast) ? READ : ANOTHER_FORM;
    if (outcome == READ) {
        assert_true(after.taken);
        assert_same(&fast, &after.flat);
        assert_true(fast.batch.slices[0].rows_like == before.flat.batch.slices[0].rows_like);
        assert_true(same_keys(&before.flat.batch.slices[0], &after.flat.batch.slices[0]));
    }
    flatten_form_free(form);
    arena_fini(&arena);
    slow_fini(&after);
    slow_fini(&before);
    return outcome;
}

static struct str push_of(struct buf *out, const char *items)
{
    buf_reset(out);
    buf_printf(out, "{\"collector_id\":\"c\",\"hostname\":\"h\",\"metrics\":[%s]}", items);
    return buf_view(out);
}

/* Of the items of two pushes. */
static enum outcome items(const char *first, const char *second)
{
    struct buf a, b;
    enum outcome outcome;

    buf_init(&a, 1 << 16);
    buf_init(&b, 1 << 16);
    outcome = try(push_of(&a, first), push_of(&b, second));
    buf_fini(&a);
    buf_fini(&b);
    return outcome;
}

#define ITEM(value, t) \
    "{\"name\":\"n\",\"value\":" value ",\"timestamp\":" t ",\"labels\":{\"b\":\"1\",\"a\":\"2\"}}"

static void test_values_and_times_vary(void **state)
{
    static const char *const values[] = {
        ITEM("0", "1760000060"),
        ITEM("-0", "1760000060"),
        ITEM("-1", "1760000060"),
        ITEM("9223372036854775807", "1760000060"),
        ITEM("9223372036854775808", "1760000060"),
        ITEM("-9223372036854775808", "1760000060"),
        ITEM("18446744073709551615", "1760000060"),
        ITEM("18446744073709551616", "1760000060"),
        ITEM("0.1", "1760000060"),
        ITEM("1e300", "1760000060"),
        ITEM("-2.2250738585072014E-308", "1760000060"),
        ITEM("123456789012345678901234567890.5", "1760000060"),
        ITEM("7", "1760000060000"),
        ITEM("7", "1760000060.25"),
        ITEM("7", "0"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
        assert_int_equal(items(ITEM("5", "1760000000"), values[i]), READ);
}

static void test_what_is_no_value_or_time_is_for_the_flattener(void **state)
{
    static const char *const others[] = {
        ITEM("true", "1760000060"),
        ITEM("null", "1760000060"),
        ITEM("\"5\"", "1760000060"),
        ITEM("", "1760000060"),
        ITEM("05", "1760000060"),
        ITEM("5.", "1760000060"),
        ITEM("1e400", "1760000060"),
        ITEM("5 ", "1760000060"),
        ITEM("[5]", "1760000060"),
        ITEM("5", "-1"),
        ITEM("5", "null"),
        ITEM("5", "\"soon\""),
        ITEM("5", "1e300"),
        ITEM("5", "17600000é"),
        ITEM("5", "\"2025-10-09T08:53:20\\u005a\""),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_equal(items(ITEM("5", "1760000000"), others[i]), ANOTHER_FORM);
}

static void test_every_byte_between_counts(void **state)
{
    static const char first[] = ITEM("5", "1760000000");
    char other[sizeof(first)];

    (void)state;
    for (size_t i = 0; i < sizeof(first) - 1; i++) {
        memcpy(other, first, sizeof(first));
        other[i] = other[i] == 'x' ? 'y' : 'x';
        assert_int_equal(items(first, other), ANOTHER_FORM);
    }
}

static void test_rows_that_come_go_or_move(void **state)
{
#define A "{\"name\":\"a\",\"value\":1,\"timestamp\":1760000000}"
#define B "{\"name\":\"b\",\"value\":2,\"timestamp\":1760000000}"
    (void)state;
    assert_int_equal(items(A "," B, A "," B), READ);
    assert_int_equal(items(A "," B, B "," A), ANOTHER_FORM);
    assert_int_equal(items(A "," B, A), ANOTHER_FORM);
    assert_int_equal(items(A, A "," B), ANOTHER_FORM);
    assert_int_equal(items(A "," B, A "," B " "), ANOTHER_FORM);
    assert_int_equal(items(A "," B, A ",{\"name\":\"b\",\"value\":2,\"timestamp\":1760000001}"),
                     ANOTHER_FORM);
}

static void test_forms_that_are_learned(void **state)
{
    (void)state;
    assert_int_equal(
        items("{ \"labels\" : {\"x\" : \"\\\"\\u00e4}\"} , \"timestamp\" : 1760000000 ,"
              "\"value\" : 1.5 , \"unit\" : [1,{\"value\":2}] , \"name\" : \"a\\n\" }",
              "{ \"labels\" : {\"x\" : \"\\\"\\u00e4}\"} , \"timestamp\" : 1760000009 ,"
              "\"value\" : 2.5 , \"unit\" : [1,{\"value\":2}] , \"name\" : \"a\\n\" }"),
        READ);
    assert_int_equal(items("{\"name\":\"a\",\"value\":1}", "{\"name\":\"a\",\"value\":2}"), READ);
    assert_int_equal(
        items("{\"name\":\"a\",\"value\":1,\"timestamp\":\"2025-10-09T08:53:20Z\"}",
              "{\"name\":\"a\",\"value\":1,\"timestamp\":\"2025-10-09T10:53:21.5+02:00\"}"),
        READ);
    assert_int_equal(items("{\"name\":\"a\",\"value\":1,\"timestamp\":\"2025-10-09T08:53:20Z\"}",
                           "{\"name\":\"a\",\"value\":1,\"timestamp\":1760000000}"),
                     READ);
}

static void test_forms_that_are_not_learned(void **state)
{
    static const char *const forms[] = {
        "{\"name\":\"a\",\"value\":true}",
        "{\"name\":\"a\",\"value\":1,\"value\":2}",
        "{\"name\":\"a\",\"value\":1,\"timestamp\":1760000000,\"timestamp\":1760000001}",
        "{\"name\":\"a\",\"value\":1,\"v\\u0061lue\":2}",
        "{\"name\":\"a\",\"value\":1,\"data\":{\"timestamp\":1760000000}}",
        "{\"name\":\"a\",\"value\":1,\"type\":\"t\"}",
        "{\"type\":\"t\",\"value\":1}",
        A ",{\"name\":\"b\",\"value\":1,\"timestamp\":1760000001}",
        A ",{\"name\":\"b\",\"value\":1}",
        A ",{\"name\":\"b\",\"value\":\"x\"}",
        A ",7",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        assert_int_equal(items(forms[i], forms[i]), NOT_LEARNED);
}

static void test_the_envelope(void **state)
{
#define REST "\"collector_id\":\"c\",\"metrics\":[{\"name\":\"a\",\"value\":1}]"
    static const struct {
        const char *first, *second;
        enum outcome outcome;
    } cases[] = {
        {"{\"timestamp\":1760000000," REST "}", "{\"timestamp\":1760000060," REST "}", READ},
        {"{\"timestamp\":\"2025-10-09T08:53:20Z\"," REST "}\n",
         "{\"timestamp\":\"2025-10-09T08:54:20Z\"," REST "}\n", READ},
        {"{\"timestamp\":null," REST "}", "{\"timestamp\":null," REST "}", READ},
        {"{\"timestamp\":null," REST "}", "{\"timestamp\":1760000000," REST "}", ANOTHER_FORM},
        {"{\"timestamp\":1760000000," REST "}", "{\"timestamp\":null," REST "}", ANOTHER_FORM},
        {"{\"timestamp\":1760000000," REST "}", "{\"timestamp\":\"x\"," REST "}", ANOTHER_FORM},
        {"{" REST ",\"timestamp\":1,\"timestamp\":2}", "{" REST "}", NOT_LEARNED},
        {"{\"metrics\":[{\"name\":\"b\",\"value\":1}]," REST "}", "{" REST "}", NOT_LEARNED},
        {"{\"metrics_count\":1,\"version\":\"1\"," REST "}",
         "{\"metrics_count\":1,\"version\":\"1\"," REST "}", READ},
        {"{\"metrics_count\":1,\"version\":\"1\"," REST "}",
         "{\"metrics_count\":1,\"version\":\"2\"," REST "}", ANOTHER_FORM},
        {"{" REST "}", "{" REST "", ANOTHER_FORM},
        {"{" REST "}", "{" REST "}}", ANOTHER_FORM},
        {"{" REST "}", "", ANOTHER_FORM},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (try(str_of(cases[i].first), str_of(cases[i].second)) != cases[i].outcome)
            fail_msg("%s then %s", cases[i].first, cases[i].second);
    }
}

/* --- any change of some bytes --- */

static uint64_t next_random(uint64_t *s) /* splitmix64 */
{
    uint64_t z = *s += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void mutate(struct buf *text, uint64_t *random)
{
    static const char bytes[] = "0123456789.-+eE\"{}[],: \\ntx\n";
    size_t at = next_random(random) % (text->len + 1);

    for (int i = 0; i < 5 && (text->ptr[at] < '0' || text->ptr[at] > '9'); i++)
        at = next_random(random) % (text->len + 1); /* numbers more than the rest */
    char c = bytes[next_random(random) % (sizeof(bytes) - 1)];

    switch (next_random(random) % 3) {
    case 0:
        if (at < text->len)
            text->ptr[at] = c;
        break;
    case 1:
        buf_add_char(text, ' ');
        memmove(text->ptr + at + 1, text->ptr + at, text->len - at - 1);
        text->ptr[at] = c;
        break;
    default:
        if (at < text->len) {
            memmove(text->ptr + at, text->ptr + at + 1, text->len - at - 1);
            buf_truncate(text, text->len - 1);
        }
        break;
    }
}

static void test_any_change(void **state)
{
    struct buf first, second;
    size_t seen[READ + 1] = {0};
    uint64_t random = 1;

    (void)state;
    buf_init(&first, 1 << 16);
    buf_init(&second, 1 << 16);
    for (int i = 0; i < 20000; i++) {
        struct str text = push_of(&first, i % 2 ? ITEM("15.25", "1760000000")
                                                : ITEM("1", "2") "," ITEM("3", "2"));

        for (uint64_t n = next_random(&random) % 2; n > 0; n--)
            mutate(&first, &random);
        buf_reset(&second);
        buf_add_str(&second, buf_view(&first));
        for (uint64_t n = 1 + next_random(&random) % 2; n > 0; n--)
            mutate(&second, &random);
        text = buf_view(&first);
        seen[try(text, buf_view(&second))]++;
    }
    buf_fini(&first);
    buf_fini(&second);
    print_message("# %zu were read, %zu had another form, %zu were not learned\n", seen[READ],
                  seen[ANOTHER_FORM], seen[NOT_LEARNED]);
    assert_true(seen[READ] > 1000 && seen[ANOTHER_FORM] > 1000 && seen[NOT_LEARNED] > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_and_times_vary),
        cmocka_unit_test(test_what_is_no_value_or_time_is_for_the_flattener),
        cmocka_unit_test(test_every_byte_between_counts),
        cmocka_unit_test(test_rows_that_come_go_or_move),
        cmocka_unit_test(test_forms_that_are_learned),
        cmocka_unit_test(test_forms_that_are_not_learned),
        cmocka_unit_test(test_the_envelope),
        cmocka_unit_test(test_any_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
