/* SPDX-License-Identifier: PostgreSQL */
/*
 * embed.h: files of the source tree that travel inside the executable.
 *
 * The tables are written by src/tool/embed.c during the build, each sorted by name (strcmp).
 * Owner:   everything is constant and lives as long as the process
 * Threads: any
 */
#ifndef PGA_BASE_EMBED_H
#define PGA_BASE_EMBED_H

#include <stddef.h>

/* How a browser may keep a file of the web interface. */
enum embed_cache {
    EMBED_CACHE_REVALIDATE, /* the shell: ask each time, by ETag */
    EMBED_CACHE_IMMUTABLE,  /* the name carries a content hash */
};

/*
 * One embedded file. `data` and `gz` are followed by a NUL byte that `len` does not count, so text
 * can be used as a C string. `mime`, `etag` and `gz` are filled for embed_web only, NULL elsewhere;
 * `gz` is NULL when the build made no compressed form. `etag` carries its quotes.
 */
struct embed_file {
    const char *name;
    const unsigned char *data;
    size_t len;
    const char *mime;
    const char *etag;
    int cache; /* enum embed_cache */
    const unsigned char *gz;
    size_t gz_len;
};

/* probe/catalogue: names such as pg_stat_database.toml */
extern const struct embed_file embed_catalogue[];
extern const size_t embed_catalogue_count;
/* store/sql and store/tsdb/sql: names such as user_by_name.sql, without folder */
extern const struct embed_file embed_sql[];
extern const size_t embed_sql_count;
/* store/migrations: names such as 0001_init.sqlite.sql */
extern const struct embed_file embed_migration[];
extern const size_t embed_migration_count;
/* Licences of what is linked in; names such as zstd, and pga for our own */
extern const struct embed_file embed_licence[];
extern const size_t embed_licence_count;
/* web/dist: paths such as index.html or assets/app-3FJ2K1QA.js, without leading slash */
extern const struct embed_file embed_web[];
extern const size_t embed_web_count;

/* Find a file by its exact name in one of the tables above; NULL when there is none. */
const struct embed_file *embed_find(const struct embed_file *table, size_t count, const char *name);

#endif
