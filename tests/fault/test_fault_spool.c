/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_fault_spool.c: each file operation of the spool fails once, for each kind of failure, and
 * for good.
 *
 * The scenario appends, delivers to a model of the server, quarantines, splits and restarts. When
 * the failure is over, everything is delivered. The model keeps what the server would keep: it
 * fails on a number that comes again as another record. A record whose append said OK must arrive
 * exactly once; only a disk that stays full may turn it into a gap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "fault_file.h"
#include "os/file.h"
#include "spool/spool.h"

#define RECORDS 64
#define STREAMS 32
#define NUMBERS 256

struct model_stream {
    struct uuid id;
    uint64_t next;
    unsigned record[NUMBERS]; /* by number; 0 = a gap */
};

struct model {
    struct model_stream streams[STREAMS];
    size_t stream_count;
    unsigned times[RECORDS]; /* how often a record came */
    uint64_t gaps;           /* numbers that never had data, of streams in the model */
    char reason[SPOOL_REASON_MAX];
};

struct scene {
    char dir[64];
    struct spool_config config;
    struct spool *spool;
    struct arena arena;
    struct model model;
    bool taken[RECORDS];  /* append said OK */
    unsigned quarantined; /* a record; 0 = none */
    unsigned next;
};

static void record_text(unsigned n, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, "{\"n\":%u,\"x\":\"", n);
    uint32_t x = n * 2654435761u + 1;
    while (len + 4 < size) {
        x = x * 1664525u + 1013904223u;
        out[len++] = (char)('a' + (x >> 24) % 26);
    }
    snprintf(out + len, size - len, "\"}");
}

/* --- the server --- */

static struct model_stream *model_find(struct model *m, const struct uuid *id)
{
    for (size_t i = 0; i < m->stream_count; i++) {
        if (text_uuid_eq(&m->streams[i].id, id)) {
            return &m->streams[i];
        }
    }
    assert_true(m->stream_count < STREAMS);
    struct model_stream *s = &m->streams[m->stream_count++];
    s->id = *id;
    s->next = 1;
    return s;
}

static void model_take(struct model *m, struct model_stream *s, const struct spool_entry *x)
{
    unsigned n = 0;

    if (!x->is_gap) {
        assert_int_equal(sscanf(x->json.ptr, "{\"n\":%u", &n), 1);
        assert_true(n > 0 && n < RECORDS);
    }
    for (uint64_t seq = x->seq; seq < x->seq + x->span; seq++) {
        assert_true(seq < NUMBERS);
        if (seq < s->next) { /* known: the same record, or a gap that covers it */
            assert_true(x->is_gap || s->record[seq] == n || s->record[seq] == 0);
            continue;
        }
        assert_int_equal(seq, s->next);
        s->record[seq] = n;
        s->next = seq + 1;
        m->times[n] += !x->is_gap;
        m->gaps += x->is_gap;
        if (x->is_gap) {
            memcpy(m->reason, x->reason, sizeof(m->reason));
        }
    }
}

/* One push of a stream; false when the spool could not. `lost`: the answer does not arrive. */
static bool deliver(struct scene *f, const struct uuid *id, bool lost)
{
    struct spool_entry entries[5];
    struct spool_reading reading = {&f->arena, 5, SIZE_MAX, entries, 0};
    struct err e = {0};

    arena_reset(&f->arena);
    if (spool_read(f->spool, id, &reading, &e)) {
        return false;
    }
    if (reading.count == 0) {
        return true;
    }
    struct model_stream *s = model_find(&f->model, id);
    uint64_t end = entries[reading.count - 1].seq + entries[reading.count - 1].span;
    if (entries[0].seq > s->next) {
        fail_msg("number %llu skips ahead", (unsigned long long)entries[0].seq);
    }
    for (size_t i = 0; i < reading.count; i++) {
        model_take(&f->model, s, &entries[i]);
    }
    bool good = lost || !spool_ack(f->spool, id, end, &e);
    spool_unpin(f->spool);
    return good;
}

static void deliver_some(struct scene *f, bool lost)
{
    struct spool_stream all[STREAMS];
    size_t n = spool_streams(f->spool, all, STREAMS);
    for (size_t i = 0; i < n; i++) {
        (void)deliver(f, &all[i].id, lost);
    }
}

static uint64_t deliver_all(struct scene *f)
{
    struct spool_stream all[STREAMS];
    struct spool_stats stats;

    for (int round = 0; round < 200; round++) {
        spool_stats(f->spool, &stats);
        if (stats.waiting == 0) {
            return 0;
        }
        size_t n = spool_streams(f->spool, all, STREAMS);
        for (size_t i = 0; i < n; i++) {
            (void)deliver(f, &all[i].id, false);
        }
    }
    return stats.waiting;
}

/* --- the scenario --- */

static void append(struct scene *f, int count)
{
    char text[900];
    struct err e = {0};

    for (int i = 0; i < count; i++) {
        record_text(f->next, text, sizeof(text));
        f->taken[f->next] = !spool_append(f->spool, str_of(text), 1000000 + f->next, f->next, &e);
        f->next++;
    }
}

static bool reopen(struct scene *f)
{
    struct err e = {0};

    spool_close(f->spool);
    f->spool = NULL;
    return !spool_open(&f->config, &f->spool, &e);
}

static void quarantine(struct scene *f)
{
    struct spool_stream all[STREAMS];
    struct spool_entry one;
    struct spool_reading reading = {&f->arena, 1, SIZE_MAX, &one, 0};
    struct err e = {0};
    unsigned n = 0;

    size_t count = spool_streams(f->spool, all, STREAMS);
    arena_reset(&f->arena);
    if (!count || spool_read(f->spool, &all[count - 1].id, &reading, &e) || !reading.count) {
        return;
    }
    if (!one.is_gap && sscanf(one.json.ptr, "{\"n\":%u", &n) == 1) {
        f->quarantined = n;
        (void)!spool_quarantine(f->spool, &all[count - 1].id, &e);
    }
    spool_unpin(f->spool);
}

/* Everything that the spool does; a step that cannot be done is left out. */
static void play(struct scene *f)
{
    struct err e = {0};

    if (!reopen(f)) {
        return;
    }
    append(f, 8);
    deliver_some(f, false);
    append(f, 6);
    deliver_some(f, true); /* the answer is lost */
    append(f, 2);
    if (!reopen(f)) {
        return;
    }
    append(f, 3);
    deliver_some(f, false);
    quarantine(f);
    (void)!spool_split(f->spool, &e);
    append(f, 5);
    deliver_some(f, false);
    struct spool_stream all[STREAMS];
    size_t n = spool_streams(f->spool, all, STREAMS);
    if (spool_rename_stream(f->spool, &all[n - 1].id, &e)) {
        return; /* the server goes on refusing the old name: nothing is delivered under it */
    }
    append(f, 3);
    deliver_some(f, false);
    if (!reopen(f)) {
        return;
    }
    append(f, 2);
    deliver_some(f, false);
}

static void begin(struct scene *f)
{
    memset(f, 0, sizeof(*f));
    f->next = 1;
    /* in memory where that is to be had: there are some thousand rounds */
    snprintf(f->dir, sizeof(f->dir), "%s/pga-fault-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    f->config = (struct spool_config){.dir = f->dir,
                                      .max_bytes = 64 << 20,
                                      .keep_ms = 3600000,
                                      .keep_bytes = 8 << 10,
                                      .segment_bytes = 3 << 10};
    arena_init(&f->arena, "test", 64 << 20);
}

static void end(struct scene *f)
{
    spool_close(f->spool);
    arena_fini(&f->arena);
    assert_int_equal(file_remove_tree(f->dir, NULL), ERR_OK);
}

static void check(struct scene *f, const struct fault_plan *plan)
{
    uint64_t missing = 0;
    bool may_drop = plan->for_good && plan->kind != FAULT_EIO;

    if (!reopen(f)) {
        fail_msg("the spool does not open when the failure is over");
    }
    append(f, 2);
    if (!f->taken[f->next - 1]) {
        fail_msg("nothing is taken when the failure is over");
    }
    uint64_t waiting = deliver_all(f);
    if (waiting) {
        fail_msg("%llu numbers cannot be delivered", (unsigned long long)waiting);
    }
    for (unsigned n = 1; n < f->next; n++) {
        if (f->model.times[n] > 1) {
            fail_msg("record %u came %u times", n, f->model.times[n]);
        }
        if (f->taken[n] && !f->model.times[n] && n != f->quarantined) {
            missing++;
            if (!may_drop) {
                fail_msg("record %u was taken and is lost (last gap: %s)", n, f->model.reason);
            }
        }
    }
    assert_true(missing <= f->model.gaps);
}

static uint64_t play_with(const struct fault_plan *plan)
{
    struct scene *f = alloc_new(sizeof(*f));

    begin(f);
    fault_file_arm(plan);
    play(f);
    uint64_t calls = fault_file_disarm();
    check(f, plan);
    end(f);
    alloc_free(f);
    return calls;
}

static struct fault_plan running; /* told when a test fails */

static int tell(void **state)
{
    (void)state;
    if (running.at) {
        print_message("# %s at operation %llu%s\n", fault_kind_name(running.kind),
                      (unsigned long long)running.at, running.for_good ? " and all after it" : "");
    }
    running.at = 0;
    return 0;
}

static void run(enum fault_kind kind, bool for_good)
{
    const struct fault_plan none = {.kind = FAULT_EIO};
    uint64_t total = play_with(&none);

    assert_true(total > 300);
    for (uint64_t at = 1; at <= total; at++) {
        running = (struct fault_plan){kind, at, for_good};
        play_with(&running);
    }
    running.at = 0;
}

static void an_io_error_costs_nothing(void **state)
{
    (void)state;
    run(FAULT_EIO, false);
}

static void a_moment_without_room_costs_nothing(void **state)
{
    (void)state;
    run(FAULT_ENOSPC, false);
}

static void a_short_write_costs_nothing(void **state)
{
    (void)state;
    run(FAULT_SHORT, false);
}

static void io_errors_for_good_cost_nothing_that_was_taken(void **state)
{
    (void)state;
    run(FAULT_EIO, true);
}

static void a_full_disk_drops_with_gaps(void **state)
{
    (void)state;
    run(FAULT_ENOSPC, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(an_io_error_costs_nothing, tell),
        cmocka_unit_test_teardown(a_moment_without_room_costs_nothing, tell),
        cmocka_unit_test_teardown(a_short_write_costs_nothing, tell),
        cmocka_unit_test_teardown(io_errors_for_good_cost_nothing_that_was_taken, tell),
        cmocka_unit_test_teardown(a_full_disk_drops_with_gaps, tell),
    };
    fault_file_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
