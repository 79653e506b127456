/* SPDX-License-Identifier: PostgreSQL */
/*
 * literal.c: numbers, strings and durations of PromQL.
 *
 * The lexer takes what looks like a literal; whether it is one is decided here.
 */
#include "promql/literal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "promql/parse.h"

#define NUMBER_MAX 512 /* a longer literal is no number */
/* As Prometheus: what 64 bits of nanoseconds hold, 292 years. */
#define DURATION_MAX_MS (INT64_MAX / 1000000)

/* --- Numbers --- */

/* Underscores stand between two digits, or between the sign of the base and a digit. */
static bool number_without_underscores(struct str text, char *out)
{
    size_t n = 0;
    bool hex = text.len > 2 && text.ptr[0] == '0' && (text.ptr[1] | 0x20) == 'x';

    if (text.len >= NUMBER_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char before = i > 0 ? text.ptr[i - 1] : ' ',
             after = i + 1 < text.len ? text.ptr[i + 1] : ' ';

        if (text.ptr[i] != '_') {
            out[n++] = text.ptr[i];
            continue;
        }
        if (!strchr("0123456789abcdefABCDEF", after) ||
            !strchr(hex ? "0123456789abcdefABCDEFxX" : "0123456789", before))
            return false;
    }
    out[n] = '\0';
    return n > 0;
}

/* Base 8 behind a leading zero, base 16 behind 0x, else 10; false: no whole number of 64 bits. */
static bool number_whole(const char *text, double *out)
{
    char *end = NULL;
    long long value;
    int base = 10;

    if (text[0] == '0' && text[1] != '\0')
        base = (text[1] | 0x20) == 'x' ? 16 : 8;
    if (strspn(text, base == 16 ? "0123456789abcdefABCDEFxX" : "0123456789") != strlen(text))
        return false;
    value = strtoll(text, &end, base);
    if (*end != '\0' || value == INT64_MAX)
        return false;
    *out = (double)value;
    return true;
}

bool promql_literal_number(struct str text, double *out)
{
    char plain[NUMBER_MAX];
    char *end = NULL;

    if (str_eq_nocase(text, STR("inf"))) {
        *out = INFINITY;
        return true;
    }
    if (str_eq_nocase(text, STR("nan"))) {
        *out = NAN;
        return true;
    }
    if (!number_without_underscores(text, plain))
        return false;
    if (number_whole(plain, out))
        return true;
    if (strspn(plain, "0123456789.eE+-") != strlen(plain))
        return false;
    *out = strtod(plain, &end);
    return end != plain && *end == '\0' && isfinite(*out);
}

/* As strconv.FormatFloat with 'f' and -1: the fewest digits, spelled out without an exponent. */
void promql_literal_put_number(struct buf *out, double value)
{
    char text[40];
    char digits[32];
    size_t count = 0;
    int exponent;

    if (isnan(value) || isinf(value)) {
        buf_add_c(out, isnan(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
        return;
    }
    for (int precision = 0; precision <= 17; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision, value);
        if (strtod(text, NULL) == value)
            break;
    }
    if (text[0] == '-')
        buf_add_char(out, '-');
    for (const char *at = text; *at != 'e'; at++)
        if (*at >= '0' && *at <= '9')
            digits[count++] = *at;
    exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
    if (exponent < 0) {
        buf_add_c(out, "0.");
        for (int i = -1; i > exponent; i--)
            buf_add_char(out, '0');
        buf_add(out, digits, count);
        return;
    }
    for (int i = 0; i <= exponent; i++)
        buf_add_char(out, (size_t)i < count ? digits[i] : '0');
    if (count > (size_t)exponent + 1) {
        buf_add_char(out, '.');
        buf_add(out, digits + exponent + 1, count - (size_t)exponent - 1);
    }
}

/* --- Strings --- */

static unsigned hex_value(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static size_t put_utf8(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | (code >> 6));
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | (code >> 12));
        out[1] = (char)(0x80 | ((code >> 6) & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | (code >> 18));
    out[1] = (char)(0x80 | ((code >> 12) & 0x3f));
    out[2] = (char)(0x80 | ((code >> 6) & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

/* The escape behind a backslash at `*at`, which the lexer found well-formed, into `out`. */
static size_t put_escape(struct str text, size_t *at, char *out)
{
    static const char letters[] = "abfnrtv", meant[] = "\a\b\f\n\r\t\v";
    char c = text.ptr[(*at)++];
    const char *letter = strchr(letters, c);
    size_t more = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    uint32_t code = 0;

    if (c >= '0' && c <= '7') {
        code = (uint32_t)(c - '0');
        for (int i = 0; i < 2 && *at < text.len; i++)
            code = code * 8 + (uint32_t)(text.ptr[(*at)++] - '0');
        out[0] = (char)code;
        return 1;
    }
    if (more == 0) {
        out[0] = letter && c != '\0' ? meant[letter - letters] : c;
        return 1;
    }
    for (size_t i = 0; i < more && *at < text.len; i++)
        code = code * 16 + hex_value(text.ptr[(*at)++]);
    if (c != 'x')
        return put_utf8(code, out);
    out[0] = (char)code;
    return 1;
}

bool promql_literal_string(struct arena *a, struct str text, struct str *out)
{
    struct str inner;
    size_t n = 0;
    char *to;

    *out = (struct str){NULL, 0};
    if (text.len < 2 || text.ptr[0] != text.ptr[text.len - 1])
        return false;
    inner = str_make(text.ptr + 1, text.len - 2);
    to = arena_alloc(a, inner.len + 4); /* an escape is never shorter than what it means */
    if (!to)
        return false;
    for (size_t i = 0; i < inner.len;) {
        if (inner.ptr[i] == '\\' && text.ptr[0] != '`' && i + 1 < inner.len) {
            i++;
            n += put_escape(inner, &i, to + n);
        } else if (inner.ptr[i] == '\r' && text.ptr[0] == '`') {
            i++; /* a raw string has no carriage returns */
        } else {
            to[n++] = inner.ptr[i++];
        }
    }
    *out = str_make(to, n);
    return true;
}

/* --- Quoting --- */

struct code_range {
    uint32_t from, to;
};

/* Beyond ASCII: controls, blanks, format characters, surrogates, private use, not characters. */
static const struct code_range unprintable[] = {
    {0x80, 0xa0},     {0xad, 0xad},       {0x600, 0x605},      {0x61c, 0x61c},   {0x6dd, 0x6dd},
    {0x70f, 0x70f},   {0x1680, 0x1680},   {0x180e, 0x180e},    {0x2000, 0x200f}, {0x2028, 0x202f},
    {0x205f, 0x206f}, {0x3000, 0x3000},   {0xd800, 0xf8ff},    {0xfeff, 0xfeff}, {0xfff0, 0xfffb},
    {0xfffe, 0xffff}, {0xe0000, 0xe007f}, {0xf0000, 0x10ffff},
};

static uint32_t decode(struct str c)
{
    uint32_t code = (unsigned char)c.ptr[0];

    if (c.len > 1)
        code &= 0xffu >> (c.len + 1);
    for (size_t i = 1; i < c.len; i++)
        code = (code << 6) | ((unsigned char)c.ptr[i] & 0x3fu);
    return code;
}

static bool printable(uint32_t code)
{
    if (code < 0x80)
        return code >= 0x20 && code != 0x7f;
    for (size_t i = 0; i < sizeof(unprintable) / sizeof(unprintable[0]); i++)
        if (code >= unprintable[i].from && code <= unprintable[i].to)
            return false;
    return true;
}

/* One well-formed character between `quote`s. */
static void put_quoted(struct buf *out, struct str c, char quote)
{
    static const char meant[] = "\a\b\f\n\r\t\v\\", letters[] = "abfnrtv\\";
    uint32_t code = decode(c);
    const char *at = code > 0 && code < 0x80 ? strchr(meant, (int)code) : NULL;

    if (at || code == (unsigned char)quote) {
        buf_add_char(out, '\\');
        buf_add_char(out, at ? letters[at - meant] : quote);
    } else if (printable(code)) {
        buf_add_str(out, c);
    } else {
        buf_printf(out, code < 0x80 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x", code);
    }
}

void promql_literal_quote(struct buf *out, struct str text)
{
    buf_add_char(out, '"');
    while (text.len > 0) {
        size_t len = str_utf8_len(text);

        if (len > 0)
            put_quoted(out, str_make(text.ptr, len), '"');
        else
            buf_printf(out, "\\x%02x", (unsigned char)text.ptr[0]);
        len = len ? len : 1;
        text = str_make(text.ptr + len, text.len - len);
    }
    buf_add_char(out, '"');
}

void promql_literal_quote_char(struct buf *out, struct str text)
{
    size_t len = text.len ? str_utf8_len(text) : 0;

    buf_add_char(out, '\'');
    if (len > 0)
        put_quoted(out, str_make(text.ptr, len), '\'');
    else
        buf_add_c(out, "\xef\xbf\xbd");
    buf_add_char(out, '\'');
}

bool promql_literal_plain_label(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (c != '_' && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
            !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return name.len > 0;
}

/* --- Durations --- */

struct duration_unit {
    const char *name;
    int64_t ms;
    bool whole; /* written only when nothing is left over: 90d rather than 12w6d */
};

static const struct duration_unit duration_units[] = {
    {"y", 365 * 86400000LL, true},
    {"w", 7 * 86400000LL, true},
    {"d", 86400000, false},
    {"h", 3600000, false},
    {"m", 60000, false},
    {"s", 1000, false},
    {"ms", 1, false},
};
#define UNITS (sizeof(duration_units) / sizeof(duration_units[0]))

/* Digits and a unit smaller than the `*unit`-th in front of `*s`. */
static enum promql_duration duration_take(struct str *s, size_t *unit, int64_t *ms)
{
    size_t digits = 0, letters = 0;
    int64_t count = 0, more;

    for (; digits < s->len && s->ptr[digits] >= '0' && s->ptr[digits] <= '9'; digits++)
        if (__builtin_mul_overflow(count, 10, &count) ||
            __builtin_add_overflow(count, s->ptr[digits] - '0', &count))
            return DURATION_RANGE;
    while (digits + letters < s->len && s->ptr[digits + letters] >= 'a')
        letters++;
    for (; digits > 0 && *unit < UNITS; (*unit)++) {
        if (!str_eq_c(str_make(s->ptr + digits, letters), duration_units[*unit].name))
            continue;
        if (__builtin_mul_overflow(count, duration_units[(*unit)++].ms, &more) ||
            __builtin_add_overflow(*ms, more, ms) || *ms > DURATION_MAX_MS)
            return DURATION_RANGE;
        *s = str_make(s->ptr + digits + letters, s->len - digits - letters);
        return DURATION_GOOD;
    }
    return DURATION_WRONG;
}

enum promql_duration promql_literal_duration(struct str text, int64_t *ms)
{
    enum promql_duration state = text.len > 0 ? DURATION_GOOD : DURATION_WRONG;
    size_t unit = 0;
    int64_t sum = 0;

    if (str_eq_c(text, "0"))
        text.len = 0;
    while (text.len > 0 && state == DURATION_GOOD)
        state = duration_take(&text, &unit, &sum);
    if (state == DURATION_GOOD)
        *ms = sum;
    return state;
}

bool promql_parse_duration(struct str s, int64_t *ms)
{
    return promql_literal_duration(s, ms) == DURATION_GOOD;
}

void promql_literal_put_duration(struct buf *out, int64_t ms)
{
    if (ms == 0)
        buf_add_c(out, "0s");
    for (size_t i = 0; i < UNITS; i++) {
        const struct duration_unit *unit = &duration_units[i];

        if ((unit->whole && ms % unit->ms != 0) || ms / unit->ms == 0)
            continue;
        buf_add_i64(out, ms / unit->ms);
        buf_add_c(out, unit->name);
        ms %= unit->ms;
    }
}
