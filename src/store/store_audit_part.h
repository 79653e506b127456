/* SPDX-License-Identifier: PostgreSQL */
/* store_audit_part.h: a row of the audit, its hash and signatures. Not for others. */
#ifndef STORE_STORE_AUDIT_PART_H
#define STORE_STORE_AUDIT_PART_H

#include "store/store_audit.h"
#include "tls/hash.h"

struct store_audit_raw {
    int64_t number, at_ms;
    struct str actor, action, object, detail, address, request;
};

/* The columns of the current row; texts as sqldb gives them. */
void store_audit_raw_read(struct sqldb_stmt *q, struct store_audit_raw *row);
/* ERR_LIMIT: the row is too long to be hashed. */
enum err_code store_audit_chain(struct str before, const struct store_audit_raw *row,
                                char out[HASH_HEX_SIZE], struct err *e) ERR_MUST_CHECK;
/* "" without a key. */
void store_audit_row_mac(const unsigned char *key, int64_t number, const char *hash,
                         char out[HASH_HEX_SIZE]);
void store_audit_head_mac(const unsigned char *key, const struct store_audit_head *head,
                          char out[HASH_HEX_SIZE]);
enum err_code store_audit_last(struct sqldb *db, int64_t *number, char hash[HASH_HEX_SIZE],
                               struct err *e) ERR_MUST_CHECK;

#endif
