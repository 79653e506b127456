/* SPDX-License-Identifier: PostgreSQL */
/* cmd_manual.c: `pga ctl manual`: the page pga-ctl(1), written from the command table. */
#include <stdio.h>

#include "app/ctl/ctl.h"
#include "app/pages.h"
#include "app/usage.h"
#include "base/manual.h"

static void put_options(struct buf *out, const struct ctl_option *options)
{
    for (; options && options->name; options++) {
        manual_option(out, options->name, options->value, options->help);
    }
}

static void put_command(struct buf *out, const struct ctl_command *c)
{
    char title[128];

    snprintf(title, sizeof(title), "%s%s%s%s%s", c->noun, c->noun[0] ? " " : "", c->verb,
             c->argument ? " " : "", c->argument ? c->argument : "");
    manual_subsection(out, title);
    manual_text(out, c->summary);
    buf_add_c(out, ".\n");
    put_options(out, c->options);
}

static void put_tables(struct buf *out)
{
    manual_section(out, "OPTIONS");
    put_options(out, ctl_global_options);
    manual_section(out, "COMMANDS");
    for (size_t i = 0; i < ctl_command_count; i++) {
        put_command(out, ctl_commands[i]);
    }
}

extern const struct usage app_ctl_usage;
const struct usage app_ctl_usage = {
    .name = "ctl",
    .forms = (const struct usage_row[]){{"[options] COMMAND [options]", ""}, {NULL, NULL}},
    .more = put_tables,
    .description =
        (const char *const[]){
            "Talks to a running pga server, which it is told by a context: pga ctl login --server "
            "URL makes one and keeps its tokens.",
            "Data goes to standard output, everything else to standard error. Nouns may be given "
            "in the plural; server is another word for target, and agent for collector.",
            "With -o json an error is a JSON object on standard error.", NULL},
    .exits = (const struct usage_row[]){{"0", "it is done"},
                                        {"1", "failure"},
                                        {"2", "wrong use"},
                                        {"3", "not found"},
                                        {"4", "not logged in, or not allowed"},
                                        {"5", "conflict"},
                                        {"6", "unavailable, or too slow"},
                                        {"7", "the check worked, and found problems"},
                                        {NULL, NULL}},
    .environment =
        (const struct usage_row[]){{"PGA_SERVER", "Address of the server, instead of a context."},
                                   {"PGA_CA_FILE", "As --ca-file."},
                                   {"PGA_TOKEN, PGA_TOKEN_FILE", "Token, or a file with it."},
                                   {"XDG_CONFIG_HOME", "Where the contexts are kept."},
                                   {"NO_COLOR", "No colours."},
                                   {NULL, NULL}},
    .files = (const struct usage_row[]){{"~/.config/pga/contexts.toml",
                                         "Servers and tokens, mode 0600."},
                                        {NULL, NULL}},
    .see_also = "pga(1), pga-server(8)",
};

static int run(struct ctl *ctl)
{
    (void)ctl;
    return pages_print("pga-ctl.1") == 0 ? CTL_OK : CTL_FAILURE;
}

const struct ctl_command ctl_command_manual = {
    .noun = "",
    .verb = "manual",
    .summary = "print the page pga-ctl(1) in troff",
    .needs = CTL_NEEDS_NOTHING,
    .run = run,
};
