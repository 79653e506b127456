/* SPDX-License-Identifier: PostgreSQL */
/* test_openapi.c: every route is described, and shapes become the schemas that they mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/openapi.h"
#include "api/shape.h"

static void every_route_is_described(void **state)
{
    size_t count;
    const struct route *const *table = route_table(&count);
    struct buf out;
    struct err e;

    (void)state;
    for (size_t i = 0; i < count; i++) {
        const struct route *r = table[i];
        bool deletes = strcmp(r->method, "DELETE") == 0;

        if (r->answer == NULL && r->answer_type == NULL && !deletes && r->status != 204)
            fail_msg("%s does not say what it answers", route_name(i));
        if (r->body == ROUTE_RAW && r->accepts == NULL)
            fail_msg("%s does not say what it accepts", route_name(i));
    }
    buf_init(&out, 4 * 1024 * 1024);
    err_clear(&e);
    if (openapi_write(&out, &e) != ERR_OK)
        fail_msg("%s", e.text);
    assert_true(out.len > 10000);
    buf_fini(&out);
}

static void shapes_are_sorted(void **state)
{
    (void)state;
    for (size_t i = 1; i < shape_list_count; i++)
        assert_true(strcmp(shape_list[i - 1].name, shape_list[i].name) < 0);
}

static void becomes(const char *shape, const char *schema)
{
    struct json_writer w;
    struct buf out;
    struct err e;

    buf_init(&out, 65536);
    json_writer_init(&w, &out);
    err_clear(&e);
    if (shape_write(&w, shape, &e) != ERR_OK)
        fail_msg("%s", e.text);
    assert_string_equal(out.ptr, schema);
    buf_fini(&out);
}

static void shapes_become_schemas(void **state)
{
    (void)state;
    becomes("text", "{\"type\":\"string\"}");
    becomes("any", "{}");
    becomes("num?", "{\"type\":[\"number\",\"null\"]}");
    becomes("[int]", "{\"items\":{\"type\":\"integer\"},\"type\":\"array\"}");
    becomes("text(a|b)?", "{\"enum\":[\"a\",\"b\",null],\"type\":[\"string\",\"null\"]}");
    becomes("Event", "{\"$ref\":\"#/components/schemas/Event\"}");
    becomes("Event?",
            "{\"anyOf\":[{\"$ref\":\"#/components/schemas/Event\"},{\"type\":\"null\"}]}");
    becomes("{a: int 'how many', b~: time}",
            "{\"properties\":{\"a\":{\"type\":\"integer\",\"description\":\"how many\"},"
            "\"b\":{\"type\":\"string\",\"format\":\"date-time\"}},\"required\":[\"a\"],"
            "\"type\":\"object\"}");
    becomes("{*: bool}", "{\"properties\":{},\"additionalProperties\":{\"type\":\"boolean\"},"
                         "\"type\":\"object\"}");
}

static void wrong_shapes_are_refused(void **state)
{
    static const char *const wrong[] = {"",        "number",  "{a int}",    "{a: int",
                                        "[int",    "int int", "{a: int b}", "text(a",
                                        "{: int}", "int 'x",  "Nothing",    "{*: int, a: int}"};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct json_writer w;
        struct buf out;

        buf_init(&out, 65536);
        json_writer_init(&w, &out);
        if (shape_write(&w, wrong[i], NULL) == ERR_OK)
            fail_msg("\"%s\" was taken", wrong[i]);
        buf_fini(&out);
    }
}

static void lines_are_read(void **state)
{
    struct shape_line line;

    (void)state;
    assert_int_equal(shape_read_line("name text!: what it is", &line, NULL), ERR_OK);
    assert_true(line.required);
    assert_true(str_eq_c(line.name, "name"));
    assert_true(str_eq_c(line.type, "text"));
    assert_true(str_eq_c(line.help, "what it is"));
    assert_int_equal(shape_read_line("name", &line, NULL), ERR_BUG);
    assert_int_equal(shape_read_line("name text", &line, NULL), ERR_BUG);
    assert_true(route_line_is("name text: x", STR("name")));
    assert_false(route_line_is("name text: x", STR("nam")));
    assert_false(route_line_is("name text: x", STR("name text")));
    assert_false(route_line_is("name text: x", STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_described), cmocka_unit_test(shapes_are_sorted),
        cmocka_unit_test(shapes_become_schemas),    cmocka_unit_test(wrong_shapes_are_refused),
        cmocka_unit_test(lines_are_read),
    };

    return cmocka_run_group_tests_name("openapi", tests, NULL, NULL);
}
