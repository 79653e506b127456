/* SPDX-License-Identifier: PostgreSQL */
/*
 * route_managed_test.c: whether a managed instance can be reached and read, step by step.
 *
 * The answer is one of a dozen codes with a sentence of our own, never a word of the other side,
 * and each person has five tests a minute: else this would be a way to look around in our network.
 */
#include "api/fleet/route_managed.h"

#include "base/limits.h"
#include "os/clock.h"
#include "store/store_audit.h"
#include "tls/crypto.h"

static const char answer_shape[] =
    "{success: bool, code: text(ok|host|blocked|dns|tcp|tls|auth|database|rights|busy|protocol"
    "|secret), stage: text(dns|tcp|tls|auth|database|rights)? 'where it ended',"
    " error: text?, fix: text? 'SQL that would help', server_version: text?,"
    " duration_ms: int}";

static void put_trial(struct api_call *call, const struct api_trial *t, int64_t ms)
{
    struct json_writer *w = api_json(call, 200);

    json_object_begin(w);
    json_member_bool(w, "success", t->error[0] == '\0');
    json_member_c(w, "code", t->code);
    json_member_c(w, "stage", t->stage[0] != '\0' ? t->stage : NULL);
    json_member_c(w, "error", t->error[0] != '\0' ? t->error : NULL);
    json_member_c(w, "fix", t->fix[0] != '\0' ? t->fix : NULL);
    json_member_c(w, "server_version", t->version[0] != '\0' ? t->version : NULL);
    json_member_i64(w, "duration_ms", ms);
    json_object_end(w);
}

static enum err_code run(struct api_call *call, struct api_trial *t, struct err *e)
{
    const struct api_managed *m = call->api->config.managed;
    int64_t start_us = clock_mono_us();

    m->attempt(m->arg, t);
    if (t->code == NULL)
        return err_set(e, ERR_BUG, "the test did not take place");
    put_trial(call, t, (clock_mono_us() - start_us) / 1000);
    return ERR_OK;
}

static enum err_code too_many(struct api_call *call, const struct err *e)
{
    api_retry_after(call, 60);
    return api_problem(call, 429, "%s", e->text);
}

/* --- with what is stored --- */

static enum err_code keep(struct api_call *call, int64_t id, const struct api_trial *t,
                          struct err *e)
{
    const struct store_managed_status status = {
        .id = id,
        .connection = t->connected ? "connected" : "error",
        .stage = t->stage,
        .error = t->error,
        .fix = t->fix,
        .server_version = t->version,
        .at_ms = clock_wall_ms(),
    };

    return store_managed_note(call->api->config.store, &status, 1, e);
}

static enum err_code test_stored(struct api_call *call, const struct store_managed *m,
                                 struct err *e)
{
    struct api_trial t = {.endpoint = m->fields.endpoint,
                          .dbname = m->fields.dbname,
                          .username = m->fields.username,
                          .ssl_mode = m->fields.ssl_mode,
                          .port = m->fields.port,
                          .timeout_ms = m->fields.timeout_ms};
    struct buf password;
    enum err_code rc;

    buf_init(&password, LIMIT_PASSWORD_BYTES);
    rc = store_managed_password(call->api->config.store, call->api->config.seal, m->id, &password,
                                e);
    t.password = buf_view(&password);
    if (rc == ERR_OK)
        rc = run(call, &t, e);
    if (password.ptr != NULL)
        crypto_wipe(password.ptr, password.len);
    buf_fini(&password);
    return rc == ERR_OK ? keep(call, m->id, &t, e) : rc;
}

static enum err_code test(struct api_call *call, struct err *e)
{
    struct store_managed m;
    int64_t id;
    enum err_code rc = api_param_id(call, 0, &id, e);

    if (rc == ERR_OK)
        rc = store_managed_get(call->api->config.store, call->arena, id, &m, e);
    if (rc == ERR_OK && api_managed_count(call, e) != ERR_OK)
        return too_many(call, e);
    return rc == ERR_OK ? test_stored(call, &m, e) : rc;
}

const struct route route_managed_test = {
    .method = "POST",
    .path = "/api/v1/managed-instances/{id}/test-connection",
    .role = ROUTE_OPERATOR,
    .sight = ROUTE_SIGHT_MANAGED,
    .classes = HTTPD_API,
    .handle = test,
    .summary = "Connect to a managed instance with the stored password, and say how far that goes.",
    .answer = answer_shape,
    .also = "429",
};

/* --- with what is given --- */

static enum err_code note(struct api_call *call, const struct api_trial *t, struct err *e)
{
    struct store_actor who = api_actor(call);
    const char *detail = arena_printf(call->arena, "%s port %lld as %s, ssl_mode %s: %s",
                                      t->endpoint, (long long)t->port, t->username, t->ssl_mode,
                                      t->code);

    return store_audit_note(call->api->config.store, &who,
                            (struct store_audit_entry){"managed.test", "direct", detail}, e);
}

static enum err_code test_direct(struct api_call *call, struct err *e)
{
    struct store_managed_fields f = {.name = "",
                                     .description = "",
                                     .endpoint = "",
                                     .dbname = "postgres",
                                     .environment = "",
                                     .username = "",
                                     .ssl_mode = "",
                                     .tags = "[]",
                                     .port = 5432,
                                     .interval_ms = 10000,
                                     .timeout_ms = 5000};
    struct api_trial t = {0};
    enum err_code rc = route_managed_read(call, &f, e);

    if (rc == ERR_OK)
        rc = route_managed_username(call, &f.username, e);
    if (rc == ERR_OK)
        rc = route_managed_password(call, &t.password, e);
    if (rc == ERR_OK && (f.endpoint[0] == '\0' || f.username[0] == '\0'))
        rc = err_set(e, ERR_INVALID, "endpoint and username must be given");
    if (rc == ERR_OK && api_managed_count(call, e) != ERR_OK)
        return too_many(call, e);
    if (rc != ERR_OK)
        return rc;
    t.endpoint = f.endpoint;
    t.dbname = f.dbname;
    t.username = f.username;
    t.ssl_mode = f.ssl_mode;
    t.port = f.port;
    t.timeout_ms = f.timeout_ms;
    rc = run(call, &t, e);
    return rc == ERR_OK ? note(call, &t, e) : rc;
}

static const char *const direct_members[] = {
    "endpoint text!: host name or address",
    "port int: default 5432",
    "username text!: role to log in as",
    "password text: of that role",
    "database text: default postgres",
    "ssl_mode text(disable|allow|prefer|require|verify-ca|verify-full): default verify-full",
    "connection_timeout int: seconds, 1 to 30, default 5",
    NULL,
};

const struct route route_managed_test_direct = {
    .method = "POST",
    .path = "/api/v1/managed-instances/test-connection-direct",
    .role = ROUTE_ADMIN,
    .sight = ROUTE_SIGHT_APART,
    .classes = HTTPD_API,
    .body = ROUTE_JSON,
    .max_body = LIMIT_JSON_BODY_BYTES,
    .members = direct_members,
    .handle = test_direct,
    .summary = "Try a connection before anything is stored.",
    .answer = answer_shape,
    .also = "429",
};
