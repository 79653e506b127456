/* SPDX-License-Identifier: PostgreSQL */
/*
 * fault.c: the table of fault points, and dying at one.
 *
 * To add a point: FAULT_POINT with "module.moment" in the code and one line here, in alphabetical
 * order; tests/unit/test_fault.c compares both.
 */
#include "base/fault.h"

#ifdef PGA_FAULTS

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/str.h"

/* clang-format off */
static const char *const fault_table[] = {
    "agent.after_answer",
    "agent.before_keep",
    "agent.before_send",
    "backup.before_rename",
    "file.after_rename",
    "file.before_rename",
    "keys.data_committed",
    "keys.master_committed",
    "keys.next_written",
    "keys.retiring",
    "keys.rewrapped",
    "keys.stepped",
    "pgstore.move_commit",
    "pgstore.move_copied",
    "pgstore.moved",
    "pgstore.names_commit",
    "pgstore.retain_part",
    "pgstore.retain_readings",
    "pgstore.rollup_writing",
    "pgstore.rollup_written",
    "pgstore.tables_commit",
    "pgstore.tables_known",
    "server.before_answer",
    "spool.after_append",
    "spool.after_cursor",
    "spool.after_sync",
    "spool.before_append",
    "spool.before_cursor",
    "spool.before_unlink",
    "spool.roll_segment",
    "transfer.batch",
    "transfer.batch_mark",
    "transfer.dirty",
    "transfer.finish",
    "transfer.names",
    "transfer.rollup",
    "transfer.rollup_mark",
    "transfer.step",
    "transfer.table",
    "transfer.table_mark",
    "tsdb.after_commit",
    "tsdb.after_trim",
    "tsdb.apply_event",
    "tsdb.apply_text",
    "tsdb.before_answer",
    "tsdb.before_commit",
    "tsdb.before_trim",
    "tsdb.compact_begun",
    "tsdb.compact_listed",
    "tsdb.compact_part",
    "tsdb.compact_renamed",
    "tsdb.compact_unlinked",
    "tsdb.compact_written",
    "tsdb.copy_file",
    "tsdb.copy_rest",
    "tsdb.drop_committed",
    "tsdb.drop_forget",
    "tsdb.drop_purged",
    "tsdb.drop_purging",
    "tsdb.flush_after_applied",
    "tsdb.flush_before_applied",
    "tsdb.flush_begin",
    "tsdb.flush_day_written",
    "tsdb.replay",
    "tsdb.retain_tier",
    "tsdb.retain_unlinked",
    "tsdb.retain_unlisted",
    "tsdb.retire_commit",
    "tsdb.retire_done",
    "tsdb.rollup_hour",
    "tsdb.rollup_marks",
    "tsdb.rollup_watermark",
    "tsdb.rollup_writing",
    "tsdb.rollup_written",
};
/* clang-format on */

#define FAULT_COUNT (sizeof(fault_table) / sizeof(fault_table[0]))

static pthread_once_t fault_once = PTHREAD_ONCE_INIT;
static struct str fault_wanted; /* empty = none */
static _Atomic int64_t fault_left;
static void (*_Atomic fault_watcher)(const char *name);

static void fault_read_env(void)
{
    const char *text = getenv("PGA_FAULT");
    struct str rest = str_of(text);
    struct str name = str_split(&rest, ':');
    int64_t nth = 1;

    if (rest.len > 0 && num_parse_i64(rest, 1, INT64_MAX, &nth, NULL) != ERR_OK) {
        (void)fprintf(stderr, "PGA_FAULT: not a count: %s\n", text);
        abort();
    }
    atomic_store(&fault_left, nth);
    fault_wanted = name;
}

static void fault_check_name(const char *name)
{
    for (size_t i = 0; i < FAULT_COUNT; i++) {
        if (strcmp(fault_table[i], name) == 0)
            return;
    }
    (void)fprintf(stderr, "fault point %s is not in the table of fault.c\n", name);
    abort();
}

void fault_hit(const char *name)
{
    (void)pthread_once(&fault_once, fault_read_env);
    fault_check_name(name);
    void (*saw)(const char *) = atomic_load(&fault_watcher);
    if (saw)
        saw(name);
    if (!str_eq_c(fault_wanted, name))
        return;
    if (atomic_fetch_sub(&fault_left, 1) == 1)
        (void)raise(getenv("PGA_FAULT_STOP") ? SIGSTOP : SIGKILL);
}

void fault_watch(void (*saw)(const char *name))
{
    atomic_store(&fault_watcher, saw);
}

const char *const *fault_names(size_t *count)
{
    *count = FAULT_COUNT;
    return fault_table;
}

#else

void fault_hit(const char *name)
{
    (void)name;
}

void fault_watch(void (*saw)(const char *name))
{
    (void)saw;
}

const char *const *fault_names(size_t *count)
{
    *count = 0;
    return NULL;
}

#endif
