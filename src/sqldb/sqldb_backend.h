/* SPDX-License-Identifier: PostgreSQL */
/*
 * sqldb_backend.h: what a dialect provides to sqldb.c. Private to sqldb/.
 *
 * A dialect embeds `struct sqldb` and `struct sqldb_stmt` at the start of its own structs.
 */
#ifndef SQLDB_SQLDB_BACKEND_H
#define SQLDB_SQLDB_BACKEND_H

#include "base/map.h"
#include "sqldb/sqldb.h"

struct sqldb_stmt {
    struct sqldb *db;
};

struct sqldb_backend {
    enum sqldb_dialect dialect;
    void (*close)(struct sqldb *db);
    /* NULL: as script */
    enum err_code (*begin)(struct sqldb *db, const char *sql, struct err *e);
    enum err_code (*script)(struct sqldb *db, const char *sql, struct err *e);
    enum err_code (*prepare)(struct sqldb *db, const char *sql, struct sqldb_stmt **out,
                             struct err *e);
    void (*free_stmt)(struct sqldb_stmt *s);
    enum err_code (*start)(struct sqldb_stmt *s, struct sqldb_args args, struct err *e);
    enum err_code (*step)(struct sqldb_stmt *s, bool *row, struct err *e);
    void (*end)(struct sqldb_stmt *s);
    int (*column)(struct sqldb_stmt *s, const char *name);
    bool (*is_null)(struct sqldb_stmt *s, int column);
    int64_t (*get_i64)(struct sqldb_stmt *s, int column);
    double (*get_f64)(struct sqldb_stmt *s, int column);
    struct str (*get_text)(struct sqldb_stmt *s, int column);
    struct str (*get_blob)(struct sqldb_stmt *s, int column);
    int64_t (*changes)(const struct sqldb *db);
    enum err_code (*load)(struct sqldb *db, const char *copy, struct str rows, struct err *e);
    void (*deadline)(struct sqldb *db, int64_t mono_us);
};

struct sqldb {
    const struct sqldb_backend *backend;
    struct map *statements; /* name -> struct sqldb_stmt */
    bool in_transaction;
    const void *context; /* sqldb_context */
};

/* `path`: the URL without its scheme. */
enum err_code sqldb_sqlite_open(const char *path, const struct sqldb_options *options,
                                struct sqldb **out, struct err *e) ERR_MUST_CHECK;
/* `url`: the whole URL, as libpq reads it. */
enum err_code sqldb_pg_open(const char *url, const struct sqldb_options *options,
                            struct sqldb **out, struct err *e) ERR_MUST_CHECK;

#endif
