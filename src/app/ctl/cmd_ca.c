/* SPDX-License-Identifier: PostgreSQL */
/* cmd_ca.c: `pga ctl ca ...`: the certificate authority of agents. */
#include "app/ctl/cmd_change.h"
#include "app/ctl/cmd_list.h"

#define PATH "/api/v1/ca"

static const struct output_column columns[] = {
    {"NAME", "name", OUTPUT_TEXT},
    {"KIND", "kind", OUTPUT_TEXT},
    {"BEGINS", "not_before", OUTPUT_TEXT},
    {"ENDS", "not_after", OUTPUT_TEXT},
    {"TRUSTED UNTIL", "retires_at", OUTPUT_TEXT},
    {"FINGERPRINT", "fingerprint", OUTPUT_TEXT},
};

/* Bare, so that it can be given to pga agent enroll. */
static int run_show(struct ctl *ctl)
{
    const struct json *root = NULL;
    struct ctl_call call = {.method = "GET", .path = PATH};
    struct err e;

    err_clear(&e);
    if (ctl_request(ctl, &call, &root, &e)) {
        return ctl_fail(ctl, &e);
    }
    ctl->output->message("fingerprint",
                         arena_cstr(&ctl->arena, json_str(json_get(root, "fingerprint"))));
    return CTL_OK;
}

static int run_list(struct ctl *ctl)
{
    return cmd_list_show(ctl, PATH "/authorities", columns, CMD_COUNT(columns));
}

static int run_rotate(struct ctl *ctl)
{
    static const struct cmd_field fields[] = {{"kind", "kind", CMD_TEXT}};
    struct err e;

    err_clear(&e);
    if (!ctl_option(ctl, "kind")) {
        err_set(&e, ERR_INVALID, "--kind issuing or --kind root");
        return ctl_fail(ctl, &e);
    }
    return cmd_change_run(ctl, &(struct cmd_call){.method = "POST",
                                                  .path = PATH "/rotate",
                                                  .fields = fields,
                                                  .field_count = CMD_COUNT(fields),
                                                  .columns = columns,
                                                  .column_count = CMD_COUNT(columns),
                                                  .rows = "data"});
}

static const struct ctl_option rotate_options[] = {
    {"kind", "KIND", "issuing, or root, with which comes a new issuing authority"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_ca_show = {
    .noun = "ca",
    .verb = "show",
    .summary = "print the fingerprint of the root, for pga agent enroll --ca-fingerprint",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_show,
};

const struct ctl_command ctl_command_ca_list = {
    .noun = "ca",
    .verb = "list",
    .summary = "list the authorities that are trusted; the newest of a kind issues",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_list,
};

const struct ctl_command ctl_command_ca_rotate = {
    .noun = "ca",
    .verb = "rotate",
    .summary = "make a new authority; the one before is trusted for 45 days more",
    .options = rotate_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_rotate,
};
