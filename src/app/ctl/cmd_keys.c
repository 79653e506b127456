/* SPDX-License-Identifier: PostgreSQL */
/* cmd_keys.c: `pga ctl keys ...`: the keys that the server's secrets are sealed with. */
#include "app/ctl/cmd_change.h"
#include "app/ctl/cmd_list.h"
#include "base/limits.h"

#include <string.h>

static const struct output_column columns[] = {
    {"DATA KEY", "generation", OUTPUT_INTEGER}, {"SEALED", "sealed", OUTPUT_INTEGER},
    {"FIELDS", "fields", OUTPUT_INTEGER},       {"CREATED", "created_at", OUTPUT_TEXT},
    {"RETIRED", "retired_at", OUTPUT_TEXT},
};

static const struct output_column about[] = {
    {"master key from", "source", OUTPUT_TEXT},
    {"check value", "check", OUTPUT_TEXT},
    {"put .next in place", "by_next", OUTPUT_TEXT},
    {"fields left", "left", OUTPUT_INTEGER},
    {"stuck", "stuck", OUTPUT_ONE_LINE},
};

/* As a table both parts are shown; the other forms hold all of it in one. */
static void show(struct ctl *ctl, const struct json *root)
{
    if (ctl->output == &output_text)
        ctl->output->list(root, root, about, CMD_COUNT(about));
    ctl->output->list(root, json_get(root, "data"), columns, CMD_COUNT(columns));
}

static int call_and_show(struct ctl *ctl, const struct ctl_call *call)
{
    const struct json *root = NULL;
    struct err e;

    err_clear(&e);
    if (ctl_request(ctl, call, &root, &e) != ERR_OK)
        return ctl_fail(ctl, &e);
    show(ctl, root);
    return CTL_OK;
}

static int run_status(struct ctl *ctl)
{
    return call_and_show(ctl, &(struct ctl_call){.method = "GET", .path = "/api/v1/keys"});
}

static int run_rotate(struct ctl *ctl)
{
    const char *key = ctl->argument_count == 1 ? ctl->arguments[0] : "";
    struct ctl_call call = {.method = "POST", .path = "/api/v1/keys/rotate"};
    struct json_writer w;
    struct buf body;
    struct err e;
    int rc;

    if (strcmp(key, "master") != 0 && strcmp(key, "data") != 0) {
        (void)err_set(&e, ERR_INVALID, "which key: master or data");
        (void)ctl_fail(ctl, &e);
        return CTL_USAGE;
    }
    buf_init(&body, LIMIT_JSON_BODY_BYTES);
    json_writer_init(&w, &body);
    json_object_begin(&w);
    json_member_c(&w, "key", key);
    json_object_end(&w);
    call.body = buf_view(&body);
    rc = call_and_show(ctl, &call);
    buf_fini(&body);
    return rc;
}

const struct ctl_command ctl_command_keys_status = {
    .noun = "keys",
    .verb = "status",
    .summary = "show where the master key comes from, the data keys, and what is left to seal anew",
    .needs = CTL_NEEDS_LOGIN,
    .watched = CTL_WATCHED,
    .run = run_status,
};

const struct ctl_command ctl_command_keys_rotate = {
    .noun = "keys",
    .verb = "rotate",
    .summary = "replace the master key, or the data key that secrets are sealed with",
    .argument = "master|data",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_rotate,
};
