/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_range.c: functions of range vectors: a window slides over each series.
 *
 * Windows are left-open. On a series with a slow clock, rate() and its kin look at 2.5 intervals at
 * least: a window of 5 minutes over a clock of 5 minutes would hold one sample (tsdb.md 5).
 */
#include <string.h>

#include "promql/eval.h"

#define RANGE_PARAMS 2

struct range_call {
    const struct expr *x;
    const struct expr *arg; /* the range vector */
    size_t arg_at;
    enum promql_func_id id;
    eval_slice_fn *fn;
    double *params[RANGE_PARAMS]; /* the scalar arguments, by step */
    size_t param_count;
    int64_t range_ms;
    struct eval_sink sink;
    struct eval_scratch scratch;
    double *value;
    bool any; /* some step of the series has one */
    uint32_t *drops;
    size_t drops_cap;
    double *sort;
    size_t sort_cap;
    uint64_t rows;
    /* What was noted already: a note a series or a step would cost more than the answer. */
    struct str counter_noted, window_noted; /* metric names */
    int64_t window_noted_ms;
    uint8_t *step_noted;
};

static const struct expr *range_arg(const struct expr *x)
{
    for (size_t i = 0; i < x->u.call.count; i++) {
        const struct expr *arg = eval_unwrap(x->u.call.args[i]);

        if (arg->type == PROMQL_MATRIX)
            return arg;
    }
    return NULL;
}

bool eval_is_range_call(const struct expr *x)
{
    return x->kind == EXPR_CALL && x->u.call.func->id != PROMQL_FUNC_absent_over_time &&
           eval_slice_find(x->u.call.func->id) && range_arg(x);
}

/* Where Prometheus says a note about the range vector is: it has lost the place of a subquery. */
static uint32_t range_place(const struct range_call *c)
{
    return c->arg->kind == EXPR_SUBQUERY ? 0 : eval_place(c->x, c->arg_at);
}

/* --- Notes --- */

static bool range_is_counter_name(struct str name)
{
    return str_ends(name, STR("_total")) || str_ends(name, STR("_sum")) ||
           str_ends(name, STR("_count")) || str_ends(name, STR("_bucket"));
}

/* rate() and increase() of what is no counter. */
static void range_note_counter(struct eval *ev, struct range_call *c, const struct eval_window *w)
{
    struct str name = labels_get(w->labels, STR("__name__"));

    if ((c->id != PROMQL_FUNC_rate && c->id != PROMQL_FUNC_increase) || name.len == 0 ||
        str_eq(name, c->counter_noted))
        return;
    c->counter_noted = arena_str(ev->arena, name);
    if (w->kind == SERIES_DELTA)
        eval_note(ev, EVAL_NOTE_WARNING, range_place(c),
                  "a sample of \"%.*s\" is what happened in its interval, no counter: use "
                  "sum_over_time, or rate and increase of \"%.*s_total\"",
                  STR_ARG(name), STR_ARG(name));
    else if (w->kind != SERIES_COUNTER && !range_is_counter_name(name))
        eval_note(ev, EVAL_NOTE_INFO, range_place(c),
                  "metric might not be a counter, name does not end in "
                  "_total/_sum/_count/_bucket: \"%.*s\"",
                  STR_ARG(name));
}

/* --- Short windows on slow clocks --- */

static bool range_stretches(enum promql_func_id id)
{
    return id == PROMQL_FUNC_rate || id == PROMQL_FUNC_irate || id == PROMQL_FUNC_increase ||
           id == PROMQL_FUNC_delta || id == PROMQL_FUNC_deriv;
}

static void range_note_window(struct eval *ev, struct range_call *c, const struct eval_window *w)
{
    struct str name = labels_get(w->labels, STR("__name__"));

    if (c->window_noted_ms == w->every_ms && str_eq(name, c->window_noted))
        return;
    c->window_noted = arena_str(ev->arena, name);
    c->window_noted_ms = w->every_ms;
    eval_note(ev, EVAL_NOTE_INFO, range_place(c),
              "the window is shorter than 2.5 intervals of \"%.*s\", which comes every %lld s: "
              "%lld s were looked at",
              STR_ARG(name), (long long)(w->every_ms / 1000),
              (long long)(w->every_ms * 5 / 2 / 1000));
}

/* The window to use; longer than asked for on a slow clock. */
static int64_t range_window_ms(struct eval *ev, struct range_call *c, const struct eval_window *w)
{
    int64_t least = w->every_ms * 5 / 2;

    if (w->kind == SERIES_LOOSE || w->every_ms <= 0 || c->range_ms >= least ||
        !range_stretches(c->id))
        return c->range_ms;
    range_note_window(ev, c, w);
    return least;
}

/* --- Scalar arguments that are out of bounds: at steps with samples --- */

static enum err_code range_check_smoothing(struct eval *ev, const struct range_call *c, size_t step)
{
    double sf = c->params[0][step], tf = c->params[1][step];

    if (sf <= 0 || sf >= 1)
        return eval_fail(ev, "invalid smoothing factor. Expected: 0 < sf < 1, got: %f", sf);
    if (tf <= 0 || tf >= 1)
        return eval_fail(ev, "invalid trend factor. Expected: 0 < tf < 1, got: %f", tf);
    return ERR_OK;
}

static void range_note_quantile(struct eval *ev, const struct range_call *c, size_t step)
{
    char number[EVAL_NUMBER_MAX];
    double q = c->params[0][step];

    if (c->step_noted[step])
        return;
    c->step_noted[step] = 1;
    if (!(q >= 0 && q <= 1))
        eval_note(ev, EVAL_NOTE_WARNING, eval_place(c->x, 0),
                  "quantile value should be between 0 and 1, got %s", eval_note_number(q, number));
}

static enum err_code range_check(struct eval *ev, const struct range_call *c, size_t step)
{
    if (c->id == PROMQL_FUNC_double_exponential_smoothing)
        return range_check_smoothing(ev, c, step);
    if (c->id == PROMQL_FUNC_quantile_over_time)
        range_note_quantile(ev, c, step);
    return ERR_OK;
}

/* --- Sliding --- */

/* Falls of the value up to each sample: without any in a window, a counter's increase is exact. */
static bool range_count_drops(struct eval *ev, struct range_call *c, const struct eval_window *w)
{
    if (w->count > c->drops_cap) {
        c->drops_cap = w->count * 2;
        c->drops = arena_array(ev->arena, c->drops_cap, sizeof(*c->drops));
    }
    if (!c->drops)
        return false;
    c->drops[0] = 0;
    for (size_t i = 1; i < w->count; i++)
        c->drops[i] = c->drops[i - 1] + (w->value[i] < w->value[i - 1]);
    return true;
}

static bool range_room(struct eval *ev, struct range_call *c, const struct eval_window *w)
{
    if (w->count > c->sort_cap) {
        c->sort_cap = w->count * 2;
        c->sort = arena_array(ev->arena, c->sort_cap, sizeof(*c->sort));
    }
    if (c->id != PROMQL_FUNC_rate && c->id != PROMQL_FUNC_increase)
        return c->sort != NULL;
    return c->sort && range_count_drops(ev, c, w);
}

static double range_step(const struct range_call *c, struct eval_slice *s, size_t step)
{
    double params[RANGE_PARAMS];
    double v;

    for (size_t p = 0; p < c->param_count; p++)
        params[p] = c->params[p][step];
    s->param = params;
    v = c->fn(s);
    if ((c->id == PROMQL_FUNC_increase || c->id == PROMQL_FUNC_delta) &&
        s->range_ms != c->range_ms && !eval_absent(v))
        v = v * (double)c->range_ms / (double)s->range_ms;
    return v;
}

static enum err_code range_slide(struct eval *ev, struct range_call *c, const struct eval_window *w,
                                 int64_t window_ms)
{
    const struct eval_frame *f = ev->frame;
    const struct expr_when *when = eval_window_when(c->arg);
    struct eval_slice s = {.range_ms = window_ms, .sort = c->sort};
    size_t from = 0, to = 0;
    enum err_code rc = ERR_OK;

    c->any = false;
    for (size_t i = 0; rc == ERR_OK && i < f->count; i++) {
        s.now_ms = eval_frame_ms(f, i);
        s.end_ms = eval_when(ev, when, s.now_ms);
        s.start_ms = s.end_ms - window_ms;
        while (to < w->count && w->t_ms[to] <= s.end_ms)
            to++;
        while (from < to && w->t_ms[from] <= s.start_ms)
            from++;
        c->value[i] = eval_nothing();
        if (from == to)
            continue;
        s.count = to - from;
        s.t_ms = w->t_ms + from;
        s.value = w->value + from;
        s.readings = w->readings ? w->readings + from : NULL;
        s.sum = w->sum ? w->sum + from : NULL;
        s.drops = c->drops ? c->drops + from : NULL;
        rc = eval_spend(ev, to - from);
        if (rc == ERR_OK)
            rc = range_check(ev, c, i);
        c->value[i] = range_step(c, &s, i);
        c->any |= !eval_absent(c->value[i]);
    }
    return rc;
}

static bool range_keeps_name(enum promql_func_id id)
{
    return id == PROMQL_FUNC_last_over_time;
}

static enum err_code range_series(struct eval *ev, void *arg, const struct eval_window *w)
{
    struct range_call *c = arg;
    struct labels labels = *w->labels;
    enum err_code rc = ERR_OK;

    if (!range_room(ev, c, w))
        return eval_full(ev);
    rc = range_slide(ev, c, w, range_window_ms(ev, c, w));
    if (rc != ERR_OK || !c->any)
        return rc;
    range_note_counter(ev, c, w);
    if (!range_keeps_name(c->id))
        rc = eval_labels_nameless(ev, &c->scratch, w->labels, &labels);
    if (++c->rows > ev->peak_series)
        ev->peak_series = c->rows;
    return rc == ERR_OK ? c->sink.fn(ev, c->sink.arg, &labels, c->value) : rc;
}

/* --- Arguments --- */

static enum err_code range_params(struct eval *ev, struct range_call *c)
{
    const struct expr *x = c->x;

    for (size_t i = 0; i < x->u.call.count; i++) {
        enum err_code rc;

        if (eval_unwrap(x->u.call.args[i])->type == PROMQL_MATRIX) {
            c->arg_at = i;
            continue;
        }
        if (c->param_count == RANGE_PARAMS)
            return err_set(ev->err, ERR_BUG, "%s() has too many arguments", x->u.call.func->name);
        rc = eval_scalar(ev, x->u.call.args[i], &c->params[c->param_count++]);
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

enum err_code eval_range_call(struct eval *ev, const struct expr *x, struct eval_sink sink)
{
    struct range_call c = {.x = x, .arg = range_arg(x), .id = x->u.call.func->id, .sink = sink};
    enum err_code rc = range_params(ev, &c);

    if (rc != ERR_OK)
        return rc;
    c.fn = eval_slice_find(c.id);
    c.range_ms = eval_window_range(c.arg);
    c.value = eval_values(ev);
    c.step_noted = arena_alloc(ev->arena, ev->frame->count);
    if (!c.value || !c.step_noted)
        return eval_full(ev);
    return eval_windows(ev, c.arg, x->u.call.func->name, range_series, &c);
}

/* --- absent_over_time --- */

static enum err_code absent_seen(struct eval *ev, void *arg, const struct labels *labels,
                                 double *value)
{
    double *one = arg;

    (void)labels;
    for (size_t i = 0; i < ev->frame->count; i++) {
        if (!eval_absent(value[i]))
            one[i] = eval_nothing();
    }
    return ERR_OK;
}

enum err_code eval_absent_over_time(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    double *one = eval_values(ev);
    struct labels labels;
    struct labelset *set;
    enum err_code rc;

    if (!one)
        return eval_full(ev);
    for (size_t i = 0; i < ev->frame->count; i++)
        one[i] = 1;
    rc = eval_range_call(ev, x, (struct eval_sink){absent_seen, one, ""});
    if (rc == ERR_OK)
        rc = eval_absent_labels(ev, range_arg(x), &labels);
    if (rc == ERR_OK)
        rc = eval_intern(ev, &labels, &set);
    if (rc != ERR_OK || !eval_has_value(ev, one))
        return rc;
    return eval_vec_add(ev, out, set, one);
}
