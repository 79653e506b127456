/* SPDX-License-Identifier: PostgreSQL */
/*
 * toml.c: lines, tables and keys of TOML 1.0.
 *
 * A table may be opened by one header only; a table made by dotted keys belongs to the table whose
 * header stands above it; inline tables and plain arrays are closed. enum toml_state keeps this.
 */
#include "conf/toml.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "conf/toml_reader.h"

struct toml_spot toml_reader_spot(const struct toml_reader *r)
{
    struct toml_spot spot = {.line = r->line, .column = 1};

    for (const char *p = r->line_start; p < r->at; p++) {
        if (((unsigned char)*p & 0xC0) != 0x80)
            spot.column++;
    }
    return spot;
}

enum err_code toml_reader_fail(struct toml_spot spot, struct err *e, const char *fmt, ...)
{
    char what[ERR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    return err_set(e, ERR_INVALID, "line %u, column %u: %s", spot.line, spot.column, what);
}

int toml_reader_peek(const struct toml_reader *r, size_t ahead)
{
    return (size_t)(r->end - r->at) > ahead ? (unsigned char)r->at[ahead] : -1;
}

bool toml_reader_take(struct toml_reader *r, const char *text)
{
    size_t len = strlen(text);

    if ((size_t)(r->end - r->at) < len || memcmp(r->at, text, len) != 0)
        return false;
    r->at += len;
    return true;
}

bool toml_reader_newline(struct toml_reader *r)
{
    if (!toml_reader_take(r, "\n") && !toml_reader_take(r, "\r\n"))
        return false;
    r->line++;
    r->line_start = r->at;
    return true;
}

void toml_reader_blanks(struct toml_reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t'))
        r->at++;
}

enum err_code toml_reader_comment(struct toml_reader *r, struct err *e)
{
    if (toml_reader_peek(r, 0) != '#')
        return ERR_OK;
    for (; r->at < r->end && *r->at != '\n'; r->at++) {
        unsigned char c = (unsigned char)*r->at;
        bool line_end = c == '\r' && toml_reader_peek(r, 1) == '\n';

        if ((c < 0x20 && c != '\t' && !line_end) || c == 0x7F)
            return toml_reader_fail(toml_reader_spot(r), e, "control character in a comment");
        if (line_end)
            break;
    }
    return ERR_OK;
}

enum err_code toml_reader_space(struct toml_reader *r, struct err *e)
{
    enum err_code rc;

    do {
        toml_reader_blanks(r);
        rc = toml_reader_comment(r, e);
    } while (rc == ERR_OK && toml_reader_newline(r));
    return rc;
}

struct toml *toml_find(const struct toml *table, struct str key)
{
    for (struct toml *at = table->first; at; at = at->next) {
        if (str_eq(at->key, key))
            return at;
    }
    return NULL;
}

const struct toml *toml_get(const struct toml *table, const char *key)
{
    return table && table->type == TOML_TABLE ? toml_find(table, str_of(key)) : NULL;
}

enum err_code toml_add(struct toml_reader *r, struct toml *parent, struct str key,
                       struct toml **out, struct err *e)
{
    struct toml *node;

    if (parent->count == LIMIT_TOML_MEMBERS)
        return err_set(e, ERR_LIMIT, "line %u: more than %d members in one table or array",
                       r->spot.line, LIMIT_TOML_MEMBERS);
    node = arena_alloc(r->arena, sizeof(*node));
    if (!node)
        return arena_fail(r->arena, e);
    node->key = key;
    node->type = TOML_TABLE;
    node->line = r->spot.line;
    node->column = r->spot.column;
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    parent->count++;
    *out = node;
    return ERR_OK;
}

static bool toml_is_bare(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

static enum err_code toml_read_key(struct toml_reader *r, struct str *out, struct err *e)
{
    const char *start = r->at;
    int c = toml_reader_peek(r, 0);

    if (c == '"' || c == '\'') {
        struct toml_spot spot = toml_reader_spot(r);

        if (toml_reader_peek(r, 1) == c && toml_reader_peek(r, 2) == c)
            return toml_reader_fail(spot, e, "a key may not be a multi-line string");
        return toml_read_string(r, out, e);
    }
    while (toml_is_bare(toml_reader_peek(r, 0)))
        r->at++;
    if (r->at == start)
        return toml_reader_fail(toml_reader_spot(r), e, "a key is expected here");
    *out = str_make(start, (size_t)(r->at - start));
    return ERR_OK;
}

enum err_code toml_read_path(struct toml_reader *r, struct toml_path *out, struct err *e)
{
    enum err_code rc;

    out->count = 0;
    out->spot = r->spot = toml_reader_spot(r);
    do {
        if (out->count == TOML_DEPTH_MAX)
            return toml_reader_fail(out->spot, e, "a key of more than %d parts", TOML_DEPTH_MAX);
        toml_reader_blanks(r);
        rc = toml_read_key(r, &out->parts[out->count++], e);
        if (rc != ERR_OK)
            return rc;
        toml_reader_blanks(r);
    } while (toml_reader_take(r, "."));
    return ERR_OK;
}

static enum err_code toml_fail_twice(const struct toml_path *path, struct str name,
                                     const struct toml *first, struct err *e)
{
    return toml_reader_fail(path->spot, e, "\"%.*s\" is defined already, in line %u",
                            name.len > 64 ? 64 : (int)name.len, name.ptr, first->line);
}

/* The table in which the last part of a dotted key goes. */
static enum err_code toml_dotted_parent(struct toml_reader *r, struct toml *table,
                                        const struct toml_path *path, struct toml **out,
                                        struct err *e)
{
    enum err_code rc;

    for (size_t i = 0; i + 1 < path->count; i++) {
        struct toml *next = toml_find(table, path->parts[i]);

        if (next && next->state != TOML_DOTTED)
            return toml_fail_twice(path, path->parts[i], next, e);
        if (!next) {
            rc = toml_add(r, table, path->parts[i], &next, e);
            if (rc != ERR_OK)
                return rc;
            next->state = TOML_DOTTED;
        }
        table = next;
    }
    *out = table;
    return ERR_OK;
}

enum err_code toml_read_pair(struct toml_reader *r, struct toml *table, struct err *e)
{
    struct toml_path path = {0};
    struct toml *node;
    struct str name;
    enum err_code rc;

    rc = toml_read_path(r, &path, e);
    if (rc != ERR_OK)
        return rc;
    if (!toml_reader_take(r, "="))
        return toml_reader_fail(toml_reader_spot(r), e, "\"=\" is expected behind the key");
    rc = toml_dotted_parent(r, table, &path, &table, e);
    if (rc != ERR_OK)
        return rc;
    name = path.parts[path.count - 1];
    node = toml_find(table, name);
    if (node)
        return toml_fail_twice(&path, name, node, e);
    rc = toml_add(r, table, name, &node, e);
    if (rc != ERR_OK)
        return rc;
    toml_reader_blanks(r);
    r->depth += (unsigned)path.count - 1; /* the tree's depth counts, however it was written */
    rc = toml_read_value(r, node, e);
    r->depth -= (unsigned)path.count - 1;
    return rc;
}

/* One step of a header's path that is not its last. */
static enum err_code toml_header_step(struct toml_reader *r, const struct toml_path *path,
                                      size_t part, struct toml **table, struct err *e)
{
    struct toml *next = toml_find(*table, path->parts[part]);
    enum err_code rc;

    if (!next) {
        rc = toml_add(r, *table, path->parts[part], &next, e);
        if (rc != ERR_OK)
            return rc;
        next->state = TOML_IMPLICIT;
    }
    if (next->state == TOML_VALUE)
        return toml_fail_twice(path, path->parts[part], next, e);
    *table = next->state == TOML_TABLES ? next->last : next;
    return ERR_OK;
}

/* [path] */
static enum err_code toml_open_table(struct toml_reader *r, struct toml *parent,
                                     const struct toml_path *path, struct toml **out, struct err *e)
{
    struct str name = path->parts[path->count - 1];
    struct toml *node = toml_find(parent, name);
    enum err_code rc = ERR_OK;

    if (node && node->state != TOML_IMPLICIT)
        return toml_fail_twice(path, name, node, e);
    if (!node)
        rc = toml_add(r, parent, name, &node, e);
    if (rc != ERR_OK)
        return rc;
    node->state = TOML_EXPLICIT;
    node->line = path->spot.line;
    node->column = path->spot.column;
    *out = node;
    return ERR_OK;
}

/* [[path]] */
static enum err_code toml_open_row(struct toml_reader *r, struct toml *parent,
                                   const struct toml_path *path, struct toml **out, struct err *e)
{
    struct str name = path->parts[path->count - 1];
    struct toml *node = toml_find(parent, name);
    enum err_code rc = ERR_OK;

    if (node && node->state != TOML_TABLES)
        return toml_fail_twice(path, name, node, e);
    if (!node) {
        rc = toml_add(r, parent, name, &node, e);
        if (rc != ERR_OK)
            return rc;
        node->type = TOML_ARRAY;
        node->state = TOML_TABLES;
    }
    rc = toml_add(r, node, (struct str){NULL, 0}, out, e);
    if (rc == ERR_OK)
        (*out)->state = TOML_EXPLICIT;
    return rc;
}

static enum err_code toml_read_header(struct toml_reader *r, struct toml *root,
                                      struct toml **current, struct err *e)
{
    bool row = toml_reader_take(r, "[[");
    struct toml *table = root;
    struct toml_path path = {0};
    enum err_code rc;

    if (!row)
        r->at++;
    rc = toml_read_path(r, &path, e);
    if (rc == ERR_OK && !toml_reader_take(r, row ? "]]" : "]"))
        rc = toml_reader_fail(toml_reader_spot(r), e, "\"%s\" is expected", row ? "]]" : "]");
    for (size_t i = 0; rc == ERR_OK && i + 1 < path.count; i++)
        rc = toml_header_step(r, &path, i, &table, e);
    if (rc != ERR_OK)
        return rc;
    if (row)
        return toml_open_row(r, table, &path, current, e);
    return toml_open_table(r, table, &path, current, e);
}

static enum err_code toml_read_line(struct toml_reader *r, struct toml *root, struct toml **current,
                                    struct err *e)
{
    enum err_code rc;

    if (toml_reader_peek(r, 0) == '[')
        rc = toml_read_header(r, root, current, e);
    else
        rc = toml_read_pair(r, *current, e);
    if (rc != ERR_OK)
        return rc;
    toml_reader_blanks(r);
    rc = toml_reader_comment(r, e);
    if (rc == ERR_OK && r->at < r->end && !toml_reader_newline(r))
        rc = toml_reader_fail(toml_reader_spot(r), e, "the line should end here");
    return rc;
}

/* Where the text stops being UTF-8. */
static enum err_code toml_check_utf8(struct toml_reader *r, struct err *e)
{
    struct toml_reader probe = *r;

    while (probe.at < probe.end) {
        size_t step = str_utf8_len(str_make(probe.at, (size_t)(probe.end - probe.at)));

        if (step == 0)
            return toml_reader_fail(toml_reader_spot(&probe), e, "this is not UTF-8");
        if (!toml_reader_newline(&probe))
            probe.at += step;
    }
    return ERR_OK;
}

enum err_code toml_parse(struct arena *a, struct str text, const struct toml **root, struct err *e)
{
    struct toml_reader r = {.arena = a, .line = 1};
    struct toml *top, *current;
    enum err_code rc;

    if (text.len > LIMIT_CONFIG_BYTES)
        return err_set(e, ERR_LIMIT, "%zu bytes, at most %d", text.len, LIMIT_CONFIG_BYTES);
    if (!text.ptr)
        text = STR("");
    if (str_starts(text, STR("\xEF\xBB\xBF")))
        text = str_make(text.ptr + 3, text.len - 3);
    r.at = r.line_start = text.ptr;
    r.end = text.ptr + text.len;
    top = current = arena_alloc(a, sizeof(*top));
    if (!top)
        return arena_fail(a, e);
    top->state = TOML_EXPLICIT;
    top->line = top->column = 1;
    rc = toml_check_utf8(&r, e);
    if (rc == ERR_OK)
        rc = toml_reader_space(&r, e);
    while (rc == ERR_OK && r.at < r.end) {
        rc = toml_read_line(&r, top, &current, e);
        if (rc == ERR_OK)
            rc = toml_reader_space(&r, e);
    }
    if (rc == ERR_OK)
        rc = arena_check(a, e);
    if (rc == ERR_OK)
        *root = top;
    return rc;
}
