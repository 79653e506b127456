/* SPDX-License-Identifier: PostgreSQL */
/*
 * transfer_table.c: the tables that both kinds of stores have, and copying them.
 *
 * Into PostgreSQL a table is one transaction with the mark. In SQLite the mark is in another file
 * than most tables: a table is emptied first, so that copying it again leaves no trace.
 * A table that is added to a store must get its lines here: test_transfer_tables compares.
 */
#include "store/transfer/transfer_part.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/pack.h"
#include "store/tsdb/postgres/pgstore.h"

#include <string.h>

#define COPY_BYTES      ((size_t)4 * 1024 * 1024)
#define COPY_MAX        ((size_t)512 * 1024 * 1024)
#define TEXT_PACK_MIN   256 /* as the engine packs them */
#define TEXT_PACK_LEVEL 3

#define LIST(table) "transfer_" table "_list", "transfer_" table "_put"

/* Parents before those that refer to them. */
const struct transfer_table transfer_tables[] = {
    {"setting", TRANSFER_CONTROL, "tt", 1, 2, 2, false, LIST("setting"),
     "COPY setting (name, value) FROM STDIN"},
    {"account", TRANSFER_CONTROL, "ittttttiiiit", 1, 12, 12, false, LIST("account"),
     "COPY account (id, username, username_folded, email, full_name, role, password_hash, "
     "is_active, last_login_ms, created_ms, updated_ms, group_names) FROM STDIN"},
    {"session", TRANSFER_CONTROL, "titttiiiti", 1, 10, 10, false, LIST("session"),
     "COPY session (id, account_id, token_hash, refresh_hash, address, created_ms, used_ms, "
     "ended_ms, agent, verified_ms) FROM STDIN"},
    {"session_refresh", TRANSFER_CONTROL, "tti", 1, 3, 3, false, LIST("session_refresh"),
     "COPY session_refresh (refresh_hash, session_id, used_ms) FROM STDIN"},
    {"account_totp", TRANSFER_CONTROL, "ibiii", 1, 5, 5, false, LIST("account_totp"),
     "COPY account_totp (account_id, seed, last_step, enabled_ms, created_ms) FROM STDIN"},
    {"recovery_code", TRANSFER_CONTROL, "tii", 1, 3, 3, false, LIST("recovery_code"),
     "COPY recovery_code (code_hash, account_id, used_ms) FROM STDIN"},
    {"api_token", TRANSFER_CONTROL, "iitttiitii", 1, 10, 10, false, LIST("api_token"),
     "COPY api_token (id, account_id, name, scope, token_hash, expires_ms, last_used_ms, "
     "last_address, created_ms, revoked_ms) FROM STDIN"},
    {"login_failure", TRANSFER_CONTROL, "tii", 1, 3, 3, false, LIST("login_failure"),
     "COPY login_failure (name, failures, last_ms) FROM STDIN"},
    {"registration_secret", TRANSFER_CONTROL, "ittiiiiitittt", 1, 13, 13, false,
     LIST("registration_secret"),
     "COPY registration_secret (id, name, secret_hash, max_registrations, total_registrations, "
     "expires_ms, revoked_ms, last_used_ms, created_by, created_ms, allowed, approval, "
     "group_name) FROM STDIN"},
    {"collector", TRANSFER_CONTROL, "tttttiiiiiiiiitt", 1, 16, 16, false, LIST("collector"),
     "COPY collector (id, name, hostname, address, version, secret_id, samples_total, "
     "last_seen_ms, created_ms, revoked_ms, offline_ms, config_version, config_applied, "
     "config_failed, config_error, group_name) FROM STDIN"},
    {"collector_trust", TRANSFER_CONTROL, "ttttiiitiii", 1, 11, 11, false, LIST("collector_trust"),
     "COPY collector_trust (collector_id, key_hash, certificate, fingerprint, not_after_ms, "
     "issued_ms, used_ms, previous, previous_not_after_ms, pending_ms, suspended_ms) FROM STDIN"},
    {"authority", TRANSFER_CONTROL, "ttittbiiii", 1, 10, 10, false, LIST("authority"),
     "COPY authority (name, kind, generation, certificate, cross_certificate, sealed_key, "
     "not_before_ms, not_after_ms, retire_ms, created_ms) FROM STDIN"},
    {"issued_certificate", TRANSFER_CONTROL, "tttttiii", 1, 8, 8, false, LIST("issued_certificate"),
     "COPY issued_certificate (serial, kind, subject, authority, fingerprint, not_before_ms, "
     "not_after_ms, issued_ms) FROM STDIN"},
    {"collector_slot", TRANSFER_CONTROL, "tii", 2, 3, 3, false, LIST("collector_slot"),
     "COPY collector_slot (collector_id, slot, samples) FROM STDIN"},
    {"collector_config", TRANSFER_CONTROL, "titti", 2, 5, 5, false, LIST("collector_config"),
     "COPY collector_config (collector_id, version, toml, author, created_ms) FROM STDIN"},
    {"target", TRANSFER_CONTROL, "tttttiit", 1, 8, 8, false, LIST("target"),
     "COPY target (id, collector_id, kind, name, attributes, first_seen_ms, updated_ms, "
     "group_name) FROM STDIN"},
    {"managed_instance", TRANSFER_CONTROL, "itttitttbtiititttitiitttttiiiit", 1, 31, 31, false,
     LIST("managed_instance"),
     "COPY managed_instance (id, name, description, endpoint, port, dbname, environment, username, "
     "password, ssl_mode, interval_ms, timeout_ms, tags, is_paused, target_id, collector_id, "
     "stream_id, version, created_by, created_ms, updated_ms, connection, stage, error, fix, "
     "server_version, tried_ms, since_ms, connected_ms, failed_ms, group_name) FROM STDIN"},
    {"audit", TRANSFER_CONTROL, "iitttttttt", 1, 10, 10, false, LIST("audit"),
     "COPY audit (number, at_ms, actor, action, object, detail, address, request, hash, mac) FROM "
     "STDIN"},
    {"audit_head", TRANSFER_CONTROL, "iitit", 1, 5, 5, false, LIST("audit_head"),
     "COPY audit_head (hour, number, hash, at_ms, mac) FROM STDIN"},
    {"data_key", TRANSFER_CONTROL, "ibiii", 1, 5, 5, false, LIST("data_key"),
     "COPY data_key (generation, wrapped, sealed, created_ms, retired_ms) FROM STDIN"},
    {"root_key", TRANSFER_CONTROL, "tb", 1, 2, 2, false, LIST("root_key"),
     "COPY root_key (name, sealed) FROM STDIN"},
    {"stream", TRANSFER_INGEST, "ibbiiiiii", 1, 8, 8, false, LIST("stream"),
     "COPY ts_stream (id, collector, uuid, next_seq, stored, samples, backlog, closed, pushed_ms) "
     "FROM STDIN"},
    {"stream_gap", TRANSFER_INGEST, "iti", 2, 3, 3, false, LIST("stream_gap"),
     "COPY ts_stream_gap (stream, reason, records) FROM STDIN"},
    {"record", TRANSFER_INGEST, "iiibtiiii", 2, 9, 9, false, LIST("record"),
     "COPY ts_record (stream, seq, span, hash, reason, slice_count, sample_count, t_min, t_max) "
     "FROM STDIN"},
    {"dropped_target", TRANSFER_INGEST, "bi", 1, 2, 2, false, LIST("dropped_target"),
     "COPY ts_dropped_target (target, t_ms) FROM STDIN"},
    {"content", TRANSFER_TEXT, "ibt", 1, 3, 3, true, LIST("text"),
     "COPY ts_text (id, hash, body) FROM STDIN"},
    {"text_key", TRANSFER_TEXT, "bttibii", 3, 7, 6, false, LIST("text_key"),
     "COPY ts_text_key (target, kind, key, text, collector, bytes) FROM STDIN"},
    {"event", TRANSFER_EVENT, "iibbtitt", 1, 8, 8, false, LIST("event"),
     "COPY ts_event (id, t_ms, collector, target, kind, severity, title, body) FROM STDIN"},
};
const size_t transfer_table_count = sizeof(transfer_tables) / sizeof(transfer_tables[0]);

/* --- into PostgreSQL --- */

static void put_value(struct buf *out, const struct sqldb_value *v)
{
    switch (v->type) {
    case SQLDB_I64:
        buf_add_i64(out, v->i64);
        break;
    case SQLDB_TEXT:
        pgstore_copy_text(out, v->bytes);
        break;
    case SQLDB_BLOB:
        pgstore_copy_blob(out, v->bytes);
        break;
    case SQLDB_NULL:
    case SQLDB_F64: /* no table has one */
        buf_add_c(out, "\\N");
        break;
    }
}

static size_t copied_columns(const struct transfer_table *table)
{
    /* a column that only PostgreSQL has is in its list, too */
    return table->lite > table->common ? table->common : strlen(table->types);
}

static enum err_code load(struct transfer *t, const struct transfer_table *table, struct buf *rows,
                          struct err *e)
{
    enum err_code code = buf_check(rows, e);

    if (code == ERR_OK && rows->len) {
        code = sqldb_load(t->to.control, table->copy, buf_view(rows), e);
    }
    buf_reset(rows);
    return code;
}

static enum err_code load_rows(struct transfer *t, const struct transfer_rows *r, struct buf *out,
                               struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < r->count; i++) {
        for (size_t c = 0; c < copied_columns(r->table); c++) {
            if (c) {
                buf_add_char(out, '\t');
            }
            put_value(out, &r->rows[i][c]);
        }
        buf_add_char(out, '\n');
        if (out->len > COPY_BYTES) {
            code = load(t, r->table, out, e);
        }
    }
    return code;
}

/* --- into SQLite --- */

static enum err_code put_text(struct sqldb *db, const struct transfer_table *table,
                              const struct sqldb_value *row, struct err *e)
{
    struct str body = row[2].bytes;
    bool pack = body.len >= TEXT_PACK_MIN;
    struct buf packed;
    enum err_code code = ERR_OK;

    buf_init(&packed, 2 * LIMIT_TEXT_BYTES);
    if (pack) {
        code = pack_zstd(body, TEXT_PACK_LEVEL, &packed, e);
    }
    struct str data = pack ? buf_view(&packed) : body;
    if (code == ERR_OK) {
        code = sqldb_run(db, table->put,
                         SQLDB_ARGS(row[0], row[1], sqldb_i64(pack), sqldb_i64((int64_t)body.len),
                                    sqldb_blob(data.ptr, data.len)),
                         e);
    }
    buf_fini(&packed);
    return code;
}

static enum err_code put_rows(struct sqldb *db, const struct transfer_rows *r, struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < r->count; i++) {
        code = r->table->is_text ? put_text(db, r->table, r->rows[i], e)
                                 : sqldb_run(db, r->table->put,
                                             (struct sqldb_args){r->rows[i], r->table->lite}, e);
    }
    return code;
}

enum err_code transfer_table_clear(struct sqldb *db, const char *table, struct err *e)
{
    struct str sql = str_of(sqldb_sql("transfer_clear", SQLDB_SQLITE));
    struct buf text;
    size_t at = 0;

    if (strcmp(table, "setting") == 0) {
        return sqldb_run(db, "transfer_clear_setting", SQLDB_NO_ARGS, e);
    }
    if (!str_find(sql, STR("{table}"), &at)) {
        return err_set(e, ERR_BUG, "no statement transfer_clear");
    }
    buf_init(&text, 4096);
    buf_add(&text, sql.ptr, at);
    buf_add_c(&text, table);
    enum err_code code = buf_check(&text, e);
    code = code ? code : sqldb_script(db, text.ptr, e);
    buf_fini(&text);
    return code;
}

/* --- a table --- */

static enum err_code move_rows(struct transfer *t, const struct transfer_table *table,
                               struct sqldb *db, struct err *e)
{
    struct transfer_pages pages;
    struct transfer_rows rows;
    struct buf out;
    enum err_code code = ERR_OK;

    buf_init(&out, COPY_MAX);
    transfer_pages_begin(&pages, &t->from, table);
    do {
        code = transfer_pages_next(&pages, &rows, e);
        if (code == ERR_OK) {
            code = t->to.pg ? load_rows(t, &rows, &out, e) : put_rows(db, &rows, e);
        }
        t->progress.done += rows.count;
        transfer_tell(t);
    } while (code == ERR_OK && rows.count);
    if (code == ERR_OK && t->to.pg) {
        code = load(t, table, &out, e);
    }
    transfer_pages_end(&pages);
    buf_fini(&out);
    return code;
}

static enum err_code write_table(struct transfer *t, const struct transfer_table *table,
                                 struct sqldb *db, struct err *e)
{
    enum err_code code = t->to.pg ? ERR_OK : transfer_table_clear(db, table->name, e);

    code = code ? code : move_rows(t, table, db, e);
    if (code == ERR_OK && !t->to.pg && table->file == TRANSFER_EVENT) {
        code = sqldb_run(db, "tsdb_event_search_rebuild", SQLDB_NO_ARGS, e);
    }
    t->mark.table++;
    if (code == ERR_OK && db == t->to.control) {
        code = transfer_mark_put(db, &t->mark, e);
    }
    return code;
}

static enum err_code copy_table(struct transfer *t, const struct transfer_table *table,
                                struct err *e)
{
    struct sqldb *db = transfer_file_of(&t->to, table->file);
    enum err_code code = sqldb_begin(db, e);

    if (code) {
        return code;
    }
    t->progress = (struct transfer_progress){.step = table->name};
    code = write_table(t, table, db, e);
    if (code) {
        sqldb_rollback(db);
        return code;
    }
    FAULT_POINT("transfer.table");
    code = sqldb_commit(db, e);
    if (code == ERR_OK && !t->to.pg) {
        code = sqldb_checkpoint(db, e);
    }
    if (code == ERR_OK && db != t->to.control) {
        FAULT_POINT("transfer.table_mark");
        code = transfer_mark_save(t, e);
    }
    return code;
}

enum err_code transfer_tables_copy(struct transfer *t, struct err *e)
{
    enum err_code code = ERR_OK;

    while (code == ERR_OK && t->mark.table < transfer_table_count) {
        const struct transfer_table *table = &transfer_tables[t->mark.table];
        code = copy_table(t, table, e);
        if (code) {
            (void)err_wrap(e, "table %s", table->name);
        }
    }
    return code;
}
