/* SPDX-License-Identifier: PostgreSQL */
/*
 * probe.c: the table of probes, and what surrounds each run: predicates, states, output.
 *
 * Threads: probe_table builds immutable data; the rest works on the caller's run alone.
 */
#include "probe/probe.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/num.h"
#include "os/clock.h"

#define CLOCK_AHEAD_MS 120000 /* what the server takes at most */

#define PROBE(x) extern const struct probe probe_##x;
#include "probe/probes.list"
#undef PROBE

static const struct probe *const C_PROBES[] = {
#define PROBE(x) &probe_##x,
#include "probe/probes.list"
#undef PROBE
};
#define C_PROBE_COUNT (sizeof(C_PROBES) / sizeof(C_PROBES[0]))

const char *probe_state_name(enum probe_state state)
{
    switch (state) {
    case PROBE_STARTING:
        return "starting";
    case PROBE_OK:
        return "ok";
    case PROBE_NO_DATA:
        return "no_data";
    case PROBE_DENIED:
        return "denied";
    case PROBE_ERROR:
        return "error";
    case PROBE_SHED:
        return "shed";
    }
    return "error";
}

static const struct probe *catalogue_probe(struct arena *a, const struct catalogue_file *f)
{
    struct probe *p = arena_alloc(a, sizeof(*p));
    const char **relations = arena_array(a, 2, sizeof(*relations));
    if (!p || !relations) {
        return NULL;
    }
    relations[0] = f->name;
    *p = (struct probe){
        .name = f->name,
        .summary = f->relation.help.ptr,
        .scope = f->scope,
        .clock_ms = f->clock_ms,
        .timeout_ms = f->timeout_ms,
        .privilege = f->privilege,
        .relations = relations,
        .source = f->source,
        .run = probe_run_catalogue,
        .sql = f,
    };
    return p;
}

const struct probe *const *probe_table(struct arena *a, const struct catalogue *cat, size_t *count)
{
    const struct probe **table = arena_array(a, cat->count + C_PROBE_COUNT, sizeof(*table));
    size_t n = 0;
    *count = 0;
    if (!table) {
        return NULL;
    }
    for (size_t i = 0; i < cat->count; i++) {
        if (!cat->files[i].probe) {
            const struct probe *p = catalogue_probe(a, &cat->files[i]);
            if (!p) {
                return NULL;
            }
            table[n++] = p;
        }
    }
    for (size_t i = 0; i < C_PROBE_COUNT; i++) {
        table[n++] = C_PROBES[i];
    }
    *count = n;
    return table;
}

void probe_memory_fini(struct probe_memory *m)
{
    if (m->probe && m->probe->forget && m->data) {
        m->probe->forget(m->data);
    }
    m->data = NULL;
    buf_fini(&m->keep);
    buf_fini(&m->kept);
}

/* --- output --------------------------------------------------------------------------------- */

int64_t probe_now_ms(const struct probe_run *r)
{
    int64_t now = clock_wall_ms() + r->wall_offset_ms;
    int64_t ahead = r->memory->last_t_ms - now;
    /* times that far ahead were never stored: going on from them would lose all until then */
    return ahead < 0 || ahead > CLOCK_AHEAD_MS ? now : r->memory->last_t_ms + 1;
}

/* Room for one more item in an arena's array; NULL when the arena is full. */
static void *grow(struct arena *a, void *items, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) {
        return items;
    }
    size_t more = *cap ? *cap * 2 : 8;
    void *bigger = arena_array(a, more, size);
    if (bigger) {
        if (count) {
            memcpy(bigger, items, count * size);
        }
        *cap = more;
    }
    return bigger;
}

void probe_emit(struct probe_run *r, const struct slice *s)
{
    struct probe_output *o = r->out;
    struct slice *slices = grow(o->arena, o->slices, o->slice_count, &o->slice_cap,
                                sizeof(*slices));
    if (!slices) {
        return; /* the arena's overflow is checked at the end of the run */
    }
    o->slices = slices;
    o->slices[o->slice_count++] = *s;
    r->report->rows += s->row_count;
    if (s->t_ms > r->memory->last_t_ms) {
        r->memory->last_t_ms = s->t_ms;
    }
}

void probe_emit_text(struct probe_run *r, struct str kind, struct str key, struct str text)
{
    struct probe_output *o = r->out;
    struct batch_text *texts = grow(o->arena, o->texts, o->text_count, &o->text_cap,
                                    sizeof(*texts));
    if (!texts) {
        return;
    }
    o->texts = texts;
    o->texts[o->text_count++] = (struct batch_text){
        .target = r->target,
        .kind = kind,
        .key = arena_str(o->arena, key),
        .text = arena_str(o->arena, text),
    };
}

void probe_emit_event(struct probe_run *r, const char *kind, enum batch_severity severity,
                      const char *title, const struct buf *body)
{
    struct probe_output *o = r->out;
    struct batch_event *events = grow(o->arena, o->events, o->event_count, &o->event_cap,
                                      sizeof(*events));
    if (!events || body->failed) {
        return;
    }
    o->events = events;
    o->events[o->event_count++] = (struct batch_event){
        .t_ms = probe_now_ms(r),
        .target = r->target,
        .kind = str_of(kind),
        .severity = severity,
        .title = arena_str(o->arena, str_of(title)),
        .body = arena_str(o->arena, buf_view(body)),
    };
}

void probe_emit_failed(struct probe_run *r, const char *relation, const char *reason)
{
    int64_t now = probe_now_ms(r);
    struct slice s = {
        .relation = str_of(relation),
        .target = r->target,
        .scope = arena_str(r->arena, r->scope),
        .t_ms = now,
        .from_ms = now,
        .every_ms = r->every_ms,
        .flags = SLICE_FAILED,
        .reason = arena_str(r->arena, str_of(reason)),
    };
    probe_emit(r, &s);
}

/* --- around a run --------------------------------------------------------------------------- */

static void say(struct probe_run *r, enum probe_state state, const char *reason, const char *fix)
{
    *r->report = (struct probe_report){.state = state, .reason = reason, .fix = fix};
}

/* SQL that would help, from the catalogue. */
static const char *fix_text(const struct probe_run *r, const char *name)
{
    const struct catalogue_file *f = catalogue_find(r->catalogue, "pg_server");
    const struct catalogue_query *q = f ? catalogue_pick(f, name, r->server->version_num, "")
                                        : NULL;
    struct str text = str_trim(str_of(q ? q->sql : NULL));
    return q ? arena_cstr(r->arena, text) : NULL;
}

/* What the missing extension needs; true when there is something to say. */
static bool lacks_extension(struct probe_run *r, const char *extension)
{
    bool created = r->server->statements_version[0] != '\0';
    bool loaded = r->server->statements_loaded;
    if (!extension || strcmp(extension, "pg_stat_statements") != 0 || (created && loaded)) {
        return false;
    }
    if (created) {
        say(r, PROBE_NO_DATA, "pg_stat_statements is not in shared_preload_libraries",
            fix_text(r, "fix_preload"));
        return true;
    }
    say(r, PROBE_NO_DATA,
        "the extension pg_stat_statements is not in the database that is connected to",
        fix_text(r, loaded ? "fix_extension" : "fix_preload"));
    return true;
}

static const char *grant_all_stats(struct probe_run *r)
{
    const char *user = r->server ? r->server->user : "";
    return arena_printf(r->arena, "GRANT pg_monitor TO \"%s\"", user);
}

void probe_say_hidden(struct probe_run *r)
{
    say(r, PROBE_DENIED,
        arena_printf(r->arena, "sessions of other roles are hidden from the role %s",
                     r->server->user),
        grant_all_stats(r));
}

/*
 * A role without pg_read_all_stats sees rows with holes, not an error: such a reading would be
 * wrong without a sign. C probes judge for themselves.
 */
static bool lacks_privilege(struct probe_run *r, const struct catalogue_file *f)
{
    if (f->probe || r->server->reads_all_stats || !f->privilege ||
        strcmp(f->privilege, "pg_read_all_stats") != 0) {
        return false;
    }
    probe_say_hidden(r);
    return true;
}

/* Whether the file's predicates let it run here; says why not. */
static bool fits(struct probe_run *r, const struct catalogue_file *f)
{
    if (!r->server || !f) {
        return true;
    }
    if (f->min_major && r->server->version_num / 10000 < f->min_major) {
        say(r, PROBE_NO_DATA, arena_printf(r->arena, "needs PostgreSQL %d", f->min_major), NULL);
        return false;
    }
    if (f->only == CATALOGUE_PRIMARY && r->server->in_recovery) {
        say(r, PROBE_NO_DATA, "only on a primary", NULL);
        return false;
    }
    if (f->only == CATALOGUE_STANDBY && !r->server->in_recovery) {
        say(r, PROBE_NO_DATA, "only on a standby", NULL);
        return false;
    }
    return !lacks_extension(r, f->extension) && !lacks_privilege(r, f);
}

void probe_explain(struct probe_run *r, const struct err *e)
{
    const char *reason = arena_strndup(r->arena, e->text, strlen(e->text));
    switch (e->code) {
    case ERR_DENIED:
        say(r, PROBE_DENIED, reason, grant_all_stats(r));
        return;
    case ERR_UNSUPPORTED:
    case ERR_NOT_FOUND:
        say(r, PROBE_NO_DATA, reason, NULL);
        return;
    case ERR_OK:
    case ERR_TIMEOUT:
    case ERR_UNREACHABLE:
    case ERR_CONFLICT:
    case ERR_INVALID:
    case ERR_LIMIT:
    case ERR_IO:
    case ERR_CORRUPT:
    case ERR_CANCELLED:
    case ERR_BUG:
        say(r, PROBE_ERROR, reason, NULL);
        return;
    }
}

const char *probe_fix(const struct probe_run *r, const char *name)
{
    return fix_text(r, name);
}

enum err_code probe_ask(const struct probe_run *r, const struct probe_question *question,
                        struct pgclient_result *out, struct err *e)
{
    const struct catalogue_file *f = catalogue_find(r->catalogue, question->file);
    const struct catalogue_query *q =
        f ? catalogue_pick(f, question->query, r->server->version_num, "") : NULL;
    struct pgclient_query query = {.name = question->prepared,
                                   .params = question->params,
                                   .param_count = question->param_count,
                                   .deadline_us = r->deadline_us};

    if (!q)
        return err_set(e, ERR_BUG, "the catalogue has no %s.%s", question->file, question->query);
    query.sql = q->sql;
    return pgclient_query(r->pg, r->arena, &query, out, e);
}

enum err_code probe_execute(struct probe_run *r, struct err *e)
{
    const struct probe *p = r->memory->probe;
    const struct catalogue_file *f = p->sql ? p->sql
                                            : catalogue_find(r->catalogue, p->relations[0]);
    say(r, PROBE_OK, NULL, NULL);
    err_clear(e);
    if (!fits(r, f)) {
        return ERR_OK;
    }
    enum err_code code = p->run(r, e);
    code = code ? code : arena_check(r->arena, e);
    if (code) {
        probe_explain(r, e);
    }
    return code;
}

/* --- catalogue probes ----------------------------------------------------------------------- */

enum err_code probe_parse_cell(const struct relation_column *column, struct str text,
                               struct cell *out, struct err *e)
{
    int64_t i;
    uint64_t u;
    double f;
    switch (column->type) {
    case RELATION_STR:
        *out = cell_str(text);
        return ERR_OK;
    case RELATION_I64:
        if (num_parse_i64(text, INT64_MIN, INT64_MAX, &i, e)) {
            return err_wrap(e, "column %.*s", STR_ARG(column->name));
        }
        *out = cell_i64(i);
        return ERR_OK;
    case RELATION_U64:
        if (num_parse_u64(text, UINT64_MAX, &u, e)) {
            return err_wrap(e, "column %.*s", STR_ARG(column->name));
        }
        *out = cell_u64(u);
        return ERR_OK;
    case RELATION_F64:
        if (str_eq_c(text, "NaN") || str_eq_c(text, "Infinity") || str_eq_c(text, "-Infinity")) {
            *out = (struct cell){.tag = CELL_NULL};
            return ERR_OK;
        }
        if (num_parse_f64(text, &f, e)) {
            return err_wrap(e, "column %.*s", STR_ARG(column->name));
        }
        if (column->resolution > 0) {
            /* divide by the inverse: 1/0.001 is exact where 0.001 is not */
            double steps = 1 / column->resolution;
            f = __builtin_round(f * steps) / steps;
        }
        *out = cell_f64(f);
        return ERR_OK;
    }
    return err_set(e, ERR_BUG, "unknown column type");
}

/* Where each column of the result goes: a key, a value, or nowhere. */
struct mapping {
    int key[LIMIT_RELATION_KEYS];       /* result column of each key */
    int column[LIMIT_RELATION_COLUMNS]; /* result column of each value; -1 = not in this version */
};

static int find_name(const struct pgclient *pg, struct str name)
{
    for (size_t i = 0; i < pgclient_column_count(pg); i++) {
        if (str_eq_c(name, pgclient_column_name(pg, i))) {
            return (int)i;
        }
    }
    return -1;
}

static enum err_code map_columns(const struct relation *rel, const struct pgclient *pg,
                                 struct mapping *m, struct err *e)
{
    for (size_t i = 0; i < rel->key_count; i++) {
        m->key[i] = find_name(pg, rel->keys[i].name);
        if (m->key[i] < 0) {
            return err_set(e, ERR_BUG, "the query yields no key %.*s", STR_ARG(rel->keys[i].name));
        }
    }
    for (size_t i = 0; i < rel->column_count; i++) {
        m->column[i] = find_name(pg, rel->columns[i].name);
    }
    return ERR_OK;
}

static enum err_code add_row(struct slice_builder *sb, const struct relation *rel,
                             const struct mapping *m, const struct pgclient_row *row, struct err *e)
{
    struct str keys[LIMIT_RELATION_KEYS];
    for (size_t i = 0; i < rel->key_count; i++) {
        keys[i] = row->cells[m->key[i]];
    }
    slice_build_row(sb, keys);
    for (size_t i = 0; i < rel->column_count; i++) {
        struct cell cell;
        if (m->column[i] < 0 || !row->cells[m->column[i]].ptr) {
            continue;
        }
        if (probe_parse_cell(&rel->columns[i], row->cells[m->column[i]], &cell, e)) {
            return e->code;
        }
        slice_build_cell(sb, i, cell);
    }
    return ERR_OK;
}

/* More than max_rows (0 = any number) are read over; *cut says so. */
static enum err_code read_rows(struct probe_run *r, struct slice_builder *sb, int64_t max_rows,
                               bool *cut, struct err *e)
{
    const struct relation *rel = sb->relation;
    struct mapping m;
    struct pgclient_row row;
    int64_t count = 0;
    bool mapped = false;
    for (;;) {
        enum err_code code = pgclient_next(r->pg, &row, e);
        if (code || !row.count) {
            return code;
        }
        if (!mapped && map_columns(rel, r->pg, &m, e)) {
            return e->code;
        }
        mapped = true;
        *cut = max_rows && ++count > max_rows;
        if (!*cut && add_row(sb, rel, &m, &row, e)) {
            return e->code;
        }
    }
}

/* The reading is not complete: what it lacks has not ended. */
static void mark_cut(struct probe_run *r, struct slice *s, int64_t max_rows)
{
    s->flags &= ~(unsigned)(SLICE_COMPLETE | SLICE_KEYFRAME);
    r->report->reason = arena_printf(r->arena, "truncated: there are more than %lld rows",
                                     (long long)max_rows);
    s->reason = str_of(r->report->reason);
}

enum err_code probe_run_catalogue(struct probe_run *r, struct err *e)
{
    const struct catalogue_file *f = r->memory->probe->sql;
    const struct catalogue_query *q = catalogue_pick(f, "read", r->server->version_num,
                                                     r->server->statements_version);
    struct slice_builder sb;
    struct slice *s;
    if (!q) {
        return err_set(e, ERR_UNSUPPORTED, "not on PostgreSQL %d", r->server->version_num / 10000);
    }
    int64_t t = probe_now_ms(r);
    struct slice_times times = {t, t, r->every_ms};
    char limit[24];
    struct str param;
    slice_build_begin(&sb, r->arena, &f->relation, &r->target, r->scope, &times);
    struct pgclient_query query = {.sql = q->sql, .name = f->name, .deadline_us = r->deadline_us};
    if (f->max_rows) {
        snprintf(limit, sizeof(limit), "%lld", (long long)f->max_rows + 1);
        param = str_of(limit);
        query.params = &param;
        query.param_count = 1;
    }
    if (pgclient_begin(r->pg, &query, e)) {
        return e->code;
    }
    bool cut = false;
    enum err_code code = read_rows(r, &sb, f->max_rows, &cut, e);
    enum err_code ended = pgclient_end(r->pg, NULL, code ? NULL : e);
    if (code || ended) {
        return code ? code : ended;
    }
    if (slice_build_end(&sb, SLICE_COMPLETE | SLICE_KEYFRAME, &s, e)) {
        return e->code;
    }
    if (cut) {
        mark_cut(r, s, f->max_rows);
    }
    probe_emit(r, s);
    if (s->row_count == 0 && f->empty) {
        say(r, PROBE_NO_DATA, f->empty, NULL);
    }
    return ERR_OK;
}

/* --- what the server is --------------------------------------------------------------------- */

/* Columns of pg_server.toml, query facts, in order. */
enum fact {
    FACT_VERSION,
    FACT_IN_RECOVERY,
    FACT_SUPERUSER,
    FACT_READS_ALL_STATS,
    FACT_READS_FILES,
    FACT_USER,
    FACT_SYSTEM_IDENTIFIER,
    FACT_STATEMENTS_VERSION,
    FACT_STATEMENTS_LOADED,
    FACT_SEARCH_PATH,
    FACT_COUNT,
};

static void copy(char *out, size_t size, struct str s)
{
    snprintf(out, size, "%.*s", STR_ARG(s));
}

enum err_code probe_learn_server(const struct probe_run *r, struct probe_server *out, struct err *e)
{
    struct pgclient_result res;
    const struct catalogue_file *f = catalogue_find(r->catalogue, "pg_server");
    int version = pgclient_version(r->pg);
    const struct catalogue_query *q = f ? catalogue_pick(f, "facts", version, "") : NULL;
    if (!q) {
        return err_set(e, ERR_BUG, "the catalogue has no pg_server");
    }
    struct pgclient_query query = {.sql = q->sql, .deadline_us = r->deadline_us};
    if (pgclient_query(r->pg, r->arena, &query, &res, e)) {
        return err_wrap(e, "facts");
    }
    if (res.row_count != 1 || res.column_count != FACT_COUNT) {
        return err_set(e, ERR_INVALID, "the server does not say who we are");
    }
    memset(out, 0, sizeof(*out));
    out->version_num = version;
    copy(out->version, sizeof(out->version), res.cells[FACT_VERSION]);
    out->in_recovery = str_eq_c(res.cells[FACT_IN_RECOVERY], "t");
    out->superuser = str_eq_c(res.cells[FACT_SUPERUSER], "t");
    out->reads_all_stats = str_eq_c(res.cells[FACT_READS_ALL_STATS], "t");
    out->reads_files = str_eq_c(res.cells[FACT_READS_FILES], "t");
    copy(out->user, sizeof(out->user), res.cells[FACT_USER]);
    copy(out->system_identifier, sizeof(out->system_identifier), res.cells[FACT_SYSTEM_IDENTIFIER]);
    copy(out->statements_version, sizeof(out->statements_version),
         res.cells[FACT_STATEMENTS_VERSION]);
    out->statements_loaded = str_eq_c(res.cells[FACT_STATEMENTS_LOADED], "t");
    return ERR_OK;
}
