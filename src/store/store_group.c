/* SPDX-License-Identifier: PostgreSQL */
/* store_group.c: see the header. */
#include "store/store_group.h"

#include <string.h>

#include "base/buf.h"
#include "store/store_audit.h"

#define IDS_FIRST 64

/* --- names --- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

enum err_code store_group_check(struct str name, struct err *e)
{
    bool good = name.len > 0 && name.len <= STORE_GROUP_MAX && is_plain(name.ptr[0]);

    for (size_t i = 0; good && i < name.len; i++)
        good = is_plain(name.ptr[i]) || memchr("._-", name.ptr[i], 3) != NULL;
    if (good && !str_eq_c(name, "all") && !str_eq_c(name, "none"))
        return ERR_OK;
    return err_set(e, ERR_INVALID,
                   "a group has a name of 1 to %d of a-z 0-9 . _ - that begins with a letter or a "
                   "digit; all and none are no names",
                   STORE_GROUP_MAX);
}

static bool list_has(struct str list, struct str group)
{
    struct str name;

    while (store_group_next(&list, &name)) {
        if (str_eq(name, group))
            return true;
    }
    return false;
}

enum err_code store_group_join(struct arena *a, const struct str *names, size_t count,
                               const char **out, struct err *e)
{
    enum err_code rc = ERR_OK;
    struct buf list;

    if (count > STORE_GROUPS_MAX)
        return err_set(e, ERR_LIMIT, "an account has at most %d groups", STORE_GROUPS_MAX);
    buf_init(&list, STORE_GROUPS_MAX * (STORE_GROUP_MAX + 1) + 2);
    buf_add_char(&list, ',');
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        rc = store_group_check(names[i], e);
        if (rc != ERR_OK || list_has(buf_view(&list), names[i]))
            continue;
        buf_add_str(&list, names[i]);
        buf_add_char(&list, ',');
    }
    if (rc == ERR_OK)
        rc = buf_check(&list, e);
    *out = rc == ERR_OK ? arena_cstr(a, buf_view(&list)) : NULL;
    buf_fini(&list);
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

bool store_group_next(struct str *rest, struct str *name)
{
    while (rest->ptr != NULL && rest->len > 0) {
        *name = str_split(rest, ',');
        if (name->len > 0)
            return true;
    }
    return false;
}

/* --- sight --- */

bool store_sight_has(const struct store_sight *s, struct str group)
{
    return s->all || (s->groups != NULL && list_has(str_of(s->groups), group));
}

struct sqldb_value store_sight_value(const struct store_sight *s)
{
    if (s->all)
        return sqldb_null();
    return sqldb_text_c(s->groups != NULL ? s->groups : "");
}

struct store_sight store_sight_read(struct sqldb_stmt *q, struct arena *a, const char *role)
{
    const char *groups = store_text(q, a, "group_names");

    if (sqldb_is_null(q, sqldb_column(q, "group_names")))
        return STORE_SIGHT_ALL;
    return (struct store_sight){.all = role != NULL && strcmp(role, "owner") == 0,
                                .groups = groups};
}

enum err_code store_group_sees(struct store *s, const struct store_sight *sight,
                               struct store_group_thing thing, bool *out, struct err *e)
{
    static const char *const statements[] = {
        [STORE_GROUP_TARGET] = "target_group_of",
        [STORE_GROUP_COLLECTOR] = "collector_group_of",
        [STORE_GROUP_MANAGED] = "managed_group_of",
        [STORE_GROUP_SECRET] = "secret_group_of",
    };
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(store_read_begin(s), statements[thing.kind], SQLDB_ARGS(thing.id),
                                 &q, e);

    *out = rc == ERR_OK && store_sight_has(sight, sqldb_get_text(q, 0));
    sqldb_end(q);
    store_read_end(s);
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static void add_id(struct arena *a, struct store_group_ids *list, size_t *cap, struct str text)
{
    struct uuid id;

    if (!text_parse_uuid(text, &id))
        return;
    if (list->count == *cap) {
        size_t more = *cap > 0 ? 2 * *cap : IDS_FIRST;
        struct uuid *longer = arena_array(a, more, sizeof(*longer));

        if (longer == NULL)
            return;
        if (list->count > 0)
            memcpy(longer, list->ids, list->count * sizeof(*longer));
        list->ids = longer;
        *cap = more;
    }
    list->ids[list->count++] = id;
}

enum err_code store_group_ids(struct store *s, struct arena *a, const struct store_sight *sight,
                              struct store_group_ids *list, struct err *e)
{
    const char *statement = list->kind == STORE_GROUP_TARGET ? "target_seen" : "collector_seen_by";
    struct sqldb_stmt *q = NULL;
    size_t cap = 0;
    bool more = true;
    enum err_code rc = sqldb_query(store_read_begin(s), statement,
                                   SQLDB_ARGS(store_sight_value(sight)), &q, e);

    list->count = 0;
    list->ids = NULL;
    while (rc == ERR_OK && more) {
        rc = sqldb_step(q, &more, e);
        if (rc == ERR_OK && more)
            add_id(a, list, &cap, sqldb_get_text(q, 0));
    }
    sqldb_end(q);
    store_read_end(s);
    return rc == ERR_OK ? arena_check(a, e) : rc;
}

/* --- moving --- */

struct moving {
    struct sqldb *db;
    struct arena arena;
    const struct store_actor *who;
    const struct store_group_move *move;
    struct sqldb_value id, group;
    struct str from; /* the group that it was in */
};

/* Where it was; ERR_NOT_FOUND. */
static enum err_code find(struct moving *m, const char *statement, struct err *e)
{
    struct sqldb_stmt *q = NULL;
    enum err_code rc = sqldb_row(m->db, statement, SQLDB_ARGS(m->id), &q, e);

    if (rc == ERR_OK)
        m->from = arena_str(&m->arena, sqldb_get_text(q, 0));
    sqldb_end(q);
    if (rc == ERR_NOT_FOUND)
        return err_set(e, ERR_NOT_FOUND, "there is nothing with this id");
    return rc == ERR_OK ? arena_check(&m->arena, e) : rc;
}

static enum err_code audit(struct moving *m, const char *action, struct err *e)
{
    const char *detail = arena_printf(&m->arena, "from %.*s to %.*s", STR_ARG(m->from),
                                      STR_ARG(m->move->group));

    if (detail == NULL)
        return arena_fail(&m->arena, e);
    return store_audit_add(m->db, m->who, (struct store_audit_entry){action, m->move->id, detail},
                           e);
}

static enum err_code move_target(struct moving *m, struct err *e)
{
    enum err_code rc = find(m, "target_group_of", e);

    if (rc != ERR_OK || str_eq(m->from, m->move->group))
        return rc;
    rc = sqldb_run(m->db, "target_group", SQLDB_ARGS(m->id, m->group), e);
    if (rc == ERR_OK)
        rc = sqldb_run(m->db, "managed_group", SQLDB_ARGS(m->id, m->group), e);
    return rc == ERR_OK ? audit(m, "target.group", e) : rc;
}

static enum err_code move_collector(struct moving *m, struct err *e)
{
    enum err_code rc = find(m, "collector_group_of", e);

    if (rc != ERR_OK || str_eq(m->from, m->move->group))
        return rc;
    rc = sqldb_run(m->db, "collector_group", SQLDB_ARGS(m->id, m->group), e);
    if (rc == ERR_OK)
        rc = sqldb_run(m->db, "target_group_follow",
                       SQLDB_ARGS(m->id, sqldb_text(m->from), m->group), e);
    return rc == ERR_OK ? audit(m, "collector.group", e) : rc;
}

static enum err_code move(struct store *s, struct moving *m,
                          enum err_code (*how)(struct moving *m, struct err *e), struct err *e)
{
    enum err_code rc = store_group_check(m->move->group, e);

    if (rc == ERR_OK)
        rc = store_begin(s, &m->db, e);
    if (rc != ERR_OK)
        return rc;
    arena_init(&m->arena, "group", 4096);
    m->id = sqldb_text_c(m->move->id);
    m->group = sqldb_text(m->move->group);
    rc = store_end(s, how(m, e), e);
    arena_fini(&m->arena);
    return rc;
}

enum err_code store_group_move_target(struct store *s, const struct store_actor *who,
                                      const struct store_group_move *m, struct err *e)
{
    struct moving one = {.who = who, .move = m};

    return move(s, &one, move_target, e);
}

enum err_code store_group_move_collector(struct store *s, const struct store_actor *who,
                                         const struct store_group_move *m, struct err *e)
{
    struct moving one = {.who = who, .move = m};

    return move(s, &one, move_collector, e);
}
