/* SPDX-License-Identifier: PostgreSQL */
/* manual.c: manual pages in troff. */
#include "base/manual.h"

#include <stddef.h>

/* What a character is in troff where it would not be itself; NULL = itself. */
static const char *escape_of(char c)
{
    switch (c) {
    case '-':
        return "\\-";
    case '\\':
        return "\\e";
    case '\'':
        return "\\(aq";
    case '`':
        return "\\(ga";
    case '^':
        return "\\(ha";
    case '~':
        return "\\(ti";
    case '"':
        return "\\(dq";
    default:
        return NULL;
    }
}

void manual_text(struct buf *out, const char *text)
{
    if (*text == '.') {
        buf_add_c(out, "\\&");
    }
    for (const char *p = text; *p; p++) {
        const char *escaped = escape_of(*p);
        if (escaped) {
            buf_add_c(out, escaped);
        } else {
            buf_add_char(out, *p);
        }
    }
}

void manual_head(struct buf *out, const struct manual_head *head)
{
    buf_printf(out, ".\\\" made by: %s\n.TH \"", head->made_by);
    manual_text(out, head->name);
    buf_printf(out, "\" %s %s \"pga %s\" \"pga\"\n", head->section, head->date, PGA_VERSION);
    manual_section(out, "NAME");
    manual_text(out, head->name);
    buf_add_c(out, " \\- ");
    manual_text(out, head->summary);
    buf_add_char(out, '\n');
}

static void put_heading(struct buf *out, const char *macro, const char *title)
{
    buf_printf(out, "%s \"", macro);
    manual_text(out, title);
    buf_add_c(out, "\"\n");
}

void manual_section(struct buf *out, const char *title)
{
    put_heading(out, ".SH", title);
}

void manual_subsection(struct buf *out, const char *title)
{
    put_heading(out, ".SS", title);
}

void manual_paragraph(struct buf *out, const char *text)
{
    buf_add_c(out, ".PP\n");
    manual_text(out, text);
    buf_add_char(out, '\n');
}

void manual_see_also(struct buf *out, const char *pages)
{
    manual_section(out, "SEE ALSO");
    manual_text(out, pages);
    buf_add_char(out, '\n');
}

static void put_item(struct buf *out, const char *dashes, const char *term, const char *value,
                     const char *help)
{
    buf_printf(out, ".TP\n\\fB%s", dashes);
    manual_text(out, term);
    buf_add_c(out, "\\fR");
    if (value) {
        buf_add_c(out, value[0] == '[' ? "\\fI" : " \\fI");
        manual_text(out, value);
        buf_add_c(out, "\\fR");
    }
    buf_add_char(out, '\n');
    manual_text(out, help);
    buf_add_char(out, '\n');
}

void manual_item(struct buf *out, const char *term, const char *value, const char *help)
{
    put_item(out, "", term, value, help);
}

void manual_option(struct buf *out, const char *name, const char *value, const char *help)
{
    put_item(out, "\\-\\-", name, value, help);
}
