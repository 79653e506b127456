/* SPDX-License-Identifier: PostgreSQL */
/*
 * output.h: how results are written; a command names columns and never knows the format.
 */
#ifndef APP_CTL_OUTPUT_H
#define APP_CTL_OUTPUT_H

#include <stddef.h>

#include "base/json.h"

enum output_form {
    OUTPUT_TEXT, /* a string */
    OUTPUT_INTEGER,
    OUTPUT_DECIMAL,  /* two digits after the point */
    OUTPUT_PERCENT,  /* a ratio 0..1 */
    OUTPUT_MS,       /* a duration in milliseconds */
    OUTPUT_AGO,      /* a time in milliseconds since the epoch, as age */
    OUTPUT_TIME,     /* the same, as a time */
    OUTPUT_ONE_LINE, /* a string whose white space is folded, cut to the terminal */
};

struct output_column {
    const char *title;
    const char *member; /* of the row object */
    enum output_form form;
};

struct output {
    const char *name;
    /* `answer` is the whole answer, `rows` the array inside it (or a single object). */
    void (*list)(const struct json *answer, const struct json *rows,
                 const struct output_column *columns, size_t count);
    void (*error)(const char *code, const char *text, int exit_code);
    /* A result that is no list: key and value. */
    void (*message)(const char *key, const char *value);
};

extern const struct output output_text;
extern const struct output output_json;
extern const struct output output_jsonl;
extern const struct output output_csv;

const struct output *output_find(const char *name); /* NULL = unknown */
/* One cell as people read it, into `out`. */
void output_cell(struct buf *out, const struct json *value, enum output_form form);
/* Write all of `out` to standard output; failures end in ferror(stdout). */
void output_flush(struct buf *out);

#endif
