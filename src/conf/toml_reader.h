/* SPDX-License-Identifier: PostgreSQL */
/*
 * toml_reader.h: the cursor that toml.c (tables, keys) and toml_value.c (values) share.
 */
#ifndef CONF_TOML_READER_H
#define CONF_TOML_READER_H

#include <stdbool.h>

#include "base/limits.h"
#include "conf/toml.h"

#define TOML_DEPTH_MAX LIMIT_TOML_DEPTH

/* How a table or array came to be, which decides who may still add to it. */
enum toml_state {
    TOML_VALUE,    /* scalar, plain array or inline table: closed */
    TOML_IMPLICIT, /* named by a header of a table below it */
    TOML_EXPLICIT, /* has its own header */
    TOML_DOTTED,   /* made by a dotted key */
    TOML_TABLES,   /* array of tables */
};

/* Where a token starts, for messages. */
struct toml_spot {
    unsigned line, column;
};

struct toml_reader {
    struct arena *arena;
    const char *at, *end;
    const char *line_start;
    unsigned line;
    unsigned depth;
    struct toml_spot spot; /* of the member that toml_add makes next */
};

struct toml_path {
    struct str parts[TOML_DEPTH_MAX];
    size_t count;
    struct toml_spot spot;
};

struct toml_spot toml_reader_spot(const struct toml_reader *r);
enum err_code toml_reader_fail(struct toml_spot spot, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int toml_reader_peek(const struct toml_reader *r, size_t ahead); /* -1 at the end */
bool toml_reader_take(struct toml_reader *r, const char *text);  /* not across lines */
bool toml_reader_newline(struct toml_reader *r);
void toml_reader_blanks(struct toml_reader *r);
/* Blanks, comments and line ends. ERR_INVALID for a control character in a comment. */
enum err_code toml_reader_space(struct toml_reader *r, struct err *e) ERR_MUST_CHECK;
/* A comment if there is one; the line's end is not taken. */
enum err_code toml_reader_comment(struct toml_reader *r, struct err *e) ERR_MUST_CHECK;

/* A new member at the end of `parent`, placed at r->spot; ERR_LIMIT. */
enum err_code toml_add(struct toml_reader *r, struct toml *parent, struct str key,
                       struct toml **out, struct err *e) ERR_MUST_CHECK;
struct toml *toml_find(const struct toml *table, struct str key);

/* A dotted key: at least one part. */
enum err_code toml_read_path(struct toml_reader *r, struct toml_path *out,
                             struct err *e) ERR_MUST_CHECK;
/* `path = value`, added below `table`. */
enum err_code toml_read_pair(struct toml_reader *r, struct toml *table,
                             struct err *e) ERR_MUST_CHECK;
enum err_code toml_read_value(struct toml_reader *r, struct toml *out,
                              struct err *e) ERR_MUST_CHECK;
/* A string that starts here, in any of the four forms. */
enum err_code toml_read_string(struct toml_reader *r, struct str *out,
                               struct err *e) ERR_MUST_CHECK;
/* A number, boolean, infinity, NaN, date or time. */
enum err_code toml_read_scalar(struct toml_reader *r, struct toml *out,
                               struct err *e) ERR_MUST_CHECK;

/* Whether it begins as a date or a time does; no other value does. */
bool toml_time_looks(struct str token);
/* A whole token: type and time of `out`; false when it is none of the four kinds. */
bool toml_time_parse(struct str token, struct toml *out);

#endif
