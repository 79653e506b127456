/* SPDX-License-Identifier: PostgreSQL */
/* cmd_cardinality.c: `pga ctl cardinality list`, `collector limits`: who fills the store. */
#include <string.h>

#include "app/ctl/cmd_change.h"
#include "app/ctl/cmd_list.h"

static int run_list(struct ctl *ctl)
{
    static const struct output_column relations[] = {
        {"RELATION", "relation", OUTPUT_TEXT},
        {"GROUPS", "groups", OUTPUT_INTEGER},
        {"OBJECTS", "objects", OUTPUT_INTEGER},
    };
    static const struct output_column servers[] = {
        {"SERVER", "server", OUTPUT_TEXT},
        {"GROUPS", "groups", OUTPUT_INTEGER},
        {"OBJECTS", "objects", OUTPUT_INTEGER},
    };
    static const struct output_column collectors[] = {
        {"COLLECTOR", "collector", OUTPUT_TEXT},
        {"GROUPS", "groups", OUTPUT_INTEGER},
        {"OBJECTS", "objects", OUTPUT_INTEGER},
    };
    const char *by = ctl_option_or(ctl, "by", "relation");
    const char *id = NULL;
    struct buf path;
    struct err e;

    err_clear(&e);
    if (ctl_option(ctl, "target") && ctl_find_target(ctl, ctl_option(ctl, "target"), &id, &e))
        return ctl_fail(ctl, &e);
    buf_init(&path, 4096);
    buf_add_c(&path, "/api/v1/cardinality");
    ctl_query_add(&path, "by", by);
    ctl_query_add(&path, "server", id);
    ctl_query_add(&path, "limit", ctl_option(ctl, "limit"));
    const struct output_column *columns = strcmp(by, "server") == 0      ? servers
                                          : strcmp(by, "collector") == 0 ? collectors
                                                                         : relations;
    int rc = cmd_list_show(ctl, path.ptr, columns, CMD_COUNT(relations));
    buf_fini(&path);
    return rc;
}

static int run_limits(struct ctl *ctl)
{
    static const struct output_column columns[] = {
        {"LIMIT", "limit", OUTPUT_TEXT},
        {"USED", "used", OUTPUT_INTEGER},
        {"MAX", "max", OUTPUT_INTEGER},
        {"REFUSED", "refused", OUTPUT_INTEGER},
    };

    return cmd_change_run(ctl, &(struct cmd_call){.method = "GET",
                                                  .path = "/api/v1/collectors",
                                                  .name_member = "name",
                                                  .suffix = "/limits",
                                                  .rows = "data",
                                                  .columns = columns,
                                                  .column_count = CMD_COUNT(columns)});
}

static const struct ctl_option options[] = {
    {"by", "WHAT", "relation (default), server or collector"},
    {"target", "NAME", "only of this target"},
    {"limit", "N", "at most N (default 100)"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_cardinality_list = {
    .noun = "cardinality",
    .verb = "list",
    .summary = "list how many objects the store has, by relation, server or collector, most first",
    .options = options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_list,
};

const struct ctl_command ctl_command_collector_limits = {
    .noun = "collector",
    .verb = "limits",
    .summary = "show what a collector has of what it may have, and what was left out",
    .argument = "COLLECTOR",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_limits,
};
