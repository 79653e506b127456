/* SPDX-License-Identifier: PostgreSQL */
/* cmd_user.c: `pga ctl user ...`: the accounts of people. */
#include "app/ctl/cmd_change.h"
#include "app/ctl/cmd_list.h"

#define PATH "/api/v1/users"

static const struct output_column columns[] = {
    {"ID", "id", OUTPUT_INTEGER},         {"NAME", "username", OUTPUT_TEXT},
    {"ROLE", "role", OUTPUT_TEXT},        {"GROUPS", "groups", OUTPUT_TEXT},
    {"ACTIVE", "is_active", OUTPUT_TEXT}, {"FULL NAME", "full_name", OUTPUT_TEXT},
    {"EMAIL", "email", OUTPUT_TEXT},      {"LAST LOGIN", "last_login", OUTPUT_TEXT},
};

static const struct cmd_field fields[] = {
    {"name", "username", CMD_TEXT},  {"role", "role", CMD_TEXT},
    {"email", "email", CMD_TEXT},    {"full-name", "full_name", CMD_TEXT},
    {"groups", "groups", CMD_WORDS}, {"active", "is_active", CMD_BOOL},
};

static int run_list(struct ctl *ctl)
{
    return cmd_list_show(ctl, PATH "?limit=1000", columns, CMD_COUNT(columns));
}

static int run_show(struct ctl *ctl)
{
    return cmd_change_run(ctl, &(struct cmd_call){.method = "GET",
                                                  .path = PATH,
                                                  .name_member = "username",
                                                  .columns = columns,
                                                  .column_count = CMD_COUNT(columns)});
}

static int run_create(struct ctl *ctl)
{
    return cmd_change_run(ctl, &(struct cmd_call){.method = "POST",
                                                  .path = PATH,
                                                  .fields = fields,
                                                  .field_count = 5,
                                                  .password = "password",
                                                  .columns = columns,
                                                  .column_count = CMD_COUNT(columns)});
}

static int run_update(struct ctl *ctl)
{
    return cmd_change_run(ctl, &(struct cmd_call){.method = "PUT",
                                                  .path = PATH,
                                                  .name_member = "username",
                                                  .fields = fields + 1,
                                                  .field_count = CMD_COUNT(fields) - 1,
                                                  .columns = columns,
                                                  .column_count = CMD_COUNT(columns)});
}

static int run_delete(struct ctl *ctl)
{
    struct err e;

    err_clear(&e);
    if (cmd_change_confirm(ctl, "The account ends for good.", &e) != ERR_OK) {
        (void)ctl_fail(ctl, &e);
        return e.code == ERR_INVALID ? CTL_USAGE : CTL_FAILURE;
    }
    return cmd_change_run(ctl, &(struct cmd_call){.method = "DELETE",
                                                  .path = PATH,
                                                  .name_member = "username",
                                                  .done = "the account is gone"});
}

static int run_reset(struct ctl *ctl)
{
    static const struct output_column answer[] = {{"PASSWORD", "password", OUTPUT_TEXT},
                                                  {"MESSAGE", "message", OUTPUT_TEXT}};

    return cmd_change_run(
        ctl, &(struct cmd_call){.method = "POST",
                                .path = PATH,
                                .name_member = "username",
                                .suffix = "/reset-password",
                                .fields = fields, /* none is given: an empty object */
                                .password = ctl_option(ctl, "password-file") ? "password" : NULL,
                                .columns = answer,
                                .column_count = CMD_COUNT(answer)});
}

#define ROLE_OPTION                                                 \
    {                                                               \
        "role", "ROLE", "viewer, operator, admin, owner or auditor" \
    }
#define EMAIL_OPTION                       \
    {                                      \
        "email", "ADDRESS", "mail address" \
    }
#define FULL_NAME_OPTION                 \
    {                                    \
        "full-name", "NAME", "full name" \
    }

#define GROUPS_OPTION                                                                           \
    {                                                                                           \
        "groups", "LIST", "groups of targets that it sees, with commas; all (default), or none" \
    }

static const struct ctl_option create_options[] = {
    {"name", "NAME", "name of the account"},
    ROLE_OPTION,
    EMAIL_OPTION,
    FULL_NAME_OPTION,
    GROUPS_OPTION,
    {"password-file", "FILE", "read the password there (- = standard input) instead of asking"},
    {NULL, NULL, NULL},
};

static const struct ctl_option update_options[] = {
    ROLE_OPTION,
    EMAIL_OPTION,
    GROUPS_OPTION,
    FULL_NAME_OPTION,
    {"active", "BOOL", "false: the account cannot sign in"},
    {NULL, NULL, NULL},
};

static const struct ctl_option delete_options[] = {
    {"yes", NULL, "do not ask"},
    {NULL, NULL, NULL},
};

static const struct ctl_option reset_options[] = {
    {"password-file", "FILE", "read the password there; without it the server makes one"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_user_list = {
    .noun = "user",
    .verb = "list",
    .summary = "list the accounts",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_list,
};

const struct ctl_command ctl_command_user_show = {
    .noun = "user",
    .verb = "show",
    .summary = "show one account",
    .argument = "USER",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_show,
};

const struct ctl_command ctl_command_user_create = {
    .noun = "user",
    .verb = "create",
    .summary = "make an account",
    .options = create_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_create,
};

const struct ctl_command ctl_command_user_update = {
    .noun = "user",
    .verb = "update",
    .summary = "change role, names or state of an account",
    .argument = "USER",
    .options = update_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_update,
};

const struct ctl_command ctl_command_user_delete = {
    .noun = "user",
    .verb = "delete",
    .summary = "remove an account",
    .argument = "USER",
    .options = delete_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_delete,
};

const struct ctl_command ctl_command_user_reset_password = {
    .noun = "user",
    .verb = "reset-password",
    .summary = "give an account a new password",
    .argument = "USER",
    .options = reset_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_reset,
};
