/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore.c: opens and closes a store in PostgreSQL, and tells how it is.
 */
#include "store/tsdb/postgres/pgstore.h"

#include "store/tsdb/postgres/pgstore_tier.h"

#include "base/alloc.h"
#include "base/log.h"
#include "os/clock.h"
#include "os/entropy.h"

#include <string.h>
#include <unistd.h>

static const struct log_ctx pgstore_log = {.component = "tsdb"};

enum err_code pgstore_connect(struct pgstore *p, unsigned flags, struct sqldb **out, struct err *e)
{
    const struct sqldb_options o = {.flags = flags, .busy_timeout_ms = PGSTORE_LOCK_MS};
    return sqldb_open(p->url, &o, out, e);
}

void pgstore_put_ids(struct buf *out, const uint64_t *ids, size_t count)
{
    buf_add_char(out, '{');
    for (size_t i = 0; i < count; i++) {
        if (i) {
            buf_add_char(out, ',');
        }
        buf_add_i64(out, (int64_t)ids[i]);
    }
    buf_add_char(out, '}');
}

/* --- opening --- */

static enum err_code load_state(struct pgstore *p, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    struct uuid epoch;

    entropy_uuid(&epoch);
    enum err_code code = sqldb_run(p->write, "tsdb_state_add",
                                   SQLDB_ARGS(sqldb_blob(epoch.bytes, sizeof(epoch.bytes))), e);
    if (code == ERR_OK) {
        code = sqldb_row(p->write, "tsdb_state_epoch", SQLDB_NO_ARGS, &s, e);
    }
    if (code) {
        return code;
    }
    struct str found = sqldb_get_blob(s, 0);
    if (found.len == sizeof(epoch.bytes)) {
        memcpy(p->front.epoch.bytes, found.ptr, sizeof(epoch.bytes));
    } else {
        code = err_set(e, ERR_CORRUPT, "the store epoch is damaged");
    }
    sqldb_end(s);
    return code;
}

static enum err_code add_node(struct pgstore *p, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    char host[128] = "";

    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(p->name, sizeof(p->name), "%s:%ld", host, (long)getpid());
    enum err_code code = sqldb_row(p->write, "tsdb_node_add", SQLDB_ARGS(sqldb_text_c(p->name)), &s,
                                   e);
    if (code == ERR_OK) {
        p->node = sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code;
}

static enum err_code open_all(struct pgstore *p, struct err *e)
{
    enum err_code code = pgstore_connect(p, 0, &p->write, e);

    code = code ? code : pgstore_connect(p, 0, &p->move, e);
    code = code ? code : pgstore_connect(p, 0, &p->lead, e);
    code = code ? code : load_state(p, e);
    code = code ? code : pgstore_names_load(p, e);
    code = code ? code : caps_count_texts(p->front.caps, p->move, e);
    return code ? code : add_node(p, e);
}

static void close_store(struct tsdb *db)
{
    struct pgstore *p = pgstore_of(db);

    for (size_t i = 0; i < db->reader_count; i++) {
        pgstore_reader_close((struct pgstore_reader *)db->readers[i]);
    }
    sqldb_close(p->write);
    sqldb_close(p->move);
    sqldb_close(p->lead);
    for (size_t i = 0; i < p->wide_count; i++) {
        alloc_free(p->wide[i].keys);
        alloc_free(p->wide[i].columns);
    }
    alloc_free(p->wide);
    alloc_free(p->days);
    alloc_free_secret(p->url, strlen(p->url));
    tsdb_front_fini(db);
    alloc_free(p);
}

enum err_code pgstore_open(const struct tsdb_config *config, struct tsdb **out, struct err *e)
{
    struct pgstore *p = alloc_new(sizeof(*p));
    int64_t start = clock_mono_ms();

    p->front.ops = &pgstore_ops;
    tsdb_front_init(&p->front, config);
    p->front.shared = true;
    p->wide_seen = -1;
    p->url = alloc_strdup(config->url);
    enum err_code code = open_all(p, e);
    if (code) {
        close_store(&p->front);
        return code;
    }
    log_info(&pgstore_log, "store opened in %lld ms as node %lld",
             (long long)(clock_mono_ms() - start), (long long)p->node);
    *out = &p->front;
    return ERR_OK;
}

/* --- how it is --- */

static void stats(struct tsdb *db, struct tsdb_stats *out)
{
    memset(out, 0, sizeof(*out));
    out->engine = "postgresql";
    out->epoch = db->epoch;
    tsdb_front_counters(db, out);
    out->rolled_up_ms = atomic_load(&pgstore_of(db)->rolled_up_ms);
    out->rollup_files = atomic_load(&pgstore_of(db)->rollup_marks) > 0;
    lock_take(&db->state);
    out->streams = map_count(db->streams);
    out->lsn = db->linked_lsn;
    out->flushed_lsn = db->trimmed_lsn;
    out->applied_lsn = db->applied_lsn;
    lock_take(&db->catalog->lock);
    out->relations = db->catalog->relation_count;
    out->groups = db->catalog->group_count - db->catalog->dropped_count;
    out->objects = db->catalog->object_count;
    lock_release(&db->catalog->lock);
    lock_release(&db->state);
}

static enum err_code copy(struct tsdb *db, const struct tsdb_copy *to, struct err *e)
{
    (void)db;
    (void)to;
    return err_set(e, ERR_UNSUPPORTED,
                   "a store in PostgreSQL is backed up with PostgreSQL's own tools");
}

const struct tsdb_ops pgstore_ops = {
    .close = close_store,
    .run_writer = pgstore_run_writer,
    .run_flusher = pgstore_run_mover,
    .run_applier = pgstore_run_leader,
    .stop = tsdb_front_stop,
    .stop_fast = tsdb_front_stop_fast,
    .admit = tsdb_front_admit,
    .push = tsdb_front_push,
    .event_add = tsdb_front_event_add,
    .target_drop = tsdb_front_target_drop,
    .flush = tsdb_front_flush,
    .leads = pgstore_leads,
    .stats = stats,
    .reader_borrow = pgstore_reader_borrow,
    .reader_return = pgstore_reader_return,
    .scan = pgstore_scan,
    .tier_scan = pgstore_tier_scan,
    .tier_plan = pgstore_tier_plan,
    .object_keys = pgstore_object_keys,
    .group_keys = pgstore_group_keys,
    .relation = pgstore_relation,
    .groups = pgstore_groups,
    .last = pgstore_last,
    .text = pgstore_text,
    .events = pgstore_events,
    .streams = pgstore_streams,
    .records = pgstore_records,
    .copy = copy,
    .uses = tsdb_front_uses,
};
