/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_tier.c: the blocks of roll-ups in ts_tier: a place of tier_place.h, and what the calls of
 * rolled.h need of it.
 *
 * A block has a row for its head and one for each part. Readers are in a snapshot, so the
 * watermark, the blocks and the full readings that they see are of one moment.
 */
#include "store/tsdb/postgres/pgstore_tier.h"

#include "store/tsdb/rollup/tier_write.h"

#include <string.h>

#define PART_BYTES (64UL * 1024 * 1024)

static struct pgstore_tiers *tiers_of(struct tier_place *p)
{
    return (struct pgstore_tiers *)p;
}

/* --- blocks --- */

/* Windows that may hold something of from < t <= to. */
struct windows {
    int64_t first, last;
};

static struct windows windows_of(enum tsdb_tier tier, int64_t from_ms, int64_t to_ms)
{
    int64_t floor_ms = from_ms < 0 ? 0 : from_ms;
    int64_t top_ms = to_ms < INT64_MAX / 2 ? to_ms : INT64_MAX / 2;

    return (struct windows){tier_window_first(tier, tier_hour_of(floor_ms + 1)),
                            tier_hour_of(top_ms)};
}

static enum err_code list(struct tier_place *p, struct tier_list *out, struct err *e)
{
    struct windows w = windows_of(p->tier, out->from_ms, out->to_ms);
    struct sqldb_stmt *q = NULL;
    bool row = true;
    enum err_code code = sqldb_query(tiers_of(p)->db, "tsdb_tier_list",
                                     SQLDB_ARGS(sqldb_i64(p->tier), sqldb_i64((int64_t)p->group),
                                                sqldb_i64(w.first), sqldb_i64(w.last),
                                                sqldb_i64(out->from_ms), sqldb_i64(out->to_ms)),
                                     &q, e);

    while (code == ERR_OK && (code = sqldb_step(q, &row, e)) == ERR_OK && row) {
        const struct tier_block block = {sqldb_get_i64(q, 0), sqldb_get_i64(q, 1), 0};
        if (!tier_list_add(out, block)) {
            break;
        }
    }
    sqldb_end(q);
    return code ? code : arena_check(out->arena, e);
}

/* number: 0 = the head; the bytes are borrowed until the next call */
static enum err_code get(struct tier_place *p, const struct tier_block *b, uint32_t number,
                         struct str *out, struct err *e)
{
    struct pgstore_tiers *t = tiers_of(p);
    struct sqldb_stmt *q = NULL;

    if (t->kept.len && t->kept_part == number && t->kept_of.stretch == b->stretch &&
        t->kept_of.id == b->id) {
        *out = buf_view(&t->kept);
        return ERR_OK;
    }
    enum err_code code = sqldb_row(t->db, "tsdb_tier_get",
                                   SQLDB_ARGS(sqldb_i64(p->tier), sqldb_i64((int64_t)p->group),
                                              sqldb_i64(b->stretch), sqldb_i64(b->id),
                                              sqldb_i64(number)),
                                   &q, e);
    if (code == ERR_NOT_FOUND) {
        code = err_set(e, ERR_CORRUPT, "a block of group %llu is cut",
                       (unsigned long long)p->group);
    } else if (code == ERR_OK) {
        buf_reset(&t->kept);
        buf_add_str(&t->kept, sqldb_get_blob(q, 0));
        t->kept_of = *b;
        t->kept_part = number;
        code = buf_check(&t->kept, e);
        *out = buf_view(&t->kept);
    }
    sqldb_end(q);
    return code;
}

static enum err_code head(struct tier_place *p, const struct tier_block *b, struct arena *a,
                          struct str *out, struct err *e)
{
    struct str bytes;
    enum err_code code = get(p, b, 0, &bytes, e);

    if (code == ERR_OK) {
        *out = arena_str(a, bytes);
        code = arena_check(a, e);
    }
    return code;
}

static enum err_code part(struct tier_place *p, const struct tier_block *b, struct arena *a,
                          struct str *out, struct err *e)
{
    struct str bytes;
    enum err_code code = get(p, b, b->part + 1, &bytes, e);

    return code ? code : block_unpack_part(bytes, a, out, e);
}

static enum err_code remove_block(struct tier_place *p, const struct tier_block *b, struct err *e)
{
    buf_reset(&tiers_of(p)->kept);
    return sqldb_run(tiers_of(p)->db, "tsdb_tier_remove",
                     SQLDB_ARGS(sqldb_i64(p->tier), sqldb_i64((int64_t)p->group),
                                sqldb_i64(b->stretch), sqldb_i64(b->id)),
                     e);
}

static enum err_code insert(struct tier_place *p, const struct tier_block *b,
                            const struct block_input *in, const struct block_packed *packed,
                            struct err *e)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i <= packed->part_count; i++) {
        struct str bytes = i ? packed->parts[i - 1] : packed->head;
        code = sqldb_run(
            tiers_of(p)->db, "tsdb_tier_insert",
            SQLDB_ARGS(sqldb_i64(p->tier), sqldb_i64((int64_t)p->group), sqldb_i64(b->stretch),
                       sqldb_i64(b->id), sqldb_i64((int64_t)i), sqldb_i64(in->slices[0].t_ms),
                       sqldb_i64(in->slices[in->count - 1].t_ms), sqldb_blob(bytes.ptr, bytes.len)),
            e);
    }
    return code;
}

static const struct tier_place_ops table_ops = {
    .list = list, .head = head, .part = part, .remove = remove_block, .insert = insert};

void pgstore_tiers_init(struct pgstore_tiers *t, struct sqldb *db, enum tsdb_tier tier,
                        uint64_t group)
{
    *t = (struct pgstore_tiers){.place = {.ops = &table_ops, .tier = tier, .group = group},
                                .db = db};
    buf_init(&t->kept, PART_BYTES);
}

void pgstore_tiers_fini(struct pgstore_tiers *t)
{
    buf_fini(&t->kept);
}

/* --- reading --- */

const struct tier_shape *pgstore_tier_shape(const struct relation *r, struct arena *a)
{
    struct tier_shape *shape = arena_alloc(a, sizeof(*shape));
    enum relation_kind *kinds = arena_array(a, r->column_count + 1, sizeof(*kinds));

    if (!shape || !kinds) {
        return NULL;
    }
    for (size_t i = 0; i < r->column_count; i++) {
        kinds[i] = r->columns[i].kind;
    }
    *shape = (struct tier_shape){.column_count = r->column_count,
                                 .key_count = r->key_count,
                                 .kinds = kinds,
                                 .fact = r->shape == RELATION_FACT,
                                 .sparse = r->sparse};
    return shape;
}

/* What a call asks for, and where it is. */
struct ask {
    struct tsdb_reader *reader;
    struct sqldb *db;
    struct arena arena;
    const struct uuid *target;
    struct str scope;
    uint64_t group; /* 0 = there is none */
    int64_t watermark_ms, raw_day;
};

static enum err_code find_group(struct ask *q, struct str relation, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(q->db, "tsdb_relation_get", SQLDB_ARGS(sqldb_text(relation)), &s,
                                   e);
    int64_t id = code ? 0 : sqldb_get_i64(s, 0);

    sqldb_end(s);
    s = NULL;
    if (code == ERR_OK) {
        code = sqldb_row(q->db, "tsdb_group_find",
                         SQLDB_ARGS(sqldb_blob(q->target->bytes, sizeof(q->target->bytes)),
                                    sqldb_i64(id), sqldb_text(q->scope)),
                         &s, e);
        q->group = code ? 0 : (uint64_t)sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

static enum err_code start(struct ask *q, struct str relation, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = pgstore_reader_db(q->reader, &q->db, e);

    code = code ? code : find_group(q, relation, e);
    code = code ? code : sqldb_row(q->db, "tsdb_rollup_state", SQLDB_NO_ARGS, &s, e);
    if (code == ERR_OK) {
        q->watermark_ms = sqldb_get_i64(s, 1);
        q->raw_day = sqldb_get_i64(s, 2);
    }
    sqldb_end(s);
    return code;
}

static enum err_code want_columns(struct ask *q, const struct tsdb_tier_spec *spec,
                                  struct tier_range *range, struct err *e)
{
    uint32_t *ids = arena_array(&q->arena, spec->column_count + 1, sizeof(*ids));
    struct relation *r = NULL;
    enum err_code code = pgstore_relation(q->reader, &q->arena, spec->relation, &r, e);

    if (code) {
        return code;
    }
    range->shape = pgstore_tier_shape(r, &q->arena);
    for (size_t i = 0; ids && spec->columns && i < spec->column_count; i++) {
        int at = relation_find_column(r, spec->columns[i]);
        ids[i] = at < 0 ? UINT32_MAX : (uint32_t)at;
    }
    range->columns = spec->columns ? ids : NULL;
    range->column_count = spec->column_count;
    return arena_check(&q->arena, e);
}

static enum err_code scan(struct ask *q, const struct tsdb_tier_spec *spec,
                          tsdb_bucket_visit *visit, void *arg, struct err *e)
{
    struct pgstore_tiers tiers;
    struct tier_range range = {.place = &tiers.place,
                               .scope = spec->scope,
                               .from_ms = spec->from_ms,
                               .to_ms = spec->to_ms,
                               .deadline_mono_us = spec->deadline_mono_us};
    enum err_code code = want_columns(q, spec, &range, e);

    code = code ? code : start(q, spec->relation, e);
    if (code || !q->group) {
        return code;
    }
    range.watermark_ms = q->watermark_ms;
    pgstore_tiers_init(&tiers, q->db, spec->tier, q->group);
    sqldb_deadline(q->db, spec->deadline_mono_us);
    code = tier_scan(&range, visit, arg, e);
    sqldb_deadline(q->db, 0);
    pgstore_tiers_fini(&tiers);
    return code;
}

enum err_code pgstore_tier_scan(struct tsdb_reader *r, const struct tsdb_tier_spec *spec,
                                tsdb_bucket_visit *visit, void *arg, struct err *e)
{
    struct ask q = {.reader = r, .target = &spec->target, .scope = spec->scope};

    arena_init(&q.arena, "tsdb tier columns", TSDB_ARENA_BYTES);
    enum err_code code = scan(&q, spec, visit, arg, e);
    arena_fini(&q.arena);
    return code;
}

static enum err_code find_tier(struct ask *q, const struct tsdb_plan_spec *spec,
                               enum tsdb_tier tier, struct tier_cover *c, struct err *e)
{
    struct windows w = windows_of(tier, spec->from_ms, spec->to_ms);
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(q->db, "tsdb_tier_cover",
                                   SQLDB_ARGS(sqldb_i64(tier), sqldb_i64((int64_t)q->group),
                                              sqldb_i64(w.first), sqldb_i64(w.last),
                                              sqldb_i64(spec->from_ms), sqldb_i64(spec->to_ms)),
                                   &s, e);

    if (code == ERR_OK && !sqldb_is_null(s, 0)) {
        tier_cover_widen(c, sqldb_get_i64(s, 0), sqldb_get_i64(s, 1));
    }
    sqldb_end(s);
    c->to_ms = c->to_ms < q->watermark_ms ? c->to_ms : q->watermark_ms;
    return code;
}

enum err_code pgstore_tier_plan(struct tsdb_reader *r, const struct tsdb_plan_spec *spec,
                                struct tsdb_plan *out, struct err *e)
{
    struct ask q = {.reader = r, .target = &spec->target, .scope = spec->scope};
    struct tier_known known = {.raw_from_ms = INT64_MIN};
    enum err_code code = start(&q, spec->relation, e);

    if (code == ERR_OK && q.group) {
        known.raw_from_ms = q.raw_day * TSDB_DAY_MS;
        for (int t = 0; code == ERR_OK && t < TSDB_TIERS; t++) {
            code = find_tier(&q, spec, (enum tsdb_tier)t, &known.tiers[t], e);
        }
    }
    if (code == ERR_OK) {
        tier_plan_make(spec, &known, out);
    }
    return code;
}
