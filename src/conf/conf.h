/* SPDX-License-Identifier: PostgreSQL */
/*
 * conf.h: one table of keys gives the parser, the validation, the dump and the reference page.
 *
 * A program declares `struct conf_key` rows (name, type, offset into its own struct, bounds, unit,
 * default as text, flags, help). conf_load starts from the defaults, applies a TOML file, then
 * environment overrides, and validates; unknown keys and wrong types are errors with line and
 * column. conf_dump writes TOML that loads to the same values (secrets as "***").
 * A section whose name ends in "[]" is an array of tables ("target[]"): its rows fill an array of
 * structs.
 *
 * Owner: all strings live in the arena given to conf_load, and so does the loaded struct; a loaded
 * configuration is immutable.
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum conf_type {
    CONF_STRING,   /* const char *; NULL when unset */
    CONF_STRINGS,  /* struct conf_strings */
    CONF_BOOL,     /* int, 0 or 1 */
    CONF_INTEGER,  /* int64_t */
    CONF_NUMBER,   /* double */
    CONF_DURATION, /* int64_t milliseconds; text as num_parse_duration_ms reads it, or seconds */
    CONF_SIZE,     /* uint64_t bytes */
    CONF_ENUM,     /* int: index into `choices` */
};

enum conf_flag {
    CONF_RELOAD = 1,     /* takes effect on reload */
    CONF_SECRET = 2,     /* never shown */
    CONF_DEPRECATED = 4, /* taken with a note that names `replaced_by`, or says `help` */
    CONF_REQUIRED = 8,
    CONF_OR_INTEGER = 16, /* a string that may be written as an integer: a port */
    CONF_OR_COMMAS = 32,  /* a list that may be written as one string with commas */
    CONF_LOCAL = 64,      /* the host's own: never in an overlay */
    CONF_ORIGIN = 128,    /* in an overlay only in a row that is new with it */
};

struct conf_strings {
    const char **items;
    size_t count;
};

struct conf_key {
    const char *section; /* "" = top level; "target[]" = array of tables */
    const char *name;
    enum conf_type type;
    size_t offset;    /* in the program's struct, or in one row of the array */
    double min, max;  /* durations in ms, sizes in bytes; both 0 = unbounded */
    const char *text; /* the default, as TOML would write it without quotes; NULL = unset */
    const char *const *choices; /* CONF_ENUM; NULL-terminated */
    const char *env;            /* environment variable that overrides; NULL = none */
    const char *replaced_by;
    unsigned flags;
    const char *help; /* one sentence, ends with full stop */
};

/* Where the rows of an array-of-tables section go. */
struct conf_array {
    const char *section; /* "target[]" */
    size_t offset;       /* of `void *rows` in the program's struct */
    size_t count_offset; /* of `size_t count` */
    size_t line_offset;  /* in a row, of `unsigned line`, where it stands in the file; 0 = none */
    size_t row_size;
    size_t max_rows;
    const char *row_key; /* the CONF_STRING key that names a row in an overlay; NULL = none */
};

struct conf_schema {
    const char *title; /* "pga agent" */
    const struct conf_key *keys;
    size_t key_count;
    const struct conf_key *old_keys; /* of an older program: read like keys, but not dumped */
    size_t old_key_count;
    const struct conf_array *arrays;
    size_t array_count;
    size_t struct_size;
    /* Checks across keys, after all are read; NULL = none. */
    enum err_code (*check)(void *config, struct err *e);
};

/*
 * Load `text` (NULL ptr = defaults only). origin: the file's name for messages.
 * On success *out is a struct of schema->struct_size bytes in `a`.
 */
enum err_code conf_load(struct arena *a, const struct conf_schema *schema, struct str text,
                        const char *origin, void **out, struct err *e) ERR_MUST_CHECK;
/* What stands over a loaded configuration. */
struct conf_over {
    const struct conf_schema *schema;
    const void *base; /* lives as long as what is made of it */
    struct str text;
    const char *origin;
};
/*
 * The base with what the text says in its place. A row of an array that has the name of one in the
 * base changes that one, any other is added. The environment is not read again.
 * Errors: as conf_load, and where a key has CONF_LOCAL or CONF_ORIGIN
 */
enum err_code conf_overlay(struct arena *a, const struct conf_over *over, void **out,
                           struct err *e) ERR_MUST_CHECK;
enum err_code conf_load_file(struct arena *a, const struct conf_schema *schema, const char *path,
                             void **out, struct err *e) ERR_MUST_CHECK;
/* The defaults of one row of an array-of-tables section, for rows that come from elsewhere. */
enum err_code conf_row_defaults(struct arena *a, const struct conf_schema *schema,
                                const char *section, void *row, struct err *e) ERR_MUST_CHECK;
enum err_code conf_dump(const struct conf_schema *schema, const void *config, struct buf *out,
                        struct err *e) ERR_MUST_CHECK;
/* The reference page, in Markdown. */
void conf_reference(const struct conf_schema *schema, struct buf *out);
/* The keys as DESCRIPTION, KEYS and OLD KEYS of a manual page. */
void conf_manual(const struct conf_schema *schema, struct buf *out);

#endif
