/* SPDX-License-Identifier: PostgreSQL */
/*
 * ops.h: what a back end provides to tsdb.h. Private to store/tsdb.
 *
 * The first member of an engine's `struct tsdb` is the pointer to its table, that of its `struct
 * tsdb_reader` a struct tsdb_reader_base, which begins with it; dispatch.c follows it. The contract
 * of each function is that of its namesake in tsdb.h. What is built on tsdb.h (rows, aggregate)
 * knows no engine.
 */
#ifndef STORE_TSDB_OPS_H
#define STORE_TSDB_OPS_H

#include "store/tsdb/rollup/rolled.h"

struct tsdb_ops {
    void (*close)(struct tsdb *db);
    void (*run_writer)(struct tsdb *db);
    void (*run_flusher)(struct tsdb *db);
    void (*run_applier)(struct tsdb *db);
    void (*stop)(struct tsdb *db);
    void (*stop_fast)(struct tsdb *db);
    enum err_code (*admit)(struct tsdb *db, struct err *e);
    enum err_code (*push)(struct tsdb *db, struct arena *a, const struct push *push,
                          struct tsdb_ack *ack, struct err *e);
    enum err_code (*event_add)(struct tsdb *db, const struct batch_event *event, struct err *e);
    enum err_code (*target_drop)(struct tsdb *db, const struct uuid *target, struct str by,
                                 int64_t mono_us, struct err *e);
    enum err_code (*flush)(struct tsdb *db, int64_t mono_us, struct err *e);
    /* NULL = the engine has nothing to compact */
    enum err_code (*compact)(struct tsdb *db, int64_t mono_us, struct err *e);
    bool (*leads)(struct tsdb *db); /* NULL = no other process has the store */
    void (*stats)(struct tsdb *db, struct tsdb_stats *out);
    enum err_code (*reader_borrow)(struct tsdb *db, int64_t mono_us, struct tsdb_reader **out,
                                   struct err *e);
    void (*reader_return)(struct tsdb_reader *r);
    enum err_code (*scan)(struct tsdb_reader *r, const struct tsdb_scan_spec *spec,
                          tsdb_visit *visit, void *arg, struct err *e);
    /* NULL = the engine has no stretches */
    enum err_code (*scan_numbers)(struct tsdb_reader *r, const struct tsdb_scan_spec *spec,
                                  const struct tsdb_sink *sink, struct err *e);
    /* an engine without roll-ups has NULL in both: its plans are all raw */
    enum err_code (*tier_scan)(struct tsdb_reader *r, const struct tsdb_tier_spec *spec,
                               tsdb_bucket_visit *visit, void *arg, struct err *e);
    enum err_code (*tier_plan)(struct tsdb_reader *r, const struct tsdb_plan_spec *spec,
                               struct tsdb_plan *out, struct err *e);
    enum err_code (*object_keys)(struct tsdb_reader *r, struct arena *a, uint64_t object,
                                 struct str **keys, struct err *e);
    enum err_code (*group_keys)(struct tsdb_reader *r, const struct tsdb_group_object *of,
                                struct str *keys, size_t count, struct err *e);
    /* NULL = the engine does not know: each object is asked for its keys */
    enum err_code (*match)(struct tsdb_reader *r, struct arena *a,
                           const struct tsdb_match_spec *spec, struct tsdb_ids *out, struct err *e);
    enum err_code (*relation)(struct tsdb_reader *r, struct arena *a, struct str name,
                              struct relation **out, struct err *e);
    enum err_code (*groups)(struct tsdb_reader *r, struct arena *a, const struct uuid *target,
                            struct tsdb_group **out, size_t *count, struct err *e);
    enum err_code (*last)(struct tsdb_reader *r, struct arena *a, const struct uuid *target,
                          struct str relation, struct tsdb_group *out, struct err *e);
    enum err_code (*text)(struct tsdb_reader *r, struct arena *a, const struct tsdb_text_key *key,
                          struct str *text, struct err *e);
    enum err_code (*events)(struct tsdb_reader *r, struct arena *a,
                            const struct tsdb_event_spec *spec, struct tsdb_event **out,
                            size_t *count, struct err *e);
    enum err_code (*streams)(struct tsdb_reader *r, struct arena *a, struct tsdb_stream **out,
                             size_t *count, struct err *e);
    enum err_code (*records)(struct tsdb_reader *r, struct arena *a,
                             const struct tsdb_record_spec *spec, struct tsdb_record **out,
                             size_t *count, struct err *e);
    enum err_code (*copy)(struct tsdb *db, const struct tsdb_copy *to, struct err *e);
    enum err_code (*uses)(struct tsdb *db, struct arena *a, struct tsdb_use **out, size_t *count,
                          struct err *e);
};

/* The first member of an engine's reader. */
struct tsdb_reader_base {
    const struct tsdb_ops *ops;
    const struct tsdb_sight *sight; /* NULL = all; sight.h */
};

/* The engines. */
enum err_code tsdb_sqlite_open(const struct tsdb_config *config, struct tsdb **out,
                               struct err *e) ERR_MUST_CHECK;
enum err_code pgstore_open(const struct tsdb_config *config, struct tsdb **out,
                           struct err *e) ERR_MUST_CHECK;

#endif
