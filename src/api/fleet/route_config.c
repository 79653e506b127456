/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_config.c: the configuration that the server keeps for an agent.
 *
 * People put versions of it, the agent fetches the newest and says what became of it. A text is
 * checked against the agent's own table of keys before it is kept.
 */
#include <stdio.h>
#include <string.h>

#include "api/api_call.h"
#include "base/diff.h"
#include "base/limits.h"
#include "base/num.h"
#include "os/clock.h"
#include "store/store_collector.h"
#include "store/store_config.h"

#define TOML_TYPE "text/plain; charset=utf-8"

/* The collector of the path; an agent sees its own alone. */
static enum err_code read_collector(struct api_call *call, char id[TEXT_UUID_SIZE], struct err *e)
{
    struct uuid uuid;
    enum err_code rc = api_param_uuid(call, 0, &uuid, id, e);

    if (rc == ERR_OK && call->who.kind == API_COLLECTOR &&
        !text_uuid_eq(&uuid, &call->who.collector))
        return err_set(e, ERR_NOT_FOUND, "there is nothing with this id");
    return rc;
}

static enum err_code load(struct api_call *call, int64_t version, struct store_config *out,
                          struct err *e)
{
    char id[TEXT_UUID_SIZE];
    enum err_code rc = read_collector(call, id, e);

    if (rc == ERR_OK)
        rc = store_config_get(call->api->config.store, call->arena,
                              (struct store_config_key){id, version}, out, e);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND, "there is no such configuration");
    return rc;
}

static void put_text(struct api_call *call, const struct store_config *config)
{
    char version[24], etag[32];

    snprintf(version, sizeof(version), "%lld", (long long)config->version);
    snprintf(etag, sizeof(etag), "\"%lld\"", (long long)config->version);
    httpd_add_header(call->resp, "X-Config-Version", version);
    httpd_add_header(call->resp, "ETag", etag);
    if (httpd_matches_etag(call->req, etag)) {
        call->resp->status = 304;
        return;
    }
    call->resp->status = 200;
    call->resp->content_type = TOML_TYPE;
    buf_reset(&call->resp->body);
    buf_add_c(&call->resp->body, config->toml);
}

/* --- get --- */

static enum err_code get(struct api_call *call, struct err *e)
{
    struct store_config config;
    enum err_code rc;

    if (call->who.kind == API_COLLECTOR)
        api_seen(call->api, call->who.collector_id, 0);
    rc = load(call, 0, &config, e);
    if (rc == ERR_OK)
        put_text(call, &config);
    return rc;
}

static const char *const get_headers[] = {
    "If-None-Match text: the ETag of the version that is known",
    NULL,
};

const struct route route_config_get = {
    .method = "GET",
    .path = "/api/v1/config/{collector_id}",
    .role = ROUTE_OPERATOR,
    .sight = ROUTE_SIGHT_COLLECTOR,
    .own_agent = true,
    .classes = HTTPD_API | HTTPD_AGENT,
    .headers = get_headers,
    .handle = get,
    .summary = "The newest configuration kept for an agent, as TOML; X-Config-Version counts.",
    .answer_type = "text/plain",
    .also = "304",
};

/* --- put --- */

static enum err_code read_text(struct api_call *call, struct buf *text, struct err *e)
{
    enum err_code rc = httpd_read_body(call->req, text, e);

    if (rc == ERR_LIMIT)
        return api_problem(call, 413, "a configuration has at most %d bytes", LIMIT_CENTRAL_BYTES);
    if (rc != ERR_OK)
        return rc;
    if (text->len > 0 && memchr(text->ptr, '\0', text->len) != NULL)
        return err_set(e, ERR_INVALID, "the configuration holds a NUL byte");
    rc = call->api->config.check_config(buf_view(text), e);
    return rc == ERR_OK ? rc : api_problem(call, 400, "%s", e->text);
}

static enum err_code keep(struct api_call *call, struct str toml, struct err *e)
{
    struct store_actor who = api_actor(call);
    char id[TEXT_UUID_SIZE];
    struct store_config_put put = {.collector = id, .toml = toml};
    struct json_writer *w;
    enum err_code rc = read_collector(call, id, e);

    if (rc == ERR_OK)
        rc = store_config_put(call->api->config.store, &who, &put, e);
    if (rc != ERR_OK)
        return rc;
    w = api_json(call, 200);
    json_object_begin(w);
    json_member_c(w, "status", put.added ? "updated" : "unchanged");
    json_member_c(w, "collector_id", id);
    json_member_i64(w, "version", put.version);
    json_member_c(w, "message",
                  put.added ? "the agent gets it with its next call"
                            : "this is the newest version");
    json_object_end(w);
    return ERR_OK;
}

static enum err_code put(struct api_call *call, struct err *e)
{
    struct buf text;
    enum err_code rc;

    buf_init(&text, LIMIT_CENTRAL_BYTES);
    rc = read_text(call, &text, e);
    if (rc != ERR_OK && !call->req->body_done)
        call->resp->close = true;
    if (rc == ERR_OK && call->resp->status < 400)
        rc = keep(call, text.len > 0 ? buf_view(&text) : STR(""), e);
    buf_fini(&text);
    return rc;
}

const struct route route_config_put = {
    .method = "PUT",
    .path = "/api/v1/config/{collector_id}",
    .role = ROUTE_OPERATOR,
    .sight = ROUTE_SIGHT_COLLECTOR,
    .classes = HTTPD_API,
    .body = ROUTE_RAW,
    .max_body = LIMIT_CENTRAL_BYTES,
    .accepts = "application/toml",
    .handle = put,
    .summary = "Keep a new configuration for an agent: TOML that stands over the agent's own file.",
    .answer = "{status: text(updated|unchanged), collector_id: uuid, version: int, message: text}",
    .also = "413",
};

/* --- history --- */

static enum err_code list(struct api_call *call, struct err *e)
{
    char id[TEXT_UUID_SIZE], next[24] = "";
    struct store_config_page list = {.collector = id};
    struct store_collector collector;
    struct api_page page;
    enum err_code rc = read_collector(call, id, e);

    if (rc == ERR_OK)
        rc = store_collector_get(call->api->config.store, call->arena, id, &collector, e);
    if (rc == ERR_OK)
        rc = api_page(call, &page, e);
    if (rc == ERR_OK && page.cursor.len > 0 &&
        num_parse_i64(page.cursor, 1, INT64_MAX, &list.before, NULL) != ERR_OK)
        rc = err_set(e, ERR_INVALID, "cursor: not one of ours");
    if (rc == ERR_OK) {
        list.limit = page.limit;
        rc = store_config_list(call->api->config.store, call->arena, &list, e);
    }
    if (rc != ERR_OK)
        return rc;
    (void)api_list_begin(call);
    for (size_t i = 0; i < list.count; i++) {
        json_object_begin(&call->out);
        json_member_i64(&call->out, "version", list.rows[i].version);
        api_member_time(&call->out, "created_at", list.rows[i].created_ms);
        json_member_c(&call->out, "created_by", list.rows[i].author);
        json_member_i64(&call->out, "size", list.rows[i].size);
        json_object_end(&call->out);
    }
    if (list.count > 0)
        snprintf(next, sizeof(next), "%lld", (long long)list.rows[list.count - 1].version);
    /* versions have no holes: the newest is their number */
    api_list_end(call, &page, list.count, list.count == page.limit ? next : NULL,
                 collector.config_version);
    return ERR_OK;
}

static const char *const list_query[] = {
    ROUTE_PAGE,
    NULL,
};

const struct route route_config_list = {
    .method = "GET",
    .path = "/api/v1/config/{collector_id}/versions",
    .role = ROUTE_OPERATOR,
    .sight = ROUTE_SIGHT_COLLECTOR,
    .classes = HTTPD_API,
    .query = list_query,
    .handle = list,
    .summary = "The versions of an agent's configuration, newest first: who made which, and when.",
    .answer = ROUTE_LIST("{version: int, created_at: time, created_by: text, size: int}"),
};

static enum err_code version(struct api_call *call, struct err *e)
{
    struct store_config config;
    int64_t number;
    enum err_code rc = api_param_id(call, 1, &number, e);

    if (rc == ERR_OK)
        rc = load(call, number, &config, e);
    if (rc == ERR_OK)
        put_text(call, &config);
    return rc;
}

const struct route route_config_version = {
    .method = "GET",
    .path = "/api/v1/config/{collector_id}/versions/{id}",
    .role = ROUTE_OPERATOR,
    .sight = ROUTE_SIGHT_COLLECTOR,
    .classes = HTTPD_API,
    .handle = version,
    .summary = "One version of an agent's configuration, as TOML.",
    .answer_type = "text/plain",
    .also = "304",
};

static enum err_code diff(struct api_call *call, struct err *e)
{
    static const struct store_config nothing = {.toml = ""};
    const struct api_bounds bounds = {0, 0, INT64_MAX};
    struct store_config from = nothing, to;
    int64_t from_version, to_version;
    enum err_code rc = api_param_i64(call, "to", bounds, &to_version, e);

    if (rc == ERR_OK)
        rc = load(call, to_version, &to, e);
    if (rc == ERR_OK)
        rc = api_param_i64(call, "from", (struct api_bounds){to.version - 1, 0, INT64_MAX},
                           &from_version, e);
    if (rc == ERR_OK && from_version > 0)
        rc = load(call, from_version, &from, e);
    if (rc != ERR_OK)
        return rc;
    call->resp->status = 200;
    call->resp->content_type = TOML_TYPE;
    buf_reset(&call->resp->body);
    diff_lines(str_of(from.toml), str_of(to.toml), &call->resp->body);
    return ERR_OK;
}

static const char *const diff_query[] = {
    "from int: a version, default the one before to; 0 = nothing",
    "to int: a version, default the newest",
    NULL,
};

const struct route route_config_diff = {
    .method = "GET",
    .path = "/api/v1/config/{collector_id}/diff",
    .role = ROUTE_OPERATOR,
    .sight = ROUTE_SIGHT_COLLECTOR,
    .classes = HTTPD_API,
    .query = diff_query,
    .handle = diff,
    .summary = "What changed between two versions: lines behind '- ', '+ ' or two blanks.",
    .answer_type = "text/plain",
};

/* --- what the agent says --- */

static enum err_code tell(struct api_call *call, const struct store_config_report *r, struct err *e)
{
    struct store_collector c;
    struct batch_event event = {.t_ms = clock_wall_ms()};
    struct json_writer w;
    struct buf body;
    enum err_code rc = store_collector_get(call->api->config.store, call->arena, r->collector, &c,
                                           e);

    if (rc != ERR_OK)
        return rc;
    event.kind = r->failed != 0 ? STR("config_failed") : STR("config_applied");
    event.severity = r->failed != 0 ? BATCH_ERROR : BATCH_INFO;
    event.title = str_of(
        arena_printf(call->arena,
                     r->failed != 0 ? "agent %s cannot apply configuration %lld: %.*s"
                                    : "agent %s applied configuration %lld%.*s",
                     c.name, (long long)(r->failed != 0 ? r->failed : r->applied),
                     (int)(r->failed != 0 ? r->error.len : 0), r->failed != 0 ? r->error.ptr : ""));
    buf_init(&body, LIMIT_JSON_BODY_BYTES);
    json_writer_init(&w, &body);
    json_object_begin(&w);
    json_member_c(&w, "collector", c.id);
    json_member_c(&w, "name", c.name);
    json_member_i64(&w, "applied", r->applied);
    json_member_i64(&w, "failed", r->failed);
    json_member_str(&w, "error", r->error);
    json_object_end(&w);
    event.body = buf_view(&body);
    rc = tsdb_event_add(call->api->config.tsdb, &event, e);
    buf_fini(&body);
    return rc;
}

static void answer_report(struct api_call *call)
{
    struct json_writer *w = api_json(call, 200);

    json_object_begin(w);
    json_member_i64(w, "next_config_version", call->who.config_version);
    json_member_i64(w, "next_check_in_seconds", call->api->config.check_interval_ms / 1000);
    json_object_end(w);
}

static enum err_code report(struct api_call *call, struct err *e)
{
    const struct api_bounds bounds = {0, 0, INT64_MAX};
    struct store_config_report r = {.collector = call->who.collector_id};
    bool news = false;
    enum err_code rc = api_member_i64(call, "applied", bounds, &r.applied, e);

    if (rc == ERR_OK)
        rc = api_member_i64(call, "failed", bounds, &r.failed, e);
    if (rc == ERR_OK)
        rc = api_member_text(call, "error", (struct api_length){0, 400}, &r.error, e);
    if (rc == ERR_OK && r.error.ptr == NULL)
        r.error = STR("");
    api_seen(call->api, call->who.collector_id, 0);
    if (rc == ERR_OK)
        rc = store_config_report(call->api->config.store, &r, &news, e);
    if (rc == ERR_OK && news)
        rc = tell(call, &r, e);
    if (rc == ERR_OK)
        answer_report(call);
    return rc;
}

static const char *const report_members[] = {
    "applied int!: the version in effect; 0 = the agent's own file alone",
    "failed int: a version that could not be applied; 0 = none",
    "error text: why",
    NULL,
};

const struct route route_config_report = {
    .method = "POST",
    .path = "/api/v1/config/report",
    .role = ROUTE_COLLECTOR,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API | HTTPD_AGENT,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = report_members,
    .handle = report,
    .summary = "What became of a configuration; also the call of an agent with nothing to push.",
    .answer = "{next_config_version: int, next_check_in_seconds: int}",
};
