/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_promql.c: `pga ctl query run`: a PromQL expression, at one time or over a range.
 *
 * At one time there is a row a series; over a range a row a time and a column a series.
 */
#include <math.h>
#include <stdio.h>

#include "app/ctl/cmd_history.h"
#include "app/ctl/ctl.h"
#include "app/ctl/output.h"
#include "base/num.h"
#include "os/clock.h"

#define POINTS       60 /* of a range when no step is given */
#define ANSWER_BYTES ((size_t)64 << 20)

static const struct output_column columns[] = {{"SERIES", "series", OUTPUT_TEXT},
                                               {"VALUE", "value", OUTPUT_TEXT}};

/* An option that is a time, and the parameter that it becomes. */
struct moment {
    const char *option, *name;
    int64_t ms; /* when it is not given; then what it is */
};

/* "now", "30m" or "-30m" ago, or a time; in Unix seconds, as Prometheus takes it. */
static enum err_code add_time(struct ctl *ctl, struct buf *path, struct moment *m, struct err *e)
{
    struct str text = str_of(ctl_option(ctl, m->option));
    int64_t now = clock_wall_ms(), ago;
    char seconds[32];

    if (text.len > 1 && text.ptr[0] == '-')
        text = str_make(text.ptr + 1, text.len - 1);
    if (str_eq_c(text, "now"))
        m->ms = now;
    else if (text.len && text.ptr[text.len - 1] > '9' && text.ptr[text.len - 1] != 'Z' &&
             num_parse_duration_ms(text, &ago, NULL) == ERR_OK)
        m->ms = now - ago;
    else if (text.len && num_parse_time_ms(text, &m->ms, NULL) != ERR_OK)
        return err_set(e, ERR_INVALID, "--%s: not a time", m->option);
    (void)snprintf(seconds, sizeof(seconds), "%.3f", (double)m->ms / 1000);
    ctl_query_add(path, m->name, seconds);
    return ERR_OK;
}

static enum err_code add_range(struct ctl *ctl, struct buf *path, struct err *e)
{
    int64_t now = clock_wall_ms();
    struct moment from = {"from", "start", now}, to = {"to", "end", now};
    const char *step = ctl_option(ctl, "step");
    enum err_code rc = add_time(ctl, path, &from, e);

    if (rc == ERR_OK)
        rc = add_time(ctl, path, &to, e);
    if (rc == ERR_OK && !step) {
        double seconds = ceil((double)(to.ms - from.ms) / 1000 / POINTS);
        step = arena_printf(&ctl->arena, "%.0f", fmax(1, seconds));
    }
    ctl_query_add(path, "step", step);
    ctl_query_add(path, "format", "columns");
    return rc;
}

/* --- one time --- */

static void put_row(struct ctl *ctl, struct json_writer *w, const struct json *metric,
                    const struct json *sample)
{
    struct json_iter it = json_iter(sample);
    bool has = json_next(&it) && json_next(&it);

    json_object_begin(w);
    json_member_c(w, "series", cmd_history_labels(ctl, metric));
    json_key(w, "value");
    json_put_node(w, has ? it.value : NULL);
    json_object_end(w);
}

/* [[t, "v"], ...] of a range vector: its last sample. */
static const struct json *last_of(const struct json *values)
{
    const struct json *last = NULL;

    for (struct json_iter it = json_iter(values); json_next(&it);)
        last = it.value;
    return last;
}

static void put_rows(struct ctl *ctl, struct json_writer *w, const struct json *data)
{
    const struct json *result = json_get(data, "result");
    struct str type = json_str(json_get(data, "resultType"));

    json_array_begin(w);
    if (str_eq_c(type, "scalar") || str_eq_c(type, "string")) {
        put_row(ctl, w, NULL, result);
    } else {
        for (struct json_iter it = json_iter(result); json_next(&it);) {
            const struct json *one = json_get(it.value, "value");
            put_row(ctl, w, json_get(it.value, "metric"),
                    one ? one : last_of(json_get(it.value, "values")));
        }
    }
    json_array_end(w);
}

static int show_instant(struct ctl *ctl, const struct json *root)
{
    static const struct json_limits limits = {.max_bytes = ANSWER_BYTES, .max_depth = 8};
    struct json_doc *doc = NULL;
    struct json_writer w;
    struct buf text;
    struct err e;

    err_clear(&e);
    buf_init(&text, ANSWER_BYTES);
    json_writer_init(&w, &text);
    put_rows(ctl, &w, json_get(root, "data"));
    enum err_code rc = buf_check(&text, &e);
    rc = rc ? rc : json_parse(buf_view(&text), &limits, &doc, &e);
    if (rc == ERR_OK)
        ctl->output->list(root, json_root(doc), columns, sizeof(columns) / sizeof(columns[0]));
    json_doc_free(doc);
    buf_fini(&text);
    return rc ? ctl_fail(ctl, &e) : CTL_OK;
}

/* --- the command --- */

static void show_notes(const struct json *root)
{
    static const char *const kinds[] = {"warnings", "infos"};

    for (size_t k = 0; k < 2; k++) {
        for (struct json_iter it = json_iter(json_get(root, kinds[k])); json_next(&it);)
            fprintf(stderr, "pga ctl: %.*s\n", STR_ARG(json_str(it.value)));
    }
}

static enum err_code request(struct ctl *ctl, bool range, const struct json **root, struct err *e)
{
    struct moment at = {"at", "time", 0};
    struct buf path;
    enum err_code rc = ERR_OK;

    if (ctl->argument_count != 1)
        return err_set(e, ERR_INVALID, "one expression, in quotes: 'sum(rate(...[5m]))'");
    buf_init(&path, 64 << 10);
    buf_add_c(&path, range ? "/prometheus/api/v1/query_range" : "/prometheus/api/v1/query");
    ctl_query_add(&path, "query", ctl->arguments[0]);
    if (range)
        rc = add_range(ctl, &path, e);
    else if (ctl_option(ctl, "at"))
        rc = add_time(ctl, &path, &at, e);
    struct ctl_call call = {.method = "GET", .path = path.ptr};
    if (rc == ERR_OK)
        rc = ctl_request(ctl, &call, root, e);
    buf_fini(&path);
    return rc;
}

static int run(struct ctl *ctl)
{
    bool range = ctl_option(ctl, "from") != NULL;
    const struct json *root = NULL;
    struct err e;

    err_clear(&e);
    if (request(ctl, range, &root, &e) != ERR_OK)
        return ctl_fail(ctl, &e);
    show_notes(root);
    return range ? cmd_history_show(ctl, json_get(root, "data")) : show_instant(ctl, root);
}

static const struct ctl_option options[] = {
    {"at", "TIME", "at this time: 30m, a time (default now)"},
    {"from", "TIME", "over a range, from this time on: 30m, a time"},
    {"to", "TIME", "up to this time (default now)"},
    {"step", "DURATION", "between two points of a range (default a 60th of it)"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_query_run = {
    .noun = "query",
    .verb = "run",
    .summary = "evaluate a PromQL expression",
    .argument = "EXPRESSION",
    .options = options,
    .needs = CTL_NEEDS_LOGIN,
    .watched = CTL_WATCHED,
    .run = run,
};
