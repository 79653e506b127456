/* SPDX-License-Identifier: PostgreSQL */
/*
 * tier_build.c: the readings of an hour of a group become its buckets, of both tiers in one pass.
 *
 * By the rules of aggregate.h: a counter's rise is put whole into the bucket of the later reading,
 * what restarts or begins is no fall, a row that a sparse reading lacks is as it was. What the rows
 * were before the hour comes from the last hourly bucket (prime).
 * Threads: the flusher, or the leader
 */
#include "store/tsdb/rollup/tier_build.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/map.h"

#include <string.h>

#define KEYS_MAX (1024UL * 1024)

/* --- life cycle --- */

static void take_shape(struct tier_build *b, const struct tier_shape *shape)
{
    b->column_count = shape->column_count;
    b->key_count = shape->key_count;
    b->fact = shape->fact;
    b->sparse = shape->sparse;
    b->kinds = arena_array(&b->arena, shape->column_count + 1, sizeof(*b->kinds));
    for (size_t i = 0; b->kinds && i < shape->column_count; i++) {
        b->kinds[i] = shape->kinds[i];
        b->counts |= b->kinds[i] == RELATION_COUNTER;
        b->keeps |= !b->fact && (b->kinds[i] == RELATION_COUNTER ||
                                 (b->sparse && b->kinds[i] != RELATION_DELTA));
    }
}

struct tier_build *tier_build_new(const struct tier_shape *shape, uint64_t group)
{
    struct tier_build *b = alloc_new(sizeof(*b));

    b->group = group;
    arena_init(&b->arena, "tsdb roll-up", BUILD_ARENA);
    take_shape(b, shape);
    b->tuples = b->fact ? map_new() : NULL;
    return b;
}

void tier_build_free(struct tier_build *b)
{
    if (!b) {
        return;
    }
    if (b->tuples) {
        map_free(b->tuples, NULL);
    }
    alloc_free(b->entries);
    for (int t = 0; t < TSDB_TIERS; t++) {
        alloc_free(b->made[t].slices);
    }
    arena_fini(&b->arena);
    alloc_free(b);
}

/* --- cells --- */

struct cell tier_build_get(const struct agg *g, enum slot slot)
{
    struct cell c = {.tag = (enum cell_tag)g->tag[slot]};

    switch (c.tag) {
    case CELL_NULL:
        break;
    case CELL_I64:
        c.i64 = g->v[slot].i64;
        break;
    case CELL_U64:
        c.u64 = g->v[slot].u64;
        break;
    case CELL_F64:
        c.f64 = g->v[slot].f64;
        break;
    case CELL_STR:
        c.str = *g->v[slot].str;
        break;
    }
    return c;
}

/* Numbers only. */
static void set(struct agg *g, enum slot slot, struct cell c)
{
    g->tag[slot] = (unsigned char)c.tag;
    if (c.tag == CELL_I64) {
        g->v[slot].i64 = c.i64;
    } else if (c.tag == CELL_U64) {
        g->v[slot].u64 = c.u64;
    } else {
        g->v[slot].f64 = c.f64;
    }
}

static void set_text(struct tier_build *b, struct agg *g, struct str text)
{
    struct str *copy = NULL;

    if (g->tag[SLOT_LAST] == CELL_STR && str_eq(*g->v[SLOT_LAST].str, text)) {
        return;
    }
    copy = arena_alloc(&b->arena, sizeof(*copy));
    if (copy) {
        *copy = arena_str(&b->arena, text);
        g->v[SLOT_LAST].str = copy;
        g->tag[SLOT_LAST] = CELL_STR;
    }
}

static void add(struct agg *g, enum slot slot, struct cell v)
{
    struct cell sum = tier_build_get(g, slot);

    cell_add(&sum, v);
    set(g, slot, sum);
}

static bool is_less(struct cell a, struct cell b)
{
    return a.tag == CELL_I64 && b.tag == CELL_I64 ? a.i64 < b.i64 : cell_to_f64(a) < cell_to_f64(b);
}

bool tier_build_same(struct cell a, struct cell b)
{
    return a.tag == b.tag && (a.tag == CELL_NULL || a.i64 == b.i64);
}

/* What a counter rose by; *back: it restarted. */
static struct cell rise_of(struct cell before, struct cell now, bool reset, bool *back)
{
    int64_t d = 0;

    *back = reset || is_less(now, before);
    if (*back) {
        return now;
    }
    if (before.tag == CELL_I64 && now.tag == CELL_I64 &&
        !__builtin_sub_overflow(now.i64, before.i64, &d)) {
        return cell_i64(d);
    }
    return cell_f64(cell_to_f64(now) - cell_to_f64(before));
}

/* --- one value --- */

/* A value on its way into the buckets. */
struct value {
    const struct cell *now;
    const struct cell *before; /* counter: NULL = it begins here */
    bool reset, linked;
    bool opens; /* it is of the row's first reading */
    bool live;  /* the reading before had a value, too */
};

/*
 * As PromQL has it, from one value of the bucket to the next, whatever lies between. A restart that
 * is hidden by what followed is one sample more (series_rules.h).
 */
static void climb(struct agg *g, const struct value *v)
{
    struct cell before = tier_build_get(g, SLOT_LAST);
    bool back = false;

    if (v->opens) {
        set(g, SLOT_OPEN, *v->now);
        set(g, SLOT_CLIMB, cell_i64(0));
        g->reopened = v->reset && v->live;
    } else if (g->tag[SLOT_OPEN] != CELL_NULL) {
        bool hidden = v->reset && v->live && !is_less(*v->now, before);
        add(g, SLOT_CLIMB, rise_of(before, *v->now, hidden, &back));
        g->fell |= back;
        g->count += hidden;
    }
}

static void take_counter(struct agg *g, const struct value *v)
{
    bool begins = g->tag[SLOT_LAST] == CELL_NULL;
    bool back = false;

    climb(g, v);
    if (v->before) {
        add(g, SLOT_RISE, rise_of(*v->before, *v->now, v->reset, &back));
        g->odd |= back || (begins && !v->linked);
    } else if (begins) {
        set(g, SLOT_FIRST, *v->now);
    } else {
        g->odd = true; /* it ended, or had no value, and came again */
    }
    set(g, SLOT_LAST, *v->now);
}

static void take_extremes(struct agg *g, struct cell now)
{
    if (g->tag[SLOT_MIN] == CELL_NULL || is_less(now, tier_build_get(g, SLOT_MIN))) {
        set(g, SLOT_MIN, now);
    }
    if (g->tag[SLOT_MAX] == CELL_NULL || is_less(tier_build_get(g, SLOT_MAX), now)) {
        set(g, SLOT_MAX, now);
    }
}

static void take_value(struct tier_build *b, struct agg *g, enum relation_kind kind,
                       const struct value *v)
{
    bool text = v->now->tag == CELL_STR;

    if (v->now->tag == CELL_NULL || text != (kind == RELATION_TEXT)) {
        return;
    }
    g->count++;
    switch (kind) {
    case RELATION_TEXT:
        set_text(b, g, v->now->str);
        break;
    case RELATION_COUNTER:
        take_counter(g, v);
        break;
    case RELATION_GAUGE:
        set(g, SLOT_LAST, *v->now);
        take_extremes(g, *v->now);
        add(g, SLOT_SUM, *v->now);
        break;
    case RELATION_DELTA:
        take_extremes(g, *v->now);
        add(g, SLOT_SUM, *v->now);
        break;
    }
}

/* --- rows --- */

static size_t slot_of(const struct tier_build *b, uint64_t id)
{
    size_t at = (size_t)(id * UINT64_C(0x9e3779b97f4a7c15) >> 20) & b->entry_mask;
    while (b->entries[at] && b->entries[at]->id != id) {
        at = (at + 1) & b->entry_mask;
    }
    return at;
}

static void grow_entries(struct tier_build *b)
{
    struct entry **old = b->entries;
    size_t old_mask = b->entry_mask;

    b->entry_mask = old_mask ? old_mask * 2 + 1 : 255;
    b->entries = alloc_array(b->entry_mask + 1, sizeof(struct entry *));
    for (size_t i = 0; old && i <= old_mask; i++) {
        if (old[i]) {
            b->entries[slot_of(b, old[i]->id)] = old[i];
        }
    }
    alloc_free(old);
}

static struct entry *object_entry(struct tier_build *b, uint64_t id)
{
    if (2 * (b->entry_count + 1) > b->entry_mask) {
        grow_entries(b);
    }
    size_t at = slot_of(b, id);
    if (!b->entries[at]) {
        struct entry *n = arena_alloc(&b->arena, sizeof(*n));
        if (!n) {
            return NULL;
        }
        n->id = id;
        n->cells = b->keeps ? arena_array(&b->arena, b->column_count, sizeof(*n->cells)) : NULL;
        b->entries[at] = n;
        b->entry_count++;
    }
    return b->entries[at];
}

static struct entry *new_tuple(struct tier_build *b, const struct tsdb_slice *s, size_t row)
{
    struct entry *n = arena_alloc(&b->arena, sizeof(*n));
    struct str *keys = arena_array(&b->arena, b->key_count, sizeof(*keys));

    if (!n || !keys) {
        return NULL;
    }
    for (size_t k = 0; k < b->key_count; k++) {
        keys[k] = arena_str(&b->arena, k < s->key_count ? s->keys[k][row] : (struct str){"", 0});
    }
    n->keys = keys;
    return n;
}

static struct entry *tuple_entry(struct tier_build *b, const struct tsdb_slice *s, size_t row)
{
    struct buf key;

    buf_init(&key, KEYS_MAX);
    for (size_t k = 0; k < b->key_count; k++) {
        codec_put_bytes(&key, k < s->key_count ? s->keys[k][row] : (struct str){"", 0});
    }
    struct entry *n = map_get(b->tuples, buf_view(&key));
    if (!n) {
        n = new_tuple(b, s, row);
        if (n) {
            (void)map_put(b->tuples, buf_view(&key), n);
        }
    }
    buf_fini(&key);
    return n;
}

/* The row of an entry in the open bucket of a tier. */
static struct row *row_of(struct tier_build *b, int tier, struct entry *n)
{
    struct bucket *k = &b->buckets[tier];
    struct row *r = n->rows[tier];

    if (r) {
        return r;
    }
    r = arena_alloc(&b->arena, sizeof(*r));
    struct agg *aggs = arena_array(&b->arena, b->column_count, sizeof(*aggs));
    if (!r || !aggs) {
        return NULL;
    }
    r->entry = n;
    r->aggs = aggs;
    *(k->last ? &k->last->next : &k->first) = r;
    k->last = r;
    k->row_count++;
    n->rows[tier] = r;
    return r;
}

/* --- buckets --- */

static bool is_kept(int tier, int64_t every_ms)
{
    return tier == TSDB_TIER_5M ? days_class_of(every_ms) == DAY_FAST : every_ms <= TIER_SLOW_MS;
}

static enum err_code close_bucket(struct tier_build *b, int tier, struct err *e);

/* The buckets that this reading is of. */
static enum err_code enter(struct tier_build *b, const struct tsdb_slice *s, struct err *e)
{
    enum err_code code = ERR_OK;

    for (int t = 0; code == ERR_OK && t < TSDB_TIERS; t++) {
        struct bucket *k = &b->buckets[t];
        int64_t end = tier_bucket_end((enum tsdb_tier)t, s->t_ms);
        if (k->open && k->end_ms == end) {
            continue;
        }
        code = close_bucket(b, t, e);
        *k = (struct bucket){.open = true,
                             .kept = is_kept(t, s->every_ms),
                             .linked = b->any && is_kept(t, b->last_every_ms),
                             .end_ms = end,
                             .t_ms = s->t_ms,
                             .every_ms = s->every_ms,
                             .flags = SLICE_COMPLETE};
    }
    return code;
}

/* As aggregate.c has it: time that this reading stands for. */
static int64_t cover_of(const struct tier_build *b, const struct tsdb_slice *s)
{
    int64_t since = b->last_t_ms ? s->t_ms - b->last_t_ms : 0;
    int64_t span = s->t_ms - s->from_ms;

    if (span == 0 && s->every_ms > 0) {
        span = since > 0 && since < 2 * s->every_ms ? since : s->every_ms;
    }
    return span;
}

static void note_reading(struct tier_build *b, const struct tsdb_slice *s)
{
    bool failed = s->flags & SLICE_FAILED;

    for (int t = 0; t < TSDB_TIERS; t++) {
        struct bucket *k = &b->buckets[t];
        if (failed || !(s->flags & SLICE_COMPLETE)) {
            k->flags &= ~(unsigned)SLICE_COMPLETE;
        }
        if (failed && k->readings == 0) {
            k->t_ms = s->t_ms;
            k->reason = arena_str(&b->arena, s->reason);
        }
        if (!failed) {
            k->t_ms = s->t_ms;
            k->every_ms = s->every_ms;
            k->covered_ms += cover_of(b, s);
            k->readings++;
        }
    }
}

static enum err_code close_bucket(struct tier_build *b, int tier, struct err *e)
{
    struct bucket *k = &b->buckets[tier];

    if (!k->open) {
        return ERR_OK;
    }
    k->open = false;
    if (k->kept && !tier_pack_bucket(b, tier)) {
        return arena_fail(&b->arena, e);
    }
    for (struct row *r = k->first; r; r = r->next) {
        r->entry->rows[tier] = NULL;
    }
    return ERR_OK;
}

/* --- readings --- */

static bool goes_on(const struct tier_build *b, const struct entry *n, size_t c)
{
    bool known = n->cells && n->cells[c].tag != CELL_NULL;
    return known && (b->sparse || (n->seen && n->seen >= b->complete_no));
}

/* Whether a value of a row went on until now: it did not end, and no reading failed since. */
static bool is_live(const struct tier_build *b, const struct entry *n, size_t c)
{
    return goes_on(b, n, c) &&
           (b->sparse ? b->failed_no + 1 < b->slice_no : n->seen > b->failed_no);
}

/* Cells of one row of a reading, or those that a sparse reading does not repeat. */
struct reading {
    const struct tsdb_slice *slice;
    size_t row;
    bool reset, again;
};

static struct cell cell_at(const struct reading *in, const struct entry *n, size_t c)
{
    static const struct cell none = {.tag = CELL_NULL};

    if (in->again) {
        return n->cells[c];
    }
    return c < in->slice->column_count ? in->slice->cells[c][in->row] : none;
}

static bool take_into(struct tier_build *b, int tier, struct entry *n, const struct reading *in)
{
    struct row *r = row_of(b, tier, n);

    if (!r) {
        return false;
    }
    r->t_ms = in->slice->t_ms;
    r->open_ms = r->readings++ ? r->open_ms : r->t_ms;
    for (size_t c = 0; c < b->column_count; c++) {
        struct cell now = cell_at(in, n, c);
        bool on = b->kinds[c] == RELATION_COUNTER && goes_on(b, n, c);
        const struct value v = {.now = &now,
                                .before = on ? &n->cells[c] : NULL,
                                .reset = in->reset,
                                .linked = b->buckets[tier].linked,
                                .opens = r->readings == 1,
                                .live = is_live(b, n, c)};
        if (in->again && b->kinds[c] == RELATION_DELTA) {
            continue;
        }
        if (b->kinds[c] == RELATION_COUNTER && now.tag != CELL_NULL && !on && !r->born_ms) {
            r->born_ms = in->slice->t_ms;
        }
        take_value(b, &r->aggs[c], b->kinds[c], &v);
    }
    return !b->arena.overflow;
}

static void keep_cells(struct tier_build *b, struct entry *n, const struct reading *in)
{
    n->seen = b->slice_no;
    n->gone = false;
    for (size_t c = 0; n->cells && c < b->column_count; c++) {
        struct cell now = cell_at(in, n, c);
        bool kept = b->kinds[c] == RELATION_COUNTER || b->sparse;
        if (now.tag == CELL_NULL && !b->sparse) {
            n->cells[c].tag = CELL_NULL;
        } else if (now.tag == CELL_STR && kept && n->cells[c].tag == CELL_STR &&
                   str_eq(now.str, n->cells[c].str)) {
            continue;
        } else if (now.tag != CELL_NULL && kept) {
            n->cells[c] = now.tag == CELL_STR ? cell_str(arena_str(&b->arena, now.str)) : now;
        }
    }
}

static bool take_row(struct tier_build *b, const struct reading *in)
{
    const struct tsdb_slice *s = in->slice;
    struct entry *n = b->fact ? tuple_entry(b, s, in->row) : object_entry(b, s->objects[in->row]);

    for (int t = 0; n && t < TSDB_TIERS; t++) {
        if (b->buckets[t].kept && !take_into(b, t, n, in)) {
            return false;
        }
    }
    if (n && !b->fact) {
        keep_cells(b, n, in);
    }
    return n && !b->arena.overflow;
}

static bool has_level(const struct tier_build *b, const struct entry *n)
{
    for (size_t c = 0; c < b->column_count; c++) {
        if (b->kinds[c] != RELATION_DELTA && n->cells[c].tag != CELL_NULL) {
            return true;
        }
    }
    return false;
}

/* A sparse reading lacks what did not change. */
static bool repeat_levels(struct tier_build *b, const struct tsdb_slice *s)
{
    const struct reading again = {.slice = s, .again = true};

    for (size_t i = 0; b->keeps && b->entries && i <= b->entry_mask; i++) {
        struct entry *n = b->entries[i];
        if (!n || n->seen == b->slice_no || !has_level(b, n)) {
            continue;
        }
        for (int t = 0; t < TSDB_TIERS; t++) {
            if (b->buckets[t].kept && !take_into(b, t, n, &again)) {
                return false;
            }
        }
    }
    return true;
}

static void forget_gone(struct tier_build *b, const struct tsdb_slice *s)
{
    for (size_t i = 0; i < s->gone_count && b->entry_mask; i++) {
        struct entry *n = b->entries[slot_of(b, s->gone[i])];
        if (n) {
            n->gone = true;
            for (size_t c = 0; n->cells && c < b->column_count; c++) {
                n->cells[c].tag = CELL_NULL;
            }
        }
    }
}

static bool take_rows(struct tier_build *b, const struct tsdb_slice *s)
{
    size_t reset = 0;

    for (size_t row = 0; row < s->row_count; row++) {
        bool is_reset = reset < s->reset_count && s->resets[reset] == row;
        const struct reading in = {.slice = s, .row = row, .reset = is_reset};
        reset += is_reset;
        if (!take_row(b, &in)) {
            return false;
        }
    }
    forget_gone(b, s);
    return !b->sparse || s->flags & SLICE_KEYFRAME || repeat_levels(b, s);
}

enum err_code tier_build_visit(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct tier_build *b = arg;
    enum err_code code = enter(b, s, e);

    if (code) {
        return code;
    }
    b->slice_no++;
    note_reading(b, s);
    b->last_every_ms = s->every_ms;
    if (!(s->flags & SLICE_FAILED)) {
        if (!take_rows(b, s)) {
            return arena_fail(&b->arena, e);
        }
        b->last_t_ms = s->t_ms;
        b->complete_no = s->flags & SLICE_COMPLETE ? b->slice_no : b->complete_no;
    } else {
        b->failed_no = b->slice_no;
    }
    b->any = true;
    return arena_check(&b->arena, e);
}

enum err_code tier_build_end(struct tier_build *b, struct tier_made *out, struct err *e)
{
    enum err_code code = ERR_OK;

    for (int t = 0; code == ERR_OK && t < TSDB_TIERS; t++) {
        code = close_bucket(b, t, e);
        out->count[t] = b->made[t].count;
        out->slices[t] = b->made[t].slices;
    }
    return code ? code : arena_check(&b->arena, e);
}

/* --- what went before --- */

static void prime_row(struct tier_build *b, struct entry *n, const struct tsdb_bucket *last,
                      size_t row)
{
    n->seen = last->ended[row] ? 1 : 2;
    n->gone = b->sparse && last->ended[row];
    for (size_t c = 0; n->cells && c < b->column_count && c < last->column_count; c++) {
        const struct cell *now = &last->columns[c].last[row];
        bool kept = b->kinds[c] == RELATION_COUNTER || (b->sparse && b->kinds[c] != RELATION_DELTA);
        if (kept && !n->gone && !last->columns[c].broken[row]) {
            n->cells[c] = now->tag == CELL_STR ? cell_str(arena_str(&b->arena, now->str)) : *now;
        }
    }
}

enum err_code tier_build_prime(struct tier_build *b, const struct tsdb_bucket *last, struct err *e)
{
    b->any = true;
    b->last_t_ms = last->t_ms;
    b->last_every_ms = last->every_ms;
    b->slice_no = b->complete_no = 2; /* rows that had ended were seen before */
    for (size_t row = 0; last->objects && row < last->row_count; row++) {
        struct entry *n = object_entry(b, last->objects[row]);
        if (n) {
            prime_row(b, n, last, row);
        }
    }
    return arena_check(&b->arena, e);
}
