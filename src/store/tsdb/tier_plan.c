/* SPDX-License-Identifier: PostgreSQL */
/*
 * tier_plan.c: which tier to read, and from where to where.
 *
 * The interval is cut where something changes: where a bucket begins, where a tier's buckets of the
 * group begin and end, where full readings begin. Each piece takes the tier that was chosen for the
 * selector when it has it, else full readings, else (they are gone) the finest tier that is left.
 */
#include "store/tsdb/tier.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

#define CUTS_MAX 16

/* What there is of a group: from < t <= to; nothing when to <= from. */
struct cover {
    int64_t from_ms, to_ms;
};

struct planning {
    struct tsdb_reader *reader;
    const struct tsdb_plan_spec *spec;
    struct catalog_group *group;
    int64_t every_ms; /* of its newest reading */
    struct cover tiers[TSDB_TIERS];
    int64_t raw_from_ms;
    enum tsdb_tier chosen; /* TSDB_RAW = full readings */
    size_t cut_count;
    int64_t cuts[CUTS_MAX];
};

static int64_t round_up(int64_t t, int64_t r)
{
    return t % r == 0 ? t : t + r - t % r;
}

/* --- what there is --- */

static void find_raw(struct planning *p)
{
    struct tsdb *db = p->reader->db;
    enum day_class class = days_class_of(p->every_ms);
    int64_t oldest = INT64_MAX;

    lock_take(&db->state);
    for (size_t i = 0; i < db->day_count; i++) {
        if (db->days[i].class == class && db->days[i].day < oldest) {
            oldest = db->days[i].day;
        }
    }
    lock_release(&db->state);
    p->raw_from_ms = oldest == INT64_MAX ? INT64_MIN : oldest * TSDB_DAY_MS;
}

static enum err_code widen(struct cover *c, struct sqldb *file, const struct planning *p,
                           struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(file, "tsdb_tier_extent",
                                   SQLDB_ARGS(sqldb_i64((int64_t)p->group->id),
                                              sqldb_i64(p->spec->from_ms),
                                              sqldb_i64(p->spec->to_ms)),
                                   &s, e);

    if (code == ERR_OK && !sqldb_is_null(s, 0) && !sqldb_is_null(s, 1)) {
        int64_t first = tier_hour_of(sqldb_get_i64(s, 0)) * TIER_HOUR_MS;
        int64_t last = (tier_hour_of(sqldb_get_i64(s, 1)) + 1) * TIER_HOUR_MS;
        bool any = c->to_ms > c->from_ms;
        c->from_ms = any && c->from_ms < first ? c->from_ms : first;
        c->to_ms = any && c->to_ms > last ? c->to_ms : last;
    }
    sqldb_end(s);
    return code;
}

static enum err_code find_tier(struct planning *p, enum tsdb_tier tier, struct err *e)
{
    int first = tier_month_of_hour(tier_hour_of(p->spec->from_ms));
    int last = tier_month_of_hour(tier_hour_of(p->spec->to_ms));
    struct cover *c = &p->tiers[tier];
    struct tsdb *db = p->reader->db;
    size_t count = 0;
    enum err_code code = ERR_OK;

    lock_take(&db->state);
    int *months = alloc_array(db->tier_count + 1, sizeof(*months));
    for (size_t i = 0; i < db->tier_count; i++) {
        if (db->tiers[i].tier == tier && db->tiers[i].month >= first &&
            db->tiers[i].month <= last) {
            months[count++] = db->tiers[i].month;
        }
    }
    lock_release(&db->state);
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        struct sqldb *file = NULL;
        code = reader_tier(p->reader, tier, months[i], &file, e);
        if (code == ERR_OK && file) {
            code = widen(c, file, p, e);
        }
    }
    alloc_free(months);
    int64_t watermark = p->reader->tier_watermark[tier];
    c->to_ms = c->to_ms < watermark ? c->to_ms : watermark;
    return code;
}

/* --- the choice --- */

static bool fits(const struct planning *p, enum tsdb_tier tier)
{
    const struct tsdb_plan_spec *q = p->spec;
    int64_t r = tsdb_tier_ms(tier);
    bool has = p->tiers[tier].to_ms > p->tiers[tier].from_ms;

    if (!q->answers || !has || (q->aligned && (q->from_ms % r != 0 || q->step_ms % r != 0))) {
        return false;
    }
    if (q->range_ms > 0) {
        return r <= q->range_ms / 4 && (q->step_ms == 0 || r <= q->step_ms);
    }
    return r <= q->step_ms;
}

static bool covers(const struct planning *p, enum tsdb_tier tier, const struct cover *piece)
{
    const struct cover *c = &p->tiers[tier];
    return piece->from_ms >= c->from_ms && piece->to_ms <= c->to_ms;
}

/* Whether no bucket lies across an end of the interval. */
static bool is_whole(enum tsdb_tier tier, const struct cover *piece)
{
    int64_t r = tsdb_tier_ms(tier);
    return piece->from_ms % r == 0 && piece->to_ms % r == 0;
}

static enum tsdb_tier tier_of(const struct planning *p, const struct cover *piece)
{
    enum tsdb_tier chosen = p->chosen;
    bool has_raw = piece->from_ms >= p->raw_from_ms;

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
        cut(p, p->tiers[t].from_ms);
        cut(p, p->tiers[t].to_ms);
    }
    cut(p, p->raw_from_ms);
    if (p->cut_count) {
        qsort(p->cuts, p->cut_count, sizeof(p->cuts[0]), compare_times);
    }
}

static void add_piece(const struct planning *p, const struct cover *piece, struct tsdb_plan *out)
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
        const struct cover piece = {at, p->cuts[i]};
        add_piece(p, &piece, out);
        at = p->cuts[i];
    }
    const struct cover rest = {at, p->spec->to_ms};
    add_piece(p, &rest, out);
}

static struct catalog_group *find_group(struct catalog *c, const struct tsdb_plan_spec *q)
{
    struct catalog_relation *relation = catalog_find_relation(c, q->relation);
    const struct catalog_group_key key = {
        .relation = relation, .target = q->target, .scope = q->scope};

    return relation ? catalog_find_group(c, &key) : NULL;
}

enum err_code tsdb_sqlite_tier_plan(struct tsdb_reader *r, const struct tsdb_plan_spec *spec,
                                    struct tsdb_plan *out, struct err *e)
{
    struct catalog *c = r->db->catalog;
    struct planning p = {
        .reader = r, .spec = spec, .group = find_group(c, spec), .chosen = TSDB_RAW};
    enum err_code code = ERR_OK;

    if (!p.group || r->tier_watermark[TSDB_TIER_1H] == 0) {
        out->parts[out->count++] = (struct tsdb_tier_part){TSDB_RAW, spec->from_ms, spec->to_ms};
        return ERR_OK;
    }
    lock_take(&c->lock);
    p.every_ms = p.group->last_every_ms;
    lock_release(&c->lock);
    find_raw(&p);
    for (int t = 0; code == ERR_OK && t < TSDB_TIERS; t++) {
        code = find_tier(&p, (enum tsdb_tier)t, e);
        if (code == ERR_OK && fits(&p, (enum tsdb_tier)t)) {
            p.chosen = (enum tsdb_tier)t; /* the coarsest that fits: it comes last */
        }
    }
    if (code == ERR_OK) {
        make_parts(&p, out);
    }
    return code;
}
