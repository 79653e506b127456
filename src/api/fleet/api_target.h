/* SPDX-License-Identifier: PostgreSQL */
/* api_target.h: what the routes below /servers share: the target, its state, its load. */
#ifndef API_FLEET_API_TARGET_H
#define API_FLEET_API_TARGET_H

#include "api/api_call.h"
#include "store/store_target.h"

/* The target of the path; ERR_NOT_FOUND. A target with data that was never described is found. */
enum err_code api_target_get(struct api_call *call, struct uuid *id, struct store_target *out,
                             struct err *e) ERR_MUST_CHECK;
/* All targets that the caller sees, or those of one collector, in order of name. */
enum err_code api_target_all(struct api_call *call, const char *collector,
                             struct store_target_page *out, struct err *e) ERR_MUST_CHECK;
/* CPUs of the target's host; 0 = not known. */
double api_target_vcpus(struct api_call *call, const struct store_target *t);
/* Whether its host is known, and not among the targets that the caller sees. */
enum err_code api_target_host_hidden(struct api_call *call, const struct store_target *t,
                                     bool *hidden, struct err *e) ERR_MUST_CHECK;

/*
 * "new", "live", "stale", "offline" by the age of the newest reading; "down" instead of "live" when
 * the newest heartbeat says that PostgreSQL did not answer. What has no heartbeat is never down.
 */
struct api_target_state {
    const char *state;
    struct str reason; /* why it is down; empty = not known, or not down */
    int64_t last_t_ms; /* of the newest reading; 0 = none */
    int64_t every_ms;  /* its fastest clock that was running then; 0 = none */
};
/* The state by the age of the newest reading alone; never "down". */
void api_target_age(const struct tsdb_group *groups, size_t count, int64_t now_ms,
                    struct api_target_state *out);
/* groups: those of the target, by tsdb_groups on the call's reader. */
enum err_code api_target_state(struct api_call *call, const struct tsdb_group *groups, size_t count,
                               struct api_target_state *out, struct err *e) ERR_MUST_CHECK;

/*
 * Sessions that count as load, by session history. wait_event_type: "" = on the CPU.
 * Idle background processes wait under type Activity and are no load.
 */
bool api_target_is_load(struct str state, struct str backend_type, struct str wait_event_type);
/* The class of a wait event type: "CPU", "IO", ... "Other". */
const char *api_target_wait_class(struct str wait_event_type);
#define API_TARGET_WAIT_CLASSES 10
const char *api_target_wait_class_name(size_t index); /* in the order of drawing */

/* Sampling ticks in (from, to]; 0 when there are none. */
enum err_code api_target_ticks(struct api_call *call, const struct uuid *id,
                               const struct api_range *range, double *ticks,
                               struct err *e) ERR_MUST_CHECK;
/* Mean active sessions in (from, to]; negative when there is no history. */
enum err_code api_target_load(struct api_call *call, const struct uuid *id,
                              const struct api_range *range, double *aas,
                              struct err *e) ERR_MUST_CHECK;

#endif
