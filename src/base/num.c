/* SPDX-License-Identifier: PostgreSQL */
/*
 * num.c: text to numbers, durations and sizes, and back.
 *
 * Decimal points never go through the locale: the program stays in the C locale.
 */
#include "base/num.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUM_TEXT_MAX 128 /* no sensible number is written longer */
#define NUM_SHOWN    40  /* how much of a wrong text a message repeats */

static enum err_code num_refuse(struct str s, const char *what, struct err *e)
{
    struct str shown = s.len > NUM_SHOWN ? str_make(s.ptr, NUM_SHOWN) : s;

    return err_set(e, ERR_INVALID, "\"%.*s\" is not %s", STR_ARG(shown), what);
}

static bool num_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Take the digits in front of `*s`; false when there are none or they pass 64 bits. */
static bool num_take_digits(struct str *s, uint64_t *out)
{
    size_t at = 0;
    uint64_t value = 0;

    for (; at < s->len && num_is_digit(s->ptr[at]); at++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(s->ptr[at] - '0'), &value))
            return false;
    }
    if (at == 0)
        return false;
    *out = value;
    *s = str_make(s->ptr + at, s->len - at);
    return true;
}

enum err_code num_parse_u64(struct str s, uint64_t max, uint64_t *out, struct err *e)
{
    struct str rest = s;
    uint64_t value;

    if (!num_take_digits(&rest, &value) || rest.len > 0)
        return num_refuse(s, "a whole number", e);
    if (value > max)
        return err_set(e, ERR_INVALID, "%llu is more than %llu", (unsigned long long)value,
                       (unsigned long long)max);
    *out = value;
    return ERR_OK;
}

enum err_code num_parse_i64(struct str s, int64_t min, int64_t max, int64_t *out, struct err *e)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    struct str rest = negative ? str_make(s.ptr + 1, s.len - 1) : s;
    uint64_t size, limit = (uint64_t)INT64_MAX + (negative ? 1 : 0);
    int64_t value;

    if (!num_take_digits(&rest, &size) || rest.len > 0 || size > limit)
        return num_refuse(s, "a whole number", e);
    value = negative ? (int64_t)(0 - size) : (int64_t)size;
    if (value < min || value > max)
        return err_set(e, ERR_INVALID, "%lld is not between %lld and %lld", (long long)value,
                       (long long)min, (long long)max);
    *out = value;
    return ERR_OK;
}

/* Decimal notation only: no blanks, hexadecimal, infinity or NaN, which strtod would take. */
static bool num_is_decimal(struct str s)
{
    size_t at = 0, digits = 0;

    if (at < s.len && (s.ptr[at] == '-' || s.ptr[at] == '+'))
        at++;
    for (; at < s.len && num_is_digit(s.ptr[at]); at++)
        digits++;
    if (at < s.len && s.ptr[at] == '.')
        at++;
    for (; at < s.len && num_is_digit(s.ptr[at]); at++)
        digits++;
    if (digits == 0 || at == s.len)
        return digits > 0;
    if (s.ptr[at] != 'e' && s.ptr[at] != 'E')
        return false;
    at++;
    if (at < s.len && (s.ptr[at] == '-' || s.ptr[at] == '+'))
        at++;
    digits = 0;
    for (; at < s.len && num_is_digit(s.ptr[at]); at++)
        digits++;
    return digits > 0 && at == s.len;
}

enum err_code num_parse_f64(struct str s, double *out, struct err *e)
{
    char text[NUM_TEXT_MAX];
    double value;

    if (s.len >= sizeof(text) || !num_is_decimal(s))
        return num_refuse(s, "a number", e);
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    value = strtod(text, NULL);
    if (!isfinite(value))
        return num_refuse(s, "a finite number", e);
    *out = value;
    return ERR_OK;
}

struct num_unit {
    const char *name;
    uint64_t factor;
};

static const struct num_unit num_durations[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000},
};
static const struct num_unit num_sizes[] = {
    {"B", 1},
    {"k", 1024},
    {"kB", 1024},
    {"KiB", 1024},
    {"M", 1ULL << 20},
    {"MB", 1ULL << 20},
    {"MiB", 1ULL << 20},
    {"G", 1ULL << 30},
    {"GB", 1ULL << 30},
    {"GiB", 1ULL << 30},
    {"T", 1ULL << 40},
    {"TB", 1ULL << 40},
    {"TiB", 1ULL << 40},
};

#define NUM_COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* A fraction in thousandths behind the point ("1.5" -> 500); false when it is finer or wrong. */
static bool num_take_fraction(struct str *s, uint64_t *thousandths)
{
    uint64_t value = 0;
    size_t at = 1;

    *thousandths = 0;
    if (s->len == 0 || s->ptr[0] != '.')
        return true;
    for (; at < s->len && num_is_digit(s->ptr[at]); at++) {
        if (at > 3 && s->ptr[at] != '0')
            return false;
        if (at <= 3)
            value = value * 10 + (uint64_t)(s->ptr[at] - '0');
    }
    if (at == 1)
        return false;
    for (size_t digits = at - 1; digits < 3; digits++)
        value *= 10;
    *thousandths = value;
    *s = str_make(s->ptr + at, s->len - at);
    return true;
}

enum err_code num_parse_duration_ms(struct str s, int64_t *out, struct err *e)
{
    static const char what[] = "a duration (as 250ms, 10s, 5m, 2h, 1d)";
    struct str rest = s;
    uint64_t whole, part, factor = 1000, total;
    bool known;

    if (!num_take_digits(&rest, &whole) || !num_take_fraction(&rest, &part))
        return num_refuse(s, what, e);
    known = rest.len == 0;
    for (size_t i = 0; i < NUM_COUNT(num_durations); i++) {
        if (rest.len > 0 && str_eq_c(rest, num_durations[i].name)) {
            factor = num_durations[i].factor;
            known = true;
        }
    }
    if (!known || part * factor % 1000 != 0)
        return num_refuse(s, what, e);
    if (__builtin_mul_overflow(whole, factor, &total) ||
        __builtin_add_overflow(total, part * factor / 1000, &total) || total > INT64_MAX / 1000)
        return num_refuse(s, "a duration in range", e);
    *out = (int64_t)total;
    return ERR_OK;
}

enum err_code num_parse_size_bytes(struct str s, uint64_t *out, struct err *e)
{
    struct str rest = s;
    uint64_t value, factor = 1;
    bool known;

    if (!num_take_digits(&rest, &value))
        return num_refuse(s, "a size (as 512, 64kB, 24MB, 1GB)", e);
    rest = str_trim(rest);
    known = rest.len == 0;
    for (size_t i = 0; i < NUM_COUNT(num_sizes); i++) {
        if (rest.len > 0 && str_eq_nocase(rest, str_of(num_sizes[i].name))) {
            factor = num_sizes[i].factor;
            known = true;
        }
    }
    if (!known)
        return num_refuse(s, "a size (as 512, 64kB, 24MB, 1GB)", e);
    if (__builtin_mul_overflow(value, factor, &value))
        return num_refuse(s, "a size in range", e);
    *out = value;
    return ERR_OK;
}

/* The largest unit that divides it, so that reading the text gives the same number. */
void num_format_duration(int64_t ms, char *out, size_t size)
{
    size_t unit = NUM_COUNT(num_durations) - 1;

    if (ms == 0) {
        (void)snprintf(out, size, "0s");
        return;
    }
    while (unit > 0 && ms % (int64_t)num_durations[unit].factor != 0)
        unit--;
    (void)snprintf(out, size, "%lld%s", (long long)(ms / (int64_t)num_durations[unit].factor),
                   num_durations[unit].name);
}
