/* SPDX-License-Identifier: PostgreSQL */
/*
 * tiered_scan.c: roll-ups as readings, for who works on readings.
 *
 *   bucket of a row       readings that stand for it
 *   rise of a counter     the first value at its time, then the last one, with how many readings
 *                         each stands for: what rate() and increase() stretch to a window, too, is
 *                         that of the readings
 *   began in it           `first` at its time, then the last value
 *   restarted in it       what it had risen to, two milliseconds before the last value, which is
 *                         marked as reset: so the rise over the bucket is exact
 *   ended in it           the last value at its time; the reading of the bucket lacks it
 *   else                  one value, at the bucket's newest reading
 *
 * It works by tsdb.h alone, so over any engine.
 */
#include "store/tsdb/rollup/rolled.h"

#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#define TIERED_ARENA (512UL * 1024 * 1024)

enum moment { MOMENT_OPEN, MOMENT_BORN, MOMENT_RESTART, MOMENT_LAST, MOMENTS };

/* A value of a row at a time within its bucket. */
struct event {
    int64_t t_ms;
    size_t row;
    enum moment moment;
};

/* Events of one time. */
struct moment_rows {
    const struct event *events;
    size_t count;
    const bool *restarts; /* by row of the bucket */
};

/* An object, and its last cells. */
struct known {
    uint64_t object;
    struct cell *cells;
};

struct tiered {
    const struct tsdb_tiered_spec *spec;
    enum tsdb_tier tier;
    struct arena arena;   /* of the scan */
    struct arena scratch; /* of one bucket */
    enum relation_kind *kinds;
    size_t column_count;
    struct map *before; /* object -> its last cells */
    /* rows of the bucket before: most buckets have the same ones in the same order */
    size_t known_count, known_cap;
    struct known *known;
    struct cell **old; /* by row of the present bucket; NULL = nothing is known of before */
};

/* --- values --- */

/* Values come as means, with how many they stand for. */
static bool is_mean(const struct tiered *t)
{
    return t->spec->rolled && (t->spec->need == TSDB_NEED_AVG || t->spec->need == TSDB_NEED_COUNT);
}

/* A counter comes with its first value in each bucket, too. */
static bool has_opens(const struct tiered *t)
{
    return t->spec->rolled && t->spec->need == TSDB_NEED_RISE;
}

/* Behind the columns: how many readings values stand for, and of a mean their sums. */
static size_t parts_of(const struct tiered *t)
{
    return is_mean(t) ? 3 : has_opens(t) ? 2 : 1;
}

/* Whether the first value of a column in the bucket is there, at a time before its last one. */
static bool is_open(const struct tiered *t, const struct tsdb_bucket *b, size_t c, size_t row)
{
    return has_opens(t) && b->open_ms[row] && b->open_ms[row] < b->row_t_ms[row] &&
           b->columns[c].open[row].tag != CELL_NULL;
}

static bool is_equal(const struct cell *a, const struct cell *b)
{
    return a->tag == b->tag && memcmp(&a->i64, &b->i64, sizeof(a->i64)) == 0;
}

/* That of a constant is the constant, which its sum by its count need not be. */
static struct cell mean_value(const struct tsdb_rolled *v, enum relation_kind kind, size_t row)
{
    if (kind == RELATION_GAUGE && is_equal(&v->min[row], &v->max[row])) {
        return v->max[row];
    }
    double count = v->count[row].tag == CELL_NULL ? 0 : cell_to_f64(v->count[row]);
    bool any = count > 0 && v->sum[row].tag != CELL_NULL;
    return any ? cell_f64(cell_to_f64(v->sum[row]) / count) : (struct cell){.tag = CELL_NULL};
}

static struct cell rolled_value(const struct tiered *t, const struct tsdb_rolled *v, size_t c,
                                size_t row)
{
    bool adds = t->kinds[c] == RELATION_DELTA || t->kinds[c] == RELATION_GAUGE;

    if (adds && is_mean(t)) {
        return mean_value(v, t->kinds[c], row);
    }
    switch (t->kinds[c]) {
    case RELATION_COUNTER:
    case RELATION_TEXT:
        return v->last[row];
    case RELATION_DELTA:
        return t->spec->need == TSDB_NEED_MAX ? v->max[row] : v->sum[row];
    case RELATION_GAUGE:
        return t->spec->need == TSDB_NEED_MIN   ? v->min[row]
               : t->spec->need == TSDB_NEED_MAX ? v->max[row]
               : t->spec->need == TSDB_NEED_SUM ? v->sum[row]
                                                : v->last[row];
    }
    return v->last[row];
}

/* base + rise - last, exactly where it can be. */
static struct cell peak(const struct cell *base, const struct cell *rise, const struct cell *last)
{
    int64_t sum = 0;
    bool whole = base->tag == CELL_I64 && rise->tag == CELL_I64 && last->tag == CELL_I64 &&
                 !__builtin_add_overflow(base->i64, rise->i64, &sum) &&
                 !__builtin_sub_overflow(sum, last->i64, &sum);

    return whole ? cell_i64(sum)
                 : cell_f64(cell_to_f64(*base) + cell_to_f64(*rise) - cell_to_f64(*last));
}

/*
 * What a counter had risen to when it restarted, so that both parts are its rise; false when it
 * did not, or nothing is known of before.
 */
static bool risen_to(const struct tiered *t, const struct tsdb_bucket *b, size_t c, size_t row,
                     struct cell *out)
{
    const struct tsdb_rolled *v = &b->columns[c];
    const struct cell *old = t->old[row] ? &t->old[row][c] : NULL;
    const struct cell *base = v->first[row].tag != CELL_NULL ? &v->first[row] : old;
    const struct cell *rise = &v->rise[row];

    if (is_open(t, b, c, row)) {
        base = &v->open[row];
        rise = &v->climb[row];
    }
    if (rise->tag == CELL_NULL || v->last[row].tag == CELL_NULL || !base ||
        base->tag == CELL_NULL) {
        return false;
    }
    *out = peak(base, rise, &v->last[row]);
    /* lower: it ended and came again, and what lies between is no rise */
    return cell_to_f64(*out) >= cell_to_f64(*base);
}

/* Of a counter before the last value. What did not restart has no value when others in the row
 * did: the mark of the last one is of all of them. */
static struct cell early_value(const struct tiered *t, const struct tsdb_bucket *b, size_t c,
                               const struct event *at)
{
    static const struct cell none = {.tag = CELL_NULL};
    const struct tsdb_rolled *v = &b->columns[c];
    const struct cell *old = t->old[at->row] ? &t->old[at->row][c] : &none;
    struct cell out;

    if (at->moment == MOMENT_RESTART) {
        return risen_to(t, b, c, at->row, &out) ? out : none;
    }
    if (at->moment == MOMENT_OPEN || is_open(t, b, c, at->row)) {
        return v->open[at->row];
    }
    return v->first[at->row].tag != CELL_NULL ? v->first[at->row]
           : old->tag != CELL_NULL            ? *old
                                              : v->last[at->row];
}

static struct cell value_at(const struct tiered *t, const struct tsdb_bucket *b, size_t c,
                            const struct event *at)
{
    bool adds = t->kinds[c] == RELATION_DELTA || is_mean(t) || t->spec->need == TSDB_NEED_SUM;

    if (at->moment == MOMENT_LAST) {
        return rolled_value(t, &b->columns[c], c, at->row);
    }
    if (t->kinds[c] == RELATION_COUNTER) {
        return early_value(t, b, c, at);
    }
    /* it would count once more */
    if (adds) {
        return (struct cell){.tag = CELL_NULL};
    }
    return rolled_value(t, &b->columns[c], c, at->row);
}

/* --- events of a bucket --- */

static bool any_first(const struct tiered *t, const struct tsdb_bucket *b, size_t row)
{
    for (size_t c = 0; c < t->column_count; c++) {
        if (b->columns[c].first[row].tag != CELL_NULL) {
            return true;
        }
    }
    return false;
}

static bool any_open(const struct tiered *t, const struct tsdb_bucket *b, size_t row)
{
    for (size_t c = 0; c < t->column_count; c++) {
        if (is_open(t, b, c, row)) {
            return true;
        }
    }
    return false;
}

static bool any_restart(const struct tiered *t, const struct tsdb_bucket *b, size_t row)
{
    struct cell out;

    for (size_t c = 0; c < t->column_count; c++) {
        if (t->kinds[c] == RELATION_COUNTER && risen_to(t, b, c, row, &out)) {
            return true;
        }
    }
    return false;
}

static int compare_events(const void *a, const void *b)
{
    const struct event *x = a;
    const struct event *y = b;
    if (x->t_ms != y->t_ms) {
        return x->t_ms < y->t_ms ? -1 : 1;
    }
    return x->row < y->row ? -1 : x->row > y->row;
}

/* When a row has something at a moment; 0 = it has not. */
static int64_t time_of(const struct tiered *t, const struct tsdb_bucket *b, const bool *restarts,
                       const struct event *at)
{
    size_t row = at->row;
    int64_t last = b->row_t_ms[row];
    int64_t begin = restarts[row] ? last - 2 : last;
    int64_t open = any_open(t, b, row) && b->open_ms[row] < begin ? b->open_ms[row] : 0;

    switch (at->moment) {
    case MOMENT_OPEN:
        return open;
    case MOMENT_BORN:
        return b->born_ms[row] > open && b->born_ms[row] < begin && any_first(t, b, row)
                   ? b->born_ms[row]
                   : 0;
    case MOMENT_RESTART:
        return restarts[row] ? begin : 0;
    case MOMENT_LAST:
    case MOMENTS:
        break;
    }
    return last;
}

/* In order of time; `restarts`: rows whose last value is marked. */
static struct event *find_events(struct tiered *t, const struct tsdb_bucket *b, bool *restarts,
                                 size_t *count)
{
    struct event *list = arena_room(&t->scratch, MOMENTS * b->row_count + 1, sizeof(*list));
    bool sorted = true;

    *count = 0;
    for (size_t row = 0; row < b->row_count; row++) {
        restarts[row] = any_restart(t, b, row);
    }
    for (int m = MOMENT_OPEN; list && m < MOMENTS; m++) {
        for (size_t row = 0; row < b->row_count; row++) {
            struct event n = {.row = row, .moment = (enum moment)m};
            n.t_ms = time_of(t, b, restarts, &n);
            if (n.t_ms) {
                sorted &= *count == 0 || compare_events(&list[*count - 1], &n) < 0;
                list[(*count)++] = n;
            }
        }
    }
    if (list && !sorted) {
        qsort(list, *count, sizeof(*list), compare_events);
    }
    return list;
}

/* --- as readings --- */

/* How many readings a value of a counter stands for. Without its first one nobody knows. */
static struct cell count_at(const struct tiered *t, const struct tsdb_bucket *b, size_t c,
                            const struct event *at)
{
    const struct tsdb_rolled *v = &b->columns[c];
    const struct cell *count = &v->count[at->row];
    struct cell top;

    if (t->kinds[c] != RELATION_COUNTER || !is_open(t, b, c, at->row) ||
        at->moment == MOMENT_OPEN) {
        return cell_i64(1);
    }
    if (at->moment != MOMENT_LAST || count->tag != CELL_I64) {
        return cell_i64(0);
    }
    /* between the two comes a zero, which is counted as well (series_rules.h) */
    bool zero = risen_to(t, b, c, at->row, &top) &&
                cell_to_f64(v->last[at->row]) >= cell_to_f64(top);
    return cell_i64(count->i64 - 1 - zero);
}

/* Behind the columns: of how many values, and of a mean their sums. */
static void fill_parts(const struct tiered *t, const struct tsdb_bucket *b,
                       const struct event *events, struct tsdb_slice *s, struct cell **cells)
{
    for (size_t c = 0; c < t->column_count; c++) {
        const struct tsdb_rolled *v = &b->columns[c];
        bool has = t->kinds[c] == RELATION_GAUGE || t->kinds[c] == RELATION_DELTA;
        for (size_t i = 0; i < s->row_count; i++) {
            bool last = events[i].moment == MOMENT_LAST;
            size_t row = events[i].row;
            cells[t->column_count + c][i] = has_opens(t)  ? count_at(t, b, c, &events[i])
                                            : last && has ? v->count[row]
                                                          : cell_i64(1);
            if (is_mean(t)) {
                cells[2 * t->column_count + c][i] = last && has ? v->sum[row] : cells[c][i];
            }
        }
    }
}

static bool fill_rows(struct tiered *t, const struct tsdb_bucket *b, const struct event *events,
                      struct tsdb_slice *s)
{
    size_t n = s->row_count;
    uint64_t *objects = b->objects ? arena_array(&t->scratch, n + 1, sizeof(*objects)) : NULL;
    size_t columns = parts_of(t) * t->column_count;
    struct cell **cells = arena_array(&t->scratch, columns + 1, sizeof(*cells));
    struct str **keys = arena_array(&t->scratch, b->key_count + 1, sizeof(*keys));

    for (size_t i = 0; objects && i < n; i++) {
        objects[i] = b->objects[events[i].row];
    }
    for (size_t k = 0; keys && k < b->key_count; k++) {
        keys[k] = arena_array(&t->scratch, n + 1, sizeof(**keys));
        for (size_t i = 0; keys[k] && i < n; i++) {
            keys[k][i] = b->keys[k][events[i].row];
        }
    }
    for (size_t c = 0; cells && c < columns; c++) {
        cells[c] = arena_room(&t->scratch, n + 1, sizeof(**cells));
        for (size_t i = 0; c < t->column_count && cells[c] && i < n; i++) {
            cells[c][i] = value_at(t, b, c, &events[i]);
        }
    }
    if (cells && parts_of(t) > 1 && !t->scratch.overflow) {
        fill_parts(t, b, events, s, cells);
    }
    s->objects = objects;
    s->key_count = b->key_count;
    s->keys = keys;
    s->column_count = columns;
    s->cells = (const struct cell *const *)cells;
    return !t->scratch.overflow;
}

static bool any_reopened(const struct tiered *t, const struct tsdb_bucket *b, size_t row)
{
    for (size_t c = 0; c < t->column_count; c++) {
        if (b->columns[c].reopened[row]) {
            return true;
        }
    }
    return false;
}

static bool fill_marks(struct tiered *t, const struct tsdb_bucket *b, const struct event *events,
                       const bool *restarts, struct tsdb_slice *s)
{
    uint32_t *resets = arena_array(&t->scratch, s->row_count + 1, sizeof(*resets));
    uint64_t *gone = arena_array(&t->scratch, b->row_count + 1, sizeof(*gone));

    for (size_t i = 0; resets && i < s->row_count; i++) {
        size_t row = events[i].row;
        if ((restarts[row] && events[i].moment == MOMENT_LAST) ||
            (events[i].moment == MOMENT_OPEN && any_reopened(t, b, row))) {
            resets[s->reset_count++] = (uint32_t)i;
        }
    }
    for (size_t row = 0; gone && b->objects && s->t_ms == b->t_ms && row < b->row_count; row++) {
        if (b->ended[row]) {
            gone[s->gone_count++] = b->objects[row];
        }
    }
    s->resets = resets;
    s->gone = gone;
    return resets && gone;
}

/* Readings between the newest ones of two buckets are not complete: absence means nothing. */
static enum err_code emit(struct tiered *t, const struct tsdb_bucket *b,
                          const struct moment_rows *at, struct err *e)
{
    const struct event *events = at->events;
    size_t count = at->count;
    bool whole = count == 0 || events[0].t_ms == b->t_ms;
    int64_t r = tsdb_tier_ms(t->tier);
    struct tsdb_slice s = {
        .group = b->group,
        .scope = b->scope,
        .t_ms = whole ? b->t_ms : events[0].t_ms,
        .from_ms = whole ? b->t_ms - b->covered_ms : events[0].t_ms,
        /* what follows is up to R and a clock away; a window takes two of them */
        .every_ms = t->spec->range_ms ? r : r / 2 + b->every_ms,
        .flags = whole ? b->flags : 0,
        .reason = b->reason,
        .row_count = count,
    };

    if (!fill_rows(t, b, events, &s) || !fill_marks(t, b, events, at->restarts, &s)) {
        return arena_fail(&t->scratch, e);
    }
    return t->spec->rolled ? t->spec->rolled(t->spec->arg, &s, e)
                           : t->spec->visit(t->spec->arg, &s, e);
}

/* --- what was before --- */

static struct cell *cells_before(const struct tiered *t, const struct tsdb_bucket *b, size_t row)
{
    if (row < t->known_count && t->known[row].object == b->objects[row]) {
        return t->known[row].cells;
    }
    return map_get(t->before, str_make((const char *)&b->objects[row], sizeof(uint64_t)));
}

/* By row of the bucket; false: the arena is full. */
static bool find_before(struct tiered *t, const struct tsdb_bucket *b)
{
    t->old = arena_array(&t->scratch, b->row_count + 1, sizeof(struct cell *));
    for (size_t row = 0; t->old && b->objects && row < b->row_count; row++) {
        t->old[row] = cells_before(t, b, row);
    }
    return t->old;
}

static bool reserve_known(struct tiered *t, size_t count)
{
    if (count > t->known_cap) {
        t->known = arena_array(&t->arena, 2 * count, sizeof(*t->known));
        t->known_cap = t->known ? 2 * count : 0;
    }
    t->known_count = 0;
    return count <= t->known_cap;
}

static bool keep_before(struct tiered *t, const struct tsdb_bucket *b)
{
    size_t count = b->objects ? b->row_count : 0;

    if (!reserve_known(t, count)) {
        return false;
    }
    for (size_t row = 0; row < count; row++) {
        struct cell *old = t->old[row];
        if (!old) {
            old = arena_array(&t->arena, t->column_count + 1, sizeof(*old));
            if (!old) {
                return false;
            }
            (void)map_put(t->before, str_make((const char *)&b->objects[row], sizeof(uint64_t)),
                          old);
        }
        for (size_t c = 0; c < t->column_count; c++) {
            if (t->kinds[c] == RELATION_COUNTER) {
                old[c] = b->columns[c].last[row];
            }
        }
        t->known[t->known_count++] = (struct known){b->objects[row], old};
    }
    return true;
}

static enum err_code visit_bucket(void *arg, const struct tsdb_bucket *b, struct err *e)
{
    struct tiered *t = arg;
    size_t count = 0;
    enum err_code code = ERR_OK;

    arena_reset(&t->scratch);
    bool *restarts = arena_array(&t->scratch, b->row_count + 1, sizeof(*restarts));
    struct event *events = restarts && find_before(t, b) ? find_events(t, b, restarts, &count)
                                                         : NULL;
    if (!events) {
        return arena_fail(&t->scratch, e);
    }
    int64_t last = INT64_MIN;
    for (size_t at = 0; code == ERR_OK && at < count;) {
        size_t end = at + 1;
        while (end < count && events[end].t_ms == events[at].t_ms) {
            end++;
        }
        last = events[at].t_ms;
        code = emit(t, b, &(struct moment_rows){events + at, end - at, restarts}, e);
        at = end;
    }
    if (code == ERR_OK && last != b->t_ms) {
        code = emit(t, b, &(struct moment_rows){events, 0, restarts}, e);
    }
    return code == ERR_OK && !keep_before(t, b) ? arena_fail(&t->arena, e) : code;
}

/* --- the whole --- */

static enum err_code read_kinds(struct tiered *t, struct tsdb_reader *r, struct err *e)
{
    const struct tsdb_scan_spec *q = t->spec->scan;
    struct relation *relation = NULL;
    enum err_code code = tsdb_relation(r, &t->arena, q->relation, &relation, e);

    if (code) {
        return code;
    }
    t->column_count = q->columns ? q->column_count : relation->column_count;
    t->kinds = arena_array(&t->arena, t->column_count + 1, sizeof(*t->kinds));
    for (size_t c = 0; t->kinds && c < t->column_count; c++) {
        int at = q->columns ? relation_find_column(relation, q->columns[c]) : (int)c;
        t->kinds[c] = at < 0 ? RELATION_GAUGE : relation->columns[at].kind;
    }
    return arena_check(&t->arena, e);
}

static enum err_code make_plan(const struct tiered *t, struct tsdb_reader *r,
                               struct tsdb_plan *plan, struct err *e)
{
    const struct tsdb_scan_spec *q = t->spec->scan;
    struct tsdb_plan_spec ask = {.target = q->target,
                                 .relation = q->relation,
                                 .scope = *q->scope,
                                 .answers = t->column_count > 0,
                                 .from_ms = q->from_ms,
                                 .to_ms = q->to_ms,
                                 .range_ms = t->spec->range_ms,
                                 .step_ms = t->spec->step_ms};

    for (size_t c = 0; c < t->column_count; c++) {
        ask.answers &= tsdb_tier_answers(t->kinds[c], t->spec->need);
    }
    return tsdb_tier_plan(r, &ask, plan, e);
}

static enum err_code scan_part(struct tiered *t, struct tsdb_reader *r,
                               const struct tsdb_tier_part *part, struct err *e)
{
    const struct tsdb_part_visit readings = {.readings = t->spec->visit, .arg = t->spec->arg};
    const struct tsdb_part_visit buckets = {.buckets = visit_bucket, .arg = t};
    struct tsdb_scan_spec raw = *t->spec->scan;

    t->tier = part->tier;
    if (part->tier == TSDB_RAW && t->spec->numbers) {
        raw.from_ms = part->from_ms;
        raw.to_ms = part->to_ms;
        return tsdb_scan_numbers(r, &raw, t->spec->numbers, e);
    }
    return tsdb_part_scan(r, &raw, part, part->tier == TSDB_RAW ? &readings : &buckets, e);
}

enum err_code tsdb_part_scan(struct tsdb_reader *r, const struct tsdb_scan_spec *scan,
                             const struct tsdb_tier_part *part, const struct tsdb_part_visit *visit,
                             struct err *e)
{
    struct tsdb_scan_spec raw = *scan;
    const struct tsdb_tier_spec tier = {.tier = part->tier,
                                        .target = scan->target,
                                        .relation = scan->relation,
                                        .scope = *scan->scope,
                                        .columns = scan->columns,
                                        .column_count = scan->column_count,
                                        .from_ms = part->from_ms,
                                        .to_ms = part->to_ms,
                                        .deadline_mono_us = scan->deadline_mono_us};

    if (part->tier != TSDB_RAW) {
        return tsdb_tier_scan(r, &tier, visit->buckets, visit->arg, e);
    }
    raw.from_ms = part->from_ms;
    raw.to_ms = part->to_ms;
    return tsdb_scan(r, &raw, visit->readings, visit->arg, e);
}

enum err_code tsdb_tiered_scan(struct tsdb_reader *r, const struct tsdb_tiered_spec *spec,
                               struct tsdb_plan *plan, struct err *e)
{
    struct tiered t = {.spec = spec, .before = map_new()};

    arena_init(&t.arena, "tsdb tiered scan", TIERED_ARENA);
    arena_init(&t.scratch, "tsdb tiered bucket", TIERED_ARENA);
    enum err_code code = read_kinds(&t, r, e);
    if (code == ERR_OK) {
        code = make_plan(&t, r, plan, e);
    }
    for (size_t i = 0; code == ERR_OK && i < plan->count; i++) {
        code = scan_part(&t, r, &plan->parts[i], e);
    }
    arena_fini(&t.scratch);
    arena_fini(&t.arena);
    map_free(t.before, NULL);
    return code;
}
