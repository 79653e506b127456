/* SPDX-License-Identifier: PostgreSQL */
/*
 * usage.h: what an applet says of itself; one description gives --help and the manual page.
 *
 * Each applet has a constant `struct usage app_<name>_usage` in its own file.
 */
#ifndef APP_USAGE_H
#define APP_USAGE_H

#include <stdio.h>

#include "base/buf.h"

/* Arrays of these end with {NULL}. */
struct usage_row {
    const char *name;
    const char *help;
};

struct usage_option {
    const char *name;  /* without dashes */
    const char *value; /* what the value is called; NULL = a switch */
    const char *help;
};

struct usage {
    const char *name;                    /* "server" */
    const struct usage_row *forms;       /* "[options]" and what it does ("" = plain) */
    const struct usage_row *commands;    /* NULL = none */
    const struct usage_option *options;  /* NULL = `more` writes them */
    const char *const *description;      /* paragraphs of the page; end with NULL */
    void (*more)(struct buf *out);       /* sections of its own, NULL = none */
    const struct usage_row *exits;       /* exit codes */
    const struct usage_row *environment; /* NULL = none */
    const struct usage_row *files;       /* NULL = none */
    const char *see_also;
};

void usage_print(const struct usage *u, FILE *to);
/* The page from SYNOPSIS to SEE ALSO. */
void usage_manual(const struct usage *u, struct buf *out);

#endif
