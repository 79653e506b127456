/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_target.c: `pga ctl target show|probes|relations|move|delete` and `pga ctl collector
 * show|move|revoke`: one watched server and one agent.
 */
#include "app/ctl/cmd_change.h"

static const struct output_column target_columns[] = {
    {"NAME", "name", OUTPUT_TEXT},
    {"ID", "id", OUTPUT_TEXT},
    {"KIND", "kind", OUTPUT_TEXT},
    {"GROUP", "group", OUTPUT_TEXT},
    {"STATE", "state", OUTPUT_TEXT},
    {"REASON", "reason", OUTPUT_ONE_LINE},
    {"ROLE", "role", OUTPUT_TEXT},
    {"VERSION", "version", OUTPUT_TEXT},
    {"ADDRESS", "address", OUTPUT_TEXT},
    {"PORT", "port", OUTPUT_INTEGER},
    {"SYSTEM ID", "system_identifier", OUTPUT_TEXT},
    {"LOAD", "load_aas", OUTPUT_DECIMAL},
    {"VCPU", "vcpus", OUTPUT_INTEGER},
    {"LAST SAMPLE", "last_sample_ms", OUTPUT_AGO},
    {"COLLECTOR", "collector_id", OUTPUT_TEXT},
};

static const struct output_column probe_columns[] = {
    {"PROBE", "probe", OUTPUT_TEXT},         {"STATE", "state", OUTPUT_TEXT},
    {"MS", "duration_ms", OUTPUT_DECIMAL},   {"ROWS", "rows", OUTPUT_INTEGER},
    {"RUNS", "runs", OUTPUT_INTEGER},        {"ERRORS", "errors", OUTPUT_INTEGER},
    {"LAST RUN", "last_run_ms", OUTPUT_AGO}, {"REASON", "reason", OUTPUT_ONE_LINE},
    {"FIX", "fix", OUTPUT_ONE_LINE},
};

static const struct output_column relation_columns[] = {
    {"RELATION", "name", OUTPUT_TEXT},        {"SHAPE", "shape", OUTPUT_TEXT},
    {"EVERY MS", "every_ms", OUTPUT_INTEGER}, {"LAST", "last_t_ms", OUTPUT_AGO},
    {"REASON", "reason", OUTPUT_ONE_LINE},    {"WHAT", "help", OUTPUT_ONE_LINE},
};

static int show_target(struct ctl *ctl, const char *rows, const struct output_column *columns,
                       size_t count)
{
    return cmd_change_run(ctl, &(struct cmd_call){.method = "GET",
                                                  .path = "/api/v1/servers",
                                                  .name_member = "name",
                                                  .rows = rows,
                                                  .columns = columns,
                                                  .column_count = count});
}

static int run_show(struct ctl *ctl)
{
    return show_target(ctl, NULL, target_columns, CMD_COUNT(target_columns));
}

static int run_probes(struct ctl *ctl)
{
    return show_target(ctl, "probes", probe_columns, CMD_COUNT(probe_columns));
}

static int run_relations(struct ctl *ctl)
{
    return show_target(ctl, "relations", relation_columns, CMD_COUNT(relation_columns));
}

static const struct output_column collector_columns[] = {
    {"NAME", "name", OUTPUT_TEXT},
    {"ID", "id", OUTPUT_TEXT},
    {"HOST", "hostname", OUTPUT_TEXT},
    {"ADDRESS", "address", OUTPUT_TEXT},
    {"VERSION", "version", OUTPUT_TEXT},
    {"STATUS", "status", OUTPUT_TEXT},
    {"GROUP", "group", OUTPUT_TEXT},
    {"LAST SEEN", "last_seen", OUTPUT_TEXT},
    {"CONFIG VERSION", "config_version", OUTPUT_INTEGER},
    {"METRICS", "metrics_count_total", OUTPUT_INTEGER},
    {"METRICS 24H", "metrics_count_24h", OUTPUT_INTEGER},
    {"CREATED", "created_at", OUTPUT_TEXT},
};

static int run_collector(struct ctl *ctl)
{
    return cmd_change_run(ctl, &(struct cmd_call){.method = "GET",
                                                  .path = "/api/v1/collectors",
                                                  .name_member = "name",
                                                  .columns = collector_columns,
                                                  .column_count = CMD_COUNT(collector_columns)});
}

static int run_revoke(struct ctl *ctl)
{
    struct err e;

    err_clear(&e);
    if (cmd_change_confirm(ctl, "The agent can deliver nothing more and must enrol again.", &e)) {
        (void)ctl_fail(ctl, &e);
        return e.code == ERR_INVALID ? CTL_USAGE : CTL_FAILURE;
    }
    return cmd_change_run(ctl, &(struct cmd_call){.method = "DELETE",
                                                  .path = "/api/v1/collectors",
                                                  .name_member = "name",
                                                  .done = "the agent is revoked"});
}

static int run_delete(struct ctl *ctl)
{
    struct err e;

    err_clear(&e);
    if (cmd_change_confirm(ctl, "The target and all that was read of it are deleted for good.",
                           &e)) {
        (void)ctl_fail(ctl, &e);
        return e.code == ERR_INVALID ? CTL_USAGE : CTL_FAILURE;
    }
    return cmd_change_run(ctl, &(struct cmd_call){.method = "DELETE",
                                                  .path = "/api/v1/servers",
                                                  .name_member = "name",
                                                  .done = "the target is deleted"});
}

/* --- moving to another group --- */

static int move(struct ctl *ctl, const char *path)
{
    static const struct cmd_field fields[] = {{"group", "group", CMD_TEXT}};
    static const struct output_column columns[] = {{"ID", "id", OUTPUT_TEXT},
                                                   {"GROUP", "group", OUTPUT_TEXT}};

    return cmd_change_run(ctl, &(struct cmd_call){.method = "PUT",
                                                  .path = path,
                                                  .name_member = "name",
                                                  .fields = fields,
                                                  .field_count = CMD_COUNT(fields),
                                                  .columns = columns,
                                                  .column_count = CMD_COUNT(columns)});
}

static int run_move_target(struct ctl *ctl)
{
    return move(ctl, "/api/v1/servers");
}

static int run_move_collector(struct ctl *ctl)
{
    return move(ctl, "/api/v1/collectors");
}

static const struct ctl_option move_options[] = {
    {"group", "NAME", "where it goes"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_target_move = {
    .noun = "target",
    .verb = "move",
    .summary = "move a target to another group",
    .argument = "TARGET",
    .options = move_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_move_target,
};

const struct ctl_command ctl_command_collector_move = {
    .noun = "collector",
    .verb = "move",
    .summary = "move an agent to another group, and its targets with it",
    .argument = "COLLECTOR",
    .options = move_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_move_collector,
};

static const struct ctl_option sure_options[] = {
    {"yes", NULL, "do not ask"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_target_delete = {
    .noun = "target",
    .verb = "delete",
    .summary = "delete a target with its history",
    .argument = "TARGET",
    .options = sure_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_delete,
};

const struct ctl_command ctl_command_target_show = {
    .noun = "target",
    .verb = "show",
    .summary = "show one target; -o json has its relations, probes and gaps",
    .argument = "TARGET",
    .needs = CTL_NEEDS_LOGIN,
    .watched = CTL_WATCHED,
    .run = run_show,
};

const struct ctl_command ctl_command_target_probes = {
    .noun = "target",
    .verb = "probes",
    .summary = "show how each source of a target fares, and the grant that would help",
    .argument = "TARGET",
    .needs = CTL_NEEDS_LOGIN,
    .watched = CTL_WATCHED,
    .run = run_probes,
};

const struct ctl_command ctl_command_target_relations = {
    .noun = "target",
    .verb = "relations",
    .summary = "list what is known of a target, relation by relation",
    .argument = "TARGET",
    .needs = CTL_NEEDS_LOGIN,
    .watched = CTL_WATCHED,
    .run = run_relations,
};

static int run_approve(struct ctl *ctl)
{
    return cmd_change_run(ctl, &(struct cmd_call){.method = "POST",
                                                  .path = "/api/v1/collectors",
                                                  .name_member = "name",
                                                  .suffix = "/approve",
                                                  .done = "it is let in"});
}

const struct ctl_command ctl_command_collector_approve = {
    .noun = "collector",
    .verb = "approve",
    .summary = "let an agent in that waits for it, or that was suspended",
    .argument = "COLLECTOR",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_approve,
};

const struct ctl_command ctl_command_collector_show = {
    .noun = "collector",
    .verb = "show",
    .summary = "show one agent",
    .argument = "COLLECTOR",
    .needs = CTL_NEEDS_LOGIN,
    .watched = CTL_WATCHED,
    .run = run_collector,
};

const struct ctl_command ctl_command_collector_revoke = {
    .noun = "collector",
    .verb = "revoke",
    .summary = "revoke an agent; its tokens are dead at once",
    .argument = "COLLECTOR",
    .options = sure_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_revoke,
};
