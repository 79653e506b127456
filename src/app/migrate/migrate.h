/* SPDX-License-Identifier: PostgreSQL */
/*
 * migrate.h: what the files of `pga migrate` share. Private to app/migrate.
 *
 * Threads: the main thread only
 */
#ifndef APP_MIGRATE_MIGRATE_H
#define APP_MIGRATE_MIGRATE_H

#include <stdbool.h>

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

/* --- migrate_copy.c --- */
/* pga migrate copy: gives the exit code. from, to: addresses of stores */
enum migrate_output { MIGRATE_TEXT, MIGRATE_JSON }; /* of the comparison */
int migrate_copy(const char *from, const char *to, enum migrate_output output);

#endif
