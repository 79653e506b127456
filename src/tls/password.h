/* SPDX-License-Identifier: PostgreSQL */
/*
 * password.h: hashing of people's passwords: Argon2id, 19456 KiB, 2 passes, 1 lane.
 *
 * One computation takes 19 MiB and some tens of milliseconds; at most 2 run at once and at most 16
 * callers wait, so that a storm of logins cannot take the memory or the CPU of ingest.
 * Threads: any.
 */
#ifndef TLS_PASSWORD_H
#define TLS_PASSWORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define PASSWORD_HASH_SIZE 128
#define PASSWORD_MIN_BYTES 12
#define PASSWORD_MAX_BYTES 128

/* Before threads start. */
void password_init(void);
/*
 * The rules for a new password: its length in bytes, and that it is not one of those that are tried
 * first (password_common.h). ERR_INVALID says which.
 */
enum err_code password_check_new(struct str password, struct err *e) ERR_MUST_CHECK;
/* out: the PHC string. ERR_LIMIT when too many wait. */
enum err_code password_hash(struct str password, char out[PASSWORD_HASH_SIZE],
                            struct err *e) ERR_MUST_CHECK;
/* Whether a PHC string was made with other parameters than ours. */
bool password_is_old(const char *hash);
/*
 * Compare with a PHC string. hash: NULL = there is no such user; the same work is done and the
 * answer is "no", so that the time tells nothing.
 * Errors: ERR_LIMIT when too many wait; ERR_CORRUPT for a string that is none.
 */
enum err_code password_verify(const char *hash, struct str password, bool *matches,
                              struct err *e) ERR_MUST_CHECK;

/* --- A key from a passphrase --- */

/* The second recommendation of RFC 9106 with one lane; computed once, at start. */
#define PASSWORD_KEY_MEMORY_KIB 65536
#define PASSWORD_KEY_PASSES     3
#define PASSWORD_KEY_LANES      1
#define PASSWORD_KEY_BYTES      32
#define PASSWORD_SALT_BYTES     16

struct password_cost {
    uint32_t memory_kib, passes, lanes;
    unsigned char salt[PASSWORD_SALT_BYTES];
};
/*
 * The key of a passphrase, by Argon2id. Waits for nobody: not for requests.
 * Errors: ERR_CORRUPT for a cost that no store of ours has, ERR_LIMIT without memory
 */
enum err_code password_key(struct str passphrase, const struct password_cost *cost,
                           unsigned char out[PASSWORD_KEY_BYTES], struct err *e) ERR_MUST_CHECK;

#endif
