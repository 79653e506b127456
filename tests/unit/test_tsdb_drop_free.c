/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_drop_free.c: what a deleted target had in memory is freed while the store is open, and
 * whoever reads meanwhile has it as long as it reads.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/map.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "store/tsdb/engine.h"
#include "store/tsdb/ingest.h"
#include "tsdb_fixture.h"

#define WAIT_MS 60000
#define TARGETS 8
#define ROWS    5

static struct err e;

struct several {
    struct tsdb_fixture f;
    struct tsdb_sender sender;
    struct uuid targets[TARGETS];
    atomic_bool over;
};

static int set_up(void **state)
{
    struct several *s = alloc_new(sizeof(*s));

    tsdb_fixture_init(&s->f);
    for (int i = 0; i < TARGETS; i++) {
        entropy_uuid(&s->targets[i]);
    }
    tsdb_sender_init(&s->sender, &s->f);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct several *s = *state;

    tsdb_fixture_fini(&s->f);
    alloc_free(s);
    return 0;
}

/* A reading of each target, two groups of ROWS objects. */
static char *record(const struct several *s, int64_t t_ms)
{
    char target[TEXT_UUID_SIZE];
    struct buf out;

    buf_init(&out, 1 << 20);
    buf_printf(&out, "{\"made_ms\":%lld,\"slices\":[", (long long)t_ms);
    for (int i = 0; i < 2 * TARGETS; i++) {
        text_uuid(&s->targets[i / 2], target);
        buf_printf(&out,
                   "%s{\"relation\":\"thing\",\"target\":\"%s\",\"scope\":\"s%d\",\"t\":%lld,"
                   "\"from_t\":%lld,\"every_ms\":10000,\"flags\":[\"complete\"],\"rows\":%d,"
                   "\"keys\":{\"name\":[",
                   i ? "," : "", target, i % 2, (long long)t_ms, (long long)t_ms, ROWS);
        for (int row = 0; row < ROWS; row++) {
            buf_printf(&out, "%s\"row%d\"", row ? "," : "", row);
        }
        buf_add_c(&out, "]},\"columns\":{\"n\":[1,2,3,4,5]}}");
    }
    buf_add_c(&out, "]}");
    return buf_take(&out, NULL);
}

static void send(struct several *s, int64_t t_ms)
{
    char *text = record(s, t_ms);

    tsdb_send_ok(&s->sender, text);
    alloc_free(text);
}

static void drop(struct several *s, int target)
{
    if (tsdb_target_drop(s->f.db, &s->targets[target], STR("{}"), clock_mono_us() + WAIT_MS * 1000,
                         &e)) {
        fail_msg("drop: %s", e.text);
    }
}

/* What there is in memory. */
struct memory {
    size_t groups, dropped, entries;
    bool waste;
};

static struct memory look(struct several *s)
{
    struct tsdb *db = s->f.db;
    struct memory m = {0};
    struct str key;
    void *value = NULL;

    lock_take(&db->state);
    for (size_t pos = 0; map_next(db->streams, &pos, &key, &value);) {
        const struct stream *stream = value;
        m.entries += stream->cache && !stream->busy ? map_count(stream->cache) : 0;
    }
    m.waste = db->waste != NULL;
    lock_take(&db->catalog->lock);
    m.groups = db->catalog->group_count;
    m.dropped = db->catalog->dropped_count;
    lock_release(&db->catalog->lock);
    lock_release(&db->state);
    return m;
}

static void wait_freed(struct several *s, size_t groups, bool waste)
{
    int64_t until = clock_mono_ms() + WAIT_MS;
    struct memory m = look(s);

    while ((m.groups != groups || m.waste != waste) && clock_mono_ms() < until) {
        clock_sleep_ms(10);
        m = look(s);
    }
    assert_int_equal(m.groups, groups);
    assert_int_equal(m.dropped, 0);
    assert_int_equal(m.waste, waste);
}

/* --- a reader of before --- */

struct met {
    struct tsdb_reader *reader;
    struct tsdb_group_object one;
    size_t slices;
};

/* Every object that is read has its name. */
static enum err_code name_all(void *arg, const struct tsdb_slice *slice, struct err *err)
{
    struct met *m = arg;
    enum err_code code = ERR_OK;
    struct str key;
    char name[32];

    for (size_t i = 0; code == ERR_OK && i < slice->row_count; i++) {
        m->one = (struct tsdb_group_object){slice->group, slice->objects[i]};
        code = tsdb_group_keys(m->reader, &m->one, &key, 1, err);
        (void)snprintf(name, sizeof(name), "row%zu", i);
        if (code == ERR_OK && !str_eq_c(key, name)) {
            code = err_set(err, ERR_BUG, "%.*s instead of %s", STR_ARG(key), name);
        }
    }
    m->slices++;
    return code;
}

static enum err_code read_all(struct several *s, struct met *m, int target)
{
    const struct tsdb_scan_spec spec = {.target = s->targets[target],
                                        .relation = STR("thing"),
                                        .from_ms = s->f.now_ms - 3600000,
                                        .to_ms = s->f.now_ms + 110000};
    return tsdb_scan(m->reader, &spec, name_all, m, &e);
}

static void check_name(struct met *m, bool known)
{
    enum err_code expected = known ? ERR_OK : ERR_NOT_FOUND;
    struct str key;
    struct str *keys = NULL;
    struct arena a;

    arena_init(&a, "test", 1 << 16);
    assert_int_equal(tsdb_group_keys(m->reader, &m->one, &key, 1, &e), expected);
    assert_int_equal(tsdb_object_keys(m->reader, &a, m->one.object, &keys, &e), expected);
    if (known) {
        assert_true(str_eq_c(key, "row4") && str_eq_c(keys[0], "row4"));
    }
    arena_fini(&a);
}

static void test_a_reader_of_before_keeps_it(void **state)
{
    struct several *s = *state;
    struct tsdb_stats stats;

    tsdb_fixture_start(&s->f);
    send(s, s->f.now_ms - 60000);
    tsdb_flush_ok(&s->f);
    send(s, s->f.now_ms - 50000);
    struct met m = {.reader = tsdb_borrow(&s->f)};
    assert_int_equal(read_all(s, &m, 0), ERR_OK);
    assert_int_equal(m.slices, 4);
    drop(s, 0);
    drop(s, 1);
    wait_freed(s, 2 * (TARGETS - 2), true); /* not found, but not freed */
    assert_int_equal(look(s).entries, 2 * (TARGETS - 2));
    for (int i = 0; i < 2; i++) { /* the flusher looks whether it may free them */
        send(s, s->f.now_ms - 40000 + 1000 * i);
        tsdb_flush_ok(&s->f);
    }
    assert_true(look(s).waste);
    check_name(&m, true);
    tsdb_stats(s->f.db, &stats);
    assert_int_equal(stats.groups, 2 * (TARGETS - 2));
    assert_int_equal(stats.objects, 2 * (TARGETS - 2) * ROWS);
    struct tsdb_reader *before = m.reader;
    m.reader = tsdb_borrow(&s->f);
    check_name(&m, false);
    tsdb_reader_return(m.reader);
    tsdb_reader_return(before);
    wait_freed(s, 2 * (TARGETS - 2), false);
    send(s, s->f.now_ms + 60000); /* they come again, as new ones */
    assert_int_equal(look(s).groups, 2 * TARGETS);
    m = (struct met){.reader = tsdb_borrow(&s->f)};
    assert_int_equal(read_all(s, &m, 0), ERR_OK);
    assert_int_equal(m.slices, 2);
    tsdb_reader_return(m.reader);
}

/* --- all at once --- */

static void push_on(void *arg)
{
    struct several *s = arg;

    for (int i = 0; !atomic_load(&s->over); i++) {
        char *text = record(s, clock_wall_ms() + 60000 + i);
        struct tsdb_ack ack;
        struct err err = {0};
        enum err_code code = ERR_TIMEOUT;
        while (code == ERR_TIMEOUT) {
            code = tsdb_send(&s->sender, text, &ack, &err);
        }
        alloc_free(text);
        assert_int_equal(code, ERR_OK);
    }
}

static void read_on(void *arg)
{
    struct several *s = arg;

    for (int i = 0; !atomic_load(&s->over); i++) {
        struct met m = {.reader = tsdb_borrow(&s->f)};
        const struct tsdb_scan_spec spec = {.target = s->targets[i % TARGETS],
                                            .relation = STR("thing"),
                                            .from_ms = s->f.now_ms - 3600000,
                                            .to_ms = s->f.now_ms + 3600000};
        struct tsdb_group *groups = NULL;
        struct arena a;
        size_t count = 0;
        struct err err = {0};
        enum err_code code = tsdb_scan(m.reader, &spec, name_all, &m, &err);
        if (code && code != ERR_NOT_FOUND) {
            fail_msg("read: %s", err.text);
        }
        assert_true(code == ERR_OK || m.slices == 0); /* no name was missing */
        arena_init(&a, "test", 1 << 20);
        assert_int_equal(tsdb_groups(m.reader, &a, NULL, &groups, &count, &err), ERR_OK);
        tsdb_reader_return(m.reader);
        assert_true(count == 0 || groups[count - 1].scope.len == 2);
        arena_fini(&a);
    }
}

static void test_readers_pushes_and_deletions(void **state)
{
    static void (*const bodies[3])(void *) = {push_on, read_on, read_on};
    struct several *s = *state;
    struct thread threads[3];
    int freed = 0;

    s->f.config.flush_bytes = 64 * 1024;
    s->f.config.fold_bytes = 16 * 1024;
    tsdb_fixture_start(&s->f);
    send(s, s->f.now_ms - 60000);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(thread_start(&threads[i], "test", bodies[i], s, &e), ERR_OK);
    }
    int64_t until = clock_mono_ms() + WAIT_MS;
    for (int i = 0; freed < 3 && clock_mono_ms() < until; i++) {
        struct memory before = look(s);
        drop(s, i % (TARGETS - 1));
        clock_sleep_ms(20);
        freed += look(s).dropped < before.dropped;
    }
    atomic_store(&s->over, true);
    for (int i = 0; i < 3; i++) {
        thread_join(&threads[i]);
    }
    assert_int_equal(freed, 3); /* also while it was pushed */
    for (int i = 0; i < TARGETS - 1; i++) {
        drop(s, i);
    }
    wait_freed(s, 2, false);
    assert_int_equal(look(s).entries, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_reader_of_before_keeps_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_readers_pushes_and_deletions, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
