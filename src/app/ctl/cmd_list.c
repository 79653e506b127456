/* SPDX-License-Identifier: PostgreSQL */
/* cmd_list.c: the lists that are shown as the server gives them, one entry each. */
#include "app/ctl/cmd_list.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int cmd_list_show(struct ctl *ctl, const char *path, const struct output_column *columns,
                  size_t count)
{
    struct err e;
    const struct json *root;
    struct ctl_call call = {.method = "GET", .path = path};

    err_clear(&e);
    if (ctl_request(ctl, &call, &root, &e) != ERR_OK) {
        return ctl_fail(ctl, &e);
    }
    ctl->output->list(root, json_get(root, "data"), columns, count);
    return CTL_OK;
}

static int list_collectors(struct ctl *ctl)
{
    static const struct output_column columns[] = {
        {"NAME", "name", OUTPUT_TEXT},
        {"HOST", "hostname", OUTPUT_TEXT},
        {"STATUS", "status", OUTPUT_TEXT},
        {"GROUP", "group", OUTPUT_TEXT},
        {"LAST SEEN", "last_seen", OUTPUT_TEXT},
        {"VERSION", "version", OUTPUT_TEXT},
        {"METRICS 24H", "metrics_count_24h", OUTPUT_INTEGER},
        {"ID", "id", OUTPUT_TEXT},
    };
    return cmd_list_show(ctl, "/api/v1/collectors?limit=1000", columns, COUNT(columns));
}

static int list_targets(struct ctl *ctl)
{
    static const struct output_column columns[] = {
        {"NAME", "name", OUTPUT_TEXT},
        {"KIND", "kind", OUTPUT_TEXT},
        {"STATE", "state", OUTPUT_TEXT},
        {"GROUP", "group", OUTPUT_TEXT},
        {"ROLE", "role", OUTPUT_TEXT},
        {"VERSION", "version", OUTPUT_TEXT},
        {"LOAD", "load_aas", OUTPUT_DECIMAL},
        {"VCPU", "vcpus", OUTPUT_INTEGER},
        {"LAST SAMPLE", "last_sample_ms", OUTPUT_AGO},
        {"ID", "id", OUTPUT_TEXT},
        {"REASON", "reason", OUTPUT_ONE_LINE},
    };
    return cmd_list_show(ctl, "/api/v1/servers?limit=1000", columns, COUNT(columns));
}

static int list_events(struct ctl *ctl)
{
    static const struct output_column columns[] = {
        {"TIME", "t_ms", OUTPUT_TIME},
        {"SEVERITY", "severity", OUTPUT_TEXT},
        {"KIND", "kind", OUTPUT_TEXT},
        {"TITLE", "title", OUTPUT_ONE_LINE},
    };
    const char *server = NULL;
    struct buf path;
    struct err e;

    err_clear(&e);
    if (ctl_option(ctl, "target") && ctl_find_target(ctl, ctl_option(ctl, "target"), &server, &e)) {
        return ctl_fail(ctl, &e);
    }
    buf_init(&path, 4096);
    buf_add_c(&path, "/api/v1/events");
    ctl_query_add(&path, "server", server);
    ctl_query_add(&path, "from", ctl_time(ctl, "since", "-24h"));
    ctl_query_add(&path, "to", ctl_option(ctl, "until") ? ctl_time(ctl, "until", NULL) : NULL);
    ctl_query_add(&path, "kind", ctl_option(ctl, "kind"));
    ctl_query_add(&path, "severity", ctl_option(ctl, "severity"));
    ctl_query_add(&path, "q", ctl_option(ctl, "search"));
    ctl_query_add(&path, "limit", ctl_option_or(ctl, "limit", "100"));
    int rc = cmd_list_show(ctl, path.ptr, columns, COUNT(columns));
    buf_fini(&path);
    return rc;
}

const struct ctl_command ctl_command_collector_list = {
    .noun = "collector",
    .verb = "list",
    .summary = "list the agents that are enrolled",
    .needs = CTL_NEEDS_LOGIN,
    .run = list_collectors,
};

const struct ctl_command ctl_command_target_list = {
    .noun = "target",
    .verb = "list",
    .summary = "list what is watched",
    .needs = CTL_NEEDS_LOGIN,
    .run = list_targets,
};

static const struct ctl_option event_options[] = {
    {"since", "TIME", "from this time on: 24h (default), 2026-01-31T12:00:00Z"},
    {"until", "TIME", "up to this time (default now)"},
    {"target", "NAME", "only of this target"},
    {"kind", "KIND", "only events of this kind"},
    {"severity", "LEVEL", "at least debug, info, warning, error or critical"},
    {"search", "WORDS", "only events in which all of these words occur"},
    {"limit", "N", "at most N events (default 100)"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_event_list = {
    .noun = "event",
    .verb = "list",
    .summary = "list events, newest first",
    .options = event_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = list_events,
};
