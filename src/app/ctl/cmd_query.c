/* SPDX-License-Identifier: PostgreSQL */
/* cmd_query.c: `pga ctl query top`: which statements the time went to. */
#include "app/ctl/ctl.h"
#include "app/ctl/output.h"

static const struct output_column columns[] = {
    {"SHARE", "share", OUTPUT_PERCENT},           {"LOAD", "load_aas", OUTPUT_DECIMAL},
    {"CALLS", "calls", OUTPUT_INTEGER},           {"TOTAL MS", "total_exec_time", OUTPUT_MS},
    {"MEAN MS", "mean_exec_time", OUTPUT_MS},     {"ROWS", "rows", OUTPUT_INTEGER},
    {"READ", "shared_blks_read", OUTPUT_INTEGER}, {"DATABASE", "datname", OUTPUT_TEXT},
    {"QUERY ID", "queryid", OUTPUT_TEXT},         {"QUERY", "text", OUTPUT_ONE_LINE},
};

static enum err_code request_top(struct ctl *ctl, const struct json **root, struct err *e)
{
    const char *id;
    struct buf path;
    enum err_code rc = ctl_find_target(ctl, ctl_option(ctl, "target"), &id, e);

    if (rc) {
        return rc;
    }
    buf_init(&path, 4096);
    buf_add_c(&path, "/api/v1/servers/");
    ctl_path_add(&path, id);
    buf_add_c(&path, "/queries/top");
    ctl_query_add(&path, "from", ctl_time(ctl, "since", "-1h"));
    ctl_query_add(&path, "to", ctl_time(ctl, "until", "now"));
    ctl_query_add(&path, "sort", ctl_option(ctl, "sort"));
    ctl_query_add(&path, "limit", ctl_option_or(ctl, "limit", "20"));
    struct ctl_call call = {.method = "GET", .path = path.ptr};
    rc = ctl_request(ctl, &call, root, e);
    buf_fini(&path);
    return rc;
}

static int run_top(struct ctl *ctl)
{
    struct err e;
    const struct json *root;

    err_clear(&e);
    if (request_top(ctl, &root, &e) != ERR_OK) {
        return ctl_fail(ctl, &e);
    }
    ctl->output->list(root, json_get(root, "data"), columns, sizeof(columns) / sizeof(columns[0]));
    return CTL_OK;
}

static const struct ctl_option options[] = {
    {"target", "NAME", "name or id of the target (default: the only one)"},
    {"since", "TIME", "from this time on: 30m, -30m, a time (default 1h)"},
    {"until", "TIME", "up to this time (default now)"},
    {"sort", "COLUMN", "total_exec_time (default), calls, rows, load_aas, shared_blks_read ..."},
    {"limit", "N", "at most N statements (default 20)"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_query_top = {
    .noun = "query",
    .verb = "top",
    .summary = "show the statements that took most of an interval",
    .options = options,
    .needs = CTL_NEEDS_LOGIN,
    .watched = CTL_WATCHED,
    .run = run_top,
};
