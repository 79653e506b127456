/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_totp.h: the second factor of an account: codes of an app, and ten recovery codes.
 *
 *     none --begin--> shown --enable, with a code--> in use --disable--> none
 *
 * A code is taken once, a recovery code as well. Seeds are sealed; of recovery codes there are MACs
 * under a key of the master key, so that the database alone does not help.
 */
#ifndef STORE_STORE_TOTP_H
#define STORE_STORE_TOTP_H

#include "store/store_seal.h"
#include "tls/totp.h"

#define STORE_TOTP_RECOVERIES 10
#define STORE_TOTP_RECOVERY   15 /* XXXX-XXXX-XXXX and a NUL: 60 random bits */

/* Whose, and with what. Borrowed for the call. */
struct store_totp {
    struct store *store;
    struct store_seal_ctx *seal;
    const struct store_actor *who;
    int64_t account;
};

struct store_totp_state {
    bool in_use;
    int64_t recovery_left;
};
enum err_code store_totp_state(const struct store_totp *t, struct store_totp_state *out,
                               struct err *e) ERR_MUST_CHECK;
/*
 * A new seed, to be put into an app; the caller wipes it. Nothing is asked for until it is in use.
 * Errors: ERR_CONFLICT when one is in use
 */
enum err_code store_totp_begin(const struct store_totp *t, unsigned char seed[TOTP_SEED_BYTES],
                               struct err *e) ERR_MUST_CHECK;
struct store_totp_recovery {
    char codes[STORE_TOTP_RECOVERIES][STORE_TOTP_RECOVERY]; /* shown once; the caller wipes them */
};
/*
 * The seed is in an app, as this code of it shows.
 * Errors: ERR_INVALID another code; ERR_NOT_FOUND nothing was begun; ERR_CONFLICT in use already
 */
enum err_code store_totp_enable(const struct store_totp *t, struct str code,
                                struct store_totp_recovery *out, struct err *e) ERR_MUST_CHECK;
/*
 * Take a code of the app, or a recovery code: both only once. *right: false for any other, and when
 * no factor is in use.
 */
enum err_code store_totp_take(const struct store_totp *t, struct str code, bool *right,
                              struct err *e) ERR_MUST_CHECK;
/* No second factor any more. ERR_NOT_FOUND: there was none. */
enum err_code store_totp_disable(const struct store_totp *t, struct err *e) ERR_MUST_CHECK;

#endif
