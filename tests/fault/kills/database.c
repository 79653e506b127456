/* SPDX-License-Identifier: PostgreSQL */
/*
 * database.c: the databases of stores that are killed, in the server of PGA_TEST_PG.
 */
#include "database.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/clock.h"
#include "sqldb/sqldb.h"

#define BURY_US 60000000LL

bool kills_database_url(char out[KILLS_URL], const char *name)
{
    const char *url = getenv("PGA_TEST_PG");
    const char *host = url ? strstr(url, "://") : NULL;
    const char *database = host ? strchr(host + 3, '/') : NULL;

    if (!database) {
        return false;
    }
    size_t named = strcspn(database + 1, "?");
    int n = snprintf(out, KILLS_URL, "%.*s/%s%s", (int)(database - url), url, name,
                     database + 1 + named);
    return n > 0 && n < KILLS_URL;
}

enum err_code kills_database_run(const char *url, const char *sql, struct err *e)
{
    struct sqldb *db = NULL;
    enum err_code code = sqldb_open(url, NULL, &db, e);

    code = code ? code : sqldb_script(db, sql, e);
    sqldb_close(db);
    return code;
}

enum err_code kills_database_drop(const char *name, struct err *e)
{
    char sql[200];

    (void)snprintf(sql, sizeof(sql), "DROP DATABASE IF EXISTS %s WITH (FORCE)", name);
    return kills_database_run(getenv("PGA_TEST_PG"), sql, e);
}

enum err_code kills_database_new(const char *name, struct err *e)
{
    char sql[200];
    enum err_code code = kills_database_drop(name, e);

    (void)snprintf(sql, sizeof(sql), "CREATE DATABASE %s", name);
    return code ? code : kills_database_run(getenv("PGA_TEST_PG"), sql, e);
}

enum err_code kills_database_holds(const char *url, const char *condition, const char *value,
                                   struct err *e)
{
    char sql[3000];
    int n = snprintf(sql, sizeof(sql),
                     "DO $$ BEGIN IF NOT coalesce((%s), false) THEN RAISE EXCEPTION '%%', "
                     "(%s); END IF; END $$",
                     condition, value);

    return n < (int)sizeof(sql) ? kills_database_run(url, sql, e)
                                : err_set(e, ERR_BUG, "a long condition");
}

enum err_code kills_database_bury(const char *url, struct err *e)
{
    static const char alone[] = "(SELECT count(*) FROM pg_stat_activity WHERE datname = "
                                "current_database() AND backend_type = 'client backend' AND pid <> "
                                "pg_backend_pid()) = 0";
    /* No transaction is open any more, so this changes nothing but how long ago it was. */
    static const char later[] =
        "DO $$ BEGIN IF to_regclass('ts_node') IS NOT NULL THEN "
        "UPDATE ts_node SET seen = seen - interval '1 h'; "
        "UPDATE ts_leader SET until = until - interval '1 h' WHERE isfinite(until); "
        "END IF; END $$";
    int64_t end_us = clock_mono_us() + BURY_US;
    enum err_code code = ERR_OK;

    while ((code = kills_database_holds(url, alone, "'connections'", e)) != ERR_OK &&
           clock_mono_us() < end_us) {
        clock_sleep_ms(2);
    }
    return code ? code : kills_database_run(url, later, e);
}
