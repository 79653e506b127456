/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_backup.c: a backup holds every acknowledged reading once, whatever was written meanwhile,
 * and nothing that is not whole is taken for one.
 *
 * Real stores in folders of their own. The oracle is the store itself: a restored one must show as
 * many readings as its stream counts records.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/alloc.h"
#include "os/clock.h"
#include "os/file.h"
#include "store/backup/backup.h"
#include "store/store.h"
#include "store/store_target.h"
#include "tsdb_fixture.h"

#define BACKUPS 6

struct world {
    struct tsdb_fixture f;
    struct store *store;
    struct tsdb_sender sender;
    int64_t t_ms;
    char out[32];  /* a folder for archives and restored stores */
    char file[40]; /* an archive */
    char into[40]; /* a restored store */
    int fd;
    uint64_t at;
    uint64_t fail_at;  /* the sink fails there; 0 = never */
    int pushes_within; /* when the first bytes come */
    atomic_bool stop;
};

static int set_up(void **state)
{
    struct world *w = alloc_new(sizeof(*w));
    char url[96];
    struct err e = {0};

    tsdb_fixture_init(&w->f);
    (void)snprintf(url, sizeof(url), "sqlite:%s", w->f.dir);
    assert_int_equal(store_open(url, &w->store, &e), ERR_OK);
    tsdb_fixture_start(&w->f);
    tsdb_sender_init(&w->sender, &w->f);
    w->t_ms = w->f.now_ms - 20 * 3600000LL; /* readings of one day, or of two */
    (void)snprintf(w->out, sizeof(w->out), "/tmp/pga-backup-XXXXXX");
    assert_non_null(mkdtemp(w->out));
    (void)snprintf(w->file, sizeof(w->file), "%s/a.tar", w->out);
    (void)snprintf(w->into, sizeof(w->into), "%s/store", w->out);
    *state = w;
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    struct err e;

    tsdb_fixture_fini(&w->f);
    store_close(w->store);
    assert_int_equal(file_remove_tree(w->out, &e), ERR_OK);
    alloc_free(w);
    return 0;
}

static void push_one(struct world *w)
{
    char target[TEXT_UUID_SIZE];
    char text[1024];

    w->t_ms += 10000;
    text_uuid(&w->f.target, target);
    (void)snprintf(
        text, sizeof(text),
        "{\"made_ms\":%lld,\"relations\":[{\"name\":\"r\",\"help\":\"h\",\"shape\":"
        "\"object\",\"sparse\":false,\"keys\":[{\"name\":\"k\",\"help\":\"k\"}],"
        "\"columns\":[{\"name\":\"v\",\"kind\":\"gauge\",\"type\":\"i64\",\"unit\":\"1\","
        "\"help\":\"v\"}]}],\"slices\":[{\"relation\":\"r\",\"target\":\"%s\","
        "\"scope\":\"\",\"t\":%lld,\"from_t\":%lld,\"every_ms\":10000,\"flags\":"
        "[\"complete\"],\"rows\":1,\"keys\":{\"k\":[\"a%lld\"]},\"columns\":{\"v\":[%lld]}}]"
        "}",
        (long long)w->t_ms, target, (long long)w->t_ms, (long long)w->t_ms,
        (long long)(w->t_ms / 10000 % 7), (long long)w->t_ms);
    tsdb_send_ok(&w->sender, text);
}

static void push(struct world *w, int count)
{
    for (int i = 0; i < count; i++) {
        push_one(w);
    }
}

/* --- making one --- */

static enum err_code keep(void *arg, const void *bytes, size_t len, struct err *e)
{
    struct world *w = arg;

    if (w->fail_at && w->at + len > w->fail_at) {
        return err_set(e, ERR_UNREACHABLE, "the sink is gone");
    }
    enum err_code code = file_write_at(w->fd, bytes, len, w->at, e);
    w->at += len;
    if (w->pushes_within) { /* the first copy is on its way: it grows old, and the journal short */
        int count = w->pushes_within;
        w->pushes_within = 0;
        push(w, count);
        tsdb_flush_ok(&w->f);
        push(w, count);
    }
    return code;
}

static enum err_code make(struct world *w, struct backup_info *info, struct err *e)
{
    const struct backup_source from = {.tsdb = w->f.db, .dir = w->f.dir};

    w->at = 0;
    assert_int_equal(file_open(w->file, O_RDWR | O_CREAT | O_TRUNC, 0600, &w->fd, e), ERR_OK);
    enum err_code code = backup_write(&from, &(struct tar_sink){keep, w}, info, e);
    file_close(w->fd);
    return code;
}

static void make_ok(struct world *w)
{
    struct backup_info info;
    struct err e = {0};

    if (make(w, &info, &e)) {
        fail_msg("backup: %s", e.text);
    }
}

/* --- looking into a restored one --- */

struct count {
    uint64_t readings;
    int64_t last_ms;
};

static enum err_code see(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct count *c = arg;
    (void)e;
    assert_true(s->t_ms > c->last_ms);
    assert_int_equal(s->cells[0][0].i64, s->t_ms);
    c->last_ms = s->t_ms;
    c->readings++;
    return ERR_OK;
}

static void look(struct tsdb_fixture *f, struct count *c, uint64_t *stored)
{
    const struct tsdb_scan_spec spec = {
        .target = f->target, .relation = STR("r"), .from_ms = 0, .to_ms = INT64_MAX};
    struct tsdb_reader *r = tsdb_borrow(f);
    struct tsdb_stream *streams = NULL;
    size_t count = 0;
    struct arena a;
    struct err e = {0};

    memset(c, 0, sizeof(*c));
    arena_init(&a, "test", 1 << 20);
    if (tsdb_scan(r, &spec, see, c, &e)) {
        fail_msg("scan: %s", e.text);
    }
    assert_int_equal(tsdb_streams(r, &a, &streams, &count, &e), ERR_OK);
    *stored = count ? streams[0].next_seq - 1 : 0;
    tsdb_reader_return(r);
    arena_fini(&a);
}

static void finding(void *arg, const char *file, const char *text)
{
    (void)arg;
    print_message("%s: %s\n", file, text);
}

/* Restore the archive, verify it, and open it as `f`. */
static void restore(struct world *w, struct tsdb_fixture *f)
{
    const struct backup_target to = {.dir = w->into};
    struct tsdb_verify verify = {.finding = finding};
    struct backup_info info;
    struct err e = {0};

    assert_int_equal(file_remove_tree(w->into, &e), ERR_OK);
    if (backup_restore(w->file, &to, &info, &e)) {
        fail_msg("restore: %s", e.text);
    }
    if (tsdb_verify(w->into, &verify, &e)) {
        fail_msg("verify: %s", e.text);
    }
    *f = w->f;
    (void)snprintf(f->dir, sizeof(f->dir), "%s", w->into);
    f->config.dir = f->dir;
    f->config.target_arg = f;
    tsdb_fixture_start(f);
}

/* --- the tests --- */

static void test_a_restored_store_has_what_was_acknowledged_and_goes_on(void **state)
{
    struct world *w = *state;
    struct tsdb_fixture f;
    struct tsdb_stats before, after;
    struct count c;
    uint64_t stored = 0;

    push(w, 30);
    tsdb_flush_ok(&w->f);
    push(w, 10);
    make_ok(w);
    push(w, 5);
    tsdb_stats(w->f.db, &before);
    restore(w, &f);
    tsdb_stats(f.db, &after);
    assert_false(text_uuid_eq(&before.epoch, &after.epoch));
    look(&f, &c, &stored);
    assert_int_equal(stored, 40);
    assert_int_equal(c.readings, 40);

    /* An agent that goes on where it was is told where to begin; sent again, all is there once. */
    struct tsdb_sender again = w->sender;
    struct tsdb_ack ack;
    struct err e = {0};
    again.f = &f;
    assert_int_equal(tsdb_send(&again, "{\"made_ms\":1,\"slices\":[]}", &ack, &e), ERR_CONFLICT);
    assert_int_equal(ack.next_seq, 41);
    assert_true(text_uuid_eq(&ack.store_epoch, &after.epoch));
    again.seq = 41;
    struct world second = *w;
    second.f = f;
    second.sender = again;
    second.sender.f = &second.f;
    second.t_ms = w->t_ms - 5 * 10000;
    push(&second, 5);
    look(&f, &c, &stored);
    assert_int_equal(c.readings, 45);
    tsdb_fixture_kill(&f);
}

static void test_a_file_that_changed_after_its_copy_is_copied_again(void **state)
{
    struct world *w = *state;
    struct tsdb_fixture f;
    struct count c;
    uint64_t stored = 0;

    push(w, 20);
    tsdb_flush_ok(&w->f);
    clock_sleep_ms(1100); /* files that changed just now are copied again in any case */
    w->pushes_within = 15;
    make_ok(w);
    restore(w, &f);
    look(&f, &c, &stored);
    assert_int_equal(stored, 50);
    assert_int_equal(c.readings, 50);
    tsdb_fixture_kill(&f);
}

static void run_pushes(void *arg)
{
    struct world *w = arg;

    while (!atomic_load(&w->stop)) {
        push(w, 3);
        tsdb_flush_ok(&w->f);
    }
}

static enum err_code write_only(void *arg, const void *bytes, size_t len, struct err *e)
{
    struct world *w = arg;
    enum err_code code = file_write_at(w->fd, bytes, len, w->at, e);

    w->at += len;
    return code;
}

static void test_pushes_and_flushes_go_on_while_it_is_made(void **state)
{
    struct world *w = *state;
    const struct backup_source from = {.tsdb = w->f.db, .dir = w->f.dir};
    struct thread thread;
    struct err e = {0};

    push(w, 3);
    assert_int_equal(thread_start(&thread, "pusher", run_pushes, w, &e), ERR_OK);
    for (int i = 0; i < BACKUPS; i++) {
        struct backup_info info;
        struct tsdb_fixture f;
        struct count c;
        uint64_t stored = 0;

        w->at = 0;
        assert_int_equal(file_open(w->file, O_RDWR | O_CREAT | O_TRUNC, 0600, &w->fd, &e), ERR_OK);
        if (backup_write(&from, &(struct tar_sink){write_only, w}, &info, &e)) {
            fail_msg("backup: %s", e.text);
        }
        file_close(w->fd);
        restore(w, &f);
        look(&f, &c, &stored);
        assert_true(stored >= 3);
        assert_int_equal(c.readings, stored);
        tsdb_fixture_kill(&f);
    }
    atomic_store(&w->stop, true);
    thread_join(&thread);
}

static void test_what_is_cut_short_is_no_backup(void **state)
{
    struct world *w = *state;
    struct backup_info info;
    struct err e = {0};

    push(w, 5);
    tsdb_flush_ok(&w->f);
    make_ok(w);
    assert_int_equal(backup_check(w->file, &info, &e), ERR_OK);
    assert_true(info.files >= 5);
    for (uint64_t len = w->at - 1024; len > 4096; len -= len / 37 / 512 * 512 + 512) {
        assert_int_equal(truncate(w->file, (off_t)len), 0);
        assert_int_equal(backup_check(w->file, &info, &e), ERR_CORRUPT);
    }
    const struct backup_target to = {.dir = w->into};
    assert_int_equal(backup_restore(w->file, &to, &info, &e), ERR_CORRUPT);
    assert_int_not_equal(access(w->into, F_OK), 0);
}

static void test_a_sink_that_fails_ends_it_and_nothing_is_left(void **state)
{
    struct world *w = *state;
    struct backup_info info;
    struct err e = {0};
    char copies[96];

    push(w, 5);
    tsdb_flush_ok(&w->f);
    for (uint64_t at = 100; at < 100000; at += 16384) {
        w->fail_at = at;
        assert_int_equal(make(w, &info, &e), ERR_UNREACHABLE);
        assert_string_equal(e.text, "the sink is gone");
        assert_int_not_equal(backup_check(w->file, &info, &e), ERR_OK);
    }
    (void)snprintf(copies, sizeof(copies), "%s/copying", w->f.dir);
    assert_int_not_equal(access(copies, F_OK), 0);
    w->fail_at = 0;
    make_ok(w);
    assert_int_equal(backup_check(w->file, &info, &e), ERR_OK);
}

static void test_targets_of_a_restored_store_are_taken_again(void **state)
{
    struct world *w = *state;
    struct batch_target target = {.kind = STR("postgres"), .name = STR("db")};
    struct batch batch = {.targets = &target, .target_count = 1};
    struct tsdb_fixture f;
    struct tsdb_stats stats;
    struct err e = {0};

    push(w, 5);
    /* meta.db is copied last: it may know targets of an lsn that ingest.db has not seen */
    assert_int_equal(store_target_apply(w->store, 1000, &w->f.collector, &batch, &e), ERR_OK);
    make_ok(w);
    restore(w, &f);
    tsdb_stats(f.db, &stats);
    assert_true(stats.lsn >= 1000);
    tsdb_fixture_kill(&f);
}

static enum err_code copy_within(void *arg, const char *name, const char *path, struct err *e)
{
    const struct tsdb_copy second = {.take = copy_within, .arg = arg};
    struct world *w = arg;
    struct err inner;
    (void)name, (void)path, (void)e;

    assert_int_equal(tsdb_copy(w->f.db, &second, &inner), ERR_CONFLICT);
    return ERR_OK;
}

static void test_there_is_one_at_a_time_and_none_while_the_store_stops(void **state)
{
    struct world *w = *state;
    const struct tsdb_copy copy = {.take = copy_within, .arg = w};
    struct err e = {0};

    push(w, 1);
    assert_int_equal(tsdb_copy(w->f.db, &copy, &e), ERR_OK);
    tsdb_stop(w->f.db);
    assert_int_equal(tsdb_copy(w->f.db, &copy, &e), ERR_CANCELLED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_restored_store_has_what_was_acknowledged_and_goes_on,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_that_changed_after_its_copy_is_copied_again,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pushes_and_flushes_go_on_while_it_is_made, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_cut_short_is_no_backup, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_sink_that_fails_ends_it_and_nothing_is_left, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_targets_of_a_restored_store_are_taken_again, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_there_is_one_at_a_time_and_none_while_the_store_stops,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
