/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_meta.c: events and texts of journal rows go into their tables, targets to the caller.
 *
 * Events and texts are in the transaction that deletes the journal row. The caller's targets are
 * not: they are handed over before the commit, from one node at a time, with a number that rises,
 * and may come once more after a crash. What an older record says of a target that a newer one
 * described is not handed over.
 * Threads: the mover.
 */
#include "store/tsdb/postgres/pgstore_move.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "base/log.h"

#include <string.h>

#define META_MAX (64UL * 1024 * 1024)

static const struct log_ctx meta_log = {.component = "tsdb"};

struct meta {
    struct move *m;
    const struct move_row *row;
    struct batch batch;
    const struct json *drop;
    struct uuid dropped;
};

static struct sqldb_value uuid_value(const struct uuid *u)
{
    return sqldb_blob(u->bytes, sizeof(u->bytes));
}

static struct sqldb_value clean(struct meta *n, struct str text)
{
    return sqldb_text(pgstore_clean(&n->m->arena, text));
}

static enum err_code put_events(struct meta *n, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < n->batch.event_count; i++) {
        const struct batch_event *ev = &n->batch.events[i];
        struct str body = ev->body.len ? ev->body : STR("{}");
        code = sqldb_run(n->m->store->move, "tsdb_event_insert",
                         SQLDB_ARGS(sqldb_i64(ev->t_ms), uuid_value(&n->row->collector),
                                    uuid_value(&ev->target), clean(n, ev->kind),
                                    sqldb_i64(ev->severity), clean(n, ev->title), clean(n, body)),
                         e);
    }
    return code;
}

static enum err_code put_texts(struct meta *n, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < n->batch.text_count; i++) {
        code = move_text(n->m, &n->row->collector, &n->batch.texts[i], e);
    }
    return code;
}

/* --- targets --- */

static enum err_code take_ticket(struct meta *n, uint64_t *ticket, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(n->m->store->move, "tsdb_sink_lock", SQLDB_NO_ARGS, &s, e);

    if (code == ERR_OK) {
        *ticket = (uint64_t)sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code;
}

/* Only those that no newer record described. */
static enum err_code choose_targets(struct meta *n, struct batch *out, struct err *e)
{
    *out = n->batch;
    out->target_count = 0;
    out->targets = arena_array(&n->m->arena, n->batch.target_count, sizeof(*out->targets));
    for (size_t i = 0; out->targets && i < n->batch.target_count; i++) {
        const struct batch_target *t = &n->batch.targets[i];
        struct sqldb_stmt *s = NULL;
        enum err_code code = sqldb_row(n->m->store->move, "tsdb_target_seen_get",
                                       SQLDB_ARGS(uuid_value(&t->id)), &s, e);
        bool newer = code == ERR_OK && (uint64_t)sqldb_get_i64(s, 0) > n->row->lsn;
        sqldb_end(s);
        if (code && code != ERR_NOT_FOUND) {
            return code;
        }
        if (!newer) {
            out->targets[out->target_count++] = *t;
        }
    }
    return arena_check(&n->m->arena, e);
}

static enum err_code put_targets(struct meta *n, struct err *e)
{
    const struct tsdb_config *config = &n->m->store->front.config;
    uint64_t ticket = 0;
    struct batch chosen;

    if (!n->batch.target_count || !config->target_sink) {
        return ERR_OK;
    }
    enum err_code code = take_ticket(n, &ticket, e);
    code = code ? code : choose_targets(n, &chosen, e);
    if (code == ERR_OK && chosen.target_count) {
        code = config->target_sink(config->target_arg, ticket, &n->row->collector, &chosen, e);
    }
    for (size_t i = 0; code == ERR_OK && i < chosen.target_count; i++) {
        code = sqldb_run(
            n->m->store->move, "tsdb_target_seen_put",
            SQLDB_ARGS(uuid_value(&chosen.targets[i].id), sqldb_i64((int64_t)n->row->lsn)), e);
    }
    return code;
}

/* --- deletions --- */

static enum err_code drop_target(struct meta *n, struct err *e)
{
    const struct tsdb_config *config = &n->m->store->front.config;
    struct sqldb_value id = uuid_value(&n->dropped);
    uint64_t ticket = 0;
    enum err_code code = sqldb_run(n->m->store->move, "tsdb_event_drop", SQLDB_ARGS(id), e);

    code = code ? code : sqldb_run(n->m->store->move, "tsdb_text_key_drop", SQLDB_ARGS(id), e);
    code = code ? code : move_count_texts(n->m->store, e);
    if (code == ERR_OK && config->drop_sink) {
        code = take_ticket(n, &ticket, e);
        if (code == ERR_OK) {
            code = config->drop_sink(config->target_arg, ticket, &n->dropped,
                                     json_get(n->drop, "by"), e);
        }
    }
    return code;
}

/* Only the server itself deletes: an agent's rows have a collector. */
static void take_drop(struct meta *n, const struct json *root)
{
    static const struct uuid none;
    const struct json *drop = json_get(root, "drop");

    if (text_uuid_eq(&n->row->collector, &none) &&
        text_parse_uuid(json_str(json_get(drop, "target")), &n->dropped)) {
        n->drop = drop;
    }
}

/* --- one row --- */

static enum err_code put_meta(struct meta *n, struct err *e)
{
    enum err_code code = n->drop ? drop_target(n, e) : ERR_OK;

    code = code ? code : put_events(n, e);
    code = code ? code : put_texts(n, e);
    return code ? code : put_targets(n, e);
}

/* What was accepted once must not stop the line: what cannot be read is left out, loudly. */
static enum err_code move_meta(struct move *m, const struct move_row *row, struct err *e)
{
    const struct json_limits limits = {META_MAX, LIMIT_JSON_DEPTH, false};
    struct meta n = {.m = m, .row = row};
    struct json_doc *doc = NULL;
    struct err bad = {0};
    enum err_code code = ERR_OK;

    if (json_parse(row->meta, &limits, &doc, &bad) ||
        batch_read(&m->arena, json_root(doc), &n.batch, &bad)) {
        log_error(&meta_log, "journal row %llu: events and texts cannot be read: %s",
                  (unsigned long long)row->lsn, bad.text);
    } else {
        take_drop(&n, json_root(doc));
        code = put_meta(&n, e);
    }
    json_doc_free(doc);
    return code;
}

enum err_code move_metas(struct move *m, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < m->row_count; i++) {
        if (m->rows[i].meta.len) {
            code = move_meta(m, &m->rows[i], e);
        }
    }
    return code;
}
