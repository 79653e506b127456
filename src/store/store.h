/* SPDX-License-Identifier: PostgreSQL */
/*
 * store.h: the control plane: who may do what, and what they did.
 *
 * One database (meta.db, or PostgreSQL) with one connection for changes and one for reading. Every
 * change runs between store_begin and store_end, together with its audit row.
 * Threads: any; each connection has a lock, held from begin to end.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "sqldb/sqldb.h"

struct store;

/* Who asks for a change; members may be "". Borrowed for the call. */
struct store_actor {
    const char *name;    /* "user:alice", "collector:<uuid>", "setup" */
    const char *address; /* of the client */
    const char *request; /* request id */
};

/* --- Life cycle --- */

/*
 * Open. url: "sqlite:DIR" for DIR/meta.db, which is migrated; or "postgres://...", which is not:
 * ERR_CONFLICT when something is pending there.
 */
enum err_code store_open(const char *url, struct store **out, struct err *e) ERR_MUST_CHECK;
void store_close(struct store *s); /* NULL allowed */
/* The migrations of this program with their hash function; backup_of as in sqldb_migrate.h. */
struct sqldb_migrate_set;
void store_migrations(struct sqldb_migrate_set *set, const char *backup_of);

/* --- Use, by the files of store/ --- */

enum err_code store_begin(struct store *s, struct sqldb **db, struct err *e) ERR_MUST_CHECK;
/* Commit when rc is ERR_OK, else roll back; releases the connection; returns what happened. */
enum err_code store_end(struct store *s, enum err_code rc, struct err *e) ERR_MUST_CHECK;
/* The connection of the change that is under way; between store_begin and store_end. */
struct sqldb *store_writing(struct store *s);
/* The reading connection; store_read_end gives it back. */
struct sqldb *store_read_begin(struct store *s);
void store_read_end(struct store *s);

/* The key that audit rows are signed with (store_audit.h), in place until it is set to NULL. */
void store_set_audit_key(struct store *s, const unsigned char *key);
const unsigned char *store_audit_key(const struct store *s); /* NULL = none was set */

/* Columns by name, copied into the arena. */
const char *store_text(struct sqldb_stmt *q, struct arena *a, const char *column);
int64_t store_i64(struct sqldb_stmt *q, const char *column);
int64_t store_ms(struct sqldb_stmt *q, const char *column); /* 0 for NULL */
/* One number: column `total` of a statement with these parameters. */
enum err_code store_count(struct store *s, const char *statement, struct sqldb_args args,
                          int64_t *out, struct err *e) ERR_MUST_CHECK;
/* Whether the database answers. */
enum err_code store_ping(struct store *s, struct err *e) ERR_MUST_CHECK;

#endif
