/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_math.c: arithmetic on single numbers, as Go's math package has it where it differs from C.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "promql/eval.h"

/* --- Quantiles --- */

static int math_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    if (isnan(x) || isnan(y))
        return isnan(y) - isnan(x); /* NaN first */
    return (x > y) - (x < y);
}

double eval_quantile(double q, double *values, size_t count)
{
    double n = (double)count, rank, low, high, weight;

    if (count == 0 || isnan(q))
        return (double)NAN;
    if (q < 0)
        return (double)-INFINITY;
    if (q > 1)
        return (double)INFINITY;
    qsort(values, count, sizeof(*values), math_compare);
    rank = q * (n - 1);
    low = fmax(0, floor(rank));
    high = fmin(n - 1, low + 1);
    weight = rank - floor(rank);
    return values[(size_t)low] * (1 - weight) + values[(size_t)high] * weight;
}

/* --- Operators --- */

double eval_arith(enum expr_op op, double a, double b)
{
    switch (op) {
    case OP_ADD:
        return a + b;
    case OP_SUB:
        return a - b;
    case OP_MUL:
        return a * b;
    case OP_DIV:
        return a / b;
    case OP_MOD:
        return fmod(a, b);
    case OP_POW:
        return pow(a, b);
    case OP_ATAN2:
        return atan2(a, b);
    case OP_EQ:
        return a == b;
    case OP_NE:
        return a != b;
    case OP_GT:
        return a > b;
    case OP_LT:
        return a < b;
    case OP_GE:
        return a >= b;
    case OP_LE:
        return a <= b;
    case OP_AND:
    case OP_OR:
    case OP_UNLESS:
        break;
    }
    return (double)NAN;
}

/* An infinity that decides wins over NaN. */
double eval_min(double a, double b)
{
    if ((isinf(a) && a < 0) || (isinf(b) && b < 0))
        return (double)-INFINITY;
    if (isnan(a) || isnan(b))
        return (double)NAN;
    if (a == 0 && a == b)
        return signbit(a) ? a : b;
    return a < b ? a : b;
}

double eval_max(double a, double b)
{
    if ((isinf(a) && a > 0) || (isinf(b) && b > 0))
        return (double)INFINITY;
    if (isnan(a) || isnan(b))
        return (double)NAN;
    if (a == 0 && a == b)
        return signbit(a) ? b : a;
    return a > b ? a : b;
}

/* --- Functions of one number --- */

static double math_deg(double v)
{
    return v * 180 / M_PI;
}

static double math_rad(double v)
{
    return v * M_PI / 180;
}

static double math_sgn(double v)
{
    if (v < 0)
        return -1;
    return v > 0 ? 1 : v;
}

static eval_unary_fn *const math_functions[PROMQL_FUNC_COUNT] = {
    [PROMQL_FUNC_abs] = fabs,    [PROMQL_FUNC_acos] = acos,    [PROMQL_FUNC_acosh] = acosh,
    [PROMQL_FUNC_asin] = asin,   [PROMQL_FUNC_asinh] = asinh,  [PROMQL_FUNC_atan] = atan,
    [PROMQL_FUNC_atanh] = atanh, [PROMQL_FUNC_ceil] = ceil,    [PROMQL_FUNC_cos] = cos,
    [PROMQL_FUNC_cosh] = cosh,   [PROMQL_FUNC_deg] = math_deg, [PROMQL_FUNC_exp] = exp,
    [PROMQL_FUNC_floor] = floor, [PROMQL_FUNC_ln] = log,       [PROMQL_FUNC_log10] = log10,
    [PROMQL_FUNC_log2] = log2,   [PROMQL_FUNC_rad] = math_rad, [PROMQL_FUNC_sgn] = math_sgn,
    [PROMQL_FUNC_sin] = sin,     [PROMQL_FUNC_sinh] = sinh,    [PROMQL_FUNC_sqrt] = sqrt,
    [PROMQL_FUNC_tan] = tan,     [PROMQL_FUNC_tanh] = tanh,
};

eval_unary_fn *eval_unary_find(enum promql_func_id id)
{
    return id < PROMQL_FUNC_COUNT ? math_functions[id] : NULL;
}

/* --- Dates --- */

struct math_day {
    int64_t year;
    int month, day, of_year; /* from 1 */
};

static bool math_is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int math_month_days(int64_t year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && math_is_leap(year));
}

/* The Gregorian calendar, also before it was used. */
static struct math_day math_civil(int64_t days)
{
    int64_t era, of_era, year_of_era, of_year;
    struct math_day d;

    days += 719468; /* from 0000-03-01 */
    era = (days >= 0 ? days : days - 146096) / 146097;
    of_era = days - era * 146097;
    year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    d.month = (int)((5 * of_year + 2) / 153);
    d.day = (int)(of_year - (153 * (int64_t)d.month + 2) / 5 + 1);
    d.month = d.month < 10 ? d.month + 3 : d.month - 9;
    d.year = year_of_era + era * 400 + (d.month <= 2);
    d.of_year = d.day;
    for (int m = 1; m < d.month; m++)
        d.of_year += math_month_days(d.year, m);
    return d;
}

/* As Go converts on this machine: what does not fit is the smallest integer. */
static int64_t math_seconds(double v)
{
    return v >= -9223372036854775808.0 && v < 9223372036854775808.0 ? (int64_t)v : INT64_MIN;
}

double eval_date(enum promql_func_id id, double seconds)
{
    int64_t s = math_seconds(seconds);
    int64_t days = s / 86400 - (s % 86400 < 0);
    int64_t of_day = (s % 86400 + 86400) % 86400, hour, minute;
    struct math_day d;

    if (s == INT64_MIN) { /* Go's calendar begins later, and comes out at the other end: 2^63 */
        days = 106751991167300;
        of_day = 55808;
    }
    d = math_civil(days);
    hour = of_day / 3600;
    minute = of_day / 60 % 60;
    switch ((int)id) {
    case PROMQL_FUNC_year:
        return (double)d.year;
    case PROMQL_FUNC_month:
        return d.month;
    case PROMQL_FUNC_day_of_month:
        return d.day;
    case PROMQL_FUNC_day_of_year:
        return d.of_year;
    case PROMQL_FUNC_day_of_week:
        return (double)(((days + 4) % 7 + 7) % 7);
    case PROMQL_FUNC_days_in_month:
        return math_month_days(d.year, d.month);
    case PROMQL_FUNC_hour:
        return (double)hour;
    default:
        return (double)minute;
    }
}

/* --- Text --- */

bool eval_parse_float(struct str s, double *out)
{
    char text[64], *end;

    if (s.len == 0 || s.len >= sizeof(text))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    if (strlen(text) != s.len || text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r') ||
        strchr(text, '('))
        return false;
    *out = strtod(text, &end);
    return end == text + s.len;
}
