/* SPDX-License-Identifier: PostgreSQL */
/*
 * month_store.c: a store that lives through days and months of a clock of its own.
 */
#include "month_store.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "store/tsdb/read/aggregate.h"
#include "store/tsdb/engine.h"
#include "tsdb_clock.h"

#define MINUTE     60000LL
#define HOUR       3600000LL
#define RECORD_MS  10000LL
#define FAST_ROWS  10
#define LATE_MS    (30 * HOUR)
#define WAIT_US    120000000LL
#define QUIET      5 /* looks without a change: the store has come to rest */
#define RECORD_MAX (8UL * 1024 * 1024)

static const char slow[] =
    "{\"name\":\"month_slow\",\"help\":\"h\",\"shape\":\"object\",\"sparse\":false,\"keys\":[{"
    "\"name\":\"k\",\"help\":\"\"}],\"columns\":["
    "{\"name\":\"n\",\"kind\":\"counter\",\"type\":\"i64\",\"unit\":\"1\",\"help\":\"\"},"
    "{\"name\":\"rare\",\"kind\":\"counter\",\"type\":\"i64\",\"unit\":\"1\",\"help\":\"\"},"
    "{\"name\":\"g\",\"kind\":\"gauge\",\"type\":\"i64\",\"unit\":\"1\",\"help\":\"\"},"
    "{\"name\":\"f\",\"kind\":\"gauge\",\"type\":\"f64\",\"unit\":\"s\",\"help\":\"\"},"
    "{\"name\":\"d\",\"kind\":\"delta\",\"type\":\"i64\",\"unit\":\"1\",\"help\":\"\"}]}";
static const char fast[] =
    "{\"name\":\"month_fast\",\"help\":\"h\",\"shape\":\"object\",\"sparse\":false,\"keys\":[{"
    "\"name\":\"k\",\"help\":\"\"}],\"columns\":["
    "{\"name\":\"n\",\"kind\":\"counter\",\"type\":\"i64\",\"unit\":\"1\",\"help\":\"\"},"
    "{\"name\":\"g\",\"kind\":\"gauge\",\"type\":\"i64\",\"unit\":\"1\",\"help\":\"\"}]}";

/* --- the store --- */

static void run_writer(void *db)
{
    tsdb_run_writer(db);
}

static void run_flusher(void *db)
{
    tsdb_run_flusher(db);
}

static void run_applier(void *db)
{
    tsdb_run_applier(db);
}

enum err_code month_open(struct month *m, int64_t start_ms, struct err *e)
{
    static void (*const bodies[3])(void *) = {run_writer, run_flusher, run_applier};

    m->start_ms = m->now_ms = start_ms;
    m->seq = m->late_seq = 1;
    m->random = 42;
    tsdb_clock_take(start_ms);
    entropy_uuid(&m->collector);
    entropy_uuid(&m->stream);
    entropy_uuid(&m->late_stream);
    for (size_t i = 0; i < m->shape.targets; i++) {
        entropy_uuid(&m->targets[i]);
    }
    buf_init(&m->record, RECORD_MAX);
    buf_init(&m->push, LIMIT_PUSH_INFLATED_BYTES);
    enum err_code code = tsdb_open(&m->config, &m->db, e);
    for (int i = 0; code == ERR_OK && i < 3; i++) {
        code = thread_start(&m->threads[i], "month", bodies[i], m->db, e);
    }
    return code;
}

void month_close(struct month *m)
{
    if (m->db) {
        tsdb_stop(m->db);
        for (int i = 0; i < 3; i++) {
            thread_join(&m->threads[i]);
        }
        tsdb_close(m->db);
    }
    buf_fini(&m->push);
    buf_fini(&m->record);
    tsdb_clock_give_back();
}

/* --- what agents send --- */

static uint64_t draw(struct month *m, uint64_t below)
{
    m->random = m->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (m->random >> 33) % below;
}

/* Row r of today: some of the keys are others than yesterday. */
static size_t key_of(const struct month *m, size_t r)
{
    size_t rows = m->shape.rows;
    size_t churned = (size_t)m->day * m->shape.churn;

    return r + (churned + rows - 1 - r) / rows * rows;
}

static void put_slice_head(struct month *m, const char *relation, size_t target, int64_t t,
                           int every)
{
    char id[TEXT_UUID_SIZE];

    text_uuid(&m->targets[target], id);
    buf_printf(&m->record,
               "{\"relation\":\"%s\",\"target\":\"%s\",\"scope\":\"\",\"t\":%lld,\"every_ms\":%d,"
               "\"flags\":[\"complete\"],",
               relation, id, (long long)t, every);
}

static void put_column(struct month *m, const char *name, size_t rows,
                       void (*put)(struct month *m, size_t r))
{
    buf_printf(&m->record, "%s\":[", name);
    for (size_t r = 0; r < rows; r++) {
        if (r) {
            buf_add_char(&m->record, ',');
        }
        put(m, r);
    }
    buf_add_char(&m->record, ']');
}

static int64_t *present; /* counters of the target at hand */

static void put_n(struct month *m, size_t r)
{
    bool restarts = draw(m, 20000) == 0;

    present[r % 64] = restarts ? (int64_t)draw(m, 20) : present[r % 64] + (int64_t)draw(m, 900);
    buf_printf(&m->record, "%lld", (long long)present[r % 64]);
}

static void put_rare(struct month *m, size_t r)
{
    buf_printf(&m->record, "%lld", (long long)(m->now_ms / (7 * MINUTE) + (int64_t)r));
}

static void put_g(struct month *m, size_t r)
{
    buf_printf(&m->record, "%llu", (unsigned long long)(draw(m, 7) + r));
}

static void put_f(struct month *m, size_t r)
{
    (void)r;
    buf_printf(&m->record, "%llu.%03llu", (unsigned long long)draw(m, 30),
               (unsigned long long)draw(m, 1000));
}

static void put_d(struct month *m, size_t r)
{
    (void)r;
    buf_printf(&m->record, "%llu", (unsigned long long)draw(m, 4));
}

static void put_slow(struct month *m, const char *relation, size_t target, int64_t t)
{
    size_t rows = m->shape.rows;

    present = m->counters[target];
    put_slice_head(m, relation, target, t, 60000);
    buf_printf(&m->record, "\"rows\":%zu,\"keys\":{\"k\":[", rows);
    for (size_t r = 0; r < rows; r++) {
        buf_printf(&m->record, "%s\"key-%zu\"", r ? "," : "", key_of(m, r));
    }
    buf_add_c(&m->record, "]},\"columns\":{");
    put_column(m, "\"n", rows, put_n);
    put_column(m, ",\"rare", rows, put_rare);
    put_column(m, ",\"g", rows, put_g);
    put_column(m, ",\"f", rows, put_f);
    put_column(m, ",\"d", rows, put_d);
    buf_add_c(&m->record, "}}");
}

static void put_fast(struct month *m, int64_t t)
{
    static int64_t counters[64];

    present = counters;
    put_slice_head(m, "month_fast", 0, t, (int)RECORD_MS);
    buf_printf(&m->record, "\"rows\":%d,\"keys\":{\"k\":[", FAST_ROWS);
    for (int r = 0; r < FAST_ROWS; r++) {
        buf_printf(&m->record, "%s\"%d\"", r ? "," : "", r);
    }
    buf_add_c(&m->record, "]},\"columns\":{");
    put_column(m, "\"n", FAST_ROWS, put_n);
    put_column(m, ",\"g", FAST_ROWS, put_g);
    buf_add_c(&m->record, "}}");
}

/* Texts of statements: for today's new keys, and for ids that no reading ever has. */
static void put_texts(struct month *m)
{
    char id[TEXT_UUID_SIZE];

    text_uuid(&m->targets[0], id);
    buf_add_c(&m->record, ",\"texts\":[");
    for (size_t i = 0; i < m->shape.texts; i++) {
        bool named = i < m->shape.churn;
        buf_printf(
            &m->record,
            "%s{\"target\":\"%s\",\"kind\":\"query\",\"key\":\"%s%zu\",\"text\":\"SELECT %d, "
            "%zu, %llx, %llx, %llx, %llx\"}",
            i ? "," : "", id, named ? "key-" : "other-",
            named ? key_of(m, i) : (size_t)m->day * m->shape.texts + i, m->day, i,
            (unsigned long long)draw(m, UINT32_MAX), (unsigned long long)draw(m, UINT32_MAX),
            (unsigned long long)draw(m, UINT32_MAX), (unsigned long long)draw(m, UINT32_MAX));
    }
    buf_add_char(&m->record, ']');
}

static void put_events(struct month *m)
{
    char id[TEXT_UUID_SIZE];

    text_uuid(&m->targets[0], id);
    buf_add_c(&m->record, ",\"events\":[");
    for (size_t i = 0; i < m->shape.events; i++) {
        buf_printf(&m->record,
                   "%s{\"t\":%lld,\"target\":\"%s\",\"kind\":\"log\",\"severity\":\"info\","
                   "\"title\":\"line %llx\",\"body\":{\"statement\":\"word%llx word%llx\","
                   "\"took_ms\":%llu}}",
                   i ? "," : "", (long long)m->now_ms, id, (unsigned long long)draw(m, UINT32_MAX),
                   (unsigned long long)draw(m, 5000), (unsigned long long)draw(m, 5000),
                   (unsigned long long)draw(m, 100000));
    }
    buf_add_char(&m->record, ']');
}

/* The record of 10 s; the first one of a day also says what is there once a day. */
static void put_record(struct month *m, int64_t t)
{
    bool first = t % MONTH_DAY_MS == RECORD_MS;

    m->now_ms = t;
    buf_reset(&m->record);
    buf_printf(&m->record, "{\"made_ms\":%lld,", (long long)t);
    if (first) {
        buf_printf(&m->record, "\"relations\":[%s,%s],", slow, fast);
    }
    buf_add_c(&m->record, "\"slices\":[");
    put_fast(m, t);
    for (size_t i = 0; t % MINUTE == 0 && i < m->shape.targets; i++) {
        buf_add_char(&m->record, ',');
        put_slow(m, "month_slow", i, t);
    }
    buf_add_char(&m->record, ']');
    if (first) {
        put_events(m);
        put_texts(m);
    }
    buf_add_char(&m->record, '}');
}

/* --- pushes --- */

/* A hash that no other record has. */
static void add_record(struct month *m, size_t count)
{
    char hash[65];

    (void)snprintf(hash, sizeof(hash), "%016llx%016llx%016llx%016llx",
                   (unsigned long long)draw(m, UINT32_MAX), (unsigned long long)m->now_ms,
                   (unsigned long long)draw(m, UINT32_MAX), (unsigned long long)m->random);
    buf_printf(&m->push, "%s{\"hash\":\"%s\",\"record\":", count ? "," : "", hash);
    buf_add(&m->push, m->record.ptr, m->record.len);
    buf_add_char(&m->push, '}');
}

static enum err_code store(struct month *m, struct tsdb_ack *ack, struct err *e)
{
    const struct json_limits limits = {LIMIT_PUSH_INFLATED_BYTES, LIMIT_JSON_DEPTH, false};
    struct json_doc *doc = NULL;
    struct arena a;
    struct push push;

    arena_init(&a, "push", LIMIT_REQUEST_ARENA_BYTES);
    enum err_code code = buf_check(&m->push, e);
    code = code ? code : json_parse(buf_view(&m->push), &limits, &doc, e);
    code = code ? code : push_read(&a, json_root(doc), &push, e);
    code = code ? code : tsdb_push(m->db, &a, &push, ack, e);
    arena_fini(&a);
    json_doc_free(doc);
    if (code == ERR_OK) {
        m->samples += ack->samples;
    }
    return code;
}

static void begin_push(struct month *m, const struct uuid *stream, uint64_t seq, uint64_t count)
{
    char collector[TEXT_UUID_SIZE];
    char id[TEXT_UUID_SIZE];

    text_uuid(&m->collector, collector);
    text_uuid(stream, id);
    buf_reset(&m->push);
    buf_printf(&m->push,
               "{\"collector_id\":\"%s\",\"stream\":\"%s\",\"seq\":%llu,\"count\":%llu,"
               "\"records\":[",
               collector, id, (unsigned long long)seq, (unsigned long long)count);
}

static enum err_code push_until(struct month *m, int64_t until_ms, struct err *e)
{
    struct tsdb_ack ack = {0};
    size_t count = (size_t)((until_ms - m->now_ms) / RECORD_MS);
    int64_t t = m->now_ms;

    tsdb_clock_set(until_ms);
    begin_push(m, &m->stream, m->seq, count);
    for (size_t i = 0; i < count; i++) {
        t += RECORD_MS;
        put_record(m, t);
        add_record(m, i);
    }
    buf_add_c(&m->push, "]}");
    enum err_code code = store(m, &ack, e);
    m->seq = code == ERR_OK ? ack.next_seq : m->seq;
    if (code == ERR_OK && ack.rejected) {
        code = err_set(e, ERR_BUG, "%llu values were refused", (unsigned long long)ack.rejected);
    }
    return code;
}

/* Readings of more than a day ago, of a stream of their own. */
static enum err_code push_late(struct month *m, struct err *e)
{
    struct tsdb_ack ack = {0};

    begin_push(m, &m->late_stream, m->late_seq, 1);
    buf_reset(&m->record);
    buf_add_c(&m->record, "{\"made_ms\":1,\"slices\":[");
    for (int i = 0; i < 30; i++) {
        buf_add_c(&m->record, i ? "," : "");
        put_slow(m, "month_late", 0, m->now_ms - LATE_MS + i * MINUTE);
    }
    buf_add_c(&m->record, "]}");
    add_record(m, 0);
    buf_add_c(&m->push, "]}");
    enum err_code code = store(m, &ack, e);
    m->late_seq = code == ERR_OK ? ack.next_seq : m->late_seq;
    return code;
}

/* --- a day --- */

static uint64_t rss_bytes(void)
{
    char text[128] = "";
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f && fgets(text, sizeof(text), f)) {
        (void)sscanf(text, "%*s %lu", &pages);
    }
    if (f) {
        (void)fclose(f);
    }
    return (uint64_t)pages * 4096;
}

/* Whether a day that is over waits for its compaction. */
static bool is_compacting(struct month *m)
{
    struct tsdb *db = m->db;
    int64_t now_ms = clock_wall_ms();
    bool any = false;

    lock_take(&db->state);
    for (size_t i = 0; i < db->day_count; i++) {
        const struct day_file *f = &db->days[i];
        any |= f->compacted == 0 && now_ms >= (f->day + 1) * MONTH_DAY_MS + db->config.close_ms;
    }
    lock_release(&db->state);
    return any;
}

/* Wait until roll-ups are complete, and nothing has changed for a while. */
static enum err_code come_to_rest(struct month *m, struct tsdb_stats *s, struct err *e)
{
    int64_t until_us = clock_mono_us() + WAIT_US;
    uint64_t before = 0;
    int quiet = 0;

    while (quiet < QUIET) {
        tsdb_stats(m->db, s);
        uint64_t now = s->compactions + s->removed[TSDB_REMOVED_AGE] + s->expired_events +
                       s->expired_texts + s->flushes + s->flushed_lsn;
        bool rests = now == before && s->rollup_files == 0 && s->dropped_groups == 0 &&
                     !is_compacting(m);
        quiet = rests ? quiet + 1 : 0;
        before = now;
        if (clock_mono_us() > until_us) {
            return err_set(e, ERR_TIMEOUT, "day %d: the store does not come to rest", m->day);
        }
        clock_sleep_ms(4);
    }
    return ERR_OK;
}

static enum err_code measure(struct month *m, struct month_figures *out, struct err *e)
{
    struct tsdb_stats s;
    enum err_code code = come_to_rest(m, &s, e);

    tsdb_measure_disk(m->db);
    tsdb_stats(m->db, &s);
    *out = (struct month_figures){.day = m->day,
                                  .samples = m->samples,
                                  .disk_bytes = s.disk_bytes,
                                  .rss_bytes = rss_bytes(),
                                  .objects = s.objects,
                                  .events_gone = s.expired_events,
                                  .texts_gone = s.expired_texts,
                                  .files_gone = s.removed[TSDB_REMOVED_AGE],
                                  .compactions = s.compactions};
    memcpy(out->part_bytes, s.part_bytes, sizeof(out->part_bytes));
    return code;
}

static enum err_code drop_last_target(struct month *m, struct err *e)
{
    const struct uuid gone = m->targets[m->shape.targets - 1];

    return tsdb_target_drop(m->db, &gone, STR("{}"), clock_mono_us() + WAIT_US, e);
}

enum err_code month_live_a_day(struct month *m, struct month_figures *out, struct err *e)
{
    int64_t end_ms = m->start_ms + (m->day + 1) * MONTH_DAY_MS;
    enum err_code code = ERR_OK;

    while (code == ERR_OK && m->now_ms < end_ms) {
        code = push_until(m, m->now_ms + m->shape.push_ms, e);
        if (code == ERR_OK && m->now_ms % m->shape.flush_ms == 0) {
            code = tsdb_flush(m->db, clock_mono_us() + WAIT_US, e);
        }
    }
    if (code == ERR_OK && m->day > 2 && m->day % m->shape.late_every == 0) {
        code = push_late(m, e);
    }
    if (code == ERR_OK && m->day == m->shape.days / 2) {
        code = drop_last_target(m, e);
    }
    tsdb_clock_set(m->now_ms + 4 * MINUTE); /* the hour before is over */
    if (code == ERR_OK) {
        code = tsdb_flush(m->db, clock_mono_us() + WAIT_US, e);
    }
    if (code == ERR_OK) {
        code = measure(m, out, e);
    }
    m->day++;
    return code;
}

/* --- roll-ups and readings --- */

struct question {
    const char *relation, *column;
    enum aggregate_op op;
};

/* One of them to one target. */
struct asked {
    const struct question *q;
    size_t target;
    int days;
};

/* A read by hours of the last days, with its cost. */
static enum err_code ask(struct month *m, struct aggregate_spec *spec, struct arena *a,
                         struct aggregate_result **out, struct err *e)
{
    struct tsdb_reader *r = NULL;
    enum err_code code = tsdb_reader_borrow(m->db, clock_mono_us() + WAIT_US, &r, e);

    if (code == ERR_OK) {
        code = aggregate_run(r, a, spec, out, e);
    }
    tsdb_reader_return(r);
    return code;
}

static const struct aggregate_series *like(const struct aggregate_result *in,
                                           const struct aggregate_series *s)
{
    for (size_t i = 0; i < in->series_count; i++) {
        if (str_eq(in->series[i].label_values[0], s->label_values[0])) {
            return &in->series[i];
        }
    }
    return NULL;
}

/* Two series of one object. */
struct pair {
    const struct question *q;
    size_t target;
    const struct aggregate_series *tier, *readings; /* readings: NULL = there are none any more */
    const double *tier_covers, *readings_cover;
    size_t points;
    int64_t from_ms;
};

/* The hour before the oldest day that is left: only its reading at midnight is there. */
static bool is_cut(const struct pair *p, size_t at)
{
    return (p->from_ms + ((int64_t)at + 1) * HOUR) % MONTH_DAY_MS == 0 &&
           p->readings_cover[at] < p->tier_covers[at] / 2;
}

static void note_difference(const struct pair *p, size_t at, struct month_comparison *c)
{
    if (c->differing++ == 0) {
        (void)snprintf(c->first, sizeof(c->first),
                       "%s of %s.%s, target %zu, object %.*s, hour %zu of %zu: %.17g, not %.17g",
                       aggregate_op_name(p->q->op), p->q->relation, p->q->column, p->target,
                       STR_ARG(p->tier->label_values[0]), at + 1, p->points, p->tier->values[at],
                       p->readings->values[at]);
    }
}

static void compare_series(const struct pair *p, struct month_comparison *c)
{
    bool exact = p->q->op != AGGREGATE_AVG && p->q->op != AGGREGATE_RATE;

    for (size_t i = 0; i < p->points; i++) {
        double a = p->readings ? p->readings->values[i] : NAN;
        double b = p->tier->values[i];
        double most = exact ? 0 : 1e-9 * fmax(1, fabs(a));
        if (isnan(a) || is_cut(p, i)) {
            c->tier_only += !isnan(b);
            continue;
        }
        c->points++;
        if (isnan(b) || fabs(a - b) > most) {
            note_difference(p, i, c);
        }
    }
}

static int64_t cpu_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static enum err_code compare(struct month *m, const struct asked *asked, struct month_comparison *c,
                             struct err *e)
{
    const struct question *q = asked->q;
    const struct str column = str_of(q->column);
    struct aggregate_spec spec = {.target = m->targets[asked->target],
                                  .relation = str_of(q->relation),
                                  .columns = &column,
                                  .column_count = 1,
                                  .op = q->op,
                                  .by_mode = AGGREGATE_BY_ROW,
                                  .to_ms = m->now_ms,
                                  .from_ms = m->now_ms - asked->days * MONTH_DAY_MS,
                                  .step_ms = HOUR};
    struct aggregate_result *tier = NULL;
    struct aggregate_result *readings = NULL;
    struct arena a;

    arena_init(&a, "month", 1UL << 30);
    int64_t cpu = cpu_us();
    int64_t wall = clock_mono_us();
    enum err_code code = ask(m, &spec, &a, &tier, e);
    c->cpu_ms = fmax(c->cpu_ms, (double)(cpu_us() - cpu) / 1000);
    c->wall_ms = fmax(c->wall_ms, (double)(clock_mono_us() - wall) / 1000);
    spec.readings_only = true;
    if (code == ERR_OK) {
        code = ask(m, &spec, &a, &readings, e);
    }
    for (size_t i = 0; code == ERR_OK && i < tier->series_count; i++) {
        const struct pair p = {.q = q,
                               .target = asked->target,
                               .tier = &tier->series[i],
                               .readings = like(readings, &tier->series[i]),
                               .tier_covers = tier->covered,
                               .readings_cover = readings->covered,
                               .points = tier->point_count,
                               .from_ms = spec.from_ms};
        compare_series(&p, c);
    }
    arena_fini(&a);
    return code;
}

enum err_code month_compare(struct month *m, int days, struct month_comparison *out, struct err *e)
{
    static const struct question questions[] = {
        {"month_slow", "n", AGGREGATE_INCREASE}, {"month_slow", "n", AGGREGATE_RATE},
        {"month_slow", "n", AGGREGATE_LAST},     {"month_slow", "rare", AGGREGATE_INCREASE},
        {"month_slow", "g", AGGREGATE_MIN},      {"month_slow", "g", AGGREGATE_MAX},
        {"month_slow", "g", AGGREGATE_AVG},      {"month_slow", "g", AGGREGATE_COUNT},
        {"month_slow", "f", AGGREGATE_AVG},      {"month_slow", "f", AGGREGATE_MAX},
        {"month_slow", "d", AGGREGATE_INCREASE}, {"month_slow", "d", AGGREGATE_COUNT},
        {"month_fast", "n", AGGREGATE_INCREASE}, {"month_fast", "g", AGGREGATE_AVG},
        {"month_fast", "g", AGGREGATE_MIN},
    };
    enum err_code code = ERR_OK;

    memset(out, 0, sizeof(*out));
    for (size_t i = 0; code == ERR_OK && i < sizeof(questions) / sizeof(questions[0]); i++) {
        bool one = strcmp(questions[i].relation, "month_fast") == 0;
        for (size_t t = 0; code == ERR_OK && t < (one ? 1 : m->shape.targets); t++) {
            const struct asked asked = {&questions[i], t, days};
            code = compare(m, &asked, out, e);
        }
    }
    return code;
}
