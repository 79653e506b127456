/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_histogram.c: histogram_quantile() and histogram_fraction() of classic histograms: series
 * that differ in the label `le` alone, cumulative counts up to that bound.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "promql/eval.h"

#define HISTOGRAM_TOLERANCE 1e-12 /* relative differences of counts below it are rounding */

struct bucket {
    double bound, count;
};

struct histogram_part {
    double bound;
    const double *value;
    size_t next; /* of the same histogram; SIZE_MAX = the last */
};

struct histogram {
    struct labels labels; /* of the answer */
    struct str name;      /* as notes know it: forgotten after the first step with a value */
    size_t first, last;   /* parts, in order of appearance */
};

struct histogram_call {
    const struct expr *x;
    bool fraction;
    double *low, *high; /* of a fraction; low is the quantile */
    struct histogram_part *parts;
    struct histogram *all;
    size_t part_count, count;
    struct bucket *room;
    bool noted; /* the note without a name */
};

/* --- Buckets --- */

static int bucket_compare(const void *a, const void *b)
{
    const struct bucket *x = a, *y = b;

    return (x->bound > y->bound) - (x->bound < y->bound);
}

/* Sorted, equal bounds added up. */
static size_t bucket_tidy(struct bucket *b, size_t count)
{
    size_t n = 0;

    qsort(b, count, sizeof(*b), bucket_compare);
    for (size_t i = 1; i < count; i++) {
        if (b[i].bound == b[n].bound)
            b[n].count += b[i].count;
        else
            b[++n] = b[i];
    }
    return n + 1;
}

static bool bucket_almost_equal(double a, double b)
{
    double diff = fabs(a - b), sum = fabs(a) + fabs(b);

    if (a == b || (isnan(a) && isnan(b)))
        return true;
    if (a == 0 || b == 0 || sum < 2.2250738585072014e-308)
        return diff < HISTOGRAM_TOLERANCE * 2.2250738585072014e-308;
    return diff / fmin(sum, 1.7976931348623157e308) < HISTOGRAM_TOLERANCE;
}

/* Counts never fall; true when one had to be raised by more than rounding. */
static bool bucket_force_rise(struct bucket *b, size_t count)
{
    double before = b[0].count;
    bool forced = false;

    for (size_t i = 1; i < count; i++) {
        double now = b[i].count;

        if (now == before)
            continue;
        if (bucket_almost_equal(before, now)) {
            b[i].count = before;
        } else if (now < before) {
            b[i].count = before;
            forced = true;
        } else {
            before = now;
        }
    }
    return forced;
}

static double bucket_quantile(double q, struct bucket *b, size_t count, bool *forced)
{
    double rank, low = 0, below = 0;
    size_t at = 0;

    *forced = false;
    if (isnan(q))
        return (double)NAN;
    if (q < 0 || q > 1)
        return q < 0 ? (double)-INFINITY : (double)INFINITY;
    count = bucket_tidy(b, count);
    if (!isinf(b[count - 1].bound) || b[count - 1].bound < 0)
        return (double)NAN;
    *forced = bucket_force_rise(b, count);
    if (count < 2 || b[count - 1].count == 0) {
        *forced = false;
        return (double)NAN;
    }
    rank = q * b[count - 1].count;
    while (at < count - 1 && !(b[at].count >= rank))
        at++;
    if (at == count - 1)
        return b[count - 2].bound;
    if (at == 0 && b[0].bound <= 0)
        return b[0].bound;
    if (at > 0) {
        low = b[at - 1].bound;
        below = b[at - 1].count;
    }
    return low + (b[at].bound - low) * ((rank - below) / (b[at].count - below));
}

/* Observations up to v; linear within a bucket. */
static double bucket_rank(double v, const struct bucket *b, size_t count)
{
    double low = b[0].bound <= 0 ? (double)-INFINITY : 0, rank = 0;

    for (size_t i = 0; i < count; i++) {
        low = i > 0 ? b[i - 1].bound : low;
        if (low >= v)
            return rank;
        if (b[i].bound > v)
            return rank + (b[i].count - rank) * (v - low) / (b[i].bound - low);
        rank = b[i].count;
    }
    return b[count - 1].count;
}

static double bucket_fraction(double low, double high, struct bucket *b, size_t count)
{
    double all, from, to;

    count = bucket_tidy(b, count);
    all = b[count - 1].count;
    if (!isinf(b[count - 1].bound) || b[count - 1].bound < 0 || all == 0 || isnan(low) ||
        isnan(high))
        return (double)NAN;
    if (low >= high)
        return 0;
    from = bucket_rank(low, b, count);
    to = bucket_rank(high, b, count);
    return ((to > all ? all : to) - (from > all ? all : from)) / all;
}

/* --- Histograms --- */

/* Adds a row to the histogram of its labels. */
static enum err_code histogram_add(struct eval *ev, struct histogram_call *c,
                                   const struct eval_row *row, double bound, uint32_t epoch)
{
    static struct str le_name[] = {{"le", 2}};
    static const struct expr_names le = {1, le_name};
    struct eval_scratch s = {0}, t = {0};
    struct label none = {.name = STR("le")};
    struct labels key;
    struct labelset *set;
    struct histogram *h;
    enum err_code rc = eval_labels_set(ev, &s, &row->set->labels, &none, &key);

    if (rc == ERR_OK)
        rc = eval_intern(ev, &key, &set);
    if (rc != ERR_OK)
        return rc;
    c->parts[c->part_count] = (struct histogram_part){bound, row->value, SIZE_MAX};
    if (set->epoch != epoch) {
        set->epoch = epoch;
        set->slot = (uint32_t)c->count;
        h = &c->all[c->count++];
        h->first = h->last = c->part_count++;
        h->name = labels_get(&row->set->labels, STR("__name__"));
        return eval_labels_drop(ev, &t, &row->set->labels, &le, &h->labels);
    }
    h = &c->all[set->slot];
    c->parts[h->last].next = c->part_count;
    h->last = c->part_count++;
    return ERR_OK;
}

static enum err_code histogram_gather(struct eval *ev, struct histogram_call *c,
                                      const struct eval_vec *vec)
{
    uint32_t epoch = eval_epoch(ev);
    enum err_code rc = ERR_OK;

    c->parts = arena_array(ev->arena, vec->count, sizeof(*c->parts));
    c->all = arena_array(ev->arena, vec->count, sizeof(*c->all));
    c->room = arena_array(ev->arena, vec->count, sizeof(*c->room));
    if (!c->parts || !c->all || !c->room)
        return eval_full(ev);
    for (size_t i = 0; rc == ERR_OK && i < vec->count; i++) {
        struct str le = labels_get(&vec->rows[i].set->labels, STR("le"));
        struct str name = labels_get(&vec->rows[i].set->labels, STR("__name__"));
        double bound;

        if (eval_parse_float(le, &bound))
            rc = histogram_add(ev, c, &vec->rows[i], bound, epoch);
        else
            eval_note(ev, EVAL_NOTE_WARNING, eval_place(c->x, c->fraction ? 2 : 1),
                      "bucket label \"le\" is missing or has a malformed value of \"%.*s\" for "
                      "metric name \"%.*s\"",
                      STR_ARG(le), STR_ARG(name));
    }
    return rc;
}

static double histogram_step(struct eval *ev, struct histogram_call *c, struct histogram *h,
                             size_t step)
{
    size_t n = 0;
    bool forced = false;
    double v;

    for (size_t p = h->first; p != SIZE_MAX; p = c->parts[p].next) {
        if (!eval_absent(c->parts[p].value[step]))
            c->room[n++] = (struct bucket){c->parts[p].bound, c->parts[p].value[step]};
    }
    if (n == 0)
        return eval_nothing();
    if (c->fraction)
        return bucket_fraction(c->low[step], c->high[step], c->room, n);
    v = bucket_quantile(c->low[step], c->room, n, &forced);
    if (forced && (h->name.len > 0 || !c->noted))
        eval_note(ev, EVAL_NOTE_INFO, eval_place(c->x, 1),
                  "input to histogram_quantile needed to be fixed for monotonicity (see "
                  "https://prometheus.io/docs/prometheus/latest/querying/functions/"
                  "#histogram_quantile) for metric name \"%.*s\"",
                  STR_ARG(h->name));
    c->noted |= forced && h->name.len == 0;
    h->name = (struct str){NULL, 0};
    return v;
}

static enum err_code histogram_answer(struct eval *ev, struct histogram_call *c,
                                      struct eval_vec *out)
{
    struct eval_collect collect = {.out = out, .equal = EVAL_EQUAL_MERGE};
    double *value = eval_values(ev);
    enum err_code rc = value ? ERR_OK : eval_full(ev);

    for (size_t h = 0; rc == ERR_OK && h < c->count; h++) {
        for (size_t i = 0; i < ev->frame->count; i++)
            value[i] = histogram_step(ev, c, &c->all[h], i);
        rc = eval_check(ev);
        if (rc == ERR_OK)
            rc = eval_collect_row(ev, &collect, &c->all[h].labels, value);
    }
    return rc;
}

static void histogram_note_quantile(struct eval *ev, const struct histogram_call *c)
{
    char number[EVAL_NUMBER_MAX];

    for (size_t i = 0; i < ev->frame->count; i++) {
        if (!(c->low[i] >= 0 && c->low[i] <= 1))
            eval_note(ev, EVAL_NOTE_WARNING, eval_place(c->x, 0),
                      "quantile value should be between 0 and 1, got %s",
                      eval_note_number(c->low[i], number));
    }
}

enum err_code eval_histogram(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    struct histogram_call c = {.x = x,
                               .fraction = x->u.call.func->id == PROMQL_FUNC_histogram_fraction};
    struct eval_vec vec;
    enum err_code rc = eval_scalar(ev, x->u.call.args[0], &c.low);

    if (rc == ERR_OK && c.fraction)
        rc = eval_scalar(ev, x->u.call.args[1], &c.high);
    if (rc == ERR_OK)
        rc = eval_vec(ev, x->u.call.args[c.fraction ? 2 : 1], &vec);
    if (rc != ERR_OK)
        return rc;
    if (!c.fraction)
        histogram_note_quantile(ev, &c);
    rc = histogram_gather(ev, &c, &vec);
    return rc == ERR_OK ? histogram_answer(ev, &c, out) : rc;
}
