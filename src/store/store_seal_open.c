/* SPDX-License-Identifier: PostgreSQL */
/* store_seal_open.c: the keys in memory: loading them at start, making the first ones. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "os/locked.h"
#include "store/store_audit.h"
#include "store/store_seal_part.h"
#include "tls/crypto.h"

static const struct store_actor server = {"server", "", ""};
static const struct store_seal_place tokens = {STORE_SEAL_ROOT, "root_key", "sealed",
                                               STORE_SEAL_TOKENS};

/* --- wrapping --- */

static void place_of(uint32_t generation, char *out, size_t size)
{
    (void)snprintf(out, size, "pga|data_key|wrapped|%u|v1|master", generation);
}

enum err_code store_seal_wrap(const unsigned char *master, uint32_t generation,
                              const unsigned char *key, struct buf *out, struct err *e)
{
    char aad[64];

    place_of(generation, aad, sizeof(aad));
    return aead_seal(master, str_of(aad), str_make(key, STORE_KEY_BYTES), out, e);
}

enum err_code store_seal_unwrap(const unsigned char *master, uint32_t generation,
                                struct str wrapped, unsigned char *key, struct err *e)
{
    struct buf plain;
    char aad[64];
    enum err_code rc;

    place_of(generation, aad, sizeof(aad));
    buf_init(&plain, 256);
    rc = aead_open(master, str_of(aad), wrapped, &plain, e);
    if (rc == ERR_OK && plain.len != STORE_KEY_BYTES)
        rc = err_set(e, ERR_CORRUPT, "not a key");
    if (rc == ERR_OK)
        memcpy(key, plain.ptr, STORE_KEY_BYTES);
    crypto_wipe(plain.ptr, plain.len);
    buf_fini(&plain);
    return rc == ERR_OK ? rc : err_wrap(e, "data key %u", generation);
}

/* --- the keys in memory --- */

static void derive_purposes(struct store_seal_generation *g, const unsigned char *key)
{
    static const char *const names[STORE_SEAL_PURPOSES] = {
        [STORE_SEAL_ROOT] = "root keys",  [STORE_SEAL_CREDENTIAL] = "credentials",
        [STORE_SEAL_TOTP] = "totp seeds", [STORE_SEAL_WEBHOOK] = "webhook secrets",
        [STORE_SEAL_CA] = "ca keys",
    };

    for (size_t i = 0; i < STORE_SEAL_PURPOSES; i++)
        store_key_derive(key, names[i], g->keys[i]);
}

void store_seal_master(struct store_seal_ctx *ctx, unsigned char out[STORE_KEY_BYTES])
{
    lock_take(&ctx->lock);
    memcpy(out, ctx->secret->master.bytes, STORE_KEY_BYTES);
    lock_release(&ctx->lock);
}

static struct store_seal_generation *slot_of(struct store_seal_ctx *ctx, uint32_t generation)
{
    for (size_t i = 0; i < ctx->count; i++) {
        if (ctx->secret->ring[i].number == generation)
            return &ctx->secret->ring[i];
    }
    return ctx->count < STORE_SEAL_GENERATIONS ? &ctx->secret->ring[ctx->count++] : NULL;
}

enum err_code store_seal_adopt(struct store_seal_ctx *ctx, uint32_t generation,
                               const unsigned char *key, struct err *e)
{
    struct store_seal_generation *g;

    lock_take(&ctx->lock);
    g = slot_of(ctx, generation);
    if (g != NULL) {
        g->number = generation;
        derive_purposes(g, key);
    }
    lock_release(&ctx->lock);
    if (g == NULL)
        return err_set(e, ERR_LIMIT, "more than %d data keys are in use", STORE_SEAL_GENERATIONS);
    return ERR_OK;
}

void store_seal_forget(struct store_seal_ctx *ctx, uint32_t generation)
{
    size_t kept = 0;

    lock_take(&ctx->lock);
    for (size_t i = 0; i < ctx->count; i++) {
        if (ctx->secret->ring[i].number >= generation)
            ctx->secret->ring[kept++] = ctx->secret->ring[i];
    }
    for (size_t i = kept; i < ctx->count; i++)
        crypto_wipe(&ctx->secret->ring[i], sizeof(ctx->secret->ring[i]));
    ctx->count = kept;
    lock_release(&ctx->lock);
}

/* --- data keys in the store --- */

enum err_code store_seal_newest(struct sqldb *db, uint32_t *generation, int64_t *sealed,
                                struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "data_key_newest", SQLDB_NO_ARGS, &q, e);

    *generation = 0;
    *sealed = 0;
    if (rc == ERR_OK) {
        *generation = (uint32_t)store_i64(q, "generation");
        *sealed = store_i64(q, "sealed");
    }
    sqldb_end(q);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

enum err_code store_seal_add(struct store_seal_ctx *ctx, struct sqldb *db, uint32_t generation,
                             unsigned char *key, struct err *e)
{
    unsigned char master[STORE_KEY_BYTES];
    struct buf wrapped;
    enum err_code rc;

    entropy_fill(key, STORE_KEY_BYTES);
    buf_init(&wrapped, 256);
    store_seal_master(ctx, master);
    rc = store_seal_wrap(master, generation, key, &wrapped, e);
    crypto_wipe(master, sizeof(master));
    if (rc == ERR_OK)
        rc = sqldb_run(db, "data_key_insert",
                       SQLDB_ARGS(sqldb_i64(generation), sqldb_blob(wrapped.ptr, wrapped.len),
                                  sqldb_i64(clock_wall_ms())),
                       e);
    buf_fini(&wrapped);
    return rc;
}

static enum err_code load_row(struct store_seal_ctx *ctx, struct sqldb_stmt *q, struct err *e)
{
    unsigned char key[STORE_KEY_BYTES];
    uint32_t generation = (uint32_t)store_i64(q, "generation");
    enum err_code rc = ERR_OK;

    if (sqldb_is_null(q, sqldb_column(q, "retired_ms"))) {
        rc = store_seal_unwrap(ctx->secret->master.bytes, generation,
                               sqldb_get_blob(q, sqldb_column(q, "wrapped")), key, e);
        if (rc == ERR_OK)
            rc = store_seal_adopt(ctx, generation, key, e);
    }
    crypto_wipe(key, sizeof(key));
    return rc;
}

static enum err_code load_all(struct store_seal_ctx *ctx, struct sqldb *db, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    bool more = true;
    enum err_code rc = sqldb_query(db, "data_key_list", SQLDB_NO_ARGS, &q, e);

    while (rc == ERR_OK && more) {
        rc = sqldb_step(q, &more, e);
        if (rc == ERR_OK && more)
            rc = load_row(ctx, q, e);
    }
    sqldb_end(q);
    return rc;
}

/* --- the root of the token keys --- */

static void derive_tokens(struct store_seal_ctx *ctx, const unsigned char *root)
{
    struct store_keys *keys = &ctx->secret->tokens;

    store_key_derive(root, "people tokens", keys->people);
    store_key_derive(root, "agent tokens", keys->agents);
    store_key_derive(root, "forms", keys->forms);
    store_key_derive(root, "audit heads", keys->audit);
}

static enum err_code put_root(struct store_seal_ctx *ctx, struct sqldb *db,
                              const unsigned char *root, struct err *e)
{
    struct buf sealed;
    enum err_code rc;

    buf_init(&sealed, 256);
    rc = store_seal(ctx, &tokens, str_make(root, STORE_KEY_BYTES), &sealed, e);
    if (rc == ERR_OK)
        rc = sqldb_run(db, "root_key_insert",
                       SQLDB_ARGS(sqldb_text_c(tokens.row), sqldb_blob(sealed.ptr, sealed.len)), e);
    buf_fini(&sealed);
    return rc;
}

/* A store of before there were data keys signed with the master key: its tokens stay good. */
static enum err_code make_root(struct store_seal_ctx *ctx, struct sqldb *db, bool is_new,
                               struct err *e)
{
    unsigned char root[STORE_KEY_BYTES];
    enum err_code rc;

    if (is_new)
        entropy_fill(root, sizeof(root));
    else
        memcpy(root, ctx->secret->master.bytes, sizeof(root));
    rc = put_root(ctx, db, root, e);
    derive_tokens(ctx, root);
    crypto_wipe(root, sizeof(root));
    /* from here on rows of the audit are signed, and those of before as well */
    sqldb_set_context(db, ctx->secret->tokens.audit);
    return rc == ERR_OK ? store_audit_adopt(db, e) : rc;
}

static enum err_code read_root(struct store_seal_ctx *ctx, struct buf *sealed, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(store_read_begin(ctx->store), "root_key_get",
                                 SQLDB_ARGS(sqldb_text_c(tokens.row)), &q, e);

    if (rc == ERR_OK)
        buf_add_str(sealed, sqldb_get_blob(q, sqldb_column(q, "sealed")));
    sqldb_end(q);
    store_read_end(ctx->store);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_CORRUPT, "the root of the token keys is not there");
    return rc;
}

static enum err_code load_tokens(struct store_seal_ctx *ctx, struct err *e)
{
    struct buf sealed, root;
    enum err_code rc;

    buf_init(&sealed, 1024);
    buf_init(&root, 256);
    rc = read_root(ctx, &sealed, e);
    if (rc == ERR_OK)
        rc = store_unseal(ctx, &tokens, buf_view(&sealed), &root, e);
    if (rc == ERR_OK && root.len != STORE_KEY_BYTES)
        rc = err_set(e, ERR_CORRUPT, "the root of the token keys is no key");
    if (rc == ERR_OK)
        derive_tokens(ctx, (const unsigned char *)root.ptr);
    crypto_wipe(root.ptr, root.len);
    buf_fini(&root);
    buf_fini(&sealed);
    return rc;
}

/* --- start --- */

static enum err_code make_first(struct store_seal_ctx *ctx, struct sqldb *db, bool is_new,
                                struct err *e)
{
    unsigned char key[STORE_KEY_BYTES];
    enum err_code rc = store_seal_add(ctx, db, 1, key, e);

    if (rc == ERR_OK)
        rc = store_seal_adopt(ctx, 1, key, e);
    crypto_wipe(key, sizeof(key));
    if (rc == ERR_OK)
        rc = make_root(ctx, db, is_new, e);
    if (rc == ERR_OK)
        rc = store_audit_add(db, &server,
                             (struct store_audit_entry){"keys.create", "data key 1",
                                                        store_key_kind_name(ctx->from.kind)},
                             e);
    return rc;
}

/* Check value, data key and root come into the store together, or not at all. */
static enum err_code settle(struct store_seal_ctx *ctx, struct sqldb *db, bool is_new,
                            struct err *e)
{
    uint32_t generation;
    int64_t sealed;
    enum err_code rc = store_key_compare(db, &ctx->secret->master, e);

    if (rc == ERR_NOT_FOUND && is_new)
        rc = store_key_keep(db, &ctx->secret->master, e);
    if (rc == ERR_OK)
        rc = store_seal_newest(db, &generation, &sealed, e);
    if (rc == ERR_OK && generation == 0)
        return make_first(ctx, db, is_new, e);
    return rc == ERR_OK ? load_all(ctx, db, e) : rc;
}

static enum err_code load(struct store_seal_ctx *ctx, struct err *e)
{
    enum store_key_state state;
    struct sqldb *db;
    enum err_code rc = store_key_load(ctx->store, &ctx->from, &ctx->secret->master, &state, e);

    if (rc != ERR_OK)
        return rc;
    ctx->by_next = state == STORE_KEY_NEXT && ctx->from.kind != STORE_KEY_FILE;
    rc = store_begin(ctx->store, &db, e);
    if (rc != ERR_OK)
        return rc;
    rc = settle(ctx, db, state == STORE_KEY_NEW, e);
    rc = store_end(ctx->store, rc, e);
    if (rc == ERR_OK)
        rc = load_tokens(ctx, e);
    if (rc == ERR_OK)
        store_set_audit_key(ctx->store, ctx->secret->tokens.audit);
    return rc;
}

enum err_code store_seal_open(struct store *s, const struct store_key_source *from,
                              struct store_seal_ctx **out, struct err *e)
{
    struct store_seal_ctx *ctx = alloc_new(sizeof(*ctx));
    void *secret = NULL;
    enum err_code rc;

    ctx->store = s;
    ctx->path = alloc_strdup(from->path);
    ctx->from = (struct store_key_source){from->kind, ctx->path};
    lock_init(&ctx->rotating, "store.rotating", 99);
    lock_init(&ctx->lock, "store.seal", 102);
    rc = locked_new(sizeof(*ctx->secret), &secret, e);
    ctx->secret = secret;
    if (rc == ERR_OK)
        rc = load(ctx, e);
    if (rc != ERR_OK) {
        store_seal_close(ctx);
        return rc;
    }
    *out = ctx;
    return ERR_OK;
}

void store_seal_close(struct store_seal_ctx *ctx)
{
    if (ctx == NULL)
        return;
    if (ctx->secret != NULL && store_audit_key(ctx->store) == ctx->secret->tokens.audit)
        store_set_audit_key(ctx->store, NULL);
    locked_free(ctx->secret, sizeof(*ctx->secret));
    lock_fini(&ctx->lock);
    lock_fini(&ctx->rotating);
    alloc_free(ctx->path);
    alloc_free(ctx);
}

const struct store_keys *store_seal_keys(const struct store_seal_ctx *ctx)
{
    return &ctx->secret->tokens;
}

const struct store_key_source *store_seal_source(const struct store_seal_ctx *ctx)
{
    return &ctx->from;
}

bool store_seal_by_next(const struct store_seal_ctx *ctx)
{
    return ctx->by_next;
}
