/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_key.h: the master key (key-encryption key), which wraps the data keys of store_seal.h.
 *
 * 32 bytes from a file (64 hexadecimal digits, 0600), from a credential of the service manager
 * (the same form), or by Argon2id from a passphrase whose parameters are in the store. Never in
 * the database: a check value there tells a wrong key from the right one. A key is made only for
 * an empty store.
 *
 * The key that follows is read from the same path with ".next" behind it. It is wrapped for first,
 * then put in place; a start between both takes the one that the check value fits.
 * Owner: struct store_key is the caller's, in locked memory (os/locked.h). Threads: one.
 */
#ifndef STORE_STORE_KEY_H
#define STORE_STORE_KEY_H

#include "store/store.h"

#define STORE_KEY_BYTES      32
#define STORE_KEY_CHECK_SIZE (2 * STORE_KEY_BYTES + 1)
#define STORE_KEY_COST_SIZE  80

enum store_key_kind { STORE_KEY_FILE, STORE_KEY_CREDENTIAL, STORE_KEY_PASSPHRASE };

struct store_key_source {
    enum store_key_kind kind;
    const char *path; /* of the key, or of the passphrase */
};

struct store_key {
    unsigned char bytes[STORE_KEY_BYTES];
    char check[STORE_KEY_CHECK_SIZE]; /* no secret */
    char cost[STORE_KEY_COST_SIZE];   /* parameters of the passphrase; "" = none is used */
};

enum store_key_state {
    STORE_KEY_KNOWN, /* the store has its check value */
    STORE_KEY_NEXT,  /* the same, and it is the one that follows: of a rotation that was cut */
    STORE_KEY_NEW,   /* of an empty store: to be kept by store_key_keep */
};

/* "file", "credential", "passphrase" */
const char *store_key_kind_name(enum store_key_kind kind);
/*
 * Read the key and compare it with the check value. In an empty store a key file that is absent is
 * made; its directory gets mode 0700.
 * Errors: ERR_DENIED wrong key, missing key with data present, or a file others may read
 */
enum err_code store_key_load(struct store *s, const struct store_key_source *from,
                             struct store_key *out, enum store_key_state *state,
                             struct err *e) ERR_MUST_CHECK;
/* Note check value and parameters; between store_begin and store_end. */
enum err_code store_key_keep(struct sqldb *db, const struct store_key *key,
                             struct err *e) ERR_MUST_CHECK;
/* Whether the store's check value is this key's, as the transaction sees it. NOT_FOUND: none. */
enum err_code store_key_compare(struct sqldb *db, const struct store_key *key,
                                struct err *e) ERR_MUST_CHECK;

/* --- Rotation --- */

/* The key that follows: of a file it is made, else the operator gave it (ERR_NOT_FOUND if not). */
enum err_code store_key_next(const struct store_key_source *from, struct store_key *out,
                             struct err *e) ERR_MUST_CHECK;
/* Put it in place; nothing to do but for a file. */
enum err_code store_key_place(const struct store_key_source *from, struct err *e) ERR_MUST_CHECK;

/* A key of its own for a purpose (HKDF-SHA-256). */
void store_key_derive(const unsigned char *from, const char *purpose,
                      unsigned char out[STORE_KEY_BYTES]);

#endif
