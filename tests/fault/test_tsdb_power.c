/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_power.c: after a power cut at any moment the store holds every acknowledged record,
 * each once, and nothing that was never sent.
 *
 * PGA_POWER_CUTS sets how many moments are tried (150; `make full`: 10000), PGA_POWER_SEED which.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/num.h"
#include "os/clock.h"
#include "os/file.h"
#include "tsdb_fixture.h"

/* Not among the parts that every test links: it replaces calls of the C library. */
#include "power/power.c" /* NOLINT(bugprone-suspicious-include) */

#define RECORDS    120
#define ROWS       3
#define FLUSH_AT   25
#define COMPACT_AT 55
#define WHOLE_AT   25 /* of that many cuts one goes on working and is verified */
#define DAY_MS     86400000LL
#define RELATION                                                            \
    "{\"name\":\"p\",\"help\":\"h\",\"shape\":\"object\",\"sparse\":false," \
    "\"keys\":[{\"name\":\"k\",\"help\":\"\"}],\"columns\":["               \
    "{\"name\":\"n\",\"kind\":\"counter\",\"type\":\"i64\",\"unit\":\"1\"," \
    "\"help\":\"\"}]}"

struct powered {
    struct tsdb_fixture f;
    struct tsdb_sender sender;
    char cut_dir[80];
    int64_t middle_ms; /* midnight: half of the readings are before */
};

static int64_t time_of(const struct powered *p, uint64_t seq)
{
    return p->middle_ms + ((int64_t)seq - RECORDS / 2) * 1000;
}

static void send_record(struct powered *p, uint64_t seq)
{
    char target[TEXT_UUID_SIZE];
    char text[4096];

    text_uuid(&p->f.target, target);
    (void)snprintf(
        text, sizeof(text),
        "{\"made_ms\":1,%s%s%s\"slices\":[{\"relation\":\"p\",\"target\":\"%s\",\"scope\":\"\","
        "\"t\":%lld,\"every_ms\":1000,\"flags\":[\"complete\"],\"rows\":%d,"
        "\"keys\":{\"k\":[\"a\",\"b\",\"c\"]},\"columns\":{\"n\":[%llu,%llu,%llu]}}],"
        "\"events\":[{\"t\":%lld,\"kind\":\"seen\",\"severity\":\"info\",\"title\":\"%llu\"}]}",
        seq == 1 ? "\"relations\":[" : "", seq == 1 ? RELATION : "", seq == 1 ? "]," : "", target,
        (long long)time_of(p, seq), ROWS, (unsigned long long)seq * 10,
        (unsigned long long)seq * 10 + 1, (unsigned long long)seq * 10 + 2,
        (long long)time_of(p, seq), (unsigned long long)seq);
    power_submit(seq);
    tsdb_send_ok(&p->sender, text);
    power_acknowledge(seq);
}

/* --- what is there after a cut --- */

struct seen {
    const struct powered *p;
    uint64_t count;
    char wrong[200];
};

static enum err_code look(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct seen *seen = arg;
    uint64_t seq = seen->count + 1;

    for (size_t i = 0; i < s->row_count; i++) {
        if (s->cells[0][i].tag != CELL_I64 || s->cells[0][i].i64 != (int64_t)(seq * 10 + i)) {
            (void)snprintf(seen->wrong, sizeof(seen->wrong), "row %zu of record %llu is another", i,
                           (unsigned long long)seq);
        }
    }
    if (s->t_ms != time_of(seen->p, seq) || s->row_count != ROWS) {
        (void)snprintf(seen->wrong, sizeof(seen->wrong), "instead of record %llu: t %lld, %zu rows",
                       (unsigned long long)seq, (long long)s->t_ms, s->row_count);
    }
    seen->count++;
    (void)e;
    return ERR_OK;
}

static uint64_t next_expected(struct tsdb_reader *r, struct arena *a, const struct powered *p)
{
    struct tsdb_stream *streams = NULL;
    size_t count = 0;
    struct err e;

    assert_int_equal(tsdb_streams(r, a, &streams, &count, &e), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        if (memcmp(&streams[i].stream, &p->sender.stream, sizeof(struct uuid)) == 0) {
            return streams[i].next_seq;
        }
    }
    return 1;
}

/* Every acknowledged record, whole, once, in order; perhaps one that was on its way. */
static void check(const struct powered *p, struct tsdb_fixture *f, const struct power_note *told,
                  size_t moment)
{
    struct tsdb_scan_spec spec = {
        .target = p->f.target, .relation = STR("p"), .from_ms = 0, .to_ms = INT64_MAX / 2};
    struct seen seen = {.p = p};
    struct tsdb_reader *r = tsdb_borrow(f);
    struct arena a;
    struct err e = {0};

    arena_init(&a, "check", 64 << 20);
    uint64_t next = next_expected(r, &a, p);
    enum err_code code = tsdb_scan(r, &spec, look, &seen, &e);
    if (code && code != ERR_NOT_FOUND) {
        fail_msg("moment %zu: %s", moment, e.text);
    }
    if (next <= told->acknowledged || next > told->submitted + 1 || seen.count != next - 1 ||
        seen.wrong[0]) {
        fail_msg("moment %zu: %llu records acknowledged, %llu sent; the stream expects %llu, "
                 "%llu are there; %s",
                 moment, (unsigned long long)told->acknowledged,
                 (unsigned long long)told->submitted, (unsigned long long)next,
                 (unsigned long long)seen.count, seen.wrong);
    }
    arena_fini(&a);
    tsdb_reader_return(r);
}

static void complain(void *arg, const char *file, const char *text)
{
    fail_msg("moment %zu: %s: %s", *(size_t *)arg, file, text);
}

/* The store goes on: everything is applied, flushed, verified, and still there. */
static void check_whole(const struct powered *p, struct tsdb_fixture *f,
                        const struct power_note *told, size_t moment)
{
    struct tsdb_verify v = {.finding = complain, .arg = &moment};
    struct err e = {0};

    tsdb_fixture_start(f);
    tsdb_flush_ok(f);
    check(p, f, told, moment);
    tsdb_fixture_stop(f);
    if (tsdb_verify(f->config.dir, &v, &e)) {
        fail_msg("moment %zu: %s", moment, e.text);
    }
}

static void try_cut(const struct powered *p, size_t moment, uint64_t *random, bool whole)
{
    struct tsdb_fixture f = {.config = p->f.config};
    struct power_note told;
    struct err e = {0};

    power_cut(moment, random, p->cut_dir, &told);
    f.config.dir = p->cut_dir;
    f.config.target_arg = &f;
    if (tsdb_open(&f.config, &f.db, &e)) {
        fail_msg("moment %zu: the store does not open: %s", moment, e.text);
    }
    check(p, &f, &told, moment);
    tsdb_stop_fast(f.db);
    tsdb_close(f.db);
    if (whole) {
        check_whole(p, &f, &told, moment);
    }
    assert_int_equal(file_remove_tree(p->cut_dir, &e), ERR_OK);
}

/* --- the test --- */

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && text[0] ? strtoull(text, NULL, 10) : otherwise;
}

static int by_value(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static size_t *choose_moments(size_t count, uint64_t *random)
{
    size_t *moments = calloc(count, sizeof(*moments));

    assert_non_null(moments);
    for (size_t i = 0; i < count; i++) {
        moments[i] = (size_t)(next_random(random) % (power_moments() + 1));
    }
    qsort(moments, count, sizeof(*moments), by_value);
    return moments;
}

static void run_store(struct powered *p)
{
    tsdb_fixture_init(&p->f);
    p->middle_ms = (p->f.now_ms - 3600000) / DAY_MS * DAY_MS;
    (void)snprintf(p->cut_dir, sizeof(p->cut_dir), "%s-cut", p->f.dir);
    power_record(p->f.dir);
    tsdb_fixture_start(&p->f);
    tsdb_sender_init(&p->sender, &p->f);
    for (uint64_t seq = 1; seq <= RECORDS; seq++) {
        send_record(p, seq);
        if (seq % FLUSH_AT == 0) {
            tsdb_flush_ok(&p->f);
        }
        if (seq % COMPACT_AT == 0) {
            struct err e = {0};
            assert_int_equal(tsdb_compact(p->f.db, clock_mono_us() + 30000000, &e), ERR_OK);
        }
    }
    tsdb_fixture_stop(&p->f);
    power_stop();
}

static void test_a_power_cut_loses_and_doubles_nothing(void **state)
{
    struct powered p = {0};
    size_t count = (size_t)setting("PGA_POWER_CUTS", 150);
    uint64_t random = setting("PGA_POWER_SEED", (uint64_t)clock_wall_ms());

    (void)state;
    print_message("PGA_POWER_SEED=%llu\n", (unsigned long long)random);
    power_trust_machine(true);
    run_store(&p);
    assert_true(power_moments() > RECORDS * 3);
    size_t *moments = choose_moments(count, &random);
    for (size_t i = 0; i < count; i++) {
        try_cut(&p, moments[i], &random, i % WHOLE_AT == 0);
    }
    print_message("%zu cuts at %zu moments\n", count, power_moments());
    free(moments);
    tsdb_fixture_fini(&p.f);
    power_trust_machine(false);
    power_forget();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_power_cut_loses_and_doubles_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
