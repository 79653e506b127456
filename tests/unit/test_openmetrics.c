/* SPDX-License-Identifier: PostgreSQL */
/* test_openmetrics.c: both text forms, letter by letter. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/openmetrics.h"

static void write_all(struct openmetrics *m)
{
    static const struct openmetrics_family families[] = {
        {OPENMETRICS_STR("a_calls_total"), OPENMETRICS_COUNTER, OPENMETRICS_STR(""),
         OPENMETRICS_STR("Say \"calls\".")},
        {OPENMETRICS_STR("a_size_bytes"), OPENMETRICS_GAUGE, OPENMETRICS_STR("bytes"),
         OPENMETRICS_STR("Size.")},
        {OPENMETRICS_STR("a_time"), OPENMETRICS_GAUGE, OPENMETRICS_STR("ms"),
         OPENMETRICS_STR("Time.")},
        {OPENMETRICS_STR("a_build"), OPENMETRICS_INFO, OPENMETRICS_STR(""),
         OPENMETRICS_STR("Build.")},
        {OPENMETRICS_STR("a_empty"), OPENMETRICS_GAUGE, OPENMETRICS_STR(""),
         OPENMETRICS_STR("Nothing.")},
    };

    openmetrics_family(m, &families[0]);
    openmetrics_sample(m, NULL);
    openmetrics_label(m, STR("db"), STR("a\"b\\c\nd"));
    openmetrics_label(m, STR("x"), STR(""));
    openmetrics_value(m, cell_u64(UINT64_MAX));
    openmetrics_single(m, &families[1], cell_i64(-1));
    openmetrics_single(m, &families[2], cell_f64(NAN));
    openmetrics_family(m, &families[3]);
    openmetrics_sample(m, NULL);
    openmetrics_label(m, STR("version"), STR("1"));
    openmetrics_value(m, cell_f64(INFINITY));
    openmetrics_family(m, &families[4]);
    openmetrics_end(m);
}

static void becomes(enum openmetrics_form form, const char *want)
{
    struct openmetrics m;
    struct buf out;

    buf_init(&out, 65536);
    openmetrics_begin(&m, &out, form);
    write_all(&m);
    assert_string_equal(out.ptr, want);
    buf_fini(&out);
}

static void both_forms_are_right(void **state)
{
    (void)state;
    becomes(OPENMETRICS_1,
            "# HELP a_calls Say \\\"calls\\\".\n# TYPE a_calls counter\n"
            "a_calls_total{db=\"a\\\"b\\\\c\\nd\",x=\"\"} 18446744073709551615\n"
            "# HELP a_size_bytes Size.\n# TYPE a_size_bytes gauge\n# UNIT a_size_bytes bytes\n"
            "a_size_bytes -1\n"
            "# HELP a_time Time. (ms)\n# TYPE a_time gauge\na_time NaN\n"
            "# HELP a_build Build.\n# TYPE a_build info\na_build_info{version=\"1\"} +Inf\n"
            "# EOF\n");
    becomes(OPENMETRICS_TEXT_004,
            "# HELP a_calls_total Say \"calls\".\n# TYPE a_calls_total counter\n"
            "a_calls_total{db=\"a\\\"b\\\\c\\nd\",x=\"\"} 18446744073709551615\n"
            "# HELP a_size_bytes Size.\n# TYPE a_size_bytes gauge\na_size_bytes -1\n"
            "# HELP a_time Time. (ms)\n# TYPE a_time gauge\na_time NaN\n"
            "# HELP a_build_info Build.\n# TYPE a_build_info gauge\n"
            "a_build_info{version=\"1\"} +Inf\n");
}

static void accept_chooses_the_form(void **state)
{
    static const struct {
        const char *accept;
        enum openmetrics_form form;
    } cases[] = {
        {"", OPENMETRICS_TEXT_004},
        {"*/*", OPENMETRICS_TEXT_004},
        {"text/plain;version=0.0.4", OPENMETRICS_TEXT_004},
        {"application/openmetrics-text", OPENMETRICS_1},
        {"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.1", OPENMETRICS_1},
        {"text/plain, Application/OpenMetrics-Text; version=1.0.0", OPENMETRICS_1},
        {"application/openmetrics-text;q=0, text/plain", OPENMETRICS_TEXT_004},
        {"application/openmetrics-textual", OPENMETRICS_TEXT_004},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (openmetrics_negotiate(str_of(cases[i].accept)) != cases[i].form)
            fail_msg("%s", cases[i].accept);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_forms_are_right),
        cmocka_unit_test(accept_chooses_the_form),
    };

    return cmocka_run_group_tests_name("openmetrics", tests, NULL, NULL);
}
