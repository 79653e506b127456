/* SPDX-License-Identifier: PostgreSQL */
/*
 * conf_reference.h: what the reference page and the manual page say of a key.
 *
 * quote: what stands around words that are typed: "`" in Markdown, "" in a manual page.
 */
#ifndef CONF_CONF_REFERENCE_H
#define CONF_CONF_REFERENCE_H

#include <stdbool.h>

#include "conf/conf.h"

/* Whether key `i` is the first of its section. */
bool conf_is_first(const struct conf_schema *schema, size_t i);
/* Type, choices, bounds, default. */
void conf_reference_type(const struct conf_key *key, const char *quote, struct buf *out);
/* The help, and what follows from the flags. */
void conf_reference_help(const struct conf_key *key, const char *quote, struct buf *out);

#endif
