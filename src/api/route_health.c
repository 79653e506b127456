/* SPDX-License-Identifier: PostgreSQL */
/* route_health.c: whether the server is well; for people, load balancers and init systems. */
#include "api/api_door.h"
#include "os/clock.h"
#include "os/sandbox.h"

static void put_check(struct json_writer *w, const char *name, bool good, const char *detail)
{
    json_key(w, name);
    json_object_begin(w);
    json_member_bool(w, "ok", good);
    json_member_c(w, "detail", detail);
    json_object_end(w);
}

/* What the process has given up; good either way, as the configuration may say so. */
static void put_sandbox(struct json_writer *w)
{
    struct buf text;

    buf_init(&text, 512);
    sandbox_describe(&text);
    put_check(w, "sandbox", true, text.ptr);
    buf_fini(&text);
}

/* Which of them are open; good either way, as the configuration says so. */
static void put_doors(struct json_writer *w, const struct api *api)
{
    struct buf text;

    buf_init(&text, 512);
    api_door_describe(api, &text);
    put_check(w, "doors", true, text.ptr);
    buf_fini(&text);
}

static enum err_code health(struct api_call *call, struct err *e)
{
    bool database = store_ping(call->api->config.store, e) == ERR_OK;
    struct tsdb_stats stats;
    struct json_writer *w;
    bool good;

    if (!database)
        api_log(call, e);
    tsdb_stats(call->api->config.tsdb, &stats);
    good = database && !stats.full;
    w = api_json(call, good ? 200 : 503);
    json_object_begin(w);
    json_member_c(w, "status", good ? "ok" : "degraded");
    json_member_c(w, "version", PGA_VERSION);
    api_member_time(w, "timestamp", clock_wall_ms());
    json_member_i64(w, "uptime", (clock_mono_ms() - call->api->start_mono_ms) / 1000);
    json_member_bool(w, "database_ok", database);
    json_member_null(w, "timescale_ok");
    json_key(w, "checks");
    json_object_begin(w);
    put_check(w, "database", database, database ? "answers" : "does not answer");
    put_sandbox(w);
    put_doors(w, call->api);
    put_check(w, "ingest", !stats.full, stats.full ? "full: pushes are refused" : "takes data");
    json_object_end(w);
    json_object_end(w);
    return ERR_OK;
}

const struct route route_health_get = {
    .method = "GET",
    .path = "/api/v1/health",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API | HTTPD_AGENT,
    .handle = health,
    .summary = "Whether the server is well.",
    .answer = "{status: text(ok|degraded), version: text, timestamp: time, uptime: int 'seconds',"
              " database_ok: bool, timescale_ok: bool?, checks: {*: {ok: bool, detail: text}}}",
    .also = "503",
};

static enum err_code put_status(struct api_call *call, int status, const char *text)
{
    struct json_writer *w = api_json(call, status);

    json_object_begin(w);
    json_member_c(w, "status", text);
    json_object_end(w);
    return ERR_OK;
}

static enum err_code live(struct api_call *call, struct err *e)
{
    (void)e;
    return put_status(call, 200, "ok");
}

const struct route route_health_live = {
    .method = "GET",
    .path = "/healthz",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API | HTTPD_AGENT,
    .handle = live,
    .summary = "The process answers.",
    .answer = "{status: text}",
};

static enum err_code ready(struct api_call *call, struct err *e)
{
    enum err_code rc = store_ping(call->api->config.store, e);

    if (rc == ERR_OK)
        rc = tsdb_admit(call->api->config.tsdb, e);
    if (rc != ERR_OK) {
        api_log(call, e);
        return put_status(call, 503, "not ready");
    }
    return put_status(call, 200, "ready");
}

const struct route route_health_ready = {
    .method = "GET",
    .path = "/readyz",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API | HTTPD_AGENT,
    .handle = ready,
    .summary = "The server takes data and answers questions.",
    .answer = "{status: text}",
    .also = "503",
};

static enum err_code version(struct api_call *call, struct err *e)
{
    struct json_writer *w = api_json(call, 200);

    (void)e;
    json_object_begin(w);
    json_member_c(w, "version", PGA_VERSION);
    json_member_c(w, "api", "v1");
    json_object_end(w);
    return ERR_OK;
}

const struct route route_health_version = {
    .method = "GET",
    .path = "/version",
    .role = ROUTE_ANYONE,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API | HTTPD_AGENT,
    .handle = version,
    .summary = "Version of the server and of its API.",
    .answer = "{version: text, api: text}",
};
