/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe_statements.h: what the files of the statements probe share. Not for others.
 *
 * Values are kept as 64-bit integers: counts as they are, times in steps of the column's
 * resolution, so that the deltas of a series add up to the difference of its ends exactly.
 */
#ifndef PROBE_PROBE_STATEMENTS_H
#define PROBE_PROBE_STATEMENTS_H

#include "base/limits.h"
#include "base/map.h"
#include "probe/probe.h"

#define STATEMENTS_ABSENT INT64_MIN /* NULL, or not in this version */

/* An entry of pg_stat_statements as it stood at the last good reading; owned by memory->entries. */
struct statements_entry {
    int64_t queryid;
    const char *datname, *usename; /* interned in memory->names */
    bool toplevel;
    bool emitted;     /* has been sent since it appeared */
    uint32_t seen;    /* number of the reading that saw it last */
    int64_t since_us; /* stats_since; 0 = unknown */
    int64_t values[]; /* one a column of the relation */
};

/* What one reading found of an entry that is new or changed; in the run's arena. */
struct statements_change {
    struct str key;                 /* of memory->entries */
    struct statements_entry *entry; /* NULL = new; filled when the reading is applied */
    struct str datname, usename;
    int64_t queryid, since_us;
    bool toplevel, reset, kept;
    bool unknown; /* no delta: nothing happened, or when it began is not known */
    int64_t *values, *deltas;
};

struct statements_info {
    int64_t dealloc;  /* STATEMENTS_ABSENT = unknown */
    int64_t reset_us; /* STATEMENTS_ABSENT = unknown */
    int64_t max;
    int64_t text_file_bytes; /* STATEMENTS_ABSENT = unknown */
};

struct statements_memory {
    struct map *entries; /* dbid, userid, queryid, toplevel -> struct statements_entry */
    struct map *names;   /* interned */
    struct map *texts;   /* query ids whose text was sent */
    uint32_t reading;    /* number of the last good one; 0 = none yet */
    int64_t read_ms;     /* its time */
    struct statements_info info;
    char system_identifier[24];
    int64_t text_due_us;   /* when texts may be read again */
    int64_t text_pause_us; /* before the next reading of texts; 0 = none was made */
    uint64_t unknown_starts;
    size_t hidden;     /* entries that the last reading could not see */
    bool restored;     /* the last reading is of a former life of the agent */
    const char *start; /* why a start is not known, for people; NULL = there is none */
};

/* One reading in progress. */
struct statements_reading {
    struct probe_run *run;
    struct statements_memory *memory;
    const struct relation *relation;
    struct statements_info info;
    bool whole_reset;
    int64_t t_ms;
    struct statements_change *changes;
    size_t change_count, change_cap;
    size_t rows, hidden, unknown;
    const char *text_note;
};

/* Mark the changes to be sent one by one; the rest goes into the remainder. */
void probe_statements_choose(struct statements_reading *g);
/* Both relations. */
enum err_code probe_statements_emit(struct statements_reading *g, struct err *e) ERR_MUST_CHECK;
/* Texts of the kept changes that were never sent; never fails, leaves a note instead. */
void probe_statements_emit_texts(struct statements_reading *g);
const char *probe_statements_intern(struct statements_memory *m, struct str name);
/* Nothing is remembered: the next reading is a first one. */
void probe_statements_clear(struct statements_memory *m);
/* Leave the memory in g->run->memory->keep. */
void probe_statements_keep(const struct statements_reading *g);
/* Read what a former life kept into the empty memory; otherwise m->start says why not. */
void probe_statements_take_kept(const struct probe_run *r, struct statements_memory *m);
/* After g->info was read: whether what was kept can be built upon; it is cleared if not. */
void probe_statements_check_kept(const struct statements_reading *g);
/* Run the query of a catalogue file that question->name names, and give its result. */
enum err_code probe_statements_ask(struct probe_run *r, const char *file,
                                   const struct pgclient_query *question,
                                   struct pgclient_result *out, struct err *e) ERR_MUST_CHECK;

#endif
