/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_database.c: which databases there are to be read one by one.
 *
 * Threads: works on the caller's run alone.
 */
#include "probe/probe.h"

/* Columns of pg_server.toml, query databases, in order. */
enum database_column {
    DATABASE_NAME,
    DATABASE_CURRENT,
    DATABASE_READABLE,
    DATABASE_MAY_CONNECT,
    DATABASE_INVALID,
    DATABASE_COLUMNS,
};

enum err_code probe_list_databases(const struct probe_run *r, struct probe_database **out,
                                   size_t *count, struct err *e)
{
    struct pgclient_result res;
    const struct catalogue_file *f = catalogue_find(r->catalogue, "pg_server");
    const struct catalogue_query *q =
        f ? catalogue_pick(f, "databases", pgclient_version(r->pg), "") : NULL;
    if (!q) {
        return err_set(e, ERR_BUG, "the catalogue has no query of databases");
    }
    struct pgclient_query query = {.sql = q->sql, .deadline_us = r->deadline_us};
    if (pgclient_query(r->pg, r->arena, &query, &res, e)) {
        return err_wrap(e, "databases");
    }
    struct probe_database *list = arena_array(r->arena, res.row_count + 1, sizeof(*list));
    if (!list || res.column_count != DATABASE_COLUMNS) {
        return err_set(e, ERR_LIMIT, "the list of databases does not fit");
    }
    for (size_t i = 0; i < res.row_count; i++) {
        const struct str *cells = &res.cells[i * DATABASE_COLUMNS];
        list[i] = (struct probe_database){
            .name = cells[DATABASE_NAME],
            .current = str_eq_c(cells[DATABASE_CURRENT], "t"),
            .readable = str_eq_c(cells[DATABASE_READABLE], "t"),
            .may_connect = str_eq_c(cells[DATABASE_MAY_CONNECT], "t"),
            .invalid = str_eq_c(cells[DATABASE_INVALID], "t"),
        };
    }
    *out = list;
    *count = res.row_count;
    return ERR_OK;
}
