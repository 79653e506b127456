/* SPDX-License-Identifier: PostgreSQL */
/* cmd_history.h: series beside one time axis, as a table with a row a time. */
#ifndef APP_CTL_CMD_HISTORY_H
#define APP_CTL_CMD_HISTORY_H

#include "app/ctl/ctl.h"

/* root: {times: [ms], series: [{labels, values}]}. Gives the exit code. */
int cmd_history_show(struct ctl *ctl, const struct json *root);
/* name{a="b"} of the labels of a series; "-" without any. Lives in the arena. */
const char *cmd_history_labels(struct ctl *ctl, const struct json *labels);

#endif
