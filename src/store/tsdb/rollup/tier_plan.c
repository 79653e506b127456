/* SPDX-License-Identifier: PostgreSQL */
/*
 * tier_plan.c: which tier to read, and from where to where.
 *
 * The interval is cut where something changes: where a bucket begins, where a tier's buckets of the
 * group begin and end, where full readings begin. Each piece takes the tier that was chosen for the
 * selector when it has it, else full readings, else (they are gone) the finest tier that is left.
 */
#include "store/tsdb/rollup/tier.h"

#include <stdlib.h>
#include <string.h>

#define CUTS_MAX 16

struct planning {
    const struct tsdb_plan_spec *spec;
    const struct tier_known *known;
    enum tsdb_tier chosen; /* TSDB_RAW = full readings */
    size_t cut_count;
    int64_t cuts[CUTS_MAX];
};

static int64_t round_up(int64_t t, int64_t r)
{
    return t % r == 0 ? t : t + r - t % r;
}

void tier_cover_widen(struct tier_cover *c, int64_t first_ms, int64_t last_ms)
{
    int64_t first = tier_hour_of(first_ms) * TIER_HOUR_MS;
    int64_t last = (tier_hour_of(last_ms) + 1) * TIER_HOUR_MS;
    bool any = c->to_ms > c->from_ms;

    c->from_ms = any && c->from_ms < first ? c->from_ms : first;
    c->to_ms = any && c->to_ms > last ? c->to_ms : last;
}

/* --- the choice --- */

static bool fits(const struct planning *p, enum tsdb_tier tier)
{
    const struct tsdb_plan_spec *q = p->spec;
    int64_t r = tsdb_tier_ms(tier);
    bool has = p->known->tiers[tier].to_ms > p->known->tiers[tier].from_ms;

    if (!q->answers || !has || (q->aligned && (q->from_ms % r != 0 || q->step_ms % r != 0))) {
        return false;
    }
    if (q->range_ms > 0) {
        return r <= q->range_ms / 4 && (q->step_ms == 0 || r <= q->step_ms);
    }
    return r <= q->step_ms;
}

static bool covers(const struct planning *p, enum tsdb_tier tier, const struct tier_cover *piece)
{
    const struct tier_cover *c = &p->known->tiers[tier];
    return piece->from_ms >= c->from_ms && piece->to_ms <= c->to_ms;
}

/* Whether no bucket lies across an end of the interval. */
static bool is_whole(enum tsdb_tier tier, const struct tier_cover *piece)
{
    int64_t r = tsdb_tier_ms(tier);
    return piece->from_ms % r == 0 && piece->to_ms % r == 0;
}

static enum tsdb_tier tier_of(const struct planning *p, const struct tier_cover *piece)
{
    enum tsdb_tier chosen = p->chosen;
    bool has_raw = piece->from_ms >= p->known->raw_from_ms;

    if (chosen != TSDB_RAW && covers(p, chosen, piece) && (is_whole(chosen, piece) || !has_raw)) {
        return chosen;
    }
    if (has_raw) {
        return TSDB_RAW;
    }
    return covers(p, TSDB_TIER_5M, piece)   ? TSDB_TIER_5M
           : covers(p, TSDB_TIER_1H, piece) ? TSDB_TIER_1H
                                            : TSDB_RAW;
}

/* --- the pieces --- */

static void cut(struct planning *p, int64_t t)
{
    if (t > p->spec->from_ms && t < p->spec->to_ms && p->cut_count < CUTS_MAX) {
        p->cuts[p->cut_count++] = t;
    }
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void find_cuts(struct planning *p)
{
    const struct tsdb_plan_spec *q = p->spec;

    for (int t = 0; t < TSDB_TIERS; t++) {
        int64_t r = tsdb_tier_ms((enum tsdb_tier)t);
        cut(p, round_up(q->from_ms, r));
        cut(p, q->to_ms - q->to_ms % r);
        cut(p, p->known->tiers[t].from_ms);
        cut(p, p->known->tiers[t].to_ms);
    }
    cut(p, p->known->raw_from_ms);
    if (p->cut_count) {
        qsort(p->cuts, p->cut_count, sizeof(p->cuts[0]), compare_times);
    }
}

static void add_piece(const struct planning *p, const struct tier_cover *piece,
                      struct tsdb_plan *out)
{
    enum tsdb_tier tier = tier_of(p, piece);
    struct tsdb_tier_part *last = out->count ? &out->parts[out->count - 1] : NULL;

    if (piece->to_ms <= piece->from_ms) {
        return;
    }
    if (tier != p->chosen && tier != TSDB_RAW) {
        int64_t least = 4 * tsdb_tier_ms(tier);
        out->instead = out->instead == TSDB_TIER_1H ? TSDB_TIER_1H : tier;
        out->range_ms = out->range_ms && out->range_ms < least ? least : out->range_ms;
    }
    if (last && (last->tier == tier || out->count == TSDB_PLAN_PARTS)) {
        last->to_ms = piece->to_ms;
        return;
    }
    out->parts[out->count++] = (struct tsdb_tier_part){tier, piece->from_ms, piece->to_ms};
}

static void make_parts(struct planning *p, struct tsdb_plan *out)
{
    int64_t at = p->spec->from_ms;

    find_cuts(p);
    for (size_t i = 0; i < p->cut_count; i++) {
        const struct tier_cover piece = {at, p->cuts[i]};
        add_piece(p, &piece, out);
        at = p->cuts[i];
    }
    const struct tier_cover rest = {at, p->spec->to_ms};
    add_piece(p, &rest, out);
}

void tier_plan_make(const struct tsdb_plan_spec *spec, const struct tier_known *known,
                    struct tsdb_plan *out)
{
    struct planning p = {.spec = spec, .known = known, .chosen = TSDB_RAW};

    for (int t = 0; t < TSDB_TIERS; t++) {
        if (fits(&p, (enum tsdb_tier)t)) {
            p.chosen = (enum tsdb_tier)t; /* the coarsest that fits: it comes last */
        }
    }
    make_parts(&p, out);
}
