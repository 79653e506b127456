/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_audit.h: the list of what was done by whom, chained by hashes and signed.
 *
 * hash(n) = SHA-256(hash(n-1) | row n as a JSON array), which anybody can follow; mac(n) =
 * HMAC-SHA-256(key, "n|hash(n)") with a key that is derived from the master key, so that nobody
 * else can compute a changed chain anew. The newest row of each hour is signed once more in table
 * audit_head and told in the log: rows that were cut off at the end are missed.
 * Rows come into being between store_begin and store_end alone, one writer after the other, also
 * of several servers (the advisory lock of sqldb_begin): numbers have no gaps.
 */
#ifndef STORE_STORE_AUDIT_H
#define STORE_STORE_AUDIT_H

#include "store/store.h"

#define STORE_AUDIT_HASH_SIZE 65

struct store_audit_entry {
    const char *action; /* "login", "secret.create" */
    const char *object; /* what it was done to */
    const char *detail; /* words; no secrets */
};

/* --- Use --- */

/* Between store_begin and store_end. */
enum err_code store_audit_add(struct sqldb *db, const struct store_actor *who,
                              struct store_audit_entry entry, struct err *e) ERR_MUST_CHECK;
/* Alone in its transaction, for what changes nothing else (a failed login). */
enum err_code store_audit_note(struct store *s, const struct store_actor *who,
                               struct store_audit_entry entry, struct err *e) ERR_MUST_CHECK;
/*
 * Sign the rows of before there was a key, once, in the transaction that makes the key. The key is
 * the connection's (store_set_audit_key). ERR_CORRUPT when their chain is broken.
 */
enum err_code store_audit_adopt(struct sqldb *db, struct err *e) ERR_MUST_CHECK;

/* A signed head, as the log tells it and as `verify` takes it back. */
struct store_audit_head {
    int64_t hour, number, at_ms;
    char hash[STORE_AUDIT_HASH_SIZE], mac[STORE_AUDIT_HASH_SIZE];
};
/*
 * Sign the newest row as the head of this hour. *changed: there was a newer row than that of the
 * last head; *is_first: and it is the first head of its hour. ERR_CORRUPT when the row of the last
 * head is not there any more as it was.
 */
enum err_code store_audit_sign(struct store *s, struct store_audit_head *out, bool *changed,
                               bool *is_first, struct err *e) ERR_MUST_CHECK;

/* --- Query --- */

struct store_audit_row {
    int64_t number, at_ms;
    const char *actor, *action, *object, *detail, *address, *request, *hash;
};
struct store_audit_page {
    int64_t before; /* 0 = from the newest on */
    int64_t from_ms, to_ms;
    struct str actor, action, object, request; /* empty = any; action: how it begins */
    size_t limit;
    struct store_audit_row *rows; /* newest first */
    size_t count;
};
enum err_code store_audit_list(struct store *s, struct arena *a, struct store_audit_page *page,
                               struct err *e) ERR_MUST_CHECK;
/* Rows in order after a number, at most `limit` of them; *last: the number of the last one. */
enum err_code store_audit_read(struct store *s, struct arena *a, struct store_audit_page *page,
                               struct err *e) ERR_MUST_CHECK;

struct store_audit_verdict {
    int64_t rows;      /* that are right, from the first on */
    int64_t signed_to; /* number of the newest head */
    int64_t bad;       /* the first row that is not right; 0 = all are */
    char finding[200]; /* what is wrong with it; "" = nothing */
};
/*
 * Follow the chain, signatures and heads. Reads in pages: nobody waits long.
 * kept: a head from elsewhere (the log) that must fit; NULL = none.
 * Errors: of reading alone; a broken chain is ERR_OK with out->bad
 */
enum err_code store_audit_verify(struct store *s, const struct store_audit_head *kept,
                                 struct store_audit_verdict *out, struct err *e) ERR_MUST_CHECK;
/* The same on a connection alone; key NULL: signatures are not looked at. */
enum err_code store_audit_check(struct sqldb *db, const unsigned char *key,
                                struct store_audit_verdict *out, struct err *e) ERR_MUST_CHECK;

#endif
