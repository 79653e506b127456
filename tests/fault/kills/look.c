/* SPDX-License-Identifier: PostgreSQL */
/*
 * look.c: looks at a store in SQLite that a dead process left.
 */
#include "look.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "os/clock.h"

#define SETTLE_US 120000000LL

static void complain(void *arg, const char *file, const char *text)
{
    struct kills_check *c = arg;

    c->wrong++;
    kills_say(c, "verify: %s: %s", file, text);
}

void kills_look_verify(const char *dir, struct kills_check *c, struct tsdb_verify *v)
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

void kills_look_at_rest(struct tsdb_fixture *f, struct kills_check *c)
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

void kills_look_settled(struct tsdb_fixture *f, struct kills_check *c)
{
    struct tsdb_verify v;

    tsdb_fixture_start(f);
    tsdb_flush_ok(f);
    wait_settled(f, c);
    kills_check_readings(f, c);
    kills_check_derived(f, c);
    tsdb_fixture_stop(f);
    kills_check_files(f->config.dir, c, false);
    kills_look_verify(f->config.dir, c, &v);
    if (v.slices != c->found) {
        c->doubled += v.slices > c->found;
        c->lost += v.slices < c->found;
        kills_say(c, "%" PRIu64 " readings are stored, %" PRIu64 " found", v.slices, c->found);
    }
}
