/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_lead.c: signs of life of a node, and the lease of the leader.
 *
 * The lease is a row with a term, by the database's clock: 8 s, renewed every 2 s. A node that
 * slept finds the term raised, and each transaction that changes a table checks it.
 * Threads: the leader's.
 */
#include "store/tsdb/postgres/pgstore_rollup.h"

#include "base/log.h"
#include "os/clock.h"

#define ROUND_US  1000000LL
#define RENEW_US  2000000LL
#define SURE_US   6000000LL /* from the renewal on; the lease itself is longer */
#define TABLES_US 2000000LL
#define EXPIRE_US 60000000LL
#define UPKEEP_US 600000000LL
#define FORGET_MS 3600000LL /* a clock may be set back a little */

static const struct log_ctx lead_log = {.component = "tsdb"};

enum err_code pgstore_lead_begin(struct pgstore *p, struct err *e)
{
    enum err_code code = sqldb_begin_shared(p->lead, e);

    if (code) {
        return code;
    }
    code = sqldb_run(p->lead, "tsdb_ddl_begin", SQLDB_NO_ARGS, e);
    if (code == ERR_OK) {
        struct sqldb_stmt *s = NULL;
        code = sqldb_row(p->lead, "tsdb_leader_check",
                         SQLDB_ARGS(sqldb_i64(p->node), sqldb_i64(p->term)), &s, e);
        sqldb_end(s);
        if (code == ERR_NOT_FOUND) {
            code = err_set(e, ERR_CONFLICT, "another server is the leader now");
        }
    }
    if (code) {
        sqldb_rollback(p->lead);
    }
    return code;
}

static enum err_code try_lease(struct pgstore *p, const char *statement, struct sqldb_args args,
                               int64_t *term, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(p->lead, statement, args, &s, e);

    *term = code ? 0 : sqldb_get_i64(s, 0);
    sqldb_end(s);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

/* Keep the lease, or take it when nobody has it. */
static enum err_code hold_lease(struct pgstore *p, struct err *e)
{
    int64_t term = 0, asked_us = clock_mono_us();
    enum err_code code = ERR_OK;

    if (p->term) {
        code = try_lease(p, "tsdb_leader_renew", SQLDB_ARGS(sqldb_i64(p->node), sqldb_i64(p->term)),
                         &term, e);
        if (code == ERR_OK && !term) {
            log_warn(&lead_log, "another server became the leader");
            atomic_fetch_add(&p->lost_leases, 1);
        }
    }
    if (code == ERR_OK && !term) {
        code = try_lease(p, "tsdb_leader_take", SQLDB_ARGS(sqldb_i64(p->node)), &term, e);
        if (term) {
            log_info(&lead_log, "this server is the leader, term %lld", (long long)term);
        }
    }
    p->term = code ? 0 : term;
    atomic_store(&p->leads_until_us, p->term ? asked_us + SURE_US : 0);
    return code;
}

bool pgstore_leads(struct tsdb *db)
{
    return clock_mono_us() < atomic_load(&pgstore_of(db)->leads_until_us);
}

static enum err_code show_life(struct pgstore *p, struct err *e)
{
    enum err_code code = sqldb_run(p->lead, "tsdb_node_seen",
                                   SQLDB_ARGS(sqldb_i64(p->node), sqldb_text_c(p->name)), e);
    return code ? code : hold_lease(p, e);
}

static enum err_code upkeep(struct pgstore *p, struct err *e)
{
    int64_t oldest = clock_wall_ms() - TSDB_CLOCK_PAST_MS - FORGET_MS;
    enum err_code code = pgstore_lead_begin(p, e);

    if (code) {
        return code;
    }
    code = sqldb_run(p->lead, "tsdb_record_trim", SQLDB_ARGS(sqldb_i64(TSDB_RECORDS_KEPT)), e);
    code = code ? code : sqldb_run(p->lead, "tsdb_node_purge", SQLDB_NO_ARGS, e);
    code = code ? code : sqldb_run(p->lead, "tsdb_owner_purge", SQLDB_NO_ARGS, e);
    if (code == ERR_OK) {
        code = sqldb_run(p->lead, "tsdb_dropped_target_delete", SQLDB_ARGS(sqldb_i64(oldest)), e);
    }
    if (code) {
        sqldb_rollback(p->lead);
        return code;
    }
    return sqldb_commit(p->lead, e);
}

struct due {
    int64_t life_us, tables_us, expire_us, upkeep_us;
};

static bool is_due(int64_t *at, int64_t every_us)
{
    int64_t now = clock_mono_us();

    if (now < *at) {
        return false;
    }
    *at = now + every_us;
    return true;
}

static void work(struct pgstore *p, struct due *due, bool tables)
{
    struct err e = {0};
    enum err_code code = is_due(&due->life_us, RENEW_US) ? show_life(p, &e) : ERR_OK;

    if (code == ERR_OK && p->term && (is_due(&due->tables_us, TABLES_US) || tables)) {
        code = pgstore_tables_make(p, &e);
    }
    if (code == ERR_OK && p->term && is_due(&due->expire_us, EXPIRE_US)) {
        code = pgstore_tables_expire(p, &e);
    }
    if (code == ERR_OK && p->term) {
        code = pgstore_rollup(p, &e);
    }
    code = code ? code : pgstore_rollup_show(p, &e);
    if (code == ERR_OK && p->term && is_due(&due->upkeep_us, UPKEEP_US)) {
        code = upkeep(p, &e);
    }
    if (code) {
        log_warn(&lead_log, "work of the leader failed and is tried again: %s", e.text);
    }
}

/* Others need not wait for the lease to end, nor for the journal, which is empty. */
static void leave(struct pgstore *p)
{
    struct err e = {0};

    atomic_store(&p->leads_until_us, 0);
    enum err_code code = sqldb_run(p->lead, "tsdb_leader_leave", SQLDB_ARGS(sqldb_i64(p->node)),
                                   &e);

    code = code ? code : sqldb_run(p->lead, "tsdb_node_delete", SQLDB_ARGS(sqldb_i64(p->node)), &e);
    if (code) {
        log_warn(&lead_log, "the lease was not given back: %s", e.text);
    }
}

void pgstore_run_leader(struct tsdb *db)
{
    struct pgstore *p = pgstore_of(db);
    struct due due = {0};
    bool over = false;

    while (!over) {
        lock_take(&db->state);
        bool tables = p->tables_wanted;
        p->tables_wanted = false;
        lock_release(&db->state);
        work(p, &due, tables);
        lock_take(&db->state);
        if (!p->tables_wanted && !p->mover_over) {
            (void)cond_wait_until(&db->wake_applier, &db->state, clock_mono_us() + ROUND_US);
        }
        over = p->mover_over;
        lock_release(&db->state);
    }
    if (db->run != RUN_STOPPING_FAST) {
        leave(p);
    }
    lock_take(&db->state);
    db->applier_over = true;
    cond_broadcast(&db->done);
    lock_release(&db->state);
}
