/* SPDX-License-Identifier: PostgreSQL */
/*
 * dialect_fixture.h: an empty database of either dialect for a test.
 *
 * SQLite: a new folder. PostgreSQL: a new schema in the database that PGA_TEST_PG names by URL
 * (postgres://...); without that variable the cases run on SQLite only.
 */
#ifndef TEST_DIALECT_FIXTURE_H
#define TEST_DIALECT_FIXTURE_H

#include <stdbool.h>

#include "sqldb/sqldb.h"

struct dialect_fixture {
    enum sqldb_dialect dialect;
    char dir[64];    /* also on PostgreSQL, for files */
    char schema[64]; /* PostgreSQL */
    char url[1024];  /* of the empty database */
};

bool dialect_fixture_has_pg(void);
/* Both fail the test when something goes wrong. */
void dialect_fixture_begin(struct dialect_fixture *f, enum sqldb_dialect dialect);
void dialect_fixture_end(struct dialect_fixture *f);

#endif
