/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_group.h: groups of targets, and who sees which.
 *
 * A group is a name. A registration secret has one, which the collector that enrols with it gets,
 * and a target gets that of its collector when it is first seen, or that of its managed instance;
 * later each can be moved. An account sees all groups, or those of a list; owners and auditors see
 * all. What somebody may see is a `struct store_sight`, read with the account at each request:
 * all zero sees nothing. Lists are filtered in their statements by store_sight_value, so that a
 * page is full and a count is right; one thing by its id is asked about with store_group_sees.
 * Two more places keep to it: a reader of the engine (tsdb_reader_limit), and the dispatcher of
 * the API (api_sight.h).
 *
 * Owner:   lists live in the arena that is given
 * Threads: any
 * Errors:  ERR_INVALID for what is no name of a group, ERR_LIMIT for too many
 */
#ifndef STORE_STORE_GROUP_H
#define STORE_STORE_GROUP_H

#include "base/text.h"
#include "store/store.h"

#define STORE_GROUP_DEFAULT "default"
#define STORE_GROUP_MAX     64 /* bytes of a name */
#define STORE_GROUPS_MAX    64 /* of one account */

struct store_sight {
    bool all;
    const char *groups; /* when not all: ",a,b,"; NULL or "" = none */
};
#define STORE_SIGHT_ALL ((struct store_sight){.all = true})

/* --- Names --- */

/*
 * 1 to STORE_GROUP_MAX of a-z 0-9 . _ -, beginning with a letter or digit. "all" and "none" are
 * words for other things (pga ctl).
 */
enum err_code store_group_check(struct str name, struct err *e) ERR_MUST_CHECK;
/* The list of these names, each once; no name = a list that sees nothing. */
enum err_code store_group_join(struct arena *a, const struct str *names, size_t count,
                               const char **out, struct err *e) ERR_MUST_CHECK;
/* The next name of a list; false at its end. *rest begins as the list. */
bool store_group_next(struct str *rest, struct str *name);

/* --- Sight --- */

bool store_sight_has(const struct store_sight *s, struct str group);
/* For statements: NULL sees all. */
struct sqldb_value store_sight_value(const struct store_sight *s);
/* Of an account's row: group_names, and what its role makes of it. */
struct store_sight store_sight_read(struct sqldb_stmt *q, struct arena *a, const char *role);

enum store_group_kind {
    STORE_GROUP_TARGET,
    STORE_GROUP_COLLECTOR,
    STORE_GROUP_MANAGED,
    STORE_GROUP_SECRET,
};
struct store_group_thing {
    enum store_group_kind kind;
    struct sqldb_value id;
};
/* Whether it is there and in a group that is seen. */
enum err_code store_group_sees(struct store *s, const struct store_sight *sight,
                               struct store_group_thing thing, bool *out,
                               struct err *e) ERR_MUST_CHECK;
struct store_group_ids {
    enum store_group_kind kind; /* in: targets or collectors */
    size_t count;
    struct uuid *ids; /* out; rising */
};
/* Every target, or every collector, that is seen. */
enum err_code store_group_ids(struct store *s, struct arena *a, const struct store_sight *sight,
                              struct store_group_ids *list, struct err *e) ERR_MUST_CHECK;

/* --- Moving; ERR_NOT_FOUND --- */

struct store_group_move {
    const char *id;
    struct str group;
};
/* A target, and its managed instance with it. */
enum err_code store_group_move_target(struct store *s, const struct store_actor *who,
                                      const struct store_group_move *move,
                                      struct err *e) ERR_MUST_CHECK;
/* A collector, and those of its targets that are in its group until now. */
enum err_code store_group_move_collector(struct store *s, const struct store_actor *who,
                                         const struct store_group_move *move,
                                         struct err *e) ERR_MUST_CHECK;

#endif
