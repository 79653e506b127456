/* SPDX-License-Identifier: PostgreSQL */
/* store_fixture.c: see the header. */
#include "store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sqldb/sqldb_migrate.h"

/* What `pga migrate up` does. */
static void migrate(const char *url)
{
    struct sqldb_migrate_set set;
    struct sqldb *db = NULL;
    struct err e;

    store_migrations(&set, NULL);
    assert_int_equal(sqldb_open(url, NULL, &db, &e), ERR_OK);
    assert_int_equal(sqldb_migrate_up(db, &set, NULL, &e), ERR_OK);
    sqldb_close(db);
}

void store_fixture_begin(struct store_fixture *f, enum sqldb_dialect dialect)
{
    struct err e;

    dialect_fixture_begin(&f->at, dialect);
    if (dialect == SQLDB_PG)
        migrate(f->at.url);
    if (store_open(f->at.url, &f->store, &e) != ERR_OK)
        fail_msg("%s", e.text);
}

void store_fixture_end(struct store_fixture *f)
{
    store_close(f->store);
    f->store = NULL;
    dialect_fixture_end(&f->at);
}

void store_fixture_script(struct store_fixture *f, const char *sql)
{
    struct sqldb *db;
    struct err e;

    assert_int_equal(store_begin(f->store, &db, &e), ERR_OK);
    if (store_end(f->store, sqldb_script(db, sql, &e), &e) != ERR_OK)
        fail_msg("%s: %s", sql, e.text);
}
