/* SPDX-License-Identifier: PostgreSQL */
/*
 * shape.h: the form of a JSON value in one line, as routes describe bodies and answers.
 *
 *     {id: uuid, name: text, tags~: [text], load: num? 'mean over a minute', *: any}
 *
 *     type    = base, and "?" when it may be null
 *     base    = any text int num bool uuid
 *               time (RFC 3339)  ms (since 1970)  when (a time or -1h, in parameters)  span (30s)
 *               list (words with commas, in parameters)  text(a|b) one of these words
 *               [type]  {members}  Name of a shape in shape_list.c
 *     member  = name, "~" when it may be absent, ":", type, and 'what it is' when the name does
 *               not say it; "*: type" stands for members of any other name
 *
 * Threads: any.
 */
#ifndef API_SHAPE_H
#define API_SHAPE_H

#include "base/json.h"

/* Write the JSON Schema (2020-12) of a shape as one value. ERR_BUG where the text is wrong. */
enum err_code shape_write(struct json_writer *w, const char *shape, struct err *e) ERR_MUST_CHECK;

/* A line "name type!: what it is" of a route's parameters or body members; "!" = must be given. */
struct shape_line {
    struct str name, type, help;
    bool required;
};
enum err_code shape_read_line(const char *line, struct shape_line *out,
                              struct err *e) ERR_MUST_CHECK;
/* The type of a line, with its help. */
enum err_code shape_write_line(struct json_writer *w, const struct shape_line *line,
                               struct err *e) ERR_MUST_CHECK;

/* The shapes that have names (shape_list.c). */
struct shape_named {
    const char *name, *shape;
};
extern const struct shape_named shape_list[];
extern const size_t shape_list_count;

#endif
