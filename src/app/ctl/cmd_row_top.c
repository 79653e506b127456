/* SPDX-License-Identifier: PostgreSQL */
/*
 * cmd_row_top.c: `pga ctl row top`: which rows of a relation had most of a column in an interval,
 * and what they had in another.
 *
 * A relation has keys and columns of its own; the table shows its keys, the column that orders,
 * what that was before, and the other columns.
 */
#include "app/ctl/cmd_change.h"

#define COLUMN_MAX 24
#define TABLE_MAX  ((size_t)16 * 1024 * 1024)

struct table {
    struct ctl *ctl;
    struct output_column columns[COLUMN_MAX];
    size_t count;
};

static void add_column(struct table *t, struct str name, enum output_form form)
{
    const char *text = arena_cstr(&t->ctl->arena, name);

    if (t->count < COLUMN_MAX)
        t->columns[t->count++] = (struct output_column){text, text, form};
}

static void choose_columns(struct table *t, const struct json *root)
{
    bool compares = json_type(json_get(root, "compare")) == JSON_OBJECT;
    struct str order = json_str(json_get(root, "order"));

    add_column(t, STR("share"), OUTPUT_PERCENT);
    for (struct json_iter it = json_iter(json_get(root, "by")); json_next(&it);)
        add_column(t, json_str(it.value), OUTPUT_ONE_LINE);
    add_column(t, order, OUTPUT_DECIMAL);
    if (compares) {
        add_column(t, STR("before"), OUTPUT_DECIMAL);
        add_column(t, STR("change/s"), OUTPUT_DECIMAL);
    }
    for (struct json_iter it = json_iter(json_get(root, "columns")); json_next(&it);) {
        struct str name = json_str(json_get(it.value, "name"));

        if (!str_eq(name, order))
            add_column(t, name, OUTPUT_DECIMAL);
    }
}

static void put_members(struct json_writer *w, const struct json *object)
{
    for (struct json_iter it = json_iter(object); json_next(&it);) {
        json_key_str(w, it.key);
        json_put_node(w, it.value);
    }
}

static void put_member(struct json_writer *w, const char *key, const struct json *value)
{
    json_key(w, key);
    json_put_node(w, value);
}

/* Rows as tables have them: one level of members. */
static void put_rows(struct json_writer *w, const struct json *root)
{
    struct str order = json_str(json_get(root, "order"));

    json_array_begin(w);
    for (struct json_iter row = json_iter(json_get(root, "data")); json_next(&row);) {
        const struct json *before = json_get(row.value, "before");

        json_object_begin(w);
        put_member(w, "share", json_get(row.value, "share"));
        put_members(w, json_get(row.value, "keys"));
        put_members(w, json_get(row.value, "values"));
        if (json_type(before) == JSON_OBJECT)
            put_member(w, "before", json_get_str(before, order));
        put_member(w, "change/s", json_get(row.value, "change"));
        json_object_end(w);
    }
    json_array_end(w);
}

static int show(struct ctl *ctl, const struct json *root)
{
    struct table t = {.ctl = ctl};
    struct json_doc *doc = NULL;
    struct json_writer w;
    struct buf text;
    struct err e;

    err_clear(&e);
    choose_columns(&t, root);
    buf_init(&text, TABLE_MAX);
    json_writer_init(&w, &text);
    put_rows(&w, root);
    enum err_code rc = buf_check(&text, &e);
    rc = rc ? rc
            : json_parse(buf_view(&text), &(struct json_limits){TABLE_MAX, 4, false}, &doc, &e);
    if (rc == ERR_OK)
        ctl->output->list(root, json_root(doc), t.columns, t.count);
    json_doc_free(doc);
    buf_fini(&text);
    return rc ? ctl_fail(ctl, &e) : CTL_OK;
}

static void add_query(struct ctl *ctl, struct buf *path)
{
    static const char *const same[] = {"by", "order", "direction", "rank", "where", "limit"};

    ctl_query_add(path, "relation", ctl->arguments[0]);
    ctl_query_add(path, "from", ctl_time(ctl, "since", "-1h"));
    ctl_query_add(path, "to", ctl_time(ctl, "until", "now"));
    for (size_t i = 0; i < CMD_COUNT(same); i++)
        ctl_query_add(path, same[i], ctl_option(ctl, same[i]));
    if (ctl_option(ctl, "compare-since"))
        ctl_query_add(path, "compare_from", ctl_time(ctl, "compare-since", NULL));
    if (ctl_option(ctl, "compare-until"))
        ctl_query_add(path, "compare_to", ctl_time(ctl, "compare-until", NULL));
}

static int run_top(struct ctl *ctl)
{
    const struct json *root = NULL;
    const char *id;
    struct buf path;
    struct err e;

    err_clear(&e);
    if (ctl->argument_count != 1) {
        (void)err_set(&e, ERR_INVALID,
                      "which relation? pga ctl target relations TARGET lists them");
        (void)ctl_fail(ctl, &e);
        return CTL_USAGE;
    }
    if (ctl_find_target(ctl, ctl_option(ctl, "target"), &id, &e))
        return ctl_fail(ctl, &e);
    buf_init(&path, 8192);
    buf_add_c(&path, "/api/v1/servers/");
    ctl_path_add(&path, id);
    buf_add_c(&path, "/top");
    add_query(ctl, &path);
    struct ctl_call call = {.method = "GET", .path = path.ptr};
    enum err_code rc = ctl_request(ctl, &call, &root, &e);
    buf_fini(&path);
    return rc ? ctl_fail(ctl, &e) : show(ctl, root);
}

static const struct ctl_option options[] = {
    {"target", "NAME", "name or id of the target (default: the only one)"},
    {"by", "KEYS", "keys to group by, with commas; scope is one (default: all of the relation)"},
    {"order", "COLUMN", "a numeric column (default: the first of which there are totals)"},
    {"direction", "DIR", "desc (default) or asc"},
    {"rank", "WHAT", "value (default), or change, between the two intervals"},
    {"where", "KEY=VALUE", "only such rows"},
    {"since", "TIME", "from this time on: 30m, -30m, a time (default 1h)"},
    {"until", "TIME", "up to this time (default now)"},
    {"compare-since", "TIME", "begin of a second interval"},
    {"compare-until", "TIME", "its end (default: as long as the first)"},
    {"limit", "N", "at most N rows (default 20)"},
    {NULL, NULL, NULL},
};

const struct ctl_command ctl_command_row_top = {
    .noun = "row",
    .verb = "top",
    .summary = "show the rows of a relation that had most of a column in an interval",
    .argument = "RELATION",
    .options = options,
    .needs = CTL_NEEDS_LOGIN,
    .watched = CTL_WATCHED,
    .run = run_top,
};
