/* SPDX-License-Identifier: PostgreSQL */
/* dialect_fixture.c: see the header. */
#include "dialect_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/file.h"

static const char *pg_url(void)
{
    const char *url = getenv("PGA_TEST_PG");
    return url && url[0] ? url : NULL;
}

bool dialect_fixture_has_pg(void)
{
    return pg_url() != NULL;
}

static void run(const char *sql)
{
    struct sqldb *db = NULL;
    struct err e = {0};

    if (sqldb_open(pg_url(), NULL, &db, &e) || sqldb_script(db, sql, &e)) {
        fail_msg("PostgreSQL: %s", e.text);
    }
    sqldb_close(db);
}

void dialect_fixture_begin(struct dialect_fixture *f, enum sqldb_dialect dialect)
{
    static unsigned number;
    char sql[128];

    *f = (struct dialect_fixture){.dialect = dialect};
    snprintf(f->dir, sizeof(f->dir), "/tmp/pga-test-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    if (dialect == SQLDB_SQLITE) {
        snprintf(f->url, sizeof(f->url), "sqlite:%s", f->dir); /* DIR/meta.db */
        return;
    }
    snprintf(f->schema, sizeof(f->schema), "pga_test_%ld_%u", (long)getpid(), number++);
    snprintf(sql, sizeof(sql), "CREATE SCHEMA %s", f->schema);
    run(sql);
    snprintf(f->url, sizeof(f->url), "%s%soptions=-csearch_path%%3D%s", pg_url(),
             strchr(pg_url(), '?') ? "&" : "?", f->schema);
}

void dialect_fixture_end(struct dialect_fixture *f)
{
    char sql[128];
    struct err e;

    assert_int_equal(file_remove_tree(f->dir, &e), ERR_OK);
    if (f->dialect == SQLDB_PG) {
        snprintf(sql, sizeof(sql), "DROP SCHEMA %s CASCADE", f->schema);
        run(sql);
    }
}
