/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_list.h: the body of every command that shows a list of the server as it is.
 */
#ifndef APP_CTL_CMD_LIST_H
#define APP_CTL_CMD_LIST_H

#include "app/ctl/ctl.h"
#include "app/ctl/output.h"

/* GET `path` and show its "data" by `columns`. Gives the exit code. */
int cmd_list_show(struct ctl *ctl, const char *path, const struct output_column *columns,
                  size_t count);

#endif
