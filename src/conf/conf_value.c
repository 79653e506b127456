/* SPDX-License-Identifier: PostgreSQL */
/* conf_value.c: the eight types of configuration values. */
#include "conf/conf_value.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/num.h"

#define CONF_NUMBER_TEXT 40

static void *conf_at(const struct conf_key *key, void *base)
{
    return (char *)base + key->offset;
}

static const void *conf_view(const struct conf_key *key, const void *base)
{
    return (const char *)base + key->offset;
}

const char *conf_value_type_name(enum conf_type type)
{
    switch (type) {
    case CONF_STRING:
        return "string";
    case CONF_STRINGS:
        return "list of strings";
    case CONF_BOOL:
        return "boolean";
    case CONF_INTEGER:
        return "integer";
    case CONF_NUMBER:
        return "number";
    case CONF_DURATION:
        return "duration";
    case CONF_SIZE:
        return "size";
    case CONF_ENUM:
        return "one of";
    }
    return "unknown";
}

/* A bound in the notation of the key's type. */
static void conf_format_bound(const struct conf_key *key, double bound, char *out, size_t size)
{
    if (key->type == CONF_DURATION && fabs(bound) < 1e15)
        num_format_duration((int64_t)bound, out, size);
    else
        num_format_f64(bound, out, size);
}

static enum err_code conf_check_range(const struct conf_key *key, double value, struct err *e)
{
    char min[CONF_NUMBER_TEXT], max[CONF_NUMBER_TEXT];

    if ((key->min == 0 && key->max == 0) || (value >= key->min && value <= key->max))
        return ERR_OK;
    conf_format_bound(key, key->min, min, sizeof(min));
    conf_format_bound(key, key->max, max, sizeof(max));
    return err_set(e, ERR_INVALID, "%s must be between %s and %s", key->name, min, max);
}

static enum err_code conf_set_string(struct arena *a, const struct conf_key *key, struct str s,
                                     const char **out, struct err *e)
{
    if (!str_is_utf8(s) || (s.len > 0 && memchr(s.ptr, '\0', s.len)))
        return err_set(e, ERR_INVALID, "%s is no text", key->name);
    *out = arena_cstr(a, s);
    return arena_check(a, e);
}

static enum err_code conf_set_enum(const struct conf_key *key, struct str s, int *out,
                                   struct err *e)
{
    char list[ERR_TEXT_MAX] = "";
    size_t len = 0;

    for (int i = 0; key->choices[i]; i++) {
        if (str_eq_c(s, key->choices[i])) {
            *out = i;
            return ERR_OK;
        }
        if (len < sizeof(list))
            len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "",
                                    key->choices[i]);
    }
    return err_set(e, ERR_INVALID, "%s must be one of: %s", key->name, list);
}

static enum err_code conf_set_integer(const struct conf_key *key, void *base, int64_t value,
                                      struct err *e)
{
    enum err_code rc = conf_check_range(key, (double)value, e);

    if (rc == ERR_OK)
        memcpy(conf_at(key, base), &value, sizeof(value));
    return rc;
}

static enum err_code conf_set_number(const struct conf_key *key, void *base, double value,
                                     struct err *e)
{
    enum err_code rc;

    if (!isfinite(value))
        return err_set(e, ERR_INVALID, "%s must be a finite number", key->name);
    rc = conf_check_range(key, value, e);
    if (rc == ERR_OK)
        memcpy(conf_at(key, base), &value, sizeof(value));
    return rc;
}

static enum err_code conf_set_size(const struct conf_key *key, void *base, uint64_t value,
                                   struct err *e)
{
    enum err_code rc = conf_check_range(key, (double)value, e);

    if (rc == ERR_OK)
        memcpy(conf_at(key, base), &value, sizeof(value));
    return rc;
}

static enum err_code conf_wrong_type(const struct conf_key *key, struct err *e)
{
    static const char *const wanted[] = {
        [CONF_STRING] = "a string",
        [CONF_STRINGS] = "an array of strings",
        [CONF_BOOL] = "true or false",
        [CONF_INTEGER] = "a whole number",
        [CONF_NUMBER] = "a number",
        [CONF_DURATION] = "a duration as \"10s\", or a number of seconds",
        [CONF_SIZE] = "a size as \"64MB\", or a number of bytes",
        [CONF_ENUM] = "a string",
    };

    return err_set(e, ERR_INVALID, "%s must be %s", key->name, wanted[key->type]);
}

static enum err_code conf_set_list(struct arena *a, const struct conf_key *key, void *base,
                                   const struct toml *array, struct err *e)
{
    struct conf_strings list = {0};
    enum err_code rc;

    list.items = arena_array(a, array->count, sizeof(*list.items));
    if (!list.items)
        return arena_fail(a, e);
    for (const struct toml *at = array->first; at; at = at->next) {
        if (at->type != TOML_STRING)
            return conf_wrong_type(key, e);
        rc = conf_set_string(a, key, at->string, &list.items[list.count++], e);
        if (rc != ERR_OK)
            return rc;
    }
    memcpy(conf_at(key, base), &list, sizeof(list));
    return ERR_OK;
}

/* Seconds as a number. */
static enum err_code conf_set_seconds(const struct conf_key *key, void *base, double seconds,
                                      struct err *e)
{
    double ms = round(seconds * 1000);

    if (!(ms >= 0 && ms < 9e15))
        return err_set(e, ERR_INVALID, "%s must be a duration in range", key->name);
    return conf_set_integer(key, base, (int64_t)ms, e);
}

static enum err_code conf_set_parsed(struct arena *a, const struct conf_key *key, void *base,
                                     struct str text, struct err *e)
{
    int64_t integer = 0;
    uint64_t bytes = 0;
    double number = 0;
    enum err_code rc;

    switch (key->type) {
    case CONF_STRING:
        return conf_set_string(a, key, text, conf_at(key, base), e);
    case CONF_ENUM:
        return conf_set_enum(key, text, conf_at(key, base), e);
    case CONF_INTEGER:
        rc = num_parse_i64(text, INT64_MIN, INT64_MAX, &integer, e);
        return rc == ERR_OK ? conf_set_integer(key, base, integer, e)
                            : err_wrap(e, "%s", key->name);
    case CONF_DURATION:
        rc = num_parse_duration_ms(text, &integer, e);
        return rc == ERR_OK ? conf_set_integer(key, base, integer, e)
                            : err_wrap(e, "%s", key->name);
    case CONF_SIZE:
        rc = num_parse_size_bytes(text, &bytes, e);
        return rc == ERR_OK ? conf_set_size(key, base, bytes, e) : err_wrap(e, "%s", key->name);
    case CONF_NUMBER:
        rc = num_parse_f64(text, &number, e);
        return rc == ERR_OK ? conf_set_number(key, base, number, e) : err_wrap(e, "%s", key->name);
    case CONF_STRINGS:
    case CONF_BOOL:
        break;
    }
    return conf_wrong_type(key, e);
}

static enum err_code conf_set_comma_list(struct arena *a, const struct conf_key *key, void *base,
                                         struct str text, struct err *e)
{
    struct conf_strings list = {0};
    enum err_code rc = ERR_OK;
    size_t commas = 0;

    for (size_t i = 0; i < text.len; i++)
        commas += text.ptr[i] == ',' ? 1 : 0;
    list.items = arena_array(a, commas + 1, sizeof(*list.items));
    if (!list.items)
        return arena_fail(a, e);
    while (text.len > 0 && rc == ERR_OK) {
        struct str item = str_trim(str_split(&text, ','));

        if (item.len > 0)
            rc = conf_set_string(a, key, item, &list.items[list.count++], e);
    }
    memcpy(conf_at(key, base), &list, sizeof(list));
    return rc;
}

static enum err_code conf_set_digits(struct arena *a, const struct conf_key *key, void *base,
                                     int64_t value, struct err *e)
{
    const char *text = arena_printf(a, "%lld", (long long)value);

    if (!text)
        return arena_fail(a, e);
    memcpy(conf_at(key, base), &text, sizeof(text));
    return ERR_OK;
}

enum err_code conf_value_set_toml(struct arena *a, const struct conf_key *key, void *base,
                                  const struct toml *node, struct err *e)
{
    bool is_number = node->type == TOML_INTEGER || node->type == TOML_FLOAT;

    if (key->type == CONF_STRINGS && node->type == TOML_ARRAY)
        return conf_set_list(a, key, base, node, e);
    if ((key->flags & CONF_OR_COMMAS) && node->type == TOML_STRING)
        return conf_set_comma_list(a, key, base, node->string, e);
    if ((key->flags & CONF_OR_INTEGER) && node->type == TOML_INTEGER)
        return conf_set_digits(a, key, base, node->integer, e);
    if (key->type == CONF_BOOL && node->type == TOML_BOOLEAN) {
        memcpy(conf_at(key, base), &node->boolean, sizeof(node->boolean));
        return ERR_OK;
    }
    if (key->type == CONF_INTEGER && node->type == TOML_INTEGER)
        return conf_set_integer(key, base, node->integer, e);
    if (key->type == CONF_SIZE && node->type == TOML_INTEGER && node->integer >= 0)
        return conf_set_size(key, base, (uint64_t)node->integer, e);
    if (key->type == CONF_NUMBER && is_number)
        return conf_set_number(key, base, node->number, e);
    if (key->type == CONF_DURATION && is_number)
        return conf_set_seconds(key, base, node->number, e);
    if (node->type != TOML_STRING || key->type == CONF_INTEGER || key->type == CONF_NUMBER)
        return conf_wrong_type(key, e);
    return conf_set_parsed(a, key, base, node->string, e);
}

static enum err_code conf_set_bool(const struct conf_key *key, void *base, struct str text,
                                   struct err *e)
{
    int on = str_eq_c(text, "true") || str_eq_c(text, "1") || str_eq_c(text, "on") ||
             str_eq_c(text, "yes");

    if (!on && !str_eq_c(text, "false") && !str_eq_c(text, "0") && !str_eq_c(text, "off") &&
        !str_eq_c(text, "no"))
        return conf_wrong_type(key, e);
    memcpy(conf_at(key, base), &on, sizeof(on));
    return ERR_OK;
}

/* ["a", "b"]: read by the TOML parser. */
static enum err_code conf_set_toml_list(struct arena *a, const struct conf_key *key, void *base,
                                        struct str text, struct err *e)
{
    const char *line = arena_printf(a, "v = %.*s", STR_ARG(text));
    const struct toml *root = NULL;
    enum err_code rc;

    if (!line)
        return arena_fail(a, e);
    rc = toml_parse(a, str_of(line), &root, e);
    if (rc != ERR_OK)
        return err_wrap(e, "%s", key->name);
    return conf_value_set_toml(a, key, base, toml_get(root, "v"), e);
}

enum err_code conf_value_set_text(struct arena *a, const struct conf_key *key, void *base,
                                  struct str text, struct err *e)
{
    if (key->type == CONF_BOOL)
        return conf_set_bool(key, base, text, e);
    if (key->type != CONF_STRINGS)
        return conf_set_parsed(a, key, base, text, e);
    if (str_starts(str_trim(text), STR("[")))
        return conf_set_toml_list(a, key, base, text, e);
    return conf_set_comma_list(a, key, base, text, e);
}

bool conf_value_is_set(const struct conf_key *key, const void *base)
{
    const char *text;

    if (key->type != CONF_STRING)
        return true;
    memcpy(&text, conf_view(key, base), sizeof(text));
    return text != NULL;
}

static void conf_write_string(const char *text, struct buf *out)
{
    buf_add_char(out, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7F)
            buf_printf(out, "\\u%04x", c);
        else
            buf_add_char(out, *text);
    }
    buf_add_char(out, '"');
}

static void conf_write_list(const struct conf_strings *list, struct buf *out)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            buf_add_c(out, ", ");
        conf_write_string(list->items[i], out);
    }
    buf_add_char(out, ']');
}

static void conf_write_size(uint64_t bytes, struct buf *out)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    size_t unit = 0;

    while (bytes > 0 && bytes % 1024 == 0 && unit < 4) {
        bytes /= 1024;
        unit++;
    }
    buf_printf(out, "\"%llu%s\"", (unsigned long long)bytes, units[unit]);
}

void conf_value_write(const struct conf_key *key, const void *base, struct buf *out)
{
    const void *at = conf_view(key, base);
    char text[CONF_NUMBER_TEXT];

    if (key->flags & CONF_SECRET) {
        buf_add_c(out, key->type == CONF_STRINGS ? "[\"***\"]" : "\"***\"");
        return;
    }
    switch (key->type) {
    case CONF_STRING:
        conf_write_string(*(const char *const *)at, out);
        break;
    case CONF_STRINGS:
        conf_write_list(at, out);
        break;
    case CONF_BOOL:
        buf_add_c(out, *(const int *)at ? "true" : "false");
        break;
    case CONF_INTEGER:
        buf_add_i64(out, *(const int64_t *)at);
        break;
    case CONF_NUMBER:
        num_format_f64(*(const double *)at, text, sizeof(text));
        buf_add_c(out, text);
        break;
    case CONF_DURATION:
        num_format_duration(*(const int64_t *)at, text, sizeof(text));
        buf_printf(out, "\"%s\"", text);
        break;
    case CONF_SIZE:
        conf_write_size(*(const uint64_t *)at, out);
        break;
    case CONF_ENUM:
        conf_write_string(key->choices[*(const int *)at], out);
        break;
    }
}
