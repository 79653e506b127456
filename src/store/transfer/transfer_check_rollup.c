/* SPDX-License-Identifier: PostgreSQL */
/*
 * transfer_check_rollup.c: compares the roll-ups of both stores, by relation and tier.
 *
 * Buckets, rows, and a hash of the bytes of their blocks: these are the same in both kinds of
 * stores. Blocks that cannot be read count nothing, and are said.
 */
#include "store/transfer/transfer_part.h"

#include "base/alloc.h"

static const char *const shown[TSDB_TIERS] = {[TSDB_TIER_5M] = "5 min", [TSDB_TIER_1H] = "1 h"};

struct summing {
    struct catalog *catalog;
    struct transfer_sum *sums; /* by id of the relation, one of each tier */
};

static enum err_code take_block(void *arg, const struct transfer_block *b, struct err *e)
{
    struct summing *s = arg;
    const struct catalog_group *g = catalog_group_by_id(s->catalog, b->group);
    struct transfer_sum *sum = &s->sums[(size_t)g->relation->id * TSDB_TIERS + b->tier];
    uint64_t hash = transfer_join(b->group, (uint64_t)b->hour);

    (void)e;
    hash = transfer_join(hash, str_hash(b->head));
    for (size_t i = 0; i < b->part_count; i++) {
        hash = transfer_join(hash, str_hash(b->parts[i]));
        sum->cells += b->parts[i].len;
    }
    sum->hash += hash;
    sum->readings += b->view->slice_count;
    sum->rows += b->view->row_total;
    return ERR_OK;
}

static enum err_code sum_side(struct transfer *t, const struct transfer_side *side,
                              struct transfer_sum *sums, struct err *e)
{
    struct summing s = {side->series->catalog, sums};
    const struct transfer_blocks blocks = {
        .t = t, .side = side, .visit = take_block, .arg = &s, .says_losses = side == &t->from};
    struct transfer_month *months = NULL;
    size_t count = 0;
    enum err_code code = transfer_months(side, &months, &count, e);

    t->progress = (struct transfer_progress){.step = "check of roll-ups", .total = count};
    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        code = transfer_read_month(&blocks, &months[i], e);
        t->progress.done++;
        transfer_tell(t);
    }
    alloc_free(months);
    return code;
}

static enum err_code show(struct transfer *t, struct transfer_checking *c,
                          const struct transfer_sum *from, const struct transfer_sum *to,
                          struct err *e)
{
    const struct catalog *names = t->from.series->catalog;

    for (size_t i = 0; i < names->relation_count * TSDB_TIERS; i++) {
        const struct catalog_relation *r = names->by_id[i / TSDB_TIERS];
        size_t at = (size_t)r->id * TSDB_TIERS + i % TSDB_TIERS;
        if (from[at].readings == 0 && to[at].readings == 0) {
            continue;
        }
        const char *name = arena_printf(t->arena, "%.*s, roll-ups of %s", STR_ARG(r->name),
                                        shown[i % TSDB_TIERS]);
        struct transfer_compared *n = name ? transfer_compare(c, str_of(name), TRANSFER_TABLE)
                                           : NULL;
        if (!n) {
            return arena_check(t->arena, e);
        }
        n->from = from[at];
        n->to = to[at];
    }
    return ERR_OK;
}

enum err_code transfer_check_rollups(struct transfer *t, struct transfer_checking *c, struct err *e)
{
    size_t count = ((size_t)t->from.series->catalog->next_relation + 1) * TSDB_TIERS;
    struct transfer_sum *from = alloc_array(count, sizeof(*from));
    struct transfer_sum *to = alloc_array(count, sizeof(*to));
    enum err_code code = sum_side(t, &t->from, from, e);

    code = code ? code : sum_side(t, &t->to, to, e);
    code = code ? code : show(t, c, from, to, e);
    alloc_free(to);
    alloc_free(from);
    return code;
}
