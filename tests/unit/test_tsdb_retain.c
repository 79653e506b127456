/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_retain.c: which files go when they are old, or when the store has its quota.
 *
 * Real files: the file of today is copied to other dates and to the other class of clocks.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "os/clock.h"
#include "os/file.h"
#include "sqldb/sqldb.h"
#include "tsdb_fixture.h"

#define SLICES 3

static void send(struct tsdb_fixture *f)
{
    struct tsdb_sender s;
    char target[TEXT_UUID_SIZE];
    struct buf out;

    text_uuid(&f->target, target);
    tsdb_sender_init(&s, f);
    for (int n = 0; n < SLICES; n++) {
        buf_init(&out, 4096);
        buf_printf(
            &out,
            "{\"made_ms\":1,\"slices\":[{\"relation\":\"thing\",\"target\":\"%s\",\"scope\":"
            "\"\",\"t\":%lld,\"every_ms\":10000,\"flags\":[\"complete\"],\"rows\":1,\"keys\":"
            "{\"k\":[\"a\"]},\"columns\":{\"v\":[%d]}}]}",
            target, (long long)(f->now_ms / 86400000 * 86400000 + n * 1000), n);
        tsdb_send_ok(&s, out.ptr);
        buf_fini(&out);
    }
}

/* As if today's file were rolled up: before that a file is not removed. */
static void forget_marks(const struct tsdb_fixture *f)
{
    char url[160];
    char day[16];
    struct sqldb *file = NULL;
    struct err e = {0};
    FILE *p = popen("date -u +%Y%m%d", "r");

    assert_non_null(fgets(day, sizeof(day), p));
    (void)pclose(p);
    (void)snprintf(url, sizeof(url), "sqlite:%s/raw/fast/%.8s.db", f->dir, day);
    assert_int_equal(sqldb_open(url, NULL, &file, &e), ERR_OK);
    assert_int_equal(sqldb_script(file, "DELETE FROM dirty", &e), ERR_OK);
    sqldb_close(file);
}

/* A closed store with today's file, and copies of it of days before, in both classes. */
static int set_up(void **state)
{
    struct tsdb_fixture *f = alloc_new(sizeof(*f));
    char command[512];

    tsdb_fixture_init(f);
    tsdb_fixture_start(f);
    send(f);
    tsdb_fixture_stop(f);
    forget_marks(f);
    (void)snprintf(command, sizeof(command),
                   "set -e; cd %s/raw; "
                   "for ago in 1 5 9 20; do day=$(date -u -d \"$ago days ago\" +%%Y%%m%%d); "
                   "cp fast/$(date -u +%%Y%%m%%d).db fast/$day.db; "
                   "cp fast/$(date -u +%%Y%%m%%d).db slow/$day.db; done",
                   f->dir);
    assert_int_equal(system(command), 0);
    f->config.retention_days = f->config.retention_slow_days = 100;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    tsdb_fixture_fini(*state);
    alloc_free(*state);
    return 0;
}

/* How many days ago the files are, as "fast 0 1 5 slow 9"; waits until they are those. */
static void want_files(struct tsdb_fixture *f, const char *want)
{
    char command[512];
    char got[256];

    (void)snprintf(command, sizeof(command),
                   "cd %s/raw; for class in fast slow; do printf '%%s' $class; for ago in 0 1 5 9 "
                   "20; do test -e $class/$(date -u -d \"$ago days ago\" +%%Y%%m%%d).db && printf "
                   "' %%s' $ago; done; printf ' '; done",
                   f->dir);
    for (int i = 0; i < 200; i++) {
        FILE *p = popen(command, "r");
        assert_non_null(fgets(got, sizeof(got), p));
        (void)pclose(p);
        got[strlen(got) - 1] = '\0';
        if (strcmp(got, want) == 0) {
            return;
        }
        clock_sleep_ms(50);
    }
    fail_msg("files of days ago: %s, wanted: %s", got, want);
}

static uint64_t size_of_store(struct tsdb_fixture *f)
{
    struct tsdb_stats stats;

    tsdb_fixture_start(f);
    want_files(f, "fast 0 1 5 9 20 slow 1 5 9 20");
    tsdb_stats(f->db, &stats);
    assert_int_equal(stats.removed[TSDB_REMOVED_AGE], 0);
    assert_int_equal(stats.removed[TSDB_REMOVED_QUOTA], 0);
    tsdb_fixture_stop(f);
    return stats.disk_bytes;
}

static void want_removed(struct tsdb_fixture *f, uint64_t age, uint64_t quota)
{
    struct tsdb_stats stats;

    for (int i = 0; i < 200; i++) {
        tsdb_stats(f->db, &stats);
        if (stats.removed[TSDB_REMOVED_AGE] == age && stats.removed[TSDB_REMOVED_QUOTA] == quota) {
            assert_true(stats.removed_bytes > 0);
            return;
        }
        clock_sleep_ms(50);
    }
    fail_msg("removed %llu and %llu", (unsigned long long)stats.removed[TSDB_REMOVED_AGE],
             (unsigned long long)stats.removed[TSDB_REMOVED_QUOTA]);
}

static enum err_code count_slice(void *arg, const struct tsdb_slice *s, struct err *e)
{
    size_t *slices = arg;
    (void)s;
    (void)e;
    ++*slices;
    return ERR_OK;
}

static void check_read(struct tsdb_fixture *f)
{
    const struct tsdb_scan_spec spec = {
        .target = f->target, .relation = STR("thing"), .to_ms = INT64_MAX / 2};
    struct tsdb_reader *r = tsdb_borrow(f);
    struct err e = {0};
    size_t slices = 0;

    assert_int_equal(tsdb_scan(r, &spec, count_slice, &slices, &e), ERR_OK);
    assert_int_equal(slices, SLICES); /* copies hold the same times: they count once */
    tsdb_reader_return(r);
}

static void test_by_age_in_both_classes(void **state)
{
    struct tsdb_fixture *f = *state;

    f->config.retention_days = f->config.retention_slow_days = 5;
    tsdb_fixture_start(f);
    want_files(f, "fast 0 1 5 slow 1 5");
    want_removed(f, 4, 0);
    check_read(f);
}

static void test_each_class_has_its_age(void **state)
{
    struct tsdb_fixture *f = *state;

    f->config.retention_days = 5;
    f->config.retention_slow_days = 9;
    tsdb_fixture_start(f);
    want_files(f, "fast 0 1 5 slow 1 5 9");
    want_removed(f, 3, 0);
    check_read(f);
}

/* A day's readings of slow clocks have no roll-ups of 5 minutes: they stay longer. */
static void test_slow_ones_stay_longer_unless_told(void **state)
{
    struct tsdb_fixture *f = *state;

    f->config.retention_days = f->config.retention_slow_days = 0;
    tsdb_fixture_start(f);
    want_files(f, "fast 0 1 5 9 slow 1 5 9 20");
    want_removed(f, 1, 0);
}

static void test_the_quota_takes_fast_ones_first(void **state)
{
    struct tsdb_fixture *f = *state;

    f->config.flush_bytes = 1024;
    uint64_t size = size_of_store(f);
    f->config.max_bytes = size + 1024;
    tsdb_fixture_start(f);
    check_read(f);
    tsdb_fixture_stop(f);
    want_files(f, "fast 0 1 5 9 20 slow 1 5 9 20"); /* within it */
    f->config.max_bytes = size + 1023;              /* no room for a flush */
    tsdb_fixture_start(f);
    want_files(f, "fast 0 1 5 9 slow 1 5 9 20");
    want_removed(f, 0, 1);
    tsdb_fixture_stop(f);
    f->config.max_bytes = size - 4 * 24576;
    tsdb_fixture_start(f);
    want_files(f, "fast 0 slow 1 5 9");
    want_removed(f, 0, 4);
    tsdb_fixture_stop(f);
}

/* Even when the quota has no room for anything. */
static void test_today_stays(void **state)
{
    struct tsdb_fixture *f = *state;

    f->config.max_bytes = 1;
    tsdb_fixture_start(f);
    want_files(f, "fast 0 slow");
    want_removed(f, 0, 8);
    check_read(f);
    tsdb_flush_ok(f);
    send(f);
    tsdb_flush_ok(f);
    check_read(f);
}

static int set_up_empty(void **state)
{
    struct tsdb_fixture *f = alloc_new(sizeof(*f));

    tsdb_fixture_init(f);
    *state = f;
    return 0;
}

/* What a compaction writes beside the file that it takes the place of. */
static void test_the_quota_has_room_for_both_files_of_a_compaction(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_stats stats;
    struct err e = {0};

    f->config.flush_bytes = 4096;
    tsdb_fixture_start(f);
    send(f);
    tsdb_flush_ok(f);
    send(f);
    tsdb_fixture_stop(f);
    tsdb_fixture_start(f);
    tsdb_stats(f->db, &stats);
    tsdb_fixture_stop(f);
    uint64_t fits = stats.disk_bytes + stats.part_bytes[TSDB_PART_RAW_FAST] + 4096;
    f->config.max_bytes = fits - 1;
    tsdb_fixture_start(f);
    assert_int_equal(tsdb_compact(f->db, clock_mono_us() + 60000000, &e), ERR_IO);
    tsdb_stats(f->db, &stats);
    assert_int_equal(stats.compactions, 0);
    check_read(f);
    tsdb_fixture_stop(f);
    f->config.max_bytes = fits;
    tsdb_fixture_start(f);
    assert_int_equal(tsdb_compact(f->db, clock_mono_us() + 60000000, &e), ERR_OK);
    tsdb_stats(f->db, &stats);
    assert_int_equal(stats.compactions, 1);
    check_read(f);
}

/* Months of roll-ups are the last that the quota takes, those of an hour after all else. */
static void test_the_quota_takes_roll_ups_last(void **state)
{
    struct tsdb_fixture *f = *state;
    char command[512];
    struct tsdb_stats stats;

    tsdb_fixture_start(f); /* makes the folders */
    tsdb_stats(f->db, &stats);
    tsdb_fixture_stop(f);
    (void)snprintf(command, sizeof(command), "cd %s && touch tier5m/202001.db tier1h/202002.db",
                   f->dir);
    assert_int_equal(system(command), 0);
    f->config.rollup_5m_days = f->config.rollup_1h_days = 36500;
    uint64_t size = size_of_store(f);
    f->config.flush_bytes = 1024;
    tsdb_fixture_start(f);
    tsdb_stats(f->db, &stats);
    tsdb_fixture_stop(f);
    f->config.max_bytes = size + 1024 - 8 * 24576 - stats.part_bytes[TSDB_PART_TIER_5M];
    tsdb_fixture_start(f);
    want_removed(f, 0, 9); /* but for today's */
    tsdb_stats(f->db, &stats);
    assert_int_equal(stats.part_bytes[TSDB_PART_TIER_5M], 0);
    assert_true(stats.part_bytes[TSDB_PART_TIER_1H] > 0);
    tsdb_fixture_stop(f);
    f->config.max_bytes = 1;
    tsdb_fixture_start(f);
    want_removed(f, 0, 1);
    tsdb_stats(f->db, &stats);
    assert_int_equal(stats.part_bytes[TSDB_PART_TIER_1H], 0);
}

/* This program again: dies while the first file goes. */
static int remove_and_die(const char *dir)
{
    struct tsdb_fixture f = {.config = {.retention_days = 5, .retention_slow_days = 5}};

    (void)snprintf(f.dir, sizeof(f.dir), "%s", dir);
    f.config.dir = f.dir;
    tsdb_fixture_start(&f);
    clock_sleep_ms(20000);
    return 0;
}

static void test_a_death_while_a_file_goes(void **state)
{
    struct tsdb_fixture *f = *state;
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        (void)setenv("PGA_FAULT", "tsdb.retain_unlisted", 1);
        execl("/proc/self/exe", "test_tsdb_retain", f->dir, (char *)NULL);
        _exit(1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    want_files(f, "fast 0 1 5 9 20 slow 1 5 9 20");
    f->config.retention_days = f->config.retention_slow_days = 5;
    tsdb_fixture_start(f);
    want_files(f, "fast 0 1 5 slow 1 5");
    check_read(f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_by_age_in_both_classes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_class_has_its_age, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slow_ones_stay_longer_unless_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_quota_takes_fast_ones_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_today_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_quota_has_room_for_both_files_of_a_compaction,
                                        set_up_empty, tear_down),
        cmocka_unit_test_setup_teardown(test_the_quota_takes_roll_ups_last, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_death_while_a_file_goes, set_up, tear_down),
    };
    if (argc == 2) {
        return remove_and_die(argv[1]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
