/* SPDX-License-Identifier: PostgreSQL */
/*
 * migrate.h: what the files of `pga migrate` share. Private to app/migrate.
 *
 * Threads: the main thread only
 */
#ifndef APP_MIGRATE_MIGRATE_H
#define APP_MIGRATE_MIGRATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FAILURE = 1,
    EXIT_CODE_USAGE = 2,
    EXIT_CODE_NOT_FOUND = 3,
    EXIT_CODE_CONFLICT = 5,
    EXIT_CODE_UNAVAILABLE = 6,
    EXIT_CODE_PROBLEMS = 7,
};

/* Say what went wrong; gives the exit code for it. */
int migrate_fail(const struct err *e);
/* Whether that is the address of a store; else says so. */
bool migrate_is_store(const char *url);

/* --- migrate_audit.c --- */

struct migrate_audit {
    bool is_signed; /* signatures were looked at */
    int64_t rows, signed_to;
    int64_t bad; /* the first row that is not right; 0 = none */
    char finding[200];
};
/*
 * Follow the audit's chain. key: file of the master key; "" or absent: without signatures.
 * Errors: ERR_DENIED for another store's key
 */
enum err_code migrate_audit(const char *url, const char *key, struct migrate_audit *out,
                            struct err *e) ERR_MUST_CHECK;

/* --- migrate_copy.c --- */
/* pga migrate copy: gives the exit code. from, to: addresses of stores */
enum migrate_output { MIGRATE_TEXT, MIGRATE_JSON }; /* of the comparison */
int migrate_copy(const char *from, const char *to, enum migrate_output output);

#endif
