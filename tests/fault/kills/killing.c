/* SPDX-License-Identifier: PostgreSQL */
/*
 * killing.c: kills process after process of a store and looks each time at what is left.
 */
#include "killing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/clock.h"
#include "os/file.h"
#include "store/store.h"
#include "tsdb_clock.h"

#ifdef __SANITIZE_ADDRESS__
#define KILLS_USUAL 4 /* each takes several times as long */
#else
#define KILLS_USUAL 20
#endif

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text && text[0] ? strtoull(text, NULL, 10) : otherwise;
}

struct killing *killing_new(void)
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
    return k;
}

void killing_free(struct killing *k)
{
    struct err e = {0};

    tsdb_clock_give_back();
    tsdb_fixture_fini(&k->f);
    (void)!file_remove_tree(k->copies, &e);
    if (k->log) {
        (void)fclose(k->log);
    }
    (void)munmap(k->shared, sizeof(*k->shared));
    free(k);
}

/* --- a store --- */

void killing_add_meta(const struct killing *k)
{
    char url[100];
    struct store *store = NULL;
    struct err e = {0};

    (void)snprintf(url, sizeof(url), "sqlite:%s", k->f.dir);
    assert_int_equal(store_open(url, &store, &e), ERR_OK);
    store_close(store);
}

void killing_new_ledger(struct killing *k)
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

struct kills_check killing_begin_check(const struct killing *k)
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

void killing_check_copy(struct killing *k)
{
    uint64_t number = atomic_load(&k->shared->copies);
    struct kills_check c = killing_begin_check(k);
    struct err e = {0};

    if (number > k->copies_checked) {
        memcpy(c.least, k->shared->copy_least, sizeof(c.least));
        memcpy(c.most, k->shared->copy_most, sizeof(c.most));
        k->look_at_copy(k, number, &c);
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

void killing_note(struct killing *k, bool settled)
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

void killing_many(struct killing *k, enum kills_phase_id phase)
{
    uint64_t count = setting("PGA_KILLS", KILLS_USUAL);

    k->phase = phase;
    print_message("%s: PGA_KILLS_SEED=%" PRIu64 "\n", kills_phase(phase)->name, k->seed);
    for (k->number = 1; k->number <= count && !k->failed; k->number++) {
        if (k->number % KILLS_STORE == 1) {
            k->new_store(k);
        }
        k->now = (struct kills_check){0};
        kill_one(k);
        struct kills_check died = k->now;
        k->now = killing_begin_check(k);
        k->now.wrong = died.wrong;
        memcpy(k->now.text, died.text, sizeof(died.text));
        k->check(k, k->number % 2 == 0 || k->number == count);
    }
    print_message("%s: %" PRIu64 " kills, %" PRIu64 " settled, %" PRIu64
                  " copies restored; lost %" PRIu64 ", doubled %" PRIu64 ", wrong %" PRIu64 "\n",
                  kills_phase(phase)->name, k->sum.kills, k->sum.settled, k->sum.copies,
                  k->sum.lost, k->sum.doubled, k->sum.wrong);
    assert_false(k->failed);
}

void killing_choose(void)
{
    const char *phase = getenv("PGA_KILLS_PHASE");

    if (phase && phase[0]) {
        cmocka_set_test_filter(phase);
    }
}
