/* SPDX-License-Identifier: PostgreSQL */
/*
 * series.c: the series source: group by group, column by column, object by object.
 *
 * A selector becomes a plan (series_name.c). Each group that the plan names is read once with all
 * of its columns (series_table.c), but only those objects whose keys match; a series is made of its
 * readings when it is asked for (series_rules.c), so that one at a time is in memory twice.
 */
#include "store/tsdb/series/series.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "base/map.h"
#include "os/clock.h"
#include "store/tsdb/series/series_part.h"
#include "store/tsdb/series/series_rules.h"

#define SCRATCH_BYTES  (64UL * 1024 * 1024)  /* of one series */
#define TABLE_BYTES    (512UL * 1024 * 1024) /* of one group */
#define KEYFRAME_MS    3600000LL             /* a sparse relation tells everything that often */
#define DEADLINE_EVERY 256                   /* series */

/* A column of the plan in the present group. */
struct series_reading {
    const struct series_pick *pick;
    struct series_template template;
    struct series_rule rule;
};

struct series_reader {
    struct series_set set; /* first: what callers hold */
    struct series_tsdb *source;
    struct arena *arena;    /* of the query */
    struct arena group;     /* of the present group */
    struct arena scratch;   /* of the present series */
    struct arena row_arena; /* of the texts of the present row */
    struct series_select spec;
    struct series_plan plan;
    size_t next_group;
    uint64_t yielded;
    /* the present group */
    const struct series_plan_entry *entry;
    const struct labels *target;
    struct series_table table;
    struct series_table_spec table_spec;
    size_t reading_count, reading, row, text;
    const uint32_t *texts; /* of the present row; NULL = not looked for yet */
    size_t text_count;
    struct series_reading *readings;
    /* the present target */
    struct uuid beats_of;
    bool has_beats;
    int64_t beats_from_ms;
    struct series_beats beats;
};

/* --- targets --- */

static int compare_target(const void *key, const void *item)
{
    const struct series_target *t = item;

    return memcmp(key, &t->id, sizeof(t->id));
}

static const struct labels *labels_of_target(struct series_reader *r, const struct uuid *id,
                                             struct err *e)
{
    const struct series_tsdb_config *c = &r->source->config;
    const struct series_target *found = NULL;

    if (c->target_count)
        found = bsearch(id, c->targets, c->target_count, sizeof(*c->targets), compare_target);
    if (found)
        return &found->labels;
    struct labels *labels = arena_alloc(&r->group, sizeof(*labels));
    struct label *one = arena_alloc(&r->group, sizeof(*one));
    char *text = arena_alloc(&r->group, TEXT_UUID_SIZE);
    if (!labels || !one || !text) {
        (void)arena_fail(&r->group, e);
        return NULL;
    }
    text_uuid(id, text);
    *one = (struct label){STR(SERIES_TARGET_LABEL), str_make(text, TEXT_UUID_LEN)};
    *labels = (struct labels){1, one};
    return labels;
}

/* The one target that a query asks for; *none: there is no such one. NULL = more than one. */
static const struct uuid *only_target(struct series_reader *r, struct uuid *id, bool *none)
{
    const struct series_tsdb_config *c = &r->source->config;
    const struct matcher *m = NULL;

    *none = false;
    for (size_t i = 0; i < r->spec.matcher_count; i++) {
        if (r->spec.matchers[i].kind == MATCHER_EQUAL && r->spec.matchers[i].value.len &&
            str_eq_c(r->spec.matchers[i].name, SERIES_TARGET_LABEL))
            m = &r->spec.matchers[i];
    }
    if (!m)
        return NULL;
    for (size_t i = 0; i < c->target_count; i++) {
        if (str_eq(labels_get(&c->targets[i].labels, m->name), m->value))
            return &c->targets[i].id;
    }
    *none = !text_parse_uuid(m->value, id);
    return id;
}

static enum err_code find_groups(struct series_reader *r, struct err *e)
{
    struct tsdb_group *list = NULL;
    struct uuid id;
    bool none = false;
    const struct uuid *only = only_target(r, &id, &none);
    enum err_code rc = ERR_OK;

    if (!none)
        rc = tsdb_groups(r->source->config.reader, r->arena, only, &list, &r->plan.groups.count, e);
    r->plan.groups.items = list;
    return rc;
}

/* --- heartbeats --- */

static const struct tsdb_group *heartbeat_of(const struct series_reader *r, const struct uuid *id)
{
    const struct tsdb_group *best = NULL;

    for (size_t i = 0; i < r->plan.groups.count; i++) {
        const struct tsdb_group *g = &r->plan.groups.items[i];
        if (!text_uuid_eq(&g->target, id) || !g->has_last)
            continue;
        if (str_eq_c(g->relation, SERIES_HEARTBEAT))
            return g;
        if (g->last_every_ms > 0 && (!best || g->last_every_ms < best->last_every_ms))
            best = g;
    }
    return best; /* a host: its fastest clock */
}

static enum err_code take_beat(void *arg, const struct tsdb_slice *s, struct err *e)
{
    struct series_beats *b = arg;

    (void)e;
    if (b->count == b->cap) {
        b->cap = b->cap ? 2 * b->cap : 256;
        b->t_ms = alloc_resize(b->t_ms, b->cap * sizeof(*b->t_ms));
    }
    b->t_ms[b->count++] = s->t_ms;
    return ERR_OK;
}

static enum err_code read_beats(struct series_reader *r, const struct uuid *id, int64_t from_ms,
                                struct err *e)
{
    static const struct str none;
    const struct tsdb_group *beat = NULL;

    if (r->has_beats && text_uuid_eq(&r->beats_of, id) && r->beats_from_ms <= from_ms)
        return ERR_OK;
    beat = heartbeat_of(r, id);
    r->has_beats = true;
    r->beats_of = *id;
    r->beats_from_ms = from_ms;
    r->beats.count = 0;
    if (!beat)
        return ERR_OK;
    struct tsdb_scan_spec scan = {
        .target = *id,
        .relation = beat->relation,
        .scope = &beat->scope,
        .columns = &none,
        .from_ms = from_ms,
        .to_ms = r->spec.to_ms,
        .deadline_mono_us = r->spec.deadline_mono_us,
    };
    return tsdb_scan(r->source->config.reader, &scan, take_beat, &r->beats, e);
}

/* --- a group --- */

/* How much earlier than asked for samples of a clock are needed. */
static int64_t reach_of(const struct series_select *spec, const struct series_rule *rule,
                        int64_t every_ms)
{
    int64_t more = 0;

    if (rule->form == SERIES_PLAIN || spec->labels_only)
        return 0;
    if (spec->range_ms)
        more = every_ms * 5 / 2 - spec->range_ms;
    else if (series_rule_is_slow(rule, every_ms))
        more = (rule->kind == SERIES_DELTA ? every_ms * 3 / 2 : 2 * every_ms + 5000) -
               SERIES_LOOKBACK_MS;
    return more > 0 ? more : 0;
}

static void make_rule(const struct series_reader *r, const struct tsdb_group *g, size_t column,
                      struct series_reading *out)
{
    const struct relation *rel = r->entry->relation;
    const struct relation_column *c = &rel->columns[out->pick->column];
    bool fleeting = rel->shape == RELATION_FACT || rel->sparse; /* absence of a total's row */

    out->rule = (struct series_rule){
        .form = r->entry->loose    ? SERIES_PLAIN
                : out->pick->total ? SERIES_TOTAL
                                   : SERIES_LEVEL,
        .kind = r->entry->loose ? SERIES_LOOSE : series_pick_kind(rel, out->pick),
        .column = column,
        .repeats = rel->sparse && c->kind != RELATION_DELTA,
        .text = -1,
        .scale = out->pick->alias ? out->pick->alias->scale : 1,
        .to_ms = r->spec.to_ms,
        .no_validity = r->spec.own_lookback || r->spec.labels_only || r->spec.range_ms > 0,
    };
    out->rule.ends = !out->rule.repeats && !(out->pick->total && fleeting);
    out->rule.from_ms = r->spec.from_ms - reach_of(&r->spec, &out->rule, g->last_every_ms);
}

/* From when on readings are needed to know the samples that a rule wants. */
static int64_t begin_of(const struct series_rule *rule, int64_t every_ms)
{
    if (rule->form == SERIES_TOTAL)
        return series_rule_day(rule->from_ms + 1);
    return rule->repeats ? rule->from_ms - KEYFRAME_MS - 2 * every_ms : rule->from_ms;
}

static enum err_code add_reading(struct series_reader *r, const struct tsdb_group *g,
                                 const struct series_pick *pick, struct err *e)
{
    struct series_reading *n = &r->readings[r->reading_count];
    struct series_template_spec spec = {
        .relation = r->entry->relation,
        .pick = pick,
        .target = r->target,
        .scope = g->scope,
        .matchers = r->spec.matchers,
        .matcher_count = r->spec.matcher_count,
    };
    bool match = true;
    enum err_code rc = ERR_OK;

    memset(n, 0, sizeof(*n));
    n->pick = pick;
    if (!r->entry->loose)
        rc = series_template_make(&r->group, &spec, &n->template, &match, e);
    if (rc || !match)
        return rc;
    make_rule(r, g, r->reading_count, n);
    if (!g->has_last || g->last_t_ms > n->rule.from_ms)
        r->reading_count++;
    return ERR_OK;
}

/* The name that a query tells, which is a key of loose samples. */
static bool keep_loose(const struct series_reader *r, const struct str *keys)
{
    int at = relation_find_key(r->entry->relation, STR("name"));

    for (size_t i = 0; i < r->spec.matcher_count; i++) {
        const struct matcher *m = &r->spec.matchers[i];
        if (str_eq_c(m->name, SERIES_NAME_LABEL) && !matcher_match(m, keys[at]))
            return false;
    }
    return true;
}

static bool keep(void *arg, const struct str *keys)
{
    const struct series_reader *r = arg;

    if (r->entry->loose)
        return keep_loose(r, keys);
    for (size_t i = 0; i < r->reading_count; i++) {
        if (series_template_wants(&r->readings[i].template, keys))
            return true;
    }
    return false;
}

/*
 * The tests of keys that all columns have in common, as a list of objects is asked for by them;
 * *out NULL: each object is asked. Facts have no objects.
 */
static enum err_code find_match(struct series_reader *r, const struct tsdb_group *g,
                                const struct tsdb_match_spec **out, struct err *e)
{
    const struct series_template *first = &r->readings[0].template;
    size_t size = first->key_matcher_count * sizeof(*first->key_matchers);
    struct tsdb_match_spec *match = NULL;

    *out = NULL;
    if (r->entry->loose || r->entry->relation->shape == RELATION_FACT || size == 0)
        return ERR_OK;
    for (size_t i = 1; i < r->reading_count; i++) {
        const struct series_template *t = &r->readings[i].template;
        if (t->key_matcher_count != first->key_matcher_count ||
            memcmp(t->key_matchers, first->key_matchers, size) != 0)
            return ERR_OK;
    }
    match = arena_alloc(&r->group, sizeof(*match));
    if (!match)
        return arena_fail(&r->group, e);
    *match = (struct tsdb_match_spec){.group = g->id,
                                      .count = first->key_matcher_count,
                                      .tests = first->key_matchers,
                                      .deadline_mono_us = r->spec.deadline_mono_us};
    *out = match;
    return ERR_OK;
}

/* --- roll-ups --- */

/* What the function right around the selector needs. */
static enum tsdb_need need_of(const struct series_select *q)
{
    static const struct {
        const char *func;
        enum tsdb_need need;
    } table[] = {
        {"avg_over_time", TSDB_NEED_AVG},      {"count_over_time", TSDB_NEED_COUNT},
        {"increase", TSDB_NEED_RISE},          {"last_over_time", TSDB_NEED_LAST},
        {"max_over_time", TSDB_NEED_MAX},      {"min_over_time", TSDB_NEED_MIN},
        {"present_over_time", TSDB_NEED_LAST}, {"rate", TSDB_NEED_RISE},
        {"sum_over_time", TSDB_NEED_SUM},
    };

    if (q->labels_only || (q->own_lookback && q->range_ms == 0))
        return TSDB_NEED_READINGS; /* a sample must be as young as the query says */
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (q->range_ms && str_eq_c(q->func, table[i].func))
            return table[i].need;
    }
    return q->range_ms == 0 && !str_eq_c(q->func, "timestamp") ? TSDB_NEED_LAST
                                                               : TSDB_NEED_READINGS;
}

/* Of a total, which adds up what its column says, buckets have the rises only. */
static enum tsdb_need need_of_group(const struct series_reader *r)
{
    enum tsdb_need need = need_of(&r->spec);

    for (size_t i = 0; i < r->reading_count; i++) {
        if (r->readings[i].rule.form == SERIES_TOTAL && need != TSDB_NEED_RISE)
            return TSDB_NEED_READINGS;
    }
    return need;
}

/* The first samples of roll-ups lie farther back than those of readings. */
static enum err_code reach_back(struct series_reader *r, const struct tsdb_group *g, int64_t *from,
                                struct err *e)
{
    struct tsdb_plan_spec ask = {.target = g->target,
                                 .relation = g->relation,
                                 .scope = g->scope,
                                 .answers = need_of_group(r) != TSDB_NEED_READINGS,
                                 .from_ms = *from,
                                 .to_ms = r->spec.to_ms,
                                 .range_ms = r->spec.range_ms,
                                 .step_ms = r->spec.step_ms};
    struct tsdb_plan plan;
    enum err_code rc = tsdb_tier_plan(r->source->config.reader, &ask, &plan, e);
    int64_t more = 0;

    for (size_t i = 0; rc == ERR_OK && i < plan.count; i++) {
        int64_t least = tsdb_tier_ms(plan.parts[i].tier) * 5 / 2 - r->spec.range_ms;
        more = plan.parts[i].tier != TSDB_RAW && least > more ? least : more;
    }
    *from -= more;
    for (size_t i = 0; i < r->reading_count; i++)
        r->readings[i].rule.from_ms -= more;
    return rc;
}

static void note_roll_ups(struct series_reader *r, const struct tsdb_group *g)
{
    const struct tsdb_plan *plan = &r->table.plan;
    struct series_source *to = &r->source->source;
    bool any = false;

    for (size_t i = 0; i < plan->count; i++)
        any |= plan->parts[i].tier != TSDB_RAW;
    for (size_t i = 0; any && i < r->reading_count; i++)
        r->readings[i].rule.rolled_over_ms = g->last_every_ms ? g->last_every_ms : 1;
    if (plan->instead != TSDB_RAW && to->note)
        to->note(to->note_arg, plan->instead == TSDB_TIER_1H
                                   ? "full readings are gone: roll-ups of 1 h stand for them"
                                   : "full readings are gone: roll-ups of 5 min stand for them");
}

static enum err_code read_group(struct series_reader *r, const struct tsdb_group *g, struct err *e)
{
    size_t *columns = arena_array(&r->group, r->reading_count, sizeof(*columns));
    const struct tsdb_match_spec *match = NULL;
    int64_t from = INT64_MAX, beats = INT64_MAX;
    enum err_code rc = ERR_OK;

    if (!columns)
        return arena_fail(&r->group, e);
    for (size_t i = 0; i < r->reading_count; i++) {
        const struct series_rule *rule = &r->readings[i].rule;
        int64_t begin = begin_of(rule, g->last_every_ms);
        columns[i] = r->readings[i].pick->column;
        from = begin < from ? begin : from;
        if (series_rule_is_slow(rule, g->last_every_ms) && rule->from_ms < beats)
            beats = rule->from_ms;
    }
    if (beats != INT64_MAX)
        rc = read_beats(r, &g->target, beats, e);
    for (size_t i = 0; beats != INT64_MAX && i < r->reading_count; i++)
        r->readings[i].rule.beats = &r->beats;
    if (rc == ERR_OK)
        rc = reach_back(r, g, &from, e);
    if (rc == ERR_OK)
        rc = find_match(r, g, &match, e);
    r->table_spec = (struct series_table_spec){
        .reader = r->source->config.reader,
        .target = g->target,
        .relation = r->entry->relation,
        .scope = g->scope,
        .column_count = r->reading_count,
        .columns = columns,
        .from_ms = from,
        .to_ms = r->spec.to_ms,
        .deadline_mono_us = r->spec.deadline_mono_us,
        .keep = keep,
        .keep_arg = r,
        .match = match,
        .need = need_of_group(r),
        .range_ms = r->spec.range_ms,
        .step_ms = r->spec.step_ms,
    };
    if (rc == ERR_OK)
        rc = series_table_read(&r->table, &r->table_spec, e);
    if (rc == ERR_OK)
        note_roll_ups(r, g);
    return rc;
}

static enum err_code open_group(struct series_reader *r, const struct tsdb_group *g, struct err *e)
{
    enum err_code rc = ERR_OK;

    r->reading_count = r->reading = r->row = r->text = 0;
    r->texts = NULL;
    r->table.row_count = 0;
    r->entry = series_plan_find(&r->plan, g->relation);
    if (!r->entry)
        return ERR_OK;
    arena_reset(&r->group);
    r->target = labels_of_target(r, &g->target, e);
    r->readings = arena_array(&r->group, r->entry->count, sizeof(*r->readings));
    if (!r->target || !r->readings)
        return arena_fail(&r->group, e);
    for (size_t i = 0; rc == ERR_OK && i < r->entry->count; i++)
        rc = add_reading(r, g, &r->entry->picks[i], e);
    if (rc == ERR_OK && r->reading_count)
        rc = read_group(r, g, e);
    return rc;
}

/* --- a series --- */

static bool is_text(const struct series_reader *r, const struct series_reading *n)
{
    return r->entry->relation->columns[n->pick->column].kind == RELATION_TEXT;
}

/* What comes next in the present group. */
struct series_turn {
    struct series_reading *reading;
    struct series_row *row;
    struct str text;
};

static void next_row(struct series_reader *r)
{
    r->row++;
    r->text = 0;
    r->texts = NULL;
}

static enum err_code find_texts(struct series_reader *r, const struct series_row *row,
                                struct err *e)
{
    if (!r->texts) {
        arena_reset(&r->row_arena);
        r->texts = series_table_texts(&r->row_arena, row, r->reading, &r->text_count);
    }
    return r->texts ? ERR_OK : arena_fail(&r->row_arena, e);
}

/* Of a text column a row has a series for each text; else one. */
static enum err_code turn_text(struct series_reader *r, struct series_turn *turn, bool *found,
                               struct err *e)
{
    struct series_reading *n = turn->reading;
    enum err_code rc = find_texts(r, turn->row, e);

    *found = false;
    while (rc == ERR_OK && !*found && r->text < r->text_count) {
        n->rule.text = r->texts[r->text++];
        turn->text = r->table.texts[n->rule.text];
        *found = series_template_wants_text(&n->template, turn->text);
    }
    if (!*found)
        next_row(r);
    return rc;
}

/* *found false: the group is at its end. */
static enum err_code step(struct series_reader *r, struct series_turn *turn, bool *found,
                          struct err *e)
{
    enum err_code rc = ERR_OK;

    *found = false;
    while (rc == ERR_OK && !*found && r->reading < r->reading_count) {
        turn->reading = &r->readings[r->reading];
        if (r->row == r->table.row_count) {
            r->reading++;
            r->row = r->text = 0;
            r->texts = NULL;
            continue;
        }
        turn->row = r->table.rows[r->row];
        turn->text = STR("");
        if (!r->entry->loose && !r->table.only.known &&
            !series_template_wants(&turn->reading->template, turn->row->keys)) {
            next_row(r);
        } else if (is_text(r, turn->reading)) {
            rc = turn_text(r, turn, found, e);
        } else {
            *found = true;
            next_row(r);
        }
    }
    return rc;
}

static enum err_code make_labels(struct series_reader *r, const struct series_turn *turn,
                                 struct labels *out, struct err *e)
{
    const struct str *keys = turn->row->keys;
    const struct relation *rel = r->entry->relation;
    int name = relation_find_key(rel, STR("name"));
    int labels = relation_find_key(rel, STR("labels"));

    if (!r->entry->loose)
        return series_template_fill(&turn->reading->template, &r->scratch,
                                    &(struct series_identity){keys, turn->text}, out, e);
    const struct series_loose of = {keys[name], labels >= 0 ? keys[labels] : STR(""), r->target};
    return series_label_loose(&r->scratch, &of, out, e);
}

/* Without stale markers that end nothing. */
static void trim(struct series_samples *s)
{
    size_t skip = 0;

    while (skip < s->count && series_is_stale(s->value[skip]))
        skip++;
    s->t_ms += skip;
    s->every_ms += skip;
    s->value += skip;
    s->until_ms = s->until_ms ? s->until_ms + skip : NULL;
    s->readings = s->readings ? s->readings + skip : NULL;
    s->sum = s->sum ? s->sum + skip : NULL;
    s->count -= skip;
}

/* *made false: nothing to say of this one. */
static enum err_code make_series(struct series_reader *r, const struct series_turn *turn,
                                 struct series *out, bool *made, struct err *e)
{
    const struct series_rule *rule = &turn->reading->rule;
    struct series_samples s = {.arena = &r->scratch};
    enum err_code rc = ERR_OK;

    arena_reset(&r->scratch);
    *made = false;
    rc = series_rule_apply(rule, &r->table, turn->row, &s, e);
    if (rc == ERR_OK && s.count)
        trim(&s);
    if (rc || s.count == 0)
        return rc;
    rc = make_labels(r, turn, &out->labels, e);
    if (rc ||
        (r->entry->loose && !matchers_match(r->spec.matchers, r->spec.matcher_count, &out->labels)))
        return rc;
    out->kind = rule->kind;
    out->every_ms = rule->form == SERIES_PLAIN ? 0 : s.every_ms[s.count - 1];
    /* windows of the whole query: what is left of readings in it is closer than that */
    if (r->spec.range_ms && out->every_ms && out->every_ms < tsdb_tier_ms(r->table.plan.instead))
        out->every_ms = tsdb_tier_ms(r->table.plan.instead);
    out->count = r->spec.labels_only ? 0 : s.count;
    out->t_ms = s.t_ms;
    out->value = s.value;
    out->until_ms = s.until_ms;
    out->readings = s.readings;
    out->sum = s.sum;
    *made = true;
    return ERR_OK;
}

static enum err_code check_deadline(const struct series_reader *r, struct err *e)
{
    if (r->spec.deadline_mono_us && clock_mono_us() > r->spec.deadline_mono_us)
        return err_set(e, ERR_TIMEOUT, "the read took too long");
    return ERR_OK;
}

static enum err_code next(struct series_set *set, struct series *out, bool *more, struct err *e)
{
    struct series_reader *r = (struct series_reader *)set;
    struct series_turn turn;
    bool found = false, made = false;
    enum err_code rc = ERR_OK;

    memset(out, 0, sizeof(*out));
    while (rc == ERR_OK && !made) {
        rc = step(r, &turn, &found, e);
        if (rc == ERR_OK && found) {
            rc = ++r->yielded % DEADLINE_EVERY ? ERR_OK : check_deadline(r, e);
            if (rc == ERR_OK)
                rc = make_series(r, &turn, out, &made, e);
        } else if (rc == ERR_OK) {
            if (r->next_group == r->plan.groups.count)
                break;
            rc = open_group(r, &r->plan.groups.items[r->next_group++], e);
        }
    }
    *more = made;
    return rc;
}

/* --- the set --- */

static void close_set(struct series_set *set)
{
    struct series_reader *r = (struct series_reader *)set;

    if (!r)
        return;
    series_table_fini(&r->table);
    arena_fini(&r->row_arena);
    arena_fini(&r->scratch);
    arena_fini(&r->group);
    alloc_free(r->beats.t_ms);
    alloc_free(r);
}

static enum err_code select_series(struct series_source *source, struct arena *a,
                                   const struct series_select *spec, struct series_set **out,
                                   struct err *e)
{
    struct series_tsdb *s = (struct series_tsdb *)source;
    struct series_reader *r = alloc_new(sizeof(*r));
    enum err_code rc = ERR_OK;

    r->set.ops = source->ops;
    r->source = s;
    r->arena = a;
    r->spec = *spec;
    r->plan.arena = a;
    arena_init(&r->group, "a group of a query", SCRATCH_BYTES);
    arena_init(&r->scratch, "a series of a query", SCRATCH_BYTES);
    arena_init(&r->row_arena, "texts of a query", SCRATCH_BYTES);
    series_table_init(&r->table, TABLE_BYTES);
    rc = find_groups(r, e);
    if (rc == ERR_OK)
        rc = series_plan_make(s, &r->spec, &r->plan, e);
    if (rc) {
        close_set(&r->set);
        return rc;
    }
    *out = &r->set;
    return ERR_OK;
}

static const struct series_source_ops ops = {
    .select = select_series,
    .next = next,
    .close = close_set,
};

enum err_code series_tsdb_init(struct arena *a, const struct series_tsdb_config *config,
                               struct series_tsdb **out, struct err *e)
{
    struct series_tsdb *s = arena_alloc(a, sizeof(*s));

    if (!s)
        return arena_fail(a, e);
    *s = (struct series_tsdb){
        .source = {.ops = &ops}, .config = *config, .arena = a, .relations = map_new()};
    *out = s;
    return ERR_OK;
}

void series_tsdb_fini(struct series_tsdb *s)
{
    if (s)
        map_free(s->relations, NULL);
}

struct series_source *series_tsdb_source(struct series_tsdb *s)
{
    return &s->source;
}
