/* SPDX-License-Identifier: PostgreSQL */
/* series_rules.c: see the header. */
#include "store/tsdb/series/series_rules.h"

#include <string.h>

#define DAY_MS 86400000LL

/* The readings of one object on their way to samples. */
struct walk {
    const struct series_rule *rule;
    const struct series_axis *axis;
    const struct series_run *run;
    const struct series_mark *gone, *reset;
    struct series_samples *out;
    size_t column_count; /* of the table */
    size_t place;
    bool present, is_gone, is_reset;
    double cell;
    bool with_parts; /* samples say of how many readings they are */
    double readings, sum;
    /* what was before */
    bool live;  /* the last sample is a value */
    bool known; /* `value` is what a sparse relation repeats */
    double value;
    int64_t last_ms; /* of the last sample, wanted or not */
    /* of a total */
    int64_t day_ms, changed_ms;
    bool seen;
};

/* --- time --- */

int64_t series_rule_day(int64_t t_ms)
{
    int64_t before = t_ms - 1;
    int64_t day = before / DAY_MS - (before % DAY_MS < 0);

    return day * DAY_MS;
}

static int64_t span_of(const struct series_rule *rule, int64_t every_ms)
{
    return rule->kind == SERIES_DELTA ? every_ms + every_ms / 2 : 2 * every_ms + 5000;
}

bool series_rule_is_slow(const struct series_rule *rule, int64_t every_ms)
{
    return !rule->no_validity && rule->form != SERIES_PLAIN &&
           span_of(rule, every_ms) > SERIES_LOOKBACK_MS;
}

/* The first heartbeat that is later than t. */
static size_t beat_after(const struct series_beats *b, int64_t t_ms)
{
    size_t low = 0, high = b->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (b->t_ms[middle] > t_ms)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

int64_t series_rule_until(const struct series_rule *rule, int64_t t_ms, int64_t every_ms)
{
    int64_t end = t_ms + span_of(rule, every_ms);
    int64_t covered = t_ms + SERIES_LOOKBACK_MS;

    if (rule->rolled_over_ms && every_ms > rule->rolled_over_ms)
        return end > covered ? end : covered;
    if (!rule->beats || end <= covered)
        return covered;
    /* each heartbeat covers the lookback after it: go from one to the next while they touch */
    for (size_t i = beat_after(rule->beats, t_ms); i < rule->beats->count && covered < end; i++) {
        if (rule->beats->t_ms[i] > covered)
            break;
        covered = rule->beats->t_ms[i] + SERIES_LOOKBACK_MS;
    }
    return covered < end ? covered : end;
}

/* --- samples --- */

static bool grow(struct series_samples *s)
{
    size_t cap = s->cap ? 2 * s->cap : 64;
    int64_t *t = arena_array(s->arena, cap, sizeof(*t));
    int64_t *every = arena_array(s->arena, cap, sizeof(*every));
    double *value = arena_array(s->arena, cap, sizeof(*value));

    if (!t || !every || !value)
        return false;
    if (s->count) {
        memcpy(t, s->t_ms, s->count * sizeof(*t));
        memcpy(every, s->every_ms, s->count * sizeof(*every));
        memcpy(value, s->value, s->count * sizeof(*value));
    }
    s->t_ms = t;
    s->every_ms = every;
    s->value = value;
    s->cap = cap;
    return true;
}

/* The same for what means are made of. */
static bool grow_parts(struct series_samples *s)
{
    double *readings = arena_array(s->arena, s->cap, sizeof(*readings));
    double *sum = arena_array(s->arena, s->cap, sizeof(*sum));

    if (!readings || !sum)
        return false;
    if (s->count) {
        memcpy(readings, s->readings, s->count * sizeof(*readings));
        memcpy(sum, s->sum, s->count * sizeof(*sum));
    }
    s->readings = readings;
    s->sum = sum;
    return true;
}

static bool make_room(const struct walk *w)
{
    struct series_samples *s = w->out;

    if (s->count < s->cap)
        return true;
    return grow(s) && (!w->with_parts || grow_parts(s));
}

/* An overflow of the arena is found at the end. */
static void put(struct walk *w, int64_t t_ms, double value)
{
    struct series_samples *s = w->out;

    w->last_ms = t_ms;
    if (t_ms <= w->rule->from_ms || t_ms > w->rule->to_ms || !make_room(w))
        return;
    if (w->with_parts) {
        bool whole = t_ms == w->axis->t_ms[w->place] && w->present;
        s->readings[s->count] = whole ? w->readings : 1;
        s->sum[s->count] = whole ? w->sum * w->rule->scale : value;
    }
    s->t_ms[s->count] = t_ms;
    s->every_ms[s->count] = w->axis->every_ms[w->place];
    s->value[s->count++] = value;
}

static void end(struct walk *w)
{
    if (w->live)
        put(w, w->axis->t_ms[w->place], series_stale());
    w->live = false;
}

/* --- places --- */

static bool at_mark(const struct series_mark **m, size_t place)
{
    while (*m && (*m)->place < place)
        *m = (*m)->next;
    return *m && (*m)->place == place;
}

static void look_at_cell(struct walk *w, size_t at)
{
    size_t c = w->rule->column;
    double *const *values = w->run->values;

    w->cell = w->sum = values[c][at];
    w->readings = 1;
    if (w->run->parts > 1) {
        w->readings = values[w->column_count + c][at];
    }
    if (w->run->parts > 2) {
        w->sum = values[2 * w->column_count + c][at];
    }
}

/* Look at a place: whether the object is in it, and with which value. */
static void look(struct walk *w, size_t place)
{
    w->place = place;
    while (w->run && w->run->first + w->run->count <= place)
        w->run = w->run->next;
    w->present = w->run && w->run->first <= place;
    if (w->present)
        look_at_cell(w, place - w->run->first);
    w->is_gone = at_mark(&w->gone, place);
    w->is_reset = at_mark(&w->reset, place);
    if (w->present && w->rule->text >= 0)
        w->cell = w->cell == (double)w->rule->text ? 1 : series_null();
}

/* --- levels, counters, deltas, texts --- */

static void take_value(struct walk *w)
{
    int64_t t = w->axis->t_ms[w->place];

    if (series_is_null(w->cell)) {
        w->known = false;
        end(w);
        return;
    }
    if (w->is_reset && w->live && w->rule->kind == SERIES_COUNTER && w->cell >= w->value &&
        w->last_ms + 1 < t)
        put(w, w->last_ms + 1, 0);
    w->value = w->cell;
    w->live = w->known = true;
    put(w, t, w->cell * w->rule->scale);
}

static void take_level(struct walk *w)
{
    unsigned flags = w->axis->flags[w->place];

    if (flags & SLICE_FAILED) {
        end(w);
    } else if (w->present) {
        take_value(w);
    } else if (w->is_gone) {
        w->known = false;
        end(w);
    } else if (flags & SLICE_COMPLETE && w->rule->repeats && w->known) {
        w->live = true;
        put(w, w->axis->t_ms[w->place], w->value * w->rule->scale);
    } else if (flags & SLICE_COMPLETE && w->rule->ends) {
        end(w);
    }
}

/* --- totals --- */

static void begin_day(struct walk *w, int64_t day_ms)
{
    w->day_ms = day_ms;
    w->value = 0;
    w->live = w->seen = false;
}

/* What the total was before this reading, at the begin of what the reading covers. */
static void put_before(struct walk *w)
{
    int64_t t = w->axis->t_ms[w->place];
    int64_t at = w->axis->from_ms[w->place];
    bool gap = w->place > 0 && at > w->axis->t_ms[w->place - 1];

    if (w->live && !gap)
        return;
    at = at < w->day_ms + 1 ? w->day_ms + 1 : at;
    at = at <= w->last_ms ? w->last_ms + 1 : at;
    if (at < t)
        put(w, at, w->value * w->rule->scale);
    if (!w->seen)
        w->changed_ms = at;
}

static void add(struct walk *w)
{
    int64_t t = w->axis->t_ms[w->place];
    bool idle = w->cell == 0 && w->seen && t - w->changed_ms >= SERIES_UNCHANGED_MS;

    if (series_is_null(w->cell))
        return;
    if (idle) {
        end(w);
        return;
    }
    put_before(w);
    w->changed_ms = w->cell == 0 && w->seen ? w->changed_ms : t;
    w->value += w->cell;
    w->live = w->seen = true;
    put(w, t, w->value * w->rule->scale);
}

static void take_total(struct walk *w)
{
    int64_t t = w->axis->t_ms[w->place];
    unsigned flags = w->axis->flags[w->place];

    if (series_rule_day(t) != w->day_ms)
        begin_day(w, series_rule_day(t));
    if (flags & SLICE_FAILED)
        end(w);
    else if (w->present)
        add(w);
    else if (w->is_gone || (flags & SLICE_COMPLETE && w->rule->ends) ||
             t - w->changed_ms >= SERIES_UNCHANGED_MS)
        end(w);
    else if (flags & SLICE_COMPLETE && w->live)
        put(w, t, w->value * w->rule->scale);
}

/* --- a series --- */

static void take_plain(struct walk *w)
{
    if (w->present && !series_is_null(w->cell))
        put(w, w->axis->t_ms[w->place], w->cell * w->rule->scale);
}

static void take_place(struct walk *w, size_t place)
{
    look(w, place);
    switch (w->rule->form) {
    case SERIES_LEVEL:
        take_level(w);
        break;
    case SERIES_TOTAL:
        take_total(w);
        break;
    case SERIES_PLAIN:
        take_plain(w);
        break;
    }
}

/* Without a branch in the loop: compilers then look at several at once. */
static bool has_null(const double *values, size_t count)
{
    uint64_t found = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t bits;
        memcpy(&bits, &values[i], sizeof(bits));
        found += bits == SERIES_NULL_BITS;
    }
    return found > 0;
}

/* Whether an object was in every reading, and none of its cells is NULL. */
static bool is_whole(const struct series_rule *rule, const struct series_table *table,
                     const struct series_row *row)
{
    size_t place = 0;

    for (const struct series_run *run = row->first; run; run = run->next) {
        if (run->first != place || has_null(run->values[rule->column], run->count))
            return false;
        place += run->count;
    }
    return place == table->axis.count;
}

static double *join_runs(struct arena *a, const struct series_row *row, size_t column, size_t count)
{
    double *joined = row->first->values[column];

    if (!row->first->next)
        return joined;
    joined = arena_array(a, count, sizeof(*joined));
    for (const struct series_run *run = row->first; joined && run; run = run->next)
        memcpy(joined + run->first, run->values[column], run->count * sizeof(*joined));
    return joined;
}

/* An object that was in every reading, and nothing happened: its values are its samples. */
static bool take_whole(const struct series_rule *rule, const struct series_table *table,
                       const struct series_row *row, struct series_samples *out)
{
    const struct series_axis *axis = &table->axis;

    if (table->rolled || rule->form == SERIES_TOTAL || rule->text >= 0 || rule->scale != 1 ||
        axis->failed || row->gone || row->resets || axis->count == 0 ||
        axis->t_ms[0] <= rule->from_ms || !is_whole(rule, table, row))
        return false;
    out->value = join_runs(out->arena, row, rule->column, axis->count);
    out->count = out->value ? axis->count : 0;
    out->cap = 0;
    out->t_ms = axis->t_ms;
    out->every_ms = axis->every_ms;
    return true; /* the caller looks whether the arena is full */
}

/* slowest_ms: of all clocks on the axis */
static enum err_code put_validity(const struct series_rule *rule, int64_t slowest_ms,
                                  struct series_samples *s, struct err *e)
{
    s->until_ms = NULL;
    if (!series_rule_is_slow(rule, slowest_ms))
        return ERR_OK;
    int64_t *until = arena_array(s->arena, s->count, sizeof(*until));
    if (!until)
        return arena_fail(s->arena, e);
    for (size_t i = 0; i < s->count; i++)
        until[i] = series_rule_until(rule, s->t_ms[i], s->every_ms[i]);
    s->until_ms = until;
    return ERR_OK;
}

enum err_code series_rule_apply(const struct series_rule *rule, const struct series_table *table,
                                const struct series_row *row, struct series_samples *out,
                                struct err *e)
{
    struct walk w = {
        .rule = rule,
        .axis = &table->axis,
        .run = row->first,
        .gone = row->gone,
        .reset = row->resets,
        .out = out,
        .column_count = table->spec->column_count,
        .with_parts = table->rolled && rule->form != SERIES_TOTAL && rule->text < 0,
        .day_ms = INT64_MIN,
        .last_ms = INT64_MIN,
    };

    out->count = 0;
    if (!take_whole(rule, table, row, out)) {
        for (size_t p = row->first ? row->first->first : table->axis.count; p < table->axis.count;
             p++)
            take_place(&w, p);
    }
    enum err_code rc = arena_check(out->arena, e);
    return rc ? rc : put_validity(rule, table->axis.slowest_ms, out, e);
}
