/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_keep.c: what is kept for the next life comes back exactly or not at all.
 */
#include "spool/keep.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/file.h"
#include "spool/spool.h"

#define TEXT "counts of all statements, counts of all statements"

static const struct keep_mark MARK = {{{7, 7, 7}}, 42, 1790000000123};

struct fixture {
    char dir[64];
    char path[160];
    struct keep_place place;
    struct keep_mark mark;
    struct buf out;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char id[TEXT_UUID_SIZE];
    snprintf(f->dir, sizeof(f->dir), "/tmp/pga-keep-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->place = (struct keep_place){f->dir, {{1, 2, 3}}, "statements"};
    text_uuid(&f->place.target, id);
    snprintf(f->path, sizeof(f->path), "%s/%s-statements.keep", f->dir, id);
    buf_init(&f->out, LIMIT_KEEP_BYTES);
    assert_int_equal(keep_save(&f->place, &MARK, STR(TEXT), NULL), ERR_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    buf_fini(&f->out);
    assert_int_equal(file_remove_tree(f->dir, NULL), ERR_OK);
    free(f);
    return 0;
}

static enum err_code load(struct fixture *f, const struct keep_place *place)
{
    buf_reset(&f->out);
    return keep_load(place, &f->mark, &f->out, NULL);
}

static void comes_back(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    assert_int_equal(load(f, &f->place), ERR_OK);
    assert_true(str_eq(buf_view(&f->out), STR(TEXT)));
    assert_int_equal(f->mark.seq, MARK.seq);
    assert_int_equal(f->mark.saved_ms, MARK.saved_ms);
    assert_true(text_uuid_eq(&f->mark.stream, &MARK.stream));
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void every_damaged_byte_is_seen(void **state)
{
    struct fixture *f = *state;
    struct buf file;
    buf_init(&file, 4096);
    assert_int_equal(file_read_all(f->path, &file, NULL), ERR_OK);
    for (size_t i = 0; i < file.len; i++) {
        file.ptr[i] ^= 0x10;
        assert_int_equal(file_write_atomic(f->path, buf_view(&file), 0600, NULL), ERR_OK);
        assert_true(load(f, &f->place) != ERR_OK);
        file.ptr[i] ^= 0x10;
    }
    for (size_t len = 0; len < file.len; len++) {
        assert_int_equal(file_write_atomic(f->path, str_make(file.ptr, len), 0600, NULL), ERR_OK);
        assert_int_equal(load(f, &f->place), ERR_CORRUPT);
    }
    buf_fini(&file);
}

static void a_foreign_file_is_refused(void **state)
{
    struct fixture *f = *state;
    struct keep_place other = {f->dir, {{9}}, "statements"};
    char id[TEXT_UUID_SIZE], path[160];
    text_uuid(&other.target, id);
    snprintf(path, sizeof(path), "%s/%s-statements.keep", f->dir, id);
    assert_int_equal(load(f, &other), ERR_NOT_FOUND);
    assert_int_equal(file_rename(f->path, path, NULL), ERR_OK);
    assert_int_equal(load(f, &other), ERR_CONFLICT);
}

static void forgotten_is_gone(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(keep_forget(&f->place, NULL), ERR_OK);
    assert_int_equal(load(f, &f->place), ERR_NOT_FOUND);
    assert_int_equal(keep_forget(&f->place, NULL), ERR_OK);
}

static void too_much_is_refused(void **state)
{
    struct fixture *f = *state;
    char *bytes = calloc(1, LIMIT_KEEP_BYTES + 1);
    assert_int_equal(keep_save(&f->place, &MARK, str_make(bytes, LIMIT_KEEP_BYTES + 1), NULL),
                     ERR_LIMIT);
    free(bytes);
}

static void the_spool_knows_its_records_in_the_next_life(void **state)
{
    struct fixture *f = *state;
    struct spool_config config = {.dir = f->dir, .max_bytes = 8 << 20};
    struct spool *spool;
    struct uuid stream, unknown = {{1}};
    uint64_t seq = 0;
    assert_int_equal(spool_open(&config, &spool, NULL), ERR_OK);
    assert_false(spool_last(spool, &stream, &seq));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(spool_append(spool, STR("{}"), 1, 1, NULL), ERR_OK);
    }
    assert_true(spool_last(spool, &stream, &seq));
    assert_int_equal(seq, 3);
    spool_close(spool);
    assert_int_equal(spool_open(&config, &spool, NULL), ERR_OK);
    assert_true(spool_made(spool, &stream, seq));
    assert_false(spool_made(spool, &stream, seq + 1));
    assert_false(spool_made(spool, &stream, 0));
    assert_false(spool_made(spool, &unknown, 1));
    spool_close(spool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(every_damaged_byte_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(a_foreign_file_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(forgotten_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(too_much_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_spool_knows_its_records_in_the_next_life, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
