/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_rows.c: slices that come without the keys of their rows, because these are those of
 * the slice before (slice.rows_like).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "os/clock.h"
#include "tsdb_fixture.h"

#define ROWS_MAX 4

struct pusher {
    struct tsdb_fixture f;
    unsigned char hash; /* another one each push */
    struct tsdb_ack ack;
    struct err e;
};

static int set_up(void **state)
{
    struct pusher *p = alloc_new(sizeof(*p));

    tsdb_fixture_init(&p->f);
    tsdb_fixture_start(&p->f);
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct pusher *p = *state;

    tsdb_fixture_fini(&p->f);
    alloc_free(p);
    return 0;
}

/* One letter is the key of a row; values are 1, 2, ... times `scale`. */
struct rows {
    const char *letters;
    bool without_keys;
    uint64_t like;
    int scale, t_s;
};

static enum err_code push(struct pusher *p, const struct rows *rows)
{
    size_t count = strlen(rows->letters);
    struct str key_name = STR("k"), keys[ROWS_MAX], *all_keys[] = {keys};
    struct cell cells[ROWS_MAX];
    struct slice_column column = {.name = STR("v"), .cells = cells};
    struct slice slice = {.relation = STR("r"), .target = p->f.target, .row_count = count};
    struct batch batch = {.slices = &slice, .slice_count = 1};
    struct push_record record = {.seq = 1, .hash = {++p->hash}, .batch = &batch};
    struct push push = {.collector = p->f.collector,
                        .stream = p->f.collector,
                        .seq = 1,
                        .count = 1,
                        .unnumbered = true,
                        .records = &record,
                        .record_count = 1};
    struct arena a;
    enum err_code code;

    slice.t_ms = slice.from_ms = p->f.now_ms - 60000 + 1000 * rows->t_s;
    slice.key_count = slice.column_count = 1;
    slice.key_names = &key_name;
    slice.keys = rows->without_keys ? NULL : all_keys;
    slice.rows_like = rows->like;
    slice.columns = &column;
    for (size_t i = 0; i < count; i++) {
        keys[i] = str_make(rows->letters + i, 1);
        cells[i] = cell_i64(((int64_t)i + 1) * rows->scale);
    }
    arena_init(&a, "push", LIMIT_REQUEST_ARENA_BYTES);
    err_clear(&p->e);
    code = tsdb_push(p->f.db, &a, &push, &p->ack, &p->e);
    arena_fini(&a);
    return code;
}

struct sums {
    struct tsdb_reader *r;
    int64_t of[128]; /* by letter */
    size_t slices;
};

static enum err_code add(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct sums *sums = arg;
    struct arena a;

    arena_init(&a, "keys", 1 << 16);
    for (size_t i = 0; i < s->row_count; i++) {
        struct str *keys = NULL;

        if (tsdb_object_keys(sums->r, &a, s->objects[i], &keys, e))
            fail_msg("keys: %s", e->text);
        sums->of[(unsigned char)keys[0].ptr[0] % 128] += s->cells[0][i].i64;
    }
    arena_fini(&a);
    sums->slices++;
    return ERR_OK;
}

static struct sums read_all(struct pusher *p)
{
    const struct str columns[] = {STR("v")};
    const struct tsdb_scan_spec spec = {.target = p->f.target,
                                        .relation = STR("r"),
                                        .columns = columns,
                                        .column_count = 1,
                                        .from_ms = p->f.now_ms - 3600000,
                                        .to_ms = p->f.now_ms + 60000};
    struct sums sums = {.r = tsdb_borrow(&p->f)};

    if (tsdb_scan(sums.r, &spec, add, &sums, &p->e))
        fail_msg("scan: %s", p->e.text);
    tsdb_reader_return(sums.r);
    return sums;
}

static void test_rows_of_before_need_no_keys(void **state)
{
    struct pusher *p = *state;

    assert_int_equal(push(p, &(struct rows){"ab", false, 7, 1, 1}), ERR_OK);
    assert_int_equal(push(p, &(struct rows){"ab", true, 7, 10, 2}), ERR_OK);
    assert_int_equal(p->ack.samples, 2);
    assert_int_equal(push(p, &(struct rows){"ab", true, 7, 100, 3}), ERR_OK);
    struct sums sums = read_all(p);
    assert_int_equal(sums.slices, 3);
    assert_int_equal(sums.of['a'], 111);
    assert_int_equal(sums.of['b'], 222);
}

static void refused(struct pusher *p, const struct rows *rows)
{
    struct tsdb_stats before, after;

    tsdb_stats(p->f.db, &before);
    assert_int_equal(push(p, rows), ERR_NOT_FOUND);
    tsdb_stats(p->f.db, &after);
    assert_int_equal(before.samples_stored, after.samples_stored);
    assert_int_equal(before.pushes, after.pushes);
}

static void test_other_rows_are_asked_for(void **state)
{
    struct pusher *p = *state;

    refused(p, &(struct rows){"ab", true, 7, 1000, 1}); /* never seen */
    assert_int_equal(push(p, &(struct rows){"ab", false, 7, 1, 2}), ERR_OK);
    refused(p, &(struct rows){"ab", true, 8, 1000, 3}); /* of another number */
    refused(p, &(struct rows){"abc", true, 7, 1000, 3});
    assert_int_equal(push(p, &(struct rows){"ba", false, 0, 10, 4}), ERR_OK);
    refused(p, &(struct rows){"ab", true, 7, 1000, 5}); /* others came between */
    assert_int_equal(push(p, &(struct rows){"ab", false, 7, 100, 6}), ERR_OK);
    struct sums sums = read_all(p);
    assert_int_equal(sums.of['a'], 1 + 20 + 100);
    assert_int_equal(sums.of['b'], 2 + 10 + 200);
}

static void test_a_repeated_row_has_no_number(void **state)
{
    struct pusher *p = *state;

    assert_int_equal(push(p, &(struct rows){"aab", false, 7, 1, 1}), ERR_OK);
    refused(p, &(struct rows){"aab", true, 7, 1000, 2});
    refused(p, &(struct rows){"ab", true, 7, 1000, 2});
    struct sums sums = read_all(p);
    assert_int_equal(sums.of['a'], 1);
    assert_int_equal(sums.of['b'], 3);
}

static void test_a_deleted_target_is_another_one(void **state)
{
    struct pusher *p = *state;

    assert_int_equal(push(p, &(struct rows){"ab", false, 7, 1, 1}), ERR_OK);
    assert_int_equal(
        tsdb_target_drop(p->f.db, &p->f.target, STR("{}"), clock_mono_us() + 60000000, &p->e),
        ERR_OK);
    refused(p, &(struct rows){"ab", true, 7, 1000, 80});
    assert_int_equal(push(p, &(struct rows){"ab", false, 7, 10, 80}), ERR_OK);
    assert_int_equal(push(p, &(struct rows){"ab", true, 7, 100, 81}), ERR_OK);
    struct sums sums = read_all(p);
    assert_int_equal(sums.of['a'], 110);
    assert_int_equal(sums.of['b'], 220);
}

static void test_a_store_that_was_opened_knows_no_rows(void **state)
{
    struct pusher *p = *state;

    assert_int_equal(push(p, &(struct rows){"ab", false, 7, 1, 1}), ERR_OK);
    tsdb_fixture_kill(&p->f);
    tsdb_fixture_start(&p->f);
    refused(p, &(struct rows){"ab", true, 7, 1000, 2});
    assert_int_equal(push(p, &(struct rows){"ab", false, 7, 10, 2}), ERR_OK);
    assert_int_equal(read_all(p).of['b'], 22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows_of_before_need_no_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_rows_are_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_repeated_row_has_no_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_deleted_target_is_another_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_store_that_was_opened_knows_no_rows, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
