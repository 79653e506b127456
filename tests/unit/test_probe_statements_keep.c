/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_probe_statements_keep.c: the last reading of statements outlives the process, under the
 * same circumstances only.
 */
#include "probe/probe_statements.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "os/clock.h"

#define ENTRIES 3

struct life {
    struct probe_memory memory;
    struct probe_server server;
    struct probe_run run;
    struct statements_memory m;
};

struct fixture {
    struct arena arena;
    struct catalogue catalogue;
    const struct relation *relation;
    struct life one, two;
};

static void begin(struct fixture *f, struct life *l)
{
    l->server = (struct probe_server){.system_identifier = "7", .statements_version = "1.10"};
    l->run = (struct probe_run){
        .catalogue = &f->catalogue, .server = &l->server, .memory = &l->memory};
    l->m.entries = map_new();
    l->m.names = map_new();
    l->m.texts = map_new();
    buf_init(&l->memory.keep, LIMIT_KEEP_BYTES);
    buf_init(&l->memory.kept, LIMIT_KEEP_BYTES);
}

static void end(struct life *l)
{
    map_free(l->m.entries, alloc_free);
    map_free(l->m.names, alloc_free);
    map_free(l->m.texts, NULL);
    probe_memory_fini(&l->memory);
}

static void add_entry(struct fixture *f, const char *key, int64_t seed)
{
    struct statements_memory *m = &f->one.m;
    size_t columns = f->relation->column_count;
    struct statements_entry *entry = alloc_new(sizeof(*entry) + columns * sizeof(int64_t));
    entry->queryid = -seed;
    entry->toplevel = seed & 1;
    entry->emitted = seed & 2;
    entry->datname = probe_statements_intern(m, STR("db"));
    entry->usename = probe_statements_intern(m, STR("role"));
    entry->since_us = seed * 1000;
    for (size_t i = 0; i < columns; i++) {
        entry->values[i] = i % 5 == 4 ? STATEMENTS_ABSENT : INT64_MAX / (seed + (int64_t)i);
    }
    map_put(m->entries, str_of(key), entry);
}

static int setup(void **state)
{
    struct fixture *f = alloc_new(sizeof(*f));
    arena_init(&f->arena, "test", 64 << 20);
    assert_int_equal(catalogue_load(&f->arena, &f->catalogue, NULL), ERR_OK);
    f->relation = &catalogue_find(&f->catalogue, "pg_stat_statements")->relation;
    begin(f, &f->one);
    begin(f, &f->two);
    f->one.m.reading = 9;
    f->one.m.read_ms = clock_wall_ms() - 1000;
    f->one.m.hidden = 4;
    f->one.m.info = (struct statements_info){5, 6, 7, STATEMENTS_ABSENT};
    add_entry(f, "1/1/1/t", 1);
    add_entry(f, "1/1/2/t", 2);
    add_entry(f, "1/1/2/f", 3);
    struct statements_reading g = {
        .run = &f->one.run, .memory = &f->one.m, .relation = f->relation};
    probe_statements_keep(&g);
    assert_true(f->one.memory.keep.len > 0);
    buf_add_str(&f->two.memory.kept, buf_view(&f->one.memory.keep));
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    end(&f->one);
    end(&f->two);
    arena_fini(&f->arena);
    alloc_free(f);
    return 0;
}

static void comes_back_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct statements_memory *m = &f->two.m;
    size_t at = 0;
    struct str key;
    void *value;
    probe_statements_take_kept(&f->two.run, m);
    assert_true(m->restored);
    assert_null(m->start);
    assert_int_equal(m->reading, 1);
    assert_int_equal(m->read_ms, f->one.m.read_ms);
    assert_int_equal(f->two.memory.last_t_ms, m->read_ms);
    assert_int_equal(m->hidden, 4);
    assert_int_equal(m->info.dealloc, 5);
    assert_int_equal(m->info.reset_us, 6);
    assert_int_equal(map_count(m->entries), ENTRIES);
    while (map_next(f->one.m.entries, &at, &key, &value)) {
        const struct statements_entry *a = value, *b = map_get(m->entries, key);
        assert_non_null(b);
        assert_int_equal(a->queryid, b->queryid);
        assert_int_equal(a->toplevel, b->toplevel);
        assert_int_equal(a->emitted, b->emitted);
        assert_int_equal(a->since_us, b->since_us);
        assert_string_equal(a->datname, b->datname);
        assert_string_equal(a->usename, b->usename);
        assert_int_equal(b->seen, 1);
        assert_memory_equal(a->values, b->values, f->relation->column_count * sizeof(int64_t));
    }
}

static void assert_refused(struct fixture *f)
{
    struct statements_memory *m = &f->two.m;
    probe_statements_take_kept(&f->two.run, m);
    assert_false(m->restored);
    assert_non_null(m->start);
    assert_int_equal(m->reading, 0);
    assert_int_equal(map_count(m->entries), 0);
}

static void another_server_is_refused(void **state)
{
    struct fixture *f = *state;
    f->two.server.system_identifier[0] = '8';
    assert_refused(f);
}

static void another_version_is_refused(void **state)
{
    struct fixture *f = *state;
    f->two.server.statements_version[2] = '2';
    assert_refused(f);
}

static void another_role_is_refused(void **state)
{
    struct fixture *f = *state;
    f->two.server.in_recovery = true;
    assert_refused(f);
}

static void cut_bytes_are_refused(void **state)
{
    struct fixture *f = *state;
    size_t whole = f->two.memory.kept.len;
    for (size_t len = 0; len < whole; len++) {
        buf_truncate(&f->two.memory.kept, 0);
        buf_add(&f->two.memory.kept, f->one.memory.keep.ptr, len);
        assert_refused(f);
    }
    buf_truncate(&f->two.memory.kept, 0);
    buf_add_str(&f->two.memory.kept, buf_view(&f->one.memory.keep));
    buf_add_char(&f->two.memory.kept, 'x');
    assert_refused(f);
}

static void a_later_time_is_refused(void **state)
{
    struct fixture *f = *state;
    f->two.run.wall_offset_ms = -3600000;
    assert_refused(f);
}

/* info.reset_us and info.dealloc of the first reading; whether what was kept stays. */
static bool stays(struct fixture *f, int64_t reset_us, int64_t dealloc)
{
    struct statements_reading g = {
        .run = &f->two.run, .memory = &f->two.m, .info = {dealloc, reset_us, 7, 0}};
    probe_statements_check_kept(&g);
    return f->two.m.restored && f->two.m.reading == 1;
}

static void a_reset_meanwhile_is_seen(void **state)
{
    struct fixture *f = *state;
    probe_statements_take_kept(&f->two.run, &f->two.m);
    assert_true(stays(f, 6, 5));
    assert_true(stays(f, 6, 8));
    assert_false(stays(f, 9, 8));
    assert_int_equal(map_count(f->two.m.entries), 0);
}

static void evictions_counted_anew_are_seen(void **state)
{
    struct fixture *f = *state;
    probe_statements_take_kept(&f->two.run, &f->two.m);
    assert_false(stays(f, 6, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_back_as_it_was, setup, teardown),
        cmocka_unit_test_setup_teardown(another_server_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(another_version_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(another_role_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(cut_bytes_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_later_time_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reset_meanwhile_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(evictions_counted_anew_are_seen, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
