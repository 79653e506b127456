/* SPDX-License-Identifier: PostgreSQL */
/* route_managed_fields.c: members of managed instances, read and written. */
#include "api/fleet/route_managed.h"

#include <string.h>

#include "base/limits.h"
#include "os/net.h"

#define NAME_BYTES 100 /* a target's name has room for 127 */
#define TAGS_BYTES 4096

static const char *const modes[] = {"disable", "allow",     "prefer",
                                    "require", "verify-ca", "verify-full"};

int route_managed_strength(const char *ssl_mode)
{
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (strcmp(modes[i], ssl_mode) == 0)
            return (int)i;
    }
    return -1;
}

/* --- writing --- */

/* As published: what has never been tried is still registering. */
static const char *status_of(const struct store_managed *m)
{
    if (m->fields.is_paused)
        return "paused";
    if (m->connected_ms != 0)
        return "monitoring";
    return m->tried_ms != 0 ? "registered" : "registering";
}

static void put_state(struct json_writer *w, const struct store_managed *m)
{
    bool wrong = m->error[0] != '\0';

    json_member_c(w, "status", status_of(m));
    json_member_c(w, "last_connection_status", m->connection);
    api_member_time(w, "last_heartbeat", m->connected_ms);
    json_member_c(w, "last_error_message", wrong ? m->error : NULL);
    api_member_time(w, "last_error_time", m->failed_ms);
    json_member_c(w, "last_error_stage", m->stage[0] != '\0' ? m->stage : NULL);
    json_member_c(w, "fix", m->fix[0] != '\0' ? m->fix : NULL);
    api_member_time(w, "last_tried_at", m->tried_ms);
    api_member_time(w, "state_since", m->since_ms);
    json_member_c(w, "server_version", m->server_version[0] != '\0' ? m->server_version : NULL);
}

void route_managed_put(struct json_writer *w, const struct store_managed *m)
{
    const struct store_managed_fields *f = &m->fields;

    json_object_begin(w);
    json_member_i64(w, "id", m->id);
    json_member_c(w, "name", f->name);
    json_member_c(w, "description", f->description);
    json_member_c(w, "endpoint", f->endpoint);
    json_member_i64(w, "port", f->port);
    json_member_c(w, "database", f->dbname);
    json_member_c(w, "environment", f->environment);
    json_member_c(w, "master_username", f->username);
    json_member_bool(w, "password_is_set", m->has_password);
    json_member_c(w, "ssl_mode", f->ssl_mode);
    json_member_bool(w, "verifies_server", strcmp(f->ssl_mode, "verify-full") == 0);
    json_member_i64(w, "monitoring_interval", f->interval_ms / 1000);
    json_member_i64(w, "connection_timeout", f->timeout_ms / 1000);
    put_state(w, m);
    json_key(w, "tags");
    json_put_raw(w, str_of(f->tags));
    json_member_c(w, "target_id", m->target_id);
    json_member_c(w, "group", f->group);
    json_member_i64(w, "version", m->version);
    json_member_c(w, "created_by", m->created_by);
    api_member_time(w, "created_at", m->created_ms);
    api_member_time(w, "updated_at", m->updated_ms);
    json_object_end(w);
}

/* --- reading --- */

static enum err_code bad(struct err *e, const char *member, const char *why)
{
    return err_set(e, ERR_INVALID, "%s: %s", member, why);
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f)
            return true;
    }
    return false;
}

/* *out stays when the member is absent. */
static enum err_code read_text(struct api_call *call, const char *name, struct api_length length,
                               const char **out, struct err *e)
{
    struct str text;
    enum json_type type = json_type(json_get(call->body, name));
    enum err_code rc;

    if (type == JSON_ABSENT || type == JSON_NULL)
        return ERR_OK;
    rc = api_member_text(call, name, length, &text, e);
    if (rc != ERR_OK)
        return rc;
    if (type != JSON_STR || text.len < length.min || has_control(text))
        return bad(e, name, "not a text without control characters");
    *out = text.len > 0 ? arena_cstr(call->arena, text) : "";
    return arena_check(call->arena, e);
}

static enum err_code read_numbers(struct api_call *call, struct store_managed_fields *f,
                                  struct err *e)
{
    int64_t interval, timeout;
    enum err_code rc = api_member_i64(call, "port", (struct api_bounds){f->port, 1, 65535},
                                      &f->port, e);

    if (rc == ERR_OK)
        rc = api_member_i64(call, "monitoring_interval",
                            (struct api_bounds){f->interval_ms / 1000, 5, 3600}, &interval, e);
    if (rc == ERR_OK)
        rc = api_member_i64(call, "connection_timeout",
                            (struct api_bounds){f->timeout_ms / 1000, 1, 30}, &timeout, e);
    if (rc != ERR_OK)
        return rc;
    f->interval_ms = interval * 1000;
    f->timeout_ms = timeout * 1000;
    return ERR_OK;
}

/* Texts, or an object of texts: they are kept as they came. */
static enum err_code read_tags(struct api_call *call, const char **out, struct err *e)
{
    const struct json *tags = json_get(call->body, "tags");
    enum json_type type = json_type(tags);
    struct json_writer w;
    struct buf text;
    enum err_code rc;

    if (type == JSON_ABSENT || type == JSON_NULL)
        return ERR_OK;
    if (type != JSON_ARRAY && type != JSON_OBJECT)
        return bad(e, "tags", "neither a list nor an object of texts");
    for (struct json_iter it = json_iter(tags); json_next(&it);) {
        if (json_type(it.value) != JSON_STR)
            return bad(e, "tags", "neither a list nor an object of texts");
    }
    buf_init(&text, TAGS_BYTES);
    json_writer_init(&w, &text);
    json_put_node(&w, tags);
    rc = text.failed ? bad(e, "tags", "more than 4096 bytes") : ERR_OK;
    if (rc == ERR_OK)
        *out = arena_cstr(call->arena, buf_view(&text));
    buf_fini(&text);
    return rc == ERR_OK ? arena_check(call->arena, e) : rc;
}

/* What is not said: encrypted and verified, but for this machine. */
static enum err_code read_mode(struct api_call *call, struct store_managed_fields *f, struct err *e)
{
    enum err_code rc = read_text(call, "ssl_mode", (struct api_length){0, 16}, &f->ssl_mode, e);

    if (rc == ERR_OK && f->ssl_mode[0] == '\0')
        f->ssl_mode = net_is_loopback(f->endpoint) ? "prefer" : "verify-full";
    if (rc == ERR_OK && route_managed_strength(f->ssl_mode) < 0)
        return bad(e, "ssl_mode", "not " ROUTE_MANAGED_MODES);
    return rc;
}

static enum err_code read_paused(struct api_call *call, struct store_managed_fields *f,
                                 struct err *e)
{
    const struct json *paused = json_get(call->body, "paused");

    if (json_type(paused) != JSON_ABSENT && json_type(paused) != JSON_BOOL)
        return bad(e, "paused", "neither true nor false");
    f->is_paused = json_bool(paused, f->is_paused);
    return ERR_OK;
}

enum err_code route_managed_read(struct api_call *call, struct store_managed_fields *f,
                                 struct err *e)
{
    const struct {
        const char *member;
        struct api_length length;
        const char **to;
    } texts[] = {
        {"name", {1, NAME_BYTES}, &f->name},
        {"description", {0, 1000}, &f->description},
        {"endpoint", {1, NET_HOST_MAX - 1}, &f->endpoint},
        {"database", {1, 63}, &f->dbname},
        {"environment", {0, 100}, &f->environment},
        {"master_username", {1, 63}, &f->username},
    };
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < sizeof(texts) / sizeof(texts[0]); i++)
        rc = read_text(call, texts[i].member, texts[i].length, texts[i].to, e);
    if (rc == ERR_OK)
        rc = read_mode(call, f, e);
    if (rc == ERR_OK)
        rc = read_numbers(call, f, e);
    if (rc == ERR_OK)
        rc = read_paused(call, f, e);
    return rc == ERR_OK ? read_tags(call, &f->tags, e) : rc;
}

enum err_code route_managed_username(struct api_call *call, const char **out, struct err *e)
{
    return read_text(call, "username", (struct api_length){1, 63}, out, e);
}

enum err_code route_managed_password(struct api_call *call, struct str *out, struct err *e)
{
    const struct json *published = json_get(call->body, "master_password");
    const struct json *n = published != NULL ? published : json_get(call->body, "password");
    enum json_type type = json_type(n);

    *out = (struct str){NULL, 0};
    if (type == JSON_ABSENT)
        return ERR_OK;
    if (type != JSON_NULL && type != JSON_STR)
        return bad(e, "password", "not a text");
    *out = json_str(n);
    if (out->ptr == NULL)
        *out = STR("");
    if (out->len > LIMIT_PASSWORD_BYTES || memchr(out->ptr, '\0', out->len) != NULL)
        return bad(e, "password", "too long, or with a NUL byte");
    return ERR_OK;
}

enum err_code route_managed_check(struct api_call *call, const struct api_trial *t, struct err *e)
{
    const struct api_managed *m = call->api->config.managed;
    enum err_code rc = m->check(m->arg, t, e);

    if (rc == ERR_OK)
        return rc;
    (void)err_wrap(e, "endpoint");
    e->code = ERR_INVALID;
    return e->code;
}
