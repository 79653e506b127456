/* SPDX-License-Identifier: PostgreSQL */
/* cmd_secret.c: `pga ctl secret ...`: registration secrets; a new one is shown once, bare. */
#include "app/ctl/cmd_change.h"
#include "app/ctl/cmd_list.h"
#include "base/limits.h"
#include "base/num.h"

static enum err_code write_body(struct ctl *ctl, struct json_writer *w, struct err *e)
{
    int64_t max = 1, expires_ms = 3600 * 1000;
    enum err_code rc = num_parse_i64(str_of(ctl_option_or(ctl, "max", "1")), 1, 100000, &max, e);
    if (rc) {
        return err_wrap(e, "--max");
    }
    rc = num_parse_duration_ms(str_of(ctl_option_or(ctl, "expires", "1h")), &expires_ms, e);
    if (rc) {
        return err_wrap(e, "--expires");
    }
    json_object_begin(w);
    json_member_c(w, "name", ctl_option_or(ctl, "name", "agent"));
    json_member_i64(w, "max_registrations", max);
    json_member_i64(w, "expires_in_s", expires_ms / 1000);
    if (ctl_option(ctl, "allowed")) {
        json_member_c(w, "allowed", ctl_option(ctl, "allowed"));
    }
    if (ctl_option(ctl, "group")) {
        json_member_c(w, "group", ctl_option(ctl, "group"));
    }
    if (ctl_option(ctl, "approval")) {
        json_member_c(w, "approval", ctl_option(ctl, "approval"));
    }
    json_object_end(w);
    return ERR_OK;
}

static int run_create(struct ctl *ctl)
{
    struct err e;
    struct buf body;
    struct json_writer w;
    const struct json *root = NULL;

    err_clear(&e);
    buf_init(&body, LIMIT_JSON_BODY_BYTES);
    json_writer_init(&w, &body);
    enum err_code rc = write_body(ctl, &w, &e);
    struct ctl_call call = {
        .method = "POST", .path = "/api/v1/registration-secrets", .body = buf_view(&body)};
    rc = rc ? rc : ctl_request(ctl, &call, &root, &e);
    buf_fini(&body);
    if (rc) {
        return ctl_fail(ctl, &e);
    }
    ctl->output->message("secret", arena_cstr(&ctl->arena, json_str(json_get(root, "secret"))));
    return CTL_OK;
}

static const struct ctl_option options[] = {
    {"name", "NAME", "what it is for"},
    {"max", "N", "how many agents may use it (default 1)"},
    {"expires", "DURATION", "how long it works (default 1h, at most 7d)"},
    {"allowed", "RANGES", "from where it may be used, such as 10.0.0.0/8,192.0.2.7"},
    {"approval", "HOW", "auto, or manual: each agent waits for pga ctl collector approve"},
    {"group", "NAME", "group of targets of the agents that enrol with it"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_secret_create = {
    .noun = "secret",
    .verb = "create",
    .summary = "make a registration secret for an agent and print it once",
    .options = options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_create,
};

/* --- reading and changing those that are there --- */

#define PATH "/api/v1/registration-secrets"

static const struct output_column columns[] = {
    {"ID", "id", OUTPUT_INTEGER},
    {"NAME", "name", OUTPUT_TEXT},
    {"USED", "total_registrations", OUTPUT_INTEGER},
    {"MAX", "max_registrations", OUTPUT_INTEGER},
    {"EXPIRES", "expires_at", OUTPUT_TEXT},
    {"LAST USED", "last_used_at", OUTPUT_TEXT},
    {"FROM", "allowed", OUTPUT_TEXT},
    {"APPROVAL", "approval", OUTPUT_TEXT},
    {"GROUP", "group", OUTPUT_TEXT},
};

static int run_list(struct ctl *ctl)
{
    return cmd_list_show(ctl, PATH "?limit=1000", columns, CMD_COUNT(columns));
}

static int run_show(struct ctl *ctl)
{
    return cmd_change_run(ctl, &(struct cmd_call){.method = "GET",
                                                  .path = PATH,
                                                  .name_member = "name",
                                                  .columns = columns,
                                                  .column_count = CMD_COUNT(columns)});
}

static int run_update(struct ctl *ctl)
{
    static const struct cmd_field fields[] = {
        {"name", "name", CMD_TEXT},
        {"max", "max_registrations", CMD_INTEGER},
        {"expires", "expires_in_s", CMD_SECONDS},
        {"allowed", "allowed", CMD_TEXT},
        {"approval", "approval", CMD_TEXT},
        {"group", "group", CMD_TEXT},
    };

    return cmd_change_run(ctl, &(struct cmd_call){.method = "PUT",
                                                  .path = PATH,
                                                  .name_member = "name",
                                                  .fields = fields,
                                                  .field_count = CMD_COUNT(fields),
                                                  .columns = columns,
                                                  .column_count = CMD_COUNT(columns)});
}

static int run_revoke(struct ctl *ctl)
{
    return cmd_change_run(ctl, &(struct cmd_call){.method = "DELETE",
                                                  .path = PATH,
                                                  .name_member = "name",
                                                  .done = "no agent can enrol with it any more"});
}

const struct ctl_command ctl_command_secret_list = {
    .noun = "secret",
    .verb = "list",
    .summary = "list registration secrets (never their values)",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_list,
};

const struct ctl_command ctl_command_secret_show = {
    .noun = "secret",
    .verb = "show",
    .summary = "show one registration secret (never its value)",
    .argument = "SECRET",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_show,
};

const struct ctl_command ctl_command_secret_update = {
    .noun = "secret",
    .verb = "update",
    .summary = "change name, number of uses or end of a registration secret",
    .argument = "SECRET",
    .options = options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_update,
};

const struct ctl_command ctl_command_secret_revoke = {
    .noun = "secret",
    .verb = "revoke",
    .summary = "end a registration secret; agents that enrolled with it stay",
    .argument = "SECRET",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_revoke,
};
