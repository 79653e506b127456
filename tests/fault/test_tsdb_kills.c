/* SPDX-License-Identifier: PostgreSQL */
/*
 * test_tsdb_kills.c: a store whose process is killed again and again in each phase of its work
 * loses nothing that was acknowledged and has nothing twice.
 *
 * After each kill the store is verified and its readings are compared with the ledger; after every
 * second one it is started, flushed and rolled up as well, and what is derived is compared. It goes
 * on with the next kill, so damage would add up; every STORE_KILLS a new one begins.
 *
 * PGA_KILLS sets how many kills of each phase (20; `make full`: 200), PGA_KILLS_SEED which,
 * PGA_KILLS_PHASE one phase alone, PGA_KILLS_LOG a file that gets a line for each. The same seed
 * chooses the same moments; what threads do until then is the machine's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kills_check.h"
#include "os/clock.h"
#include "os/file.h"
#include "store/store.h"
#include "tsdb_clock.h"
#include "tsdb_fixture.h"

/* Not among the parts that every test links: these replace calls of the C library. */
#include "kills/child.c"  /* NOLINT(bugprone-suspicious-include) */
#include "kills/moment.c" /* NOLINT(bugprone-suspicious-include) */

#ifdef __SANITIZE_ADDRESS__
#define KILLS_USUAL 4 /* each takes several times as long */
#else
#define KILLS_USUAL 20
#endif
#define STORE_KILLS 10
#define SETTLE_US   120000000LL

struct killing {
    struct kills_shared *shared;
    struct tsdb_fixture f; /* the parent's own, between the kills */
    char copies[80];
    enum kills_phase_id phase;
    uint64_t seed, number; /* of the kill */
    uint64_t random;
    uint64_t copies_checked;
    struct kills_check now; /* of the present kill */
    struct {
        uint64_t kills, records, readings, lost, doubled, wrong, settled, copies;
    } sum;
    FILE *log;
    bool failed;
};

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && text[0] ? strtoull(text, NULL, 10) : otherwise;
}

/* --- a store --- */

/* What is copied has users and targets as well. */
static void add_meta(const struct killing *k)
{
    char url[100];
    struct store *store = NULL;
    struct err e = {0};

    (void)snprintf(url, sizeof(url), "sqlite:%s", k->f.dir);
    assert_int_equal(store_open(url, &store, &e), ERR_OK);
    store_close(store);
}

static void new_store(struct killing *k)
{
    struct err e = {0};

    assert_int_equal(file_remove_tree(k->f.dir, &e), ERR_OK);
    assert_int_equal(file_make_dirs(k->f.dir, 0700, &e), ERR_OK);
    assert_int_equal(file_remove_tree(k->copies, &e), ERR_OK);
    assert_int_equal(file_make_dirs(k->copies, 0700, &e), ERR_OK);
    kills_ledger_init(&k->shared->ledger);
    atomic_store(&k->shared->copies, 0);
    atomic_store(&k->shared->migrating, false);
    k->copies_checked = 0;
    tsdb_clock_set(atomic_load(&k->shared->ledger.wall_ms));
    if (k->phase == PHASE_MIGRATE) {
        add_meta(k);
    }
}

static int set_up(void **state)
{
    struct killing *k = calloc(1, sizeof(*k));
    const char *log = getenv("PGA_KILLS_LOG");

    assert_non_null(k);
    k->shared = mmap(NULL, sizeof(*k->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                     -1, 0);
    assert_true(k->shared != MAP_FAILED);
    k->seed = setting("PGA_KILLS_SEED", (uint64_t)clock_wall_ms());
    k->log = log && log[0] ? fopen(log, "a") : NULL;
    tsdb_fixture_init(&k->f);
    k->f.config.retention_days = k->f.config.retention_slow_days = KILLS_RETENTION_DAYS;
    k->f.config.rollup_5m_days = KILLS_ROLLUP_5M_DAYS;
    (void)snprintf(k->copies, sizeof(k->copies), "%s-copies", k->f.dir);
    tsdb_clock_take(0);
    *state = k;
    return 0;
}

static int tear_down(void **state)
{
    struct killing *k = *state;
    struct err e = {0};

    tsdb_clock_give_back();
    tsdb_fixture_fini(&k->f);
    (void)!file_remove_tree(k->copies, &e);
    if (k->log) {
        (void)fclose(k->log);
    }
    (void)munmap(k->shared, sizeof(*k->shared));
    free(k);
    return 0;
}

/* --- a kill --- */

static void kill_one(struct killing *k)
{
    struct kills_shared *shared = k->shared;
    int status = 0;

    /* of this kill alone, so that it can be repeated without those before */
    shared->moment.random = k->seed + (uint64_t)k->phase * 1000003 + k->number * 7919;
    k->random = shared->moment.random ^ UINT64_C(0x5bd1e995);
    shared->error[0] = '\0';
    (void)fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        kills_child(shared, k->phase, k->f.dir, k->copies);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL) {
        kills_say(&k->now, "the process ended with status %x: %s", (unsigned)status, shared->error);
        k->now.wrong++;
    }
}

/* --- looking at what is left --- */

static void complain(void *arg, const char *file, const char *text)
{
    struct kills_check *c = arg;

    c->wrong++;
    kills_say(c, "verify: %s: %s", file, text);
}

static void verify(const char *dir, struct kills_check *c, struct tsdb_verify *v)
{
    char path[160];
    struct err e = {0};

    *v = (struct tsdb_verify){.finding = complain, .arg = c};
    (void)snprintf(path, sizeof(path), "%s/ingest.db", dir);
    if (c->most[KILLS_LIVE] + c->most[KILLS_BESIDE] == 0 && access(path, F_OK) != 0) {
        return; /* there is no store yet */
    }
    if (tsdb_verify(dir, v, &e)) {
        c->wrong++;
        kills_say(c, "verify: %s", e.text);
    }
}

/* Without its threads: what is there without any further work. */
static void check_at_rest(struct tsdb_fixture *f, struct kills_check *c)
{
    struct err e = {0};

    if (tsdb_open(&f->config, &f->db, &e)) {
        c->wrong++;
        kills_say(c, "the store does not open: %s", e.text);
        return;
    }
    kills_check_readings(f, c);
    tsdb_stop_fast(f->db);
    tsdb_close(f->db);
    f->db = NULL;
}

/* Wait until all is rolled up that is over. */
static void wait_settled(struct tsdb_fixture *f, struct kills_check *c)
{
    int64_t end_us = clock_mono_us() + SETTLE_US;
    int64_t now_ms = atomic_load(&c->ledger->wall_ms);
    struct tsdb_stats now;

    c->rolled_ms = (now_ms - 180000) / KILLS_HOUR * KILLS_HOUR;
    do {
        tsdb_stats(f->db, &now);
        if ((now.rolled_up_ms >= c->rolled_ms || c->next[KILLS_LIVE] <= 1) &&
            now.rollup_files == 0) {
            return;
        }
        clock_sleep_ms(1);
    } while (clock_mono_us() < end_us);
    c->wrong++;
    kills_say(c, "roll-ups stay at %" PRId64, now.rolled_up_ms);
}

/* The store goes on: all is applied, flushed and rolled up, and each reading is stored once. */
static void check_settled(struct tsdb_fixture *f, struct kills_check *c)
{
    struct tsdb_verify v;

    tsdb_fixture_start(f);
    tsdb_flush_ok(f);
    wait_settled(f, c);
    kills_check_readings(f, c);
    kills_check_derived(f, c);
    tsdb_fixture_stop(f);
    kills_check_files(f->config.dir, c, false);
    verify(f->config.dir, c, &v);
    if (v.slices != c->found) {
        c->doubled += v.slices > c->found;
        c->lost += v.slices < c->found;
        kills_say(c, "%" PRIu64 " readings are stored, %" PRIu64 " found", v.slices, c->found);
    }
}

static struct kills_check begin_check(const struct killing *k)
{
    struct kills_check c = {.ledger = &k->shared->ledger,
                            .retention_days = KILLS_RETENTION_DAYS,
                            .rollup_5m_days = KILLS_ROLLUP_5M_DAYS};

    for (int s = 0; s < KILLS_STREAMS; s++) {
        c.least[s] = atomic_load(&k->shared->ledger.streams[s].answered);
        c.most[s] = atomic_load(&k->shared->ledger.streams[s].sent);
    }
    return c;
}

/* The newest copy that was completed is a store of its own; what was begun after it goes. */
static void check_copy(struct killing *k)
{
    uint64_t number = atomic_load(&k->shared->copies);
    struct tsdb_fixture f = {.config = k->f.config};
    struct kills_check c = begin_check(k);
    char dir[120];
    struct err e = {0};

    if (number > k->copies_checked) {
        (void)snprintf(dir, sizeof(dir), "%s/%" PRIu64, k->copies, number);
        memcpy(c.least, k->shared->copy_least, sizeof(c.least));
        memcpy(c.most, k->shared->copy_most, sizeof(c.most));
        f.config.dir = dir;
        f.config.target_arg = &f;
        if (k->phase == PHASE_COPY) {
            assert_int_equal(tsdb_restored(dir, 0, &e), ERR_OK);
        }
        check_at_rest(&f, &c);
        check_settled(&f, &c);
        k->now.lost += c.lost;
        k->now.doubled += c.doubled;
        k->now.wrong += c.wrong;
        if (c.text[0]) {
            kills_say(&k->now, "copy %" PRIu64 ": %s", number, c.text);
        }
        k->sum.copies++;
        k->copies_checked = number;
    }
    if (!atomic_load(&k->shared->migrating)) {
        assert_int_equal(file_remove_tree(k->copies, &e), ERR_OK);
        assert_int_equal(file_make_dirs(k->copies, 0700, &e), ERR_OK);
    }
}

static void note(struct killing *k, bool settled)
{
    const struct kills_check *c = &k->now;
    const struct moment *m = &k->shared->moment;
    uint64_t records = 0, answered = 0;

    for (int s = 0; s < KILLS_STREAMS; s++) {
        records += c->next[s] - 1;
        answered += c->least[s];
    }
    k->sum.kills++;
    k->sum.records += answered;
    k->sum.readings += c->found;
    k->sum.lost += c->lost;
    k->sum.doubled += c->doubled;
    k->sum.wrong += c->wrong;
    k->sum.settled += settled;
    if (k->log) {
        (void)fprintf(k->log,
                      "%s %" PRIu64 " seed %" PRIu64 ": %s%s%s, after %s%s; records: %" PRIu64
                      " acknowledged, %" PRIu64 " there; %" PRIu64 " readings; lost %" PRIu64
                      " doubled %" PRIu64 " wrong %" PRIu64 "; verified%s%s%s\n",
                      kills_phase(k->phase)->name, k->number, k->seed, m->text,
                      m->file[0] ? ", " : "", m->file, atomic_load(&m->point),
                      atomic_load(&m->inside) ? "" : " (outside)", answered, records, c->found,
                      c->lost, c->doubled, c->wrong, settled ? ", settled" : "",
                      c->text[0] ? ": " : "", c->text);
        (void)fflush(k->log);
    }
    if (c->lost || c->doubled || c->wrong) {
        k->failed = true;
        print_error("%s, kill %" PRIu64 ", %s%s%s, after %s: lost %" PRIu64 ", doubled %" PRIu64
                    ", wrong %" PRIu64 ": %s\n",
                    kills_phase(k->phase)->name, k->number, m->text, m->file[0] ? ", " : "",
                    m->file, atomic_load(&m->point), c->lost, c->doubled, c->wrong, c->text);
    }
}

static void check(struct killing *k, bool settle)
{
    struct tsdb_verify v;

    verify(k->f.dir, &k->now, &v);
    tsdb_clock_set(atomic_load(&k->shared->ledger.wall_ms));
    check_at_rest(&k->f, &k->now);
    if (k->phase >= PHASE_COPY) {
        check_copy(k);
    }
    settle = settle && !atomic_load(&k->shared->migrating); /* meanwhile the source rests */
    if (settle && k->now.wrong + k->now.lost + k->now.doubled == 0) {
        check_settled(&k->f, &k->now);
    }
    note(k, settle);
}

static void kill_many(struct killing *k, enum kills_phase_id phase)
{
    uint64_t count = setting("PGA_KILLS", KILLS_USUAL);

    k->phase = phase;
    print_message("%s: PGA_KILLS_SEED=%" PRIu64 "\n", kills_phase(phase)->name, k->seed);
    for (k->number = 1; k->number <= count && !k->failed; k->number++) {
        if (k->number % STORE_KILLS == 1) {
            new_store(k);
        }
        k->now = (struct kills_check){0};
        kill_one(k);
        struct kills_check died = k->now;
        k->now = begin_check(k);
        k->now.wrong = died.wrong;
        memcpy(k->now.text, died.text, sizeof(died.text));
        check(k, k->number % 2 == 0 || k->number == count);
    }
    print_message("%s: %" PRIu64 " kills, %" PRIu64 " settled, %" PRIu64
                  " copies restored; lost %" PRIu64 ", doubled %" PRIu64 ", wrong %" PRIu64 "\n",
                  kills_phase(phase)->name, k->sum.kills, k->sum.settled, k->sum.copies,
                  k->sum.lost, k->sum.doubled, k->sum.wrong);
    assert_false(k->failed);
}

#define KILLS_OF(name, phase)                   \
    static void test_kills_##name(void **state) \
    {                                           \
        kill_many(*state, phase);               \
    }

KILLS_OF(during_start, PHASE_START)
KILLS_OF(during_ingest, PHASE_INGEST)
KILLS_OF(during_flush, PHASE_FLUSH)
KILLS_OF(during_compaction, PHASE_COMPACT)
KILLS_OF(during_rollup, PHASE_ROLLUP)
KILLS_OF(during_retention, PHASE_RETAIN)
KILLS_OF(during_retirement, PHASE_RETIRE)
KILLS_OF(during_copy, PHASE_COPY)
KILLS_OF(during_migration, PHASE_MIGRATE)

#define TEST(name) cmocka_unit_test_setup_teardown(test_kills_##name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(during_start),      TEST(during_ingest), TEST(during_flush),
        TEST(during_compaction), TEST(during_rollup), TEST(during_retention),
        TEST(during_retirement), TEST(during_copy),   TEST(during_migration),
    };
    const char *phase = getenv("PGA_KILLS_PHASE");

    if (phase && phase[0]) {
        cmocka_set_test_filter(phase);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
