/* SPDX-License-Identifier: PostgreSQL */
/* cmd_context.c: `pga ctl context list|show|use`. */
#include "app/ctl/ctl.h"
#include "app/ctl/output.h"

#include <stdio.h>

struct listing {
    struct json_writer w;
    struct buf text;
};

static void add_context(void *arg, const struct ctl_context *c, int current)
{
    struct listing *listing = arg;
    json_object_begin(&listing->w);
    json_member_c(&listing->w, "current", current ? "*" : "");
    json_member_c(&listing->w, "name", c->name);
    json_member_c(&listing->w, "server", c->server);
    json_member_bool(&listing->w, "logged_in", c->token != NULL);
    json_object_end(&listing->w);
}

/* Show what the listing holds, by way of JSON so that every format works. */
static enum err_code show(struct ctl *ctl, struct listing *listing, struct err *e)
{
    static const struct output_column columns[] = {
        {"", "current", OUTPUT_TEXT},
        {"NAME", "name", OUTPUT_TEXT},
        {"SERVER", "server", OUTPUT_TEXT},
        {"LOGGED IN", "logged_in", OUTPUT_TEXT},
    };
    static const struct json_limits limits = {.max_bytes = 1024 * 1024, .max_depth = 8};
    struct json_doc *doc;
    enum err_code rc = json_parse(buf_view(&listing->text), &limits, &doc, e);
    if (rc) {
        return rc;
    }
    ctl->output->list(json_root(doc), json_get(json_root(doc), "data"), columns, 4);
    json_doc_free(doc);
    return ERR_OK;
}

static int run_list(struct ctl *ctl)
{
    struct err e;
    struct listing listing;

    err_clear(&e);
    buf_init(&listing.text, 1024 * 1024);
    json_writer_init(&listing.w, &listing.text);
    json_object_begin(&listing.w);
    json_key(&listing.w, "data");
    json_array_begin(&listing.w);
    enum err_code rc = ctl_context_each(ctl, add_context, &listing, &e);
    json_array_end(&listing.w);
    json_object_end(&listing.w);
    rc = rc ? rc : show(ctl, &listing, &e);
    buf_fini(&listing.text);
    return rc ? ctl_fail(ctl, &e) : CTL_OK;
}

static int run_show(struct ctl *ctl)
{
    struct err e;
    if (!ctl->context.name) {
        err_set(&e, ERR_NOT_FOUND, "no context is in use: pga ctl login --server URL");
        return ctl_fail(ctl, &e);
    }
    ctl->output->message("context", ctl->context.name);
    return CTL_OK;
}

static int run_use(struct ctl *ctl)
{
    struct err e;
    err_clear(&e);
    if (ctl->argument_count != 1) {
        fprintf(stderr, "usage: pga ctl context use NAME\n");
        return CTL_USAGE;
    }
    if (ctl_context_use(ctl, ctl->arguments[0], &e) != ERR_OK) {
        return ctl_fail(ctl, &e);
    }
    ctl->output->message("context", ctl->arguments[0]);
    return CTL_OK;
}

const struct ctl_command ctl_command_context_list = {
    .noun = "context",
    .verb = "list",
    .summary = "list the servers that this user has logged in to",
    .needs = CTL_NEEDS_NOTHING,
    .run = run_list,
};

const struct ctl_command ctl_command_context_show = {
    .noun = "context",
    .verb = "show",
    .summary = "name the context in use",
    .needs = CTL_NEEDS_NOTHING,
    .run = run_show,
};

const struct ctl_command ctl_command_context_use = {
    .noun = "context",
    .verb = "use",
    .summary = "make another context the current one",
    .argument = "NAME",
    .needs = CTL_NEEDS_NOTHING,
    .run = run_use,
};
