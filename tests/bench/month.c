/* SPDX-License-Identifier: PostgreSQL */
/*
 * month.c: a store through months of a clock of its own: what each day leaves on the disk and in
 * memory, whether that grows, and whether roll-ups say what readings say.
 *
 * Usage: month-bench DIR [DAYS [TARGETS [ROWS]]]; the last day ends today. One line a day, then
 * verdicts; exit code 1 when something grows or differs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "month_store.h"
#include "os/clock.h"

#define DAYS_MAX 400
#define WINDOW   31    /* days; roll-ups go by whole months, so sizes rise and fall with these */
#define GROWTH   1.10  /* of a window's highest to that of the one before */
#define QUERY_MS 200.0 /* of a read of 30 days from roll-ups */

static struct month month;
static struct month_figures days[DAYS_MAX];

static long number(int argc, char **argv, int at, long fallback)
{
    long n = argc > at ? strtol(argv[at], NULL, 10) : fallback;

    return n > 0 ? n : fallback;
}

static void print_day(const struct month_figures *f)
{
    printf("month day=%d samples=%llu disk=%llu", f->day, (unsigned long long)f->samples,
           (unsigned long long)f->disk_bytes);
    for (int p = 0; p < TSDB_PARTS; p++) {
        printf(" %s=%llu", tsdb_part_name((enum tsdb_part)p), (unsigned long long)f->part_bytes[p]);
    }
    printf(" rss=%llu objects=%llu files_gone=%llu events_gone=%llu texts_gone=%llu "
           "compactions=%llu\n",
           (unsigned long long)f->rss_bytes, (unsigned long long)f->objects,
           (unsigned long long)f->files_gone, (unsigned long long)f->events_gone,
           (unsigned long long)f->texts_gone, (unsigned long long)f->compactions);
    (void)fflush(stdout);
}

/* --- what grows --- */

typedef uint64_t of_day(const struct month_figures *f, int which);

static uint64_t part_of(const struct month_figures *f, int which)
{
    return f->part_bytes[which];
}

static uint64_t disk_of(const struct month_figures *f, int which)
{
    (void)which;
    return f->disk_bytes;
}

static uint64_t rss_of(const struct month_figures *f, int which)
{
    (void)which;
    return f->rss_bytes;
}

static uint64_t objects_of(const struct month_figures *f, int which)
{
    (void)which;
    return f->objects;
}

static uint64_t highest(int from, int end, of_day *of, int which)
{
    uint64_t most = 0;

    for (int i = from; i < end; i++) {
        uint64_t n = of(&days[i], which);
        most = n > most ? n : most;
    }
    return most;
}

/* The last window beside the one before; 1 when it grew. */
static int is_growing(const char *name, int count, of_day *of, int which)
{
    double before = (double)highest(count - 2 * WINDOW, count - WINDOW, of, which);
    double now = (double)highest(count - WINDOW, count, of, which);
    int grows = now > before * GROWTH + (of == objects_of ? 0 : 65536);

    printf("bench name=month_%s value=%.0f unit=%s peer=%.0f peer_name=the_%d_days_before "
           "ratio=%.3f goal=<=%.2f %s\n",
           name, now, of == objects_of ? "rows" : "bytes", before, WINDOW,
           before > 0 ? now / before : 0, GROWTH, grows ? "GROWS" : "flat");
    return grows;
}

static int judge_growth(int count)
{
    int growing = 0;

    if (count < 2 * WINDOW) {
        printf("# %d days: too few to say what grows, %d are needed\n", count, 2 * WINDOW);
        return 0;
    }
    growing += is_growing("disk", count, disk_of, 0);
    for (int p = 0; p < TSDB_PARTS; p++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "disk_%s", tsdb_part_name((enum tsdb_part)p));
        growing += is_growing(name, count, part_of, p);
    }
    growing += is_growing("rss", count, rss_of, 0);
    return growing + is_growing("objects", count, objects_of, 0);
}

/* --- what roll-ups say --- */

static int judge_roll_ups(struct err *e)
{
    struct month_comparison c;

    if (month_compare(&month, 30, &c, e)) {
        fprintf(stderr, "month: %s\n", e->text);
        return 1;
    }
    printf("bench name=month_rollup_differs value=%llu unit=points peer=%llu "
           "peer_name=points_that_readings_have goal=0\n",
           (unsigned long long)c.differing, (unsigned long long)c.points);
    printf("# %llu points more are of days whose readings are gone\n",
           (unsigned long long)c.tier_only);
    printf("bench name=month_read_30_days value=%.1f unit=ms goal=<=%.0f\n", c.wall_ms, QUERY_MS);
    printf("bench name=month_read_30_days_cpu value=%.1f unit=ms\n", c.cpu_ms);
    if (c.differing) {
        printf("# first difference: %s\n", c.first);
    }
    return c.differing > 0 || c.points == 0;
}

int main(int argc, char **argv)
{
    int count = (int)number(argc, argv, 2, 93);
    int64_t today = clock_wall_ms() / MONTH_DAY_MS * MONTH_DAY_MS;
    struct err e = {0};
    int bad = 0;

    count = count > DAYS_MAX ? DAYS_MAX : count;
    log_setup(&(struct log_config){.level = LOG_LEVEL_WARN, .fd = 2});
    month.shape = (struct month_shape){.targets = (size_t)number(argc, argv, 3, 4),
                                       .rows = (size_t)number(argc, argv, 4, 50),
                                       .days = count,
                                       .late_every = 5,
                                       .push_ms = 30 * 60000,
                                       .flush_ms = 2 * 3600000,
                                       .events = 200,
                                       .texts = 100,
                                       .churn = 3};
    month.config = (struct tsdb_config){.dir = argc > 1 ? argv[1] : "",
                                        .retention_days = 7,
                                        .retention_slow_days = 7,
                                        .rollup_5m_days = 14,
                                        .rollup_1h_days = 31,
                                        .event_days = 30,
                                        .text_days = 20};
    if (argc < 2 || month.shape.targets > MONTH_TARGETS ||
        month_open(&month, today - count * MONTH_DAY_MS, &e)) {
        fprintf(stderr, "month: %s\n", argc < 2 ? "give a folder" : e.text);
        return 2;
    }
    for (int i = 0; i < count && !bad; i++) {
        bad = month_live_a_day(&month, &days[i], &e) != ERR_OK;
        print_day(&days[i]);
    }
    if (bad) {
        fprintf(stderr, "month: %s\n", e.text);
    } else {
        bad = judge_growth(count) + judge_roll_ups(&e);
    }
    month_close(&month);
    return bad != 0;
}
