/* SPDX-License-Identifier: PostgreSQL */
/* cmd_audit.c: `pga ctl audit ...`: who did what, all of it as a file, and whether it is whole. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "app/ctl/cmd_change.h"
#include "app/ctl/cmd_list.h"
#include "os/file.h"

#define PATH       "/api/v1/audit"
#define TIMEOUT_MS ((int64_t)3600 * 1000)
#define STALL_MS   ((int64_t)60 * 1000)

static int run_list(struct ctl *ctl)
{
    static const struct output_column columns[] = {
        {"ROW", "number", OUTPUT_INTEGER}, {"TIME", "at", OUTPUT_TEXT},
        {"ACTOR", "actor", OUTPUT_TEXT},   {"ACTION", "action", OUTPUT_TEXT},
        {"OBJECT", "object", OUTPUT_TEXT}, {"DETAIL", "detail", OUTPUT_ONE_LINE},
        {"FROM", "address", OUTPUT_TEXT},  {"REQUEST", "request", OUTPUT_TEXT},
    };
    struct buf path;
    int rc;

    buf_init(&path, 4096);
    buf_add_c(&path, PATH);
    ctl_query_add(&path, "from", ctl_option(ctl, "since") ? ctl_time(ctl, "since", NULL) : NULL);
    ctl_query_add(&path, "to", ctl_option(ctl, "until") ? ctl_time(ctl, "until", NULL) : NULL);
    ctl_query_add(&path, "actor", ctl_option(ctl, "actor"));
    ctl_query_add(&path, "action", ctl_option(ctl, "action"));
    ctl_query_add(&path, "object", ctl_option(ctl, "object"));
    ctl_query_add(&path, "request", ctl_option(ctl, "request"));
    ctl_query_add(&path, "limit", ctl_option_or(ctl, "limit", "100"));
    rc = cmd_list_show(ctl, path.ptr, columns, CMD_COUNT(columns));
    buf_fini(&path);
    return rc;
}

static int run_verify(struct ctl *ctl)
{
    static const struct output_column columns[] = {
        {"whole", "whole", OUTPUT_TEXT},
        {"rows that are right", "rows", OUTPUT_INTEGER},
        {"signed up to row", "signed_to", OUTPUT_INTEGER},
        {"first bad row", "bad_row", OUTPUT_INTEGER},
        {"finding", "finding", OUTPUT_ONE_LINE},
    };
    struct ctl_call call = {.method = "GET"};
    const struct json *root = NULL;
    struct buf path;
    struct err e;
    enum err_code rc;

    err_clear(&e);
    ctl->timeout_ms = TIMEOUT_MS;
    buf_init(&path, 4096);
    buf_add_c(&path, PATH "/verify");
    ctl_query_add(&path, "head", ctl_option(ctl, "head"));
    call.path = path.ptr;
    rc = ctl_request(ctl, &call, &root, &e);
    buf_fini(&path);
    if (rc != ERR_OK)
        return ctl_fail(ctl, &e);
    ctl->output->list(root, root, columns, CMD_COUNT(columns));
    return json_bool(json_get(root, "whole"), false) ? CTL_OK : CTL_PROBLEMS;
}

/* --- export --- */

struct sink {
    int fd; /* -1 = standard output */
    uint64_t at;
};

static enum err_code take(void *arg, struct str piece, struct err *e)
{
    struct sink *s = arg;
    enum err_code rc;

    if (s->fd < 0) {
        if (fwrite(piece.ptr, 1, piece.len, stdout) != piece.len)
            return err_set(e, ERR_IO, "standard output");
        return ERR_OK;
    }
    rc = file_write_at(s->fd, piece.ptr, piece.len, s->at, e);
    s->at += piece.len;
    return rc;
}

static int run_export(struct ctl *ctl)
{
    const char *to = ctl_option(ctl, "to");
    struct sink sink = {.fd = -1};
    struct ctl_call call = {.method = "GET",
                            .path = PATH "/export",
                            .sink = take,
                            .sink_arg = &sink,
                            .stall_ms = STALL_MS};
    const struct json *root = NULL;
    struct err e;
    enum err_code rc = ERR_OK;

    err_clear(&e);
    ctl->timeout_ms = TIMEOUT_MS;
    if (to != NULL)
        rc = file_open(to, O_WRONLY | O_CREAT | O_EXCL, 0600, &sink.fd, &e);
    if (rc == ERR_OK)
        rc = ctl_request(ctl, &call, &root, &e);
    if (rc == ERR_OK && sink.fd >= 0)
        rc = file_sync_data(sink.fd, &e);
    file_close(sink.fd);
    if (rc != ERR_OK && sink.fd >= 0 && file_remove(to, NULL) != ERR_OK)
        (void)err_wrap(&e, "%s is a part of it", to); /* and must not be taken for all */
    return rc == ERR_OK ? CTL_OK : ctl_fail(ctl, &e);
}

static const struct ctl_option list_options[] = {
    {"since", "TIME", "from this time on: 24h, 2026-01-31T12:00:00Z"},
    {"until", "TIME", "up to this time"},
    {"actor", "ACTOR", "only what this one did, as user:alice"},
    {"action", "ACTION", "only actions that begin with this, as user. or login"},
    {"object", "OBJECT", "only what was done to this"},
    {"request", "ID", "only what the request with this id did"},
    {"limit", "N", "at most N rows (default 100)"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_audit_list = {
    .noun = "audit",
    .verb = "list",
    .summary = "list who did what, newest first",
    .options = list_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_list,
};

static const struct ctl_option verify_options[] = {
    {"head", "HEAD", "a signed head from the server's log, which must fit as well"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_audit_verify = {
    .noun = "audit",
    .verb = "verify",
    .summary = "follow the chain of the audit; exit 7 names the first row that is not right",
    .options = verify_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_verify,
};

static const struct ctl_option export_options[] = {
    {"to", "FILE", "into a new file; else to standard output"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_audit_export = {
    .noun = "audit",
    .verb = "export",
    .summary = "print all of the audit in order, a JSON object a line",
    .options = export_options,
    .needs = CTL_NEEDS_LOGIN,
    .run = run_export,
};
