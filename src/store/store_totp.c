/* SPDX-License-Identifier: PostgreSQL */
/* store_totp.c: see the header. */
#include "store/store_totp.h"

#include <stdio.h>
#include <string.h>

#include "os/clock.h"
#include "os/entropy.h"
#include "store/store_audit.h"
#include "tls/crypto.h"
#include "tls/hash.h"

#define OBJECT_SIZE  32
#define RECOVERY_LEN 12 /* signs, without the dashes */
#define GROUP        4
#define SEALED_MAX   256

struct row {
    unsigned char seed[TOTP_SEED_BYTES];
    int64_t last_step;
    bool in_use;
};

static void object_of(const struct store_totp *t, char out[OBJECT_SIZE])
{
    snprintf(out, OBJECT_SIZE, "user:%lld", (long long)t->account);
}

static enum err_code note(const struct store_totp *t, struct sqldb *db, const char *action,
                          struct err *e)
{
    char object[OBJECT_SIZE];

    object_of(t, object);
    return store_audit_add(db, t->who, (struct store_audit_entry){action, object, ""}, e);
}

/* --- the seed --- */

static struct store_seal_place place_of(const struct store_totp *t, char row[OBJECT_SIZE])
{
    snprintf(row, OBJECT_SIZE, "%lld", (long long)t->account);
    return (struct store_seal_place){STORE_SEAL_TOTP, "account_totp", "seed", row};
}

static enum err_code open_seed(const struct store_totp *t, struct str sealed, struct row *out,
                               struct err *e)
{
    char row[OBJECT_SIZE];
    struct store_seal_place place = place_of(t, row);
    struct buf plain;
    enum err_code rc;

    buf_init(&plain, SEALED_MAX);
    rc = store_unseal(t->seal, &place, sealed, &plain, e);
    if (rc == ERR_OK && plain.len != TOTP_SEED_BYTES)
        rc = err_set(e, ERR_CORRUPT, "the seed of account %s has another length", row);
    if (rc == ERR_OK)
        memcpy(out->seed, plain.ptr, TOTP_SEED_BYTES);
    crypto_wipe(plain.ptr, plain.len);
    buf_fini(&plain);
    return rc;
}

/* Between store_begin and store_end. ERR_NOT_FOUND */
static enum err_code load(const struct store_totp *t, struct sqldb *db, struct row *out,
                          struct err *e)
{
    struct sqldb_stmt *q = NULL;
    struct buf sealed;
    enum err_code rc = sqldb_row(db, "totp_get", SQLDB_ARGS(sqldb_i64(t->account)), &q, e);

    buf_init(&sealed, SEALED_MAX);
    if (rc == ERR_OK) {
        out->last_step = store_i64(q, "last_step");
        out->in_use = store_ms(q, "enabled_ms") != 0;
        buf_add_str(&sealed, sqldb_get_blob(q, sqldb_column(q, "seed")));
        rc = buf_check(&sealed, e);
    }
    sqldb_end(q);
    if (rc == ERR_OK)
        rc = open_seed(t, buf_view(&sealed), out, e);
    buf_fini(&sealed);
    return rc;
}

enum err_code store_totp_begin(const struct store_totp *t, unsigned char seed[TOTP_SEED_BYTES],
                               struct err *e)
{
    char row[OBJECT_SIZE];
    struct store_seal_place place = place_of(t, row);
    struct buf sealed;
    struct sqldb *db;
    enum err_code rc = store_begin(t->store, &db, e);

    if (rc != ERR_OK)
        return rc;
    entropy_fill(seed, TOTP_SEED_BYTES);
    buf_init(&sealed, SEALED_MAX);
    rc = store_seal(t->seal, &place, str_make(seed, TOTP_SEED_BYTES), &sealed, e);
    if (rc == ERR_OK)
        rc = sqldb_run(db, "totp_put",
                       SQLDB_ARGS(sqldb_i64(t->account), sqldb_blob(sealed.ptr, sealed.len),
                                  sqldb_i64(clock_wall_ms())),
                       e);
    if (rc == ERR_OK && sqldb_changes(db) == 0)
        rc = err_set(e, ERR_CONFLICT, "a second factor is in use; end it first");
    if (rc == ERR_OK)
        rc = note(t, db, "totp.begin", e);
    buf_fini(&sealed);
    return store_end(t->store, rc, e);
}

/* --- recovery codes --- */

static void make_recovery(char out[STORE_TOTP_RECOVERY])
{
    /* 32 signs without those that look alike: five random bits each */
    static const char signs[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    unsigned char random[RECOVERY_LEN];
    size_t n = 0;

    entropy_fill(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) {
        if (i > 0 && i % GROUP == 0)
            out[n++] = '-';
        out[n++] = signs[random[i] % 32];
    }
    out[n] = '\0';
    crypto_wipe(random, sizeof(random));
}

/* As it is kept; people may leave out the dashes and write small letters. */
static bool recovery_mac(const struct store_totp *t, struct str code, char out[HASH_HEX_SIZE])
{
    char text[64], signs[RECOVERY_LEN + 1];
    unsigned char mac[HASH_BYTES];
    size_t n = 0;

    for (size_t i = 0; i < code.len; i++) {
        char c = code.ptr[i];

        if (c == '-' || c == ' ')
            continue;
        if (n == RECOVERY_LEN)
            return false;
        signs[n++] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    if (n != RECOVERY_LEN)
        return false;
    signs[n] = '\0';
    snprintf(text, sizeof(text), "recovery|%lld|%s", (long long)t->account, signs);
    hash_hmac(str_make(store_seal_keys(t->seal)->forms, STORE_KEY_BYTES), str_of(text), mac);
    text_hex(mac, sizeof(mac), out);
    crypto_wipe(text, sizeof(text));
    crypto_wipe(signs, sizeof(signs));
    return true;
}

static enum err_code put_recoveries(const struct store_totp *t, struct sqldb *db,
                                    struct store_totp_recovery *out, struct err *e)
{
    char mac[HASH_HEX_SIZE];
    enum err_code rc = sqldb_run(db, "recovery_delete", SQLDB_ARGS(sqldb_i64(t->account)), e);

    for (size_t i = 0; rc == ERR_OK && i < STORE_TOTP_RECOVERIES; i++) {
        make_recovery(out->codes[i]);
        (void)recovery_mac(t, str_of(out->codes[i]), mac);
        rc = sqldb_run(db, "recovery_insert", SQLDB_ARGS(sqldb_text_c(mac), sqldb_i64(t->account)),
                       e);
    }
    return rc;
}

static enum err_code count_recoveries(struct sqldb *db, int64_t account, int64_t *out,
                                      struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "recovery_left", SQLDB_ARGS(sqldb_i64(account)), &q, e);

    if (rc == ERR_OK)
        *out = store_i64(q, "total");
    sqldb_end(q);
    return rc;
}

/* --- states --- */

enum err_code store_totp_state(const struct store_totp *t, struct store_totp_state *out,
                               struct err *e)
{
    struct sqldb *db = store_read_begin(t->store);
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(db, "totp_get", SQLDB_ARGS(sqldb_i64(t->account)), &q, e);

    *out = (struct store_totp_state){.in_use = rc == ERR_OK && store_ms(q, "enabled_ms") != 0};
    sqldb_end(q);
    if (rc == ERR_NOT_FOUND)
        rc = ERR_OK;
    if (rc == ERR_OK)
        rc = count_recoveries(db, t->account, &out->recovery_left, e);
    store_read_end(t->store);
    return rc;
}

/* Which step the code is of, that no code before was of; 0 = none. */
static int64_t step_of(const struct row *row, struct str code)
{
    return totp_match(row->seed, code, clock_wall_ms() / 1000, row->last_step);
}

/* Mark the code of a step as taken, when it is one (0: no). *right: whether this call did. */
static enum err_code take_step(const struct store_totp *t, struct sqldb *db, int64_t step,
                               bool *right, struct err *e)
{
    enum err_code rc;

    *right = false;
    if (step == 0)
        return ERR_OK;
    rc = sqldb_run(db, "totp_step", SQLDB_ARGS(sqldb_i64(t->account), sqldb_i64(step)), e);
    *right = rc == ERR_OK && sqldb_changes(db) == 1;
    return rc;
}

static enum err_code enable(const struct store_totp *t, struct sqldb *db, struct str code,
                            struct err *e)
{
    struct row row = {.in_use = false};
    bool right = false;
    enum err_code rc = load(t, db, &row, e);

    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND, "there is no seed to be enabled: ask for one first");
    if (rc == ERR_OK && row.in_use)
        rc = err_set(e, ERR_CONFLICT, "a second factor is in use already");
    if (rc == ERR_OK)
        rc = take_step(t, db, step_of(&row, code), &right, e);
    if (rc == ERR_OK && !right)
        rc = err_set(e, ERR_INVALID,
                     "code: not one of this seed; is the clock of the device right?");
    if (rc == ERR_OK)
        rc = sqldb_run(db, "totp_enable",
                       SQLDB_ARGS(sqldb_i64(t->account), sqldb_i64(clock_wall_ms())), e);
    crypto_wipe(&row, sizeof(row));
    return rc;
}

enum err_code store_totp_enable(const struct store_totp *t, struct str code,
                                struct store_totp_recovery *out, struct err *e)
{
    struct sqldb *db;
    enum err_code rc = store_begin(t->store, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = enable(t, db, code, e);
    if (rc == ERR_OK)
        rc = put_recoveries(t, db, out, e);
    if (rc == ERR_OK)
        rc = note(t, db, "totp.enable", e);
    return store_end(t->store, rc, e);
}

static enum err_code take_recovery(const struct store_totp *t, struct sqldb *db, struct str code,
                                   bool *right, struct err *e)
{
    char mac[HASH_HEX_SIZE];
    enum err_code rc;

    if (!recovery_mac(t, code, mac))
        return ERR_OK;
    rc = sqldb_run(db, "recovery_use",
                   SQLDB_ARGS(sqldb_text_c(mac), sqldb_i64(t->account), sqldb_i64(clock_wall_ms())),
                   e);
    *right = rc == ERR_OK && sqldb_changes(db) == 1;
    return rc == ERR_OK && *right ? note(t, db, "totp.recovery", e) : rc;
}

enum err_code store_totp_take(const struct store_totp *t, struct str code, bool *right,
                              struct err *e)
{
    struct row row = {.in_use = false};
    struct sqldb *db;
    enum err_code rc = store_begin(t->store, &db, e);

    *right = false;
    if (rc != ERR_OK)
        return rc;
    rc = load(t, db, &row, e);
    if (rc == ERR_OK && row.in_use && code.len == TOTP_DIGITS)
        rc = take_step(t, db, step_of(&row, code), right, e);
    else if (rc == ERR_OK && row.in_use)
        rc = take_recovery(t, db, code, right, e);
    crypto_wipe(&row, sizeof(row));
    return store_end(t->store, rc == ERR_NOT_FOUND ? ERR_OK : rc, e);
}

enum err_code store_totp_disable(const struct store_totp *t, struct err *e)
{
    struct sqldb *db;
    enum err_code rc = store_begin(t->store, &db, e);

    if (rc != ERR_OK)
        return rc;
    rc = sqldb_run(db, "totp_delete", SQLDB_ARGS(sqldb_i64(t->account)), e);
    if (rc == ERR_OK && sqldb_changes(db) == 0)
        rc = err_set(e, ERR_NOT_FOUND, "there is no second factor");
    if (rc == ERR_OK)
        rc = sqldb_run(db, "recovery_delete", SQLDB_ARGS(sqldb_i64(t->account)), e);
    if (rc == ERR_OK)
        rc = note(t, db, "totp.disable", e);
    return store_end(t->store, rc, e);
}
