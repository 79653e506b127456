/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_slice.c: functions of one window of samples.
 *
 * Sums are compensated (Kahan, Neumaier), in the order of time, as Prometheus 3.5 does them: the
 * answers agree to the last bit. Source: promql/functions.go of Prometheus 3.5.
 */
#include <math.h>

#include "promql/eval.h"

/* --- rate, increase, delta --- */

enum slice_rate { SLICE_COUNTER = 1, SLICE_PER_SECOND = 2 };

/* What the counter rose by, with resets; a fall means that it began again at 0. */
static double slice_rise(const struct eval_slice *s, unsigned flags)
{
    size_t last = s->count - 1;
    double rise = s->value[last] - s->value[0];

    if (!(flags & SLICE_COUNTER) || (s->drops && s->drops[last] == s->drops[0]))
        return rise;
    for (size_t i = 1; i < s->count; i++) {
        if (s->value[i] < s->value[i - 1])
            rise += s->value[i - 1];
    }
    return rise;
}

/* Distances between readings: of roll-ups a sample stands for many of them. */
static double slice_distances(const struct eval_slice *s)
{
    double n = 0;

    for (size_t i = 1; s->readings && i < s->count; i++)
        n += s->readings[i];
    return n >= 1 ? n : (double)(s->count - 1);
}

/*
 * The rise over the samples stretched to the window: to its edge when the edge is about one
 * distance of samples away, else by half a distance; for a counter not before its zero.
 */
static double slice_extrapolate(const struct eval_slice *s, unsigned flags)
{
    size_t last = s->count - 1;
    double rise, start, end, sampled, each, limit;

    if (s->count < 2)
        return eval_nothing();
    rise = slice_rise(s, flags);
    start = (double)(s->t_ms[0] - s->start_ms) / 1000;
    end = (double)(s->end_ms - s->t_ms[last]) / 1000;
    sampled = (double)(s->t_ms[last] - s->t_ms[0]) / 1000;
    each = sampled / slice_distances(s);
    limit = each * 1.1;
    if (start >= limit)
        start = each / 2;
    if ((flags & SLICE_COUNTER) && rise > 0 && s->value[0] >= 0) {
        double zero = sampled * (s->value[0] / rise);

        if (zero < start)
            start = zero;
    }
    if (end >= limit)
        end = each / 2;
    limit = (sampled + start + end) / sampled;
    if (flags & SLICE_PER_SECOND)
        limit /= (double)s->range_ms / 1000;
    return rise * limit;
}

static double slice_delta(const struct eval_slice *s)
{
    return slice_extrapolate(s, 0);
}

static double slice_increase(const struct eval_slice *s)
{
    return slice_extrapolate(s, SLICE_COUNTER);
}

static double slice_rate(const struct eval_slice *s)
{
    return slice_extrapolate(s, SLICE_COUNTER | SLICE_PER_SECOND);
}

static double slice_idelta(const struct eval_slice *s)
{
    return s->count < 2 ? eval_nothing() : s->value[s->count - 1] - s->value[s->count - 2];
}

static double slice_irate(const struct eval_slice *s)
{
    size_t last = s->count - 1;
    double v;

    if (s->count < 2)
        return eval_nothing();
    v = s->value[last];
    if (!(v < s->value[last - 1]))
        v -= s->value[last - 1];
    return v / ((double)(s->t_ms[last] - s->t_ms[last - 1]) / 1000);
}

/* --- Sums and means --- */

static double slice_sum(const struct eval_slice *s)
{
    struct eval_kahan k = {0, 0};

    for (size_t i = 0; i < s->count; i++)
        eval_kahan_add(&k, s->value[i]);
    return isinf(k.sum) ? k.sum : k.sum + k.c;
}

/* The mean of the rest when the plain sum would overflow at sample i. */
static double slice_running_mean(const struct eval_slice *s, size_t i, struct eval_kahan k)
{
    k.sum /= (double)i;
    k.c /= (double)i;
    for (; i < s->count; i++) {
        double n = (double)(i + 1), q = (n - 1) / n;

        k.sum *= q;
        k.c *= q;
        eval_kahan_add(&k, s->value[i] / n);
    }
    return k.sum + k.c;
}

/* The mean of samples that are means. That of a constant is the constant. */
static double slice_avg_of_parts(const struct eval_slice *s)
{
    struct eval_kahan k = {0, 0};
    double n = 0, mean = 0;
    bool constant = true;

    for (size_t i = 0; i < s->count; i++) {
        constant &= s->value[i] == s->value[0];
        n += s->readings[i];
        eval_kahan_add(&k, s->sum[i]);
        mean += (s->value[i] - mean) * (s->readings[i] / n);
    }
    if (constant)
        return s->value[0];
    return isinf(k.sum) && isfinite(mean) ? mean : k.sum / n + k.c / n;
}

static double slice_avg(const struct eval_slice *s)
{
    struct eval_kahan k = {s->value[0], 0};
    double n = (double)s->count;

    if (s->readings)
        return slice_avg_of_parts(s);

    for (size_t i = 1; i < s->count; i++) {
        struct eval_kahan next = k;

        eval_kahan_add(&next, s->value[i]);
        if (isinf(next.sum))
            return slice_running_mean(s, i, k);
        k = next;
    }
    return k.sum / n + k.c / n;
}

static double slice_variance(const struct eval_slice *s)
{
    struct eval_kahan mean = {0, 0}, aux = {0, 0};
    double n = 0;

    for (size_t i = 0; i < s->count; i++) {
        double delta = s->value[i] - (mean.sum + mean.c);

        n++;
        eval_kahan_add(&mean, delta / n);
        eval_kahan_add(&aux, delta * (s->value[i] - (mean.sum + mean.c)));
    }
    return (aux.sum + aux.c) / n;
}

static double slice_stddev(const struct eval_slice *s)
{
    return sqrt(slice_variance(s));
}

static double slice_count(const struct eval_slice *s)
{
    double n = 0;

    if (!s->readings)
        return (double)s->count;
    for (size_t i = 0; i < s->count; i++)
        n += s->readings[i];
    return n;
}

static double slice_one(const struct eval_slice *s)
{
    (void)s;
    return 1;
}

/* --- Extremes --- */

static size_t slice_min_at(const struct eval_slice *s)
{
    size_t at = 0;

    for (size_t i = 0; i < s->count; i++) {
        if (s->value[i] < s->value[at] || isnan(s->value[at]))
            at = i;
    }
    return at;
}

static size_t slice_max_at(const struct eval_slice *s)
{
    size_t at = 0;

    for (size_t i = 0; i < s->count; i++) {
        if (s->value[i] > s->value[at] || isnan(s->value[at]))
            at = i;
    }
    return at;
}

static double slice_min(const struct eval_slice *s)
{
    return s->value[slice_min_at(s)];
}

static double slice_max(const struct eval_slice *s)
{
    return s->value[slice_max_at(s)];
}

/* Of equal values the newest. */
static double slice_min_stamp(const struct eval_slice *s)
{
    size_t at = 0;

    for (size_t i = 0; i < s->count; i++) {
        if (s->value[i] <= s->value[at] || isnan(s->value[at]))
            at = i;
    }
    return (double)s->t_ms[at] / 1000;
}

static double slice_max_stamp(const struct eval_slice *s)
{
    size_t at = 0;

    for (size_t i = 0; i < s->count; i++) {
        if (s->value[i] >= s->value[at] || isnan(s->value[at]))
            at = i;
    }
    return (double)s->t_ms[at] / 1000;
}

static double slice_last(const struct eval_slice *s)
{
    return s->value[s->count - 1];
}

static double slice_last_stamp(const struct eval_slice *s)
{
    int64_t t_ms = s->t_ms[s->count - 1];

    return t_ms > 0 ? (double)t_ms / 1000 : 0; /* as Prometheus, which takes 0 for no sample */
}

static double slice_median(const struct eval_slice *s)
{
    return eval_quantile(0.5, s->sort, s->count);
}

static double slice_quantile(const struct eval_slice *s)
{
    for (size_t i = 0; i < s->count; i++)
        s->sort[i] = s->value[i];
    return eval_quantile(s->param[0], s->sort, s->count);
}

static double slice_mad(const struct eval_slice *s)
{
    double median;

    for (size_t i = 0; i < s->count; i++)
        s->sort[i] = s->value[i];
    median = slice_median(s);
    for (size_t i = 0; i < s->count; i++)
        s->sort[i] = fabs(s->value[i] - median);
    return slice_median(s);
}

/* --- Changes --- */

static double slice_changes(const struct eval_slice *s)
{
    size_t n = 0;

    for (size_t i = 1; i < s->count; i++) {
        double a = s->value[i - 1], b = s->value[i];

        n += a != b && !(isnan(a) && isnan(b));
    }
    return (double)n;
}

static double slice_resets(const struct eval_slice *s)
{
    size_t n = 0;

    for (size_t i = 1; i < s->count; i++)
        n += s->value[i] < s->value[i - 1];
    return (double)n;
}

/* --- Trends --- */

struct slice_line {
    double slope, intercept;
};

struct slice_sums {
    struct eval_kahan x, y, xy, xx;
    double n;
    bool flat; /* all values equal */
};

static struct slice_sums slice_add_up(const struct eval_slice *s, int64_t zero_ms)
{
    struct slice_sums sums = {.n = (double)s->count, .flat = true};

    for (size_t i = 0; i < s->count; i++) {
        double x = (double)(s->t_ms[i] - zero_ms) / 1e3, y = s->value[i];

        sums.flat &= i == 0 || y == s->value[0];
        eval_kahan_add(&sums.x, x);
        eval_kahan_add(&sums.y, y);
        eval_kahan_add(&sums.xy, x * y);
        eval_kahan_add(&sums.xx, x * x);
    }
    return sums;
}

/* Least squares; zero_ms: where the intercept is. */
static struct slice_line slice_regression(const struct eval_slice *s, int64_t zero_ms)
{
    struct slice_sums sums = slice_add_up(s, zero_ms);
    double x = sums.x.sum + sums.x.c, y = sums.y.sum + sums.y.c;
    double cov, var;
    struct slice_line line;

    if (sums.flat && isinf(s->value[0]))
        return (struct slice_line){(double)NAN, (double)NAN};
    if (sums.flat)
        return (struct slice_line){0, s->value[0]};
    cov = (sums.xy.sum + sums.xy.c) - x * y / sums.n;
    var = (sums.xx.sum + sums.xx.c) - x * x / sums.n;
    line.slope = cov / var;
    line.intercept = y / sums.n - line.slope * x / sums.n;
    return line;
}

static double slice_deriv(const struct eval_slice *s)
{
    return s->count < 2 ? eval_nothing() : slice_regression(s, s->t_ms[0]).slope;
}

static double slice_predict(const struct eval_slice *s)
{
    struct slice_line line;

    if (s->count < 2)
        return eval_nothing();
    line = slice_regression(s, s->now_ms);
    return line.slope * s->param[0] + line.intercept;
}

/* Holt's linear method: a smoothed level and a smoothed trend. */
static double slice_smooth(const struct eval_slice *s)
{
    double sf = s->param[0], tf = s->param[1];
    double before = 0, level, trend;

    if (s->count < 2)
        return eval_nothing();
    level = s->value[0];
    trend = s->value[1] - s->value[0];
    for (size_t i = 1; i < s->count; i++) {
        double x = sf * s->value[i], next;

        if (i > 1)
            trend = tf * (level - before) + (1 - tf) * trend;
        next = x + (1 - sf) * (level + trend);
        before = level;
        level = next;
    }
    return level;
}

/* --- The table --- */

static eval_slice_fn *const slice_functions[PROMQL_FUNC_COUNT] = {
    [PROMQL_FUNC_absent_over_time] = slice_one,
    [PROMQL_FUNC_avg_over_time] = slice_avg,
    [PROMQL_FUNC_changes] = slice_changes,
    [PROMQL_FUNC_count_over_time] = slice_count,
    [PROMQL_FUNC_delta] = slice_delta,
    [PROMQL_FUNC_deriv] = slice_deriv,
    [PROMQL_FUNC_double_exponential_smoothing] = slice_smooth,
    [PROMQL_FUNC_idelta] = slice_idelta,
    [PROMQL_FUNC_increase] = slice_increase,
    [PROMQL_FUNC_irate] = slice_irate,
    [PROMQL_FUNC_last_over_time] = slice_last,
    [PROMQL_FUNC_mad_over_time] = slice_mad,
    [PROMQL_FUNC_max_over_time] = slice_max,
    [PROMQL_FUNC_min_over_time] = slice_min,
    [PROMQL_FUNC_predict_linear] = slice_predict,
    [PROMQL_FUNC_present_over_time] = slice_one,
    [PROMQL_FUNC_quantile_over_time] = slice_quantile,
    [PROMQL_FUNC_rate] = slice_rate,
    [PROMQL_FUNC_resets] = slice_resets,
    [PROMQL_FUNC_stddev_over_time] = slice_stddev,
    [PROMQL_FUNC_stdvar_over_time] = slice_variance,
    [PROMQL_FUNC_sum_over_time] = slice_sum,
    [PROMQL_FUNC_ts_of_last_over_time] = slice_last_stamp,
    [PROMQL_FUNC_ts_of_max_over_time] = slice_max_stamp,
    [PROMQL_FUNC_ts_of_min_over_time] = slice_min_stamp,
};

eval_slice_fn *eval_slice_find(enum promql_func_id id)
{
    return id < PROMQL_FUNC_COUNT ? slice_functions[id] : NULL;
}
