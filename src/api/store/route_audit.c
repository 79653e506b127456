/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_audit.c: who did what: pages, all of it as a stream, and whether it is whole.
 *
 * For auditors and owners. Reading the audit leaves no row in it; taking all of it along does.
 */
#include <stdio.h>
#include <string.h>

#include "api/api_call.h"
#include "base/log.h"
#include "base/num.h"
#include "os/clock.h"
#include "store/store_audit.h"

#define NDJSON       "application/x-ndjson"
#define EXPORT_PAGE  500
#define EXPORT_ARENA ((size_t)64 * 1024 * 1024)
#define HEAD_MAX     256

#define ROW                                                                               \
    "{number: int, at: time, actor: text 'user:NAME, collector:ID, token ... or server'," \
    " action: text, object: text 'what it was done to', detail: text, address: text,"     \
    " request: text 'id of the request, as in the log', hash: text}"

static void put_row(struct json_writer *w, const struct store_audit_row *row)
{
    json_object_begin(w);
    json_member_i64(w, "number", row->number);
    api_member_time(w, "at", row->at_ms);
    json_member_c(w, "actor", row->actor);
    json_member_c(w, "action", row->action);
    json_member_c(w, "object", row->object);
    json_member_c(w, "detail", row->detail);
    json_member_c(w, "address", row->address);
    json_member_c(w, "request", row->request);
    json_member_c(w, "hash", row->hash);
    json_object_end(w);
}

/* --- pages --- */

static enum err_code read_filter(struct api_call *call, struct store_audit_page *f, struct err *e)
{
    const struct {
        const char *name;
        struct str *to;
    } texts[] = {{"actor", &f->actor},
                 {"action", &f->action},
                 {"object", &f->object},
                 {"request", &f->request}};
    enum err_code rc = api_param_time(call, "from", 0, &f->from_ms, e);

    if (rc == ERR_OK)
        rc = api_param_time(call, "to", INT64_MAX, &f->to_ms, e);
    for (size_t i = 0; rc == ERR_OK && i < sizeof(texts) / sizeof(texts[0]); i++) {
        rc = api_param(call, texts[i].name, texts[i].to, e);
        if (texts[i].to->ptr == NULL)
            *texts[i].to = STR("");
    }
    return rc;
}

static enum err_code list(struct api_call *call, struct err *e)
{
    struct store_audit_page f = {0};
    struct api_page page;
    char next[24] = "";
    enum err_code rc = api_page_by_id(call, &page, &f.before, e);

    if (rc == ERR_OK)
        rc = read_filter(call, &f, e);
    f.limit = page.limit;
    if (rc == ERR_OK)
        rc = store_audit_list(call->api->config.store, call->arena, &f, e);
    if (rc != ERR_OK)
        return rc;
    (void)api_list_begin(call);
    for (size_t i = 0; i < f.count; i++)
        put_row(&call->out, &f.rows[i]);
    if (f.count > 0)
        (void)snprintf(next, sizeof(next), "%lld", (long long)f.rows[f.count - 1].number);
    api_list_end(call, &page, f.count, f.count == page.limit ? next : NULL, -1);
    return ERR_OK;
}

static const char *const list_query[] = {
    ROUTE_PAGE,
    "from when: from this time on",
    "to when: up to this time",
    "actor text: of this one alone, as user:alice",
    "action text: what begins with this: user. is all that was done to accounts",
    "object text: what was done to this",
    "request text: what was done by the request with this id",
    NULL,
};

const struct route route_audit_list = {
    .method = "GET",
    .path = "/api/v1/audit",
    .role = ROUTE_AUDITOR,
    .sight = ROUTE_SIGHT_FLEET,
    .classes = HTTPD_API,
    .query = list_query,
    .handle = list,
    .summary = "Who did what, newest first.",
    .answer = ROUTE_LIST(ROW),
};

/* --- all of it --- */

static enum err_code send_page(struct api_call *call, struct store_audit_page *page, struct err *e)
{
    struct json_writer w;
    struct buf lines;
    enum err_code rc;

    buf_init(&lines, EXPORT_ARENA);
    for (size_t i = 0; i < page->count; i++) {
        json_writer_init(&w, &lines);
        put_row(&w, &page->rows[i]);
        buf_add_char(&lines, '\n');
    }
    rc = buf_check(&lines, e);
    if (rc == ERR_OK && lines.len > 0)
        rc = httpd_stream(call->req, call->resp, buf_view(&lines), e);
    buf_fini(&lines);
    return rc;
}

static enum err_code send_all(struct api_call *call, struct err *e)
{
    struct store_audit_page page = {.limit = EXPORT_PAGE};
    struct arena a;
    enum err_code rc = ERR_OK;

    arena_init(&a, "audit", EXPORT_ARENA);
    do {
        arena_reset(&a);
        rc = store_audit_read(call->api->config.store, &a, &page, e);
        if (rc == ERR_OK)
            rc = send_page(call, &page, e);
        if (page.count > 0)
            page.before = page.rows[page.count - 1].number;
    } while (rc == ERR_OK && page.count == EXPORT_PAGE);
    arena_fini(&a);
    return rc;
}

static enum err_code export(struct api_call *call, struct err *e) {
    struct store_actor who = api_actor(call);
    struct log_ctx ctx = {.component = "audit", .request = call->req->id};
    enum err_code rc;

    call->resp->status = 200;
    call->resp->content_type = NDJSON;
    if (call->req->is_head) return ERR_OK;
    rc = store_audit_note(call->api->config.store, &who,
                          (struct store_audit_entry){"audit.export", "audit", ""}, e);
    if (rc == ERR_OK) rc = send_all(call, e);
    if (rc == ERR_OK || call->resp->streamed == HTTPD_WHOLE) return rc;
    log_error(&ctx, "an export of the audit was cut short: %s", e->text);
    call->resp->cut = true; /* a client must not take a part of it for all */
    return ERR_OK;
}

const struct route route_audit_export = {
    .method = "GET",
    .path = "/api/v1/audit/export",
    .role = ROUTE_AUDITOR,
    .sight = ROUTE_SIGHT_FLEET,
    .step_up = true,
    .classes = HTTPD_API,
    .handle = export,
    .summary = "All of the audit in order, a JSON object a line with the members of a page's rows; "
               "each hash covers its row and the hash before it.",
    .answer_type = NDJSON,
};

/* --- whether it is whole --- */

/* "hour:number:at_ms:hash:mac", as the log has it. */
static enum err_code parse_head(struct str text, struct store_audit_head *out, struct err *e)
{
    int64_t *const numbers[] = {&out->hour, &out->number, &out->at_ms};
    bool good = text.len < HEAD_MAX;
    struct str hash;

    for (size_t i = 0; good && i < 3; i++)
        good = num_parse_i64(str_split(&text, ':'), 0, INT64_MAX, numbers[i], NULL) == ERR_OK;
    hash = str_split(&text, ':');
    good = good && hash.len == STORE_AUDIT_HASH_SIZE - 1 && text.len == hash.len;
    if (!good)
        return err_set(e, ERR_INVALID, "head: not one of ours");
    memcpy(out->hash, hash.ptr, hash.len);
    memcpy(out->mac, text.ptr, text.len);
    out->hash[hash.len] = out->mac[text.len] = '\0';
    return ERR_OK;
}

static enum err_code verify(struct api_call *call, struct err *e)
{
    struct store_audit_head kept = {0};
    struct store_audit_verdict verdict;
    struct json_writer *w;
    struct str text;
    enum err_code rc = api_param(call, "head", &text, e);

    if (rc == ERR_OK && text.len > 0)
        rc = parse_head(text, &kept, e);
    if (rc == ERR_OK)
        rc = store_audit_verify(call->api->config.store, text.len > 0 ? &kept : NULL, &verdict, e);
    if (rc != ERR_OK)
        return rc;
    w = api_json(call, 200);
    json_object_begin(w);
    json_member_bool(w, "whole", verdict.bad == 0);
    json_member_i64(w, "rows", verdict.rows);
    json_member_i64(w, "signed_to", verdict.signed_to);
    json_key(w, "bad_row");
    if (verdict.bad > 0)
        json_put_i64(w, verdict.bad);
    else
        json_put_null(w);
    json_member_c(w, "finding", verdict.bad > 0 ? verdict.finding : NULL);
    json_object_end(w);
    return ERR_OK;
}

static const char *const verify_query[] = {
    "head text: a signed head from the log of the server, which must fit as well",
    NULL,
};

const struct route route_audit_verify = {
    .method = "GET",
    .path = "/api/v1/audit/verify",
    .role = ROUTE_AUDITOR,
    .sight = ROUTE_SIGHT_FLEET,
    .classes = HTTPD_API,
    .query = verify_query,
    .handle = verify,
    .summary = "Follow the chain of the audit from its first row, with all signatures.",
    .answer = "{whole: bool, rows: int 'that are right, from the first on',"
              " signed_to: int 'the newest row with a signed head', bad_row: int?, finding: text?}",
};
