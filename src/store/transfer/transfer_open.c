/* SPDX-License-Identifier: PostgreSQL */
/*
 * transfer_open.c: opens both stores, when nobody else has them, and ends the copy.
 *
 * The source is brought to rest first: what its journal holds goes where it is read, by the
 * engine's own threads, as at a server's start and end. Nothing expires meanwhile, whatever its
 * server's configuration says.
 */
#include "store/transfer/transfer_part.h"

#include "base/fault.h"
#include "base/thread.h"
#include "os/clock.h"
#include "os/file.h"
#include "sqldb/sqldb_migrate.h"
#include "store/store_target.h"
#include "store/tsdb/postgres/pgstore.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SQLITE       "sqlite:"
#define KEEP_DAYS    36500
#define SETTLE_US    (3600 * INT64_C(1000000))
#define LOOK_MS      200
#define NODE_WAIT_MS 15000 /* more than the 10 s after which a server is taken for dead */
#ifdef PGA_FAULTS
#define BATCH_SQLITE ((size_t)32 * 1024) /* so that a small store has several, too */
#define BATCH_PG     ((size_t)8 * 1024)
#else
#define BATCH_SQLITE ((size_t)24 * 1024 * 1024)
#define BATCH_PG     ((size_t)2 * 1024 * 1024)
#endif

/* --- addresses --- */

static enum err_code set_side(struct transfer_side *s, const char *url, struct err *e)
{
    s->url = url;
    s->pg = strncmp(url, SQLITE, strlen(SQLITE)) != 0;
    if (s->pg) {
        return ERR_OK;
    }
    const char *dir = url + strlen(SQLITE);
    if (strlen(dir) + 64 > sizeof(s->dir)) {
        return err_set(e, ERR_INVALID, "the path of the store is too long");
    }
    memcpy(s->dir, dir, strlen(dir) + 1);
    return ERR_OK;
}

static bool same_place(const struct transfer_side *a, const struct transfer_side *b)
{
    char first[PATH_MAX];
    char second[PATH_MAX];

    if (a->pg || b->pg) {
        return a->pg && b->pg && strcmp(a->url, b->url) == 0;
    }
    return realpath(a->dir, first) && realpath(b->dir, second) && strcmp(first, second) == 0;
}

/* --- servers of a database --- */

struct node {
    int64_t id, seen_us;
    char name[160];
};

static enum err_code read_node(struct sqldb *db, struct node *out, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(db, "transfer_node", SQLDB_NO_ARGS, &s, e);

    *out = (struct node){0};
    if (code == ERR_OK) {
        out->id = sqldb_get_i64(s, 0);
        out->seen_us = sqldb_get_i64(s, 2);
        (void)snprintf(out->name, sizeof(out->name), "%.*s", STR_ARG(sqldb_get_text(s, 1)));
    }
    sqldb_end(s);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

/* One that was killed is still in its table for a while, and shows no life. */
static enum err_code require_no_server(struct transfer *t, const struct transfer_side *side,
                                       struct err *e)
{
    int64_t until = clock_mono_ms() + NODE_WAIT_MS;
    struct node first;
    struct node now;
    enum err_code code = read_node(side->control, &first, e);

    now = first;
    while (code == ERR_OK && now.id && clock_mono_ms() < until) {
        if (now.id != first.id || now.seen_us != first.seen_us) {
            break;
        }
        t->progress = (struct transfer_progress){.step = "waiting for a server that may be gone"};
        transfer_tell(t);
        clock_sleep_ms(LOOK_MS);
        code = read_node(side->control, &now, e);
    }
    if (code == ERR_OK && now.id) {
        code = err_set(e, ERR_CONFLICT, "the server %s has it open: stop it first", now.name);
    }
    return code;
}

static enum err_code require_started_none(const struct transfer_side *side, struct err *e)
{
    struct sqldb_stmt *s = NULL;

    if (!side->pg) {
        return ERR_OK;
    }
    enum err_code code = sqldb_row(side->control, "transfer_node_since",
                                   SQLDB_ARGS(sqldb_i64(pgstore_of(side->series)->node)), &s, e);
    if (code == ERR_OK) {
        code = err_set(e, ERR_CONFLICT,
                       "the server %.*s was started meanwhile: stop it, and run the copy again",
                       STR_ARG(sqldb_get_text(s, 0)));
    }
    sqldb_end(s);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

enum err_code transfer_still_alone(struct transfer *t, struct err *e)
{
    enum err_code code = require_started_none(&t->from, e);

    if (code) {
        return err_wrap(e, "the source");
    }
    code = require_started_none(&t->to, e);
    return code ? err_wrap(e, "the destination") : ERR_OK;
}

/* --- an engine --- */

static enum err_code take_targets(void *arg, uint64_t lsn, const struct uuid *collector,
                                  const struct batch *targets, struct err *e)
{
    const struct transfer *t = arg;
    return store_target_apply(t->settled, lsn, collector, targets, e);
}

static enum err_code drop_target(void *arg, uint64_t lsn, const struct uuid *target,
                                 const struct json *by, struct err *e)
{
    const struct transfer *t = arg;
    return store_target_delete(t->settled, lsn, target, by, e);
}

static enum err_code open_series(struct transfer *t, struct transfer_side *side, struct err *e)
{
    const struct tsdb_config config = {.dir = side->pg ? NULL : side->dir,
                                       .url = side->pg ? side->url : NULL,
                                       .retention_days = KEEP_DAYS,
                                       .retention_slow_days = KEEP_DAYS,
                                       .rollup_5m_days = KEEP_DAYS,
                                       .rollup_1h_days = KEEP_DAYS,
                                       .target_sink = take_targets,
                                       .drop_sink = drop_target,
                                       .target_arg = t};
    return tsdb_open(&config, &side->series, e);
}

/* Without threads it is no server: nobody shall wait for its sign of life. */
static enum err_code open_quietly(struct transfer *t, struct transfer_side *side, struct err *e)
{
    enum err_code code = open_series(t, side, e);

    if (code || !side->pg) {
        return code;
    }
    struct pgstore *p = pgstore_of(side->series);
    return sqldb_run(p->write, "tsdb_node_delete", SQLDB_ARGS(sqldb_i64(p->node)), e);
}

static void close_series(struct transfer_side *side)
{
    tsdb_close(side->series);
    side->series = NULL;
}

/* --- the source --- */

static void run_writer(void *arg)
{
    tsdb_run_writer(arg);
}

static void run_flusher(void *arg)
{
    tsdb_run_flusher(arg);
}

static void run_applier(void *arg)
{
    tsdb_run_applier(arg);
}

static enum err_code journal_rows(const struct transfer_side *side, uint64_t *out, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(transfer_file_of(side, TRANSFER_INGEST),
                                   "transfer_journal_count", SQLDB_NO_ARGS, &s, e);

    *out = code ? 0 : (uint64_t)sqldb_get_i64(s, 0);
    sqldb_end(s);
    return code;
}

static enum err_code wait_for_journal(struct transfer *t, struct err *e)
{
    int64_t until = clock_mono_us() + SETTLE_US;
    uint64_t rows = 1;
    enum err_code code = t->from.pg ? ERR_OK : tsdb_flush(t->from.series, until, e);

    while (code == ERR_OK && t->from.pg && rows) {
        code = journal_rows(&t->from, &rows, e);
        if (code == ERR_OK && rows && clock_mono_us() > until) {
            code = err_set(e, ERR_TIMEOUT, "its journal is not moved: the log says why");
        }
        t->progress = (struct transfer_progress){.step = "journal of the source", .total = rows};
        transfer_tell(t);
        clock_sleep_ms(rows ? LOOK_MS : 0);
    }
    return code;
}

static enum err_code run_threads(struct transfer *t, struct err *e)
{
    struct tsdb *db = t->from.series;
    struct thread threads[3] = {0};
    enum err_code code = thread_start(&threads[0], "writer", run_writer, db, e);

    code = code ? code : thread_start(&threads[1], "flusher", run_flusher, db, e);
    code = code ? code : thread_start(&threads[2], "applier", run_applier, db, e);
    code = code ? code : wait_for_journal(t, e);
    tsdb_stop(db);
    for (size_t i = 0; i < 3; i++) {
        thread_join(&threads[i]);
    }
    return code;
}

static enum err_code settle(struct transfer *t, struct err *e)
{
    uint64_t rows = 0;
    enum err_code code = journal_rows(&t->from, &rows, e);

    if (code || rows == 0) {
        return code;
    }
    t->progress = (struct transfer_progress){.step = "journal of the source", .total = rows};
    transfer_tell(t);
    code = store_open(t->from.url, &t->settled, e);
    code = code ? code : run_threads(t, e);
    store_close(t->settled);
    t->settled = NULL;
    close_series(&t->from);
    code = code ? code : open_quietly(t, &t->from, e);
    code = code ? code : journal_rows(&t->from, &rows, e);
    if (code == ERR_OK && rows) {
        code = err_set(e, ERR_IO, "its journal could not be worked off: the log says why");
    }
    return code;
}

/* Brings a SQLite store to this program's schema; refuses what is no whole store. */
static enum err_code check_control(const struct transfer *t, struct err *e)
{
    struct store *store = NULL;
    enum err_code code = store_open(t->from.url, &store, e);

    store_close(store);
    return code;
}

static enum err_code open_source(struct transfer *t, struct err *e)
{
    struct transfer_side *s = &t->from;
    const struct sqldb_options reading = {.flags = SQLDB_READ_ONLY | SQLDB_MUST_EXIST};
    char meta[sizeof(s->dir) + 16];
    enum err_code code = ERR_OK;

    (void)snprintf(meta, sizeof(meta), "%s/meta.db", s->dir);
    if (!s->pg && access(meta, F_OK) != 0) {
        return err_set(e, ERR_NOT_FOUND, "there is no store in %s", s->dir);
    }
    if (s->pg) {
        code = check_control(t, e);
        code = code ? code : sqldb_open(s->url, &reading, &s->control, e);
        code = code ? code : require_no_server(t, s, e);
        code = code ? code : open_quietly(t, s, e);
    } else {
        code = open_quietly(t, s, e);
        code = code ? code : check_control(t, e);
    }
    code = code ? code : settle(t, e);
    return code || s->pg ? code : sqldb_open(s->url, &reading, &s->control, e);
}

/* --- the destination --- */

static enum err_code migrate(const struct transfer_side *s, struct err *e)
{
    struct sqldb_migrate_set set;

    store_migrations(&set, NULL);
    return sqldb_migrate_up(s->control, &set, NULL, e);
}

static enum err_code lock_database(const struct transfer_side *s, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code code = sqldb_row(s->control, "transfer_lock", SQLDB_NO_ARGS, &q, e);

    if (code == ERR_OK && sqldb_get_i64(q, 0) == 0) {
        code = err_set(e, ERR_CONFLICT, "another copy into it is under way");
    }
    sqldb_end(q);
    return code;
}

static enum err_code open_pg(struct transfer *t, struct err *e)
{
    struct transfer_side *s = &t->to;
    enum err_code code = sqldb_open(s->url, NULL, &s->control, e);

    code = code ? code : lock_database(s, e);
    code = code ? code : migrate(s, e);
    code = code ? code : require_no_server(t, s, e);
    return code ? code : open_quietly(t, s, e);
}

static enum err_code open_destination(struct transfer *t, struct err *e)
{
    struct transfer_side *s = &t->to;

    if (s->pg) {
        return open_pg(t, e);
    }
    enum err_code code = open_quietly(t, s, e);
    code = code ? code : sqldb_open(s->url, NULL, &s->control, e);
    return code ? code : migrate(s, e);
}

static enum err_code require_empty(const struct transfer *t, struct err *e)
{
    const struct tsdb *db = t->to.series;
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(t->to.control, "transfer_is_used", SQLDB_NO_ARGS, &s, e);
    bool used = code == ERR_OK && sqldb_get_i64(s, 0) > 0;

    sqldb_end(s);
    if (code) {
        return code;
    }
    used = used || db->catalog->relation_count || map_count(db->streams) || db->day_count ||
           db->tier_count;
    return used ? err_set(e, ERR_CONFLICT, "it is not empty, and no unfinished copy") : ERR_OK;
}

static enum err_code begin_mark(struct transfer *t, struct err *e)
{
    enum err_code code = require_empty(t, e);

    t->mark = (struct transfer_mark){.source = t->from.series->epoch,
                                     .batch_bytes = t->to.pg ? BATCH_PG : BATCH_SQLITE};
    return code ? code : transfer_mark_save(t, e);
}

static enum err_code find_mark(struct transfer *t, struct err *e)
{
    bool found = false;
    enum err_code code = transfer_mark_read(t->to.control, &t->mark, &found, e);

    if (code) {
        return code;
    }
    if (text_uuid_eq(&t->from.series->epoch, &t->to.series->epoch)) {
        return err_set(e, ERR_CONFLICT, "it is the source itself");
    }
    t->resumed = found;
    if (!found) {
        code = transfer_mark_of(t->to.control, &t->from.series->epoch, &t->finished, e);
        t->mark.step = TRANSFER_CHECK;
        return code || t->finished ? code : begin_mark(t, e);
    }
    return text_uuid_eq(&t->mark.source, &t->from.series->epoch)
               ? ERR_OK
               : err_set(e, ERR_CONFLICT, "it is an unfinished copy of another store");
}

enum err_code transfer_open(struct transfer *t, struct err *e)
{
    enum err_code code = set_side(&t->from, t->config->from, e);

    code = code ? code : set_side(&t->to, t->config->to, e);
    if (code) {
        return code;
    }
    if (same_place(&t->from, &t->to)) {
        return err_set(e, ERR_CONFLICT, "the source and the destination are the same store");
    }
    code = open_source(t, e);
    if (code) {
        return err_wrap(e, "the source");
    }
    code = open_destination(t, e);
    code = code ? code : find_mark(t, e);
    return code ? err_wrap(e, "the destination") : ERR_OK;
}

/* --- the end --- */

static enum err_code finish_pg(struct transfer *t, int64_t lsn, struct err *e)
{
    const struct pgstore *p = pgstore_of(t->to.series);
    struct sqldb *db = t->to.control;
    struct sqldb_value node = sqldb_i64(p->node);
    enum err_code code = sqldb_begin(db, e);

    if (code) {
        return code;
    }
    code = sqldb_run(db, "transfer_sequences", SQLDB_ARGS(sqldb_i64(lsn)), e);
    code = code ? code : sqldb_run(db, "tsdb_leader_leave", SQLDB_ARGS(node), e);
    code = code ? code : transfer_mark_end(db, &t->mark, e);
    if (code) {
        sqldb_rollback(db);
        return code;
    }
    return sqldb_commit(db, e);
}

static enum err_code finish_sqlite(struct transfer *t, uint64_t lsn, struct err *e)
{
    close_series(&t->to);
    enum err_code code = tsdb_restored(t->to.dir, lsn, e);
    FAULT_POINT("transfer.finish");
    code = code ? code : transfer_mark_end(t->to.control, &t->mark, e);
    return code ? code : sqldb_checkpoint(t->to.control, e);
}

enum err_code transfer_finish(struct transfer *t, struct err *e)
{
    uint64_t lsn = 0;
    enum err_code code = store_target_lsn(t->to.control, &lsn, e);

    if (code) {
        return code;
    }
    return t->to.pg ? finish_pg(t, (int64_t)lsn, e) : finish_sqlite(t, lsn, e);
}

void transfer_close(struct transfer *t)
{
    close_series(&t->to);
    close_series(&t->from);
    sqldb_close(t->to.control);
    sqldb_close(t->from.control);
}
