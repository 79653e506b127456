/* SPDX-License-Identifier: PostgreSQL */
/*
 * num_time.c: points in time as text (RFC 3339), by the proleptic Gregorian calendar.
 *
 * Day arithmetic counts years from March, so that the leap day is the last of its year.
 */
#include <stdbool.h>
#include <stdio.h>

#include "base/num.h"

#define TIME_DAY_MS  INT64_C(86400000)
#define TIME_MIN_MS  INT64_C(-62167219200000) /* 0000-01-01T00:00:00Z */
#define TIME_MAX_MS  INT64_C(253402300799999) /* 9999-12-31T23:59:59.999Z */
#define TIME_MS_FROM INT64_C(100000000000)    /* numbers from here on are milliseconds */

struct num_civil {
    int year, month, day, hour, minute, second;
};

static int64_t num_days(int year, int month, int day)
{
    int64_t y = month > 2 ? year : year - 1;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;

    return era * 146097 + day_of_era - 719468;
}

static void num_civil_of_days(int64_t days, struct num_civil *out)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;

    out->day = (int)(day_of_year - (153 * month + 2) / 5 + 1);
    out->month = (int)(month < 10 ? month + 3 : month - 9);
    out->year = (int)(year_of_era + era * 400 + (out->month <= 2 ? 1 : 0));
}

void num_format_time(int64_t wall_ms, char *out)
{
    struct num_civil c = {0};
    int64_t ms = wall_ms < TIME_MIN_MS   ? TIME_MIN_MS
                 : wall_ms > TIME_MAX_MS ? TIME_MAX_MS
                                         : wall_ms;
    int64_t days = ms / TIME_DAY_MS - (ms % TIME_DAY_MS < 0 ? 1 : 0);
    unsigned rest = (unsigned)(ms - days * TIME_DAY_MS);

    num_civil_of_days(days, &c);
    (void)snprintf(out, NUM_TIME_TEXT_MAX, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                   (unsigned)c.year % 10000, (unsigned)c.month % 100, (unsigned)c.day % 100,
                   rest / 3600000, rest / 60000 % 60, rest / 1000 % 60, rest % 1000);
}

/* Exactly `digits` digits, then `after` (0 = nothing special). */
static bool num_take_field(struct str *s, size_t digits, char after, int *out)
{
    size_t len = digits + (after ? 1 : 0);
    int value = 0;

    if (s->len < len || (after && s->ptr[digits] != after))
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        value = value * 10 + (s->ptr[i] - '0');
    }
    *out = value;
    *s = str_make(s->ptr + len, s->len - len);
    return true;
}

static bool num_civil_ok(const struct num_civil *c)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (c->year % 4 == 0 && c->year % 100 != 0) || c->year % 400 == 0;

    if (c->month < 1 || c->month > 12 || c->day < 1)
        return false;
    if (c->day > days[c->month - 1] + (c->month == 2 && leap ? 1 : 0))
        return false;
    return c->hour < 24 && c->minute < 60 && c->second <= 60;
}

/* ".123456": milliseconds, finer digits are cut. Nothing there is fine. */
static bool num_take_ms(struct str *s, int *ms)
{
    size_t at = 1;
    int scale = 100;

    *ms = 0;
    if (s->len == 0 || s->ptr[0] != '.')
        return true;
    for (; at < s->len && s->ptr[at] >= '0' && s->ptr[at] <= '9'; at++) {
        *ms += (s->ptr[at] - '0') * scale;
        scale /= 10;
    }
    *s = str_make(s->ptr + at, s->len - at);
    return at > 1;
}

/* "Z" or "+02:00", to the end of the text. */
static bool num_take_offset(struct str s, int *minutes)
{
    int hour, minute, sign;

    *minutes = 0;
    if (str_eq_nocase(s, STR("Z")))
        return true;
    if (s.len != 6 || (s.ptr[0] != '+' && s.ptr[0] != '-'))
        return false;
    sign = s.ptr[0] == '-' ? -1 : 1;
    s = str_make(s.ptr + 1, s.len - 1);
    if (!num_take_field(&s, 2, ':', &hour) || !num_take_field(&s, 2, 0, &minute) || hour > 23 ||
        minute > 59)
        return false;
    *minutes = sign * (hour * 60 + minute);
    return true;
}

static bool num_parse_rfc3339(struct str s, int64_t *out)
{
    struct num_civil c = {0};
    int ms, offset_min;
    char sep;

    if (!num_take_field(&s, 4, '-', &c.year) || !num_take_field(&s, 2, '-', &c.month) ||
        !num_take_field(&s, 2, 0, &c.day) || s.len == 0)
        return false;
    sep = s.ptr[0];
    s = str_make(s.ptr + 1, s.len - 1);
    if (sep != 'T' && sep != 't' && sep != ' ')
        return false;
    if (!num_take_field(&s, 2, ':', &c.hour) || !num_take_field(&s, 2, ':', &c.minute) ||
        !num_take_field(&s, 2, 0, &c.second) || !num_take_ms(&s, &ms) ||
        !num_take_offset(s, &offset_min) || !num_civil_ok(&c))
        return false;
    *out = num_days(c.year, c.month, c.day) * TIME_DAY_MS +
           ((int64_t)(c.hour * 60 + c.minute - offset_min) * 60 + c.second) * 1000 + ms;
    return true;
}

enum err_code num_parse_time_ms(struct str s, int64_t *out, struct err *e)
{
    double value;

    if (num_parse_rfc3339(s, out))
        return ERR_OK;
    if (num_parse_f64(s, &value, NULL) != ERR_OK || value < 0)
        return err_set(e, ERR_INVALID,
                       "\"%.*s\" is not a time (Unix seconds, milliseconds or RFC 3339)",
                       s.len > 40 ? 40 : (int)s.len, s.ptr ? s.ptr : "");
    if (value < (double)TIME_MS_FROM)
        value *= 1000;
    if (value > (double)TIME_MAX_MS)
        return err_set(e, ERR_INVALID, "a time after the year 9999");
    *out = (int64_t)(value + 0.5);
    return ERR_OK;
}
