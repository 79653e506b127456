/* SPDX-License-Identifier: PostgreSQL */
/*
 * eval_info.c: info(): the labels of info series (target_info, or what the second argument names)
 * added to the series of the same instance and job.
 *
 * Of info series that agree in name, instance and job, the one with the newest sample counts at
 * each step; two that are equally new are an error.
 */
#include "promql/eval.h"

#include <string.h>

#define INFO_NONE UINT32_MAX

struct info_call {
    const struct matcher *matchers; /* of the second argument */
    size_t matcher_count;
    bool names_metric; /* one of them is of the name */
    bool has_base;     /* a series to enrich has an instance or a job */
    struct eval_vec base;
    uint8_t *ignored; /* by row of base: it is an info series itself */
    struct eval_vec info;
    uint32_t *group_of; /* by row of info */
    uint32_t *chosen;   /* [group][step]: row of info */
    size_t group_count;
    struct labelset **names; /* sets of one label: the names of info metrics */
    size_t name_count;
    struct eval_collect out;
};

static const struct label info_default = {{"__name__", 8}, {"target_info", 11}};

static bool info_is_name(const struct matcher *m)
{
    return str_eq(m->name, STR("__name__"));
}

/* --- Which series are info series themselves --- */

static bool info_ignores(const struct info_call *c, const struct labels *l)
{
    struct str name = labels_get(l, STR("__name__"));
    bool any = false;

    if (c->matcher_count == 0)
        return str_eq(name, info_default.value);
    for (size_t i = 0; i < c->matcher_count; i++) {
        if (!info_is_name(&c->matchers[i]))
            continue;
        any = true;
        if (!matcher_match(&c->matchers[i], name))
            return false;
    }
    return any;
}

static enum err_code info_base(struct eval *ev, struct info_call *c)
{
    c->ignored = arena_alloc(ev->arena, c->base.count);
    if (!c->ignored)
        return eval_full(ev);
    for (size_t i = 0; i < c->base.count; i++) {
        const struct labels *l = &c->base.rows[i].set->labels;

        c->ignored[i] = info_ignores(c, l);
        if (!c->ignored[i] &&
            (labels_get(l, STR("instance")).len > 0 || labels_get(l, STR("job")).len > 0))
            c->has_base = true;
    }
    return ERR_OK;
}

/* --- Reading the info series --- */

/* The first selector below: its times say which samples of info series are looked at. */
static const struct expr *info_first_selector(const struct expr *x)
{
    const struct expr *found = NULL;

    x = eval_unwrap(x);
    switch (x->kind) {
    case EXPR_SELECTOR:
        return x;
    case EXPR_UNARY:
        return info_first_selector(x->u.unary.x);
    case EXPR_BINARY:
        found = info_first_selector(x->u.binary.left);
        return found ? found : info_first_selector(x->u.binary.right);
    case EXPR_AGGREGATE:
        return info_first_selector(x->u.aggregate.x);
    case EXPR_CALL:
        for (size_t i = 0; !found && i < x->u.call.count; i++)
            found = info_first_selector(x->u.call.args[i]);
        return found;
    case EXPR_SUBQUERY:
        return info_first_selector(x->u.subquery.x);
    case EXPR_NUMBER:
    case EXPR_STRING:
    case EXPR_PAREN:
        break;
    }
    return NULL;
}

static enum err_code info_spec(struct eval *ev, const struct info_call *c, const struct expr *arg,
                               struct series_select *spec)
{
    const struct expr *selector = info_first_selector(arg);
    const struct eval_frame *f = ev->frame;
    static const struct expr_when now = {0};
    const struct expr_when *when = selector ? &selector->u.selector.when : &now;
    struct matcher *matchers = arena_array(ev->arena, c->matcher_count + 1, sizeof(*matchers));

    if (!matchers)
        return eval_full(ev);
    if (!c->names_metric)
        matchers[spec->matcher_count++] = (struct matcher){
            .kind = MATCHER_EQUAL, .name = info_default.name, .value = info_default.value};
    if (c->matcher_count > 0)
        memcpy(matchers + spec->matcher_count, c->matchers, c->matcher_count * sizeof(*matchers));
    spec->matcher_count += c->matcher_count;
    spec->matchers = matchers;
    spec->from_ms = eval_when(ev, when, f->start_ms) - ev->lookback_ms;
    spec->to_ms = eval_when(ev, when, eval_frame_ms(f, f->count - 1));
    spec->step_ms = f->count > 1 ? f->step_ms : 0;
    spec->func = STR("info");
    spec->own_lookback = ev->query->lookback_ms != 0;
    spec->deadline_mono_us = ev->query->limits.deadline_mono_us;
    return ERR_OK;
}

/* Some base series has this value, or the info series has none. */
static bool info_is_wanted(const struct info_call *c, const struct labels *l, struct str name)
{
    struct str value = labels_get(l, name);
    bool any = false;

    for (size_t i = 0; i < c->base.count; i++) {
        struct str have = labels_get(&c->base.rows[i].set->labels, name);

        if (c->ignored[i] || have.len == 0)
            continue;
        if (str_eq(have, value))
            return true;
        any = true;
    }
    return !any;
}

static enum err_code info_add(struct eval *ev, struct info_call *c, const struct series *s)
{
    struct labelset *set;
    double *stamp;
    enum err_code rc;

    if (!info_is_wanted(c, &s->labels, STR("instance")) ||
        !info_is_wanted(c, &s->labels, STR("job")))
        return ERR_OK;
    stamp = eval_values(ev);
    if (!stamp)
        return eval_full(ev);
    if (!eval_selector_fill(ev, &(struct expr_when){0}, EVAL_STAMPS, s, stamp))
        return ERR_OK;
    rc = eval_intern(ev, &s->labels, &set);
    return rc == ERR_OK ? eval_vec_add(ev, &c->info, set, stamp) : rc;
}

static enum err_code info_read(struct eval *ev, struct info_call *c, const struct expr *arg)
{
    struct series_select spec = {0};
    struct series_set *set = NULL;
    struct series s;
    bool more = true;
    enum err_code rc = info_spec(ev, c, arg, &spec);

    if (rc == ERR_OK)
        rc = series_select(ev->source, ev->arena, &spec, &set, ev->err);
    while (rc == ERR_OK) {
        rc = eval_next(ev, set, &s, &more);
        if (rc != ERR_OK || !more)
            break;
        rc = info_add(ev, c, &s);
    }
    series_close(set);
    for (size_t i = 0; rc == ERR_OK && i < c->matcher_count; i++) {
        if (c->matchers[i].regex && regex_failed(c->matchers[i].regex))
            rc = err_set(ev->err, ERR_LIMIT, "a regular expression of info() takes too long");
    }
    return rc;
}

/* --- Grouping by name, instance, job --- */

static enum err_code info_key(struct eval *ev, const struct labels *l, struct str name,
                              struct labelset **out)
{
    struct label items[3];
    struct labels key = {0, items};
    static const char *const ids[] = {"instance", "job"};

    items[key.count++] = (struct label){STR("__name__"), name};
    for (size_t i = 0; i < 2; i++) {
        struct str value = labels_get(l, str_of(ids[i]));

        if (value.len > 0)
            items[key.count++] = (struct label){str_of(ids[i]), value};
    }
    return eval_intern(ev, &key, out);
}

static enum err_code info_conflict(struct eval *ev, const struct info_call *c, uint32_t a,
                                   uint32_t b, size_t step)
{
    for (size_t i = 0; i < c->base.count; i++) {
        if (eval_absent(c->base.rows[i].value[step]))
            continue;
        return eval_fail(ev,
                         "found duplicate series for info metric: existing %s @ %lld, new %s "
                         "@ %lld",
                         eval_labels_text(ev, &c->info.rows[a].set->labels),
                         (long long)(c->info.rows[a].value[step] * 1000),
                         eval_labels_text(ev, &c->info.rows[b].set->labels),
                         (long long)(c->info.rows[b].value[step] * 1000));
    }
    return ERR_OK;
}

/* Put a row into its group: the newest sample of each step. */
static enum err_code info_choose(struct eval *ev, struct info_call *c, uint32_t row)
{
    uint32_t *chosen = c->chosen + c->group_of[row] * ev->frame->count;
    const double *stamp = c->info.rows[row].value;

    for (size_t i = 0; i < ev->frame->count; i++) {
        double before;

        if (eval_absent(stamp[i]))
            continue;
        before = chosen[i] == INFO_NONE ? -1 : c->info.rows[chosen[i]].value[i];
        if (chosen[i] != INFO_NONE && before == stamp[i]) {
            enum err_code rc = info_conflict(ev, c, chosen[i], row, i);

            if (rc != ERR_OK)
                return rc;
        }
        if (chosen[i] == INFO_NONE || before < stamp[i])
            chosen[i] = row;
    }
    return ERR_OK;
}

static enum err_code info_name(struct eval *ev, struct info_call *c, struct str name)
{
    struct label label = {STR("__name__"), name};
    struct labels one = {1, &label};
    struct labelset *set;
    enum err_code rc = eval_intern(ev, &one, &set);

    for (size_t i = 0; rc == ERR_OK && i < c->name_count; i++) {
        if (c->names[i] == set)
            return ERR_OK;
    }
    if (rc == ERR_OK)
        c->names[c->name_count++] = set;
    return rc;
}

static enum err_code info_group(struct eval *ev, struct info_call *c)
{
    size_t rows = c->info.count;
    uint32_t epoch = eval_epoch(ev);
    enum err_code rc = ERR_OK;

    c->group_of = arena_array(ev->arena, rows, sizeof(*c->group_of));
    c->names = arena_array(ev->arena, rows, sizeof(struct labelset *));
    c->chosen = arena_array(ev->arena, rows * ev->frame->count, sizeof(*c->chosen));
    if (!c->group_of || !c->names || !c->chosen)
        return eval_full(ev);
    memset(c->chosen, 0xFF, rows * ev->frame->count * sizeof(*c->chosen));
    for (uint32_t r = 0; rc == ERR_OK && r < rows; r++) {
        const struct labels *l = &c->info.rows[r].set->labels;
        struct labelset *key;

        rc = info_name(ev, c, labels_get(l, STR("__name__")));
        if (rc == ERR_OK)
            rc = info_key(ev, l, labels_get(l, STR("__name__")), &key);
        if (rc != ERR_OK)
            break;
        if (key->epoch != epoch) {
            key->epoch = epoch;
            key->slot = (uint32_t)c->group_count++;
        }
        c->group_of[r] = key->slot;
        rc = info_choose(ev, c, r);
    }
    return rc;
}

/* --- Combining --- */

/* Whether the second argument lets a label through: it names labels, or it names none. */
static bool info_takes(const struct info_call *c, struct str name)
{
    bool any = false;

    for (size_t i = 0; i < c->matcher_count; i++) {
        if (info_is_name(&c->matchers[i]))
            continue;
        if (str_eq(c->matchers[i].name, name))
            return true;
        any = true;
    }
    return !any;
}

/* A series without info stays only when every matcher is content with an absent label. */
static bool info_may_lack(const struct info_call *c)
{
    for (size_t i = 0; i < c->matcher_count; i++) {
        if (info_is_name(&c->matchers[i]) && c->has_base)
            continue;
        if (!matcher_match(&c->matchers[i], (struct str){NULL, 0}))
            return false;
    }
    return true;
}

/* Adds the labels of one info series that the base does not have. */
static enum err_code info_merge(struct eval *ev, const struct info_call *c,
                                const struct labels *base, const struct labels *info,
                                struct labels *labels)
{
    for (size_t i = 0; i < info->count; i++) {
        const struct label *l = &info->items[i];
        struct str have = labels_get(labels, l->name);
        struct eval_scratch s = {0};
        enum err_code rc;

        if (str_eq(l->name, STR("__name__")) || !info_takes(c, l->name) ||
            labels_get(base, l->name).len > 0)
            continue;
        if (have.len > 0 && !str_eq(have, l->value))
            return eval_fail(ev, "conflicting label: %.*s", STR_ARG(l->name));
        rc = eval_labels_set(ev, &s, labels, l, labels);
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

static enum err_code info_put(struct eval *ev, struct info_call *c, const struct eval_row *base,
                              const struct labels *labels, size_t step)
{
    struct eval_row *row;
    enum err_code rc = eval_collect_at(ev, &c->out, labels, &row);

    if (rc == ERR_OK && !eval_absent(row->value[step]))
        return eval_same_labelset(ev);
    if (rc == ERR_OK)
        row->value[step] = base->value[step];
    return rc;
}

/* groups: of this base row, by name of the info metric; INFO_NONE = there is none. */
static enum err_code info_step(struct eval *ev, struct info_call *c, const struct eval_row *base,
                               const uint32_t *groups, size_t step)
{
    struct labels labels = base->set->labels;
    bool any = false;
    enum err_code rc = ERR_OK;

    for (size_t n = 0; rc == ERR_OK && n < c->name_count; n++) {
        uint32_t row = groups[n] == INFO_NONE ? INFO_NONE
                                              : c->chosen[groups[n] * ev->frame->count + step];

        if (row == INFO_NONE)
            continue;
        any = true;
        rc = info_merge(ev, c, &base->set->labels, &c->info.rows[row].set->labels, &labels);
    }
    if (rc != ERR_OK || (!any && !info_may_lack(c)))
        return rc;
    return info_put(ev, c, base, &labels, step);
}

static enum err_code info_row(struct eval *ev, struct info_call *c, size_t r, uint32_t epoch)
{
    const struct eval_row *base = &c->base.rows[r];
    uint32_t *groups = arena_array(ev->arena, c->name_count, sizeof(*groups));
    enum err_code rc = groups ? eval_check(ev) : eval_full(ev);

    for (size_t n = 0; rc == ERR_OK && n < c->name_count; n++) {
        struct labelset *key;

        rc = info_key(ev, &base->set->labels, c->names[n]->labels.items[0].value, &key);
        if (rc == ERR_OK)
            groups[n] = key->epoch == epoch ? key->slot : INFO_NONE;
    }
    for (size_t i = 0; rc == ERR_OK && i < ev->frame->count; i++) {
        if (eval_absent(base->value[i]))
            continue;
        rc = c->ignored[r] ? info_put(ev, c, base, &base->set->labels, i)
                           : info_step(ev, c, base, groups, i);
    }
    return rc;
}

enum err_code eval_info(struct eval *ev, const struct expr *x, struct eval_vec *out)
{
    struct info_call c = {.out = {.out = out, .equal = EVAL_EQUAL_MERGE}};
    uint32_t epoch;
    enum err_code rc = eval_vec(ev, x->u.call.args[0], &c.base);

    if (rc != ERR_OK)
        return rc;
    if (x->u.call.count > 1) {
        const struct expr *selector = eval_unwrap(x->u.call.args[1]);

        c.matchers = selector->u.selector.matchers;
        c.matcher_count = selector->u.selector.matcher_count;
    }
    for (size_t i = 0; i < c.matcher_count; i++)
        c.names_metric |= info_is_name(&c.matchers[i]);
    rc = info_base(ev, &c);
    if (rc == ERR_OK && c.has_base)
        rc = info_read(ev, &c, x->u.call.args[0]);
    if (rc == ERR_OK)
        rc = info_group(ev, &c);
    /* info_group's epoch, which marks the groups; eval_collect_at begins one of its own. */
    epoch = ev->pool.epoch;
    for (size_t i = 0; rc == ERR_OK && i < c.base.count; i++)
        rc = info_row(ev, &c, i, epoch);
    return rc;
}
