/* SPDX-License-Identifier: PostgreSQL */
/*
 * api.c: the dispatcher: what happens to every request before and after its route.
 *
 * Order: route (404, 405), listener class, who asks (401), role, origin, proof and whether the
 * route is for accounts that are limited to groups (403), whether he asks too often (429, instead
 * of any of these), content type (415), size (413) and form of the body (400, 422), then the
 * handler.
 */
#include "api/api.h"

#include <string.h>

#include "api/api_call.h"
#include "api/api_form.h"
#include "api/api_sight.h"
#include "api/prometheus/prometheus.h"
#include "api/shape.h"
#include "base/alloc.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/map.h"
#include "os/clock.h"

#define DROPPED_BODY_MAX 4096 /* of a route that takes none */

struct api *api_new(const struct api_config *config)
{
    struct api *api = alloc_new(sizeof(*api));

    api->config = *config;
    if (api->config.push_bytes == 0)
        api->config.push_bytes = LIMIT_PUSH_INFLATED_BYTES;
    jwt_key_init(&api->people, JWT_PEOPLE, config->keys->people);
    jwt_key_init(&api->agents, JWT_AGENTS, config->keys->agents);
    api->start_mono_ms = clock_mono_ms();
    lock_init(&api->setup.lock, "api.setup", 50);
    lock_init(&api->seen_lock, "api.seen", 51);
    lock_init(&api->trials_lock, "api.trials", 52);
    api->seen = map_new();
    api->announced = map_new();
    api->targets = prometheus_target_cache_new();
    api->count = api_count_new();
    api->forms = api_forms_new();
    api->rate = api_rate_new(&config->rates);
    return api;
}

void api_free(struct api *api)
{
    if (api == NULL)
        return;
    prometheus_target_cache_free(api->targets);
    map_free(api->seen, alloc_free);
    map_free(api->announced, alloc_free);
    lock_fini(&api->seen_lock);
    lock_fini(&api->trials_lock);
    lock_fini(&api->setup.lock);
    api_rate_free(api->rate);
    api_forms_free(api->forms);
    api_count_free(api->count);
    crypto_wipe(&api->people, sizeof(api->people));
    crypto_wipe(&api->agents, sizeof(api->agents));
    alloc_free(api);
}

/* --- one request --- */

static bool find_route(struct api_call *call)
{
    struct buf allow;
    enum err_code rc = ERR_OK;

    buf_init(&allow, 256);
    call->route = route_find(call->req->method, call->req->path, call->params, &allow);
    if (call->route != NULL && (call->route->classes & call->req->listener->classes) == 0)
        call->route = NULL;
    if (call->route == NULL && allow.len > 0) {
        httpd_add_header(call->resp, "Allow", allow.ptr);
        (void)api_problem(call, 405, "this address does not take this method");
    } else if (call->route == NULL) {
        (void)api_problem(call, 404, "there is nothing at this address");
    }
    for (size_t i = 0; call->route != NULL && rc == ERR_OK && i < ROUTE_PARAMS; i++)
        rc = httpd_decode(call->arena, call->params[i], &call->params[i], NULL);
    if (rc != ERR_OK) {
        (void)api_problem(call, 400, "a percent escape in the address is wrong");
        call->route = NULL;
    }
    buf_fini(&allow);
    return call->route != NULL;
}

static bool admit(struct api_call *call)
{
    enum route_role need = call->route->role;
    struct err e;
    enum err_code rc = api_authenticate(call, &e);

    if (rc == ERR_DENIED) {
        struct log_ctx ctx = {.component = "api", .request = call->req->id};

        log_debug(&ctx, "refused: %s", e.text);
        if (call->refusal != 403)
            httpd_add_header(call->resp, "WWW-Authenticate", "Bearer");
        (void)api_problem(call, call->refusal != 0 ? call->refusal : 401, "%s",
                          call->refusal != 0 ? e.text : "sign in first");
        return false;
    }
    if (rc == ERR_OK)
        rc = api_check_origin(call, &e);
    if (rc == ERR_OK && call->who.kind == API_USER && !route_admits(need, call->who.role))
        rc = err_set(&e, ERR_DENIED, "this needs the role %s, and %s is %s", route_role_name(need),
                     call->who.by_token ? "that of the token" : "yours",
                     call->who.by_token ? route_role_name(call->who.role)
                                        : call->who.session.user.role);
    if (rc == ERR_OK)
        rc = api_check_proof(call, &e);
    if (rc == ERR_OK)
        rc = api_sight_check(call, &e);
    if (rc != ERR_OK)
        api_fail(call, &e);
    return rc == ERR_OK;
}

/*
 * Whether the client may ask once more. One that showed no valid credential is its address, and
 * pays for what is refused as well.
 */
static bool charge(struct api_call *call)
{
    const struct api_principal *who = &call->who;
    enum api_rate_kind kind = who->kind == API_USER        ? API_RATE_SESSION
                              : who->kind == API_COLLECTOR ? API_RATE_COLLECTOR
                                                           : API_RATE_ADDRESS;
    const char *name = who->kind == API_USER        ? who->session.id
                       : who->kind == API_COLLECTOR ? who->collector_id
                                                    : call->req->peer;
    int64_t wait_ms = api_rate_take(call->api->rate, kind, str_of(name), clock_mono_us());

    if (wait_ms == 0)
        return true;
    buf_reset(&call->resp->head);
    api_retry_after(call, (wait_ms + 999) / 1000);
    (void)api_problem(call, 429, "too many requests; try again later");
    if (!call->req->body_done)
        call->resp->close = true;
    return false;
}

static bool is_known_member(const char *const *members, struct str key)
{
    for (; members != NULL && *members != NULL; members++) {
        if (route_line_is(*members, key))
            return true;
    }
    return false;
}

static void refuse_body(struct api_call *call, const struct err *e)
{
    switch (e->code) {
    case ERR_LIMIT:
        (void)api_problem(call, 413, "%s", e->text);
        break;
    case ERR_TIMEOUT:
        (void)api_problem(call, 408, "%s", e->text);
        break;
    default:
        (void)api_problem(call, 400, "%s", e->text);
        break;
    }
    if (!call->req->body_done)
        call->resp->close = true;
}

static bool parse_body(struct api_call *call, struct str text)
{
    const struct json_limits limits = {call->route->max_body, LIMIT_JSON_DEPTH, true};
    struct json_iter it;
    struct err e;

    if (json_parse(text, &limits, &call->doc, &e) != ERR_OK) {
        refuse_body(call, &e);
        return false;
    }
    call->body = json_root(call->doc);
    if (json_type(call->body) != JSON_OBJECT) {
        (void)api_problem(call, 400, "the body is not a JSON object");
        return false;
    }
    for (it = json_iter(call->body); json_next(&it);) {
        if (is_known_member(call->route->members, it.key))
            continue;
        (void)api_problem(call, 422, "the body has a member that is not known here");
        return false;
    }
    return true;
}

/* A body may be left out where all of its members may be. */
static bool may_be_empty(const struct route *route)
{
    struct shape_line line;
    bool required = false;

    for (const char *const *m = route->members; m != NULL && *m != NULL; m++)
        required = required || shape_read_line(*m, &line, NULL) != ERR_OK || line.required;
    return !required;
}

static bool is_json_type(struct str type)
{
    return str_eq_nocase(str_trim(str_split(&type, ';')), STR("application/json"));
}

static bool take_body(struct api_call *call)
{
    bool json = call->route->body == ROUTE_JSON;
    struct buf text;
    struct err e;
    bool good;

    if (call->route->body == ROUTE_RAW)
        return true;
    if (json && call->req->content_length == 0 && may_be_empty(call->route))
        return true;
    if (json && !is_json_type(httpd_header(call->req, "Content-Type"))) {
        (void)api_problem(call, 415, "the body must be application/json");
        return false;
    }
    /* Some clients announce chunks and never send the last one: answer, then close. */
    if (!json && call->req->content_length <= 0)
        return true;
    buf_init(&text, json ? call->route->max_body : DROPPED_BODY_MAX);
    good = httpd_read_body(call->req, &text, &e) == ERR_OK;
    if (!good)
        refuse_body(call, &e);
    else if (json)
        good = parse_body(call, buf_view(&text));
    crypto_wipe(text.ptr, text.len); /* it may hold a password */
    buf_fini(&text);
    return good;
}

static void log_access(const struct api_call *call)
{
    struct log_ctx ctx = {.component = "access", .request = call->req->id};
    int64_t ms = (clock_mono_us() - call->req->start_mono_us) / 1000;

    log_debug(&ctx, "%.*s %.*s %d in %lld ms for %s from %s", STR_ARG(call->req->method),
              STR_ARG(call->req->path), call->resp->status, (long long)ms,
              call->who.name && call->who.name[0] ? call->who.name : "nobody", call->req->peer);
}

/*
 * Readings on their way in or out: no secrets, and much of it. Everything else is wiped when it is
 * given back (httpd.c).
 */
static bool is_bulk(const struct route *route)
{
    return (route->role == ROUTE_COLLECTOR && route->body == ROUTE_RAW) ||
           (route->role == ROUTE_VIEWER && strcmp(route->method, "GET") == 0);
}

static enum err_code run_handler(struct api_call *call, struct err *e)
{
    bool bulk = is_bulk(call->route);
    enum err_code rc;

    if (bulk)
        alloc_wipe_end();
    rc = call->route->handle(call, e);
    if (bulk)
        alloc_wipe_begin();
    return rc;
}

void api_handle(void *arg, struct httpd_request *r, struct httpd_response *w)
{
    struct api_call call = {.api = arg, .arena = r->arena, .req = r, .resp = w};
    struct err e;
    bool good;

    api_count_in_flight(call.api->count, 1);
    good = find_route(&call) && admit(&call);
    if (charge(&call) && good && take_body(&call)) {
        enum err_code rc = run_handler(&call, &e);

        if (rc == ERR_OK)
            rc = arena_check(call.arena, &e);
        if (rc != ERR_OK)
            api_fail(&call, &e);
    }
    tsdb_reader_return(call.reader);
    json_doc_free(call.doc);
    log_access(&call);
    api_count_in_flight(call.api->count, -1);
    api_count_add(call.api->count, call.route, w->status, clock_mono_us() - r->start_mono_us);
}
