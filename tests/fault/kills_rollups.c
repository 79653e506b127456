/* SPDX-License-Identifier: PostgreSQL */
/*
 * kills_rollups.c: whether roll-ups are those of the readings, computed here once more.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kills_check.h"
#include "store/tsdb/rollup/rolled.h"

/* What went before, of each row. */
struct before {
    char name[16];
    bool known;
    int64_t n;
};

/* A row over a bucket. */
struct rolled {
    char name[16];
    int64_t readings, n_base, n_last, n_rise, d_sum,
        d_max; /* n_base: the value before, or the first */
    double g_last, g_min, g_max, g_sum;
};

struct rolling_on {
    struct kills_check *c;
    struct tsdb_reader *reader;
    enum kills_relation relation;
    enum tsdb_tier tier;
    const struct kills_reading *readings;
    size_t count, at;
    int64_t month_kept; /* of the tier's files: year * 12 + month; older ones may have gone */
    struct before before[KILLS_ROWS];
    /* the bucket that must come next */
    bool has;
    int64_t end_ms, t_ms;
    struct rolled rows[KILLS_ROWS];
};

static int64_t bucket_end(enum tsdb_tier tier, int64_t t_ms)
{
    int64_t length = tsdb_tier_ms(tier);
    return (t_ms + length - 1) / length * length;
}

static void add_row(struct rolling_on *o, const struct kills_reading *r, size_t i)
{
    struct before *before = &o->before[i];
    struct rolled *into = &o->rows[i];
    struct kills_row row;

    kills_row(o->relation, r, i, &row);
    bool born = !before->known || strcmp(before->name, row.name) != 0;
    into->n_base = into->readings ? into->n_base : born ? row.n : before->n;
    into->n_rise += born ? 0 : row.n >= before->n ? row.n - before->n : row.n;
    (void)snprintf(before->name, sizeof(before->name), "%s", row.name);
    (void)snprintf(into->name, sizeof(into->name), "%s", row.name);
    before->known = true;
    before->n = into->n_last = row.n;
    into->d_sum += row.d;
    into->d_max = into->readings && into->d_max > row.d ? into->d_max : row.d;
    into->g_min = into->readings && into->g_min < row.g ? into->g_min : row.g;
    into->g_max = into->readings && into->g_max > row.g ? into->g_max : row.g;
    into->g_last = row.g;
    into->g_sum += row.g;
    into->readings++;
}

/* Make the next bucket of the readings. */
static void next_bucket(struct rolling_on *o)
{
    o->has = o->at < o->count && bucket_end(o->tier, o->readings[o->at].t_ms) <= o->c->rolled_ms;
    if (!o->has) {
        return;
    }
    o->end_ms = bucket_end(o->tier, o->readings[o->at].t_ms);
    memset(o->rows, 0, sizeof(o->rows));
    for (; o->at < o->count && o->readings[o->at].t_ms <= o->end_ms; o->at++) {
        for (size_t i = 0; i < kills_row_count(o->relation); i++) {
            add_row(o, &o->readings[o->at], i);
        }
        o->t_ms = o->readings[o->at].t_ms;
    }
}

static int64_t month_of(int64_t t_ms)
{
    time_t s = (time_t)((t_ms - 1) / 1000);
    struct tm tm;

    (void)gmtime_r(&s, &tm);
    return (int64_t)tm.tm_year * 12 + tm.tm_mon;
}

/* --- comparing --- */

static double number(const struct cell *cell)
{
    return cell->tag == CELL_I64   ? (double)cell->i64
           : cell->tag == CELL_U64 ? (double)cell->u64
           : cell->tag == CELL_F64 ? cell->f64
                                   : -1e300;
}

static int64_t rise_of(const struct tsdb_rolled *n, size_t row, const struct rolled *want)
{
    /* NULL: nothing restarted */
    return n->rise[row].tag == CELL_NULL ? want->n_last - want->n_base
                                         : (int64_t)number(&n->rise[row]);
}

static bool same_counter(const struct rolling_on *o, const struct tsdb_rolled *n, size_t row,
                         const struct rolled *want)
{
    if (o->relation == KILLS_FACT) { /* there it is a gauge */
        return true;
    }
    return number(&n->last[row]) == (double)want->n_last && rise_of(n, row, want) == want->n_rise;
}

static bool same_row(const struct rolling_on *o, const struct tsdb_bucket *b, size_t row,
                     const struct rolled *want)
{
    const struct tsdb_rolled *d = &b->columns[1];
    const struct tsdb_rolled *g = &b->columns[2];

    return number(&b->readings[row]) == (double)want->readings &&
           same_counter(o, &b->columns[0], row, want) &&
           number(&d->sum[row]) == (double)want->d_sum &&
           number(&d->max[row]) == (double)want->d_max && number(&g->last[row]) == want->g_last &&
           number(&g->min[row]) == want->g_min && number(&g->max[row]) == want->g_max &&
           number(&g->sum[row]) == want->g_sum && number(&g->count[row]) == (double)want->readings;
}

static bool row_name(const struct rolling_on *o, const struct tsdb_bucket *b, size_t row,
                     struct str *out)
{
    const struct tsdb_group_object of = {b->group, b->objects ? b->objects[row] : 0};
    struct err e;

    if (b->key_count) {
        *out = b->keys[0][row];
        return true;
    }
    return tsdb_group_keys(o->reader, &of, out, 1, &e) == ERR_OK;
}

static bool same_bucket(const struct rolling_on *o, const struct tsdb_bucket *b)
{
    size_t rows = kills_row_count(o->relation);
    unsigned seen = 0;

    if (b->row_count != rows || b->t_ms != o->t_ms || b->column_count != 4) {
        return false;
    }
    for (size_t i = 0; i < rows; i++) {
        struct str name = {0};
        if (!row_name(o, b, i, &name)) {
            return false;
        }
        for (size_t k = 0; k < rows; k++) {
            if (str_eq_c(name, o->rows[k].name) && same_row(o, b, i, &o->rows[k])) {
                seen |= 1U << k;
            }
        }
    }
    return seen == (1U << rows) - 1;
}

/* The rows that are there, and those that must be: readings, and what n has. */
static void say_rows(struct rolling_on *o, const struct tsdb_bucket *b)
{
    char text[220];
    size_t len = 0;

    for (size_t i = 0; i < kills_row_count(o->relation) && len < sizeof(text); i++) {
        const struct rolled *r = &o->rows[i];
        len += (size_t)snprintf(text + len, sizeof(text) - len,
                                " %s:%" PRId64 " %" PRId64 "+%" PRId64, r->name, r->readings,
                                r->n_last, r->n_rise);
    }
    for (size_t i = 0; i < b->row_count && b->column_count && len < sizeof(text); i++) {
        const struct tsdb_rolled *n = &b->columns[0];
        struct str name = {0};
        (void)!row_name(o, b, i, &name);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s:%.0f %.0f+%.0f",
                                i ? " " : ", not ", (int)name.len, name.len ? name.ptr : "",
                                number(&b->readings[i]), number(&n->last[i]), number(&n->rise[i]));
    }
    kills_say(o->c,
              "%s: the bucket of %" PRId64 " ms at %" PRId64 " is another: of %" PRId64
              " (not %" PRId64 "),%s",
              kills_relation_name(o->relation), tsdb_tier_ms(o->tier), b->end_ms, o->t_ms, b->t_ms,
              text);
}

static void miss(struct rolling_on *o)
{
    if (month_of(o->end_ms) >= o->month_kept) {
        o->c->lost++;
        kills_say(o->c, "%s: the bucket of %" PRId64 " ms at %" PRId64 " is not there",
                  kills_relation_name(o->relation), tsdb_tier_ms(o->tier), o->end_ms);
    }
    next_bucket(o);
}

static enum err_code look(void *arg, const struct tsdb_bucket *b, struct err *e)
{
    struct rolling_on *o = arg;

    (void)e;
    while (o->has && o->end_ms < b->end_ms) {
        miss(o);
    }
    if (!o->has || o->end_ms != b->end_ms) {
        o->c->doubled++;
        kills_say(o->c, "%s: a bucket at %" PRId64 " too much", kills_relation_name(o->relation),
                  b->end_ms);
        return ERR_OK;
    }
    if (!same_bucket(o, b)) {
        o->c->wrong++;
        say_rows(o, b);
    }
    next_bucket(o);
    return ERR_OK;
}

static void check(struct rolling_on *o)
{
    struct kills_reading *readings = NULL;
    struct tsdb_tier_spec spec = {.tier = o->tier,
                                  .target = o->c->ledger->target,
                                  .relation = str_of(kills_relation_name(o->relation)),
                                  .to_ms = INT64_MAX / 2};
    struct err e = {0};

    o->count = kills_expect(o->c->ledger, o->c->next, o->relation, &readings);
    o->readings = readings;
    next_bucket(o);
    enum err_code code = tsdb_tier_scan(o->reader, &spec, look, o, &e);
    if (code && (code != ERR_NOT_FOUND || o->count > 0)) {
        o->c->wrong++;
        kills_say(o->c, "roll-ups of %s: %s", kills_relation_name(o->relation), e.text);
    }
    while (o->has) {
        miss(o);
    }
    free(readings);
}

void kills_check_rollups(struct tsdb_reader *reader, struct kills_check *c)
{
    int64_t now_ms = atomic_load(&c->ledger->wall_ms);

    for (int r = 0; r < KILLS_RELATIONS; r++) {
        for (int t = 0; t < TSDB_TIERS; t++) {
            struct rolling_on o = {.c = c,
                                   .reader = reader,
                                   .relation = (enum kills_relation)r,
                                   .tier = (enum tsdb_tier)t};
            if (r == KILLS_CHURN || (t == TSDB_TIER_5M && !kills_is_fast(o.relation))) {
                continue;
            }
            o.month_kept = t == TSDB_TIER_5M && c->rollup_5m_days
                               ? month_of(now_ms - c->rollup_5m_days * KILLS_DAY)
                               : 0;
            check(&o);
        }
    }
}
