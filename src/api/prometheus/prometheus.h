/* SPDX-License-Identifier: PostgreSQL */
/*
 * prometheus.h: what the routes below /prometheus/api/v1 share: parameters as Prometheus reads
 * them, its answers and errors, and the targets as labels.
 *
 * Answers are those of Prometheus 3.5, so that its clients (Grafana) need no plugin; what happens
 * before a route (404, 401, 413) is answered as everywhere.
 */
#ifndef API_PROMETHEUS_PROMETHEUS_H
#define API_PROMETHEUS_PROMETHEUS_H

#include "api/api_call.h"
#include "base/num.h"
#include "model/series.h"
#include "promql/promql.h"
#include "store/tsdb/series/series.h"

#define PROMETHEUS_PATH "/prometheus/api/v1"
#define PROMETHEUS_FORM "application/x-www-form-urlencoded"

/* --- input --- */

/* Of a POST: take the form of the body. ERR_INVALID for another type. */
enum err_code prometheus_take_form(struct api_call *call, struct err *e) ERR_MUST_CHECK;
/* Unix seconds with a fraction, or RFC 3339; ERR_INVALID as Prometheus words it. */
enum err_code prometheus_time(struct api_call *call, const char *name, int64_t fallback_ms,
                              int64_t *out, struct err *e) ERR_MUST_CHECK;
/* The same, and it must be given. */
enum err_code prometheus_time_needed(struct api_call *call, const char *name, int64_t *out,
                                     struct err *e) ERR_MUST_CHECK;
/* Seconds with a fraction, or "1h30m"; fallback_ms when absent. */
enum err_code prometheus_duration(struct api_call *call, const char *name, int64_t fallback_ms,
                                  int64_t *out, struct err *e) ERR_MUST_CHECK;
/* limit: 0 = none. */
enum err_code prometheus_limit(struct api_call *call, uint64_t *out, struct err *e) ERR_MUST_CHECK;
/* When a request must be over: its timeout, at most what every read has. Monotonic. */
enum err_code prometheus_deadline(struct api_call *call, int64_t *out_us,
                                  struct err *e) ERR_MUST_CHECK;

struct prometheus_selector {
    struct matcher *matchers;
    size_t count;
};
struct prometheus_selectors {
    struct prometheus_selector *items;
    size_t count;
};
/* The parameters match[]. */
enum err_code prometheus_selectors(struct api_call *call, struct prometheus_selectors *out,
                                   struct err *e) ERR_MUST_CHECK;

/* --- answers --- */

/* {"status":"success","data": ; the caller writes one value, then prometheus_end. */
struct json_writer *prometheus_begin(struct api_call *call);
/* notes: NULL allowed */
void prometheus_end(struct api_call *call, const struct promql_notes *warnings,
                    const struct promql_notes *infos);
/* {"status":"error", ...} with the status that fits; returns ERR_OK so that `return` ends the call.
 */
enum err_code prometheus_fail(struct api_call *call, const struct err *e);
/* The same for what was found while a query ran. */
enum err_code prometheus_fail_execution(struct api_call *call, const struct err *e);
void prometheus_put_labels(struct json_writer *w, const struct labels *l);
/* [1435781430.781,"1.5"] */
void prometheus_put_sample(struct json_writer *w, int64_t t_ms, double value);
#define PROMETHEUS_NUMBER_MAX (NUM_F64_TEXT_MAX + 1) /* a sign */
/* As Go prints a float shortest: 'f', and of a sample 'e' below 1e-6 and from 1e21 on. */
enum prometheus_number { PROMETHEUS_SAMPLE, PROMETHEUS_SCALAR };
void prometheus_format(double value, enum prometheus_number of, char out[PROMETHEUS_NUMBER_MAX]);

/* --- series --- */

/* The source over the call's reader and all targets; ended by prometheus_close. */
struct prometheus_source {
    struct prometheus_targets *targets;
    struct series_tsdb *series;
};
enum err_code prometheus_open(struct api_call *call, struct prometheus_source *out,
                              struct err *e) ERR_MUST_CHECK;
void prometheus_close(struct api_call *call, struct prometheus_source *s);

/* --- the targets as labels: an immutable snapshot, made anew every second at most --- */

struct prometheus_target_cache;
struct prometheus_target_cache *prometheus_target_cache_new(void);
void prometheus_target_cache_free(struct prometheus_target_cache *c); /* NULL allowed */

#endif
