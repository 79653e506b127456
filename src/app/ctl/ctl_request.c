/* SPDX-License-Identifier: PostgreSQL */
/*
 * ctl_request.c: one call to the server: token, renewal, and what a status means for a person.
 */
#include "app/ctl/ctl.h"

#include "base/limits.h"
#include "os/file.h"

#include <ctype.h>
#include <string.h>

#define TIMEOUT_MS 30000
#define STEP_UP    "urn:pga:problem:step-up" /* api_call.h */
#define WANTS_CODE "urn:pga:problem:code"    /* api_login.h */
#define ANSWER_MAX ((size_t)64 * 1024 * 1024)

static void add_encoded(struct buf *out, const char *text)
{
    for (; *text; text++) {
        if (isalnum((unsigned char)*text) || memchr("-_.~", *text, 4)) {
            buf_add_char(out, *text);
        } else {
            buf_printf(out, "%%%02X", (unsigned char)*text);
        }
    }
}

void ctl_path_add(struct buf *path, const char *text)
{
    add_encoded(path, text);
}

void ctl_query_add(struct buf *path, const char *name, const char *value)
{
    if (!value) {
        return;
    }
    buf_add_char(path, memchr(path->ptr, '?', path->len) ? '&' : '?');
    buf_add_c(path, name);
    buf_add_char(path, '=');
    add_encoded(path, value);
}

static const char *join_url(struct ctl *ctl, const char *path)
{
    size_t len = strlen(ctl->context.server);
    while (len > 0 && ctl->context.server[len - 1] == '/') {
        len--;
    }
    return arena_printf(&ctl->arena, "%.*s%s", (int)len, ctl->context.server, path);
}

static enum err_code parse_answer(struct ctl *ctl, const struct httpc_answer *answer,
                                  const struct json **root, struct err *e)
{
    static const struct json_limits limits = {.max_bytes = ANSWER_MAX, .max_depth = 64};
    struct json_doc *doc;

    *root = NULL;
    if (answer->body.len == 0) {
        return ERR_OK;
    }
    if (!strstr(answer->content_type, "json")) {
        ctl->text = arena_str(&ctl->arena, buf_view(&answer->body));
        return arena_check(&ctl->arena, e);
    }
    if (ctl->answer_count == CTL_ANSWER_MAX) {
        return err_set(e, ERR_BUG, "this command makes more than %d calls", CTL_ANSWER_MAX);
    }
    enum err_code rc = json_parse(buf_view(&answer->body), &limits, &doc, e);
    if (rc) {
        return err_wrap(e, "the server's answer is not JSON");
    }
    ctl->answers[ctl->answer_count++] = doc;
    *root = json_root(doc);
    return ERR_OK;
}

/* What the status means; the detail of a problem object is the text. */
static enum err_code judge(int status, const struct json *root, struct err *e)
{
    struct str detail = json_str(json_get(root, "detail"));
    enum err_code code = ERR_INVALID;

    if (status >= 200 && status < 300) {
        return ERR_OK;
    }
    if (detail.len == 0) {
        detail = json_str(json_get(root, "error")); /* below /prometheus */
    }
    if (detail.len == 0) {
        detail = str_of("no reason was given");
    }
    if (status == 401 || status == 403) {
        code = ERR_DENIED;
    } else if (status == 404) {
        code = ERR_NOT_FOUND;
    } else if (status == 409 || status == 412) {
        code = ERR_CONFLICT;
    } else if (status == 429 || status >= 500) {
        code = ERR_UNREACHABLE;
    }
    if (str_eq_c(json_str(json_get(root, "type")), STEP_UP)) {
        return err_set(e, code, "this asks for a fresh proof of who you are: pga ctl confirm");
    }
    if (str_eq_c(json_str(json_get(root, "type")), WANTS_CODE)) {
        return err_set(e, code, "%.*s: pga ctl login --code", STR_ARG(detail));
    }
    return err_set(e, code, "the server answered %d: %.*s", status, STR_ARG(detail));
}

static enum err_code perform(struct ctl *ctl, const struct ctl_call *call, int *status,
                             const struct json **root, struct err *e)
{
    struct httpc_header headers[4];
    size_t count = 0;
    struct httpc_answer answer;

    headers[count++] = (struct httpc_header){"Accept", call->sink ? "*/*" : "application/json"};
    if (call->body.len > 0) {
        headers[count++] = (struct httpc_header){"Content-Type",
                                                 call->type ? call->type : "application/json"};
    }
    if (ctl->context.token) {
        headers[count++] = (struct httpc_header){
            "Authorization", arena_printf(&ctl->arena, "Bearer %s", ctl->context.token)};
    }
    struct httpc_request request = {.method = call->method,
                                    .url = join_url(ctl, call->path),
                                    .headers = headers,
                                    .header_count = count,
                                    .body = call->body,
                                    .timeout_ms = ctl->timeout_ms ? ctl->timeout_ms : TIMEOUT_MS,
                                    .max_answer_bytes = ANSWER_MAX,
                                    .sink = call->sink,
                                    .sink_arg = call->sink_arg,
                                    .stall_ms = call->stall_ms};
    httpc_answer_init(&answer);
    enum err_code rc = httpc_perform(ctl->client, &request, &answer, e);
    if (rc) {
        rc = err_wrap(e, "%s", ctl->context.server);
    } else {
        rc = parse_answer(ctl, &answer, root, e);
        *status = answer.status;
    }
    httpc_answer_fini(&answer);
    return rc;
}

enum err_code ctl_take_tokens(struct ctl *ctl, const struct json *answer, struct err *e)
{
    struct str token = json_str(json_get(answer, "token"));
    struct str refresh = json_str(json_get(answer, "refresh_token"));
    if (token.len == 0) {
        return err_set(e, ERR_INVALID, "the server's answer carries no token");
    }
    ctl->context.token = arena_cstr(&ctl->arena, token);
    ctl->context.refresh_token = refresh.len > 0 ? arena_cstr(&ctl->arena, refresh) : NULL;
    return ERR_OK;
}

static enum err_code exchange(struct ctl *ctl, struct err *e)
{
    struct buf body;
    struct json_writer w;
    const struct json *root = NULL;
    int status = 0;

    buf_init(&body, LIMIT_JSON_BODY_BYTES);
    json_writer_init(&w, &body);
    json_object_begin(&w);
    json_member_c(&w, "refresh_token", ctl->context.refresh_token);
    json_object_end(&w);
    struct ctl_call call = {
        .method = "POST", .path = "/api/v1/auth/refresh", .body = buf_view(&body)};
    ctl->context.token = NULL;
    enum err_code rc = perform(ctl, &call, &status, &root, e);
    rc = rc ? rc : judge(status, root, e);
    rc = rc ? rc : ctl_take_tokens(ctl, root, e);
    if (rc == ERR_OK && ctl->context_is_stored) {
        rc = ctl_context_save(ctl, e);
    }
    buf_fini(&body);
    return rc;
}

/* Get a new access token and keep it; or take the one that another command got meanwhile. */
static enum err_code renew(struct ctl *ctl, struct err *e)
{
    const char *token = ctl->context.token;
    int fd = -1;

    if (!ctl->context_is_stored) {
        return exchange(ctl, e);
    }
    enum err_code rc = ctl_context_hold(ctl, &fd, e);
    if (rc) {
        return rc;
    }
    if (!ctl->context.token || strcmp(token, ctl->context.token) == 0) {
        rc = exchange(ctl, e);
    }
    file_close(fd);
    return rc;
}

enum err_code ctl_request(struct ctl *ctl, const struct ctl_call *call, const struct json **answer,
                          struct err *e)
{
    const struct json *root = NULL;
    int status = 0;
    enum err_code rc = perform(ctl, call, &status, &root, e);

    if (rc == ERR_OK && status == 401 && ctl->context.token && ctl->context.refresh_token) {
        if (renew(ctl, e) != ERR_OK) {
            return err_set(e, ERR_DENIED, "the login has run out: pga ctl login");
        }
        rc = perform(ctl, call, &status, &root, e);
    }
    if (rc) {
        return rc;
    }
    *answer = root;
    return judge(status, root, e);
}
