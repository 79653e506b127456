/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_seal_rotate.h: other keys in place of those in use.
 *
 * The master key: every data key is wrapped with the one that follows, in one transaction with the
 * check value and the audit row, then it is put in place; a start after a kill in between takes the
 * one that fits (store_key.h). The data key: a new generation seals from its commit on; fields of
 * older ones are sealed anew by store_seal_step, some in each transaction, and what is done stays
 * done; when there are none the older keys are retired.
 * Threads: any.
 */
#ifndef STORE_STORE_SEAL_ROTATE_H
#define STORE_STORE_SEAL_ROTATE_H

#include "store/store_seal.h"

/*
 * Errors: ERR_NOT_FOUND the operator has not given the key that follows; ERR_CONFLICT it is the one
 *         in use, or has not been put in place since the last time; ERR_DENIED it is readable by
 *         others, or another server has replaced the key
 */
enum err_code store_seal_rotate_master(struct store_seal_ctx *ctx, const struct store_actor *who,
                                       struct err *e) ERR_MUST_CHECK;
/* ERR_CONFLICT: too many generations are waiting to be retired. */
enum err_code store_seal_rotate_data(struct store_seal_ctx *ctx, const struct store_actor *who,
                                     uint32_t *generation, struct err *e) ERR_MUST_CHECK;
/* Seal some fields anew; *more: there may be others. Retires what no field is of. */
enum err_code store_seal_step(struct store_seal_ctx *ctx, bool *more, struct err *e) ERR_MUST_CHECK;
/* Every few seconds: a new data key when the old one has sealed enough, and a number of steps. */
enum err_code store_seal_tick(struct store_seal_ctx *ctx, struct err *e) ERR_MUST_CHECK;

struct store_seal_data_key {
    uint32_t generation;
    int64_t sealed; /* of all times */
    int64_t fields; /* that are there now */
    int64_t created_ms, retired_ms;
};
struct store_seal_status {
    const char *source; /* store_key_kind_name */
    char check[17];     /* begin of the check value: names the master key */
    bool by_next;       /* store_seal_by_next */
    struct store_seal_data_key *keys;
    size_t count;
    int64_t left;      /* fields of generations that are not the newest */
    const char *stuck; /* why one of them cannot be sealed anew; NULL = none */
};
/* Lives in `a`. */
enum err_code store_seal_status(struct store_seal_ctx *ctx, struct arena *a,
                                struct store_seal_status *out, struct err *e) ERR_MUST_CHECK;

#endif
