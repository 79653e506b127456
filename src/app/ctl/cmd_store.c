/* SPDX-License-Identifier: PostgreSQL */
/* cmd_store.c: `pga ctl store compact`: upkeep of the store, now. */
#include "app/ctl/cmd_change.h"

#define TIMEOUT_MS 40000 /* the server answers after 20 s, done or not */

static int run_compact(struct ctl *ctl)
{
    static const struct output_column columns[] = {
        {"done", "done", OUTPUT_TEXT},
        {"bytes before", "bytes_before", OUTPUT_INTEGER},
        {"bytes after", "disk_bytes", OUTPUT_INTEGER},
        {"fast readings", "raw_fast", OUTPUT_INTEGER},
        {"slow readings", "raw_slow", OUTPUT_INTEGER},
        {"roll-ups of 5 min", "tier5m", OUTPUT_INTEGER},
        {"roll-ups of an hour", "tier1h", OUTPUT_INTEGER},
        {"journal and names", "ingest", OUTPUT_INTEGER},
        {"texts", "text", OUTPUT_INTEGER},
        {"events", "event", OUTPUT_INTEGER},
    };

    ctl->timeout_ms = TIMEOUT_MS;
    return cmd_change_run(ctl, &(struct cmd_call){.method = "POST",
                                                  .path = "/api/v1/store/compact",
                                                  .columns = columns,
                                                  .column_count = CMD_COUNT(columns)});
}

const struct ctl_command ctl_command_store_compact = {
    .noun = "store",
    .verb = "compact",
    .summary = "merge the small blocks of every day now; else it happens when a day is over",
    .needs = CTL_NEEDS_LOGIN,
    .run = run_compact,
};
