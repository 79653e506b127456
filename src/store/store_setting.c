/* SPDX-License-Identifier: PostgreSQL */
/* store_setting.c: see the header. */
#include "store/store_setting.h"

enum err_code store_setting_get(struct store *s, struct arena *a, const char *name,
                                const char **value, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(store_read_begin(s), "setting_get", SQLDB_ARGS(sqldb_text_c(name)),
                                 &q, e);

    if (rc == ERR_OK)
        *value = store_text(q, a, "value");
    sqldb_end(q);
    store_read_end(s);
    return rc;
}

enum err_code store_setting_put(struct sqldb *db, const char *name, const char *value,
                                struct err *e)
{
    return sqldb_run(db, "setting_put", SQLDB_ARGS(sqldb_text_c(name), sqldb_text_c(value)), e);
}
