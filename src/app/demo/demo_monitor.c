/* SPDX-License-Identifier: PostgreSQL */
/*
 * demo_monitor.c: `pga server` and `pga agent` as children of the demo, set up as a person would:
 * the setup code makes the owner, a registration secret enrols the agent for a certificate, with
 * which it delivers.
 *
 * On a directory that was used before, the owner and the enrolment are there already: the password
 * stands in <dir>/login (0600).
 */
#include "app/demo/demo.h"

#include "base/json.h"
#include "base/limits.h"
#include "base/text.h"
#include "httpc/httpc.h"
#include "os/clock.h"
#include "os/entropy.h"
#include "os/file.h"
#include "os/process.h"
#include "pgclient/pgclient.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define START_WAIT_MS 30000
#define STOP_WAIT_MS  15000
#define ANSWER_MAX    ((size_t)4 * 1024 * 1024)

/* One call; *doc is freed by the caller and may be NULL. */
struct call {
    const char *method;
    const char *path;
    const char *token; /* NULL = none */
    struct str body;
};

static enum err_code call_server(struct demo_monitor *m, const struct call *call, int *status,
                                 struct json_doc **doc, struct err *e)
{
    static const struct json_limits limits = {.max_bytes = ANSWER_MAX, .max_depth = 32};
    struct httpc_header headers[2] = {{"Content-Type", "application/json"}};
    struct httpc *client = httpc_new();
    struct httpc_answer answer;

    if (call->token) {
        headers[1] = (struct httpc_header){"Authorization",
                                           arena_printf(m->arena, "Bearer %s", call->token)};
    }
    struct httpc_request request = {.method = call->method,
                                    .url = arena_printf(m->arena, "%s%s", m->url, call->path),
                                    .headers = headers,
                                    .header_count = call->token ? 2 : 1,
                                    .body = call->body,
                                    .timeout_ms = 10000,
                                    .max_answer_bytes = ANSWER_MAX};
    *doc = NULL;
    httpc_answer_init(&answer);
    enum err_code rc = httpc_perform(client, &request, &answer, e);
    *status = answer.status;
    if (rc == ERR_OK && answer.body.len > 0 &&
        str_eq_c(str_of(answer.content_type), "application/json")) {
        rc = json_parse(buf_view(&answer.body), &limits, doc, e);
    }
    httpc_answer_fini(&answer);
    httpc_free(client);
    return rc;
}

static const char *below(struct demo_monitor *m, const char *name)
{
    return arena_printf(m->arena, "%s/%s", m->dir, name);
}

static enum err_code start_server(struct demo_monitor *m, struct err *e)
{
    char self[PATH_MAX];
    const char *listen = arena_printf(m->arena, "%s:%u", m->listen.host, m->listen.port);
    const char *env[] = {arena_printf(m->arena, "PGA_SETUP_CODE_FILE=%s", below(m, "setup-code")),
                         NULL};
    enum err_code rc = process_self_path(self, sizeof(self), e);
    if (rc) {
        return rc;
    }
    const char *agents = arena_printf(m->arena, "127.0.0.1:%u", m->agent_port);
    const char *argv[] = {self,   "server",      "--listen",         listen, "--agent-listen",
                          agents, "--state-dir", below(m, "server"), NULL};
    snprintf(m->url, sizeof(m->url), "http://%.80s", listen);
    struct process_spec spec = {
        .argv = argv, .env = env, .log_path = below(m, "log/server.log"), .death_signal = SIGTERM};
    return process_start(&spec, &m->server, e);
}

static enum err_code wait_ready(struct demo_monitor *m, struct err *e)
{
    int64_t deadline = clock_mono_ms() + START_WAIT_MS;
    int status = 0, exit_status;
    struct json_doc *doc;
    struct call call = {.method = "GET", .path = "/readyz"};

    while (clock_mono_ms() < deadline) {
        if (call_server(m, &call, &status, &doc, e) == ERR_OK && status == 200) {
            json_doc_free(doc);
            return ERR_OK;
        }
        if (process_wait(m->server, 0, &exit_status, NULL) == ERR_OK) {
            m->server = 0;
            return err_set(e, ERR_IO, "the server ended: see %.150s", below(m, "log/server.log"));
        }
        clock_sleep_ms(50);
    }
    return err_set(e, ERR_TIMEOUT, "the server was not ready after %d s: see %.120s",
                   START_WAIT_MS / 1000, below(m, "log/server.log"));
}

/* POST a JSON object and take one string member of the answer. */
static enum err_code post_for(struct demo_monitor *m, const struct call *call, const char *member,
                              const char **out, struct err *e)
{
    struct json_doc *doc;
    int status;
    enum err_code rc = call_server(m, call, &status, &doc, e);

    if (rc) {
        return rc;
    }
    struct str value = json_str(json_get(json_root(doc), member));
    *out = arena_cstr(m->arena, value);
    json_doc_free(doc);
    if (status / 100 != 2 || value.len == 0) {
        return err_set(e, ERR_INVALID, "%s answered %d", call->path, status);
    }
    return ERR_OK;
}

static enum err_code post_credentials(struct demo_monitor *m, const char *path, const char *code,
                                      const char **token, struct err *e)
{
    struct buf body;
    struct json_writer w;

    buf_init(&body, LIMIT_JSON_BODY_BYTES);
    json_writer_init(&w, &body);
    json_object_begin(&w);
    if (code) {
        json_member_c(&w, "code", code);
    }
    json_member_c(&w, "username", "owner");
    json_member_c(&w, "password", m->password);
    json_object_end(&w);
    struct call call = {.method = "POST", .path = path, .body = buf_view(&body)};
    enum err_code rc = post_for(m, &call, "token", token, e);
    buf_fini(&body);
    return rc;
}

/* A password that the word list of nobody has: 120 random bits. */
static void make_password(struct demo_monitor *m)
{
    unsigned char random[15];
    struct buf text;

    entropy_fill(random, sizeof(random));
    buf_init(&text, sizeof(m->password) - 1);
    text_base64url(&text, random, sizeof(random));
    snprintf(m->password, sizeof(m->password), "%s", text.ptr);
    buf_fini(&text);
}

static enum err_code make_owner(struct demo_monitor *m, const char **token, struct err *e)
{
    struct buf code;

    buf_init(&code, 256);
    make_password(m);
    enum err_code rc = file_read_secret(below(m, "setup-code"), &code, e);
    rc = rc ? rc : post_credentials(m, "/api/v1/auth/setup", code.ptr, token, e);
    rc = rc ? rc : file_write_atomic(below(m, "login"), str_of(m->password), 0600, e);
    buf_fini(&code);
    return rc;
}

/* Make the owner, or log in as the one that an earlier run made. */
static enum err_code sign_in(struct demo_monitor *m, const char **token, struct err *e)
{
    struct buf password;

    buf_init(&password, sizeof(m->password) - 1);
    enum err_code rc = file_read_secret(below(m, "login"), &password, e);
    if (rc == ERR_NOT_FOUND) {
        rc = make_owner(m, token, e);
    } else if (rc == ERR_OK) {
        snprintf(m->password, sizeof(m->password), "%s", password.ptr);
        rc = post_credentials(m, "/api/v1/auth/login", NULL, token, e);
    }
    buf_fini(&password);
    return rc ? err_wrap(e, "login") : ERR_OK;
}

static enum err_code make_secret(struct demo_monitor *m, const char *token, struct err *e)
{
    const char *secret;
    struct call call = {
        .method = "POST",
        .path = "/api/v1/registration-secrets",
        .token = token,
        .body = STR("{\"name\":\"demo\",\"max_registrations\":1,\"expires_in_s\":600}")};
    enum err_code rc = post_for(m, &call, "secret", &secret, e);
    return rc ? rc : file_write_atomic(below(m, "agent-secret"), str_of(secret), 0600, e);
}

/* A TOML basic string. */
static void add_toml_string(struct buf *out, const char *text)
{
    buf_add_char(out, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\') {
            buf_add_char(out, '\\');
            buf_add_char(out, (char)c);
        } else if (c < 0x20 || c == 0x7f) {
            buf_printf(out, "\\u%04X", c);
        } else {
            buf_add_char(out, (char)c);
        }
    }
    buf_add_char(out, '"');
}

/* The dsn as the configuration takes it: a password goes into a file of its own. */
static enum err_code add_target(struct demo_monitor *m, struct buf *text, struct err *e)
{
    struct buf rest, password;

    buf_init(&rest, 8192);
    buf_init(&password, 1024);
    enum err_code rc = pgclient_split_password(m->dsn, &rest, &password, e);
    if (rc == ERR_OK) {
        buf_add_c(text, "\n\n[[target]]\nname = \"demo\"\ndsn = ");
        add_toml_string(text, rest.ptr);
    }
    if (rc == ERR_OK && password.len > 0) {
        rc = file_write_atomic(below(m, "target-password"), buf_view(&password), 0600, e);
        buf_add_c(text, "\npassword_file = ");
        add_toml_string(text, below(m, "target-password"));
    }
    buf_fini(&password);
    buf_fini(&rest);
    return rc;
}

static enum err_code write_agent_config(struct demo_monitor *m, struct err *e)
{
    struct buf text;
    buf_init(&text, 64 * 1024);
    buf_add_c(&text, "[agent]\nname = \"demo\"\nstate_dir = ");
    add_toml_string(&text, below(m, "agent"));
    buf_add_c(&text, "\n\n[server]\nurl = ");
    add_toml_string(&text, m->url);
    /* another port each time, also for an agent that enrolled in an earlier run */
    buf_printf(&text, "\nagent_url = \"https://127.0.0.1:%u\"", m->agent_port);
    buf_add_c(&text, "\nregistration_secret_file = ");
    add_toml_string(&text, below(m, "agent-secret"));
    enum err_code rc = add_target(m, &text, e);
    buf_printf(&text, "\nstatements_every = \"%ds\"\n", m->statements_s);
    rc = rc ? rc : buf_check(&text, e);
    rc = rc ? rc : file_write_atomic(below(m, "agent.toml"), buf_view(&text), 0600, e);
    buf_fini(&text);
    return rc;
}

static enum err_code start_agent(struct demo_monitor *m, struct err *e)
{
    char self[PATH_MAX];
    enum err_code rc = process_self_path(self, sizeof(self), e);
    if (rc) {
        return rc;
    }
    const char *argv[] = {self, "agent", "--config", below(m, "agent.toml"), NULL};
    struct process_spec spec = {
        .argv = argv, .log_path = below(m, "log/agent.log"), .death_signal = SIGTERM};
    return process_start(&spec, &m->agent, e);
}

enum err_code demo_monitor_start(struct demo_monitor *m, struct err *e)
{
    const char *token;
    enum err_code rc = start_server(m, e);
    rc = rc ? rc : wait_ready(m, e);
    rc = rc ? rc : sign_in(m, &token, e);
    rc = rc ? rc : make_secret(m, token, e);
    rc = rc ? rc : write_agent_config(m, e);
    return rc ? rc : start_agent(m, e);
}

/* Whether a PostgreSQL target has load in the store. */
static bool has_load(const struct json *root)
{
    for (struct json_iter it = json_iter(json_get(root, "data")); json_next(&it);) {
        enum json_type type = json_type(json_get(it.value, "load_aas"));
        if (type == JSON_F64 || type == JSON_I64) {
            return true;
        }
    }
    return false;
}

enum err_code demo_monitor_wait(struct demo_monitor *m, int64_t mono_us, struct err *e)
{
    const char *token;
    int status, exit_status;
    enum err_code rc = post_credentials(m, "/api/v1/auth/login", NULL, &token, e);

    while (rc == ERR_OK && clock_mono_us() < mono_us) {
        struct json_doc *doc;
        struct call call = {.method = "GET", .path = "/api/v1/servers", .token = token};
        rc = call_server(m, &call, &status, &doc, e);
        bool there = rc == ERR_OK && has_load(json_root(doc));
        json_doc_free(doc);
        if (there) {
            return ERR_OK;
        }
        if (process_wait(m->agent, 0, &exit_status, NULL) == ERR_OK) {
            m->agent = 0;
            return err_set(e, ERR_IO, "the agent ended: see %.150s", below(m, "log/agent.log"));
        }
        clock_sleep_ms(500);
    }
    return rc ? rc
              : err_set(e, ERR_TIMEOUT, "no sample arrived: see %.150s", below(m, "log/agent.log"));
}

void demo_monitor_stop(struct demo_monitor *m)
{
    if (m->agent > 0) {
        process_stop(m->agent, SIGTERM, STOP_WAIT_MS);
    }
    if (m->server > 0) {
        process_stop(m->server, SIGTERM, STOP_WAIT_MS);
    }
    m->agent = m->server = 0;
}
