/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_login.c: `pga ctl login|logout|whoami|setup`: who a person is to the server.
 *
 * Tokens go into the context file (0600); passwords are never arguments and never kept.
 */
#include "app/ctl/ctl.h"
#include "app/ctl/output.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

/* POST `body` and keep the tokens of the answer. */
static enum err_code sign_in(struct ctl *ctl, const char *path, struct str body, struct err *e)
{
    const struct json *root;
    struct ctl_call call = {.method = "POST", .path = path, .body = body};

    ctl->context.token = NULL;
    ctl->context.refresh_token = NULL;
    enum err_code rc = ctl_request(ctl, &call, &root, e);
    rc = rc ? rc : ctl_take_tokens(ctl, root, e);
    if (rc == ERR_OK && !ctl->context.name) {
        ctl->context.name = arena_cstr(&ctl->arena, STR("default"));
    }
    return rc ? rc : ctl_context_save(ctl, e);
}

/* --code asks for it on the terminal, --code-file reads it; neither: there is none. */
static enum err_code read_code(struct ctl *ctl, struct buf *code, struct err *e)
{
    if (!ctl_option(ctl, "code") && !ctl_option(ctl, "code-file")) {
        return ERR_OK;
    }
    buf_fini(code);
    return ctl_read_password(ctl_option(ctl, "code-file"), "code", code, e);
}

static enum err_code login(struct ctl *ctl, const char *user, struct err *e)
{
    struct buf password, code, body;
    struct json_writer w;

    buf_init(&code, 16);
    buf_init(&body, LIMIT_JSON_BODY_BYTES);
    enum err_code rc = ctl_read_password(ctl_option(ctl, "password-file"), "password", &password,
                                         e);
    json_writer_init(&w, &body);
    json_object_begin(&w);
    json_member_c(&w, "username", user);
    json_member_str(&w, "password", buf_view(&password));
    rc = rc ? rc : read_code(ctl, &code, e);
    if (code.len > 0) {
        json_member_str(&w, "code", str_trim(buf_view(&code)));
    }
    json_object_end(&w);
    rc = rc ? rc : sign_in(ctl, "/api/v1/auth/login", buf_view(&body), e);
    buf_fini(&body);
    buf_fini(&code);
    buf_fini(&password);
    return rc;
}

static int run_login(struct ctl *ctl)
{
    struct err e;
    const char *user = ctl_option_or(ctl, "username", getenv("USER"));
    err_clear(&e);
    if (login(ctl, user ? user : "root", &e) != ERR_OK) {
        return ctl_fail(ctl, &e);
    }
    ctl->output->message("logged_in", ctl->context.server);
    return CTL_OK;
}

static enum err_code confirm(struct ctl *ctl, struct err *e)
{
    struct buf password, body;
    struct json_writer w;
    const struct json *root;
    struct ctl_call call = {.method = "POST", .path = "/api/v1/auth/confirm"};

    buf_init(&body, LIMIT_JSON_BODY_BYTES);
    enum err_code rc = ctl_read_password(ctl_option(ctl, "password-file"), "password", &password,
                                         e);
    json_writer_init(&w, &body);
    json_object_begin(&w);
    json_member_str(&w, "password", buf_view(&password));
    json_object_end(&w);
    call.body = buf_view(&body);
    rc = rc ? rc : ctl_request(ctl, &call, &root, e);
    buf_fini(&body);
    buf_fini(&password);
    return rc;
}

static int run_confirm(struct ctl *ctl)
{
    struct err e;

    err_clear(&e);
    if (confirm(ctl, &e) != ERR_OK) {
        return ctl_fail(ctl, &e);
    }
    ctl->output->message("confirmed", "for 5 minutes");
    return CTL_OK;
}

static enum err_code set_up(struct ctl *ctl, const char *user, struct err *e)
{
    struct buf code, password, body;
    struct json_writer w;

    buf_init(&password, 16);
    buf_init(&body, LIMIT_JSON_BODY_BYTES);
    enum err_code rc = ctl_read_password(ctl_option(ctl, "code-file"), "setup code", &code, e);
    rc = rc ? rc
            : ctl_read_password(ctl_option(ctl, "password-file"), "new password", &password, e);
    json_writer_init(&w, &body);
    json_object_begin(&w);
    json_member_str(&w, "code", buf_view(&code));
    json_member_c(&w, "username", user);
    json_member_str(&w, "password", buf_view(&password));
    json_object_end(&w);
    rc = rc ? rc : sign_in(ctl, "/api/v1/auth/setup", buf_view(&body), e);
    buf_fini(&body);
    buf_fini(&password);
    buf_fini(&code);
    return rc;
}

static int run_setup(struct ctl *ctl)
{
    struct err e;
    const char *user = ctl_option_or(ctl, "username", "owner");
    err_clear(&e);
    if (set_up(ctl, user, &e) != ERR_OK) {
        return ctl_fail(ctl, &e);
    }
    ctl->output->message("owner", user);
    return CTL_OK;
}

static int run_logout(struct ctl *ctl)
{
    struct err e;
    const struct json *root;
    struct ctl_call call = {.method = "POST", .path = "/api/v1/auth/logout"};

    err_clear(&e);
    enum err_code rc = ctl_request(ctl, &call, &root, &e);
    if (rc == ERR_OK || rc == ERR_DENIED) { /* a token that is dead already is what was wanted */
        ctl->context.token = NULL;
        ctl->context.refresh_token = NULL;
        rc = ctl->context_is_stored ? ctl_context_save(ctl, &e) : ERR_OK;
    }
    if (rc) {
        return ctl_fail(ctl, &e);
    }
    ctl->output->message("logged_out", ctl->context.server);
    return CTL_OK;
}

static int run_whoami(struct ctl *ctl)
{
    static const struct output_column columns[] = {
        {"user", "username", OUTPUT_TEXT},
        {"role", "role", OUTPUT_TEXT},
        {"last login", "last_login", OUTPUT_TEXT},
    };
    struct err e;
    const struct json *root;
    struct ctl_call call = {.method = "GET", .path = "/api/v1/auth/me"};

    err_clear(&e);
    if (ctl_request(ctl, &call, &root, &e) != ERR_OK) {
        return ctl_fail(ctl, &e);
    }
    ctl->output->list(root, json_get(root, "user"), columns, 3);
    return CTL_OK;
}

static const struct ctl_option login_options[] = {
    {"username", "NAME", "log in as NAME (default: $USER)"},
    {"password-file", "FILE", "read the password from FILE (0600), or - for standard input"},
    {"code", NULL, "ask for a code of the second factor, or a recovery code, as well"},
    {"code-file", "FILE", "read that code from FILE (0600), or - for standard input"},
    {NULL, NULL, NULL},
};

static const struct ctl_option setup_options[] = {
    {"code-file", "FILE", "read the setup code from FILE, or - for standard input"},
    {"username", "NAME", "name of the first owner (default: owner)"},
    {"password-file", "FILE", "read the new password from FILE (0600)"},
    {NULL, NULL, NULL},
};

static const struct ctl_option confirm_options[] = {
    {"password-file", "FILE", "read the password from FILE (0600), or - for standard input"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_confirm = {
    .noun = "",
    .verb = "confirm",
    .summary = "prove once more who you are, for what asks for it (accounts, new tokens)",
    .options = confirm_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_confirm,
};

const struct ctl_command ctl_command_login = {
    .noun = "",
    .verb = "login",
    .summary = "log in and keep the token in the context",
    .options = login_options,
    .needs = CTL_NEEDS_SERVER,
    .run = run_login,
};

const struct ctl_command ctl_command_logout = {
    .noun = "",
    .verb = "logout",
    .summary = "end the session on the server and forget the token",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_logout,
};

const struct ctl_command ctl_command_setup = {
    .noun = "",
    .verb = "setup",
    .summary = "make the first owner with the code that the server printed",
    .options = setup_options,
    .needs = CTL_NEEDS_SERVER,
    .run = run_setup,
};

const struct ctl_command ctl_command_whoami = {
    .noun = "",
    .verb = "whoami",
    .summary = "show who is logged in",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_whoami,
};
