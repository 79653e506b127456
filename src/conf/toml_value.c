/* SPDX-License-Identifier: PostgreSQL */
/* toml_value.c: strings, numbers, booleans, arrays and inline tables; times: toml_time.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/num.h"
#include "base/text.h"
#include "conf/toml_reader.h"

#define TOML_NUMBER_MAX 512 /* more digits say nothing that a double could hold */
#define TOML_DATE_BYTES 10

static void toml_add_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_add_char(out, (char)c);
        return;
    }
    if (c < 0x800) {
        buf_add_char(out, (char)(0xC0 | c >> 6));
    } else {
        if (c < 0x10000) {
            buf_add_char(out, (char)(0xE0 | c >> 12));
        } else {
            buf_add_char(out, (char)(0xF0 | c >> 18));
            buf_add_char(out, (char)(0x80 | (c >> 12 & 0x3F)));
        }
        buf_add_char(out, (char)(0x80 | (c >> 6 & 0x3F)));
    }
    buf_add_char(out, (char)(0x80 | (c & 0x3F)));
}

/* The digits of \uXXXX or \UXXXXXXXX. */
static enum err_code toml_read_unicode(struct toml_reader *r, size_t digits, struct buf *out,
                                       struct err *e)
{
    struct toml_spot spot = toml_reader_spot(r);
    unsigned char bytes[4] = {0};
    uint32_t c;

    if ((size_t)(r->end - r->at) < digits ||
        !text_unhex(str_make(r->at, digits), bytes + (4 - digits / 2), digits / 2))
        return toml_reader_fail(spot, e, "%zu hexadecimal digits are expected", digits);
    c = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    if (c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
        return toml_reader_fail(spot, e, "this is no Unicode character");
    r->at += digits;
    toml_add_utf8(out, c);
    return ERR_OK;
}

/* Behind a backslash at the end of a line: white space and line ends are skipped. */
static bool toml_skip_fold(struct toml_reader *r)
{
    struct toml_reader probe = *r;

    toml_reader_blanks(&probe);
    if (!toml_reader_newline(&probe))
        return false;
    do {
        toml_reader_blanks(&probe);
    } while (toml_reader_newline(&probe));
    *r = probe;
    return true;
}

/* Behind the backslash. */
static enum err_code toml_read_escape(struct toml_reader *r, bool multi, struct buf *out,
                                      struct err *e)
{
    static const char letters[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
    int c = toml_reader_peek(r, 0);
    const char *at;

    if (multi && toml_skip_fold(r))
        return ERR_OK;
    at = c > 0 ? strchr(letters, c) : NULL;
    if (at) {
        r->at++;
        buf_add_char(out, values[at - letters]);
        return ERR_OK;
    }
    if (c != 'u' && c != 'U')
        return toml_reader_fail(toml_reader_spot(r), e, "unknown escape");
    r->at++;
    return toml_read_unicode(r, c == 'u' ? 4 : 8, out, e);
}

/*
 * The quotes in front: true when they end a multi-line string. Up to two may stand before the three
 * that close it and belong to the text.
 */
static bool toml_take_close(struct toml_reader *r, const char *close, struct buf *out)
{
    if (!toml_reader_take(r, close))
        return false;
    if (close[1] == '\0')
        return true;
    for (int i = 0; i < 2 && toml_reader_peek(r, 0) == close[0]; i++) {
        buf_add_char(out, close[0]);
        r->at++;
    }
    return true;
}

/* Behind the opening quotes, which stand at `start`. */
static enum err_code toml_read_quoted(struct toml_reader *r, struct toml_spot start,
                                      const char *close, struct buf *out, struct err *e)
{
    bool multi = close[1] != '\0', basic = close[0] == '"';

    if (multi)
        (void)toml_reader_newline(r); /* the first line end does not count */
    while (!toml_take_close(r, close, out)) {
        int c = toml_reader_peek(r, 0);
        enum err_code rc = ERR_OK;

        if (c < 0)
            return toml_reader_fail(start, e, "this string has no end");
        if (multi && toml_reader_newline(r)) {
            buf_add_char(out, '\n');
            continue;
        }
        if (c == '\n' || c == '\r')
            return toml_reader_fail(start, e, "this string has no end in its line");
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return toml_reader_fail(toml_reader_spot(r), e, "control character in a string");
        r->at++;
        if (basic && c == '\\')
            rc = toml_read_escape(r, multi, out, e);
        else
            buf_add_char(out, (char)c);
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

enum err_code toml_read_string(struct toml_reader *r, struct str *out, struct err *e)
{
    static const char *const quotes[] = {"\"\"\"", "'''", "\"", "'"};
    struct toml_spot start = toml_reader_spot(r);
    struct buf text;
    enum err_code rc = ERR_OK;
    size_t form = 0;

    while (!toml_reader_take(r, quotes[form]))
        form++;
    buf_init(&text, LIMIT_CONFIG_BYTES);
    rc = toml_read_quoted(r, start, quotes[form], &text, e);
    if (rc == ERR_OK)
        rc = buf_check(&text, e);
    if (rc == ERR_OK) {
        *out = arena_str(r->arena, buf_view(&text));
        rc = arena_check(r->arena, e);
    }
    buf_fini(&text);
    return rc;
}

static bool toml_is_digit(char c, int base)
{
    if (base == 16 && ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
        return true;
    return c >= '0' && c < '0' + (base < 10 ? base : 10);
}

/* Copy without underscores, each of which must stand between two digits. */
static bool toml_strip(struct str token, int base, char *out, size_t size)
{
    size_t len = 0;

    if (token.len == 0 || token.len >= size)
        return false;
    for (size_t i = 0; i < token.len; i++) {
        bool inner = i > 0 && i + 1 < token.len;

        if (token.ptr[i] != '_') {
            out[len++] = token.ptr[i];
            continue;
        }
        if (!inner || !toml_is_digit(token.ptr[i - 1], base) ||
            !toml_is_digit(token.ptr[i + 1], base))
            return false;
    }
    out[len] = '\0';
    return true;
}

/* 0x, 0o, 0b: no sign. */
static bool toml_based_integer(struct str token, int64_t *out)
{
    char digits[TOML_NUMBER_MAX];
    int base = token.ptr[1] == 'x' ? 16 : token.ptr[1] == 'o' ? 8 : 2;
    uint64_t value = 0;

    if (!toml_strip(str_make(token.ptr + 2, token.len - 2), base, digits, sizeof(digits)))
        return false;
    for (const char *p = digits; *p; p++) {
        unsigned digit = *p <= '9' ? (unsigned)(*p - '0') : ((unsigned)*p | 32) - 'a' + 10;

        if (!toml_is_digit(*p, base) || value > (UINT64_C(1) << 63) / (unsigned)base)
            return false;
        value = value * (unsigned)base + digit;
    }
    *out = (int64_t)value;
    return value <= INT64_MAX;
}

/* The digits in front of `p`, at least one and no useless zero in front; NULL when not so. */
static const char *toml_skip_whole(const char *p)
{
    const char *start = p;

    while (*p >= '0' && *p <= '9')
        p++;
    if (p == start || (*start == '0' && p - start > 1))
        return NULL;
    return p;
}

static const char *toml_skip_digits(const char *p)
{
    const char *start = p;

    while (*p >= '0' && *p <= '9')
        p++;
    return p == start ? NULL : p;
}

/* TOML's grammar of decimal numbers is narrower than strtod's. */
static bool toml_number_form(const char *text, bool *is_float)
{
    const char *p = text + (*text == '+' || *text == '-' ? 1 : 0);

    *is_float = false;
    p = toml_skip_whole(p);
    if (p && *p == '.') {
        *is_float = true;
        p = toml_skip_digits(p + 1);
    }
    if (p && (*p == 'e' || *p == 'E')) {
        *is_float = true;
        p++;
        p = toml_skip_digits(p + (*p == '+' || *p == '-' ? 1 : 0));
    }
    return p && *p == '\0';
}

static bool toml_read_number(struct str token, struct toml *out)
{
    char text[TOML_NUMBER_MAX];
    const char *start = text;
    bool is_float;

    if (!toml_strip(token, 10, text, sizeof(text)) || !toml_number_form(text, &is_float))
        return false;
    if (is_float) {
        out->type = TOML_FLOAT;
        out->number = strtod(text, NULL);
        return isfinite(out->number);
    }
    out->type = TOML_INTEGER;
    start += *text == '+' ? 1 : 0;
    if (num_parse_i64(str_of(start), INT64_MIN, INT64_MAX, &out->integer, NULL) != ERR_OK)
        return false;
    out->number = (double)out->integer;
    return true;
}

static bool toml_read_special(struct str token, struct toml *out)
{
    bool sign = token.len > 0 && (token.ptr[0] == '+' || token.ptr[0] == '-');
    struct str name = sign ? str_make(token.ptr + 1, token.len - 1) : token;
    bool infinite = str_eq_c(name, "inf");

    if (!infinite && !str_eq_c(name, "nan"))
        return false;
    out->type = TOML_FLOAT;
    out->number = infinite ? (double)INFINITY : (double)NAN;
    if (sign && token.ptr[0] == '-')
        out->number = -out->number;
    return true;
}

static bool toml_read_integer_of_base(struct str token, struct toml *out)
{
    out->type = TOML_INTEGER;
    if (!toml_based_integer(token, &out->integer))
        return false;
    out->number = (double)out->integer;
    return true;
}

static const char *toml_token_end(const char *at, const char *end)
{
    while (at < end && *at != '\0' && !strchr(" \t\r\n,]}#=", *at))
        at++;
    return at;
}

/* Up to white space or punctuation; one space may stand between a date and its time. */
static struct str toml_take_token(struct toml_reader *r)
{
    const char *start = r->at;
    struct str token;

    r->at = toml_token_end(start, r->end);
    token = str_make(start, (size_t)(r->at - start));
    if (token.len == TOML_DATE_BYTES && toml_time_looks(token) && toml_reader_peek(r, 0) == ' ' &&
        toml_reader_peek(r, 1) >= '0' && toml_reader_peek(r, 1) <= '9') {
        r->at = toml_token_end(r->at + 1, r->end);
        token.len = (size_t)(r->at - start);
    }
    return token;
}

/* Whether the token is a value of any kind. */
static bool toml_scalar(struct str token, struct toml *out)
{
    if (str_eq_c(token, "true") || str_eq_c(token, "false")) {
        out->type = TOML_BOOLEAN;
        out->boolean = token.ptr[0] == 't';
        return true;
    }
    if (toml_time_looks(token))
        return toml_time_parse(token, out);
    if (token.len > 2 && token.ptr[0] == '0' && strchr("xob", token.ptr[1]))
        return toml_read_integer_of_base(token, out);
    return toml_read_special(token, out) || toml_read_number(token, out);
}

enum err_code toml_read_scalar(struct toml_reader *r, struct toml *out, struct err *e)
{
    struct toml_spot spot = toml_reader_spot(r);
    struct str token = toml_take_token(r);
    int shown = token.len > 64 ? 64 : (int)token.len;

    if (token.len == 0)
        return toml_reader_fail(spot, e, "a value is expected here");
    if (toml_scalar(token, out))
        return ERR_OK;
    if (toml_time_looks(token))
        return toml_reader_fail(spot, e, "\"%.*s\" is no date or time", shown, token.ptr);
    if (strchr("+-0123456789", token.ptr[0]))
        return toml_reader_fail(spot, e, "\"%.*s\" is no number that fits", shown, token.ptr);
    return toml_reader_fail(spot, e, "\"%.*s\" is no value; a text needs quotes", shown, token.ptr);
}

/* Behind the bracket. */
static enum err_code toml_read_array(struct toml_reader *r, struct toml *out, struct err *e)
{
    struct toml *item;
    enum err_code rc;

    out->type = TOML_ARRAY;
    for (;;) {
        rc = toml_reader_space(r, e);
        if (rc != ERR_OK || toml_reader_take(r, "]"))
            return rc;
        r->spot = toml_reader_spot(r);
        rc = toml_add(r, out, (struct str){NULL, 0}, &item, e);
        if (rc == ERR_OK)
            rc = toml_read_value(r, item, e);
        if (rc == ERR_OK)
            rc = toml_reader_space(r, e);
        if (rc != ERR_OK || toml_reader_take(r, "]"))
            return rc;
        if (!toml_reader_take(r, ","))
            return toml_reader_fail(toml_reader_spot(r), e, "\",\" or \"]\" is expected");
    }
}

/* An inline table is complete: tables that its dotted keys made are closed with it. */
static void toml_close(struct toml *table)
{
    table->state = TOML_VALUE;
    for (struct toml *at = table->first; at; at = at->next) {
        if (at->state == TOML_DOTTED)
            toml_close(at);
    }
}

/* Behind the brace: one line, no comma at the end. */
static enum err_code toml_read_inline(struct toml_reader *r, struct toml *out, struct err *e)
{
    enum err_code rc = ERR_OK;

    out->type = TOML_TABLE;
    toml_reader_blanks(r);
    if (toml_reader_take(r, "}"))
        return ERR_OK;
    while (rc == ERR_OK) {
        toml_reader_blanks(r);
        rc = toml_read_pair(r, out, e);
        if (rc != ERR_OK)
            break;
        toml_reader_blanks(r);
        if (toml_reader_take(r, "}"))
            break;
        if (!toml_reader_take(r, ","))
            rc = toml_reader_fail(toml_reader_spot(r), e, "\",\" or \"}\" is expected");
    }
    toml_close(out);
    return rc;
}

enum err_code toml_read_value(struct toml_reader *r, struct toml *out, struct err *e)
{
    int c = toml_reader_peek(r, 0);
    enum err_code rc;

    out->state = TOML_VALUE;
    if (c == '"' || c == '\'') {
        out->type = TOML_STRING;
        return toml_read_string(r, &out->string, e);
    }
    if (c != '[' && c != '{')
        return toml_read_scalar(r, out, e);
    if (r->depth >= TOML_DEPTH_MAX)
        return toml_reader_fail(toml_reader_spot(r), e, "nested deeper than %d levels",
                                TOML_DEPTH_MAX);
    r->depth++;
    r->at++;
    rc = c == '[' ? toml_read_array(r, out, e) : toml_read_inline(r, out, e);
    r->depth--;
    return rc;
}
