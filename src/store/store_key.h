/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_key.h: the master key and what is derived from it.
 *
 * 32 random bytes in keys/master.key (0600, hexadecimal), outside the database. The file is made
 * only while the store is empty; a check value in the database tells a wrong key from the right
 * one. Without the right key the server does not start.
 */
#ifndef STORE_STORE_KEY_H
#define STORE_STORE_KEY_H

#include "store/store.h"

#define STORE_KEY_BYTES 32

struct store_keys {
    unsigned char people[STORE_KEY_BYTES];  /* tokens of people */
    unsigned char agents[STORE_KEY_BYTES];  /* tokens of agents */
    unsigned char forms[STORE_KEY_BYTES];   /* CSRF values */
    unsigned char sealing[STORE_KEY_BYTES]; /* stored credentials */
};

/*
 * path: of the key file; its directory is made with mode 0700.
 * Errors: ERR_DENIED wrong key, missing key with data present, or a file others may read
 */
enum err_code store_key_load(struct store *s, const char *path, struct store_keys *out,
                             struct err *e) ERR_MUST_CHECK;

#endif
