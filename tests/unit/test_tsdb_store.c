/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_store.c: what was acknowledged is read back exactly once, whatever happened in between.
 *
 * Real files in a folder of their own. A crash is a stop without flush: the journal is all that is
 * left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "os/file.h"
#include "sqldb/sqldb.h"
#include "store/tsdb/catalog.h"
#include "tsdb_fixture.h"

static int set_up(void **state)
{
    struct tsdb_fixture *f = alloc_new(sizeof(*f));
    tsdb_fixture_init(f);
    tsdb_fixture_start(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    tsdb_fixture_fini(*state);
    alloc_free(*state);
    return 0;
}

static const char relation_text[] =
    "\"relations\":[{\"name\":\"pg_stat_database\",\"help\":\"h\",\"shape\":\"object\","
    "\"sparse\":false,\"keys\":[{\"name\":\"datname\",\"help\":\"d\"}],\"columns\":["
    "{\"name\":\"xact_commit\",\"kind\":\"counter\",\"type\":\"i64\",\"unit\":\"1\","
    "\"help\":\"c\"},"
    "{\"name\":\"load\",\"kind\":\"gauge\",\"type\":\"f64\",\"unit\":\"1\",\"help\":\"g\"}]}],";

/* A record of one complete reading of two databases. */
static char *reading(struct tsdb_fixture *f, const char *head, int64_t t_ms, int64_t a, int64_t b)
{
    char target[TEXT_UUID_SIZE];
    struct buf out;

    text_uuid(&f->target, target);
    buf_init(&out, 1 << 20);
    buf_printf(&out,
               "{\"made_ms\":%lld,%s\"slices\":[{\"relation\":\"pg_stat_database\",\"target\":"
               "\"%s\",\"scope\":\"\",\"t\":%lld,\"from_t\":%lld,\"every_ms\":10000,\"flags\":"
               "[\"complete\"],\"rows\":2,\"keys\":{\"datname\":[\"app\",\"postgres\"]},"
               "\"columns\":{\"xact_commit\":[%lld,%lld],\"load\":[1.25,null]}}]}",
               (long long)t_ms, head, target, (long long)t_ms, (long long)t_ms, (long long)a,
               (long long)b);
    return buf_take(&out, NULL);
}

static void send_reading(struct tsdb_sender *s, const char *head, int64_t t_ms, int64_t a,
                         int64_t b)
{
    char *text = reading(s->f, head, t_ms, a, b);
    tsdb_send_ok(s, text);
    alloc_free(text);
}

struct seen {
    size_t slices, rows;
    int64_t t[4096];
    int64_t first[4096]; /* xact_commit of row "app" */
    double load[4096];
    size_t nulls;
};

static enum err_code see(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct seen *seen = arg;
    (void)e;
    assert_true(seen->slices < 4096);
    if (seen->slices) {
        assert_true(s->t_ms > seen->t[seen->slices - 1]);
    }
    seen->t[seen->slices] = s->t_ms;
    if (s->row_count) {
        assert_int_equal(s->cells[0][0].tag, CELL_I64);
        seen->first[seen->slices] = s->cells[0][0].i64;
        seen->load[seen->slices] = cell_to_f64(s->cells[1][0]);
        seen->nulls += s->cells[1][1].tag == CELL_NULL;
    }
    seen->slices++;
    seen->rows += s->row_count;
    return ERR_OK;
}

static void scan(struct tsdb_fixture *f, struct seen *seen)
{
    const struct str columns[] = {STR("xact_commit"), STR("load")};
    const struct tsdb_scan_spec spec = {.target = f->target,
                                        .relation = STR("pg_stat_database"),
                                        .columns = columns,
                                        .column_count = 2,
                                        .from_ms = f->now_ms - 40 * 3600000LL,
                                        .to_ms = f->now_ms + 60000};
    struct tsdb_reader *r = tsdb_borrow(f);
    struct err e = {0};

    memset(seen, 0, sizeof(*seen));
    if (tsdb_scan(r, &spec, see, seen, &e)) {
        fail_msg("scan: %s", e.text);
    }
    tsdb_reader_return(r);
}

static void test_what_was_pushed_is_read_back(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct seen seen;

    tsdb_sender_init(&s, f);
    send_reading(&s, relation_text, f->now_ms - 30000, INT64_C(9007199254740993), 12);
    send_reading(&s, "", f->now_ms - 20000, INT64_MAX, INT64_MIN);
    scan(f, &seen);
    assert_int_equal(seen.slices, 2);
    assert_int_equal(seen.rows, 4);
    assert_true(seen.first[0] == INT64_C(9007199254740993));
    assert_true(seen.first[1] == INT64_MAX);
    assert_true(seen.load[0] == 1.25);
    assert_int_equal(seen.nulls, 2);
    tsdb_flush_ok(f);
    struct seen again;
    scan(f, &again);
    assert_memory_equal(&seen, &again, sizeof(seen));
}

static void test_names_and_newest_reading(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct tsdb_group last;
    struct relation *relation = NULL;
    struct arena a;
    struct err e = {0};

    arena_init(&a, "test", 1 << 20);
    tsdb_sender_init(&s, f);
    send_reading(&s, relation_text, f->now_ms - 30000, 1, 2);
    for (int round = 0; round < 3; round++) {
        struct tsdb_reader *r = tsdb_borrow(f);
        assert_int_equal(tsdb_relation(r, &a, STR("pg_stat_database"), &relation, &e), ERR_OK);
        assert_int_equal(relation->column_count, 2);
        assert_int_equal(relation->columns[0].kind, RELATION_COUNTER);
        assert_int_equal(relation->columns[0].type, RELATION_I64);
        assert_true(str_eq_c(relation->keys[0].name, "datname"));
        assert_int_equal(tsdb_last(r, &a, &f->target, STR("pg_stat_database"), &last, &e), ERR_OK);
        assert_true(last.last_t_ms == f->now_ms - 30000);
        assert_int_equal(last.objects, 2);
        assert_int_equal(tsdb_relation(r, &a, STR("nothing"), &relation, &e), ERR_NOT_FOUND);
        tsdb_reader_return(r);
        if (round == 0) {
            tsdb_fixture_kill(f); /* from the journal */
        } else if (round == 1) {
            tsdb_fixture_stop(f); /* from the day file */
        }
        if (round < 2) {
            tsdb_fixture_start(f);
        }
    }
    arena_fini(&a);
}

static void test_duplicate_stores_nothing(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct tsdb_ack ack;
    struct seen seen;
    struct err e = {0};

    tsdb_sender_init(&s, f);
    char *text = reading(f, relation_text, f->now_ms - 30000, 1, 2);
    for (int i = 0; i < 3; i++) {
        s.seq = 1;
        assert_int_equal(tsdb_send(&s, text, &ack, &e), ERR_OK);
        assert_int_equal(ack.duplicate_records, i > 0);
        assert_int_equal(ack.stored_records, i == 0);
        assert_int_equal(ack.samples, i == 0 ? 3 : 0);
        assert_int_equal(ack.next_seq, 2);
        if (i == 1) { /* hashes outlive a crash */
            tsdb_fixture_kill(f);
            tsdb_fixture_start(f);
        }
    }
    s.seq = 1;
    char *other = reading(f, "", f->now_ms - 30000, 5, 6);
    assert_int_equal(tsdb_send(&s, other, &ack, &e), ERR_CONFLICT);
    assert_true(ack.mismatch);
    scan(f, &seen);
    assert_int_equal(seen.slices, 1);
    alloc_free(text);
    alloc_free(other);
}

static void test_sequence_that_skips_is_refused(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct tsdb_ack ack;
    struct err e = {0};

    tsdb_sender_init(&s, f);
    s.seq = 4;
    char *text = reading(f, relation_text, f->now_ms - 30000, 1, 2);
    assert_int_equal(tsdb_send(&s, text, &ack, &e), ERR_CONFLICT);
    assert_false(ack.mismatch);
    assert_int_equal(ack.next_seq, 1);
    assert_int_equal(
        tsdb_send_at(&s, (struct tsdb_span){1, 3},
                     "{\"span\":3,\"gap\":{\"reason\":\"spool_full\",\"from_ms\":1,\"to_ms\":2}}",
                     &ack, &e),
        ERR_OK);
    assert_int_equal(ack.next_seq, 4);
    tsdb_send_ok(&s, text);
    alloc_free(text);

    struct arena a;
    struct tsdb_stream *streams = NULL;
    struct tsdb_record *records = NULL;
    size_t count = 0;
    arena_init(&a, "test", 1 << 20);
    tsdb_flush_ok(f); /* the list of records outlives the journal */
    struct tsdb_reader *r = tsdb_borrow(f);
    assert_int_equal(tsdb_streams(r, &a, &streams, &count, &e), ERR_OK);
    assert_int_equal(count, 1);
    assert_int_equal(streams[0].next_seq, 5);
    assert_int_equal(streams[0].stored, 1);
    assert_int_equal(streams[0].gaps[0].records, 3);
    const struct tsdb_record_spec spec = {f->collector, s.stream, 1, 10};
    assert_int_equal(tsdb_records(r, &a, &spec, &records, &count, &e), ERR_OK);
    assert_int_equal(count, 2);
    assert_true(records[0].is_gap);
    assert_int_equal(records[0].span, 3);
    assert_int_equal(records[1].seq, 4);
    assert_int_equal(records[1].samples, 3);
    tsdb_reader_return(r);
    arena_fini(&a);
}

static void test_nothing_of_a_push_with_a_bad_record_is_stored(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct tsdb_ack ack;
    struct seen seen;
    struct buf records;
    struct err e = {0};

    tsdb_sender_init(&s, f);
    char *text = reading(f, relation_text, f->now_ms - 30000, 1, 2);
    buf_init(&records, 1 << 20);
    buf_printf(&records, "{\"hash\":\"%064d\",\"record\":%s},", 1, text);
    buf_printf(&records, "{\"hash\":\"%064d\",\"record\":{\"slices\":[{\"relation\":1}]}}", 2);
    assert_int_equal(tsdb_send_at(&s, (struct tsdb_span){1, 2}, records.ptr, &ack, &e),
                     ERR_INVALID);
    assert_int_equal(ack.bad_seq, 2);
    assert_int_equal(ack.next_seq, 1);
    tsdb_send_ok(&s, text); /* the good one alone is taken */
    scan(f, &seen);
    assert_int_equal(seen.slices, 1);
    buf_fini(&records);
    alloc_free(text);
}

/* Two agents beside one server: what the second one sends would double every sum. */
static void test_a_second_collector_of_a_target_is_refused(void **state)
{
    struct tsdb_fixture *f = *state;
    struct uuid first = f->collector;
    struct tsdb_sender s, other;
    struct tsdb_stats stats;
    struct tsdb_ack ack;
    struct seen seen;
    struct err e = {0};

    tsdb_sender_init(&s, f);
    send_reading(&s, relation_text, f->now_ms - 30000, 1, 2);
    entropy_uuid(&f->collector);
    tsdb_sender_init(&other, f);
    for (int i = 0; i < 2; i++) {
        char *text = reading(f, relation_text, f->now_ms - 20000 + i * 5000, 1, 2);
        assert_int_equal(tsdb_send(&other, text, &ack, &e), ERR_OK);
        assert_int_equal(ack.rejected, 3);
        assert_int_equal(ack.samples, 0);
        alloc_free(text);
    }
    f->collector = first;
    send_reading(&s, "", f->now_ms - 10000, 3, 4);
    tsdb_stats(f->db, &stats);
    assert_int_equal(stats.refused[TSDB_REFUSED_OWNER], 6);
    scan(f, &seen);
    assert_int_equal(seen.slices, 2);

    struct arena a;
    struct tsdb_event *events = NULL;
    size_t count = 0;
    const struct tsdb_event_spec spec = {.kind = STR("gap"), .limit = 10};
    arena_init(&a, "test", 1 << 20);
    tsdb_flush_ok(f); /* the appliers have caught up */
    struct tsdb_reader *r = tsdb_borrow(f);
    assert_int_equal(tsdb_events(r, &a, &spec, &events, &count, &e), ERR_OK);
    assert_int_equal(count, 1); /* one for both */
    tsdb_reader_return(r);
    arena_fini(&a);
}

static void test_a_group_is_free_once_its_lease_has_ended(void **state)
{
    struct uuid one = {{1}}, two = {{2}};
    struct catalog *c = catalog_new();
    struct catalog_relation *r = NULL;
    struct catalog_group *g = NULL;
    struct err e = {0};

    (void)state;
    assert_int_equal(catalog_add_relation(c, STR("r"), RELATION_OBJECT, &r, &e), ERR_OK);
    const struct catalog_group_key key = {.relation = r, .target = {{9}}};
    assert_int_equal(catalog_add_group(c, &key, &g, &e), ERR_OK);
    assert_true(catalog_claim(c, g, &one, 1000, 5000000));
    assert_false(catalog_claim(c, g, &two, 1000, 5999999));
    assert_true(catalog_claim(c, g, &one, 1000, 5500000)); /* renewed */
    assert_false(catalog_claim(c, g, &two, 1000, 6499999));
    assert_true(catalog_claim(c, g, &two, 1000, 6500000));
    assert_false(catalog_claim(c, g, &one, 1000, 6500001));
    catalog_free(c);
}

static void test_times_outside_the_window_are_counted(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct tsdb_stats stats;
    struct tsdb_ack ack;
    struct seen seen;
    struct err e = {0};

    tsdb_sender_init(&s, f);
    send_reading(&s, relation_text, f->now_ms - 30000, 1, 2);
    char *text = reading(f, "", f->now_ms + 3600000, 1, 2);
    assert_int_equal(tsdb_send(&s, text, &ack, &e), ERR_OK);
    assert_int_equal(ack.rejected, 3);
    assert_int_equal(ack.samples, 0);
    alloc_free(text);
    text = reading(f, "", f->now_ms - 30000, 3, 4); /* t does not rise */
    assert_int_equal(tsdb_send(&s, text, &ack, &e), ERR_OK);
    assert_int_equal(ack.rejected, 3);
    alloc_free(text);
    tsdb_stats(f->db, &stats);
    assert_int_equal(stats.refused[TSDB_REFUSED_CLOCK], 3);
    assert_int_equal(stats.refused[TSDB_REFUSED_ORDER], 3);
    scan(f, &seen);
    assert_int_equal(seen.slices, 1);

    struct arena a;
    struct tsdb_event *events = NULL;
    size_t count = 0;
    const struct tsdb_event_spec spec = {.kind = STR("gap"), .limit = 10};
    arena_init(&a, "test", 1 << 20);
    tsdb_flush_ok(f); /* the appliers have caught up */
    struct tsdb_reader *r = tsdb_borrow(f);
    assert_int_equal(tsdb_events(r, &a, &spec, &events, &count, &e), ERR_OK);
    assert_int_equal(count, 1);
    assert_true(text_uuid_eq(&events[0].collector, &f->collector));
    tsdb_reader_return(r);
    arena_fini(&a);
}

static void test_crashes_and_flushes_lose_and_double_nothing(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct seen *seen = alloc_new(sizeof(*seen));
    const int count = 120;

    tsdb_sender_init(&s, f);
    for (int i = 0; i < count; i++) {
        send_reading(&s, i % 40 == 0 ? relation_text : "", f->now_ms - 3000000 + i * 10000, i, -i);
        if (i % 17 == 9) {
            tsdb_fixture_kill(f);
            tsdb_fixture_start(f);
        } else if (i % 17 == 13) {
            tsdb_flush_ok(f);
        } else if (i % 50 == 30) {
            tsdb_fixture_stop(f);
            tsdb_fixture_start(f);
        }
        scan(f, seen);
        assert_int_equal(seen->slices, i + 1);
        for (int k = 0; k <= i; k++) {
            assert_true(seen->first[k] == k);
        }
    }
    alloc_free(seen);
}

/* --- a reader beside a flusher --- */

struct pressing {
    struct tsdb_fixture *f;
    _Atomic int stop;
};

static void flush_on(void *arg)
{
    struct pressing *p = arg;
    while (!p->stop) {
        struct err e;
        if (tsdb_flush(p->f->db, clock_mono_us() + 2000000, &e)) {
            continue;
        }
    }
}

static void test_each_slice_once_while_a_flush_runs(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct seen *seen = alloc_new(sizeof(*seen));
    struct pressing p = {f, 0};
    struct thread t = {0};
    struct err e = {0};

    tsdb_sender_init(&s, f);
    assert_int_equal(thread_start(&t, "flush", flush_on, &p, &e), ERR_OK);
    for (int i = 0; i < 200; i++) {
        send_reading(&s, i == 0 ? relation_text : "", f->now_ms - 3000000 + i * 10000, i, -i);
        scan(f, seen);
        assert_int_equal(seen->slices, i + 1);
        assert_true(seen->first[i] == i);
    }
    p.stop = 1;
    thread_join(&t);
    alloc_free(seen);
}

static void test_backlog_beside_live_is_in_order_and_once(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender live;
    struct tsdb_sender old;
    struct seen *seen = alloc_new(sizeof(*seen));

    tsdb_sender_init(&live, f);
    tsdb_sender_init(&old, f);
    send_reading(&live, relation_text, f->now_ms - 10000, 30, 0);
    send_reading(&old, relation_text, f->now_ms - 90000, 10, 0);
    tsdb_flush_ok(f);
    send_reading(&old, "", f->now_ms - 80000, 20, 0);
    send_reading(&old, "", f->now_ms - 10000, 99, 0); /* the live stream was first */
    send_reading(&live, "", f->now_ms, 40, 0);
    for (int round = 0; round < 2; round++) {
        scan(f, seen);
        assert_int_equal(seen->slices, 4);
        for (int i = 0; i < 4; i++) {
            assert_true(seen->first[i] == 10 * (i + 1));
        }
        tsdb_flush_ok(f);
    }
    alloc_free(seen);
}

static void test_texts_targets_and_events_are_applied_once(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct arena a;
    struct err e = {0};
    char target[TEXT_UUID_SIZE];
    char text[2048];
    struct str found;
    struct tsdb_event *events = NULL;
    size_t count = 0;

    arena_init(&a, "test", 1 << 20);
    text_uuid(&f->target, target);
    tsdb_sender_init(&s, f);
    (void)snprintf(
        text, sizeof(text),
        "{\"made_ms\":1,\"targets\":[{\"id\":\"%s\",\"kind\":\"postgresql\",\"name\":\"db1\","
        "\"attributes\":{}}],\"events\":[{\"t\":%lld,\"target\":\"%s\",\"kind\":\"settings\","
        "\"severity\":\"info\",\"title\":\"work_mem was raised\",\"body\":{\"to\":\"64MB\"}}],"
        "\"texts\":[{\"target\":\"%s\",\"kind\":\"query\",\"key\":\"-62\",\"text\":"
        "\"SELECT $1\"}]}",
        target, (long long)f->now_ms, target, target);
    tsdb_send_ok(&s, text);
    tsdb_flush_ok(f);
    tsdb_fixture_kill(f);
    tsdb_fixture_start(f);
    struct tsdb_reader *r = tsdb_borrow(f);
    const struct tsdb_text_key key = {f->target, STR("query"), STR("-62")};
    assert_int_equal(tsdb_text(r, &a, &key, &found, &e), ERR_OK);
    assert_true(str_eq_c(found, "SELECT $1"));
    struct tsdb_event_spec spec = {.search = STR("raised work_mem"), .limit = 10};
    assert_int_equal(tsdb_events(r, &a, &spec, &events, &count, &e), ERR_OK);
    assert_int_equal(count, 1);
    assert_true(str_eq_c(events[0].event.title, "work_mem was raised"));
    spec.search = STR("lowered");
    assert_int_equal(tsdb_events(r, &a, &spec, &events, &count, &e), ERR_OK);
    assert_int_equal(count, 0);
    tsdb_reader_return(r);
    assert_int_equal(f->targets_seen, 1);
    arena_fini(&a);
}

static void on_finding(void *arg, const char *file, const char *text)
{
    (void)arg;
    print_message("%s: %s\n", file, text);
}

static void test_check_finds_nothing_and_finds_damage(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct tsdb_verify v = {.finding = on_finding};
    struct err e = {0};

    tsdb_sender_init(&s, f);
    send_reading(&s, relation_text, f->now_ms - 30000, 1, 2);
    tsdb_flush_ok(f);
    send_reading(&s, "", f->now_ms - 20000, 1, 2);
    assert_int_equal(tsdb_verify(f->dir, &v, &e), ERR_CONFLICT); /* in use */
    tsdb_fixture_kill(f);
    assert_int_equal(tsdb_verify(f->dir, &v, &e), ERR_OK);
    assert_int_equal(v.blocks, 1);
    assert_int_equal(v.journal_rows, 1);
    assert_int_equal(v.samples, 6);
    char command[256];
    (void)snprintf(command, sizeof(command),
                   "for i in %s/raw/fast/*.db; do printf xxxxxxxx | dd of=$i bs=1 seek=4096 "
                   "conv=notrunc 2>/dev/null; done",
                   f->dir);
    assert_int_equal(system(command), 0);
    v.finding = NULL;
    assert_int_equal(tsdb_verify(f->dir, &v, &e), ERR_CORRUPT);
}

static void test_second_opener_is_refused(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb *other = NULL;
    struct err e = {0};
    assert_int_equal(tsdb_open(&f->config, &other, &e), ERR_CONFLICT);
}

/* As if its hours were rolled up: before that a day is not removed. */
static void forget_marks(const char *path)
{
    char url[160];
    struct sqldb *day = NULL;
    struct err e = {0};

    (void)snprintf(url, sizeof(url), "sqlite:%s", path);
    assert_int_equal(sqldb_open(url, NULL, &day, &e), ERR_OK);
    assert_int_equal(sqldb_script(day, "DELETE FROM dirty", &e), ERR_OK);
    sqldb_close(day);
}

static void test_retention_unlinks_old_days(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    char path[128];
    struct seen seen;

    tsdb_sender_init(&s, f);
    send_reading(&s, relation_text, f->now_ms - 30000, 1, 2);
    tsdb_fixture_stop(f);
    (void)snprintf(path, sizeof(path), "%s/raw/slow/20200101.db", f->dir);
    struct err e;
    char command[512];
    (void)snprintf(command, sizeof(command), "cp %s/raw/fast/*.db %s", f->dir, path);
    assert_int_equal(system(command), 0);
    forget_marks(path);
    tsdb_fixture_start(f);
    int fd = -1;
    for (int i = 0; i < 100; i++) {
        if (file_open(path, 0, 0, &fd, &e) == ERR_NOT_FOUND) {
            break;
        }
        file_close(fd);
        clock_sleep_ms(50);
    }
    assert_int_equal(file_open(path, 0, 0, &fd, &e), ERR_NOT_FOUND);
    scan(f, &seen);
    assert_int_equal(seen.slices, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_was_pushed_is_read_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_and_newest_reading, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_duplicate_stores_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sequence_that_skips_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_of_a_push_with_a_bad_record_is_stored, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_times_outside_the_window_are_counted, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_second_collector_of_a_target_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test(test_a_group_is_free_once_its_lease_has_ended),
        cmocka_unit_test_setup_teardown(test_crashes_and_flushes_lose_and_double_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_each_slice_once_while_a_flush_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_backlog_beside_live_is_in_order_and_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_texts_targets_and_events_are_applied_once, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_check_finds_nothing_and_finds_damage, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_second_opener_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_retention_unlinks_old_days, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
