/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_row.c: `pga ctl row list` and `pga ctl collector rows`: the newest rows as they were read.
 *
 * The rows of a relation have columns of their own, so the table has a column for each member that
 * any of them has, in the order in which they come.
 */
#include <stdio.h>
#include <string.h>

#include "app/ctl/cmd_change.h"

#define COLUMN_MAX 48 /* of a table; -o json has them all */

struct table {
    struct output_column columns[COLUMN_MAX];
    size_t count;
    bool cut;
};

static enum output_form form_of(const struct json *value)
{
    switch (json_type(value)) {
    case JSON_I64:
    case JSON_U64:
        return OUTPUT_INTEGER;
    case JSON_F64:
        return OUTPUT_DECIMAL;
    case JSON_STR:
        return OUTPUT_ONE_LINE;
    case JSON_ABSENT:
    case JSON_NULL:
    case JSON_BOOL:
    case JSON_ARRAY:
    case JSON_OBJECT:
        break;
    }
    return OUTPUT_TEXT;
}

static struct output_column *find_column(struct table *t, struct str name)
{
    for (size_t i = 0; i < t->count; i++) {
        if (str_eq_c(name, t->columns[i].member))
            return &t->columns[i];
    }
    return NULL;
}

static void see_member(struct ctl *ctl, struct table *t, struct str name, const struct json *value)
{
    struct output_column *column = find_column(t, name);
    const char *member;

    if (column != NULL) {
        if (column->form == OUTPUT_TEXT)
            column->form = form_of(value);
        return;
    }
    t->cut = t->cut || t->count == COLUMN_MAX;
    if (t->count == COLUMN_MAX || str_eq_c(name, "reading"))
        return;
    member = arena_cstr(&ctl->arena, name);
    t->columns[t->count++] = (struct output_column){member, member, form_of(value)};
}

/* Where each row is from has a table of its own on the page; here -o json tells it. */
static int show(struct ctl *ctl, const struct json *root)
{
    const struct json *rows = json_get(root, "data");
    struct table t = {.count = 0};

    for (struct json_iter row = json_iter(rows); json_next(&row);) {
        for (struct json_iter member = json_iter(row.value); json_next(&member);)
            see_member(ctl, &t, member.key, member.value);
    }
    ctl->output->list(root, rows, t.columns, t.count);
    if (t.cut)
        fprintf(stderr, "pga ctl: only the first %d columns are shown; -o json has all\n",
                COLUMN_MAX);
    if (json_i64(json_get(root, "total"), 0) > (int64_t)json_count(rows))
        fprintf(stderr, "pga ctl: %zu of %lld rows; --limit and --offset page through them\n",
                json_count(rows), (long long)json_i64(json_get(root, "total"), 0));
    return CTL_OK;
}

static int ask(struct ctl *ctl, struct buf *path)
{
    const struct json *root;
    struct err e;

    err_clear(&e);
    ctl_query_add(path, "database", ctl_option(ctl, "database"));
    ctl_query_add(path, "limit", ctl_option(ctl, "limit"));
    ctl_query_add(path, "offset", ctl_option(ctl, "offset"));
    struct ctl_call call = {.method = "GET", .path = path->ptr};
    enum err_code rc = ctl_request(ctl, &call, &root, &e);
    return rc ? ctl_fail(ctl, &e) : show(ctl, root);
}

static int misused(struct ctl *ctl, const char *what)
{
    struct err e;

    err_clear(&e);
    (void)err_set(&e, ERR_INVALID, "%s", what);
    (void)ctl_fail(ctl, &e);
    return CTL_USAGE;
}

static int run_list(struct ctl *ctl)
{
    const char *id;
    struct buf path;
    struct err e;

    err_clear(&e);
    if (ctl->argument_count != 1)
        return misused(ctl, "which relation? pga ctl target relations TARGET lists them");
    if (ctl_find_target(ctl, ctl_option(ctl, "target"), &id, &e))
        return ctl_fail(ctl, &e);
    buf_init(&path, 8192);
    buf_add_c(&path, "/api/v1/servers/");
    ctl_path_add(&path, id);
    buf_add_c(&path, "/rows");
    ctl_query_add(&path, "relation", ctl->arguments[0]);
    int rc = ask(ctl, &path);
    buf_fini(&path);
    return rc;
}

static const char *const kinds[] = {"bloat",        "cache-hits",  "connections",
                                    "extensions",   "locks",       "queries/frequent",
                                    "queries/slow", "replication", "replication-slots",
                                    "schema",       "topology",    "version"};

static bool is_kind(const char *name)
{
    for (size_t i = 0; i < CMD_COUNT(kinds); i++) {
        if (strcmp(name, kinds[i]) == 0)
            return true;
    }
    return false;
}

static int run_rows(struct ctl *ctl)
{
    static const struct cmd_call list = {.path = "/api/v1/collectors", .name_member = "name"};
    const char *id;
    struct buf path;
    struct err e;

    err_clear(&e);
    if (ctl->argument_count != 2 || !is_kind(ctl->arguments[1]))
        return misused(ctl, "a collector and a kind: bloat, cache-hits, connections, extensions, "
                            "locks, queries/frequent, queries/slow, replication, "
                            "replication-slots, schema, topology or version");
    if (cmd_change_find(ctl, &list, ctl->arguments[0], &id, &e))
        return ctl_fail(ctl, &e);
    buf_init(&path, 8192);
    buf_add_c(&path, "/api/v1/collectors/");
    ctl_path_add(&path, id);
    buf_printf(&path, "/%s", ctl->arguments[1]);
    int rc = ask(ctl, &path);
    buf_fini(&path);
    return rc;
}

static const struct ctl_option list_options[] = {
    {"target", "NAME", "name or id of the target (default: the only one)"},
    {"database", "NAME", "only rows of this database"},
    {"limit", "N", "at most N rows (default 100)"},
    {"offset", "N", "leave out the first N rows"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_row_list = {
    .noun = "row",
    .verb = "list",
    .summary = "list the newest rows of a relation of a target",
    .argument = "RELATION",
    .options = list_options,
    .needs = CTL_NEEDS_LOGIN,
    .watched = CTL_WATCHED,
    .run = run_list,
};

const struct ctl_command ctl_command_collector_rows = {
    .noun = "collector",
    .verb = "rows",
    .summary = "list the newest rows of one kind, of all that an agent watches",
    .argument = "COLLECTOR KIND",
    .options = list_options + 1,
    .needs = CTL_NEEDS_LOGIN,
    .watched = CTL_WATCHED,
    .run = run_rows,
};
