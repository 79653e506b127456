/* SPDX-License-Identifier: PostgreSQL */
/*
 * output_json.c: results for programs: json (the whole answer), jsonl (a row a line), csv.
 *
 * Each JSON root carries schema_version. Errors are problem objects on standard error.
 */
#include "app/ctl/output.h"

#include "base/limits.h"

#include <stdio.h>
#include <string.h>

#define SCHEMA_VERSION 1

static void json_list(const struct json *answer, const struct json *rows,
                      const struct output_column *columns, size_t count)
{
    struct buf out;
    struct json_writer w;
    (void)rows;
    (void)columns;
    (void)count;
    buf_init(&out, LIMIT_REQUEST_ARENA_BYTES);
    json_writer_init(&w, &out);
    json_object_begin(&w);
    json_member_i64(&w, "schema_version", SCHEMA_VERSION);
    for (struct json_iter it = json_iter(answer); json_next(&it);) {
        json_key_str(&w, it.key);
        json_put_node(&w, it.value);
    }
    json_object_end(&w);
    buf_add_char(&out, '\n');
    output_flush(&out);
    buf_fini(&out);
}

static void json_error(const char *code, const char *text, int exit_code)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, 64 * 1024);
    json_writer_init(&w, &out);
    json_object_begin(&w);
    json_member_i64(&w, "schema_version", SCHEMA_VERSION);
    json_member_c(&w, "type", "about:blank");
    json_member_c(&w, "title", code);
    json_member_c(&w, "detail", text);
    json_member_i64(&w, "exit_code", exit_code);
    json_object_end(&w);
    fprintf(stderr, "%s\n", out.ptr);
    buf_fini(&out);
}

static void json_message(const char *key, const char *value)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, 64 * 1024);
    json_writer_init(&w, &out);
    json_object_begin(&w);
    json_member_i64(&w, "schema_version", SCHEMA_VERSION);
    json_member_c(&w, key, value);
    json_object_end(&w);
    buf_add_char(&out, '\n');
    output_flush(&out);
    buf_fini(&out);
}

static void jsonl_list(const struct json *answer, const struct json *rows,
                       const struct output_column *columns, size_t count)
{
    struct buf out;
    if (json_type(rows) != JSON_ARRAY) {
        json_list(answer, rows, columns, count);
        return;
    }
    buf_init(&out, LIMIT_REQUEST_ARENA_BYTES);
    for (struct json_iter it = json_iter(rows); json_next(&it);) {
        struct json_writer w;
        json_writer_init(&w, &out);
        json_put_node(&w, it.value);
        buf_add_char(&out, '\n');
        output_flush(&out);
    }
    buf_fini(&out);
}

/* RFC 4180; a cell that a spreadsheet would run as a formula gets an apostrophe in front. */
static void csv_cell(struct buf *out, struct str cell, bool is_text)
{
    bool formula = is_text && cell.len > 0 && memchr("=+-@\t\r", cell.ptr[0], 6) != NULL;
    buf_add_char(out, '"');
    if (formula) {
        buf_add_char(out, '\'');
    }
    for (size_t i = 0; i < cell.len; i++) {
        if (cell.ptr[i] == '"') {
            buf_add_char(out, '"');
        }
        buf_add_char(out, cell.ptr[i]);
    }
    buf_add_char(out, '"');
}

static void csv_value(struct buf *out, const struct json *value)
{
    struct buf cell;
    struct json_writer w;

    if (json_type(value) == JSON_ABSENT || json_type(value) == JSON_NULL) {
        return;
    }
    if (json_type(value) == JSON_STR) {
        csv_cell(out, json_str(value), true);
        return;
    }
    buf_init(&cell, 1024 * 1024);
    json_writer_init(&w, &cell);
    json_put_node(&w, value);
    csv_cell(out, buf_view(&cell), false);
    buf_fini(&cell);
}

static void csv_row(struct buf *out, const struct json *row, const struct output_column *columns,
                    size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_add_char(out, ',');
        }
        csv_value(out, json_get(row, columns[i].member));
    }
    buf_add_c(out, "\r\n");
    output_flush(out);
}

static void csv_list(const struct json *answer, const struct json *rows,
                     const struct output_column *columns, size_t count)
{
    struct buf out;
    (void)answer;
    buf_init(&out, LIMIT_REQUEST_ARENA_BYTES);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            buf_add_char(&out, ',');
        }
        csv_cell(&out, str_of(columns[i].member), true);
    }
    buf_add_c(&out, "\r\n");
    output_flush(&out);
    if (json_type(rows) == JSON_OBJECT) {
        csv_row(&out, rows, columns, count);
    }
    for (struct json_iter it = json_iter(json_type(rows) == JSON_ARRAY ? rows : NULL);
         json_next(&it);) {
        csv_row(&out, it.value, columns, count);
    }
    buf_fini(&out);
}

static void csv_error(const char *code, const char *text, int exit_code)
{
    output_text.error(code, text, exit_code);
}

static void csv_message(const char *key, const char *value)
{
    output_text.message(key, value);
}

const struct output output_json = {
    .name = "json",
    .list = json_list,
    .error = json_error,
    .message = json_message,
};

const struct output output_jsonl = {
    .name = "jsonl",
    .list = jsonl_list,
    .error = json_error,
    .message = json_message,
};

const struct output output_csv = {
    .name = "csv",
    .list = csv_list,
    .error = csv_error,
    .message = csv_message,
};
