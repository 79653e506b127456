/* SPDX-License-Identifier: PostgreSQL */
/*
 * manual.h: writing a manual page in troff, with the macros of man(7).
 *
 * Text is plain everywhere: what troff would take for a command is escaped here. Failures stay in
 * the buffer (buf_check).
 */
#ifndef BASE_MANUAL_H
#define BASE_MANUAL_H

#include "base/buf.h"

struct manual_head {
    const char *name;    /* "pga-server" */
    const char *section; /* "8" */
    const char *summary; /* one line, without full stop */
    const char *made_by; /* the command that prints the page */
    const char *date;    /* YYYY-MM-DD */
};

void manual_head(struct buf *out, const struct manual_head *head);
void manual_section(struct buf *out, const char *title);
void manual_subsection(struct buf *out, const char *title);
void manual_paragraph(struct buf *out, const char *text);
/* What is explained, in bold, with `value` in italics behind it (NULL = none); then the words. */
void manual_item(struct buf *out, const char *term, const char *value, const char *help);
/* An option: its name without dashes; a value that begins with "[" may be left out. */
void manual_option(struct buf *out, const char *name, const char *value, const char *help);
void manual_see_also(struct buf *out, const char *pages);
/* Escaped, within a line. */
void manual_text(struct buf *out, const char *text);

#endif
