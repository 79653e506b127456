/* SPDX-License-Identifier: PostgreSQL */
/*
 * pgstore_tables.c: the tables that vary with the data: partitions by day, wide tables, views.
 *
 * Only the leader is here, and every change is a transaction of its own that checks its term and
 * gives way after 200 ms. A day counts once all its partitions are there, a wide table once it has
 * a row in ts_wide; both raise ts_state.wide, by which movers notice.
 * Threads: the leader's.
 */
#include "store/tsdb/postgres/pgstore_tables.h"

#include "base/alloc.h"
#include "base/fault.h"
#include "base/log.h"
#include "os/clock.h"

#include <stdio.h>
#include <string.h>

#define SQL_BYTES   (1024UL * 1024)
#define DAYS_BEFORE 2 /* the clock window of a push */
#define DAYS_AHEAD  3
#define NAME_MAX_PG 63
#define VIEW_PREFIX "metric_"

static const struct log_ctx tables_log = {.component = "tsdb"};

/* --- statements with names in them --- */

static void fill_in(struct buf *out, const char *sql, const struct pgstore_fill *fills,
                    size_t count)
{
    struct str rest = str_of(sql);
    size_t at = 0;

    while (str_find(rest, STR("{"), &at)) {
        buf_add(out, rest.ptr, at);
        rest = str_make(rest.ptr + at + 1, rest.len - at - 1);
        struct str name = str_split(&rest, '}');
        for (size_t i = 0; i < count; i++) {
            if (str_eq_c(name, fills[i].name)) {
                buf_add_str(out, fills[i].value);
            }
        }
    }
    buf_add_str(out, rest);
}

enum err_code pgstore_run_filled(struct pgstore *p, const char *name,
                                 const struct pgstore_fill *fills, size_t count, struct err *e)
{
    const char *sql = sqldb_sql(name, SQLDB_PG);
    struct buf text;

    if (!sql) {
        return err_set(e, ERR_BUG, "no statement %s", name);
    }
    buf_init(&text, SQL_BYTES);
    fill_in(&text, sql, fills, count);
    enum err_code code = buf_check(&text, e);
    code = code ? code : sqldb_script(p->lead, text.ptr, e);
    buf_fini(&text);
    return code ? err_wrap(e, "%s", name) : ERR_OK;
}

enum err_code pgstore_lead_end(struct pgstore *p, enum err_code code, struct err *e)
{
    if (code) {
        sqldb_rollback(p->lead);
        return code;
    }
    FAULT_POINT("pgstore.tables_commit");
    return sqldb_commit(p->lead, e);
}

enum err_code pgstore_table_exists(struct pgstore *p, const char *table, bool *out, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(p->lead, "tsdb_table_exists", SQLDB_ARGS(sqldb_text_c(table)),
                                   &s, e);

    *out = code == ERR_OK && sqldb_get_i64(s, 0) > 0;
    sqldb_end(s);
    return code;
}

enum err_code pgstore_read_numbers(struct pgstore *p, const char *name, struct sqldb_args args,
                                   struct pgstore_numbers *out, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    size_t cap = 0;
    bool row = true;
    enum err_code code = sqldb_query(p->lead, name, args, &s, e);

    out->list = NULL;
    out->count = 0;
    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        if (out->count == cap) {
            cap = cap ? 2 * cap : 64;
            int64_t *longer = arena_array(out->arena, cap, sizeof(*longer));
            if (!longer) {
                break;
            }
            if (out->count) {
                memcpy(longer, out->list, out->count * sizeof(*longer));
            }
            out->list = longer;
        }
        out->list[out->count++] = sqldb_get_i64(s, 0);
    }
    sqldb_end(s);
    return code ? code : arena_check(out->arena, e);
}

/* --- partitions --- */

const char *pgstore_day_name(struct arena *a, int64_t day)
{
    struct buf text;

    buf_init(&text, 64);
    pgstore_copy_time(&text, day * TSDB_DAY_MS);
    const char *name = arena_printf(a, "%.4s%.2s%.2s", text.ptr, text.ptr + 5, text.ptr + 8);
    buf_fini(&text);
    return name;
}

struct str pgstore_day_bound(struct arena *a, const struct pgstore_parent *parent, int64_t day)
{
    struct buf text;

    if (parent->by_ms) {
        return str_of(arena_printf(a, "%lld", (long long)(day * TSDB_DAY_MS)));
    }
    buf_init(&text, 64);
    buf_add_char(&text, '\'');
    pgstore_copy_time(&text, day * TSDB_DAY_MS);
    buf_add_char(&text, '\'');
    struct str out = arena_str(a, buf_view(&text));
    buf_fini(&text);
    return out;
}

enum err_code pgstore_make_partition(struct pgstore *p, const struct pgstore_partition *n,
                                     struct err *e)
{
    const struct pgstore_fill fills[] = {{"parent", str_of(n->parent)},
                                         {"child", str_of(n->child)},
                                         {"column", str_of(n->column)},
                                         {"from", n->from},
                                         {"to", n->to}};
    bool there = false;
    enum err_code code = pgstore_table_exists(p, n->child, &there, e);

    if (code || there) {
        return code;
    }
    return pgstore_run_filled(p, "tsdb_ddl_partition", fills, sizeof(fills) / sizeof(fills[0]), e);
}

enum err_code pgstore_drop_partition(struct pgstore *p, const char *parent, const char *child,
                                     struct err *e)
{
    const struct pgstore_fill fills[] = {{"parent", str_of(parent)}, {"child", str_of(child)}};
    bool there = false;
    enum err_code code = pgstore_table_exists(p, child, &there, e);

    if (code || !there) {
        return code;
    }
    return pgstore_run_filled(p, "tsdb_ddl_detach", fills, sizeof(fills) / sizeof(fills[0]), e);
}

static enum err_code make_part_of_day(struct pgstore *p, struct arena *a,
                                      const struct pgstore_parent *parent, int64_t day,
                                      struct err *e)
{
    const struct pgstore_partition n = {
        .parent = parent->name,
        .child = arena_printf(a, "%s_%s", parent->name, pgstore_day_name(a, day)),
        .column = parent->by_ms ? "t_ms" : "t",
        .from = pgstore_day_bound(a, parent, day),
        .to = pgstore_day_bound(a, parent, day + 1)};
    enum err_code code = arena_check(a, e);

    return code ? code : pgstore_make_partition(p, &n, e);
}

enum err_code pgstore_list_parents(struct pgstore *p, struct arena *a, struct pgstore_parent **out,
                                   size_t *count, struct err *e)
{
    struct pgstore_numbers wide = {.arena = a};
    enum err_code code = p->has_timescale ? ERR_OK
                                          : pgstore_read_numbers(p, "tsdb_wide_relations",
                                                                 SQLDB_NO_ARGS, &wide, e);
    struct pgstore_parent *list = arena_array(a, wide.count + 2, sizeof(*list));

    if (code || !list) {
        return code ? code : arena_check(a, e);
    }
    list[0] = (struct pgstore_parent){"ts_slice", true};
    list[1] = (struct pgstore_parent){"ts_extra", false};
    for (size_t i = 0; i < wide.count; i++) {
        list[i + 2].name = arena_printf(a, "ts_wide_%lld", (long long)wide.list[i]);
    }
    *out = list;
    *count = wide.count + 2;
    return arena_check(a, e);
}

static enum err_code make_day(struct pgstore *p, struct arena *a, int64_t day, struct err *e)
{
    struct pgstore_parent *parents = NULL;
    size_t count = 0;
    enum err_code code = pgstore_list_parents(p, a, &parents, &count, e);

    for (size_t i = 0; code == ERR_OK && i < count; i++) {
        code = pgstore_lead_begin(p, e);
        if (code == ERR_OK) {
            code = pgstore_lead_end(p, make_part_of_day(p, a, &parents[i], day, e), e);
        }
    }
    code = code ? code : pgstore_lead_begin(p, e);
    if (code) {
        return code;
    }
    code = sqldb_run(p->lead, "tsdb_day_add", SQLDB_ARGS(sqldb_i64(day)), e);
    code = code ? code : sqldb_run(p->lead, "tsdb_wide_count", SQLDB_NO_ARGS, e);
    return pgstore_lead_end(p, code, e);
}

static enum err_code make_days(struct pgstore *p, struct arena *a, struct err *e)
{
    int64_t today = days_of_ms(clock_wall_ms());
    int64_t oldest = today - p->front.config.retention_days;
    struct pgstore_numbers days = {.arena = a};
    enum err_code code = pgstore_read_numbers(p, "tsdb_day_wanted",
                                              SQLDB_ARGS(sqldb_i64(today - DAYS_BEFORE),
                                                         sqldb_i64(today + DAYS_AHEAD),
                                                         sqldb_i64(oldest)),
                                              &days, e);

    for (size_t i = 0; code == ERR_OK && i < days.count; i++) {
        code = make_day(p, a, days.list[i], e);
    }
    return code;
}

/* --- wide tables --- */

static const char *type_name(enum relation_type type)
{
    static const char *const names[] = {[RELATION_I64] = "bigint",
                                        [RELATION_U64] = "numeric",
                                        [RELATION_F64] = "double precision",
                                        [RELATION_STR] = "text"};
    return names[type];
}

/* A relation with its keys and columns. */
struct shape {
    int64_t id;
    struct str name;
    bool fact;
    struct shape_column {
        bool is_key;
        int id;
        struct str name;
        enum relation_type type;
    } * columns;
    size_t count;
};

#define SHAPE_COLUMNS_MAX (LIMIT_RELATION_COLUMNS + LIMIT_RELATION_KEYS)

static enum err_code read_shape(struct pgstore *p, struct arena *a, struct shape *r, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(p->lead, "tsdb_relation_columns", SQLDB_ARGS(sqldb_i64(r->id)),
                                     &s, e);

    r->columns = arena_array(a, SHAPE_COLUMNS_MAX, sizeof(*r->columns));
    while (code == ERR_OK && r->columns && r->count < SHAPE_COLUMNS_MAX &&
           (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        r->columns[r->count++] = (struct shape_column){
            .is_key = sqldb_get_i64(s, 0) != 0,
            .id = (int)sqldb_get_i64(s, 1),
            .name = arena_str(a, sqldb_get_text(s, 2)),
            .type = (enum relation_type)(sqldb_get_i64(s, 4) & 3)};
    }
    sqldb_end(s);
    return code ? code : arena_check(a, e);
}

/* Keys of objects are labels; those of facts are columns. */
static bool is_stored(const struct shape *r, const struct shape_column *c)
{
    return !c->is_key || r->fact;
}

static enum relation_type stored_type(const struct shape_column *c)
{
    return c->is_key ? RELATION_STR : c->type;
}

static void put_definition(struct buf *out, const struct shape_column *c)
{
    buf_printf(out, "%c%d %s", c->is_key ? 'k' : 'c', c->id, type_name(stored_type(c)));
}

/* A name as an identifier that nothing else in the view has. */
static void put_alias(struct buf *out, const struct shape_column *c)
{
    static const char *const taken[] = {"t", "target", "target_name", "scope", "reset"};
    bool clash = c->name.len > NAME_MAX_PG - 1;

    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        if (str_eq_c(c->name, taken[i])) {
            buf_printf(out, "\"%s_\"", taken[i]);
            return;
        }
    }
    if (clash) {
        buf_printf(out, "%s_%d", c->is_key ? "key" : "column", c->id);
    } else {
        buf_printf(out, "\"%.*s\"", STR_ARG(c->name));
    }
}

/* Names of relations, keys and columns are [a-z0-9_] (model/relation.h): they need no escape. */
static enum err_code make_view(struct pgstore *p, struct arena *a, const struct shape *r,
                               struct err *e)
{
    const char *table = arena_printf(a, "ts_wide_%lld", (long long)r->id);
    const char *view = r->name.len + strlen(VIEW_PREFIX) <= NAME_MAX_PG
                           ? arena_printf(a, "\"" VIEW_PREFIX "%.*s\"", STR_ARG(r->name))
                           : arena_printf(a, VIEW_PREFIX "%lld", (long long)r->id);
    struct buf columns;

    buf_init(&columns, SQL_BYTES);
    for (int keys = 1; keys >= 0; keys--) {
        for (size_t i = 0; i < r->count; i++) {
            const struct shape_column *c = &r->columns[i];
            if (c->is_key != (keys == 1)) {
                continue;
            }
            if (is_stored(r, c)) {
                buf_printf(&columns, ", w.%c%d AS ", c->is_key ? 'k' : 'c', c->id);
            } else {
                buf_printf(&columns, ", o.labels ->> '%.*s' AS ", STR_ARG(c->name));
            }
            put_alias(&columns, c);
        }
    }
    const struct pgstore_fill fills[] = {
        {"view", str_of(view)}, {"table", str_of(table)}, {"columns", buf_view(&columns)}};
    enum err_code code = buf_check(&columns, e);
    code = code ? code : pgstore_run_filled(p, "tsdb_ddl_view", fills, 3, e);
    buf_fini(&columns);
    return code;
}

static enum err_code register_column(struct pgstore *p, const struct shape *r,
                                     const struct shape_column *c, struct err *e)
{
    return sqldb_run(p->lead, "tsdb_wide_add",
                     SQLDB_ARGS(sqldb_i64(r->id), sqldb_i64(c->is_key), sqldb_i64(c->id),
                                sqldb_i64(stored_type(c))),
                     e);
}

static enum err_code make_table(struct pgstore *p, const struct shape *r, const char *table,
                                struct err *e)
{
    struct buf columns;

    buf_init(&columns, SQL_BYTES);
    for (size_t i = 0; i < r->count; i++) {
        if (is_stored(r, &r->columns[i])) {
            buf_add_c(&columns, ", ");
            put_definition(&columns, &r->columns[i]);
        }
    }
    const struct pgstore_fill fills[] = {
        {"table", str_of(table)},
        {"columns", buf_view(&columns)},
        {"partition", p->has_timescale ? STR("") : STR("PARTITION BY RANGE (t)")}};
    enum err_code code = buf_check(&columns, e);
    code = code ? code : pgstore_run_filled(p, "tsdb_ddl_wide", fills, 3, e);
    buf_fini(&columns);
    if (code == ERR_OK && p->has_timescale) {
        const struct pgstore_fill divide[] = {{"table", str_of(table)},
                                              {"schema", str_of(p->timescale_schema)}};
        code = pgstore_run_filled(p, "tsdb_ddl_hypertable", divide, 2, e);
    }
    return code;
}

/* Within one transaction: nobody sees the table before it has partitions for all days. */
static enum err_code make_wide(struct pgstore *p, struct arena *a, const struct shape *r,
                               const struct pgstore_numbers *days, struct err *e)
{
    const char *table = arena_printf(a, "ts_wide_%lld", (long long)r->id);
    const struct pgstore_parent parent = {table, false};
    enum err_code code = make_table(p, r, table, e);

    for (size_t i = 0; code == ERR_OK && !p->has_timescale && i < days->count; i++) {
        code = make_part_of_day(p, a, &parent, days->list[i], e);
    }
    for (size_t i = 0; code == ERR_OK && i < r->count; i++) {
        if (is_stored(r, &r->columns[i])) {
            code = register_column(p, r, &r->columns[i], e);
        }
    }
    code = code ? code : make_view(p, a, r, e);
    return code ? code : sqldb_run(p->lead, "tsdb_wide_count", SQLDB_NO_ARGS, e);
}

struct shapes {
    struct arena *arena;
    struct shape *list;
    size_t count, cap;
};

static void add_shape(struct shapes *out, struct sqldb_stmt *s)
{
    int64_t id = sqldb_get_i64(s, 0);

    if (out->count && out->list[out->count - 1].id == id) {
        return;
    }
    if (out->count == out->cap) {
        size_t cap = out->cap ? 2 * out->cap : 64;
        struct shape *longer = arena_array(out->arena, cap, sizeof(*longer));
        if (!longer) {
            return;
        }
        if (out->count) {
            memcpy(longer, out->list, out->count * sizeof(*longer));
        }
        out->list = longer;
        out->cap = cap;
    }
    out->list[out->count++] = (struct shape){.id = id,
                                             .name = arena_str(out->arena, sqldb_get_text(s, 1)),
                                             .fact = sqldb_get_i64(s, 2) != 0};
}

/* The relations of a statement, which is in order of their ids. */
static enum err_code list_shapes(struct pgstore *p, const char *name, struct shapes *out,
                                 struct err *e)
{
    struct sqldb_stmt *s = NULL;
    bool row = true;
    enum err_code code = sqldb_query(p->lead, name, SQLDB_NO_ARGS, &s, e);

    while (code == ERR_OK && (code = sqldb_step(s, &row, e)) == ERR_OK && row) {
        add_shape(out, s);
    }
    sqldb_end(s);
    for (size_t i = 0; code == ERR_OK && i < out->count; i++) {
        code = read_shape(p, out->arena, &out->list[i], e);
    }
    return code ? code : arena_check(out->arena, e);
}

static enum err_code make_new(struct pgstore *p, struct arena *a, struct err *e)
{
    struct shapes shapes = {.arena = a};
    struct pgstore_numbers days = {.arena = a};
    enum err_code code = list_shapes(p, "tsdb_wide_new", &shapes, e);

    code = code ? code : pgstore_read_numbers(p, "tsdb_day_list", SQLDB_NO_ARGS, &days, e);
    for (size_t i = 0; code == ERR_OK && i < shapes.count; i++) {
        code = pgstore_lead_begin(p, e);
        if (code == ERR_OK) {
            code = pgstore_lead_end(p, make_wide(p, a, &shapes.list[i], &days, e), e);
        }
    }
    if (shapes.count && code == ERR_OK) {
        log_info(&tables_log, "%zu tables were made for relations", shapes.count);
    }
    return code;
}

/* --- columns that came later --- */

static enum err_code add_columns(struct pgstore *p, struct arena *a, const struct shape *r,
                                 struct err *e)
{
    const char *table = arena_printf(a, "ts_wide_%lld", (long long)r->id);
    enum err_code code = ERR_OK;

    for (size_t i = 0; code == ERR_OK && i < r->count; i++) {
        const struct shape_column *c = &r->columns[i];
        struct buf definition;
        if (!is_stored(r, c)) {
            continue;
        }
        buf_init(&definition, 256);
        put_definition(&definition, c);
        const struct pgstore_fill fills[] = {{"table", str_of(table)},
                                             {"column", buf_view(&definition)}};
        code = pgstore_run_filled(p, "tsdb_ddl_column", fills, 2, e);
        code = code ? code : register_column(p, r, c, e);
        buf_fini(&definition);
    }
    code = code ? code : make_view(p, a, r, e);
    return code ? code : sqldb_run(p->lead, "tsdb_wide_count", SQLDB_NO_ARGS, e);
}

static enum err_code add_missing(struct pgstore *p, struct arena *a, struct err *e)
{
    struct shapes shapes = {.arena = a};
    enum err_code code = list_shapes(p, "tsdb_wide_missing", &shapes, e);

    for (size_t i = 0; code == ERR_OK && i < shapes.count; i++) {
        code = pgstore_lead_begin(p, e);
        if (code == ERR_OK) {
            code = pgstore_lead_end(p, add_columns(p, a, &shapes.list[i], e), e);
        }
    }
    return code;
}

static enum err_code look_for_timescale(struct pgstore *p, struct err *e)
{
    struct sqldb_stmt *s = NULL;
    enum err_code code = sqldb_row(p->lead, "tsdb_timescale", SQLDB_NO_ARGS, &s, e);

    p->has_timescale = code == ERR_OK;
    if (code == ERR_OK) {
        (void)snprintf(p->timescale_schema, sizeof(p->timescale_schema), "%.*s",
                       STR_ARG(sqldb_get_text(s, 0)));
    }
    sqldb_end(s);
    return code == ERR_NOT_FOUND ? ERR_OK : code;
}

enum err_code pgstore_tables_make(struct pgstore *p, struct err *e)
{
    struct arena a;

    arena_init(&a, "tsdb tables", PGSTORE_TABLES_ARENA);
    enum err_code code = look_for_timescale(p, e);
    code = code ? code : make_days(p, &a, e);
    code = code ? code : make_new(p, &a, e);
    code = code ? code : add_missing(p, &a, e);
    arena_fini(&a);
    return code;
}

enum err_code pgstore_tables_make_day(struct pgstore *p, int64_t day, struct err *e)
{
    struct arena a;

    arena_init(&a, "tsdb tables", PGSTORE_TABLES_ARENA);
    enum err_code code = make_day(p, &a, day, e);
    arena_fini(&a);
    return code;
}
