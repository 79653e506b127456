/* SPDX-License-Identifier: PostgreSQL */
/* store_target.h: what is watched, as the agents told it. */
#ifndef STORE_STORE_TARGET_H
#define STORE_STORE_TARGET_H

#include "base/json.h"
#include "model/batch.h"
#include "store/store_group.h"

struct store_target {
    const char *id, *kind, *name;
    const char *attributes; /* JSON text of an object */
    const char *collector_id;
    const char *group; /* NULL = it was never described */
    int64_t first_seen_ms;
    /* of the collector; name NULL when it is not known */
    const char *collector_name, *collector_hostname, *collector_version;
    int64_t collector_seen_ms;
    bool collector_revoked;
};

/*
 * Add or change the targets of one acknowledged record; keeps `lsn`, and does nothing for one that
 * was taken before.
 */
enum err_code store_target_apply(struct store *s, uint64_t lsn, const struct uuid *collector,
                                 const struct batch *batch, struct err *e) ERR_MUST_CHECK;
/*
 * Delete a target, with its audit record. It comes by the engine's journal, like the targets
 * themselves: `by` is what store_target_put_by wrote there, and a `lsn` taken before does nothing.
 */
enum err_code store_target_delete(struct store *s, uint64_t lsn, const struct uuid *target,
                                  const struct json *by, struct err *e) ERR_MUST_CHECK;
/* Who deletes which target, as a JSON value. */
void store_target_put_by(struct json_writer *w, const struct store_actor *who,
                         const struct store_target *t);
/* ERR_NOT_FOUND. */
enum err_code store_target_get(struct store *s, struct arena *a, const char *id,
                               struct store_target *out, struct err *e) ERR_MUST_CHECK;
struct store_target_page {
    const char *after_name, *after_id; /* "" = from the start */
    size_t limit;
    struct store_sight sight;  /* only these; all zero = none */
    struct store_target *rows; /* out */
    size_t count;
};
/* In order of name and id. */
enum err_code store_target_list(struct store *s, struct arena *a, struct store_target_page *page,
                                struct err *e) ERR_MUST_CHECK;

/* The lsn up to which targets were applied; 0 = none were. Of a database that nobody has open. */
enum err_code store_target_lsn(struct sqldb *db, uint64_t *out, struct err *e) ERR_MUST_CHECK;

#endif
