/* SPDX-License-Identifier: PostgreSQL */
/* shape.c: from a shape to its JSON Schema; recursive descent, written as it is read. */
#include "api/shape.h"

#include <string.h>

#define DEPTH_MAX   12
#define MEMBERS_MAX 64

struct parser {
    struct str rest;
    struct json_writer *w;
    struct err *e;
    const char *whole;
    int depth;
};

static const struct word {
    const char *name, *type, *format, *help;
} words[] = {
    {"any", NULL, NULL, NULL},
    {"text", "string", NULL, NULL},
    {"int", "integer", NULL, NULL},
    {"num", "number", NULL, NULL},
    {"bool", "boolean", NULL, NULL},
    {"uuid", "string", "uuid", NULL},
    {"time", "string", "date-time", NULL},
    {"ms", "integer", NULL, "milliseconds since 1970-01-01 UTC"},
    {"when", "string", NULL, "RFC 3339, unix seconds or milliseconds, now, or -1h"},
    {"span", "string", NULL, "a duration such as 30s, 5m, 1h, or milliseconds"},
    {"list", "string", NULL, "words separated by commas"},
};

static enum err_code wrong(struct parser *p, const char *what)
{
    return err_set(p->e, ERR_BUG, "shape \"%.80s\": %s at \"%.20s\"", p->whole, what,
                   p->rest.len > 0 ? p->rest.ptr : "the end");
}

static void skip_blanks(struct parser *p)
{
    while (p->rest.len > 0 && p->rest.ptr[0] == ' ')
        p->rest = str_make(p->rest.ptr + 1, p->rest.len - 1);
}

static bool take(struct parser *p, char c)
{
    skip_blanks(p);
    if (p->rest.len == 0 || p->rest.ptr[0] != c)
        return false;
    p->rest = str_make(p->rest.ptr + 1, p->rest.len - 1);
    return true;
}

static struct str take_until(struct parser *p, const char *ends)
{
    struct str all = p->rest;
    size_t n = 0;

    while (n < all.len && strchr(ends, all.ptr[n]) == NULL)
        n++;
    p->rest = str_make(all.ptr + n, all.len - n);
    return str_trim(str_make(all.ptr, n));
}

/* "text" or, where null is allowed, ["text", "null"] */
static void put_type(struct parser *p, const char *type, bool nullable)
{
    if (!nullable) {
        json_member_c(p->w, "type", type);
        return;
    }
    json_key(p->w, "type");
    json_array_begin(p->w);
    json_put_c(p->w, type);
    json_put_c(p->w, "null");
    json_array_end(p->w);
}

/* The help after a type: 'text'. */
static enum err_code put_help(struct parser *p, const char *fallback)
{
    struct str help = str_of(fallback);

    if (take(p, '\'')) {
        help = take_until(p, "'");
        if (!take(p, '\''))
            return wrong(p, "the help does not end");
    }
    if (help.len > 0)
        json_member_str(p->w, "description", help);
    return ERR_OK;
}

static enum err_code put_value(struct parser *p);

static enum err_code put_members(struct parser *p, struct str *required, size_t *count)
{
    bool others = false;
    enum err_code rc = ERR_OK;

    json_key(p->w, "properties");
    json_object_begin(p->w);
    while (rc == ERR_OK && !others && !take(p, '}')) {
        struct str name = take_until(p, ":}");
        bool optional = str_ends(name, STR("~"));

        if (name.len == 0 || !take(p, ':'))
            return wrong(p, "a member needs a name and a type");
        others = str_eq_c(name, "*");
        if (others)
            break;
        name.len -= optional;
        if (!optional && *count == MEMBERS_MAX)
            return wrong(p, "too many members");
        if (!optional)
            required[(*count)++] = name;
        json_key_str(p->w, name);
        rc = put_value(p);
        if (rc == ERR_OK && !take(p, ',') && (p->rest.len == 0 || p->rest.ptr[0] != '}'))
            return wrong(p, "no comma and no end");
    }
    json_object_end(p->w);
    if (rc != ERR_OK || !others)
        return rc;
    json_key(p->w, "additionalProperties");
    rc = put_value(p);
    return rc == ERR_OK && !take(p, '}') ? wrong(p, "* is the last member") : rc;
}

/* What may follow the brace is known only behind it, so the type with its null goes last. */
static enum err_code put_object(struct parser *p)
{
    struct str required[MEMBERS_MAX];
    size_t count = 0;
    enum err_code rc = put_members(p, required, &count);

    if (rc != ERR_OK)
        return rc;
    if (count > 0) {
        json_key(p->w, "required");
        json_array_begin(p->w);
        for (size_t i = 0; i < count; i++)
            json_put_str(p->w, required[i]);
        json_array_end(p->w);
    }
    put_type(p, "object", take(p, '?'));
    return put_help(p, NULL);
}

static enum err_code put_array(struct parser *p)
{
    enum err_code rc;

    json_key(p->w, "items");
    rc = put_value(p);
    if (rc == ERR_OK && !take(p, ']'))
        return wrong(p, "the list does not end");
    if (rc != ERR_OK)
        return rc;
    put_type(p, "array", take(p, '?'));
    return put_help(p, NULL);
}

static enum err_code put_reference(struct parser *p, struct str name)
{
    size_t i = 0;
    struct buf path;
    bool nullable;

    while (i < shape_list_count && !str_eq_c(name, shape_list[i].name))
        i++;
    if (i == shape_list_count)
        return wrong(p, "no such word and no such shape before this");
    buf_init(&path, 256);
    buf_printf(&path, "#/components/schemas/%s", shape_list[i].name);
    nullable = take(p, '?');
    if (nullable) {
        json_key(p->w, "anyOf");
        json_array_begin(p->w);
        json_object_begin(p->w);
    }
    json_member_str(p->w, "$ref", buf_view(&path));
    if (nullable) {
        json_object_end(p->w);
        json_object_begin(p->w);
        json_member_c(p->w, "type", "null");
        json_object_end(p->w);
        json_array_end(p->w);
    }
    buf_fini(&path);
    return put_help(p, NULL);
}

/* text(a|b) */
static enum err_code put_choice(struct parser *p)
{
    struct str choices = take_until(p, ")");
    bool nullable;

    if (choices.len == 0 || !take(p, ')'))
        return wrong(p, "the words do not end");
    nullable = take(p, '?');
    json_key(p->w, "enum");
    json_array_begin(p->w);
    while (choices.ptr != NULL && choices.len > 0)
        json_put_str(p->w, str_split(&choices, '|'));
    if (nullable)
        json_put_null(p->w);
    json_array_end(p->w);
    put_type(p, "string", nullable);
    return put_help(p, NULL);
}

static enum err_code put_word(struct parser *p)
{
    struct str name = take_until(p, " ,}]?('");
    size_t i = 0;

    while (i < sizeof(words) / sizeof(words[0]) && !str_eq_c(name, words[i].name))
        i++;
    if (i == sizeof(words) / sizeof(words[0]))
        return put_reference(p, name);
    if (str_eq_c(name, "text") && take(p, '('))
        return put_choice(p);
    if (words[i].type != NULL)
        put_type(p, words[i].type, take(p, '?'));
    if (words[i].format != NULL)
        json_member_c(p->w, "format", words[i].format);
    return put_help(p, words[i].help);
}

static enum err_code put_value(struct parser *p)
{
    enum err_code rc;

    if (++p->depth > DEPTH_MAX)
        return wrong(p, "too deep");
    json_object_begin(p->w);
    if (take(p, '{'))
        rc = put_object(p);
    else if (take(p, '['))
        rc = put_array(p);
    else
        rc = put_word(p);
    json_object_end(p->w);
    p->depth--;
    return rc;
}

enum err_code shape_write(struct json_writer *w, const char *shape, struct err *e)
{
    struct parser p = {str_of(shape), w, e, shape, 0};
    enum err_code rc = put_value(&p);

    skip_blanks(&p);
    return rc == ERR_OK && p.rest.len > 0 ? wrong(&p, "more than one value") : rc;
}

/* --- lines --- */

enum err_code shape_read_line(const char *line, struct shape_line *out, struct err *e)
{
    struct str rest = str_of(line);

    out->name = str_split(&rest, ' ');
    out->type = str_trim(str_split(&rest, ':'));
    out->help = str_trim(rest);
    out->required = str_ends(out->type, STR("!"));
    out->type.len -= out->required;
    if (out->name.len == 0 || out->type.len == 0 || out->help.len == 0)
        return err_set(e, ERR_BUG, "\"%.60s\" is not \"name type: what it is\"", line);
    return ERR_OK;
}

enum err_code shape_write_line(struct json_writer *w, const struct shape_line *line, struct err *e)
{
    struct parser p = {line->type, w, e, line->name.ptr, 0};
    enum err_code rc;

    rc = put_value(&p);
    return rc == ERR_OK && p.rest.len > 0 ? wrong(&p, "more than one type") : rc;
}
