/* SPDX-License-Identifier: PostgreSQL */
/*
 * api_call.h: one request on its way through a route: who asks, what, and the answer so far.
 *
 * Everything lives in the request's arena.
 */
#ifndef API_API_CALL_H
#define API_API_CALL_H

#include <stdatomic.h>

#include "api/api.h"
#include "api/api_count.h"
#include "api/fleet/api_managed.h"
#include "api/route.h"
#include "base/json.h"
#include "base/thread.h"
#include "store/store_session.h"
#include "tls/jwt.h"

#define API_VERSION_PATH     "/api/v1"
#define API_READ_DEADLINE_US (10 * (int64_t)1000000) /* of one read, security 5.9 */

/* The one-time code for the first owner; only its hash is kept. */
struct api_setup {
    struct lock lock;
    bool open;
    unsigned char hash[32];
    int64_t expires_mono_ms;
    int wrong;
};

struct api_forms;
struct prometheus_target_cache;

struct api {
    struct api_config config;
    struct jwt_key people, agents;
    int64_t start_mono_ms;
    struct api_setup setup;
    struct lock seen_lock; /* guards `seen`: collector id -> struct store_collector_seen */
    struct map *seen;
    struct map *announced; /* by the same lock: targets of older collectors; api_push_old.c */
    int64_t purged_mono_ms;
    atomic_llong inflated_bytes;             /* of pushes in work */
    struct prometheus_target_cache *targets; /* prometheus/prometheus.h */
    struct api_count *count;
    struct api_forms *forms; /* api_form.h */
    struct api_rate *rate;
    struct lock trials_lock; /* guards `trials` */
    struct api_trials trials;
};

/* How long a proof of who somebody is counts for what asks for a fresh one (route.h, step_up). */
#define API_STEP_UP_MS (5 * 60 * (int64_t)1000)
/* The type of the problem that says: POST /auth/confirm, then try again. */
#define API_STEP_UP_TYPE "urn:pga:problem:step-up"
/* The type of the problem that says: enrol a second factor first, POST /auth/totp. */
#define API_ENROL_TYPE "urn:pga:problem:enrol"

enum api_principal_kind { API_NOBODY, API_USER, API_COLLECTOR };

struct api_principal {
    enum api_principal_kind kind;
    enum route_role role; /* of a user */
    bool by_cookie;       /* then CSRF is checked */
    bool by_token;        /* of a script: the session has a user, and neither id nor times */
    bool metrics_only;    /* its scope: Prometheus's API alone */
    struct store_session session; /* of a user */
    struct store_sight sight;     /* of a user; of others: nothing */
    struct uuid collector;        /* of a collector */
    char collector_id[TEXT_UUID_SIZE];
    int64_t config_version;                  /* the newest for that collector */
    char fingerprint[X509_FINGERPRINT_SIZE]; /* of the certificate it showed; "" = none */
    const char *name;                        /* for audit: "user:alice", "collector:<id>", "" */
};

struct api_call {
    struct api *api;
    struct arena *arena;
    struct httpd_request *req;
    struct httpd_response *resp;
    const struct route *route;
    struct str params[ROUTE_PARAMS]; /* decoded path segments */
    struct api_principal who;
    struct json_doc *doc;
    const struct json *body;
    struct tsdb_reader *reader; /* returned by the dispatcher */
    struct tsdb_sight sight;    /* of the reader, when it is limited */
    struct json_writer out;     /* appends to resp->body */
    const char *problem_type;   /* of the next problem; NULL = about:blank */
    int refusal; /* status of a refusal whose words the client may read; 0 = 401 without them */
};

/* --- Answers --- */

/* An error that the handler chose the status of; returns ERR_OK so that `return` ends the call. */
enum err_code api_problem(struct api_call *call, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Set status and type and give the writer. */
struct json_writer *api_json(struct api_call *call, int status);
void api_retry_after(struct api_call *call, int64_t seconds);
/* Log an error whose text the client must not see. */
void api_log(const struct api_call *call, const struct err *e);
/* Answer with the problem that fits an error; logs what the client must not see. */
void api_fail(struct api_call *call, const struct err *e);

/* A member of an answer in RFC 3339; null for 0. */
void api_member_time(struct json_writer *w, const char *key, int64_t wall_ms);

/* --- Input; ERR_INVALID names the parameter, never the value --- */

struct api_bounds {
    int64_t fallback; /* when absent */
    int64_t min, max;
};
struct api_length {
    size_t min, max; /* bytes; min 0 = may be absent */
};
struct api_words {
    struct str *items;
    size_t count;
    bool present;
};

/* Empty view when absent. */
enum err_code api_param(struct api_call *call, const char *name, struct str *out,
                        struct err *e) ERR_MUST_CHECK;
/* Unix s or ms, RFC 3339, "now", "-1h"; fallback_ms when absent. */
enum err_code api_param_time(struct api_call *call, const char *name, int64_t fallback_ms,
                             int64_t *out, struct err *e) ERR_MUST_CHECK;
enum err_code api_param_i64(struct api_call *call, const char *name, struct api_bounds bounds,
                            int64_t *out, struct err *e) ERR_MUST_CHECK;
struct api_range {
    int64_t from_ms, to_ms;
};
/* from, to; default the last hour. ERR_INVALID unless from < to. */
enum err_code api_param_range(struct api_call *call, struct api_range *out,
                              struct err *e) ERR_MUST_CHECK;
/* Comma-separated words. */
enum err_code api_param_words(struct api_call *call, const char *name, struct api_words *out,
                              struct err *e) ERR_MUST_CHECK;
/* A text member of the JSON body. ERR_INVALID when it does not fit. */
enum err_code api_member_text(struct api_call *call, const char *name, struct api_length length,
                              struct str *out, struct err *e) ERR_MUST_CHECK;
enum err_code api_member_i64(struct api_call *call, const char *name, struct api_bounds bounds,
                             int64_t *out, struct err *e) ERR_MUST_CHECK;
/* Whose things are asked for: one's own; an owner may name another account. ERR_DENIED. */
#define API_PARAM_ACCOUNT "user int: id of another account, for an owner"
enum err_code api_param_account(struct api_call *call, int64_t *out, struct err *e) ERR_MUST_CHECK;
/* The account whose things this caller may end; 0 = everybody's. */
int64_t api_own_account(const struct api_call *call);
/* A path segment that is a UUID; ERR_NOT_FOUND otherwise. */
enum err_code api_param_uuid(struct api_call *call, size_t index, struct uuid *out,
                             char text[TEXT_UUID_SIZE], struct err *e) ERR_MUST_CHECK;
/* A path segment that is a positive integer; ERR_NOT_FOUND otherwise. */
enum err_code api_param_id(struct api_call *call, size_t index, int64_t *out,
                           struct err *e) ERR_MUST_CHECK;

/* --- Lists --- */

struct api_page {
    size_t limit;
    struct str cursor; /* decoded; empty = from the start */
    int64_t number;    /* of the page, where it may be asked for */
    int64_t offset;    /* rows before it, after the cursor */
};
enum err_code api_page(struct api_call *call, struct api_page *out, struct err *e) ERR_MUST_CHECK;
/* The same where older clients may ask by page and page_size (ROUTE_PAGE_NUMBER). */
enum err_code api_page_numbered(struct api_call *call, struct api_page *out,
                                struct err *e) ERR_MUST_CHECK;
/* The same where the cursor is an id; *after: 0 = from the start. */
enum err_code api_page_by_id(struct api_call *call, struct api_page *out, int64_t *after,
                             struct err *e) ERR_MUST_CHECK;
/* {"data": [ ... then api_list_end, which closes the object. */
struct json_writer *api_list_begin(struct api_call *call);
/* next: the cursor's contents; NULL = last page. total -1 = not counted. */
void api_list_end(struct api_call *call, const struct api_page *page, size_t count,
                  const char *next, int64_t total);

/* --- Use --- */

/* A reader, kept in the call, which shows what the caller sees (api_sight.h). */
enum err_code api_reader(struct api_call *call, struct tsdb_reader **out,
                         struct err *e) ERR_MUST_CHECK;
struct store_actor api_actor(const struct api_call *call);
/* Who asks; leaves API_NOBODY when no credential came. ERR_DENIED for a bad one (401). */
enum err_code api_authenticate(struct api_call *call, struct err *e) ERR_MUST_CHECK;
/* The same where the route is open to anyone and its handler wants to know after all. */
enum err_code api_sign_in(struct api_call *call, struct err *e) ERR_MUST_CHECK;
/* The agent whose certificate the connection has. ERR_DENIED when it has none or a bad one. */
enum err_code api_sign_in_certificate(struct api_call *call, struct err *e) ERR_MUST_CHECK;
/* Be the collector of that id. ERR_DENIED (401) when there is none. */
enum err_code api_be_collector(struct api_call *call, struct str id, struct err *e) ERR_MUST_CHECK;
/* Whether a user proved who it is just now, for what asks for it at times. ERR_DENIED (403). */
enum err_code api_check_fresh(struct api_call *call, struct err *e) ERR_MUST_CHECK;
/* Whether a user came in the way that the route asks for. ERR_DENIED (403). */
enum err_code api_check_proof(struct api_call *call, struct err *e) ERR_MUST_CHECK;
/* Whether a change asked for by a browser comes from our own pages. ERR_DENIED (403). */
enum err_code api_check_origin(const struct api_call *call, struct err *e) ERR_MUST_CHECK;
/* The CSRF value of a session: 64 hexadecimal digits. */
void api_csrf(const struct api *api, const char *session_id, char out[65]);
const char *api_cookie_name(const struct httpd_request *r);
enum route_role api_role_of(const char *name);
/* Whether the role of this person asks for a second factor, and there is none. */
bool api_must_enrol(const struct api *api, const struct store_user *user);
/* Note that a collector was heard. */
void api_seen(struct api *api, const char *collector_id, int64_t samples);

#endif
