/* SPDX-License-Identifier: PostgreSQL */
/*
 * series.h: the relations of a store as series of PromQL (model/series.h).
 *
 * A column of a relation is the series <relation>_<column> of each row object; a delta column is
 * in addition the counter <relation>_<column>_total; a text column is
 * <relation>_<column>{value="..."} 1. Labels are the keys, what the caller knows of the target, and
 * job="pga". Loose samples (model/flatten.h) keep their own name and labels.
 * It reads by the public functions of tsdb.h alone, so it works over any engine.
 *
 * The rules of absence, validity and totals are in series_rules.h. A name that an exporter uses for
 * one of our columns answers too, when it is asked for by `=` (series_alias.h).
 * Owner:   everything lives in the arena of series_tsdb_init, or in the set's own memory
 * Threads: one at a time, as its reader
 */
#ifndef STORE_TSDB_SERIES_SERIES_H
#define STORE_TSDB_SERIES_SERIES_H

#include "model/series.h"
#include "store/tsdb/tsdb.h"

#define SERIES_LOOKBACK_MS  (5 * 60000LL) /* of a query that gives none */
#define SERIES_HEARTBEAT    "pg_instance" /* what says that a target is alive */
#define SERIES_TARGET_LABEL "target"

/* What the caller knows of a target. */
struct series_target {
    struct uuid id;
    struct labels labels; /* with `target`, which no two targets share */
};

struct series_tsdb_config {
    struct tsdb_reader *reader;
    const struct series_target *targets; /* in order of id; borrowed */
    size_t target_count; /* one that is not listed has its id as `target` and no more */
};

struct series_tsdb;

/* --- Life cycle --- */
enum err_code series_tsdb_init(struct arena *a, const struct series_tsdb_config *config,
                               struct series_tsdb **out, struct err *e) ERR_MUST_CHECK;
void series_tsdb_fini(struct series_tsdb *s); /* after its sets; NULL allowed */
struct series_source *series_tsdb_source(struct series_tsdb *s);

/*
 * --- Query: what there is, by what the store knows of its newest readings ---
 *
 * (from, to] bounds the readings that are looked at for names of objects; a relation counts when it
 * has a reading after from. Lists live in the arena of series_tsdb_init.
 */

/* A name that a query can ask for. */
struct series_name {
    struct str name;
    enum series_kind kind;
    struct str help, unit;
    bool alias; /* an exporter's name for it */
};

struct series_names {
    size_t count;
    struct series_name *items; /* sorted by name, no name twice */
};

struct series_texts {
    size_t count;
    struct str *items; /* sorted, none twice */
};

struct series_span {
    int64_t from_ms, to_ms;
    int64_t deadline_mono_us;
};

enum err_code series_list_names(struct series_tsdb *s, const struct series_span *span,
                                struct series_names *out, struct err *e) ERR_MUST_CHECK;
enum err_code series_list_labels(struct series_tsdb *s, const struct series_span *span,
                                 struct series_texts *out, struct err *e) ERR_MUST_CHECK;
enum err_code series_list_values(struct series_tsdb *s, struct str label,
                                 const struct series_span *span, struct series_texts *out,
                                 struct err *e) ERR_MUST_CHECK;

#endif
