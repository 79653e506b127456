/* SPDX-License-Identifier: PostgreSQL */
/*
 * dispatch.c: tsdb.h over the engine that the store was opened with.
 */
#include "store/tsdb/ops.h"
#include "store/tsdb/sight.h"

/* An engine's structs begin with the pointer to its table, whatever comes behind it. */
static const struct tsdb_ops *ops_of(const void *engine)
{
    return *(const struct tsdb_ops *const *)engine;
}

/* --- Life cycle --- */

enum err_code tsdb_open(const struct tsdb_config *config, struct tsdb **out, struct err *e)
{
    return config->url ? pgstore_open(config, out, e) : tsdb_sqlite_open(config, out, e);
}

void tsdb_close(struct tsdb *db)
{
    if (db) {
        ops_of(db)->close(db);
    }
}

void tsdb_run_writer(struct tsdb *db)
{
    ops_of(db)->run_writer(db);
}

void tsdb_run_flusher(struct tsdb *db)
{
    ops_of(db)->run_flusher(db);
}

void tsdb_run_applier(struct tsdb *db)
{
    ops_of(db)->run_applier(db);
}

void tsdb_stop(struct tsdb *db)
{
    ops_of(db)->stop(db);
}

void tsdb_stop_fast(struct tsdb *db)
{
    ops_of(db)->stop_fast(db);
}

/* --- Ingest --- */

enum err_code tsdb_admit(struct tsdb *db, struct err *e)
{
    return ops_of(db)->admit(db, e);
}

enum err_code tsdb_push(struct tsdb *db, struct arena *a, const struct push *push,
                        struct tsdb_ack *ack, struct err *e)
{
    return ops_of(db)->push(db, a, push, ack, e);
}

enum err_code tsdb_event_add(struct tsdb *db, const struct batch_event *event, struct err *e)
{
    return ops_of(db)->event_add(db, event, e);
}

enum err_code tsdb_target_drop(struct tsdb *db, const struct uuid *target, struct str by,
                               int64_t mono_us, struct err *e)
{
    return ops_of(db)->target_drop(db, target, by, mono_us, e);
}

bool tsdb_leads(struct tsdb *db)
{
    return ops_of(db)->leads == NULL || ops_of(db)->leads(db);
}

enum err_code tsdb_flush(struct tsdb *db, int64_t mono_us, struct err *e)
{
    return ops_of(db)->flush(db, mono_us, e);
}

enum err_code tsdb_compact(struct tsdb *db, int64_t mono_us, struct err *e)
{
    return ops_of(db)->compact ? ops_of(db)->compact(db, mono_us, e)
                               : err_set(e, ERR_UNSUPPORTED, "this engine has nothing to compact");
}

/* --- Reading --- */

enum err_code tsdb_reader_borrow(struct tsdb *db, int64_t mono_us, struct tsdb_reader **out,
                                 struct err *e)
{
    enum err_code rc = ops_of(db)->reader_borrow(db, mono_us, out, e);

    if (rc == ERR_OK) {
        tsdb_reader_limit(*out, NULL); /* nothing is left of who had it before */
    }
    return rc;
}

void tsdb_reader_return(struct tsdb_reader *r)
{
    if (r) {
        ops_of(r)->reader_return(r);
    }
}

enum err_code tsdb_scan(struct tsdb_reader *r, const struct tsdb_scan_spec *spec, tsdb_visit *visit,
                        void *arg, struct err *e)
{
    if (!sight_target(r, &spec->target)) {
        return sight_nothing(e);
    }
    return ops_of(r)->scan(r, spec, visit, arg, e);
}

enum err_code tsdb_scan_numbers(struct tsdb_reader *r, const struct tsdb_scan_spec *spec,
                                const struct tsdb_sink *sink, struct err *e)
{
    if (!sight_target(r, &spec->target)) {
        return sight_nothing(e);
    }
    if (ops_of(r)->scan_numbers) {
        return ops_of(r)->scan_numbers(r, spec, sink, e);
    }
    return ops_of(r)->scan(r, spec, sink->visit, sink->arg, e);
}

enum err_code tsdb_tier_scan(struct tsdb_reader *r, const struct tsdb_tier_spec *spec,
                             tsdb_bucket_visit *visit, void *arg, struct err *e)
{
    if (!sight_target(r, &spec->target)) {
        return sight_nothing(e);
    }
    return ops_of(r)->tier_scan ? ops_of(r)->tier_scan(r, spec, visit, arg, e) : ERR_OK;
}

enum err_code tsdb_tier_plan(struct tsdb_reader *r, const struct tsdb_plan_spec *spec,
                             struct tsdb_plan *out, struct err *e)
{
    *out = (struct tsdb_plan){.range_ms = spec->range_ms, .instead = TSDB_RAW};
    if (ops_of(r)->tier_plan) {
        return ops_of(r)->tier_plan(r, spec, out, e);
    }
    out->parts[out->count++] = (struct tsdb_tier_part){TSDB_RAW, spec->from_ms, spec->to_ms};
    return ERR_OK;
}

int64_t tsdb_tier_ms(enum tsdb_tier tier)
{
    return tier == TSDB_TIER_5M ? 300000 : tier == TSDB_TIER_1H ? 3600000 : 0;
}

bool tsdb_tier_answers(enum relation_kind kind, enum tsdb_need need)
{
    switch (need) {
    case TSDB_NEED_READINGS:
        return false;
    case TSDB_NEED_RISE:
        return kind == RELATION_COUNTER || kind == RELATION_DELTA;
    case TSDB_NEED_LAST:
        return kind != RELATION_DELTA;
    case TSDB_NEED_MIN:
        return kind == RELATION_GAUGE;
    case TSDB_NEED_MAX:
    case TSDB_NEED_SUM:
    case TSDB_NEED_AVG:
    case TSDB_NEED_COUNT:
        return kind == RELATION_GAUGE || kind == RELATION_DELTA;
    }
    return false;
}

enum err_code tsdb_object_keys(struct tsdb_reader *r, struct arena *a, uint64_t object,
                               struct str **keys, struct err *e)
{
    return ops_of(r)->object_keys(r, a, object, keys, e);
}

enum err_code tsdb_group_keys(struct tsdb_reader *r, const struct tsdb_group_object *of,
                              struct str *keys, size_t count, struct err *e)
{
    return ops_of(r)->group_keys(r, of, keys, count, e);
}

enum err_code tsdb_match(struct tsdb_reader *r, struct arena *a, const struct tsdb_match_spec *spec,
                         struct tsdb_ids *out, struct err *e)
{
    *out = (struct tsdb_ids){.known = false};
    return ops_of(r)->match ? ops_of(r)->match(r, a, spec, out, e) : ERR_OK;
}

enum err_code tsdb_relation(struct tsdb_reader *r, struct arena *a, struct str name,
                            struct relation **out, struct err *e)
{
    if (!sight_relation(r, a, name)) {
        return sight_nothing(e);
    }
    return ops_of(r)->relation(r, a, name, out, e);
}

enum err_code tsdb_groups(struct tsdb_reader *r, struct arena *a, const struct uuid *target,
                          struct tsdb_group **out, size_t *count, struct err *e)
{
    return sight_groups(r, a, target, out, count, e);
}

enum err_code tsdb_last(struct tsdb_reader *r, struct arena *a, const struct uuid *target,
                        struct str relation, struct tsdb_group *out, struct err *e)
{
    if (!sight_target(r, target)) {
        return sight_nothing(e);
    }
    return ops_of(r)->last(r, a, target, relation, out, e);
}

enum err_code tsdb_text(struct tsdb_reader *r, struct arena *a, const struct tsdb_text_key *key,
                        struct str *text, struct err *e)
{
    if (!sight_target(r, &key->target)) {
        return sight_nothing(e);
    }
    return ops_of(r)->text(r, a, key, text, e);
}

enum err_code tsdb_events(struct tsdb_reader *r, struct arena *a,
                          const struct tsdb_event_spec *spec, struct tsdb_event **out,
                          size_t *count, struct err *e)
{
    return sight_events(r, a, spec, out, count, e);
}

enum err_code tsdb_streams(struct tsdb_reader *r, struct arena *a, struct tsdb_stream **out,
                           size_t *count, struct err *e)
{
    enum err_code rc = ops_of(r)->streams(r, a, out, count, e);

    if (rc == ERR_OK) {
        *count = sight_streams(r, *out, *count);
    }
    return rc;
}

enum err_code tsdb_records(struct tsdb_reader *r, struct arena *a,
                           const struct tsdb_record_spec *spec, struct tsdb_record **out,
                           size_t *count, struct err *e)
{
    if (!sight_collector(r, &spec->collector)) {
        return sight_nothing(e);
    }
    return ops_of(r)->records(r, a, spec, out, count, e);
}

/* --- Backup --- */

enum err_code tsdb_copy(struct tsdb *db, const struct tsdb_copy *to, struct err *e)
{
    return ops_of(db)->copy(db, to, e);
}

/* --- Query --- */

enum err_code tsdb_uses(struct tsdb *db, struct arena *a, struct tsdb_use **out, size_t *count,
                        struct err *e)
{
    return ops_of(db)->uses(db, a, out, count, e);
}

const char *tsdb_cap_name(enum tsdb_cap cap)
{
    static const char *const names[TSDB_CAPS] = {
        [TSDB_CAP_RELATIONS] = "relations",   [TSDB_CAP_GROUPS] = "groups",
        [TSDB_CAP_OBJECTS] = "objects",       [TSDB_CAP_NEW_OBJECTS] = "new_objects",
        [TSDB_CAP_CELLS] = "cells",           [TSDB_CAP_TEXTS] = "texts",
        [TSDB_CAP_TEXT_BYTES] = "text_bytes", [TSDB_CAP_COLUMNS] = "columns",
    };
    return cap >= 0 && cap < TSDB_CAPS ? names[cap] : "unknown";
}

void tsdb_stats(struct tsdb *db, struct tsdb_stats *out)
{
    ops_of(db)->stats(db, out);
}

const char *tsdb_refusal_name(enum tsdb_refusal r)
{
    static const char *const names[TSDB_REFUSED_KINDS] = {
        [TSDB_REFUSED_CLOCK] = "clock",     [TSDB_REFUSED_ORDER] = "order",
        [TSDB_REFUSED_FULL] = "full",       [TSDB_REFUSED_SEQUENCE] = "sequence",
        [TSDB_REFUSED_INVALID] = "invalid", [TSDB_REFUSED_CAP] = "cap",
        [TSDB_REFUSED_OWNER] = "owner",     [TSDB_REFUSED_DELETED] = "deleted",
    };
    return r >= 0 && r < TSDB_REFUSED_KINDS ? names[r] : "unknown";
}

const char *tsdb_part_name(enum tsdb_part p)
{
    static const char *const names[TSDB_PARTS] = {
        [TSDB_PART_INGEST] = "ingest",     [TSDB_PART_RAW_FAST] = "raw_fast",
        [TSDB_PART_RAW_SLOW] = "raw_slow", [TSDB_PART_TIER_5M] = "tier5m",
        [TSDB_PART_TIER_1H] = "tier1h",    [TSDB_PART_TEXT] = "text",
        [TSDB_PART_EVENT] = "event"};
    return p >= 0 && p < TSDB_PARTS ? names[p] : "unknown";
}

const char *tsdb_removal_name(enum tsdb_removal r)
{
    static const char *const names[TSDB_REMOVED_KINDS] = {
        [TSDB_REMOVED_AGE] = "age", [TSDB_REMOVED_QUOTA] = "quota"};
    return r >= 0 && r < TSDB_REMOVED_KINDS ? names[r] : "unknown";
}
