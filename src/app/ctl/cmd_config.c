/* SPDX-License-Identifier: PostgreSQL */
/* cmd_config.c: `pga ctl config ...`: the configuration that the server keeps for an agent. */
#include <stdio.h>

#include "app/ctl/cmd_change.h"
#include "base/limits.h"
#include "os/file.h"

/* "/api/v1/config/ID" and `suffix`, for the agent that is the operand. NULL: said why. */
static const char *path_of(struct ctl *ctl, const char *suffix, struct err *e)
{
    const struct cmd_call list = {.path = "/api/v1/collectors", .name_member = "name"};
    const char *id;

    if (ctl->argument_count != 1) {
        err_set(e, ERR_INVALID, "which agent? pga ctl collector list shows them");
        return NULL;
    }
    if (cmd_change_find(ctl, &list, ctl->arguments[0], &id, e)) {
        return NULL;
    }
    return arena_printf(&ctl->arena, "/api/v1/config/%s%s", id, suffix);
}

static int fail(struct ctl *ctl, const struct err *e)
{
    int code = ctl_fail(ctl, e);

    return ctl->argument_count != 1 ? CTL_USAGE : code;
}

static int run_show(struct ctl *ctl)
{
    const struct json *root;
    struct err e;

    err_clear(&e);
    struct ctl_call call = {.method = "GET", .path = path_of(ctl, "", &e)};
    if (!call.path || ctl_request(ctl, &call, &root, &e)) {
        return fail(ctl, &e);
    }
    fwrite(ctl->text.ptr, 1, ctl->text.len, stdout);
    return CTL_OK;
}

static int run_set(struct ctl *ctl)
{
    static const struct output_column columns[] = {{"STATUS", "status", OUTPUT_TEXT},
                                                   {"VERSION", "version", OUTPUT_INTEGER},
                                                   {"MESSAGE", "message", OUTPUT_TEXT}};
    const struct json *root = NULL;
    struct buf body;
    struct err e;

    err_clear(&e);
    buf_init(&body, LIMIT_JSON_BODY_BYTES);
    struct ctl_call call = {
        .method = "PUT", .path = path_of(ctl, "", &e), .type = "application/toml"};
    enum err_code rc = call.path ? ERR_OK : e.code;
    if (rc == ERR_OK && !ctl_option(ctl, "file")) {
        rc = err_set(&e, ERR_INVALID, "--file: which file holds the new configuration?");
    }
    rc = rc ? rc : file_read_all(ctl_option(ctl, "file"), &body, &e);
    call.body = buf_view(&body);
    rc = rc ? rc : ctl_request(ctl, &call, &root, &e);
    buf_fini(&body);
    if (rc) {
        return fail(ctl, &e);
    }
    ctl->output->list(root, root, columns, CMD_COUNT(columns));
    return CTL_OK;
}

static int run_history(struct ctl *ctl)
{
    static const struct output_column columns[] = {{"VERSION", "version", OUTPUT_INTEGER},
                                                   {"CREATED", "created_at", OUTPUT_TEXT},
                                                   {"BY", "created_by", OUTPUT_TEXT},
                                                   {"BYTES", "size", OUTPUT_INTEGER}};
    const struct json *root;
    struct err e;

    err_clear(&e);
    struct ctl_call call = {.method = "GET", .path = path_of(ctl, "/versions?limit=1000", &e)};
    if (!call.path || ctl_request(ctl, &call, &root, &e)) {
        return fail(ctl, &e);
    }
    ctl->output->list(root, json_get(root, "data"), columns, CMD_COUNT(columns));
    return CTL_OK;
}

const struct ctl_command ctl_command_config_show = {
    .noun = "config",
    .verb = "show",
    .summary = "print the configuration that the server keeps for an agent",
    .argument = "COLLECTOR",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_show,
};

static const struct ctl_option set_options[] = {
    {"file", "FILE", "the new configuration, TOML"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_config_set = {
    .noun = "config",
    .verb = "set",
    .summary = "give an agent a new configuration; it is checked, and applied without a restart",
    .argument = "COLLECTOR",
    .options = set_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_set,
};

const struct ctl_command ctl_command_config_history = {
    .noun = "config",
    .verb = "history",
    .summary = "list the versions of an agent's configuration, with who made them",
    .argument = "COLLECTOR",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_history,
};
