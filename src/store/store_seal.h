/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_seal.h: secrets at rest: fields of the control plane that only a holder of the master key
 * can read.
 *
 * Envelope: the master key (store_key.h) wraps data keys, one a generation, in table data_key; of a
 * data key each purpose has a key of its own (HKDF). A sealed field is
 *     1 | generation (4, big-endian) | nonce (12) | ciphertext | tag (16)
 * by AES-256-GCM with "pga|table|column|row|v1|generation" as associated data, so that a field
 * that is moved to another row, column or table does not open.
 * Invariants: (1) keys in memory lie in one area of os/locked.h and on the stack while they are
 *             used; (2) a place is in store_seal_columns, or its fields would not survive the
 *             rotation of the data key (asserted); (3) the newest generation seals; older ones are
 *             retired when no field is of them.
 * Threads:    any; `lock` guards the keys in memory. store_seal wants the writer's lock, see there.
 *
 * To seal a column of your own: a line in store_seal_columns.c with two statements, a column of
 * type BLOB / BYTEA, and
 *     store_begin(s, &db, e);
 *     place = (struct store_seal_place){STORE_SEAL_CREDENTIAL, "managed", "password", id};
 *     store_seal(seal, &place, plain, &sealed, e);
 *     sqldb_run(db, "managed_put", SQLDB_ARGS(..., sqldb_blob(sealed.ptr, sealed.len)), e);
 *     store_end(s, rc, e);
 */
#ifndef STORE_STORE_SEAL_H
#define STORE_STORE_SEAL_H

#include "base/buf.h"
#include "store/store_key.h"

struct store_seal_ctx;

#define STORE_SEAL_OVERHEAD  (1 + 4 + 12 + 16)
#define STORE_SEAL_ROW_MAX   128                /* bytes of a row's name */
#define STORE_SEAL_ROTATE_AT ((int64_t)1 << 28) /* fields of one data key; then comes the next */
#define STORE_SEAL_REFUSE_AT ((int64_t)1 << 29) /* when nobody made the next */
#define STORE_SEAL_PLAIN_MAX ((size_t)64 * 1024)

enum store_seal_purpose {
    STORE_SEAL_ROOT, /* of other keys */
    STORE_SEAL_CREDENTIAL,
    STORE_SEAL_TOTP,
    STORE_SEAL_WEBHOOK,
    STORE_SEAL_CA,
    STORE_SEAL_PURPOSES
};

/* Where a field lies. Borrowed for the call. */
struct store_seal_place {
    enum store_seal_purpose purpose;
    const char *table, *column;
    const char *row; /* its key as text */
};

/* Keys that are derived from the root "tokens". */
struct store_keys {
    unsigned char people[STORE_KEY_BYTES]; /* tokens of people */
    unsigned char agents[STORE_KEY_BYTES]; /* tokens of agents */
    unsigned char forms[STORE_KEY_BYTES];  /* CSRF values */
    unsigned char audit[STORE_KEY_BYTES];  /* heads of the audit chain */
};

/* --- Life cycle --- */

/*
 * Load the master key and the data keys; in an empty store make them.
 * Errors: those of store_key_load; ERR_CORRUPT for a data key that does not open
 */
enum err_code store_seal_open(struct store *s, const struct store_key_source *from,
                              struct store_seal_ctx **out, struct err *e) ERR_MUST_CHECK;
void store_seal_close(struct store_seal_ctx *ctx); /* wipes all keys; NULL allowed */

/* --- Use --- */

/*
 * Append the sealed form of `plain` to `out`, and count it. Between store_begin and store_end, in
 * the transaction that writes the field.
 * Errors: ERR_LIMIT plain or row too long, or too many fields under one data key
 */
enum err_code store_seal(struct store_seal_ctx *ctx, const struct store_seal_place *place,
                         struct str plain, struct buf *out, struct err *e) ERR_MUST_CHECK;
/*
 * Append the plain form to `out`; the caller wipes it (crypto_wipe) when it is used up, and gives
 * an empty buf, so that no copy is left where it grew. Not between store_read_begin and its end.
 * Errors: ERR_CORRUPT for another place or damaged bytes
 */
enum err_code store_unseal(struct store_seal_ctx *ctx, const struct store_seal_place *place,
                           struct str sealed, struct buf *out, struct err *e) ERR_MUST_CHECK;

/* --- Query --- */

const struct store_keys *store_seal_keys(const struct store_seal_ctx *ctx);
/* The generation of a sealed field; 0 = it is none. */
uint32_t store_seal_generation(struct str sealed);
const struct store_key_source *store_seal_source(const struct store_seal_ctx *ctx);
/* Whether the master key was the one that follows: the operator has to put it in place. */
bool store_seal_by_next(const struct store_seal_ctx *ctx);

/* --- The columns that hold sealed fields --- */

struct store_seal_column {
    enum store_seal_purpose purpose;
    const char *table, *column;
    const char *list; /* $1 generation (4 bytes), $2 how many: place, sealed of others than it */
    const char *put;  /* $1 place, $2 sealed */
};
extern const struct store_seal_column store_seal_columns[];
extern const size_t store_seal_column_count;

#endif
