/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_history.c: `pga ctl metric show` and `pga ctl session load`: values over time.
 *
 * The API answers series beside one time axis; people and spreadsheets get a row a time and a
 * column a series.
 */
#include "app/ctl/cmd_history.h"

#include <stdio.h>

#include "app/ctl/cmd_change.h"
#include "base/limits.h"

#define SERIES_MAX 40 /* columns of a table; -o json has them all */

const char *cmd_history_labels(struct ctl *ctl, const struct json *labels)
{
    struct str name = json_str(json_get(labels, "__name__"));
    struct buf text;
    size_t count = 0;

    buf_init(&text, 16384);
    buf_add_str(&text, name);
    for (struct json_iter it = json_iter(labels); json_next(&it);) {
        if (!str_eq_c(it.key, "__name__"))
            buf_printf(&text, "%s%.*s=\"%.*s\"", count++ ? "," : "{", STR_ARG(it.key),
                       STR_ARG(json_str(it.value)));
    }
    buf_add_c(&text, count ? "}" : "");
    const char *out = text.len ? arena_cstr(&ctl->arena, buf_view(&text)) : "-";
    buf_fini(&text);
    return out;
}

/* The name of a series: its key, or its column with its labels, or its labels. */
static const char *series_name(struct ctl *ctl, const struct json *series)
{
    struct str key = json_str(json_get(series, "key"));
    struct buf name;

    if (json_type(json_get(series, "column")) != JSON_STR) {
        return key.len > 0 ? arena_cstr(&ctl->arena, key)
                           : cmd_history_labels(ctl, json_get(series, "labels"));
    }
    buf_init(&name, 4096);
    buf_add_str(&name, json_str(json_get(series, "column")));
    for (struct json_iter it = json_iter(json_get(series, "labels")); json_next(&it);) {
        buf_printf(&name, " %.*s=%.*s", STR_ARG(it.key), STR_ARG(json_str(it.value)));
    }
    const char *text = arena_cstr(&ctl->arena, buf_view(&name));
    buf_fini(&name);
    return text;
}

struct grid {
    struct output_column columns[SERIES_MAX + 1];
    struct json_iter values[SERIES_MAX];
    size_t count;
};

static void put_rows(const struct json *root, struct grid *g, struct json_writer *w)
{
    json_array_begin(w);
    for (struct json_iter t = json_iter(json_get(root, "times")); json_next(&t);) {
        json_object_begin(w);
        json_key(w, "t_ms");
        json_put_node(w, t.value);
        for (size_t i = 0; i < g->count; i++) {
            if (json_next(&g->values[i])) {
                json_key(w, g->columns[i + 1].member);
                json_put_node(w, g->values[i].value);
            }
        }
        json_object_end(w);
    }
    json_array_end(w);
}

static void read_series(struct ctl *ctl, const struct json *root, struct grid *g)
{
    g->columns[0] = (struct output_column){"TIME", "t_ms", OUTPUT_TIME};
    for (struct json_iter it = json_iter(json_get(root, "series"));
         g->count < SERIES_MAX && json_next(&it);) {
        const char *name = series_name(ctl, it.value);

        g->columns[g->count + 1] = (struct output_column){name, name, OUTPUT_DECIMAL};
        g->values[g->count++] = json_iter(json_get(it.value, "values"));
    }
}

int cmd_history_show(struct ctl *ctl, const struct json *root)
{
    static const struct json_limits limits = {.max_bytes = 64 << 20, .max_depth = 8};
    struct grid g = {.count = 0};
    struct json_doc *doc = NULL;
    struct json_writer w;
    struct buf text;
    struct err e;

    err_clear(&e);
    buf_init(&text, 64 << 20);
    json_writer_init(&w, &text);
    read_series(ctl, root, &g);
    put_rows(root, &g, &w);
    enum err_code rc = buf_check(&text, &e);
    rc = rc ? rc : json_parse(buf_view(&text), &limits, &doc, &e);
    if (rc == ERR_OK) {
        ctl->output->list(root, json_root(doc), g.columns, g.count + 1);
    }
    json_doc_free(doc);
    buf_fini(&text);
    if (json_count(json_get(root, "series")) > SERIES_MAX) {
        fprintf(stderr, "pga ctl: only the first %d series are shown; -o json has all\n",
                SERIES_MAX);
    }
    return rc ? ctl_fail(ctl, &e) : CTL_OK;
}

/* GET below the target of --target, with the options that are named like parameters. */
static int ask(struct ctl *ctl, const char *what, const char *const *names)
{
    const struct json *root;
    const char *id;
    struct buf path;
    struct err e;

    err_clear(&e);
    if (ctl_find_target(ctl, ctl_option(ctl, "target"), &id, &e)) {
        return ctl_fail(ctl, &e);
    }
    buf_init(&path, 8192);
    buf_add_c(&path, "/api/v1/servers/");
    ctl_path_add(&path, id);
    buf_add_c(&path, what);
    ctl_query_add(&path, "from", ctl_time(ctl, "since", "-15m"));
    ctl_query_add(&path, "to", ctl_time(ctl, "until", "now"));
    if (ctl->argument_count > 0) {
        ctl_query_add(&path, "relation", ctl->arguments[0]);
    }
    for (; *names; names++) {
        ctl_query_add(&path, *names, ctl_option(ctl, *names));
    }
    struct ctl_call call = {.method = "GET", .path = path.ptr};
    enum err_code rc = ctl_request(ctl, &call, &root, &e);
    buf_fini(&path);
    return rc ? ctl_fail(ctl, &e) : cmd_history_show(ctl, root);
}

static int run_metric(struct ctl *ctl)
{
    static const char *const names[] = {"column", "step", "agg", "by", NULL};
    struct err e;

    err_clear(&e);
    if (ctl->argument_count != 1) {
        err_set(&e, ERR_INVALID, "which relation? pga ctl target relations TARGET lists them");
        (void)ctl_fail(ctl, &e);
        return CTL_USAGE;
    }
    return ask(ctl, "/metrics", names);
}

static int run_load(struct ctl *ctl)
{
    static const char *const names[] = {"by", "step", "wait_class", NULL};

    return ask(ctl, "/sessions/load", names);
}

static const struct ctl_option metric_options[] = {
    {"target", "NAME", "name or id of the target (default: the only one)"},
    {"column", "LIST", "columns, with commas (default all)"},
    {"since", "TIME", "from this time on: 30m, a time (default 15m)"},
    {"until", "TIME", "up to this time (default now)"},
    {"step", "DURATION", "width of a bucket"},
    {"agg", "HOW", "last, avg, min, max, sum, count, rate or increase"},
    {"by", "KEYS", "sum over the rows that share these keys"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_metric_show = {
    .noun = "metric",
    .verb = "show",
    .summary = "show the history of a relation, a row a time and a column a series",
    .argument = "RELATION",
    .options = metric_options,
    .needs = CTL_NEEDS_LOGIN,
    .watched = CTL_WATCHED,
    .run = run_metric,
};

static const struct ctl_option load_options[] = {
    {"target", "NAME", "name or id of the target (default: the only one)"},
    {"since", "TIME", "from this time on: 30m, a time (default 15m)"},
    {"until", "TIME", "up to this time (default now)"},
    {"step", "DURATION", "width of a bucket"},
    {"by", "WHAT", "wait_class (default), wait_event, datname, usename, query_id ..."},
    {"wait_class", "CLASS", "only sessions that waited for this class"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_session_load = {
    .noun = "session",
    .verb = "load",
    .summary = "show average active sessions over time, split by what they waited for",
    .options = load_options,
    .needs = CTL_NEEDS_LOGIN,
    .watched = CTL_WATCHED,
    .run = run_load,
};
