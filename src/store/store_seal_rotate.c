/* SPDX-License-Identifier: PostgreSQL */
/* store_seal_rotate.c: replacing the master key and the data key. */
#include "store/store_seal_rotate.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "store/store_audit.h"
#include "store/store_seal_part.h"
#include "tls/crypto.h"

/* --- the master key --- */

struct wrapped {
    uint32_t generation;
    struct str bytes;
};

/* The rows first, then the changes: a cursor over a table that changes is not for both dialects. */
static enum err_code list_wrapped(struct sqldb *db, struct arena *a, struct wrapped **out,
                                  size_t *count, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    bool more = true;
    enum err_code rc = sqldb_query(db, "data_key_list", SQLDB_NO_ARGS, &q, e);

    *out = arena_array(a, STORE_SEAL_GENERATIONS, sizeof(**out));
    *count = 0;
    while (rc == ERR_OK && more && *count < STORE_SEAL_GENERATIONS) {
        rc = sqldb_step(q, &more, e);
        if (rc != ERR_OK || !more || !sqldb_is_null(q, sqldb_column(q, "retired_ms")))
            continue;
        (*out)[*count].generation = (uint32_t)store_i64(q, "generation");
        (*out)[*count].bytes = arena_str(a, sqldb_get_blob(q, sqldb_column(q, "wrapped")));
        ++*count;
    }
    sqldb_end(q);
    return rc;
}

static enum err_code rewrap_one(struct store_seal_ctx *ctx, struct sqldb *db,
                                const struct wrapped *w, struct err *e)
{
    unsigned char key[STORE_KEY_BYTES];
    struct buf out;
    enum err_code rc = store_seal_unwrap(ctx->secret->master.bytes, w->generation, w->bytes, key,
                                         e);

    buf_init(&out, 256);
    if (rc == ERR_OK)
        rc = store_seal_wrap(ctx->secret->next.bytes, w->generation, key, &out, e);
    if (rc == ERR_OK)
        rc = sqldb_run(db, "data_key_wrap",
                       SQLDB_ARGS(sqldb_i64(w->generation), sqldb_blob(out.ptr, out.len)), e);
    crypto_wipe(key, sizeof(key));
    buf_fini(&out);
    return rc;
}

static enum err_code rewrap(struct store_seal_ctx *ctx, struct sqldb *db, struct err *e)
{
    struct wrapped *rows = NULL;
    struct arena a;
    size_t count = 0;
    enum err_code rc;

    arena_init(&a, "rewrap", 65536);
    rc = list_wrapped(db, &a, &rows, &count, e);
    for (size_t i = 0; rc == ERR_OK && i < count; i++)
        rc = rewrap_one(ctx, db, &rows[i], e);
    arena_fini(&a);
    if (rc == ERR_OK)
        rc = store_key_keep(db, &ctx->secret->next, e);
    return rc;
}

/*
 * What lies at the path must be the key in use: else the one that follows would be written over
 * the only copy of it.
 */
static enum err_code check_place(struct store_seal_ctx *ctx, struct err *e)
{
    enum store_key_state state;
    enum err_code rc = store_key_load(ctx->store, &ctx->from, &ctx->secret->next, &state, e);

    if (rc == ERR_OK && state == STORE_KEY_NEXT && ctx->from.kind != STORE_KEY_FILE)
        return err_set(e, ERR_CONFLICT, "put %s.next in place of %s first", ctx->path, ctx->path);
    return rc;
}

static enum err_code replace(struct store_seal_ctx *ctx, struct sqldb *db,
                             const struct store_actor *who, struct err *e)
{
    char object[32];
    enum err_code rc = store_key_compare(db, &ctx->secret->master, e);

    if (rc == ERR_OK)
        rc = check_place(ctx, e);
    if (rc == ERR_OK)
        rc = store_key_next(&ctx->from, &ctx->secret->next, e);
    FAULT_POINT("keys.next_written");
    if (rc == ERR_OK && strcmp(ctx->secret->next.check, ctx->secret->master.check) == 0)
        rc = err_set(e, ERR_CONFLICT, "the key that follows is the one in use");
    if (rc == ERR_OK)
        rc = rewrap(ctx, db, e);
    FAULT_POINT("keys.rewrapped");
    if (rc != ERR_OK)
        return rc;
    (void)snprintf(object, sizeof(object), "master key %.16s", ctx->secret->next.check);
    return store_audit_add(db, who,
                           (struct store_audit_entry){"keys.rotate_master", object,
                                                      store_key_kind_name(ctx->from.kind)},
                           e);
}

static void take_over(struct store_seal_ctx *ctx)
{
    lock_take(&ctx->lock);
    ctx->secret->master = ctx->secret->next;
    ctx->by_next = ctx->from.kind != STORE_KEY_FILE;
    lock_release(&ctx->lock);
}

enum err_code store_seal_rotate_master(struct store_seal_ctx *ctx, const struct store_actor *who,
                                       struct err *e)
{
    struct sqldb *db;
    enum err_code rc;

    lock_take(&ctx->rotating);
    rc = store_begin(ctx->store, &db, e);
    if (rc == ERR_OK)
        rc = store_end(ctx->store, replace(ctx, db, who, e), e);
    if (rc == ERR_OK) {
        take_over(ctx);
        FAULT_POINT("keys.master_committed");
        rc = store_key_place(&ctx->from, e);
    }
    crypto_wipe(&ctx->secret->next, sizeof(ctx->secret->next));
    lock_release(&ctx->rotating);
    return rc;
}

/* --- the data key --- */

/* Generations that are not retired. */
static enum err_code count_live(struct sqldb *db, size_t *out, struct err *e)
{
    struct wrapped *rows;
    struct arena a;
    enum err_code rc;

    arena_init(&a, "keys", 65536);
    rc = list_wrapped(db, &a, &rows, out, e);
    arena_fini(&a);
    return rc;
}

static enum err_code add_generation(struct store_seal_ctx *ctx, struct sqldb *db, uint32_t *made,
                                    unsigned char *key, struct err *e)
{
    int64_t sealed;
    size_t live = 0;
    enum err_code rc = store_seal_newest(db, made, &sealed, e);

    if (rc == ERR_OK)
        rc = count_live(db, &live, e);
    if (rc == ERR_OK && live >= STORE_SEAL_GENERATIONS)
        return err_set(e, ERR_CONFLICT, "%zu data keys wait to be retired: see pga ctl keys status",
                       live);
    ++*made;
    return rc == ERR_OK ? store_seal_add(ctx, db, *made, key, e) : rc;
}

enum err_code store_seal_rotate_data(struct store_seal_ctx *ctx, const struct store_actor *who,
                                     uint32_t *generation, struct err *e)
{
    unsigned char key[STORE_KEY_BYTES];
    char object[32];
    struct sqldb *db;
    enum err_code rc = store_begin(ctx->store, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = add_generation(ctx, db, generation, key, e);
    (void)snprintf(object, sizeof(object), "data key %u", *generation);
    if (rc == ERR_OK)
        rc = store_audit_add(db, who, (struct store_audit_entry){"keys.rotate_data", object, ""},
                             e);
    rc = store_end(ctx->store, rc, e);
    if (rc == ERR_OK) {
        FAULT_POINT("keys.data_committed");
        rc = store_seal_adopt(ctx, *generation, key, e);
    }
    crypto_wipe(key, sizeof(key));
    return rc;
}
