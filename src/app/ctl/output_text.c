/* SPDX-License-Identifier: PostgreSQL */
/*
 * output_text.c: aligned columns for people; the last column is cut to the terminal's width.
 *
 * A pipe gets the same columns, uncut.
 */
#include "app/ctl/output.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CELL_MAX (64 * 1024)

static size_t terminal_width(void)
{
    struct winsize size;
    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 ||
        size.ws_col < 40) {
        return 0;
    }
    return size.ws_col;
}

/* Columns on screen: UTF-8 continuation bytes take none. */
static size_t width_of(struct str s)
{
    size_t width = 0;
    for (size_t i = 0; i < s.len; i++) {
        width += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
    }
    return width;
}

static bool is_number(const struct json *value, enum output_form form)
{
    enum json_type type = json_type(value);
    return form != OUTPUT_TIME && (type == JSON_I64 || type == JSON_U64 || type == JSON_F64);
}

static size_t column_width(const struct json *rows, const struct output_column *column)
{
    size_t width = strlen(column->title);
    struct buf cell;
    buf_init(&cell, CELL_MAX);
    for (struct json_iter it = json_iter(rows); json_next(&it);) {
        buf_reset(&cell);
        output_cell(&cell, json_get(it.value, column->member), column->form);
        size_t w = width_of(buf_view(&cell));
        width = w > width ? w : width;
    }
    buf_fini(&cell);
    return width;
}

static void pad(struct buf *line, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_add_char(line, ' ');
    }
}

static void add_padded(struct buf *line, struct str text, size_t width, bool right)
{
    size_t own = width_of(text);
    size_t room = own < width ? width - own : 0;
    pad(line, right ? room : 0);
    buf_add_str(line, text);
    pad(line, right ? 0 : room);
}

/* Cut a line to `width` columns of screen; 0 = leave it. */
static void put_line(struct buf *line, size_t width)
{
    while (line->len > 0 && line->ptr[line->len - 1] == ' ') {
        buf_truncate(line, line->len - 1);
    }
    if (width > 0 && width_of(buf_view(line)) > width) {
        size_t at = 0, seen = 0;
        while (at < line->len && seen < width) {
            seen += ((unsigned char)line->ptr[at] & 0xc0) != 0x80;
            at++;
        }
        buf_truncate(line, at > 0 ? at - 1 : 0);
        buf_add_c(line, "~");
    }
    buf_add_char(line, '\n');
    output_flush(line);
}

static void put_titles(struct buf *line, const struct output_column *columns, const size_t *widths,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add_padded(line, str_of(columns[i].title), widths[i], false);
        pad(line, 2);
    }
    put_line(line, 0);
}

static void text_rows(const struct json *rows, const struct output_column *columns, size_t count)
{
    size_t *widths = alloc_array(count, sizeof(*widths));
    size_t terminal = terminal_width();
    struct buf line, cell;

    buf_init(&line, 1024 * 1024);
    buf_init(&cell, CELL_MAX);
    for (size_t i = 0; i < count; i++) {
        widths[i] = column_width(rows, &columns[i]);
    }
    put_titles(&line, columns, widths, count);
    for (struct json_iter it = json_iter(rows); json_next(&it);) {
        for (size_t i = 0; i < count; i++) {
            const struct json *value = json_get(it.value, columns[i].member);
            buf_reset(&cell);
            output_cell(&cell, value, columns[i].form);
            add_padded(&line, buf_view(&cell), widths[i], is_number(value, columns[i].form));
            pad(&line, 2);
        }
        put_line(&line, terminal);
    }
    buf_fini(&cell);
    buf_fini(&line);
    alloc_free(widths);
}

static void text_object(const struct json *object, const struct output_column *columns,
                        size_t count)
{
    struct buf line;
    buf_init(&line, 1024 * 1024);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&line, "%-20s  ", columns[i].title);
        output_cell(&line, json_get(object, columns[i].member), columns[i].form);
        buf_add_char(&line, '\n');
    }
    output_flush(&line);
    buf_fini(&line);
}

static void text_list(const struct json *answer, const struct json *rows,
                      const struct output_column *columns, size_t count)
{
    (void)answer;
    if (json_type(rows) == JSON_OBJECT) {
        text_object(rows, columns, count);
    } else {
        text_rows(rows, columns, count);
    }
}

static void text_error(const char *code, const char *text, int exit_code)
{
    (void)code;
    (void)exit_code;
    fprintf(stderr, "pga ctl: %s\n", text);
}

static void text_message(const char *key, const char *value)
{
    (void)key;
    printf("%s\n", value);
}

const struct output output_text = {
    .name = "table",
    .list = text_list,
    .error = text_error,
    .message = text_message,
};
