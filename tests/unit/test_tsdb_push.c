/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_push.c: pushes of several records, odd rows, and reads that meet the first flush of
 * a day.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "os/clock.h"
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

/* One slice: `keys` and `values` are JSON arrays of `rows` members. */
struct text_slice {
    const char *scope, *keys, *values;
    int64_t t_ms;
    int rows;
};

static void put_slice_of(struct tsdb_fixture *f, struct buf *out, const char *relation,
                         const struct text_slice *s)
{
    char target[TEXT_UUID_SIZE];

    text_uuid(&f->target, target);
    buf_printf(
        out,
        "{\"relation\":\"%s\",\"target\":\"%s\",\"scope\":\"%s\",\"t\":%lld,\"every_ms\":10000,"
        "\"flags\":[\"complete\"],\"rows\":%d,\"keys\":{\"k\":%s},\"columns\":{\"v\":%s}}",
        relation, target, s->scope, (long long)s->t_ms, s->rows, s->keys, s->values);
}

static void put_slice(struct tsdb_fixture *f, struct buf *out, const struct text_slice *s)
{
    put_slice_of(f, out, "r", s);
}

/* An entry of a push's records that holds one slice. */
static void put_entry(struct tsdb_fixture *f, struct buf *out, int number,
                      const struct text_slice *s)
{
    buf_printf(out, "%s{\"hash\":\"%064d\",\"record\":{\"slices\":[", out->len ? "," : "", number);
    put_slice(f, out, s);
    buf_add_c(out, "]}}");
}

static void send(struct tsdb_sender *s, const struct buf *entries, uint64_t count,
                 struct tsdb_ack *ack)
{
    struct err e = {0};

    if (tsdb_send_at(s, (struct tsdb_span){s->seq, count}, entries->ptr, ack, &e)) {
        fail_msg("push: %s", e.text);
    }
    s->seq = ack->next_seq;
}

struct seen {
    size_t slices, rows;
    int64_t sum;
};

static enum err_code see(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct seen *seen = arg;

    (void)e;
    for (size_t i = 0; i < s->row_count; i++) {
        assert_int_equal(s->cells[0][i].tag, CELL_I64);
        seen->sum += s->cells[0][i].i64;
        assert_true(s->objects != NULL);
        for (size_t k = 0; k < i; k++) {
            assert_true(s->objects[k] != s->objects[i]);
        }
    }
    seen->slices++;
    seen->rows += s->row_count;
    return ERR_OK;
}

static struct seen scan(struct tsdb_fixture *f)
{
    const struct str columns[] = {STR("v")};
    const struct tsdb_scan_spec spec = {.target = f->target,
                                        .relation = STR("r"),
                                        .columns = columns,
                                        .column_count = 1,
                                        .from_ms = f->now_ms - 40 * 3600000LL,
                                        .to_ms = f->now_ms + 60000};
    struct tsdb_reader *r = tsdb_borrow(f);
    struct seen seen = {0, 0, 0};
    struct err e = {0};

    if (tsdb_scan(r, &spec, see, &seen, &e)) {
        fail_msg("scan: %s", e.text);
    }
    tsdb_reader_return(r);
    return seen;
}

/*
 * The second record names a row that is new, and the third does not: the second waits for the
 * writer, and the third must not get ahead of it.
 */
static void test_records_of_one_push_keep_their_order(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct tsdb_ack ack;
    struct buf out;

    tsdb_sender_init(&s, f);
    buf_init(&out, 1 << 20);
    put_entry(f, &out, 1, &(struct text_slice){"", "[\"a\"]", "[1]", f->now_ms - 40000, 1});
    send(&s, &out, 1, &ack);
    buf_reset(&out);
    put_entry(f, &out, 2,
              &(struct text_slice){"", "[\"a\",\"b\"]", "[10,100]", f->now_ms - 30000, 2});
    put_entry(f, &out, 3, &(struct text_slice){"", "[\"a\"]", "[1000]", f->now_ms - 20000, 1});
    send(&s, &out, 2, &ack);
    assert_int_equal(ack.rejected, 0);
    assert_int_equal(ack.samples, 3);
    struct seen seen = scan(f);
    assert_int_equal(seen.slices, 3);
    assert_int_equal(seen.sum, 1111);
    buf_fini(&out);
}

/* A row that stands twice counts once, its first value, and takes nothing from rows behind it. */
static void test_a_repeated_row_counts_once(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct tsdb_ack ack;
    struct buf out;
    int64_t t = f->now_ms - 90000;

    tsdb_sender_init(&s, f);
    buf_init(&out, 1 << 20);
    static const struct {
        const char *keys, *values;
        int rows;
    } slices[] = {
        {"[\"a\",\"b\"]", "[1,2]", 2},
        {"[\"b\"]", "[4]", 1},
        {"[\"b\",\"b\"]", "[8,1000000]", 2}, /* as the rows of the two before lay */
        {"[\"a\",\"a\",\"b\"]", "[16,1000000,32]", 3},
    };
    for (int i = 0; i < 4; i++) {
        buf_reset(&out);
        put_entry(f, &out, i + 1,
                  &(struct text_slice){"", slices[i].keys, slices[i].values, t + i * 10000LL,
                                       slices[i].rows});
        send(&s, &out, 1, &ack);
    }
    struct seen seen = scan(f);
    assert_int_equal(seen.slices, 4);
    assert_int_equal(seen.sum, 63);
    tsdb_flush_ok(f);
    seen = scan(f);
    assert_int_equal(seen.sum, 63);
    buf_fini(&out);
}

/* The same in a record that the writer must resolve again: another slice names something new. */
static void test_a_repeated_row_beside_a_new_name(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender s;
    struct tsdb_ack ack;
    struct buf out;

    tsdb_sender_init(&s, f);
    buf_init(&out, 1 << 20);
    put_entry(f, &out, 1,
              &(struct text_slice){"", "[\"a\",\"b\",\"c\"]", "[1,2,4]", f->now_ms - 40000, 3});
    send(&s, &out, 1, &ack);
    buf_reset(&out);
    buf_printf(&out, "{\"hash\":\"%064d\",\"record\":{\"slices\":[", 2);
    put_slice(
        f, &out,
        &(struct text_slice){"", "[\"b\",\"b\",\"a\"]", "[8,1000000,16]", f->now_ms - 30000, 3});
    buf_add_char(&out, ',');
    put_slice(f, &out, &(struct text_slice){"new", "[\"a\"]", "[32]", f->now_ms - 30000, 1});
    buf_add_c(&out, "]}}");
    send(&s, &out, 1, &ack);
    struct seen seen = scan(f);
    assert_int_equal(seen.slices, 3);
    assert_int_equal(seen.sum, 63);
    buf_fini(&out);
}

/* --- a read while the first flush of a day makes its file --- */

#define GROUPS 400

static void flush(void *arg)
{
    tsdb_flush_ok(arg);
}

static void push_groups(struct tsdb_fixture *f)
{
    struct tsdb_sender s;
    struct tsdb_ack ack;
    struct buf out;

    tsdb_sender_init(&s, f);
    buf_init(&out, 8 << 20);
    buf_printf(&out, "{\"hash\":\"%064d\",\"record\":{\"slices\":[", 1);
    for (int i = 0; i < GROUPS; i++) {
        char scope[16];
        (void)snprintf(scope, sizeof(scope), "s%d", i);
        buf_add_c(&out, i ? "," : "");
        put_slice(f, &out, &(struct text_slice){scope, "[\"a\"]", "[1]", f->now_ms - 30000, 1});
    }
    buf_add_c(&out, "]}}");
    send(&s, &out, 1, &ack);
    buf_fini(&out);
}

static void test_a_new_day_file_hides_nothing(void **state)
{
    (void)state;
    for (int round = 0; round < 6; round++) {
        struct tsdb_fixture *f = alloc_new(sizeof(*f));
        struct thread t = {0};
        struct err e = {0};
        tsdb_fixture_init(f);
        tsdb_fixture_start(f);
        push_groups(f);
        assert_int_equal(thread_start(&t, "flush", flush, f, &e), ERR_OK);
        int64_t end = clock_mono_us() + 300000;
        while (clock_mono_us() < end) {
            struct seen seen = scan(f);
            assert_int_equal(seen.slices, GROUPS);
        }
        thread_join(&t);
        tsdb_fixture_fini(f);
        alloc_free(f);
    }
}

/* A cap of the whole store is not the record's fault: it may not be given up for that. */
static void test_a_full_store_blames_no_record(void **state)
{
    struct tsdb_fixture *f = *state;
    const struct text_slice one = {"", "[\"a\"]", "[1]", f->now_ms - 30000, 1};
    struct tsdb_sender s;
    struct tsdb_ack ack;
    struct err e = {0};
    struct buf text;

    tsdb_fixture_stop(f);
    f->config.caps[TSDB_CAP_RELATIONS] = 2 * CATALOG_RELATIONS; /* a collector's own is lower */
    tsdb_fixture_start(f);
    tsdb_sender_init(&s, f);
    buf_init(&text, 16 << 20);
    for (int i = 0; i < CATALOG_RELATIONS; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "r%d", i);
        buf_add_c(&text, i ? "," : "{\"slices\":[");
        put_slice_of(f, &text, name, &one);
    }
    buf_add_c(&text, "]}");
    tsdb_send_ok(&s, text.ptr);
    buf_reset(&text);
    buf_add_c(&text, "{\"slices\":[");
    put_slice_of(f, &text, "other", &one);
    buf_add_c(&text, "]}");
    assert_int_equal(tsdb_send(&s, text.ptr, &ack, &e), ERR_LIMIT);
    assert_int_equal(ack.bad_seq, 0);
    assert_non_null(strstr(e.text, "relations"));
    buf_fini(&text);
}

struct pair {
    int64_t u, v;
};

static enum err_code add_pair(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct pair *pair = arg;

    (void)e;
    for (size_t i = 0; i < s->row_count; i++) {
        pair->u += s->cells[0][i].tag == CELL_I64 ? s->cells[0][i].i64 : 0;
        pair->v += s->cells[1][i].tag == CELL_I64 ? s->cells[1][i].i64 : 0;
    }
    return ERR_OK;
}

/* Readings of one relation in one record need not have the same columns, or any. */
static void test_slices_of_one_record_have_names_of_their_own(void **state)
{
    static const char *const pieces[] = {"\"rows\":2,\"keys\":{\"k\":[\"a\",\"b\"]},"
                                         "\"columns\":{\"v\":[1,2],\"u\":[10,20]}",
                                         "\"rows\":1,\"keys\":{\"k\":[\"a\"]},"
                                         "\"columns\":{\"u\":[100]}",
                                         "\"rows\":0,\"keys\":{},\"columns\":{}"};
    struct tsdb_fixture *f = *state;
    const struct str columns[] = {STR("u"), STR("v")};
    const struct tsdb_scan_spec spec = {.target = f->target,
                                        .relation = STR("r"),
                                        .columns = columns,
                                        .column_count = 2,
                                        .from_ms = f->now_ms - 60000,
                                        .to_ms = f->now_ms};
    struct pair pair = {0, 0};
    char target[TEXT_UUID_SIZE];
    struct tsdb_sender s;
    struct tsdb_reader *r;
    struct tsdb_ack ack;
    struct err e = {0};
    struct buf out;

    tsdb_sender_init(&s, f);
    text_uuid(&f->target, target);
    buf_init(&out, 1 << 20);
    buf_printf(&out, "{\"hash\":\"%064d\",\"record\":{\"slices\":[", 1);
    for (int i = 0; i < 3; i++) {
        buf_printf(&out, "%s{\"relation\":\"r\",\"target\":\"%s\",\"t\":%lld,\"every_ms\":1000,%s}",
                   i ? "," : "", target, (long long)f->now_ms - 3000 + 1000LL * i, pieces[i]);
    }
    buf_add_c(&out, "]}}");
    send(&s, &out, 1, &ack);
    buf_fini(&out);
    for (int round = 0; round < 2; round++) { /* from memory, then from the day file */
        pair = (struct pair){0, 0};
        r = tsdb_borrow(f);
        if (tsdb_scan(r, &spec, add_pair, &pair, &e)) {
            fail_msg("scan: %s", e.text);
        }
        tsdb_reader_return(r);
        assert_int_equal(pair.v, 3);
        assert_int_equal(pair.u, 130);
        tsdb_flush_ok(f);
    }
}

static uint64_t streams_of(struct tsdb_fixture *f)
{
    struct tsdb_stats stats;

    tsdb_stats(f->db, &stats);
    return stats.streams;
}

/* Whoever sends nonsense under ever new streams leaves nothing behind. */
static void test_streams_of_nothing_are_not_kept(void **state)
{
    struct tsdb_fixture *f = *state;
    uint64_t before = streams_of(f);

    for (int i = 0; i < 50; i++) {
        struct tsdb_sender s;
        struct tsdb_ack ack;
        struct err e = {0};
        tsdb_sender_init(&s, f);
        s.seq = 7; /* of a stream that must begin with 1 */
        assert_int_equal(tsdb_send(&s, "{\"slices\":[]}", &ack, &e), ERR_CONFLICT);
        assert_int_equal(ack.next_seq, 1);
    }
    assert_int_equal(streams_of(f), before);
}

/* The 301st stream of a collector makes the one that was silent longest rest; it may go on. */
static void test_streams_that_were_silent_rest(void **state)
{
    struct tsdb_fixture *f = *state;
    struct tsdb_sender first;
    struct tsdb_stream *list = NULL;
    struct tsdb_ack ack;
    struct err e = {0};
    struct arena a;
    size_t count = 0, closed = 0;

    tsdb_sender_init(&first, f);
    tsdb_send_ok(&first, "{\"slices\":[]}");
    clock_sleep_ms(2); /* what is older by the clock in ms */
    for (int i = 0; i < 300; i++) {
        struct tsdb_sender s;
        tsdb_sender_init(&s, f);
        tsdb_send_ok(&s, "{\"slices\":[]}");
    }
    struct tsdb_reader *r = tsdb_borrow(f);
    arena_init(&a, "streams", 1 << 24);
    assert_int_equal(tsdb_streams(r, &a, &list, &count, &e), ERR_OK);
    assert_int_equal(count, 301);
    for (size_t i = 0; i < count; i++) {
        closed += list[i].closed;
        assert_int_equal(list[i].closed, text_uuid_eq(&list[i].stream, &first.stream));
    }
    assert_int_equal(closed, 1);
    arena_fini(&a);
    tsdb_reader_return(r);
    first.seq = 1; /* sent again, then on */
    assert_int_equal(tsdb_send(&first, "{\"slices\":[]}", &ack, &e), ERR_OK);
    assert_int_equal(ack.duplicate_records, 1);
    tsdb_send_ok(&first, "{\"slices\":[]}");
    assert_int_equal(first.seq, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_records_of_one_push_keep_their_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_repeated_row_counts_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_repeated_row_beside_a_new_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slices_of_one_record_have_names_of_their_own, set_up,
                                        tear_down),
        cmocka_unit_test(test_a_new_day_file_hides_nothing),
        cmocka_unit_test_setup_teardown(test_streams_of_nothing_are_not_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_streams_that_were_silent_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_store_blames_no_record, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
