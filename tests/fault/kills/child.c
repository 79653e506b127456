/* SPDX-License-Identifier: PostgreSQL */
/*
 * child.c: the process that is killed: it works on a store until it dies.
 *
 * The main thread does what the phase consists of, again and again; another one pushes all the
 * time, so that no phase is alone. What was sent is written down before, what was answered after.
 */
#include "child.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/thread.h"
#include "database.h"
#include "kills_check.h"
#include "os/clock.h"
#include "os/file.h"
#include "store/transfer/transfer.h"
#include "store/tsdb/postgres/pgstore.h"
#include "store/tsdb/tsdb.h"
#include "tls/hash.h"
#include "tsdb_clock.h"

#define ROUNDS_MOST   400
#define LATE_HOURS    20
#define WAIT_US       120000000LL
#define PG_DAYS_AHEAD 3 /* have partitions, and the present one */

struct child {
    struct kills_shared *shared;
    struct kills_ledger *ledger;
    enum kills_phase_id phase;
    const char *copies;
    struct tsdb_config config;
    struct tsdb *db;
    struct thread threads[3], beside;
    atomic_bool rest; /* the thread beside is to end */
    bool flushes;     /* it flushes as well, while the main thread does something else */
    uint64_t random, random_beside;
};

static const struct moment_phase phases[PHASES] = {
    [PHASE_START] = {"start", "start.begin", "start.end", 2},
    [PHASE_INGEST] = {"ingest", "ingest.begin", "ingest.end", 2},
    [PHASE_FLUSH] = {"flush", "tsdb.flush_begin", "tsdb.after_trim", 2},
    [PHASE_COMPACT] = {"compaction", "tsdb.compact_begun", "tsdb.compact_unlinked", 2},
    [PHASE_ROLLUP] = {"rollup", "tsdb.rollup_hour", "tsdb.rollup_watermark", 1},
    [PHASE_RETAIN] = {"retention", "tsdb.retain_unlisted", "retain.end", 0},
    [PHASE_RETIRE] = {"retirement", "tsdb.retire_commit", "tsdb.retire_done", 2},
    [PHASE_COPY] = {"copy", "tsdb.copy_file", "copy.end", 1},
    [PHASE_MIGRATE] = {"migration", "migrate.begin", "migrate.end", 1},
    [PHASE_PG_START] = {"start", "start.begin", "start.end", 2},
    [PHASE_PG_INGEST] = {"ingest", "ingest.begin", "ingest.end", 2},
    [PHASE_PG_NAMES] = {"names", "names.begin", "names.end", 2},
    [PHASE_PG_MOVE] = {"move", "move.begin", "move.end", 2},
    [PHASE_PG_TABLES] = {"tables", "tables.begin", "tables.end", 1},
    [PHASE_PG_ROLLUP] = {"rollup", "rollup.begin", "rollup.end", 1},
    [PHASE_PG_RETAIN] = {"retention", "retain.begin", "retain.end", 0},
    [PHASE_PG_MIGRATE] = {"copy to SQLite", "migrate.begin", "migrate.end", 1},
    [PHASE_TO_PG] = {"copy to PostgreSQL", "migrate.begin", "migrate.end", 1},
};

const struct moment_phase *kills_phase(enum kills_phase_id id)
{
    return &phases[id];
}

static _Noreturn void give_up(struct child *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static _Noreturn void give_up(struct child *c, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vsnprintf(c->shared->error, sizeof(c->shared->error), format, args);
    va_end(args);
    _exit(3);
}

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

static void open_store(struct child *c)
{
    static void (*const bodies[3])(void *) = {run_writer, run_flusher, run_applier};
    struct err e = {0};

    if (tsdb_open(&c->config, &c->db, &e)) {
        give_up(c, "open: %s", e.text);
    }
    for (int i = 0; i < 3; i++) {
        if (thread_start(&c->threads[i], "kills", bodies[i], c->db, &e)) {
            give_up(c, "thread: %s", e.text);
        }
    }
}

static void close_store(struct child *c)
{
    for (int i = 0; i < 3; i++) {
        thread_join(&c->threads[i]);
    }
    tsdb_close(c->db);
    c->db = NULL;
}

/* --- pushing --- */

static void put_records(const struct child *c, enum kills_stream_id id, uint64_t seq,
                        uint64_t count, struct buf *out)
{
    char collector[TEXT_UUID_SIZE];
    char stream[TEXT_UUID_SIZE];

    text_uuid(&c->ledger->collector, collector);
    text_uuid(&c->ledger->streams[id].uuid, stream);
    buf_printf(out,
               "{\"collector_id\":\"%s\",\"stream\":\"%s\",\"seq\":%" PRIu64 ",\"count\":%" PRIu64
               ",\"records\":[",
               collector, stream, seq, count);
    for (uint64_t i = 0; i < count; i++) {
        char hash[HASH_HEX_SIZE];
        struct buf record;
        buf_init(&record, LIMIT_PUSH_INFLATED_BYTES);
        kills_record(c->ledger, id, seq + i, &record);
        hash_sha256_hex(buf_view(&record), hash);
        buf_printf(out, "%s{\"hash\":\"%s\",\"record\":%s}", i ? "," : "", hash, record.ptr);
        buf_fini(&record);
    }
    buf_add_c(out, "]}");
}

static void push_text(struct child *c, struct str text, struct tsdb_ack *ack)
{
    const struct json_limits limits = {LIMIT_PUSH_INFLATED_BYTES, LIMIT_JSON_DEPTH, false};
    struct json_doc *doc = NULL;
    struct arena a;
    struct push push;
    struct err e = {0};

    arena_init(&a, "push", LIMIT_REQUEST_ARENA_BYTES);
    if (json_parse(text, &limits, &doc, &e) || push_read(&a, json_root(doc), &push, &e) ||
        tsdb_push(c->db, &a, &push, ack, &e)) {
        give_up(c, "push: %s", e.text);
    }
    arena_fini(&a);
    json_doc_free(doc);
}

static void push(struct child *c, enum kills_stream_id id, uint64_t seq, uint64_t count)
{
    struct kills_stream *s = &c->ledger->streams[id];
    struct tsdb_ack ack = {0};
    uint64_t last = seq + count - 1;
    struct buf text;

    buf_init(&text, LIMIT_PUSH_INFLATED_BYTES);
    put_records(c, id, seq, count, &text);
    if (last > atomic_load(&s->sent)) {
        atomic_store(&s->sent, last);
    }
    push_text(c, buf_view(&text), &ack);
    buf_fini(&text);
    if (ack.next_seq <= last || ack.rejected > 0) {
        struct tsdb_stats now;
        tsdb_stats(c->db, &now);
        give_up(c,
                "push of stream %d up to %" PRIu64 ": %" PRIu64 " expected, %" PRIu64
                " rejected (clock %" PRIu64 ", order %" PRIu64 ", cap %" PRIu64 ")",
                (int)id, last, ack.next_seq, ack.rejected, now.refused[TSDB_REFUSED_CLOCK],
                now.refused[TSDB_REFUSED_ORDER], now.refused[TSDB_REFUSED_CAP]);
    }
    if (last > atomic_load(&s->answered)) {
        atomic_store(&s->answered, last);
    }
}

/* What was sent and not answered, and perhaps what was: answers get lost. */
static void send_again(struct child *c, enum kills_stream_id id)
{
    struct kills_stream *s = &c->ledger->streams[id];
    uint64_t sent = atomic_load(&s->sent);
    uint64_t first = atomic_load(&s->answered) + 1;

    first -= first > 2 ? moment_random(&c->random) % 3 : 0;
    if (first <= sent) {
        push(c, id, first, sent - first + 1);
    }
}

static int32_t newest_hour(const struct child *c)
{
    uint64_t sent = atomic_load(&c->ledger->streams[KILLS_LIVE].sent);
    return sent ? c->ledger->hour_of[sent] : -1;
}

static void push_late(struct child *c)
{
    struct kills_ledger *l = c->ledger;
    uint64_t seq = atomic_load(&l->streams[KILLS_LATE].answered) + 1;

    while (seq <= atomic_load(&l->streams[KILLS_LIVE].answered) &&
           l->hour_of[seq] + LATE_HOURS <= newest_hour(c)) {
        push(c, KILLS_LATE, seq, 1);
        seq++;
    }
}

/* Readings of one more hour, `jump` after the last; the store's clock goes to its end. */
static void live(struct child *c, int jump)
{
    struct kills_ledger *l = c->ledger;
    uint64_t seq = atomic_load(&l->streams[KILLS_LIVE].answered) + 1;

    if (seq > KILLS_HOURS) {
        give_up(c, "the ledger is full");
    }
    l->hour_of[seq] = newest_hour(c) + jump;
    int64_t end_ms = l->start_ms + (l->hour_of[seq] + 1) * KILLS_HOUR;
    /* The engine's clock first: readings beside are of wall_ms, and must not be of its future. */
    tsdb_clock_set(end_ms + 240000); /* the hour is over, its roll-up due */
    atomic_store(&l->wall_ms, end_ms + 240000);
    push(c, KILLS_LIVE, seq, 1);
    push_late(c);
}

static void flush(struct child *c)
{
    struct err e = {0};

    if (tsdb_flush(c->db, clock_mono_us() + WAIT_US, &e)) {
        give_up(c, "flush: %s", e.text);
    }
}

static void beside(void *arg)
{
    struct child *c = arg;
    struct kills_ledger *l = c->ledger;

    while (!atomic_load(&c->rest)) {
        uint64_t seq = atomic_load(&l->streams[KILLS_BESIDE].answered) + 1;
        uint64_t count = 1 + moment_random(&c->random_beside) % 3;
        if (seq + count > KILLS_SIDE) {
            return;
        }
        for (uint64_t i = seq; i < seq + count; i++) {
            int64_t now_ms = atomic_load(&l->wall_ms);
            l->side_t_ms[i] = now_ms > l->side_t_ms[i - 1] ? now_ms : l->side_t_ms[i - 1] + 1;
        }
        push(c, KILLS_BESIDE, seq, count);
        if (c->flushes && moment_random(&c->random_beside) % 8 == 0) {
            flush(c);
        }
        clock_sleep_ms(1 + (int64_t)(moment_random(&c->random_beside) % 4));
    }
}

static void begin_beside(struct child *c)
{
    struct err e = {0};

    atomic_store(&c->rest, false);
    if (thread_start(&c->beside, "kills-beside", beside, c, &e)) {
        give_up(c, "thread: %s", e.text);
    }
}

static void end_beside(struct child *c)
{
    atomic_store(&c->rest, true);
    thread_join(&c->beside);
}

/* --- what phases consist of --- */

/* The leader looks once a second by itself; that is how long nobody needs to wait here. */
static void hurry(struct child *c, bool tables)
{
    if (!c->config.url) {
        return;
    }
    lock_take(&c->db->state);
    pgstore_of(c->db)->tables_wanted |= tables;
    cond_signal(&c->db->wake_applier);
    lock_release(&c->db->state);
}

static void wait_rollups(struct child *c)
{
    int64_t until_ms = c->ledger->start_ms + (newest_hour(c) + 1) * KILLS_HOUR;
    int64_t end_us = clock_mono_us() + WAIT_US;
    struct tsdb_stats now;

    for (;;) {
        tsdb_stats(c->db, &now);
        if (now.rolled_up_ms >= until_ms && now.rollup_files == 0) {
            return;
        }
        if (clock_mono_us() > end_us) {
            give_up(c, "roll-ups stay at %" PRId64, now.rolled_up_ms);
        }
        hurry(c, false);
        clock_sleep_ms(c->config.url ? 10 : 1);
    }
}

static void do_start(struct child *c)
{
    end_beside(c);
    tsdb_stop_fast(c->db);
    close_store(c);
    moment_pass("start.begin");
    open_store(c);
    moment_pass("start.end");
    begin_beside(c);
    live(c, 1);
    if (moment_random(&c->random) % 4 == 0) {
        flush(c);
    }
}

static void do_ingest(struct child *c)
{
    moment_pass("ingest.begin");
    for (uint64_t n = 1 + moment_random(&c->random) % 3; n > 0; n--) {
        live(c, 1);
    }
    moment_pass("ingest.end");
}

static void do_flush(struct child *c)
{
    for (uint64_t n = 1 + moment_random(&c->random) % 3; n > 0; n--) {
        live(c, 1 + (int)(moment_random(&c->random) % 3));
    }
    flush(c);
}

static void do_compact(struct child *c)
{
    struct err e = {0};

    live(c, 1 + (int)(moment_random(&c->random) % 6));
    flush(c);
    live(c, 1);
    flush(c);
    if (tsdb_compact(c->db, clock_mono_us() + WAIT_US, &e)) {
        give_up(c, "compaction: %s", e.text);
    }
}

static void do_rollup(struct child *c)
{
    for (uint64_t n = 1 + moment_random(&c->random) % 3; n > 0; n--) {
        live(c, 1);
    }
    flush(c);
    wait_rollups(c);
}

/* Whether what is too old went: at the start, or before, when the flusher looked so late. */
static bool is_expired(const struct child *c)
{
    struct kills_check check = {.ledger = c->ledger, .retention_days = KILLS_RETENTION_DAYS};

    kills_check_files(c->config.dir, &check, true);
    return check.wrong == 0;
}

/* A day more, and a start, for then retention looks. Nobody pushes after it. */
static void let_day_pass(struct child *c)
{
    for (int i = 0; i < 3; i++) {
        live(c, 8);
    }
    flush(c);
    wait_rollups(c);
    end_beside(c);
    tsdb_stop(c->db);
    close_store(c);
    open_store(c);
}

static void wait_expired(struct child *c)
{
    int64_t end_us = clock_mono_us() + WAIT_US;

    while (!is_expired(c)) {
        if (clock_mono_us() > end_us) {
            give_up(c, "what is too old stays, on day %d", (int)newest_hour(c) / 24);
        }
    }
}

static void do_retain(struct child *c)
{
    let_day_pass(c);
    begin_beside(c);
    wait_expired(c);
    moment_pass("retain.end");
}

/* Names of the day that went go, too, while the heads are empty. */
static void do_retire(struct child *c)
{
    int64_t end_us = clock_mono_us() + WAIT_US;
    struct tsdb_stats now;

    let_day_pass(c);
    wait_expired(c);
    for (tsdb_stats(c->db, &now); now.removed[TSDB_REMOVED_AGE] > 0 && now.retired == 0;
         tsdb_stats(c->db, &now)) {
        if (clock_mono_us() > end_us) {
            give_up(c, "names that nothing has stay, on day %d", (int)newest_hour(c) / 24);
        }
        clock_sleep_ms(1);
    }
    begin_beside(c);
}

/* --- in PostgreSQL --- */

static void wait_until(struct child *c, const char *condition, const char *otherwise)
{
    int64_t end_us = clock_mono_us() + WAIT_US;
    struct err e = {0};

    while (kills_database_holds(c->config.url, condition, "'not yet'", &e)) {
        if (clock_mono_us() > end_us) {
            give_up(c, "%s: %s", otherwise, e.text);
        }
        flush(c);
        hurry(c, false);
        clock_sleep_ms(10);
    }
}

/* Every fourth hour a name is new. */
static void do_pg_names(struct child *c)
{
    moment_pass("names.begin");
    live(c, 4);
    moment_pass("names.end");
}

static void do_pg_move(struct child *c)
{
    for (uint64_t n = 1 + moment_random(&c->random) % 3; n > 0; n--) {
        live(c, 1);
    }
    moment_pass("move.begin");
    flush(c);
    moment_pass("move.end");
}

/* A day on, the days ahead want partitions. */
static void do_pg_tables(struct child *c)
{
    char condition[200];
    int64_t ahead;

    live(c, 8);
    live(c, 8);
    moment_pass("tables.begin");
    live(c, 8);
    hurry(c, true);
    ahead = atomic_load(&c->ledger->wall_ms) / KILLS_DAY + PG_DAYS_AHEAD;
    (void)snprintf(condition, sizeof(condition), "(SELECT max(day) FROM ts_day) >= %" PRId64,
                   ahead);
    wait_until(c, condition, "no day ahead has partitions");
    moment_pass("tables.end");
}

static void do_pg_rollup(struct child *c)
{
    for (uint64_t n = 1 + moment_random(&c->random) % 3; n > 0; n--) {
        live(c, 1);
    }
    flush(c);
    moment_pass("rollup.begin");
    wait_rollups(c);
    moment_pass("rollup.end");
}

static void do_pg_retain(struct child *c)
{
    int64_t first;
    char condition[200];

    for (int i = 0; i < 3; i++) {
        live(c, 8);
    }
    flush(c);
    wait_rollups(c);
    end_beside(c);
    tsdb_stop(c->db);
    close_store(c);
    open_store(c);
    moment_pass("retain.begin");
    begin_beside(c);
    first = atomic_load(&c->ledger->wall_ms) / KILLS_DAY - KILLS_RETENTION_DAYS;
    (void)snprintf(condition, sizeof(condition), "(SELECT min(day) FROM ts_day) >= %" PRId64,
                   first);
    wait_until(c, condition, "what is too old stays");
    moment_pass("retain.end");
}

/* --- copies --- */

static enum err_code take(void *arg, const char *name, const char *path, struct err *e)
{
    const struct child *c = arg;
    char to[300];

    (void)snprintf(to, sizeof(to), "%s/%" PRIu64 "/%s", c->copies,
                   atomic_load(&c->shared->copies) + 1, name);
    return file_rename(path, to, e);
}

static void make_folders(struct child *c)
{
    static const char *const folders[] = {"raw/fast", "raw/slow", "tier5m", "tier1h"};
    struct err e = {0};

    for (int i = 0; i < 4; i++) {
        char path[300];
        (void)snprintf(path, sizeof(path), "%s/%" PRIu64 "/%s", c->copies,
                       atomic_load(&c->shared->copies) + 1, folders[i]);
        if (file_make_dirs(path, 0700, &e)) {
            give_up(c, "%s", e.text);
        }
    }
}

static void do_copy(struct child *c)
{
    const struct tsdb_copy to = {.take = take, .arg = c};
    struct kills_shared *shared = c->shared;
    uint64_t least[KILLS_STREAMS];
    struct err e = {0};

    live(c, 1);
    if (moment_random(&c->random) % 2 == 0) {
        flush(c);
    }
    live(c, 1);
    make_folders(c);
    for (int s = 0; s < KILLS_STREAMS; s++) {
        least[s] = atomic_load(&c->ledger->streams[s].answered);
    }
    if (tsdb_copy(c->db, &to, &e)) {
        give_up(c, "copy: %s", e.text);
    }
    for (int s = 0; s < KILLS_STREAMS; s++) {
        shared->copy_least[s] = least[s];
        shared->copy_most[s] = atomic_load(&c->ledger->streams[s].sent);
    }
    (void)atomic_fetch_add(&shared->copies, 1);
    moment_pass("copy.end");
}

static void on_loss(void *arg, const char *text)
{
    give_up(arg, "not copied: %s", text);
}

static void name_ends(struct child *c, char from[KILLS_URL], char to[KILLS_URL])
{
    uint64_t number = atomic_load(&c->shared->copies) + 1;
    char name[100];
    struct err e = {0};

    (void)snprintf(from, KILLS_URL, "%s%s",
                   c->config.url ? "" : "sqlite:", c->config.url ? c->config.url : c->config.dir);
    (void)snprintf(to, KILLS_URL, "sqlite:%s/%" PRIu64, c->copies, number);
    if (c->phase != PHASE_TO_PG) {
        return;
    }
    (void)snprintf(name, sizeof(name), KILLS_COPY_NAME, c->shared->database, number);
    if (!kills_database_url(to, name)) {
        give_up(c, "no URL for %s", name);
    }
    if (!atomic_load(&c->shared->migrating) && kills_database_new(name, &e)) {
        give_up(c, "%s: %s", name, e.text);
    }
}

/* Copy the store, which nobody has open, into another; or go on with that. */
static void migrate(struct child *c)
{
    char from[KILLS_URL];
    char to[KILLS_URL];
    struct transfer_result result;
    struct arena a;
    struct err e = {0};

    name_ends(c, from, to);
    const struct transfer_config config = {.from = from, .to = to, .loss = on_loss, .arg = c};
    atomic_store(&c->shared->migrating, true);
    arena_init(&a, "migrate", 64 << 20);
    moment_pass("migrate.begin");
    if (transfer_run(&config, &a, &result, &e)) {
        give_up(c, "copy to another store: %s", e.text);
    }
    if (result.different > 0) {
        give_up(c, "%zu of the copy are different", result.different);
    }
    arena_fini(&a);
    for (int s = 0; s < KILLS_STREAMS; s++) {
        c->shared->copy_least[s] = atomic_load(&c->ledger->streams[s].answered);
        c->shared->copy_most[s] = atomic_load(&c->ledger->streams[s].sent);
    }
    (void)atomic_fetch_add(&c->shared->copies, 1);
    atomic_store(&c->shared->migrating, false);
    moment_pass("migrate.end");
}

/* What journal rows hold that a node left which died is moved first. */
static void stop_for_copy(struct child *c)
{
    if (c->config.url) {
        wait_until(c, "(SELECT count(*) FROM ts_journal) = 0", "journal rows stay");
        tsdb_stop(c->db);
    } else {
        tsdb_stop_fast(c->db);
    }
    close_store(c);
}

static void do_migrate(struct child *c)
{
    for (uint64_t n = 1 + moment_random(&c->random) % 3; n > 0; n--) {
        live(c, 1 + (int)(moment_random(&c->random) % 8));
    }
    if (moment_random(&c->random) % 2 == 0) {
        flush(c);
    }
    end_beside(c);
    stop_for_copy(c);
    migrate(c);
    open_store(c);
    begin_beside(c);
}

void kills_child(struct kills_shared *shared, enum kills_phase_id id, const char *dir,
                 const char *copies)
{
    static void (*const doing[PHASES])(struct child *) = {
        [PHASE_START] = do_start,         [PHASE_INGEST] = do_ingest,
        [PHASE_FLUSH] = do_flush,         [PHASE_COMPACT] = do_compact,
        [PHASE_ROLLUP] = do_rollup,       [PHASE_RETAIN] = do_retain,
        [PHASE_RETIRE] = do_retire,       [PHASE_COPY] = do_copy,
        [PHASE_MIGRATE] = do_migrate,     [PHASE_PG_START] = do_start,
        [PHASE_PG_INGEST] = do_ingest,    [PHASE_PG_NAMES] = do_pg_names,
        [PHASE_PG_MOVE] = do_pg_move,     [PHASE_PG_TABLES] = do_pg_tables,
        [PHASE_PG_ROLLUP] = do_pg_rollup, [PHASE_PG_RETAIN] = do_pg_retain,
        [PHASE_PG_MIGRATE] = do_migrate,  [PHASE_TO_PG] = do_migrate};
    struct child c = {.shared = shared,
                      .ledger = &shared->ledger,
                      .phase = id,
                      .copies = copies,
                      .config = {.dir = dir,
                                 .url = shared->url[0] ? shared->url : NULL,
                                 .retention_days = KILLS_RETENTION_DAYS,
                                 .retention_slow_days = KILLS_RETENTION_DAYS,
                                 .rollup_5m_days = KILLS_ROLLUP_5M_DAYS,
                                 .object_rest_ms = id == PHASE_RETIRE},
                      .flushes = id >= PHASE_COMPACT,
                      .random = moment_random(&shared->moment.random),
                      .random_beside = moment_random(&shared->moment.random)};

    shared->moment.phase = phases[id];
    tsdb_clock_set(atomic_load(&c.ledger->wall_ms));
    moment_init(&shared->moment);
    if (atomic_load(&shared->migrating)) {
        migrate(&c);
    }
    moment_pass("start.begin");
    open_store(&c);
    moment_pass("start.end");
    for (int s = 0; s < KILLS_STREAMS; s++) {
        send_again(&c, (enum kills_stream_id)s);
    }
    begin_beside(&c);
    for (int round = 0; round < ROUNDS_MOST; round++) {
        doing[id](&c);
    }
    give_up(&c, "no moment came in %d rounds", ROUNDS_MOST);
}
