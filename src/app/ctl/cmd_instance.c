/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_instance.c: `pga ctl instance ...`: PostgreSQL servers that the server reads itself.
 *
 * A password comes from a file or from the terminal, never from the command line.
 */
#include "app/ctl/cmd_change.h"
#include "app/ctl/cmd_list.h"

#define PATH "/api/v1/managed-instances"

static const struct output_column columns[] = {
    {"ID", "id", OUTPUT_INTEGER},
    {"NAME", "name", OUTPUT_TEXT},
    {"GROUP", "group", OUTPUT_TEXT},
    {"ENDPOINT", "endpoint", OUTPUT_TEXT},
    {"PORT", "port", OUTPUT_INTEGER},
    {"ROLE", "master_username", OUTPUT_TEXT},
    {"SSL", "ssl_mode", OUTPUT_TEXT},
    {"STATUS", "status", OUTPUT_TEXT},
    {"CONNECTION", "last_connection_status", OUTPUT_TEXT},
    {"SINCE", "state_since", OUTPUT_TEXT},
    {"ERROR", "last_error_message", OUTPUT_TEXT},
    {"FIX", "fix", OUTPUT_TEXT},
};

static const struct output_column trial_columns[] = {
    {"RESULT", "code", OUTPUT_TEXT},
    {"STAGE", "stage", OUTPUT_TEXT},
    {"ERROR", "error", OUTPUT_TEXT},
    {"FIX", "fix", OUTPUT_TEXT},
    {"VERSION", "server_version", OUTPUT_TEXT},
};

static const struct cmd_field fields[] = {
    {"name", "name", CMD_TEXT},
    {"description", "description", CMD_TEXT},
    {"endpoint", "endpoint", CMD_TEXT},
    {"port", "port", CMD_INTEGER},
    {"database", "database", CMD_TEXT},
    {"environment", "environment", CMD_TEXT},
    {"group", "group", CMD_TEXT},
    {"username", "master_username", CMD_TEXT},
    {"ssl-mode", "ssl_mode", CMD_TEXT},
    {"interval", "monitoring_interval", CMD_SECONDS},
    {"timeout", "connection_timeout", CMD_SECONDS},
    {"paused", "paused", CMD_BOOL},
};

static struct cmd_call call_of(const char *method)
{
    return (struct cmd_call){.method = method,
                             .path = PATH,
                             .name_member = "name",
                             .columns = columns,
                             .column_count = CMD_COUNT(columns)};
}

static int run_list(struct ctl *ctl)
{
    return cmd_list_show(ctl, PATH "?limit=1000", columns, CMD_COUNT(columns));
}

static int run_show(struct ctl *ctl)
{
    const struct cmd_call call = call_of("GET");

    return cmd_change_run(ctl, &call);
}

static int run_create(struct ctl *ctl)
{
    struct cmd_call call = call_of("POST");

    call.name_member = NULL;
    call.fields = fields;
    call.field_count = CMD_COUNT(fields);
    call.password = ctl_option(ctl, "no-password") ? NULL : "master_password";
    return cmd_change_run(ctl, &call);
}

static int run_update(struct ctl *ctl)
{
    struct cmd_call call = call_of("PUT");

    call.fields = fields;
    call.field_count = CMD_COUNT(fields);
    if (ctl_option(ctl, "password-file") || ctl_option(ctl, "ask-password")) {
        call.password = "master_password";
    }
    return cmd_change_run(ctl, &call);
}

static int run_delete(struct ctl *ctl)
{
    struct cmd_call call = call_of("DELETE");
    struct err e;

    err_clear(&e);
    if (cmd_change_confirm(ctl, "Stop reading this instance and forget its password?", &e)) {
        return ctl_fail(ctl, &e);
    }
    call.columns = NULL;
    call.done = "it is not read any more; what was read of it stays";
    return cmd_change_run(ctl, &call);
}

static int run_test(struct ctl *ctl)
{
    const struct cmd_call list = call_of("GET");
    const struct json *root = NULL;
    const char *id = NULL;
    struct err e;

    err_clear(&e);
    if (ctl->argument_count != 1) {
        err_set(&e, ERR_INVALID, "which instance? Give its name or id");
        (void)ctl_fail(ctl, &e);
        return CTL_USAGE;
    }
    enum err_code rc = cmd_change_find(ctl, &list, ctl->arguments[0], &id, &e);
    struct ctl_call call = {.method = "POST"};
    if (!rc) {
        call.path = arena_printf(&ctl->arena, PATH "/%s/test-connection", id);
        rc = ctl_request(ctl, &call, &root, &e);
    }
    if (rc) {
        return ctl_fail(ctl, &e);
    }
    ctl->output->list(root, root, trial_columns, CMD_COUNT(trial_columns));
    return json_bool(json_get(root, "success"), false) ? CTL_OK : CTL_PROBLEMS;
}

#define FIELDS                                                                                   \
    {"name", "NAME", "what the target is called"}, {"endpoint", "HOST", "host name or address"}, \
        {"port", "PORT", "default 5432"},                                                        \
        {"username", "ROLE", "role to log in as; it needs pg_monitor"},                          \
        {"database", "NAME", "to log in to, default postgres"},                                  \
        {"ssl-mode", "MODE", "disable, allow, prefer, require, verify-ca or verify-full"},       \
        {"interval", "DURATION", "between readings, 5s to 1h, default 10s"},                     \
        {"timeout", "DURATION", "of a connection test, 1s to 30s, default 5s"},                  \
        {"description", "TEXT", "for people"}, {"environment", "TEXT", "such as production"},    \
        {"group", "NAME", "group of its target"},                                                \
        {"paused", "true|false", "keep it, and do not read it"},                                 \
    {                                                                                            \
        "password-file", "FILE", "the role's password is in there"                               \
    }

static const struct ctl_option create_options[] = {
    FIELDS,
    {"no-password", NULL, "the role needs none"},
    {NULL, NULL, NULL},
};

static const struct ctl_option update_options[] = {
    FIELDS,
    {"ask-password", NULL, "ask for another password on the terminal"},
    {NULL, NULL, NULL},
};

static const struct ctl_option delete_options[] = {
    {"yes", NULL, "do not ask"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_instance_create = {
    .noun = "instance",
    .verb = "create",
    .summary = "have the server read a PostgreSQL server by itself",
    .options = create_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_create,
};

const struct ctl_command ctl_command_instance_delete = {
    .noun = "instance",
    .verb = "delete",
    .summary = "stop reading a managed instance and forget its password",
    .argument = "INSTANCE",
    .options = delete_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_delete,
};

const struct ctl_command ctl_command_instance_list = {
    .noun = "instance",
    .verb = "list",
    .summary = "list managed instances and how they fare",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_list,
};

const struct ctl_command ctl_command_instance_show = {
    .noun = "instance",
    .verb = "show",
    .summary = "show one managed instance (never its password)",
    .argument = "INSTANCE",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_show,
};

const struct ctl_command ctl_command_instance_test = {
    .noun = "instance",
    .verb = "test",
    .summary = "connect to a managed instance and say how far that goes; status 7 when not all the "
               "way",
    .argument = "INSTANCE",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_test,
};

const struct ctl_command ctl_command_instance_update = {
    .noun = "instance",
    .verb = "update",
    .summary = "change a managed instance; what is not given stays",
    .argument = "INSTANCE",
    .options = update_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_update,
};
