/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_audit.h: the list of what was done by whom, chained by hashes.
 *
 * hash(n) = SHA-256(hash(n-1) | row n as a JSON array); a row that is changed, removed, moved or
 * inserted breaks the chain at that place.
 */
#ifndef STORE_STORE_AUDIT_H
#define STORE_STORE_AUDIT_H

#include "store/store.h"

struct store_audit_entry {
    const char *action; /* "login", "secret.create" */
    const char *object; /* what it was done to */
    const char *detail; /* words; no secrets */
};

/* Between store_begin and store_end. */
enum err_code store_audit_add(struct sqldb *db, const struct store_actor *who,
                              struct store_audit_entry entry, struct err *e) ERR_MUST_CHECK;
/* Alone in its transaction, for what changes nothing else (a failed login). */
enum err_code store_audit_note(struct store *s, const struct store_actor *who,
                               struct store_audit_entry entry, struct err *e) ERR_MUST_CHECK;
/* ERR_CORRUPT naming the first row that does not fit. *rows = how many were right. */
enum err_code store_audit_verify(struct store *s, int64_t *rows, struct err *e) ERR_MUST_CHECK;

#endif
