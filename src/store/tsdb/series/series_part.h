/* SPDX-License-Identifier: PostgreSQL */
/*
 * series_part.h: what the files of the series source share: names to columns, labels of a series.
 * Private to store/tsdb.
 */
#ifndef STORE_TSDB_SERIES_SERIES_PART_H
#define STORE_TSDB_SERIES_SERIES_PART_H

#include "store/tsdb/series/series.h"
#include "store/tsdb/series/series_alias.h"

#define SERIES_NAME_LABEL "__name__"

struct series_tsdb {
    struct series_source source;
    struct series_tsdb_config config;
    struct arena *arena;
    struct map *relations; /* name -> struct relation, in the arena; NULL = not asked yet */
};

/* --- series_name.c: which columns a name stands for --- */

/* One column under one name. */
struct series_pick {
    struct str name;
    size_t column; /* index in the relation */
    bool total;    /* of a delta column: its sum of the day */
    const struct series_alias *alias;
};

struct series_plan_entry {
    const struct relation *relation;
    bool loose; /* the relation of loose samples: names are keys */
    size_t count, cap;
    struct series_pick *picks;
};

/* *out NULL = there is none of that name. */
enum err_code series_relation(struct series_tsdb *s, struct str name, const struct relation **out,
                              struct err *e) ERR_MUST_CHECK;
/* A column, or the total of a delta column. */
struct series_column {
    const struct relation *relation;
    size_t column;
    bool total;
};
/* What an alias stands for; out->relation NULL = the store does not have it. */
enum err_code series_alias_column(struct series_tsdb *s, const struct series_alias *alias,
                                  struct series_column *out, struct err *e) ERR_MUST_CHECK;
/* Those that may have an answer, in order of target, relation, scope. */
struct series_groups {
    size_t count;
    const struct tsdb_group *items;
};
struct series_plan {
    struct arena *arena;
    struct series_groups groups;
    size_t count, cap;                 /* the rest is made */
    struct series_plan_entry *entries; /* by name of the relation */
};
enum err_code series_plan_make(struct series_tsdb *s, const struct series_select *spec,
                               struct series_plan *plan, struct err *e) ERR_MUST_CHECK;
const struct series_plan_entry *series_plan_find(const struct series_plan *p, struct str relation);
enum series_kind series_pick_kind(const struct relation *r, const struct series_pick *p);

/* --- series_label.c: the labels of a series --- */

enum series_slot_kind { SERIES_SLOT_FIXED, SERIES_SLOT_KEY, SERIES_SLOT_TEXT };

struct series_slot {
    struct str name;
    enum series_slot_kind kind;
    struct str value; /* FIXED */
    size_t key;       /* KEY: index in the relation's keys */
};

struct series_template {
    size_t count;
    struct series_slot *slots; /* by name */
    size_t key_matcher_count;
    struct tsdb_key_test *key_matchers;
    size_t text_matcher_count;
    const struct matcher **text_matchers;
};

struct series_template_spec {
    const struct relation *relation;
    const struct series_pick *pick;
    const struct labels *target;
    struct str scope;
    const struct matcher *matchers;
    size_t matcher_count;
};

/* *match false = no series of this column and target can match. */
enum err_code series_template_make(struct arena *a, const struct series_template_spec *spec,
                                   struct series_template *out, bool *match,
                                   struct err *e) ERR_MUST_CHECK;
bool series_template_wants(const struct series_template *t, const struct str *keys);
bool series_template_wants_text(const struct series_template *t, struct str text);
/* What tells the series of one template apart. */
struct series_identity {
    const struct str *keys;
    struct str text;
};
/* Labels of one series; values are borrowed. */
enum err_code series_template_fill(const struct series_template *t, struct arena *a,
                                   const struct series_identity *who, struct labels *out,
                                   struct err *e) ERR_MUST_CHECK;
#define SERIES_JOB        "pga"
#define SERIES_SCOPE      "datname" /* the label of a scope where the relation has no such key */
#define SERIES_TEXT_LABEL "value"
/* The next label of a loose sample's text {a="1",b="2"}; false at its end. Values in `a`. */
bool series_label_next(struct arena *a, struct str *rest, struct label *out);
/* Labels of a loose sample: its own, and those of the target that it does not have. */
struct series_loose {
    struct str name, text;
    const struct labels *target;
};
enum err_code series_label_loose(struct arena *a, const struct series_loose *of, struct labels *out,
                                 struct err *e) ERR_MUST_CHECK;

#endif
