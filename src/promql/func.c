/* SPDX-License-Identifier: PostgreSQL */
/*
 * func.c: the functions of PromQL by name, with their signatures as of Prometheus 3.5.
 */
#include "promql/func.h"

#include <stdlib.h>
#include <string.h>

#define ROW(called, ...) \
    [PROMQL_FUNC_##called] = {.name = #called, .id = PROMQL_FUNC_##called, __VA_ARGS__}
#define OF_VECTOR .args = {PROMQL_VECTOR}, .type = PROMQL_VECTOR
#define OF_RANGE  .args = {PROMQL_MATRIX}, .type = PROMQL_VECTOR

static const struct promql_func promql_funcs[PROMQL_FUNC_COUNT] = {
    ROW(abs, OF_VECTOR),
    ROW(absent, OF_VECTOR),
    ROW(absent_over_time, OF_RANGE),
    ROW(acos, OF_VECTOR),
    ROW(acosh, OF_VECTOR),
    ROW(asin, OF_VECTOR),
    ROW(asinh, OF_VECTOR),
    ROW(atan, OF_VECTOR),
    ROW(atanh, OF_VECTOR),
    ROW(avg_over_time, OF_RANGE),
    ROW(ceil, OF_VECTOR),
    ROW(changes, OF_RANGE),
    ROW(clamp, .args = {PROMQL_VECTOR, PROMQL_SCALAR, PROMQL_SCALAR}, .type = PROMQL_VECTOR),
    ROW(clamp_max, .args = {PROMQL_VECTOR, PROMQL_SCALAR}, .type = PROMQL_VECTOR),
    ROW(clamp_min, .args = {PROMQL_VECTOR, PROMQL_SCALAR}, .type = PROMQL_VECTOR),
    ROW(cos, OF_VECTOR),
    ROW(cosh, OF_VECTOR),
    ROW(count_over_time, OF_RANGE),
    ROW(day_of_month, OF_VECTOR, .variadic = 1),
    ROW(day_of_week, OF_VECTOR, .variadic = 1),
    ROW(day_of_year, OF_VECTOR, .variadic = 1),
    ROW(days_in_month, OF_VECTOR, .variadic = 1),
    ROW(deg, OF_VECTOR),
    ROW(delta, OF_RANGE),
    ROW(deriv, OF_RANGE),
    ROW(double_exponential_smoothing, .args = {PROMQL_MATRIX, PROMQL_SCALAR, PROMQL_SCALAR},
        .type = PROMQL_VECTOR, .experimental = true),
    ROW(exp, OF_VECTOR),
    ROW(floor, OF_VECTOR),
    ROW(histogram_avg, OF_VECTOR),
    ROW(histogram_count, OF_VECTOR),
    ROW(histogram_fraction, .args = {PROMQL_SCALAR, PROMQL_SCALAR, PROMQL_VECTOR},
        .type = PROMQL_VECTOR),
    ROW(histogram_quantile, .args = {PROMQL_SCALAR, PROMQL_VECTOR}, .type = PROMQL_VECTOR),
    ROW(histogram_stddev, OF_VECTOR),
    ROW(histogram_stdvar, OF_VECTOR),
    ROW(histogram_sum, OF_VECTOR),
    ROW(hour, OF_VECTOR, .variadic = 1),
    ROW(idelta, OF_RANGE),
    ROW(increase, OF_RANGE),
    ROW(info, .args = {PROMQL_VECTOR, PROMQL_VECTOR}, .type = PROMQL_VECTOR, .variadic = 1,
        .experimental = true),
    ROW(irate, OF_RANGE),
    ROW(label_join, .args = {PROMQL_VECTOR, PROMQL_STRING, PROMQL_STRING, PROMQL_STRING},
        .type = PROMQL_VECTOR, .variadic = -1),
    ROW(label_replace,
        .args = {PROMQL_VECTOR, PROMQL_STRING, PROMQL_STRING, PROMQL_STRING, PROMQL_STRING},
        .type = PROMQL_VECTOR),
    ROW(last_over_time, OF_RANGE),
    ROW(ln, OF_VECTOR),
    ROW(log10, OF_VECTOR),
    ROW(log2, OF_VECTOR),
    ROW(mad_over_time, OF_RANGE, .experimental = true),
    ROW(max_over_time, OF_RANGE),
    ROW(min_over_time, OF_RANGE),
    ROW(minute, OF_VECTOR, .variadic = 1),
    ROW(month, OF_VECTOR, .variadic = 1),
    ROW(pi, .type = PROMQL_SCALAR),
    ROW(predict_linear, .args = {PROMQL_MATRIX, PROMQL_SCALAR}, .type = PROMQL_VECTOR),
    ROW(present_over_time, OF_RANGE),
    ROW(quantile_over_time, .args = {PROMQL_SCALAR, PROMQL_MATRIX}, .type = PROMQL_VECTOR),
    ROW(rad, OF_VECTOR),
    ROW(rate, OF_RANGE),
    ROW(resets, OF_RANGE),
    ROW(round, .args = {PROMQL_VECTOR, PROMQL_SCALAR}, .type = PROMQL_VECTOR, .variadic = 1),
    ROW(scalar, .args = {PROMQL_VECTOR}, .type = PROMQL_SCALAR),
    ROW(sgn, OF_VECTOR),
    ROW(sin, OF_VECTOR),
    ROW(sinh, OF_VECTOR),
    ROW(sort, OF_VECTOR),
    ROW(sort_by_label, .args = {PROMQL_VECTOR, PROMQL_STRING}, .type = PROMQL_VECTOR,
        .variadic = -1, .experimental = true),
    ROW(sort_by_label_desc, .args = {PROMQL_VECTOR, PROMQL_STRING}, .type = PROMQL_VECTOR,
        .variadic = -1, .experimental = true),
    ROW(sort_desc, OF_VECTOR),
    ROW(sqrt, OF_VECTOR),
    ROW(stddev_over_time, OF_RANGE),
    ROW(stdvar_over_time, OF_RANGE),
    ROW(sum_over_time, OF_RANGE),
    ROW(tan, OF_VECTOR),
    ROW(tanh, OF_VECTOR),
    ROW(time, .type = PROMQL_SCALAR),
    ROW(timestamp, OF_VECTOR),
    ROW(ts_of_last_over_time, OF_RANGE, .experimental = true),
    ROW(ts_of_max_over_time, OF_RANGE, .experimental = true),
    ROW(ts_of_min_over_time, OF_RANGE, .experimental = true),
    ROW(vector, .args = {PROMQL_SCALAR}, .type = PROMQL_VECTOR),
    ROW(year, OF_VECTOR, .variadic = 1),
};

static int compare_name(const void *key, const void *row)
{
    const struct str *name = key;
    const struct promql_func *func = row;

    return str_cmp(*name, str_of(func->name));
}

const struct promql_func *promql_func_find(struct str name)
{
    return bsearch(&name, promql_funcs, PROMQL_FUNC_COUNT, sizeof(promql_funcs[0]), compare_name);
}

const struct promql_func *promql_func_at(enum promql_func_id id)
{
    return &promql_funcs[id];
}

const char *promql_type_text(enum promql_type type)
{
    switch (type) {
    case PROMQL_NONE:
        return "none";
    case PROMQL_SCALAR:
        return "scalar";
    case PROMQL_VECTOR:
        return "instant vector";
    case PROMQL_MATRIX:
        return "range vector";
    case PROMQL_STRING:
        return "string";
    }
    return "none";
}
