/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval.h: what the files of the evaluator share; nobody else includes it.
 *
 * The evaluator runs over all steps at once, series by series: the value of an expression is rows,
 * each a label set and one double per step. `eval_rows` hands rows one by one to a sink (an
 * aggregation keeps its groups only), `eval_vec` collects them.
 *
 * A step without a value holds the bits of the stale marker. It is a signalling NaN, which no
 * arithmetic ever yields and no selector lets through: one comparison of bits, no bitmap.
 *
 * Owner:   everything lives in the query's arena; rows handed to a sink only during the call
 * Errors:  go to the one struct err of the query (`eval.err`); functions return its code
 * Threads: a query runs in its caller's thread
 */
#ifndef PROMQL_EVAL_H
#define PROMQL_EVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "model/series.h"
#include "promql/parse.h"
#include "promql/promql.h"

/* --- Times --- */

/* The evaluation times: start + i * step for i < count. A subquery has its own. */
struct eval_frame {
    int64_t start_ms, step_ms;
    size_t count;
};

static inline int64_t eval_frame_ms(const struct eval_frame *f, size_t i)
{
    return f->start_ms + (int64_t)i * f->step_ms;
}

/* --- Label sets (eval_labels.c) --- */

/* An interned label set: equal labels are the same pointer. */
struct labelset {
    struct labels labels;
    struct str bytes; /* serialised: what is hashed and compared */
    uint64_t hash;
    /* Where an operation keeps its row or group of this set: valid when epoch is the operation's */
    uint32_t epoch, slot;
};

struct eval_pool {
    struct labelset **slots; /* open addressing; slot_count is a power of two or 0 */
    size_t slot_count, count;
    char *bytes; /* scratch for serialising */
    size_t bytes_cap;
    uint32_t epoch; /* the last one given out */
};

/* Labels under work: each stage has its own, so that one may feed the next. */
struct eval_scratch {
    struct label *items;
    size_t cap;
};

/* --- Notes (eval_note.c) --- */

enum eval_note_kind { EVAL_NOTE_WARNING, EVAL_NOTE_INFO };

#define EVAL_NOTES 1000 /* kept of a query; a reader sees ten */

struct eval_note {
    enum eval_note_kind kind;
    struct str text; /* without the position */
    uint32_t at;
    bool placed; /* has a position */
};

/* --- The query --- */

struct eval {
    struct arena *arena;
    struct series_source *source;
    const struct promql_query *query;
    struct err *err;
    const struct eval_frame *frame;
    struct eval_frame top; /* of the whole query: start() and end() */
    struct eval_pool pool;
    struct eval_note *notes;
    size_t note_count;
    int64_t lookback_ms;
    uint64_t samples, max_samples;
    uint64_t max_series, peak_series;
    uint64_t spent; /* since the last look at the clock */
    bool looked;
    unsigned depth;
};

struct eval_row {
    struct labelset *set;
    double *value; /* frame->count of them */
};

struct eval_vec {
    struct eval_row *rows;
    size_t count, cap;
};

typedef enum err_code eval_row_fn(struct eval *ev, void *arg, const struct labels *labels,
                                  double *value);

struct eval_sink {
    eval_row_fn *fn; /* may change `value`; labels and value are gone after the call */
    void *arg;
    const char *hint; /* function or aggregation around, for the source; "" */
};

static inline bool eval_absent(double v)
{
    return series_is_stale(v);
}

static inline double eval_nothing(void)
{
    return series_stale();
}

/* For one who was given NULL. */
static inline enum err_code eval_full(struct eval *ev)
{
    return arena_fail(ev->arena, ev->err);
}

/* --- eval.c --- */

enum err_code eval_rows(struct eval *ev, const struct expr *x, struct eval_sink sink);
enum err_code eval_vec(struct eval *ev, const struct expr *x, struct eval_vec *out);
/* One value per step. */
enum err_code eval_scalar(struct eval *ev, const struct expr *x, double **out);
const struct expr *eval_unwrap(const struct expr *x); /* without parentheses around */
/* Whether dropping the metric name may make two series of x equal. */
bool eval_may_collide(const struct expr *x);
/* Where Prometheus says that an argument of a call is: without its parentheses, but for one that
 * does not change over the steps in a call that does. */
uint32_t eval_place(const struct expr *call, size_t arg);
/* Deadline, cancel: asked for each series and each row of work; eval_spend also says how many
 * values were looked at, where that may be many. */
enum err_code eval_check(struct eval *ev);
enum err_code eval_spend(struct eval *ev, size_t values);
/* One value per step; NULL after an overflow of the arena; then `return eval_full(ev)`. */
double *eval_values(struct eval *ev);
enum err_code eval_fail(struct eval *ev, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* --- eval_collect.c --- */

/* What equal label sets mean: Prometheus differs by operation. */
enum eval_equal {
    EVAL_EQUAL_ERROR, /* never allowed */
    EVAL_EQUAL_MERGE, /* allowed while they have no value at the same step */
};

struct eval_collect {
    struct eval_vec *out;
    enum eval_equal equal;
    uint32_t epoch; /* 0 = not begun */
};

eval_row_fn eval_collect_row; /* arg: struct eval_collect */
/* The row of a label set, all steps absent when new. */
enum err_code eval_collect_at(struct eval *ev, struct eval_collect *c, const struct labels *labels,
                              struct eval_row **out);
enum err_code eval_vec_add(struct eval *ev, struct eval_vec *vec, struct labelset *set,
                           double *value);
bool eval_has_value(const struct eval *ev, const double *value);
enum err_code eval_same_labelset(struct eval *ev);

/* --- eval_labels.c --- */

uint32_t eval_epoch(struct eval *ev);
enum err_code eval_intern(struct eval *ev, const struct labels *labels, struct labelset **out);
/* Each gives labels in `s` (or as they are, when nothing changes); count 0, items NULL is empty. */
enum err_code eval_labels_nameless(struct eval *ev, struct eval_scratch *s, const struct labels *l,
                                   struct labels *out);
enum err_code eval_labels_keep(struct eval *ev, struct eval_scratch *s, const struct labels *l,
                               const struct expr_names *names, struct labels *out);
enum err_code eval_labels_drop(struct eval *ev, struct eval_scratch *s, const struct labels *l,
                               const struct expr_names *names, struct labels *out);
/* An empty value takes the label away. */
enum err_code eval_labels_set(struct eval *ev, struct eval_scratch *s, const struct labels *l,
                              const struct label *label, struct labels *out);
bool eval_names_have(const struct expr_names *names, struct str name);
/* {a="b", c="d"}, with the metric name in front, as Prometheus prints it. */
const char *eval_labels_text(struct eval *ev, const struct labels *l);

/* --- eval_note.c --- */

#define EVAL_NO_PLACE UINT32_MAX

/* at: byte of the query. One text is kept once, with its last place, as Prometheus has it. */
void eval_note(struct eval *ev, enum eval_note_kind kind, uint32_t at, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void eval_note_listen(void *arg, const char *text); /* series_source.note; arg: struct eval */
enum err_code eval_note_list(struct eval *ev, enum eval_note_kind kind, struct promql_notes *out);
#define EVAL_NUMBER_MAX 40
/* As Go's %g prints a number. */
const char *eval_note_number(double v, char out[EVAL_NUMBER_MAX]);
/* As Go's 'f' format with the fewest digits; `out` has EVAL_DECIMAL_MAX bytes. */
#define EVAL_DECIMAL_MAX 400
void eval_note_decimal(double v, char *out);

/* --- eval_selector.c --- */

/* Instant values, or with stamps the times of the samples in seconds. */
enum eval_what { EVAL_VALUES, EVAL_STAMPS };
enum err_code eval_selector(struct eval *ev, const struct expr *x, enum eval_what what,
                            struct eval_sink sink);
/* The value of each step from a series; false: none has one. */
bool eval_selector_fill(const struct eval *ev, const struct expr_when *when, enum eval_what what,
                        const struct series *s, double *value);
/* The time that offset and @ make of t. */
int64_t eval_when(const struct eval *ev, const struct expr_when *when, int64_t t_ms);
/* The next series of an opened set, counted against the limits. */
enum err_code eval_next(struct eval *ev, struct series_set *set, struct series *out, bool *more);
/* A regular expression of x that was given up for its cost makes the answer wrong: ERR_LIMIT. */
enum err_code eval_matched(struct eval *ev, const struct expr *x);
enum err_code eval_open(struct eval *ev, const struct expr *x, const char *hint,
                        struct series_set **out);

/* --- eval_window.c: range vectors --- */

/* Samples of a series without stale markers. */
struct eval_window {
    const struct labels *labels;
    enum series_kind kind;
    int64_t every_ms;
    size_t count;
    const int64_t *t_ms;
    const double *value;
    const double *readings, *sum; /* NULL: one each, the value (model/series.h) */
};

typedef enum err_code eval_window_fn(struct eval *ev, void *arg, const struct eval_window *w);

/* x: a range selector or a subquery. */
enum err_code eval_windows(struct eval *ev, const struct expr *x, const char *hint,
                           eval_window_fn *fn, void *arg);
int64_t eval_window_range(const struct expr *x);
const struct expr_when *eval_window_when(const struct expr *x);

/* --- eval_range.c: functions of range vectors --- */

bool eval_is_range_call(const struct expr *x);
enum err_code eval_range_call(struct eval *ev, const struct expr *x, struct eval_sink sink);
enum err_code eval_absent_over_time(struct eval *ev, const struct expr *x, struct eval_vec *out);

/* What a function of a window may look at. */
struct eval_slice {
    size_t count; /* > 0 */
    const int64_t *t_ms;
    const double *value;
    const double *readings, *sum; /* NULL: one each, the value */
    const uint32_t *drops;        /* NULL, or drops[i]: falls of the value up to sample i */
    int64_t start_ms, end_ms;     /* the window is (start, end] */
    int64_t range_ms;             /* that rate() divides by */
    int64_t now_ms;               /* evaluation time */
    const double *param;          /* the scalar arguments at this step */
    double *sort;                 /* room for `count` numbers */
};

/* Absent = no answer. */
typedef double eval_slice_fn(const struct eval_slice *s);
eval_slice_fn *eval_slice_find(enum promql_func_id id); /* NULL: no function of a range */

/* --- eval_math.c --- */

struct eval_kahan {
    double sum, c;
};
static inline void eval_kahan_add(struct eval_kahan *k, double inc);
double eval_quantile(double q, double *values, size_t count); /* sorts */
double eval_arith(enum expr_op op, double a, double b);       /* comparisons: 1 or 0 */
double eval_min(double a, double b);                          /* as Go's math.Min */
double eval_max(double a, double b);
typedef double eval_unary_fn(double v);
eval_unary_fn *eval_unary_find(enum promql_func_id id);
bool eval_parse_float(struct str s, double *out);

static inline void eval_kahan_add(struct eval_kahan *k, double inc)
{
    double t = k->sum + inc;

    if (__builtin_isinf(t))
        k->c = 0;
    else if (__builtin_fabs(k->sum) >= __builtin_fabs(inc))
        k->c += (k->sum - t) + inc;
    else
        k->c += (inc - t) + k->sum;
    k->sum = t;
}

/* --- eval_call.c, eval_binary.c, eval_aggregate.c and their parts --- */

/* Row by row, without looking at other rows: may stream. */
bool eval_is_map(const struct expr *x);
const struct expr *eval_map_source(const struct expr *x); /* the vector below */
enum err_code eval_map(struct eval *ev, const struct expr *x, struct eval_sink sink);

enum err_code eval_call(struct eval *ev, const struct expr *x, struct eval_vec *out);
enum err_code eval_sort(struct eval *ev, const struct expr *x, struct eval_vec *out);
enum err_code eval_label_replace(struct eval *ev, const struct expr *x, struct eval_vec *out);
enum err_code eval_label_join(struct eval *ev, const struct expr *x, struct eval_vec *out);
enum err_code eval_absent_labels(struct eval *ev, const struct expr *x, struct labels *out);
enum err_code eval_histogram(struct eval *ev, const struct expr *x, struct eval_vec *out);
enum err_code eval_info(struct eval *ev, const struct expr *x, struct eval_vec *out);
double eval_date(enum promql_func_id id, double seconds); /* year() ... of a time */

enum err_code eval_binary(struct eval *ev, const struct expr *x, struct eval_vec *out);
enum err_code eval_set_op(struct eval *ev, const struct expr *x, struct eval_vec *out);

enum err_code eval_aggregate(struct eval *ev, const struct expr *x, struct eval_vec *out);
enum err_code eval_aggregate_k(struct eval *ev, const struct expr *x, struct eval_vec *out);
enum err_code eval_count_values(struct eval *ev, const struct expr *x, struct eval_vec *out);
/* The labels of a series' group. */
enum err_code eval_group_labels(struct eval *ev, const struct expr *x, struct eval_scratch *s,
                                const struct labels *l, struct labels *out);
double eval_labels_ratio(const struct labels *l); /* 0 <= hash < 1 */

#endif
