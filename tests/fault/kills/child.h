/* SPDX-License-Identifier: PostgreSQL */
/*
 * child.h: the process that is killed: it works on a store until it dies.
 */
#ifndef KILLS_CHILD_H
#define KILLS_CHILD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "kills_ledger.h"
#include "moment.h"

enum kills_phase_id {
    PHASE_START,
    PHASE_INGEST,
    PHASE_FLUSH,
    PHASE_COMPACT,
    PHASE_ROLLUP,
    PHASE_RETAIN,
    PHASE_RETIRE,
    PHASE_COPY,
    PHASE_MIGRATE,
    /* of a store in PostgreSQL */
    PHASE_PG_START,
    PHASE_PG_INGEST,
    PHASE_PG_NAMES,
    PHASE_PG_MOVE,
    PHASE_PG_TABLES,
    PHASE_PG_ROLLUP,
    PHASE_PG_RETAIN,
    PHASE_PG_MIGRATE, /* from there to SQLite */
    PHASE_TO_PG,      /* and from SQLite */
    PHASES
};

/* What both processes see; the one that waits keeps it over many deaths. */
struct kills_shared {
    struct kills_ledger ledger;
    struct moment moment;
    char error[300]; /* why the process ended instead of dying */
    /* the newest copy of the store that was completed: its number, and what it must and may have */
    _Atomic uint64_t copies;
    uint64_t copy_least[KILLS_STREAMS], copy_most[KILLS_STREAMS];
    char url[1024];         /* of a store in PostgreSQL; "" = in SQLite */
    char database[64];      /* of it, or a name that those of copies begin with */
    _Atomic bool migrating; /* a copy to another store was begun: the next process goes on */
};

#define KILLS_COPY_NAME "%s_copy%" PRIu64 /* of `database`, and its number */

#define KILLS_RETENTION_DAYS 3
#define KILLS_ROLLUP_5M_DAYS 1

const struct moment_phase *kills_phase(enum kills_phase_id id);
/* Work on the store in `dir` until the moment comes. Copies go to `copies`/NUMBER. */
_Noreturn void kills_child(struct kills_shared *shared, enum kills_phase_id id, const char *dir,
                           const char *copies);

#endif
