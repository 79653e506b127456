/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_seal_renew.c: sealing fields anew with the newest data key, and how far that is.
 *
 * A field that does not open stays as it is, and with it the key that it names: it is told and
 * nothing is retired until it is gone or was written again.
 */
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "os/clock.h"
#include "store/store_audit.h"
#include "store/store_seal_part.h"
#include "store/store_seal_rotate.h"
#include "tls/crypto.h"

#define STEP_FIELDS 64 /* in one transaction: other writers wait for it */
#define TICK_STEPS  16
#define STEP_ARENA  ((size_t)16 * 1024 * 1024)
#define ALL_FIELDS  1000000 /* no store has as many secrets */
#define KEYS_MAX    4096    /* generations that a status lists */

static const struct store_actor server = {"server", "", ""};

struct field {
    const char *place;
    struct str sealed;
};

/* Fields of a column that are of another generation. */
struct page {
    struct sqldb *db;
    struct arena *arena;
    uint32_t generation;
    size_t limit;
    void (*take)(void *arg, const struct field *field);
    void *arg;
};

static enum err_code each_field(const struct page *p, const struct store_seal_column *column,
                                struct err *e)
{
    const unsigned char bytes[4] = {
        (unsigned char)(p->generation >> 24), (unsigned char)(p->generation >> 16),
        (unsigned char)(p->generation >> 8), (unsigned char)p->generation};
    struct sqldb_stmt *q = NULL;
    bool more = true;
    enum err_code rc = sqldb_query(
        p->db, column->list, SQLDB_ARGS(sqldb_blob(bytes, 4), sqldb_i64((int64_t)p->limit)), &q, e);

    while (rc == ERR_OK && more) {
        rc = sqldb_step(q, &more, e);
        if (rc == ERR_OK && more) {
            struct field field = {
                store_text(q, p->arena, "place"),
                arena_str(p->arena, sqldb_get_blob(q, sqldb_column(q, "sealed")))};

            p->take(p->arg, &field);
        }
    }
    sqldb_end(q);
    return rc == ERR_OK ? arena_check(p->arena, e) : rc;
}

/* --- a step --- */

struct step {
    struct store_seal_ctx *ctx;
    struct page page;
    struct field fields[STEP_FIELDS];
    size_t count;
    size_t renewed, stuck;
};

static void keep_field(void *arg, const struct field *field)
{
    struct step *s = arg;

    if (s->count < STEP_FIELDS)
        s->fields[s->count++] = *field;
}

static enum err_code renew(struct step *s, const struct store_seal_column *column,
                           const struct field *field, struct err *e)
{
    const struct store_seal_place place = {column->purpose, column->table, column->column,
                                           field->place};
    struct buf plain, sealed;
    enum err_code rc;

    buf_init(&plain, STORE_SEAL_PLAIN_MAX);
    buf_init(&sealed, STORE_SEAL_PLAIN_MAX + STORE_SEAL_OVERHEAD);
    rc = store_unseal(s->ctx, &place, field->sealed, &plain, e);
    if (rc == ERR_OK)
        rc = store_seal(s->ctx, &place, buf_view(&plain), &sealed, e);
    if (rc == ERR_OK)
        rc = sqldb_run(s->page.db, column->put,
                       SQLDB_ARGS(sqldb_text_c(field->place), sqldb_blob(sealed.ptr, sealed.len)),
                       e);
    crypto_wipe(plain.ptr, plain.len);
    buf_fini(&plain);
    buf_fini(&sealed);
    return rc;
}

static void tell_stuck(struct store_seal_ctx *ctx, const char *text)
{
    lock_take(&ctx->lock);
    (void)snprintf(ctx->stuck, sizeof(ctx->stuck), "%s", text);
    lock_release(&ctx->lock);
}

static enum err_code renew_column(struct step *s, const struct store_seal_column *column,
                                  struct err *e)
{
    enum err_code rc;

    s->count = 0;
    s->page.limit = STEP_FIELDS;
    rc = each_field(&s->page, column, e);
    for (size_t i = 0; rc == ERR_OK && i < s->count; i++) {
        rc = renew(s, column, &s->fields[i], e);
        if (rc == ERR_CORRUPT) {
            tell_stuck(s->ctx, e->text);
            s->stuck++;
            rc = ERR_OK;
        } else {
            s->renewed++;
        }
    }
    return rc;
}

static enum err_code retire(struct step *s, struct err *e)
{
    char object[48];
    enum err_code rc = sqldb_run(
        s->page.db, "data_key_retire",
        SQLDB_ARGS(sqldb_i64(s->page.generation), sqldb_blob("", 0), sqldb_i64(clock_wall_ms())),
        e);

    FAULT_POINT("keys.retiring");
    (void)snprintf(object, sizeof(object), "data keys before %u", s->page.generation);
    if (rc == ERR_OK)
        rc = store_audit_add(s->page.db, &server,
                             (struct store_audit_entry){"keys.retire", object, ""}, e);
    return rc;
}

static enum err_code oldest_live(struct sqldb *db, uint32_t *out, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "data_key_oldest", SQLDB_NO_ARGS, &q, e);

    *out = 0;
    if (rc == ERR_OK)
        *out = (uint32_t)store_i64(q, "generation");
    sqldb_end(q);
    return rc;
}

static enum err_code step_in(struct step *s, bool *retired, struct err *e)
{
    uint32_t oldest = 0;
    int64_t sealed;
    enum err_code rc = store_seal_newest(s->page.db, &s->page.generation, &sealed, e);

    *retired = false;
    if (rc == ERR_OK)
        rc = oldest_live(s->page.db, &oldest, e);
    if (rc != ERR_OK || oldest == s->page.generation)
        return rc;
    for (size_t i = 0; rc == ERR_OK && i < store_seal_column_count; i++)
        rc = renew_column(s, &store_seal_columns[i], e);
    FAULT_POINT("keys.stepped");
    if (rc != ERR_OK || s->renewed + s->stuck > 0)
        return rc;
    *retired = true;
    return retire(s, e);
}

enum err_code store_seal_step(struct store_seal_ctx *ctx, bool *more, struct err *e)
{
    struct step s = {.ctx = ctx};
    struct arena a;
    bool retired = false;
    enum err_code rc = store_begin(ctx->store, &s.page.db, e);

    *more = false;
    if (rc != ERR_OK)
        return rc;
    arena_init(&a, "renew", STEP_ARENA);
    s.page.arena = &a;
    s.page.take = keep_field;
    s.page.arg = &s;
    rc = store_end(ctx->store, step_in(&s, &retired, e), e);
    arena_fini(&a);
    if (rc == ERR_OK && retired)
        store_seal_forget(ctx, s.page.generation);
    if (rc == ERR_OK && s.stuck == 0)
        tell_stuck(ctx, "");
    *more = rc == ERR_OK && s.renewed > 0;
    return rc;
}

static enum err_code rotate_when_due(struct store_seal_ctx *ctx, struct err *e)
{
    uint32_t generation;
    int64_t sealed = 0;
    enum err_code rc = store_seal_newest(store_read_begin(ctx->store), &generation, &sealed, e);

    store_read_end(ctx->store);
    if (rc == ERR_OK && sealed >= STORE_SEAL_ROTATE_AT)
        rc = store_seal_rotate_data(ctx, &server, &generation, e);
    return rc;
}

/* Whether older data keys than the newest are in use; asked without a writer's lock. */
static enum err_code has_older(struct store_seal_ctx *ctx, bool *out, struct err *e)
{
    struct sqldb *db = store_read_begin(ctx->store);
    uint32_t newest = 0, oldest = 0;
    int64_t sealed;
    enum err_code rc = store_seal_newest(db, &newest, &sealed, e);

    if (rc == ERR_OK)
        rc = oldest_live(db, &oldest, e);
    store_read_end(ctx->store);
    *out = oldest != newest;
    return rc;
}

enum err_code store_seal_tick(struct store_seal_ctx *ctx, struct err *e)
{
    bool more = false;
    enum err_code rc = rotate_when_due(ctx, e);

    if (rc == ERR_OK)
        rc = has_older(ctx, &more, e);
    for (int i = 0; rc == ERR_OK && more && i < TICK_STEPS; i++)
        rc = store_seal_step(ctx, &more, e);
    return rc;
}

/* --- status --- */

static void count_field(void *arg, const struct field *field)
{
    struct store_seal_status *st = arg;
    uint32_t generation = store_seal_generation(field->sealed);

    for (size_t i = 0; i < st->count; i++) {
        if (st->keys[i].generation == generation)
            st->keys[i].fields++;
    }
    st->left += st->count > 0 && generation != st->keys[st->count - 1].generation;
}

static enum err_code list_keys(struct sqldb *db, struct arena *a, struct store_seal_status *st,
                               struct err *e)
{
    struct sqldb_stmt *q = NULL;
    bool more = true;
    enum err_code rc = sqldb_query(db, "data_key_list", SQLDB_NO_ARGS, &q, e);

    st->keys = arena_array(a, KEYS_MAX, sizeof(*st->keys));
    while (rc == ERR_OK && more && st->keys != NULL && st->count < KEYS_MAX) {
        rc = sqldb_step(q, &more, e);
        if (rc == ERR_OK && more)
            st->keys[st->count++] = (struct store_seal_data_key){
                .generation = (uint32_t)store_i64(q, "generation"),
                .sealed = store_i64(q, "sealed"),
                .created_ms = store_ms(q, "created_ms"),
                .retired_ms = store_ms(q, "retired_ms"),
            };
    }
    sqldb_end(q);
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

static void read_memory(struct store_seal_ctx *ctx, struct arena *a, struct store_seal_status *st)
{
    st->source = store_key_kind_name(ctx->from.kind);
    lock_take(&ctx->lock);
    st->by_next = ctx->by_next;
    (void)snprintf(st->check, sizeof(st->check), "%.16s", ctx->secret->master.check);
    st->stuck = ctx->stuck[0] != '\0' ? arena_strndup(a, ctx->stuck, strlen(ctx->stuck)) : NULL;
    lock_release(&ctx->lock);
}

enum err_code store_seal_status(struct store_seal_ctx *ctx, struct arena *a,
                                struct store_seal_status *out, struct err *e)
{
    /* no field is of generation 0: all are listed */
    struct page page = {.limit = ALL_FIELDS, .take = count_field, .arg = out};
    struct arena scratch;
    enum err_code rc;

    *out = (struct store_seal_status){0};
    read_memory(ctx, a, out);
    arena_init(&scratch, "fields", STEP_ARENA);
    page.arena = &scratch;
    page.db = store_read_begin(ctx->store);
    rc = list_keys(page.db, a, out, e);
    for (size_t i = 0; rc == ERR_OK && i < store_seal_column_count; i++) {
        rc = each_field(&page, &store_seal_columns[i], e);
        arena_reset(&scratch);
    }
    store_read_end(ctx->store);
    arena_fini(&scratch);
    return rc;
}
