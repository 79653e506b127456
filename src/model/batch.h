/* SPDX-License-Identifier: PostgreSQL */
/*
 * batch.h: one record of the push protocol in memory: readings (slices), descriptions, events,
 * texts.
 *
 * The agent builds a batch in an arena and writes it with batch_write; the server reads one with
 * batch_read. packaging/doc/protocol.md is the specification.
 * Values are column-major: slice->columns[c].cells[row].
 * Owner: everything lives in the arena; strings read from JSON borrow from the document.
 */
#ifndef MODEL_BATCH_H
#define MODEL_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/text.h"
#include "model/relation.h"

enum cell_tag { CELL_NULL, CELL_I64, CELL_U64, CELL_F64, CELL_STR };

/* One value. Integers stay exact; CELL_U64 only above INT64_MAX. */
struct cell {
    enum cell_tag tag;
    union {
        int64_t i64;
        uint64_t u64;
        double f64;
        struct str str;
    };
};

enum slice_flag {
    SLICE_COMPLETE = 1, /* a row that is missing has ended (object relations that are not sparse) */
    SLICE_KEYFRAME = 2, /* every live row is in it, changed or not */
    SLICE_FAILED = 4,   /* the reading failed: no rows, `reason` says why */
};

struct slice_column {
    struct str name;
    struct cell *cells; /* row_count of them */
};

/* One reading of one relation: rows at one instant. */
struct slice {
    struct str relation;
    struct uuid target;
    struct str scope;  /* "" or the database of a per-database relation */
    int64_t t_ms;      /* when it was read */
    int64_t from_ms;   /* start of the interval it covers; == t_ms when it covers none */
    int64_t every_ms;  /* the effective clock; 0 = none */
    unsigned flags;    /* enum slice_flag */
    struct str reason; /* with SLICE_FAILED, of a reading cut short, of `up` = 0 */
    size_t row_count;
    size_t key_count;
    struct str *key_names;
    struct str **keys; /* keys[k][row]; NULL only as `rows_like` allows */
    /*
     * 0, or a number for the keys of all rows: slices of one stream with the same number have the
     * same keys, row by row. One with a number may come without keys, to a store that took one
     * with them before.
     */
    uint64_t rows_like;
    size_t column_count;
    struct slice_column *columns;
    size_t gone_count;  /* row objects that ended, for sparse relations */
    struct str **gone;  /* gone[i][k], in the order of key_names */
    size_t reset_count; /* rows whose counters restarted within the interval */
    uint32_t *resets;   /* row numbers, rising */
};

enum batch_severity { BATCH_DEBUG, BATCH_INFO, BATCH_WARNING, BATCH_ERROR, BATCH_CRITICAL };

struct batch_event {
    int64_t t_ms;
    struct uuid target; /* all zero = the agent itself */
    struct str kind;    /* "settings_changed", "gap", "probe_state" ... */
    enum batch_severity severity;
    struct str title;
    struct str body; /* JSON text of an object, or empty */
};

/* A large text that others refer to: kind "query", key = query id within the target. */
struct batch_text {
    struct uuid target;
    struct str kind;
    struct str key;
    struct str text;
};

/* What is watched. Attributes change; the id does not. */
struct batch_target {
    struct uuid id;
    struct str kind; /* "postgresql", "host" */
    struct str name;
    struct str attributes; /* JSON text of an object: address, port, role, version, version_num,
                              system_identifier, cpus ... */
};

/* Sequence numbers that will never carry data, and why. */
struct batch_gap {
    uint64_t span;          /* how many sequence numbers */
    struct str reason;      /* "spool_full", "quarantined", "server_restored", "clock" ... */
    int64_t from_ms, to_ms; /* the sample time that is missing, as far as known; else 0 */
};

struct batch {
    int64_t made_ms;
    struct relation *relations;
    size_t relation_count;
    struct batch_target *targets;
    size_t target_count;
    struct slice *slices;
    size_t slice_count;
    struct batch_event *events;
    size_t event_count;
    struct batch_text *texts;
    size_t text_count;
};

/* The JSON text of one record. */
void batch_write(const struct batch *b, struct json_writer *w);
/* Its members "targets" and "texts", in an object that is open; an empty list is left out. */
void batch_write_texts_and_targets(const struct batch *b, struct json_writer *w);
/* One entry of its list "events". */
void batch_write_event(const struct batch_event *event, struct json_writer *w);
/*
 * Read one record. Every bound of limits.h is checked; ERR_INVALID and ERR_LIMIT say where
 * ("slices[3].columns.xact_commit[17]: ..."). Unknown members are ignored.
 */
enum err_code batch_read(struct arena *a, const struct json *n, struct batch *out,
                         struct err *e) ERR_MUST_CHECK;
const char *batch_severity_name(enum batch_severity s);
bool batch_parse_severity(struct str s, enum batch_severity *out);

/*
 * Builder for the agent: a slice that grows row by row.
 * All memory is the arena's; after the last row slice_build_end gives the finished slice.
 */
struct slice_builder {
    struct arena *arena;
    const struct relation *relation;
    struct slice *slice; /* NULL after an overflow of the arena */
    size_t row_cap, gone_cap, reset_cap;
    bool over; /* a bound of limits.h was passed */
};

struct slice_times {
    int64_t t_ms, from_ms, every_ms;
};

void slice_build_begin(struct slice_builder *sb, struct arena *a, const struct relation *r,
                       const struct uuid *target, struct str scope,
                       const struct slice_times *times);
/* Start a row; `keys` has relation->key_count strings (copied). All its cells are NULL at first. */
void slice_build_row(struct slice_builder *sb, const struct str *keys);
/* Set a cell of the last row. column: index in the relation. Strings are copied. */
void slice_build_cell(struct slice_builder *sb, size_t column, struct cell value);
void slice_build_gone(struct slice_builder *sb, const struct str *keys);
void slice_build_reset(struct slice_builder *sb); /* the last row */
/*
 * ERR_LIMIT when the arena overflowed or a bound was passed. Columns that are NULL in all rows
 * stay.
 */
enum err_code slice_build_end(struct slice_builder *sb, unsigned flags, struct slice **out,
                              struct err *e) ERR_MUST_CHECK;

static inline struct cell cell_i64(int64_t v)
{
    return (struct cell){.tag = CELL_I64, .i64 = v};
}

static inline struct cell cell_f64(double v)
{
    return (struct cell){.tag = CELL_F64, .f64 = v};
}

static inline struct cell cell_str(struct str v)
{
    return (struct cell){.tag = CELL_STR, .str = v};
}

/* As i64 when it fits, else u64. */
struct cell cell_u64(uint64_t v);
/* As a double; NaN for NULL and text. Inexact above 2^53: for display and PromQL only. */
double cell_to_f64(struct cell c);
/* *sum += c: exact as long as integers fit, then a double; NULL and texts add nothing, and what is
 * added to NULL is the sum. */
void cell_add(struct cell *sum, struct cell c);

#endif
