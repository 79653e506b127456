/* SPDX-License-Identifier: PostgreSQL */
/*
 * sqldb_migrate.h: brings a database to the schema of this program by numbered SQL files.
 *
 * Files `NNNN_what.sqlite.sql` and `NNNN_what.pg.sql` (base/embed.h, embed_migration) form one
 * series per dialect, with rising numbers that may have gaps. Each runs in one transaction together
 * with its row in table schema_migration (number, name, sha256, applied_ms). Forward only.
 * Invariants: (1) a file that was applied never changes: its hash is compared each time
 * (ERR_CORRUPT);
 *             (2) a database newer than the program is refused (ERR_UNSUPPORTED);
 *             (3) a SQLite file that holds data is copied to FILE.before-NNNN first (VACUUM INTO);
 *             (4) of several processes that migrate one database each file is applied by one.
 * Threads: one, before anything else uses the database.
 */
#ifndef SQLDB_SQLDB_MIGRATE_H
#define SQLDB_SQLDB_MIGRATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/embed.h"
#include "base/err.h"
#include "sqldb/sqldb.h"

/* SHA-256, given by the caller: tls/ is not a layer that sqldb/ needs otherwise. */
typedef enum err_code sqldb_migrate_hash(const void *bytes, size_t len, unsigned char out[32]);

struct sqldb_migrate_set {
    const struct embed_file *files; /* sorted by name; embed_migration */
    size_t count;
    sqldb_migrate_hash *hash;
    const char *backup_of; /* path of the SQLite file to copy before; NULL = no copy */
};

struct sqldb_migrate_step {
    int number;
    const char *name;   /* "0001_init.sqlite.sql" */
    int64_t applied_ms; /* 0 = pending */
};

/*
 * Call `visit` for each file in order, applied or pending. Checks hashes and numbering, changes
 * nothing.
 */
enum err_code sqldb_migrate_status(struct sqldb *db, const struct sqldb_migrate_set *set,
                                   void (*visit)(void *arg, const struct sqldb_migrate_step *step),
                                   void *arg, struct err *e) ERR_MUST_CHECK;
/* Apply what is pending; *applied = how many (NULL allowed). */
enum err_code sqldb_migrate_up(struct sqldb *db, const struct sqldb_migrate_set *set, int *applied,
                               struct err *e) ERR_MUST_CHECK;
/* The same in a transaction that is rolled back: proves that the pending files would run. */
enum err_code sqldb_migrate_dry_run(struct sqldb *db, const struct sqldb_migrate_set *set,
                                    int *pending, struct err *e) ERR_MUST_CHECK;

struct sqldb_migrate_findings {
    void (*finding)(void *arg, struct str text); /* "table account is missing" */
    void *arg;
};
/*
 * PostgreSQL only: compare tables, columns, types and indexes with what the applied files make.
 * They run as temporary tables in a transaction that is rolled back: wants the right TEMPORARY.
 */
enum err_code sqldb_migrate_check(struct sqldb *db, const struct sqldb_migrate_set *set,
                                  const struct sqldb_migrate_findings *to,
                                  struct err *e) ERR_MUST_CHECK;

#endif
