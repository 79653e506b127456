/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_seal.c: sealing and opening of fields.
 *
 * A generation that is not in memory was made by another server of the same store: its row is read
 * and unwrapped then. Should the master key be another one by now, that is read again as well.
 */
#include "store/store_seal.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "store/store_seal_part.h"
#include "tls/crypto.h"

#define VERSION  1
#define HEAD     5 /* version and generation */
#define AAD_SIZE (STORE_SEAL_ROW_MAX + 128)

static enum err_code associate(const struct store_seal_place *place, uint32_t generation,
                               char out[AAD_SIZE], struct err *e)
{
    int len = snprintf(out, AAD_SIZE, "pga|%s|%s|%s|v%d|%u", place->table, place->column,
                       place->row, VERSION, generation);

    if (len < 0 || len >= AAD_SIZE || strlen(place->row) > STORE_SEAL_ROW_MAX)
        return err_set(e, ERR_LIMIT, "the name of a row is too long to seal a field of it");
    return ERR_OK;
}

static bool is_registered(const struct store_seal_place *place)
{
    for (size_t i = 0; i < store_seal_column_count; i++) {
        const struct store_seal_column *c = &store_seal_columns[i];

        if (c->purpose == place->purpose && strcmp(c->table, place->table) == 0 &&
            strcmp(c->column, place->column) == 0)
            return true;
    }
    return false;
}

uint32_t store_seal_generation(struct str sealed)
{
    const unsigned char *p = (const unsigned char *)sealed.ptr;

    if (sealed.len < STORE_SEAL_OVERHEAD || p[0] != VERSION)
        return 0;
    return (uint32_t)p[1] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 8 | p[4];
}

/* --- the key of a generation --- */

static bool in_memory(struct store_seal_ctx *ctx, uint32_t generation,
                      enum store_seal_purpose purpose, unsigned char *key)
{
    bool found = false;

    lock_take(&ctx->lock);
    for (size_t i = 0; i < ctx->count && !found; i++) {
        const struct store_seal_generation *g = &ctx->secret->ring[i];

        found = g->number == generation;
        if (found)
            memcpy(key, g->keys[purpose], STORE_KEY_BYTES);
    }
    lock_release(&ctx->lock);
    return found;
}

/* Another server has replaced the master key. */
static enum err_code read_master(struct store_seal_ctx *ctx, struct err *e)
{
    struct store_key key;
    enum store_key_state state;
    enum err_code rc = store_key_load(ctx->store, &ctx->from, &key, &state, e);

    if (rc == ERR_OK) {
        lock_take(&ctx->lock);
        ctx->secret->master = key;
        lock_release(&ctx->lock);
    }
    crypto_wipe(&key, sizeof(key));
    return rc;
}

static enum err_code unwrap(struct store_seal_ctx *ctx, uint32_t generation, struct str wrapped,
                            struct err *e)
{
    unsigned char master[STORE_KEY_BYTES], key[STORE_KEY_BYTES];
    enum err_code rc;

    store_seal_master(ctx, master);
    rc = store_seal_unwrap(master, generation, wrapped, key, e);
    if (rc == ERR_CORRUPT) {
        rc = read_master(ctx, e);
        store_seal_master(ctx, master);
        if (rc == ERR_OK)
            rc = store_seal_unwrap(master, generation, wrapped, key, e);
    }
    if (rc == ERR_OK)
        rc = store_seal_adopt(ctx, generation, key, e);
    crypto_wipe(master, sizeof(master));
    crypto_wipe(key, sizeof(key));
    return rc;
}

static enum err_code fetch(struct sqldb *db, uint32_t generation, struct buf *wrapped,
                           struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "data_key_get", SQLDB_ARGS(sqldb_i64(generation)), &q, e);

    if (rc == ERR_OK)
        buf_add_str(wrapped, sqldb_get_blob(q, sqldb_column(q, "wrapped")));
    sqldb_end(q);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_CORRUPT, "a sealed field is of data key %u, which is not there",
                       generation);
    return rc == ERR_OK ? buf_check(wrapped, e) : rc;
}

/* db: NULL = the reading connection */
static enum err_code load_generation(struct store_seal_ctx *ctx, struct sqldb *db,
                                     uint32_t generation, struct err *e)
{
    struct buf wrapped;
    enum err_code rc;

    buf_init(&wrapped, 256);
    rc = fetch(db ? db : store_read_begin(ctx->store), generation, &wrapped, e);
    if (db == NULL)
        store_read_end(ctx->store);
    if (rc == ERR_OK)
        rc = unwrap(ctx, generation, buf_view(&wrapped), e);
    buf_fini(&wrapped);
    return rc;
}

struct use {
    struct store_seal_ctx *ctx;
    struct sqldb *db; /* NULL = the reading connection */
    enum store_seal_purpose purpose;
};

/* The key that a field is sealed with. */
struct field_key {
    uint32_t generation;
    unsigned char bytes[STORE_KEY_BYTES];
};

static enum err_code find_key(const struct use *use, struct field_key *k, struct err *e)
{
    enum err_code rc;

    if (in_memory(use->ctx, k->generation, use->purpose, k->bytes))
        return ERR_OK;
    rc = load_generation(use->ctx, use->db, k->generation, e);
    if (rc == ERR_OK && !in_memory(use->ctx, k->generation, use->purpose, k->bytes))
        return err_set(e, ERR_BUG, "data key %u was loaded and is not there", k->generation);
    return rc;
}

/* --- seal --- */

static enum err_code count_use(struct sqldb *db, uint32_t *generation, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    int64_t sealed = 0;
    enum err_code rc = sqldb_row(db, "data_key_use", SQLDB_NO_ARGS, &q, e);

    if (rc == ERR_OK) {
        *generation = (uint32_t)store_i64(q, "generation");
        sealed = store_i64(q, "sealed");
    }
    sqldb_end(q);
    if (rc == ERR_OK && sealed > STORE_SEAL_REFUSE_AT)
        return err_set(e, ERR_LIMIT, "data key %u has sealed too many fields", *generation);
    return rc;
}

/* aead's form is version | nonce | ciphertext | tag; ours has the generation after the version. */
static enum err_code seal_with(const struct field_key *k, struct str aad, struct str plain,
                               struct buf *out, struct err *e)
{
    const unsigned char head[HEAD] = {
        VERSION, (unsigned char)(k->generation >> 24), (unsigned char)(k->generation >> 16),
        (unsigned char)(k->generation >> 8), (unsigned char)k->generation};
    struct buf raw;
    enum err_code rc;

    buf_init(&raw, AEAD_OVERHEAD_BYTES + STORE_SEAL_PLAIN_MAX);
    rc = aead_seal(k->bytes, aad, plain, &raw, e);
    if (rc == ERR_OK) {
        buf_add(out, head, sizeof(head));
        buf_add(out, raw.ptr + 1, raw.len - 1);
        rc = buf_check(out, e);
    }
    buf_fini(&raw);
    return rc;
}

enum err_code store_seal(struct store_seal_ctx *ctx, const struct store_seal_place *place,
                         struct str plain, struct buf *out, struct err *e)
{
    const struct use use = {ctx, store_writing(ctx->store), place->purpose};
    struct field_key k = {0};
    char aad[AAD_SIZE];
    enum err_code rc;

    assert(is_registered(place));
    if (plain.len > STORE_SEAL_PLAIN_MAX)
        return err_set(e, ERR_LIMIT, "a secret has at most %zu bytes", STORE_SEAL_PLAIN_MAX);
    rc = count_use(use.db, &k.generation, e);
    if (rc == ERR_OK)
        rc = associate(place, k.generation, aad, e);
    if (rc == ERR_OK)
        rc = find_key(&use, &k, e);
    if (rc == ERR_OK)
        rc = seal_with(&k, str_of(aad), plain, out, e);
    crypto_wipe(&k, sizeof(k));
    return rc;
}

/* --- unseal --- */

static enum err_code open_with(const unsigned char *key, struct str aad, struct str sealed,
                               struct buf *out, struct err *e)
{
    struct buf raw;
    enum err_code rc;

    buf_init(&raw, AEAD_OVERHEAD_BYTES + STORE_SEAL_PLAIN_MAX);
    buf_add(&raw, sealed.ptr, 1);
    buf_add(&raw, sealed.ptr + HEAD, sealed.len - HEAD);
    rc = buf_check(&raw, e);
    if (rc == ERR_OK)
        rc = aead_open(key, aad, buf_view(&raw), out, e);
    buf_fini(&raw);
    return rc;
}

enum err_code store_unseal(struct store_seal_ctx *ctx, const struct store_seal_place *place,
                           struct str sealed, struct buf *out, struct err *e)
{
    const struct use use = {ctx, NULL, place->purpose};
    struct field_key k = {.generation = store_seal_generation(sealed)};
    char aad[AAD_SIZE];
    enum err_code rc;

    assert(is_registered(place));
    if (k.generation == 0)
        return err_set(e, ERR_CORRUPT, "a sealed field has a wrong form");
    rc = associate(place, k.generation, aad, e);
    if (rc == ERR_OK)
        rc = find_key(&use, &k, e);
    if (rc == ERR_OK)
        rc = open_with(k.bytes, str_of(aad), sealed, out, e);
    crypto_wipe(&k, sizeof(k));
    if (rc == ERR_CORRUPT)
        (void)err_wrap(e, "%s.%s of %s", place->table, place->column, place->row);
    return rc;
}
