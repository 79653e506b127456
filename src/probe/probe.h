/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe.h: what the agent reads. A probe reads one source and yields slices, texts and a state.
 *
 * Two sorts share one description: catalogue probes are an SQL text in catalogue/<relation>.toml;
 * C probes (probes.list) are one file each and take their relations and SQL texts from the
 * catalogue too. The caller owns connections, clocks and deadlines; a probe only reads and reports.
 * One failing probe costs only its own rows.
 *
 * Owner:   what a run yields lives in run->arena; the probe's own memory between runs belongs to
 *          the caller's struct probe_memory
 * Threads: one run at a time for one struct probe_memory
 */
#ifndef PROBE_PROBE_H
#define PROBE_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "model/batch.h"
#include "pgclient/pgclient.h"
#include "probe/catalogue.h"

enum probe_state {
    PROBE_STARTING, /* has not yielded anything yet, and nothing is wrong */
    PROBE_OK,
    PROBE_NO_DATA, /* works, and there is nothing to read; the reason says why */
    PROBE_DENIED,  /* a grant is missing: see fix */
    PROBE_ERROR,
    PROBE_SHED, /* left out to keep within the cost budget */
};

const char *probe_state_name(enum probe_state state);

/* What is known of the server that is read; asked once per connection. */
struct probe_server {
    int version_num;
    char version[64];
    bool in_recovery;
    bool superuser;
    bool reads_all_stats; /* member of pg_read_all_stats */
    bool reads_files;     /* may call pg_stat_file */
    char user[64];
    char system_identifier[24];
    char statements_version[16]; /* of the extension pg_stat_statements here; "" = not installed */
    bool statements_loaded;      /* the library is loaded into the server */
};

/* How a run went, for people. Strings are in the run's arena or static. */
struct probe_report {
    enum probe_state state;
    const char *reason; /* NULL = none */
    const char *fix;    /* SQL that would help; NULL = none */
    size_t rows;
};

/* Slices, events and texts of one cycle; grows in the arena. */
struct probe_output {
    struct arena *arena;
    struct slice *slices;
    size_t slice_count, slice_cap;
    struct batch_event *events;
    size_t event_count, event_cap;
    struct batch_text *texts;
    size_t text_count, text_cap;
};

struct probe;

/*
 * What a probe keeps between runs; `keep` and `kept` between the lives of the process.
 * A run with PROBE_KEEP that may have yielded slices sets keep_due: what was saved before counts no
 * more, and `keep` (empty = nothing) is to be saved when the slices are safe.
 */
struct probe_memory {
    const struct probe *probe;
    void *data;        /* of the probe; NULL at first */
    int64_t last_t_ms; /* of the last slice that was given out; 0 = none */
    struct buf keep;
    bool keep_due;
    struct buf kept; /* of the life before; the probe frees it when it has looked at it */
};

struct probe_run {
    const struct catalogue *catalogue;
    struct pgclient *pg;               /* NULL for host probes */
    const struct probe_server *server; /* NULL for host probes */
    const char *host_root;             /* "" in production */
    struct uuid target;
    struct str scope; /* the database that is read; "" unless the probe's scope is "database" */
    int64_t every_ms;
    int64_t deadline_us;    /* monotonic */
    int64_t wall_offset_ms; /* server's clock minus ours, 0 while they agree */
    unsigned flags;         /* enum probe_flag */
    struct probe_memory *memory;
    struct arena *arena;
    struct probe_output *out;
    struct probe_report *report;
};

enum probe_flag {
    PROBE_FLUSH = 1, /* give out what is gathered now, do not wait for the end of a window */
    PROBE_KEEP = 2,  /* leave in memory->keep what the next life of the process needs */
};

struct probe {
    const char *name;
    const char *summary;
    enum catalogue_scope scope;
    int64_t clock_ms;
    int64_t timeout_ms;
    const char *privilege;        /* what it needs, for people */
    const char *const *relations; /* names; NULL-terminated */
    const char *source;           /* catalog and version, for people */
    bool keeps;                   /* has something to keep for the next life */
    bool samples;                 /* has a connection of its own, so that others cannot delay it */
    /*
     * Read once. Only whole, valid slices are yielded, also when an error is returned.
     * report->state is PROBE_OK unless the probe says otherwise.
     */
    enum err_code (*run)(struct probe_run *r, struct err *e);
    void (*forget)(void *data);       /* free probe_memory.data; NULL = it has none */
    const struct catalogue_file *sql; /* of a catalogue probe; NULL for C probes */
};

/* A database of the server, as pg_database has it. */
struct probe_database {
    struct str name;
    bool current;     /* the one that pg is connected to */
    bool readable;    /* it takes connections and is no template */
    bool may_connect; /* we have the right CONNECT */
    bool invalid;     /* its DROP DATABASE was interrupted */
};

/* All probes: those of the catalogue, then the C probes, each sorted by name. In the arena `a`. */
const struct probe *const *probe_table(struct arena *a, const struct catalogue *cat, size_t *count);
void probe_memory_fini(struct probe_memory *m);

/*
 * Ask the server about itself (r->catalogue, pg, arena and deadline_us are used). Also sets the
 * session's search_path so that pg_stat_statements is found.
 */
enum err_code probe_learn_server(const struct probe_run *r, struct probe_server *out,
                                 struct err *e) ERR_MUST_CHECK;
/*
 * All databases, the current one first, then by name (r as for probe_learn_server). In r->arena.
 */
enum err_code probe_list_databases(const struct probe_run *r, struct probe_database **out,
                                   size_t *count, struct err *e) ERR_MUST_CHECK;
/* SQL text of pg_server.toml that would help, for report->fix; NULL = none. */
const char *probe_fix(const struct probe_run *r, const char *name);

/* A query of a catalogue file with its parameters, as a C probe asks it. */
struct probe_question {
    const char *file, *query;
    const char *prepared; /* keep it prepared on the session under this name; NULL = no */
    const struct str *params;
    size_t param_count;
};
/* Ask it in the server's version, until the run's deadline; the answer is in r->arena. */
enum err_code probe_ask(const struct probe_run *r, const struct probe_question *question,
                        struct pgclient_result *out, struct err *e) ERR_MUST_CHECK;

/* Run with the predicates checked and errors turned into the report's state; never fails. */
enum err_code probe_execute(struct probe_run *r, struct err *e);
/* Sessions of other roles are hidden from ours: reports that, and the grant that would help. */
void probe_say_hidden(struct probe_run *r);
/* The reason and, when a grant is missing, the fix that belong to an error of a run. */
void probe_explain(struct probe_run *r, const struct err *e);

/* For probes: add to the output. */
void probe_emit(struct probe_run *r, const struct slice *s);
void probe_emit_text(struct probe_run *r, struct str kind, struct str key, struct str text);
/*
 * An event of the target. title and body (JSON text of an object, or empty) are copied; a failed
 * body makes none.
 */
void probe_emit_event(struct probe_run *r, const char *kind, enum batch_severity severity,
                      const char *title, const struct buf *body);
/* A slice without rows that says why nothing was read. */
void probe_emit_failed(struct probe_run *r, const char *relation, const char *reason);
/* Now, corrected, and later than what was given out before. */
int64_t probe_now_ms(const struct probe_run *r);

/* The run of every catalogue probe. */
enum err_code probe_run_catalogue(struct probe_run *r, struct err *e) ERR_MUST_CHECK;
/*
 * A value of PostgreSQL's text output as a cell of the column; ERR_INVALID when it is no such
 * value.
 */
enum err_code probe_parse_cell(const struct relation_column *column, struct str text,
                               struct cell *out, struct err *e) ERR_MUST_CHECK;

#endif
