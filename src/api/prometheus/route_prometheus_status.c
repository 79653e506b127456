/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_prometheus_status.c: what clients of Prometheus ask beside series: which version answers,
 * rules, alerts, exemplars, an expression in its canonical form.
 */
#include "api/prometheus/prometheus.h"
#include "base/limits.h"
#include "promql/parse.h"

#define ANSWERS_AS "3.5.0" /* of Prometheus */

static void put_empty_list(struct json_writer *w, const char *name)
{
    json_object_begin(w);
    json_key(w, name);
    json_array_begin(w);
    json_array_end(w);
    json_object_end(w);
}

static enum err_code build(struct api_call *call, struct err *e)
{
    struct json_writer *w = prometheus_begin(call);

    (void)e;
    json_object_begin(w);
    json_member_c(w, "version", ANSWERS_AS);
    json_member_c(w, "revision", "pga");
    json_member_c(w, "branch", "");
    json_member_c(w, "buildUser", "");
    json_member_c(w, "buildDate", "");
    json_member_c(w, "goVersion", "");
    json_object_end(w);
    prometheus_end(call, NULL, NULL);
    return ERR_OK;
}

static enum err_code rules(struct api_call *call, struct err *e)
{
    (void)e;
    put_empty_list(prometheus_begin(call), "groups");
    prometheus_end(call, NULL, NULL);
    return ERR_OK;
}

static enum err_code alerts(struct api_call *call, struct err *e)
{
    (void)e;
    put_empty_list(prometheus_begin(call), "alerts");
    prometheus_end(call, NULL, NULL);
    return ERR_OK;
}

static enum err_code parse(struct api_call *call, struct expr **out, struct err *e)
{
    static const struct promql_options options = {.experimental = true};
    struct str text;
    enum err_code rc = prometheus_take_form(call, e);

    if (rc == ERR_OK)
        rc = api_param(call, "query", &text, e);
    if (rc == ERR_OK && promql_parse(call->arena, text, &options, out, e) != ERR_OK)
        rc = err_wrap(e, "invalid parameter \"query\"");
    return rc;
}

/* No series has exemplars; the expression is looked at all the same. */
static enum err_code exemplars(struct api_call *call, struct err *e)
{
    int64_t t;
    struct expr *x = NULL;
    enum err_code rc = parse(call, &x, e);

    if (rc == ERR_OK)
        rc = prometheus_time(call, "start", 0, &t, e);
    if (rc == ERR_OK)
        rc = prometheus_time(call, "end", 0, &t, e);
    if (rc)
        return prometheus_fail(call, e);
    struct json_writer *w = prometheus_begin(call);
    json_array_begin(w);
    json_array_end(w);
    prometheus_end(call, NULL, NULL);
    return ERR_OK;
}

static enum err_code format(struct api_call *call, struct err *e)
{
    struct expr *x = NULL;
    struct buf text;
    enum err_code rc = parse(call, &x, e);

    if (rc)
        return prometheus_fail(call, e);
    buf_init(&text, 4 * LIMIT_QUERY_BYTES);
    promql_print(x, &text);
    rc = buf_check(&text, e);
    if (rc == ERR_OK) {
        json_put_str(prometheus_begin(call), buf_view(&text));
        prometheus_end(call, NULL, NULL);
    }
    buf_fini(&text);
    return rc ? prometheus_fail(call, e) : ERR_OK;
}

/* --- the routes --- */

static const char *const expression[] = {"query text!: a PromQL expression", NULL};
static const char *const exemplar_members[] = {"query text!: a PromQL expression",
                                               "start text: Unix seconds or RFC 3339",
                                               "end text: Unix seconds or RFC 3339", NULL};

const struct route route_prometheus_build = {
    .method = "GET",
    .path = PROMETHEUS_PATH "/status/buildinfo",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = build,
    .summary = "Which Prometheus the answers are like.",
    .answer = "{status: text(success), data: {version: text, revision: text, branch: text,"
              " buildUser: text, buildDate: text, goVersion: text}}",
};

const struct route route_prometheus_rules = {
    .method = "GET",
    .path = PROMETHEUS_PATH "/rules",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = rules,
    .summary = "Rules in the form of Prometheus; there are none yet.",
    .answer = "{status: text(success), data: {groups: [any]}}",
};

const struct route route_prometheus_alerts = {
    .method = "GET",
    .path = PROMETHEUS_PATH "/alerts",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .handle = alerts,
    .summary = "Alerts in the form of Prometheus; there are none yet.",
    .answer = "{status: text(success), data: {alerts: [any]}}",
};

const struct route route_prometheus_exemplars = {
    .method = "GET",
    .path = PROMETHEUS_PATH "/query_exemplars",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .query = exemplar_members,
    .handle = exemplars,
    .summary = "Exemplars of series; none has any.",
    .answer = "{status: text(success), data: [any]}",
};

const struct route route_prometheus_exemplars_form = {
    .method = "POST",
    .path = PROMETHEUS_PATH "/query_exemplars",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .body = ROUTE_RAW,
    .max_body = 2 * LIMIT_QUERY_BYTES,
    .accepts = PROMETHEUS_FORM,
    .members = exemplar_members,
    .handle = exemplars,
    .summary = "The same, with a form.",
    .answer = "{status: text(success), data: [any]}",
};

const struct route route_prometheus_format = {
    .method = "GET",
    .path = PROMETHEUS_PATH "/format_query",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .query = expression,
    .handle = format,
    .summary = "An expression as it is printed canonically.",
    .answer = "{status: text(success), data: text}",
};

const struct route route_prometheus_format_form = {
    .method = "POST",
    .path = PROMETHEUS_PATH "/format_query",
    .role = ROUTE_VIEWER,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .body = ROUTE_RAW,
    .max_body = 2 * LIMIT_QUERY_BYTES,
    .accepts = PROMETHEUS_FORM,
    .members = expression,
    .handle = format,
    .summary = "The same, with a form.",
    .answer = "{status: text(success), data: text}",
};
