/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_monitoring.c: `pga ctl monitoring`, `pga ctl stream list`, and `pga ctl api`, which calls any
 * route there is.
 */
#include <stdio.h>
#include <string.h>

#include "app/ctl/cmd_change.h"
#include "base/limits.h"
#include "os/file.h"

static int show(struct ctl *ctl, const char *rows, const struct output_column *columns,
                size_t count)
{
    return cmd_change_run(ctl, &(struct cmd_call){.method = "GET",
                                                  .path = "/api/v1/monitoring",
                                                  .rows = rows,
                                                  .columns = columns,
                                                  .column_count = count});
}

static int run_monitoring(struct ctl *ctl)
{
    static const struct output_column columns[] = {
        {"engine", "engine", OUTPUT_TEXT},
        {"full", "full", OUTPUT_TEXT},
        {"disk bytes", "disk_bytes", OUTPUT_INTEGER},
        {"free bytes", "free_bytes", OUTPUT_INTEGER},
        {"journal bytes", "journal_bytes", OUTPUT_INTEGER},
        {"head bytes", "head_bytes", OUTPUT_INTEGER},
        {"samples stored", "samples_stored", OUTPUT_INTEGER},
        {"pushes", "pushes", OUTPUT_INTEGER},
        {"duplicates", "duplicates", OUTPUT_INTEGER},
        {"refused", "refused", OUTPUT_TEXT},
        {"flush errors", "flush_errors", OUTPUT_INTEGER},
        {"compact errors", "compact_errors", OUTPUT_INTEGER},
        {"removed for age", "removed_for_age", OUTPUT_INTEGER},
        {"removed for quota", "removed_for_quota", OUTPUT_INTEGER},
        {"objects", "objects", OUTPUT_INTEGER},
    };

    return show(ctl, "store", columns, CMD_COUNT(columns));
}

static int run_streams(struct ctl *ctl)
{
    static const struct output_column columns[] = {
        {"COLLECTOR", "collector", OUTPUT_TEXT}, {"STREAM", "stream", OUTPUT_TEXT},
        {"LIVE", "live", OUTPUT_TEXT},           {"NEXT", "next_seq", OUTPUT_INTEGER},
        {"STORED", "stored", OUTPUT_INTEGER},    {"SAMPLES", "samples", OUTPUT_INTEGER},
        {"GAPS", "gaps", OUTPUT_TEXT},           {"LAST PUSH", "last_push_ms", OUTPUT_AGO},
    };

    return show(ctl, "streams", columns, CMD_COUNT(columns));
}

/* --- any route --- */

static enum err_code read_body(const char *path, struct buf *out, struct err *e)
{
    char piece[4096];
    size_t got;

    if (strcmp(path, "-") != 0) {
        return file_read_all(path, out, e);
    }
    while ((got = fread(piece, 1, sizeof(piece), stdin)) > 0) {
        buf_add(out, piece, got);
    }
    return buf_check(out, e);
}

static void print_answer(const struct json *root)
{
    struct json_writer w;
    struct buf out;

    buf_init(&out, 64 << 20);
    json_writer_init(&w, &out);
    json_put_node(&w, root);
    buf_add_char(&out, '\n');
    output_flush(&out);
    buf_fini(&out);
}

static int run_api(struct ctl *ctl)
{
    const char *file = ctl_option(ctl, "body");
    const struct json *root = NULL;
    struct buf body;
    struct err e;

    err_clear(&e);
    if (ctl->argument_count != 2) {
        err_set(&e, ERR_INVALID, "give a method and a path: pga ctl api GET servers");
        (void)ctl_fail(ctl, &e);
        return CTL_USAGE;
    }
    buf_init(&body, LIMIT_JSON_BODY_BYTES);
    const char *path = ctl->arguments[1];
    struct ctl_call call = {.method = ctl->arguments[0],
                            .path = path[0] == '/' ? path
                                                   : arena_printf(&ctl->arena, "/api/v1/%s", path)};
    enum err_code rc = file ? read_body(file, &body, &e) : ERR_OK;
    call.body = buf_view(&body);
    rc = rc ? rc : ctl_request(ctl, &call, &root, &e);
    buf_fini(&body);
    if (rc) {
        return ctl_fail(ctl, &e);
    }
    if (root) {
        print_answer(root);
    }
    return CTL_OK;
}

const struct ctl_command ctl_command_monitoring = {
    .noun = "",
    .verb = "monitoring",
    .summary = "show what the monitoring itself holds and does",
    .needs = CTL_NEEDS_LOGIN,
    .watched = CTL_WATCHED,
    .run = run_monitoring,
};

const struct ctl_command ctl_command_stream_list = {
    .noun = "stream",
    .verb = "list",
    .summary = "list what agents deliver, with what is missing and why",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_streams,
};

static const struct ctl_option api_options[] = {
    {"body", "FILE", "send this JSON (- = standard input)"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_api = {
    .noun = "",
    .verb = "api",
    .summary = "call any route of the API and print its answer: api GET servers",
    .argument = "METHOD PATH",
    .options = api_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_api,
};
