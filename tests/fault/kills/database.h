/* SPDX-License-Identifier: PostgreSQL */
/*
 * database.h: the databases of stores that are killed, in the server of PGA_TEST_PG.
 *
 * Threads: any; each call has a connection of its own.
 */
#ifndef KILLS_DATABASE_H
#define KILLS_DATABASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define KILLS_URL 1024

/* The URL of database `name` in the server of PGA_TEST_PG; false = that is not set. */
bool kills_database_url(char out[KILLS_URL], const char *name);
enum err_code kills_database_new(const char *name, struct err *e); /* empty, whatever was there */
enum err_code kills_database_drop(const char *name, struct err *e);
/* Statements in the database of `url`. */
enum err_code kills_database_run(const char *url, const char *sql, struct err *e);
/* Whether a condition is true; the error's text says what `value` (of SQL) is instead. */
enum err_code kills_database_holds(const char *url, const char *condition, const char *value,
                                   struct err *e);
/*
 * A process that used the database is dead: wait until its connections have ended, with what they
 * were in the middle of, and let the 10 s pass after which nobody counts on its node any more.
 */
enum err_code kills_database_bury(const char *url, struct err *e);

#endif
