/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_seal_part.h: what the files of store_seal share: the keys in memory, and making more.
 *
 * Not for others. Locks: `lock` may be taken inside the store's own; nothing is taken inside it.
 */
#ifndef STORE_STORE_SEAL_PART_H
#define STORE_STORE_SEAL_PART_H

#include "base/thread.h"
#include "store/store_seal.h"
#include "tls/aead.h"

#define STORE_SEAL_GENERATIONS 16 /* that are not retired */
#define STORE_SEAL_TOKENS      "tokens"
#define STORE_SEAL_WRAPPED     (AEAD_OVERHEAD_BYTES + STORE_KEY_BYTES)

struct store_seal_generation {
    uint32_t number;
    unsigned char keys[STORE_SEAL_PURPOSES][STORE_KEY_BYTES];
};

/* All that is secret; in locked memory. */
struct store_seal_secret {
    struct store_key master;
    struct store_key next; /* while the master key is replaced */
    struct store_keys tokens;
    struct store_seal_generation ring[STORE_SEAL_GENERATIONS];
};

struct store_seal_ctx {
    struct store *store;
    struct store_key_source from;
    char *path; /* of `from` */
    bool by_next;
    struct lock lock; /* guards secret, count and stuck */
    struct store_seal_secret *secret;
    size_t count;         /* of the ring */
    char stuck[256];      /* why a field cannot be sealed anew; "" = nothing */
    struct lock rotating; /* one at a time replaces the master key; taken before the store's */
};

/* A copy of the master key; the caller wipes it. */
void store_seal_master(struct store_seal_ctx *ctx, unsigned char out[STORE_KEY_BYTES]);
/* A data key under `master`: the same place for each generation. */
enum err_code store_seal_wrap(const unsigned char *master, uint32_t generation,
                              const unsigned char *key, struct buf *out,
                              struct err *e) ERR_MUST_CHECK;
enum err_code store_seal_unwrap(const unsigned char *master, uint32_t generation,
                                struct str wrapped, unsigned char *key,
                                struct err *e) ERR_MUST_CHECK;
/* Keep a data key in memory, in place of what was there of its generation. */
enum err_code store_seal_adopt(struct store_seal_ctx *ctx, uint32_t generation,
                               const unsigned char *key, struct err *e) ERR_MUST_CHECK;
/* Forget the generations in memory before this one. */
void store_seal_forget(struct store_seal_ctx *ctx, uint32_t generation);
/* A new data key as a row of the transaction; `key` (32 bytes) is adopted once it is committed. */
enum err_code store_seal_add(struct store_seal_ctx *ctx, struct sqldb *db, uint32_t generation,
                             unsigned char *key, struct err *e) ERR_MUST_CHECK;
/* The newest generation as the connection sees it, and how many fields it sealed; 0 = none. */
enum err_code store_seal_newest(struct sqldb *db, uint32_t *generation, int64_t *sealed,
                                struct err *e) ERR_MUST_CHECK;

#endif
