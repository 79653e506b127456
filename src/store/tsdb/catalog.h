/* SPDX-License-Identifier: PostgreSQL */
/*
 * catalog.h: relations, columns, groups and objects: names to ids, held in memory.
 *
 * Invariants: (1) only the writer adds, and what it added is written by its next transaction before
 *             anything can name it durably; (2) ids rise and are never used again, but for what
 *             was taken back before it was written; (3) the structs never move and live as long as
 *             the catalogue, objects and groups of deleted targets until nothing names them
 *             (retire.h); id, name and keys never change.
 * Threads:    every function takes the catalogue's lock itself, unless it says otherwise.
 */
#ifndef STORE_TSDB_CATALOG_H
#define STORE_TSDB_CATALOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/str.h"
#include "base/text.h"
#include "base/thread.h"
#include "model/relation.h"
#include "sqldb/sqldb.h"

struct map;

/* A key or a value column. */
struct catalog_column {
    uint32_t id; /* position in its relation */
    struct str name;
    struct str help, unit;
    enum relation_kind kind;
    enum relation_type type;
    double resolution;
    bool described;
    bool dirty; /* to be written by the next transaction */
};

/* Something that was taken back: others may still look at it. */
struct catalog_buried {
    void *thing;
    void (*release)(void *thing);
};

struct catalog_relation {
    uint32_t id;
    struct str name;
    struct str help;
    enum relation_shape shape;
    bool sparse;
    bool described;
    bool dirty;
    size_t key_count, column_count;
    struct catalog_column **keys, **columns;
    size_t saved_keys, saved_columns; /* how many of them are written */
};

struct catalog_object {
    uint64_t id;
    struct catalog_group *group;
    uint64_t hash;
    _Atomic int64_t seen_ms; /* monotonic: in a push, or read at start; noted seldom */
    uint32_t len;
    char keys[]; /* per key of the relation a length and the bytes; empty ones at the end are cut */
};

struct catalog_group {
    uint64_t id;
    struct uuid target;
    struct catalog_relation *relation;
    struct str scope;
    atomic_bool dropped; /* its target was deleted: nobody finds it any more */
    size_t object_count, object_cap;
    struct catalog_object **objects; /* in order of id */
    size_t slot_mask;                /* 0 = no table yet */
    struct catalog_object **slots;
    /* the newest reading; guarded by the lock */
    bool has_last;
    int64_t last_t_ms, last_every_ms;
    unsigned last_flags;
    struct str last_reason;
    struct uuid maker; /* the collector that sent it first; never changes */
    struct uuid owner; /* the collector that delivers it, until its lease ends */
    int64_t owned_until_us;
    /* shared stores: until then the database has it for this one; the writer's */
    struct uuid shared_owner;
    int64_t shared_until_us;
};

struct catalog {
    struct lock lock;
    struct map *relations; /* name -> relation */
    struct map *groups;    /* relation id, target, scope -> group */
    size_t relation_count, relation_cap;
    struct catalog_relation **by_id;
    size_t group_count, group_cap;
    struct catalog_group **all_groups; /* in order of id; dropped ones, too */
    size_t dropped_count;              /* of all_groups */
    uint64_t object_count;
    uint64_t next_relation, next_group, next_object;
    /* the writer's alone: what its next transaction writes */
    bool relations_dirty, ids_dirty;
    size_t new_group_count, new_group_cap, new_object_count, new_object_cap;
    struct catalog_group **new_groups;
    struct catalog_object **new_objects;
    /* what was known before it, and what was taken back: catalog_undo.c */
    size_t saved_relations;
    uint64_t saved_relation, saved_group, saved_object;
    size_t buried_count, buried_cap;
    struct catalog_buried *buried;
    _Atomic uint64_t generation; /* rises when something was taken back */
};

#define CATALOG_KEYS_MAX   (LIMIT_RELATION_KEYS * (LIMIT_KEY_BYTES + 2))
#define CATALOG_RELATIONS  4096
#define CATALOG_GROUPS     200000
#define CATALOG_OBJECTS    4000000
#define CATALOG_REASON_MAX 200

struct catalog_group_key {
    const struct catalog_relation *relation;
    struct uuid target;
    struct str scope;
    struct uuid maker; /* of a new one; not part of the key */
};

/* --- Life cycle --- */
struct catalog *catalog_new(void);
void catalog_free(struct catalog *c); /* NULL allowed */
enum err_code catalog_load(struct catalog *c, struct sqldb *ingest, struct err *e) ERR_MUST_CHECK;
/* Write what is new, inside the caller's transaction; the writer's thread. */
enum err_code catalog_save(struct catalog *c, struct sqldb *ingest, struct err *e) ERR_MUST_CHECK;
void catalog_saved(struct catalog *c); /* the transaction was committed */
/* Two parts of catalog_save, for a store that writes groups and objects its own way. */
enum err_code catalog_save_relations(struct catalog *c, struct sqldb *db,
                                     struct err *e) ERR_MUST_CHECK;
enum err_code catalog_save_ids(struct catalog *c, struct sqldb *db, struct err *e) ERR_MUST_CHECK;
enum catalog_what { CATALOG_NAMES, CATALOG_NAMES_AND_DESCRIPTIONS };
/*
 * Shared stores: take groups and objects that others added since, and what they described; the
 * writer's thread, while nobody else adds.
 */
enum err_code catalog_sync(struct catalog *c, struct sqldb *db, enum catalog_what what,
                           struct err *e) ERR_MUST_CHECK;

/*
 * Shared stores: take back what was added since the last catalog_saved or catalog_sync, because it
 * could not be written; the writer's thread. Others may have met it already: what they resolved
 * while `generation` was lower is to be resolved again. Changed descriptions are to be read again.
 */
void catalog_undo(struct catalog *c);
/* How many things were taken back; they take memory until the catalogue goes. */
size_t catalog_buried_count(const struct catalog *c);

/* Whether one of the caps of the whole store is reached; the writer's thread. */
bool catalog_is_full(const struct catalog *c);

/* --- Look up; NULL = unknown --- */
struct catalog_relation *catalog_find_relation(struct catalog *c, struct str name);
struct catalog_column *catalog_find_column(struct catalog *c, struct catalog_relation *r,
                                           struct str name);
struct catalog_column *catalog_find_key(struct catalog *c, struct catalog_relation *r,
                                        struct str name);
struct catalog_group *catalog_find_group(struct catalog *c, const struct catalog_group_key *key);
struct catalog_object *catalog_find_object(struct catalog *c, struct catalog_group *g,
                                           struct str keys);
struct catalog_group *catalog_group_by_id(struct catalog *c, uint64_t id);
struct catalog_object *catalog_object_by_id(struct catalog *c, struct catalog_group *g,
                                            uint64_t id);
/* Objects of a group with a higher id, at most `room` of them in order of id; gives how many. */
size_t catalog_objects_after(struct catalog *c, const struct catalog_group *g, uint64_t id,
                             struct catalog_object **list, size_t room);
size_t catalog_object_count(struct catalog *c, const struct catalog_group *g);
/*
 * An object whose group is not known: looks at some groups with an id above *group, which rises.
 * NULL and *group UINT64_MAX: unknown.
 */
struct catalog_object *catalog_object_after(struct catalog *c, uint64_t *group, uint64_t id);
/*
 * One collector delivers a group at a time: a second one would double every sum. Takes or renews
 * the lease of `who` for lease_ms from now_us (monotonic); false while another one holds it.
 */
bool catalog_claim(struct catalog *c, struct catalog_group *g, const struct uuid *who,
                   int64_t lease_ms, int64_t now_us);
/* Shared stores: another process says that `who` has it, for lease_ms from now_us. */
void catalog_give(struct catalog *c, struct catalog_group *g, const struct uuid *who,
                  int64_t lease_ms, int64_t now_us);
/* Whether a description says nothing new. */
bool catalog_knows(struct catalog *c, const struct relation *described);

/* --- Add; the writer's thread. ERR_LIMIT at a cap. --- */
enum err_code catalog_describe(struct catalog *c, const struct relation *described,
                               struct err *e) ERR_MUST_CHECK;
enum err_code catalog_add_relation(struct catalog *c, struct str name, enum relation_shape shape,
                                   struct catalog_relation **out, struct err *e) ERR_MUST_CHECK;
enum err_code catalog_add_column(struct catalog *c, struct catalog_relation *r, struct str name,
                                 struct catalog_column **out, struct err *e) ERR_MUST_CHECK;
enum err_code catalog_add_key(struct catalog *c, struct catalog_relation *r, struct str name,
                              struct catalog_column **out, struct err *e) ERR_MUST_CHECK;
enum err_code catalog_add_group(struct catalog *c, const struct catalog_group_key *key,
                                struct catalog_group **out, struct err *e) ERR_MUST_CHECK;
enum err_code catalog_add_object(struct catalog *c, struct catalog_group *g, struct str keys,
                                 struct catalog_object **out, struct err *e) ERR_MUST_CHECK;

/*
 * The target's groups are not found any more; the structs stay for those who hold them. Gives how
 * many and their ids, which the caller frees.
 */
size_t catalog_drop(struct catalog *c, const struct uuid *target, uint64_t **ids);

/* The same for groups whose id is not among these, which rise. */
void catalog_keep_only(struct catalog *c, const uint64_t *ids, size_t count);

/*
 * Take out those dropped groups of which `is_over` says so, with their objects, unless something is
 * still to be written. Gives how many, and a list; the caller frees both, once nobody has them.
 */
typedef bool catalog_group_test(const void *arg, const struct catalog_group *g);
size_t catalog_take_dropped(struct catalog *c, catalog_group_test *is_over, const void *arg,
                            struct catalog_group ***groups);

/* How often it is noted that an object was seen, when resting ones are looked for after rest_ms. */
int64_t catalog_note_ms(int64_t rest_ms);
static inline void catalog_note(struct catalog_object *o, int64_t now_ms, int64_t note_ms)
{
    if (now_ms - atomic_load_explicit(&o->seen_ms, memory_order_relaxed) >= note_ms) {
        atomic_store_explicit(&o->seen_ms, now_ms, memory_order_relaxed);
    }
}
/* Take an object out of its group; the caller frees it, once nobody has it. NULL = unknown. */
struct catalog_object *catalog_take_object(struct catalog *c, struct catalog_group *g, uint64_t id);

/* --- Put a thing with a known id; catalog_rows.c and the functions above --- */
struct catalog_relation *catalog_put_relation(struct catalog *c, uint32_t id, struct str name,
                                              enum relation_shape shape);
struct catalog_column *catalog_put_column(struct catalog *c, struct catalog_column ***list,
                                          size_t *count, struct str name);
struct catalog_group *catalog_put_group(struct catalog *c, uint64_t id,
                                        const struct catalog_group_key *key);
struct catalog_object *catalog_put_object(struct catalog *c, uint64_t id, struct catalog_group *g,
                                          struct str keys);
void catalog_replace(struct str *at, struct str s); /* an owned string */
/* Everything that is known now is written; the first: groups and objects only. */
void catalog_mark_saved(struct catalog *c);
void catalog_mark_relations_saved(struct catalog *c);
/* Caller holds the lock: the group's table of objects has the first `count` of them only. */
void catalog_cut_objects(struct catalog_group *g, size_t count);
/* Caller holds the lock. */
void catalog_unlist_group(struct catalog *c, const struct catalog_group *g);
void catalog_free_column(void *column);
void catalog_free_relation(void *relation);
void catalog_free_group(void *group);
void catalog_free_buried(struct catalog *c);

/* --- The newest reading of a group --- */
struct catalog_last {
    int64_t t_ms, every_ms;
    unsigned flags;
    struct str reason;
};
void catalog_seen(struct catalog *c, uint64_t group, const struct catalog_last *last);

#endif
