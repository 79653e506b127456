/* SPDX-License-Identifier: PostgreSQL */
/*
 * conf_value.h: one value of a configuration: set from TOML or text, shown as TOML.
 */
#ifndef CONF_CONF_VALUE_H
#define CONF_CONF_VALUE_H

#include <stdbool.h>

#include "conf/conf.h"
#include "conf/toml.h"

/* `base` is the program's struct, or the row of an array. Strings go into the arena. */
enum err_code conf_value_set_toml(struct arena *a, const struct conf_key *key, void *base,
                                  const struct toml *node, struct err *e) ERR_MUST_CHECK;
/* A default or an environment variable. Lists: a TOML array, or items between commas. */
enum err_code conf_value_set_text(struct arena *a, const struct conf_key *key, void *base,
                                  struct str text, struct err *e) ERR_MUST_CHECK;
/* Whether there is something to show: strings may be unset. */
bool conf_value_is_set(const struct conf_key *key, const void *base);
/* As TOML; a secret as "***". */
void conf_value_write(const struct conf_key *key, const void *base, struct buf *out);
const char *conf_value_type_name(enum conf_type type);

#endif
