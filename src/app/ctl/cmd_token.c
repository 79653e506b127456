/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_token.c: `pga ctl token ...`: tokens for scripts; a new one is shown once, bare. And
 * `pga ctl signin ...`: where an account is signed in.
 */
#include "app/ctl/cmd_change.h"
#include "app/ctl/cmd_list.h"
#include "base/limits.h"
#include "base/num.h"

#define TOKENS   "/api/v1/tokens"
#define SESSIONS "/api/v1/sessions"

static const struct ctl_option user_options[] = {
    {"user", "USER", "of this account; for an owner"},
    {NULL, NULL, NULL},
};

/* A list of one's own things, or of those of --user. */
static int show_list(struct ctl *ctl, const char *path, const struct output_column *columns,
                     size_t count)
{
    const struct cmd_call users = {.path = "/api/v1/users", .name_member = "username"};
    const char *user = ctl_option(ctl, "user"), *id = NULL;
    struct err e;

    err_clear(&e);
    if (user && cmd_change_find(ctl, &users, user, &id, &e) != ERR_OK) {
        return ctl_fail(ctl, &e);
    }
    return cmd_list_show(ctl, id ? arena_printf(&ctl->arena, "%s?user=%s", path, id) : path,
                         columns, count);
}

/* --- tokens --- */

static const struct output_column token_columns[] = {
    {"ID", "id", OUTPUT_INTEGER},
    {"NAME", "name", OUTPUT_TEXT},
    {"SCOPE", "scope", OUTPUT_TEXT},
    {"EXPIRES", "expires_at", OUTPUT_TEXT},
    {"LAST USED", "last_used_at", OUTPUT_TEXT},
    {"FROM", "last_address", OUTPUT_TEXT},
    {"USER", "username", OUTPUT_TEXT},
};

static int list_tokens(struct ctl *ctl)
{
    return show_list(ctl, TOKENS, token_columns, CMD_COUNT(token_columns));
}

static enum err_code write_body(struct ctl *ctl, struct json_writer *w, struct err *e)
{
    int64_t expires_ms = 0;
    const char *expires = ctl_option(ctl, "expires");

    if (expires && num_parse_duration_ms(str_of(expires), &expires_ms, e)) {
        return err_wrap(e, "--expires");
    }
    json_object_begin(w);
    json_member_c(w, "name", ctl_option_or(ctl, "name", "script"));
    json_member_c(w, "scope", ctl_option_or(ctl, "scope", "read"));
    if (expires) {
        json_member_i64(w, "expires_in_s", expires_ms / 1000);
    }
    json_object_end(w);
    return ERR_OK;
}

static int create_token(struct ctl *ctl)
{
    struct err e;
    struct buf body;
    struct json_writer w;
    const struct json *root = NULL;

    err_clear(&e);
    buf_init(&body, LIMIT_JSON_BODY_BYTES);
    json_writer_init(&w, &body);
    enum err_code rc = write_body(ctl, &w, &e);
    struct ctl_call call = {.method = "POST", .path = TOKENS, .body = buf_view(&body)};
    rc = rc ? rc : ctl_request(ctl, &call, &root, &e);
    buf_fini(&body);
    if (rc) {
        return ctl_fail(ctl, &e);
    }
    ctl->output->message("token", arena_cstr(&ctl->arena, json_str(json_get(root, "token"))));
    return CTL_OK;
}

static int revoke_token(struct ctl *ctl)
{
    return cmd_change_run(ctl, &(struct cmd_call){.method = "DELETE",
                                                  .path = TOKENS,
                                                  .name_member = "name",
                                                  .done = "it opens nothing any more"});
}

static const struct ctl_option create_options[] = {
    {"name", "NAME", "what it is for (default script)"},
    {"scope", "SCOPE", "metrics (Prometheus's API alone), read (default), write or admin"},
    {"expires", "DURATION", "how long it works (default 90d, at most 366d)"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_token_create = {
    .noun = "token",
    .verb = "create",
    .summary = "make a token for a script and print it once",
    .options = create_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = create_token,
};

const struct ctl_command ctl_command_token_list = {
    .noun = "token",
    .verb = "list",
    .summary = "list one's own tokens (never their values)",
    .options = user_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = list_tokens,
};

const struct ctl_command ctl_command_token_revoke = {
    .noun = "token",
    .verb = "revoke",
    .summary = "end a token of one's own",
    .argument = "TOKEN",
    .needs = CTL_NEEDS_LOGIN,
    .run = revoke_token,
};

/* --- sessions --- */

static int list_signins(struct ctl *ctl)
{
    static const struct output_column columns[] = {
        {"ID", "id", OUTPUT_TEXT},
        {"USER", "username", OUTPUT_TEXT},
        {"FROM", "address", OUTPUT_TEXT},
        {"PROGRAM", "agent", OUTPUT_ONE_LINE},
        {"THIS", "current", OUTPUT_TEXT},
        {"BEGAN", "created_at", OUTPUT_TEXT},
        {"LAST USED", "last_used_at", OUTPUT_TEXT},
    };

    return show_list(ctl, SESSIONS, columns, CMD_COUNT(columns));
}

static int revoke_signin(struct ctl *ctl)
{
    return cmd_change_run(ctl, &(struct cmd_call){.method = "DELETE",
                                                  .path = SESSIONS,
                                                  .name_member = "id",
                                                  .done = "it is signed out"});
}

const struct ctl_command ctl_command_signin_list = {
    .noun = "signin",
    .verb = "list",
    .summary = "list where one is signed in",
    .options = user_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = list_signins,
};

const struct ctl_command ctl_command_signin_revoke = {
    .noun = "signin",
    .verb = "revoke",
    .summary = "end a session of one's own",
    .argument = "ID",
    .needs = CTL_NEEDS_LOGIN,
    .run = revoke_signin,
};
