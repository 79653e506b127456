/* SPDX-License-Identifier: PostgreSQL */
/* series_table.c: see the header. */
#include "store/tsdb/series/series_table.h"

#include <string.h>

#include "base/limits.h"

#define RUN_FIRST 16 /* values that a run has room for; the next one has twice as many */
#define RUN_MOST  1024
#define SLOTS     1024 /* of the table of objects, at first */

void series_table_init(struct series_table *t, size_t max_bytes)
{
    memset(t, 0, sizeof(*t));
    arena_init(&t->arena, "readings of a query", max_bytes);
    t->text_ids = map_new();
    t->tuples = map_new();
}

void series_table_fini(struct series_table *t)
{
    map_free(t->text_ids, NULL);
    map_free(t->tuples, NULL);
    arena_fini(&t->arena);
}

/* --- growing --- */

static void *grow(struct arena *a, void *list, size_t count, size_t more, size_t size)
{
    void *longer = arena_array(a, more, size);

    if (longer && count)
        memcpy(longer, list, count * size);
    return longer;
}

static bool grow_axis(struct series_table *t)
{
    struct series_axis *x = &t->axis;
    size_t cap = x->cap ? 2 * x->cap : 256;

    x->t_ms = grow(&t->arena, x->t_ms, x->count, cap, sizeof(*x->t_ms));
    x->from_ms = grow(&t->arena, x->from_ms, x->count, cap, sizeof(*x->from_ms));
    x->every_ms = grow(&t->arena, x->every_ms, x->count, cap, sizeof(*x->every_ms));
    x->flags = grow(&t->arena, x->flags, x->count, cap, sizeof(*x->flags));
    x->cap = cap;
    return !t->arena.overflow;
}

static bool add_place(struct series_table *t, const struct tsdb_slice *s)
{
    struct series_axis *x = &t->axis;

    if (x->count == x->cap && !grow_axis(t))
        return false;
    x->t_ms[x->count] = s->t_ms;
    x->from_ms[x->count] = s->from_ms;
    x->every_ms[x->count] = s->every_ms;
    x->flags[x->count] = (unsigned char)s->flags;
    x->failed |= (s->flags & SLICE_FAILED) != 0;
    x->slowest_ms = s->every_ms > x->slowest_ms ? s->every_ms : x->slowest_ms;
    x->count++;
    return true;
}

static unsigned char parts_of(const struct series_table *t, const struct tsdb_slice *s)
{
    size_t columns = t->spec->column_count;

    return columns ? (unsigned char)(s->column_count / columns) : 1;
}

/*
 * Room for the values of a run: what the one before left of its own, else new. Where rows have
 * places of their own (restarts in roll-ups) runs are short, and there are many.
 */
static bool take_room(struct series_table *t, struct series_run *last, struct series_run *run,
                      size_t columns)
{
    size_t room = last && last->room > RUN_FIRST / 2 ? 2 * (size_t)last->room : RUN_FIRST;
    size_t stride = room > RUN_MOST ? RUN_MOST : room;
    double *values = NULL;

    if (last && last->parts == run->parts && last->room > last->count) {
        for (size_t c = 0; c < columns; c++)
            run->values[c] = last->values[c] + last->count;
        run->room = last->room - last->count;
        last->room = last->count;
        return true;
    }
    values = arena_room(&t->arena, columns * stride, sizeof(*values));
    for (size_t c = 0; values && c < columns; c++)
        run->values[c] = values + c * stride;
    run->room = (uint32_t)stride;
    return values;
}

static bool add_run(struct series_table *t, struct series_row *row, const struct tsdb_slice *s)
{
    size_t columns = s->column_count;
    struct series_run *run = arena_alloc(&t->arena, sizeof(*run) + columns * sizeof(double *));

    if (!run)
        return false;
    run->first = (uint32_t)(t->axis.count - 1);
    run->parts = parts_of(t, s);
    t->rolled |= run->parts > 1;
    if (!take_room(t, row->last, run, columns))
        return false;
    if (row->last)
        row->last->next = run;
    else
        row->first = run;
    row->last = run;
    return true;
}

static bool add_mark(struct series_table *t, size_t place, struct series_mark **first,
                     struct series_mark **last)
{
    struct series_mark *m = arena_alloc(&t->arena, sizeof(*m));

    if (!m)
        return false;
    m->place = (uint32_t)place;
    if (*last)
        (*last)->next = m;
    else
        *first = m;
    *last = m;
    return true;
}

/* --- which row --- */

static struct series_row *new_row(struct series_table *t, uint64_t id, const struct str *keys)
{
    struct series_row *row = arena_alloc(&t->arena, sizeof(*row));

    if (!row)
        return NULL;
    row->id = id;
    row->keys = keys;
    row->wanted = t->only.known || !t->spec->keep || t->spec->keep(t->spec->keep_arg, keys);
    if (!row->wanted)
        return row;
    if (t->row_count == t->row_cap) {
        t->row_cap = t->row_cap ? 2 * t->row_cap : 64;
        t->rows = grow(&t->arena, t->rows, t->row_count, t->row_cap, sizeof(struct series_row *));
        if (!t->rows)
            return NULL;
    }
    t->rows[t->row_count++] = row;
    return row;
}

/* Ids of one group rise by one for the most part: they are their own hash. */
static struct series_row **slot_of(struct series_row **slots, size_t mask, uint64_t id)
{
    size_t at = (size_t)id & mask;

    while (slots[at] && slots[at]->id != id)
        at = (at + 1) & mask;
    return &slots[at];
}

static bool grow_slots(struct series_table *t)
{
    size_t size = t->slot_mask ? 2 * (t->slot_mask + 1) : SLOTS;
    struct series_row **slots = arena_array(&t->arena, size, sizeof(struct series_row *));

    for (size_t i = 0; slots && t->slot_mask && i <= t->slot_mask; i++) {
        if (t->slots[i])
            *slot_of(slots, size - 1, t->slots[i]->id) = t->slots[i];
    }
    t->slots = slots;
    t->slot_mask = size - 1;
    return slots != NULL;
}

static struct series_row *find_object(struct series_table *t, uint64_t id)
{
    return t->slot_mask ? *slot_of(t->slots, t->slot_mask, id) : NULL;
}

static enum err_code object_row(struct series_table *t, uint64_t group, uint64_t id,
                                struct series_row **out, struct err *e)
{
    const struct tsdb_group_object of = {group, id};
    size_t count = t->spec->relation->key_count;
    struct str *keys = NULL;

    *out = find_object(t, id);
    if (*out)
        return ERR_OK;
    keys = arena_array(&t->arena, count + 1, sizeof(*keys));
    if (!keys || (2 * (t->slot_count + 1) > t->slot_mask + 1 && !grow_slots(t)))
        return arena_fail(&t->arena, e);
    enum err_code rc = tsdb_group_keys(t->spec->reader, &of, keys, count, e);
    if (rc)
        return rc;
    *out = new_row(t, id, keys);
    if (!*out)
        return arena_fail(&t->arena, e);
    *slot_of(t->slots, t->slot_mask, id) = *out;
    t->slot_count++;
    return ERR_OK;
}

/* A fact's row: all of its keys, each with its length in front. */
static enum err_code fact_row(struct series_table *t, const struct tsdb_slice *s, size_t at,
                              struct series_row **out, struct err *e)
{
    size_t count = t->spec->relation->key_count;
    char name[LIMIT_RELATION_KEYS * (LIMIT_KEY_BYTES + sizeof(size_t))];
    size_t len = 0;

    name[0] = '\0';
    for (size_t k = 0; k < count; k++) {
        struct str key = k < s->key_count ? s->keys[k][at] : STR("");
        if (len + key.len + sizeof(key.len) > sizeof(name))
            return err_set(e, ERR_CORRUPT, "keys of a row are longer than they may be");
        memcpy(name + len, &key.len, sizeof(key.len));
        if (key.len)
            memcpy(name + len + sizeof(key.len), key.ptr, key.len);
        len += sizeof(key.len) + key.len;
    }
    *out = map_get(t->tuples, str_make(name, len));
    if (*out)
        return ERR_OK;
    struct str *keys = arena_array(&t->arena, count + 1, sizeof(*keys));
    for (size_t k = 0; keys && k < count; k++)
        keys[k] = arena_str(&t->arena, k < s->key_count ? s->keys[k][at] : STR(""));
    *out = keys ? new_row(t, 0, keys) : NULL;
    if (!*out)
        return arena_fail(&t->arena, e);
    (void)map_put(t->tuples, str_make(name, len), *out);
    return arena_check(&t->arena, e);
}

/* Keep which row stands at a place of a list of objects. */
static bool note_order(struct series_table *t, size_t at, struct series_row *row)
{
    if (at > t->order_count) /* a gap would be left that nobody filled */
        return true;
    if (at == t->order_cap) {
        t->order_cap = t->order_cap ? 2 * t->order_cap : 256;
        t->order = grow(&t->arena, t->order, t->order_count, t->order_cap,
                        sizeof(struct series_row *));
        if (!t->order)
            return false;
    }
    t->order[at] = row;
    t->order_count += at == t->order_count;
    return true;
}

/* Readings mostly list the objects of the one before, in the same order. */
static enum err_code row_of(struct series_table *t, const struct tsdb_group_object *o, size_t at,
                            struct series_row **out, struct err *e)
{
    if (at < t->order_count && t->order[at]->id == o->object) {
        *out = t->order[at];
        return ERR_OK;
    }
    enum err_code rc = object_row(t, o->group, o->object, out, e);
    if (rc == ERR_OK && !note_order(t, at, *out))
        rc = arena_fail(&t->arena, e);
    return rc;
}

static enum err_code row_at(struct series_table *t, const struct tsdb_slice *s, size_t at,
                            struct series_row **out, struct err *e)
{
    if (!s->objects)
        return fact_row(t, s, at, out, e);
    const struct tsdb_group_object o = {s->group, s->objects[at]};
    return row_of(t, &o, at, out, e);
}

/* --- cells --- */

static double text_number(struct series_table *t, struct str s)
{
    size_t number = (size_t)map_get(t->text_ids, s);

    if (number)
        return (double)(number - 1);
    if (t->text_count == t->text_cap) {
        t->text_cap = t->text_cap ? 2 * t->text_cap : 64;
        t->texts = grow(&t->arena, t->texts, t->text_count, t->text_cap, sizeof(*t->texts));
        if (!t->texts)
            return series_null();
    }
    t->texts[t->text_count++] = arena_str(&t->arena, s);
    (void)map_put(t->text_ids, s, (void *)t->text_count); /* number + 1: never NULL */
    return (double)(t->text_count - 1);
}

static double cell_value(struct series_table *t, const struct cell *c, bool text)
{
    if (c->tag == CELL_NULL || (c->tag == CELL_STR) != text)
        return series_null();
    return text ? text_number(t, c->str) : cell_to_f64(*c);
}

static enum err_code add_cells(struct series_table *t, const struct tsdb_slice *s, size_t at,
                               struct series_row *row, struct err *e)
{
    uint32_t place = (uint32_t)(t->axis.count - 1);
    struct series_run *run = row->last;
    size_t columns = t->spec->column_count;

    if (run && run->first + run->count > place)
        return ERR_OK; /* an object twice in a reading: the first one counts */
    if ((!run || run->first + run->count < place || run->count == run->room ||
         run->parts != parts_of(t, s)) &&
        !add_run(t, row, s))
        return arena_fail(&t->arena, e);
    run = row->last;
    for (size_t c = 0; c < s->column_count; c++) {
        const struct relation_column *column =
            &t->spec->relation->columns[t->spec->columns[c % columns]];
        run->values[c][run->count] = cell_value(t, &s->cells[c][at], column->kind == RELATION_TEXT);
    }
    run->count++;
    return ERR_OK;
}

/* --- objects that are wanted --- */

static bool is_listed(const struct tsdb_ids *only, uint64_t id)
{
    size_t low = 0, high = only->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (only->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < only->count && only->ids[low] == id;
}

static bool is_as_before(const struct series_table *t, const struct tsdb_slice *s)
{
    return t->seen && t->seen_count == s->row_count &&
           (s->row_count == 0 || memcmp(t->seen, s->objects, s->row_count * sizeof(*t->seen)) == 0);
}

/* Where the wanted objects of a reading are: mostly where they were in the one before. */
static bool find_places(struct series_table *t, const struct tsdb_slice *s)
{
    if (is_as_before(t, s))
        return true;
    if (!t->seen || s->row_count > t->seen_cap) {
        t->seen_cap = 2 * s->row_count + 1;
        t->seen = arena_room(&t->arena, t->seen_cap, sizeof(*t->seen));
        t->places = arena_room(&t->arena, t->seen_cap, sizeof(*t->places));
    }
    if (!t->seen || !t->places)
        return false;
    t->place_count = 0;
    for (size_t at = 0; at < s->row_count; at++) {
        t->seen[at] = s->objects[at];
        if (is_listed(&t->only, s->objects[at]))
            t->places[t->place_count++] = (uint32_t)at;
    }
    t->seen_count = s->row_count;
    return true;
}

static enum err_code take_listed(struct series_table *t, const struct tsdb_slice *s, struct err *e)
{
    enum err_code rc = find_places(t, s) ? ERR_OK : arena_fail(&t->arena, e);

    for (size_t i = 0; rc == ERR_OK && i < t->place_count; i++) {
        struct series_row *row = NULL;
        size_t at = t->places[i];
        rc = row_at(t, s, at, &row, e);
        if (rc == ERR_OK)
            rc = add_cells(t, s, at, row, e);
    }
    return rc;
}

/* --- a reading --- */

static enum err_code take_marks(struct series_table *t, const struct tsdb_slice *s, struct err *e)
{
    for (size_t i = 0; i < s->gone_count; i++) {
        struct series_row *row = find_object(t, s->gone[i]);
        if (row && row->wanted && !add_mark(t, t->axis.count - 1, &row->gone, &row->gone_last))
            return arena_fail(&t->arena, e);
    }
    for (size_t i = 0; i < s->reset_count; i++) {
        struct series_row *row = NULL;
        size_t at = s->resets[i];
        bool known = at < s->row_count &&
                     (!t->only.known || !s->objects || is_listed(&t->only, s->objects[at]));
        enum err_code rc = known ? row_at(t, s, at, &row, e) : ERR_OK;
        if (rc)
            return rc;
        if (row && row->wanted && !add_mark(t, t->axis.count - 1, &row->resets, &row->resets_last))
            return arena_fail(&t->arena, e);
    }
    return ERR_OK;
}

static enum err_code take_slice(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct series_table *t = arg;
    enum err_code rc = ERR_OK;

    if (!add_place(t, s))
        return arena_fail(&t->arena, e);
    if (t->only.known && s->objects) {
        rc = take_listed(t, s, e);
        return rc ? rc : take_marks(t, s, e);
    }
    for (size_t at = 0; rc == ERR_OK && at < s->row_count; at++) {
        struct series_row *row = NULL;
        rc = row_at(t, s, at, &row, e);
        if (rc == ERR_OK && row->wanted)
            rc = add_cells(t, s, at, row, e);
    }
    return rc ? rc : take_marks(t, s, e);
}

/* --- a stretch of readings --- */

static enum err_code wants(void *arg, const struct tsdb_group_object *o, size_t at, bool *out,
                           struct err *e)
{
    struct series_table *t = arg;
    struct series_row *row = NULL;
    enum err_code rc = row_of(t, o, at, &row, e);

    *out = rc == ERR_OK && row->wanted;
    return rc;
}

/* The part of a span that lies within the interval, as a run of its own: the numbers stay. */
static bool add_span(struct series_table *t, struct series_row *row, const struct tsdb_stretch *s,
                     const struct tsdb_presence *span, size_t value)
{
    size_t first = span->slice < s->first ? s->first : span->slice;
    size_t end = (size_t)span->slice + span->count < s->end ? (size_t)span->slice + span->count
                                                            : s->end;
    struct series_run *run = NULL;

    if (first >= end)
        return true;
    run = arena_alloc(&t->arena, sizeof(*run) + t->spec->column_count * sizeof(double *));
    if (!run)
        return false;
    run->parts = 1;
    run->first = (uint32_t)(t->stretch_place + first - s->first);
    run->count = run->room = (uint32_t)(end - first);
    for (size_t c = 0; c < t->spec->column_count; c++)
        run->values[c] = s->values[c] + value + (first - span->slice);
    if (row->last)
        row->last->next = run;
    else
        row->first = run;
    row->last = run;
    return true;
}

static enum err_code add_spans(struct series_table *t, const struct tsdb_stretch *s, size_t object,
                               struct err *e)
{
    const struct tsdb_group_object o = {s->group, s->objects[object]};
    struct series_row *row = NULL;
    size_t value = s->value_start[object] - s->value_base;
    enum err_code rc = row_of(t, &o, object, &row, e);

    for (uint32_t i = s->span_start[object];
         rc == ERR_OK && row->wanted && i < s->span_start[object + 1]; i++) {
        if (!add_span(t, row, s, &s->spans[i], value))
            rc = arena_fail(&t->arena, e);
        value += s->spans[i].count;
    }
    return rc;
}

static enum err_code add_restarts(struct series_table *t, const struct tsdb_stretch *s,
                                  struct err *e)
{
    for (size_t i = 0; i < s->restart_count; i++) {
        const struct tsdb_restart *r = &s->restarts[i];
        struct series_row *row = find_object(t, s->objects[r->object]);
        if (!row || !row->wanted || r->slice < s->first || r->slice >= s->end)
            continue;
        if (!add_mark(t, t->stretch_place + r->slice - s->first, &row->resets, &row->resets_last))
            return arena_fail(&t->arena, e);
    }
    return ERR_OK;
}

static enum err_code take_stretch(void *arg, const struct tsdb_stretch *s, struct err *e)
{
    struct series_table *t = arg;
    enum err_code rc = ERR_OK;

    t->stretch_place = t->axis.count;
    for (size_t i = s->first; rc == ERR_OK && i < s->end; i++) {
        if (!add_place(t, &s->slices[i]))
            return arena_fail(&t->arena, e);
        rc = take_marks(t, &s->slices[i], e);
    }
    for (size_t i = 0; rc == ERR_OK && i < s->range_count; i++) {
        for (size_t o = s->ranges[i].from; rc == ERR_OK && o < s->ranges[i].to; o++)
            rc = add_spans(t, s, o, e);
    }
    return rc ? rc : add_restarts(t, s, e);
}

static void forget(struct series_table *t)
{
    arena_reset(&t->arena);
    map_clear(t->text_ids, NULL);
    map_clear(t->tuples, NULL);
    memset(&t->axis, 0, sizeof(t->axis));
    t->rolled = false;
    t->row_count = t->row_cap = t->text_count = t->text_cap = 0;
    t->slot_mask = t->slot_count = t->order_count = t->order_cap = 0;
    t->rows = t->slots = t->order = NULL;
    t->texts = NULL;
    t->only = (struct tsdb_ids){.known = false};
    t->seen = NULL;
    t->seen_count = t->seen_cap = t->place_count = 0;
}

static bool has_text(const struct series_table_spec *spec)
{
    for (size_t c = 0; c < spec->column_count; c++) {
        if (spec->relation->columns[spec->columns[c]].kind == RELATION_TEXT)
            return true;
    }
    return false;
}

enum err_code series_table_read(struct series_table *t, const struct series_table_spec *spec,
                                struct err *e)
{
    forget(t);
    t->spec = spec;
    struct str *names = arena_array(&t->arena, spec->column_count + 1, sizeof(*names));
    if (!names)
        return arena_fail(&t->arena, e);
    for (size_t c = 0; c < spec->column_count; c++)
        names[c] = spec->relation->columns[spec->columns[c]].name;
    struct tsdb_scan_spec scan = {
        .target = spec->target,
        .relation = spec->relation->name,
        .scope = &spec->scope,
        .columns = names,
        .column_count = spec->column_count,
        .from_ms = spec->from_ms,
        .to_ms = spec->to_ms,
        .deadline_mono_us = spec->deadline_mono_us,
    };
    if (spec->match) {
        enum err_code rc = tsdb_match(spec->reader, &t->arena, spec->match, &t->only, e);
        if (rc)
            return rc;
    }
    const struct tsdb_sink sink = {.visit = take_slice,
                                   .stretch = take_stretch,
                                   .wants = wants,
                                   .only = t->only,
                                   .arg = t,
                                   .arena = &t->arena};
    const struct tsdb_tiered_spec tiered = {.scan = &scan,
                                            .need = spec->need,
                                            .range_ms = spec->range_ms,
                                            .step_ms = spec->step_ms,
                                            .visit = take_slice,
                                            .rolled = take_slice,
                                            .arg = t,
                                            .numbers = has_text(spec) ? NULL : &sink};
    return tsdb_tiered_scan(spec->reader, &tiered, &t->plan, e);
}

const uint32_t *series_table_texts(struct arena *a, const struct series_row *row, size_t column,
                                   size_t *count)
{
    size_t n = 0, cap = 8;
    uint32_t *list = arena_array(a, cap, sizeof(*list));

    for (const struct series_run *run = row->first; list && run; run = run->next) {
        for (size_t i = 0; list && i < run->count; i++) {
            double v = run->values[column][i];
            size_t at = n;
            if (series_is_null(v))
                continue;
            while (at > 0 && list[at - 1] != (uint32_t)v)
                at--;
            if (at > 0)
                continue;
            if (n == cap) {
                list = grow(a, list, n, 2 * cap, sizeof(*list));
                cap *= 2;
            }
            if (list)
                list[n++] = (uint32_t)v;
        }
    }
    *count = n;
    return list;
}
