/* SPDX-License-Identifier: PostgreSQL */
/*
 * migrate_audit.c: whether the audit of a store is whole, with no server at hand.
 *
 * The chain of hashes is followed in any case; signatures only with the master key.
 */
#include "app/migrate/migrate.h"

#include <string.h>
#include <unistd.h>

#include "sqldb/sqldb.h"
#include "store/store_audit.h"
#include "store/store_seal.h"
#include "tls/crypto.h"

static enum err_code with_key(const char *url, const char *key, struct store_audit_verdict *out,
                              struct err *e)
{
    const struct store_key_source from = {STORE_KEY_FILE, key};
    struct store_seal_ctx *seal = NULL;
    struct store *s = NULL;
    enum err_code rc = crypto_init(e);

    rc = rc ? rc : store_open(url, &s, e);
    rc = rc ? rc : store_seal_open(s, &from, &seal, e);
    rc = rc ? rc : store_audit_verify(s, NULL, out, e);
    store_seal_close(seal);
    store_close(s);
    return rc;
}

static enum err_code without_key(const char *url, struct store_audit_verdict *out, struct err *e)
{
    const struct sqldb_options options = {.flags = SQLDB_READ_ONLY};
    struct sqldb *db = NULL;
    enum err_code rc = sqldb_open(url, &options, &db, e);

    rc = rc ? rc : store_audit_check(db, NULL, out, e);
    sqldb_close(db);
    return rc;
}

/* A store that no server ever opened has no data key; verify must not be what makes one. */
static enum err_code has_keys(const char *url, bool *out, struct err *e)
{
    const struct sqldb_options options = {.flags = SQLDB_READ_ONLY};
    struct sqldb_stmt *q = NULL;
    struct sqldb *db = NULL;
    enum err_code rc = sqldb_open(url, &options, &db, e);

    rc = rc ? rc : sqldb_row(db, "data_key_newest", SQLDB_NO_ARGS, &q, e);
    *out = rc == ERR_OK;
    sqldb_end(q);
    sqldb_close(db);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

enum err_code migrate_audit(const char *url, const char *key, struct migrate_audit *out,
                            struct err *e)
{
    struct store_audit_verdict verdict = {0};
    bool keys = false;
    enum err_code rc = has_keys(url, &keys, e);

    out->is_signed = rc == ERR_OK && keys && key[0] != '\0' && access(key, F_OK) == 0;
    if (rc == ERR_OK)
        rc = out->is_signed ? with_key(url, key, &verdict, e) : without_key(url, &verdict, e);
    out->rows = verdict.rows;
    out->signed_to = verdict.signed_to;
    out->bad = verdict.bad;
    memcpy(out->finding, verdict.finding, sizeof(out->finding));
    return rc;
}
