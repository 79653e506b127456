/* SPDX-License-Identifier: PostgreSQL */
/*
 * flatten.h: any JSON document of an older collector as a batch of relations, events and texts.
 *
 * A push of the older forms is {"collector_id", "metrics": [item, ...]}. There is no code for any
 * one type of item; packaging/doc/protocol.md, 6 has the rules. What is well known is in addition
 * given under the names of our own relations (flatten_map.c).
 * Owner: all of it lives in the arena; text borrows from the document.
 */
#ifndef MODEL_FLATTEN_H
#define MODEL_FLATTEN_H

#include "model/batch.h"

#define FLATTEN_SAMPLE "sample" /* the relation of {name, value, timestamp, labels} */
/* Statements of older collectors, cumulative; keys and names are those of pg_stat_statements. */
#define FLATTEN_STATEMENTS "pg_stat_statements_total"

struct flatten_spec {
    struct uuid database, host; /* the targets that readings go to */
    int64_t now_ms;             /* the time of a push that tells none */
};

/* An item, or a part of one, that was not taken. */
struct flatten_refusal {
    size_t item;
    const char *reason;
};

struct flatten {
    struct str collector_id; /* as it stands in the document */
    struct str hostname, version;
    struct batch batch;
    size_t item_count;
    bool timed; /* every item tells its time */
    bool has_database, has_host;
    size_t refused; /* items of which nothing was taken */
    struct flatten_refusal *refusals;
    size_t refusal_count; /* the first LIMIT_PUSH_ERRORS */
};

/* Whether a document has one of the older forms: no stream, but metrics. */
bool flatten_is_push(const struct json *root);
/*
 * ERR_INVALID when the envelope is wrong, ERR_LIMIT when the arena or a bound on the whole is
 * passed. An item that is wrong is refused alone.
 */
enum err_code flatten_push(struct arena *a, const struct json *root,
                           const struct flatten_spec *spec, struct flatten *out,
                           struct err *e) ERR_MUST_CHECK;

#endif
