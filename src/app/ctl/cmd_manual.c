/* SPDX-License-Identifier: PostgreSQL */
/* cmd_manual.c: `pga ctl manual`: the page pga-ctl(1) in troff, written from the command table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/ctl/ctl.h"
#include "app/ctl/output.h"
#include "os/clock.h"

#define PAGE_MAX ((size_t)1024 * 1024)

/* Text of the tables: a hyphen stays a hyphen, a backslash and a leading dot are no commands. */
static void put_text(struct buf *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (p == text && (*p == '.' || *p == '\'')) {
            buf_add_c(out, "\\&");
        }
        if (*p == '-') {
            buf_add_c(out, "\\-");
        } else if (*p == '\\') {
            buf_add_c(out, "\\e");
        } else {
            buf_add_char(out, *p);
        }
    }
}

static void put_options(struct buf *out, const struct ctl_option *options)
{
    for (; options && options->name; options++) {
        bool optional = options->value && options->value[0] == '[';

        buf_add_c(out, ".TP\n\\fB\\-\\-");
        put_text(out, options->name);
        buf_add_c(out, "\\fR");
        if (options->value) {
            buf_printf(out, "%s\\fI%s\\fR", optional ? "" : " ", options->value);
        }
        buf_add_char(out, '\n');
        put_text(out, options->help);
        buf_add_char(out, '\n');
    }
}

static void put_command(struct buf *out, const struct ctl_command *c)
{
    buf_add_c(out, ".SS \"");
    put_text(out, c->noun);
    buf_add_c(out, c->noun[0] ? " " : "");
    put_text(out, c->verb);
    if (c->argument) {
        buf_printf(out, " %s", c->argument);
    }
    buf_add_c(out, "\"\n");
    put_text(out, c->summary);
    buf_add_c(out, ".\n");
    put_options(out, c->options);
}

/* The date of the sources, so that the same sources give the same page. */
static void put_date(struct buf *out)
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    time_t t = epoch ? (time_t)strtoll(epoch, NULL, 10) : (time_t)(clock_wall_ms() / 1000);
    struct tm tm;

    gmtime_r(&t, &tm);
    buf_printf(out, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
}

static const char description[] =
    ".SH NAME\npga\\-ctl \\- command line of pga\n"
    ".SH SYNOPSIS\n.B pga ctl\n[\\fIoptions\\fR] \\fICOMMAND\\fR [\\fIoptions\\fR]\n"
    ".SH DESCRIPTION\n"
    "Talks to a running\n.BR \"pga server\" ,\n"
    "which it is told by a context: \\fBpga ctl login \\-\\-server\\fR \\fIURL\\fR makes one and\n"
    "keeps its tokens in \\fI$XDG_CONFIG_HOME/pga/contexts.toml\\fR (mode 0600).\n"
    "Data goes to standard output, everything else to standard error. Nouns may be given in\n"
    "the plural, and \\fBserver\\fR is another word for \\fBtarget\\fR.\n"
    ".PP\nWith \\fB\\-o json\\fR an error is a JSON object on standard error.\n";

static const char endings[] =
    ".SH \"EXIT STATUS\"\n"
    ".nf\n0    it is done\n1    failure\n2    wrong use\n3    not found\n"
    "4    not logged in, or not allowed\n5    conflict\n6    unavailable, or too slow\n"
    "7    the check worked, and found problems\n.fi\n"
    ".SH ENVIRONMENT\n"
    ".TP\n.B PGA_SERVER\nAddress of the server, instead of a context.\n"
    ".TP\n.B PGA_TOKEN\\fR, \\fBPGA_TOKEN_FILE\nToken, or a file with it.\n"
    ".TP\n.B NO_COLOR\nNo colours.\n";

static int run(struct ctl *ctl)
{
    struct buf out;

    (void)ctl;
    buf_init(&out, PAGE_MAX);
    buf_add_c(&out, ".\\\" made by: pga ctl manual\n.TH PGA\\-CTL 1 ");
    put_date(&out);
    buf_add_c(&out, " \"pga " PGA_VERSION "\" \"pga\"\n");
    buf_add_c(&out, description);
    buf_add_c(&out, ".SH OPTIONS\n");
    put_options(&out, ctl_global_options);
    buf_add_c(&out, ".SH COMMANDS\n");
    for (size_t i = 0; i < ctl_command_count; i++) {
        put_command(&out, ctl_commands[i]);
    }
    buf_add_c(&out, endings);
    output_flush(&out);
    buf_fini(&out);
    return CTL_OK;
}

const struct ctl_command ctl_command_manual = {
    .noun = "",
    .verb = "manual",
    .summary = "print the page pga-ctl(1) in troff",
    .needs = CTL_NEEDS_NOTHING,
    .run = run,
};
