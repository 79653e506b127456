/* SPDX-License-Identifier: PostgreSQL */
/* prometheus_param.c: parameters as Prometheus reads them. */
#include <math.h>
#include <string.h>

#include "api/prometheus/prometheus.h"
#include "base/limits.h"
#include "base/num.h"
#include "os/clock.h"
#include "promql/parse.h"

#define SELECTORS_MAX 64

enum err_code prometheus_take_form(struct api_call *call, struct err *e)
{
    struct str type = httpd_header(call->req, "Content-Type");
    struct buf body;
    enum err_code rc = ERR_OK;

    if (!str_eq_c(call->req->method, "POST"))
        return ERR_OK;
    if (call->req->content_length == 0)
        return ERR_OK;
    if (!str_eq_nocase(str_trim(str_split(&type, ';')), STR(PROMETHEUS_FORM)))
        return err_set(e, ERR_INVALID, "the body must be " PROMETHEUS_FORM);
    buf_init(&body, call->route->max_body);
    rc = httpd_read_body(call->req, &body, e);
    if (rc == ERR_OK)
        rc = httpd_take_form(call->req, buf_view(&body), e);
    else if (!call->req->body_done)
        call->resp->close = true;
    buf_fini(&body);
    return rc;
}

static enum err_code refuse(const char *name, struct str text, const char *what, struct err *e)
{
    return err_set(e, ERR_INVALID, "invalid parameter \"%s\": cannot parse \"%.*s\" to a valid %s",
                   name, text.len > 100 ? 100 : STR_ARG(text), what);
}

/* Unix seconds with a fraction. */
static bool parse_seconds(struct str s, int64_t *ms)
{
    double seconds;

    if (num_parse_f64(s, &seconds, NULL) != ERR_OK || !(fabs(seconds) < 9e15 / 1000))
        return false;
    *ms = (int64_t)round(seconds * 1000);
    return true;
}

enum err_code prometheus_time(struct api_call *call, const char *name, int64_t fallback_ms,
                              int64_t *out, struct err *e)
{
    struct str text;
    enum err_code rc = api_param(call, name, &text, e);

    *out = fallback_ms;
    if (rc || text.len == 0)
        return rc;
    if (parse_seconds(text, out) || num_parse_time_ms(text, out, NULL) == ERR_OK)
        return ERR_OK;
    return refuse(name, text, "timestamp", e);
}

enum err_code prometheus_time_needed(struct api_call *call, const char *name, int64_t *out,
                                     struct err *e)
{
    struct str text;
    enum err_code rc = api_param(call, name, &text, e);

    if (rc == ERR_OK && text.len == 0)
        return refuse(name, text, "timestamp", e);
    return rc ? rc : prometheus_time(call, name, 0, out, e);
}

enum err_code prometheus_duration(struct api_call *call, const char *name, int64_t fallback_ms,
                                  int64_t *out, struct err *e)
{
    struct str text;
    enum err_code rc = api_param(call, name, &text, e);

    *out = fallback_ms;
    if (rc || text.len == 0)
        return rc;
    if (parse_seconds(text, out) || promql_parse_duration(text, out))
        return ERR_OK;
    return refuse(name, text, "duration", e);
}

enum err_code prometheus_limit(struct api_call *call, uint64_t *out, struct err *e)
{
    struct str text;
    enum err_code rc = api_param(call, "limit", &text, e);

    *out = 0;
    if (rc == ERR_OK && text.len && num_parse_u64(text, UINT32_MAX, out, NULL) != ERR_OK)
        return err_set(e, ERR_INVALID, "invalid parameter \"limit\": limit must be non-negative");
    return rc;
}

enum err_code prometheus_deadline(struct api_call *call, int64_t *out_us, struct err *e)
{
    int64_t timeout_ms = API_READ_DEADLINE_US / 1000;
    enum err_code rc = prometheus_duration(call, "timeout", timeout_ms, &timeout_ms, e);

    if (timeout_ms > API_READ_DEADLINE_US / 1000)
        timeout_ms = API_READ_DEADLINE_US / 1000;
    *out_us = call->req->start_mono_us + (timeout_ms < 0 ? 0 : timeout_ms) * 1000;
    return rc;
}

enum err_code prometheus_selectors(struct api_call *call, struct prometheus_selectors *out,
                                   struct err *e)
{
    struct httpd_param *params;
    size_t count;
    enum err_code rc = httpd_params(call->req, &params, &count, e);

    out->count = 0;
    out->items = arena_array(call->arena, SELECTORS_MAX, sizeof(*out->items));
    if (rc == ERR_OK && !out->items)
        rc = arena_fail(call->arena, e);
    for (size_t i = 0; rc == ERR_OK && i < count && out->count < SELECTORS_MAX; i++) {
        struct prometheus_selector *s = &out->items[out->count];
        if (!str_eq_c(params[i].name, "match[]"))
            continue;
        rc = promql_parse_selector(call->arena, params[i].value, &s->matchers, &s->count, e);
        if (rc == ERR_OK)
            out->count++;
        else
            err_wrap(e, "invalid parameter \"match[]\"");
    }
    return rc;
}
