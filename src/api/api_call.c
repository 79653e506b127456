/* SPDX-License-Identifier: PostgreSQL */
/* api_call.c: parameters, answers and lists for the routes. */
#include "api/api_call.h"

#include <stdio.h>
#include <string.h>

#include "api/api_sight.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/num.h"
#include "os/clock.h"

#define HOUR_MS         (3600 * (int64_t)1000)
#define PAGE_NUMBER_MAX 1000000

/* --- answers --- */

enum err_code api_problem(struct api_call *call, int status, const char *fmt, ...)
{
    struct json_writer w;
    const char *detail;
    va_list ap;

    va_start(ap, fmt);
    detail = arena_vprintf(call->arena, fmt, ap);
    va_end(ap);
    call->resp->status = status;
    call->resp->content_type = "application/problem+json";
    buf_reset(&call->resp->body);
    json_writer_init(&w, &call->resp->body);
    json_object_begin(&w);
    json_member_c(&w, "type", call->problem_type != NULL ? call->problem_type : "about:blank");
    json_member_c(&w, "title", httpd_status_text(status));
    json_member_i64(&w, "status", status);
    json_member_c(&w, "detail", detail);
    json_member_c(&w, "instance", call->req->id);
    json_member_i64(&w, "code", status);
    json_member_c(&w, "message", detail);
    json_object_end(&w);
    return ERR_OK;
}

struct json_writer *api_json(struct api_call *call, int status)
{
    call->resp->status = status;
    call->resp->content_type = "application/json";
    buf_reset(&call->resp->body);
    json_writer_init(&call->out, &call->resp->body);
    return &call->out;
}

void api_retry_after(struct api_call *call, int64_t seconds)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)(seconds > 0 ? seconds : 1));
    httpd_add_header(call->resp, "Retry-After", text);
}

static int status_of(enum err_code code)
{
    switch (code) {
    case ERR_INVALID:
        return 400;
    case ERR_DENIED:
        return 403;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_CONFLICT:
        return 409;
    case ERR_LIMIT:
        return 422;
    case ERR_UNSUPPORTED:
        return 501;
    case ERR_TIMEOUT:
    case ERR_UNREACHABLE:
    case ERR_IO:
    case ERR_CANCELLED:
        return 503;
    case ERR_OK:
    case ERR_CORRUPT:
    case ERR_BUG:
        break;
    }
    return 500;
}

void api_log(const struct api_call *call, const struct err *e)
{
    struct log_ctx ctx = {.component = "api", .request = call->req->id};

    log_warn(&ctx, "%s: %s", err_code_name(e->code), e->text);
}

void api_fail(struct api_call *call, const struct err *e)
{
    int status = status_of(e->code);

    if (status >= 500)
        api_log(call, e);
    if (status == 503)
        api_retry_after(call, 1);
    if (e->code == ERR_TIMEOUT)
        (void)api_problem(call, status, "this took too long; ask for less");
    else if (status >= 500)
        (void)api_problem(call, status, "the server could not do this; its log says why");
    else
        (void)api_problem(call, status, "%s", e->text);
}

void api_member_time(struct json_writer *w, const char *key, int64_t wall_ms)
{
    char text[NUM_TIME_TEXT_MAX];

    if (wall_ms == 0) {
        json_member_null(w, key);
        return;
    }
    num_format_time(wall_ms, text);
    json_member_c(w, key, text);
}

/* --- input --- */

enum err_code api_param(struct api_call *call, const char *name, struct str *out, struct err *e)
{
    bool found;

    return httpd_query(call->req, name, out, &found, e);
}

static bool parse_time(struct str s, int64_t now_ms, int64_t *out)
{
    int64_t ago;

    if (str_eq_c(s, "now")) {
        *out = now_ms;
        return true;
    }
    if (s.len > 1 && s.ptr[0] == '-') {
        if (num_parse_duration_ms(str_make(s.ptr + 1, s.len - 1), &ago, NULL) != ERR_OK)
            return false;
        *out = now_ms - ago;
        return true;
    }
    return num_parse_time_ms(s, out, NULL) == ERR_OK;
}

struct moment {
    int64_t now_ms, fallback_ms;
};

static enum err_code read_time(struct api_call *call, const char *name, struct moment at,
                               int64_t *out, struct err *e)
{
    struct str s;
    enum err_code rc = api_param(call, name, &s, e);

    *out = at.fallback_ms;
    if (rc == ERR_OK && s.len > 0 && !parse_time(s, at.now_ms, out))
        return err_set(e, ERR_INVALID, "%s: not a time", name);
    return rc;
}

enum err_code api_param_time(struct api_call *call, const char *name, int64_t fallback_ms,
                             int64_t *out, struct err *e)
{
    return read_time(call, name, (struct moment){clock_wall_ms(), fallback_ms}, out, e);
}

enum err_code api_param_i64(struct api_call *call, const char *name, struct api_bounds bounds,
                            int64_t *out, struct err *e)
{
    struct str s;
    enum err_code rc = api_param(call, name, &s, e);

    *out = bounds.fallback;
    if (rc == ERR_OK && s.len > 0 && num_parse_i64(s, bounds.min, bounds.max, out, NULL) != ERR_OK)
        return err_set(e, ERR_INVALID, "%s: not a number from %lld to %lld", name,
                       (long long)bounds.min, (long long)bounds.max);
    return rc;
}

enum err_code api_param_range(struct api_call *call, struct api_range *out, struct err *e)
{
    int64_t now = clock_wall_ms(); /* one for both: -1h to now is an hour to the millisecond */
    enum err_code rc = read_time(call, "to", (struct moment){now, now}, &out->to_ms, e);

    if (rc == ERR_OK)
        rc = read_time(call, "from", (struct moment){now, out->to_ms - HOUR_MS}, &out->from_ms, e);
    if (rc == ERR_OK && (out->from_ms >= out->to_ms || out->from_ms < 0))
        return err_set(e, ERR_INVALID, "from is not before to");
    return rc;
}

enum err_code api_param_words(struct api_call *call, const char *name, struct api_words *out,
                              struct err *e)
{
    struct str rest;
    size_t room = 1;
    enum err_code rc = httpd_query(call->req, name, &rest, &out->present, e);

    out->count = 0;
    out->items = NULL;
    if (rc != ERR_OK || rest.len == 0)
        return rc;
    for (size_t i = 0; i < rest.len; i++)
        room += rest.ptr[i] == ',';
    out->items = arena_array(call->arena, room, sizeof(*out->items));
    while (out->items != NULL && rest.ptr != NULL)
        out->items[out->count++] = str_split(&rest, ',');
    return arena_check(call->arena, e);
}

enum err_code api_member_text(struct api_call *call, const char *name, struct api_length length,
                              struct str *out, struct err *e)
{
    const struct json *n = json_get(call->body, name);
    enum json_type type = json_type(n);

    *out = json_str(n);
    if (length.min == 0 && (type == JSON_ABSENT || type == JSON_NULL))
        return ERR_OK;
    if (type != JSON_STR || out->len < length.min || out->len > length.max)
        return err_set(e, ERR_INVALID, "%s: not a text of %zu to %zu bytes", name, length.min,
                       length.max);
    return ERR_OK;
}

enum err_code api_member_i64(struct api_call *call, const char *name, struct api_bounds bounds,
                             int64_t *out, struct err *e)
{
    const struct json *n = json_get(call->body, name);
    enum json_type type = json_type(n);

    *out = bounds.fallback;
    if (type == JSON_ABSENT || type == JSON_NULL)
        return ERR_OK;
    *out = json_i64(n, bounds.min);
    if (type != JSON_I64 || *out < bounds.min || *out > bounds.max)
        return err_set(e, ERR_INVALID, "%s: not a number from %lld to %lld", name,
                       (long long)bounds.min, (long long)bounds.max);
    return ERR_OK;
}

int64_t api_own_account(const struct api_call *call)
{
    return call->who.role == ROUTE_OWNER ? 0 : call->who.session.user.id;
}

enum err_code api_param_account(struct api_call *call, int64_t *out, struct err *e)
{
    int64_t own = call->who.session.user.id;
    enum err_code rc = api_param_i64(call, "user", (struct api_bounds){own, 1, INT64_MAX}, out, e);

    if (rc == ERR_OK && *out != own && call->who.role != ROUTE_OWNER)
        return err_set(e, ERR_DENIED, "user: only an owner may ask for others");
    return rc;
}

enum err_code api_param_uuid(struct api_call *call, size_t index, struct uuid *out,
                             char text[TEXT_UUID_SIZE], struct err *e)
{
    if (!text_parse_uuid(call->params[index], out))
        return err_set(e, ERR_NOT_FOUND, "there is nothing with this id");
    text_uuid(out, text);
    return ERR_OK;
}

enum err_code api_param_id(struct api_call *call, size_t index, int64_t *out, struct err *e)
{
    if (num_parse_i64(call->params[index], 1, INT64_MAX, out, NULL) != ERR_OK)
        return err_set(e, ERR_NOT_FOUND, "there is nothing with this id");
    return ERR_OK;
}

/* --- lists --- */

enum err_code api_page(struct api_call *call, struct api_page *out, struct err *e)
{
    struct str cursor;
    struct buf text;
    int64_t limit;
    enum err_code rc = api_param_i64(call, "limit", (struct api_bounds){100, 1, LIMIT_LIST_PAGE},
                                     &limit, e);

    if (rc == ERR_OK)
        rc = api_param(call, "cursor", &cursor, e);
    if (rc != ERR_OK)
        return rc;
    *out = (struct api_page){.limit = (size_t)limit, .number = 1};
    if (cursor.len == 0)
        return ERR_OK;
    buf_init(&text, 4096);
    rc = text_unbase64url(cursor, &text, NULL);
    if (rc == ERR_OK && text.len > 1 && text.ptr[0] == 'c')
        out->cursor = arena_str(call->arena, str_make(text.ptr + 1, text.len - 1));
    else
        rc = err_set(e, ERR_INVALID, "cursor: not one of ours");
    buf_fini(&text);
    return rc;
}

enum err_code api_page_numbered(struct api_call *call, struct api_page *out, struct err *e)
{
    int64_t size;
    enum err_code rc = api_page(call, out, e);

    if (rc == ERR_OK)
        rc = api_param_i64(call, "page", (struct api_bounds){1, 1, PAGE_NUMBER_MAX}, &out->number,
                           e);
    if (rc == ERR_OK)
        rc = api_param_i64(call, "page_size",
                           (struct api_bounds){(int64_t)out->limit, 1, LIMIT_LIST_PAGE}, &size, e);
    if (rc != ERR_OK)
        return rc;
    out->limit = (size_t)size;
    out->offset = (out->number - 1) * size;
    return ERR_OK;
}

enum err_code api_page_by_id(struct api_call *call, struct api_page *out, int64_t *after,
                             struct err *e)
{
    enum err_code rc = api_page_numbered(call, out, e);

    *after = 0;
    if (rc == ERR_OK && out->cursor.len > 0 &&
        num_parse_i64(out->cursor, 0, INT64_MAX, after, NULL) != ERR_OK)
        return err_set(e, ERR_INVALID, "cursor: not one of ours");
    return rc;
}

struct json_writer *api_list_begin(struct api_call *call)
{
    struct json_writer *w = api_json(call, 200);

    json_object_begin(w);
    json_key(w, "data");
    json_array_begin(w);
    return w;
}

static void put_cursor(struct json_writer *w, const char *next)
{
    struct buf plain, text;

    if (next == NULL) {
        json_member_null(w, "next_cursor");
        return;
    }
    buf_init(&plain, 4096);
    buf_init(&text, 8192);
    buf_add_char(&plain, 'c');
    buf_add_c(&plain, next);
    text_base64url(&text, plain.ptr, plain.len);
    json_member_str(w, "next_cursor", buf_view(&text));
    buf_fini(&text);
    buf_fini(&plain);
}

void api_list_end(struct api_call *call, const struct api_page *page, size_t count,
                  const char *next, int64_t total)
{
    struct json_writer *w = &call->out;
    int64_t limit = (int64_t)page->limit;

    if (total < 0)
        total = (int64_t)count;
    json_array_end(w);
    put_cursor(w, next);
    json_member_i64(w, "total", total);
    json_member_i64(w, "page", page->number);
    json_member_i64(w, "page_size", limit);
    json_member_i64(w, "total_pages", (total + limit - 1) / limit);
    json_object_end(w);
}

/* --- use --- */

enum err_code api_reader(struct api_call *call, struct tsdb_reader **out, struct err *e)
{
    enum err_code rc = ERR_OK;

    if (call->reader == NULL) {
        rc = tsdb_reader_borrow(call->api->config.tsdb, clock_mono_us() + API_READ_DEADLINE_US,
                                &call->reader, e);
        if (rc == ERR_OK)
            rc = api_sight_limit(call, e);
    }
    *out = rc == ERR_OK ? call->reader : NULL;
    return rc;
}

struct store_actor api_actor(const struct api_call *call)
{
    return (struct store_actor){call->who.name, call->req->peer, call->req->id};
}
