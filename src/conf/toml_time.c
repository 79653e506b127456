/* SPDX-License-Identifier: PostgreSQL */
/*
 * toml_time.c: the four kinds of dates and times of TOML 1.0, written as RFC 3339 has them.
 *
 * A day must exist in its month; the year is 0001 or later; a second of 60 is a leap second. Of a
 * fraction nine digits are kept and the rest is cut off, not rounded.
 */
#include <stdbool.h>
#include <stdio.h>

#include "conf/toml_reader.h"

#define TOML_NANO_DIGITS 9

/* What is left of the token. */
struct toml_token {
    const char *at, *end;
};

static bool toml_time_char(struct toml_token *t, char c)
{
    if (t->at == t->end || *t->at != c)
        return false;
    t->at++;
    return true;
}

/* Exactly `digits` digits whose number is in range. */
static bool toml_time_number(struct toml_token *t, size_t digits, int min, int max, int *out)
{
    int value = 0;

    if ((size_t)(t->end - t->at) < digits)
        return false;
    for (size_t i = 0; i < digits; i++) {
        char c = *t->at++;

        if (c < '0' || c > '9')
            return false;
        value = value * 10 + (c - '0');
    }
    *out = value;
    return value >= min && value <= max;
}

static int toml_month_days(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

static bool toml_time_date(struct toml_token *t, struct toml_time *out)
{
    return toml_time_number(t, 4, 1, 9999, &out->year) && toml_time_char(t, '-') &&
           toml_time_number(t, 2, 1, 12, &out->month) && toml_time_char(t, '-') &&
           toml_time_number(t, 2, 1, toml_month_days(out->year, out->month), &out->day);
}

static bool toml_time_fraction(struct toml_token *t, struct toml_time *out)
{
    const char *start = t->at;
    int kept = 0;

    for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++) {
        if (kept == TOML_NANO_DIGITS)
            continue;
        out->nanosecond = out->nanosecond * 10 + (*t->at - '0');
        kept++;
    }
    for (; kept < TOML_NANO_DIGITS; kept++)
        out->nanosecond *= 10;
    return t->at > start;
}

static bool toml_time_clock(struct toml_token *t, struct toml_time *out)
{
    if (!toml_time_number(t, 2, 0, 23, &out->hour) || !toml_time_char(t, ':') ||
        !toml_time_number(t, 2, 0, 59, &out->minute) || !toml_time_char(t, ':') ||
        !toml_time_number(t, 2, 0, 60, &out->second))
        return false;
    return !toml_time_char(t, '.') || toml_time_fraction(t, out);
}

/* Z or +hh:mm; true with nothing taken when there is none. */
static bool toml_time_offset(struct toml_token *t, struct toml_time *out, bool *found)
{
    bool minus = t->at < t->end && *t->at == '-';
    int hours, minutes;

    *found = t->at < t->end;
    if (!*found || toml_time_char(t, 'Z') || toml_time_char(t, 'z'))
        return true;
    if (!minus && !(t->at < t->end && *t->at == '+'))
        return false;
    t->at++;
    if (!toml_time_number(t, 2, 0, 23, &hours) || !toml_time_char(t, ':') ||
        !toml_time_number(t, 2, 0, 59, &minutes))
        return false;
    out->offset_minutes = (hours * 60 + minutes) * (minus ? -1 : 1);
    return true;
}

/* Behind the date. */
static bool toml_time_behind_date(struct toml_token *t, struct toml *out)
{
    bool with_offset = false;

    out->type = TOML_LOCAL_DATE;
    if (t->at == t->end)
        return true;
    if (!toml_time_char(t, 'T') && !toml_time_char(t, 't') && !toml_time_char(t, ' '))
        return false;
    if (!toml_time_clock(t, &out->time) || !toml_time_offset(t, &out->time, &with_offset))
        return false;
    out->type = with_offset ? TOML_DATETIME : TOML_LOCAL_DATETIME;
    return t->at == t->end;
}

bool toml_time_looks(struct str token)
{
    size_t digits = 0;

    while (digits < token.len && token.ptr[digits] >= '0' && token.ptr[digits] <= '9')
        digits++;
    if (digits == token.len || digits == 0)
        return false;
    return token.ptr[digits] == '-' || token.ptr[digits] == ':';
}

bool toml_time_parse(struct str token, struct toml *out)
{
    struct toml_token t = {token.ptr, token.ptr + token.len};

    out->time = (struct toml_time){0};
    if (token.len > 2 && token.ptr[2] == ':') {
        out->type = TOML_LOCAL_TIME;
        return toml_time_clock(&t, &out->time) && t.at == t.end;
    }
    return toml_time_date(&t, &out->time) && toml_time_behind_date(&t, out);
}

/* Of the fraction as many digits as say something. */
static int toml_time_digits(int nanosecond)
{
    int digits = TOML_NANO_DIGITS;

    while (digits > 0 && nanosecond % 10 == 0) {
        nanosecond /= 10;
        digits--;
    }
    return digits;
}

void toml_time_format(const struct toml *node, char *out)
{
    const struct toml_time *t = &node->time;
    int digits = toml_time_digits(t->nanosecond), value = t->nanosecond, len = 0;
    int off = t->offset_minutes < 0 ? -t->offset_minutes : t->offset_minutes;
    const size_t size = TOML_TIME_TEXT;

    out[0] = '\0';
    if (node->type != TOML_LOCAL_TIME)
        len += snprintf(out, size, "%04d-%02d-%02d", t->year, t->month, t->day);
    if (node->type == TOML_LOCAL_DATE)
        return;
    if (node->type != TOML_LOCAL_TIME)
        len += snprintf(out + len, size - (size_t)len, "T");
    len += snprintf(out + len, size - (size_t)len, "%02d:%02d:%02d", t->hour, t->minute, t->second);
    for (int i = digits; i < TOML_NANO_DIGITS; i++)
        value /= 10;
    if (digits > 0)
        len += snprintf(out + len, size - (size_t)len, ".%0*d", digits, value);
    if (node->type == TOML_DATETIME && off == 0)
        (void)snprintf(out + len, size - (size_t)len, "Z");
    else if (node->type == TOML_DATETIME)
        (void)snprintf(out + len, size - (size_t)len, "%c%02d:%02d",
                       t->offset_minutes < 0 ? '-' : '+', off / 60, off % 60);
}
