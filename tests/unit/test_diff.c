/* SPDX-License-Identifier: PostgreSQL */
/* test_diff.c: differences by line; what is kept, taken and added gives both texts again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/diff.h"

static void check(const char *a, const char *b, const char *want)
{
    struct buf out;

    buf_init(&out, 1 << 20);
    diff_lines(str_of(a), str_of(b), &out);
    assert_string_equal(out.ptr ? out.ptr : "", want);
    buf_fini(&out);
}

static void changes_stand_where_they_are(void **state)
{
    (void)state;
    check("", "", "");
    check("a\nb\n", "a\nb\n", "");
    check("", "a\n", "+ a\n");
    check("a\n", "", "- a\n");
    check("a\nb\nc\n", "a\nx\nc\n", "  a\n- b\n+ x\n  c\n");
    check("a\nb\nc\nd\n", "b\nc\nx\nd\ne\n", "- a\n  b\n  c\n+ x\n  d\n+ e\n");
    check("a\na\n", "a\na\na\n", "  a\n  a\n+ a\n");
    check("a\n\nb", "a\nb", "  a\n- \n  b\n");
}

/* The lines of one side; at most one text of changes. */
static void side(struct str all, char drop, struct buf *out)
{
    while (all.len > 0) {
        struct str line = str_split(&all, '\n');

        if (line.ptr[0] == drop)
            continue;
        buf_add(out, line.ptr + 2, line.len - 2);
        buf_add_char(out, '\n');
    }
}

static void both_texts_can_be_had_back(void **state)
{
    unsigned seed = 1;

    (void)state;
    for (int round = 0; round < 300; round++) {
        char a[64] = "", b[64] = "";
        char *texts[] = {a, b};
        struct buf out, got;

        for (int t = 0; t < 2; t++) {
            size_t at = 0;

            for (unsigned n = (seed = seed * 1103515245 + 12345) >> 16 & 15; n > 0; n--) {
                seed = seed * 1103515245 + 12345;
                texts[t][at++] = (char)('a' + (seed >> 16) % 3);
                texts[t][at++] = '\n';
            }
        }
        buf_init(&out, 1 << 16);
        buf_init(&got, 1 << 16);
        diff_lines(str_of(a), str_of(b), &out);
        if (strcmp(a, b) != 0) {
            side(buf_view(&out), '+', &got);
            assert_string_equal(got.ptr ? got.ptr : "", a);
            buf_reset(&got);
            side(buf_view(&out), '-', &got);
            assert_string_equal(got.ptr ? got.ptr : "", b);
        }
        buf_fini(&got);
        buf_fini(&out);
    }
}

static void large_middles_are_replaced(void **state)
{
    struct buf a, b, out;

    (void)state;
    buf_init(&a, 1 << 20);
    buf_init(&b, 1 << 20);
    buf_init(&out, 1 << 20);
    for (int i = 0; i < DIFF_LINES_MAX + 1; i++) {
        buf_printf(&a, "a%d\n", i);
        buf_printf(&b, "b%d\n", i);
    }
    diff_lines(buf_view(&a), buf_view(&b), &out);
    assert_memory_equal(out.ptr, "- a0\n- a1\n", 10);
    assert_int_equal(out.len, a.len + b.len + 4 * (DIFF_LINES_MAX + 1));
    buf_fini(&out);
    buf_fini(&b);
    buf_fini(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_stand_where_they_are),
        cmocka_unit_test(both_texts_can_be_had_back),
        cmocka_unit_test(large_middles_are_replaced),
    };

    return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}
