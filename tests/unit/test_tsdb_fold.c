/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_fold.c: a store that folds what it holds in memory beside one that never does: the
 * same pushes, the same readings, slice by slice, before a flush, after it, and after a restart;
 * and readers that look on while bundles become pieces.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "os/clock.h"
#include "tsdb_fixture.h"
#include "tsdb_scan_text.h"

#define WAIT_US  60000000LL
#define DAY_MS   86400000LL
#define EVERY_MS 30000
#define STEPS    140
#define BEFORE   40 /* of them lie before midnight */

struct both {
    struct tsdb_fixture folded, loose;
    struct tsdb_sender to_folded, to_loose;
    int64_t midnight_ms;
};

static struct err e;

static int set_up(void **state)
{
    struct both *b = alloc_new(sizeof(*b));

    tsdb_fixture_init(&b->folded);
    tsdb_fixture_init(&b->loose);
    b->folded.config.fold_bytes = 1;
    b->loose.config.fold_bytes = SIZE_MAX;
    b->loose.target = b->folded.target;
    b->midnight_ms = b->folded.now_ms / DAY_MS * DAY_MS;
    if (b->folded.now_ms - b->midnight_ms < DAY_MS / 2) {
        b->midnight_ms -= DAY_MS; /* the times have room after it, and are younger than two days */
    }
    tsdb_fixture_start(&b->folded);
    tsdb_fixture_start(&b->loose);
    tsdb_sender_init(&b->to_folded, &b->folded);
    tsdb_sender_init(&b->to_loose, &b->loose);
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct both *b = *state;

    tsdb_fixture_fini(&b->folded);
    tsdb_fixture_fini(&b->loose);
    alloc_free(b);
    return 0;
}

/* --- records --- */

struct head {
    const char *relation, *flags;
    int64_t t_ms, every_ms;
    int rows;
};

static void put_head(const struct both *b, struct buf *out, const struct head *h)
{
    char target[TEXT_UUID_SIZE];

    text_uuid(&b->folded.target, target);
    buf_printf(out,
               "{\"relation\":\"%s\",\"target\":\"%s\",\"scope\":\"\",\"t\":%lld,\"from_t\":%lld,"
               "\"every_ms\":%lld,\"flags\":[%s],\"rows\":%d",
               h->relation, target, (long long)h->t_ms, (long long)(h->t_ms - h->every_ms),
               (long long)h->every_ms, h->flags, h->rows);
}

static const char descriptions[] =
    "\"relations\":["
    "{\"name\":\"mixed\",\"help\":\"All types.\",\"shape\":\"object\",\"sparse\":false,"
    "\"keys\":[{\"name\":\"a\",\"help\":\"\"}],\"columns\":["
    "{\"name\":\"n\",\"kind\":\"counter\",\"type\":\"i64\",\"unit\":\"1\",\"help\":\"\"},"
    "{\"name\":\"x\",\"kind\":\"gauge\",\"type\":\"f64\",\"unit\":\"s\",\"help\":\"\"},"
    "{\"name\":\"state\",\"kind\":\"text\",\"type\":\"text\",\"unit\":\"\",\"help\":\"\"}]},"
    "{\"name\":\"history\",\"help\":\"Facts.\",\"shape\":\"fact\",\"sparse\":false,"
    "\"keys\":[{\"name\":\"wait\",\"help\":\"\"},{\"name\":\"user\",\"help\":\"\"}],\"columns\":["
    "{\"name\":\"samples\",\"kind\":\"delta\",\"type\":\"i64\",\"unit\":\"1\",\"help\":\"\"}]}]";

static int64_t time_of(const struct both *b, int i)
{
    return b->midnight_ms + (i - BEFORE) * (int64_t)EVERY_MS;
}

/* Rows come and go, a column comes late, the clock is fast for a while, some readings fail. */
static void put_mixed(const struct both *b, struct buf *out, int i)
{
    const struct head h = {"mixed", i % 4 ? "\"complete\"" : "", time_of(b, i),
                           i >= 70 && i < 80 ? 10000 : EVERY_MS, i % 50 < 30 ? 3 : 2};
    const struct head failed = {"mixed", "\"failed\"", time_of(b, i), EVERY_MS, 0};

    if (i % 20 == 19) {
        put_head(b, out, &failed);
        buf_printf(out, ",\"reason\":\"refused %d\"}", i);
        return;
    }
    put_head(b, out, &h);
    buf_printf(out, ",\"keys\":{\"a\":[\"x\",\"o%d\"%s]},", i / 50, h.rows == 3 ? ",\"\"" : "");
    buf_printf(out, "\"columns\":{\"n\":[%d,9007199254740993%s],\"x\":[%d.25,null%s],", i * 7,
               h.rows == 3 ? ",null" : "", i, h.rows == 3 ? ",-0.0" : "");
    buf_printf(out, "\"state\":[\"s%d\",null%s]", i % 3, h.rows == 3 ? ",\"up\"" : "");
    if (i > 60) {
        buf_printf(out, ",\"late\":[%d,1.5%s]", i, h.rows == 3 ? ",2" : "");
    }
    buf_add_c(out, "}");
    if (i % 7 == 3) {
        buf_add_c(out, ",\"reset\":[1]");
    }
    buf_add_c(out, i % 50 == 31 ? ",\"gone\":[[\"\"]]}" : "}");
}

static void put_history(const struct both *b, struct buf *out, int i)
{
    const struct head h = {"history", "\"complete\"", time_of(b, i), EVERY_MS, 2};

    put_head(b, out, &h);
    buf_printf(out,
               ",\"keys\":{\"wait\":[\"IO\",\"Lock\"],\"user\":[\"u%d\",\"u\"]},"
               "\"columns\":{\"samples\":[%d,1]}}",
               i % 9, i);
}

static void send(struct both *b, struct tsdb_sender *to, int i)
{
    struct buf text;

    buf_init(&text, 1 << 20);
    buf_printf(&text, "{%s,\"slices\":[", descriptions);
    put_mixed(b, &text, i);
    buf_add_c(&text, ",");
    put_history(b, &text, i);
    buf_add_c(&text, "]}");
    tsdb_send_ok(to, text.ptr);
    buf_fini(&text);
}

static void send_both(struct both *b, int from, int to)
{
    for (int i = from; i < to; i++) {
        send(b, &b->to_folded, i);
        send(b, &b->to_loose, i);
    }
}

/* Times that are there already, with other values, and some between them: a backlog. */
static void send_older(struct both *b, int count)
{
    struct tsdb_sender folded, loose;
    struct buf text;

    tsdb_sender_init(&folded, &b->folded);
    tsdb_sender_init(&loose, &b->loose);
    buf_init(&text, 1 << 20);
    for (int i = 0; i < count; i++) {
        const struct head h = {"mixed", "\"complete\"", time_of(b, 20) + i * (EVERY_MS / 2),
                               EVERY_MS, 1};
        buf_reset(&text);
        buf_add_c(&text, "{\"slices\":[");
        put_head(b, &text, &h);
        buf_printf(&text, ",\"keys\":{\"a\":[\"old\"]},\"columns\":{\"n\":[%d]}}]}", -i);
        tsdb_send_ok(&folded, text.ptr);
        tsdb_send_ok(&loose, text.ptr);
    }
    buf_fini(&text);
}

/* --- the same readings --- */

static struct tsdb_stats stats_of(struct tsdb_fixture *f)
{
    struct tsdb_stats s;

    tsdb_stats(f->db, &s);
    return s;
}

static void wait_folds(struct tsdb_fixture *f, uint64_t count)
{
    int64_t until = clock_mono_us() + WAIT_US;

    while (stats_of(f).folds < count) {
        if (clock_mono_us() > until) {
            fail_msg("%llu folds, not %llu", (unsigned long long)stats_of(f).folds,
                     (unsigned long long)count);
        }
        clock_sleep_ms(2);
    }
}

static void same_range(struct both *b, const char *relation, const struct tsdb_text_range *range,
                       size_t slices)
{
    char *folded = NULL;
    char *loose = NULL;

    assert_int_equal(tsdb_scan_text(&b->loose, relation, range, &loose), slices);
    assert_int_equal(tsdb_scan_text(&b->folded, relation, range, &folded), slices);
    if (strcmp(folded, loose) != 0) {
        size_t at = 0;
        while (folded[at] == loose[at]) {
            at++;
        }
        at = at > 200 ? at - 200 : 0;
        fail_msg("%s differs:\n%.600s\n--- not folded:\n%.600s", relation, folded + at, loose + at);
    }
    alloc_free(folded);
    alloc_free(loose);
}

static void same(struct both *b, size_t mixed)
{
    static const struct str columns[] = {{"x", 1}, {"nowhere", 7}, {"late", 4}};
    const struct tsdb_text_range all = {.from_ms = time_of(b, -10), .to_ms = time_of(b, 200)};
    const struct tsdb_text_range some = {
        .columns = columns, .column_count = 3, .from_ms = time_of(b, 99), .to_ms = time_of(b, 129)};

    same_range(b, "mixed", &all, mixed);
    same_range(b, "history", &all, STEPS);
    same_range(b, "mixed", &some, 30);
    same_range(b, "history", &some, 30);
}

/* 140 slices of two groups: four bundles of each are closed, the rest stays as it came. */
static void test_folded_readings_are_the_same(void **state)
{
    struct both *b = *state;

    send_both(b, 0, STEPS);
    wait_folds(&b->folded, 8);
    assert_int_equal(stats_of(&b->loose).folds, 0);
    assert_true(stats_of(&b->folded).head_bytes * 2 < stats_of(&b->loose).head_bytes);
    same(b, STEPS);
    tsdb_flush_ok(&b->folded);
    tsdb_flush_ok(&b->loose);
    assert_int_equal(stats_of(&b->folded).flush_errors, 0);
    same(b, STEPS);
}

/* Pieces that overlap, and equal times: the first that was acknowledged counts. */
static void test_late_slices_between_pieces(void **state)
{
    struct both *b = *state;

    send_both(b, 0, STEPS);
    wait_folds(&b->folded, 8);
    send_older(b, 80); /* 40 of them at new times */
    wait_folds(&b->folded, 10);
    same_range(b, "mixed",
               &(struct tsdb_text_range){.from_ms = time_of(b, 0), .to_ms = time_of(b, 200)},
               STEPS - 1 + 40);
    tsdb_flush_ok(&b->folded);
    tsdb_flush_ok(&b->loose);
    same_range(b, "mixed",
               &(struct tsdb_text_range){.from_ms = time_of(b, 0), .to_ms = time_of(b, 200)},
               STEPS - 1 + 40);
}

/* What was folded comes again from the journal, and what was written is not there twice. */
static void test_restarts(void **state)
{
    struct both *b = *state;

    send_both(b, 0, 70);
    wait_folds(&b->folded, 4);
    tsdb_fixture_kill(&b->folded);
    tsdb_fixture_start(&b->folded);
    send_both(b, 70, STEPS);
    wait_folds(&b->folded, 8); /* of the new process: those 64 slices once more */
    same(b, STEPS);
    tsdb_fixture_stop(&b->folded);
    tsdb_fixture_start(&b->folded);
    assert_int_equal(stats_of(&b->folded).replayed_slices, 0);
    same(b, STEPS);
}

/* A journal of more than a full head: what is read first is folded before the rest is read. */
static void test_a_long_journal_is_folded_as_it_is_read(void **state)
{
    struct both *b = *state;
    struct tsdb_stats s;

    send_both(b, 0, STEPS);
    tsdb_fixture_kill(&b->folded);
    b->folded.config.flush_bytes = 16384;
    if (tsdb_open(&b->folded.config, &b->folded.db, &e)) { /* and no thread runs */
        fail_msg("open: %s", e.text);
    }
    tsdb_stats(b->folded.db, &s);
    assert_true(s.folds > 0);
    assert_int_equal(s.replayed_slices, 2 * STEPS);
    same(b, STEPS);
    tsdb_close(b->folded.db);
    tsdb_fixture_start(&b->folded);
    same(b, STEPS);
}

/* --- numbers in stretches --- */

struct sum {
    struct arena numbers;
    size_t stretches, slices;
    double total;
};

/* Small ones: sums of them are exact in any order. */
static double small(double v)
{
    return v < 1e9 ? v : 0;
}

static enum err_code add_slice(void *arg, const struct tsdb_slice *s, struct err *unused)
{
    struct sum *sum = arg;

    (void)unused;
    sum->slices++;
    for (size_t row = 0; row < s->row_count; row++) {
        const struct cell *c = &s->cells[0][row];
        sum->total += c->tag == CELL_I64   ? small((double)c->i64)
                      : c->tag == CELL_F64 ? small(c->f64)
                                           : 0;
    }
    return ERR_OK;
}

static enum err_code add_stretch(void *arg, const struct tsdb_stretch *s, struct err *unused)
{
    struct sum *sum = arg;

    (void)unused;
    sum->stretches++;
    sum->slices += s->end - s->first;
    for (size_t i = 0; i < s->value_start[s->object_count]; i++) {
        uint64_t bits = 0;
        memcpy(&bits, &s->values[0][i], sizeof(bits));
        sum->total += bits == TSDB_ABSENT_BITS ? 0 : small(s->values[0][i]);
    }
    return ERR_OK;
}

static enum err_code want_all(void *arg, const struct tsdb_group_object *o, size_t at, bool *out,
                              struct err *unused)
{
    (void)arg;
    (void)o;
    (void)at;
    (void)unused;
    *out = true;
    return ERR_OK;
}

static struct sum add_up(struct tsdb_fixture *f, const struct both *b)
{
    static const struct str column = {"n", 1};
    struct sum sum = {0};
    const struct tsdb_sink sink = {.visit = add_slice,
                                   .stretch = add_stretch,
                                   .wants = want_all,
                                   .arg = &sum,
                                   .arena = &sum.numbers};
    const struct tsdb_scan_spec spec = {.target = f->target,
                                        .relation = str_of("mixed"),
                                        .columns = &column,
                                        .column_count = 1,
                                        .from_ms = time_of(b, -10),
                                        .to_ms = time_of(b, 200)};
    struct tsdb_reader *r = tsdb_borrow(f);

    arena_init(&sum.numbers, "test", 64 << 20);
    if (tsdb_scan_numbers(r, &spec, &sink, &e)) {
        fail_msg("numbers: %s", e.text);
    }
    tsdb_reader_return(r);
    arena_fini(&sum.numbers);
    return sum;
}

static void test_pieces_are_given_as_stretches(void **state)
{
    struct both *b = *state;

    send_both(b, 0, STEPS);
    wait_folds(&b->folded, 8);
    struct sum folded = add_up(&b->folded, b);
    struct sum loose = add_up(&b->loose, b);
    assert_true(folded.stretches >= 4);
    assert_int_equal(loose.stretches, 0);
    assert_int_equal(folded.slices, loose.slices);
    assert_true(folded.total == loose.total);
}

/* --- readers beside the folding --- */

struct watcher {
    struct both *b;
    atomic_int sent;
    atomic_bool over;
    atomic_size_t looks;
    atomic_bool wrong;
};

/* Whoever borrows a reader sees what was acknowledged by then, each slice once. */
static void watch(void *arg)
{
    struct watcher *w = arg;
    const struct tsdb_text_range all = {.from_ms = time_of(w->b, -10),
                                        .to_ms = time_of(w->b, 1000)};

    while (!atomic_load(&w->over)) {
        int before = atomic_load(&w->sent);
        char *text = NULL;
        size_t slices = before ? tsdb_scan_text(&w->b->folded, "history", &all, &text) : 0;
        int after = atomic_load(&w->sent);
        if ((int)slices < before || (before && (int)slices > after + 1)) {
            print_message("%zu slices, %d to %d were sent\n", slices, before, after);
            atomic_store(&w->wrong, true);
        }
        alloc_free(text);
        atomic_fetch_add(&w->looks, 1);
    }
}

static void test_readers_beside_the_folding(void **state)
{
    struct both *b = *state;
    struct watcher w = {.b = b};
    struct thread threads[2];

    for (int i = 0; i < 2; i++) {
        if (thread_start(&threads[i], "watcher", watch, &w, &e)) {
            fail_msg("thread: %s", e.text);
        }
    }
    for (int i = 0; i < 300; i++) {
        send(b, &b->to_folded, i);
        atomic_store(&w.sent, i + 1);
    }
    wait_folds(&b->folded, 18);
    tsdb_flush_ok(&b->folded);
    atomic_store(&w.over, true);
    thread_join(&threads[0]);
    thread_join(&threads[1]);
    assert_true(atomic_load(&w.looks) > 1);
    assert_false(atomic_load(&w.wrong));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_folded_readings_are_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_late_slices_between_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_restarts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_long_journal_is_folded_as_it_is_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_pieces_are_given_as_stretches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_readers_beside_the_folding, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
