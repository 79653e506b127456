/* SPDX-License-Identifier: PostgreSQL */
/* store_fixture.h: a new, migrated control plane of either dialect for a test. */
#ifndef TEST_STORE_FIXTURE_H
#define TEST_STORE_FIXTURE_H

#include "dialect_fixture.h"
#include "store/store.h"

struct store_fixture {
    struct dialect_fixture at;
    struct store *store;
};

/* All fail the test when something goes wrong. */
void store_fixture_begin(struct store_fixture *f, enum sqldb_dialect dialect);
void store_fixture_end(struct store_fixture *f);
/* Change the tables behind the program's back. */
void store_fixture_script(struct store_fixture *f, const char *sql);

#endif
