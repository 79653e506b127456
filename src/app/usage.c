/* SPDX-License-Identifier: PostgreSQL */
/* usage.c: --help and the manual page of an applet, from its description. */
#include "app/usage.h"

#include <string.h>

#include "base/manual.h"

#define LINE_WIDTH 96

static int wider(int width, size_t len)
{
    return (int)len > width ? (int)len : width;
}

/* Words beside their term; what does not fit goes on below, at the same column. */
static void print_row(FILE *to, const char *term, int width, const char *help)
{
    size_t room = (size_t)(LINE_WIDTH - width - 4), len = strlen(help);
    fprintf(to, "  %-*s  ", width, term);
    while (len > room) {
        size_t cut = room;
        while (cut > 0 && help[cut] != ' ') {
            cut--;
        }
        cut = cut ? cut : room;
        fprintf(to, "%.*s\n%*s", (int)cut, help, width + 4, "");
        help += cut + (help[cut] == ' ');
        len = strlen(help);
    }
    fprintf(to, "%s\n", help);
}

static void print_forms(const struct usage *u, FILE *to)
{
    int width = 0;
    for (const struct usage_row *f = u->forms; f->name; f++) {
        width = f->help[0] ? wider(width, strlen(f->name)) : width;
    }
    for (const struct usage_row *f = u->forms; f->name; f++) {
        fprintf(to, "%s pga %s ", f == u->forms ? "usage:" : "      ", u->name);
        if (f->help[0]) {
            fprintf(to, "%-*s  %s\n", width, f->name, f->help);
        } else {
            fprintf(to, "%s\n", f->name);
        }
    }
}

static void print_commands(const struct usage_row *rows, FILE *to)
{
    int width = 0;
    for (const struct usage_row *r = rows; r->name; r++) {
        width = wider(width, strlen(r->name));
    }
    fputs("\ncommands:\n", to);
    for (const struct usage_row *r = rows; r->name; r++) {
        print_row(to, r->name, width, r->help);
    }
}

static void print_options(const struct usage_option *options, FILE *to)
{
    char term[64];
    int width = 0;
    for (const struct usage_option *o = options; o->name; o++) {
        width = wider(width, 2 + strlen(o->name) + (o->value ? 1 + strlen(o->value) : 0));
    }
    fputs("\noptions:\n", to);
    for (const struct usage_option *o = options; o->name; o++) {
        snprintf(term, sizeof(term), "--%s%s%s", o->name, o->value ? " " : "",
                 o->value ? o->value : "");
        print_row(to, term, width, o->help);
    }
}

void usage_print(const struct usage *u, FILE *to)
{
    print_forms(u, to);
    if (u->commands) {
        print_commands(u->commands, to);
    }
    if (u->options) {
        print_options(u->options, to);
    }
}

static void put_synopsis(const struct usage *u, struct buf *out)
{
    manual_section(out, "SYNOPSIS");
    for (const struct usage_row *f = u->forms; f->name; f++) {
        buf_add_c(out, f == u->forms ? "\\fBpga " : ".br\n\\fBpga ");
        manual_text(out, u->name);
        buf_add_c(out, "\\fR ");
        manual_text(out, f->name);
        buf_add_char(out, '\n');
    }
}

static void put_description(const struct usage *u, struct buf *out)
{
    manual_section(out, "DESCRIPTION");
    for (const char *const *p = u->description; *p; p++) {
        if (p == u->description) {
            manual_text(out, *p);
            buf_add_char(out, '\n');
        } else {
            manual_paragraph(out, *p);
        }
    }
    for (const struct usage_row *f = u->forms; f->name; f++) {
        if (f->help[0]) {
            manual_item(out, f->name, NULL, f->help);
        }
    }
}

static void put_rows(const char *title, const struct usage_row *rows, struct buf *out)
{
    if (!rows) {
        return;
    }
    manual_section(out, title);
    for (const struct usage_row *r = rows; r->name; r++) {
        manual_item(out, r->name, NULL, r->help);
    }
}

void usage_manual(const struct usage *u, struct buf *out)
{
    put_synopsis(u, out);
    put_description(u, out);
    put_rows("COMMANDS", u->commands, out);
    if (u->options) {
        manual_section(out, "OPTIONS");
    }
    for (const struct usage_option *o = u->options; o && o->name; o++) {
        manual_option(out, o->name, o->value, o->help);
    }
    if (u->more) {
        u->more(out);
    }
    put_rows("EXIT STATUS", u->exits, out);
    put_rows("ENVIRONMENT", u->environment, out);
    put_rows("FILES", u->files, out);
    manual_see_also(out, u->see_also);
}
