/* SPDX-License-Identifier: PostgreSQL */
/*
 * sqldb_pg.h: values as PostgreSQL's text, and its errors as sqldb's. Private to sqldb/.
 */
#ifndef SQLDB_SQLDB_PG_H
#define SQLDB_SQLDB_PG_H

#include "sqldb/sqldb.h"

/* Give an error of pgclient the code that sqldb.h says; returns it. */
enum err_code sqldb_pg_error(struct err *e);
/* The highest $n outside comments. */
size_t sqldb_pg_parameters(const char *sql);
/* The text of a parameter, borrowed or in the arena; ptr NULL = NULL. */
struct str sqldb_pg_text(struct arena *a, const struct sqldb_value *v);
/* The bytes of a bytea in hexadecimal form ("\x4142"), in the arena; NULL when it has none. */
struct str sqldb_pg_blob(struct arena *a, struct str text);
/* Of a number's text; 0 when it is none. A fraction is cut off, as SQLite does. */
int64_t sqldb_pg_i64(struct str text);
double sqldb_pg_f64(struct str text);

#endif
